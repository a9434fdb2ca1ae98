/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the evaluation of guards on payload bytes */
#include <cordon/guard.h>

#include <string.h>

static bool equal_at(const struct guard_term *t, const uint8_t *p)
{
	bool equal = true;

	for (size_t i = 0; i < t->len; i++)
		equal &= (p[i] & t->mask[i]) == t->value[i];
	return equal;
}

static bool term_holds(const struct guard_term *t, const uint8_t *payload, size_t len,
    size_t base)
{
	size_t at = base + t->offset;

	if (t->len > sizeof(t->mask) || at + t->len > len)
		return false;
	return equal_at(t, payload + at) != t->negate;
}

/* The first place from `at` to `end` where t stands; end + 1: none. */
static size_t find_place(const struct guard_term *t, const uint8_t *payload, size_t at,
    size_t end)
{
	while (at <= end) {
		if (t->mask[0] == 0xff) {
			const uint8_t *p =
			    memchr(payload + at, t->value[0], end - at + 1);

			if (p == NULL)
				return end + 1;
			at = (size_t)(p - payload);
		}
		if (equal_at(t, payload + at))
			return at;
		at++;
	}
	return at;
}

static bool match_from(const struct guard_term *t, size_t n, const uint8_t *payload,
    size_t len, size_t base, unsigned deep)
{
	size_t i = 0, at, end;

	for (; i < n && t[i].within == 0; i++) {
		if (!term_holds(&t[i], payload, len, base))
			return false;
	}
	if (i == n)
		return true;
	at = base + t[i].offset;
	if (deep == 0 || t[i].len > sizeof(t->mask) || at + t[i].len > len)
		return false;
	end = at + t[i].within;
	if (end > len - t[i].len)
		end = len - t[i].len;
	while ((at = find_place(&t[i], payload, at, end)) <= end) {
		if (match_from(t + i + 1, n - i - 1, payload, len, at, deep - 1))
			return true;
		at++;
	}
	return false;
}

bool guard_match(const struct guard_term *terms, size_t n, const uint8_t *payload,
    size_t len)
{
	enum { SEARCHES = 2 };

	return n > 0 && match_from(terms, n, payload, len, 0, SEARCHES);
}

uint32_t guard_searches(const struct guard_term *terms, size_t n)
{
	uint64_t places = 1;
	unsigned searching = 0;

	for (size_t i = 0; i < n; i++) {
		searching += terms[i].within > 0;
		places *= terms[i].within + 1u;
		if (searching > 2 || places > GUARD_SEARCH_MAX)
			return 0;
	}
	return (uint32_t)places;
}

static unsigned bits_set(const uint8_t *tested, size_t n)
{
	unsigned bits = 0;

	for (size_t i = 0; i < n; i++)
		bits += (unsigned)__builtin_popcount(tested[i]);
	return bits;
}

/* A negated comparison of more than one bit holds for most payloads: it counts
 * nothing.  A bit that is compared twice counts once. */
static void note_bits(const struct guard_term *t, uint8_t *tested)
{
	size_t len = t->len < sizeof(t->mask) ? t->len : sizeof(t->mask);
	bool one = bits_set(t->mask, len) == 1;

	for (size_t k = 0; k < len; k++)
		if (!t->negate || one)
			tested[t->offset + k] |= t->mask[k];
}

unsigned guard_bits(const struct guard_term *terms, size_t n)
{
	uint8_t tested[GUARD_OFFSET_MAX + 1 + 8];
	unsigned bits = 0, spent = 0;

	memset(tested, 0, sizeof(tested));
	for (size_t i = 0; i < n; i++) {
		if (terms[i].within > 0) { /* the offsets behind it are others */
			bits += bits_set(tested, sizeof(tested)) + bits_set(terms[i].mask, terms[i].len);
			memset(tested, 0, sizeof(tested));
			spent += 32 - (unsigned)__builtin_clz(terms[i].within);
			continue;
		}
		note_bits(&terms[i], tested);
	}
	bits += bits_set(tested, sizeof(tested));
	return bits > spent ? bits - spent : 0;
}
