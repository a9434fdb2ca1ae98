/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: lists of peers as numbers, and the sets that say who is in which */
#include "rules/compile_lists.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/compile_levels.h"
#include "rules/rulewriter.h"

/* A list that occurs in the policy. */
struct list {
	uint32_t number;
	uint8_t v;
	size_t first, n; /* in ranges[] */
};

/* Number of the peers of one rule, which others may have too: the policy stores equal
 * ones once. */
struct single {
	uint32_t first, count, number; /* count 0: free */
	uint8_t v;
};

struct lists {
	struct list *list;
	size_t nlists, lists_cap;
	struct netrange *ranges, *work; /* of all lists; of the one at hand */
	size_t nranges, ranges_cap, work_cap;
	uint32_t *by_number; /* open hash: index + 1 in list, 0: free */
	size_t by_number_cap;
	struct single *single;
	size_t nsingle, single_cap;
};

void *compile_grow(struct compile *c, void *at, size_t *cap, size_t need, size_t elem)
{
	size_t want = *cap == 0 ? 64 : *cap * 2;
	void *more;

	if (need <= *cap)
		return at;
	while (want < need)
		want *= 2;
	more = reallocarray(at, want, elem);
	if (more == NULL) {
		c->failed = true;
		return at;
	}
	*cap = want;
	return more;
}

int lists_new(struct compile *c)
{
	struct lists *l = calloc(1, sizeof(*l));

	c->lists = l;
	return l == NULL ? -1 : 0;
}

void lists_free(struct lists *l)
{
	if (l == NULL)
		return;
	free(l->list);
	free(l->ranges);
	free(l->work);
	free(l->by_number);
	free(l->single);
	free(l);
}

/* ---- from content to number ---- */

static bool is_all(const struct netrange *r)
{
	struct netrange all = netrange_all(r->lo.v);

	return memcmp(&all, r, sizeof(all)) == 0;
}

static size_t gather(struct compile *c, struct lists *l, const struct want *const *wants,
    size_t n, uint8_t v)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		const struct fs_span peers = fs_rule(c->fs, wants[i]->rule)->peers;

		l->work = compile_grow(c, l->work, &l->work_cap, at + peers.count,
		    sizeof(*l->work));
		for (uint32_t k = 0; k < peers.count && !c->failed; k++) {
			const struct netrange *r = fs_range(c->fs, peers.first + k);

			if (r->lo.v == v)
				l->work[at++] = *r;
		}
	}
	return netranges_merge(l->work, at);
}

/* What a number says of its list: which of these lengths its prefixes have, so that only
 * levels are asked where it has some.  The bits below are the hash. */
enum { KINDS = 4, HASH_BITS = 27 };
#define HASH_MASK ((1u << HASH_BITS) - 1)

static uint32_t kind_of(uint8_t v, unsigned len)
{
	static const uint8_t longest[2][KINDS] = { { 16, 24, 31, 32 }, { 48, 64, 127, 128 } };
	uint32_t k = 0;

	while (len > longest[v == 6][k])
		k++;
	return 1u << (HASH_BITS + k);
}

static uint32_t number_of(const struct netrange *r, size_t n)
{
	uint8_t h[16];
	uint32_t number;

	crypto_generichash(h, sizeof(h), (const uint8_t *)r, n * sizeof(*r), NULL, 0);
	memcpy(&number, h, sizeof(number));
	number = LIST_FLAG | (number & HASH_MASK);
	for (size_t i = 0; i < n; i++) {
		struct netrange rest = r[i], p;
		bool more;

		do {
			more = netrange_pop_prefix(&rest, &p);
			number |= kind_of(r->lo.v, (unsigned)netrange_prefixlen(&p));
		} while (more);
	}
	return number;
}

static int number_grow(struct lists *l)
{
	size_t cap = l->by_number_cap == 0 ? 256 : l->by_number_cap * 2;
	uint32_t *more = calloc(cap, sizeof(*more));

	if (more == NULL)
		return -1;
	for (size_t i = 0; i < l->nlists; i++) {
		size_t at = l->list[i].number & (cap - 1);

		while (more[at] != 0)
			at = (at + 1) & (cap - 1);
		more[at] = (uint32_t)i + 1;
	}
	free(l->by_number);
	l->by_number = more;
	l->by_number_cap = cap;
	return 0;
}

static const struct list *find(const struct lists *l, uint32_t number)
{
	for (size_t at = number & (l->by_number_cap - 1); l->by_number[at] != 0;
	     at = (at + 1) & (l->by_number_cap - 1))
		if (l->list[l->by_number[at] - 1].number == number)
			return &l->list[l->by_number[at] - 1];
	return NULL;
}

static bool is_list(const struct lists *l, const struct list *x, size_t n)
{
	return x->n == n && x->v == l->work[0].lo.v &&
	       memcmp(l->ranges + x->first, l->work, n * sizeof(*l->work)) == 0;
}

static void add(struct compile *c, struct lists *l, uint32_t number, size_t n)
{
	size_t at = number & (l->by_number_cap - 1);

	l->list = compile_grow(c, l->list, &l->lists_cap, l->nlists + 1, sizeof(*l->list));
	l->ranges = compile_grow(c, l->ranges, &l->ranges_cap, l->nranges + n,
	    sizeof(*l->ranges));
	if (c->failed)
		return;
	while (l->by_number[at] != 0)
		at = (at + 1) & (l->by_number_cap - 1);
	l->list[l->nlists++] = (struct list){ .number = number, .v = l->work[0].lo.v,
		.first = l->nranges, .n = n };
	l->by_number[at] = (uint32_t)l->nlists;
	memcpy(l->ranges + l->nranges, l->work, n * sizeof(*l->work));
	l->nranges += n;
}

/* Of work[0..n).  Where another list has the number by chance, the next is free. */
static uint32_t settle(struct compile *c, struct lists *l, size_t n)
{
	uint32_t number = number_of(l->work, n);

	if (2 * l->nlists >= l->by_number_cap && number_grow(l) == -1) {
		c->failed = true;
		return 0;
	}
	for (;; number = (number & ~HASH_MASK) | ((number + 1) & HASH_MASK)) {
		const struct list *x;

		if (number == UINT32_MAX)
			continue;
		x = find(l, number);
		if (x != NULL && is_list(l, x, n))
			return number;
		if (x != NULL)
			continue;
		add(c, l, number, n);
		return number;
	}
}

static uint32_t number_new(struct compile *c, const struct want *const *wants, size_t n,
    uint8_t v)
{
	struct lists *l = c->lists;
	size_t got = gather(c, l, wants, n, v);

	if (c->failed || got == 0)
		return 0;
	return is_all(&l->work[0]) ? LIST_ANY : settle(c, l, got);
}

/* ---- numbers of single rules, remembered ---- */

static struct single *slot_of(struct single *slot, size_t cap, uint32_t first,
    uint32_t count, uint8_t v)
{
	size_t at = ((first * 2u + (v == 6)) * 2654435761u) & (cap - 1);

	while (slot[at].count != 0 &&
	       (slot[at].first != first || slot[at].count != count || slot[at].v != v))
		at = (at + 1) & (cap - 1);
	return &slot[at];
}

static int single_grow(struct lists *l)
{
	size_t cap = l->single_cap == 0 ? 1024 : l->single_cap * 2;
	struct single *more = calloc(cap, sizeof(*more));

	if (more == NULL)
		return -1;
	for (size_t i = 0; i < l->single_cap; i++) {
		const struct single *s = &l->single[i];

		if (s->count != 0)
			*slot_of(more, cap, s->first, s->count, s->v) = *s;
	}
	free(l->single);
	l->single = more;
	l->single_cap = cap;
	return 0;
}

uint32_t lists_number(struct compile *c, const struct want *const *wants, size_t n,
    const struct fam *f)
{
	struct lists *l = c->lists;
	const struct fs_span peers = fs_rule(c->fs, wants[0]->rule)->peers;
	struct single *s;

	if (n > 1 || peers.count == 0)
		return number_new(c, wants, n, f->v);
	if (2 * l->nsingle >= l->single_cap && single_grow(l) == -1) {
		c->failed = true;
		return 0;
	}
	s = slot_of(l->single, l->single_cap, peers.first, peers.count, f->v);
	if (s->count == 0) {
		*s = (struct single){ .first = peers.first, .count = peers.count, .v = f->v,
			.number = number_new(c, wants, n, f->v) };
		l->nsingle++;
	}
	return s->number;
}

/* ---- who is in which list ---- */

static void weigh(const struct lists *l, const struct fam *f, struct levels *levels)
{
	memset(levels, 0, sizeof(*levels));
	for (size_t i = 0; i < l->nlists; i++)
		for (size_t k = 0; l->list[i].v == f->v && k < l->list[i].n; k++) {
			struct netrange rest = l->ranges[l->list[i].first + k], p;
			bool more;

			do {
				more = netrange_pop_prefix(&rest, &p);
				levels->weight[netrange_prefixlen(&p)]++;
			} while (more);
		}
}

/* A prefix as all the longer ones of its level. */
static void put_prefix(struct compile *c, const struct fam *f, uint32_t number,
    const struct netrange *p, const struct levels *levels)
{
	uint8_t level = levels->level[netrange_prefixlen(p)], key[20];
	struct netrange at = netrange_of_prefix(&p->lo, level);

	for (;;) {
		memcpy(key, &number, sizeof(number));
		memcpy(key + sizeof(number), at.lo.b, netaddr_size(&at.lo));
		rsb_elem(c->b, f->peers[level], key, NULL, RS_CONTINUE, RS_NONE, "");
		if (netaddr_cmp(&at.hi, &p->hi) >= 0)
			return;
		netaddr_next(&at.hi);
		at = netrange_of_prefix(&at.hi, level);
	}
}

static void put_list(struct compile *c, const struct fam *f, const struct list *x,
    const struct levels *levels)
{
	for (size_t k = 0; k < x->n; k++) {
		struct netrange rest = c->lists->ranges[x->first + k], p;
		bool more;

		do {
			more = netrange_pop_prefix(&rest, &p);
			put_prefix(c, f, x->number, &p, levels);
		} while (more);
	}
}

void lists_sets(struct compile *c)
{
	for (int i = 0; i < 2; i++) {
		struct fam *f = &c->fam[i];
		const uint8_t longest = f->v == 4 ? 32 : 128;
		struct levels levels;

		weigh(c->lists, f, &levels);
		levels_choose(&levels);
		for (unsigned len = 0; len <= longest; len++) {
			char name[RS_NAME_MAX];

			f->peers[len] = RS_NONE;
			if (!levels.used[len])
				continue;
			snprintf(name, sizeof(name), "peers%u_%u", f->v, len);
			f->peers[len] = rsb_set(c->b, name, &(struct rs_set){ .nkeys = 2,
				.key = { RS_T_PRIORITY, f->addr_type } });
		}
		for (size_t k = 0; k < c->lists->nlists && !c->failed; k++)
			if (c->lists->list[k].v == f->v)
				put_list(c, f, &c->lists->list[k], &levels);
	}
}

/* Of the level `len`, the longest prefix below which is `below` long (-1: none). */
static void of_level(struct compile *c, const struct fam *f, int below, int len)
{
	const uint32_t all = ((1u << KINDS) - 1) << HASH_BITS;
	uint32_t kinds = 0;

	for (int i = below + 1; i <= len; i++)
		kinds |= kind_of(f->v, (unsigned)i);
	if (kinds != all)
		rw_masked(c->b, RS_PRIORITY, kinds, RS_NE, 0);
}

/* A chain that asks whether the peer is in the list whose number the packet carries.
 * Short prefixes first: they hold the most. */
uint32_t lists_chain(struct compile *c, const struct fam *f, const char *name,
    enum rs_field peer, uint32_t hit)
{
	const uint8_t key[2] = { RS_PRIORITY, (uint8_t)peer };
	const int longest = f->v == 4 ? 32 : 128;
	uint32_t at = rsb_find_chain(c->b, name);
	int below = -1;

	if (at != RS_NONE)
		return at;
	at = rsb_chain(c->b, name, NULL);
	for (int len = 0; len <= longest; len++) {
		uint8_t mask[16] = { 0 };

		if (f->peers[len] == RS_NONE)
			continue;
		for (int i = 0; i < len; i++)
			mask[i / 8] |= (uint8_t)(0x80 >> i % 8);
		rw_rule(c->b, at);
		of_level(c, f, below, len);
		below = len;
		if (len == longest)
			rw_fields_in(c->b, key, 2, f->peers[len]);
		else
			rw_masked_in(c->b, key, 2, mask, f->peers[len]);
		rw_go(c->b, RS_GOTO, hit);
	}
	rw_go(rw_cmp(rw_rule(c->b, at), RS_PRIORITY, RS_EQ, LIST_ANY), RS_GOTO, hit);
	return at;
}
