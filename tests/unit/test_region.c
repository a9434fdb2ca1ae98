/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the algebra of boxes against sets of single points */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "rules/region.h"

enum { SIDE = 16, KEYS = 8 };
struct points {
	uint8_t at[SIDE][SIDE][KEYS];
};

static uint64_t seed;
static unsigned rnd(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 11) % n;
}

/* The world sits at one end of the family, so that the last address is an edge, too. */
static region_addr base;

static void random_region(struct region *r, unsigned max)
{
	for (unsigned n = rnd(max + 1); n > 0; n--) {
		unsigned s = rnd(SIDE), d = rnd(SIDE), k = rnd(KEYS);
		struct region_box b = { { base + s, base + s + rnd(SIDE - s) },
			{ base + d, base + d + rnd(SIDE - d) }, k, k + rnd(KEYS - k) };

		region_add(r, &b);
	}
}

/* Count of boxes over each point. */
static void paint(const struct region *r, struct points *p)
{
	memset(p, 0, sizeof(*p));
	for (size_t i = 0; i < r->n; i++) {
		const struct region_box *b = &r->v[i];

		for (unsigned s = 0; s < SIDE; s++)
			for (unsigned d = 0; d < SIDE; d++)
				for (unsigned k = 0; k < KEYS; k++)
					p->at[s][d][k] += base + s >= b->src.lo &&
					    base + s <= b->src.hi && base + d >= b->dst.lo &&
					    base + d <= b->dst.hi && k >= b->key_lo &&
					    k <= b->key_hi;
	}
}

/* By members: between them is padding. */
static bool same_box(const struct region_box *a, const struct region_box *b)
{
	return a->src.lo == b->src.lo && a->src.hi == b->src.hi && a->dst.lo == b->dst.lo &&
	    a->dst.hi == b->dst.hi && a->key_lo == b->key_lo && a->key_hi == b->key_hi;
}

static void check_round(unsigned bits)
{
	static struct points a, b, minus, plain, both;
	struct region x = { 0 }, y = { 0 }, left = { 0 }, canon = { 0 }, again = { 0 },
		      meet = { 0 };

	random_region(&x, 6);
	random_region(&y, 6);
	region_canonical(&x, bits, &canon);
	region_canonical(&canon, bits, &again);
	region_subtract(canon.v, canon.n, y.v, y.n, &left);
	region_meet(&x, &y, &meet);
	paint(&x, &a);
	paint(&y, &b);
	paint(&left, &minus);
	paint(&canon, &plain);
	paint(&meet, &both);
	for (unsigned s = 0; s < SIDE; s++) {
		for (unsigned d = 0; d < SIDE; d++) {
			for (unsigned k = 0; k < KEYS; k++) {
				assert_int_equal(plain.at[s][d][k], a.at[s][d][k] > 0);
				assert_int_equal(minus.at[s][d][k],
				    a.at[s][d][k] > 0 && b.at[s][d][k] == 0);
				assert_int_equal(both.at[s][d][k] > 0,
				    a.at[s][d][k] > 0 && b.at[s][d][k] > 0);
			}
		}
	}
	assert_int_equal(canon.n, again.n);
	for (size_t i = 0; i < canon.n; i++)
		assert_true(same_box(&canon.v[i], &again.v[i]));
	region_free(&x);
	region_free(&y);
	region_free(&left);
	region_free(&canon);
	region_free(&again);
	region_free(&meet);
}

static void agrees_with_points(void **state)
{
	enum { ROUNDS = 600 };
	uint64_t start = (uint64_t)time(NULL);

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		seed = (start + i) * 0x9e3779b97f4a7c15u | 1;
		base = i % 3 == 0 ? 0 : i % 3 == 1 ? UINT32_MAX - SIDE + 1 :
		    ~(region_addr)0 - SIDE + 1;
		check_round(i % 3 == 2 ? 128 : 32);
	}
	print_message("seed %llu: %u rounds of %d points\n", (unsigned long long)start,
	    ROUNDS, SIDE * SIDE * KEYS);
}

static void counts_prefixes(void **state)
{
	static const char *const rows[] = { "0.0.0.0/0", "10.0.0.1-10.0.0.14",
		"255.255.255.255", "0.0.0.1-255.255.255.254", "::/0",
		"::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fd00::-fd00::2" };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct netrange r, left, p;
		struct region_axis a;
		unsigned n = 1;

		assert_int_equal(netrange_parse(rows[i], &r, NULL), 0);
		a = region_axis_of(&r);
		left = region_axis_range(&a, r.lo.v);
		assert_memory_equal(&left, &r, sizeof(r));
		while (netrange_pop_prefix(&left, &p))
			n++;
		assert_int_equal(region_prefixes(&a, r.lo.v == 4 ? 32 : 128), n);
	}
}

/* Two services of one source list, and the same list on two neighbours: one box each. */
static void stays_readable(void **state)
{
	struct region r = { 0 }, plain = { 0 };

	(void)state;
	region_add(&r, &(struct region_box){ { 0, 255 }, { 10, 10 }, 445, 445 });
	region_add(&r, &(struct region_box){ { 0, 255 }, { 11, 11 }, 445, 445 });
	region_add(&r, &(struct region_box){ { 5, 5 }, { 11, 11 }, 3389, 3389 });
	region_add(&r, &(struct region_box){ { 0, 100 }, { 10, 11 }, 446, 446 });
	region_add(&r, &(struct region_box){ { 101, 255 }, { 10, 11 }, 446, 446 });
	region_canonical(&r, 32, &plain);
	assert_int_equal(plain.n, 2);
	assert_int_equal(plain.v[0].key_lo, 445);
	assert_int_equal(plain.v[0].key_hi, 446);
	assert_true(plain.v[0].dst.lo == 10 && plain.v[0].dst.hi == 11);
	region_free(&r);
	region_free(&plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_points),
		cmocka_unit_test(counts_prefixes),
		cmocka_unit_test(stays_readable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
