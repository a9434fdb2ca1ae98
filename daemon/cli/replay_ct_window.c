/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: segments and windows as conntrack sees them */
#include "cli/replay_ct_window.h"

#include "wire/decode.h"

enum { TCP_HEADER = 20, TCP_WINDOW_AT = 14, TCP_OFFSET_AT = 12 };

/* ---- a packet ---- */

static enum index index_of(uint8_t flags)
{
	if (flags & TCP_RST)
		return I_RST;
	if (flags & TCP_SYN)
		return flags & TCP_ACK ? I_SYNACK : I_SYN;
	if (flags & TCP_FIN)
		return I_FIN;
	return flags & TCP_ACK ? I_ACK : I_OTHER;
}

static bool flags_possible(uint8_t flags)
{
	switch (flags & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK | TCP_URG)) {
	case TCP_SYN:
	case TCP_SYN | TCP_URG:
	case TCP_SYN | TCP_ACK:
	case TCP_RST:
	case TCP_RST | TCP_ACK:
	case TCP_FIN | TCP_ACK:
	case TCP_FIN | TCP_ACK | TCP_URG:
	case TCP_ACK:
	case TCP_ACK | TCP_URG:
		return true;
	}
	return false;
}

bool seg_of(const struct pkt_view *v, struct seg *ret)
{
	struct cursor c = v->body;
	const uint8_t *p = cursor_take(&c, TCP_HEADER);
	uint32_t len;

	if (!p || !flags_possible(v->tcp_flags))
		return false;
	len = (uint32_t)(p[TCP_OFFSET_AT] >> 4) * 4;
	*ret = (struct seg){ .index = index_of(v->tcp_flags), .flags = v->tcp_flags,
		.seq = v->seq, .ack = v->ack, .win = load_be16(p + TCP_WINDOW_AT) };
	ret->end = v->seq + v->wire_len + !!(v->tcp_flags & TCP_SYN) +
	    !!(v->tcp_flags & TCP_FIN);
	if (len < TCP_HEADER)
		return false;
	ret->options_len = len - TCP_HEADER;
	ret->options = cursor_take(&c, ret->options_len);
	if (!ret->options) /* cut by the snap length: taken for none */
		ret->options_len = 0;
	return true;
}

static bool before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static bool after(uint32_t a, uint32_t b)
{
	return before(b, a);
}

/* The next option at *at, NULL behind the last; *ret_len with its two first bytes. */
static const uint8_t *option(const struct seg *s, uint32_t *at, uint8_t *ret_len)
{
	enum { END = 0, NOP = 1 };

	while (*at < s->options_len && s->options[*at] == NOP)
		++*at;
	if (*at + 1 >= s->options_len || s->options[*at] == END)
		return NULL;
	*ret_len = s->options[*at + 1];
	if (*ret_len < 2 || *at + *ret_len > s->options_len)
		return NULL;
	*at += *ret_len;
	return s->options + *at - *ret_len;
}

void seg_options(const struct seg *s, struct ct_end *e)
{
	enum { WINDOW_SCALE = 3, SACK_PERMITTED = 4, SCALE_MAX = 14 };
	const uint8_t *o;
	uint32_t at = 0;
	uint8_t len;

	if (s->options_len == 0)
		return;
	e->scale = 0;
	e->flags &= F_LIBERAL;
	while ((o = option(s, &at, &len)) != NULL) {
		if (o[0] == SACK_PERMITTED && len == 2) {
			e->flags |= F_SACK;
		} else if (o[0] == WINDOW_SCALE && len == 3) {
			e->scale = o[2] > SCALE_MAX ? SCALE_MAX : o[2];
			e->flags |= F_SCALE;
		}
	}
}

/* The highest right edge of its SACK blocks (RFC 2018 3), or the ACK. */
static uint32_t sack_of(const struct seg *s)
{
	enum { SACK = 5 };
	uint32_t at = 0, sack = s->ack;
	const uint8_t *o;
	uint8_t len;

	while ((o = option(s, &at, &len)) != NULL) {
		if (o[0] != SACK || len < 10 || (len - 2) % 8 != 0)
			continue;
		for (uint8_t i = 2; i < len; i += 8)
			if (after(load_be32(o + i + 4), sack))
				sack = load_be32(o + i + 4);
		break;
	}
	return sack;
}

/* ---- windows ---- */

uint32_t or_one(uint32_t win)
{
	return win == 0 ? 1 : win;
}

static void begin_end(struct ct *c, unsigned dir, const struct seg *s)
{
	struct ct_end *sender = &c->seen[dir], *receiver = &c->seen[!dir];

	sender->end = sender->maxend = s->end;
	sender->maxwin = or_one(s->win);
	seg_options(s, sender);
	if (dir == REPLY && !(sender->flags & receiver->flags & F_SCALE))
		sender->scale = receiver->scale = 0;
}

static enum window unless_liberal(const struct ct_end *sender, enum window w)
{
	return sender->flags & F_LIBERAL ? IN_WINDOW : w;
}

/* Data beyond the window: what is a little too much may be taken all the same. */
static enum window beyond(struct ct_end *sender, const struct ct_end *receiver,
    uint32_t end, uint32_t sack, uint32_t ackwin)
{
	bool received = receiver->maxwin && after(end, sender->end - receiver->maxwin - 1);

	if (received && after(sack, receiver->end - ackwin - 1) &&
	    end - sender->maxend + 1 <= receiver->maxwin && before(sack, receiver->end + 1)) {
		sender->end = end;
		sender->flags |= F_UNACKED;
		return unless_liberal(sender, NOT_COUNTED);
	}
	return unless_liberal(sender, OUT_OF_WINDOW);
}

static void count(struct ct *c, unsigned dir, const struct seg *s, uint32_t seq,
    uint32_t end, uint32_t ack, uint32_t sack)
{
	struct ct_end *sender = &c->seen[dir], *receiver = &c->seen[!dir];
	uint32_t win = s->flags & TCP_SYN ? s->win : s->win << sender->scale;

	if (sender->maxwin < win + (sack - ack))
		sender->maxwin = win + (sack - ack);
	if (after(end, sender->end)) {
		sender->end = end;
		sender->flags |= F_UNACKED;
	}
	if ((s->flags & TCP_ACK) &&
	    (!(sender->flags & F_MAXACK) || after(ack, sender->maxack))) {
		sender->maxack = ack;
		sender->flags |= F_MAXACK;
	}
	if (receiver->maxwin != 0 && after(end, sender->maxend))
		receiver->maxwin += end - sender->maxend;
	if (after(sack + win, receiver->maxend - 1))
		receiver->maxend = sack + win + (win == 0);
	if (ack == receiver->end)
		receiver->flags &= (uint8_t)~F_UNACKED;
	if (s->index != I_ACK)
		return;
	if (c->last_dir == dir && c->last_seq == seq && c->last_ack == ack &&
	    c->last_end == end && c->last_win == win) {
		c->retrans += c->retrans < RETRANS_MAX;
		return;
	}
	c->last_dir = (uint8_t)dir;
	c->last_seq = seq;
	c->last_ack = ack;
	c->last_end = end;
	c->last_win = win;
	c->retrans = 0;
}

/* The first packet of an end, or its SYN again with other numbers.  True: no more is
 * asked of it. */
static bool first_of_end(struct ct *c, unsigned dir, const struct seg *s, uint32_t sack)
{
	struct ct_end *sender = &c->seen[dir], *receiver = &c->seen[!dir];
	bool syn = s->flags & TCP_SYN;

	if (sender->maxwin == 0 && !syn) {
		sender->end = s->end;
		sender->maxwin = or_one(s->win << sender->scale);
		sender->maxend = s->end + sender->maxwin;
		if (receiver->maxwin == 0)
			receiver->end = receiver->maxend = sack;
		else if (sack == receiver->end + 1)
			receiver->end++; /* the answer to a keep-alive */
	} else if (sender->maxwin == 0) {
		begin_end(c, dir, s);
		return !(s->flags & TCP_ACK);
	} else if (syn && after(s->end, sender->end) &&
	    (c->state == CT_SYN_SENT || c->state == CT_SYN_RECV)) {
		begin_end(c, dir, s);
		return dir == REPLY && !(s->flags & TCP_ACK);
	}
	return false;
}

enum window window_of(struct ct *c, unsigned dir, const struct seg *s)
{
	enum { ACK_WINDOW = 66000 };
	struct ct_end *sender = &c->seen[dir], *receiver = &c->seen[!dir];
	uint32_t seq = s->seq, end = s->end, ack = s->ack, sack = s->ack, ackwin;

	if (receiver->flags & F_SACK)
		sack = sack_of(s);
	if (first_of_end(c, dir, s, sack))
		return IN_WINDOW;
	if (!(s->flags & TCP_ACK) || ((s->flags & TCP_RST) && ack == 0))
		ack = sack = receiver->end;
	if ((s->flags & TCP_RST) && seq == 0 && c->state == CT_SYN_SENT)
		seq = end = sender->end; /* the answer to a SYN */
	ackwin = sender->maxwin > ACK_WINDOW ? sender->maxwin : ACK_WINDOW;
	if (!before(seq, sender->maxend + 1))
		return beyond(sender, receiver, end, sack, ackwin);
	if (!before(sack, receiver->end + 1))
		return unless_liberal(sender, OUT_OF_WINDOW);
	if (receiver->maxwin && !after(end, sender->end - receiver->maxwin - 1))
		return unless_liberal(sender, NOT_COUNTED);
	if (!after(sack, receiver->end - ackwin - 1))
		return unless_liberal(sender, NOT_COUNTED);
	count(c, dir, s, seq, end, ack, sack);
	return IN_WINDOW;
}
