/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what a policy's guards do to the flows of a capture */
#ifndef CORDON_CLI_REPLAY_GUARD_H
#define CORDON_CLI_REPLAY_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cordon/flowspace.h>

struct replay;
struct replay_opening;
struct replay_flow;
struct replay_guards;
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

/* Judge the packet just counted by r and taken by the wire.  0, or -1: no memory. */
int replay_guards_packet(struct replay_guards *g, const struct replay *r, int64_t ts_us);

/* All packets are in: put the hits in the order of flows. */
void replay_guards_sort(struct replay_guards *g);

/* The hits that count for flow i whose verdict is v and whose openings came to o, at their
 * own time (or *at for all), in their order; a drop ends them, as it ends the connection.  At most max; returns how
 * many. */
size_t replay_guards_of(const struct replay_guards *g, size_t i,
    const struct replay_flow *f, const struct fs_verdict *v,
    const struct replay_opening *o, const int64_t *at, struct replay_hit *ret, size_t max);

#endif
