/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: JSON written straight into a buffer, for rows by the hundred thousand */
#ifndef CORDON_CLI_JSONBUF_H
#define CORDON_CLI_JSONBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Text collects in the buffer and leaves for the descriptor when it is full or
 * flushed.  failed: a write failed (errno of then in err); all later text is lost. */
struct jsonbuf {
	int fd, err;
	bool failed;
	size_t len;
	char at[1 << 16];
};

/* Flushes stdio's stdout first if fd is its descriptor. */
void jsonbuf_init(struct jsonbuf *b, int fd);
void jsonbuf_flush(struct jsonbuf *b);
/* As they are: punctuation and keys. */
void jsonbuf_mem(struct jsonbuf *b, const char *s, size_t len);
void jsonbuf_raw(struct jsonbuf *b, const char *s);
void jsonbuf_uint(struct jsonbuf *b, uint64_t n);
/* A quoted string; bytes that are not UTF-8 become U+FFFD. */
void jsonbuf_str(struct jsonbuf *b, const char *s);
void jsonbuf_strn(struct jsonbuf *b, const char *s, size_t len);
/* `key` as it is, with what stands around it (",\"name\":"), then the value. */
void jsonbuf_member(struct jsonbuf *b, const char *key, const char *value);
void jsonbuf_number(struct jsonbuf *b, const char *key, uint64_t n);
/* A value as json_dumps() writes it compact, in its order and in ASCII, many times
 * faster.  Not NULL; nested as deep as its maker made it. */
struct json_t;
void jsonbuf_json(struct jsonbuf *b, struct json_t *o);

#endif
