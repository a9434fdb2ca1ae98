/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: one canonical, readable form of a set of flows */
#include <stdlib.h>
#include <string.h>

#include "rules/region.h"

/* One axis after the other is swept: between two edges the same boxes are open, and
 * what they hold there is canonical by itself; neighbours that hold the same are one. */

/* A list of boxes that are open at the sweep's position. */
struct open {
	const struct region_box **v;
	size_t n;
};

/* ---- one axis: sorted, disjoint intervals ---- */

static int by_axis_lo(const void *x, const void *y)
{
	const struct region_axis *a = x, *b = y;

	return (a->lo > b->lo) - (a->lo < b->lo);
}

static size_t merge_axis(struct region_axis *v, size_t n)
{
	size_t out = 0;

	if (n == 0)
		return 0;
	qsort(v, n, sizeof(*v), by_axis_lo);
	for (size_t i = 1; i < n; i++) {
		if (v[i].lo <= v[out].hi || v[i].lo - 1 == v[out].hi) {
			if (v[i].hi > v[out].hi)
				v[out].hi = v[i].hi;
		} else {
			v[++out] = v[i];
		}
	}
	return out + 1;
}

/* ---- two axes: rows of sources x destinations ---- */

static const struct region_axis *outer_of(const struct region_box *b, bool by_dst)
{
	return by_dst ? &b->dst : &b->src;
}
static const struct region_axis *inner_of(const struct region_box *b, bool by_dst)
{
	return by_dst ? &b->src : &b->dst;
}

static int by_dst_lo(const void *x, const void *y)
{
	const struct region_box *a = *(const struct region_box *const *)x,
				*b = *(const struct region_box *const *)y;

	return (a->dst.lo > b->dst.lo) - (a->dst.lo < b->dst.lo);
}
static int by_src_lo(const void *x, const void *y)
{
	const struct region_box *a = *(const struct region_box *const *)x,
				*b = *(const struct region_box *const *)y;

	return (a->src.lo > b->src.lo) - (a->src.lo < b->src.lo);
}
static int by_addr(const void *x, const void *y)
{
	region_addr a = *(const region_addr *)x, b = *(const region_addr *)y;

	return (a > b) - (a < b);
}

/* Where the set of open boxes may change: starts, and first addresses behind ends. */
static size_t outer_edges(const struct region_box *const *v, size_t n, bool by_dst,
    region_addr *edge)
{
	size_t m = 0, out = 0;

	for (size_t i = 0; i < n; i++) {
		const struct region_axis *a = outer_of(v[i], by_dst);

		edge[m++] = a->lo;
		if (a->hi != ~(region_addr)0)
			edge[m++] = a->hi + 1;
	}
	qsort(edge, m, sizeof(*edge), by_addr);
	for (size_t i = 1; i < m; i++) {
		if (edge[i] != edge[out])
			edge[++out] = edge[i];
	}
	return m != 0 ? out + 1 : 0;
}

/* Rows added by one step of the sweep: v[first..r->n) with one outer interval. */
static bool same_inner(const struct region *r, size_t prev, size_t prev_end,
    const struct region_axis *v, size_t n, bool by_dst)
{
	if (prev_end - prev != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		const struct region_axis *a = inner_of(&r->v[prev + i], by_dst);

		if (a->lo != v[i].lo || a->hi != v[i].hi)
			return false;
	}
	return true;
}

static void set_outer_hi(struct region_box *b, bool by_dst, region_addr hi)
{
	if (by_dst)
		b->dst.hi = hi;
	else
		b->src.hi = hi;
}

struct rows {
	struct region *out;
	size_t prev; /* first row of the step before */
	bool by_dst;
};

/* One step: outer interval `o` holds inner[0..n). */
static void add_rows(struct rows *x, const struct region_axis *o,
    const struct region_axis *inner, size_t n)
{
	struct region *r = x->out;

	if (n == 0)
		return;
	if (r->n > x->prev && outer_of(&r->v[x->prev], x->by_dst)->hi + 1 == o->lo &&
	    same_inner(r, x->prev, r->n, inner, n, x->by_dst)) {
		for (size_t i = x->prev; i < r->n; i++)
			set_outer_hi(&r->v[i], x->by_dst, o->hi);
		return;
	}
	x->prev = r->n;
	for (size_t i = 0; i < n; i++) {
		struct region_box b = { .src = x->by_dst ? inner[i] : *o,
			.dst = x->by_dst ? *o : inner[i] };

		region_add(r, &b);
	}
}

/* The union of v[0..n) without services, by outer axis; v is sorted in place. */
static void sweep_rows(const struct region_box **v, size_t n, bool by_dst,
    struct region *ret)
{
	region_addr *edge = calloc(2 * n, sizeof(*edge));
	const struct region_box **live = calloc(n, sizeof(*live));
	struct region_axis *inner = calloc(n, sizeof(*inner));
	struct rows x = { .out = ret, .prev = ret->n, .by_dst = by_dst };
	size_t nedges, next = 0, nlive = 0;

	if (edge == NULL || live == NULL || inner == NULL) {
		ret->failed = true;
		goto out;
	}
	qsort(v, n, sizeof(*v), by_dst ? by_dst_lo : by_src_lo);
	nedges = outer_edges(v, n, by_dst, edge);
	for (size_t i = 0; i < nedges; i++) {
		struct region_axis o = { edge[i],
			i + 1 < nedges ? edge[i + 1] - 1 : ~(region_addr)0 };
		size_t kept = 0;

		for (size_t k = 0; k < nlive; k++) {
			if (outer_of(live[k], by_dst)->hi >= o.lo)
				live[kept++] = live[k];
		}
		nlive = kept;
		while (next < n && outer_of(v[next], by_dst)->lo <= o.lo)
			live[nlive++] = v[next++];
		for (size_t k = 0; k < nlive; k++)
			inner[k] = *inner_of(live[k], by_dst);
		add_rows(&x, &o, inner, merge_axis(inner, nlive));
	}
out:
	free(edge);
	free(live);
	free(inner);
}

static size_t prefixes_of(const struct region *r, unsigned bits)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		n += (size_t)region_prefixes(&r->v[i].src, bits) *
		    region_prefixes(&r->v[i].dst, bits);
	return n;
}

static int by_dst_src(const void *x, const void *y)
{
	const struct region_box *a = x, *b = y;

	if (a->dst.lo != b->dst.lo)
		return a->dst.lo < b->dst.lo ? -1 : 1;
	return (a->src.lo > b->src.lo) - (a->src.lo < b->src.lo);
}

/* The readable form of one slice of services: *ret is set. */
static void slice_rows(struct open *o, unsigned bits, struct region *ret)
{
	struct region other = { 0 };

	*ret = (struct region){ 0 };
	if (o->n == 0)
		return;
	sweep_rows(o->v, o->n, true, ret);
	sweep_rows(o->v, o->n, false, &other);
	ret->failed |= other.failed;
	if (prefixes_of(&other, bits) < prefixes_of(ret, bits)) {
		struct region swap = *ret;

		*ret = other;
		ret->failed |= swap.failed;
		other = swap;
	}
	region_free(&other);
	if (ret->n > 1)
		qsort(ret->v, ret->n, sizeof(*ret->v), by_dst_src);
}

/* ---- three axes ---- */

static int by_key_lo(const void *x, const void *y)
{
	const struct region_box *a = *(const struct region_box *const *)x,
				*b = *(const struct region_box *const *)y;

	return (a->key_lo > b->key_lo) - (a->key_lo < b->key_lo);
}
static int by_key(const void *x, const void *y)
{
	uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;

	return (a > b) - (a < b);
}

static size_t key_edges(const struct region *r, uint32_t *edge)
{
	size_t m = 0, out = 0;

	for (size_t i = 0; i < r->n; i++) {
		edge[m++] = r->v[i].key_lo;
		edge[m++] = r->v[i].key_hi + 1;
	}
	qsort(edge, m, sizeof(*edge), by_key);
	for (size_t i = 1; i < m; i++) {
		if (edge[i] != edge[out])
			edge[++out] = edge[i];
	}
	return m != 0 ? out + 1 : 0;
}

static bool same_rows(const struct region *a, const struct region *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct region_box *x = &a->v[i], *y = &b->v[i];

		if (x->src.lo != y->src.lo || x->src.hi != y->src.hi ||
		    x->dst.lo != y->dst.lo || x->dst.hi != y->dst.hi)
			return false;
	}
	return true;
}

static void flush_rows(struct region *rows, uint32_t lo, uint32_t hi, struct region *ret)
{
	for (size_t i = 0; i < rows->n; i++) {
		rows->v[i].key_lo = lo;
		rows->v[i].key_hi = hi;
		region_add(ret, &rows->v[i]);
	}
	ret->failed |= rows->failed;
	region_free(rows);
}

/* sorted: by first service; live: room for as many. */
static void sweep_keys(const struct region_box **sorted, size_t n, struct open *live,
    const uint32_t *edge, size_t nedges, unsigned bits, struct region *ret)
{
	struct region before = { 0 };
	uint32_t from = 0;
	size_t next = 0;

	for (size_t i = 0; i < nedges; i++) {
		struct region now;
		size_t kept = 0;

		for (size_t k = 0; k < live->n; k++) {
			if (live->v[k]->key_hi >= edge[i])
				live->v[kept++] = live->v[k];
		}
		live->n = kept;
		while (next < n && sorted[next]->key_lo <= edge[i])
			live->v[live->n++] = sorted[next++];
		slice_rows(live, bits, &now);
		if (before.n > 0 && same_rows(&before, &now)) {
			region_free(&now);
			continue;
		}
		if (before.n > 0)
			flush_rows(&before, from, edge[i] - 1, ret);
		before = now;
		from = edge[i];
	}
	region_free(&before); /* empty: nothing is open behind the last edge */
}

void region_canonical(const struct region *r, unsigned bits, struct region *ret)
{
	const struct region_box **sorted;
	struct open live = { 0 };
	uint32_t *edge;

	ret->failed |= r->failed;
	if (r->n == 0)
		return;
	sorted = calloc(r->n, sizeof(*sorted));
	live.v = calloc(r->n, sizeof(*live.v));
	edge = calloc(2 * r->n, sizeof(*edge));
	if (sorted == NULL || live.v == NULL || edge == NULL) {
		ret->failed = true;
	} else {
		for (size_t i = 0; i < r->n; i++)
			sorted[i] = &r->v[i];
		qsort(sorted, r->n, sizeof(*sorted), by_key_lo);
		sweep_keys(sorted, r->n, &live, edge, key_edges(r, edge), bits, ret);
	}
	free(sorted);
	free(live.v);
	free(edge);
}
