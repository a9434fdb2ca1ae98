/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what conntrack makes of the TCP packets of a capture */
#include "cli/replay_ct.h"

#include <string.h>

#include "cli/replay_ct_window.h"
#include "wire/decode.h"

/* The kernel's rules stand in net/netfilter/nf_conntrack_proto_tcp.c; here they are told
 * again, and tests/net/replay.py sends the same packets through both. */
/* Seconds an entry lives after a packet that left it in that state. */
static const uint32_t lives_s[STATES] = { [CT_SYN_SENT] = 120, [CT_SYN_RECV] = 60,
	[CT_ESTABLISHED] = 432000, [CT_FIN_WAIT] = 120, [CT_CLOSE_WAIT] = 60,
	[CT_LAST_ACK] = 30, [CT_TIME_WAIT] = 120, [CT_CLOSE] = 10, [CT_SYN_SENT2] = 120 };
enum { RETRANS_S = 300, UNACKED_S = 300 };

/* By direction, kind of packet and state (in the order above) the next state:
 * 1 syn-sent, 2 syn-recv, 3 established, 4 fin-wait, 5 close-wait, 6 last-ack,
 * 7 time-wait, 8 close, 9 syn-sent2, - invalid, i ignored. */
static const char table[2][INDEXES][STATES + 1] = {
	{ "11iiiii119", "--2------2", "--4466678-", "3-3355778-", "-888888888",
	    "----------" },
	{ "-9-----1-9", "-2iiiiiii2", "--4466678-", "-i2355778i", "-888888888",
	    "----------" },
};

static unsigned next_state(unsigned dir, enum index i, unsigned state)
{
	char c = table[dir][i][state];

	return c == '-' ? INVALID : c == 'i' ? IGNORED : (unsigned)(c - '0');
}

/* ---- states ---- */

static void forget(struct ct *c)
{
	memset(c, 0, sizeof(*c));
}

static bool is_established(const struct ct *c)
{
	return c->state == CT_ESTABLISHED && c->assured;
}

static void note(struct ct *c, unsigned dir, const struct seg *s)
{
	c->last_index = (uint8_t)s->index;
	c->last_dir = (uint8_t)dir;
}

/* A first packet.  False: none can begin with it. */
static bool begin(struct ct *c, unsigned from, const struct seg *s)
{
	unsigned state = next_state(ORIGINAL, s->index, CT_NONE);
	struct ct_end *sender = &c->seen[ORIGINAL];

	if (state >= STATES)
		return false;
	forget(c);
	c->opener = (uint8_t)from;
	c->last_index = I_OTHER;
	sender->end = s->end;
	sender->maxwin = or_one(s->win);
	if (state == CT_SYN_SENT) {
		sender->maxend = s->end;
		seg_options(s, sender);
	} else {
		sender->maxend = s->end + sender->maxwin;
		sender->flags = c->seen[REPLY].flags = F_SACK | F_LIBERAL;
	}
	return true;
}

/* The answer to a SYN that was ignored: its ends are in step, the entry was not. */
static bool resynchronises(struct ct *c, unsigned dir, const struct seg *s)
{
	struct ct_end *opener = &c->seen[c->last_dir];
	uint8_t liberal = c->seen[dir].flags & F_LIBERAL;

	if (s->index != I_SYNACK || c->last_index != I_SYN || c->last_dir == dir ||
	    s->ack != c->last_end)
		return false;
	opener->end = opener->maxend = c->last_end;
	opener->maxwin = or_one(c->last_win);
	opener->scale = c->last_scale;
	c->last_flags &= (uint8_t)~F_CHALLENGE;
	opener->flags = c->last_flags;
	memset(&c->seen[dir], 0, sizeof(c->seen[dir]));
	c->seen[dir].flags = liberal;
	return true;
}

/* It passes, and is remembered in case its answer shows that it was meant. */
static void ignore(struct ct *c, unsigned dir, const struct seg *s)
{
	note(c, dir, s);
	c->last_seq = s->seq;
	c->last_end = s->end;
	c->last_win = s->win;
	if (s->index == I_SYN && dir == ORIGINAL) {
		struct ct_end seen = { .flags = 0 };

		seg_options(s, &seen);
		c->last_flags = seen.flags & (F_SCALE | F_SACK);
		c->last_scale = seen.flags & F_SCALE ? seen.scale : 0;
		if (c->state == CT_LAST_ACK)
			c->last_flags |= F_CHALLENGE;
	}
	if (c->state == CT_SYN_SENT && s->index == I_ACK && dir == REPLY)
		c->last_ack = s->ack;
}

enum reset { RESET_COUNTS, RESET_INVALID, RESET_KEEPS, RESET_ANYHOW };

/* RFC 5961 3.2: of an established connection only the exact number ends it. */
static enum reset reset_of(const struct ct *c, unsigned dir, const struct seg *s)
{
	const struct ct_end *other = &c->seen[!dir];
	enum reset r = RESET_COUNTS;

	if (c->state >= CT_FIN_WAIT && c->state <= CT_CLOSE)
		return RESET_ANYHOW; /* its ends may be another connection's by now */
	if (other->flags & F_MAXACK) {
		if (s->seq == 0 && !is_established(c))
			return RESET_COUNTS;
		if ((int32_t)(s->seq - other->maxack) < 0)
			return RESET_INVALID;
		if (!is_established(c) || s->seq == other->maxack)
			return RESET_COUNTS;
		if (c->last_index == I_ACK && c->last_dir == dir && s->seq == c->last_end)
			return RESET_COUNTS;
		r = RESET_KEEPS;
	}
	if (((c->answered && c->last_index == I_SYN) ||
		(!c->assured && c->last_index == I_ACK)) && s->ack == c->last_end)
		return RESET_ANYHOW;
	return r;
}

static int64_t in_s(int64_t now_us, uint32_t seconds)
{
	return now_us + (int64_t)seconds * 1000000;
}

static uint32_t at_most(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t life(const struct ct *c, const struct seg *s, unsigned state)
{
	uint32_t all = lives_s[state];

	if (c->retrans >= RETRANS_MAX && all > RETRANS_S)
		return RETRANS_S;
	if (s->index == I_RST)
		return lives_s[CT_CLOSE];
	if (((c->seen[0].flags | c->seen[1].flags) & F_UNACKED) || c->last_win == 0)
		return at_most(all, UNACKED_S);
	return all;
}

/* A packet within the window, behind which the entry has this state. */
static void goes_on(struct ct *c, unsigned dir, const struct seg *s, unsigned old,
    unsigned state, int64_t now_us)
{
	uint32_t lives;

	note(c, dir, s);
	c->state = (uint8_t)state;
	if (old != state && state == CT_FIN_WAIT)
		c->seen[dir].flags |= F_CLOSES;
	lives = life(c, s, state);
	if (!c->answered) {
		if (s->index == I_RST) {
			c->dying = true;
			return;
		}
		if (s->index == I_SYN && old == CT_SYN_SENT)
			return;
		if (state == CT_ESTABLISHED)
			lives = at_most(lives, UNACKED_S);
	} else if (!c->assured && (old == CT_SYN_RECV || old == CT_ESTABLISHED) &&
	    state == CT_ESTABLISHED) {
		c->assured = true;
	}
	c->expires_us = in_s(now_us, lives);
}

/* FIN or RST out of window, of both ends: it will not live for days. */
static void handle_invalid(struct ct *c, unsigned dir, const struct seg *s, int64_t now_us)
{
	if (!c->assured || (s->index != I_RST && s->index != I_FIN))
		return;
	if (c->last_dir == dir || (c->last_index != I_FIN && c->last_index != I_RST))
		note(c, dir, s);
	else if (c->expires_us > in_s(now_us, UNACKED_S))
		c->expires_us = in_s(now_us, UNACKED_S);
}

enum said { SAID_INVALID, SAID_VALID, SAID_AGAIN };

static bool reopens(const struct ct *c, unsigned dir)
{
	return ((c->seen[0].flags | c->seen[1].flags) & F_CLOSES) ||
	    (c->last_dir == dir && c->last_index == I_RST);
}

/* What happens before windows are looked at; where *ret_done, that is all. */
static enum said step(struct ct *c, unsigned dir, const struct seg *s, unsigned *old,
    unsigned *state, bool *ret_done, bool *ret_anyhow)
{
	*ret_done = true;
	if (*state == INVALID)
		return SAID_INVALID;
	if (*state == CT_SYN_SENT && *old >= CT_TIME_WAIT && reopens(c, dir))
		return SAID_AGAIN;
	if (*state == IGNORED || (*state == CT_SYN_SENT && *old >= CT_TIME_WAIT)) {
		if (!resynchronises(c, dir, s)) {
			ignore(c, dir, s);
			return SAID_VALID;
		}
		*old = CT_SYN_SENT;
		*state = CT_SYN_RECV;
	} else if (*state == CT_TIME_WAIT && *old == CT_LAST_ACK && s->index == I_ACK &&
	    c->last_dir != dir && c->last_index == I_SYN && (c->last_flags & F_CHALLENGE)) {
		c->last_flags &= (uint8_t)~F_CHALLENGE;
		return SAID_VALID;
	} else if (*state == CT_SYN_SENT2) {
		c->last_flags |= F_BOTH_OPEN;
	} else if (*state == CT_SYN_RECV && dir == REPLY && s->index == I_ACK &&
	    (c->last_flags & F_BOTH_OPEN)) {
		*state = CT_ESTABLISHED;
	} else if (*state == CT_CLOSE && s->index == I_RST) {
		enum reset r = reset_of(c, dir, s);

		if (r == RESET_INVALID)
			return SAID_INVALID;
		if (r == RESET_KEEPS)
			*state = *old;
		*ret_anyhow = r == RESET_ANYHOW;
	}
	*ret_done = false;
	return SAID_VALID;
}

static enum said take(struct ct *c, unsigned dir, const struct seg *s, int64_t now_us)
{
	unsigned old = c->state, state = next_state(dir, s->index, old);
	bool done, anyhow = false;
	enum said said = step(c, dir, s, &old, &state, &done, &anyhow);

	if (done)
		return said;
	switch (anyhow ? IN_WINDOW : window_of(c, dir, s)) {
	case IN_WINDOW:
		goes_on(c, dir, s, old, state, now_us);
		return SAID_VALID;
	case OUT_OF_WINDOW:
		handle_invalid(c, dir, s, now_us);
		return SAID_INVALID;
	case NOT_COUNTED:
		return SAID_VALID;
	}
	return SAID_INVALID;
}

/* A new entry has no state until its first packet was taken. */
static bool exists(const struct ct *c)
{
	return c->state != CT_NONE;
}

struct ct_said ct_packet(struct ct *c, const struct pkt_view *v, unsigned from, int64_t now_us)
{
	const struct ct_said invalid = { .valid = false };
	enum said said = SAID_AGAIN;
	bool fresh = false;
	struct seg s;

	if (exists(c) && (c->dying || now_us >= c->expires_us))
		forget(c);
	if (!seg_of(v, &s))
		return invalid;
	while (said == SAID_AGAIN) {
		if (!exists(c)) {
			if (!begin(c, from, &s))
				return invalid;
			fresh = true;
		}
		said = take(c, from != c->opener, &s, now_us);
		if (said == SAID_AGAIN)
			forget(c);
	}
	if (said == SAID_INVALID) {
		if (fresh)
			forget(c);
		return invalid;
	}
	struct ct_said ret = { .valid = true, .reply = from != c->opener, .fresh = fresh,
		.young = from == c->opener && !c->answered };
	c->answered |= ret.reply;
	return ret;
}

void ct_passed(struct ct *c)
{
	c->confirmed = exists(c);
}

/* The reset carries the entry with it and closes it. */
void ct_dropped(struct ct *c, bool reset, int64_t now_us)
{
	if (!c->confirmed) {
		forget(c);
		return;
	}
	if (!reset)
		return;
	if (c->state != CT_CLOSE)
		c->expires_us = in_s(now_us, lives_s[CT_CLOSE]);
	c->state = CT_CLOSE;
}
