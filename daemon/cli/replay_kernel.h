/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the kernel's rules on the TCP packets of a capture, one after the other */
#ifndef CORDON_CLI_REPLAY_KERNEL_H
#define CORDON_CLI_REPLAY_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cordon/flowspace.h>
#include <cordon/guard.h>

struct pkt_view;
struct replay;
struct replay_kernel;

/* Why a packet is dropped, as events call it; REPLAY_PASSES: it is not. */
enum replay_why {
	REPLAY_PASSES,
	REPLAY_NO_RULE,
	REPLAY_UNDECLARED,
	REPLAY_CONDEMNED, /* an earlier packet condemned the connection */
	REPLAY_STATE,     /* the policy allows the flow, but not this packet of it */
	REPLAY_SMB,       /* not granted */
	REPLAY_RDP,
	REPLAY_OPENING,   /* what comes first is no opening of what is granted */
	REPLAY_SHORT,     /* or too short to tell; without an event */
	REPLAY_LATE,      /* a request behind the server's refusal; without an event */
	REPLAY_NLA,
	REPLAY_SMB2,
	REPLAY_SIGNING,
	REPLAY_GUARD,
	REPLAY_WHYS,
};
const char *replay_why_word(enum replay_why w); /* "no-rule" */

/* A requirement that a connection did not show; or (require 0) data that is no opening
 * came first where SMB or RDP is granted, and only that packet is denied. */
struct replay_gate {
	uint8_t require; /* one fs_require_bit */
	bool held;       /* denied and condemned from there on; else only told */
	uint64_t packet; /* of the flow, from 1 */
	int64_t ts_us;
};
enum { REPLAY_GATES_MAX = 4 }; /* of one flow: one a requirement, and the opening */

/* What became of the packets of a flow.  Zeroed: it was not judged here (not TCP, or not
 * ours). */
struct replay_fate {
	bool judged;
	bool followed;         /* the capture has all that the rules look at */
	uint8_t spoke;         /* fs_proto_bit that condemned it, or 0; at that packet */
	uint64_t spoke_at;
	int64_t spoke_us;
	uint64_t dropped;      /* of its packets, by whatever */
	uint64_t first;        /* the first of them */
	uint64_t condemned;    /* dropped from the packet that condemned it on */
	uint64_t no_rule;      /* the first dropped because no rule allows it, or 0 */
	enum fs_reason reason; /* why not, of that one */
	struct replay_gate gate[REPLAY_GATES_MAX]; /* in the order of packets */
	uint8_t ngates;
};

/* Rules are taken as they are at *at, or where that is NULL at each packet's own time.
 * fs and at outlive it.  NULL: no memory. */
struct replay_kernel *replay_kernel_new(const struct fs *fs, const int64_t *at);
void replay_kernel_free(struct replay_kernel *k);

/* One packet on its way through the rules. */
struct replay_pass {
	enum replay_why why;
	bool judged;  /* it is one of TCP with a protected end */
	bool valid;   /* conntrack knows its connection */
	enum guard_dir sent; /* which guards are asked; GUARD_BOTH: who opened is not known */
	uint32_t host[2]; /* FS_HOSTS of its sender, its receiver; FS_NONE: not ours */
	int64_t at;   /* second of the rules */
	const char *guard; /* that dropped it, or NULL */
};

/* Judge the packet just counted by r up to the guards.  0, or -1: no memory. */
int replay_kernel_packet(struct replay_kernel *k, const struct replay *r,
    const struct pkt_view *v, int64_t ts_us, struct replay_pass *ret);
/* That packet is through, or p->why stopped it since. */
void replay_kernel_done(struct replay_kernel *k, const struct replay *r,
    const struct pkt_view *v, const struct replay_pass *p);

/* Of flow i. */
struct replay_fate replay_fate_of(const struct replay_kernel *k, size_t i);

#endif
