/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: explain for sets of flows */
#ifndef CORDON_CLI_EXPLAIN_SET_H
#define CORDON_CLI_EXPLAIN_SET_H

#include <stdint.h>

struct jsonbuf;

/* Judge word[0] -> word[1] word[2] of the tree at policy at second `at` and write the
 * regions: JSON to b (flushed by the caller), text to standard output.  What to exit
 * with; what is wrong is said on stderr. */
int explain_set(struct jsonbuf *b, const char *policy, int64_t at,
    const char *const word[static 3]);

#endif
