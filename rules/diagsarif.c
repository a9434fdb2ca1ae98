/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: diagnostics as a SARIF 2.1.0 log, for code review */
#include <cordon/diag.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "rules/text.h"

/* Sections in this file are those of the OASIS standard SARIF 2.1.0. */

static void pair(FILE *f, const char *key, const char *value, const char *after)
{
	fprintf(f, "\"%s\":", key);
	text_json(value != NULL ? value : "", f);
	fputs(after, f);
}

static const char *file_of(const struct diaglist *l, const struct diag *d)
{
	return d->loc.file < l->nfiles ? l->files[d->loc.file] : "";
}

/* 3.49 reportingDescriptor */
static void put_rule(const struct diag_code *c, FILE *f)
{
	const struct diag_help *h = diag_help_find(c->code);

	fputc('{', f);
	pair(f, "id", c->code, ",");
	pair(f, "name", c->name, ",");
	fputs("\"shortDescription\":{", f);
	pair(f, "text", c->what, "},\"fullDescription\":{");
	pair(f, "text", h != NULL ? h->why : c->what, "},\"help\":{");
	pair(f, "text", c->mend, "},\"defaultConfiguration\":{");
	pair(f, "level", diag_severity_name(c->severity), "}}");
}

/* SARIF wants URIs: all but the unreserved characters and '/' is written %HH. */
static void put_uri(const char *s, FILE *f)
{
	static const char keep[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";

	fputs(*s == '/' ? "\"file://" : "\"", f);
	for (; *s != '\0'; s++) {
		if (strchr(keep, *s) != NULL)
			fputc(*s, f);
		else
			fprintf(f, "%%%02X", (unsigned char)*s);
	}
	fputc('"', f);
}

/* 3.30 region: columns count characters, ours bytes. */
static uint32_t char_col(const struct diag *d, uint32_t col)
{
	uint32_t n = 1;

	if (d->source == NULL || col == 0)
		return col != 0 ? col : 1;
	for (size_t i = 0; i + 1 < col && d->source[i] != '\0'; i++)
		n += ((unsigned char)d->source[i + 1] & 0xc0) != 0x80;
	return n;
}

static void put_region(const struct diag *d, FILE *f)
{
	const struct diag_loc *at = &d->loc;
	uint32_t start = char_col(d, at->col), end = 0;
	uint32_t last = at->end_line > at->line ? at->end_line : at->line;

	if (at->end_line == 0 && at->end_col > at->col)
		end = char_col(d, at->end_col);
	else if (at->end_line != 0)
		end = at->end_col;
	fprintf(f, ",\"region\":{\"startLine\":%u,\"startColumn\":%u,\"endLine\":%u",
	    at->line, start, last);
	if (last > at->line ? end > 0 : end > start)
		fprintf(f, ",\"endColumn\":%u", end);
	fputc('}', f);
}

/* 3.14.14: relative to where the check ran, which is the repository's root in CI. */
static void put_location(const struct diaglist *l, const struct diag *d, FILE *f)
{
	const char *file = file_of(l, d);

	if (*file == '\0')
		return;
	fputs("{\"physicalLocation\":{\"artifactLocation\":{\"uri\":", f);
	put_uri(file, f);
	if (*file != '/')
		fputs(",\"uriBaseId\":\"%SRCROOT%\"", f);
	fputc('}', f);
	if (d->loc.line != 0)
		put_region(d, f);
	fputs("}}", f);
}

/* 3.27.17: the same finding keeps its print while lines above it come and go: of code,
 * file, message and the line's text without indentation; `nth` tells equal ones apart. */
static uint64_t print_of(const struct diaglist *l, const struct diag *d)
{
	const char *source = d->source != NULL ? d->source : "";
	const char *part[] = { d->code->code, file_of(l, d),
		d->message != NULL ? d->message : "", source + strspn(source, " \t-") };
	uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */

	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++) {
		for (const char *s = part[i];; s++) {
			h = (h ^ (unsigned char)*s) * UINT64_C(1099511628211);
			if (*s == '\0')
				break;
		}
	}
	return h;
}

/* 3.35 suppression */
static void put_accepted(const struct diag *d, FILE *f)
{
	fputs(",\"suppressions\":[", f);
	if (d->accepted != NULL) {
		fputs("{\"kind\":\"inSource\",\"status\":\"accepted\",", f);
		pair(f, "justification", d->accepted, "}");
	}
	fputc(']', f);
}

static void put_result(
    const struct diaglist *l, const struct diag *d, uint64_t print, unsigned nth, FILE *f)
{
	char *both = NULL;

	fputc('{', f);
	pair(f, "ruleId", d->code->code, ",");
	fprintf(f, "\"ruleIndex\":%td,", d->code - diag_codes);
	pair(f, "level", diag_severity_name(d->code->severity), ",\"message\":{");
	if (d->hint != NULL && d->message != NULL &&
	    asprintf(&both, "%s; %s", d->message, d->hint) < 0)
		both = NULL;
	pair(f, "text", both != NULL ? both : d->message, "},\"locations\":[");
	free(both);
	put_location(l, d, f);
	fprintf(f, "],\"partialFingerprints\":{\"cordonFinding/v1\":\"%016" PRIx64 ":%u\"}",
	    print, nth);
	put_accepted(d, f);
	fputc('}', f);
}

/* How many before i have the same print.  Equal ones are of one file and code, and the
 * list is sorted by file. */
static unsigned nth_of(const struct diaglist *l, const uint64_t *print, size_t i)
{
	unsigned n = 1;

	for (size_t k = i; k-- > 0 && l->d[k].loc.file == l->d[i].loc.file;)
		n += print[k] == print[i];
	return n;
}

void diag_print_sarif(const struct diaglist *l, FILE *f)
{
	uint64_t *print = calloc(l->n + 1, sizeof(*print));

	fputs("{\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\","
	      "\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{\"name\":"
	      "\"cordon\",\"version\":\"" CORDON_VERSION "\",\"rules\":[",
	    f);
	for (const struct diag_code *c = diag_codes; c->code != NULL; c++) {
		if (c != diag_codes)
			fputc(',', f);
		put_rule(c, f);
	}
	fprintf(f,
	    "]}},\"invocations\":[{\"executionSuccessful\":%s}],"
	    "\"originalUriBaseIds\":{\"%%SRCROOT%%\":{\"description\":{\"text\":"
	    "\"the directory in which the check ran\"}}},"
	    "\"columnKind\":\"unicodeCodePoints\",\"results\":[",
	    l->cut ? "false" : "true");
	for (size_t i = 0; i < l->n; i++) {
		uint64_t own = print_of(l, &l->d[i]);

		if (print != NULL)
			print[i] = own;
		if (i != 0)
			fputc(',', f);
		put_result(l, &l->d[i], own, print != NULL ? nth_of(l, print, i) : 1, f);
	}
	fputs("]}]}\n", f);
	free(print);
}
