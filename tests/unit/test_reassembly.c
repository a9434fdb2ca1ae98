/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: stream buffers: any segmentation in any order gives the same bytes */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "wire/reassembly.h"

static struct stream_pool *pool;

static int setup(void **state)
{
	(void)state;
	pool = stream_pool_new(2);
	return pool ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	stream_pool_free(pool);
	return 0;
}

static uint32_t take(uint32_t owner, uint32_t base)
{
	uint32_t evicted, id = stream_take(pool, owner, base, &evicted);

	assert_int_equal(evicted, STREAM_NONE);
	return id;
}

static void assert_ready(uint32_t id, const char *text)
{
	uint32_t len;
	const uint8_t *bytes = stream_ready(pool, id, &len);

	assert_int_equal(len, strlen(text));
	assert_memory_equal(bytes, text, len);
}

static bool add(uint32_t id, uint32_t seq, const char *text)
{
	return stream_add(pool, id, seq, (const uint8_t *)text, (uint32_t)strlen(text));
}

static void out_of_order(void **state)
{
	uint32_t id = take(1, 0xfffffffeu); /* the number wraps in the middle */

	(void)state;
	assert_true(add(id, 2, "ef"));
	assert_ready(id, "");
	assert_int_equal(stream_hole(pool, id), 4);
	assert_true(add(id, 0xfffffffeu, "ab"));
	assert_ready(id, "ab");
	assert_true(add(id, 0, "cd"));
	assert_ready(id, "abcdef");
	assert_int_equal(stream_hole(pool, id), 0);
}

static void first_bytes_win(void **state)
{
	uint32_t id = take(1, 100);
	uint64_t before = stream_pool_stats(pool)->conflicts;

	(void)state;
	add(id, 102, "CD");
	add(id, 100, "abcdef");
	assert_ready(id, "abCDef");
	assert_int_equal(stream_pool_stats(pool)->conflicts, before + 1);
	add(id, 100, "abCDef"); /* a true repetition is no conflict */
	assert_int_equal(stream_pool_stats(pool)->conflicts, before + 1);
	add(id, 98, "xxab");
	assert_ready(id, "abCDef");
}

static void consume_past_what_is_there(void **state)
{
	uint32_t id = take(1, 0);

	(void)state;
	add(id, 0, "abcd");
	add(id, 20, "tuv");
	stream_consume(pool, id, 10);
	assert_ready(id, "");
	stream_consume(pool, id, 10);
	assert_ready(id, "tuv");
	stream_consume(pool, id, 100);
	assert_ready(id, "");
	assert_true(add(id, 120, "new"));
	assert_ready(id, "new");
}

static void window_is_the_limit(void **state)
{
	uint32_t id = take(1, 0);
	static uint8_t big[STREAM_WINDOW + 1];
	uint32_t len;

	(void)state;
	assert_false(stream_add(pool, id, 0, big, sizeof(big)));
	stream_ready(pool, id, &len);
	assert_int_equal(len, STREAM_WINDOW);
	assert_false(stream_add(pool, id, STREAM_WINDOW, big, 1));
	stream_consume(pool, id, STREAM_WINDOW - 3);
	assert_true(stream_add(pool, id, STREAM_WINDOW, big, 1));
	stream_ready(pool, id, &len);
	assert_int_equal(len, 4);
}

static void oldest_is_evicted(void **state)
{
	uint32_t evicted, a = take(10, 0), b = take(20, 0);

	(void)state;
	assert_int_not_equal(a, b);
	assert_int_equal(stream_take(pool, 30, 0, &evicted), a);
	assert_int_equal(evicted, 10);
	stream_release(pool, b);
	assert_int_equal(stream_take(pool, 40, 0, &evicted), b);
	assert_int_equal(evicted, STREAM_NONE);
}

enum { TEXT_LEN = 6000, PIECES_MAX = TEXT_LEN };

/* Cut at random into pieces of 1..max bytes, shuffled, some sent twice, read and
 * consumed at random: what comes out is what went in. */
static void random_pieces(unsigned max)
{
	static uint8_t text[TEXT_LEN], got[TEXT_LEN];
	static struct { uint32_t at, len; } piece[PIECES_MAX], swap;
	uint32_t base = (uint32_t)rand() * 2u, id = take(1, base), n = 0, done = 0, len, eat;

	for (uint32_t at = 0; at < TEXT_LEN; at += piece[n++].len) {
		piece[n].at = at;
		piece[n].len = 1 + (uint32_t)rand() % max;
		if (piece[n].len > TEXT_LEN - at)
			piece[n].len = TEXT_LEN - at;
	}
	for (uint32_t i = n; i-- > 1;) {
		uint32_t j = (uint32_t)rand() % (i + 1);

		swap = piece[i], piece[i] = piece[j], piece[j] = swap;
	}
	for (uint32_t i = 0; i < TEXT_LEN; i++)
		text[i] = (uint8_t)rand();
	for (uint32_t i = 0; i < n; i++) {
		for (int times = rand() % 4 ? 1 : 2; times > 0; times--)
			assert_true(stream_add(pool, id, base + piece[i].at,
			    text + piece[i].at, piece[i].len));
		const uint8_t *bytes = stream_ready(pool, id, &len);

		if (len == 0)
			continue;
		eat = 1 + (uint32_t)rand() % len;
		memcpy(got + done, bytes, eat);
		stream_consume(pool, id, eat);
		done += eat;
	}
	memcpy(got + done, stream_ready(pool, id, &len), TEXT_LEN - done);
	assert_int_equal(done + len, TEXT_LEN);
	assert_memory_equal(got, text, TEXT_LEN);
	assert_int_equal(stream_pool_stats(pool)->conflicts, 0);
}

static void any_segmentation(void **state)
{
	const char *given = getenv("SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);

	(void)state;
	print_message("any_segmentation: SEED=%u\n", seed);
	srand(seed);
	random_pieces(1);
	teardown(NULL), setup(NULL);
	random_pieces(7);
	teardown(NULL), setup(NULL);
	random_pieces(1500);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(out_of_order),
		TEST(first_bytes_win),
		TEST(consume_past_what_is_there),
		TEST(window_is_the_limit),
		TEST(oldest_is_evicted),
		TEST(any_segmentation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
