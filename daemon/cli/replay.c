/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the connections of a capture: who opened them, how much they carried */
#include "cli/replay.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "wire/decode.h"
#include "wire/facts.h"

/* Both directions of a connection have the same key: the smaller end first. */
struct key {
	struct netaddr addr[2];
	uint16_t port[2];
	uint8_t proto;
};
_Static_assert(sizeof(struct key) % sizeof(uint64_t) == 0, "hashed by words");

struct replay {
	struct replay_flow *flow;
	struct key *key; /* beside each flow */
	size_t n, cap;
	uint32_t *slot; /* open hash of flow indexes + 1; the newest of a key */
	size_t mask;
	uint64_t seed[2]; /* who wrote the capture does not choose the slots */
	size_t last; /* flow of the packet counted last */
	bool reply;  /* and its direction */
	unsigned end;
	size_t before; /* flow of its key before that one */
};

enum { FIRST_SLOTS = 1024 };

struct replay *replay_new(void)
{
	struct replay *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->mask = FIRST_SLOTS - 1;
	r->slot = calloc(FIRST_SLOTS, sizeof(*r->slot));
	if (!r->slot || getrandom(r->seed, sizeof(r->seed), 0) != sizeof(r->seed)) {
		replay_free(r);
		return NULL;
	}
	return r;
}

void replay_free(struct replay *r)
{
	if (!r)
		return;
	free(r->flow);
	free(r->key);
	free(r->slot);
	free(r);
}

static struct key key_of(const struct netaddr *src, uint16_t sport,
    const struct netaddr *dst, uint16_t dport, uint8_t proto)
{
	int cmp = netaddr_cmp(src, dst);
	bool swap = cmp > 0 || (cmp == 0 && sport > dport);
	struct key k;

	memset(&k, 0, sizeof(k)); /* it is compared as bytes */
	k.addr[swap] = *src;
	k.addr[!swap] = *dst;
	k.port[swap] = sport;
	k.port[!swap] = dport;
	k.proto = proto;
	return k;
}

static size_t hash(const struct replay *r, const struct key *k)
{
	uint64_t word[sizeof(*k) / sizeof(uint64_t)], h = r->seed[0];

	memcpy(word, k, sizeof(word));
	for (size_t i = 0; i < sizeof(word) / sizeof(word[0]); i++) {
		unsigned __int128 p = (unsigned __int128)(h ^ word[i]) * (r->seed[1] | 1);

		h = (uint64_t)p ^ (uint64_t)(p >> 64);
	}
	return (size_t)h;
}

/* The slot of a key: its own, or the free one where it would go. */
static uint32_t *slot_of(const struct replay *r, const struct key *k)
{
	size_t at = hash(r, k) & r->mask;

	while (r->slot[at] && memcmp(&r->key[r->slot[at] - 1], k, sizeof(*k)) != 0)
		at = (at + 1) & r->mask;
	return &r->slot[at];
}

static int grow_slots(struct replay *r)
{
	size_t slots = 2 * (r->mask + 1);
	uint32_t *bigger = calloc(slots, sizeof(*bigger));

	if (!bigger)
		return -1;
	free(r->slot);
	r->slot = bigger;
	r->mask = slots - 1;
	/* in order, so that the newest flow of a key stays */
	for (size_t i = 0; i < r->n; i++)
		*slot_of(r, &r->key[i]) = (uint32_t)i + 1;
	return 0;
}

static struct replay_flow *add(struct replay *r, const struct key *k)
{
	if (r->n == r->cap) {
		size_t cap = r->cap ? 2 * r->cap : 256;
		struct replay_flow *f = reallocarray(r->flow, cap, sizeof(*f));
		struct key *keys;

		if (!f)
			return NULL;
		r->flow = f;
		keys = reallocarray(r->key, cap, sizeof(*keys));
		if (!keys)
			return NULL;
		r->key = keys;
		r->cap = cap;
	}
	if (2 * r->n > r->mask && grow_slots(r) < 0)
		return NULL;
	r->key[r->n] = *k;
	*slot_of(r, k) = (uint32_t)r->n + 1;
	memset(&r->flow[r->n], 0, sizeof(r->flow[0]));
	return &r->flow[r->n++];
}

/* Types that ask, and what answers them. */
static const struct {
	uint8_t proto, ask, answer;
} icmp_queries[] = {
    {IPPROTO_ICMP, 8, 0},   /* echo */
    {IPPROTO_ICMP, 13, 14}, /* timestamp */
    {IPPROTO_ICMP, 15, 16}, /* information */
    {IPPROTO_ICMP, 17, 18}, /* address mask */
    {IPPROTO_ICMPV6, 128, 129},
};

/* Errors belong to the connection they speak of, discovery stays on the link. */
static bool icmp_ends(const struct pkt_view *v, uint16_t *ret_type, bool *ret_answer)
{
	for (size_t i = 0; i < sizeof(icmp_queries) / sizeof(icmp_queries[0]); i++) {
		if (icmp_queries[i].proto != v->proto)
			continue;
		if (v->icmp_type == icmp_queries[i].ask ||
		    v->icmp_type == icmp_queries[i].answer) {
			*ret_type = icmp_queries[i].ask;
			*ret_answer = v->icmp_type == icmp_queries[i].answer;
			return true;
		}
	}
	*ret_type = v->icmp_type;
	*ret_answer = false;
	if (v->proto == IPPROTO_ICMP)
		return v->icmp_type == 5 || v->icmp_type > 12;
	return v->icmp_type > 4 && (v->icmp_type < 130 || v->icmp_type > 143);
}

static void set_ends(struct replay_flow *f, const struct pkt_view *v, bool reversed)
{
	f->src = reversed ? v->dst : v->src;
	f->dst = reversed ? v->src : v->dst;
	f->sport = reversed ? v->dport : v->sport;
	f->dport = reversed ? v->sport : v->dport;
}

int replay_packet(
    struct replay *r, const struct pkt_view *v, int64_t ts_us, uint32_t wire_len)
{
	bool icmp = v->proto == IPPROTO_ICMP || v->proto == IPPROTO_ICMPV6;
	uint8_t syn = v->proto == IPPROTO_TCP ? v->tcp_flags & (TCP_SYN | TCP_ACK) : 0;
	uint16_t type = 0;
	bool answer = syn == (TCP_SYN | TCP_ACK), opens = syn == TCP_SYN;
	struct replay_flow *f;
	struct key k;
	uint32_t at;

	if (icmp && !icmp_ends(v, &type, &answer))
		return 1;
	k = icmp ? key_of(&v->src, type, &v->dst, type, v->proto)
		 : key_of(&v->src, v->sport, &v->dst, v->dport, v->proto);
	at = *slot_of(r, &k);
	f = at ? &r->flow[at - 1] : NULL;
	r->before = at ? (size_t)at - 1 : SIZE_MAX;
	r->end = v->sport != k.port[0] || netaddr_cmp(&v->src, &k.addr[0]) != 0;
	if (!f || (opens && f->closed)) {
		f = add(r, &k);
		if (!f)
			return -1;
		f->proto = v->proto;
		f->first_us = ts_us;
		set_ends(f, v, answer);
		f->opened = v->proto != IPPROTO_TCP || opens || answer;
		if (icmp)
			f->dport = type;
	} else if (opens && !f->opened) {
		set_ends(f, v, false);
		f->opened = true;
	}
	if (v->proto == IPPROTO_TCP && v->tcp_flags & (TCP_FIN | TCP_RST))
		f->closed = true;
	f->packets++;
	f->bytes += wire_len;
	r->last = (size_t)(f - r->flow);
	r->reply = (v->sport != f->sport || netaddr_cmp(&v->src, &f->src) != 0) != f->turned;
	return 0;
}

void replay_spoken(struct replay *r, const struct sighting *s)
{
	struct key k =
	    key_of(&s->client, s->client_port, &s->server, s->server_port, IPPROTO_TCP);
	uint32_t at = *slot_of(r, &k);
	struct replay_flow *f;

	if (!at)
		return;
	f = &r->flow[at - 1];
	r->last = at - 1;
	if (f->app == APP_NONE) {
		f->spoken_us = s->last_us;
		f->spoken_at = f->packets;
	}
	f->app = s->facts.app;
	f->confidence = s->facts.confidence;
	if (f->opened)
		return;
	/* The dialogue tells who is the client better than who spoke first. */
	f->turned ^= f->sport != s->client_port ||
		     netaddr_cmp(&f->src, &s->client) != 0;
	f->src = s->client;
	f->sport = s->client_port;
	f->dst = s->server;
	f->dport = s->server_port;
}

size_t replay_last(const struct replay *r, bool *ret_reply)
{
	if (ret_reply)
		*ret_reply = r->reply;
	return r->last;
}

unsigned replay_last_end(const struct replay *r)
{
	return r->end;
}

size_t replay_last_before(const struct replay *r)
{
	return r->before;
}

size_t replay_count(const struct replay *r)
{
	return r->n;
}

const struct replay_flow *replay_flow(const struct replay *r, size_t i)
{
	return &r->flow[i];
}
