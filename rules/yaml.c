/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: YAML files as trees of marked nodes, within hard limits */
#include "rules/yaml.h"

#include <limits.h>
#include <string.h>

#include <yaml.h>

#include "rules/text.h"

/* Keys of larger mappings are found through a table. */
enum { SCAN_MAX = 16 };

struct open_node {
	struct ynode *node, *key;  /* key: waits for its value */
	struct yitem **tail;
	struct ynode **table;      /* keys by hash; NULL while few */
	uint32_t cap;
	const char *anchor;
};

struct anchor {
	const char *name;
	struct ynode *node; /* NULL: still open */
};

struct reader {
	struct arena *arena;
	struct yaml_error *error;
	yaml_dup_fn *dup;
	void *dup_arg;
	struct open_node stack[YAML_DEPTH_MAX + 1];
	unsigned depth;
	struct anchor anchors[YAML_ANCHORS_MAX];
	unsigned nanchors;
	uint64_t nodes;
};

static int fail(struct reader *r, const char *code, const yaml_mark_t *at,
    const char *message, const char *hint)
{
	*r->error = (struct yaml_error){.code = code, .message = message, .hint = hint};
	if (at != NULL) {
		r->error->line = (uint32_t)at->line + 1;
		r->error->col = (uint32_t)at->column + 1;
	}
	return -1;
}

static int fail_memory(struct reader *r)
{
	return fail(r, "CRD091", NULL, "out of memory", NULL);
}

/* ---- text that reviewers and libyaml would see differently ---- */

static const char *text_fault(const char *s, size_t len, size_t *ret_n)
{
	unsigned char c = (unsigned char)*s;
	uint32_t u;

	*ret_n = 1;
	if (c == '\n' || c == '\t' || (c >= 0x20 && c < 0x7f))
		return NULL;
	if (c == '\r')
		return len > 1 && s[1] == '\n' ? NULL
					       : "carriage return without line feed";
	if (c == '\0')
		return "NUL byte";
	if (c < 0x80)
		return "control character";
	*ret_n = text_decode(s, len, &u);
	if (*ret_n == 0)
		return "not valid UTF-8";
	return text_visible(u) ? NULL : "character that readers cannot see";
}

/* How many of the first bytes are printable ASCII: most are, so eight at a time. */
static size_t plain_run(const char *s, size_t len)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	size_t n = 0;

	for (uint64_t w; len - n >= sizeof(w); n += sizeof(w)) {
		memcpy(&w, s + n, sizeof(w));
		/* a byte under 0x20, 0x7f, or over: its highest bit shows it */
		if ((((w - ones * 0x20) | (w + ones) | w) & ones * 0x80) != 0)
			break;
	}
	while (n < len && (unsigned char)s[n] >= 0x20 && (unsigned char)s[n] < 0x7f)
		n++;
	return n;
}

/* libyaml's own reader stops at most of these too, but without saying where. */
static int scan_text(struct reader *r, const char *data, size_t len)
{
	size_t line = 0, col = 0, n;

	for (size_t i = 0; i < len; i += n, col++) {
		const char *fault;

		n = plain_run(data + i, len - i);
		i += n;
		col += n;
		if (i == len)
			break;
		fault = text_fault(data + i, len - i, &n);

		if (fault != NULL)
			return fail(r, "CRD003", &(yaml_mark_t){ i, line, col },
			    arena_printf(r->arena, "%s (byte 0x%02x)", fault,
			        (unsigned char)data[i]),
			    "write plain UTF-8 text");
		if (data[i] == '\n') {
			line++;
			col = (size_t)-1;
		}
	}
	return 0;
}

/* ---- nodes ---- */

static struct ynode *node_new(
    struct reader *r, const yaml_event_t *e, enum ynode_kind kind)
{
	struct ynode *n;

	if (++r->nodes > YAML_NODES_MAX) {
		fail(r, "CRD002", &e->start_mark,
		    arena_printf(
			r->arena, "more than %d values in one file", YAML_NODES_MAX),
		    "split the file");
		return NULL;
	}
	n = arena_calloc(r->arena, 1, sizeof(*n));
	if (n == NULL) {
		fail_memory(r);
		return NULL;
	}
	n->kind = kind;
	n->weight = 1;
	n->line = (uint32_t)e->start_mark.line + 1;
	n->col = (uint32_t)e->start_mark.column + 1;
	if (e->end_mark.line == e->start_mark.line)
		n->end_col = (uint32_t)e->end_mark.column + 1;
	return n;
}

static uint32_t hash(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return h;
}

static struct ynode **slot_of(struct ynode **table, uint32_t cap, const char *text)
{
	uint32_t i = hash(text) & (cap - 1);

	/* Half of the table is free, so this ends; colliding keys only cost time within
	 * the limits of a file. */
	while (table[i] != NULL && strcmp(table[i]->text, text) != 0)
		i = (i + 1) & (cap - 1);
	return &table[i];
}

static int table_grow(struct reader *r, struct open_node *o)
{
	uint32_t cap = o->cap != 0 ? o->cap * 4 : SCAN_MAX * 4;
	struct ynode **table = arena_calloc(r->arena, cap, sizeof(*table));

	if (table == NULL)
		return fail_memory(r);
	for (const struct yitem *i = o->node->items; i != NULL; i = i->next)
		*slot_of(table, cap, i->key->text) = i->key;
	o->table = table;
	o->cap = cap;
	return 0;
}

static const struct ynode *key_before(const struct open_node *o, const char *text)
{
	if (o->table != NULL)
		return *slot_of(o->table, o->cap, text);
	for (const struct yitem *i = o->node->items; i != NULL; i = i->next) {
		if (strcmp(i->key->text, text) == 0)
			return i->key;
	}
	return NULL;
}

/* Append a value (and its key) to the open collection. */
static int item_add(struct reader *r, struct open_node *o, struct ynode *value)
{
	const struct ynode *first = o->key != NULL ? key_before(o, o->key->text) : NULL;
	struct yitem *item;

	if (first != NULL) {
		if (r->dup != NULL)
			r->dup(r->dup_arg, o->key, first);
		o->key = NULL;
		return 0;
	}
	item = arena_calloc(r->arena, 1, sizeof(*item));
	if (item == NULL)
		return fail_memory(r);
	item->key = o->key;
	item->value = value;
	*o->tail = item;
	o->tail = &item->next;
	o->node->n++;
	o->node->weight += value->weight + (o->key != NULL);
	o->key = NULL;
	if (o->table != NULL)
		*slot_of(o->table, o->cap, item->key->text) = item->key;
	if (item->key != NULL && o->node->n >= SCAN_MAX && o->node->n * 2 >= o->cap)
		return table_grow(r, o);
	return 0;
}

/* A finished node takes its place as key, item or root. */
static int node_place(struct reader *r, struct ynode *n, const yaml_mark_t *at,
    struct ynode **root)
{
	struct open_node *o;

	if (r->depth == 0) {
		*root = n;
		return 0;
	}
	o = &r->stack[r->depth - 1];
	if (o->node->kind == YNODE_SEQ || o->key != NULL)
		return item_add(r, o, n);
	if (n->kind != YNODE_SCALAR)
		return fail(
		    r, "CRD004", at, "a list or mapping as key", "use a plain name");
	if (n->plain && strcmp(n->text, "<<") == 0)
		return fail(r, "CRD004", at, "merge keys are not used here",
		    "write the keys out");
	o->key = n;
	return 0;
}

static int anchor_open(struct reader *r, const yaml_event_t *e, const yaml_char_t *name,
    const char **ret)
{
	struct anchor *a = &r->anchors[r->nanchors];

	*ret = NULL;
	if (name == NULL)
		return 0;
	if (r->nanchors == YAML_ANCHORS_MAX)
		return fail(r, "CRD002", &e->start_mark,
		    arena_printf(r->arena, "more than %d anchors in one document",
		        YAML_ANCHORS_MAX),
		    "use groups");
	a->name =
	    arena_strndup(r->arena, (const char *)name, strlen((const char *)name));
	if (a->name == NULL)
		return fail_memory(r);
	a->node = NULL;
	r->nanchors++;
	*ret = a->name;
	return 0;
}

static void anchor_close(struct reader *r, const char *name, struct ynode *n)
{
	for (unsigned i = r->nanchors; name != NULL && i-- > 0;) {
		if (r->anchors[i].name == name)
			r->anchors[i].node = n;
	}
}

static int on_alias(struct reader *r, const yaml_event_t *e, struct ynode **root)
{
	const char *name = (const char *)e->data.alias.anchor;

	for (unsigned i = r->nanchors; i-- > 0;) {
		struct ynode *n = r->anchors[i].node;

		if (strcmp(r->anchors[i].name, name) != 0)
			continue;
		if (n == NULL)
			return fail(r, "CRD004", &e->start_mark,
			    "an alias to what it stands in", "write the value out");
		r->nodes += n->weight;
		if (r->nodes > YAML_NODES_MAX)
			return fail(r, "CRD002", &e->start_mark,
			    arena_printf(r->arena,
				"aliases expand to more than %d values",
				YAML_NODES_MAX),
			    "use groups");
		return node_place(r, n, &e->start_mark, root);
	}
	return fail(r, "CRD001", &e->start_mark,
	    arena_printf(r->arena, "no anchor \"%s\" before this alias", name), NULL);
}

static int on_scalar(struct reader *r, const yaml_event_t *e, struct ynode **root)
{
	size_t len = e->data.scalar.length;
	const char *text = (const char *)e->data.scalar.value, *anchor;
	struct ynode *n;

	if (e->data.scalar.tag != NULL)
		return fail(r, "CRD004", &e->start_mark, "tags are not used here",
		    "write the bare value; quotes make it text");
	if (memchr(text, '\0', len) != NULL)
		return fail(
		    r, "CRD003", &e->start_mark, "NUL character in a value", NULL);
	if (anchor_open(r, e, e->data.scalar.anchor, &anchor) == -1)
		return -1;
	n = node_new(r, e, YNODE_SCALAR);
	if (n == NULL)
		return -1;
	n->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	n->n = (uint32_t)len;
	n->text = arena_strndup(r->arena, text, len);
	if (n->text == NULL)
		return fail_memory(r);
	anchor_close(r, anchor, n);
	return node_place(r, n, &e->start_mark, root);
}

static int on_start(struct reader *r, const yaml_event_t *e, enum ynode_kind kind)
{
	bool seq = kind == YNODE_SEQ;
	const yaml_char_t *tag =
	    seq ? e->data.sequence_start.tag : e->data.mapping_start.tag;
	struct open_node *o = &r->stack[r->depth];
	const char *anchor;

	if (tag != NULL)
		return fail(r, "CRD004", &e->start_mark, "tags are not used here",
		    "write the bare value");
	if (r->depth == YAML_DEPTH_MAX)
		return fail(r, "CRD002", &e->start_mark,
		    arena_printf(
			r->arena, "nested deeper than %d levels", YAML_DEPTH_MAX),
		    NULL);
	if (anchor_open(r, e, seq ? e->data.sequence_start.anchor :
	    e->data.mapping_start.anchor, &anchor) == -1)
		return -1;
	*o = (struct open_node){ .node = node_new(r, e, kind), .anchor = anchor };
	if (o->node == NULL)
		return -1;
	o->tail = &o->node->items;
	r->depth++;
	return 0;
}

static int on_end(struct reader *r, const yaml_event_t *e, struct ynode **root)
{
	struct open_node *o = &r->stack[--r->depth];
	struct ynode *n = o->node;

	n->end_line = (uint32_t)e->end_mark.line + 1;
	n->end_col = (uint32_t)e->end_mark.column + 1;
	anchor_close(r, o->anchor, n);
	return node_place(r, n, &e->start_mark, root);
}

static int on_event(struct reader *r, const yaml_event_t *e, struct ynode **root)
{
	switch (e->type) {
	case YAML_ALIAS_EVENT:
		return on_alias(r, e, root);
	case YAML_SCALAR_EVENT:
		return on_scalar(r, e, root);
	case YAML_SEQUENCE_START_EVENT:
		return on_start(r, e, YNODE_SEQ);
	case YAML_MAPPING_START_EVENT:
		return on_start(r, e, YNODE_MAP);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return on_end(r, e, root);
	case YAML_DOCUMENT_START_EVENT:
		r->nanchors = 0;
		return 0;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return 0;
	}
	return 0;
}

static int fail_parser(struct reader *r, const yaml_parser_t *p)
{
	const char *what = p->problem != NULL ? p->problem : "not YAML";

	if (p->error == YAML_MEMORY_ERROR)
		return fail_memory(r);
	if (p->context != NULL)
		what = arena_printf(r->arena, "%s %s", what, p->context);
	return fail(r, p->error == YAML_READER_ERROR ? "CRD003" : "CRD001",
	    p->error == YAML_READER_ERROR ? NULL : &p->problem_mark, what, NULL);
}

static int doc_add(struct reader *r, struct ydoc ***tail, struct ynode *root)
{
	struct ydoc *doc = arena_calloc(r->arena, 1, sizeof(*doc));

	if (doc == NULL)
		return fail_memory(r);
	doc->root = root;
	**tail = doc;
	*tail = &doc->next;
	return 0;
}

static int run(struct reader *r, yaml_parser_t *p, struct ydoc **ret)
{
	struct ydoc **tail = ret;
	struct ynode *root = NULL;
	yaml_event_type_t type = YAML_NO_EVENT;

	while (type != YAML_STREAM_END_EVENT) {
		yaml_event_t e;
		int rc;

		if (!yaml_parser_parse(p, &e))
			return fail_parser(r, p);
		type = e.type;
		rc = on_event(r, &e, &root);
		yaml_event_delete(&e);
		if (rc == 0 && type == YAML_DOCUMENT_END_EVENT && root != NULL)
			rc = doc_add(r, &tail, root);
		if (rc == -1)
			return -1;
	}
	return 0;
}

int yaml_parse(struct arena *a, const char *data, size_t len, yaml_dup_fn *dup,
    void *arg, struct ydoc **ret, struct yaml_error *ret_error)
{
	struct reader r = {.arena = a, .error = ret_error, .dup = dup, .dup_arg = arg};
	struct ydoc *docs = NULL;
	yaml_parser_t p;
	int rc;

	if (len > YAML_FILE_MAX)
		return fail(&r, "CRD002", NULL,
		    arena_printf(a, "larger than %d MiB", YAML_FILE_MAX >> 20), NULL);
	if (scan_text(&r, data, len) == -1)
		return -1;
	if (!yaml_parser_initialize(&p))
		return fail_memory(&r);
	yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&p, (const unsigned char *)data, len);
	rc = run(&r, &p, &docs);
	yaml_parser_delete(&p);
	if (rc == 0)
		*ret = docs;
	return rc;
}

/* ---- tokens ---- */

/* libyaml's marks count characters. */
struct offsets {
	const char *data;
	size_t len, chars, bytes;
};

static size_t offset_of(struct offsets *o, size_t chars)
{
	while (o->chars < chars && o->bytes < o->len) {
		o->chars++;
		while (++o->bytes < o->len && (o->data[o->bytes] & 0xc0) == 0x80)
			;
	}
	while (o->chars > chars) {
		o->chars--;
		while ((o->data[--o->bytes] & 0xc0) == 0x80)
			;
	}
	return o->bytes;
}

static void scalar_token(const yaml_event_t *e, struct yevent *ret)
{
	ret->kind = YEVENT_SCALAR;
	ret->text = (const char *)e->data.scalar.value;
	ret->len = e->data.scalar.length;
	ret->anchor = (const char *)e->data.scalar.anchor;
	if (e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		ret->style = YSTYLE_PLAIN;
	else if (e->data.scalar.style == YAML_LITERAL_SCALAR_STYLE ||
	    e->data.scalar.style == YAML_FOLDED_SCALAR_STYLE)
		ret->style = YSTYLE_BLOCK;
	else
		ret->style = YSTYLE_QUOTED;
}

/* False: nothing that the caller wants to hear of. */
static bool token_of(const yaml_event_t *e, struct offsets *o, struct yevent *ret)
{
	*ret = (struct yevent){ .col = (uint32_t)e->start_mark.column };
	switch (e->type) {
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
		return false;
	case YAML_DOCUMENT_START_EVENT:
		ret->kind = YEVENT_DOC;
		ret->is_explicit = !e->data.document_start.implicit;
		break;
	case YAML_DOCUMENT_END_EVENT:
		ret->kind = YEVENT_DOC_END;
		break;
	case YAML_ALIAS_EVENT:
		ret->kind = YEVENT_ALIAS;
		ret->anchor = (const char *)e->data.alias.anchor;
		break;
	case YAML_SCALAR_EVENT:
		scalar_token(e, ret);
		break;
	case YAML_SEQUENCE_START_EVENT:
		ret->kind = YEVENT_SEQ;
		ret->flow = e->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
		ret->anchor = (const char *)e->data.sequence_start.anchor;
		break;
	case YAML_MAPPING_START_EVENT:
		ret->kind = YEVENT_MAP;
		ret->flow = e->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
		ret->anchor = (const char *)e->data.mapping_start.anchor;
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		ret->kind = YEVENT_END;
		break;
	}
	ret->start = offset_of(o, e->start_mark.index);
	ret->end = offset_of(o, e->end_mark.index);
	return true;
}

int yaml_walk(const char *data, size_t len, yaml_event_fn *fn, void *arg)
{
	struct offsets o = { .data = data, .len = len };
	yaml_event_type_t type = YAML_NO_EVENT;
	struct yevent t;
	yaml_parser_t p;
	int rc = 0;

	if (!yaml_parser_initialize(&p))
		return -1;
	yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&p, (const unsigned char *)data, len);
	while (rc == 0 && type != YAML_STREAM_END_EVENT) {
		yaml_event_t e;

		if (!yaml_parser_parse(&p, &e)) {
			rc = -1;
			break;
		}
		type = e.type;
		if (token_of(&e, &o, &t))
			rc = fn(arg, &t);
		yaml_event_delete(&e);
	}
	yaml_parser_delete(&p);
	return rc;
}
