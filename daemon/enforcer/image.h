/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a compiled policy from the loader: checked, kept, restored */
#ifndef CORDON_ENFORCER_IMAGE_H
#define CORDON_ENFORCER_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "priv/blob.h"
#include "priv/msg.h"

struct fs;
struct ruleset;

struct image {
	struct blob blob[2];      /* flow space, ruleset */
	const struct fs *fs;      /* NULL: none */
	const struct ruleset *rs; /* may be NULL where only restored */
	struct msg_loaded info;
	int64_t applied_at;       /* seconds UTC */
	uint32_t generation;
	bool restored;            /* from the state directory, not from the tree */
};
#define IMAGE_NONE { { BLOB_NONE, BLOB_NONE }, NULL, NULL, { 0 }, 0, 0, false }

/* Take over what a loader sent (fds: flow space, ruleset; closed on failure).  Both
 * have to be sealed, bounded, well-formed, of one digest that is right, and the
 * ruleset of `generation`.  0 or -1 (said in the log, *ret untouched). */
int image_take(const int fds[static 2], const struct msg_loaded *info,
    uint32_t generation, struct image *ret);

void image_drop(struct image *i);

/* Write i to dir_fd as the last good one: whole or not at all, on disk when it
 * returns.  0 or -errno. */
int image_save(int dir_fd, const struct image *i);

/* Read the last good one: its flow space only.  0, -ENOENT, or -errno (-EBADMSG:
 * damaged). */
int image_restore(int dir_fd, struct image *ret);

#endif
