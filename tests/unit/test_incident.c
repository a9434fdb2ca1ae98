/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: events grouped by source, host and kind; ids; the bound */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "engine/incident.h"

#define START_US 1750000000000000ll

static json_t *rows;

static void collect(void *arg, struct json_t *row)
{
	(void)arg;
	json_array_append_new(rows, row);
}

static const char *row_text(size_t i, const char *key)
{
	return json_string_value(json_object_get(json_array_get(rows, i), key));
}

static void list(const struct incidents *t, const char *host, uint32_t limit)
{
	json_decref(rows);
	rows = json_array();
	incidents_list(t, host, limit, collect, NULL);
}

static struct event note(struct incidents *t, enum event_kind kind, uint8_t source,
    const char *host, int64_t after_s)
{
	struct event e = { .kind = (uint8_t)kind,
		.count = 2,
		.proto = IPPROTO_TCP,
		.dport = 445,
		.time_us = START_US + after_s * 1000000,
		.src = { .v = 4, .b = { 10, 66, 0, source } } };

	EVENT_SET(e.host, host);
	incident_note(t, &e, &e.src);
	return e;
}

static void grouping(void **state)
{
	struct incidents *t = incidents_new(START_US, 0);
	struct event a, b, c, d;

	(void)state;
	a = note(t, EVENT_DENIED, 1, "erp", 0);
	b = note(t, EVENT_DENIED, 1, "erp", 60);
	c = note(t, EVENT_EXPOSURE, 1, "erp", 61);
	d = note(t, EVENT_DENIED, 1, "xray", 62);
	assert_true(a.incident[0]);
	assert_string_equal(a.incident, b.incident);
	assert_string_not_equal(a.incident, c.incident);
	assert_string_not_equal(a.incident, d.incident);
	list(t, NULL, 10);
	assert_int_equal(json_array_size(rows), 3);
	assert_string_equal(row_text(0, "host"), "xray"); /* newest first */
	assert_string_equal(row_text(2, "id"), a.incident);
	assert_int_equal(
	    json_integer_value(json_object_get(json_array_get(rows, 2), "packets")), 4);
	list(t, "erp", 10);
	assert_int_equal(json_array_size(rows), 2);
	list(t, NULL, 1);
	assert_int_equal(json_array_size(rows), 1);
	incidents_free(t);
}

static void gap_opens_a_new_one(void **state)
{
	struct incidents *t = incidents_new(START_US, 0);
	struct event a = note(t, EVENT_GUARD, 1, "erp", 0);
	struct event b = note(t, EVENT_GUARD, 1, "erp", 3599);
	struct event c = note(t, EVENT_GUARD, 1, "erp", 3599 + 3600);

	(void)state;
	assert_string_equal(a.incident, b.incident);
	assert_string_not_equal(a.incident, c.incident);
	incidents_free(t);
}

static void deeds_have_none(void **state)
{
	struct incidents *t = incidents_new(START_US, 0);

	(void)state;
	assert_string_equal(note(t, EVENT_POLICY, 1, "erp", 0).incident, "");
	assert_string_equal(note(t, EVENT_HEALTH, 1, "erp", 0).incident, "");
	assert_int_equal(incidents_count(t), 0);
	incidents_free(t);
}

static void block_state(void **state)
{
	struct incidents *t = incidents_new(START_US, 0);
	struct event a = note(t, EVENT_GUARD, 1, "erp", 0);

	(void)state;
	list(t, NULL, 10);
	assert_null(row_text(0, "block"));
	incident_blocked(t, a.incident, INCIDENT_BLOCKED);
	incident_blocked(t, "no-such", INCIDENT_REFUSED);
	incident_blocked(t, "", INCIDENT_REFUSED);
	list(t, NULL, 10);
	assert_string_equal(row_text(0, "block"), "blocked");
	incidents_free(t);
}

/* Full: the longest quiet goes; what stays is found, listed and linked rightly. */
static void bounded(void **state)
{
	struct incidents *t = incidents_new(START_US, 8);
	struct event kept = note(t, EVENT_DENIED, 200, "erp", 0), again;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		note(t, EVENT_DENIED, (uint8_t)(i % 100), "erp", i);
		again = note(t, EVENT_DENIED, 200, "erp", i);
		assert_string_equal(again.incident, kept.incident);
	}
	assert_int_equal(incidents_count(t), 8);
	list(t, NULL, 100);
	assert_int_equal(json_array_size(rows), 8);
	assert_string_equal(row_text(0, "id"), kept.incident);
	assert_string_equal(row_text(1, "source"), "10.66.0.99");
	assert_string_equal(row_text(7, "source"), "10.66.0.93");
	incidents_free(t);
}

static int setup(void **state)
{
	(void)state;
	return sodium_init() < 0;
}

static int teardown(void **state)
{
	(void)state;
	json_decref(rows);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grouping),
		cmocka_unit_test(gap_opens_a_new_one),
		cmocka_unit_test(deeds_have_none),
		cmocka_unit_test(block_state),
		cmocka_unit_test(bounded),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
