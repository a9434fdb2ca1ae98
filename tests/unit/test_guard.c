/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: evaluation of guards, and the shipped ones on packets built by hand */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <cordon/guard.h>

#include "policytree.h"

static void test_match(void **state)
{
	const struct guard_term equal = { .offset = 2, .len = 2, .mask = { 0xff, 0x0f },
		.value = { 0x12, 0x04 } };
	struct guard_term differ = equal;

	(void)state;
	differ.negate = true;
	assert_true(guard_match(&equal, 1, (const uint8_t *)"\0\0\x12\x34", 4));
	assert_false(guard_match(&equal, 1, (const uint8_t *)"\0\0\x12\x35", 4));
	assert_false(guard_match(&differ, 1, (const uint8_t *)"\0\0\x12\x34", 4));
	assert_true(guard_match(&differ, 1, (const uint8_t *)"\0\0\x12\x35", 4));
	/* too short matches neither way */
	assert_false(guard_match(&equal, 1, (const uint8_t *)"\0\0\x12", 3));
	assert_false(guard_match(&differ, 1, (const uint8_t *)"\0\0\x12", 3));
	assert_false(guard_match(&equal, 0, (const uint8_t *)"\0\0\x12\x34", 4));
}

static void test_bits(void **state)
{
	struct guard_term t[3] = {
		{ .offset = 0, .len = 4, .mask = { 0xff, 0xff, 0xff, 0xff } },
		{ .offset = 2, .len = 2, .mask = { 0xff, 0xff } },
		{ .offset = 255, .len = 8, .mask = { 0, 0, 0, 0, 0, 0, 0, 0x80 } },
	};

	(void)state;
	assert_int_equal(guard_bits(t, 1), 32);
	assert_int_equal(guard_bits(t, 2), 32); /* the same bits count once */
	assert_int_equal(guard_bits(t, 3), 33);
	t[2].negate = true; /* one bit, differing, is still one bit */
	assert_int_equal(guard_bits(t, 3), 33);
	t[0].negate = true;
	assert_int_equal(guard_bits(t, 3), 17);
}

/* A term that searches, and those behind it that count from where it stands. */
static void test_search(void **state)
{
	struct guard_term t[3] = {
		{ .offset = 0, .len = 1, .mask = { 0xff }, .value = { 'S' } },
		{ .offset = 2, .len = 2, .within = 6, .mask = { 0xff, 0xff },
		    .value = { 'a', 'b' } },
		{ .offset = 3, .len = 1, .mask = { 0xff }, .value = { 'x' } },
	};

	(void)state;
	assert_true(guard_match(t, 3, (const uint8_t *)"S.ab.x", 6));
	assert_true(guard_match(t, 3, (const uint8_t *)"S.......ab.x", 12));
	assert_false(guard_match(t, 3, (const uint8_t *)"S........ab.x", 13)); /* too far */
	assert_false(guard_match(t, 3, (const uint8_t *)"Sab.x.......", 12));  /* too early */
	/* the first place is not it, a later one is */
	assert_true(guard_match(t, 3, (const uint8_t *)"S.abab.x", 8));
	assert_false(guard_match(t, 3, (const uint8_t *)"S.abab.y", 8));
	assert_false(guard_match(t, 3, (const uint8_t *)"S.ab", 4));
	assert_false(guard_match(t, 3, (const uint8_t *)"S.a", 3));
	assert_int_equal(guard_searches(t, 3), 7);
	assert_int_equal(guard_bits(t, 3), 8 + 16 + 8 - 3); /* 7 places: 3 bits */
	t[0].within = t[2].within = 1;
	assert_int_equal(guard_searches(t, 3), 0); /* three searches */
	t[0].within = 0;
	t[1].within = t[2].within = 4000;
	assert_int_equal(guard_searches(t, 3), 0); /* too many pairs */
}

/* ---- the shipped guards ---- */

static struct fs *shipped(void)
{
	const struct policytree_file files[] = { { "cordon.yaml", POLICYTREE_CORDON },
		{ "hosts/a.yaml", "host: a\naddresses: 10.9.0.2\n" }, { NULL, NULL } };
	struct diaglist d;
	struct fs *fs = NULL;

	diag_init(&d);
	assert_int_equal(policytree_load(files, 0, &d, &fs), 0);
	assert_int_equal(d.n, 0);
	diag_free(&d);
	return fs;
}

static const struct guard *find(const struct fs *fs, const char *id)
{
	for (uint32_t i = 0; i < fs->table[FS_GUARDS].count; i++) {
		const struct guard *g = FS_AT(fs, FS_GUARDS, struct guard, i);

		if (strcmp(fs_str(fs, g->id), id) == 0)
			return g;
	}
	fail_msg("no guard %s", id);
	return NULL;
}

static bool hits(
    const struct fs *fs, const struct guard *g, const uint8_t *p, size_t len)
{
	const struct guard_term *t = FS_AT(fs, FS_GUARD_TERMS, struct guard_term,
	    g->term_first);

	for (size_t i = 0; i < sizeof(g->alternative_len) && g->alternative_len[i] != 0;
	     i++) {
		if (guard_match(t, g->alternative_len[i], p, len))
			return true;
		t += g->alternative_len[i];
	}
	return false;
}

/* Which guard of the profile and a direction hits: its id, "" for none; two at once
 * fail. */
static const char *guard_of(
    const struct fs *fs, uint8_t dir, const uint8_t *p, size_t len)
{
	const char *id = "";

	for (uint32_t i = 0; i < fs_host(fs, 0)->guards.count; i++) {
		const struct fs_guard_use *u = FS_AT(fs, FS_GUARD_USES,
		    struct fs_guard_use, fs_host(fs, 0)->guards.first + i);
		const struct guard *g = FS_AT(fs, FS_GUARDS, struct guard, u->guard);

		if (g->dir != dir || !hits(fs, g, p, len))
			continue;
		assert_string_equal(id, "");
		id = fs_str(fs, g->id);
	}
	return id;
}

/* A frame with an SMB1 header; words follow at 37. */
static size_t smb1(uint8_t *p, uint8_t command, uint8_t flags, uint8_t words)
{
	memset(p, 0, 128);
	p[3] = 124;
	memcpy(p + 4, "\xffSMB", 4);
	p[8] = command;
	p[13] = flags;
	p[36] = words;
	return 128;
}

static void test_smb1(void **state)
{
	struct fs *fs = shipped();
	uint8_t p[128];
	size_t len = smb1(p, 0x72, 0x18, 0);

	(void)state;
	/* the multi-protocol negotiate of every client, and its answer, pass */
	memcpy(p + 39, "\2NT LM 0.12\0\2SMB 2.002\0\2SMB 2.\?\?\?", 34);
	assert_string_equal(guard_of(fs, GUARD_TO_SERVER, p, len), "");
	p[16] = 0x26; /* PIDHigh */
	assert_string_equal(guard_of(fs, GUARD_TO_SERVER, p, len), "ms09-050");
	p[13] = 0x98; /* a client can set the bit of an answer */
	assert_string_equal(guard_of(fs, GUARD_TO_SERVER, p, len), "ms09-050");
	len = smb1(p, 0x73, 0x18, 13);
	assert_string_equal(guard_of(fs, GUARD_TO_SERVER, p, len), "smb1");
	len = smb1(p, 0x73, 0x18, 12);
	assert_string_equal(guard_of(fs, GUARD_TO_SERVER, p, len), "smb1");
	len = smb1(p, 0x73, 0x98, 4);
	assert_string_equal(guard_of(fs, GUARD_TO_SERVER, p, len), "");
	assert_string_equal(guard_of(fs, GUARD_TO_SERVER, p, 36), "");
	free(fs);
}

static void test_smb2_passes(void **state)
{
	struct fs *fs = shipped();
	uint8_t p[128] = { 0, 0, 0, 124, 0xfe, 'S', 'M', 'B', 64 };

	(void)state;
	for (unsigned command = 0; command < 20; command++) {
		p[16] = (uint8_t)command;
		assert_string_equal(guard_of(fs, GUARD_TO_SERVER, p, sizeof(p)), "");
		assert_string_equal(guard_of(fs, GUARD_TO_CLIENT, p, sizeof(p)), "");
	}
	free(fs);
}

static void test_ms17_010(void **state)
{
	struct fs *fs = shipped();
	uint8_t groom[132] = { 0, 0, 0xff, 0xf7, 0xfe, 'S', 'M', 'B' };
	uint8_t p[128];
	size_t len = smb1(p, 0x32, 0x18, 15);

	(void)state;
	assert_string_equal(guard_of(fs, GUARD_TO_SERVER, groom, sizeof(groom)),
	    "ms17-010-groom");
	groom[8] = 64;
	assert_string_equal(guard_of(fs, GUARD_TO_SERVER, groom, sizeof(groom)), "");
	/* TRANS2 find first is no attack, session setup is */
	p[63] = 1;
	p[65] = 1;
	assert_string_equal(guard_of(fs, GUARD_TO_SERVER, p, len), "");
	p[65] = 0x0e;
	assert_string_equal(guard_of(fs, GUARD_TO_SERVER, p, len), "ms17-010-trans2");
	/* the answer of a clean host echoes the id, the implant adds 16 to it */
	len = smb1(p, 0x32, 0x98, 0);
	memcpy(p + 9, "\2\0\0\xc0", 4);
	p[34] = 0x41;
	assert_string_equal(guard_of(fs, GUARD_TO_CLIENT, p, len), "");
	p[34] = 0x51;
	assert_string_equal(guard_of(fs, GUARD_TO_CLIENT, p, len), "doublepulsar");
	p[34] = 0x52;
	assert_string_equal(guard_of(fs, GUARD_TO_CLIENT, p, len), "doublepulsar");
	free(fs);
}

/* DESIGN section 4: a shipped guard may not trip over random payload. */
static void test_shipped_bits(void **state)
{
	struct fs *fs = shipped();

	(void)state;
	assert_int_equal(fs->table[FS_GUARDS].count, 21);
	for (uint32_t i = 0; i < fs->table[FS_GUARDS].count; i++) {
		const struct guard *g = FS_AT(fs, FS_GUARDS, struct guard, i);
		const struct guard_term *t =
		    FS_AT(fs, FS_GUARD_TERMS, struct guard_term, g->term_first);

		for (size_t k = 0;
		     k < sizeof(g->alternative_len) && g->alternative_len[k] != 0;
		     k++) {
			assert_true(guard_bits(t, g->alternative_len[k]) >= 56);
			t += g->alternative_len[k];
		}
	}
	assert_int_equal(find(fs, "smb1")->protocol, FS_SMB);
	assert_int_equal(fs_host(fs, 0)->guards.count, 13);
	free(fs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_bits),
		cmocka_unit_test(test_search),
		cmocka_unit_test(test_smb1),
		cmocka_unit_test(test_smb2_passes),
		cmocka_unit_test(test_ms17_010),
		cmocka_unit_test(test_shipped_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
