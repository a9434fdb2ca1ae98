/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what reaches a terminal: hostile text escaped, columns straight */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/jsonbuf.h"
#include "cli/out.h"

static void check_escape(const char *in, size_t len, const char *want)
{
	char *got = out_escaped(in, len);

	assert_non_null(got);
	assert_string_equal(got, want);
	free(got);
}
#define ESCAPE(in, want) check_escape(in, sizeof(in) - 1, want)

static void escapes(void **state)
{
	(void)state;
	ESCAPE("plain text", "plain text");
	ESCAPE("", "");
	ESCAPE("M\xc3\xbcller \xe2\x82\xac \xf0\x9f\x94\x92",
	    "M\xc3\xbcller \xe2\x82\xac \xf0\x9f\x94\x92");
	ESCAPE("\033]0;owned\007", "\\x1b]0;owned\\x07");
	ESCAPE("a\nb\tc\r\x7f", "a\\x0ab\\x09c\\x0d\\x7f");
	ESCAPE("nul\0nul", "nul\\x00nul");
	ESCAPE("back\\slash", "back\\\\slash");
	ESCAPE("\xc2\x9b"
	       "31m",
	    "\\u{9b}31m"); /* CSI as one character */
	ESCAPE("\x9b"
	       "31m",
	    "\\x9b31m");
	ESCAPE("\xe2\x80\xae"
	       "exe.txt",
	    "\\u{202e}exe.txt"); /* right to left */
	ESCAPE("zero\xe2\x80\x8bwidth", "zero\\u{200b}width");
	ESCAPE("\xc0\xaf", "\\xc0\\xaf");                   /* overlong */
	ESCAPE("\xed\xa0\x80", "\\xed\\xa0\\x80");          /* surrogate */
	ESCAPE("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"); /* past U+10FFFF */
	ESCAPE("cut \xe2\x82", "cut \\xe2\\x82");
}

static char *print(const struct out_table *t, bool colour)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	assert_int_equal(out_table_print(t, f, colour), 0);
	fclose(f);
	return text;
}

static void aligned(void **state)
{
	struct out_table *t = out_table_new("host|>packets|note");
	char *text;

	(void)state;
	assert_non_null(t);
	out_table_row(t, "erp", "7", "first");
	out_table_row(t, "M\xc3\xbcnchen", "12345678", NULL);
	out_table_row(t, "x\033y", "", "last");
	assert_int_equal(out_table_rows(t), 3);
	text = print(t, false);
	assert_string_equal(text, "host      packets  note\n"
				  "erp             7  first\n"
				  "M\xc3\xbcnchen  12345678  \n"
				  "x\\x1by             last\n");
	free(text);
	out_table_free(t);
}

static void tones(void **state)
{
	struct out_table *t = out_table_new("a|b");
	char *plain, *coloured;

	(void)state;
	out_table_row(t, "x", "y");
	out_table_tone(t, 1, TONE_BAD);
	plain = print(t, false);
	coloured = print(t, true);
	assert_null(strchr(plain, '\033'));
	assert_non_null(strstr(coloured, "\033[31my\033[0m"));
	free(plain);
	free(coloured);
	out_table_free(t);
}

/* Not a terminal, or one that must not be coloured. */
static void no_colour(void **state)
{
	FILE *f = tmpfile();

	(void)state;
	assert_non_null(f);
	setenv("TERM", "xterm", 1);
	unsetenv("NO_COLOR");
	assert_false(out_wants_colour(f));
	fclose(f);
	assert_string_equal(out_tone(TONE_BAD, false), "");
}

static char *json_of(const char *s, size_t len)
{
	static struct jsonbuf b;
	char *text = calloc(1, 4096);
	int p[2];

	assert_int_equal(pipe(p), 0);
	jsonbuf_init(&b, p[1]);
	jsonbuf_raw(&b, "[");
	jsonbuf_strn(&b, s, len);
	jsonbuf_raw(&b, ",");
	jsonbuf_uint(&b, INT64_MAX);
	jsonbuf_raw(&b, "]");
	jsonbuf_flush(&b);
	assert_false(b.failed);
	assert_true(read(p[0], text, 4095) > 0);
	close(p[0]);
	close(p[1]);
	return text;
}

/* The hand-written writer against jansson's strict reader. */
static void json_strings(void **state)
{
	static const char *const same[] = {"", "plain", "\"quoted\" \\ back",
	    "\n\t\r\b\f\x1b", "M\xc3\xbcller \xf0\x9f\x94\x92", "\xc2\x9b", "\x7f"};

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		char *text = json_of(same[i], strlen(same[i]));
		json_t *j = json_loads(text, 0, NULL);

		assert_non_null(j);
		assert_string_equal(json_string_value(json_array_get(j, 0)), same[i]);
		assert_non_null(strstr(text, ",9223372036854775807]"));
		json_decref(j);
		free(text);
	}
	for (unsigned c = 0x80; c < 0x100; c++) {
		char bad = (char)c, *text = json_of(&bad, 1);
		json_t *j = json_loads(text, JSON_DISABLE_EOF_CHECK, NULL);

		assert_non_null(strstr(text, "\"\xef\xbf\xbd\""));
		json_decref(j);
		free(text);
	}
}

static void json_broken_pipe(void **state)
{
	static struct jsonbuf b;
	FILE *full = fopen("/dev/full", "w");

	(void)state;
	assert_non_null(full);
	jsonbuf_init(&b, fileno(full));
	for (unsigned i = 0; i < 20000; i++)
		jsonbuf_raw(&b, "0123456789");
	jsonbuf_flush(&b);
	assert_true(b.failed);
	assert_int_not_equal(b.err, 0);
	fclose(full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(escapes),
	    cmocka_unit_test(aligned),
	    cmocka_unit_test(tones),
	    cmocka_unit_test(no_colour),
	    cmocka_unit_test(json_strings),
	    cmocka_unit_test(json_broken_pipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
