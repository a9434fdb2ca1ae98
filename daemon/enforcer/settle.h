/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what takes long after a reload: the disk, and giving back what was before */
#ifndef CORDON_ENFORCER_SETTLE_H
#define CORDON_ENFORCER_SETTLE_H

#include <stdbool.h>

struct enforcer;
struct image;

/* e->live is in force.  Write it down as the last good policy (save), and give back
 * *before and what the kernel still has of it; blocks are served meanwhile.  Returns when
 * all is done: on disk, or said in the log that it is not. */
void settle(struct enforcer *e, struct image *before, bool save);

#endif
