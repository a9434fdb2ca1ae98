/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: guards, the virtual patches: byte predicates on payload, as data */
#ifndef CORDON_GUARD_H
#define CORDON_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GUARD_TERM_MAX = 16, GUARD_OFFSET_MAX = 255 };

enum guard_where { GUARD_KERNEL, GUARD_SENSOR };
enum guard_dir { GUARD_TO_SERVER, GUARD_TO_CLIENT, GUARD_BOTH };
enum guard_affects { GUARD_AFFECTS_YES, GUARD_AFFECTS_NO, GUARD_AFFECTS_UNKNOWN };

/* One comparison of `len` (1-8) payload bytes at `offset` of one packet:
 * (payload & mask) == value, or != where negate.  A payload that ends before
 * offset + len does not match either way (as the kernel's load). */
struct guard_term {
	uint8_t offset, len;
	uint8_t negate;
	uint8_t mask[8], value[8];
};

/* A guard hits when one of its alternatives has all its terms true.  Strings are
 * indexes of the flow space that holds it (cordon/flowspace.h). */
struct guard {
	uint32_t id, title, attack, note, validated; /* note: on false positives */
	uint32_t cve_first, cve_count;               /* FS_WORDS */
	uint32_t ref_first, ref_count;               /* FS_WORDS */
	uint32_t term_first, term_count;             /* FS_GUARD_TERMS: all alternatives */
	uint8_t alternative_len[8];                  /* terms of each; 0 ends the list */
	uint8_t protocol;                            /* fs_proto_bit, 0: any tcp */
	uint8_t where, dir, affects, action;         /* enums; action: fs_guard_action */
};

/* Whether terms[0..n), one alternative, hold for payload[0..len). */
bool guard_match(const struct guard_term *terms, size_t n, const uint8_t *payload,
    size_t len);

/* Bits a payload must have right to hit the alternative: log2 of the inverse of its
 * false-hit rate on random payload. */
unsigned guard_bits(const struct guard_term *terms, size_t n);

#endif
