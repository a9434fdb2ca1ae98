/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what the engine keeps over a restart: incidents, causes of blocks, flows */
#ifndef ENGINE_STORE_H
#define ENGINE_STORE_H

struct engine;
struct store;

/* The file holds two copies, each with a sequence number and a checksum; the older one
 * is overwritten, so that a death while writing loses what happened since the last time,
 * never all.  It is read by the same build on the same machine: what has another size or
 * holds values that can't be is left out.  Writing waits for the disk's cache at most. */

/* NULL: no memory. */
struct store *store_new(void);
void store_free(struct store *s);

/* Take the file, read and write (owned from here on), and what it holds.  Call it before
 * anything happened. */
void store_take(struct engine *g, int fd);
/* Something changed that is worth keeping. */
void store_touch(struct store *s);
/* Once a second: write if something changed, and not too often. */
void store_tick(struct engine *g);
/* Write now. */
void store_save(struct engine *g);

#endif
