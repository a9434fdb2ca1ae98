/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: one opening seen twice is one event; what passed is told as passed */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>

#include "engine/opening.h"

static struct {
	unsigned lines;
	uint64_t count;
	bool facts;
	struct event last;
} told;

static void tell(void *arg, struct event *e, const struct flow_facts *facts)
{
	(void)arg;
	told.lines++;
	told.count += e->count;
	told.facts = facts != NULL;
	told.last = *e;
}

static struct event event_of(uint16_t sport, enum event_action action)
{
	struct event e = { .kind = EVENT_EXPOSURE,
		.action = (uint8_t)action,
		.count = 1,
		.proto = IPPROTO_TCP,
		.sport = sport,
		.dport = 1433,
		.time_us = 1000000,
		.src = { .v = 4, .b = { 10, 30, 0, 7 } },
		.dst = { .v = 4, .b = { 10, 20, 8, 11 } } };

	EVENT_SET(e.incident, "a-1");
	return e;
}

static void spoken(struct openings *o, uint16_t sport, uint64_t now)
{
	struct msg_sighting s = { .kind = SIGHT_SPOKEN };
	struct event e = event_of(sport, ACTION_ALERT);

	s.facts.app = APP_SMB;
	s.facts.confidence = e.confidence = CONFIDENCE_DIALOG;
	openings_add(o, &s, &e, now);
}

static void dropped(struct openings *o, uint16_t sport, uint64_t now)
{
	struct msg_sighting s = { .kind = SIGHT_EXPOSURE };
	struct event e = event_of(sport, ACTION_DROP);

	e.confidence = CONFIDENCE_HANDSHAKE;
	openings_add(o, &s, &e, now);
}

static struct openings *fresh(void)
{
	memset(&told, 0, sizeof(told));
	return openings_new(tell, NULL);
}

static void either_order(void **state)
{
	(void)state;
	for (int kernel_first = 0; kernel_first < 2; kernel_first++) {
		struct openings *o = fresh();

		(kernel_first ? dropped : spoken)(o, 4000, 10);
		assert_int_equal(told.lines, 0);
		(kernel_first ? spoken : dropped)(o, 4000, 20);
		assert_int_equal(told.lines, 1);
		assert_int_equal(told.last.action, ACTION_DROP);
		assert_int_equal(told.last.confidence, CONFIDENCE_DIALOG);
		assert_true(told.facts);
		assert_int_equal(openings_due(o, 10 * OPENING_WAIT_US), 0);
		spoken(o, 4000, 30); /* it read more: no other opening */
		openings_flush(o);
		assert_int_equal(told.lines, 1);
		assert_int_equal(told.count, 1);
		openings_free(o);
	}
}

static void alone(void **state)
{
	struct openings *o = fresh();

	(void)state;
	spoken(o, 4000, 10);
	dropped(o, 4001, 20);
	assert_int_equal(openings_due(o, 10), 10 + OPENING_WAIT_US);
	assert_int_equal(openings_due(o, 10 + OPENING_WAIT_US), 20 + OPENING_WAIT_US);
	assert_int_equal(told.lines, 1);
	assert_int_equal(told.last.action, ACTION_ALERT);
	assert_int_equal(openings_due(o, 20 + OPENING_WAIT_US), 0);
	assert_int_equal(told.last.action, ACTION_DROP);
	assert_false(told.facts);
	/* the kernel's word came too late: it is told all the same */
	dropped(o, 4000, 30 + OPENING_WAIT_US);
	assert_int_equal(told.lines, 3);
	assert_int_equal(told.last.action, ACTION_DROP);
	openings_free(o);
}

/* A client's port is used again: another opening, also while the first is known. */
static void port_again(void **state)
{
	struct openings *o = fresh();

	(void)state;
	spoken(o, 4000, 10);
	openings_due(o, 10 + OPENING_WAIT_US);
	spoken(o, 4000, 10 + OPENING_WAIT_US + OPENING_KNOWN_US);
	openings_flush(o);
	assert_int_equal(told.lines, 2);
	dropped(o, 4002, 0);
	spoken(o, 4002, 0);
	dropped(o, 4002, 5); /* a second connection, or a second packet of it */
	assert_int_equal(told.count, 4);
	openings_free(o);
}

/* Another reason to drop, in the same packet and in a later one, either way round. */
static void other_drops(void **state)
{
	struct openings *o = fresh();
	struct event e = event_of(4000, ACTION_DROP), turned = e;

	(void)state;
	e.kind = EVENT_GUARD;
	turned.kind = EVENT_DENIED;
	turned.reversed = true;
	turned.src = e.dst;
	turned.dst = e.src;
	turned.sport = e.dport;
	turned.dport = 4001;
	spoken(o, 4000, 0);
	openings_dropped(o, &e);
	spoken(o, 4001, 0);
	openings_dropped(o, &turned);
	spoken(o, 4002, 0);
	e.sport = 4002;
	e.time_us += 20000;
	openings_dropped(o, &e);
	spoken(o, 4003, 0);
	openings_dropped(o, &turned);
	openings_due(o, OPENING_WAIT_US);
	assert_int_equal(told.lines, 4);
	assert_int_equal(told.last.action, ACTION_ALERT);
	openings_free(o);
	o = fresh();
	spoken(o, 4001, 0);
	openings_dropped(o, &turned);
	openings_flush(o);
	assert_int_equal(told.last.action, ACTION_DROP);
	openings_free(o);
}

static void order_of_cause(void **state)
{
	struct openings *o = fresh();
	struct event block = { .kind = EVENT_BLOCKED, .count = 1 };

	(void)state;
	EVENT_SET(block.incident, "a-1");
	assert_false(openings_behind(o, &block));
	spoken(o, 4000, 0);
	assert_true(openings_behind(o, &block));
	assert_int_equal(told.lines, 0);
	openings_flush(o);
	assert_int_equal(told.lines, 2);
	assert_int_equal(told.last.kind, EVENT_BLOCKED);
	assert_false(openings_behind(o, &block));
	openings_free(o);
}

/* However many come, each is told, and none twice. */
static void flood(void **state)
{
	struct openings *o = fresh();

	(void)state;
	for (uint16_t i = 0; i < 5 * OPENINGS_MAX; i++)
		spoken(o, (uint16_t)(1024 + i), i);
	assert_int_equal(told.lines, 4 * OPENINGS_MAX);
	openings_flush(o);
	assert_int_equal(told.count, 5 * OPENINGS_MAX);
	openings_free(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(either_order),
		cmocka_unit_test(alone),
		cmocka_unit_test(port_again),
		cmocka_unit_test(other_drops),
		cmocka_unit_test(order_of_cause),
		cmocka_unit_test(flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
