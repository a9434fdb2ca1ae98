/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: memory that is built whole and freed whole */
#ifndef CORDON_RULES_ARENA_H
#define CORDON_RULES_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena_chunk;

/* Zeroed it is empty.  Once an allocation failed, `failed` stays set: callers may
 * test it once at the end, as long as they test what they dereference. */
struct arena {
	struct arena_chunk *head;
	size_t used, limit; /* bytes; limit 0: none */
	bool failed, over; /* over: it was the limit, not the system */
};

/* n * size zeroed bytes, aligned for any type; NULL: no memory or over the limit. */
void *arena_calloc(struct arena *a, size_t n, size_t size);
/* A NUL-terminated copy of s[0..len), or NULL. */
char *arena_strndup(struct arena *a, const char *s, size_t len);
/* Formatted text, or NULL. */
char *arena_printf(struct arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Make it empty, keep one chunk for the next round. */
void arena_reset(struct arena *a);
void arena_free(struct arena *a);
/* A large block that is about to be filled: fewer page faults, if the system likes. */
void arena_advise(void *p, size_t len);

#endif
