/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the update level of a host by its build and revision */
#include "rules/posture.h"

bool posture_is_security(const struct servicing_update *u)
{
	return u->kind == SERVICING_ROLLUP || u->kind == SERVICING_SECURITY_ONLY;
}

bool posture_ships_kernel(const struct servicing_update *u)
{
	return posture_is_security(u) || u->kind == SERVICING_PREVIEW;
}

static const struct servicing_update *first_6003(const struct servicing *t)
{
	for (size_t i = 0; i < t->nupdates; i++)
		if (t->updates[i].build == 6003)
			return &t->updates[i];
	return NULL;
}

/* All later ones of the kinds that carry a kernel ship as 6003, also where no source
 * gives the revision. */
bool posture_is_6003(const struct servicing *t, const struct servicing_update *u)
{
	const struct servicing_update *first = first_6003(t);

	return first != NULL && u >= first && posture_ships_kernel(u);
}

/* The security-only update of the month that brings the same revision, or NULL. */
static const struct servicing_update *twin_of(
    const struct servicing *t, const struct servicing_update *u)
{
	for (size_t i = 0; i < t->nupdates; i++) {
		const struct servicing_update *o = &t->updates[i];

		if (o != u && posture_is_security(o) && o->build == u->build &&
		    o->revision == u->revision)
			return o;
	}
	return NULL;
}

/* Rows that bring a revision ascend in it by date. */
static void find_level(struct inventory *v, const struct servicing_update **ret_first,
    const struct servicing_update **ret_next)
{
	for (size_t i = 0; i < v->t->nupdates; i++) {
		const struct servicing_update *u = &v->t->updates[i];

		if (!posture_is_security(u) || u->build != v->h->build ||
		    u->revision == 0)
			continue;
		if (*ret_first == NULL)
			*ret_first = u;
		if (u->revision <= v->h->revision) {
			if (v->level == NULL || u->revision > v->level->revision)
				v->level = u;
		} else if (*ret_next == NULL) {
			*ret_next = u;
		}
	}
	v->beyond = v->level != NULL && *ret_next == NULL &&
		    v->h->revision > v->level->revision_high && v->h->build == 6003;
	v->exact = v->level != NULL && v->h->revision <= v->level->revision_high;
}

static struct posture_claim level_exact(struct inventory *v)
{
	const struct servicing_update *twin = twin_of(v->t, v->level);
	char month[POSTURE_MONTH_LEN];

	posture_month(v->level->month, month);
	if (twin == NULL)
		return posture_claim(v, CITES(v->level), "%u.%u: %s %s (%s)",
		    v->h->build, v->h->revision, month,
		    servicing_kind_name(v->level->kind), v->level->kb);
	return posture_claim(v, CITES(v->level, twin), "%u.%u: %s %s or %s (%s, %s)",
	    v->h->build, v->h->revision, month, servicing_kind_name(v->level->kind),
	    servicing_kind_name(twin->kind), v->level->kb, twin->kb);
}

static struct posture_claim level_near(struct inventory *v,
    const struct servicing_update *first, const struct servicing_update *next)
{
	char low[POSTURE_MONTH_LEN], high[POSTURE_MONTH_LEN];
	unsigned build = v->h->build, r = v->h->revision;

	if (v->level == NULL && first == NULL)
		return posture_claim(v, NULL, "%u.%u", build, r);
	if (v->level == NULL)
		return posture_claim(v, CITES(first),
		    "%u.%u: below the first revision known of "
		    "this build (%u.%u, %s)",
		    build, r, build, first->revision, posture_month(first->month, low));
	if (next == NULL)
		return posture_claim(v, CITES(v->level),
		    "%u.%u: above the last revision known "
		    "of this build (%u.%u, %s)",
		    build, r, build, v->level->revision_high,
		    posture_month(v->level->month, low));
	return posture_claim(v, CITES(v->level, next),
	    "%u.%u: between %s (%u.%u) and %s "
	    "(%u.%u)",
	    build, r, posture_month(v->level->month, low), build, v->level->revision,
	    posture_month(next->month, high), build, next->revision);
}

/* Some update listed brings 6003: that is its build, once restarted. */
static struct posture_claim level_of_nothing(struct inventory *v)
{
	for (size_t i = 0; i < v->nlisted; i++)
		if (posture_is_6003(v->t, v->listed[i]))
			return posture_claim(v, CITES(v->listed[i]),
			    "build not stated; %s (%s), which is listed, brings 6003",
			    v->listed[i]->kb, v->listed[i]->date);
	return posture_claim(v, NULL, "build not stated");
}

static struct posture_claim level_of_build(struct inventory *v)
{
	const struct servicing_update *first = first_6003(v->t);

	if (v->h->build == 0)
		return level_of_nothing(v);
	if (first == NULL)
		return posture_claim(v, NULL, "build %u", v->h->build);
	if (v->h->build == 6003)
		return posture_claim(v, CITES(first),
		    "6003, revision not stated: an update of "
		    "%s (%s) or later was installed",
		    first->date, first->kb);
	return posture_claim(v, CITES(first),
	    "6002, revision not stated: no update of %s (%s) "
	    "or later that raises the build is installed",
	    first->date, first->kb);
}

void posture_level(struct inventory *v)
{
	const struct servicing_update *first = NULL, *next = NULL;

	if (v->torn) {
		v->p->level = posture_claim(
		    v, NULL, "not known: what is declared contradicts itself");
		return;
	}
	if (v->h->build == 0 || v->h->revision == 0) {
		v->p->level = level_of_build(v);
		return;
	}
	find_level(v, &first, &next);
	v->p->level = v->exact ? level_exact(v) : level_near(v, first, next);
}
