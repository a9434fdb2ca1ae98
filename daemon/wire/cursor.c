/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: bounds-checked reader over bytes from the network */
#include "wire/cursor.h"

#include <string.h>

uint64_t cursor_be64(struct cursor *c)
{
	uint64_t hi = cursor_be32(c);

	/* Not two calls in one expression: their order would be unspecified. */
	return hi << 32 | cursor_be32(c);
}

uint64_t cursor_le64(struct cursor *c)
{
	uint64_t lo = cursor_le32(c);

	return (uint64_t)cursor_le32(c) << 32 | lo;
}

struct cursor cursor_sub(struct cursor *c, size_t len)
{
	const uint8_t *p = cursor_take(c, len);

	if (!p)
		return (struct cursor){ c->end, c->end, true };
	return cursor_of(p, len);
}

struct cursor cursor_at(const struct cursor *c, size_t off, size_t len)
{
	struct cursor copy = *c;

	cursor_skip(&copy, off);
	return cursor_sub(&copy, len);
}

bool cursor_starts(const struct cursor *c, const void *bytes, size_t len)
{
	return cursor_left(c) >= len && memcmp(c->at, bytes, len) == 0;
}

ptrdiff_t cursor_find(const struct cursor *c, const void *bytes, size_t len)
{
	const uint8_t *hit;

	if (cursor_left(c) < len)
		return -1;
	hit = memmem(c->at, cursor_left(c), bytes, len);
	return hit ? hit - c->at : -1;
}
