/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: JSON written by the buffer is the library's, byte for byte */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/jsonbuf.h"

static struct jsonbuf buf;

/* Takes the reference. */
static void same(json_t *o)
{
	size_t flags = JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII | JSON_ENCODE_ANY;
	char *want = json_dumps(o, flags);
	FILE *f = tmpfile();
	char *got;
	long len;

	assert_non_null(want);
	assert_non_null(f);
	jsonbuf_init(&buf, fileno(f));
	jsonbuf_json(&buf, o);
	jsonbuf_flush(&buf);
	assert_false(buf.failed);
	fseek(f, 0, SEEK_END);
	len = ftell(f);
	rewind(f);
	got = calloc(1, (size_t)len + 1);
	assert_non_null(got);
	assert_int_equal(fread(got, 1, (size_t)len, f), len);
	assert_string_equal(got, want);
	fclose(f);
	free(got);
	free(want);
	json_decref(o);
}

static void test_values(void **state)
{
	(void)state;
	same(json_object());
	same(json_array());
	same(json_null());
	same(json_true());
	same(json_integer(0));
	same(json_integer(-1));
	same(json_integer(INT64_MIN));
	same(json_integer(INT64_MAX));
	same(json_real(0.5));
	same(json_real(1e300));
	same(json_pack("{s:[i,s,{},[],{s:n}],s:{s:f,s:b}}", "a", 1, "x", "k", "b", "r", 2.0, "t", 0));
}

static void test_text(void **state)
{
	(void)state;
	same(json_string(""));
	same(json_string("plain"));
	same(json_string("quote \" slash / back \\ tab \t \b\f\n\r \x01\x1f\x7f"));
	same(json_string("M\xc3\xbcller \xe2\x82\xac \xf0\x9f\x94\x92 \xf4\x8f\xbf\xbf \xef\xbf\xbd"));
	same(json_stringn("nul\0nul", 7));
	same(json_pack("{s:i}", "key \" \xc3\xbc", 1));
}

static json_t *any(unsigned deep)
{
	static const char *const pieces[] = { "a", "\"", "\\", "\n", "\x1b", "\xc3\xa9",
		"\xe2\x80\xae", "\xf0\x9f\x98\x80", "plain text, longer" };
	char text[256] = "";
	json_t *o;

	for (int i = rand() % 6; i > 0; i--)
		strcat(text, pieces[rand() % 9]);
	if (deep == 0 || rand() % 2)
		return rand() % 2 ? json_string(text) : json_integer(rand() - RAND_MAX / 2);
	o = rand() % 2 ? json_object() : json_array();
	for (int i = rand() % 5; i > 0; i--) {
		char key[300];

		snprintf(key, sizeof(key), "%d%s", i, text);
		if (json_is_object(o))
			json_object_set_new(o, key, any(deep - 1));
		else
			json_array_append_new(o, any(deep - 1));
	}
	return o;
}

static void test_chance(void **state)
{
	unsigned seed = (unsigned)time(NULL);

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	for (int i = 0; i < 2000; i++)
		same(any(4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_chance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
