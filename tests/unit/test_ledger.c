/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: counts told add up to counts made; quotas; flows counted by the kernel */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sodium.h>
#include <string.h>

#include <cordon/tally.h>

#include "engine/dedupe.h"
#include "engine/ledger.h"
#include "engine/quota.h"

static const struct netaddr host = { .v = 4, .b = { 10, 20, 8, 11 } };
static struct {
	uint64_t rest, unsent, calls;
} got;

static void on_rest(void *arg, const struct tally_row *row, uint64_t packets)
{
	assert_int_equal(netaddr_cmp(&row->addr, &host), 0);
	got.rest += packets;
	got.calls++;
	ledger_told(arg, &row->addr, row->kind, packets, true);
}

static bool on_unsent(void *arg, const struct msg_sum *s)
{
	(void)arg;
	got.unsent += s->packets;
	return true;
}

static void sum(struct ledger *l, enum tally_what what, uint64_t packets)
{
	ledger_sum(l, &(struct msg_sum){ .packets = packets, .addr = host,
	    .kind = TALLY_DENIED, .what = (uint8_t)what });
}

static void tick(struct ledger *l, uint64_t period)
{
	ledger_tick(l, period * LEDGER_PERIOD_US, on_rest, l);
}

/* What nobody tells within two periods is told as a rest, once. */
static void test_rest(void **state)
{
	struct ledger *l = ledger_new();

	(void)state;
	memset(&got, 0, sizeof(got));
	sum(l, TALLY_HITS, 100);
	ledger_told(l, &host, TALLY_DENIED, 40, true);
	tick(l, 1);
	tick(l, 2);
	assert_int_equal(got.calls, 0); /* may be on its way */
	tick(l, 3);
	assert_int_equal(got.rest, 60);
	for (uint64_t i = 4; i < 9; i++)
		tick(l, i);
	assert_int_equal(got.calls, 1);
	ledger_free(l);
}

/* A successor knows what was told before it, and tells only what was not. */
static void test_successor(void **state)
{
	struct ledger *l = ledger_new();

	(void)state;
	memset(&got, 0, sizeof(got));
	ledger_told(l, &host, TALLY_DENIED, 5, false); /* before it heard of the 90 */
	sum(l, TALLY_TOLD, 90);
	sum(l, TALLY_HITS, 100);
	ledger_unsent(l, on_unsent, NULL);
	ledger_unsent(l, on_unsent, NULL);
	assert_int_equal(got.unsent, 5);
	for (uint64_t i = 1; i < 6; i++)
		tick(l, i);
	assert_int_equal(got.rest, 5);
	ledger_free(l);
}

/* Sums are told up to what the kernel counted and nobody told; no more. */
static void test_claim(void **state)
{
	struct ledger *l = ledger_new();

	(void)state;
	assert_int_equal(ledger_claim(l, &host, TALLY_DENIED, 7), 0);
	sum(l, TALLY_HITS, 10);
	assert_int_equal(ledger_claim(l, &host, TALLY_DENIED, 7), 7);
	ledger_told(l, &host, TALLY_DENIED, 7, true);
	assert_int_equal(ledger_claim(l, &host, TALLY_DENIED, 7), 3);
	assert_int_equal(ledger_claim(l, &host, TALLY_SPOOF, 7), 0);
	ledger_told(l, &host, TALLY_DENIED, 4, true); /* a packet that was seen */
	assert_int_equal(ledger_claim(l, &host, TALLY_DENIED, 7), 0);
	ledger_free(l);
}

/* Of many rows none is lost or mixed up while the table grows. */
static void test_rows(void **state)
{
	struct tallytab t = { 0 };
	struct netaddr a = host;

	(void)state;
	for (uint32_t i = 0; i < 5000; i++) {
		a.b[2] = (uint8_t)(i >> 8);
		a.b[3] = (uint8_t)i;
		tallytab_row(&t, &a, (uint8_t)(i % 3))->sum[0] = i;
	}
	assert_int_equal(t.n, 5000);
	for (uint32_t i = 0; i < 5000; i++) {
		a.b[2] = (uint8_t)(i >> 8);
		a.b[3] = (uint8_t)i;
		assert_int_equal(tallytab_find(&t, &a, (uint8_t)(i % 3))->sum[0], i);
		assert_null(tallytab_find(&t, &a, 3));
	}
	tallytab_free(&t);
}

static unsigned taken(struct quota *q, unsigned tries, uint32_t source_max,
    uint32_t host_max, bool many, uint64_t mono_us)
{
	unsigned n = 0;

	for (unsigned i = 0; i < tries; i++) {
		struct netaddr a = { .v = 4, .b = { 10, 1 } };

		if (many) {
			a.b[2] = (uint8_t)(i >> 8);
			a.b[3] = (uint8_t)i;
		}
		n += quota_take(q, &a, source_max, "db", host_max, mono_us);
	}
	return n;
}

static void test_quota(void **state)
{
	struct quota *q = quota_new();
	const uint64_t minute = 60000000;

	(void)state;
	assert_int_equal(taken(q, 1000, 60, 600, false, 0), 60);
	assert_int_equal(taken(q, 10000, 60, 600, true, 0), 540); /* of the host's 600 */
	assert_int_equal(taken(q, 1000, 60, 600, false, minute), 60);
	assert_int_equal(taken(q, 1000, 0, 0, false, 2 * minute), 1000);
	quota_free(q);
}

static uint64_t packets;
static void on_tell(void *arg, struct event *e)
{
	(void)arg;
	packets += e->count;
}

/* The kernel's count of a flow holds those that were logged, and starts anew with a new
 * element. */
static void test_flow(void **state)
{
	struct dedupe *d = dedupe_new(4);
	struct event e = { .kind = EVENT_DENIED, .action = ACTION_DROP, .count = 1,
		.src = host, .dst = host, .proto = 6, .dport = 445, .tally = 1 };

	(void)state;
	packets = 0;
	assert_false(dedupe_knows(d, &e));
	assert_false(dedupe_flow(d, &e, 9));
	assert_int_equal(dedupe_add(d, &e, 0), DEDUPE_TELL);
	assert_true(dedupe_knows(d, &e));
	assert_true(dedupe_flow(d, &e, 100)); /* 1 told, 99 not */
	assert_int_equal(dedupe_add(d, &e, 1), DEDUPE_COUNTED);
	assert_true(dedupe_flow(d, &e, 150)); /* 1 put in, 49 not */
	dedupe_settle(d, 5);
	assert_true(dedupe_flow(d, &e, 3)); /* another element: 3 */
	dedupe_settle(d, 6);
	dedupe_tick(d, DEDUPE_PERIOD_US, on_tell, NULL);
	assert_int_equal(packets, 99 + 1 + 49 + 3);
	dedupe_free(d);
}

static void test_names(void **state)
{
	enum tally_kind kind;
	enum tally_what what;
	uint8_t v;

	(void)state;
	assert_true(tally_of_set("exposure_seen_hits6", &kind, &what, &v));
	assert_int_equal(kind, TALLY_EXPOSURE_SEEN);
	assert_int_equal(what, TALLY_HITS);
	assert_int_equal(v, 6);
	assert_true(tally_of_set("denied_flowsproto4", &kind, &what, &v));
	assert_int_equal(what, TALLY_FLOWSPROTO);
	assert_true(tally_of_counter("would_deny_logged", &kind, &what));
	assert_int_equal(kind, TALLY_WOULD_DENY);
	assert_int_equal(what, TALLY_LOGGED);
	assert_true(tally_of_counter("spoof", &kind, &what));
	assert_int_equal(what, TALLY_HITS);
	assert_false(tally_of_set("legacy4", &kind, &what, &v));
	assert_false(tally_of_set("denied_hits", &kind, &what, &v));
	assert_false(tally_of_counter("short", &kind, &what));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rest),
		cmocka_unit_test(test_successor),
		cmocka_unit_test(test_claim),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_quota),
		cmocka_unit_test(test_flow),
		cmocka_unit_test(test_names),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
