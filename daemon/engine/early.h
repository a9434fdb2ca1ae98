/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: sightings that came before the policy they were logged under */
#ifndef ENGINE_EARLY_H
#define ENGINE_EARLY_H

#include <stdbool.h>
#include <stdint.h>

#include "priv/msg.h"

struct generations;

/* The kernel logs under a new generation from its commit on; the engine hears of it a
 * little later.  What is logged in between waits here, in order, at most EARLY_WAIT_US:
 * then it is judged by what there is.  Times are monotonic. */
enum { EARLY_MAX = 256 };
#define EARLY_WAIT_US 500000ull

struct early;

/* NULL: no memory. */
struct early *early_new(void);
void early_free(struct early *e);

/* Take s if its policy has not come yet.  False: judge it now; so does a full queue. */
bool early_take(struct early *e, const struct generations *g,
    const struct msg_sighting *s, uint64_t mono_us);

/* The first that has waited long enough, or whose policy has come, into *ret.  False:
 * none; *ret_due is when the next is, 0: none waits. */
bool early_next(struct early *e, const struct generations *g, uint64_t mono_us,
    struct msg_sighting *ret, uint64_t *ret_due);

#endif
