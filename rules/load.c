/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: files into the model: node tree x table of keys */
#include "rules/load.h"

#include <stdlib.h>
#include <string.h>

#include "rules/shipped.h"
#include "rules/text.h"
#include "rules/yaml.h"

struct loader {
	struct policy *p;
	uint32_t file;
};

static const char *kind_text(enum ynode_kind k)
{
	switch (k) {
	case YNODE_SCALAR:
		return "a single value";
	case YNODE_SEQ:
		return "a list";
	case YNODE_MAP:
		return "a mapping";
	}
	return "";
}

struct diag_loc load_loc(const struct ynode *n, uint32_t file)
{
	return (struct diag_loc){ file, n->line, n->col, n->end_col, n->end_line };
}

static struct diag_loc loc_of(const struct loader *l, const struct ynode *n)
{
	return load_loc(n, l->file);
}

/* From the key to the end of its value. */
static struct diag_loc loc_of_item(const struct loader *l, const struct yitem *i)
{
	struct diag_loc loc = loc_of(l, i->key), value = loc_of(l, i->value);

	loc.end_line = value.end_line != 0 ? value.end_line : value.line;
	loc.end_col = value.end_col;
	return loc;
}

static bool is_empty(const struct ynode *n)
{
	if (n->kind != YNODE_SCALAR)
		return n->n == 0;
	if (n->n == 0)
		return true;
	return n->plain && (*n->text == '~' || *n->text == 'n') &&
	    (strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0);
}

static int report_empty(struct loader *l, const struct ynode *n, const char *name)
{
	if (n->kind == YNODE_SCALAR)
		policy_error(l->p, "CRD025", loc_of(l, n), "\"%s\" has no value", name);
	else
		policy_error(l->p, "CRD025", loc_of(l, n), "\"%s\" is an empty %s",
		    name, n->kind == YNODE_SEQ ? "list" : "mapping");
	diag_hint(l->p->diag, "fill it, or remove the key");
	return -1;
}

static int report_type(struct loader *l, const struct schema_key *k,
    const struct ynode *n, const char *want)
{
	policy_error(l->p, "CRD022", loc_of(l, n), "\"%s\" takes %s, not %s", k->name,
	    want, kind_text(n->kind));
	return -1;
}

static int load_section(struct loader *l, const struct schema_section *s,
    const struct ynode *n, void *out);
static int load_value(
    struct loader *l, const struct schema_key *k, const struct ynode *n, void *field);

/* ---- lists and maps ---- */

static size_t elem_size(const struct schema_key *k)
{
	return k->type == S_SECTION ? k->sub->size : sizeof(struct pstr);
}

static int load_elem(
    struct loader *l, const struct schema_key *k, const struct ynode *n, void *elem)
{
	if (k->type == S_SECTION)
		return load_section(l, k->sub, n, elem);
	if (is_empty(n))
		return report_empty(l, n, k->name);
	return load_scalar(l->p, k, n, l->file, elem);
}

/* A list of lists may be written as one list, if there is only one inside. */
static bool is_inner_list(const struct schema_key *k, const struct ynode *n)
{
	return k->type == S_SECTION && k->sub->short_only && n->items != NULL &&
	    n->items->value->kind != YNODE_SEQ;
}

static int load_list(struct loader *l, const struct schema_key *k,
    const struct ynode *n, struct plist *out)
{
	bool alone = n->kind != YNODE_SEQ || is_inner_list(k, n);
	uint32_t count = alone ? 1 : n->n;
	char *elems;
	int rc = 0;

	out->loc = loc_of(l, n);
	if (is_empty(n))
		return report_empty(l, n, k->name);
	if (n->kind != YNODE_SEQ && (k->flags & SF_STRICT) != 0)
		return report_type(l, k, n, "a list");
	elems = arena_calloc(&l->p->arena, count, elem_size(k));
	if (elems == NULL)
		return policy_no_memory(l->p);
	out->v = elems;
	if (alone) {
		rc = load_elem(l, k, n, elems);
		out->n = k->type == S_SECTION || rc == 0;
		return rc;
	}
	/* Scalars that are wrong are left out; of sections what was good is kept, so
	 * that the checks behind see the rest of them. */
	for (const struct yitem *i = n->items; i != NULL; i = i->next) {
		char *elem = elems + out->n * elem_size(k);

		if (load_elem(l, k, i->value, elem) == -1)
			rc = -1;
		if (k->type == S_SECTION || ((struct pstr *)(void *)elem)->s != NULL)
			out->n++;
	}
	return rc;
}

/* What has a name is kept even where its value is wrong, so that those who refer to
 * it are not reported too. */
static int load_map_item(struct loader *l, const struct schema_section *s,
    const struct yitem *i, char *elem)
{
	const struct schema_key name = {
	    .name = s->what, .type = s->map_type, .max = 40};

	if (load_scalar(l->p, &name, i->key, l->file, elem + s->map_offset) == -1)
		return -1;
	if (is_empty(i->value))
		report_empty(l, i->value, i->key->text);
	else
		load_section(l, s, i->value, elem);
	*(struct diag_loc *)(void *)elem = loc_of_item(l, i);
	return 0;
}

static int load_map(struct loader *l, const struct schema_key *k, const struct ynode *n,
    struct plist *out)
{
	char *elems;

	if (n->kind != YNODE_MAP && !is_empty(n))
		return report_type(l, k, n, "a mapping");
	if (is_empty(n))
		return report_empty(l, n, k->name);
	elems = arena_calloc(&l->p->arena, n->n, k->sub->size);
	if (elems == NULL)
		return policy_no_memory(l->p);
	out->loc = loc_of(l, n);
	out->v = elems;
	for (const struct yitem *i = n->items; i != NULL; i = i->next) {
		char *elem = elems + out->n * k->sub->size;

		if (load_map_item(l, k->sub, i, elem) == 0)
			out->n++;
		else
			memset(elem, 0, k->sub->size);
	}
	return out->n == n->n ? 0 : -1;
}

/* ---- sections ---- */

static const struct schema_word *find_word(const struct schema_key *k, const char *s)
{
	for (const struct schema_word *w = k->words; w->text != NULL; w++) {
		if (strcmp(w->text, s) == 0)
			return w;
	}
	return NULL;
}

static int load_word_bit(struct loader *l, const struct schema_key *k,
    const struct ynode *n, struct pnum *out)
{
	const struct schema_key one = {
	    .name = k->name, .type = S_WORD, .words = k->words};
	struct pnum bit = { 0 };

	if (is_empty(n))
		return report_empty(l, n, k->name);
	if (load_scalar(l->p, &one, n, l->file, &bit) == -1)
		return -1;
	out->v |= find_word(k, n->text)->value;
	return 0;
}

static int load_words(struct loader *l, const struct schema_key *k,
    const struct ynode *n, struct pnum *out)
{
	struct pnum bits = { .given = true, .loc = loc_of(l, n) };
	int rc = 0;

	if (is_empty(n))
		return report_empty(l, n, k->name);
	if (n->kind != YNODE_SEQ)
		rc = load_word_bit(l, k, n, &bits);
	for (const struct yitem *i = n->items; n->kind == YNODE_SEQ && i != NULL;
	     i = i->next)
		rc |= load_word_bit(l, k, i->value, &bits);
	if (rc == 0)
		*out = bits;
	return rc;
}

static int load_value(
    struct loader *l, const struct schema_key *k, const struct ynode *n, void *field)
{
	if ((k->flags & SF_MAP) != 0)
		return load_map(l, k, n, field);
	if ((k->flags & SF_LIST) != 0)
		return load_list(l, k, n, field);
	if (k->type == S_WORDS)
		return load_words(l, k, n, field);
	if (is_empty(n))
		return report_empty(l, n, k->name);
	if (k->type == S_SECTION)
		return load_section(l, k->sub, n, field);
	return load_scalar(l->p, k, n, l->file, field);
}

static void set_defaults(const struct schema_section *s, char *out)
{
	for (const struct schema_key *k = s->keys; k->name != NULL; k++) {
		if (k->type == S_SECTION && (k->flags & (SF_LIST | SF_MAP)) == 0)
			set_defaults(k->sub, out + k->offset);
		else if (k->type >= S_INT && k->type <= S_WORDS)
			((struct pnum *)(void *)(out + k->offset))->v = k->dflt;
	}
}

static void report_unknown(struct loader *l, const struct schema_section *s,
    const struct ynode *key)
{
	struct text_nearest near = { .want = key->text };

	policy_error(l->p, "CRD020", loc_of(l, key), "unknown key \"%s\" in %s",
	    key->text, s->what);
	for (const struct schema_key *k = s->keys; k->name != NULL; k++)
		text_offer(&near, k->name);
	if (near.best != NULL)
		diag_hint(l->p->diag, "did you mean \"%s\"?", near.best);
}

static int report_missing(struct loader *l, const struct schema_section *s,
    const struct ynode *n, uint64_t seen)
{
	int rc = 0;

	for (const struct schema_key *k = s->keys; k->name != NULL; k++) {
		if ((k->flags & SF_REQUIRED) == 0 || (seen >> (k - s->keys) & 1) != 0)
			continue;
		policy_error(l->p, "CRD021", loc_of(l, n), "%s has no \"%s\"", s->what,
		    k->name);
		diag_hint(l->p->diag, "%s: %s", k->name, k->help);
		rc = -1;
	}
	return rc;
}

static int load_keys(struct loader *l, const struct schema_section *s,
    const struct ynode *n, char *out)
{
	uint64_t seen = 0;
	int rc = 0;

	for (const struct yitem *i = n->items; i != NULL; i = i->next) {
		const struct schema_key *k = schema_find(s, i->key->text);

		if (k == NULL) {
			report_unknown(l, s, i->key);
			rc = -1;
			continue;
		}
		seen |= UINT64_C(1) << (k - s->keys);
		if (load_value(l, k, i->value, out + k->offset) == -1)
			rc = -1;
	}
	return report_missing(l, s, n, seen) == -1 ? -1 : rc;
}

/* Fills *out as far as it can also where it returns -1: everything is reported. */
static int load_section(struct loader *l, const struct schema_section *s,
    const struct ynode *n, void *out)
{
	const struct schema_key *k;

	set_defaults(s, out);
	*(struct diag_loc *)out = loc_of(l, n);
	if (s->short_for != NULL && (s->short_only || n->kind != YNODE_MAP)) {
		k = schema_find(s, s->short_for);
		return load_value(l, k, n, (char *)out + k->offset);
	}
	if (n->kind == YNODE_MAP)
		return load_keys(l, s, n, out);
	policy_error(l->p, "CRD022", loc_of(l, n),
	    "%s is %s, not a mapping of its keys", s->what, kind_text(n->kind));
	return -1;
}

/* ---- files ---- */

static struct pvec *vec_of(struct policy *p, enum schema_file kind)
{
	switch (kind) {
	case FILE_CORDON:
		return NULL;
	case FILE_GROUPS:
		return &p->groups;
	case FILE_SERVICES:
		return &p->services;
	case FILE_GUARDS:
		return &p->guards;
	case FILE_PROFILES:
		return &p->profiles;
	case FILE_HOSTS:
		return &p->hosts;
	case FILE_TESTS:
		return &p->tests;
	case FILE_NKINDS:
		break;
	}
	return NULL;
}

static int keep(struct loader *l, enum schema_file kind, void *thing, bool shipped)
{
	if (kind == FILE_SERVICES)
		((struct pservice *)thing)->shipped = shipped;
	if (kind == FILE_GUARDS)
		((struct pguard *)thing)->shipped = shipped;
	if (kind != FILE_CORDON)
		return pvec_add(l->p, vec_of(l->p, kind), thing);
	l->p->cordon = thing;
	return 0;
}

static int load_items(struct loader *l, enum schema_file kind, const struct ynode *root,
    bool shipped)
{
	const struct schema_kind *f = &schema_kinds[kind];
	struct schema_key row = { .name = f->name, .type = S_SECTION,
		.flags = f->flags | SF_STRICT, .sub = f->section };
	struct plist list = { 0 };

	load_value(l, &row, root, &list);
	for (uint32_t i = 0; i < list.n; i++) {
		if (keep(l, kind, (char *)list.v + i * f->section->size, shipped) == -1)
			return -1;
	}
	return 0;
}

/* A document with errors is kept for checks of its own, but must have a name. */
static bool usable(enum schema_file kind, const void *thing)
{
	switch (kind) {
	case FILE_HOSTS:
		return ((const struct phost *)thing)->name.s != NULL;
	case FILE_GUARDS:
		return ((const struct pguard *)thing)->id.s != NULL;
	case FILE_PROFILES:
		return ((const struct pprofile *)thing)->name.s != NULL;
	case FILE_CORDON:
	case FILE_GROUPS:
	case FILE_SERVICES:
	case FILE_TESTS:
	case FILE_NKINDS:
		break;
	}
	return true;
}

static int load_document(
    struct loader *l, enum schema_file kind, const struct ynode *root, bool shipped)
{
	const struct schema_kind *f = &schema_kinds[kind];
	void *thing;

	if (is_empty(root)) {
		policy_error(l->p, "CRD025", loc_of(l, root), "an empty document");
		return 0;
	}
	if (f->flags != 0)
		return load_items(l, kind, root, shipped);
	thing = arena_calloc(&l->p->arena, 1, f->section->size);
	if (thing == NULL)
		return policy_no_memory(l->p);
	load_section(l, f->section, root, thing);
	return usable(kind, thing) ? keep(l, kind, thing, shipped) : 0;
}

static void on_duplicate(void *arg, const struct ynode *key, const struct ynode *first)
{
	struct loader *l = arg;

	policy_error(
	    l->p, "CRD005", loc_of(l, key), "key \"%s\" stands twice", key->text);
	diag_hint(l->p->diag, "first in line %u", first->line);
}

static int file_add(struct policy *p, const char *path, const char *data, size_t len)
{
	if (p->nfiles == p->cap_files) {
		size_t cap = p->cap_files != 0 ? p->cap_files * 2 : 64;
		struct pfile *f = reallocarray(p->files, cap, sizeof(*f));

		if (f == NULL)
			return policy_no_memory(p);
		p->files = f;
		p->cap_files = cap;
	}
	p->files[p->nfiles++] = (struct pfile){ path, data, len, 0 };
	return 0;
}

int load_file(struct policy *p, enum schema_file kind, const char *path,
    const char *data, size_t len, bool shipped)
{
	struct loader l = { p, (uint32_t)p->nfiles };
	struct diag_loc whole = { .file = l.file };
	struct yaml_error e;
	struct ydoc *docs = NULL;
	int rc = 0;

	if (file_add(p, path, data, len) == -1)
		return -1;
	arena_reset(&p->scratch);
	if (yaml_parse(&p->scratch, data, len, on_duplicate, &l, &docs, &e) == -1) {
		whole.line = e.line;
		whole.col = e.col;
		policy_error(
		    p, e.code, whole, "%s", e.message != NULL ? e.message : "");
		if (e.hint != NULL)
			diag_hint(p->diag, "%s", e.hint);
		return 0;
	}
	if (docs == NULL)
		policy_error(p, "CRD025", whole, "an empty file");
	for (const struct ydoc *d = docs; d != NULL && rc == 0; d = d->next) {
		if (d != docs && !schema_kinds[kind].documents) {
			policy_error(p, "CRD022", loc_of(&l, d->root),
			    "a second document in a file that has one");
			break;
		}
		rc = load_document(&l, kind, d->root, shipped);
	}
	return rc;
}

int load_shipped(struct policy *p)
{
	for (const struct shipped *s = shipped_files; s->path != NULL; s++) {
		for (int k = 0; k < FILE_NKINDS; k++) {
			size_t len = strlen(schema_kinds[k].name);

			if (strncmp(s->path, schema_kinds[k].name, len) == 0 &&
			    s->path[len] == '/' &&
			    load_file(p, (enum schema_file)k, s->path, s->data, s->len,
			        true) == -1)
				return -1;
		}
	}
	return 0;
}
