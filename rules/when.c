/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: dates, instants and durations as text */
#include "rules/when.h"

#include <string.h>
#include <time.h>

#include <cordon/rules.h>

enum { DAY_S = 86400 };

int when_parse_duration(const char *s, int64_t *ret_s)
{
	static const struct {
		char unit;
		int64_t s;
	} units[] = { { 'd', DAY_S }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 } };
	int64_t total = 0;
	size_t next = 0; /* units come in falling order, each once */

	if (*s == '\0')
		return -1;
	while (*s != '\0') {
		int64_t n = 0;
		int digits = 0;

		for (; *s >= '0' && *s <= '9'; s++) {
			if (++digits > 9)
				return -1;
			n = n * 10 + (*s - '0');
		}
		while (next < 4 && units[next].unit != *s)
			next++;
		if (digits == 0 || next == 4)
			return -1;
		total += n * units[next++].s;
		s++;
	}
	*ret_s = total;
	return 0;
}

int64_t when_days(int64_t year, unsigned month, unsigned day)
{
	/* March is the first month, so that the leap day is the year's last. */
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400;
	int64_t doy = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

/* Exactly n digits of *s, which is moved past them; -1 if there are not. */
static int digits(const char **s, int n)
{
	int v = 0;

	for (; n > 0; n--, (*s)++) {
		if (**s < '0' || **s > '9')
			return -1;
		v = v * 10 + (**s - '0');
	}
	return v;
}

static bool expect(const char **s, char c)
{
	if (**s != c)
		return false;
	(*s)++;
	return true;
}

static int month_days(int year, int month)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		return 29;
	return days[month - 1];
}

static int parse_date(const char **s, int64_t *ret)
{
	int year = digits(s, 4), month, day;

	if (year < 1970 || !expect(s, '-'))
		return -1;
	month = digits(s, 2);
	if (month < 1 || month > 12 || !expect(s, '-'))
		return -1;
	day = digits(s, 2);
	if (day < 1 || day > month_days(year, month))
		return -1;
	*ret = when_days(year, (unsigned)month, (unsigned)day) * DAY_S;
	return 0;
}

/* "Z" or "+02:00": seconds east of UTC. */
static int parse_offset(const char **s, int64_t *ret)
{
	int sign = **s == '-' ? -1 : 1, h, m;

	if (expect(s, 'Z') || expect(s, 'z')) {
		*ret = 0;
		return 0;
	}
	if (!expect(s, '+') && !expect(s, '-'))
		return -1;
	h = digits(s, 2);
	if (h < 0 || h > 23 || !expect(s, ':'))
		return -1;
	m = digits(s, 2);
	if (m < 0 || m > 59)
		return -1;
	*ret = sign * (h * 3600 + m * 60);
	return 0;
}

int when_parse_time(const char *s, int64_t *ret, bool *ret_date)
{
	int64_t t, east;
	int h, m, sec;

	if (parse_date(&s, &t) == -1)
		return -1;
	if (*s == '\0') {
		*ret = t;
		*ret_date = true;
		return 0;
	}
	if (!expect(&s, 'T') && !expect(&s, 't') && !expect(&s, ' '))
		return -1;
	h = digits(&s, 2);
	if (h < 0 || h > 23 || !expect(&s, ':'))
		return -1;
	m = digits(&s, 2);
	if (m < 0 || m > 59 || !expect(&s, ':'))
		return -1;
	sec = digits(&s, 2);
	if (sec < 0 || sec > 60)
		return -1;
	if (expect(&s, '.')) {
		if (digits(&s, 1) < 0)
			return -1;
		s += strspn(s, "0123456789");
	}
	if (parse_offset(&s, &east) == -1 || *s != '\0')
		return -1;
	*ret = t + h * 3600 + m * 60 + sec - east;
	*ret_date = false;
	return 0;
}

int rules_parse_time(const char *s, int64_t *ret)
{
	bool date;

	return when_parse_time(s, ret, &date);
}

const char *when_format_date(int64_t at, char buf[static WHEN_DATE_LEN])
{
	const int64_t last = INT64_C(253402300799); /* 9999-12-31 23:59:59 */
	time_t t = (time_t)(at < 0 ? 0 : at > last ? last : at);
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL || strftime(buf, WHEN_DATE_LEN, "%Y-%m-%d", &tm) == 0)
		buf[0] = '\0';
	return buf;
}
