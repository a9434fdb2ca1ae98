/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: aligned tables of escaped text */
#include "cli/out.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct cell {
	char *text;
	enum out_tone tone;
};

struct out_table {
	unsigned columns;
	bool right[OUT_COLUMNS_MAX], short_of_memory;
	size_t rows, cap; /* row 0 holds the headings */
	struct cell *cell;
};

/* Columns a terminal needs: characters, as escaped text holds no controls. */
static size_t width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((uint8_t)*s & 0xc0) != 0x80;
	return n;
}

static struct cell *row_add(struct out_table *t)
{
	struct cell *grown, *row;

	if (t->rows == t->cap) {
		size_t cap = t->cap ? 2 * t->cap : 16;

		grown = reallocarray(t->cell, cap * t->columns, sizeof(*grown));
		if (!grown) {
			t->short_of_memory = true;
			return NULL;
		}
		t->cell = grown;
		t->cap = cap;
	}
	row = t->cell + t->rows++ * t->columns;
	memset(row, 0, t->columns * sizeof(*row));
	return row;
}

static void cell_set(struct out_table *t, struct cell *c, const char *s, size_t len)
{
	c->text = out_escaped(s, len);
	if (!c->text)
		t->short_of_memory = true;
}

struct out_table *out_table_new(const char *headings)
{
	struct out_table *t = calloc(1, sizeof(*t));
	const char *s = headings;
	struct cell *row;

	if (!t)
		return NULL;
	t->columns = 1;
	for (; *s; s++)
		t->columns += *s == '|';
	if (t->columns > OUT_COLUMNS_MAX || !(row = row_add(t))) {
		free(t);
		return NULL;
	}
	s = headings;
	for (unsigned i = 0; i < t->columns; i++) {
		size_t len;

		t->right[i] = *s == '>';
		s += t->right[i];
		len = strcspn(s, "|");
		cell_set(t, &row[i], s, len);
		row[i].tone = TONE_BOLD;
		s += len + (s[len] == '|');
	}
	return t;
}

void out_table_free(struct out_table *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->rows * t->columns; i++)
		free(t->cell[i].text);
	free(t->cell);
	free(t);
}

void out_table_row(struct out_table *t, ...)
{
	struct cell *row = row_add(t);
	va_list ap;

	if (!row)
		return;
	va_start(ap, t);
	for (unsigned i = 0; i < t->columns; i++) {
		const char *s = va_arg(ap, const char *);

		cell_set(t, &row[i], s ? s : "", s ? strlen(s) : 0);
	}
	va_end(ap);
}

void out_table_tone(struct out_table *t, unsigned column, enum out_tone tone)
{
	if (t->rows > 1 && column < t->columns)
		t->cell[(t->rows - 1) * t->columns + column].tone = tone;
}

size_t out_table_rows(const struct out_table *t)
{
	return t->rows - 1;
}

static void print_row(const struct out_table *t, const struct cell *row,
    const size_t *wide, FILE *f, bool colour)
{
	for (unsigned i = 0; i < t->columns; i++) {
		const char *s = row[i].text ? row[i].text : "?";
		int pad = (int)(wide[i] - width(s));
		bool tone = colour && row[i].tone != TONE_PLAIN;

		if (i > 0)
			fputs("  ", f);
		if (t->right[i])
			fprintf(f, "%*s", pad, "");
		fprintf(f, "%s%s%s", tone ? out_tone(row[i].tone, true) : "", s,
		    tone ? out_tone(TONE_PLAIN, true) : "");
		if (!t->right[i] && i + 1 < t->columns)
			fprintf(f, "%*s", pad, "");
	}
	fputc('\n', f);
}

int out_table_print(const struct out_table *t, FILE *f, bool colour)
{
	size_t wide[OUT_COLUMNS_MAX] = {0};

	for (size_t i = 0; i < t->rows * t->columns; i++) {
		size_t w = t->cell[i].text ? width(t->cell[i].text) : 1;

		if (w > wide[i % t->columns])
			wide[i % t->columns] = w;
	}
	for (size_t r = 0; r < t->rows; r++)
		print_row(t, t->cell + r * t->columns, wide, f, colour);
	if (t->short_of_memory)
		fputs("(rows are missing: out of memory)\n", f);
	return t->short_of_memory ? -1 : 0;
}
