/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the arena: zeroed also when used again, aligned, limited */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cordon/netaddr.h>

#include "rules/arena.h"

static uint64_t seed;

static unsigned rnd(unsigned n) /* 0..n-1 */
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 11) % n;
}

static void take(struct arena *a, size_t len)
{
	static const char zero[1024];
	char *p = arena_calloc(a, 1, len);

	assert_non_null(p);
	assert_int_equal((uintptr_t)p % 16, 0);
	for (size_t i = 0; i < len; i += sizeof(zero))
		assert_memory_equal(
		    p + i, zero, len - i < sizeof(zero) ? len - i : sizeof(zero));
	memset(p, 0xff, len);
}

static void test_zeroed(void **state)
{
	struct arena a = { 0 };

	(void)state;
	seed = (uint64_t)time(NULL) | 1;
	printf("seed %llu\n", (unsigned long long)seed);
	for (int round = 0; round < 200; round++) {
		for (int i = 0; i < 200; i++) {
			char *s;

			take(&a, 1 + rnd(rnd(20) == 0 ? 100000 : 300));
			s = arena_strndup(&a, "0123456789", rnd(11));
			assert_non_null(s);
			assert_memory_equal(s, "0123456789", strlen(s));
		}
		arena_reset(&a);
	}
	arena_free(&a);
}

static void test_limit(void **state)
{
	struct arena a = { .limit = 1000 };

	(void)state;
	take(&a, 990);
	assert_null(arena_calloc(&a, 1, 100));
	assert_true(a.over && a.failed);
	assert_null(arena_calloc(&a, SIZE_MAX / 2, 16));
	arena_free(&a);
}

/* netaddr_parse() reads IPv4 by itself: as inet_pton() does. */
static void test_as_libc(void **state)
{
	static const char chars[] = "0123456789....25502x: ";
	int good = 0;

	(void)state;
	seed = (uint64_t)time(NULL) | 1;
	for (int i = 0; i < 300000; i++) {
		struct netaddr a;
		uint8_t want[4];
		char s[20];

		if (rnd(2) == 0) {
			snprintf(s, sizeof(s), "%u.%u.%u.%u", rnd(300), rnd(300), rnd(300),
			    rnd(300));
			s[rnd(12)] = chars[rnd(sizeof(chars))];
		} else {
			size_t n = rnd(16);

			for (size_t k = 0; k < n; k++)
				s[k] = chars[rnd(sizeof(chars) - 1)];
			s[n] = '\0';
		}
		s[sizeof(s) - 1] = '\0';
		if (inet_pton(AF_INET, s, want) == 1) {
			good++;
			assert_int_equal(netaddr_parse(s, &a), 0);
			assert_int_equal(a.v, 4);
			assert_memory_equal(a.b, want, 4);
		} else if (netaddr_parse(s, &a) == 0) {
			assert_int_equal(a.v, 6);
		}
	}
	assert_true(good > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zeroed),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_as_libc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
