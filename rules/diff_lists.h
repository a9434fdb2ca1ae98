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

/* Exceptions of a guard on one host (diff_except.c).  Whether they are the same; as
 * text behind `text`; and, true if the new ones are more: these told as exposure. */
bool diff_same_except(const struct differ *d, const struct fs_guard_use *o,
    const struct fs_guard_use *n);
const char *diff_except_text(struct differ *d, int side, const struct fs_guard_use *u,
    const char *text);
bool diff_except(struct differ *d, const struct fs_host *h, const char *guard,
    const struct fs_guard_use *o, const struct fs_guard_use *n);

/* "10.0.0.0/8, 192.0.2.1": the first of them */
const char *diff_ranges_text(struct differ *d, int side, struct fs_span s);
/* "2027-04-01T00:00:00Z" */
const char *diff_time_text(int64_t t, char buf[static 32]);

#endif
