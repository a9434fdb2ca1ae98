/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the policy in force and the one before, by generation */
#ifndef ENGINE_GENERATION_H
#define ENGINE_GENERATION_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/event.h"
#include "priv/blob.h"

struct fs;

/* An image mapped read-only; fs NULL: none. */
struct generation {
	const struct fs *fs;
	struct blob image;
	struct event_policy policy;
	int64_t applied_at;
	bool restored;
};

/* The one before is kept for packets that were logged under it and come late. */
struct generations {
	struct generation now, before;
};

/* Map and check a sealed image; what was `now` becomes `before`.  Takes fd over.
 * breathe(arg) runs between slices of it, with *g as it was or as it will be.  0,
 * or -errno (-EPERM: not sealed, -EINVAL: not well-formed) with *g untouched. */
int generations_take(struct generations *g, const struct msg_policy *p, int fd,
    blob_breathe_fn *breathe, void *arg);
void generations_free(struct generations *g);

/* By number (0: of an interface, which is now).  Of unknown ones the nearest: older
 * ones are `before`, newer ones `now`. */
const struct generation *generations_find(const struct generations *g, uint32_t number);
/* Whether the policy of that number is still to come. */
bool generations_awaits(const struct generations *g, uint32_t number);

#endif
