/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what openings and `require:` would have made of the connections of a capture */
#ifndef CORDON_CLI_REPLAY_GATE_H
#define CORDON_CLI_REPLAY_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cordon/flowspace.h>

struct pkt_view;
struct replay;
struct replay_gates;

/* A requirement that a connection did not show; or (require 0) data that is no opening
 * came first where SMB or RDP is granted, and only that packet is denied. */
struct replay_gate {
	uint8_t require; /* one fs_require_bit */
	bool held;       /* denied and condemned from there on; else only told */
	uint64_t packet; /* of the flow, from 1 */
	int64_t ts_us;
};
enum { REPLAY_GATES_MAX = 4 }; /* of one flow: one a requirement, and the opening */

/* SMB or RDP where an enforced side does not grant it, as the kernel's rules see that. */
struct replay_opening {
	bool followed;      /* from its SYN on, nothing is missing; else nothing is known */
	uint8_t condemned;  /* fs_proto_bit, or 0; at that packet of the flow */
	uint64_t packet;
	int64_t ts_us;
};

/* Rules are taken as they are at *at, or where that is NULL at each connection's own
 * time.  fs and at outlive it.  NULL: no memory. */
struct replay_gates *replay_gates_new(const struct fs *fs, const int64_t *at);
void replay_gates_free(struct replay_gates *g);

/* Judge the packet just counted by r.  0, or -1: no memory. */
int replay_gates_packet(struct replay_gates *g, const struct replay *r,
    const struct pkt_view *v, int64_t ts_us);

/* What flow i did not show, in the order of its packets; one that is held ends it.
 * Returns how many. */
size_t replay_gates_of(const struct replay_gates *g, size_t i,
    struct replay_gate ret[static REPLAY_GATES_MAX]);

struct replay_opening replay_opening_of(const struct replay_gates *g, size_t i);

/* As in events: "nla-required", "opening". */
const char *replay_gate_reason(uint8_t require);

#endif
