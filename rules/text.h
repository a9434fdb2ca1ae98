/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: hostile text made fit for terminals and JSON; nearest names */
#ifndef CORDON_RULES_TEXT_H
#define CORDON_RULES_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Decode one UTF-8 character of s[0..len), len > 0.  Returns its bytes and sets
 * *ret; 0 where it is not valid. */
size_t text_decode(const char *s, size_t len, uint32_t *ret);
/* Whether a character is seen by a reader: no control, no direction mark, no line
 * separator. */
bool text_visible(uint32_t c);
/* A copy in which all that is not visible UTF-8 is written \xHH; the caller free()s.
 * NULL: no memory. */
char *text_escape(const char *s, size_t len);
/* As a JSON string with quotes. */
void text_json(const char *s, FILE *f);
/* Edit distance of a and b (a swap of neighbours counts 1), at most max + 1. */
unsigned text_distance(const char *a, const char *b, unsigned max);

/* Finds the nearest of many names: start with { .want = … }, offer each. */
struct text_nearest {
	const char *want, *best;
	unsigned distance;
};
void text_offer(struct text_nearest *n, const char *name);

#endif
