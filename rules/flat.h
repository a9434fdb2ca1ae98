/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: growable tables that end as one block without pointers */
#ifndef RULES_FLAT_H
#define RULES_FLAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FLAT_TABLES_MAX = 16 };

struct flat_table {
	char *at;
	size_t elem, count, cap; /* bytes an element; elements used, allocated */
};

/* Strings are table 0, found again by an open hash of their offsets. */
struct flat {
	struct flat_table t[FLAT_TABLES_MAX];
	size_t ntables;
	struct flat_slot {
		uint32_t str, hash; /* str 0: free */
	} * hash;
	size_t hash_cap, strings;
	uint32_t last; /* string asked for last */
	bool failed;   /* out of memory, or a table over its bound */
};

/* elem_size[i] bytes an element of table i; table 0 holds char. */
int flat_init(struct flat *f, const size_t *elem_size, size_t ntables);
void flat_free(struct flat *f);
/* Append n elements (zeroed where data is NULL); index of the first. */
uint32_t flat_add(struct flat *f, size_t table, const void *data, size_t n);
uint32_t flat_str(struct flat *f, const char *s);
/* Room for n more elements and not for one more than that. */
void flat_reserve(struct flat *f, size_t table, size_t n);
static inline void *flat_at(const struct flat *f, size_t table, size_t i)
{
	return f->t[table].at + i * f->t[table].elem;
}
/* Lay header (header_len bytes) and tables out in one calloc()ed block, each table
 * aligned to 16; writes {off, count} pairs to `dir` (2 x ntables uint32_t, inside the
 * new block at dir_off).  NULL: failed before, no memory, or over 2 GiB. */
void *flat_finish(const struct flat *f, const void *header, size_t header_len,
    size_t dir_off, size_t *ret_size);

/* For blocks from elsewhere: each table of `dir` lies inside size, aligned, the
 * string table ends in NUL. */
bool flat_valid(const uint32_t *dir, const size_t *elem_size, size_t ntables,
    size_t header_len, const void *block, size_t size);

#endif
