/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what the engine may never have done, whoever took it over */
#ifndef CORDON_ENFORCER_GUARD_H
#define CORDON_ENFORCER_GUARD_H

#include <stddef.h>
#include <stdint.h>

#include "priv/msg.h"

struct fs;
struct netrange;

enum {
	GUARD_AUTO_TTL_MIN = 10, GUARD_AUTO_TTL_MAX = 24 * 3600, /* seconds */
	GUARD_OPERATOR_TTL_MAX = 30 * 24 * 3600,
	/* tokens: blocks at once, and regained a second */
	GUARD_AUTO_BURST = 4096, GUARD_AUTO_RATE = 64,
	GUARD_OPERATOR_BURST = 1024, GUARD_OPERATOR_RATE = 8,
};

/* Starts full. */
struct guard_bucket {
	uint32_t burst, rate;
	uint64_t millitokens, last_us;
};

struct guard_state {
	struct guard_bucket bucket[2]; /* by enum block_origin */
	const struct netrange *local;  /* the machine's own addresses; the caller's */
	size_t nlocal;
};

void guard_init(struct guard_state *g);

/* Whether this block may be set under policy fs.  mono_us: clock_mono_us().
 * MSG_OK: one token is spent; b->prefixlen was narrowed from 64 to 128 where the /64
 * holds an address that may not be blocked.  MSG_E_INVALID, MSG_E_NEVER or
 * MSG_E_FULL (budget): *b untouched. */
enum msg_code guard_block(struct guard_state *g, const struct fs *fs, uint64_t mono_us,
    struct msg_block *b);

#endif
