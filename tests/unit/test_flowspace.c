/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the evaluator: places, consent of both sides, observe, time */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <time.h>

#include "fstest.h"

static const int64_t now = 1800000000; /* 2027-01-15 08:00 UTC, a Friday */

/* a: plain; b: other host; c: observed; 10.20.8.0/24 around them, gateway .1 */
static struct fs *world(void)
{
	struct fs_builder *b = fsb_new();
	uint32_t a, c, d;
	struct fs *fs;

	fsb_settings(b)->addresses = ft_ranges(b, "10.20.8.1");
	a = ft_host(b, "a", "10.20.8.11 fd00:20:8::11", true, FS_ENFORCE);
	d = ft_host(b, "b", "10.20.8.12", true, FS_ENFORCE);
	c = ft_host(b, "c", "10.20.8.13", true, FS_OBSERVE);
	ft_host(b, "10.20.8.0/24", "10.20.8.0/24", false, FS_ENFORCE);
	ft_host(b, "fd00:20:8::/64", "fd00:20:8::/64", false, FS_OBSERVE);
	ft_rule(b, a, (struct ft_rule){ .id = "a/in/sql", .proto = 6, .lo = 1433,
		.peers = "10.30.0.7 10.20.8.12 fd00:1::/32" });
	ft_rule(b, a, (struct ft_rule){ .id = "a/in/files", .proto = 6, .lo = 445,
		.grants = FS_SMB, .peers = "10.30.0.7" });
	ft_rule(b, a, (struct ft_rule){ .id = "a/in/wide", .proto = 6, .lo = 400, .hi = 500,
		.peers = "10.30.0.0/24" });
	ft_rule(b, a, (struct ft_rule){ .id = "a/in/old", .proto = 6, .lo = 80,
		.peers = "10.30.0.7", .expires = now });
	ft_rule(b, d, (struct ft_rule){ .id = "b/out/sql", .dir = FS_OUT, .proto = 6,
		.lo = 1433, .peers = "10.20.8.11" });
	ft_rule(b, d, (struct ft_rule){ .id = "b/out/web", .dir = FS_OUT, .proto = 6,
		.lo = 80, .peers = "10.20.8.11 10.20.8.13" });
	ft_rule(b, c, (struct ft_rule){ .id = "c/in/z", .proto = 6, .lo = 3389,
		.grants = FS_RDP, .require = FS_REQ_NLA, .peers = "10.1.0.0/16" });
	ft_rule(b, c, (struct ft_rule){ .id = "c/in/m", .proto = 6, .lo = 3389,
		.grants = FS_RDP, .peers = "10.1.0.5" });
	fs = fsb_finish(b);
	fsb_free(b);
	assert_non_null(fs);
	assert_true(fs_valid(fs, fs->size));
	return fs;
}

static void asks_both_sides(void **state)
{
	struct fs *fs = world();
	struct fs_verdict v;

	(void)state;
	v = ft_judge(fs, "10.30.0.7", "10.20.8.11", 6, 1433, now);
	assert_int_equal(v.result, FS_ALLOW);
	assert_int_equal(v.nsides, 1);
	assert_string_equal(fs_str(fs, fs_rule(fs, v.side[0].rule)->id), "a/in/sql");
	v = ft_judge(fs, "10.20.8.12", "10.20.8.11", 6, 1433, now);
	assert_int_equal(v.result, FS_ALLOW);
	assert_int_equal(v.nsides, 2);
	assert_int_equal(v.side[0].dir, FS_OUT);
	/* the client may, the server does not let it */
	v = ft_judge(fs, "10.20.8.12", "10.20.8.11", 6, 80, now - 1);
	assert_int_equal(v.result, FS_DENY);
	assert_true(v.side[0].match);
	assert_false(v.side[1].match);
	/* the server would, the client may not */
	assert_int_equal(ft_judge(fs, "10.20.8.11", "10.20.8.12", 6, 1433, now).result,
	    FS_DENY);
	assert_int_equal(ft_judge(fs, "10.30.0.8", "10.20.8.11", 6, 1433, now).result,
	    FS_DENY);
	assert_int_equal(ft_judge(fs, "10.30.0.7", "10.20.8.11", 17, 1433, now).result,
	    FS_DENY);
	assert_int_equal(ft_judge(fs, "fd00:1::9", "fd00:20:8::11", 6, 1433, now).result,
	    FS_ALLOW);
	free(fs);
}

static void knows_whose_an_address_is(void **state)
{
	struct fs *fs = world();
	struct fs_verdict v;

	(void)state;
	assert_int_equal(ft_judge(fs, "10.1.0.1", "10.2.0.1", 6, 445, now).result, FS_PASS);
	/* the gateway's own address is in nobody's place, though inside the prefix */
	assert_int_equal(ft_judge(fs, "10.1.0.1", "10.20.8.1", 6, 22, now).result, FS_PASS);
	v = ft_judge(fs, "10.1.0.1", "10.20.8.99", 6, 445, now);
	assert_int_equal(v.result, FS_DENY);
	assert_int_equal(v.reason, FS_WHY_UNDECLARED);
	v = ft_judge(fs, "10.20.8.0", "10.1.0.1", 6, 445, now);
	assert_int_equal(v.reason, FS_WHY_UNDECLARED);
	/* an undeclared address of an observed prefix */
	v = ft_judge(fs, "fd00:20:8::99", "fd00:1::1", 6, 80, now);
	assert_int_equal(v.result, FS_ALLOW);
	assert_int_equal(v.reason, FS_WHY_OBSERVED);
	v = ft_judge(fs, "10.20.8.11", "224.0.0.251", 17, 5353, now);
	assert_int_equal(v.reason, FS_WHY_MULTICAST);
	free(fs);
}

static void observed_sides_do_not_deny(void **state)
{
	struct fs *fs = world();
	struct fs_verdict v;

	(void)state;
	v = ft_judge(fs, "10.99.0.1", "10.20.8.13", 6, 445, now);
	assert_int_equal(v.result, FS_ALLOW);
	assert_int_equal(v.reason, FS_WHY_OBSERVED);
	/* but an enforced one beside it does */
	assert_int_equal(ft_judge(fs, "10.20.8.12", "10.20.8.13", 6, 445, now).result,
	    FS_DENY);
	assert_int_equal(ft_judge(fs, "10.20.8.12", "10.20.8.13", 6, 80, now).result,
	    FS_ALLOW);
	free(fs);
}

static void grants_are_the_union(void **state)
{
	struct fs *fs = world();
	struct fs_verdict v;

	(void)state;
	v = ft_judge(fs, "10.30.0.7", "10.20.8.11", 6, 445, now);
	assert_int_equal(v.grants, FS_SMB);
	assert_string_equal(fs_str(fs, fs_rule(fs, v.side[0].rule)->id), "a/in/files");
	v = ft_judge(fs, "10.30.0.9", "10.20.8.11", 6, 445, now);
	assert_int_equal(v.result, FS_ALLOW);
	assert_int_equal(v.grants, 0); /* a range grants no protocol */
	/* one of two rules that grant RDP does not require NLA: not required */
	v = ft_judge(fs, "10.1.0.5", "10.20.8.13", 6, 3389, now);
	assert_int_equal(v.require, 0);
	assert_string_equal(fs_str(fs, fs_rule(fs, v.side[0].rule)->id), "c/in/m");
	v = ft_judge(fs, "10.1.0.6", "10.20.8.13", 6, 3389, now);
	assert_int_equal(v.require, FS_REQ_NLA);
	free(fs);
}

static void expired_rules_do_not_exist(void **state)
{
	struct fs *fs = world();

	(void)state;
	assert_int_equal(ft_judge(fs, "10.30.0.7", "10.20.8.11", 6, 80, now - 1).result,
	    FS_ALLOW);
	assert_int_equal(ft_judge(fs, "10.30.0.7", "10.20.8.11", 6, 80, now).result,
	    FS_DENY);
	assert_int_equal(fs_next_change(fs, now - 10), now);
	assert_true(fs_next_change(fs, now) == FS_FOREVER);
	free(fs);
}

/* Fridays 22:00 to Saturday 02:00 and Monday-Friday 07:00-19:00 in a zone that is at
 * UTC+1 and goes to UTC+2 at 2027-03-28 01:00 UTC. */
static struct fs *timed_world(void)
{
	struct fs_builder *b = fsb_new();
	struct fs_transition tr[2] = { { INT64_MIN, 3600 }, { 1806195600, 7200 } };
	struct fs_window w[2] = { { 1 << 4, 22 * 60, 26 * 60 }, { 0x1f, 7 * 60, 19 * 60 } };
	struct fs_schedule s = { .windows = { 0, 2 } };
	uint32_t a = ft_host(b, "a", "10.20.8.11", true, FS_ENFORCE);
	struct fs *fs;

	for (int i = 0; i < 2; i++) {
		fsb_add(b, FS_TRANSITIONS, &tr[i]);
		fsb_add(b, FS_WINDOWS, &w[i]);
	}
	fsb_add(b, FS_SCHEDULES, &s);
	ft_rule(b, a, (struct ft_rule){ .id = "a/in/x", .proto = 6, .lo = 22,
		.peers = "10.1.0.1", .schedule = 1 });
	fs = fsb_finish(b);
	fsb_free(b);
	assert_true(fs_valid(fs, fs->size));
	return fs;
}

static void schedules_follow_local_time(void **state)
{
	static const struct {
		int64_t at;
		bool on;
		int64_t until;
	} cases[] = {
		{ 1799992799, false, 0 },          /* Fri 2027-01-15 06:59:59 local */
		{ 1799992800, true, 1800036000 },  /* 07:00 local until 19:00 */
		{ 1800036000, false, 0 },
		{ 1800046800, true, 1800061200 },  /* 22:00 local until 02:00 on Saturday */
		{ 1800061199, true, 1800061200 },
		{ 1800061200, false, 0 },
		{ 1806296400, true, 1806296400 + 43200 }, /* Mon 07:00, summer */
		{ 1806296399, false, 0 },
	};
	struct fs *fs = timed_world();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t until = 0;
		bool on = fs_rule_active(fs, fs_rule(fs, 0), cases[i].at, &until);

		if (on != cases[i].on || (on && until != cases[i].until))
			print_message("case %zu: on %d until %lld\n", i, on, (long long)until);
		assert_int_equal(on, cases[i].on);
		if (on)
			assert_int_equal(until, cases[i].until);
	}
	assert_int_equal(fs_next_change(fs, 1800036000), 1800046800);
	free(fs);
}

/* Whatever time is asked for: the answer is later, and no arithmetic overflows. */
static void times_at_the_edge(void **state)
{
	static const int64_t times[] = { INT64_MIN, INT64_MIN + 1, INT64_MIN + 7200,
		-((int64_t)1 << 52), (int64_t)1 << 52, INT64_MAX - 7200, INT64_MAX - 1 };
	struct fs *fs = timed_world();

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		int64_t until = INT64_MAX;

		fs_rule_active(fs, fs_rule(fs, 0), times[i], &until);
		assert_true(until > times[i]);
		assert_true(fs_next_change(fs, times[i]) > times[i]);
	}
	free(fs);
}

/* A block from elsewhere may hold anything: whatever is accepted must be safe to ask. */
static void damaged_blocks_are_safe(void **state)
{
	struct fs *fs = world();
	unsigned seed = (unsigned)time(NULL);
	uint8_t *copy = malloc(fs->size);
	unsigned accepted = 0;

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	for (int round = 0; round < 20000; round++) {
		memcpy(copy, fs, fs->size);
		for (int k = rand() % 3; k >= 0; k--)
			copy[(size_t)rand() % fs->size] = (uint8_t)rand();
		if (!fs_valid(copy, fs->size))
			continue;
		accepted++;
		ft_judge((const struct fs *)(void *)copy, "10.30.0.7", "10.20.8.11", 6, 445,
		    now);
		fs_next_change((const struct fs *)(void *)copy, now);
	}
	print_message("%u of 20000 accepted\n", accepted);
	assert_false(fs_valid(fs, fs->size - 1));
	free(copy);
	free(fs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_both_sides),
		cmocka_unit_test(knows_whose_an_address_is),
		cmocka_unit_test(observed_sides_do_not_deny),
		cmocka_unit_test(grants_are_the_union),
		cmocka_unit_test(expired_rules_do_not_exist),
		cmocka_unit_test(schedules_follow_local_time),
		cmocka_unit_test(times_at_the_edge),
		cmocka_unit_test(damaged_blocks_are_safe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
