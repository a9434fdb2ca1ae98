/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: cordon fmt: read, order, print, and prove that the meaning is the same */
#include <cordon/fmt.h>

#include <stdlib.h>
#include <string.h>

#include <cordon/diag.h>

#include "rules/fmt.h"
#include "rules/text.h"

/* ---- diagnostics ---- */

struct file {
	const char *path, *data;
	size_t len;
	struct diaglist *diag;
};

static const char *line_of(const struct file *f, uint32_t line, size_t *ret_len)
{
	const char *s = f->data, *end = f->data + f->len, *nl;

	for (; line > 1 && s < end; line--) {
		nl = memchr(s, '\n', (size_t)(end - s));
		s = nl != NULL ? nl + 1 : end;
	}
	nl = s < end ? memchr(s, '\n', (size_t)(end - s)) : NULL;
	*ret_len = (size_t)((nl != NULL ? nl : end) - s);
	return s;
}

/* Columns are counted in characters by the reader, in bytes in reports. */
static uint32_t byte_col(const char *line, size_t len, uint32_t col)
{
	size_t at = 0;

	while (col > 1 && at < len) {
		uint32_t c;
		size_t n = text_decode(line + at, len - at, &c);

		at += n != 0 ? n : 1;
		col--;
	}
	return (uint32_t)at + col;
}

static void report(const struct file *f, const char *code, uint32_t line, uint32_t col,
    const char *message, const char *hint)
{
	struct diag_loc loc = { .file = diag_file(f->diag, f->path), .line = line };
	size_t len = 0;
	const char *s = line != 0 ? line_of(f, line, &len) : NULL;

	if (s != NULL)
		loc.col = byte_col(s, len, col);
	diag_add(f->diag, code, loc, "%s", message != NULL ? message : "");
	if (s != NULL)
		diag_source(f->diag, s, len);
	if (hint != NULL)
		diag_hint(f->diag, "%s", hint);
}

static void on_duplicate(void *arg, const struct ynode *key, const struct ynode *first)
{
	const struct file *f = arg;
	char text[96];

	snprintf(text, sizeof(text), "key \"%.60s\" stands twice", key->text);
	report(f, "CRD005", key->line, key->col, text, NULL);
	diag_hint(f->diag, "first in line %u", first->line);
}

/* The nodes of a text; false: reported. */
static bool parse(const struct file *f, struct arena *a, const char *data, size_t len,
    struct ydoc **ret)
{
	size_t errors = f->diag->errors;
	struct file arg = *f;
	struct yaml_error e;

	if (yaml_parse(a, data, len, on_duplicate, &arg, ret, &e) == -1) {
		report(f, e.code, e.line, e.col, e.message, e.hint);
		return false;
	}
	return f->diag->errors == errors;
}

/* ---- the same meaning ---- */

static bool same(const struct ynode *a, const struct ynode *b);

static const struct yitem *find(const struct ynode *n, const char *key)
{
	for (const struct yitem *i = n->items; i != NULL; i = i->next) {
		if (strcmp(i->key->text, key) == 0)
			return i;
	}
	return NULL;
}

/* Keys may have moved. */
static bool same_items(const struct ynode *a, const struct ynode *b)
{
	const struct yitem *y = b->items;

	for (const struct yitem *x = a->items; x != NULL; x = x->next) {
		if (x->key != NULL && (y == NULL || strcmp(x->key->text, y->key->text) != 0))
			y = find(b, x->key->text);
		if (y == NULL || (x->key != NULL && !same(x->key, y->key)) ||
		    !same(x->value, y->value))
			return false;
		y = y->next;
	}
	return true;
}

/* Quotes count only where they keep a text from being a number or the like. */
static bool same(const struct ynode *a, const struct ynode *b)
{
	if (a->kind != b->kind || a->n != b->n)
		return false;
	if (a->kind == YNODE_SCALAR)
		return memcmp(a->text, b->text, a->n) == 0 &&
		    (a->plain == b->plain || !fmt_is_typed(a->text));
	return same_items(a, b);
}

static bool same_docs(const struct ydoc *a, const struct ydoc *b)
{
	for (; a != NULL && b != NULL; a = a->next, b = b->next) {
		if (!same(a->root, b->root))
			return false;
	}
	return a == NULL && b == NULL;
}

/* ---- what kind of file ---- */

static bool is_named(const char *path, const char *name, bool folder)
{
	const char *base = strrchr(path, '/'), *dir;
	size_t len = strlen(name);

	base = base != NULL ? base + 1 : path;
	if (!folder)
		return strncmp(base, name, len) == 0 && strcmp(base + len, ".yaml") == 0;
	if (base == path)
		return false;
	for (dir = base - 1; dir > path && dir[-1] != '/';)
		dir--;
	return (size_t)(base - 1 - dir) == len && strncmp(dir, name, len) == 0;
}

/* By a key that only one kind of file has. */
static enum schema_file kind_of_root(const struct ydoc *d)
{
	if (d == NULL || d->root->kind == YNODE_SCALAR)
		return FILE_NKINDS;
	if (d->root->kind == YNODE_SEQ)
		return FILE_TESTS;
	for (int k = 0; k < FILE_NKINDS; k++) {
		const struct schema_kind *f = &schema_kinds[k];

		if (f->flags == 0 && find(d->root, f->section->keys[0].name) != NULL)
			return (enum schema_file)k;
	}
	return FILE_NKINDS;
}

static enum schema_file kind_of(const char *path, const struct ydoc *d)
{
	for (int k = 0; path != NULL && k < FILE_NKINDS; k++) {
		const struct schema_kind *f = &schema_kinds[k];

		if ((f->single && is_named(path, f->name, false)) ||
		    (f->folder && is_named(path, f->name, true)) ||
		    (!f->single && !f->folder && is_named(path, f->name, true)))
			return (enum schema_file)k;
	}
	return kind_of_root(d);
}

/* ---- all of it ---- */

static char *print(struct arena *a, struct ffile *f, enum schema_file kind, size_t *ret_len)
{
	char *text = NULL;
	FILE *out;

	if (fmt_order(a, f, kind) == -1)
		return NULL;
	out = open_memstream(&text, ret_len);
	if (out == NULL)
		return NULL;
	fmt_write(f, out);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct words {
	const char **v;
	size_t n, cap;
};

static void collect(struct words *w, const struct fcomments *c)
{
	for (const struct fcomment *i = c->first; i != NULL && w->n < w->cap; i = i->next)
		w->v[w->n++] = i->text;
}

static void collect_one(struct words *w, const struct fcomment *c)
{
	if (c != NULL && w->n < w->cap)
		w->v[w->n++] = c->text;
}

static void collect_node(struct words *w, const struct fnode *n)
{
	if (n == NULL)
		return;
	for (const struct fitem *i = n->items; i != NULL; i = i->next) {
		collect(w, &i->lead);
		collect(w, &i->mid);
		collect_one(w, i->trail);
		collect_node(w, i->value);
	}
	collect(w, &n->foot);
}

/* All comments of a file, sorted; NULL: no memory. */
static const char **all_comments(struct arena *a, const struct ffile *f)
{
	struct words w = { .cap = f->ncomments };

	w.v = arena_calloc(a, f->ncomments + 1, sizeof(*w.v));
	if (w.v == NULL)
		return NULL;
	for (const struct fdoc *d = f->docs; d != NULL; d = d->next) {
		collect(&w, &d->lead);
		collect_one(&w, d->trail);
		collect(&w, &d->root.lead);
		collect(&w, &d->root.mid);
		collect_one(&w, d->root.trail);
		collect_node(&w, d->root.value);
	}
	collect(&w, &f->foot);
	if (w.n > 1)
		qsort(w.v, w.n, sizeof(*w.v), by_text);
	return w.n == f->ncomments ? w.v : NULL;
}

static bool same_comments(struct arena *a, const struct ffile *x, const struct ffile *y)
{
	const char **v = all_comments(a, x), **w = all_comments(a, y);

	if (v == NULL || w == NULL || x->ncomments != y->ncomments)
		return false;
	for (size_t i = 0; i < x->ncomments; i++) {
		if (strcmp(v[i], w[i]) != 0)
			return false;
	}
	return true;
}

static int format(const struct file *f, struct arena *a, const char *path, char **ret,
    size_t *ret_len)
{
	struct ydoc *before = NULL, *after = NULL;
	struct ffile file, again;
	size_t len = 0;
	char *text;

	if (!parse(f, a, f->data, f->len, &before))
		return -1;
	if (fmt_read(a, f->data, f->len, &file) == -1)
		goto memory;
	text = print(a, &file, kind_of(path, before), &len);
	if (text == NULL)
		goto memory;
	/* What this program made of it is judged like any other file. */
	if (!parse(f, a, text, len, &after) || fmt_read(a, text, len, &again) == -1 ||
	    !same_docs(before, after) || !same_comments(a, &file, &again)) {
		free(text);
		report(f, "CRD004", 0, 0, "cannot be formatted without changing it",
		    "write it in a plainer form");
		return -1;
	}
	*ret = text;
	*ret_len = len;
	return 0;
memory:
	report(f, "CRD091", 0, 0, "out of memory", NULL);
	return -1;
}

int rules_fmt(const char *path, const char *data, size_t len, struct diaglist *d,
    char **ret, size_t *ret_len)
{
	struct file f = { path != NULL ? path : "stdin", data, len, d };
	struct arena a = { .limit = (size_t)512 << 20 };
	int rc = format(&f, &a, path, ret, ret_len);

	arena_free(&a);
	return rc;
}
