/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: bounds-checked reader over bytes from the network */
#ifndef WIRE_CURSOR_H
#define WIRE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A borrowed run of bytes.  A read past the end returns 0 and sets short_read,
 * after which every read returns 0: read ten fields, test cursor_ok() once. */
struct cursor {
	const uint8_t *at, *end;
	bool short_read;
};

static inline struct cursor cursor_of(const uint8_t *bytes, size_t len)
{
	return (struct cursor){ bytes, bytes + len, false };
}

static inline bool cursor_ok(const struct cursor *c)
{
	return !c->short_read;
}

/* Bytes not yet read; 0 after a short read. */
static inline size_t cursor_left(const struct cursor *c)
{
	return c->short_read ? 0 : (size_t)(c->end - c->at);
}

/* The next `len` bytes, and advance past them; NULL if there are fewer.  What
 * is returned is borrowed: valid as long as the packet is. */
static inline const uint8_t *cursor_take(struct cursor *c, size_t len)
{
	const uint8_t *p = c->at;

	if (c->short_read || (size_t)(c->end - c->at) < len) {
		c->short_read = true;
		return NULL;
	}
	c->at += len;
	return p;
}

/* Numbers at a place that was taken. */
static inline uint16_t load_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t load_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void cursor_skip(struct cursor *c, size_t len)
{
	(void)cursor_take(c, len);
}

static inline uint8_t cursor_u8(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 1);

	return p ? p[0] : 0;
}

static inline uint16_t cursor_be16(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 2);

	return p ? load_be16(p) : 0;
}

static inline uint16_t cursor_le16(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 2);

	return p ? (uint16_t)(p[1] << 8 | p[0]) : 0;
}

static inline uint32_t cursor_be32(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 4);

	return p ? load_be32(p) : 0;
}

static inline uint32_t cursor_le32(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 4);

	return p ? (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0]
		 : 0;
}

uint64_t cursor_be64(struct cursor *c);
uint64_t cursor_le64(struct cursor *c);

/* Split off the next `len` bytes as their own cursor (a TLV body) and advance
 * past them.  If there are fewer, both are short. */
struct cursor cursor_sub(struct cursor *c, size_t len);

/* The bytes [off, off + len) of c's unread part as their own cursor; c does not
 * move.  Short if they do not all exist.  For offset/length pairs from the wire. */
struct cursor cursor_at(const struct cursor *c, size_t off, size_t len);

/* As cursor_at(), up to c's end. */
static inline struct cursor cursor_from(const struct cursor *c, size_t off)
{
	struct cursor copy = *c;

	cursor_skip(&copy, off);
	return copy;
}

/* Whether the unread part begins with these bytes. */
bool cursor_starts(const struct cursor *c, const void *bytes, size_t len);

/* Offset of the first occurrence of these bytes in the unread part, or -1. */
ptrdiff_t cursor_find(const struct cursor *c, const void *bytes, size_t len);

#endif
