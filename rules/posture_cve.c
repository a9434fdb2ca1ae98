/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: which vulnerabilities an inventory proves fixed or open, and which neither
 */
#include <stdio.h>
#include <string.h>

#include "rules/posture.h"

struct answer {
	enum posture_state state;
	enum posture_by by;
	struct posture_claim why;
};

#define FIXED(v, b, cites, ...)                                                        \
	((struct answer){                                                              \
	    POSTURE_FIXED, (b), posture_claim((v), (cites), __VA_ARGS__) })
#define ANSWER(v, s, cites, ...)                                                       \
	((struct answer){                                                              \
	    (s), POSTURE_BY_NOTHING, posture_claim((v), (cites), __VA_ARGS__) })

static bool fixes(const struct servicing_vuln *n, const struct servicing_update *u)
{
	for (unsigned i = 0; i < n->nfixed_by; i++)
		if (n->fixed_by[i] == u)
			return true;
	return false;
}

/* The installed update that holds the fix, or NULL: one that is named, or a rollup
 * since. */
static const struct servicing_update *proof_of(
    const struct inventory *v, const struct servicing_vuln *n)
{
	for (size_t i = 0; i < v->nlisted; i++)
		if (fixes(n, v->listed[i]))
			return v->listed[i];
	for (size_t i = 0; n->in_rollups && i < v->nlisted; i++)
		if (v->listed[i]->kind == SERVICING_ROLLUP &&
		    strcmp(v->listed[i]->date, n->fixed_by[0]->date) >= 0)
			return v->listed[i];
	return NULL;
}

/* A security-only update after the fix, which gives a high revision without it. */
static const struct servicing_update *later_alone(
    const struct inventory *v, const struct servicing_vuln *n)
{
	for (size_t i = v->nlisted; i-- > 0;)
		if (v->listed[i]->kind == SERVICING_SECURITY_ONLY &&
		    v->listed[i]->month > n->fixed_by[0]->month)
			return v->listed[i];
	return NULL;
}

/* Whether all that brings exactly the declared revision is known to hold the fix. */
static bool revision_is_fix(const struct inventory *v, const struct servicing_vuln *n)
{
	bool any = false;

	if (!v->exact)
		return false;
	for (size_t i = 0; i < v->t->nupdates; i++) {
		const struct servicing_update *u = &v->t->updates[i];

		if (u->build != v->h->build || v->h->revision < u->revision ||
		    v->h->revision > u->revision_high || u->revision == 0)
			continue;
		if (!fixes(n, u))
			return false;
		any = true;
	}
	return any;
}

/* "KB4499149 or KB4499180" */
static const char *fix_names(const struct servicing_vuln *n, char *buf, size_t size)
{
	size_t at = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < n->nfixed_by && at < size; i++)
		at += (size_t)snprintf(buf + at, size - at, "%s%s",
		    i == 0                  ? ""
		    : i + 1 == n->nfixed_by ? " or "
					    : ", ",
		    n->fixed_by[i]->kb);
	return buf;
}

/* A fix from before the rollups, or one whose update is not known: only its number in
 * the inventory proves it. */
static struct answer by_number(struct inventory *v, const struct servicing_vuln *n)
{
	char names[160];

	if (n->nfixed_by == 0)
		return ANSWER(v, POSTURE_CANT_TELL, NULL, "%s",
		    *n->note != '\0' ? n->note
				     : "the fixing update is not in the table");
	fix_names(n, names, sizeof(names));
	if (!n->in_rollups)
		return ANSWER(v, POSTURE_CANT_TELL,
		    CITES(n->fixed_by[0], n->nfixed_by > 1 ? n->fixed_by[1] : NULL),
		    "%s not listed; whether rollups hold the fix is not known", names);
	return ANSWER(v, POSTURE_CANT_TELL, CITES(n->fixed_by[0]),
	    "%s or a later rollup not listed", names);
}

/* A higher revision is no proof: a later security-only update brings it without the
 * earlier ones, and nothing else tells the two apart. */
static struct answer by_higher_revision(
    struct inventory *v, const struct servicing_vuln *n)
{
	const struct servicing_update *alone = later_alone(v, n);
	char names[160];

	fix_names(n, names, sizeof(names));
	if (alone != NULL)
		return ANSWER(v, POSTURE_CANT_TELL, CITES(n->fixed_by[0], alone),
		    "%u.%u can come of %s, which is security-only; %s or a later rollup would "
		    "prove it",
		    v->h->build, v->h->revision, alone->kb, names);
	return ANSWER(v, POSTURE_CANT_TELL, CITES(n->fixed_by[0], v->level),
	    "%u.%u can come of a security-only update without it; %s or a later rollup, "
	    "listed, would prove it",
	    v->h->build, v->h->revision, names);
}

static struct answer by_revision(struct inventory *v, const struct servicing_vuln *n)
{
	const struct servicing_update *fix = n->fixed_by[0];

	if (v->torn)
		return ANSWER(v, POSTURE_CANT_TELL, CITES(fix),
		    "the inventory contradicts itself");
	if (v->h->build != 0 && v->h->build < n->build)
		return ANSWER(v, POSTURE_OPEN, CITES(fix),
		    "build %u; the fix came with %u.%u", v->h->build, n->build,
		    n->revision);
	if (v->h->build != n->build || v->h->revision == 0)
		return by_number(v, n);
	if (v->h->revision < n->revision)
		return ANSWER(v, POSTURE_OPEN, CITES(fix),
		    "%u.%u is below %u.%u, the first "
		    "that is fixed",
		    v->h->build, v->h->revision, n->build, n->revision);
	if (revision_is_fix(v, n))
		return FIXED(v, POSTURE_BY_REVISION, CITES(fix),
		    "every update that brings %u.%u "
		    "holds the fix",
		    v->h->build, v->h->revision);
	return by_higher_revision(v, n);
}

static enum posture_by by_of(const struct servicing_update *u)
{
	if (u->kind == SERVICING_ROLLUP)
		return POSTURE_BY_ROLLUP;
	return u->kind == SERVICING_SECURITY_ONLY ? POSTURE_BY_SECURITY_ONLY
						  : POSTURE_BY_FIX;
}

static struct answer judge_one(struct inventory *v, const struct servicing_vuln *n)
{
	const struct servicing_update *proof;

	if (!n->affects)
		return ANSWER(v, POSTURE_NOT_AFFECTED, NULL, "%s", n->note);
	proof = proof_of(v, n);
	if (proof != NULL && fixes(n, proof))
		return FIXED(v, by_of(proof), CITES(proof), "%s is listed", proof->kb);
	if (proof != NULL)
		return FIXED(v, POSTURE_BY_ROLLUP, CITES(proof, n->fixed_by[0]),
		    "%s, a rollup of %s, holds it", proof->kb, proof->date);
	if (n->nfixed_by == 0 || n->build == 0)
		return by_number(v, n);
	return by_revision(v, n);
}

void posture_findings(struct inventory *v)
{
	struct posture *p = v->p;

	p->findings = arena_calloc(v->arena, v->t->nvulns, sizeof(*p->findings));
	if (p->findings == NULL)
		return;
	for (size_t i = 0; i < v->t->nvulns; i++) {
		struct posture_finding *f = &p->findings[p->nfindings++];
		struct answer a = judge_one(v, &v->t->vulns[i]);

		f->vuln = &v->t->vulns[i];
		f->state = a.state;
		f->by = a.by;
		f->why = a.why;
		p->states[a.state]++;
		if (a.state == POSTURE_FIXED)
			continue;
		posture_shield(v, f->vuln, &f->shield);
		p->against[a.state][f->shield.level]++;
	}
}
