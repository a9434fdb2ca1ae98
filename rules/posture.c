/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what the inventory of a host proves: what contradicts what, the last update
 */
#include "rules/posture.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POSTURE_MEMORY_MAX = 16 << 20, CLAIM_LEN = 640, CLAIMS_MAX = 64 };

struct judgement {
	struct posture p; /* first: what the caller holds */
	struct arena arena;
};

static const char *const state_names[POSTURE_NSTATES] = {
	[POSTURE_FIXED] = "fixed",
	[POSTURE_OPEN] = "open",
	[POSTURE_CANT_TELL] = "can't tell",
	[POSTURE_NOT_AFFECTED] = "not affected",
};

const char *posture_state_name(enum posture_state s)
{
	return state_names[s];
}

const char *posture_by_name(enum posture_by by)
{
	switch (by) {
	case POSTURE_BY_NOTHING:
		break;
	case POSTURE_BY_ROLLUP:
		return "rollup";
	case POSTURE_BY_SECURITY_ONLY:
		return "security-only";
	case POSTURE_BY_FIX:
		return "fix";
	case POSTURE_BY_REVISION:
		return "revision";
	}
	return "";
}

const char *posture_month(uint32_t month, char buf[static POSTURE_MONTH_LEN])
{
	static const char *const names[] = { "January", "February", "March", "April",
		"May", "June", "July", "August", "September", "October", "November",
		"December" };

	snprintf(buf, POSTURE_MONTH_LEN, "%s %u", names[month % 12], month / 12);
	return buf;
}

struct posture_claim posture_claim(struct inventory *v,
    const struct servicing_update *const *cites, const char *fmt, ...)
{
	struct posture_claim c = { .text = "" };
	char text[CLAIM_LEN];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	c.text = arena_strndup(v->arena, text, strlen(text));
	if (c.text == NULL)
		c.text = ""; /* the arena remembers */
	for (; cites != NULL && *cites != NULL && c.ncites < POSTURE_CITES_MAX; cites++)
		c.cite[c.ncites++] = *cites;
	return c;
}

/* ---- what contradicts what ---- */

static struct posture_claim *claim_slot(
    struct inventory *v, struct posture_claim **list, size_t *n)
{
	if (*list == NULL)
		*list = arena_calloc(v->arena, CLAIMS_MAX, sizeof(**list));
	return *list != NULL && *n < CLAIMS_MAX ? &(*list)[(*n)++] : NULL;
}

static void inconsistent(struct inventory *v, struct posture_claim c)
{
	struct posture_claim *slot =
	    claim_slot(v, &v->p->inconsistent, &v->p->ninconsistent);

	v->torn = true;
	if (slot != NULL)
		*slot = c;
}

void posture_note(struct inventory *v, struct posture_claim c)
{
	struct posture_claim *slot = claim_slot(v, &v->p->notes, &v->p->nnotes);

	if (slot != NULL)
		*slot = c;
}

static void check_build(struct inventory *v, const struct servicing_update *u)
{
	if (v->h->build != 6002 || !posture_is_6003(v->t, u))
		return;
	inconsistent(
	    v, posture_claim(v, CITES(u),
		   "build 6002 is declared, but %s (%s, %s) "
		   "brings 6003%s%s",
		   u->kb, servicing_kind_name(u->kind), u->date,
		   u->uncertain ? "; uncertain: " : "", u->uncertain ? u->note : ""));
}

/* The revision is that of the kernel, as far as it is anything's: files of other names
 * say nothing of it. */
static void check_revision(struct inventory *v, const struct servicing_update *u)
{
	if (!posture_is_security(u) || u->uncertain || v->h->revision == 0 ||
	    u->build != v->h->build || u->revision <= v->h->revision ||
	    (strcmp(u->of, "ntoskrnl") != 0 && strcmp(u->of, "MSRC") != 0))
		return;
	inconsistent(
	    v, posture_claim(v, CITES(u),
		   "revision %u.%u is declared, but %s (%s, %s) "
		   "brings %u.%u",
		   v->h->build, v->h->revision, u->kb, servicing_kind_name(u->kind),
		   u->date, u->build, u->revision));
}

static void check_listed(struct inventory *v)
{
	for (size_t i = 0; i < v->nlisted; i++) {
		size_t said = v->p->ninconsistent;

		check_build(v, v->listed[i]);
		check_revision(v, v->listed[i]);
		if (v->listed[i]->uncertain && v->p->ninconsistent == said)
			posture_note(v,
			    posture_claim(v, CITES(v->listed[i]), "%s: uncertain: %s",
				v->listed[i]->kb, v->listed[i]->note));
	}
}

/* ---- the last update ---- */

static const struct servicing_update *last_rollup(
    const struct servicing *t, enum servicing_programme p)
{
	for (size_t i = t->nupdates; i-- > 0;)
		if (t->updates[i].kind == SERVICING_ROLLUP &&
		    t->updates[i].programme == p)
			return &t->updates[i];
	return NULL;
}

static const struct servicing_update *last_listed(
    const struct inventory *v, enum servicing_kind kind)
{
	for (size_t i = v->nlisted; i-- > 0;)
		if (v->listed[i]->kind == kind)
			return v->listed[i];
	return NULL;
}

static const struct servicing_update *last_proven(struct inventory *v)
{
	const struct {
		enum posture_by by;
		const struct servicing_update *u;
	} rows[] = { { POSTURE_BY_ROLLUP, last_listed(v, SERVICING_ROLLUP) },
		{ POSTURE_BY_SECURITY_ONLY, last_listed(v, SERVICING_SECURITY_ONLY) },
		{ POSTURE_BY_REVISION, v->torn || v->beyond ? NULL : v->level },
		{ POSTURE_BY_FIX, last_listed(v, SERVICING_FIX) } };
	const struct servicing_update *last = NULL;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].u == NULL ||
		    (last != NULL && rows[i].u->month <= last->month))
			continue;
		last = rows[i].u;
		v->p->last_by = rows[i].by;
	}
	return last;
}

static struct posture_claim last_claim(
    struct inventory *v, const struct servicing_update *u)
{
	const struct servicing_update *all = last_listed(v, SERVICING_ROLLUP);
	char month[POSTURE_MONTH_LEN], until[POSTURE_MONTH_LEN], tail[96];

	posture_month(u->month, month);
	if (v->p->last_by == POSTURE_BY_ROLLUP)
		return posture_claim(v, CITES(u),
		    "%s, by rollup %s, with all rollups before it", month, u->kb);
	snprintf(tail, sizeof(tail),
	    all != NULL ? "; all up to %s by rollup %s"
			: "; what came before is not proven",
	    all != NULL ? posture_month(all->month, until) : "",
	    all != NULL ? all->kb : "");
	if (v->p->last_by == POSTURE_BY_REVISION)
		return posture_claim(v, CITES(u, all), "%s, by revision %u.%u%s", month,
		    v->h->build, v->h->revision, tail);
	return posture_claim(v, CITES(u, all),
	    "%s, by %s, which is that month's alone%s", month, u->kb, tail);
}

/* "level with", "past" or "N months behind" the last rollup of a programme. */
static int behind_one(char *buf, size_t size, uint32_t month,
    const struct servicing_update *u, const char *what)
{
	char when[POSTURE_MONTH_LEN];
	unsigned n = u->month > month ? u->month - month : 0;
	char much[32] = "";

	posture_month(u->month, when);
	if (n > 0)
		snprintf(much, sizeof(much), "%u month%s behind", n, n == 1 ? "" : "s");
	return snprintf(buf, size, "%s %s (%u.%u, %s)",
	    n > 0               ? much
	    : u->month == month ? "level with"
				: "past",
	    what, u->build, u->revision, when);
}

static void judge_behind(struct inventory *v, const struct servicing_update *last)
{
	const struct servicing_update *final = last_rollup(v->t, SERVICING_PREMIUM);
	const struct servicing_update *azure = last_rollup(v->t, SERVICING_AZURE);
	char a[160], b[160];

	if (final == NULL || azure == NULL || last == NULL)
		return;
	v->p->months_behind =
	    final->month > last->month ? final->month - last->month : 0;
	behind_one(a, sizeof(a), last->month, final, "the final update");
	behind_one(b, sizeof(b), last->month, azure, "the last for ESU in Azure");
	v->p->behind = posture_claim(v, CITES(final, azure), "%s; %s", a, b);
}

static void judge_last(struct inventory *v)
{
	const struct servicing_update *last = last_proven(v);
	const struct servicing_update *all = last_listed(v, SERVICING_ROLLUP);

	v->p->cumulative_month = all != NULL ? all->month : 0;
	if (last == NULL) {
		v->p->last = posture_claim(v, NULL, "no security update is proven");
		return;
	}
	v->p->last_month = last->month;
	v->p->last = last_claim(v, last);
	judge_behind(v, last);
}

/* ---- the host ---- */

bool posture_is_2008(const char *product)
{
	static const char name[] = "windows-server-2008";
	size_t len = sizeof(name) - 1;

	return strncmp(product, name, len) == 0 &&
	       (product[len] == '\0' || product[len] == '-') &&
	       strstr(product + len, "-r2") == NULL &&
	       strstr(product + len, "-sp1") == NULL;
}

static void set_declared(struct inventory *v)
{
	const char *product = fs_str(v->fs, v->h->product);
	char build[48] = "";

	if (v->h->build != 0 && v->h->revision != 0)
		snprintf(
		    build, sizeof(build), "build %u.%u", v->h->build, v->h->revision);
	else if (v->h->build != 0)
		snprintf(build, sizeof(build), "build %u", v->h->build);
	v->p->declared = arena_printf(v->arena, "%s%s%s", product,
	    *product != '\0' && *build != '\0' ? ", " : "", build);
	if (v->p->declared == NULL)
		v->p->declared = "";
}

static enum posture_cover cover_of(struct inventory *v)
{
	const char *product = fs_str(v->fs, v->h->product);

	if (*product == '\0' && v->h->build == 0 && v->h->revision == 0 &&
	    v->h->updates.count == 0) {
		v->p->level = posture_claim(v, NULL,
		    "os not stated: declare product, build, revision and updates");
		return POSTURE_NOT_STATED;
	}
	if (posture_not_covered(v))
		return POSTURE_NOT_COVERED;
	if (*product == '\0')
		posture_note(v, posture_claim(v, NULL,
				    "product not stated: builds 6002 and 6003 are "
				    "Windows Vista's, too"));
	return POSTURE_JUDGED;
}

static void add_listed(struct inventory *v, const struct servicing_update *u)
{
	size_t i = v->nlisted;

	while (i > 0 && v->listed[i - 1] > u)
		i--;
	if (i > 0 && v->listed[i - 1] == u)
		return;
	memmove(&v->listed[i + 1], &v->listed[i],
	    (v->nlisted++ - i) * sizeof(v->listed[0]));
	v->listed[i] = u;
}

static void read_listed(struct inventory *v)
{
	for (uint32_t i = 0; i < v->h->updates.count && v->nlisted < POSTURE_KBS_MAX;
	     i++) {
		const struct servicing_update *u = servicing_find(v->t,
		    fs_str(v->fs,
			*FS_AT(v->fs, FS_WORDS, uint32_t, v->h->updates.first + i)));

		if (u != NULL)
			add_listed(v, u);
	}
}

static void judge(struct inventory *v)
{
	set_declared(v);
	v->p->cover = cover_of(v);
	if (v->p->cover != POSTURE_JUDGED)
		return;
	read_listed(v);
	check_listed(v);
	posture_level(v);
	posture_notes(v);
	judge_last(v);
	posture_install(v);
	posture_findings(v);
}

int posture_judge(const struct servicing *t, const struct fs *fs, uint32_t host,
    int64_t at, struct posture **ret)
{
	struct judgement *j = calloc(1, sizeof(*j));
	struct inventory *v = calloc(1, sizeof(*v));

	if (j != NULL && v != NULL) {
		j->arena.limit = POSTURE_MEMORY_MAX;
		j->p.host = host;
		j->p.declared = j->p.level.text = j->p.last.text = j->p.behind.text =
		    j->p.install.text = "";
		*v = (struct inventory){ .t = t,
			.fs = fs,
			.h = fs_host(fs, host),
			.at = at,
			.arena = &j->arena,
			.p = &j->p };
		judge(v);
	}
	if (j == NULL || v == NULL || j->arena.failed) {
		free(v);
		posture_free((struct posture *)j);
		return -1;
	}
	free(v);
	*ret = &j->p;
	return 0;
}

void posture_free(struct posture *p)
{
	struct judgement *j = (struct judgement *)p;

	if (j == NULL)
		return;
	arena_free(&j->arena);
	free(j);
}
