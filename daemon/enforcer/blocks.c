/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: blocks as elements of the kernel's timed sets */
#include <errno.h>
#include <string.h>

#include <cordon/flowspace.h>

#include "enforcer/blocks.h"
#include "nft/nft.h"

const struct block_set block_sets[BLOCK_SETS] = {
	{ "block4", 4, 32, FS_SCOPE_LEGACY, false },
	{ "block6", 6, 128, FS_SCOPE_LEGACY, false },
	{ "block6net", 6, 64, FS_SCOPE_LEGACY, false },
	{ "blockall4", 4, 32, FS_SCOPE_ALL, false },
	{ "blockall6", 6, 128, FS_SCOPE_ALL, false },
	{ "blockall6net", 6, 64, FS_SCOPE_ALL, false },
	{ "quarantine4", 4, 32, FS_SCOPE_LEGACY, true },
	{ "quarantine6", 6, 128, FS_SCOPE_LEGACY, true },
};

static void block_cut(const struct netaddr *a, uint8_t prefixlen, uint8_t key[static 16])
{
	memset(key, 0, 16);
	memcpy(key, a->b, prefixlen / 8); /* 32, 64 or 128 */
}

const struct block_set *block_key(const struct msg_block *b, uint8_t ret_key[static 16])
{
	/* A quarantine cuts the host off from everything; it has no scope. */
	uint8_t scope = b->legacy ? FS_SCOPE_LEGACY : b->scope;

	for (const struct block_set *s = block_sets; s < block_sets + BLOCK_SETS; s++) {
		if (s->v != b->addr.v || s->prefixlen != b->prefixlen ||
		    s->legacy != b->legacy || s->scope != scope)
			continue;
		block_cut(&b->addr, s->prefixlen, ret_key);
		return s;
	}
	return NULL;
}

int blocks_add(struct nft *n, const struct msg_block *b)
{
	uint8_t key[16];
	const struct block_set *s = block_key(b, key);
	int r;

	if (!s)
		return -EINVAL;
	r = nft_elem_add(n, s->name, key, s->v == 4 ? 4 : 16, b->ttl_s);
	return r == -ENFILE ? -ENOSPC : r;
}

int blocks_del(struct nft *n, const struct msg_block *b)
{
	int found = -ENOENT;

	for (const struct block_set *s = block_sets; s < block_sets + BLOCK_SETS; s++) {
		uint8_t key[16];
		int r;

		if (s->v != b->addr.v)
			continue;
		block_cut(&b->addr, s->prefixlen, key);
		r = nft_elem_del(n, s->name, key, s->v == 4 ? 4 : 16);
		if (r == 0)
			found = 0;
		else if (r != -ENOENT)
			return r;
	}
	return found;
}

struct blocks_walk {
	const struct block_set *set;
	void (*f)(void *arg, const struct msg_block *b);
	void *arg;
};

static void blocks_one(void *arg, const void *key, size_t key_len, uint32_t expires_s)
{
	struct blocks_walk *w = arg;
	struct msg_block b = { .addr.v = w->set->v, .prefixlen = w->set->prefixlen,
		.origin = BLOCK_AUTO, .scope = w->set->scope, .legacy = w->set->legacy,
		.ttl_s = expires_s };

	if (key_len < netaddr_size(&b.addr))
		return;
	memcpy(b.addr.b, key, netaddr_size(&b.addr));
	w->f(w->arg, &b);
}

int blocks_each(struct nft *n, void (*f)(void *arg, const struct msg_block *b), void *arg)
{
	for (const struct block_set *s = block_sets; s < block_sets + BLOCK_SETS; s++) {
		struct blocks_walk w = { s, f, arg };
		int r = nft_elems(n, s->name, blocks_one, &w);

		if (r < 0)
			return r;
	}
	return 0;
}
