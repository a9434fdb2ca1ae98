/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: segments and windows as conntrack sees them; of replay_ct.c alone */
#ifndef CORDON_CLI_REPLAY_CT_WINDOW_H
#define CORDON_CLI_REPLAY_CT_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/replay_ct.h"

enum state {
	CT_NONE,
	CT_SYN_SENT,
	CT_SYN_RECV,
	CT_ESTABLISHED,
	CT_FIN_WAIT,
	CT_CLOSE_WAIT,
	CT_LAST_ACK,
	CT_TIME_WAIT,
	CT_CLOSE,
	CT_SYN_SENT2, /* both ends open at once */
	STATES,
	INVALID = STATES,
	IGNORED,
};
enum index { I_SYN, I_SYNACK, I_FIN, I_ACK, I_RST, I_OTHER, INDEXES };
enum { ORIGINAL, REPLY };
enum { RETRANS_MAX = 3 };

/* Flags of an end, as last_flags. */
enum {
	F_SCALE = 1,
	F_SACK = 2,
	F_CLOSES = 4,   /* it sent the first FIN */
	F_LIBERAL = 8,  /* picked up later: windows say nothing */
	F_UNACKED = 16,
	F_MAXACK = 32,
	F_CHALLENGE = 64,
	F_BOTH_OPEN = 128,
};

/* A segment (RFC 9293 3.1); end: the number behind it.  options are borrowed. */
struct seg {
	enum index index;
	uint8_t flags;
	uint32_t seq, end, ack, win;
	const uint8_t *options;
	uint32_t options_len;
};

/* False: no such flags, or no whole header. */
bool seg_of(const struct pkt_view *v, struct seg *ret);
/* What the options of a SYN say of its end (RFC 7323 2.2, RFC 2018 2). */
void seg_options(const struct seg *s, struct ct_end *e);
uint32_t or_one(uint32_t win);

enum window { IN_WINDOW, OUT_OF_WINDOW, NOT_COUNTED };
/* Where a segment of this direction lies, and count it where it is within. */
enum window window_of(struct ct *c, unsigned dir, const struct seg *s);

#endif
