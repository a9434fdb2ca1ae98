/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: JSON written straight into a buffer */
#include "cli/jsonbuf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void jsonbuf_init(struct jsonbuf *b, int fd)
{
	if (fd == STDOUT_FILENO)
		fflush(stdout);
	b->fd = fd;
	b->err = 0;
	b->failed = false;
	b->len = 0;
}

static void put(struct jsonbuf *b, const char *s, size_t len)
{
	while (len > 0 && !b->failed) {
		ssize_t n = write(b->fd, s, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			b->failed = true;
			b->err = errno;
			return;
		}
		s += n;
		len -= (size_t)n;
	}
}

void jsonbuf_flush(struct jsonbuf *b)
{
	put(b, b->at, b->len);
	b->len = 0;
}

void jsonbuf_mem(struct jsonbuf *b, const char *s, size_t len)
{
	if (len > sizeof(b->at) - b->len) {
		jsonbuf_flush(b);
		if (len > sizeof(b->at)) {
			put(b, s, len);
			return;
		}
	}
	memcpy(b->at + b->len, s, len);
	b->len += len;
}

void jsonbuf_raw(struct jsonbuf *b, const char *s)
{
	jsonbuf_mem(b, s, strlen(s));
}

void jsonbuf_uint(struct jsonbuf *b, uint64_t n)
{
	char digits[20];
	size_t i = sizeof(digits);

	do
		digits[--i] = (char)('0' + n % 10);
	while (n /= 10);
	jsonbuf_mem(b, digits + i, sizeof(digits) - i);
}

/* Length of the UTF-8 character at s[0..len), or 0. */
static size_t utf8_len(const uint8_t *s, size_t len)
{
	size_t n = s[0] < 0x80                   ? 1
		   : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
		   : (s[0] & 0xf0) == 0xe0       ? 3
		   : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
						 : 0;

	if (n > len)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90))
		return 0;
	return n;
}

void jsonbuf_strn(struct jsonbuf *b, const char *s, size_t len)
{
	const uint8_t *u = (const uint8_t *)s;
	char code[8];
	size_t n;

	jsonbuf_mem(b, "\"", 1);
	for (size_t i = 0; i < len; i += n ? n : 1) {
		size_t plain = i;

		while (plain < len && u[plain] >= 0x20 && u[plain] < 0x7f &&
		       u[plain] != '"' && u[plain] != '\\')
			plain++;
		n = plain - i;
		if (n > 0) {
			jsonbuf_mem(b, s + i, n);
			continue;
		}
		n = utf8_len(u + i, len - i);
		if (n == 0)
			jsonbuf_raw(b, "\xef\xbf\xbd");
		else if (n > 1 && !(n == 2 && u[i] == 0xc2 && u[i + 1] < 0xa0))
			jsonbuf_mem(b, s + i, n);
		else if (u[i] == '"' || u[i] == '\\')
			jsonbuf_mem(b, (char[]){'\\', s[i]}, 2);
		else {
			snprintf(
			    code, sizeof(code), "\\u%04x", n == 2 ? u[i + 1] : u[i]);
			jsonbuf_raw(b, code);
		}
	}
	jsonbuf_mem(b, "\"", 1);
}

void jsonbuf_str(struct jsonbuf *b, const char *s)
{
	jsonbuf_strn(b, s, strlen(s));
}

void jsonbuf_member(struct jsonbuf *b, const char *key, const char *value)
{
	jsonbuf_raw(b, key);
	jsonbuf_str(b, value);
}

void jsonbuf_number(struct jsonbuf *b, const char *key, uint64_t n)
{
	jsonbuf_raw(b, key);
	jsonbuf_uint(b, n);
}
