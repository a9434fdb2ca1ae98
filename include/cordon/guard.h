/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: guards, the virtual patches: byte predicates on payload, as data */
#ifndef CORDON_GUARD_H
#define CORDON_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GUARD_TERM_MAX = 64, GUARD_ALTERNATIVE_MAX = 8, GUARD_OFFSET_MAX = 255,
	GUARD_WITHIN_MAX = 4096, GUARD_SEARCH_MAX = 65536 };

/* BUILTIN: part of every ruleset, listed so that people find it; no terms. */
enum guard_where { GUARD_KERNEL, GUARD_SENSOR, GUARD_BUILTIN };
enum guard_dir { GUARD_TO_SERVER, GUARD_TO_CLIENT, GUARD_BOTH };
enum guard_affects { GUARD_AFFECTS_YES, GUARD_AFFECTS_NO, GUARD_AFFECTS_UNKNOWN };

/* One comparison of `len` (1-8) payload bytes at `offset` of one packet:
 * (payload & mask) == value, or != where negate.  A payload that ends before
 * offset + len does not match either way (as the kernel's load).  within > 0
 * (GUARD_SENSOR only): it may stand at any of offset..offset+within, and the offsets
 * of the terms behind it count from where it stands. */
struct guard_term {
	uint16_t within;
	uint8_t offset, len;
	uint8_t negate, unused;
	uint8_t mask[8], value[8];
};

/* A guard hits when one of its alternatives has all its terms true.  Strings are
 * indexes of the flow space that holds it (cordon/flowspace.h). */
struct guard {
	uint32_t id, title, attack, note, validated; /* note: on false positives */
	uint32_t cve_first, cve_count;               /* FS_WORDS */
	uint32_t ref_first, ref_count;               /* FS_WORDS */
	uint32_t term_first, term_count;             /* FS_GUARD_TERMS: all alternatives */
	uint8_t alternative_len[GUARD_ALTERNATIVE_MAX]; /* terms of each; 0 ends the list */
	uint8_t protocol;                            /* fs_proto_bit, 0: any tcp */
	uint8_t where, dir, affects, action;         /* enums; action: fs_guard_action */
};

/* Whether terms[0..n), one alternative, hold for payload[0..len).  At most two of them
 * search (within > 0), over GUARD_SEARCH_MAX pairs of places: guard_searches(). */
bool guard_match(const struct guard_term *terms, size_t n, const uint8_t *payload,
    size_t len);

/* Places, or pairs of them, that the searching terms may try; 0: more than allowed. */
uint32_t guard_searches(const struct guard_term *terms, size_t n);

/* Bits a payload must have right to hit the alternative: log2 of the inverse of its
 * false-hit rate on random payload; a search over 2^n places costs n of them. */
unsigned guard_bits(const struct guard_term *terms, size_t n);

/* ---- many guards at once: the kernel's rules and the sensor's index alike ---- */

struct guard_alternative {
	const struct guard_term *terms;
	uint32_t guard; /* the caller's number */
	uint8_t n, dir; /* enum guard_dir */
};
/* Alternatives that ask for the same bytes somewhere: these are asked for once.
 * key_len 0: the rest, which share none. */
struct guard_group {
	uint32_t first, count;
	uint8_t offset, key_len; /* 0, 2-4 */
	uint8_t key[4];
};
enum { GUARD_GROUPS_MAX = 17 };

struct fs;
/* The alternatives of guard i of the flow space, GUARD_ALTERNATIVE_MAX at most; they
 * borrow from it.  Returns how many. */
size_t guard_alternatives(const struct fs *fs, uint32_t i, struct guard_alternative *ret);

/* Reorder alts[0..n) so that each group is a run, in the order given within it, and
 * fill ret[0..GUARD_GROUPS_MAX); returns how many.  The same input gives the same. */
size_t guard_group(struct guard_alternative *alts, size_t n, struct guard_group *ret);

#endif
