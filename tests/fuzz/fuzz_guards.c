/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: fuzz guards, those that ship and random ones, against asking each in turn
 *
 * Input: [n], n terms of [shape][offset][len][mask, value: 2 bytes], payload.  shape: bits
 * 0-1 direction, 2 begins a guard, 3 begins an alternative, 4 negate, 5 search, 6 the
 * mask is whole, 7 the packet is the server's (of the first term). */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cordon/flowspace.h>
#include <cordon/guard.h>
#include <cordon/rules.h>

#include "wire/cursor.h"
#include "wire/guards.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TERMS = 24, OWN_MAX = 8 };

struct own {
	struct guard_term term[TERMS];
	uint8_t len[GUARD_ALTERNATIVE_MAX], dir;
	size_t n, alts;
};

static struct fs *shipped;
static struct guards *set, *of_shipped;
static struct own own[OWN_MAX];
static size_t owns;

static void start(void)
{
	set = guards_new();
	of_shipped = guards_new();
	if (!set || !of_shipped || rules_shipped_guards(&shipped) < 0)
		abort();
	for (uint32_t i = 0; i < shipped->table[FS_GUARDS].count && i < GUARDS_MAX; i++) {
		const struct guard *g = FS_AT(shipped, FS_GUARDS, struct guard, i);

		if (g->where != GUARD_BUILTIN &&
		    !guards_add(of_shipped, i, (enum guard_where)g->where,
			(enum guard_dir)g->dir, g->alternative_len,
			FS_AT(shipped, FS_GUARD_TERMS, struct guard_term, g->term_first)))
			abort();
	}
	guards_ready(of_shipped);
}

static void take_term(struct cursor *c, uint8_t shape)
{
	uint8_t offset = cursor_u8(c), len = (uint8_t)(cursor_u8(c) % 8 + 1);
	uint8_t mask = cursor_u8(c), value = cursor_u8(c);
	struct guard_term t = { .offset = offset, .len = len };
	struct own *g;

	if (owns == 0 || (shape & 4 && owns < OWN_MAX)) {
		own[owns] = (struct own){ .dir = (uint8_t)(shape % 3), .alts = 1 };
		owns++;
	}
	g = &own[owns - 1];
	if (shape & 8 && g->len[g->alts - 1] && g->alts < GUARD_ALTERNATIVE_MAX)
		g->alts++;
	t.negate = shape >> 4 & 1;
	t.within = shape & 32 && !t.negate ? (uint16_t)(mask * 3 % 200 + 1) : 0;
	for (int i = 0; i < len; i++) {
		t.mask[i] = shape & 64 ? 0xff : mask;
		t.value[i] = (uint8_t)(value + (i & 1)) & t.mask[i];
	}
	if (g->n == TERMS)
		return;
	g->term[g->n] = t;
	if (guard_searches(&g->term[g->n - g->len[g->alts - 1]], g->len[g->alts - 1] + 1u) == 0)
		return; /* no policy may hold that */
	g->n++;
	g->len[g->alts - 1]++;
}

static bool hits(const uint8_t *lens, const struct guard_term *t, uint8_t dir, bool to_client,
    const uint8_t *p, size_t len)
{
	if (dir != GUARD_BOTH && (dir == GUARD_TO_CLIENT) != to_client)
		return false;
	for (int i = 0; i < GUARD_ALTERNATIVE_MAX && lens[i]; t += lens[i++])
		if (guard_match(t, lens[i], p, len))
			return true;
	return false;
}

/* The index finds what asking one by one finds, and each once. */
static void compare(const struct guards *index, const bool *want, size_t n, bool to_client,
    const uint8_t *p, size_t len)
{
	uint32_t hit[GUARDS_HITS_MAX];
	bool got[GUARDS_MAX] = { false };
	size_t found = guards_match(index, to_client, p, len, hit), all = 0;

	for (size_t i = 0; i < found; i++) {
		if (hit[i] >= n || got[hit[i]] || !want[hit[i]])
			abort();
		got[hit[i]] = true;
	}
	for (size_t i = 0; i < n; i++)
		all += want[i];
	if (found != (all < GUARDS_HITS_MAX ? all : GUARDS_HITS_MAX))
		abort();
}

static void ask_own(bool to_client, const uint8_t *p, size_t len)
{
	bool want[GUARDS_MAX] = { false };

	guards_clear(set);
	for (size_t i = 0; i < owns; i++) {
		if (!guards_add(set, (uint32_t)i, GUARD_KERNEL, (enum guard_dir)own[i].dir,
			own[i].len, own[i].term))
			abort();
		want[i] = len >= GUARDS_PAYLOAD_MIN &&
		    hits(own[i].len, own[i].term, own[i].dir, to_client, p, len);
	}
	guards_ready(set);
	compare(set, want, owns, to_client, p, len);
}

static void ask_shipped(bool to_client, const uint8_t *p, size_t len)
{
	bool want[GUARDS_MAX] = { false };
	uint32_t n = shipped->table[FS_GUARDS].count;

	for (uint32_t i = 0; i < n && i < GUARDS_MAX && len >= GUARDS_PAYLOAD_MIN; i++) {
		const struct guard *g = FS_AT(shipped, FS_GUARDS, struct guard, i);

		want[i] = g->where != GUARD_BUILTIN &&
		    hits(g->alternative_len,
			FS_AT(shipped, FS_GUARD_TERMS, struct guard_term, g->term_first),
			g->dir, to_client, p, len);
	}
	compare(of_shipped, want, n, to_client, p, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(data, size);
	uint8_t n = cursor_u8(&c), shape = 0;
	bool to_client = false;
	uint8_t *payload;
	size_t len;

	if (!set)
		start();
	owns = 0;
	for (int i = 0; i < n % (TERMS + 1); i++) {
		shape = cursor_u8(&c);
		to_client |= i == 0 && shape & 128;
		take_term(&c, shape);
	}
	len = cursor_left(&c);
	payload = malloc(len ? len : 1);
	if (!payload)
		return 0;
	memcpy(payload, c.at, len);
	ask_own(to_client, payload, len);
	ask_shipped(to_client, payload, len);
	free(payload);
	return 0;
}

#include "fuzz_replay.h"
