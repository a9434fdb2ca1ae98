/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: blocks as elements of the kernel's timed sets */
#ifndef CORDON_ENFORCER_BLOCKS_H
#define CORDON_ENFORCER_BLOCKS_H

#include <stdint.h>

#include "priv/msg.h"

struct nft;

/* Sets and keys of blocks: the contract with the compiler, which makes each of these
 * sets with timeouts and `keep`. */
struct block_set {
	const char *name;
	uint8_t v, prefixlen, scope; /* family; 32, 64, 128; enum fs_scope */
	bool legacy;
};
enum { BLOCK_SETS = 8 };
extern const struct block_set block_sets[BLOCK_SETS];

/* The set of b, and its key: the address, cut to the prefix.  NULL: no such set. */
const struct block_set *block_key(const struct msg_block *b, uint8_t ret_key[static 16]);

/* Set or renew.  0 or -errno (-ENOSPC: full). */
int blocks_add(struct nft *n, const struct msg_block *b);

/* Remove the address from every set, and its /64.  0, -ENOENT, -errno. */
int blocks_del(struct nft *n, const struct msg_block *b);

/* Call f for each block in the kernel (origin is not known there: BLOCK_AUTO).
 * 0 or -errno. */
int blocks_each(struct nft *n, void (*f)(void *arg, const struct msg_block *b), void *arg);

#endif
