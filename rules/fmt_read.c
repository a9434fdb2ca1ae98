/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: tokens of a YAML file and the comments between them, as a tree to print */
#include <string.h>

#include "rules/fmt.h"

/* Comments stand in the gaps between tokens, where no text of a value can be: there a '#'
 * behind a blank starts one.  One behind a token on its line is that token's; others
 * belong to the item below, or where they are indented deeper, to the end of the
 * collection that they stand in line with. */

struct open {
	struct fnode *node;
	struct fitem *item; /* of a mapping: waits for its value */
};


struct reader {
	struct arena *arena;
	const char *data;
	size_t len, pos;
	struct ffile *file;
	struct fdoc **doc_tail, *doc;
	struct open stack[YAML_DEPTH_MAX + 1];
	unsigned depth;
	struct fnode *closed[YAML_DEPTH_MAX + 1]; /* since the last token, deepest first */
	unsigned nclosed;
	struct fcomments pending;
	struct fitem *last;     /* whose line it is, or NULL */
	struct fdoc *last_doc;  /* likewise, behind `---` */
};

static void append(struct fcomments *to, struct fcomment *c)
{
	c->next = NULL;
	if (to->last != NULL)
		to->last->next = c;
	else
		to->first = c;
	to->last = c;
}

void fmt_comments_append(struct fcomments *to, const struct fcomments *from)
{
	for (struct fcomment *c = from->first, *next; c != NULL; c = next) {
		next = c->next;
		append(to, c);
	}
}

/* ---- gaps ---- */

static size_t line_start(const struct reader *r, size_t at)
{
	while (at > 0 && r->data[at - 1] != '\n')
		at--;
	return at;
}

/* Characters from the line's start. */
static uint32_t column(const struct reader *r, size_t at)
{
	uint32_t n = 0;

	for (size_t i = line_start(r, at); i < at; i++)
		n += ((unsigned char)r->data[i] & 0xc0) != 0x80;
	return n;
}

/* First byte of the line that is not blank. */
static size_t first_of_line(const struct reader *r, size_t at)
{
	size_t i = line_start(r, at);

	return i + strspn(r->data + i, " \t");
}

static struct fcomment *comment_at(struct reader *r, size_t at, size_t *ret_end)
{
	struct fcomment *c = arena_calloc(r->arena, 1, sizeof(*c));
	size_t end = at, keep;

	while (end < r->len && r->data[end] != '\n')
		end++;
	*ret_end = end;
	for (keep = end; keep > at && strchr(" \t\r", r->data[keep - 1]) != NULL;)
		keep--;
	if (c == NULL)
		return NULL;
	c->text = arena_strndup(r->arena, r->data + at, keep - at);
	c->col = column(r, first_of_line(r, at));
	r->file->ncomments++;
	return c->text != NULL ? c : NULL;
}

static void mark_commented(struct reader *r)
{
	for (unsigned i = r->depth; i-- > 0 && r->stack[i].node->flow;)
		r->stack[i].node->commented = true;
}

/* A comment behind the last token on its line. */
static bool take_trailing(struct reader *r, struct fcomment *c, size_t at)
{
	const struct fnode *v = r->last != NULL ? r->last->value : NULL;

	if (r->last_doc != NULL) {
		r->last_doc->trail = c;
		r->last_doc = NULL;
		return true;
	}
	if (r->last == NULL || r->last->trail != NULL)
		return false;
	c->col = column(r, at);
	/* Behind a key; its block may have been opened, but starts on a line below. */
	if (v == NULL || (v->kind != YNODE_SCALAR && !v->flow)) {
		append(&r->last->mid, c);
	} else {
		r->last->trail = c;
		r->last = NULL;
	}
	mark_commented(r);
	return true;
}

/* Read the gap up to `end`: its comments become pending. */
static int read_gap(struct reader *r, size_t end)
{
	bool same_line = true, blank = false, empty = false;
	size_t next;

	for (size_t i = r->pos; i < end; i = next) {
		char c = r->data[i];

		next = i + 1;
		if (c == '\n') {
			blank |= empty && !same_line;
			same_line = false;
			empty = true;
		} else if (c == '#' && (i == 0 || strchr(" \t\n", r->data[i - 1]) != NULL)) {
			struct fcomment *k = comment_at(r, i, &next);

			if (k == NULL)
				return -1;
			if (same_line && first_of_line(r, i) != i && take_trailing(r, k, i)) {
				empty = false;
				continue;
			}
			k->blank = blank;
			blank = empty = false;
			append(&r->pending, k);
		} else if (c != ' ' && c != '\t' && c != '\r') {
			empty = false;
		}
	}
	if (r->pos < end)
		r->pos = end;
	r->pending.blank = blank;
	return 0;
}

/* Pending comments go to the collections that ended before them, or to *to; col is that of
 * the next token. */
static void settle(struct reader *r, struct fcomments *to, uint32_t col)
{
	unsigned level = 0;
	struct fcomment *next;

	for (struct fcomment *c = r->pending.first; c != NULL; c = next) {
		next = c->next;
		while (level < r->nclosed && (c->col <= col || r->closed[level]->col > c->col))
			level++;
		append(level < r->nclosed ? &r->closed[level]->foot : to, c);
	}
	to->blank |= r->pending.blank;
	r->pending = (struct fcomments){ 0 };
	r->nclosed = 0;
	r->last = NULL;
	r->last_doc = NULL;
}

/* ---- items ---- */

static struct fitem *item_new(struct reader *r, struct fnode *in)
{
	struct fitem *i = arena_calloc(r->arena, 1, sizeof(*i));

	if (i == NULL)
		return NULL;
	if (in->last != NULL)
		in->last->next = i;
	else
		in->items = i;
	in->last = i;
	if (in->flow && r->pending.first != NULL)
		mark_commented(r);
	settle(r, &i->lead, in->col);
	return i;
}

/* The node takes its place; *ret_item is the item that holds it as its value. */
static int place(struct reader *r, struct fnode *n, struct fitem **ret_item)
{
	struct open *o = r->depth > 0 ? &r->stack[r->depth - 1] : NULL;
	bool block = n->kind != YNODE_SCALAR && !n->flow;
	struct fitem *i;

	*ret_item = NULL;
	if (o == NULL) {
		r->doc->root.value = n;
		if (!block)
			settle(r, &r->doc->root.lead, 0);
		*ret_item = &r->doc->root;
		return 0;
	}
	if (o->node->kind == YNODE_MAP && o->item != NULL) {
		i = o->item;
		o->item = NULL;
		i->value = n;
		if (!block) {
			if (o->node->flow && r->pending.first != NULL)
				mark_commented(r);
			fmt_comments_append(&i->mid, &r->pending);
			r->pending = (struct fcomments){ 0 };
		}
		*ret_item = i;
		return 0;
	}
	i = item_new(r, o->node);
	if (i == NULL)
		return -1;
	if (o->node->kind == YNODE_MAP) {
		i->key = n;
		o->item = i;
		r->last = i;
	} else {
		i->value = n;
		*ret_item = i;
	}
	return 0;
}

static struct fnode *node_new(struct reader *r, const struct yevent *e,
    enum ynode_kind kind)
{
	struct fnode *n = arena_calloc(r->arena, 1, sizeof(*n));

	if (n == NULL)
		return NULL;
	n->kind = kind;
	n->flow = e->flow;
	n->style = e->style;
	n->col = e->col;
	n->text = arena_strndup(r->arena, e->text != NULL ? e->text : "", e->len);
	n->len = e->len;
	if (e->anchor != NULL) {
		n->anchor = arena_strndup(r->arena, e->anchor, strlen(e->anchor));
		r->doc->anchored = true;
	}
	return n->text != NULL && (n->anchor != NULL || e->anchor == NULL) ? n : NULL;
}

/* ---- tokens ---- */

/* Where the value itself starts, behind its anchor. */
static size_t behind_anchor(const struct reader *r, const struct yevent *e)
{
	size_t at = e->start;

	if (e->anchor == NULL || e->kind == YEVENT_ALIAS)
		return at;
	at += strlen(e->anchor) + 1;
	while (at < r->len && strchr(" \t\r\n#", r->data[at]) != NULL) {
		if (r->data[at] == '#')
			while (at + 1 < r->len && r->data[at] != '\n')
				at++;
		at++;
	}
	return e->kind == YEVENT_SCALAR && at > e->end ? e->end : at;
}

/* A block scalar: its lines, and the comment that may stand behind its `|` or `>`. */
static int on_block_scalar(struct reader *r, struct fnode *n, struct fitem *item,
    size_t start, size_t end)
{
	size_t head = start;

	while (head < end && r->data[head] != '\n' && r->data[head] != '#')
		head++;
	if (head < end && r->data[head] == '#') {
		struct fcomment *c = comment_at(r, head, &head);

		if (c == NULL)
			return -1;
		c->col = column(r, start);
		append(item != NULL ? &item->mid : &r->pending, c);
	}
	n->raw = r->data + start;
	n->raw_len = end - start;
	/* Empty lines behind it are the gap's, unless they are text (`+`). */
	if (n->len < 2 || n->text[n->len - 1] != '\n' || n->text[n->len - 2] != '\n') {
		while (end > start && strchr(" \t\r\n", r->data[end - 1]) != NULL)
			end--;
	}
	r->pos = end;
	return 0;
}

static int on_scalar(struct reader *r, const struct yevent *e)
{
	struct fnode *n = node_new(r, e, YNODE_SCALAR);
	size_t start = behind_anchor(r, e);
	struct fitem *item;

	if (n == NULL || read_gap(r, start) == -1)
		return -1;
	n->alias = e->kind == YEVENT_ALIAS;
	if (place(r, n, &item) == -1)
		return -1;
	if (item != NULL)
		r->last = item;
	if (e->style == YSTYLE_BLOCK)
		return on_block_scalar(r, n, item, start, e->end);
	if (r->pos < e->end)
		r->pos = e->end;
	return 0;
}

static int on_start(struct reader *r, const struct yevent *e)
{
	bool seq = e->kind == YEVENT_SEQ,
	     in_seq = r->depth > 0 && r->stack[r->depth - 1].node->kind == YNODE_SEQ;
	struct fnode *n = node_new(r, e, seq ? YNODE_SEQ : YNODE_MAP);
	size_t start = behind_anchor(r, e);
	struct fitem *item;

	/* Before a block collection the comments are its first item's. */
	if (n == NULL || ((e->flow || in_seq) && read_gap(r, start) == -1))
		return -1;
	if (!e->flow && e->anchor != NULL)
		n->col = column(r, start);
	if (place(r, n, &item) == -1)
		return -1;
	r->stack[r->depth++] = (struct open){ .node = n };
	if (e->flow) {
		if (r->pos < e->end)
			r->pos = e->end;
		r->last = NULL;
	}
	return 0;
}

/* The item whose value the collection is that was closed just now. */
static struct fitem *holder(struct reader *r, const struct fnode *n)
{
	struct fitem *i;

	if (r->depth == 0)
		return &r->doc->root;
	i = r->stack[r->depth - 1].node->last;
	return i->value == n ? i : NULL;
}

static int on_end(struct reader *r, const struct yevent *e)
{
	struct fnode *n = r->stack[r->depth - 1].node;

	if (!n->flow) {
		r->depth--;
		r->closed[r->nclosed++] = n;
		return 0;
	}
	if (read_gap(r, e->start) == -1)
		return -1;
	if (r->pending.first != NULL)
		mark_commented(r);
	r->pending.blank = false;
	settle(r, &n->foot, 0);
	r->depth--;
	r->pos = e->end;
	r->last = holder(r, n);
	return 0;
}

static int on_doc(struct reader *r, const struct yevent *e)
{
	struct fdoc *d = arena_calloc(r->arena, 1, sizeof(*d));

	if (d == NULL || (e->is_explicit && read_gap(r, e->end) == -1))
		return -1;
	d->is_explicit = e->is_explicit;
	if (e->is_explicit) {
		settle(r, &d->lead, 0);
		r->last_doc = d;
	}
	*r->doc_tail = d;
	r->doc_tail = &d->next;
	r->doc = d;
	return 0;
}

static int on_event(void *arg, const struct yevent *e)
{
	struct reader *r = arg;

	switch (e->kind) {
	case YEVENT_DOC:
		return on_doc(r, e);
	case YEVENT_DOC_END:
		return 0;
	case YEVENT_SCALAR:
	case YEVENT_ALIAS:
		return on_scalar(r, e);
	case YEVENT_SEQ:
	case YEVENT_MAP:
		return on_start(r, e);
	case YEVENT_END:
		return on_end(r, e);
	}
	return 0;
}

int fmt_read(struct arena *a, const char *data, size_t len, struct ffile *ret)
{
	struct reader r = { .arena = a, .data = data, .len = len, .file = ret };

	*ret = (struct ffile){ 0 };
	r.doc_tail = &ret->docs;
	if (yaml_walk(data, len, on_event, &r) != 0 || read_gap(&r, len) == -1)
		return -1;
	r.pending.blank = false; /* a file does not end in empty lines */
	settle(&r, &ret->foot, 0);
	return 0;
}
