/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what the engine may never have done, whoever took it over */
#include <stdbool.h>
#include <string.h>

#include <cordon/flowspace.h>

#include "enforcer/guard.h"

void guard_init(struct guard_state *g)
{
	*g = (struct guard_state){
		.bucket[BLOCK_AUTO] = { .burst = GUARD_AUTO_BURST, .rate = GUARD_AUTO_RATE,
		    .millitokens = GUARD_AUTO_BURST * UINT64_C(1000) },
		.bucket[BLOCK_OPERATOR] = { .burst = GUARD_OPERATOR_BURST,
		    .rate = GUARD_OPERATOR_RATE,
		    .millitokens = GUARD_OPERATOR_BURST * UINT64_C(1000) },
	};
}

static bool guard_spend(struct guard_bucket *k, uint64_t now_us)
{
	uint64_t passed_ms = now_us > k->last_us ? (now_us - k->last_us) / 1000 : 0;
	uint64_t full = k->burst * UINT64_C(1000);

	/* Only whole milliseconds are credited, the rest stays for the next call. */
	if (passed_ms >= full)
		k->millitokens = full;
	else
		k->millitokens += passed_ms * k->rate;
	if (k->millitokens > full)
		k->millitokens = full;
	k->last_us += passed_ms * 1000;
	if (k->millitokens < 1000)
		return false;
	k->millitokens -= 1000;
	return true;
}

static bool guard_overlaps(const struct netrange *r, size_t n, const struct netrange *a)
{
	for (size_t i = 0; i < n; i++)
		if (netrange_overlaps(&r[i], a))
			return true;
	return false;
}

static bool guard_span_overlaps(const struct fs *fs, struct fs_span s,
    const struct netrange *a)
{
	return guard_overlaps(fs_range(fs, s.first), s.count, a);
}

/* An address of L or P lies in a. */
static bool guard_protected(const struct fs *fs, const struct netrange *a)
{
	uint32_t n = fs->table[FS_PLACES].count;

	for (uint32_t i = 0; i < n; i++)
		if (netrange_overlaps(&FS_AT(fs, FS_PLACES, struct fs_place, i)->range, a))
			return true;
	return false;
}

/* Shutting these out would cut off the gateway or those who run it. */
static bool guard_ours(const struct guard_state *g, const struct fs *fs,
    const struct netrange *a)
{
	const struct fs_settings *s = &fs->settings;

	return guard_span_overlaps(fs, s->addresses, a) ||
	    guard_span_overlaps(fs, s->management, a) ||
	    guard_span_overlaps(fs, s->never, a) ||
	    guard_overlaps(g->local, g->nlocal, a);
}

static bool guard_unblockable(const struct guard_state *g, const struct fs *fs,
    const struct netrange *a)
{
	return guard_ours(g, fs, a) || guard_protected(fs, a);
}

/* No single host: nothing, loopback, groups. */
static bool guard_no_source(const struct netaddr *a)
{
	static const uint8_t zero[16], loop6[16] = { [15] = 1 };

	if (netaddr_is_multicast(a))
		return true;
	if (a->v == 4)
		return a->b[0] == 0 || a->b[0] == 127;
	return memcmp(a->b, zero, 16) == 0 || memcmp(a->b, loop6, 16) == 0;
}

static bool guard_ttl_ok(const struct msg_block *b)
{
	if (b->origin == BLOCK_AUTO)
		return b->ttl_s >= GUARD_AUTO_TTL_MIN && b->ttl_s <= GUARD_AUTO_TTL_MAX;
	return b->ttl_s <= GUARD_OPERATOR_TTL_MAX;
}

/* An automatic block reaches as far as the policy says, never beyond. */
static bool guard_scope_ok(const struct fs *fs, const struct msg_block *b)
{
	return b->origin == BLOCK_OPERATOR || b->scope == FS_SCOPE_LEGACY ||
	    fs->settings.block_scope == FS_SCOPE_ALL;
}

/* A quarantine: an operator's, of one address of L or P. */
static enum msg_code guard_quarantine(const struct guard_state *g, const struct fs *fs,
    const struct msg_block *b, const struct netrange *one)
{
	if (b->origin != BLOCK_OPERATOR || b->prefixlen != 8 * netaddr_size(&b->addr))
		return MSG_E_INVALID;
	if (guard_ours(g, fs, one))
		return MSG_E_NEVER;
	return guard_protected(fs, one) ? MSG_OK : MSG_E_INVALID;
}

static enum msg_code guard_source(const struct guard_state *g, const struct fs *fs,
    const struct msg_block *b, const struct netrange *one, uint8_t *prefixlen)
{
	struct netrange net = netrange_of_prefix(&b->addr, b->prefixlen);

	if (guard_unblockable(g, fs, one))
		return MSG_E_NEVER;
	if (b->prefixlen == 64 && (netaddr_is_linklocal(&b->addr) ||
	    guard_unblockable(g, fs, &net)))
		*prefixlen = 128;
	return MSG_OK;
}

enum msg_code guard_block(struct guard_state *g, const struct fs *fs, uint64_t mono_us,
    struct msg_block *b)
{
	struct netrange one = { b->addr, b->addr };
	uint8_t prefixlen = b->prefixlen;
	enum msg_code code;

	if (guard_no_source(&b->addr) || !guard_ttl_ok(b) || !guard_scope_ok(fs, b))
		return MSG_E_INVALID;
	code = b->legacy ? guard_quarantine(g, fs, b, &one)
			 : guard_source(g, fs, b, &one, &prefixlen);
	if (code != MSG_OK)
		return code;
	if (!guard_spend(&g->bucket[b->origin], mono_us))
		return MSG_E_FULL;
	b->prefixlen = prefixlen;
	return MSG_OK;
}
