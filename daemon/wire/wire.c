/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: packets in, sightings out: the one entry of the sensor and the CLI */
#include "wire/wire.h"

#include <stdlib.h>
#include <string.h>

#include "wire/follow.h"

enum { PROTO_TCP = 6 };

static uint32_t or_default(uint32_t n, uint32_t dflt)
{
	return n ? n : dflt;
}

struct wire *wire_new(const struct wire_conf *conf)
{
	static const struct wire_conf none;
	struct wire *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	conf = conf ? conf : &none;
	w->view = &w->ahead[0].view;
	w->facts_size = or_default(conf->facts, 8192);
	w->facts = calloc(w->facts_size, sizeof(w->facts[0]));
	w->streams = stream_pool_new(or_default(conf->streams, 1024));
	w->frags = frag_pool_new(or_default(conf->frags, 32));
	if (flow_table_init(&w->flows, or_default(conf->flows, 131072), conf->seed,
		conf->huge_pages) < 0 ||
	    !w->facts || !w->streams || !w->frags) {
		wire_free(w);
		return NULL;
	}
	return w;
}

void wire_free(struct wire *w)
{
	if (!w)
		return;
	flow_table_fini(&w->flows);
	stream_pool_free(w->streams);
	frag_pool_free(w->frags);
	free(w->facts);
	free(w);
}

void wire_set_tap(struct wire *w, const struct wire_tap *tap)
{
	w->tap = *tap;
}

static uint32_t flow_new(struct wire *w, const struct flow *key, int64_t ts_us)
{
	bool evict;
	uint32_t at = flow_choose(&w->flows, (uint32_t)(ts_us / 1000000), &evict);

	if (evict) {
		follow_release(w, at);
		flow_end(&w->flows, at);
		w->stats.flows_evicted++;
	}
	flow_begin(&w->flows, at, key, ts_us);
	w->stats.flows++;
	return at;
}

/* The base of a direction is known from the handshake. */
static void start_at(struct flow *f, int dir, uint32_t seq)
{
	if (f->stage[dir] != STAGE_NEW)
		return;
	f->base[dir] = seq;
	f->stage[dir] = STAGE_OPEN;
	f->flags |= (uint16_t)(FLOW_START_0 << dir);
}

static void client_is(struct flow *f, int dir)
{
	if (f->flags & FLOW_CLIENT_KNOWN)
		return;
	f->flags |= FLOW_CLIENT_KNOWN | (dir == 0 ? FLOW_CLIENT_LO : 0);
}

static bool from_client(const struct flow *f, int dir)
{
	return f->flags & FLOW_CLIENT_KNOWN &&
	    (dir == 0) == ((f->flags & FLOW_CLIENT_LO) != 0);
}

/* The client acknowledges exactly what the server sent: who only claims its address does
 * not see the server's number, and guesses it once in 2^32. */
static bool completes(const struct flow *f, int dir, const struct pkt_view *v)
{
	return f->flags & FLOW_SYNACK && from_client(f, dir) &&
	    (v->tcp_flags & (TCP_SYN | TCP_RST | TCP_ACK)) == TCP_ACK &&
	    v->ack == f->base[!dir];
}

/* SYN, SYN-ACK, the first ACK, and the end. */
static void handshake(struct wire *w, uint32_t at, int dir)
{
	struct flow *f = &w->flows.flow[at];
	const struct pkt_view *v = w->view;

	if (v->tcp_flags & (TCP_FIN | TCP_RST))
		f->flags |= FLOW_CLOSED;
	if (!(v->tcp_flags & TCP_SYN)) {
		if (completes(f, dir, v))
			f->flags |= FLOW_ESTABLISHED;
		return;
	}
	start_at(f, dir, v->seq + 1);
	if (v->tcp_flags & TCP_ACK) {
		client_is(f, !dir);
		start_at(f, !dir, v->ack);
		if (!from_client(f, dir) && v->ack == f->base[!dir] && f->flags & FLOW_SYN)
			f->flags |= FLOW_SYNACK;
		return;
	}
	client_is(f, dir);
	if (!(f->flags & FLOW_SYN))
		w->flows.more[at].isn = v->seq;
	f->flags |= FLOW_SYN;
}

/* A SYN that is no repetition: the ports are used again. */
static bool begins_anew(const struct wire *w, uint32_t at)
{
	const struct flow *f = &w->flows.flow[at];
	const struct pkt_view *v = w->view;

	if ((v->tcp_flags & (TCP_SYN | TCP_ACK)) != TCP_SYN)
		return false;
	if (f->flags & FLOW_SYN)
		return v->seq != w->flows.more[at].isn;
	return (f->packets[0] | f->packets[1]) != 0;
}

static void report(const struct wire *w, uint32_t at, int64_t ts_us, uint32_t news,
    struct sighting *ret)
{
	const struct flow *f = &w->flows.flow[at];
	const struct flow_more *m = &w->flows.more[at];
	bool lo_client = f->flags & FLOW_CLIENT_KNOWN ? f->flags & FLOW_CLIENT_LO
						       : f->lo_port > f->hi_port;

	memset(ret, 0, offsetof(struct sighting, facts)); /* padding too: it is sent */
	ret->flow_id = m->id;
	ret->news = news;
	ret->first_us = m->first_us;
	ret->last_us = ts_us;
	flow_addr(f, lo_client, &ret->client);
	flow_addr(f, !lo_client, &ret->server);
	ret->client_port = lo_client ? f->lo_port : f->hi_port;
	ret->server_port = lo_client ? f->hi_port : f->lo_port;
	ret->tcp_handshake = (f->flags & FLOW_ESTABLISHED) != 0;
	ret->midstream = (f->flags & FLOW_SYN) == 0;
	ret->facts = w->facts[m->facts].facts;
}

static void locate(const struct wire *w, struct ahead *a)
{
	flow_key(&a->view, &a->key, &a->dir);
	a->bucket = flow_bucket(&w->flows, &a->key);
}

static bool take_tcp(struct wire *w, int64_t ts_us, struct sighting *ret)
{
	const struct pkt_view *v = w->view;
	struct ahead *a = &w->ahead[w->ahead_at - 1];
	uint32_t at, news;
	bool syn = v->tcp_flags & TCP_SYN;
	int dir;

	if (!a->bucket)
		locate(w, a);
	dir = a->dir;
	at = flow_take(&w->flows, a->bucket, &a->key);
	if (at != FLOW_NONE && begins_anew(w, at)) {
		follow_release(w, at);
		flow_end(&w->flows, at);
		at = FLOW_NONE;
	}
	if (at == FLOW_NONE) {
		if (!syn && v->payload_len == 0)
			return false;
		at = flow_new(w, &a->key, ts_us);
		w->flows.flow[at].flags |= dir ? FLOW_FIRST_HI : 0;
	}
	w->last = at;
	w->last_dir = dir;
	w->flows.flow[at].seen_s = (uint32_t)(ts_us / 1000000);
	handshake(w, at, dir);
	if (w->flows.flow[at].flags & (dir ? FLOW_WAITS_0 : FLOW_WAITS_1) &&
	    v->tcp_flags & TCP_ACK)
		follow_ack(w, at, dir, v->ack);
	if (v->payload_len == 0)
		return false;
	news = follow_payload(w, at, dir, v->seq + syn);
	if (news == 0 || w->flows.flow[at].app == APP_NONE ||
	    w->flows.more[at].facts == FLOW_NONE)
		return false;
	report(w, at, ts_us, news, ret);
	return true;
}

static void count_failure(struct wire_stats *s, enum decode how)
{
	switch (how) {
	case DECODE_OK:
	case DECODE_FRAGMENT:
		break;
	case DECODE_NOT_IP:
		s->not_ip++;
		break;
	case DECODE_MALFORMED:
		s->malformed++;
		break;
	case DECODE_SHORT:
		s->cut++;
		break;
	case DECODE_LINKTYPE:
		s->unknown_link++;
		break;
	}
}

/* Decoding touches the packet's bytes, looking it up two cold places of the table: done
 * for some packets together, the memory answers for all of them at once. */
void wire_ahead(struct wire *w, const struct pkt_in *in, unsigned n)
{
	w->ahead_at = 0;
	w->ahead_n = n < WIRE_AHEAD ? n : WIRE_AHEAD;
	for (unsigned i = 0; i < w->ahead_n; i++) { /* headers and first payload */
		__builtin_prefetch(in[i].bytes);
		if (in[i].caplen > 64)
			__builtin_prefetch(in[i].bytes + 64);
	}
	for (unsigned i = 0; i < w->ahead_n; i++) {
		struct ahead *a = &w->ahead[i];

		a->bytes = in[i].bytes;
		a->how = decode_packet(&in[i], &a->view);
		a->bucket = NULL;
		if (a->how != DECODE_OK || a->view.proto != PROTO_TCP)
			continue;
		locate(w, a);
		__builtin_prefetch(a->bucket);
	}
	for (unsigned i = 0; i < w->ahead_n; i++)
		if (w->ahead[i].bucket && *w->ahead[i].bucket)
			__builtin_prefetch(&w->flows.flow[*w->ahead[i].bucket - 1]);
}

static void view_next(struct wire *w, const struct pkt_in *in)
{
	if (w->ahead_at >= w->ahead_n || w->ahead[w->ahead_at].bytes != in->bytes)
		wire_ahead(w, in, 1);
	w->view = &w->ahead[w->ahead_at].view;
	w->how = w->ahead[w->ahead_at].how;
	w->ahead_at++;
}

bool wire_packet(struct wire *w, const struct pkt_in *in, struct sighting *ret)
{
	struct pkt_view *v;

	w->stats.packets++;
	w->stats.bytes += in->len;
	w->last = FLOW_NONE;
	view_next(w, in);
	v = w->view;
	if (w->how == DECODE_FRAGMENT && frag_add(w->frags, v, in->ts_us)) {
		v->frag = (struct pkt_frag){ .id = 0 };
		w->how = decode_transport(v);
		if (w->how == DECODE_FRAGMENT) /* a fragment of a fragment */
			w->how = DECODE_MALFORMED;
	}
	if (w->how != DECODE_OK) {
		count_failure(&w->stats, w->how);
		return false;
	}
	if (v->proto != PROTO_TCP)
		return false;
	w->stats.tcp++;
	return take_tcp(w, in->ts_us, ret);
}

const struct pkt_view *wire_view(const struct wire *w, enum decode *ret_how)
{
	*ret_how = w->how;
	return w->view;
}

bool wire_handshake(const struct wire *w, const struct pkt_view *v)
{
	struct flow key;
	uint32_t at;
	int dir;

	if (v->proto != PROTO_TCP || !v->src.v)
		return false;
	flow_key(v, &key, &dir);
	at = flow_find(&w->flows, &key);
	return at != FLOW_NONE && (w->flows.flow[at].flags & FLOW_ESTABLISHED ||
				      completes(&w->flows.flow[at], dir, v));
}

bool wire_flow(const struct wire *w, uint64_t *ret_id, bool *ret_to_client)
{
	const struct flow *f;
	bool client_lo;

	if (w->last == FLOW_NONE)
		return false;
	f = &w->flows.flow[w->last];
	client_lo = f->flags & FLOW_CLIENT_KNOWN ? (f->flags & FLOW_CLIENT_LO) != 0
						 : !(f->flags & FLOW_FIRST_HI);
	if (ret_id)
		*ret_id = w->flows.more[w->last].id;
	*ret_to_client = client_lo == (w->last_dir != 0);
	return true;
}

void wire_get_stats(const struct wire *w, struct wire_stats *ret)
{
	const struct stream_stats *s = stream_pool_stats(w->streams);
	const struct frag_stats *f = frag_pool_stats(w->frags);

	*ret = w->stats;
	ret->streams_evicted = s->evicted;
	ret->conflicts = s->conflicts;
	ret->fragments = f->fragments;
	ret->datagrams = f->datagrams;
	ret->frags_dropped = f->dropped;
}
