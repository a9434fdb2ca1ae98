/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what reaches the terminal: aligned tables, colour, escaped foreign text */
#ifndef CORDON_CLI_OUT_H
#define CORDON_CLI_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Names of enum cli_format, in its order; the --format argument. */
extern const char *const out_formats[];

enum out_tone { TONE_PLAIN, TONE_GOOD, TONE_BAD, TONE_WARN, TONE_DIM, TONE_BOLD,
	TONE_COUNT };

/* Whether f is a terminal that may be coloured: NO_COLOR unset or empty, TERM set
 * and not "dumb". */
bool out_wants_colour(FILE *f);

/* Terminal sequence that starts a tone (TONE_PLAIN ends it); "" without colour.
 * Static text. */
const char *out_tone(enum out_tone tone, bool colour);

/* Write len bytes of foreign text to f so that no terminal obeys it: controls, bytes
 * that are not UTF-8, and the characters that reorder or hide text leave as \xNN or
 * \u{N}, a backslash as two. */
void out_escape_mem(FILE *f, const void *s, size_t len);
void out_escape(FILE *f, const char *s);

/* The same as a string to free(), or NULL: no memory. */
char *out_escaped(const void *s, size_t len);

/* A message on the way, on stderr and only if that is a terminal; the next one
 * replaces it, out_progress(NULL) wipes it. */
void out_progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- tables: columns as wide as their widest cell, the last one not padded ---- */
enum { OUT_COLUMNS_MAX = 16 };
struct out_table;

/* Headings separated by '|'; one that starts with '>' is aligned to the right.
 * NULL: no memory. */
struct out_table *out_table_new(const char *headings);
void out_table_free(struct out_table *t);

/* Append one row of as many strings as there are headings (NULL: empty).  They are
 * copied and escaped.  Once memory is short, rows are dropped and the print says so. */
void out_table_row(struct out_table *t, ...);
/* Tone of a cell of the row added last; column counts from 0. */
void out_table_tone(struct out_table *t, unsigned column, enum out_tone tone);

size_t out_table_rows(const struct out_table *t);

/* Write headings and rows.  0, or -1: rows are missing. */
int out_table_print(const struct out_table *t, FILE *f, bool colour);

#endif
