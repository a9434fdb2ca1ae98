/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: dates, durations, schedules and inline services as text */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>
#include <cmocka.h>

#include <cordon/flowspace.h>
#include <cordon/rules.h>

#include "rules/inline.h"
#include "rules/when.h"

static void test_time(void **state)
{
	static const struct {
		const char *text;
		int64_t at;
	} good[] = {
		{ "1970-01-01", 0 },
		{ "2000-02-29", 951782400 },
		{ "2027-03-31", 1806451200 },
		{ "2027-03-31T18:00:00Z", 1806516000 },
		{ "2027-03-31T18:00:00+02:00", 1806508800 },
		{ "2027-03-31t18:00:00.25-00:30", 1806517800 },
		{ "2100-03-01", 4107542400 },
	};
	static const char *const bad[] = {"", "2027", "2027-3-31", "2027-02-29",
	    "2100-02-29", "2027-13-01", "2027-00-01", "2027-01-00", "2027-01-32",
	    "2027-03-31T18:00Z", "2027-03-31T24:00:00Z", "2027-03-31T18:00:00",
	    "2027-03-31T18:00:00.Z", "2027-03-31 ", "1969-12-31",
	    "2027-03-31T18:00:00Zx", "2027-03-31T18:00:0012Z"};
	int64_t t = -7;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(rules_parse_time(good[i].text, &t), 0);
		assert_int_equal(t, good[i].at);
	}
	t = -7;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(rules_parse_time(bad[i], &t), -1);
		assert_int_equal(t, -7);
	}
}

static void test_duration(void **state)
{
	int64_t s = -7;

	(void)state;
	assert_int_equal(when_parse_duration("90s", &s), 0);
	assert_int_equal(s, 90);
	assert_int_equal(when_parse_duration("1d2h3m4s", &s), 0);
	assert_int_equal(s, 93784);
	assert_int_equal(when_parse_duration("", &s), -1);
	assert_int_equal(when_parse_duration("60", &s), -1);
	assert_int_equal(when_parse_duration("m", &s), -1);
	assert_int_equal(when_parse_duration("1m1h", &s), -1);
	assert_int_equal(when_parse_duration("1m1m", &s), -1);
	assert_int_equal(when_parse_duration("9999999999s", &s), -1);
	assert_int_equal(s, 93784);
}

static void test_schedule(void **state)
{
	struct fs_window w[SCHEDULE_WINDOWS_MAX];
	const char *why;

	(void)state;
	assert_int_equal(schedule_parse("Mon-Fri 07:00-19:00", w, &why), 1);
	assert_int_equal(w[0].weekdays, 0x1f);
	assert_int_equal(w[0].from, 420);
	assert_int_equal(w[0].to, 1140);
	assert_int_equal(
	    schedule_parse("mon,WED 06:00-08:00, 22:00-24:00", w, &why), 2);
	assert_int_equal(w[1].weekdays, 0x05);
	assert_int_equal(w[1].to, 1440);
	assert_int_equal(schedule_parse("Fri-Mon", w, &why), 1);
	assert_int_equal(w[0].weekdays, 0x71);
	assert_int_equal(w[0].from, 0);
	assert_int_equal(w[0].to, 1440);
	assert_int_equal(schedule_parse("Sat 22:00-06:00, Sun", w, &why), 2);
	assert_int_equal(w[0].to, 1440 + 360);
	assert_int_equal(w[1].weekdays, 0x40);
	assert_int_equal(schedule_parse("12:00-13:00", w, &why), 1);
	assert_int_equal(w[0].weekdays, 0x7f);
	assert_int_equal(schedule_parse("", w, &why), -1);
	assert_int_equal(schedule_parse("Mon 24:00-01:00", w, &why), -1);
	assert_int_equal(schedule_parse("Mon 12:60-13:00", w, &why), -1);
	assert_int_equal(schedule_parse("Mon 12:00", w, &why), -1);
	assert_int_equal(schedule_parse("Mon-", w, &why), -1);
}

static void test_flow_service(void **state)
{
	static const struct {
		const char *text;
		uint8_t family, proto;
		uint16_t port;
	} good[] = {
		{ "tcp/445", 4, IPPROTO_TCP, 445 },
		{ "udp/53", 6, IPPROTO_UDP, 53 },
		{ "icmp/echo-request", 4, IPPROTO_ICMP, 8 },
		{ "icmp/echo-request", 6, IPPROTO_ICMPV6, 128 },
		{ "icmpv6/128", 6, IPPROTO_ICMPV6, 128 },
		{ "icmp/8", 4, IPPROTO_ICMP, 8 },
		{ "ip/50", 4, 50, 0 },
	};
	static const char *const bad[] = {"", "tcp", "tcp/", "tcp/0", "tcp/65536",
	    "tcp/01", "tcp/1-2", "tcp/ 1", "icmp/256", "icmp/redirect", "ip/6",
	    "ip/256", "ip/43", "TCP/1", "icmpv6/128"};
	const char *why;
	uint8_t proto = 99;
	uint16_t port = 99;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(rules_parse_service(
				     good[i].text, good[i].family, &proto, &port, &why),
		    0);
		assert_int_equal(proto, good[i].proto);
		assert_int_equal(port, good[i].port);
	}
	proto = 99;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(
		    rules_parse_service(bad[i], 4, &proto, &port, &why), -1);
		assert_int_equal(proto, 99);
		assert_non_null(why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_duration),
		cmocka_unit_test(test_schedule),
		cmocka_unit_test(test_flow_service),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
