/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: schedules across changes of the clock, against the C library's local time */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include <cordon/diag.h>
#include <cordon/flowspace.h>
#include <cordon/rules.h>
#include <cordon/ruleset.h>

#include "policytree.h"

/* One rule with this schedule (and end, or "") in this zone; NULL: not installed. */
static struct fs *timed(const char *zone, const char *schedule, const char *expires)
{
	char cordon[512], host[512];
	const struct policytree_file files[] = {
		{ "cordon.yaml", cordon }, { "hosts/a.yaml", host }, { 0 },
	};
	struct diaglist d;
	struct fs *fs = NULL;

	snprintf(cordon, sizeof(cordon), "cordon: 1\ngateway: { interfaces: [lan0], "
	    "addresses: [10.9.0.1], timezone: %s }\n", zone);
	snprintf(host, sizeof(host), "host: a\naddresses: [10.20.8.11]\nallow:\n  inbound:\n"
	    "    - { service: tcp/1433, from: 10.1.0.2, reason: test, schedule: \"%s\"%s%s }\n",
	    schedule, *expires ? ", expires: " : "", expires);
	diag_init(&d);
	if (policytree_load(files, 1700000000, &d, &fs) < 0)
		diag_print(&d, stderr, false);
	diag_free(&d);
	return fs;
}

struct window {
	const char *text;
	unsigned weekdays; /* bit 0 = Monday */
	int from, to;      /* minutes; to > 1440: into the next day */
};
static const struct window windows[] = {
	{ "Mon-Fri 07:00-19:00", 0x1f, 420, 1140 },
	{ "Sat,Sun 01:30-02:30", 0x60, 90, 150 },
	{ "02:00-03:00", 0x7f, 120, 180 },
	{ "Sat 22:00-06:00", 0x20, 1320, 1440 + 360 },
	{ "Sun 02:15-02:45", 0x40, 135, 165 },
	{ "23:30-02:10", 0x7f, 1410, 1440 + 130 },
};

/* By the C library: what the clock on the wall shows at t. */
static bool shows(const struct window *w, int64_t t)
{
	time_t when = (time_t)t;
	struct tm tm;
	int minute;
	unsigned today, yesterday;

	localtime_r(&when, &tm);
	minute = tm.tm_hour * 60 + tm.tm_min;
	today = ((unsigned)tm.tm_wday + 6) % 7;
	yesterday = (today + 6) % 7;
	return ((w->weekdays >> today & 1) && minute >= w->from && minute < w->to) ||
	    ((w->weekdays >> yesterday & 1) && minute + 1440 < w->to);
}

/* First minute after t at which the wall shows otherwise; 0: not within two weeks. */
static int64_t turns(const struct window *w, int64_t t)
{
	bool now = shows(w, t);

	t -= t % 60;
	for (int i = 1; i < 14 * 1440; i++)
		if (shows(w, t + i * 60) != now)
			return t + i * 60;
	return 0;
}

/* Each minute of the two days around `change` (and one second off it). */
static void around(const char *zone, int64_t change)
{
	for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
		const struct window *w = &windows[i];
		struct fs *fs = timed(zone, w->text, "");
		int64_t until, edge = 0;

		assert_non_null(fs);
		for (int64_t t = change - 86400; t < change + 86400; t += 60) {
			bool on = fs_rule_active(fs, fs_rule(fs, 0), t, &until);

			if (on != shows(w, t))
				fail_msg("%s \"%s\" at %lld: %s", zone, w->text, (long long)t,
				    on ? "on" : "off");
			assert_int_equal(fs_rule_active(fs, fs_rule(fs, 0), t + 59, NULL), on);
			if (t >= edge)
				edge = turns(w, t);
			assert_true(edge > 0);
			if (on && until != edge)
				fail_msg("%s \"%s\" at %lld: until %lld, not %lld", zone, w->text,
				    (long long)t, (long long)until, (long long)edge);
			assert_int_equal(fs_next_change(fs, t), edge);
		}
		free(fs);
	}
}

/* Both changes of a year: an hour, half an hour, the southern half, one at midnight. */
static void test_changes(void **state)
{
	static const struct {
		const char *zone;
		int64_t spring, autumn;
	} zones[] = {
		{ "Europe/Berlin", 1806195600, 1824944400 },       /* 2027-03-28, 10-31 */
		{ "America/New_York", 1805007600, 1825567200 },    /* 2027-03-14, 11-07 */
		{ "Australia/Lord_Howe", 1822491000, 1806764400 }, /* 2027-10-03, 04-04 */
		{ "Europe/Dublin", 1806195600, 1824944400 },
		{ "America/Santiago", 1820116800, 1806807600 },    /* 2027-09-05, 04-04 */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
		char path[96];
		struct tm before, after;
		time_t t;

		snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", zones[i].zone);
		if (access(path, R_OK) < 0) {
			print_message("SKIP %s: not installed\n", zones[i].zone);
			continue;
		}
		setenv("TZ", zones[i].zone, 1);
		tzset();
		for (int k = 0; k < 2; k++) {
			t = (time_t)(k ? zones[i].autumn : zones[i].spring);
			localtime_r(&t, &after);
			t--;
			localtime_r(&t, &before);
			/* the table above is right: the offset changes there */
			if (before.tm_gmtoff == after.tm_gmtoff)
				fail_msg("%s: no change at %lld", zones[i].zone,
				    (long long)t + 1);
			around(zones[i].zone, (int64_t)t + 1);
		}
	}
}

/* An end within a window counts first, and what is over never comes back. */
static void test_expires_in_a_window(void **state)
{
	struct fs *fs = timed("UTC", "07:00-19:00", "\"2027-06-01T12:34:56Z\"");
	const int64_t end = 1811853296;
	int64_t until;

	(void)state;
	assert_non_null(fs);
	assert_true(fs_rule_active(fs, fs_rule(fs, 0), end - 3600, &until));
	assert_int_equal(until, end);
	assert_true(fs_rule_active(fs, fs_rule(fs, 0), end - 1, &until));
	assert_false(fs_rule_active(fs, fs_rule(fs, 0), end, &until));
	assert_false(fs_rule_active(fs, fs_rule(fs, 0), end + 86400, &until));
	free(fs);
}

static char *as_json(const struct fs *fs, int64_t at, int64_t floor)
{
	struct compile_opts o = { .at = at, .floor = floor, .generation = 1,
		.log_group = 2008 };
	struct ruleset *rs;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	assert_int_equal(rules_compile(fs, &o, NULL, &rs), 0);
	assert_int_equal(emit_json(rs, f), 0);
	fclose(f);
	free(rs);
	return text;
}

/* A clock before `floor` is looked for, either way round (packets: net/23-time.sh). */
static bool tests_clock(const char *text, int64_t floor)
{
	char before[64], from[64];

	snprintf(before, sizeof(before), "meta time < %lld", (long long)floor);
	snprintf(from, sizeof(from), "meta time >= %lld", (long long)floor);
	return strstr(text, before) != NULL || strstr(text, from) != NULL;
}

/* What the kernel gets is absolute: the end of the window in force, and the time before
 * which the clock is wrong. */
static void test_compiled(void **state)
{
	struct fs *fs = timed("Europe/Berlin", "Sat 22:00-06:00", "");
	/* Sunday 2027-03-28 01:30 in Berlin: summer time begins half an hour later */
	const int64_t at = 1806193800, end = 1806206400; /* 06:00 CEST */
	char *text, want[64];

	(void)state;
	assert_non_null(fs);
	text = as_json(fs, at, at);
	snprintf(want, sizeof(want), "meta time < %lld", (long long)end);
	if (!strstr(text, want))
		fail_msg("no \"%s\" in %s", want, text);
	assert_true(tests_clock(text, at));
	free(text);
	/* the clock was set back a day at the start: the floor stays where it was */
	text = as_json(fs, at, at + 86400);
	assert_true(tests_clock(text, at + 86400));
	assert_false(tests_clock(text, at));
	free(text);
	/* outside the window there is nothing to close */
	text = as_json(fs, end, end);
	assert_null(strstr(text, "10.1.0.2"));
	free(text);
	free(fs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_expires_in_a_window),
		cmocka_unit_test(test_compiled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
