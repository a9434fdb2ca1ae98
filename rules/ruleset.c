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

struct rs_builder {
	struct flat flat;
	struct pending *pending;
	size_t npending, cap;
	uint32_t *chain_by_name, *set_by_name; /* string offset -> index + 1, grown */
	size_t nchain_names, nset_names;
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
		return 4;
	}
	return 0;
}

size_t rs_field_len(enum rs_field f)
{
	static const uint8_t len[RS_NFIELDS] = {
		[RS_NFPROTO] = 1, [RS_L4PROTO] = 1, [RS_IIFNAME] = 16, [RS_OIFNAME] = 16,
		[RS_PKTTYPE] = 1, [RS_TIME] = 8, [RS_CT_DIR] = 1, [RS_IP_SADDR] = 4,
		[RS_IP_DADDR] = 4, [RS_IP6_SADDR] = 16, [RS_IP6_DADDR] = 16,
		[RS_IP6_HOPLIMIT] = 1, [RS_TH_SPORT] = 2, [RS_TH_DPORT] = 2,
		[RS_TCP_FLAGS] = 1, [RS_ICMP_TYPE] = 1, [RS_ICMP6_TYPE] = 1,
		[RS_FIB_SADDR_TYPE] = 4, [RS_FIB_DADDR_TYPE] = 4, [RS_FIB_SADDR_OIF] = 4,
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
	free(b->chain_by_name);
	free(b->set_by_name);
	free(b);
}

uint32_t rsb_str(struct rs_builder *b, const char *s)
{
	return flat_str(&b->flat, s);
}

/* Names are interned, so that a name's string offset finds its object. */
static void remember(struct rs_builder *b, uint32_t **map, size_t *n, uint32_t name,
    uint32_t index)
{
	if (name >= *n) {
		size_t want = b->flat.t[RS_STRINGS].count * 2;
		uint32_t *m = reallocarray(*map, want, sizeof(*m));

		if (m == NULL) {
			b->flat.failed = true;
			return;
		}
		memset(m + *n, 0, (want - *n) * sizeof(*m));
		*map = m;
		*n = want;
	}
	(*map)[name] = index + 1;
}

uint32_t rsb_find_chain(struct rs_builder *b, const char *name)
{
	uint32_t s = flat_str(&b->flat, name);

	return s < b->nchain_names && b->chain_by_name[s] != 0 ? b->chain_by_name[s] - 1 :
	    RS_NONE;
}

uint32_t rsb_find_set(struct rs_builder *b, const char *name)
{
	uint32_t s = flat_str(&b->flat, name);

	return s < b->nset_names && b->set_by_name[s] != 0 ? b->set_by_name[s] - 1 :
	    RS_NONE;
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
	remember(b, &b->set_by_name, &b->nset_names, s.name, i);
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
	remember(b, &b->chain_by_name, &b->nchain_names, chain.name, i);
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

static int by_set_and_key(const void *x, const void *y, void *arg)
{
	const struct pending *a = x, *b = y;
	const struct flat *f = arg;
	const struct rs_set *s;

	if (a->set != b->set)
		return a->set < b->set ? -1 : 1;
	s = flat_at(f, RS_SETS, a->set);
	return memcmp(flat_at(f, RS_KEYS, a->e.key), flat_at(f, RS_KEYS, b->e.key),
	    s->key_len);
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
		for (s->size = SIZE_FROM; s->size < 2 * s->elems.count;)
			s->size *= 4;
	}
}

static void lay_elems(struct rs_builder *b)
{
	if (b->npending > 0)
		qsort_r(b->pending, b->npending, sizeof(*b->pending), by_set_and_key,
		    &b->flat);
	for (size_t i = 0; i < b->npending && !b->flat.failed; i++) {
		struct rs_set *s = flat_at(&b->flat, RS_SETS, b->pending[i].set);
		uint32_t at;

		if (i > 0 && by_set_and_key(&b->pending[i - 1], &b->pending[i], &b->flat) == 0)
			continue; /* the same key again: stored once */
		at = flat_add(&b->flat, RS_ELEMS, &b->pending[i].e, 1);
		s = flat_at(&b->flat, RS_SETS, b->pending[i].set);
		if (s->elems.count++ == 0)
			s->elems.first = at;
	}
}

static int by_chain(const void *x, const void *y)
{
	const struct rs_rule *a = x, *b = y;

	if (a->chain != b->chain)
		return a->chain < b->chain ? -1 : 1;
	return a->ops.first < b->ops.first ? -1 : a->ops.first > b->ops.first;
}

static void lay_rules(struct rs_builder *b)
{
	struct flat_table *t = &b->flat.t[RS_RULES];

	if (t->count > 0)
		qsort(t->at, t->count, t->elem, by_chain);
	for (uint32_t i = 0; i < t->count; i++) {
		const struct rs_rule *r = flat_at(&b->flat, RS_RULES, i);
		struct rs_chain *c = flat_at(&b->flat, RS_CHAINS, r->chain);

		if (c->rules.count++ == 0)
			c->rules.first = i;
	}
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
	rs = flat_finish(&b->flat, &head, sizeof(head), offsetof(struct ruleset, table),
	    &size);
	if (rs != NULL)
		rs->size = (uint32_t)size;
	return rs;
}
