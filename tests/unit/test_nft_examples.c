/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: each shipped example lists the same, loaded as text or through netlink */
#include <dirent.h>
#include <time.h>

#include <cordon/diag.h>
#include <cordon/rules.h>

#include "nftlab.h"

#define EXAMPLES "rules/examples"

static struct ruleset *compiled(const char *path, uint32_t generation)
{
	struct rules_source src = { .policy_fd = open(path, O_RDONLY | O_DIRECTORY),
		.zoneinfo_fd = open("/usr/share/zoneinfo", O_RDONLY | O_DIRECTORY),
		.name = path, .now = time(NULL) };
	struct compile_opts opts = { .at = src.now, .floor = src.now,
		.generation = generation, .log_group = 2008 };
	struct ruleset *rs = NULL;
	struct fs *fs = NULL;
	struct diaglist d;
	int r;

	assert_true(src.policy_fd != -1);
	diag_init(&d);
	r = rules_load(&src, &d, &fs);
	if (r == 0)
		r = rules_compile(fs, &opts, &d, &rs);
	if (r == -1)
		diag_print(&d, stderr, false);
	assert_int_equal(r, 0);
	diag_free(&d);
	free(fs);
	close(src.policy_fd);
	if (src.zoneinfo_fd != -1)
		close(src.zoneinfo_fd);
	assert_true(ruleset_valid(rs, rs->size));
	return rs;
}

/* NULL: too much for an nft that isn't real root's. */
static char *text_list(const struct ruleset *rs)
{
	char *text = NULL, *list;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	assert_int_equal(emit_nft(rs, f), 0);
	fclose(f);
	if (!lab_load(text)) {
		assert_true(lab_userns && lab_too_long);
		free(text);
		return NULL;
	}
	list = lab_list();
	assert_int_equal(system("nft delete table inet cordon"), 0);
	free(text);
	return list;
}

static void example(const char *path)
{
	struct ruleset *rs = compiled(path, 1), *next = compiled(path, 2);
	struct nft *n = nft_open();
	struct nft_error err;
	struct nft_stats st;
	char *by_text = text_list(rs), *by_us;

	assert_non_null(n);
	if (nft_apply(n, NULL, rs, "", false, &err, &st) == -1)
		fail_msg("%s: %s: %s %s %s", path, strerror(err.err), err.object, err.name,
		    err.comment);
	by_us = lab_list();
	if (by_text)
		lab_same(by_us, by_text);
	else
		print_message("SKIP %s as text: nft needs real root for that much\n", path);
	print_message("%s: %u sets, %u chains, %u rules, %u elements\n", path, st.sets_added,
	    st.chains_added, st.rules, st.elements_added);
	free(by_text);
	free(by_us);

	/* and a reload ends where a fresh load does */
	assert_int_equal(nft_apply(n, rs, next, "", false, &err, &st), 0);
	by_us = lab_sorted();
	assert_int_equal(nft_apply(n, NULL, next, "", false, &err, &st), 0);
	by_text = lab_sorted();
	lab_same(by_us, by_text);
	assert_int_equal(nft_delete(n), 0);
	nft_close(n);
	free(by_text);
	free(by_us);
	free(rs);
	free(next);
}

static void test_examples(void **state)
{
	DIR *dir = opendir(EXAMPLES);
	struct dirent *e;
	int count = 0;

	(void)state;
	LAB();
	assert_non_null(dir);
	while ((e = readdir(dir)) != NULL) {
		char path[300];

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), EXAMPLES "/%s", e->d_name);
		example(path);
		count++;
	}
	closedir(dir);
	assert_true(count > 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_examples) };

	lab_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
