/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: sorted lists of address intervals as numbers */
#include <stdlib.h>

#include "rules/space.h"

void axes_add(struct space_axes *a, struct region_axis x)
{
	if (a->n == a->cap) {
		size_t cap = a->cap != 0 ? a->cap * 2 : 16;
		struct region_axis *v = reallocarray(a->v, cap, sizeof(*v));

		if (v == NULL) {
			a->failed = true;
			return;
		}
		a->v = v;
		a->cap = cap;
	}
	a->v[a->n++] = x;
}

void axes_free(struct space_axes *a)
{
	free(a->v);
	*a = (struct space_axes){ 0 };
}

static int by_lo(const void *x, const void *y)
{
	const struct region_axis *a = x, *b = y;

	return (a->lo > b->lo) - (a->lo < b->lo);
}

void axes_merge(struct space_axes *a)
{
	size_t out = 0, sorted = 1;

	if (a->n == 0)
		return;
	while (sorted < a->n && a->v[sorted - 1].lo <= a->v[sorted].lo)
		sorted++;
	if (sorted < a->n) /* tables of a policy are in order */
		qsort(a->v, a->n, sizeof(*a->v), by_lo);
	for (size_t i = 1; i < a->n; i++) {
		struct region_axis *last = &a->v[out];

		if (a->v[i].lo <= last->hi || a->v[i].lo - 1 == last->hi) {
			if (a->v[i].hi > last->hi)
				last->hi = a->v[i].hi;
		} else {
			a->v[++out] = a->v[i];
		}
	}
	a->n = out + 1;
}

size_t axes_from(const struct space_axes *a, region_addr addr)
{
	size_t lo = 0, hi = a->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (a->v[mid].hi < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void subtract_one(struct region_axis x, const struct space_axes *b,
    struct space_axes *ret)
{
	for (size_t k = axes_from(b, x.lo); k < b->n && b->v[k].lo <= x.hi; k++) {
		if (b->v[k].lo > x.lo)
			axes_add(ret, (struct region_axis){ x.lo, b->v[k].lo - 1 });
		if (b->v[k].hi >= x.hi)
			return;
		x.lo = b->v[k].hi + 1;
	}
	axes_add(ret, x);
}

void axes_subtract(const struct space_axes *a, const struct space_axes *b,
    struct space_axes *ret)
{
	for (size_t i = 0; i < a->n; i++)
		subtract_one(a->v[i], b, ret);
	ret->failed |= a->failed || b->failed;
}

void axes_meet(const struct space_axes *a, const struct space_axes *b,
    struct space_axes *ret)
{
	for (size_t i = 0; i < a->n; i++) {
		struct region_axis m;

		for (size_t k = axes_from(b, a->v[i].lo);
		     k < b->n && region_axis_meet(&a->v[i], &b->v[k], &m); k++)
			axes_add(ret, m);
	}
	ret->failed |= a->failed || b->failed;
}

void axes_of_ranges(const struct netrange *r, size_t n, uint8_t v, struct space_axes *ret)
{
	for (size_t i = 0; i < n; i++) {
		if (r[i].lo.v == v)
			axes_add(ret, region_axis_of(&r[i]));
	}
	axes_merge(ret);
}
