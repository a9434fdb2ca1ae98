/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: lists of peers as numbers, and the sets that say who is in which */
#ifndef RULES_COMPILE_LISTS_H
#define RULES_COMPILE_LISTS_H

#include "rules/compile.h"

/* One protocol/port range of an active rule. */
struct want {
	uint16_t lo, hi;
	uint8_t proto, family, grants, waived; /* waived: compile_waived() */
	bool short_ok;
	uint32_t rule;
	int64_t until;
};

/* The number of the list that wants[0..n) have together in a family: by its content, so
 * that equal lists are one, and a reload leaves what did not change alone.  LIST_ANY:
 * everybody; 0: nobody. */
uint32_t lists_number(struct compile *c, const struct want *const *wants, size_t n,
    const struct fam *f);

#endif
