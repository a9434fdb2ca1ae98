/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: diagnostics as text and JSON rows */
#include <cordon/diag.h>

#include <stdlib.h>
#include <string.h>

#include "rules/text.h"

enum { SOURCE_MAX = 240 }; /* bytes of a source line that are shown */

static const char *file_of(const struct diaglist *l, const struct diag *d)
{
	return d->loc.file < l->nfiles ? l->files[d->loc.file] : "";
}

/* Columns that s[0..len) takes once escaped; characters count one. */
static int width_of(const char *s, size_t len)
{
	char *e = text_escape(s, len);
	int w = 0;

	for (const char *p = e; p != NULL && *p != '\0'; p++)
		w += (*p & 0xc0) != 0x80;
	free(e);
	return w;
}

static void print_source(const struct diag *d, FILE *f, bool colour)
{
	size_t len = strnlen(d->source, SOURCE_MAX), col = d->loc.col,
	       end = d->loc.end_col;
	char *line = text_escape(d->source, len);
	int pad, wide;

	if (line == NULL)
		return;
	fprintf(f, "%5u | %s\n", d->loc.line, line);
	free(line);
	if (col == 0 || col > len + 1)
		return;
	pad = width_of(d->source, col - 1);
	end = end > len + 1 ? len + 1 : end;
	wide = end > col && d->loc.end_line == 0 ? width_of(d->source + col - 1, end - col) : 1;
	fprintf(f, "      | %*s%s^", pad, "", colour ? "\033[32m" : "");
	for (int i = 1; i < wide; i++)
		fputc('~', f);
	fprintf(f, "%s\n", colour ? "\033[0m" : "");
}

static void print_one(
    const struct diaglist *l, const struct diag *d, FILE *f, bool colour)
{
	static const char *const tints[] = { [DIAG_ERROR] = "\033[31m",
		[DIAG_WARNING] = "\033[33m", [DIAG_NOTE] = "\033[36m" };
	const char *tint = tints[d->code->severity];
	char *file = text_escape(file_of(l, d), strlen(file_of(l, d)));

	if (file != NULL && *file != '\0')
		fprintf(f, "%s:", file);
	if (d->loc.line != 0)
		fprintf(f, "%u:%u:", d->loc.line, d->loc.col);
	fprintf(f, "%s%s%s:%s %s [%s]\n", file != NULL && *file != '\0' ? " " : "",
	    colour ? tint : "", diag_severity_name(d->code->severity),
	    colour ? "\033[0m" : "", d->message != NULL ? d->message : "(no memory)",
	    d->code->code);
	free(file);
	if (d->source != NULL && d->loc.line != 0)
		print_source(d, f, colour);
	if (d->hint != NULL)
		fprintf(f, "      = %s\n", d->hint);
	if (d->accepted != NULL)
		fprintf(f, "      = accepted: %s\n", d->accepted);
}

void diag_print(const struct diaglist *l, FILE *f, bool colour)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct diag *d = &l->d[i];

		if (l->show_all ||
		    (d->accepted == NULL && d->code->severity != DIAG_NOTE))
			print_one(l, d, f, colour);
	}
	if (l->cut || (l->show_all && l->notes_cut))
		fprintf(f, "further diagnostics are not shown\n");
}

static void json_pair(FILE *f, const char *key, const char *value, const char *after)
{
	fprintf(f, "\"%s\":", key);
	if (value != NULL)
		text_json(value, f);
	else
		fputs("null", f);
	fputs(after, f);
}

void diag_print_json(const struct diaglist *l, FILE *f)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct diag *d = &l->d[i];
		char *file = text_escape(file_of(l, d), strlen(file_of(l, d)));

		fputc('{', f);
		json_pair(f, "file", file, ",");
		fprintf(f, "\"line\":%u,\"column\":%u,", d->loc.line, d->loc.col);
		json_pair(f, "severity", diag_severity_name(d->code->severity), ",");
		json_pair(f, "code", d->code->code, ",");
		json_pair(f, "name", d->code->name, ",");
		json_pair(f, "message", d->message, ",");
		json_pair(f, "hint", d->hint, ",");
		json_pair(f, "accepted", d->accepted, "}\n");
		free(file);
	}
}
