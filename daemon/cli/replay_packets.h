/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: replay --packets: each packet that the kernel would have denied, and why */
#ifndef CORDON_CLI_REPLAY_PACKETS_H
#define CORDON_CLI_REPLAY_PACKETS_H

#include <stdbool.h>
#include <stdint.h>

#include <cordon/flowspace.h>

struct pkt_view;
struct replay;
struct replay_pass;

/* Writes to standard output, as --format says.  False: it can't. */
struct replay_packets;
struct replay_packets *replay_packets_new(const struct fs *fs, const int64_t *at);
void replay_packets_free(struct replay_packets *t);

/* The packet just counted by r, `number` in the file (from 1), of which p was said. */
void replay_packets_tell(struct replay_packets *t, uint64_t number, const struct replay *r,
    const struct pkt_view *v, int64_t ts_us, const struct replay_pass *p);
/* All packets are in.  False: writing failed. */
bool replay_packets_end(struct replay_packets *t, uint64_t packets, bool broken_off);

#endif
