/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: exact algebra on sets of flows: boxes of source x destination x service */
#ifndef CORDON_RULES_REGION_H
#define CORDON_RULES_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cordon/netaddr.h>

/* An address as a number; boxes of one list are all of one family. */
#define region_addr unsigned __int128

/* lo..hi, both inside. */
struct region_axis {
	region_addr lo, hi;
};

/* Protocol and port in one number, so that "everything" and "tcp but for 445" are
 * intervals: protocol << 16 | port.  ICMP types stand as ports; a protocol without
 * ports has all of them. */
#define REGION_KEY(proto, port) ((uint32_t)(proto) << 16 | (uint16_t)(port))
#define REGION_KEY_MAX REGION_KEY(255, 65535)

struct region_box {
	struct region_axis src, dst;
	uint32_t key_lo, key_hi;
};

/* A set of flows as the union of its boxes, which may overlap.  Zeroed it is empty.
 * failed: memory ran out; stays set, what is built from it is failed too. */
struct region {
	struct region_box *v;
	size_t n, cap;
	bool failed;
};

void region_add(struct region *r, const struct region_box *b);
void region_free(struct region *r);

/* Whether they share a flow; if so *ret (may be NULL) is what they share. */
bool region_box_meet(const struct region_box *a, const struct region_box *b,
    struct region_box *ret);

/* Add to *ret what of a[0..na) is in none of b[0..nb).  Disjoint where a is. */
void region_subtract(const struct region_box *a, size_t na, const struct region_box *b,
    size_t nb, struct region *ret);
/* Add to *ret what a and b share (overlapping where they do). */
void region_meet(const struct region *a, const struct region *b, struct region *ret);

/* The same set as few disjoint boxes, sorted: services first, then whichever of source
 * and destination needs fewer prefixes; what touches and is equal else is one.  Equal
 * sets give equal lists.  bits: 32 or 128. */
void region_canonical(const struct region *r, unsigned bits, struct region *ret);

/* Addresses <-> numbers; v is 4 or 6. */
region_addr region_of_addr(const struct netaddr *a);
struct netaddr region_to_addr(region_addr n, uint8_t v);
struct region_axis region_axis_of(const struct netrange *r);
struct netrange region_axis_range(const struct region_axis *a, uint8_t v);
/* All of a family. */
struct region_axis region_axis_all(uint8_t v);
static inline bool region_axis_meet(const struct region_axis *a,
    const struct region_axis *b, struct region_axis *ret)
{
	struct region_axis m = { a->lo > b->lo ? a->lo : b->lo,
		a->hi < b->hi ? a->hi : b->hi };

	if (m.lo > m.hi)
		return false;
	*ret = m;
	return true;
}

/* Prefixes that make up the range. */
unsigned region_prefixes(const struct region_axis *a, unsigned bits);

#endif
