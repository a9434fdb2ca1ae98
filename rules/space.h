/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what a policy allows, as boxes of flows: fs_judge() for all flows at once */
#ifndef CORDON_RULES_SPACE_H
#define CORDON_RULES_SPACE_H

#include <cordon/flowspace.h>

#include "rules/region.h"

/* Sets of flows that one asks for.  All hold only flows with a protected end: what
 * passes is in none of them.  At one time but for
 * SPACE_ALWAYS and SPACE_EVER. */
enum space_facet {
	SPACE_ALLOW,      /* fs_judge() allows them */
	SPACE_ALWAYS,     /* so too without any rule that ends or has a schedule */
	SPACE_SMB,        /* allowed tcp where every side that enforces grants SMB */
	SPACE_RDP,
	SPACE_NO_NLA,     /* RDP likewise, and no side that enforces requires it */
	SPACE_NO_SMB2,    /* SMB likewise */
	SPACE_NO_SIGNING,
	SPACE_EVER,       /* SMB or RDP, also by rules that are outside their schedule */
	SPACE_FACETS,
	SPACE_SOMETIME = SPACE_FACETS, /* as ALLOW, also by rules outside their schedule */
};

/* Sorted disjoint intervals of one family. */
struct space_axes {
	struct region_axis *v;
	size_t n, cap;
	bool failed;
};

struct space;

/* fs outlives it.  NULL: no memory. */
struct space *space_new(const struct fs *fs, int64_t at);
void space_free(struct space *s);
/* Whether rule (FS_RULES) exists at the time. */
bool space_active(const struct space *s, uint32_t rule);

/* Add to *ret the flows of the facet with src in one list, dst in the other, the
 * service in key_lo..key_hi.  Boxes may overlap; each stays within one interval of the
 * list `dst` (of `src` where only the source is protected). */
struct space_query {
	enum space_facet facet;
	uint8_t v; /* 4 or 6 */
	uint32_t key_lo, key_hi;
	const struct space_axes *src, *dst;
};
void space_collect(struct space *s, const struct space_query *q, struct region *ret);

/* The places (L and P) of family v, merged; the caller frees v. */
void space_protected(const struct fs *fs, uint8_t v, struct space_axes *ret);

/* The same of the policy of s, which keeps it. */
const struct space_axes *space_places(const struct space *s, uint8_t v);

/* The services of s as an interval of keys. */
void space_service_keys(const struct fs_service *s, uint32_t *ret_lo, uint32_t *ret_hi);

/* ---- interval lists ---- */
void axes_add(struct space_axes *a, struct region_axis x);
void axes_free(struct space_axes *a);
/* Sort and merge what overlaps or touches. */
void axes_merge(struct space_axes *a);
/* What of a is not in b; both merged.  *ret is appended to, in order. */
void axes_subtract(const struct space_axes *a, const struct space_axes *b,
    struct space_axes *ret);
void axes_meet(const struct space_axes *a, const struct space_axes *b,
    struct space_axes *ret);
/* First interval of a that does not end before lo; a->n if none. */
size_t axes_from(const struct space_axes *a, region_addr lo);
/* Those of r[0..n) that are of family v. */
void axes_of_ranges(const struct netrange *r, size_t n, uint8_t v,
    struct space_axes *ret);

#endif
