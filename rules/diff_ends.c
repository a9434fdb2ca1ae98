/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: which addresses have other rules than before: only they are looked at */
#include <stdlib.h>
#include <string.h>

#include "rules/diff.h"

/* ---- do two hosts say the same? ---- */

static bool same_schedule(const struct differ *d, uint32_t o, uint32_t n)
{
	const struct fs_schedule *a, *b;

	if (o == FS_NONE || n == FS_NONE)
		return o == n;
	a = FS_AT(d->fs[DIFF_OLD], FS_SCHEDULES, struct fs_schedule, o);
	b = FS_AT(d->fs[DIFF_NEW], FS_SCHEDULES, struct fs_schedule, n);
	if (!d->same_zone || a->windows.count != b->windows.count)
		return false;
	for (uint32_t i = 0; i < a->windows.count; i++) {
		const struct fs_window *x = FS_AT(d->fs[DIFF_OLD], FS_WINDOWS,
						struct fs_window, a->windows.first + i),
				       *y = FS_AT(d->fs[DIFF_NEW], FS_WINDOWS,
						struct fs_window, b->windows.first + i);

		if (x->weekdays != y->weekdays || x->from != y->from || x->to != y->to)
			return false;
	}
	return true;
}

bool diff_same_validity(const struct differ *d, const struct fs_rule *o,
    const struct fs_rule *n)
{
	return o->expires == n->expires && same_schedule(d, o->schedule, n->schedule);
}

static bool same_services(const struct differ *d, struct fs_span o, struct fs_span n)
{
	if (o.count != n.count)
		return false;
	for (uint32_t i = 0; i < o.count; i++) {
		const struct fs_service *x = fs_service(d->fs[DIFF_OLD], o.first + i),
					*y = fs_service(d->fs[DIFF_NEW], n.first + i);

		if (x->proto != y->proto || x->lo != y->lo || x->hi != y->hi ||
		    x->grants != y->grants || x->family != y->family)
			return false;
	}
	return true;
}

static bool same_ranges(const struct differ *d, struct fs_span o, struct fs_span n)
{
	return o.count == n.count && (o.count == 0 ||
	    memcmp(fs_range(d->fs[DIFF_OLD], o.first), fs_range(d->fs[DIFF_NEW], n.first),
		o.count * sizeof(struct netrange)) == 0);
}

static bool same_rule(const struct differ *d, const struct fs_rule *o,
    const struct fs_rule *n)
{
	return o->require == n->require && diff_same_validity(d, o, n) &&
	    same_services(d, o->services, n->services) &&
	    same_ranges(d, o->peers, n->peers);
}

/* A quick answer: false also where the same is said in other words. */
static bool same_host(const struct differ *d, uint32_t o, uint32_t n)
{
	const struct fs_host *x, *y;

	if (o == FS_NONE || n == FS_NONE)
		return o == n;
	x = fs_host(d->fs[DIFF_OLD], o);
	y = fs_host(d->fs[DIFF_NEW], n);
	if (x->mode != y->mode)
		return false;
	for (int dir = FS_IN; dir <= FS_OUT; dir++) {
		if (x->rules[dir].count != y->rules[dir].count)
			return false;
		for (uint32_t i = 0; i < x->rules[dir].count; i++) {
			if (!same_rule(d, fs_rule(d->fs[DIFF_OLD], x->rules[dir].first + i),
				fs_rule(d->fs[DIFF_NEW], y->rules[dir].first + i)))
				return false;
		}
	}
	return true;
}

uint32_t diff_find_host(const struct fs *fs, const char *name)
{
	uint32_t n = fs->table[FS_HOSTS].count, lo = 0, hi = n;

	while (hi > 0 && !fs_host(fs, hi - 1)->declared)
		hi--; /* few prefixes stand behind the hosts */
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		int c = strcmp(fs_str(fs, fs_host(fs, mid)->name), name);

		if (c == 0)
			return mid;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return FS_NONE;
}

/* ---- both tables of places side by side ---- */

static void add_piece(struct differ *d, struct netrange range, uint32_t o, uint32_t n)
{
	struct diff_piece *last = d->npieces > 0 ? &d->pieces[d->npieces - 1] : NULL;
	struct diff_piece p = { .range = range, .host = { o, n } };

	if (d->npieces == d->cap_pieces) {
		size_t cap = d->cap_pieces != 0 ? d->cap_pieces * 2 : 256;
		struct diff_piece *v = reallocarray(d->pieces, cap, sizeof(*v));

		if (v == NULL) {
			d->failed = true;
			return;
		}
		d->pieces = v;
		d->cap_pieces = cap;
		last = d->npieces > 0 ? &v[d->npieces - 1] : NULL;
	}
	if (last != NULL && last->host[DIFF_OLD] == o && last->host[DIFF_NEW] == n)
		p.changed = last->changed; /* an address range around others */
	else
		p.changed = !same_host(d, o, n);
	d->pieces[d->npieces++] = p;
}

static const struct fs_place *place(const struct fs *fs, uint32_t i)
{
	return i < fs->table[FS_PLACES].count ? FS_AT(fs, FS_PLACES, struct fs_place, i)
					      : NULL;
}

/* Move *lo behind `hi`; steps to the next place where the place ends there. */
static void step(const struct fs *fs, uint32_t *i, struct netaddr *lo,
    const struct netaddr *hi)
{
	const struct fs_place *p = place(fs, *i);

	if (p == NULL || netaddr_cmp(lo, hi) > 0)
		return;
	if (netaddr_cmp(&p->range.hi, hi) <= 0) {
		p = place(fs, ++*i);
		if (p != NULL)
			*lo = p->range.lo;
		return;
	}
	*lo = *hi;
	netaddr_next(lo);
}

void diff_pieces(struct differ *d)
{
	uint32_t i[DIFF_SIDES] = { 0, 0 };
	struct netaddr lo[DIFF_SIDES] = { { 0 }, { 0 } };

	for (int s = 0; s < DIFF_SIDES; s++) {
		if (place(d->fs[s], 0) != NULL)
			lo[s] = place(d->fs[s], 0)->range.lo;
	}
	for (;;) {
		const struct fs_place *o = place(d->fs[DIFF_OLD], i[DIFF_OLD]),
				      *n = place(d->fs[DIFF_NEW], i[DIFF_NEW]);
		int c = o == NULL ? 1 : n == NULL ? -1 :
		    netaddr_cmp(&lo[DIFF_OLD], &lo[DIFF_NEW]);
		struct netrange r;

		if (o == NULL && n == NULL)
			break;
		r.lo = c <= 0 ? lo[DIFF_OLD] : lo[DIFF_NEW];
		r.hi = c <= 0 ? o->range.hi : n->range.hi;
		if (c < 0 && n != NULL && netaddr_cmp(&lo[DIFF_NEW], &r.hi) <= 0) {
			r.hi = lo[DIFF_NEW];
			netaddr_prev(&r.hi);
		} else if (c > 0 && o != NULL && netaddr_cmp(&lo[DIFF_OLD], &r.hi) <= 0) {
			r.hi = lo[DIFF_OLD];
			netaddr_prev(&r.hi);
		} else if (c == 0 && netaddr_cmp(&n->range.hi, &r.hi) < 0) {
			r.hi = n->range.hi;
		}
		add_piece(d, r, c <= 0 ? o->host : FS_NONE, c >= 0 ? n->host : FS_NONE);
		if (d->failed)
			return;
		step(d->fs[DIFF_OLD], &i[DIFF_OLD], &lo[DIFF_OLD], &r.hi);
		step(d->fs[DIFF_NEW], &i[DIFF_NEW], &lo[DIFF_NEW], &r.hi);
	}
}
