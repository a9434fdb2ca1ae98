/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a capture's flows judged by a policy, for the ways to show that */
#ifndef CORDON_CLI_REPLAY_JUDGE_H
#define CORDON_CLI_REPLAY_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cordon/flowspace.h>

#include "cli/answer.h"
#include "cli/replay_guard.h"
#include "cli/replay_kernel.h"

struct replay;
struct replay_flow;
struct replay_packets;
struct wire;

struct replay_counts {
	uint64_t packets, undecoded, related, verdict[3], exposure, condemned;
	bool broken_off;
};

/* What looks at the packets of a capture for one policy. */
struct readers {
	struct replay *flows;
	struct wire *wire;
	struct replay_guards *guards;
	struct replay_kernel *kernel;
	const int64_t *at;
	struct replay_packets *packets; /* told of each, or NULL; borrowed */
};

/* fs, and at where it isn't NULL, outlive them.  0, or -1: no memory, free what there is.
 * Freeing zeroed readers is fine. */
int readers_init(struct readers *to, const struct fs *fs, const int64_t *at);
void readers_free(struct readers *to);

/* Let to[0..nto) see every packet of a file; all come to the same flows.  CLI_OK, also
 * where it breaks off (n->broken_off, and it was said), or what to exit with. */
int replay_read(const char *path, const struct readers *to, unsigned nto,
    struct replay_counts *n);

enum { REPLAY_HITS_MAX = 16 }; /* told of one flow */

/* What a policy says of one flow. */
struct judged {
	const struct fs *fs;
	const struct replay_flow *flow;
	struct fs_flow asked;
	struct fs_verdict v;
	bool exposure;
	struct replay_hit hit[REPLAY_HITS_MAX]; /* of guards, as they count */
	size_t nhits;
	struct replay_fate fate;
};

/* Judge flow i, at its own time or at *at; the hits of guards were sorted before
 * (replay_guards_sort()).  Borrows from what it is given. */
void replay_judge(struct judged *ret, const struct fs *fs, const struct readers *from,
    size_t i, const int64_t *at);

/* The hit that condemned the connection, or NULL. */
const struct replay_hit *replay_condemns(const struct judged *j);

/* ---- words ---- */
void replay_timestamp(int64_t us, char *buf, size_t size);
/* "tcp", "ip/50", "icmp": in buf or static. */
const char *replay_proto(const struct fs_flow *f, char buf[static ANSWER_SERVICE_LEN]);
/* "10.0.0.1:445", "[fd00::1]:445", without a port the address. */
void replay_end(
    const struct netaddr *a, uint16_t port, bool with_port, char *buf, size_t size);
/* "drop", "alert" or "would_drop". */
const char *replay_action(const struct replay_hit *h);
/* The rule that allows, the guard, or the reason. */
const char *replay_why(const struct judged *j, char *buf, size_t size);

/* How many of its packets the kernel would have denied. */
uint64_t replay_denied(const struct judged *j);

#endif
