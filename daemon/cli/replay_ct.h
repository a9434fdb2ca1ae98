/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what conntrack makes of the TCP packets of a capture */
#ifndef CORDON_CLI_REPLAY_CT_H
#define CORDON_CLI_REPLAY_CT_H

#include <stdbool.h>
#include <stdint.h>

struct pkt_view;

/* What conntrack knows of one end: sequence numbers (RFC 9293 3.4), window in bytes. */
struct ct_end {
	uint32_t end, maxend, maxwin, maxack;
	uint8_t scale, flags;
};

/* An entry of the kernel's table, with nf_conntrack's settings as they are by default
 * (Linux 6.18: loose, not liberal).  Zeroed: there is none.  Ends are 0 and 1, as the
 * caller numbers them. */
struct ct {
	uint8_t state;  /* CT_NONE where there is no entry */
	uint8_t opener; /* the end that sent the entry's first packet */
	bool confirmed; /* its first packet got through */
	bool dying, answered, assured;
	uint8_t last_dir, last_index, last_scale, last_flags, retrans;
	uint32_t last_seq, last_ack, last_end, last_win;
	struct ct_end seen[2]; /* by direction: original, reply */
	int64_t expires_us;
};

/* How rules see a packet.  Invalid ones have no connection. */
struct ct_said {
	bool valid;
	bool reply; /* ct direction */
	bool young; /* ct state new: no answer was seen yet */
	bool fresh; /* the entry was made for this packet */
};

/* Take a TCP packet sent by end `from`.  now_us never goes back. */
struct ct_said ct_packet(struct ct *c, const struct pkt_view *v, unsigned from,
    int64_t now_us);
/* What became of it: it passed, or the rules dropped it (an entry not confirmed is gone),
 * and maybe answered it by a reset. */
void ct_passed(struct ct *c);
void ct_dropped(struct ct *c, bool reset, int64_t now_us);

#endif
