/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what a host can still install, and until when */
#include "rules/posture.h"

#include <stdio.h>
#include <string.h>

#include "rules/when.h"

static const struct servicing_update *end_of(
    const struct servicing *t, enum servicing_programme p)
{
	for (size_t i = 0; i < t->nupdates; i++)
		if (t->updates[i].kind == SERVICING_END && t->updates[i].programme == p)
			return &t->updates[i];
	return NULL;
}

static bool is_listed(const struct inventory *v, const struct servicing_update *u)
{
	for (size_t i = 0; i < v->nlisted; i++)
		if (v->listed[i] == u)
			return true;
	return false;
}

/* Updates that later ones need, and those of them that the inventory lacks. */
struct needs {
	const struct servicing_update *all[4], *missing[4];
	unsigned nall, nmissing;
	uint32_t from;
};

static void find_needs(const struct inventory *v, struct needs *n)
{
	memset(n, 0, sizeof(*n));
	for (size_t i = 0; i < v->t->nupdates && n->nall < 3; i++) {
		const struct servicing_update *u = &v->t->updates[i];

		if (u->required_from == 0)
			continue;
		n->from = u->required_from;
		n->all[n->nall++] = u;
		if (!is_listed(v, u))
			n->missing[n->nmissing++] = u;
	}
}

/* An update that is installed and needed them. */
static const struct servicing_update *took(const struct inventory *v, uint32_t from)
{
	for (size_t i = v->nlisted; i-- > 0;)
		if (posture_ships_kernel(v->listed[i]) && v->listed[i]->month >= from)
			return v->listed[i];
	return !v->torn && !v->beyond && v->level != NULL && v->level->month >= from
		   ? v->level
		   : NULL;
}

static const char *need_name(const struct servicing_update *u)
{
	return u->kind == SERVICING_SHA2 ? "SHA-2" : "servicing stack";
}

static void names_of(
    char *buf, size_t size, const struct servicing_update *const *u, unsigned n)
{
	size_t at = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < n && at < size; i++)
		at += (size_t)snprintf(buf + at, size - at, "%s%s (%s)",
		    i > 0 ? " and " : "", u[i]->kb, need_name(u[i]));
}

/* "; free updates ended 2020-01-14, …": who can still have something. */
static void ends_text(const struct inventory *v, char *buf, size_t size)
{
	static const char *const what[SERVICING_NPROGRAMMES] = { "free updates", "ESU",
		"ESU in Azure", "Premium Assurance" };
	size_t at = 0;

	buf[0] = '\0';
	for (int p = 0; p < SERVICING_NPROGRAMMES; p++) {
		const struct servicing_update *e =
		    end_of(v->t, (enum servicing_programme)p);
		bool date;
		int64_t t;

		if (e == NULL || at >= size ||
		    when_parse_time(e->date, &t, &date) == -1)
			continue;
		at += (size_t)snprintf(buf + at, size - at, "%s%s %s %s",
		    at > 0 ? ", " : "", what[p], v->at >= t + 86400 ? "ended" : "ends",
		    e->date);
	}
}

/* The last rollup that needs nothing. */
static const struct servicing_update *last_before(
    const struct servicing *t, uint32_t month)
{
	for (size_t i = t->nupdates; i-- > 0;)
		if (t->updates[i].kind == SERVICING_ROLLUP &&
		    t->updates[i].month < month)
			return &t->updates[i];
	return NULL;
}

static struct posture_claim install_no(struct inventory *v, const struct needs *n)
{
	const struct servicing_update *old = last_before(v->t, n->from);
	char from[POSTURE_MONTH_LEN], what[160];

	posture_month(n->from, from);
	names_of(what, sizeof(what), n->missing, n->nmissing);
	return posture_claim(v,
	    CITES(n->missing[0], n->missing[1] ? n->missing[1] : old,
		n->missing[1] ? old : NULL),
	    "can't take updates from %s on: %s %s not listed%s%s%s", from, what,
	    n->nmissing == 1 ? "is" : "are",
	    n->nmissing > 1 ? " (the order between them is not settled)" : "",
	    old != NULL ? "; what it can take ends with " : "",
	    old != NULL ? old->kb : "");
}

void posture_install(struct inventory *v)
{
	char ends[200], from[POSTURE_MONTH_LEN], what[160];
	const struct servicing_update *done;
	struct needs n;

	find_needs(v, &n);
	if (n.nall == 0)
		return;
	posture_month(n.from, from);
	ends_text(v, ends, sizeof(ends));
	done = took(v, n.from);
	if (n.nmissing == 0) {
		v->p->install_new = POSTURE_INSTALL_YES;
		names_of(what, sizeof(what), n.all, n.nall);
		v->p->install = posture_claim(v,
		    CITES(n.all[0], n.all[1], end_of(v->t, SERVICING_FREE),
			end_of(v->t, SERVICING_ESU), end_of(v->t, SERVICING_AZURE),
			end_of(v->t, SERVICING_PREMIUM)),
		    "updates from %s on: %s are listed; %s", from, what, ends);
	} else if (done != NULL) {
		v->p->install_new = POSTURE_INSTALL_IT_DID;
		names_of(what, sizeof(what), n.missing, n.nmissing);
		v->p->install =
		    posture_claim(v, CITES(done, n.missing[0], n.missing[1]),
			"took an update of %s or later, though %s %s not listed; %s",
			from, what, n.nmissing == 1 ? "is" : "are", ends);
	} else {
		v->p->install_new = POSTURE_INSTALL_NO;
		v->p->install = install_no(v, &n);
	}
}
