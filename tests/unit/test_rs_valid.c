/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: rulesets from a loader that was taken over: judged in bounded time */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cordon/ruleset.h>

enum { MANY = 100000, RULES = 20000, LIMIT_MS = 3000 };

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static bool judged_in_time(struct ruleset *rs)
{
	double start = now_ms();
	bool ok = ruleset_valid(rs, rs->size);

	assert_true(now_ms() - start < LIMIT_MS);
	return ok;
}

static uint32_t big_map(struct rs_builder *b, uint32_t to)
{
	uint32_t map = rsb_set(b, "big", &(struct rs_set){ .nkeys = 1, .map = true,
		.key = { RS_T_IP4 } });

	for (uint32_t i = 0; i < MANY; i++) {
		uint8_t key[4] = { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i };

		rsb_elem(b, map, key, NULL, RS_GOTO, to, "");
	}
	return map;
}

/* Rules by the thousand that all ask one large map. */
static void test_one_map_many_rules(void **state)
{
	struct rs_builder *b = rsb_new();
	uint32_t from = rsb_chain(b, "from", NULL), to = rsb_chain(b, "to", NULL);
	uint32_t map = big_map(b, to);
	struct ruleset *rs;

	(void)state;
	for (int i = 0; i < RULES; i++) {
		struct rs_op op = { .code = RS_OP_VMAP, .nfields = 1, .set = map,
			.chain = RS_NONE, .field = { RS_IP_SADDR } };

		rsb_rule(b, from, "");
		rsb_op(b, &op);
	}
	rs = rsb_finish(b);
	rsb_free(b);
	assert_non_null(rs);
	assert_true(judged_in_time(rs));
	free(rs);
}

/* Sets that share elements: the same memory, to be walked and sent any number of times. */
static void test_shared_elements(void **state)
{
	struct rs_builder *b = rsb_new();
	uint32_t to = rsb_chain(b, "to", NULL);
	struct ruleset *rs;
	char name[16];

	(void)state;
	for (int i = 0; i < RULES; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		rsb_set(b, name, &(struct rs_set){ .nkeys = 1, .map = true,
			.key = { RS_T_IP4 } });
	}
	big_map(b, to);
	rs = rsb_finish(b);
	rsb_free(b);
	assert_non_null(rs);
	assert_true(judged_in_time(rs));
	for (int i = 0; i < RULES; i++) {
		struct rs_set *s = (struct rs_set *)((char *)rs + rs->table[RS_SETS].off) + i;

		s->elems = (struct rs_span){ 0, MANY };
	}
	assert_false(judged_in_time(rs));
	free(rs);
}

/* Memory the kernel would set aside for nothing. */
static void test_set_size(void **state)
{
	struct rs_builder *b = rsb_new();
	struct ruleset *rs;

	(void)state;
	rsb_set(b, "huge", &(struct rs_set){ .nkeys = 1, .key = { RS_T_IP4 }, .dynamic = true,
		.timeout = true, .size = 1u << 30 });
	rs = rsb_finish(b);
	rsb_free(b);
	assert_non_null(rs);
	assert_false(ruleset_valid(rs, rs->size));
	free(rs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_map_many_rules),
		cmocka_unit_test(test_shared_elements),
		cmocka_unit_test(test_set_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
