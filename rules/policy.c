/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the policy as a container, and reports at places of its files */
#include "rules/policy.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/check.h"
#include "rules/flowset.h"
#include "rules/pipeline.h"

void policy_init(struct policy *p, struct diaglist *d)
{
	memset(p, 0, sizeof(*p));
	p->diag = d;
	p->zoneinfo_fd = -1;
}

void policy_free(struct policy *p)
{
	struct pvec *vecs[] = { &p->groups, &p->services, &p->guards, &p->profiles,
		&p->hosts, &p->tests };

	for (size_t i = 0; i < sizeof(vecs) / sizeof(vecs[0]); i++)
		free(vecs[i]->v);
	free(p->files);
	free(p->transitions);
	names_free(&p->names);
	flowset_forget(p);
	arena_free(&p->scratch);
	arena_free(&p->arena);
}

int policy_no_memory(struct policy *p)
{
	struct diag_loc here = { .file = diag_file(p->diag, "") };
	bool over = p->arena.over || p->scratch.over;

	for (size_t i = 0; i < p->diag->n; i++) {
		if (strcmp(p->diag->d[i].code->code, "CRD091") == 0 ||
		    (over && strcmp(p->diag->d[i].code->code, "CRD090") == 0))
			return -1;
	}
	if (over)
		diag_add(p->diag, "CRD090", here, "the policy takes more than %zu MiB",
		    PIPELINE_MEMORY_MAX >> 20);
	else
		diag_add(p->diag, "CRD091", here, "out of memory");
	return -1;
}

int pvec_add(struct policy *p, struct pvec *v, void *item)
{
	if (v->n == v->cap) {
		size_t cap = v->cap != 0 ? v->cap * 2 : 64;
		void **grown = reallocarray(v->v, cap, sizeof(*grown));

		if (grown == NULL)
			return policy_no_memory(p);
		v->v = grown;
		v->cap = cap;
	}
	v->v[v->n++] = item;
	return 0;
}

/* The text of a line (1-based), without its end; NULL behind the last.  Reports go
 * through a file forwards, so the last place found is where to search on. */
static const char *line_of(
    struct policy *p, uint32_t file, uint32_t line, size_t *ret_len)
{
	const struct pfile *f = &p->files[file];
	const char *at, *end = f->data + f->len, *nl;

	if (p->near.file != file || p->near.line > line || p->near.line == 0) {
		p->near.file = file;
		p->near.line = 1;
		p->near.off = 0;
	}
	at = f->data + p->near.off;
	for (; p->near.line < line; p->near.line++) {
		nl = memchr(at, '\n', (size_t)(end - at));
		if (nl == NULL)
			return NULL;
		at = nl + 1;
		p->near.off = (size_t)(at - f->data);
	}
	nl = memchr(at, '\n', (size_t)(end - at));
	*ret_len = (size_t)((nl != NULL ? nl : end) - at);
	if (*ret_len > 0 && at[*ret_len - 1] == '\r')
		--*ret_len;
	return at;
}

/* Byte column of a character column. */
static uint32_t byte_col(const char *line, size_t len, uint32_t col)
{
	size_t i = 0;

	for (uint32_t c = 1; c < col && i < len; c++) {
		i++;
		while (i < len && ((unsigned char)line[i] & 0xc0) == 0x80)
			i++;
	}
	return (uint32_t)i + 1;
}

static uint32_t shown_file(struct policy *p, struct pfile *f)
{
	if (f == NULL)
		return diag_file(p->diag, "");
	if (f->shown == 0)
		f->shown = diag_file(p->diag, f->path) + 1;
	return f->shown - 1;
}

static bool is_content(const char *line, size_t len)
{
	size_t i = 0;

	while (i < len && (line[i] == ' ' || line[i] == '\r'))
		i++;
	return i < len && line[i] != '#';
}

/* The end of a block is where what follows starts: back to the end of the last line
 * that holds something of it.  line: that of loc->line. */
static void trim_end(const struct pfile *f, const char *line, struct diag_loc *loc)
{
	const char *end = f->data + f->len, *nl;
	uint32_t at = loc->line, last = 0, last_col = 0;

	for (; at <= loc->end_line && line < end; at++, line = nl + 1) {
		size_t len;

		nl = memchr(line, '\n', (size_t)(end - line));
		if (nl == NULL)
			nl = end;
		len = (size_t)(nl - line);
		if (at == loc->end_line && (loc->end_col == 0 ||
		    !is_content(line, (size_t)byte_col(line, len, loc->end_col) - 1)))
			break;
		if (!is_content(line, len))
			continue;
		last = at;
		last_col = 1;
		for (size_t i = 0; i < len && line[i] != '\r'; i++)
			last_col += ((unsigned char)line[i] & 0xc0) != 0x80;
	}
	if (last != loc->end_line && last != 0) {
		loc->end_line = last;
		loc->end_col = last_col;
	}
}

int policy_error(struct policy *p, const char *code, struct diag_loc loc,
    const char *fmt, ...)
{
	bool in_file = loc.file < p->nfiles, full = diag_is_full(p->diag, code);
	const char *line = NULL, *reason = accept_reason(p, code, loc);
	size_t len = 0;
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (full || vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	if (in_file && loc.line != 0 && !full)
		line = line_of(p, loc.file, loc.line, &len);
	if (line != NULL) {
		loc.col = byte_col(line, len, loc.col);
		if (loc.end_line != 0)
			trim_end(&p->files[loc.file], line, &loc);
		else if (loc.end_col != 0)
			loc.end_col = byte_col(line, len, loc.end_col);
	}
	if (!full)
		loc.file = shown_file(p, in_file ? &p->files[loc.file] : NULL);
	diag_add(p->diag, code, loc, "%s", text != NULL ? text : "(no memory)");
	if (line != NULL)
		diag_source(p->diag, line, len);
	if (reason != NULL)
		diag_accept(p->diag, reason);
	free(text);
	return -1;
}

const char *policy_place(struct policy *p, struct diag_loc loc)
{
	const char *s = arena_printf(&p->arena, "%s:%u",
	    loc.file < p->nfiles ? p->files[loc.file].path : "", loc.line);

	return s != NULL ? s : "";
}
