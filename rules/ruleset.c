/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: building the flat block of a compiled ruleset */
#include <cordon/ruleset.h>

#include <stdlib.h>
#include <string.h>

#include "rules/flat.h"
#include "rules/rs_tables.h"

const size_t rs_elem_size[RS_NTABLES] = {
	[RS_STRINGS] = 1,
	[RS_SETS] = sizeof(struct rs_set),
	[RS_ELEMS] = sizeof(struct rs_elem),
	[RS_KEYS] = 1,
	[RS_COUNTERS] = sizeof(uint32_t),
	[RS_CHAINS] = sizeof(struct rs_chain),
	[RS_RULES] = sizeof(struct rs_rule),
	[RS_OPS] = sizeof(struct rs_op),
};

enum { SIZE_FROM = 1024 };

/* An element while building: knows its set, to be sorted by it. */
struct pending {
	uint32_t set;
	struct rs_elem e;
};

/* Objects by name: an open hash.  Names are interned, so a string's offset is a name.
 */
struct by_name {
	struct {
		uint32_t name, index; /* name 0: free */
	} * slot;
	size_t cap, n;
};

struct rs_builder {
	struct flat flat;
	struct pending *pending;
	size_t npending, cap;
	char *keys;     /* in their final order; bytes: */
	uint32_t nkeys;
	struct by_name chains, sets;
};

size_t rs_type_len(enum rs_type t)
{
	switch (t) {
	case RS_T_IP6:
	case RS_T_IFNAME:
		return 16;
	case RS_T_IP4:
	case RS_T_PROTO:
	case RS_T_PORT:
	case RS_T_ICMP:
	case RS_T_ICMP6:
	case RS_T_PRIORITY:
		return 4;
	}
	return 0;
}

size_t rs_field_len(enum rs_field f)
{
	static const uint8_t len[RS_NFIELDS] = {
		[RS_NFPROTO] = 1,
		[RS_L4PROTO] = 1,
		[RS_IIFNAME] = 16,
		[RS_OIFNAME] = 16,
		[RS_PKTTYPE] = 1,
		[RS_TIME] = 8,
		[RS_CT_DIR] = 1,
		[RS_IP_SADDR] = 4,
		[RS_IP_DADDR] = 4,
		[RS_IP6_SADDR] = 16,
		[RS_IP6_DADDR] = 16,
		[RS_IP6_HOPLIMIT] = 1,
		[RS_TH_SPORT] = 2,
		[RS_TH_DPORT] = 2,
		[RS_TCP_FLAGS] = 1,
		[RS_ICMP_TYPE] = 1,
		[RS_ICMP6_TYPE] = 1,
		[RS_FIB_SADDR_TYPE] = 4,
		[RS_FIB_DADDR_TYPE] = 4,
		[RS_FIB_SADDR_OIF] = 4,
		[RS_PRIORITY] = 4,
	};

	return f < RS_NFIELDS ? len[f] : 0;
}

struct rs_builder *rsb_new(void)
{
	struct rs_builder *b = calloc(1, sizeof(*b));

	if (b != NULL && flat_init(&b->flat, rs_elem_size, RS_NTABLES) == -1) {
		rsb_free(b);
		return NULL;
	}
	return b;
}

void rsb_free(struct rs_builder *b)
{
	if (b == NULL)
		return;
	flat_free(&b->flat);
	free(b->pending);
	free(b->keys);
	free(b->chains.slot);
	free(b->sets.slot);
	free(b);
}

uint32_t rsb_str(struct rs_builder *b, const char *s)
{
	return flat_str(&b->flat, s);
}

/* Where the name stands, or would. */
static size_t name_slot(const struct by_name *m, uint32_t name)
{
	size_t at = (name * 2654435761u) & (m->cap - 1);

	while (m->slot[at].name != 0 && m->slot[at].name != name)
		at = (at + 1) & (m->cap - 1);
	return at;
}

static int names_grow(struct by_name *m)
{
	struct by_name more = { .cap = m->cap == 0 ? 256 : m->cap * 2, .n = m->n };

	more.slot = calloc(more.cap, sizeof(*more.slot));
	if (more.slot == NULL)
		return -1;
	for (size_t i = 0; i < m->cap; i++)
		if (m->slot[i].name != 0)
			more.slot[name_slot(&more, m->slot[i].name)] = m->slot[i];
	free(m->slot);
	*m = more;
	return 0;
}

static void remember(
    struct rs_builder *b, struct by_name *m, uint32_t name, uint32_t index)
{
	size_t at;

	if (2 * m->n >= m->cap && names_grow(m) == -1) {
		b->flat.failed = true;
		return;
	}
	at = name_slot(m, name);
	m->n += m->slot[at].name == 0;
	m->slot[at].name = name;
	m->slot[at].index = index;
}

static uint32_t find(struct rs_builder *b, const struct by_name *m, const char *name)
{
	uint32_t s = flat_str(&b->flat, name);
	size_t at;

	if (m->cap == 0)
		return RS_NONE;
	at = name_slot(m, s);
	return s != 0 && m->slot[at].name == s ? m->slot[at].index : RS_NONE;
}

uint32_t rsb_find_chain(struct rs_builder *b, const char *name)
{
	return find(b, &b->chains, name);
}

uint32_t rsb_find_set(struct rs_builder *b, const char *name)
{
	return find(b, &b->sets, name);
}

uint32_t rsb_counter(struct rs_builder *b, const char *name)
{
	uint32_t s = flat_str(&b->flat, name);

	for (uint32_t i = 0; i < b->flat.t[RS_COUNTERS].count; i++)
		if (*(uint32_t *)flat_at(&b->flat, RS_COUNTERS, i) == s)
			return i;
	return flat_add(&b->flat, RS_COUNTERS, &s, 1);
}

uint32_t rsb_set(struct rs_builder *b, const char *name, const struct rs_set *set)
{
	struct rs_set s;
	uint32_t i;

	memcpy(&s, set, sizeof(s));
	s.name = flat_str(&b->flat, name);
	s.elems = (struct rs_span){ 0, 0 };
	s.key_len = 0;
	for (uint8_t k = 0; k < s.nkeys; k++)
		s.key_len = (uint8_t)(s.key_len + rs_type_len(s.key[k]));
	i = flat_add(&b->flat, RS_SETS, &s, 1);
	remember(b, &b->sets, s.name, i);
	return i;
}

void rsb_elem(struct rs_builder *b, uint32_t set, const void *key, const void *key_end,
    enum rs_go go, uint32_t chain, const char *comment)
{
	size_t len;
	struct pending *p;

	if (b->flat.failed)
		return;
	if (b->npending == b->cap) {
		size_t cap = b->cap == 0 ? 256 : b->cap * 2;
		struct pending *more = reallocarray(b->pending, cap, sizeof(*more));

		if (more == NULL) {
			b->flat.failed = true;
			return;
		}
		b->pending = more;
		b->cap = cap;
	}
	len = ((struct rs_set *)flat_at(&b->flat, RS_SETS, set))->key_len;
	p = &b->pending[b->npending++];
	memset(p, 0, sizeof(*p));
	p->set = set;
	p->e.key = flat_add(&b->flat, RS_KEYS, key, len);
	if (key_end != NULL)
		flat_add(&b->flat, RS_KEYS, key_end, len);
	p->e.chain = chain;
	p->e.go = (uint8_t)go;
	p->e.comment = flat_str(&b->flat, comment);
}

uint32_t rsb_chain(struct rs_builder *b, const char *name, const struct rs_chain *c)
{
	struct rs_chain chain;
	uint32_t i;

	memset(&chain, 0, sizeof(chain));
	if (c != NULL)
		memcpy(&chain, c, sizeof(chain));
	chain.name = flat_str(&b->flat, name);
	chain.rules = (struct rs_span){ 0, 0 };
	i = flat_add(&b->flat, RS_CHAINS, &chain, 1);
	remember(b, &b->chains, chain.name, i);
	return i;
}

const char *rsb_chain_name(struct rs_builder *b, uint32_t chain)
{
	const struct rs_chain *c = flat_at(&b->flat, RS_CHAINS, chain);

	return flat_at(&b->flat, RS_STRINGS, c->name);
}

void rsb_rule(struct rs_builder *b, uint32_t chain, const char *comment)
{
	struct rs_rule r;

	memset(&r, 0, sizeof(r));
	r.chain = chain;
	r.comment = flat_str(&b->flat, comment);
	r.ops.first = (uint32_t)b->flat.t[RS_OPS].count;
	flat_add(&b->flat, RS_RULES, &r, 1);
}

void rsb_op(struct rs_builder *b, const struct rs_op *op)
{
	struct flat_table *rules = &b->flat.t[RS_RULES];

	flat_add(&b->flat, RS_OPS, op, 1);
	if (!b->flat.failed)
		((struct rs_rule *)flat_at(&b->flat, RS_RULES, rules->count - 1))
		    ->ops.count++;
}

/* ---- finishing ---- */

/* Sorted in place of the elements: most comparisons end in the bytes that stand here,
 * the first that are not the same in all keys of the set.  By age where keys are equal,
 * so that the order hangs on no libc. */
struct order {
	uint64_t head[2]; /* big endian */
	const uint8_t *key;
	uint32_t index, len;
};

static int by_key(const void *x, const void *y)
{
	const struct order *a = x, *b = y;
	int c;

	for (int i = 0; i < 2; i++)
		if (a->head[i] != b->head[i])
			return a->head[i] < b->head[i] ? -1 : 1;
	c = memcmp(a->key, b->key, a->len);
	return c != 0 ? c : (a->index > b->index) - (a->index < b->index);
}

static bool is_same_key(const struct order *a, const struct order *b)
{
	return a->head[0] == b->head[0] && a->head[1] == b->head[1] &&
	       memcmp(a->key, b->key, a->len) == 0;
}

static uint64_t head_of(const uint8_t *key, size_t at, size_t len)
{
	uint64_t v = 0;

	for (size_t i = at; i < at + sizeof(v); i++)
		v = v << 8 | (i < len ? key[i] : 0);
	return v;
}

static void set_heads(struct order *o, size_t n)
{
	size_t same = n > 0 ? o[0].len : 0;

	for (size_t i = 1; i < n; i++) {
		size_t k = 0;

		while (k < same && o[i].key[k] == o[0].key[k])
			k++;
		same = k;
	}
	for (size_t i = 0; i < n; i++) {
		o[i].head[0] = head_of(o[i].key, same, o[i].len);
		o[i].head[1] = head_of(o[i].key, same + 8, o[i].len);
	}
}

/* first[i] becomes where the things of owner i start, first[n] their number: things
 * of one owner stay in the order in which they came. */
static void starts(uint32_t *first, size_t n)
{
	uint32_t at = 0;

	for (size_t i = 0; i <= n; i++) {
		uint32_t count = first[i];

		first[i] = at;
		at += count;
	}
}

/* A hash set of known size loads two to three times as fast, but has to be made anew
 * when it grows past it: so large ones get room, in steps that are seldom crossed. */
static void size_sets(struct rs_builder *b)
{
	for (size_t i = 0; i < b->flat.t[RS_SETS].count; i++) {
		struct rs_set *s = flat_at(&b->flat, RS_SETS, i);

		if (s->size != 0 || s->interval || s->timeout || s->dynamic ||
		    s->elems.count <= SIZE_FROM)
			continue;
		/* the kernel's table is the power of two above 4/3 of it: none is wasted */
		for (s->size = SIZE_FROM / 4 * 3; s->size < s->elems.count + s->elems.count / 4;)
			s->size *= 2;
	}
}

/* The key at `at` behind those of the elements before: who reads elements in order reads
 * keys in order. */
static uint32_t lay_key(struct rs_builder *b, uint32_t at, const struct rs_set *s)
{
	size_t len = (size_t)s->key_len * (s->interval ? 2 : 1);
	uint32_t to = b->nkeys;

	memcpy(b->keys + to, (const char *)flat_at(&b->flat, RS_KEYS, at), len);
	b->nkeys += (uint32_t)len;
	return to;
}

/* One set's elements, in the order of their keys. */
static void lay_set(struct rs_builder *b, uint32_t set, struct order *o, size_t n)
{
	bool sorted = true;

	set_heads(o, n);
	for (size_t i = 1; i < n && sorted; i++)
		sorted = by_key(&o[i - 1], &o[i]) < 0;
	if (!sorted)
		qsort(o, n, sizeof(*o), by_key);
	for (size_t i = 0; i < n && !b->flat.failed; i++) {
		struct rs_set *s;
		uint32_t at;

		if (i > 0 && is_same_key(&o[i - 1], &o[i]))
			continue; /* the same key again: stored once */
		s = flat_at(&b->flat, RS_SETS, set);
		b->pending[o[i].index].e.key = lay_key(b, b->pending[o[i].index].e.key, s);
		at = flat_add(&b->flat, RS_ELEMS, &b->pending[o[i].index].e, 1);
		if (s->elems.count++ == 0)
			s->elems.first = at;
	}
}

static void lay_elems(struct rs_builder *b)
{
	size_t nsets = b->flat.t[RS_SETS].count;
	uint32_t *first = calloc(nsets + 1, sizeof(*first));
	struct order *o = calloc(b->npending + 1, sizeof(*o));

	b->keys = malloc(b->flat.t[RS_KEYS].count + 1);
	if (first == NULL || o == NULL || b->keys == NULL) {
		b->flat.failed = true;
		goto out;
	}
	for (size_t i = 0; i < b->npending; i++)
		first[b->pending[i].set]++;
	starts(first, nsets);
	for (size_t i = 0; i < b->npending; i++) {
		const struct pending *p = &b->pending[i];
		const struct rs_set *s = flat_at(&b->flat, RS_SETS, p->set);
		const uint8_t *key = flat_at(&b->flat, RS_KEYS, p->e.key);

		o[first[p->set]++] = (struct order){
			.key = key, .index = (uint32_t)i, .len = s->key_len
		};
	}
	for (uint32_t i = 0, at = 0; i < nsets; at = first[i++])
		lay_set(b, i, o + at, first[i] - at);
	if (b->nkeys > 0)
		memcpy(b->flat.t[RS_KEYS].at, b->keys, b->nkeys);
	b->flat.t[RS_KEYS].count = b->nkeys;
out:
	free(first);
	free(o);
}

static void lay_rules(struct rs_builder *b)
{
	struct flat_table *t = &b->flat.t[RS_RULES];
	size_t nchains = b->flat.t[RS_CHAINS].count;
	uint32_t *first = calloc(nchains + 1, sizeof(*first));
	struct rs_rule *sorted = calloc(t->count + 1, sizeof(*sorted));

	if (first == NULL || sorted == NULL) {
		b->flat.failed = true;
		goto out;
	}
	for (size_t i = 0; i < t->count; i++)
		first[((struct rs_rule *)flat_at(&b->flat, RS_RULES, i))->chain]++;
	for (size_t i = 0, at = 0; i < nchains; at += first[i++])
		((struct rs_chain *)flat_at(&b->flat, RS_CHAINS, i))->rules =
		    (struct rs_span){ first[i] > 0 ? (uint32_t)at : 0, first[i] };
	starts(first, nchains);
	for (size_t i = 0; i < t->count; i++) {
		const struct rs_rule *r = flat_at(&b->flat, RS_RULES, i);

		sorted[first[r->chain]++] = *r;
	}
	if (t->count > 0)
		memcpy(t->at, sorted, t->count * sizeof(*sorted));
out:
	free(first);
	free(sorted);
}

struct ruleset *rsb_finish(struct rs_builder *b)
{
	struct ruleset head, *rs;
	size_t size;

	if (b->flat.failed)
		return NULL;
	memset(&head, 0, sizeof(head));
	memcpy(head.magic, "cordonrs", 8);
	head.version = RS_VERSION;
	lay_elems(b);
	size_sets(b);
	lay_rules(b);
	rs = flat_finish(
	    &b->flat, &head, sizeof(head), offsetof(struct ruleset, table), &size);
	if (rs != NULL)
		rs->size = (uint32_t)size;
	return rs;
}
