/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: node trees, their places, and the limits of hostile files */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "rules/yaml.h"

struct parsed {
	struct arena arena;
	struct ydoc *docs;
	struct yaml_error error;
	int rc, dups;
};

static void on_dup(void *arg, const struct ynode *key, const struct ynode *first)
{
	struct parsed *p = arg;

	assert_true(key->line > first->line || key->col > first->col);
	p->dups++;
}

static void parse_bytes(struct parsed *p, const char *data, size_t len)
{
	memset(p, 0, sizeof(*p));
	p->rc = yaml_parse(&p->arena, data, len, on_dup, p, &p->docs, &p->error);
}

static void parse(struct parsed *p, const char *text)
{
	parse_bytes(p, text, strlen(text));
}

static void test_tree(void **state)
{
	struct parsed p;
	const struct yitem *i;

	(void)state;
	parse(&p, "a: 1\nb:\n  - x\n  - \"y z\"\n---\nc: {}\n");
	assert_int_equal(p.rc, 0);
	assert_int_equal(p.docs->root->kind, YNODE_MAP);
	assert_int_equal(p.docs->root->n, 2);
	i = p.docs->root->items->next;
	assert_string_equal(i->key->text, "b");
	assert_int_equal(i->value->kind, YNODE_SEQ);
	i = i->value->items->next;
	assert_string_equal(i->value->text, "y z");
	assert_false(i->value->plain);
	assert_int_equal(i->value->line, 4);
	assert_int_equal(i->value->col, 5);
	assert_int_equal(i->value->end_col, 10);
	assert_string_equal(p.docs->next->root->items->key->text, "c");
	assert_null(p.docs->next->next);
	arena_free(&p.arena);
}

static void test_alias(void **state)
{
	struct parsed p;

	(void)state;
	parse(&p, "a: &x [1, 2]\nb: *x\n");
	assert_int_equal(p.rc, 0);
	assert_ptr_equal(p.docs->root->items->value, p.docs->root->items->next->value);
	/* map, 2 keys, twice the list of 3 */
	assert_int_equal(p.docs->root->weight, 1 + 2 + 3 + 3);
	arena_free(&p.arena);
}

static void test_duplicates(void **state)
{
	struct parsed p;
	char text[4096] = "";

	(void)state;
	parse(&p, "a: 1\nb: 2\na: 3\na: 4\n");
	assert_int_equal(p.rc, 0);
	assert_int_equal(p.dups, 2);
	assert_int_equal(p.docs->root->n, 2);
	assert_string_equal(p.docs->root->items->value->text, "1");
	arena_free(&p.arena);
	/* enough keys for the hash table, and again */
	for (int i = 0; i < 200; i++)
		sprintf(text + strlen(text), "k%d: v\n", i);
	strcat(text, "k0: v\nk15: v\nk16: v\nk199: v\n");
	parse(&p, text);
	assert_int_equal(p.dups, 4);
	assert_int_equal(p.docs->root->n, 200);
	arena_free(&p.arena);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *code;
		uint32_t line;
	} rows[] = {
		{ "a: [1\n", "CRD001", 2 },
		{ "a: [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]\n", "CRD002", 1 },
		{ "a: \"x\\0y\"\n", "CRD003", 1 },
		{ "a: 1\nb: \xff\n", "CRD003", 2 },
		{ "a: \xc0\xaf\n", "CRD003", 1 },
		{ "a: \xed\xa0\x80\n", "CRD003", 1 },
		{ "a: \xe2\x80\xae\n", "CRD003", 1 },
		{ "a: 1\rb: 2\n", "CRD003", 1 },
		{ "a: \x1b[31m\n", "CRD003", 1 },
		{ "a: !!int 1\n", "CRD004", 1 },
		{ "<<: { a: 1 }\n", "CRD004", 1 },
		{ "? [a]\n: b\n", "CRD004", 1 },
		{ "a: &x { b: *x }\n", "CRD004", 1 },
		{ "a: *x\n", "CRD001", 1 },
		{ "a: &x 1\n---\nb: *x\n", "CRD001", 3 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct parsed p;

		parse(&p, rows[i].text);
		assert_int_equal(p.rc, -1);
		assert_string_equal(p.error.code, rows[i].code);
		assert_int_equal(p.error.line, rows[i].line);
		assert_null(p.docs);
		arena_free(&p.arena);
	}
}

static void test_bytes(void **state)
{
	struct parsed p;

	(void)state;
	parse_bytes(&p, "a: 1\n\0b: 2\n", 11);
	assert_int_equal(p.rc, -1);
	assert_string_equal(p.error.code, "CRD003");
	arena_free(&p.arena);
	parse_bytes(&p, "", 0);
	assert_int_equal(p.rc, 0);
	assert_null(p.docs);
	arena_free(&p.arena);
}

/* Ten to the ninth values on nine lines must cost next to nothing. */
static void test_bomb(void **state)
{
	struct parsed p;
	char text[2048] = "x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n";

	(void)state;
	for (int i = 1; i < 9; i++) {
		sprintf(text + strlen(text), "x%d: &x%d [*x%d", i, i, i - 1);
		for (int k = 1; k < 10; k++)
			sprintf(text + strlen(text), ", *x%d", i - 1);
		strcat(text, "]\n");
	}
	parse(&p, text);
	assert_int_equal(p.rc, -1);
	assert_string_equal(p.error.code, "CRD002");
	assert_true(p.arena.used < 100000);
	arena_free(&p.arena);
}

static void test_size(void **state)
{
	size_t len = YAML_FILE_MAX + 1;
	char *text = malloc(len);
	struct parsed p;

	(void)state;
	assert_non_null(text);
	memset(text, '#', len);
	parse_bytes(&p, text, len);
	assert_string_equal(p.error.code, "CRD002");
	arena_free(&p.arena);
	/* the most nodes a file of the largest size can have */
	memset(text, '[', 1);
	for (size_t i = 1; i + 1 < len; i += 2)
		memcpy(text + i, "a,", 2);
	parse_bytes(&p, text, len - 1);
	assert_int_equal(p.rc, -1);
	assert_string_equal(p.error.code, "CRD002");
	assert_true(p.arena.used < 100u << 20);
	arena_free(&p.arena);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_alias),
		cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_bomb),
		cmocka_unit_test(test_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
