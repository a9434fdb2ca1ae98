/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: time zones: zoneinfo files as rows of offsets */
#ifndef CORDON_RULES_ZONE_H
#define CORDON_RULES_ZONE_H

#include <stddef.h>
#include <stdint.h>

struct fs_transition;

/* The offsets of a TZif file (RFC 8536) from 2000 to the end of 2040, the footer's
 * rule included.  0 and *ret (the caller free()s), *ret_n >= 1; the first row's `at`
 * is INT64_MIN.  -1: not a TZif file, or no memory; outputs untouched. */
int zone_parse(const uint8_t *data, size_t len, struct fs_transition **ret, size_t *ret_n);

#endif
