/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: guards that ask for the same bytes, put together so that they are asked once */
#include <cordon/guard.h>

#include <string.h>

#include <cordon/flowspace.h>

enum { KEY_MIN = 2, KEY_MAX = 4 };

/* The bytes of a term that can be a group's key: the first whole ones, at a place that
 * is fixed. */
static bool key_of(const struct guard_term *t, struct guard_group *ret)
{
	uint8_t n = 0;

	while (n < t->len && n < KEY_MAX && t->mask[n] == 0xff)
		n++;
	if (n < KEY_MIN || t->negate)
		return false;
	memset(ret, 0, sizeof(*ret));
	ret->offset = t->offset;
	ret->key_len = n;
	memcpy(ret->key, t->value, n);
	return true;
}

static bool same_key(const struct guard_group *a, const struct guard_group *b)
{
	return a->offset == b->offset && a->key_len == b->key_len &&
	    memcmp(a->key, b->key, sizeof(a->key)) == 0;
}

static bool asks_for(const struct guard_alternative *a, const struct guard_group *key)
{
	struct guard_group own;

	for (uint8_t i = 0; i < a->n && a->terms[i].within == 0; i++)
		if (key_of(&a->terms[i], &own) && same_key(&own, key))
			return true;
	return false;
}

static uint32_t askers(const struct guard_alternative *alts, size_t n,
    const struct guard_group *key)
{
	uint32_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += asks_for(&alts[i], key);
	return count;
}

/* The key most of alts[0..n) ask for; of equals the one met first. */
static struct guard_group commonest(const struct guard_alternative *alts, size_t n)
{
	struct guard_group best, key;

	memset(&best, 0, sizeof(best));
	for (size_t i = 0; i < n; i++) {
		for (uint8_t k = 0; k < alts[i].n && alts[i].terms[k].within == 0; k++) {
			if (!key_of(&alts[i].terms[k], &key) || same_key(&key, &best))
				continue;
			key.count = askers(alts, n, &key);
			if (key.count > best.count)
				best = key;
		}
	}
	return best;
}

/* Those that ask for the key to the front, nobody overtakes another of his kind. */
static void gather(struct guard_alternative *alts, size_t n, const struct guard_group *key)
{
	size_t front = 0;

	for (size_t i = 0; i < n; i++) {
		struct guard_alternative a = alts[i];

		if (!asks_for(&a, key))
			continue;
		memmove(&alts[front + 1], &alts[front], (i - front) * sizeof(a));
		alts[front++] = a;
	}
}

size_t guard_group(struct guard_alternative *alts, size_t n, struct guard_group *ret)
{
	/* finding the commonest grows with the square: a policy of many guards of its
	 * own has them looked through in turn */
	enum { WORTH_MAX = 128 };
	size_t groups = 0, done = 0;

	while (done < n && n <= WORTH_MAX && groups < GUARD_GROUPS_MAX - 1) {
		struct guard_group g = commonest(alts + done, n - done);

		if (g.count == 0)
			break;
		gather(alts + done, n - done, &g);
		g.first = (uint32_t)done;
		ret[groups++] = g;
		done += g.count;
	}
	if (done < n) {
		memset(&ret[groups], 0, sizeof(ret[groups]));
		ret[groups].first = (uint32_t)done;
		ret[groups++].count = (uint32_t)(n - done);
	}
	return groups;
}

size_t guard_alternatives(const struct fs *fs, uint32_t i, struct guard_alternative *ret)
{
	const struct guard *g = FS_AT(fs, FS_GUARDS, struct guard, i);
	const struct guard_term *t =
	    FS_AT(fs, FS_GUARD_TERMS, struct guard_term, g->term_first);
	size_t n = 0;

	for (; n < GUARD_ALTERNATIVE_MAX && g->alternative_len[n] > 0; n++) {
		ret[n] = (struct guard_alternative){ .terms = t, .guard = i,
			.n = g->alternative_len[n], .dir = g->dir };
		t += g->alternative_len[n];
	}
	return n;
}
