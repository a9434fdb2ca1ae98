/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: diagnostics as text, JSON rows and SARIF */
#include <cordon/diag.h>

#include <stdlib.h>
#include <string.h>

#include "rules/text.h"

enum { SOURCE_MAX = 240 }; /* bytes of a source line that are shown */

static const char *severity_name(enum diag_severity s)
{
	switch (s) {
	case DIAG_ERROR:
		return "error";
	case DIAG_WARNING:
		return "warning";
	}
	return "";
}

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
	wide = end > col ? width_of(d->source + col - 1, end - col) : 1;
	fprintf(f, "      | %*s%s^", pad, "", colour ? "\033[32m" : "");
	for (int i = 1; i < wide; i++)
		fputc('~', f);
	fprintf(f, "%s\n", colour ? "\033[0m" : "");
}

static void print_one(
    const struct diaglist *l, const struct diag *d, FILE *f, bool colour)
{
	const char *tint = d->code->severity == DIAG_ERROR ? "\033[31m" : "\033[33m";
	char *file = text_escape(file_of(l, d), strlen(file_of(l, d)));

	if (file != NULL && *file != '\0')
		fprintf(f, "%s:", file);
	if (d->loc.line != 0)
		fprintf(f, "%u:%u:", d->loc.line, d->loc.col);
	fprintf(f, "%s%s%s:%s %s [%s]\n", file != NULL && *file != '\0' ? " " : "",
	    colour ? tint : "", severity_name(d->code->severity),
	    colour ? "\033[0m" : "", d->message != NULL ? d->message : "(no memory)",
	    d->code->code);
	free(file);
	if (d->source != NULL && d->loc.line != 0)
		print_source(d, f, colour);
	if (d->hint != NULL)
		fprintf(f, "      = %s\n", d->hint);
}

void diag_print(const struct diaglist *l, FILE *f, bool colour)
{
	for (size_t i = 0; i < l->n; i++)
		print_one(l, &l->d[i], f, colour);
	if (l->overflow)
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
		json_pair(f, "severity", severity_name(d->code->severity), ",");
		json_pair(f, "code", d->code->code, ",");
		json_pair(f, "name", d->code->name, ",");
		json_pair(f, "message", d->message, ",");
		json_pair(f, "hint", d->hint, "}\n");
		free(file);
	}
}

static void sarif_rule(const struct diag_code *c, FILE *f)
{
	fputc('{', f);
	json_pair(f, "id", c->code, ",");
	json_pair(f, "name", c->name, ",");
	fputs("\"shortDescription\":{", f);
	json_pair(f, "text", c->what, "},\"help\":{");
	json_pair(f, "text", c->mend, "},\"defaultConfiguration\":{");
	json_pair(f, "level", severity_name(c->severity), "}}");
}

/* SARIF wants URIs: all but the unreserved characters and '/' is written %HH. */
static void sarif_uri(const char *s, FILE *f)
{
	static const char keep[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";

	fputc('"', f);
	for (; *s != '\0'; s++) {
		if (strchr(keep, *s) != NULL)
			fputc(*s, f);
		else
			fprintf(f, "%%%02X", (unsigned char)*s);
	}
	fputc('"', f);
}

static void sarif_result(const struct diaglist *l, const struct diag *d, FILE *f)
{
	fputc('{', f);
	json_pair(f, "ruleId", d->code->code, ",");
	fprintf(f, "\"ruleIndex\":%td,", d->code - diag_codes);
	json_pair(
	    f, "level", severity_name(d->code->severity), ",\"message\":{\"text\":");
	if (d->hint != NULL && d->message != NULL) {
		char *both = NULL;

		if (asprintf(&both, "%s; %s", d->message, d->hint) >= 0)
			text_json(both, f);
		free(both);
	} else {
		text_json(d->message != NULL ? d->message : "", f);
	}
	fputs("},\"locations\":[{\"physicalLocation\":{\"artifactLocation\":{\"uri\":",
	    f);
	sarif_uri(file_of(l, d), f);
	fputc('}', f);
	if (d->loc.line != 0) {
		fprintf(f, ",\"region\":{\"startLine\":%u,\"startColumn\":%u",
		    d->loc.line, d->loc.col != 0 ? d->loc.col : 1);
		if (d->loc.end_col > d->loc.col)
			fprintf(f, ",\"endColumn\":%u", d->loc.end_col);
		fputc('}', f);
	}
	fputs("}}]}", f);
}

void diag_print_sarif(const struct diaglist *l, FILE *f)
{
	fputs("{\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\","
	      "\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{\"name\":"
	      "\"cordon\","
	      "\"version\":\"" CORDON_VERSION "\",\"rules\":[",
	    f);
	for (const struct diag_code *c = diag_codes; c->code != NULL; c++) {
		if (c != diag_codes)
			fputc(',', f);
		sarif_rule(c, f);
	}
	fputs("]}},\"columnKind\":\"unicodeCodePoints\",\"results\":[", f);
	for (size_t i = 0; i < l->n; i++) {
		if (i != 0)
			fputc(',', f);
		sarif_result(l, &l->d[i], f);
	}
	fputs("]}]}\n", f);
}
