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
	struct ruleset *made;     /* rs where the kernel has it under other names, or NULL */
};
#define IMAGE_NONE { { BLOB_NONE, BLOB_NONE }, NULL, NULL, { 0 }, 0, 0, false, NULL }

/* Take over what a loader sent (fds: flow space, ruleset; closed on failure).  Both
 * have to be sealed, bounded, well-formed, of one digest that is right, and the
 * ruleset of `generation`.  breathe(arg) runs between checks that take milliseconds.
 * 0 or -1 (said in the log, *ret untouched). */
typedef void image_breathe_fn(void *arg);
int image_take(const int fds[static 2], const struct msg_loaded *info,
    uint32_t generation, struct image *ret, image_breathe_fn *breathe, void *arg);

void image_drop(struct image *i);
/* The same with breaths: to give back what a large policy takes costs milliseconds. */
void image_drop_calmly(struct image *i, image_breathe_fn *breathe, void *arg);

/* Images in the state directory, each replaced whole or not at all. */
#define IMAGE_GOOD     "last-good" /* what a start falls back on */
#define IMAGE_PREVIOUS "previous"  /* of another digest, which was the last good before */
#define IMAGE_TRIAL    "trial-image" /* in force, but not confirmed */

/* Write i to dir_fd as the last good one, on disk when it returns; one of another
 * digest that was there becomes the previous one.  0 or -errno. */
int image_save(int dir_fd, const struct image *i);
int image_save_as(int dir_fd, const char *name, const struct image *i);

/* Read the last good one: its flow space only.  0, -ENOENT, or -errno (-EBADMSG:
 * damaged). */
int image_restore(int dir_fd, struct image *ret);
int image_restore_from(int dir_fd, const char *name, struct image *ret);
/* Only what it says of itself: ret->info, generation, applied_at.  0 or -errno. */
int image_peek(int dir_fd, const char *name, struct image *ret,
    uint8_t ret_digest[static 32]);

#endif
