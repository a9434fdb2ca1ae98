/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: IP datagrams put together from fragments, in a small bounded pool */
#ifndef WIRE_FRAG_H
#define WIRE_FRAG_H

#include "wire/decode.h"

struct frag_pool;

struct frag_stats {
	uint64_t fragments, datagrams; /* pieces seen, datagrams completed */
	uint64_t dropped;	       /* datagrams given up: overlap, length, age, room */
};

/* A pool for n datagrams at once, of up to 64 KB each; NULL without memory. */
struct frag_pool *frag_pool_new(uint32_t n);
void frag_pool_free(struct frag_pool *p);
const struct frag_stats *frag_pool_stats(const struct frag_pool *p);

/* Add the fragment decode_packet() described.  True: the datagram is whole and
 * v->body is all of it (borrowed until the next call); go on with
 * decode_transport(). */
bool frag_add(struct frag_pool *p, struct pkt_view *v, int64_t ts_us);

#endif
