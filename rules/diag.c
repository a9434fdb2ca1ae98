/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the list of diagnostics: adding, escaping, sorting */
#include <cordon/diag.h>

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "rules/text.h"

void diag_init(struct diaglist *l)
{
	memset(l, 0, sizeof(*l));
}

static void diag_drop(struct diag *d)
{
	free(d->message);
	free(d->hint);
	free(d->source);
	free(d->accepted);
}

void diag_free(struct diaglist *l)
{
	for (size_t i = 0; i < l->n; i++)
		diag_drop(&l->d[i]);
	for (size_t i = 0; i < l->nfiles; i++)
		free(l->files[i]);
	free(l->d);
	free(l->files);
	diag_init(l);
}

uint32_t diag_file(struct diaglist *l, const char *path)
{
	char **files, *copy;

	for (size_t i = l->nfiles; i-- > 0;) {
		if (strcmp(l->files[i], path) == 0)
			return (uint32_t)i;
	}
	files = reallocarray(l->files, l->nfiles + 1, sizeof(*files));
	if (files == NULL)
		return 0;
	l->files = files;
	copy = strdup(path);
	if (copy == NULL)
		return 0;
	files[l->nfiles] = copy;
	return (uint32_t)l->nfiles++;
}

const struct diag_code *diag_code_find(const char *code)
{
	for (const struct diag_code *c = diag_codes; c->code != NULL; c++) {
		if (strcmp(c->code, code) == 0)
			return c;
	}
	return NULL;
}

const struct diag_help *diag_help_find(const char *code)
{
	for (const struct diag_help *h = diag_help; h->code != NULL; h++) {
		if (strcmp(h->code, code) == 0)
			return h;
	}
	return NULL;
}

const char *diag_severity_name(enum diag_severity s)
{
	switch (s) {
	case DIAG_ERROR:
		return "error";
	case DIAG_WARNING:
		return "warning";
	case DIAG_NOTE:
		return "note";
	}
	return "";
}

static size_t *count_of(struct diaglist *l, enum diag_severity s)
{
	switch (s) {
	case DIAG_ERROR:
		return &l->errors;
	case DIAG_WARNING:
		return &l->warnings;
	case DIAG_NOTE:
		return &l->notes;
	}
	return &l->errors;
}

static char *format_escaped(const char *fmt, va_list ap)
{
	char *raw = NULL, *text;

	if (vasprintf(&raw, fmt, ap) < 0)
		return NULL;
	text = text_escape(raw, strlen(raw));
	free(raw);
	return text;
}

static bool is_full(const struct diaglist *l, const struct diag_code *c)
{
	return l->n >= DIAG_MAX ||
	    (c->severity == DIAG_NOTE && l->notes + l->accepted >= DIAG_NOTES_MAX);
}

bool diag_is_full(const struct diaglist *l, const char *code)
{
	const struct diag_code *c = diag_code_find(code);

	return is_full(l, c != NULL ? c : diag_codes);
}

void diag_add(struct diaglist *l, const char *code, struct diag_loc loc,
    const char *fmt, ...)
{
	const struct diag_code *c = diag_code_find(code);
	va_list ap;

	if (c == NULL)
		c = diag_codes; /* a code without a row: caught by tests */
	l->last = c->severity;
	l->overflow = is_full(l, c);
	++*count_of(l, c->severity);
	if (l->overflow)
		*(c->severity == DIAG_NOTE ? &l->notes_cut : &l->cut) = true;
	if (l->n == l->cap && !l->overflow) {
		size_t cap = l->cap != 0 ? l->cap * 2 : 16;
		struct diag *d = reallocarray(l->d, cap, sizeof(*d));

		l->overflow = d == NULL;
		l->cut |= l->overflow;
		if (d != NULL) {
			l->d = d;
			l->cap = cap;
		}
	}
	if (l->overflow)
		return;
	va_start(ap, fmt);
	l->d[l->n++] = (struct diag){ .code = c, .loc = loc,
		.message = format_escaped(fmt, ap) };
	va_end(ap);
}

void diag_hint(struct diaglist *l, const char *fmt, ...)
{
	va_list ap;

	if (l->n == 0 || l->overflow)
		return;
	va_start(ap, fmt);
	free(l->d[l->n - 1].hint);
	l->d[l->n - 1].hint = format_escaped(fmt, ap);
	va_end(ap);
}

void diag_accept_at(struct diaglist *l, size_t i, const char *reason)
{
	struct diag *d = &l->d[i];

	if (d->accepted != NULL)
		return;
	d->accepted = text_escape(reason, strlen(reason));
	if (d->accepted == NULL)
		return; /* it is shown then */
	--*count_of(l, d->code->severity);
	l->accepted++;
}

void diag_accept(struct diaglist *l, const char *reason)
{
	if (l->n > 0 && !l->overflow) {
		diag_accept_at(l, l->n - 1, reason);
		return;
	}
	--*count_of(l, l->last);
	l->accepted++;
}

/* Kept as it is in the file (escaping is for printing, where the caret is placed). */
void diag_source(struct diaglist *l, const char *line, size_t len)
{
	struct diag *d;

	if (l->n == 0 || l->overflow)
		return;
	d = &l->d[l->n - 1];
	free(d->source);
	d->source = strndup(line, len);
}

static int diag_cmp(const struct diag *a, const struct diag *b, char *const *files)
{
	int c = a->loc.file == b->loc.file ? 0 :
	    strcmp(files[a->loc.file], files[b->loc.file]);

	if (c == 0)
		c = (a->loc.line > b->loc.line) - (a->loc.line < b->loc.line);
	if (c == 0)
		c = (a->loc.col > b->loc.col) - (a->loc.col < b->loc.col);
	if (c == 0)
		c = strcmp(a->code->code, b->code->code);
	if (c == 0 && a->message != NULL && b->message != NULL)
		c = strcmp(a->message, b->message);
	return c;
}

static int cmp_files(const void *a, const void *b, void *files)
{
	return diag_cmp(a, b, files);
}

void diag_sort(struct diaglist *l)
{
	size_t out = 0;

	if (l->n < 2 || l->nfiles == 0)
		return;
	qsort_r(l->d, l->n, sizeof(*l->d), cmp_files, l->files);
	for (size_t i = 1; i < l->n; i++) {
		if (diag_cmp(&l->d[out], &l->d[i], l->files) != 0) {
			l->d[++out] = l->d[i];
			continue;
		}
		if (l->d[i].accepted != NULL)
			l->accepted--;
		else
			--*count_of(l, l->d[i].code->severity);
		diag_drop(&l->d[i]);
	}
	l->n = out + 1;
}
