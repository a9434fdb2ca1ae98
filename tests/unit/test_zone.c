/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: zone files against the C library's own reading of them */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include <cordon/flowspace.h>

#include "rules/zone.h"

static uint8_t *slurp(const char *zone, size_t *len)
{
	static uint8_t buf[65536];
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", zone);
	f = fopen(path, "rb");
	if (f == NULL)
		return NULL;
	*len = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	return buf;
}

static int32_t offset_at(const struct fs_transition *t, size_t n, int64_t at)
{
	size_t i = 0;

	while (i + 1 < n && t[i + 1].at <= at)
		i++;
	return t[i].offset_s;
}

/* Every hour-and-a-bit from 2000 to the end of 2040. */
static void compare(const char *zone)
{
	struct fs_transition *t;
	size_t n, len;
	const uint8_t *data = slurp(zone, &len);

	if (data == NULL) {
		print_message("SKIP %s: not installed\n", zone);
		return;
	}
	assert_int_equal(zone_parse(data, len, &t, &n), 0);
	assert_true(t[0].at == INT64_MIN);
	for (size_t i = 1; i < n; i++)
		assert_true(t[i - 1].at < t[i].at);
	setenv("TZ", zone, 1);
	tzset();
	for (int64_t at = 946684800; at < 2240611200; at += 3607) {
		time_t when = (time_t)at;
		struct tm tm;

		localtime_r(&when, &tm);
		if (offset_at(t, n, at) != tm.tm_gmtoff)
			fail_msg("%s at %lld: %d, not %ld", zone, (long long)at,
			    offset_at(t, n, at), tm.tm_gmtoff);
	}
	free(t);
}

static void test_zones(void **state)
{
	static const char *const zones[] = {"UTC", "Europe/Berlin", "America/New_York",
	    "Australia/Lord_Howe", "Asia/Kolkata", "America/Sao_Paulo", "Europe/Dublin",
	    "Pacific/Apia", "Africa/Casablanca", "Asia/Gaza", "America/Nuuk"};

	(void)state;
	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++)
		compare(zones[i]);
}

/* Every truncation and every flipped byte is refused or read, never overrun. */
static void test_damage(void **state)
{
	struct fs_transition *t;
	size_t n, len;
	uint8_t *data = slurp("Europe/Berlin", &len);

	(void)state;
	if (data == NULL)
		skip();
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *exact = malloc(cut + 1);

		memcpy(exact, data, cut);
		if (zone_parse(exact, cut, &t, &n) == 0)
			free(t);
		free(exact);
	}
	for (size_t i = 0; i < len; i++) {
		data[i] ^= 0xff;
		if (zone_parse(data, len, &t, &n) == 0)
			free(t);
		data[i] ^= 0xff;
	}
	assert_int_equal(zone_parse(data, 43, &t, &n), -1);
	assert_int_equal(zone_parse((const uint8_t *)"no zone", 7, &t, &n), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zones),
		cmocka_unit_test(test_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
