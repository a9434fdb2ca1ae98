/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a policy is the same bytes whatever memory it was built in, by any compiler
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <glob.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cordon/diag.h>
#include <cordon/flowspace.h>
#include <cordon/rules.h>
#include <cordon/ruleset.h>

struct built {
	struct fs *fs;
	struct ruleset *rs;
};

/* What the next functions find on their stack where they do not write. */
static __attribute__((noinline)) void dirty_stack(int byte)
{
	char room[1 << 18];

	memset(room, byte, sizeof(room));
	__asm__ volatile("" : : "r"(room) : "memory");
}

static struct built build(const char *path, int byte)
{
	struct rules_source src = { .name = "", .now = 1780000000 };
	struct compile_opts o = {
		.at = 1780000000, .generation = 7, .log_group = 2008
	};
	struct built b = { NULL, NULL };
	struct diaglist d;

	diag_init(&d);
	src.policy_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	src.zoneinfo_fd =
	    open("/usr/share/zoneinfo", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(src.policy_fd >= 0);
	mallopt(M_PERTURB, byte);
	dirty_stack(byte);
	assert_int_equal(rules_load(&src, &d, &b.fs), 0);
	dirty_stack(byte);
	assert_int_equal(rules_compile(b.fs, &o, &d, &b.rs), 0);
	mallopt(M_PERTURB, 0);
	close(src.policy_fd);
	if (src.zoneinfo_fd >= 0)
		close(src.zoneinfo_fd);
	diag_free(&d);
	return b;
}

static void drop(struct built b)
{
	free(b.fs);
	free(b.rs);
}

static void same_bytes(
    const char *what, const void *a, size_t alen, const void *b, size_t blen)
{
	const uint8_t *x = a, *y = b;

	assert_int_equal(alen, blen);
	for (size_t i = 0; i < alen; i++)
		if (x[i] != y[i])
			fail_msg("%s differs at byte %zu of %zu", what, i, alen);
}

static void each(const char *pattern, void (*f)(const char *path))
{
	glob_t g;

	assert_int_equal(glob(pattern, GLOB_ONLYDIR, NULL, &g), 0);
	assert_true(g.gl_pathc > 3);
	for (size_t i = 0; i < g.gl_pathc; i++)
		f(g.gl_pathv[i]);
	globfree(&g);
}

static void one_tree(const char *path)
{
	static const int bytes[] = { 0x55, 0xff };
	struct built clean = build(path, 0);

	print_message("  %s\n", path);
	for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		struct built b = build(path, bytes[i]);

		same_bytes("flow space", clean.fs, clean.fs->size, b.fs, b.fs->size);
		same_bytes("ruleset", clean.rs, clean.rs->size, b.rs, b.rs->size);
		drop(b);
	}
	drop(clean);
}

static void any_memory(void **state)
{
	(void)state;
	each("rules/examples/*/", one_tree);
	each("tests/golden/*/policy", one_tree);
}

/* The digest that stands in the golden file, which every build reads. */
static void one_digest(const char *path)
{
	char name[256], line[512], want[65] = "", have[65];
	struct built b = build(path, 0xaa);
	const char *at;
	FILE *f;

	snprintf(name, sizeof(name), "%s/../ruleset.json", path);
	f = fopen(name, "r");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	fclose(f);
	at = strstr(line, "\"policy_digest\":\"");
	assert_non_null(at);
	snprintf(want, sizeof(want), "%s", strchr(at, ':') + 2);
	for (size_t i = 0; i < FS_DIGEST_LEN; i++)
		snprintf(have + 2 * i, 3, "%02x", b.fs->digest[i]);
	print_message("  %s\n", path);
	assert_string_equal(have, want);
	drop(b);
}

static void any_compiler(void **state)
{
	(void)state;
	each("tests/golden/*/policy", one_digest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_memory),
		cmocka_unit_test(any_compiler),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
