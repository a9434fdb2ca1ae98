/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: keys of a formatted file in the order of the table of keys */
#include <stdlib.h>
#include <string.h>

#include "rules/fmt.h"

/* What a node is by the table: a mapping of keys, or one whose keys are names. */
struct shape {
	const struct schema_section *section; /* NULL: nothing is known */
	bool by_name;
};

struct ranked {
	struct fitem *item;
	size_t rank, at;
};

/* The section whose keys a mapping has: of one that is only written short, the one within. */
static const struct schema_section *keys_of(const struct schema_section *s)
{
	while (s != NULL && s->short_only)
		s = schema_find(s, s->short_for)->sub;
	return s;
}

/* Unknown ones come last. */
static size_t rank_of(const struct schema_section *s, const char *name)
{
	const struct schema_key *k = schema_find(s, name);

	for (size_t n = 0;; n++) {
		if (&s->keys[n] == k || s->keys[n].name == NULL)
			return n;
	}
}

static int by_rank(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

static int sort_keys(struct arena *a, struct fnode *n, const struct schema_section *s)
{
	size_t count = 0, at = 0;
	struct ranked *r;

	for (struct fitem *i = n->items; i != NULL; i = i->next)
		count++;
	r = arena_calloc(a, count + 1, sizeof(*r));
	if (r == NULL)
		return -1;
	for (struct fitem *i = n->items; i != NULL; i = i->next, at++)
		r[at] = (struct ranked){ i, rank_of(s, i->key->text), at };
	if (count > 1)
		qsort(r, count, sizeof(*r), by_rank);
	for (at = 0; at < count; at++)
		r[at].item->next = at + 1 < count ? r[at + 1].item : NULL;
	n->items = r[0].item;
	n->last = r[count - 1].item;
	return 0;
}

/* The shape of what stands behind a key. */
static struct shape shape_of(const struct schema_section *s, const char *name)
{
	const struct schema_key *k = schema_find(s, name);

	if (k == NULL)
		return (struct shape){ 0 };
	return (struct shape){ k->sub, (k->flags & SF_MAP) != 0 };
}

static int order(struct arena *a, struct fnode *n, struct shape shape)
{
	const struct schema_section *s = keys_of(shape.section);
	bool keys = n->kind == YNODE_MAP && !shape.by_name && n->items != NULL;

	if (s == NULL)
		return 0;
	if (keys && sort_keys(a, n, s) == -1)
		return -1;
	for (struct fitem *i = n->items; i != NULL; i = i->next) {
		struct shape next = { s, false };

		if (keys)
			next = shape_of(s, i->key->text);
		else if (n->kind == YNODE_SEQ)
			next = shape;
		if (order(a, i->value, next) == -1)
			return -1;
	}
	return 0;
}

/* What stands above the first key of a document heads the document, not that key. */
static void take_head(struct fdoc *d)
{
	struct fnode *root = d->root.value;
	struct fcomments *lead;

	if (root->kind == YNODE_SCALAR || root->items == NULL)
		return;
	lead = &root->items->lead;
	fmt_comments_append(&d->root.lead, lead);
	d->root.lead.blank |= lead->blank;
	*lead = (struct fcomments){ 0 };
}

int fmt_order(struct arena *a, struct ffile *f, enum schema_file kind)
{
	const struct schema_kind *k = kind != FILE_NKINDS ? &schema_kinds[kind] : NULL;

	for (struct fdoc *d = f->docs; d != NULL; d = d->next) {
		struct shape s = { 0 };

		if (d->root.value == NULL)
			continue;
		take_head(d);
		/* An alias has to stay behind its anchor. */
		if (k != NULL && !d->anchored)
			s = (struct shape){ k->section, (k->flags & SF_MAP) != 0 };
		if (order(a, d->root.value, s) == -1)
			return -1;
	}
	return 0;
}
