/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a ruleset without what enforcement stands on is refused */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <cordon/flowspace.h>
#include <cordon/rules.h>
#include <cordon/ruleset.h>

#include "enforcer/shape.h"
#include "fstest.h"

static struct fs *places(const char *hosts)
{
	struct fs_builder *b = fsb_new();
	struct fs *fs;

	ft_host(b, "a", hosts, true, FS_ENFORCE);
	fs = fsb_finish(b);
	fsb_free(b);
	return fs;
}

static struct ruleset *compiled(const struct fs *fs)
{
	struct compile_opts o = { .at = 1000, .generation = 1, .log_group = 1 };
	struct ruleset *rs = NULL;

	assert_int_equal(rules_compile(fs, &o, NULL, &rs), 0);
	return rs;
}

static void test_what_the_compiler_makes(void **state)
{
	static const char *const hosts[] = { "10.1.1.1", "10.1.1.1 10.1.1.2 10.1.1.9 fd00::1",
		"fd00::1 fd00::3", "0.0.0.1 255.255.255.254 ::2 ffff::1" };

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++) {
		struct fs *fs = places(hosts[i]);
		struct ruleset *rs = compiled(fs);

		assert_null(shape_wrong(rs, fs));
		free(rs);
		free(fs);
	}
}

static void test_addresses_left_out(void **state)
{
	struct fs *some = places("10.1.1.1 10.1.1.9"), *more = places("10.1.1.1 10.1.1.5 10.1.1.9");
	struct fs *last = places("10.1.1.1 10.1.1.9 10.1.1.200"), *six = places("10.1.1.1 fd00::1");
	struct ruleset *rs = compiled(some);

	(void)state;
	assert_null(shape_wrong(rs, some));
	assert_non_null(shape_wrong(rs, more));
	assert_non_null(shape_wrong(rs, last));
	assert_non_null(shape_wrong(rs, six));
	free(rs);
	free(some);
	free(more);
	free(last);
	free(six);
}

/* Every chain and set that is asked for, renamed or moved elsewhere. */
static void test_chains_and_sets(void **state)
{
	static const char *const needed[] = { "input", "forward", "output", "block4", "block6",
		"block6net", "blockall4", "blockall6", "blockall6net", "quarantine4",
		"quarantine6", "legacy4", "legacy6" };
	struct fs *fs = places("10.1.1.1");
	struct ruleset *rs = compiled(fs);
	char *strings = (char *)rs + rs->table[RS_STRINGS].off;
	struct rs_chain *c = (struct rs_chain *)(void *)((char *)rs + rs->table[RS_CHAINS].off);

	(void)state;
	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++) {
		char *name = memmem(strings, rs->table[RS_STRINGS].count, needed[i],
		    strlen(needed[i]) + 1);

		while (name != NULL && name > strings && name[-1] != '\0')
			name = memmem(name + 1, (size_t)(strings +
			    rs->table[RS_STRINGS].count - name - 1), needed[i],
			    strlen(needed[i]) + 1);
		assert_non_null(name);
		*name ^= 1;
		assert_non_null(shape_wrong(rs, fs));
		*name ^= 1;
		assert_null(shape_wrong(rs, fs));
	}
	for (uint32_t i = 0; i < rs->table[RS_CHAINS].count; i++) {
		struct rs_chain was = c[i];

		if (was.hook == RS_HOOK_NONE)
			continue;
		c[i].hook = RS_HOOK_NONE;
		assert_non_null(shape_wrong(rs, fs));
		c[i] = was;
		c[i].priority = 500;
		assert_non_null(shape_wrong(rs, fs));
		c[i] = was;
		c[i].rules.count = 0;
		assert_non_null(shape_wrong(rs, fs));
		c[i] = was;
	}
	free(rs);
	free(fs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_the_compiler_makes),
		cmocka_unit_test(test_addresses_left_out),
		cmocka_unit_test(test_chains_and_sets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
