/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: bounded table of TCP flows, found by their end points */
#ifndef WIRE_FLOW_H
#define WIRE_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/decode.h"
#include "wire/facts.h"

#define FLOW_NONE UINT32_MAX

/* What is done with the bytes of one direction. */
enum stage {
	STAGE_NEW,  /* no byte or SYN seen: the base is not known */
	STAGE_OPEN, /* from the base on, in order: which protocol is it? */
	STAGE_SCAN, /* none at the start: glance at the first bytes of packets */
	STAGE_APP,  /* message by message */
	STAGE_DONE, /* ignored */
};

/* Bits of flow.flags.  "lo" is the smaller end point, direction 0 its packets. */
enum {
	FLOW_CLIENT_LO = 1 << 0,
	FLOW_CLIENT_KNOWN = 1 << 1,
	FLOW_SYN = 1 << 2,
	FLOW_SYNACK = 1 << 3,
	FLOW_ESTABLISHED = 1 << 4, /* the client's ACK came after the SYN-ACK */
	FLOW_CLOSED = 1 << 5,
	FLOW_IN_USE = 1 << 6,
	FLOW_SAW_0 = 1 << 7, /* a message of the application by direction 0 */
	FLOW_SAW_1 = 1 << 8,
	FLOW_V6 = 1 << 9,
	FLOW_START_0 = 1 << 10, /* base[0] is the stream's first byte */
	FLOW_START_1 = 1 << 11,
	FLOW_WAITS_0 = 1 << 12, /* direction 0 has a stream buffer */
	FLOW_WAITS_1 = 1 << 13,
	FLOW_FIRST_HI = 1 << 14, /* the first packet seen was by direction 1 */
	FLOW_SYN_BYTES = 1 << 15, /* bytes came with the client's SYN */
};

/* One cache line, all that a packet of a decided flow touches. */
struct flow {
	uint64_t lo[2], hi[2]; /* address bytes, IPv4 in the low half of [1] */
	uint16_t lo_port, hi_port;
	uint32_t next; /* in the bucket: index + 1, 0 ends it */
	uint32_t seen_s;
	uint32_t base[2]; /* sequence number of the next byte wanted */
	uint16_t flags;
	uint8_t stage[2], packets[2]; /* packets with payload, up to 255 */
	uint8_t app;
	uint8_t has_facts; /* flow_more.facts is not FLOW_NONE */
};

/* Bits of flow_more.ends, shifted by a direction: it closed the flow; it sent another SYN,
 * which its peer has not answered. */
enum { MORE_ENDED = 1 << 0, MORE_ASKED = 1 << 2 };

/* The rest, touched when something happens. */
struct flow_more {
	uint64_t id;
	int64_t first_us;
	uint32_t stream[2]; /* STREAM_NONE: nothing is waiting */
	uint32_t facts;	    /* FLOW_NONE: none */
	uint32_t isn, asked; /* of the client's SYN; of one in the middle, MORE_ASKED */
	uint8_t stuck[2];   /* packets that acknowledged bytes never seen */
	uint8_t hole[2];    /* bytes came and those before them did not: follow.c */
	uint16_t hole_s[2]; /* since when */
	uint16_t begins[2]; /* bytes of what waits that one packet began with */
	uint8_t ends;	    /* MORE_* */
};

struct flow_table {
	void *block; /* what `flow` lies in, aligned */
	struct flow *flow;
	struct flow_more *more;
	uint32_t *bucket; /* index + 1, 0: empty */
	uint32_t size, mask, hand, used;
	uint64_t seed, next_id;
};

/* A table of n flows (>= 1); the seed keeps strangers from choosing the bucket.  Huge
 * pages are asked for, where the kernel has them.  0, or -1 without memory. */
int flow_table_init(struct flow_table *t, uint32_t n, uint64_t seed, bool huge_pages);
void flow_table_fini(struct flow_table *t);

/* The key of a TCP packet: its end points in order.  *ret_dir is 0 if the packet
 * was sent by the smaller one. */
void flow_key(const struct pkt_view *v, struct flow *ret_key, int *ret_dir);

/* The bucket of a key, an entry of t->bucket. */
uint32_t *flow_bucket(const struct flow_table *t, const struct flow *key);

/* The flow of a key, or FLOW_NONE. */
uint32_t flow_find(const struct flow_table *t, const struct flow *key);

/* The same for a packet of it, from the key's bucket: who was asked for last is found
 * first. */
uint32_t flow_take(struct flow_table *t, uint32_t *bucket, const struct flow *key);

/* How much would be lost with a flow: smaller goes first. */
uint64_t flow_worth(const struct flow *f, uint32_t now_s);

/* Where a new flow is to go: a free place, or one of the next places of the clock
 * hand that matters least (closed, never answered, not recognised, longest
 * silent; of a table of flows worth keeping more places are looked at); *ret_evict
 * says that it is in use and must be given up first. */
uint32_t flow_choose(struct flow_table *t, uint32_t now_s, bool *ret_evict);

/* Begin / end a flow at a place chosen; begin gives it the next id. */
void flow_begin(struct flow_table *t, uint32_t at, const struct flow *key, int64_t ts_us);
void flow_end(struct flow_table *t, uint32_t at);

/* The addresses of an end point. */
void flow_addr(const struct flow *f, bool lo, struct netaddr *ret);

#endif
