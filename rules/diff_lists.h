/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: differences that are no flows; private to rules/diff_*.c */
#ifndef CORDON_RULES_DIFF_LISTS_H
#define CORDON_RULES_DIFF_LISTS_H

#include "rules/diff.h"

/* Exposure that is no rule's: all services (DIFF_GUARD: all of TCP) from src to dst;
 * NULL: all of family v.  NULL without memory. */
struct diff_region *diff_expose(struct differ *d, const struct netrange *src,
    const struct netrange *dst, uint8_t v, unsigned why);

/* Addresses, requirements and `jit` of one host; FS_NONE: it is not there. */
void diff_trust_host(struct differ *d, uint32_t o, uint32_t n);
/* cordon.yaml but for modes and the time zone. */
void diff_trust_settings(struct differ *d);

/* "2027-04-01T00:00:00Z" */
const char *diff_time_text(int64_t t, char buf[static 32]);

#endif
