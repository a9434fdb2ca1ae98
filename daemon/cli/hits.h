/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: which guards hit which flow of a capture */
#ifndef CORDON_CLI_HITS_H
#define CORDON_CLI_HITS_H

#include <stddef.h>
#include <stdint.h>

struct fs;
struct guards;
struct hits;
struct pkt_in;
struct wire;

/* The guards of a flow space, ready to match; their numbers are its indexes.  NULL: no
 * memory.  *ret_left_out (may be NULL): how many found no room. */
struct guards *hits_guards(const struct fs *fs, size_t *ret_left_out);

/* A record of hits on flows, by wire's flow ids.  NULL: no memory. */
struct hits *hits_new(void);
void hits_free(struct hits *h);

/* Judge the packet that w has just taken.  Hits are added; those of this packet are
 * ret[0..return).  -1: no memory. */
int hits_packet(struct hits *h, const struct guards *g, const struct wire *w,
    uint32_t *ret);

/* The bits of flow id, as in struct flow_facts; NULL: none hit it. */
const uint32_t *hits_of(const struct hits *h, uint64_t id);
/* The i-th flow that was hit, in the order of their first hits; false: there are less. */
int hits_at(const struct hits *h, size_t i, uint64_t *ret_id, const uint32_t **ret_bits);

#endif
