/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: bounded buffers that put the bytes of TCP streams in order */
#ifndef WIRE_REASSEMBLY_H
#define WIRE_REASSEMBLY_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes a stream may hold that no recogniser has consumed yet. */
enum { STREAM_WINDOW = 8192 };
#define STREAM_NONE UINT32_MAX

struct stream_pool;

struct stream_stats {
	uint64_t conflicts; /* overlapping bytes that differed; the first ones won */
	uint64_t evicted;   /* buffers taken from their flow for another one */
	uint64_t outside;   /* segments wholly or partly past the window */
};

/* A pool of n buffers (>= 1) of about 9.5 KB each, allocated here and never
 * again.  NULL if memory is short. */
struct stream_pool *stream_pool_new(uint32_t n);
void stream_pool_free(struct stream_pool *p);
const struct stream_stats *stream_pool_stats(const struct stream_pool *p);

/* Take a buffer for `owner`, an arbitrary number, with its first byte at
 * sequence number base.  Where none is free the least recently taken one is
 * evicted and *ret_evicted is its owner, else it is STREAM_NONE. */
uint32_t stream_take(struct stream_pool *p, uint32_t owner, uint32_t base,
    uint32_t *ret_evicted);
void stream_release(struct stream_pool *p, uint32_t id);

/* The owner of the buffer taken least recently; false: all are free. */
bool stream_oldest(const struct stream_pool *p, uint32_t *ret_owner);

/* Store the bytes of a segment that starts at sequence number seq.  What lies
 * before the base is dropped, of bytes given twice the first stay.  False if
 * some lay past the window and were dropped. */
bool stream_add(struct stream_pool *p, uint32_t id, uint32_t seq, const uint8_t *bytes,
    uint32_t len);

/* The bytes in order from the base on; *ret_len of them.  Valid until the next
 * call for this buffer. */
const uint8_t *stream_ready(struct stream_pool *p, uint32_t id, uint32_t *ret_len);

/* Whether bytes wait behind a hole. */
bool stream_has_island(const struct stream_pool *p, uint32_t id);

/* How many bytes are missing behind those ready, before others that wait; 0: none wait.
 * They are counted: not for every packet. */
uint32_t stream_hole(const struct stream_pool *p, uint32_t id);

/* Move the base by n bytes, which may be more than is there. */
void stream_consume(struct stream_pool *p, uint32_t id, uint32_t n);

/* How many bytes in order the flow's recogniser waits for (0: any). */
void stream_set_want(struct stream_pool *p, uint32_t id, uint32_t want);
uint32_t stream_want(const struct stream_pool *p, uint32_t id);

#endif
