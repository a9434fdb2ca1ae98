/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: does a ruleset have what enforcement stands on */
#ifndef CORDON_ENFORCER_SHAPE_H
#define CORDON_ENFORCER_SHAPE_H

struct fs;
struct ruleset;

/* What a valid ruleset of this flow space lacks, as text for the log, or NULL: the three
 * base chains at their hooks, the sets of blocks, and every place of the flow space among
 * the protected addresses.  It finds a truncated or mixed-up result; it can't prove that
 * the chains deny (a loader that was taken over could change the flow space, too). */
const char *shape_wrong(const struct ruleset *rs, const struct fs *fs);

#endif
