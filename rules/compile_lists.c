/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: lists of peers as chains and sets named by their content */
#include "rules/compile_lists.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/rulewriter.h"

enum { INLINE_MAX = 8, NAME_HASH = 10 };

void *compile_grow(struct compile *c, void *at, size_t *cap, size_t need, size_t elem)
{
	size_t want = *cap == 0 ? 64 : *cap * 2;
	void *more;

	if (need <= *cap)
		return at;
	while (want < need)
		want *= 2;
	more = reallocarray(at, want, elem);
	if (more == NULL) {
		c->failed = true;
		return at;
	}
	*cap = want;
	return more;
}

/* ---- lists of peers ---- */

static void add_part(struct compile *c, struct lists *l, const struct netrange *r,
    size_t n, uint8_t v, int64_t until)
{
	struct part *p;

	l->ranges =
	    compile_grow(c, l->ranges, &l->cap, l->nranges + n, sizeof(*l->ranges));
	l->parts =
	    compile_grow(c, l->parts, &l->parts_cap, l->nparts + 1, sizeof(*l->parts));
	if (c->failed)
		return;
	p = l->nparts > 0 && l->parts[l->nparts - 1].until == until
		? &l->parts[l->nparts - 1]
		: &l->parts[l->nparts++];
	if (p->until != until || p->first + p->n != l->nranges)
		*p = (struct part){ .until = until, .first = l->nranges };
	for (size_t i = 0; i < n; i++) {
		if (r[i].lo.v != v)
			continue;
		l->ranges[l->nranges++] = r[i];
		p->n++;
	}
}

static int by_until(const void *x, const void *y)
{
	const struct want *const *a = x, *const *b = y;

	if ((*a)->until != (*b)->until)
		return (*a)->until > (*b)->until ? -1 : 1;
	return (*a)->rule < (*b)->rule ? -1 : (*a)->rule > (*b)->rule;
}

void lists_collect(
    struct compile *c, struct lists *l, const struct want *wants, size_t n, uint8_t v)
{
	const struct want **order = calloc(n, sizeof(*order));

	l->nranges = l->nparts = 0;
	if (order == NULL) {
		c->failed = true;
		return;
	}
	for (size_t i = 0; i < n; i++)
		order[i] = &wants[i];
	qsort(order, n, sizeof(*order), by_until);
	for (size_t i = 0; i < n && !c->failed; i++) {
		const struct fs_rule *r = fs_rule(c->fs, order[i]->rule);

		if (order[i]->family == 0 || order[i]->family == v)
			add_part(c, l, fs_range(c->fs, r->peers.first), r->peers.count,
			    v, order[i]->until);
	}
	free(order);
	for (size_t i = 0; i < l->nparts; i++)
		l->parts[i].n =
		    netranges_merge(&l->ranges[l->parts[i].first], l->parts[i].n);
}

static bool is_all(const struct netrange *r)
{
	struct netrange all = netrange_all(r->lo.v);

	return memcmp(&all, r, sizeof(all)) == 0;
}

static bool list_empty(const struct lists *l)
{
	for (size_t i = 0; i < l->nparts; i++)
		if (l->parts[i].n > 0)
			return false;
	return true;
}

/* ---- chains and sets named by content ---- */

void compile_name(char name[static RS_NAME_MAX], const char *kind, uint8_t v,
    crypto_generichash_state *st)
{
	uint8_t h[16];
	size_t len;

	crypto_generichash_final(st, h, sizeof(h));
	len = (size_t)snprintf(name, 24, "%.16s%u_", kind, v);
	sodium_bin2hex(name + len, RS_NAME_MAX - len, h, NAME_HASH);
}

void compile_hash_start(crypto_generichash_state *st, uint64_t what)
{
	crypto_generichash_init(st, NULL, 0, 16);
	crypto_generichash_update(st, (const uint8_t *)&what, sizeof(what));
}

static void hash_part(const struct compile *c, crypto_generichash_state *st,
    const struct lists *l, const struct part *p)
{
	if (p->until != FS_FOREVER)
		crypto_generichash_update(
		    st, (const uint8_t *)&c->o->floor, sizeof(c->o->floor));
	crypto_generichash_update(st, (const uint8_t *)&p->until, sizeof(p->until));
	crypto_generichash_update(
	    st, (const uint8_t *)&l->ranges[p->first], p->n * sizeof(*l->ranges));
}

/* Rules with a test of time; the floor closes them where the clock went back. */
static void time_test(struct compile *c, int64_t until)
{
	if (until == FS_FOREVER)
		return;
	if (c->o->floor > 0)
		rw_cmp(c->b, RS_TIME, RS_GE, (uint64_t)c->o->floor * 1000000000u);
	rw_cmp(c->b, RS_TIME, RS_LT, (uint64_t)until * 1000000000u);
}

static uint32_t range_set(
    struct compile *c, const struct fam *f, const struct lists *l, const struct part *p)
{
	crypto_generichash_state st;
	char name[RS_NAME_MAX];
	struct part timeless = *p;
	uint32_t set;

	timeless.until = FS_FOREVER;
	compile_hash_start(&st, 1);
	hash_part(c, &st, l, &timeless);
	compile_name(name, "list", f->v, &st);
	set = rsb_find_set(c->b, name);
	if (set != RS_NONE)
		return set;
	set = rsb_set(c->b, name,
	    &(struct rs_set){ .nkeys = 1,
		.key = { f->addr_type },
		.interval = true,
		.content_named = true });
	for (size_t i = 0; i < p->n; i++) {
		const struct netrange *r = &l->ranges[p->first + i];

		rsb_elem(c->b, set, r->lo.b, r->hi.b, RS_CONTINUE, RS_NONE, "");
	}
	return set;
}

static void finish_rule(struct compile *c, const struct then *t)
{
	for (uint32_t i = 0; i < t->nlabels; i++)
		rw_set_label(c->b, t->label[i]);
	if (t->hit != RS_NONE)
		rw_go(c->b, RS_GOTO, t->hit);
}

static void list_rules(struct compile *c, const struct fam *f, uint32_t chain,
    const struct lists *l, const struct part *p, const struct then *t)
{
	if (p->n > INLINE_MAX) {
		rw_rule(c->b, chain);
		time_test(c, p->until);
		rw_in(c->b, t->field, range_set(c, f, l, p));
		finish_rule(c, t);
		return;
	}
	for (size_t i = 0; i < p->n; i++) {
		const struct netrange *r = &l->ranges[p->first + i];

		rw_rule(c->b, chain);
		time_test(c, p->until);
		if (!is_all(r))
			rw_addr(c->b, t->field, r);
		finish_rule(c, t);
	}
}

/* The chain that tries the list: hits go on, misses return. */
static uint32_t list_chain(
    struct compile *c, const struct fam *f, const struct lists *l, const struct then *t)
{
	crypto_generichash_state st;
	char name[RS_NAME_MAX];
	uint64_t what = (uint64_t)t->field << 32 | t->nlabels;
	uint32_t chain;

	/* all that the rules are made of: the end they test, and what a hit means */
	for (uint32_t i = 0; i < t->nlabels; i++)
		what ^= (uint64_t)t->label[i] << (8 * (i + 1));
	compile_hash_start(&st, what);
	for (size_t i = 0; i < l->nparts; i++)
		if (l->parts[i].n > 0)
			hash_part(c, &st, l, &l->parts[i]);
	compile_name(name, t->kind, f->v, &st);
	chain = rsb_find_chain(c->b, name);
	if (chain != RS_NONE)
		return chain;
	chain = rsb_chain(c->b, name, &(struct rs_chain){ .content_named = true });
	for (size_t i = 0; i < l->nparts; i++)
		list_rules(c, f, chain, l, &l->parts[i], t);
	return chain;
}

static bool list_is_all(const struct lists *l)
{
	return l->nparts > 0 && l->parts[0].until == FS_FOREVER && l->parts[0].n == 1 &&
	       is_all(&l->ranges[l->parts[0].first]);
}

void lists_settle(struct compile *c, const struct fam *f, struct lists *l,
    const struct then *t, struct list_end *ret)
{
	ret->empty = c->failed || list_empty(l);
	ret->all = !ret->empty && t->hit != RS_NONE && list_is_all(l);
	ret->chain = t->hit;
	if (!ret->empty && !ret->all)
		ret->chain = list_chain(c, f, l, t);
}

/* ---- lists seen before ---- */

struct list_slot {
	struct list_key key; /* count 0: free */
	struct list_end end;
};

static bool same_key(const struct list_key *a, const struct list_key *b)
{
	return a->first == b->first && a->count == b->count && a->until == b->until &&
	       a->v == b->v && a->exact == b->exact && a->what == b->what;
}

/* Where key stands, or would. */
static struct list_slot *slot_of(
    struct list_slot *slots, size_t cap, const struct list_key *key)
{
	uint64_t h = key->first;

	h = (h << 16 | (uint64_t)key->what << 4 | key->v << 1 | key->exact) ^
	    (uint64_t)key->until << 20;
	h *= 0x9e3779b97f4a7c15u;
	for (size_t at = h >> 32 & (cap - 1);; at = (at + 1) & (cap - 1))
		if (slots[at].key.count == 0 || same_key(&slots[at].key, key))
			return &slots[at];
}

bool lists_known(
    const struct lists *l, const struct list_key *key, struct list_end *ret)
{
	const struct list_slot *s;

	if (l->known_cap == 0 || key->count == 0)
		return false;
	s = slot_of(l->known, l->known_cap, key);
	if (s->key.count == 0)
		return false;
	*ret = s->end;
	return true;
}

static int known_grow(struct lists *l)
{
	size_t cap = l->known_cap == 0 ? 1024 : l->known_cap * 2;
	struct list_slot *more = calloc(cap, sizeof(*more));

	if (more == NULL)
		return -1;
	for (size_t i = 0; i < l->known_cap; i++)
		if (l->known[i].key.count != 0)
			*slot_of(more, cap, &l->known[i].key) = l->known[i];
	free(l->known);
	l->known = more;
	l->known_cap = cap;
	return 0;
}

void lists_remember(struct compile *c, struct lists *l, const struct list_key *key,
    const struct list_end *end)
{
	if (key->count == 0)
		return;
	if (2 * l->nknown >= l->known_cap && known_grow(l) == -1) {
		c->failed = true;
		return;
	}
	*slot_of(l->known, l->known_cap, key) =
	    (struct list_slot){ .key = *key, .end = *end };
	l->nknown++;
}

void lists_free(struct lists *l)
{
	free(l->ranges);
	free(l->parts);
	free(l->known);
}
