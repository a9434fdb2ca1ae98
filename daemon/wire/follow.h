/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: inside of a struct wire, shared by wire.c and follow.c only */
#ifndef WIRE_FOLLOW_H
#define WIRE_FOLLOW_H

#include "wire/flow.h"
#include "wire/frag.h"
#include "wire/reassembly.h"
#include "wire/wire.h"

struct facts_slot {
	uint32_t owner; /* the flow's index + 1, 0: free */
	struct flow_facts facts;
};

struct wire {
	struct flow_table flows;
	struct stream_pool *streams;
	struct frag_pool *frags;
	struct facts_slot *facts;
	uint32_t facts_size, facts_hand;
	struct wire_tap tap;
	struct wire_stats stats;
	struct pkt_view *view; /* of the packet last taken: in `ahead` */
	enum decode how;
	struct ahead {
		const uint8_t *bytes; /* whose view it is */
		enum decode how;
		int dir;
		struct flow key;
		uint32_t *bucket; /* where `key` will be looked for, NULL: not known */
		struct pkt_view view;
	} ahead[WIRE_AHEAD];
	unsigned ahead_at, ahead_n; /* the next to be taken, how many there are */
	bool tunnels;
	int64_t ts_us; /* of the packet last taken */
	uint32_t last; /* the flow of the packet last taken, FLOW_NONE: none */
	int last_dir;
};

/* Take the payload of w->view, sent in direction dir of the flow at `at`; seq is
 * its first byte's number.  Returns NEWS_*. */
uint32_t follow_payload(struct wire *w, uint32_t at, int dir, uint32_t seq);

/* An acknowledgment by direction dir: bytes the peer has and we never saw will
 * not come any more.  What waits behind them is read.  Returns NEWS_*. */
uint32_t follow_ack(struct wire *w, uint32_t at, int dir, uint32_t ack);

/* No packet will come any more: read what waits in direction dir.  Returns NEWS_*. */
uint32_t follow_finish(struct wire *w, uint32_t at, int dir);

/* What was read of direction dir did not count, nor what was made of it: its stream starts
 * at base. */
void follow_restart(struct wire *w, uint32_t at, int dir, uint32_t base);

/* Give up what the flow holds: buffers and facts. */
void follow_release(struct wire *w, uint32_t at);

#endif
