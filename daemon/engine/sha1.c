/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: SHA-1 (FIPS 180-4) over one buffer */
#include "engine/sha1.h"

#include <string.h>

static uint32_t rol(uint32_t v, unsigned n)
{
	return v << n | v >> (32 - n);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put_be32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

/* One round's function of b, c, d plus its constant. */
static uint32_t round_f(unsigned i, const uint32_t s[5])
{
	uint32_t b = s[1], c = s[2], d = s[3];

	if (i < 20)
		return ((b & c) | (~b & d)) + 0x5a827999u;
	if (i < 40)
		return (b ^ c ^ d) + 0x6ed9eba1u;
	if (i < 60)
		return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdcu;
	return (b ^ c ^ d) + 0xca62c1d6u;
}

static void sha1_block(uint32_t h[5], const uint8_t *block)
{
	uint32_t w[80], s[5];

	for (unsigned i = 0; i < 16; i++)
		w[i] = be32(block + 4 * i);
	for (unsigned i = 16; i < 80; i++)
		w[i] = rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	memcpy(s, h, sizeof(s));
	for (unsigned i = 0; i < 80; i++) {
		uint32_t t = rol(s[0], 5) + round_f(i, s) + s[4] + w[i];

		s[4] = s[3];
		s[3] = s[2];
		s[2] = rol(s[1], 30);
		s[1] = s[0];
		s[0] = t;
	}
	for (unsigned i = 0; i < 5; i++)
		h[i] += s[i];
}

void sha1(const void *data, size_t len, uint8_t ret[static SHA1_LEN])
{
	uint32_t h[5] = { 0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u,
		0xc3d2e1f0u };
	const uint8_t *p = data;
	size_t left = len;
	uint8_t tail[128] = { 0 };
	size_t tail_len;

	for (; left >= 64; left -= 64, p += 64)
		sha1_block(h, p);
	if (left > 0)
		memcpy(tail, p, left);
	tail[left] = 0x80;
	tail_len = left + 9 <= 64 ? 64 : 128;
	put_be32(tail + tail_len - 8, (uint32_t)((uint64_t)len >> 29));
	put_be32(tail + tail_len - 4, (uint32_t)(len << 3));
	for (size_t i = 0; i < tail_len; i += 64)
		sha1_block(h, tail + i);
	for (unsigned i = 0; i < 5; i++)
		put_be32(ret + 4 * i, h[i]);
}
