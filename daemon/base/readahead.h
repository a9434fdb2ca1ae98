/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: packets of a file read ahead, on another processor where there is one */
#ifndef BASE_READAHEAD_H
#define BASE_READAHEAD_H

struct pkt_in;
struct readahead;

/* The next packet, its bytes valid until the next call: 1, 0 at the end, -1 on failure.
 * After 0 or -1 it isn't called again. */
typedef int readahead_source(void *arg, struct pkt_in *ret);

/* Begin to read; the source is called by a thread of its own until readahead_free(), and
 * nobody else may touch what it uses before the end was told.  NULL without memory. */
struct readahead *readahead_new(readahead_source *source, void *arg);
void readahead_free(struct readahead *r);

/* Up to max of the next packets, in order, their bytes valid until the next call: how
 * many, or what the source returned at its end. */
int readahead_some(struct readahead *r, struct pkt_in *ret, int max);

#endif
