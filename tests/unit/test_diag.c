/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: diagnostics: the table of codes, order, escaping, three ways to print */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include <cordon/diag.h>

#include "rules/text.h"

static void test_codes(void **state)
{
	const struct diag_code *last = NULL;

	(void)state;
	for (const struct diag_code *c = diag_codes; c->code != NULL; c++) {
		assert_int_equal(strlen(c->code), 6);
		assert_memory_equal(c->code, "CRD", 3);
		assert_true(last == NULL || strcmp(last->code, c->code) < 0);
		assert_true(*c->name != '\0' && *c->what != '\0' && *c->mend != '\0');
		for (const struct diag_code *o = diag_codes; o < c; o++)
			assert_string_not_equal(o->name, c->name);
		last = c;
	}
}

static char *printed(
    const struct diaglist *l, void (*print)(const struct diaglist *, FILE *))
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (print != NULL)
		print(l, f);
	else
		diag_print(l, f, false);
	fclose(f);
	return text;
}

static void add(struct diaglist *l, const char *code, const char *file, uint32_t line,
    uint32_t col, const char *text)
{
	struct diag_loc loc = { diag_file(l, file), line, col, col + 2, 0 };

	diag_add(l, code, loc, "%s", text);
}

static void test_text(void **state)
{
	struct diaglist l;
	char *text;

	(void)state;
	diag_init(&l);
	add(&l, "CRD064", "b.yaml", 2, 3, "old");
	add(&l, "CRD020", "a.yaml", 12, 5, "unknown key");
	diag_source(&l, "\xc3\xa4\x1b" "c alow: x", 12);
	diag_hint(&l, "did you mean \"%s\"?", "allow");
	add(&l, "CRD064", "b.yaml", 2, 3, "old");
	add(&l, "CRD010", "", 0, 0, "missing");
	diag_sort(&l);
	assert_int_equal(l.n, 3);
	assert_int_equal(l.errors, 2);
	assert_int_equal(l.warnings, 1);
	text = printed(&l, NULL);
	assert_string_equal(text,
	    "error: missing [CRD010]\n"
	    "a.yaml:12:5: error: unknown key [CRD020]\n"
	    "   12 | \xc3\xa4\\x1bc alow: x\n"
	    "      |       ^~\n"
	    "      = did you mean \"allow\"?\n"
	    "b.yaml:2:3: warning: old [CRD064]\n");
	free(text);
	diag_free(&l);
}

static void test_escaping(void **state)
{
	struct diaglist l;
	char *text;

	(void)state;
	diag_init(&l);
	add(&l, "CRD020", "a\x1b]0;x\a.yaml", 1, 1, "b\xe2\x80\xae" "c\xff");
	assert_string_equal(l.d[0].message, "b\\xe2\\x80\\xaec\\xff");
	text = printed(&l, NULL);
	assert_null(strpbrk(text, "\x1b\a"));
	free(text);
	diag_free(&l);
}

static void test_json(void **state)
{
	struct diaglist l;
	json_t *row, *run;
	char *text;

	(void)state;
	diag_init(&l);
	add(&l, "CRD020", "a b\"\\.yaml", 12, 5, "say \"no\" \x01");
	text = printed(&l, diag_print_json);
	row = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(row);
	assert_string_equal(
	    json_string_value(json_object_get(row, "file")), "a b\"\\.yaml");
	assert_int_equal(json_integer_value(json_object_get(row, "column")), 5);
	assert_string_equal(json_string_value(json_object_get(row, "message")),
	    "say \"no\" \\x01");
	assert_true(json_is_null(json_object_get(row, "hint")));
	json_decref(row);
	free(text);
	text = printed(&l, diag_print_sarif);
	row = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(row);
	run = json_array_get(json_object_get(row, "runs"), 0);
	assert_int_equal(json_array_size(json_object_get(run, "results")), 1);
	assert_non_null(strstr(text, "\"uri\":\"a%20b%22%5C.yaml\""));
	json_decref(row);
	free(text);
	diag_free(&l);
}

static void test_overflow(void **state)
{
	struct diaglist l;

	(void)state;
	diag_init(&l);
	for (uint32_t i = 0; i < DIAG_MAX + 10; i++)
		add(&l, "CRD020", "a.yaml", i + 1, 1, "x");
	diag_hint(&l, "lost");
	assert_int_equal(l.n, DIAG_MAX);
	assert_int_equal(l.errors, DIAG_MAX + 10);
	assert_true(l.overflow);
	assert_null(l.d[DIAG_MAX - 1].hint);
	diag_free(&l);
}

static void test_nearest(void **state)
{
	struct text_nearest n = { .want = "alow" };

	(void)state;
	text_offer(&n, "mode");
	assert_null(n.best);
	text_offer(&n, "below");
	text_offer(&n, "allow");
	assert_string_equal(n.best, "allow");
	assert_int_equal(text_distance("ab", "ba", 3), 1);
	assert_int_equal(text_distance("kitten", "sitting", 3), 3);
	assert_int_equal(text_distance("kitten", "sitting", 2), 3);
	assert_int_equal(text_distance("", "abc", 9), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_escaping),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
