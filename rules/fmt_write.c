/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the canonical text of a YAML file with its comments */
#include <stdlib.h>
#include <string.h>

#include "rules/fmt.h"

struct writer {
	FILE *out;
	struct arena scratch;
	size_t col;   /* characters in the line so far */
	bool started; /* something was written */
};

static void put(struct writer *w, const char *s)
{
	fputs(s, w->out);
	w->col += fmt_width(s);
	w->started |= *s != '\0';
}

static void newline(struct writer *w)
{
	fputc('\n', w->out);
	w->col = 0;
}

static void pad(struct writer *w, size_t col)
{
	while (w->col < col)
		put(w, " ");
}

/* ---- comments ---- */

static void comments(struct writer *w, const struct fcomments *c, size_t indent, bool blanks)
{
	for (const struct fcomment *i = c->first; i != NULL; i = i->next) {
		if (i->blank && blanks && w->started)
			newline(w);
		pad(w, indent);
		put(w, i->text);
		newline(w);
		blanks = true;
	}
	if (c->blank && blanks && w->started)
		newline(w);
}

/* Behind what stands in the line, in the column where it stood if that is free. */
static void trailing(struct writer *w, const struct fcomment *c)
{
	if (c == NULL)
		return;
	pad(w, c->col > w->col + 2 && c->col < FMT_WIDTH ? c->col : w->col + 2);
	put(w, c->text);
}

/* ---- one-line values ---- */

static void flow(struct writer *w, const struct fnode *n, FILE *f)
{
	const char *text, *sep = "";
	bool seq = n->kind == YNODE_SEQ;

	if (n->kind == YNODE_SCALAR) {
		text = fmt_scalar(&w->scratch, n, true);
		fputs(text != NULL ? text : "", f);
		return;
	}
	if (n->anchor != NULL)
		fprintf(f, "&%s ", n->anchor);
	fputs(seq ? "[" : n->items != NULL ? "{ " : "{", f);
	for (const struct fitem *i = n->items; i != NULL; i = i->next) {
		fputs(sep, f);
		if (i->key != NULL) {
			flow(w, i->key, f);
			fputs(i->key->alias ? " : " : ": ", f);
		}
		flow(w, i->value, f);
		sep = ", ";
	}
	fputs(seq ? "]" : n->items != NULL ? " }" : "}", f);
}

static bool holds_block(const struct fnode *n)
{
	if (n->kind == YNODE_SCALAR)
		return n->style == YSTYLE_BLOCK;
	for (const struct fitem *i = n->items; i != NULL; i = i->next) {
		if (holds_block(i->value))
			return true;
	}
	return false;
}

/* The text of a value that takes one line from column col on, or NULL: it is a block. */
static const char *one_line(struct writer *w, const struct fnode *n, size_t col)
{
	char *text = NULL;
	const char *kept;
	size_t size = 0;
	FILE *f;

	if (n->kind == YNODE_SCALAR)
		return n->style == YSTYLE_BLOCK ? NULL : fmt_scalar(&w->scratch, n, false);
	if (n->items != NULL && (!n->flow || n->commented || holds_block(n)))
		return NULL;
	f = open_memstream(&text, &size);
	if (f == NULL)
		return NULL;
	flow(w, n, f);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	kept = n->items == NULL || col + fmt_width(text) <= FMT_WIDTH
		   ? arena_strndup(&w->scratch, text, size)
		   : NULL;
	free(text);
	return kept;
}

/* The next place where a line may be folded: a single blank between two words. */
static const char *fold_at(const char *s)
{
	for (; *s != '\0'; s++) {
		if (s[0] == ' ' && s[1] != ' ' && s[1] != '\0' && s[1] != '\\')
			return s;
		while (s[0] == ' ' && s[1] == ' ')
			s++;
	}
	return NULL;
}

/* Text in a line, or folded where that would be too wide. */
static void put_text(struct writer *w, const char *s, size_t indent)
{
	while (*s != '\0') {
		const char *end = fold_at(s[0] == ' ' ? s + 1 : s);
		size_t n = end != NULL ? (size_t)(end - s) : strlen(s);
		char *word = arena_strndup(&w->scratch, s, n);

		if (word == NULL)
			return;
		if (*word == ' ' && w->col + fmt_width(word) > FMT_WIDTH) {
			newline(w);
			pad(w, indent);
			put(w, word + 1);
		} else {
			put(w, word);
		}
		s += n;
	}
}

/* ---- block scalars ---- */

static size_t blanks_of(const char *s, size_t len)
{
	size_t n = 0;

	while (n < len && s[n] == ' ')
		n++;
	return n;
}

static size_t line_len(const char *s, size_t len)
{
	const char *end = memchr(s, '\n', len);

	return end != NULL ? (size_t)(end - s) : len;
}

/* Length without what is blank at the end. */
static size_t trimmed(const char *s, size_t len)
{
	while (len > 0 && strchr(" \t\r\n", s[len - 1]) != NULL)
		len--;
	return len;
}

/* Indent of the first line that has text; it needs a number in the head where lines before
 * it are indented deeper, or that line itself starts with a blank. */
static size_t block_indent(const char *s, size_t len, size_t given)
{
	while (len > 0) {
		size_t n = line_len(s, len);

		if (trimmed(s, n) > 0)
			return given != 0 ? given : blanks_of(s, n);
		s += n + (n < len);
		len -= n + (n < len);
	}
	return given;
}

static void block_scalar(struct writer *w, const struct fnode *n, size_t indent)
{
	const char *s = n->raw;
	size_t head = line_len(s, n->raw_len), len, from;
	char chomp = '\0', digit = '\0';

	for (size_t i = 1; i < head && s[i] != ' ' && s[i] != '#' && s[i] != '\r'; i++) {
		if (s[i] == '-' || s[i] == '+')
			chomp = s[i];
		else
			digit = s[i];
	}
	put(w, (char[]){ s[0], digit != '\0' ? '2' : '\0', '\0' });
	if (chomp != '\0')
		put(w, (char[]){ chomp, '\0' });
	newline(w);
	s += head + (head < n->raw_len);
	len = n->raw_len - (size_t)(s - n->raw);
	if (chomp != '+')
		len = trimmed(s, len);
	/* With a number in the head, it counts from the parent's column. */
	from = block_indent(s, len, digit != '\0' ? n->col + (size_t)(digit - '0') : 0);
	while (len > 0) {
		size_t line = line_len(s, len), skip = blanks_of(s, line), text;

		skip = skip < from ? skip : from;
		text = line > 0 && s[line - 1] == '\r' ? line - 1 : line;
		if (text > skip) {
			char *copy = arena_strndup(&w->scratch, s + skip, text - skip);

			pad(w, indent);
			put(w, copy != NULL ? copy : "");
		}
		newline(w);
		s += line + (line < len);
		len -= line + (line < len);
	}
}

/* ---- items ---- */

static void collection(struct writer *w, const struct fnode *n, size_t indent, bool inline_first);

static void anchor(struct writer *w, const struct fnode *n)
{
	if (n->anchor == NULL)
		return;
	put(w, " &");
	put(w, n->anchor);
}

/* The value behind "key:" or "-", whose item starts in column indent. */
static void value(struct writer *w, const struct fitem *i, size_t indent)
{
	const struct fnode *n = i->value;
	const char *text = one_line(w, n, w->col + 1);
	bool block = n->kind != YNODE_SCALAR && text == NULL;

	if (n->kind == YNODE_SCALAR && n->style == YSTYLE_BLOCK && !n->alias) {
		anchor(w, n);
		put(w, " ");
		block_scalar(w, n, indent + FMT_INDENT);
		return;
	}
	if (!block) {
		if (text != NULL && *text != '\0') {
			put(w, " ");
			if (n->kind == YNODE_SCALAR)
				put_text(w, text, indent + FMT_INDENT);
			else
				put(w, text);
		}
		trailing(w, i->trail);
		newline(w);
		return;
	}
	anchor(w, n);
	if (i->key == NULL && n->anchor == NULL) {
		put(w, " ");
		collection(w, n, indent + FMT_INDENT, true);
	} else {
		trailing(w, n->flow ? NULL : i->mid.first);
		newline(w);
		collection(w, n, indent + FMT_INDENT, false);
	}
	if (i->trail != NULL) {
		pad(w, indent + FMT_INDENT);
		put(w, i->trail->text);
		newline(w);
	}
}

/* Comments above an item: its own, and those for which its line has no place. */
static void above(struct writer *w, const struct fitem *i, size_t indent, bool blanks)
{
	const struct fnode *n = i->value;
	const char *text = one_line(w, n, indent + 1 +
	    (i->key != NULL ? fmt_width(i->key->text) + 1 : 1));
	bool block = n->kind != YNODE_SCALAR && text == NULL;
	struct fcomments lead = i->lead, mid = i->mid;

	lead.blank = false;
	comments(w, &lead, indent, blanks);
	blanks |= lead.first != NULL;
	if (block && !n->flow && mid.first != NULL)
		mid.first = mid.first->next;
	comments(w, &mid, indent, blanks);
	if (!block && n->items == NULL)
		comments(w, &n->foot, indent, blanks);
	if (i->lead.blank && blanks && w->started)
		newline(w);
}

static void item(struct writer *w, const struct fitem *i, size_t indent, bool in_line,
    bool first)
{
	const char *key = i->key != NULL ? fmt_scalar(&w->scratch, i->key, false) : NULL;

	if (!in_line) {
		above(w, i, indent, !first);
		/* What heads the first key of a mapping stands above its dash. */
		if (i->key == NULL && i->value->kind == YNODE_MAP && i->value->anchor == NULL &&
		    i->value->items != NULL && one_line(w, i->value, indent + 2) == NULL)
			above(w, i->value->items, indent, false);
		pad(w, indent);
	}
	if (key != NULL) {
		put(w, key);
		put(w, i->key->alias ? " :" : ":");
	} else {
		put(w, "-");
	}
	value(w, i, indent);
}

/* in_line: the first item goes on in the line that is open. */
static void collection(struct writer *w, const struct fnode *n, size_t indent, bool in_line)
{
	for (const struct fitem *i = n->items; i != NULL; i = i->next)
		item(w, i, indent, in_line && i == n->items, i == n->items);
	comments(w, &n->foot, indent, true);
}

static void document(struct writer *w, const struct fdoc *d, bool first)
{
	const struct fnode *root = d->root.value;

	comments(w, &d->lead, 0, !first);
	if (d->is_explicit || !first) {
		put(w, "---");
		trailing(w, d->trail);
		newline(w);
	}
	if (root == NULL)
		return;
	comments(w, &d->root.lead, 0, false);
	if (root->kind != YNODE_SCALAR && root->items != NULL) {
		collection(w, root, 0, false);
		if (d->root.trail != NULL) {
			put(w, d->root.trail->text);
			newline(w);
		}
	} else if (root->kind != YNODE_SCALAR || root->len > 0) {
		struct fitem bare = d->root;

		above(w, &bare, 0, false);
		value(w, &bare, 0);
	}
}

void fmt_write(const struct ffile *f, FILE *out)
{
	struct writer w = { .out = out };

	for (const struct fdoc *d = f->docs; d != NULL; d = d->next) {
		document(&w, d, d == f->docs);
		arena_reset(&w.scratch);
	}
	comments(&w, &f->foot, 0, true);
	if (w.scratch.failed)
		fputc('\0', out); /* never taken for the file's text */
	arena_free(&w.scratch);
}
