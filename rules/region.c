/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: exact algebra on sets of flows: boxes, difference, numbers of addresses */
#include "rules/region.h"

#include <stdlib.h>
#include <string.h>

/* ---- numbers ---- */

region_addr region_of_addr(const struct netaddr *a)
{
	region_addr n = 0;

	for (size_t i = 0; i < netaddr_size(a); i++)
		n = n << 8 | a->b[i];
	return n;
}

struct netaddr region_to_addr(region_addr n, uint8_t v)
{
	struct netaddr a = { .v = v };

	for (size_t i = netaddr_size(&a); i-- > 0; n >>= 8)
		a.b[i] = (uint8_t)n;
	return a;
}

struct region_axis region_axis_of(const struct netrange *r)
{
	return (struct region_axis){ region_of_addr(&r->lo), region_of_addr(&r->hi) };
}

struct netrange region_axis_range(const struct region_axis *a, uint8_t v)
{
	return (struct netrange){ region_to_addr(a->lo, v), region_to_addr(a->hi, v) };
}

struct region_axis region_axis_all(uint8_t v)
{
	return (struct region_axis){ 0, v == 4 ? UINT32_MAX : ~(region_addr)0 };
}

unsigned region_prefixes(const struct region_axis *a, unsigned bits)
{
	region_addr lo = a->lo;
	unsigned n = 0;

	for (;;) {
		unsigned len = 0; /* of host bits */

		while (len < bits) {
			region_addr mask = ~(region_addr)0 >> (127 - len);

			if ((lo & mask) != 0 || (a->hi - lo) < mask)
				break;
			len++;
		}
		n++;
		if (len == 128)
			return n;
		lo += (region_addr)1 << len;
		if (lo > a->hi || lo == 0)
			return n;
	}
}

/* ---- lists ---- */

void region_add(struct region *r, const struct region_box *b)
{
	if (r->n == r->cap) {
		size_t cap = r->cap != 0 ? r->cap * 2 : 32;
		struct region_box *v = reallocarray(r->v, cap, sizeof(*v));

		if (v == NULL) {
			r->failed = true;
			return;
		}
		r->v = v;
		r->cap = cap;
	}
	r->v[r->n++] = *b;
}

void region_free(struct region *r)
{
	free(r->v);
	*r = (struct region){ 0 };
}

bool region_box_meet(const struct region_box *a, const struct region_box *b,
    struct region_box *ret)
{
	struct region_box m = { .key_lo = a->key_lo > b->key_lo ? a->key_lo : b->key_lo,
		.key_hi = a->key_hi < b->key_hi ? a->key_hi : b->key_hi };

	if (m.key_lo > m.key_hi || !region_axis_meet(&a->dst, &b->dst, &m.dst) ||
	    !region_axis_meet(&a->src, &b->src, &m.src))
		return false;
	if (ret != NULL)
		*ret = m;
	return true;
}

/* ---- difference ---- */

/* Add what of `from` lies outside `hole`, which is a part of it: at most six boxes, cut
 * by service first, as that fragments addresses least. */
static void add_around(struct region *r, struct region_box from,
    const struct region_box *hole)
{
	struct region_box b = from;

	if (from.key_lo < hole->key_lo) {
		b.key_hi = hole->key_lo - 1;
		region_add(r, &b);
	}
	if (from.key_hi > hole->key_hi) {
		b = from;
		b.key_lo = hole->key_hi + 1;
		region_add(r, &b);
	}
	from.key_lo = hole->key_lo;
	from.key_hi = hole->key_hi;
	b = from;
	if (from.dst.lo < hole->dst.lo) {
		b.dst.hi = hole->dst.lo - 1;
		region_add(r, &b);
	}
	b = from;
	if (from.dst.hi > hole->dst.hi) {
		b.dst.lo = hole->dst.hi + 1;
		region_add(r, &b);
	}
	from.dst = hole->dst;
	b = from;
	if (from.src.lo < hole->src.lo) {
		b.src.hi = hole->src.lo - 1;
		region_add(r, &b);
	}
	b = from;
	if (from.src.hi > hole->src.hi) {
		b.src.lo = hole->src.hi + 1;
		region_add(r, &b);
	}
}

static bool box_within(const struct region_box *a, const struct region_box *b)
{
	return a->key_lo >= b->key_lo && a->key_hi <= b->key_hi &&
	    a->dst.lo >= b->dst.lo && a->dst.hi <= b->dst.hi &&
	    a->src.lo >= b->src.lo && a->src.hi <= b->src.hi;
}

/* left := left without b. */
static void subtract_one(struct region *left, const struct region_box *b)
{
	size_t n = left->n, kept = 0;
	struct region cut = { 0 };

	for (size_t i = 0; i < n; i++) {
		struct region_box hole;

		if (region_box_meet(&left->v[i], b, &hole))
			add_around(&cut, left->v[i], &hole);
		else
			left->v[kept++] = left->v[i];
	}
	left->n = kept;
	for (size_t i = 0; i < cut.n; i++)
		region_add(left, &cut.v[i]);
	left->failed |= cut.failed;
	region_free(&cut);
}

/* Long lists are subtracted in the order of one axis, so that a box meets only those
 * that it may overlap there. */
struct ordered {
	const struct region_box **v; /* by the axis' lo */
	region_addr *reach;          /* the largest hi of v[0..i] */
	size_t n;
	bool by_src;
};

static const struct region_axis *axis_of(const struct region_box *b, bool by_src)
{
	return by_src ? &b->src : &b->dst;
}

static int cmp_dst(const void *x, const void *y)
{
	const struct region_box *a = *(const struct region_box *const *)x,
				*b = *(const struct region_box *const *)y;

	return (a->dst.lo > b->dst.lo) - (a->dst.lo < b->dst.lo);
}

static int cmp_src(const void *x, const void *y)
{
	const struct region_box *a = *(const struct region_box *const *)x,
				*b = *(const struct region_box *const *)y;

	return (a->src.lo > b->src.lo) - (a->src.lo < b->src.lo);
}

static size_t sort_by(struct ordered *o, bool by_src)
{
	size_t distinct = 1;

	o->by_src = by_src;
	qsort(o->v, o->n, sizeof(*o->v), by_src ? cmp_src : cmp_dst);
	for (size_t i = 1; i < o->n; i++)
		distinct += axis_of(o->v[i], by_src)->lo != axis_of(o->v[i - 1], by_src)->lo;
	return distinct;
}

/* false: no memory.  By whichever axis tells more of them apart. */
static bool order(struct ordered *o, const struct region_box *b, size_t nb)
{
	size_t by_src;

	*o = (struct ordered){ .n = nb };
	o->v = calloc(nb, sizeof(*o->v));
	o->reach = calloc(nb, sizeof(*o->reach));
	if (o->v == NULL || o->reach == NULL)
		return false;
	for (size_t i = 0; i < nb; i++)
		o->v[i] = &b[i];
	by_src = sort_by(o, true);
	if (sort_by(o, false) < by_src)
		sort_by(o, true);
	for (size_t i = 0; i < nb; i++) {
		region_addr hi = axis_of(o->v[i], o->by_src)->hi;

		o->reach[i] = i > 0 && o->reach[i - 1] > hi ? o->reach[i - 1] : hi;
	}
	return true;
}

static size_t first_reaching(const struct ordered *o, region_addr lo)
{
	size_t from = 0, to = o->n;

	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (o->reach[mid] < lo)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

static void subtract_ordered(const struct region_box *a, const struct ordered *o,
    struct region *left)
{
	const struct region_axis *own = axis_of(a, o->by_src);
	size_t first = first_reaching(o, own->lo), end = first;

	for (; end < o->n && axis_of(o->v[end], o->by_src)->lo <= own->hi; end++) {
		if (box_within(a, o->v[end]))
			return; /* most are: unchanged rules of a changed host */
	}
	region_add(left, a);
	for (size_t k = first; k < end && left->n > 0; k++) {
		if (region_box_meet(a, o->v[k], NULL))
			subtract_one(left, o->v[k]);
	}
}

void region_subtract(const struct region_box *a, size_t na, const struct region_box *b,
    size_t nb, struct region *ret)
{
	struct region left = { 0 };
	struct ordered o = { 0 };

	if (na > 0 && nb > 0 && !order(&o, b, nb)) {
		ret->failed = true;
		na = 0;
	}
	for (size_t i = 0; i < na; i++) {
		left.n = 0;
		subtract_ordered(&a[i], &o, &left);
		for (size_t k = 0; k < left.n; k++)
			region_add(ret, &left.v[k]);
	}
	ret->failed |= left.failed;
	region_free(&left);
	free(o.v);
	free(o.reach);
}

void region_meet(const struct region *a, const struct region *b, struct region *ret)
{
	struct region_box m;

	for (size_t i = 0; i < a->n; i++) {
		for (size_t k = 0; k < b->n; k++) {
			if (region_box_meet(&a->v[i], &b->v[k], &m))
				region_add(ret, &m);
		}
	}
	ret->failed |= a->failed || b->failed;
}
