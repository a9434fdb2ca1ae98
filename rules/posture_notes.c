/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what in an inventory looks like a mistake: numbers of others, slips, wrong
 * builds
 */
#include <stdio.h>
#include <string.h>

#include "rules/posture.h"

enum { NEAR_MAX = 2, NAMES_MAX = 4 };

/* ---- updates that are not in the table ---- */

static const char *listed_kb(const struct inventory *v, uint32_t i)
{
	return fs_str(
	    v->fs, *FS_AT(v->fs, FS_WORDS, uint32_t, v->h->updates.first + i));
}

/* "KB1, KB2 and 3 more" of those that `other` lists (NULL: that nobody knows). */
static size_t names(const struct inventory *v, const struct servicing_other *other,
    char *buf, size_t size)
{
	const struct servicing_update *near[1];
	size_t n = 0, at = 0;

	buf[0] = '\0';
	for (uint32_t i = 0; i < v->h->updates.count; i++) {
		const char *kb = listed_kb(v, i);

		if (servicing_find(v->t, kb) != NULL ||
		    servicing_of_other(v->t, kb) != other ||
		    (other == NULL && servicing_near(v->t, kb, near, 1) > 0))
			continue;
		if (n++ < NAMES_MAX && at < size)
			at += (size_t)snprintf(
			    buf + at, size - at, "%s%s", n > 1 ? ", " : "", kb);
	}
	if (n > NAMES_MAX && at < size)
		snprintf(buf + at, size - at, " and %zu more", n - NAMES_MAX);
	return n;
}

static void note_others(struct inventory *v)
{
	char buf[96];

	for (size_t i = 0; i < v->t->nothers; i++) {
		size_t n = names(v, &v->t->others[i], buf, sizeof(buf));

		if (n > 0)
			posture_note(v,
			    posture_claim(v, NULL,
				"%s: %s of %s, not of this system; mistyped, or another "
				"machine's list: %s nothing here",
				buf, n == 1 ? "an update" : "updates",
				v->t->others[i].product,
				n == 1 ? "it proves" : "they prove"));
	}
}

static void note_slips(struct inventory *v)
{
	for (uint32_t i = 0; i < v->h->updates.count; i++) {
		const struct servicing_update *near[NEAR_MAX];
		const char *kb = listed_kb(v, i);
		size_t n;

		if (servicing_find(v->t, kb) != NULL ||
		    servicing_of_other(v->t, kb) != NULL)
			continue;
		n = servicing_near(v->t, kb, near, NEAR_MAX);
		if (n > 0)
			posture_note(v,
			    posture_claim(v, CITES(near[0], n > 1 ? near[1] : NULL),
				"%s is not in the table: it proves nothing here (did you "
				"mean %s%s%s?)",
				kb, near[0]->kb, n > 1 ? " or " : "",
				n > 1 ? near[1]->kb : ""));
	}
}

static void note_unknown(struct inventory *v)
{
	char buf[96];
	size_t n = names(v, NULL, buf, sizeof(buf));

	if (n > 0)
		posture_note(
		    v, posture_claim(v, NULL, "%s: not in the table, %s nothing here",
			   buf, n == 1 ? "proves" : "prove"));
}

/* ---- the revision ---- */

/* Whose revision this is exactly, of another build than the declared one. */
static const struct servicing_update *brings(const struct inventory *v)
{
	for (size_t i = 0; i < v->t->nupdates; i++) {
		const struct servicing_update *u = &v->t->updates[i];

		if (posture_is_security(u) && u->build != v->h->build &&
		    u->revision != 0 && u->revision <= v->h->revision &&
		    v->h->revision <= u->revision_high)
			return u;
	}
	return NULL;
}

static void note_revision(struct inventory *v)
{
	const struct servicing_update *u;

	if (v->h->revision == 0 || v->exact)
		return;
	u = brings(v);
	if (v->h->build == 0)
		posture_note(v, posture_claim(v, CITES(u),
				    "revision %u without a build proves nothing%s%s",
				    v->h->revision, u != NULL ? "; it is that of " : "",
				    u != NULL ? u->kb : ""));
	else if (u != NULL)
		posture_note(v,
		    posture_claim(v, CITES(u),
			"%u is the revision that %s (%s) gives build %u, not %u: one of the "
			"two may be mistyped",
			v->h->revision, u->kb, u->date, u->build, v->h->build));
	if (v->beyond)
		posture_note(v,
		    posture_claim(v, CITES(v->level),
			"no known update brings revision %u.%u: it proves nothing here",
			v->h->build, v->h->revision));
}

void posture_notes(struct inventory *v)
{
	note_others(v);
	note_slips(v);
	note_unknown(v);
	note_revision(v);
}

/* ---- what is not covered ---- */

bool posture_is_r2(const char *product)
{
	return strncmp(product, "windows-server-2008", 19) == 0 &&
	       strstr(product, "-r2") != NULL;
}

/* NULL: it is. */
static const char *product_why_not(const char *product)
{
	if (*product == '\0' || posture_is_2008(product))
		return NULL;
	if (posture_is_r2(product))
		return "Windows Server 2008 R2 is another system (6.1), with updates of its own";
	if (strncmp(product, "windows-server-2008", 19) == 0)
		return "Service Pack 2 comes before all updates of the table";
	return "the table is that of windows-server-2008-sp2";
}

static const char *build_why_not(uint32_t build)
{
	static const struct {
		uint32_t build;
		const char *why;
	} rows[] = {
		{ 6000,
		    "Windows Vista's without a service pack; no Server 2008 has it" },
		{ 6001,
		    "Windows Server 2008 as it shipped, without Service Pack 2, which comes "
		    "before all updates of the table" },
		{ 7600, "Windows Server 2008 R2's (6.1), another system" },
		{ 7601, "Windows Server 2008 R2's (6.1), another system" },
	};

	if (build == 0 || build == 6002 || build == 6003)
		return NULL;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].build == build)
			return rows[i].why;
	return "not that of Service Pack 2 (6002, 6003)";
}

bool posture_not_covered(struct inventory *v)
{
	const char *product = fs_str(v->fs, v->h->product);
	const char *system = product_why_not(product),
		   *build = build_why_not(v->h->build);

	if (system == NULL && build == NULL)
		return false;
	if (system != NULL && strncmp(product, "windows-server-2008", 19) == 0 &&
	    (v->h->build == 6002 || v->h->build == 6003))
		v->p->level = posture_claim(v, NULL,
		    "not covered: %s; but build %u is one of Service Pack 2", system,
		    v->h->build);
	else if (build != NULL && (system == NULL || v->h->build == 6001))
		v->p->level = posture_claim(
		    v, NULL, "not covered: build %u is %s", v->h->build, build);
	else
		v->p->level = posture_claim(v, NULL, "not covered: %s", system);
	return true;
}
