/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: one flow one event, then counts whose sum is exact, also in a flood */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "engine/dedupe.h"

static struct {
	uint64_t lines, packets;
	struct event last;
} told;

static void tell(void *arg, struct event *e)
{
	(void)arg;
	told.lines++;
	told.packets += e->count;
	told.last = *e;
}

static struct event event_of(uint32_t src, uint16_t dport)
{
	struct event e = { .kind = EVENT_DENIED,
		.action = ACTION_DROP,
		.count = 1,
		.proto = IPPROTO_TCP,
		.dport = dport,
		.time_us = 1000000,
		.src = { .v = 4 },
		.dst = { .v = 4, .b = { 10, 20, 8, 11 } } };

	e.src.b[0] = (uint8_t)(src >> 24);
	e.src.b[1] = (uint8_t)(src >> 16);
	e.src.b[2] = (uint8_t)(src >> 8);
	e.src.b[3] = (uint8_t)src;
	EVENT_SET(e.host, "erp");
	return e;
}

static int setup(void **state)
{
	(void)state;
	memset(&told, 0, sizeof(told));
	return sodium_init() < 0;
}

/* 1,000 packets a second of one flow for 35 s: the first, then one line a period. */
static void storm_of_one(void **state)
{
	struct dedupe *d = dedupe_new(16);
	struct event e = event_of(1, 445);
	uint64_t in = 0, now = 5;

	(void)state;
	for (int i = 0; i < 35000; i++, now += 1000) {
		e.time_us = (int64_t)now;
		e.sport = (uint16_t)i; /* another port is no other flow */
		in += e.count;
		if (dedupe_add(d, &e, now) == DEDUPE_TELL)
			tell(NULL, &(struct event){ .count = e.count });
		if (i % 1000 == 0)
			dedupe_tick(d, now, tell, NULL);
	}
	assert_int_equal(told.lines, 4); /* at 0, 10, 20 and 30 s */
	assert_true(told.last.since_us > 0 && told.last.since_us < told.last.time_us);
	dedupe_flush(d, tell, NULL);
	assert_int_equal(told.packets, in);
	dedupe_free(d);
}

/* It ends: nothing more is told, and the place is free; later it is a new event. */
static void goes_quiet(void **state)
{
	struct dedupe *d = dedupe_new(16);
	struct event e = event_of(1, 445);
	struct dedupe_stats st;

	(void)state;
	assert_int_equal(dedupe_add(d, &e, 0), DEDUPE_TELL);
	e.count = 3;
	assert_int_equal(dedupe_add(d, &e, 1), DEDUPE_COUNTED);
	dedupe_tick(d, DEDUPE_PERIOD_US - 1, tell, NULL);
	assert_int_equal(told.lines, 0);
	dedupe_tick(d, DEDUPE_PERIOD_US, tell, NULL);
	assert_int_equal(told.lines, 1);
	assert_int_equal(told.last.count, 3);
	assert_string_equal(told.last.host, "erp");
	dedupe_tick(d, 2 * DEDUPE_PERIOD_US, tell, NULL);
	assert_int_equal(told.lines, 1);
	dedupe_stats(d, &st);
	assert_int_equal(st.entries, 0);
	assert_int_equal(dedupe_add(d, &e, 2 * DEDUPE_PERIOD_US + 1), DEDUPE_TELL);
	dedupe_free(d);
}

static void different_flows(void **state)
{
	struct dedupe *d = dedupe_new(16);
	struct event e = event_of(1, 445);

	(void)state;
	assert_int_equal(dedupe_add(d, &e, 0), DEDUPE_TELL);
	e.dport = 3389;
	assert_int_equal(dedupe_add(d, &e, 0), DEDUPE_TELL);
	e.kind = EVENT_EXPOSURE;
	assert_int_equal(dedupe_add(d, &e, 0), DEDUPE_TELL);
	EVENT_SET(e.guard, "eternal");
	assert_int_equal(dedupe_add(d, &e, 0), DEDUPE_TELL);
	e.src.b[3] = 9;
	assert_int_equal(dedupe_add(d, &e, 0), DEDUPE_TELL);
	dedupe_flush(d, tell, NULL);
	assert_int_equal(told.lines, 0);
	dedupe_free(d);
}

/* An opening that passed is not counted with one that was dropped, nor told as it. */
static void passed_is_not_dropped(void **state)
{
	struct dedupe *d = dedupe_new(16);
	struct event drop = event_of(1, 1433), alert;

	(void)state;
	drop.kind = EVENT_EXPOSURE;
	alert = drop;
	alert.action = ACTION_ALERT;
	assert_int_equal(dedupe_add(d, &drop, 0), DEDUPE_TELL);
	assert_int_equal(dedupe_add(d, &alert, 1), DEDUPE_TELL);
	assert_int_equal(dedupe_add(d, &alert, 2), DEDUPE_COUNTED);
	dedupe_flush(d, tell, NULL);
	assert_int_equal(told.packets, 1);
	assert_int_equal(told.last.action, ACTION_ALERT);
	dedupe_free(d);
}

/* A million flows in 10 s: bounded lines, bounded memory, the sum exact. */
static void flood(void **state)
{
	struct dedupe *d = dedupe_new(0);
	struct dedupe_stats st;
	uint64_t in = 0, now = 0;

	(void)state;
	for (uint32_t i = 0; i < 1000000; i++, now += 10) {
		struct event e = event_of(i, 445);

		e.count = 1 + i % 3;
		if (i % 5 == 0)
			snprintf(e.host, sizeof(e.host), "host-%u", i % 5000);
		in += e.count;
		if (dedupe_add(d, &e, now) == DEDUPE_TELL) {
			told.lines++;
			told.packets += e.count;
		}
		if (i % 100000 == 0)
			dedupe_tick(d, now, tell, NULL);
	}
	assert_true(told.lines <= 2 * (DEDUPE_ENTRIES + DEDUPE_BUCKETS));
	dedupe_stats(d, &st);
	assert_true(st.overflow > 0);
	dedupe_flush(d, tell, NULL);
	assert_int_equal(told.packets, in);
	assert_int_equal(told.last.reason, REASON_OVERFLOW);
	assert_int_equal(told.last.src.v, 0);
	dedupe_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(storm_of_one, setup),
		cmocka_unit_test_setup(goes_quiet, setup),
		cmocka_unit_test_setup(different_flows, setup),
		cmocka_unit_test_setup(passed_is_not_dropped, setup),
		cmocka_unit_test_setup(flood, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
