/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the engine's view of the kernel's blocks, to tell when and why they end */
#include "engine/blocklist.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include <cordon/netaddr.h>

/* Open addressing over twice as many slots; deletion moves the cluster back. */
enum { SLOTS = 2 * BLOCKLIST_MAX };

struct blocklist {
	uint32_t count;
	uint8_t secret[crypto_shorthash_KEYBYTES];
	uint32_t slot[SLOTS]; /* 1 + index of entry, 0: free */
	uint32_t used;        /* entries ever used: those below are scanned */
	uint32_t free;        /* 1 + index of a free entry below used, 0: none known */
	struct blocklist_entry entry[BLOCKLIST_MAX];
};

struct blocklist *blocklist_new(void)
{
	struct blocklist *l = calloc(1, sizeof(*l));

	if (l)
		crypto_shorthash_keygen(l->secret);
	return l;
}

void blocklist_free(struct blocklist *l)
{
	free(l);
}

uint32_t blocklist_count(const struct blocklist *l)
{
	return l->count;
}

/* Blocks are of a /64 or of an address: both are the same source. */
static struct netaddr block_key(const struct msg_block *b)
{
	struct netrange r = netrange_of_prefix(&b->addr, b->addr.v == 4 ? 32 : 64);

	return r.lo;
}

static uint32_t home(const struct blocklist *l, const struct msg_block *b)
{
	struct netaddr key = block_key(b);
	uint64_t h;

	crypto_shorthash((uint8_t *)&h, (uint8_t *)&key, sizeof(key), l->secret);
	return (uint32_t)(h % SLOTS);
}

static bool covers(const struct msg_block *held, const struct msg_block *asked)
{
	struct netrange r = netrange_of_prefix(&held->addr, held->prefixlen);

	return held->addr.v == asked->addr.v && netrange_has(&r, &asked->addr);
}

struct blocklist_entry *blocklist_find(struct blocklist *l, const struct msg_block *b)
{
	for (uint32_t s = home(l, b); l->slot[s]; s = (s + 1) % SLOTS) {
		struct blocklist_entry *e = &l->entry[l->slot[s] - 1];

		if (covers(&e->block, b))
			return e;
	}
	return NULL;
}

struct blocklist_entry *blocklist_by_request(struct blocklist *l, uint32_t request)
{
	for (uint32_t i = 0; request && i < l->used; i++)
		if (l->entry[i].state != BLOCK_FREE && l->entry[i].request == request)
			return &l->entry[i];
	return NULL;
}

static uint32_t free_entry(struct blocklist *l)
{
	if (l->free) {
		uint32_t i = l->free - 1;

		l->free = l->entry[i].request; /* list of free ones goes through it */
		return i;
	}
	return l->used++;
}

struct blocklist_entry *blocklist_add(struct blocklist *l, const struct msg_block *b)
{
	uint32_t s = home(l, b), i;

	if (l->count == BLOCKLIST_MAX)
		return NULL;
	while (l->slot[s])
		s = (s + 1) % SLOTS;
	i = free_entry(l);
	l->slot[s] = i + 1;
	l->count++;
	l->entry[i] = (struct blocklist_entry){ .state = BLOCK_ASKED, .block = *b };
	return &l->entry[i];
}

/* Close the gap at slot s: move back what could not be found any more. */
static void close_gap(struct blocklist *l, uint32_t s)
{
	for (uint32_t at = (s + 1) % SLOTS; l->slot[at]; at = (at + 1) % SLOTS) {
		uint32_t h = home(l, &l->entry[l->slot[at] - 1].block);

		if ((at + SLOTS - h) % SLOTS < (at + SLOTS - s) % SLOTS)
			continue;
		l->slot[s] = l->slot[at];
		l->slot[at] = 0;
		s = at;
	}
}

void blocklist_del(struct blocklist *l, struct blocklist_entry *e)
{
	uint32_t i = (uint32_t)(e - l->entry), s = home(l, &e->block);

	while (l->slot[s] != i + 1)
		s = (s + 1) % SLOTS;
	l->slot[s] = 0;
	close_gap(l, s);
	e->state = BLOCK_FREE;
	e->request = l->free;
	l->free = i + 1;
	l->count--;
}

void blocklist_each(
    struct blocklist *l, void (*f)(void *arg, struct blocklist_entry *e), void *arg)
{
	for (uint32_t i = 0; i < l->used; i++)
		if (l->entry[i].state != BLOCK_FREE)
			f(arg, &l->entry[i]);
}
