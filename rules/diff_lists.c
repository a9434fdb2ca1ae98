/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: differences that are no flows: modes, guards, and who is trusted */
#include <stdlib.h>
#include <string.h>

#include <cordon/guard.h>

#include "rules/diff_lists.h"

/* ---- modes ---- */

static const char *mode_name(uint8_t mode)
{
	return mode == FS_OBSERVE ? "observe" : "enforce";
}

static void compare_modes(struct differ *d, uint32_t o, uint32_t n)
{
	const struct fs_host *x = o != FS_NONE ? fs_host(d->fs[DIFF_OLD], o) : NULL,
			     *y = n != FS_NONE ? fs_host(d->fs[DIFF_NEW], n) : NULL;
	struct diff_change c = { 0 };

	if (x != NULL && y != NULL ? x->mode == y->mode :
		(x != NULL ? x : y)->mode == FS_ENFORCE)
		return;
	if (x != NULL)
		c.old = mode_name(x->mode);
	if (y != NULL)
		c.new = mode_name(y->mode);
	c.subject = y != NULL ? fs_str(d->fs[DIFF_NEW], y->name)
			      : fs_str(d->fs[DIFF_OLD], x->name);
	c.file = y != NULL ? fs_str(d->fs[DIFF_NEW], y->file)
			   : fs_str(d->fs[DIFF_OLD], x->file);
	c.line = (y != NULL ? y : x)->line;
	c.weaker = y != NULL && y->mode == FS_OBSERVE;
	diff_change(d, DIFF_MODES, c);
}

/* ---- guards ---- */

static const char *action_name(uint8_t action)
{
	switch ((enum fs_guard_action)action) {
	case FS_GUARD_OFF:
		return "disabled";
	case FS_GUARD_ALERT:
		return "alert";
	case FS_GUARD_DROP:
		return "drop";
	}
	return "?";
}

static const struct fs_guard_use none = { .action = FS_GUARD_OFF,
	.default_action = FS_GUARD_OFF, .expires = FS_FOREVER };

static uint8_t action_at(const struct fs_guard_use *u, int64_t t)
{
	return t < u->expires ? u->action : u->default_action;
}

/* Whether n does less than o now, or at some later time. */
static bool is_weaker(const struct fs_guard_use *o, const struct fs_guard_use *n,
    int64_t at)
{
	const int64_t when[] = { at, o->expires, n->expires };

	for (size_t i = 0; i < 3; i++) {
		if (when[i] >= at && action_at(n, when[i]) < action_at(o, when[i]))
			return true;
	}
	return false;
}

static const char *use_text(struct differ *d, int side, const struct fs_guard_use *u)
{
	char until[32];
	const char *s;

	if (u->expires <= d->at)
		return action_name(u->default_action);
	s = diff_except_text(d, side, u, action_name(u->action));
	if (u->expires == FS_FOREVER)
		return s;
	s = arena_printf(&d->arena, "%s until %s, then %s", s,
	    diff_time_text(u->expires, until), action_name(u->default_action));
	return s != NULL ? s : "";
}

static bool same_use(const struct fs_guard_use *o, const struct fs_guard_use *n,
    int64_t at)
{
	int64_t x = o->expires > at ? o->expires : at,
		y = n->expires > at ? n->expires : at;

	return action_at(o, at) == action_at(n, at) &&
	    (action_at(o, at) == o->default_action && action_at(n, at) == n->default_action ?
		    o->default_action == n->default_action :
		    x == y && o->default_action == n->default_action);
}

static void expose_guard(struct differ *d, const struct fs_host *h, const char *guard)
{
	for (uint32_t i = 0; i < h->addresses.count; i++) {
		const struct netrange *r =
		    fs_range(d->fs[DIFF_NEW], h->addresses.first + i);
		struct diff_region *e = diff_expose(d, NULL, r, r->lo.v, DIFF_GUARD);

		if (e != NULL)
			e->guard = guard;
	}
}

static void compare_use(struct differ *d, const struct fs_host *h, const char *id,
    const struct fs_guard_use *o, const struct fs_guard_use *n)
{
	struct diff_change c = { .what = id };

	if (same_use(o, n, d->at) && diff_same_except(d, o, n))
		return;
	c.subject = fs_str(d->fs[DIFF_NEW], h->name);
	c.old = use_text(d, DIFF_OLD, o);
	c.new = use_text(d, DIFF_NEW, n);
	c.file = fs_str(d->fs[DIFF_NEW], h->file);
	c.line = h->line;
	c.weaker = is_weaker(o, n, d->at);
	if (c.weaker) /* towards everybody */
		expose_guard(d, h, id);
	else
		c.weaker = diff_except(d, h, id, o, n);
	diff_change(d, DIFF_GUARDS, c);
}

static const struct fs_guard_use *use(const struct fs *fs, const struct fs_host *h,
    uint32_t i, const char **ret_id)
{
	const struct fs_guard_use *u;

	*ret_id = NULL;
	if (i >= h->guards.count)
		return NULL;
	u = FS_AT(fs, FS_GUARD_USES, struct fs_guard_use, h->guards.first + i);
	*ret_id = fs_str(fs, FS_AT(fs, FS_GUARDS, struct guard, u->guard)->id);
	return u;
}

/* Both lists are sorted by id. */
static void compare_guards(struct differ *d, uint32_t o, uint32_t n)
{
	const struct fs_host *x = fs_host(d->fs[DIFF_OLD], o),
			     *y = fs_host(d->fs[DIFF_NEW], n);
	uint32_t i = 0, k = 0;

	while (i < x->guards.count || k < y->guards.count) {
		const char *a, *b;
		const struct fs_guard_use *u = use(d->fs[DIFF_OLD], x, i, &a),
					  *w = use(d->fs[DIFF_NEW], y, k, &b);
		int c = a == NULL ? 1 : b == NULL ? -1 : strcmp(a, b);

		compare_use(d, y, c <= 0 ? a : b, c <= 0 ? u : &none, c >= 0 ? w : &none);
		i += c <= 0;
		k += c >= 0;
	}
}

static bool same_words(const struct differ *d, uint32_t o, uint32_t on, uint32_t n,
    uint32_t nn)
{
	if (on != nn)
		return false;
	for (uint32_t i = 0; i < on; i++) {
		if (strcmp(fs_str(d->fs[DIFF_OLD],
				*FS_AT(d->fs[DIFF_OLD], FS_WORDS, uint32_t, o + i)),
			fs_str(d->fs[DIFF_NEW],
			    *FS_AT(d->fs[DIFF_NEW], FS_WORDS, uint32_t, n + i))) != 0)
			return false;
	}
	return true;
}

static bool same_guard(const struct differ *d, const struct guard *o,
    const struct guard *n)
{
	return o->protocol == n->protocol && o->where == n->where && o->dir == n->dir &&
	    o->affects == n->affects && o->action == n->action &&
	    memcmp(o->alternative_len, n->alternative_len, sizeof(o->alternative_len)) ==
		0 &&
	    o->term_count == n->term_count &&
	    (o->term_count == 0 ||
		memcmp(FS_AT(d->fs[DIFF_OLD], FS_GUARD_TERMS, struct guard_term,
			   o->term_first),
		    FS_AT(d->fs[DIFF_NEW], FS_GUARD_TERMS, struct guard_term,
			n->term_first),
		    o->term_count * sizeof(struct guard_term)) == 0) &&
	    same_words(d, o->cve_first, o->cve_count, n->cve_first, n->cve_count);
}

/* A guard whose predicates are others may catch less: it counts as weaker. */
static void compare_definitions(struct differ *d)
{
	uint32_t i = 0, k = 0, no = d->fs[DIFF_OLD]->table[FS_GUARDS].count,
		 nn = d->fs[DIFF_NEW]->table[FS_GUARDS].count;

	while (i < no && k < nn) {
		const struct guard *o = FS_AT(d->fs[DIFF_OLD], FS_GUARDS, struct guard, i),
				   *n = FS_AT(d->fs[DIFF_NEW], FS_GUARDS, struct guard, k);
		const char *id = fs_str(d->fs[DIFF_NEW], n->id);
		int c = strcmp(fs_str(d->fs[DIFF_OLD], o->id), id);

		if (c == 0 && !same_guard(d, o, n)) {
			struct diff_region *e;

			diff_change(d, DIFF_GUARDS, (struct diff_change){ .subject = "*",
				.what = id, .old = "another definition",
				.new = "another definition", .weaker = true });
			for (uint8_t v = 4; v <= 6; v += 2) {
				e = diff_expose(d, NULL, NULL, v, DIFF_GUARD);
				if (e != NULL)
					e->guard = id;
			}
		}
		i += c <= 0;
		k += c >= 0;
	}
}

/* ---- pairs of hosts ---- */

struct pair {
	uint32_t o, n;
};

static int by_pair(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	if (x->n != y->n)
		return x->n < y->n ? -1 : 1;
	return (x->o > y->o) - (x->o < y->o);
}

static bool is_declared(const struct differ *d, int side, uint32_t host)
{
	return host != FS_NONE && fs_host(d->fs[side], host)->declared;
}

/* Hosts of one name, and what stands for an address before and after where one of both
 * is a prefix. */
static size_t find_pairs(struct differ *d, struct pair *v)
{
	size_t n = 0, out = 0;
	uint32_t nnew = d->fs[DIFF_NEW]->table[FS_HOSTS].count;

	for (uint32_t i = 0; i < nnew; i++) {
		uint32_t o = !is_declared(d, DIFF_NEW, i) ? FS_NONE :
		    diff_find_host(d->fs[DIFF_OLD],
			fs_str(d->fs[DIFF_NEW], fs_host(d->fs[DIFF_NEW], i)->name));

		if (o != FS_NONE)
			v[n++] = (struct pair){ o, i };
	}
	for (size_t i = 0; i < d->npieces; i++) {
		const uint32_t *h = d->pieces[i].host;

		if (h[DIFF_OLD] != FS_NONE && h[DIFF_NEW] != FS_NONE &&
		    (!is_declared(d, DIFF_OLD, h[DIFF_OLD]) ||
			!is_declared(d, DIFF_NEW, h[DIFF_NEW])))
			v[n++] = (struct pair){ h[DIFF_OLD], h[DIFF_NEW] };
	}
	if (n == 0)
		return 0;
	qsort(v, n, sizeof(*v), by_pair);
	for (size_t i = 1; i < n; i++) {
		if (by_pair(&v[i], &v[out]) != 0)
			v[++out] = v[i];
	}
	return out + 1;
}

/* Observed hosts that came or went; modes of pairs are compared elsewhere. */
static void lone_hosts(struct differ *d)
{
	for (int s = 0; s < DIFF_SIDES; s++) {
		for (uint32_t i = 0; i < d->fs[s]->table[FS_HOSTS].count; i++) {
			const struct fs_host *h = fs_host(d->fs[s], i);

			if (!h->declared || diff_find_host(d->fs[!s],
				fs_str(d->fs[s], h->name)) != FS_NONE)
				continue;
			compare_modes(d, s == DIFF_OLD ? i : FS_NONE,
			    s == DIFF_NEW ? i : FS_NONE);
			diff_trust_host(d, s == DIFF_OLD ? i : FS_NONE,
			    s == DIFF_NEW ? i : FS_NONE);
		}
	}
}

void diff_lists(struct differ *d)
{
	size_t most = d->fs[DIFF_NEW]->table[FS_HOSTS].count + d->npieces + 1, n;
	struct pair *v = calloc(most, sizeof(*v));

	if (v == NULL) {
		d->failed = true;
		return;
	}
	n = find_pairs(d, v);
	compare_definitions(d);
	for (size_t i = 0; i < n && !d->failed; i++) {
		bool named = is_declared(d, DIFF_OLD, v[i].o) &&
		    is_declared(d, DIFF_NEW, v[i].n);

		if (named || (!is_declared(d, DIFF_OLD, v[i].o) &&
				 !is_declared(d, DIFF_NEW, v[i].n)))
			compare_modes(d, v[i].o, v[i].n);
		compare_guards(d, v[i].o, v[i].n);
		if (named)
			diff_trust_host(d, v[i].o, v[i].n);
	}
	lone_hosts(d);
	diff_trust_settings(d);
	free(v);
}
