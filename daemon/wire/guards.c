/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: guards evaluated on packets and messages, as the kernel's rules do it */
#include "wire/guards.h"

#include <stdlib.h>
#include <string.h>

enum { ALTERNATIVES_MAX = GUARDS_MAX * GUARD_ALTERNATIVE_MAX, TERMS_MAX = 4096 };

struct guards {
	struct guard_term terms[TERMS_MAX];
	struct guard_alternative alts[ALTERNATIVES_MAX];
	struct guard_group group[GUARD_GROUPS_MAX];
	uint8_t where[GUARDS_MAX];
	size_t nterms, nalts, ngroups;
	uint32_t fired[GUARDS_HITS_MAX];
	size_t nfired;
};

struct guards *guards_new(void)
{
	return calloc(1, sizeof(struct guards));
}

void guards_free(struct guards *g)
{
	free(g);
}

void guards_clear(struct guards *g)
{
	g->nterms = g->nalts = g->ngroups = g->nfired = 0;
}

bool guards_add(struct guards *g, uint32_t number, enum guard_where where,
    enum guard_dir dir, const uint8_t alternative_len[static GUARD_ALTERNATIVE_MAX],
    const struct guard_term *terms)
{
	size_t n = 0, alts = 0;

	while (alts < GUARD_ALTERNATIVE_MAX && alternative_len[alts] > 0)
		n += alternative_len[alts++];
	if (number >= GUARDS_MAX || g->nterms + n > TERMS_MAX ||
	    g->nalts + alts > ALTERNATIVES_MAX)
		return false;
	memcpy(&g->terms[g->nterms], terms, n * sizeof(*terms));
	g->where[number] = (uint8_t)where;
	for (size_t i = 0; i < alts; i++) {
		g->alts[g->nalts++] =
		    (struct guard_alternative){ .terms = &g->terms[g->nterms],
			    .guard = number, .n = alternative_len[i], .dir = (uint8_t)dir };
		g->nterms += alternative_len[i];
	}
	return true;
}

void guards_ready(struct guards *g)
{
	g->ngroups = guard_group(g->alts, g->nalts, g->group);
}

enum guard_where guards_where(const struct guards *g, uint32_t number)
{
	return (enum guard_where)g->where[number];
}

static bool has_key(const struct guard_group *g, const uint8_t *payload, size_t len)
{
	return (size_t)g->offset + g->key_len <= len && payload[g->offset] == g->key[0] &&
	    memcmp(payload + g->offset, g->key, g->key_len) == 0;
}

static bool told(const uint32_t *hits, size_t n, uint32_t guard)
{
	for (size_t i = 0; i < n; i++)
		if (hits[i] == guard)
			return true;
	return false;
}

static size_t match_group(const struct guards *g, const struct guard_group *group,
    bool to_client, const uint8_t *payload, size_t len, uint32_t *ret, size_t n)
{
	const struct guard_alternative *a = &g->alts[group->first];

	for (uint32_t i = 0; i < group->count && n < GUARDS_HITS_MAX; i++, a++) {
		if (a->dir != GUARD_BOTH && (a->dir == GUARD_TO_CLIENT) != to_client)
			continue;
		if (!told(ret, n, a->guard) && guard_match(a->terms, a->n, payload, len))
			ret[n++] = a->guard;
	}
	return n;
}

size_t guards_match(const struct guards *g, bool to_client, const uint8_t *payload,
    size_t len, uint32_t ret[static GUARDS_HITS_MAX])
{
	size_t n = 0;

	if (len < GUARDS_PAYLOAD_MIN)
		return 0;
	for (size_t i = 0; i < g->ngroups; i++)
		if (g->group[i].key_len == 0 || has_key(&g->group[i], payload, len))
			n = match_group(g, &g->group[i], to_client, payload, len, ret, n);
	return n;
}

uint32_t guards_tap(void *arg, const struct flow_view *v, const uint8_t *bytes,
    uint32_t len)
{
	bool to_client = v->role == ROLE_UNKNOWN ? v->client_known && !v->from_client
						 : v->role == ROLE_SERVER;
	struct guards *g = arg;
	uint32_t hit[GUARDS_HITS_MAX], news = 0;
	size_t n = v->facts ? guards_match(g, to_client, bytes, len, hit) : 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t *word = &v->facts->guards[hit[i] / 32], bit = 1u << hit[i] % 32;

		if (*word & bit || (v->at_packet && g->where[hit[i]] == GUARD_KERNEL))
			continue;
		*word |= bit;
		news = NEWS_GUARD;
		if (g->nfired < GUARDS_HITS_MAX)
			g->fired[g->nfired++] = hit[i];
	}
	return news;
}

size_t guards_fired(struct guards *g, uint32_t ret[static GUARDS_HITS_MAX])
{
	size_t n = g->nfired;

	memcpy(ret, g->fired, n * sizeof(*ret));
	g->nfired = 0;
	return n;
}
