/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the bytes of a flow in order, to the recognisers, message by message */
#include "wire/follow.h"

enum { EARLY_PACKETS = 8, STUCK_MAX = 4, FACTS_LOOK = 16 };

static uint16_t flag_of(int dir, uint16_t flag_of_0)
{
	return (uint16_t)(flag_of_0 << dir); /* FLOW_*_1 follows FLOW_*_0 */
}

static void stream_drop(struct wire *w, uint32_t at, int dir)
{
	struct flow_more *m = &w->flows.more[at];

	if (m->stream[dir] == STREAM_NONE)
		return;
	stream_release(w->streams, m->stream[dir]);
	m->stream[dir] = STREAM_NONE;
	m->stuck[dir] = 0;
	w->flows.flow[at].flags &= (uint16_t)~flag_of(dir, FLOW_WAITS_0);
}

/* Stop following in order; SMB may still be found at the start of a packet. */
static void give_up_order(struct wire *w, uint32_t at, int dir)
{
	stream_drop(w, at, dir);
	w->flows.flow[at].stage[dir] = STAGE_SCAN;
}

/* A buffer from base[dir] on; its last owner goes on without. */
static uint32_t stream_get(struct wire *w, uint32_t at, int dir)
{
	struct flow *f = &w->flows.flow[at];
	struct flow_more *m = &w->flows.more[at];
	uint32_t evicted;

	if (m->stream[dir] != STREAM_NONE)
		return m->stream[dir];
	m->stream[dir] = stream_take(w->streams, at * 2 + (uint32_t)dir, f->base[dir], &evicted);
	f->flags |= flag_of(dir, FLOW_WAITS_0);
	if (evicted != STREAM_NONE) {
		struct flow *loser = &w->flows.flow[evicted / 2];

		w->flows.more[evicted / 2].stream[evicted & 1] = STREAM_NONE;
		loser->flags &= (uint16_t)~flag_of(evicted & 1, FLOW_WAITS_0);
		loser->stage[evicted & 1] = STAGE_SCAN;
	}
	return m->stream[dir];
}

/* The facts of a flow; where all places are taken the flow that is silent for
 * longest is no longer followed. */
static struct flow_facts *facts_get(struct wire *w, uint32_t at)
{
	struct flow_more *m = &w->flows.more[at];
	struct flow *flow = w->flows.flow;
	uint32_t best = w->facts_hand, slot, loser;

	if (m->facts != FLOW_NONE)
		return &w->facts[m->facts].facts;
	for (int i = 0; i < FACTS_LOOK; i++) {
		slot = w->facts_hand;
		w->facts_hand = slot + 1 < w->facts_size ? slot + 1 : 0;
		loser = w->facts[slot].owner;
		if (loser == 0) {
			best = slot;
			break;
		}
		if (flow[loser - 1].seen_s < flow[w->facts[best].owner - 1].seen_s)
			best = slot;
	}
	loser = w->facts[best].owner;
	if (loser) {
		w->stats.facts_evicted++;
		follow_release(w, loser - 1);
		flow[loser - 1].stage[0] = flow[loser - 1].stage[1] = STAGE_DONE;
	}
	w->facts[best] = (struct facts_slot){ .owner = at + 1 };
	m->facts = best;
	return &w->facts[best].facts;
}

void follow_release(struct wire *w, uint32_t at)
{
	struct flow_more *m = &w->flows.more[at];

	stream_drop(w, at, 0);
	stream_drop(w, at, 1);
	if (m->facts != FLOW_NONE)
		w->facts[m->facts].owner = 0;
	m->facts = FLOW_NONE;
}

/* What a flow was found to speak, and with whom as the client. */
static void recognise(struct wire *w, uint32_t at, enum app app, struct flow_view *v)
{
	struct flow *f = &w->flows.flow[at];
	struct flow_facts *facts = facts_get(w, at);

	if (app != APP_SMB) /* an envelope may have left SMB's names */
		*facts = (struct flow_facts){ .app = APP_NONE };
	facts->app = (uint8_t)app;
	facts->confidence = CONFIDENCE_HANDSHAKE;
	f->app = (uint8_t)app;
	w->stats.recognised[app]++;
	v->news |= NEWS_APP;
}

static void learn_sides(struct flow *f, int dir, struct flow_view *v)
{
	if (!(f->flags & FLOW_CLIENT_KNOWN) && v->role != ROLE_UNKNOWN) {
		f->flags |= FLOW_CLIENT_KNOWN;
		if ((v->role == ROLE_CLIENT) == (dir == 0))
			f->flags |= FLOW_CLIENT_LO;
	}
	if (v->aside || f->app == APP_NONE)
		return;
	f->flags |= flag_of(dir, FLOW_SAW_0);
	if (f->flags & FLOW_SAW_0 && f->flags & FLOW_SAW_1 &&
	    v->facts->confidence != CONFIDENCE_DIALOG) {
		v->facts->confidence = CONFIDENCE_DIALOG;
		v->news |= NEWS_CONFIDENCE;
	}
}

static void view_of(struct wire *w, uint32_t at, int dir, bool final, struct flow_view *v)
{
	const struct flow *f = &w->flows.flow[at];
	uint32_t slot = w->flows.more[at].facts;
	bool client_lo = f->flags & FLOW_CLIENT_LO;

	*v = (struct flow_view){ .final = final };
	v->stream_start = f->flags & flag_of(dir, FLOW_START_0);
	v->client_known = f->flags & FLOW_CLIENT_KNOWN;
	v->from_client = v->client_known && client_lo == (dir == 0);
	v->facts = slot == FLOW_NONE ? NULL : &w->facts[slot].facts;
}

/* Which protocol begins here?  YES with *ret_row. */
static enum match step_open(struct wire *w, uint32_t at, struct cursor c, struct flow_view *v,
    const struct proto **ret_row)
{
	enum match m = proto_open(c, v, ret_row);
	enum app app = w->flows.flow[at].app;

	if (m != MATCH_YES)
		return m;
	if ((*ret_row)->app == APP_NONE)
		v->facts = facts_get(w, at);
	else if (app == APP_NONE)
		recognise(w, at, (*ret_row)->app, v);
	else if (app != (*ret_row)->app)
		return MATCH_NO;
	v->facts = facts_get(w, at);
	return MATCH_YES;
}

/* One message.  `strict`: the place is a guess, so open() is asked first. */
static enum match step(struct wire *w, uint32_t at, int dir, struct cursor c,
    struct flow_view *v, bool strict)
{
	struct flow *f = &w->flows.flow[at];
	const struct proto *row = NULL;
	enum match m;

	if (f->app == APP_NONE || strict) {
		m = step_open(w, at, c, v, &row);
		if (m != MATCH_YES)
			return m;
	} else {
		row = proto_of(f->app);
	}
	if (row->app != APP_NONE)
		f->stage[dir] = STAGE_APP;
	m = row->message(c, v);
	if (m != MATCH_YES)
		return m;
	f->flags &= (uint16_t)~flag_of(dir, FLOW_START_0);
	learn_sides(f, dir, v);
	return m;
}

static uint32_t tapped(struct wire *w, const struct flow_view *v, const struct cursor *c)
{
	size_t len = cursor_left(c);

	if (!w->tap.message)
		return 0;
	if (v->used && v->used < len)
		len = v->used;
	return w->tap.message(w->tap.arg, v, c->at, (uint32_t)len);
}

/* Read messages as far as there are; *ret_used is how far the base moves, which
 * may be past the end; *ret_want how many bytes the next one needs. */
static uint32_t consume(struct wire *w, uint32_t at, int dir, struct cursor c, bool final,
    bool strict, uint32_t *ret_used, uint32_t *ret_want)
{
	struct flow *f = &w->flows.flow[at];
	uint32_t news = 0, len = (uint32_t)cursor_left(&c);
	struct flow_view v;
	enum match m;

	*ret_used = *ret_want = 0;
	while (cursor_left(&c)) {
		view_of(w, at, dir, final, &v);
		m = step(w, at, dir, c, &v, strict);
		news |= v.news;
		if (m == MATCH_MORE && v.want > cursor_left(&c) && !final) {
			*ret_want = v.want;
			return news;
		}
		v.at_packet = c.at == w->view->payload;
		news |= tapped(w, &v, &c);
		if (m != MATCH_YES || v.used == 0) {
			w->stats.lost_sync += f->app != APP_NONE;
			f->stage[dir] = STAGE_SCAN;
			break;
		}
		*ret_used += v.used;
		if (v.done)
			f->stage[dir] = STAGE_DONE;
		if (v.done || v.used >= cursor_left(&c))
			return news;
		cursor_skip(&c, v.used);
		strict = false;
	}
	*ret_used = len;
	return news;
}

/* A segment in order and nothing waiting: read from the packet, keep the rest. */
static uint32_t follow_direct(struct wire *w, uint32_t at, int dir, struct cursor c,
    bool final, bool strict)
{
	struct flow *f = &w->flows.flow[at];
	uint32_t len = (uint32_t)cursor_left(&c), used, want, news, id;

	news = consume(w, at, dir, c, final, strict, &used, &want);
	f->base[dir] += used;
	if (used >= len || f->stage[dir] == STAGE_SCAN || f->stage[dir] == STAGE_DONE)
		return news;
	id = stream_get(w, at, dir);
	cursor_skip(&c, used);
	stream_add(w->streams, id, f->base[dir], c.at, len - used);
	stream_set_want(w->streams, id, want);
	return news;
}

/* Read what is now in order in the buffer. */
static uint32_t follow_buffer(struct wire *w, uint32_t at, int dir, bool final)
{
	struct flow *f = &w->flows.flow[at];
	uint32_t id = w->flows.more[at].stream[dir], len, used, want, news;
	const uint8_t *bytes = stream_ready(w->streams, id, &len);

	if (len == 0 || (len < stream_want(w->streams, id) && !final))
		return 0;
	news = consume(w, at, dir, cursor_of(bytes, len), final, false, &used, &want);
	f->base[dir] += used;
	if (f->stage[dir] == STAGE_SCAN || f->stage[dir] == STAGE_DONE) {
		stream_drop(w, at, dir);
		return news;
	}
	stream_consume(w->streams, id, used);
	stream_set_want(w->streams, id, want);
	stream_ready(w->streams, id, &len);
	if (len == 0 && !stream_has_island(w->streams, id))
		stream_drop(w, at, dir);
	return news;
}

/* Whether a direction that is not followed in order begins to be here. */
static bool pick_up(struct flow *f, int dir, const struct pkt_view *view, uint32_t seq)
{
	if (f->stage[dir] == STAGE_NEW) {
		f->base[dir] = seq;
		f->stage[dir] = STAGE_OPEN;
	}
	if (f->stage[dir] != STAGE_SCAN)
		return false;
	if (!proto_glance(view->payload, view->payload_len, f->packets[dir] <= EARLY_PACKETS))
		return false;
	f->base[dir] = seq;
	f->stage[dir] = STAGE_OPEN;
	f->flags &= (uint16_t)~flag_of(dir, FLOW_START_0);
	return true;
}

/* One pass over the segment; false: some of it must be offered again because the
 * buffer was full and is not any more. */
static bool follow_once(struct wire *w, uint32_t at, int dir, uint32_t seq, bool strict,
    uint32_t *news)
{
	struct flow *f = &w->flows.flow[at];
	const struct pkt_view *view = w->view;
	struct cursor c = cursor_of(view->payload, view->payload_len);
	bool final = view->wire_len > view->payload_len, whole;
	int32_t ahead = (int32_t)(seq - f->base[dir]);
	uint32_t base = f->base[dir], behind = base - seq;

	if (ahead < 0 && behind >= view->payload_len) {
		w->stats.old_segments++;
		return true;
	}
	if (ahead <= 0 && !(f->flags & flag_of(dir, FLOW_WAITS_0))) {
		cursor_skip(&c, behind);
		*news |= follow_direct(w, at, dir, c, final, strict);
		return true;
	}
	if (ahead >= STREAM_WINDOW) {
		w->stats.gaps++;
		give_up_order(w, at, dir);
		if (pick_up(f, dir, view, seq))
			*news |= follow_direct(w, at, dir, c, final, true);
		return true;
	}
	whole = stream_add(w->streams, stream_get(w, at, dir), seq, c.at, view->payload_len);
	*news |= follow_buffer(w, at, dir, final);
	return whole || f->base[dir] == base || f->stage[dir] == STAGE_SCAN ||
	    f->stage[dir] == STAGE_DONE;
}

uint32_t follow_payload(struct wire *w, uint32_t at, int dir, uint32_t seq)
{
	struct flow *f = &w->flows.flow[at];
	uint32_t news = 0;
	bool strict;

	if (f->packets[dir] < UINT8_MAX)
		f->packets[dir]++;
	if (f->stage[dir] == STAGE_DONE)
		return 0;
	strict = pick_up(f, dir, w->view, seq);
	if (f->stage[dir] == STAGE_SCAN)
		return 0;
	while (!follow_once(w, at, dir, seq, strict, &news))
		;
	return news;
}

void follow_ack(struct wire *w, uint32_t at, int dir, uint32_t ack)
{
	struct flow *f = &w->flows.flow[at];
	struct flow_more *m = &w->flows.more[at];
	uint32_t len;
	int peer = !dir;

	if (m->stream[peer] == STREAM_NONE)
		return;
	stream_ready(w->streams, m->stream[peer], &len);
	if ((int32_t)(ack - (f->base[peer] + len)) <= 0 || ++m->stuck[peer] < STUCK_MAX)
		return;
	w->stats.gaps++;
	give_up_order(w, at, peer);
}
