/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: scans and guessed passwords, by a clock of the test's */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "engine/bruteforce.h"
#include "engine/scan.h"
#include "smallfs.h"

#define SECOND UINT64_C(1000000)
static const struct scan_limits limits = { 20, 60 };

static struct event_behaviour told;
static bool denied;

static bool ask(struct scans *t, const char *source, unsigned host, uint16_t port,
    bool observed, uint64_t at_s)
{
	struct scan_ask a = { .source = ip(source),
		.host = ip("10.20.8.0"),
		.port = port,
		.proto = IPPROTO_TCP,
		.observed = observed,
		.count = 2 };

	a.host.b[3] = (uint8_t)host;
	return scan_note(t, &a, &limits, at_s * SECOND, &told, &denied);
}

/* The n-th target at which a scan is told, 0: none; one every `every` seconds. */
static unsigned told_at(const char *source, unsigned n, unsigned hosts, unsigned ports,
    bool observed, unsigned every)
{
	struct scans *t = scans_new();
	unsigned at = 0;

	for (unsigned i = 0; i < n && !at; i++)
		if (ask(t, source, i % hosts, (uint16_t)(1000 + i / hosts % ports), observed,
			100 + i * every))
			at = i + 1;
	scans_free(t);
	return at;
}

static void shapes(void **state)
{
	(void)state;
	assert_int_equal(told_at("10.1.0.9", 100, 1, 100, false, 0), 20);
	assert_int_equal(told.shape, SHAPE_VERTICAL);
	assert_int_equal(told.hosts, 1);
	assert_int_equal(told.ports, 20);
	assert_int_equal(told.packets, 40);
	assert_true(denied);
	assert_int_equal(told_at("10.1.0.9", 100, 100, 1, false, 0), 20);
	assert_int_equal(told.shape, SHAPE_HORIZONTAL);
	assert_int_equal(told_at("fd00::9", 100, 5, 20, false, 0), 20);
	assert_int_equal(told.shape, SHAPE_MIXED);
	/* observed: a member of a domain asks few hosts for many services */
	assert_int_equal(told_at("10.1.0.9", 60, 4, 15, true, 0), 0);
	assert_int_equal(told_at("10.1.0.9", 60, 1, 60, true, 0), 20);
	assert_false(denied);
	/* the same again and again */
	assert_int_equal(told_at("10.1.0.9", 5000, 4, 4, false, 0), 0);
}

static void windows(void **state)
{
	(void)state;
	assert_int_equal(told_at("10.1.0.9", 100, 1, 100, false, 3), 20); /* 58 s */
	/* one in 4 s never makes 20 within 60 s; 80 within a day do */
	assert_int_equal(told_at("10.1.0.9", 100, 1, 100, false, 4), 80);
	assert_int_equal(told.shape, SHAPE_SLOW);
	assert_int_equal(told.window_s, SCAN_SLOW_S);
	assert_int_equal(told_at("10.1.0.9", 100, 1, 100, false, 1200), 0);
}

static void told_once(void **state)
{
	struct scans *t = scans_new();
	unsigned n = 0;

	(void)state;
	for (unsigned s = 0; s < 180; s++)
		n += ask(t, "10.1.0.9", 1, (uint16_t)(2000 + s), false, 1000 + s);
	assert_in_range(n, 2, 4); /* once a minute */
	scans_free(t);
}

/* A flood of sources that ask once does not push out the one that scans. */
static void flood(void **state)
{
	struct scans *t = scans_new();
	struct scan_stats st;
	unsigned told_of = 0;
	char source[32];

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		snprintf(source, sizeof(source), "172.%u.%u.%u", 16 + (i >> 16), i >> 8 & 255,
		    i & 255);
		ask(t, source, 1, 80, false, 1000 + i / 10000);
		if (i % 5000 == 0)
			told_of += ask(t, "10.1.0.9", 1, (uint16_t)(2000 + i / 5000), false,
			    1000 + i / 10000);
	}
	assert_int_equal(told_of, 1);
	scans_stats(t, &st);
	assert_int_equal(st.sources, SCAN_SOURCES);
	assert_in_range(st.evicted, 190000, 200001);
	scans_free(t);
}

/* ---- bruteforce ---- */

static const struct force_limits force = { 10, 40, 300 };

static struct msg_sighting session(const char *src, const char *dst, uint16_t sport)
{
	struct msg_sighting s = { .kind = SIGHT_SPOKEN,
		.src = ip(src),
		.dst = ip(dst),
		.sport = sport,
		.dport = 445,
		.proto = IPPROTO_TCP,
		.handshake = true,
		.count = 1 };

	s.facts.app = APP_SMB;
	return s;
}

static void failures(void **state)
{
	struct forces *t = forces_new();
	struct event_behaviour b;
	struct msg_sighting s = session("10.1.0.9", "10.20.8.11", 4000);

	(void)state;
	for (unsigned i = 1; i <= 9; i++) { /* of one connection: the count grows */
		s.facts.smb.logon_failures = i;
		assert_false(force_note(t, &s, &force, SECOND * (1000 + i), &b));
		assert_false(force_note(t, &s, &force, SECOND * (1000 + i), &b));
	}
	s = session("10.1.0.9", "10.20.8.12", 4001); /* and of another, to another server */
	s.facts.smb.logon_failures = 1;
	s.handshake = false; /* forged ones are counted apart */
	assert_false(force_note(t, &s, &force, SECOND * 1010, &b));
	s.sport++;
	s.handshake = true;
	assert_true(force_note(t, &s, &force, SECOND * 1010, &b));
	assert_int_equal(b.failures, 10);
	assert_int_equal(b.targets, 2);
	assert_int_equal(b.shape, SHAPE_SMB);
	s.facts.smb.logon_failures = 9;
	assert_false(force_note(t, &s, &force, SECOND * 1020, &b)); /* told already */
	forces_free(t);
}

static void failures_slide(void **state)
{
	struct forces *t = forces_new();
	struct event_behaviour b;

	(void)state;
	for (unsigned i = 0; i < 100; i++) { /* one in 40 s: 8 in the window */
		struct msg_sighting s =
		    session("10.1.0.9", "10.20.8.11", (uint16_t)(4000 + i));

		s.facts.smb.logon_failures = 1;
		assert_false(force_note(t, &s, &force, SECOND * (1000 + 40 * i), &b));
	}
	forces_free(t);
}

static unsigned attempts(unsigned n, unsigned servers, bool anonymous, uint8_t app)
{
	struct forces *t = forces_new();
	struct event_behaviour b;
	unsigned at = 0;

	for (unsigned i = 0; i < n && !at; i++) {
		struct msg_sighting s =
		    session("fd00::9", "fd00:20:8::11", (uint16_t)(4000 + i));

		s.dst.b[15] = (uint8_t)(i % servers);
		s.facts.app = app;
		if (app == APP_RDP) {
			s.facts.rdp.flags = RDP_HAS_REQUEST;
		} else {
			s.facts.smb.ntlm.has_auth = 1;
			s.facts.smb.ntlm.response = anonymous ? NTLM_RESPONSE_ANONYMOUS
							      : NTLM_RESPONSE_V2;
		}
		if (force_note(t, &s, &force, SECOND * (1000 + i), &b))
			at = i + 1;
		assert_false(force_note(t, &s, &force, SECOND * (1000 + i), &b));
	}
	forces_free(t);
	return at;
}

static void attempts_of_one_server(void **state)
{
	(void)state;
	assert_int_equal(attempts(200, 1, false, APP_RDP), 40);
	assert_int_equal(attempts(200, 1, false, APP_SMB), 40);
	assert_int_equal(attempts(200, 1, true, APP_SMB), 0);
	assert_int_equal(attempts(200, 10, false, APP_RDP), 0); /* an administrator's day */
}

static void forces_are_bounded(void **state)
{
	struct forces *t = forces_new();
	struct event_behaviour b;
	struct msg_sighting s = session("10.1.0.9", "10.20.8.11", 1);

	(void)state;
	s.facts.smb.logon_failures = 1;
	for (unsigned i = 0; i < 100000; i++) {
		s.src.b[1] = (uint8_t)(i >> 16);
		s.src.b[2] = (uint8_t)(i >> 8);
		s.src.b[3] = (uint8_t)i;
		assert_false(force_note(t, &s, &force, SECOND * 1000 + i, &b));
	}
	assert_true(forces_evicted(t) > 100000);
	forces_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shapes),
		cmocka_unit_test(windows),
		cmocka_unit_test(told_once),
		cmocka_unit_test(flood),
		cmocka_unit_test(failures),
		cmocka_unit_test(failures_slide),
		cmocka_unit_test(attempts_of_one_server),
		cmocka_unit_test(forces_are_bounded),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
