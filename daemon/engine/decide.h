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

/* Which way a packet of a connection goes: true from server to client. */
bool decide_reversed(const struct fs *fs, const struct msg_sighting *s);

#endif
