/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: connections that were asked for and never came about, in a table of fixed size */
#include "sensor/halfopen.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "wire/decode.h"

struct halfopens {
	uint64_t seed;
	uint32_t used, hand; /* hand: where the search for what is over goes on */
	struct {
		struct halfopen of;
		bool used;
	} slot[HALFOPEN_SLOTS];
};

struct halfopens *halfopen_new(uint64_t seed)
{
	struct halfopens *h = calloc(1, sizeof(*h));

	if (h)
		h->seed = seed;
	return h;
}

void halfopen_free(struct halfopens *h)
{
	free(h);
}

static uint64_t mix(uint64_t h, const uint8_t *at, size_t len)
{
	uint64_t word;

	for (; len >= sizeof(word); at += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		h = (h ^ word) * 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
	}
	return h;
}

static uint32_t place(const struct halfopens *h, const struct pkt_view *v)
{
	uint64_t x = h->seed ^ ((uint64_t)v->sport << 16 | v->dport);

	x = mix(x * 0x9e3779b97f4a7c15u, v->src.b, sizeof(v->src.b));
	x = mix(x, v->dst.b, sizeof(v->dst.b));
	return (uint32_t)(x >> 40) % HALFOPEN_SLOTS;
}

static bool is_of(const struct halfopen *o, const struct pkt_view *v)
{
	return o->sport == v->sport && o->dport == v->dport &&
	       netaddr_cmp(&o->src, &v->src) == 0 && netaddr_cmp(&o->dst, &v->dst) == 0;
}

static void asked(struct halfopens *h, uint32_t at, const struct pkt_view *v, int64_t ts_us)
{
	if (h->slot[at].used && is_of(&h->slot[at].of, v))
		return; /* again: the first counts */
	h->used += !h->slot[at].used;
	h->slot[at].used = true;
	h->slot[at].of = (struct halfopen){ .src = v->src, .dst = v->dst,
		.sport = v->sport, .dport = v->dport, .ts_us = ts_us };
}

void halfopen_packet(struct halfopens *h, const struct pkt_view *v, int64_t ts_us)
{
	uint8_t flags = v->tcp_flags & (TH_SYN | TH_ACK | TH_RST);
	uint32_t at;

	if (v->proto != IPPROTO_TCP || (flags != TH_SYN && (flags != TH_ACK || h->used == 0)))
		return;
	at = place(h, v);
	if (flags == TH_SYN) {
		asked(h, at, v, ts_us);
	} else if (h->slot[at].used && is_of(&h->slot[at].of, v)) {
		h->slot[at].used = false; /* its sender goes on: it is one */
		h->used--;
	}
}

bool halfopen_take(struct halfopens *h, int64_t now_us, struct halfopen *ret)
{
	for (uint32_t i = 0; i < HALFOPEN_SLOTS && h->used > 0; i++) {
		uint32_t at = h->hand;

		h->hand = (h->hand + 1) % HALFOPEN_SLOTS;
		if (!h->slot[at].used ||
		    now_us - h->slot[at].of.ts_us < HALFOPEN_WAIT_US)
			continue;
		*ret = h->slot[at].of;
		h->slot[at].used = false;
		h->used--;
		return true;
	}
	return false;
}
