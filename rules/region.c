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

static bool covered(const struct region_box *a, const struct region_box *b, size_t nb)
{
	for (size_t i = 0; i < nb; i++) {
		if (box_within(a, &b[i]))
			return true;
	}
	return false;
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

void region_subtract(const struct region_box *a, size_t na, const struct region_box *b,
    size_t nb, struct region *ret)
{
	struct region left = { 0 };

	for (size_t i = 0; i < na; i++) {
		if (covered(&a[i], b, nb))
			continue; /* most are: unchanged rules of a changed host */
		left.n = 0;
		region_add(&left, &a[i]);
		for (size_t k = 0; k < nb && left.n > 0; k++) {
			if (region_box_meet(&a[i], &b[k], NULL))
				subtract_one(&left, &b[k]);
		}
		for (size_t k = 0; k < left.n; k++)
			region_add(ret, &left.v[k]);
	}
	ret->failed |= left.failed;
	region_free(&left);
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
