/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: packets in, sightings out: the one entry of the sensor and the CLI */
#ifndef WIRE_WIRE_H
#define WIRE_WIRE_H

#include "wire/decode.h"
#include "wire/facts.h"
#include "wire/proto.h"

struct wire;

/* How much may be remembered; a member of 0 takes the default. */
struct wire_conf {
	uint32_t flows;	  /* TCP flows, 128 bytes each; default 131072 */
	uint32_t streams; /* buffers for bytes out of order or of half a message,
			     9.5 KB each; default 1024 */
	uint32_t facts;	  /* recognised flows, 1.1 KB each; default 8192 */
	uint32_t frags;	  /* datagrams in pieces, 66 KB each; default 32 */
	uint64_t seed;	  /* of the hash; random where packets come from strangers */
	bool tunnels;	  /* look into them: tunnel.h says why not of live packets */
	bool huge_pages;  /* for the flows: faster, but memory comes in 2 MB */
};

/* All counts since wire_new(). */
struct wire_stats {
	uint64_t packets, bytes; /* bytes on the wire */
	uint64_t tcp, not_ip, malformed, cut, unknown_link;
	uint64_t flows, recognised[APP_COUNT];
	uint64_t flows_evicted, facts_evicted, streams_evicted;
	uint64_t fragments, datagrams, frags_dropped;
	uint64_t old_segments; /* all of it had been read before */
	uint64_t conflicts;    /* overlaps whose bytes differed */
	uint64_t gaps;	       /* places where bytes never came */
	uint64_t resumed;      /* of those: read on where a message was found behind */
	uint64_t outside;      /* segments too far ahead to be kept */
	uint64_t tunnelled;    /* packets that were found in a tunnel */
	uint64_t lost_sync;    /* recognised streams that stopped making sense */
};

/* Called with each message of a recognised flow and with what a flow began with,
 * after its facts were taken: the start of the message as far as it was put
 * together (MESSAGE_HEAD_MIN bytes or all of it, or cut where v->final).  For
 * guards: set bits in v->facts->guards (NULL where nothing is recognised).
 * Returns NEWS_* to report. */
struct wire_tap {
	uint32_t (*message)(void *arg, const struct flow_view *v, const uint8_t *bytes,
	    uint32_t len);
	void *arg;
};

/* Everything is allocated here.  NULL without memory.  conf may be NULL. */
struct wire *wire_new(const struct wire_conf *conf);
void wire_free(struct wire *w);
void wire_set_tap(struct wire *w, const struct wire_tap *tap);

/* Take one packet.  True if there is something new about a flow: then *ret is all
 * that is known of it. */
bool wire_packet(struct wire *w, const struct pkt_in *in, struct sighting *ret);

/* No packet comes any more: what still waits for bytes before it is read.  To be called
 * until it is false, else as wire_packet(). */
bool wire_finish(struct wire *w, struct sighting *ret);

/* The packets that wire_packet() will be given next, in this order: it is faster when it
 * knows some of them, WIRE_AHEAD at most.  Their bytes stay until they were taken. */
enum { WIRE_AHEAD = 16 };
void wire_ahead(struct wire *w, const struct pkt_in *in, unsigned n);

/* The packet last taken, decoded (and put together); valid until its bytes go. */
const struct pkt_view *wire_view(const struct wire *w, enum decode *ret_how);

/* Whether the ends of a decoded TCP packet were seen to complete a handshake, or do by
 * it: its client is where it says it is. */
bool wire_handshake(const struct wire *w, const struct pkt_view *v);

/* The flow of the packet last taken, and whether its server sent it (the end that did
 * not send the first packet, until more is known).  ret_id may be NULL, which is cheaper.
 * False: it is of none. */
bool wire_flow(const struct wire *w, uint64_t *ret_id, bool *ret_to_client);

/* What is known of the flow of the packet last taken; facts.app is APP_NONE where no
 * protocol is.  False: it is of none. */
bool wire_known(const struct wire *w, struct sighting *ret);

enum app wire_app(const struct wire *w); /* of that flow; APP_NONE without one */

/* Whether it was seen who opened the flow of the packet last taken. */
bool wire_opened(const struct wire *w);

void wire_get_stats(const struct wire *w, struct wire_stats *ret);

#endif
