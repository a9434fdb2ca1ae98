/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: building the flat block of a compiled ruleset */
#include <cordon/ruleset.h>

#include <stdlib.h>
#include <string.h>

#include "rules/flat.h"
#include "rules/rs_elems.h"
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
	struct rs_elems *elems; /* of each set */
	size_t elems_cap;
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
	for (size_t i = 0; i < b->elems_cap; i++)
		rs_elems_free(&b->elems[i]);
	free(b->elems);
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

/* Room for the elements of the set that was added last. */
static void elems_room(struct rs_builder *b, uint32_t set, const struct rs_set *s)
{
	if (set >= b->elems_cap) {
		size_t cap = b->elems_cap == 0 ? 64 : b->elems_cap * 2;
		struct rs_elems *more = reallocarray(b->elems, cap, sizeof(*more));

		if (more == NULL) {
			b->flat.failed = true;
			return;
		}
		memset(more + b->elems_cap, 0, (cap - b->elems_cap) * sizeof(*more));
		b->elems = more;
		b->elems_cap = cap;
	}
	rs_elems_init(&b->elems[set], s->key_len, s->interval);
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
	elems_room(b, i, &s);
	return i;
}

void rsb_elem(struct rs_builder *b, uint32_t set, const void *key, const void *key_end,
    enum rs_go go, uint32_t chain, const char *comment)
{
	struct rs_elem e;

	if (b->flat.failed)
		return;
	memset(&e, 0, sizeof(e));
	e.chain = chain;
	e.go = (uint8_t)go;
	e.comment = flat_str(&b->flat, comment);
	if (rs_elems_add(&b->elems[set], &e, key, key_end) == -1)
		b->flat.failed = true;
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

/* Set by set: who reads elements in order reads keys in order. */
static void lay_elems(struct rs_builder *b)
{
	size_t nsets = b->flat.t[RS_SETS].count, n = 0, keys = 0;

	for (size_t i = 0; i < nsets; i++) {
		n += b->elems[i].n;
		keys += b->elems[i].n * b->elems[i].keys_len;
	}
	flat_reserve(&b->flat, RS_ELEMS, n);
	flat_reserve(&b->flat, RS_KEYS, keys);
	for (size_t i = 0; i < nsets && !b->flat.failed; i++) {
		struct rs_set *s = flat_at(&b->flat, RS_SETS, i);
		uint32_t first = (uint32_t)b->flat.t[RS_ELEMS].count;

		if (rs_elems_lay(&b->elems[i], &b->flat, &s->elems.count) == -1)
			b->flat.failed = true;
		s->elems.first = s->elems.count > 0 ? first : 0;
		rs_elems_free(&b->elems[i]);
	}
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
