/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: dates, instants, durations and schedules as text */
#ifndef CORDON_RULES_WHEN_H
#define CORDON_RULES_WHEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fs_window;

enum { SCHEDULE_WINDOWS_MAX = 16 };

/* "90s", "60m", "1h30m", "7d".  0 or -1. */
int when_parse_duration(const char *s, int64_t *ret_s);
/* "2027-03-31" (its start, UTC; *ret_date true) or an RFC 3339 instant.  0 or -1. */
int when_parse_time(const char *s, int64_t *ret, bool *ret_date);
/* The date of a second, UTC: "2027-03-31"; of years beyond 9999 the last one. */
enum { WHEN_DATE_LEN = 16 };
const char *when_format_date(int64_t at, char buf[static WHEN_DATE_LEN]);
/* Days since 1970-01-01 of a date of the Gregorian calendar; month 1-12. */
int64_t when_days(int64_t year, unsigned month, unsigned day);

/* "Mon-Fri 07:00-19:00", "Mon,Wed 06:00-08:00, Sat 22:00-06:00", "Sun": windows into
 * ret[0..SCHEDULE_WINDOWS_MAX).  Their number, or -1 with *ret_why (static text). */
int schedule_parse(const char *s, struct fs_window *ret, const char **ret_why);

#endif
