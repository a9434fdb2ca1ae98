/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: packets in, sightings out: the one entry of the sensor and the CLI */
#include "wire/wire.h"

#include <stdlib.h>
#include <string.h>

#include "wire/follow.h"
#include "wire/tunnel.h"

enum { PROTO_TCP = 6, TUNNELS_MAX = 4 };

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
	w->tunnels = conf->tunnels;
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
	struct flow_more *m = &w->flows.more[at];
	const struct pkt_view *v = w->view;

	if (v->tcp_flags & (TCP_FIN | TCP_RST)) {
		f->flags |= FLOW_CLOSED;
		m->ends |= (uint8_t)(MORE_ENDED << dir);
	}
	if (!(v->tcp_flags & TCP_SYN)) {
		if (completes(f, dir, v))
			f->flags |= FLOW_ESTABLISHED;
		return;
	}
	/* a client that answers would tell us the numbers of its server */
	if (v->tcp_flags & TCP_ACK && from_client(f, dir))
		return;
	start_at(f, dir, v->seq + 1);
	if (v->tcp_flags & TCP_ACK) {
		client_is(f, !dir);
		start_at(f, !dir, v->ack);
		if (f->flags & FLOW_SYN && (v->ack == f->base[!dir] || v->ack == m->isn + 1))
			f->flags |= FLOW_SYNACK;
		return;
	}
	if (m->ends & MORE_ASKED << dir)
		return;
	client_is(f, dir);
	if (!(f->flags & FLOW_SYN)) {
		m->isn = v->seq;
		f->flags |= v->payload_len ? FLOW_SYN_BYTES : 0;
	}
	f->flags |= FLOW_SYN;
}

/* Whether the SYN is that of the flow, or the one to which what was seen was the answer. */
static bool repeats(const struct flow *f, const struct flow_more *m, int dir,
    const struct pkt_view *v)
{
	if (f->flags & FLOW_SYN)
		return v->seq == m->isn;
	return (f->packets[0] | f->packets[1]) == 0 && from_client(f, dir) &&
	    v->seq + 1 == f->base[dir];
}

/* A SYN that is no repetition: the ports are used again.  Of a connection whose other end
 * was heard and has not ended it that is only true once that end answers the SYN: else
 * whoever sends one in the middle would make us forget where the stream is. */
static bool begins_anew(struct wire *w, uint32_t at, int dir)
{
	const struct flow *f = &w->flows.flow[at];
	struct flow_more *m = &w->flows.more[at];
	const struct pkt_view *v = w->view;

	if (v->tcp_flags & TCP_ACK)
		return m->ends & MORE_ASKED << !dir && v->ack == m->asked + 1;
	if (repeats(f, m, dir, v))
		return false;
	if (m->ends & MORE_ENDED << !dir || !(f->packets[!dir] || f->flags & FLOW_SYNACK))
		return true;
	m->asked = v->seq;
	m->ends |= (uint8_t)(MORE_ASKED << dir);
	return false;
}

/* What an answered SYN had told. */
static void asked_before(struct wire *w, uint32_t at)
{
	w->flows.flow[at].flags |= FLOW_SYN;
	w->flows.more[at].isn = w->view->ack - 1;
}

/* Whether the host reads what the packet carries: not what comes with a reset, nor with a
 * SYN that opens nothing, which it throws away and we must not take for the stream. */
static bool is_read(const struct flow *f, int dir, const struct pkt_view *v)
{
	if (!(v->tcp_flags & (TCP_SYN | TCP_RST)))
		return true;
	if (v->tcp_flags & TCP_RST || f->packets[dir])
		return false;
	return v->tcp_flags & TCP_ACK ? !from_client(f, dir) : !(f->flags & FLOW_SYNACK);
}

/* Bytes that came with the SYN come again: the server did not take them then (RFC 7413
 * section 3), and what it reads are these.  Where others overtook them, what was made of the
 * first is kept, if anything was. */
static bool again_without_syn(const struct flow *f, const struct flow_more *m, int dir,
    const struct pkt_view *v)
{
	return f->flags & FLOW_SYN_BYTES && !(v->tcp_flags & (TCP_SYN | TCP_RST)) &&
	    v->payload_len > 0 && from_client(f, dir) && v->seq == m->isn + 1 &&
	    (f->app == APP_NONE || f->packets[dir] == 1);
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
	if (m->facts == FLOW_NONE)
		memset(&ret->facts, 0, sizeof(ret->facts));
	else
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
	uint32_t at, news = 0;
	bool syn = v->tcp_flags & TCP_SYN, anew;
	int dir;

	if (!a->bucket)
		locate(w, a);
	dir = a->dir;
	at = flow_take(&w->flows, a->bucket, &a->key);
	anew = syn && at != FLOW_NONE && begins_anew(w, at, dir);
	if (anew) {
		follow_release(w, at);
		flow_end(&w->flows, at);
		at = FLOW_NONE;
	}
	if (at == FLOW_NONE) {
		if (!syn && v->payload_len == 0)
			return false;
		at = flow_new(w, &a->key, ts_us);
		w->flows.flow[at].flags |= dir ? FLOW_FIRST_HI : 0;
		if (anew && v->tcp_flags & TCP_ACK)
			asked_before(w, at);
	}
	w->last = at;
	w->last_dir = dir;
	w->flows.flow[at].seen_s = (uint32_t)(ts_us / 1000000);
	handshake(w, at, dir);
	if (w->flows.flow[at].flags & (dir ? FLOW_WAITS_0 : FLOW_WAITS_1) &&
	    v->tcp_flags & TCP_ACK)
		news = follow_ack(w, at, dir, v->ack);
	if (again_without_syn(&w->flows.flow[at], &w->flows.more[at], dir, v))
		follow_restart(w, at, dir, v->seq);
	if (v->payload_len > 0 && is_read(&w->flows.flow[at], dir, v))
		news |= follow_payload(w, at, dir, v->seq + syn);
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

/* A datagram put together, its pieces being at hand. */
static void put_together(struct wire *w)
{
	struct pkt_view *v = w->view;

	if (!frag_add(w->frags, v, w->ts_us))
		return;
	v->frag = (struct pkt_frag){ .id = 0 };
	w->how = decode_transport(v);
	if (w->how == DECODE_FRAGMENT) /* a fragment of a fragment */
		w->how = DECODE_MALFORMED;
}

/* Fragments, and what is in tunnels, which may be fragments again. */
static void unwrap(struct wire *w)
{
	for (int depth = 0;; depth++) {
		if (w->how == DECODE_FRAGMENT)
			put_together(w);
		if (w->how != DECODE_OK || !w->tunnels || depth == TUNNELS_MAX ||
		    !tunnel_enter(w->view, &w->how))
			return;
		w->stats.tunnelled += depth == 0;
	}
}

bool wire_packet(struct wire *w, const struct pkt_in *in, struct sighting *ret)
{
	struct pkt_view *v;

	w->stats.packets++;
	w->stats.bytes += in->len;
	w->last = FLOW_NONE;
	w->ts_us = in->ts_us;
	view_next(w, in);
	v = w->view;
	if (w->how == DECODE_FRAGMENT || v->proto != PROTO_TCP)
		unwrap(w);
	if (w->how != DECODE_OK) {
		count_failure(&w->stats, w->how);
		return false;
	}
	if (v->proto != PROTO_TCP)
		return false;
	w->stats.tcp++;
	return take_tcp(w, in->ts_us, ret);
}

bool wire_finish(struct wire *w, struct sighting *ret)
{
	uint32_t owner, at, news;

	memset(&w->ahead[0].view, 0, sizeof(w->ahead[0].view)); /* of no packet */
	w->view = &w->ahead[0].view;
	w->ahead_n = 0;
	while (stream_oldest(w->streams, &owner)) {
		at = owner / 2;
		news = follow_finish(w, at, owner & 1);
		if (news == 0 || w->flows.flow[at].app == APP_NONE ||
		    w->flows.more[at].facts == FLOW_NONE)
			continue;
		w->last = at;
		w->last_dir = owner & 1;
		report(w, at, w->ts_us, news, ret);
		return true;
	}
	return false;
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

bool wire_known(const struct wire *w, struct sighting *ret)
{
	if (w->last == FLOW_NONE)
		return false;
	report(w, w->last, w->ts_us, 0, ret);
	return true;
}

enum app wire_app(const struct wire *w)
{
	return w->last == FLOW_NONE ? APP_NONE : (enum app)w->flows.flow[w->last].app;
}

bool wire_opened(const struct wire *w)
{
	return w->last != FLOW_NONE &&
	    w->flows.flow[w->last].flags & (FLOW_SYN | FLOW_SYNACK);
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
