/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the engine's view of the kernel's blocks, to tell when and why they end */
#ifndef ENGINE_BLOCKLIST_H
#define ENGINE_BLOCKLIST_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/event.h"

/* The kernel holds the truth and ends blocks by itself; this table only knows for
 * whom, why, and what to write when one is over. */
enum { BLOCKLIST_MAX = 8192 };

enum block_state { BLOCK_FREE, BLOCK_ASKED, BLOCK_SET, BLOCK_REFUSED };

struct blocklist_entry {
	uint8_t state; /* enum block_state */
	bool seen;     /* during a listing of the kernel's */
	struct msg_block block;
	uint32_t request;    /* id of the message that asked for it */
	uint64_t asked_us;   /* monotonic: when the sighting came */
	uint64_t ends_us;    /* monotonic; UINT64_MAX: until unblocked; REFUSED: not
	                      * asked again before */
	struct event event;  /* the `blocked` event: host, rule, incident, note */
};

struct blocklist;

struct blocklist *blocklist_new(void);
void blocklist_free(struct blocklist *l);

/* The block that holds the address of b, or NULL. */
struct blocklist_entry *blocklist_find(struct blocklist *l, const struct msg_block *b);
struct blocklist_entry *blocklist_by_request(struct blocklist *l, uint32_t request);
/* A new entry for b, all else zero; NULL: full. */
struct blocklist_entry *blocklist_add(struct blocklist *l, const struct msg_block *b);
void blocklist_del(struct blocklist *l, struct blocklist_entry *e);
uint32_t blocklist_count(const struct blocklist *l);

/* Call f for each entry; it may delete that one. */
void blocklist_each(struct blocklist *l,
    void (*f)(void *arg, struct blocklist_entry *e), void *arg);

#endif
