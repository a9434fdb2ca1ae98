/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: at which few prefix lengths addresses are looked up */
#ifndef RULES_COMPILE_LEVELS_H
#define RULES_COMPILE_LEVELS_H

#include <stdbool.h>
#include <stdint.h>

enum { PREFIX_LENS = 129 };

/* Each level is one look-up a packet; a prefix shorter than its level is written as all
 * the prefixes of that level in it. */
struct levels {
	uint64_t weight[PREFIX_LENS]; /* given: prefixes of this length */
	uint8_t level[PREFIX_LENS];   /* the level of this length, at least as long */
	bool used[PREFIX_LENS];       /* this length is a level */
};

/* Fill level and used: as few levels as the number of elements allows.  Up to four
 * lengths are left alone. */
void levels_choose(struct levels *l);

#endif
