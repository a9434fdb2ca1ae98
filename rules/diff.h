/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: parts of the comparison of two policies; private to rules/ */
#ifndef CORDON_RULES_DIFF_H
#define CORDON_RULES_DIFF_H

#include <cordon/diff.h>

#include "rules/arena.h"
#include "rules/region.h"
#include "rules/space.h"

enum { DIFF_OLD, DIFF_NEW, DIFF_SIDES };

/* An interval of addresses that lies in one place of each policy (FS_NONE: in none). */
struct diff_piece {
	struct netrange range;
	uint32_t host[DIFF_SIDES];
	bool changed; /* what the hosts' rules and modes say is not the same */
	bool together; /* the mode is not: told with many others, not compared */
};

struct differ {
	const struct fs *fs[DIFF_SIDES];
	int64_t at;
	struct diff *out;
	struct arena arena;
	struct space *space[DIFF_SIDES];
	struct diff_piece *pieces; /* all of both policies' places, in order */
	size_t npieces, cap_pieces;
	bool same_zone; /* local time is the same in both */
	bool failed, too_large;
};

/* diff_ends.c: fill d->pieces. */
void diff_pieces(struct differ *d);
/* Whether the two rules exist at the same times. */
bool diff_same_validity(const struct differ *d, const struct fs_rule *o,
    const struct fs_rule *n);
/* Index of the declared host of that name, or FS_NONE.  Declared hosts stand first and
 * are sorted by name, as rules_load() leaves them. */
uint32_t diff_find_host(const struct fs *fs, const char *name);

/* diff_modes.c: mark the pieces of a change of mode of very many; their flows. */
void diff_modes_mark(struct differ *d);
void diff_modes_flows(struct differ *d, uint8_t v);

/* diff_flows.c: opened, closed, and what of exposure is flows. */
void diff_flows(struct differ *d);
/* Add the flows b (of family v) to a list, with the rules of one policy behind them;
 * side -1: none. */
struct diff_region *diff_add_region(struct differ *d, struct diff_regions *list,
    const struct region_box *b, uint8_t v, int side, unsigned why);

/* diff_lists.c, diff_time.c: what is no flow. */
void diff_lists(struct differ *d);
void diff_times(struct differ *d);
void diff_change(struct differ *d, enum diff_list list, struct diff_change c);
const char *diff_range_text(struct differ *d, const struct netrange *r);

#endif
