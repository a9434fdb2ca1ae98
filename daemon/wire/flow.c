/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: bounded table of TCP flows, found by their end points */
#include "wire/flow.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

_Static_assert(sizeof(struct flow) == 64, "a flow is one cache line");

enum { CLOCK_LOOK = 16, CLOCK_FAR = 64, STALE_S = 3600, HUGE_FROM = 1 << 21 };

/* Packets jump about in the tables: with pages of 4 KB each jump walks the page table. */
static void huge(void *block, size_t len)
{
	uintptr_t from = ((uintptr_t)block + 4095) & ~(uintptr_t)4095;

	if (block && len >= HUGE_FROM)
		(void)madvise((void *)from, (uintptr_t)block + len - from, MADV_HUGEPAGE);
}

int flow_table_init(struct flow_table *t, uint32_t n, uint64_t seed, bool huge_pages)
{
	uint32_t buckets = 16;

	while (buckets < n && buckets < 1u << 30)
		buckets *= 2;
	memset(t, 0, sizeof(*t));
	/* calloc() of this size is fresh pages, untouched until they are used. */
	t->block = calloc((size_t)n + 1, sizeof(t->flow[0]));
	t->flow = (struct flow *)(((uintptr_t)t->block + 63) & ~(uintptr_t)63);
	t->more = calloc(n, sizeof(t->more[0]));
	t->bucket = calloc(buckets, sizeof(t->bucket[0]));
	if (!t->block || !t->more || !t->bucket) {
		flow_table_fini(t);
		return -1;
	}
	if (huge_pages) {
		huge(t->block, (size_t)n * sizeof(t->flow[0]));
		huge(t->more, n * sizeof(t->more[0]));
		huge(t->bucket, buckets * sizeof(t->bucket[0]));
	}
	t->size = n;
	t->mask = buckets - 1;
	t->seed = seed | 1;
	return 0;
}

void flow_table_fini(struct flow_table *t)
{
	free(t->block);
	free(t->more);
	free(t->bucket);
	memset(t, 0, sizeof(*t));
}

static void addr_words(const struct netaddr *a, uint64_t w[2])
{
	uint32_t v4;

	if (a->v == 6) {
		memcpy(w, a->b, 16);
		return;
	}
	memcpy(&v4, a->b, 4);
	w[0] = 0;
	w[1] = v4;
}

void flow_key(const struct pkt_view *v, struct flow *k, int *ret_dir)
{
	uint64_t src[2], dst[2];
	bool lo;

	addr_words(&v->src, src);
	addr_words(&v->dst, dst);
	if (src[1] != dst[1])
		lo = src[1] < dst[1];
	else if (src[0] != dst[0])
		lo = src[0] < dst[0];
	else
		lo = v->sport < v->dport;
	memcpy(k->lo, lo ? src : dst, sizeof(src));
	memcpy(k->hi, lo ? dst : src, sizeof(src));
	k->lo_port = lo ? v->sport : v->dport;
	k->hi_port = lo ? v->dport : v->sport;
	k->flags = v->src.v == 6 ? FLOW_V6 : 0;
	*ret_dir = lo ? 0 : 1;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 p = (unsigned __int128)a * b;

	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

uint32_t *flow_bucket(const struct flow_table *t, const struct flow *k)
{
	uint64_t ports = (uint64_t)k->lo_port << 16 | k->hi_port;
	uint64_t h = mix(k->lo[1] ^ t->seed, k->hi[1] ^ 0xa0761d6478bd642fu);

	if (k->flags & FLOW_V6)
		h ^= mix(k->lo[0] ^ t->seed, k->hi[0] ^ 0xe7037ed1a0b428dbu);
	h = mix(h ^ ports, t->seed ^ 0x8ebc6af09c88c6e3u);
	return &t->bucket[h & t->mask];
}

static bool same_key(const struct flow *a, const struct flow *b)
{
	return a->lo[1] == b->lo[1] && a->hi[1] == b->hi[1] && a->lo_port == b->lo_port &&
	    a->hi_port == b->hi_port && a->lo[0] == b->lo[0] && a->hi[0] == b->hi[0] &&
	    !((a->flags ^ b->flags) & FLOW_V6);
}

uint32_t flow_find(const struct flow_table *t, const struct flow *key)
{
	uint32_t link = *flow_bucket(t, key);

	while (link && !same_key(&t->flow[link - 1], key))
		link = t->flow[link - 1].next;
	return link - 1; /* no link: FLOW_NONE */
}

uint32_t flow_take(struct flow_table *t, uint32_t *bucket, const struct flow *key)
{
	uint32_t *link = bucket, at;

	while (*link && !same_key(&t->flow[*link - 1], key))
		link = &t->flow[*link - 1].next;
	at = *link;
	if (at && link != bucket) {
		*link = t->flow[at - 1].next;
		t->flow[at - 1].next = *bucket;
		*bucket = at;
	}
	return at - 1;
}

/* Both ends were heard of: a flood of packets with forged sources does not get there. */
static bool answered(const struct flow *f)
{
	return f->flags & FLOW_ESTABLISHED || (f->packets[0] && f->packets[1]);
}

uint64_t flow_worth(const struct flow *f, uint32_t now_s)
{
	uint64_t class = 2;

	if (f->flags & FLOW_CLOSED)
		class = 0;
	else if (f->app != APP_NONE)
		class = 3;
	else if (!answered(f) || now_s - f->seen_s > STALE_S)
		class = 1;
	return class << 32 | f->seen_s;
}

uint32_t flow_choose(struct flow_table *t, uint32_t now_s, bool *ret_evict)
{
	uint32_t best = t->hand, at;
	uint64_t least = UINT64_MAX, w;

	*ret_evict = false;
	/* further than usual where all that was met is worth keeping */
	for (int i = 0; i < CLOCK_LOOK || (i < CLOCK_FAR && least >> 32 >= 2); i++) {
		at = t->hand;
		t->hand = t->hand + 1 < t->size ? t->hand + 1 : 0;
		if (!(t->flow[at].flags & FLOW_IN_USE))
			return at;
		w = flow_worth(&t->flow[at], now_s);
		if (w < least) {
			least = w;
			best = at;
		}
	}
	*ret_evict = true;
	return best;
}

void flow_begin(struct flow_table *t, uint32_t at, const struct flow *key, int64_t ts_us)
{
	uint32_t *bucket = flow_bucket(t, key);
	struct flow *f = &t->flow[at];
	struct flow_more *m = &t->more[at];

	*f = *key;
	f->flags = FLOW_IN_USE | (key->flags & FLOW_V6);
	f->seen_s = (uint32_t)(ts_us / 1000000);
	f->base[0] = f->base[1] = 0;
	f->stage[0] = f->stage[1] = STAGE_NEW;
	f->packets[0] = f->packets[1] = 0;
	f->app = APP_NONE;
	f->has_facts = 0;
	f->next = *bucket;
	*bucket = at + 1;
	*m = (struct flow_more){ .id = t->next_id++, .first_us = ts_us, .facts = FLOW_NONE };
	m->stream[0] = m->stream[1] = UINT32_MAX;
	t->used++;
}

void flow_end(struct flow_table *t, uint32_t at)
{
	uint32_t *link = flow_bucket(t, &t->flow[at]);

	while (*link != at + 1)
		link = &t->flow[*link - 1].next;
	*link = t->flow[at].next;
	t->flow[at].flags = 0;
	t->used--;
}

void flow_addr(const struct flow *f, bool lo, struct netaddr *ret)
{
	const uint64_t *w = lo ? f->lo : f->hi;
	uint32_t v4 = (uint32_t)w[1];

	memset(ret, 0, sizeof(*ret));
	ret->v = f->flags & FLOW_V6 ? 6 : 4;
	if (ret->v == 6)
		memcpy(ret->b, w, 16);
	else
		memcpy(ret->b, &v4, 4);
}
