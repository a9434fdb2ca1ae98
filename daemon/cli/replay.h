/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the connections of a capture, as the policy will be asked about them */
#ifndef CORDON_CLI_REPLAY_H
#define CORDON_CLI_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cordon/netaddr.h>

struct pkt_view;
struct sighting;
struct replay;

/* One connection, in the direction in which it was opened.  first_us: its first
 * packet, microseconds since 1970.  icmp: dport is the type. */
struct replay_flow {
	struct netaddr src, dst;
	uint16_t sport, dport;
	uint8_t proto;
	bool opened;     /* who opened it was seen, not guessed */
	bool closed;     /* TCP: FIN or RST seen */
	uint8_t app;     /* enum app: what it spoke */
	uint8_t confidence;
	bool turned;     /* its ends were exchanged after its first packet */
	int64_t first_us;
	int64_t spoken_us;  /* when it was known what it speaks, and at which packet */
	uint64_t spoken_at;
	uint64_t packets, bytes; /* bytes on the wire */
};

/* NULL: no memory. */
struct replay *replay_new(void);
void replay_free(struct replay *r);

/* Count a decoded packet.  0: it belongs to a flow; 1: to none (an ICMP error,
 * neighbour discovery); -1: no memory. */
int replay_packet(struct replay *r, const struct pkt_view *v, int64_t ts_us,
    uint32_t wire_len);

/* The flow of the packet counted last, and whether conntrack calls its direction the
 * reply (ret may be NULL). */
size_t replay_last(const struct replay *r, bool *ret_reply);

/* Of that packet's two ends the number of the sender's, 0 or 1: the same for all flows
 * between them.  And the flow between them before this one, or SIZE_MAX. */
unsigned replay_last_end(const struct replay *r);
size_t replay_last_before(const struct replay *r);

/* Note what a flow that was counted spoke; it is that of the packet last counted, then. */
void replay_spoken(struct replay *r, const struct sighting *s);

/* Flows by their first packet. */
size_t replay_count(const struct replay *r);
const struct replay_flow *replay_flow(const struct replay *r, size_t i);

#endif
