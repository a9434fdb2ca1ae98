/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: does a ruleset have what enforcement stands on */
#include "enforcer/shape.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cordon/flowspace.h>
#include <cordon/netaddr.h>
#include <cordon/ruleset.h>

/* Behind DNAT (-100), before the filters of others (0). */
enum { PRIORITY_MIN = -99, PRIORITY_MAX = -1 };

static const struct {
	const char *name;
	uint8_t hook;
} base_chains[] = {
	{ "input", RS_HOOK_INPUT }, { "forward", RS_HOOK_FORWARD },
	{ "output", RS_HOOK_OUTPUT },
};

/* Timed, and filled by the enforcer itself; a reload leaves their elements. */
static const char *const block_sets[] = { "block4", "block6", "block6net", "blockall4",
	"blockall6", "blockall6net", "quarantine4", "quarantine6" };

static const struct rs_set *set_named(const struct ruleset *rs, const char *name)
{
	for (uint32_t i = 0; i < rs->table[RS_SETS].count; i++)
		if (strcmp(rs_str(rs, rs_set(rs, i)->name), name) == 0)
			return rs_set(rs, i);
	return NULL;
}

static bool base_chain_ok(const struct ruleset *rs, const char *name, uint8_t hook)
{
	for (uint32_t i = 0; i < rs->table[RS_CHAINS].count; i++) {
		const struct rs_chain *c = rs_chain(rs, i);

		if (strcmp(rs_str(rs, c->name), name) == 0)
			return c->hook == hook && c->rules.count > 0 &&
			    c->priority >= PRIORITY_MIN && c->priority <= PRIORITY_MAX;
	}
	return false;
}

static bool block_set_ok(const struct ruleset *rs, const char *name)
{
	const struct rs_set *s = set_named(rs, name);

	return s != NULL && s->timeout && s->keep && !s->map && !s->interval;
}

/* Both are sorted: one walk. */
static bool places_covered(const struct ruleset *rs, const struct fs *fs, uint8_t v)
{
	const struct rs_set *s = set_named(rs, v == 4 ? "legacy4" : "legacy6");
	const size_t len = v == 4 ? 4 : 16;
	uint32_t at = 0;

	if (s == NULL || !s->interval || s->map || s->timeout || s->key_len != len)
		return false;
	for (uint32_t i = 0; i < fs->table[FS_PLACES].count; i++) {
		const struct netrange *r = &FS_AT(fs, FS_PLACES, struct fs_place, i)->range;
		const uint8_t *key = NULL;

		if (r->lo.v != v)
			continue;
		for (; at < s->elems.count && key == NULL; at++) {
			key = rs_key(rs, RS_AT(rs, RS_ELEMS, struct rs_elem, s->elems.first + at));
			if (memcmp(key + len, r->lo.b, len) < 0)
				key = NULL;
		}
		if (key == NULL || memcmp(key, r->lo.b, len) > 0 ||
		    memcmp(key + len, r->hi.b, len) < 0)
			return false;
		at--; /* the next place may lie in it, too */
	}
	return true;
}

const char *shape_wrong(const struct ruleset *rs, const struct fs *fs)
{
	for (size_t i = 0; i < sizeof(base_chains) / sizeof(*base_chains); i++)
		if (!base_chain_ok(rs, base_chains[i].name, base_chains[i].hook))
			return "the ruleset lacks a base chain at its hook";
	for (size_t i = 0; i < sizeof(block_sets) / sizeof(*block_sets); i++)
		if (!block_set_ok(rs, block_sets[i]))
			return "the ruleset lacks a set of blocks";
	if (!places_covered(rs, fs, 4) || !places_covered(rs, fs, 6))
		return "the ruleset does not cover all protected addresses";
	return NULL;
}
