/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: addresses, ranges, prefixes */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cordon/netaddr.h>

static struct netrange range(const char *s)
{
	struct netrange r;

	assert_int_equal(netrange_parse(s, &r, NULL), 0);
	return r;
}

static void formats_what_it_parsed(void **state)
{
	static const char *const same[] = { "10.0.0.1", "10.0.0.0/8", "0.0.0.0/0",
		"10.0.0.1-10.0.0.6", "fd00::1", "fd00::/64", "::/0", "fd00::1-fd00::3",
		"255.255.255.255" };
	char text[NETRANGE_STRLEN];

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		struct netrange r = range(same[i]);

		assert_string_equal(netrange_format(&r, text), same[i]);
	}
	struct netrange whole = range("10.0.0.0-10.0.0.255");

	assert_string_equal(netrange_format(&whole, text), "10.0.0.0/24");
}

static void refuses_with_a_reason(void **state)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "10.0.0.1/24", "bits set" },
		{ "10.0.0.0/33", "0-32" },
		{ "fd00::/129", "0-128" },
		{ "10.0.0.9-10.0.0.1", "ends before" },
		{ "10.0.0.1-fd00::1", "mixes" },
		{ "host", "not an" },
		{ "10.0.0", "not an" },
		{ "10.0.0.0/", "0-32" },
		{ "10.0.0.0/-1", "0-32" },
		{ "", "not an" },
		{ "10.0.0.1-", "not an" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct netrange r;
		const char *why = NULL;

		assert_int_equal(netrange_parse(bad[i].text, &r, &why), -1);
		assert_non_null(strstr(why, bad[i].why));
	}
}

static void merges_what_touches(void **state)
{
	struct netrange r[5] = { range("10.0.0.128/25"), range("10.0.0.0/25"),
		range("10.0.2.0/24"), range("fd00::/64"), range("255.255.255.255") };
	char text[NETRANGE_STRLEN];

	(void)state;
	assert_int_equal(netranges_merge(r, 5), 4);
	assert_string_equal(netrange_format(&r[0], text), "10.0.0.0/24");
	assert_int_equal(r[3].lo.v, 6); /* the end of IPv4 does not touch IPv6 */
}

static void merge_keeps_membership(void **state)
{
	unsigned seed = (unsigned)time(NULL);

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	for (int round = 0; round < 300; round++) {
		struct netrange r[12], was[12];
		size_t n = 1 + (size_t)rand() % 12, m;

		for (size_t i = 0; i < n; i++) {
			r[i] = range("10.0.0.0");
			r[i].lo.b[3] = (uint8_t)(rand() % 64);
			r[i].hi.b[3] = (uint8_t)(r[i].lo.b[3] + rand() % 8);
			was[i] = r[i];
		}
		m = netranges_merge(r, n);
		for (int a = 0; a < 80; a++) {
			struct netaddr at = range("10.0.0.0").lo;
			bool in = false;

			at.b[3] = (uint8_t)a;
			for (size_t i = 0; i < n; i++)
				in |= netrange_has(&was[i], &at);
			assert_int_equal(netranges_have(r, m, &at), in);
		}
	}
}

static void finds_the_first_not_before(void **state)
{
	struct netrange r[3] = { range("10.0.0.0/30"), range("10.0.0.8-10.0.0.9"),
		range("fd00::/64") };
	static const struct {
		const char *at;
		size_t index;
	} cases[] = { { "9.0.0.1", 0 }, { "10.0.0.3", 0 }, { "10.0.0.4", 1 },
		{ "10.0.0.9", 1 }, { "10.0.0.10", 2 }, { "fd00::ffff", 2 }, { "fd01::", 3 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct netrange at = range(cases[i].at);

		assert_int_equal(netranges_from(r, 3, &at.lo), cases[i].index);
	}
	assert_int_equal(netranges_from(r, 0, &r[0].lo), 0);
}

static void splits_into_prefixes(void **state)
{
	struct netrange r = range("10.0.0.1-10.0.0.10"), p;
	static const char *const want[] = { "10.0.0.1", "10.0.0.2/31", "10.0.0.4/30",
		"10.0.0.8/31", "10.0.0.10" };
	char text[NETRANGE_STRLEN];
	size_t n = 0;
	bool more;

	(void)state;
	do {
		more = netrange_pop_prefix(&r, &p);
		assert_string_equal(netrange_format(&p, text), want[n++]);
	} while (more);
	assert_int_equal(n, 5);
	r = range("0.0.0.0/0");
	assert_false(netrange_pop_prefix(&r, &p));
	assert_int_equal(netrange_prefixlen(&p), 0);
}

static void steps_stop_at_the_ends(void **state)
{
	struct netaddr a = range("255.255.255.255").lo, z = range("::").lo;

	(void)state;
	assert_false(netaddr_next(&a));
	assert_false(netaddr_prev(&z));
	a = range("10.0.255.255").lo;
	assert_true(netaddr_next(&a));
	assert_int_equal(a.b[1], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats_what_it_parsed),
		cmocka_unit_test(refuses_with_a_reason),
		cmocka_unit_test(merges_what_touches),
		cmocka_unit_test(merge_keeps_membership),
		cmocka_unit_test(finds_the_first_not_before),
		cmocka_unit_test(splits_into_prefixes),
		cmocka_unit_test(steps_stop_at_the_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
