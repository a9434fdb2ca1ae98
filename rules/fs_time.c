/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: when rules exist: expiry, schedules, time zones, the next change */
#include <cordon/flowspace.h>

enum { DAY = 86400, EDGES_MAX = 512 };

/* How many changes of the offset are behind t, the one at t included. */
static uint32_t transitions_until(const struct fs *fs, int64_t t)
{
	const struct fs_transition *tr = fs_table(fs, FS_TRANSITIONS);
	uint32_t lo = 0, hi = fs->table[FS_TRANSITIONS].count;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (tr[mid].at <= t)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int32_t offset_at(const struct fs *fs, int64_t t)
{
	uint32_t n = transitions_until(fs, t);

	return n == 0 ? 0 : FS_AT(fs, FS_TRANSITIONS, struct fs_transition, n - 1)->offset_s;
}

static int64_t next_transition(const struct fs *fs, int64_t t)
{
	uint32_t n = transitions_until(fs, t);

	return n == fs->table[FS_TRANSITIONS].count ? FS_FOREVER :
	    FS_AT(fs, FS_TRANSITIONS, struct fs_transition, n)->at;
}

/* What the clock on the wall shows.  No day is asked for beyond some 10^8 years, so that
 * whatever time a caller has can be reckoned with. */
static int64_t local_of(int64_t t, int32_t offset_s)
{
	const int64_t most = (int64_t)1 << 52;

	return (t < -most ? -most : t > most ? most : t) + offset_s;
}

static int64_t day_of(int64_t local)
{
	return local >= 0 ? local / DAY : -((DAY - 1 - local) / DAY);
}

/* 1970-01-01 was a Thursday; Monday is 0. */
static unsigned weekday_of(int64_t day)
{
	return (unsigned)(((day + 3) % 7 + 7) % 7);
}

static bool schedule_on(const struct fs *fs, const struct fs_schedule *s, int64_t t)
{
	int64_t local = local_of(t, offset_at(fs, t)), today = day_of(local);

	for (uint32_t i = 0; i < s->windows.count; i++) {
		const struct fs_window *w =
		    FS_AT(fs, FS_WINDOWS, struct fs_window, s->windows.first + i);

		/* yesterday's window may reach into today */
		for (int64_t d = today - 1; d <= today; d++) {
			int64_t into = local - d * DAY;

			if ((w->weekdays >> weekday_of(d) & 1) &&
			    into >= w->from * 60 && into < w->to * 60)
				return true;
		}
	}
	return false;
}

/* The first second after t at which the schedule might turn: an edge of a window by
 * the offset of now, or a change of the offset itself. */
static int64_t next_edge(const struct fs *fs, const struct fs_schedule *s, int64_t t)
{
	int32_t off = offset_at(fs, t);
	int64_t best = next_transition(fs, t), today = day_of(local_of(t, off));

	for (uint32_t i = 0; i < s->windows.count; i++) {
		const struct fs_window *w =
		    FS_AT(fs, FS_WINDOWS, struct fs_window, s->windows.first + i);

		for (int64_t d = today - 1; d <= today + 7; d++) {
			int64_t from = d * DAY + w->from * 60 - off;
			int64_t to = d * DAY + w->to * 60 - off;

			if (!(w->weekdays >> weekday_of(d) & 1))
				continue;
			if (from > t && from < best)
				best = from;
			if (to > t && to < best)
				best = to;
		}
	}
	return best;
}

/* The first second after t in which the schedule is not what it is at t.  A bound on
 * the walk gives a second that is too early: harmless, one looks again then. */
static int64_t schedule_turn(const struct fs *fs, const struct fs_schedule *s, int64_t t)
{
	bool now = schedule_on(fs, s, t);

	for (int i = 0; i < EDGES_MAX; i++) {
		t = next_edge(fs, s, t);
		if (t == FS_FOREVER || schedule_on(fs, s, t) != now)
			break;
	}
	return t;
}

bool fs_rule_active(const struct fs *fs, const struct fs_rule *r, int64_t at,
    int64_t *ret_until)
{
	int64_t until = r->expires;

	if (at >= r->expires)
		return false;
	if (r->schedule != FS_NONE) {
		const struct fs_schedule *s =
		    FS_AT(fs, FS_SCHEDULES, struct fs_schedule, r->schedule);

		if (!schedule_on(fs, s, at))
			return false;
		if (ret_until != NULL) {
			int64_t turn = schedule_turn(fs, s, at);

			if (turn < until)
				until = turn;
		}
	}
	if (ret_until != NULL)
		*ret_until = until;
	return true;
}

int64_t fs_next_change(const struct fs *fs, int64_t at)
{
	int64_t best = FS_FOREVER;

	for (uint32_t i = 0; i < fs->table[FS_RULES].count; i++) {
		int64_t e = fs_rule(fs, i)->expires;

		if (e > at && e < best)
			best = e;
	}
	for (uint32_t i = 0; i < fs->table[FS_GUARD_USES].count; i++) {
		int64_t e = FS_AT(fs, FS_GUARD_USES, struct fs_guard_use, i)->expires;

		if (e > at && e < best)
			best = e;
	}
	for (uint32_t i = 0; i < fs->table[FS_SCHEDULES].count; i++) {
		int64_t t = schedule_turn(fs,
		    FS_AT(fs, FS_SCHEDULES, struct fs_schedule, i), at);

		if (t < best)
			best = t;
	}
	return best;
}
