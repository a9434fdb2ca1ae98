/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: schedules such as "Mon-Fri 07:00-19:00" as windows of local time */
#include "rules/when.h"

#include <string.h>
#include <strings.h>

#include <cordon/flowspace.h>

enum { DAY_MIN = 1440, ALL_DAYS = 0x7f };

/* Days collect until a time follows; a time without new days takes the last ones. */
struct parser {
	const char *s, *why;
	uint8_t days;
	bool days_used; /* a time followed them */
	struct fs_window *w;
	int n;
};

static int parse_day(struct parser *p)
{
	static const char names[7][4] = {
	    "mon", "tue", "wed", "thu", "fri", "sat", "sun"};

	for (int i = 0; i < 7; i++) {
		if (strncasecmp(p->s, names[i], 3) == 0) {
			p->s += 3;
			return i;
		}
	}
	p->why = "days are Mon, Tue, Wed, Thu, Fri, Sat, Sun";
	return -1;
}

static int parse_days(struct parser *p)
{
	int from = parse_day(p), to = from;

	if (from >= 0 && *p->s == '-') {
		p->s++;
		to = parse_day(p);
	}
	if (from < 0 || to < 0)
		return -1;
	if (p->days_used)
		p->days = 0;
	p->days_used = false;
	for (int d = from;; d = (d + 1) % 7) {
		p->days |= (uint8_t)(1 << d);
		if (d == to)
			return 0;
	}
}

static int parse_minute(struct parser *p)
{
	const char *s = p->s;
	int h, m;

	p->why = "times are HH:MM-HH:MM, 00:00 to 24:00";
	for (int i = 0; i < 5; i++) {
		if (i == 2 ? s[i] != ':' : s[i] < '0' || s[i] > '9')
			return -1;
	}
	h = (s[0] - '0') * 10 + (s[1] - '0');
	m = (s[3] - '0') * 10 + (s[4] - '0');
	if (m > 59 || h * 60 + m > DAY_MIN)
		return -1;
	p->s += 5;
	return h * 60 + m;
}

static int window_add(struct parser *p, int from, int to)
{
	if (p->n == SCHEDULE_WINDOWS_MAX) {
		p->why = "more than 16 windows";
		return -1;
	}
	/* All of it, padding too: windows become part of a block with a digest. */
	memset(&p->w[p->n], 0, sizeof(p->w[p->n]));
	p->w[p->n].weekdays = p->days != 0 ? p->days : ALL_DAYS;
	p->w[p->n].from = (uint16_t)from;
	p->w[p->n].to = (uint16_t)to;
	p->n++;
	return 0;
}

static int parse_times(struct parser *p)
{
	int from = parse_minute(p), to;

	if (from < 0 || *p->s != '-')
		return -1;
	p->s++;
	to = parse_minute(p);
	if (to < 0)
		return -1;
	if (from == to || from == DAY_MIN) {
		p->why =
		    "a window starts and ends at the same time (leave out the time for "
		    "whole days)";
		return -1;
	}
	p->days_used = true;
	return window_add(p, from, to > from ? to : to + DAY_MIN);
}

int schedule_parse(const char *s, struct fs_window *ret, const char **ret_why)
{
	struct parser p = { .s = s, .w = ret, .why = "empty" };
	bool digit, gap = true;

	for (;;) {
		size_t skip = strspn(p.s, " ,");

		p.s += skip;
		if (*p.s == '\0')
			break;
		if (skip == 0 && !gap) {
			p.why = "separate days and times by a space or comma";
			goto bad;
		}
		gap = false;
		digit = *p.s >= '0' && *p.s <= '9';
		if ((digit ? parse_times(&p) : parse_days(&p)) == -1)
			goto bad;
	}
	if (p.days != 0 && !p.days_used && window_add(&p, 0, DAY_MIN) == -1)
		goto bad;
	if (p.n > 0)
		return p.n;
bad:
	*ret_why = p.why;
	return -1;
}
