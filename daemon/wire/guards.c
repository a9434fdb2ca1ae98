/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: guards evaluated on packets and messages, as the kernel's rules do it */
#include "wire/guards.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(GUARDS_PAYLOAD_MIN >= 8, "the first word of a payload is there");

enum { ALTERNATIVES_MAX = GUARDS_MAX * GUARD_ALTERNATIVE_MAX, TERMS_MAX = 4096 };
enum { HEAD = 24, WORDS = HEAD / 8 };

/* What the first bytes of a payload must be for an alternative to hit, as far as one
 * comparison of words tells: most payloads fail the first of them.  Who passes is asked
 * in full. */
struct head {
	uint64_t mask[WORDS], value[WORDS];
};

struct guards {
	struct guard_term terms[TERMS_MAX];
	struct guard_alternative alts[ALTERNATIVES_MAX];
	struct head head[ALTERNATIVES_MAX]; /* of each, once they are ready */
	struct guard_group group[GUARD_GROUPS_MAX];
	struct {
		uint64_t mask, value; /* what all of a group want in the first word */
	} group_word[GUARD_GROUPS_MAX];
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

static void want_bytes(struct head *h, size_t at, const uint8_t *mask, const uint8_t *value,
    size_t len)
{
	uint8_t *m = (uint8_t *)h->mask, *v = (uint8_t *)h->value;

	for (size_t i = 0; i < len && at + i < HEAD; i++) {
		m[at + i] |= mask[i];
		v[at + i] = (uint8_t)((v[at + i] & ~mask[i]) | value[i]);
	}
}

/* Terms behind one that searches stand at no fixed place. */
static void head_of(const struct guard_alternative *a, struct head *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < a->n && a->terms[i].within == 0; i++) {
		const struct guard_term *t = &a->terms[i];

		if (!t->negate && t->len <= sizeof(t->mask))
			want_bytes(ret, t->offset, t->mask, t->value, t->len);
	}
}

void guards_ready(struct guards *g)
{
	static const uint8_t whole[sizeof(g->group[0].key)] = { 0xff, 0xff, 0xff, 0xff };

	g->ngroups = guard_group(g->alts, g->nalts, g->group);
	for (size_t i = 0; i < g->nalts; i++)
		head_of(&g->alts[i], &g->head[i]);
	for (size_t i = 0; i < g->ngroups; i++) {
		struct head h = { .mask = { 0 } };

		want_bytes(&h, g->group[i].offset, whole, g->group[i].key, g->group[i].key_len);
		g->group_word[i].mask = h.mask[0];
		g->group_word[i].value = h.value[0];
	}
}

enum guard_where guards_where(const struct guards *g, uint32_t number)
{
	return (enum guard_where)g->where[number];
}

static bool head_fits(const struct head *h, const uint64_t *word)
{
	for (size_t i = 0; i < WORDS; i++)
		if ((word[i] & h->mask[i]) != h->value[i])
			return false;
	return true;
}

static bool has_key(const struct guard_group *g, const uint8_t *payload, size_t len)
{
	return (size_t)g->offset + g->key_len <= len &&
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
    enum guard_dir sent, const uint64_t *word, const uint8_t *payload, size_t len, uint32_t *ret,
    size_t n)
{
	const struct guard_alternative *a = &g->alts[group->first];
	const struct head *h = &g->head[group->first];

	for (uint32_t i = 0; i < group->count && n < GUARDS_HITS_MAX; i++, a++, h++) {
		if (!head_fits(h, word))
			continue;
		if (a->dir != GUARD_BOTH && sent != GUARD_BOTH && a->dir != sent)
			continue;
		if (!told(ret, n, a->guard) && guard_match(a->terms, a->n, payload, len))
			ret[n++] = a->guard;
	}
	return n;
}

size_t guards_match(const struct guards *g, enum guard_dir sent, const uint8_t *payload,
    size_t len, uint32_t ret[static GUARDS_HITS_MAX])
{
	uint64_t word[WORDS];
	size_t n = 0;

	if (len < GUARDS_PAYLOAD_MIN)
		return 0;
	if (len >= HEAD) {
		memcpy(word, payload, HEAD);
	} else { /* zeros behind: asked in full then */
		memset(word, 0, sizeof(word));
		memcpy(word, payload, len);
	}
	for (size_t i = 0; i < g->ngroups; i++)
		if ((word[0] & g->group_word[i].mask) == g->group_word[i].value &&
		    has_key(&g->group[i], payload, len))
			n = match_group(
			    g, &g->group[i], sent, word, payload, len, ret, n);
	return n;
}

/* Who opened the connection, before what a message says of itself: a client can set the
 * bit of an answer. */
static enum guard_dir sent_by(const struct flow_view *v)
{
	if (v->client_known)
		return v->from_client ? GUARD_TO_SERVER : GUARD_TO_CLIENT;
	if (v->role != ROLE_UNKNOWN)
		return v->role == ROLE_SERVER ? GUARD_TO_CLIENT : GUARD_TO_SERVER;
	return GUARD_BOTH;
}

/* Whether the kernel saw it hit: on a packet that begins with the message. */
static bool seen_in_packet(const struct guards *g, const struct flow_view *v, uint32_t guard,
    const uint8_t *bytes, uint32_t len)
{
	uint32_t hit[GUARDS_HITS_MAX];
	size_t n = guards_match(
	    g, sent_by(v), bytes, v->in_packet < len ? v->in_packet : len, hit);

	return told(hit, n, guard);
}

uint32_t guards_tap(void *arg, const struct flow_view *v, const uint8_t *bytes,
    uint32_t len)
{
	struct guards *g = arg;
	uint32_t hit[GUARDS_HITS_MAX], news = 0;
	size_t n = v->facts ? guards_match(g, sent_by(v), bytes, len, hit) : 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t *word = &v->facts->guards[hit[i] / 32], bit = 1u << hit[i] % 32;

		if (*word & bit || (g->where[hit[i]] == GUARD_KERNEL &&
				       seen_in_packet(g, v, hit[i], bytes, len)))
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
