/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a JSON value of the library's written into a buffer */
#include "cli/jsonbuf.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void escape(struct jsonbuf *b, uint32_t unit)
{
	char code[8];

	snprintf(code, sizeof(code), "\\u%04X", unit & 0xffff);
	jsonbuf_mem(b, code, 6);
}

/* The character of s[0..), which is UTF-8 (the library takes nothing else), and how long
 * it is there. */
static size_t character(const uint8_t *s, uint32_t *ret)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	*ret = n == 1 ? s[0] : s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++)
		*ret = *ret << 6 | (s[i] & 0x3fu);
	return n;
}

static void odd_character(struct jsonbuf *b, uint32_t c)
{
	static const char plain[] = "\"\\\b\f\n\r\t", as[] = "\"\\bfnrt";
	const char *p = c < 0x80 && c ? strchr(plain, (int)c) : NULL;

	if (p) {
		jsonbuf_mem(b, (char[]){ '\\', as[p - plain] }, 2);
	} else if (c < 0x10000) {
		escape(b, c);
	} else { /* RFC 8259 section 7: a surrogate pair */
		escape(b, 0xd800 | ((c - 0x10000) >> 10));
		escape(b, 0xdc00 | ((c - 0x10000) & 0x3ff));
	}
}

/* In ASCII alone. */
static void text(struct jsonbuf *b, const char *s, size_t len)
{
	size_t from = 0, n;
	uint32_t c;

	jsonbuf_mem(b, "\"", 1);
	for (size_t i = 0; i < len; i += n) {
		n = 1;
		if ((uint8_t)(s[i] - 0x20) < 0x60 && s[i] != '"' && s[i] != '\\')
			continue;
		jsonbuf_mem(b, s + from, i - from);
		n = character((const uint8_t *)s + i, &c);
		odd_character(b, c);
		from = i + n;
	}
	jsonbuf_mem(b, s + from, len - from);
	jsonbuf_mem(b, "\"", 1);
}

static void other(struct jsonbuf *b, const json_t *o)
{
	char *s = json_dumps(o, JSON_COMPACT | JSON_ENCODE_ANY | JSON_ENSURE_ASCII);

	if (s)
		jsonbuf_raw(b, s);
	else
		jsonbuf_raw(b, "null");
	free(s);
}

static void object(struct jsonbuf *b, json_t *o)
{
	const char *between = "{";

	for (void *at = json_object_iter(o); at; at = json_object_iter_next(o, at)) {
		jsonbuf_mem(b, between, 1);
		text(b, json_object_iter_key(at), strlen(json_object_iter_key(at)));
		jsonbuf_mem(b, ":", 1);
		jsonbuf_json(b, json_object_iter_value(at));
		between = ",";
	}
	jsonbuf_raw(b, *between == '{' ? "{}" : "}");
}

static void array(struct jsonbuf *b, const json_t *o)
{
	jsonbuf_mem(b, "[", 1);
	for (size_t i = 0; i < json_array_size(o); i++) {
		if (i)
			jsonbuf_mem(b, ",", 1);
		jsonbuf_json(b, json_array_get(o, i));
	}
	jsonbuf_mem(b, "]", 1);
}

void jsonbuf_json(struct jsonbuf *b, json_t *o)
{
	switch (json_typeof(o)) {
	case JSON_OBJECT:
		object(b, o);
		break;
	case JSON_ARRAY:
		array(b, o);
		break;
	case JSON_STRING:
		text(b, json_string_value(o), json_string_length(o));
		break;
	case JSON_INTEGER:
		if (json_integer_value(o) < 0)
			other(b, o);
		else
			jsonbuf_uint(b, (uint64_t)json_integer_value(o));
		break;
	case JSON_REAL:
		other(b, o);
		break;
	case JSON_TRUE:
		jsonbuf_mem(b, "true", 4);
		break;
	case JSON_FALSE:
		jsonbuf_mem(b, "false", 5);
		break;
	case JSON_NULL:
		jsonbuf_mem(b, "null", 4);
		break;
	}
}
