/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: time zones: zoneinfo files as rows of offsets */
#include "rules/zone.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cordon/flowspace.h>

#include "rules/when.h"

/*
 * RFC 8536:  header  "TZif" version(1) reserved(15) isutcnt isstdcnt leapcnt timecnt
 *                    typecnt charcnt (u32 each, big endian)
 *            block   times[timecnt] (4 or 8 bytes), types[timecnt] (1),
 *                    ttinfo[typecnt] (offset i32, dst u8, abbreviation u8), names,
 *                    leaps[leapcnt] (time + 4), isstd, isut
 * Version 2 and later: a second header and block with 8-byte times, then the footer
 * "\nTZ\n", a POSIX rule for what comes after the last time.
 */
enum { HEADER = 44, TTINFO = 6, FIRST_YEAR = 2000, LAST_YEAR = 2040, ROWS_MAX = 4096 };

struct reader {
	const uint8_t *at, *end;
	bool bad; /* sticky */
};

struct counts {
	uint32_t isut, isstd, leap, time, type, name;
};

struct rows {
	struct fs_transition *v;
	size_t n;
};

static const uint8_t *take(struct reader *r, uint64_t n)
{
	const uint8_t *p = r->at;

	if (r->bad || n > (uint64_t)(r->end - r->at)) {
		r->bad = true;
		return NULL;
	}
	r->at += n;
	return p;
}

static int64_t be(const uint8_t *p, size_t n)
{
	uint64_t v = (p[0] & 0x80) != 0 ? UINT64_MAX : 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return (int64_t)v;
}

static uint32_t take_u32(struct reader *r)
{
	const uint8_t *p = take(r, 4);

	return p != NULL ? (uint32_t)be(p, 4) : 0;
}

static int take_header(struct reader *r, char *ret_version, struct counts *ret)
{
	const uint8_t *p = take(r, 20);

	if (p == NULL || memcmp(p, "TZif", 4) != 0)
		return -1;
	*ret_version = (char)p[4];
	ret->isut = take_u32(r);
	ret->isstd = take_u32(r);
	ret->leap = take_u32(r);
	ret->time = take_u32(r);
	ret->type = take_u32(r);
	ret->name = take_u32(r);
	return r->bad || ret->type == 0 || ret->time > ROWS_MAX ? -1 : 0;
}

static void add(struct rows *rows, int64_t at, int64_t offset)
{
	if (rows->n > 0 && rows->v[rows->n - 1].offset_s == (int32_t)offset)
		return;
	if (rows->n > 0 && rows->v[rows->n - 1].at >= at)
		rows->n--;
	memset(&rows->v[rows->n], 0, sizeof(rows->v[rows->n])); /* padding too */
	rows->v[rows->n].at = at;
	rows->v[rows->n++].offset_s = (int32_t)offset;
}

/* Times before `since` only set the first row's offset. */
static int take_block(struct reader *r, const struct counts *c, size_t wide,
    int64_t since, struct rows *rows)
{
	const uint8_t *times = take(r, (uint64_t)c->time * wide);
	const uint8_t *types = take(r, c->time);
	const uint8_t *info = take(r, (uint64_t)c->type * TTINFO);

	take(
	    r, (uint64_t)c->name + (uint64_t)c->leap * (wide + 4) + c->isstd + c->isut);
	if (r->bad)
		return -1;
	if (rows == NULL)
		return 0;
	rows->v[0].at = INT64_MIN; /* calloc()ed */
	rows->v[0].offset_s = (int32_t)be(info, 4);
	rows->n = 1;
	for (uint32_t i = 0; i < c->time; i++) {
		int64_t at = be(times + i * wide, wide), offset;

		if (types[i] >= c->type)
			return -1;
		offset = be(info + types[i] * (size_t)TTINFO, 4);
		if (offset < -86400 || offset > 86400)
			return -1;
		if (at < since)
			rows->v[0].offset_s = (int32_t)offset;
		else
			add(rows, at, offset);
	}
	return 0;
}

/* ---- the footer: STD offset [DST [offset] [, rule, rule]] ---- */

struct rule {
	unsigned month, week, day; /* Mm.w.d; week 5 = last */
	int64_t time_s;
};

static bool posix_name(const char **s)
{
	const char *p = *s;

	if (*p == '<') {
		p = strchr(p, '>');
		if (p == NULL)
			return false;
		*s = p + 1;
		return true;
	}
	while ((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z'))
		p++;
	if (p - *s < 3)
		return false;
	*s = p;
	return true;
}

static bool posix_number(const char **s, unsigned max, unsigned *ret)
{
	unsigned v = 0, n = 0;

	for (; **s >= '0' && **s <= '9' && n < 4; (*s)++, n++)
		v = v * 10 + (unsigned)(**s - '0');
	*ret = v;
	return n > 0 && v <= max;
}

/* [+-]hh[:mm[:ss]] in seconds. */
static bool posix_time(const char **s, int64_t *ret)
{
	unsigned part[3] = { 0 };
	int sign = **s == '-' ? -1 : 1;

	if (**s == '-' || **s == '+')
		(*s)++;
	if (!posix_number(s, 167, &part[0]))
		return false;
	for (int i = 1; i < 3 && **s == ':'; i++) {
		(*s)++;
		if (!posix_number(s, 59, &part[i]))
			return false;
	}
	*ret = sign * ((int64_t)part[0] * 3600 + part[1] * 60 + part[2]);
	return true;
}

static bool posix_rule(const char **s, struct rule *ret)
{
	ret->time_s = 2 * 3600;
	if ((*s)[0] != ',' || (*s)[1] != 'M')
		return false; /* Julian days: no zone in use has them */
	*s += 2;
	if (!posix_number(s, 12, &ret->month) || ret->month == 0 || *(*s)++ != '.' ||
	    !posix_number(s, 5, &ret->week) || ret->week == 0 || *(*s)++ != '.' ||
	    !posix_number(s, 6, &ret->day))
		return false;
	if (**s != '/')
		return true;
	(*s)++;
	return posix_time(s, &ret->time_s);
}

/* Local midnight-based second of the rule in that year, as if local time were UTC. */
static int64_t rule_at(const struct rule *r, int year)
{
	int64_t first = when_days(year, r->month, 1);
	int64_t next = r->month == 12 ? when_days(year + 1, 1, 1) :
	    when_days(year, r->month + 1, 1);
	/* 1970-01-01 was a Thursday; Sunday is 0. */
	int64_t day = first + ((int64_t)r->day - (first + 4) % 7 + 7) % 7;

	day += 7 * ((int64_t)r->week - 1);
	while (day >= next)
		day -= 7;
	return day * 86400 + r->time_s;
}

static void expand(struct rows *rows, int64_t std, int64_t dst, const struct rule r[2])
{
	int64_t last = rows->n > 1 ? rows->v[rows->n - 1].at :
	    when_days(FIRST_YEAR, 1, 1) * 86400 - 1;

	for (int year = FIRST_YEAR; year <= LAST_YEAR; year++) {
		int64_t on = rule_at(&r[0], year) - std,
			off = rule_at(&r[1], year) - dst;
		struct fs_transition t[2] = {{on, (int32_t)dst}, {off, (int32_t)std}};

		if (off < on) {
			t[0] = t[1];
			t[1] = (struct fs_transition){ on, (int32_t)dst };
		}
		for (int i = 0; i < 2; i++) {
			if (t[i].at > last)
				add(rows, t[i].at, t[i].offset_s);
		}
	}
}

static int footer(struct rows *rows, const char *s)
{
	int64_t std, dst;
	struct rule r[2];

	if (*s == '\0')
		return 0;
	if (!posix_name(&s) || !posix_time(&s, &std))
		return -1;
	std = -std;
	if (*s == '\0') {
		if (rows->n == 1)
			rows->v[0].offset_s = (int32_t)std;
		return 0;
	}
	dst = std + 3600;
	if (!posix_name(&s))
		return -1;
	if (*s != ',') {
		if (!posix_time(&s, &dst))
			return -1;
		dst = -dst;
	}
	if (!posix_rule(&s, &r[0]) || !posix_rule(&s, &r[1]) || *s != '\0')
		return -1;
	expand(rows, std, dst, r);
	return 0;
}

static int parse_footer(struct reader *r, struct rows *rows)
{
	char text[128];
	const uint8_t *nl;
	size_t n;

	if (r->at == r->end || *r->at != '\n')
		return -1;
	r->at++;
	nl = memchr(r->at, '\n', (size_t)(r->end - r->at));
	n = nl != NULL ? (size_t)(nl - r->at) : sizeof(text);
	if (n >= sizeof(text) || memchr(r->at, '\0', n) != NULL)
		return -1;
	memcpy(text, r->at, n);
	text[n] = '\0';
	return footer(rows, text);
}

static int parse(struct reader *r, struct rows *rows)
{
	int64_t since = when_days(FIRST_YEAR, 1, 1) * 86400;
	struct counts c;
	char version, again;

	if (take_header(r, &version, &c) == -1)
		return -1;
	if (version == '\0')
		return take_block(r, &c, 4, since, rows);
	if (take_block(r, &c, 4, since, NULL) == -1 ||
	    take_header(r, &again, &c) == -1 || take_block(r, &c, 8, since, rows) == -1)
		return -1;
	return parse_footer(r, rows);
}

int zone_parse(
    const uint8_t *data, size_t len, struct fs_transition **ret, size_t *ret_n)
{
	struct reader r = { data, data + len, false };
	struct rows rows = { 0 };

	rows.v =
	    calloc(ROWS_MAX + 2 * (LAST_YEAR - FIRST_YEAR + 1) + 2, sizeof(*rows.v));
	if (rows.v == NULL)
		return -1;
	if (parse(&r, &rows) == -1 || rows.n == 0) {
		free(rows.v);
		return -1;
	}
	*ret = rows.v;
	*ret_n = rows.n;
	return 0;
}
