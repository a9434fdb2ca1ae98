/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: policy x sighting -> decision; pure */
#ifndef ENGINE_DECIDE_H
#define ENGINE_DECIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/event.h"

struct fs;

/* What a sighting means.  Indexes are of the policy it was judged by (`under`). */
struct decision {
	bool tell;       /* there is something to tell; false: all else is unset */
	uint8_t kind, action, reason, side, mode; /* enums of event.h */
	uint8_t app, confidence;
	uint32_t host, rule, guard; /* FS_HOSTS, FS_RULES, FS_GUARDS; or FS_NONE */
	bool reversed;   /* the packet went from server to client */
	bool block;      /* shut the client out: `shut` is the request */
	bool shuts;      /* a guard that drops, but the sensor saw it when it had passed */
	bool refused;    /* it would be shut out, but may never be */
	struct msg_block shut;
};

/* under: the policy of the generation that logged it; now: the policy in force,
 * which alone says who may be blocked.  Both may be the same. */
void decide(const struct fs *under, const struct fs *now, const struct msg_sighting *s,
    struct decision *ret);

/* Fill in the event that tells d: words, names, addresses, guard's title. */
void decide_event(const struct fs *under, const struct msg_sighting *s,
    const struct decision *d, struct event *ret);

/* Whether an automatic block of the prefix may be asked for: it holds no gateway,
 * management, never or protected address. */
bool decide_blockable(const struct fs *fs, const struct netaddr *a, unsigned prefixlen);

/* Into d: whether and how `client` may be shut out by now's settings (block, refused,
 * shut).  Whether it is wanted is the caller's to know. */
void decide_shut(const struct fs *now, const struct netaddr *client, struct decision *d);

/* Whether some rule, in or out, names an address that the block would shut out. */
bool decide_named(const struct fs *now, const struct msg_block *b);

/* What a sighting of two ends that speak is about, whether granted or not: host, rule,
 * side, mode (observe where any side is).  False: neither end is ours. */
bool decide_session(const struct fs *fs, const struct msg_sighting *s, struct decision *ret);

/* The verdict on its flow, the other way round where reversed. */
struct fs_verdict;
void decide_verdict(const struct fs *fs, const struct msg_sighting *s, bool reversed,
    struct fs_verdict *ret);

/* Which way a packet of a connection goes: true from server to client. */
bool decide_reversed(const struct fs *fs, const struct msg_sighting *s);

#endif
