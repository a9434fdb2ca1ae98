/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: text from the wire into bounded arrays */
#include "wire/smb.h"

static size_t utf8_put(uint32_t cp, uint8_t out[4])
{
	if (cp < 0x80) {
		out[0] = (uint8_t)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (uint8_t)(0xc0 | cp >> 6);
		out[1] = (uint8_t)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (uint8_t)(0xe0 | cp >> 12);
		out[1] = (uint8_t)(0x80 | (cp >> 6 & 0x3f));
		out[2] = (uint8_t)(0x80 | (cp & 0x3f));
		return 3;
	}
	out[0] = (uint8_t)(0xf0 | cp >> 18);
	out[1] = (uint8_t)(0x80 | (cp >> 12 & 0x3f));
	out[2] = (uint8_t)(0x80 | (cp >> 6 & 0x3f));
	out[3] = (uint8_t)(0x80 | (cp & 0x3f));
	return 4;
}

/* One character; a surrogate without its partner is U+FFFD. */
static uint32_t utf16_next(struct cursor *c)
{
	uint32_t hi = cursor_le16(c), lo;
	struct cursor ahead = *c;

	if (hi < 0xd800 || hi > 0xdfff)
		return hi;
	lo = cursor_le16(&ahead);
	if (hi > 0xdbff || !cursor_ok(&ahead) || lo < 0xdc00 || lo > 0xdfff)
		return 0xfffd;
	*c = ahead;
	return 0x10000 + ((hi - 0xd800) << 10) + (lo - 0xdc00);
}

uint8_t text_utf16(struct cursor c, uint8_t *ret, size_t max)
{
	uint8_t utf8[4];
	size_t len = 0, n;
	uint32_t cp;

	while (cursor_left(&c) >= 2) {
		cp = utf16_next(&c);
		if (cp == 0)
			break;
		n = utf8_put(cp, utf8);
		if (len + n > max)
			break;
		memcpy(ret + len, utf8, n);
		len += n;
	}
	return (uint8_t)len;
}

uint8_t text_bytes(struct cursor c, uint8_t *ret, size_t max)
{
	size_t len = cursor_left(&c);
	const uint8_t *nul;

	if (len == 0)
		return 0;
	nul = memchr(c.at, 0, len);
	if (nul)
		len = (size_t)(nul - c.at);
	if (len > max)
		len = max;
	memcpy(ret, c.at, len);
	return (uint8_t)len;
}

struct cursor text_until_nul(struct cursor *c, bool utf16)
{
	const struct cursor start = *c;
	size_t len = 0, unit = utf16 ? 2 : 1;

	while (cursor_left(c) >= unit) {
		if ((utf16 ? cursor_le16(c) : cursor_u8(c)) == 0)
			return cursor_at(&start, 0, len);
		len += unit;
	}
	cursor_skip(c, cursor_left(c));
	return cursor_at(&start, 0, len);
}
