/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what observed hosts are asked for and ask for, that no rule allows */
#include "engine/watched.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cordon/flowspace.h>

enum { NIL = UINT32_MAX, CHOICES = 16 };

struct entry {
	struct watch_flow flow; /* host.v 0: free */
	uint32_t chain;
};

struct watched {
	uint8_t secret[crypto_shorthash_KEYBYTES];
	uint32_t size, hand, next_scanner;
	struct watch_stats stats;
	struct netaddr scanner[WATCH_SCANNERS]; /* v 0: none */
	uint32_t *head;
	struct entry *at;
};

struct watched *watched_new(uint32_t flows)
{
	struct watched *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->size = flows ? flows : WATCH_FLOWS;
	w->head = calloc(w->size, sizeof(*w->head));
	w->at = calloc(w->size, sizeof(*w->at));
	if (!w->head || !w->at) {
		watched_free(w);
		return NULL;
	}
	memset(w->head, 0xff, w->size * sizeof(*w->head));
	crypto_shorthash_keygen(w->secret);
	return w;
}

void watched_free(struct watched *w)
{
	if (!w)
		return;
	free(w->head);
	free(w->at);
	free(w);
}

static uint32_t *chain_of(struct watched *w, const struct watch_flow *f)
{
	struct {
		struct netaddr host, peer;
		uint8_t dir, proto;
		uint16_t port;
	} key;
	uint64_t h;

	memset(&key, 0, sizeof(key));
	key.host = f->host;
	key.peer = f->peer;
	key.dir = f->dir;
	key.proto = f->proto;
	key.port = f->port;
	crypto_shorthash((uint8_t *)&h, (const uint8_t *)&key, sizeof(key), w->secret);
	return &w->head[h % w->size];
}

static bool same(const struct watch_flow *a, const struct watch_flow *b)
{
	return a->dir == b->dir && a->proto == b->proto && a->port == b->port &&
	       netaddr_cmp(&a->host, &b->host) == 0 &&
	       netaddr_cmp(&a->peer, &b->peer) == 0;
}

static struct entry *find(struct watched *w, const struct watch_flow *f)
{
	uint32_t i = *chain_of(w, f);

	while (i != NIL && !same(&w->at[i].flow, f))
		i = w->at[i].chain;
	return i == NIL ? NULL : &w->at[i];
}

/* Who opened it. */
static const struct netaddr *client(const struct watch_flow *f)
{
	return f->dir == FS_IN ? &f->peer : &f->host;
}

bool watched_is_scanner(const struct watched *w, const struct netaddr *source)
{
	for (uint32_t i = 0; i < WATCH_SCANNERS && w->scanner[i].v; i++)
		if (netaddr_cmp(&w->scanner[i], source) == 0)
			return true;
	return false;
}

void watched_scanner(struct watched *w, const struct netaddr *source)
{
	if (watched_is_scanner(w, source))
		return;
	w->scanner[w->next_scanner] = *source;
	w->next_scanner = (w->next_scanner + 1) % WATCH_SCANNERS;
}

/* Whether a gives way before b. */
static bool lesser(const struct watched *w, const struct entry *a, const struct entry *b)
{
	bool scan_a = watched_is_scanner(w, client(&a->flow));
	bool scan_b = watched_is_scanner(w, client(&b->flow));

	if (scan_a != scan_b)
		return scan_a;
	if (a->flow.count != b->flow.count)
		return a->flow.count < b->flow.count;
	return a->flow.last_us < b->flow.last_us;
}

static void forget(struct watched *w, struct entry *e)
{
	uint32_t *link = chain_of(w, &e->flow);

	while (*link != (uint32_t)(e - w->at))
		link = &w->at[*link].chain;
	*link = e->chain;
	w->stats.flows--;
	w->stats.forgotten++;
	w->stats.forgotten_packets += e->flow.count;
}

static struct entry *place(struct watched *w)
{
	struct entry *best = NULL;

	for (int i = 0; i < CHOICES; i++) {
		struct entry *e = &w->at[w->hand];

		w->hand = (w->hand + 1) % w->size;
		if (!e->flow.host.v)
			return e;
		if (!best || lesser(w, e, best))
			best = e;
	}
	forget(w, best);
	return best;
}

void watched_restore(struct watched *w, const struct watch_flow *f)
{
	struct entry *e = place(w);
	uint32_t *head = chain_of(w, f);

	e->flow = *f;
	e->chain = *head;
	*head = (uint32_t)(e - w->at);
	w->stats.flows++;
}

static void merge(struct watch_flow *old, const struct watch_flow *f)
{
	old->count += f->count;
	if (f->first_us < old->first_us)
		old->first_us = f->first_us;
	if (f->last_us > old->last_us)
		old->last_us = f->last_us;
	old->middle = old->middle && f->middle;
	if (f->why > old->why) {
		old->why = f->why;
		memcpy(old->guard, f->guard, sizeof(old->guard));
	}
}

void watched_add(struct watched *w, const struct watch_flow *f)
{
	struct entry *e = find(w, f);

	if (e)
		merge(&e->flow, f);
	else
		watched_restore(w, f);
}

void watched_each(const struct watched *w,
    void (*f)(void *arg, const struct watch_flow *flow), void *arg)
{
	for (uint32_t i = 0; i < w->size; i++) {
		struct watch_flow flow = w->at[i].flow;

		if (!flow.host.v)
			continue;
		if (flow.why == WATCH_PLAIN && watched_is_scanner(w, client(&flow)))
			flow.why = WATCH_SCAN;
		f(arg, &flow);
	}
}

void watched_stats(const struct watched *w, struct watch_stats *ret)
{
	*ret = w->stats;
}

void watched_restore_stats(struct watched *w, const struct watch_stats *s)
{
	w->stats.forgotten = s->forgotten;
	w->stats.forgotten_packets = s->forgotten_packets;
}

const struct netaddr *watched_scanners(const struct watched *w)
{
	return w->scanner;
}
