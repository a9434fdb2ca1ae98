/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what a policy says of the two ends of a TCP connection, whoever opens it */
#ifndef CORDON_CLI_REPLAY_FACTS_H
#define CORDON_CLI_REPLAY_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include <cordon/flowspace.h>

struct opening;
struct pkt_view;

/* Ends are 0 and 1; what has a direction is by the end that sends. */
struct facts {
	int64_t at;             /* second */
	uint32_t host[2];       /* FS_HOSTS, or FS_NONE: not ours */
	bool observed[2];
	bool allowed[2];        /* what opens */
	enum fs_reason reason[2];
	bool asks[2];           /* data goes where some rule of an enforced end requires something */
	bool speaks;            /* somewhere on these ports some rule grants SMB or RDP */
};

/* Of a packet sent by end `from`. */
void facts_of(struct facts *ret, const struct fs *fs, const struct pkt_view *v,
    unsigned from, int64_t at);
bool facts_ours(const struct facts *f);
bool facts_enforced(const struct facts *f); /* one of its ends is ours and not only observed */
/* To o the two ends of a packet sent by `from`. */
void facts_ends(const struct facts *f, unsigned from, struct opening *o);

#endif
