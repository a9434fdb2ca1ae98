/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the bytes of a flow in order, to the recognisers, message by message */
#include "wire/follow.h"

enum { EARLY_PACKETS = 8, STUCK_MAX = 4, FACTS_LOOK = 16, HOLE_S = 2 };

/* flow_more.hole: bytes wait behind others that did not come; the peer was heard since and
 * does not have them either, so they will be sent again. */
enum { HOLE_THERE = 1, HOLE_HELD = 2 };

static uint16_t flag_of(int dir, uint16_t flag_of_0)
{
	return (uint16_t)(flag_of_0 << dir); /* FLOW_*_1 follows FLOW_*_0 */
}

/* The buffer is another's, or nobody's. */
static void stream_forget(struct wire *w, uint32_t at, int dir)
{
	struct flow_more *m = &w->flows.more[at];

	m->stream[dir] = STREAM_NONE;
	m->stuck[dir] = m->hole[dir] = 0;
	m->begins[dir] = 0;
	w->flows.flow[at].flags &= (uint16_t)~flag_of(dir, FLOW_WAITS_0);
}

static void stream_drop(struct wire *w, uint32_t at, int dir)
{
	uint32_t id = w->flows.more[at].stream[dir];

	if (id == STREAM_NONE)
		return;
	stream_release(w->streams, id);
	stream_forget(w, at, dir);
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
		stream_forget(w, evicted / 2, evicted & 1);
		w->flows.flow[evicted / 2].stage[evicted & 1] = STAGE_SCAN;
	}
	return m->stream[dir];
}

/* The facts of a flow; where all places are taken the flow that matters least is no longer
 * followed: an envelope alone (a keep-alive of four bytes) also has a place, and whoever
 * sends many is not to push out what was recognised. */
static struct flow_facts *facts_get(struct wire *w, uint32_t at)
{
	struct flow_more *m = &w->flows.more[at];
	struct flow *flow = w->flows.flow;
	uint32_t best = w->facts_hand, slot, loser;
	uint64_t worth, least = UINT64_MAX;

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
		worth = flow_worth(&flow[loser - 1], flow[at].seen_s);
		if (worth < least) {
			least = worth;
			best = slot;
		}
	}
	loser = w->facts[best].owner;
	if (loser) {
		w->stats.facts_evicted++;
		follow_release(w, loser - 1);
		flow[loser - 1].stage[0] = flow[loser - 1].stage[1] = STAGE_DONE;
	}
	w->facts[best] = (struct facts_slot){ .owner = at + 1 };
	m->facts = best;
	flow[at].has_facts = 1;
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
	w->flows.flow[at].has_facts = 0;
}

void follow_restart(struct wire *w, uint32_t at, int dir, uint32_t base)
{
	struct flow *f = &w->flows.flow[at];

	follow_release(w, at);
	f->app = APP_NONE;
	f->stage[dir] = STAGE_OPEN;
	f->base[dir] = base;
	f->flags &= (uint16_t) ~(FLOW_SAW_0 | FLOW_SAW_1 | FLOW_SYN_BYTES);
	f->flags |= flag_of(dir, FLOW_START_0);
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
	bool client_lo = f->flags & FLOW_CLIENT_LO;

	*v = (struct flow_view){ .final = final };
	v->stream_start = f->flags & flag_of(dir, FLOW_START_0);
	v->client_known = f->flags & FLOW_CLIENT_KNOWN;
	v->from_client = v->client_known && client_lo == (dir == 0);
	/* of most flows the second cache line is never looked at */
	v->facts = f->has_facts ? &w->facts[w->flows.more[at].facts].facts : NULL;
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

/* How much of the message at c came in one packet that begins with it: this one, or, of
 * the first of those that wait, the one whose bytes were kept. */
static uint32_t in_packet(const struct wire *w, uint32_t at, int dir, const struct cursor *c,
    bool first)
{
	if (c->at == w->view->payload)
		return (uint32_t)cursor_left(c);
	return first ? w->flows.more[at].begins[dir] : 0;
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
		v.in_packet = in_packet(w, at, dir, &c, *ret_used == 0);
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
	if (c.at == w->view->payload && len < STREAM_WINDOW)
		w->flows.more[at].begins[dir] = (uint16_t)len;
	stream_add(w->streams, id, f->base[dir], c.at, len - used);
	stream_set_want(w->streams, id, want);
	return news;
}

/* Past n bytes, which need not be there. */
static void advance(struct wire *w, uint32_t at, int dir, uint32_t n)
{
	w->flows.flow[at].base[dir] += n;
	w->flows.more[at].begins[dir] = n ? 0 : w->flows.more[at].begins[dir];
	stream_consume(w->streams, w->flows.more[at].stream[dir], n);
}

/* Read what is in order in the buffer; *ret_used is how far that went. */
static uint32_t read_ready(struct wire *w, uint32_t at, int dir, bool final, bool strict,
    uint32_t *ret_used)
{
	uint32_t id = w->flows.more[at].stream[dir], len, want, news;
	const uint8_t *bytes = stream_ready(w->streams, id, &len);

	news = consume(w, at, dir, cursor_of(bytes, len), final, strict, ret_used, &want);
	advance(w, at, dir, *ret_used);
	stream_set_want(w->streams, id, want);
	return news;
}

/* Where behind a hole a message may begin; len: nowhere.  What follows the hole begins a
 * packet; further on only the four bytes of SMB's magic are believed. */
static uint32_t boundary(const struct flow *f, int dir, const uint8_t *p, uint32_t len)
{
	if (f->app == APP_RDP || proto_glance(p, len, f->packets[dir] <= EARLY_PACKETS))
		return 0;
	for (uint32_t i = 1; i < len && f->app == APP_SMB; i++)
		if (proto_glance(p + i, len - i, false))
			return i;
	return len;
}

/* Read on where bytes are missing that will not come.  Half a message is taken as it is:
 * its length tells where the next begins, also behind the hole.  Else that is looked for
 * behind it (`skip`), and where order is lost behind all others, too. */
static uint32_t read_on(struct wire *w, uint32_t at, int dir, bool skip)
{
	struct flow *f = &w->flows.flow[at];
	uint32_t id = w->flows.more[at].stream[dir], len, n, news = 0;
	bool final = skip, strict = false;
	const uint8_t *bytes;

	while (f->stage[dir] != STAGE_DONE) {
		bytes = stream_ready(w->streams, id, &len);
		if (len == 0) {
			n = stream_hole(w->streams, id);
			if (n == 0 || (!skip && f->stage[dir] != STAGE_SCAN))
				break;
			advance(w, at, dir, n);
			f->stage[dir] = STAGE_SCAN;
			skip = final = false;
		} else if (f->stage[dir] == STAGE_SCAN) {
			n = boundary(f, dir, bytes, len);
			advance(w, at, dir, n);
			if (n < len) {
				f->stage[dir] = STAGE_OPEN;
				strict = f->app != APP_RDP;
				w->stats.resumed++;
			}
		} else {
			news |= read_ready(w, at, dir, final, strict, &n);
			if (n == 0)
				break;
			skip = skip && final;
			final = strict = false;
		}
		f->flags &= (uint16_t)~flag_of(dir, FLOW_START_0);
	}
	return news;
}

/* The buffer is given back where nothing waits for anything any more; else it is known
 * whether bytes are missing. */
static void settle(struct wire *w, uint32_t at, int dir)
{
	struct flow_more *m = &w->flows.more[at];
	uint8_t stage = w->flows.flow[at].stage[dir];
	uint32_t len;
	bool hole;

	if (m->stream[dir] == STREAM_NONE)
		return;
	stream_ready(w->streams, m->stream[dir], &len);
	hole = stream_has_island(w->streams, m->stream[dir]);
	if (stage == STAGE_SCAN || stage == STAGE_DONE || (len == 0 && !hole)) {
		stream_drop(w, at, dir);
	} else if (!hole) {
		m->hole[dir] = 0;
	} else if (!m->hole[dir]) {
		m->hole[dir] = HOLE_THERE;
		m->hole_s[dir] = (uint16_t)w->flows.flow[at].seen_s;
	}
}

/* Bytes of this direction were lost on the way to us. */
static uint32_t give_up_hole(struct wire *w, uint32_t at, int dir)
{
	struct flow_more *m = &w->flows.more[at];
	uint32_t news, len;

	w->stats.gaps++;
	stream_ready(w->streams, m->stream[dir], &len);
	if (len == 0 && !stream_has_island(w->streams, m->stream[dir])) {
		give_up_order(w, at, dir); /* of what follows nothing was kept: far_ahead() */
		return 0;
	}
	news = read_on(w, at, dir, true);
	m->hole[dir] = m->stuck[dir] = 0; /* another one is another matter */
	settle(w, at, dir);
	return news;
}

/* Whether the peer is not heard, so that nobody will tell that the bytes arrived. */
static bool hole_is_old(const struct wire *w, uint32_t at, int dir)
{
	const struct flow_more *m = &w->flows.more[at];
	uint16_t age = (uint16_t)(w->flows.flow[at].seen_s - m->hole_s[dir]);

	return m->hole[dir] == HOLE_THERE && (int16_t)age >= HOLE_S;
}

/* Read what is now in order in the buffer. */
static uint32_t follow_buffer(struct wire *w, uint32_t at, int dir, bool final)
{
	uint32_t id = w->flows.more[at].stream[dir], len, used, news = 0;

	stream_ready(w->streams, id, &len);
	if (len > 0 && (len >= stream_want(w->streams, id) || final))
		news = read_ready(w, at, dir, final, false, &used);
	if (w->flows.flow[at].stage[dir] == STAGE_SCAN)
		news |= read_on(w, at, dir, false);
	settle(w, at, dir);
	if (hole_is_old(w, at, dir))
		news |= give_up_hole(w, at, dir);
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

/* A segment that starts past the window: it is only kept in mind that bytes are missing.
 * Nobody is to hide what comes first by sending something far ahead of it, whatever that
 * looks like, so the order is not given up before the peer has those bytes. */
static uint32_t far_ahead(struct wire *w, uint32_t at, int dir, uint32_t seq, bool final)
{
	struct flow *f = &w->flows.flow[at];
	struct flow_more *m = &w->flows.more[at];
	const struct pkt_view *view = w->view;
	uint32_t news = 0;

	stream_get(w, at, dir);
	if (!m->hole[dir]) {
		m->hole[dir] = HOLE_THERE;
		m->hole_s[dir] = (uint16_t)f->seen_s;
	}
	if (hole_is_old(w, at, dir))
		news = give_up_hole(w, at, dir);
	if (f->stage[dir] != STAGE_SCAN)
		w->stats.outside++;
	else if (pick_up(f, dir, view, seq))
		news |= follow_direct(w, at, dir,
		    cursor_of(view->payload, view->payload_len), final, true);
	return news;
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
	uint32_t base = f->base[dir], behind = base - seq, id, len;

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
		*news |= far_ahead(w, at, dir, seq, final);
		return true;
	}
	id = stream_get(w, at, dir);
	whole = stream_add(w->streams, id, seq, c.at, view->payload_len);
	stream_ready(w->streams, id, &len);
	final = final && seq + view->payload_len == base + len; /* what was cut off is next */
	*news |= follow_buffer(w, at, dir, final);
	return whole || f->base[dir] == base || f->stage[dir] == STAGE_SCAN ||
	    f->stage[dir] == STAGE_DONE;
}

uint32_t follow_payload(struct wire *w, uint32_t at, int dir, uint32_t seq)
{
	struct flow *f = &w->flows.flow[at];
	uint8_t before = f->stage[dir];
	uint32_t news = 0;
	bool strict;

	if (f->packets[dir] < UINT8_MAX)
		f->packets[dir]++;
	if (before == STAGE_DONE)
		return 0;
	strict = pick_up(f, dir, w->view, seq);
	if (f->stage[dir] == STAGE_SCAN)
		return 0;
	while (!follow_once(w, at, dir, seq, strict, &news))
		;
	/* what waited was no start of a message (a keep-alive's byte): this may be one */
	if (before == STAGE_OPEN && f->stage[dir] == STAGE_SCAN && pick_up(f, dir, w->view, seq))
		(void)follow_once(w, at, dir, seq, true, &news);
	return news;
}

uint32_t follow_ack(struct wire *w, uint32_t at, int dir, uint32_t ack)
{
	const struct flow *f = &w->flows.flow[at];
	struct flow_more *m = &w->flows.more[at];
	uint32_t len, news = 0;
	int peer = !dir;

	while (m->stream[peer] != STREAM_NONE) {
		stream_ready(w->streams, m->stream[peer], &len);
		if ((int32_t)(ack - (f->base[peer] + len)) <= 0) {
			m->hole[peer] |= m->hole[peer] ? HOLE_HELD : 0;
			break;
		}
		/* of the end of a stream alone the packet may only be late */
		if (!m->hole[peer] && ++m->stuck[peer] < STUCK_MAX)
			break;
		news |= give_up_hole(w, at, peer);
	}
	return news;
}

uint32_t follow_finish(struct wire *w, uint32_t at, int dir)
{
	uint32_t news = 0;

	while (w->flows.more[at].stream[dir] != STREAM_NONE)
		news |= give_up_hole(w, at, dir);
	return news;
}
