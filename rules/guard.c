/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the evaluation of guards on payload bytes */
#include <cordon/guard.h>

#include <string.h>

static bool term_holds(const struct guard_term *t, const uint8_t *payload, size_t len)
{
	bool equal = true;

	if (t->len > sizeof(t->mask) || (size_t)t->offset + t->len > len)
		return false;
	for (size_t i = 0; i < t->len; i++)
		equal &= (payload[t->offset + i] & t->mask[i]) == t->value[i];
	return equal != t->negate;
}

bool guard_match(const struct guard_term *terms, size_t n, const uint8_t *payload,
    size_t len)
{
	for (size_t i = 0; i < n; i++) {
		if (!term_holds(&terms[i], payload, len))
			return false;
	}
	return n > 0;
}

/* A negated comparison of more than one bit holds for most payloads: it counts
 * nothing.  A bit that is compared twice counts once. */
unsigned guard_bits(const struct guard_term *terms, size_t n)
{
	uint8_t tested[GUARD_OFFSET_MAX + 1 + 8] = { 0 };
	unsigned bits = 0;

	for (size_t i = 0; i < n; i++) {
		const struct guard_term *t = &terms[i];
		unsigned own = 0;

		for (size_t k = 0; k < t->len && k < sizeof(t->mask); k++)
			own += (unsigned)__builtin_popcount(t->mask[k]);
		for (size_t k = 0; k < t->len && k < sizeof(t->mask); k++) {
			if (!t->negate || own == 1)
				tested[t->offset + k] |= t->mask[k];
		}
	}
	for (size_t i = 0; i < sizeof(tested); i++)
		bits += (unsigned)__builtin_popcount(tested[i]);
	return bits;
}
