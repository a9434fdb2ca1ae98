/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what a policy's guards do to the flows of a capture */
#ifndef CORDON_CLI_REPLAY_GUARD_H
#define CORDON_CLI_REPLAY_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cordon/flowspace.h>

struct replay;
struct replay_fate;
struct replay_flow;
struct replay_guards;
struct replay_pass;
struct wire;

/* One hit as it counts for a flow: what some protected end does about the guard. */
struct replay_hit {
	const char *guard;  /* its id */
	uint8_t action;     /* enum fs_guard_action of the end that does most */
	bool observed;      /* it would drop, but that end is only observed */
	bool sensor;        /* seen by the sensor: told, the packet has passed */
	uint64_t packet;    /* of the flow, from 1 */
	int64_t ts_us;
};

/* Ready to watch the packets that w takes by the guards of fs; both outlive it.  NULL:
 * no memory. */
struct replay_guards *replay_guards_new(const struct fs *fs, struct wire *w);
void replay_guards_free(struct replay_guards *g);

/* Judge the packet just counted by r and taken by the wire, which the rules let this far;
 * where a guard drops it p->why says so.  0, or -1: no memory. */
int replay_guards_packet(struct replay_guards *g, const struct replay *r, int64_t ts_us,
    struct replay_pass *p);

/* The same of what the tap found behind the last packet, in the flow that was spoken of
 * last (replay_spoken()).  at: as replay_judge() takes it. */
int replay_guards_messages(struct replay_guards *g, const struct replay *r, int64_t ts_us,
    const int64_t *at);

/* All packets are in: put the hits in the order of flows. */
void replay_guards_sort(struct replay_guards *g);

/* The hits of flow i in their order, with SMB or RDP beyond the grants of v; fate: what
 * became of it.  At most max; returns how many. */
size_t replay_guards_of(const struct replay_guards *g, size_t i,
    const struct replay_flow *f, const struct fs_verdict *v,
    const struct replay_fate *fate, struct replay_hit *ret, size_t max);

#endif
