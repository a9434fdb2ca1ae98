/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what a posture says in words: claims, what was seen, what stands against */
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include <cordon/guard.h>

#include "cli/observed.h"
#include "cli/out.h"
#include "cli/posture_out.h"

enum { SHOWN_MAX = 4 };

bool posture_made_begin(struct posture_made *m)
{
	m->text = NULL;
	m->f = open_memstream(&m->text, &m->size);
	return m->f != NULL;
}

void posture_claim_text(FILE *f, const struct posture_claim *c)
{
	fputs(c->text, f);
	for (unsigned i = 0; i < c->ncites; i++)
		if (c->cite[i]->uncertain && strstr(c->text, "uncertain") == NULL)
			fprintf(f, " [%s: uncertain]",
			    *c->cite[i]->kb != '\0' ? c->cite[i]->kb : c->cite[i]->date);
}

void posture_name_text(FILE *f, const struct servicing_vuln *n)
{
	bool cve = strcmp(n->id, n->cve[0]) != 0;

	fputs(n->id, f);
	if (cve)
		fprintf(f, " (%s%s", n->cve[0], n->ncve > 1 ? " …" : "");
	if (*n->role != '\0')
		fprintf(f, "%sif it is a %s", cve ? "; " : " (", n->role);
	if (cve || *n->role != '\0')
		fputc(')', f);
	if (*n->title != '\0')
		fprintf(f, ", %s", n->title);
}

/* "agrees: NTLM: build 6003 … (at 10.9.0.2 as ERP01, 3 events, last 2026-01-02T…)" */
void posture_sight_text(FILE *f, const struct observed_sight *s)
{
	fprintf(f, "%s: %s (at %s",
	    s->verdict != POSTURE_SEEN_NOTHING ? posture_seen_name(s->verdict) : "unknown",
	    *s->said != '\0' ? s->said : "nothing that tells a build", s->address);
	if (s->name[0] != '\0')
		fprintf(f, " as %s", s->name);
	fprintf(f, ", %llu event%s", (unsigned long long)s->count, s->count == 1 ? "" : "s");
	if (s->last[0] == '\0')
		fputs(", at no time told", f);
	else if (strcmp(s->first, s->last) == 0)
		fprintf(f, ", %s", s->last);
	else
		fprintf(f, ", %s to %s", s->first, s->last);
	fputs(s->past ? ", no more since)" : ")", f);
}

const struct observed_host *posture_observed(
    const struct posture_view *v, uint32_t host)
{
	return v->observed != NULL ? &v->observed->host[host] : NULL;
}

const char *posture_until(int64_t at, char buf[static POSTURE_UNTIL_LEN])
{
	bool date = at % 86400 == 0;
	time_t t = (time_t)(date ? at - 1 : at);
	struct tm tm;

	buf[0] = '\0';
	if (at != FS_FOREVER && gmtime_r(&t, &tm) != NULL)
		strftime(buf, POSTURE_UNTIL_LEN, date ? "%Y-%m-%d" : "%Y-%m-%dT%H:%M:%SZ",
		    &tm);
	return buf;
}

/* " through 2027-01-31", as a policy says it. */
static void until_text(FILE *f, int64_t at)
{
	char buf[POSTURE_UNTIL_LEN];

	if (*posture_until(at, buf) != '\0')
		fprintf(f, " %s %s", at % 86400 == 0 ? "through" : "until", buf);
}

static void ranges_text(FILE *f, const struct netrange *r, size_t n)
{
	char buf[NETRANGE_STRLEN];

	for (size_t i = 0; i < n && i < SHOWN_MAX; i++)
		fprintf(f, "%s%s", i > 0 ? ", " : "", netrange_format(&r[i], buf));
	if (n > SHOWN_MAX)
		fprintf(f, " and %zu more", n - SHOWN_MAX);
}

/* "smb1 (but not from 10.1.0.9 until 2027-01-31)" */
static void guard_text(FILE *f, const struct posture_view *v, const struct posture_guard *g)
{
	out_escape(f, fs_str(v->fs, FS_AT(v->fs, FS_GUARDS, struct guard, g->guard)->id));
	if (g->except.count > 0) {
		fputs(" (but not from ", f);
		ranges_text(f, fs_range(v->fs, g->except.first), g->except.count);
		until_text(f, g->until);
		fputc(')', f);
	} else if (g->then != g->action) {
		until_text(f, g->until);
	}
}

static size_t guards_text(FILE *f, const struct posture_view *v,
    const struct posture_shield *s, uint8_t action, const char *sep)
{
	size_t n = 0;

	for (size_t i = 0; i < s->nguards; i++) {
		if (s->guards[i].action != action)
			continue;
		fputs(n == 0 ? sep : ", ", f);
		guard_text(f, v, &s->guards[i]);
		n++;
	}
	return n;
}

/* "SMB or tcp/135" */
static void what_text(FILE *f, const struct servicing_vuln *n)
{
	const char *sep = "";

	if (n->speaks != 0) {
		fputs(n->speaks == FS_RDP ? "RDP" : "SMB", f);
		sep = " or ";
	}
	for (unsigned i = 0; i < n->nports; i++, sep = " or ")
		fprintf(f, "%s%s/%u", sep,
		    n->ports[i].proto == IPPROTO_UDP ? "udp" : "tcp", n->ports[i].port);
}

static void rule_text(FILE *f, const struct posture_view *v, const struct fs_rule *r)
{
	out_escape(f, fs_str(v->fs, r->id));
	if (r->schedule == FS_NONE)
		return;
	fputs(" (", f);
	out_escape(f,
	    fs_str(v->fs,
		FS_AT(v->fs, FS_SCHEDULES, struct fs_schedule, r->schedule)->text));
	fputc(')', f);
}

static void sources_text(
    FILE *f, const struct posture_view *v, const struct posture_shield *s)
{
	ranges_text(f, s->sources, s->nsources);
	fputs(" by ", f);
	for (size_t i = 0; i < s->nrules && i < SHOWN_MAX; i++) {
		fputs(i > 0 ? ", " : "", f);
		rule_text(f, v, fs_rule(v->fs, s->rules[i]));
	}
	if (s->nrules > SHOWN_MAX)
		fprintf(f, " and %zu more rules", s->nrules - SHOWN_MAX);
}

/* "; a grant can open it to 10.1.0.0/24 for 60 minutes" */
static void grant_text(
    FILE *f, const struct posture_view *v, const struct posture_shield *s)
{
	const struct fs_jit *j;

	if (s->grant == FS_NONE)
		return;
	j = FS_AT(v->fs, FS_JITS, struct fs_jit, s->grant);
	fputs("; a grant can open it to ", f);
	ranges_text(f, fs_range(v->fs, j->from.first), j->from.count);
	if (j->max_s % 60 == 0)
		fprintf(f, " for at most %u minutes", j->max_s / 60);
	else
		fprintf(f, " for at most %u seconds", j->max_s);
}

static void required_text(FILE *f, const struct posture_finding *finding)
{
	static const struct {
		uint8_t require;
		const char *what;
	} rows[] = { { FS_REQ_NLA, "NLA" }, { FS_REQ_SMB2, "SMB2" },
		{ FS_REQ_SIGNING, "signing" } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if ((finding->vuln->require & rows[i].require) != 0)
			fprintf(f, "; %s is %srequired there", rows[i].what,
			    (finding->shield.require & rows[i].require) != 0 ? "" : "not ");
}

static void reach_text(
    FILE *f, const struct posture_view *v, const struct posture_finding *finding)
{
	const struct posture_shield *s = &finding->shield;

	if (s->unreachable)
		fputs("nobody reaches ", f);
	what_text(f, finding->vuln);
	if (s->unreachable)
		return;
	if (s->observed) {
		fputs(" reachable from anywhere: the host is only observed", f);
		return;
	}
	fputs(" reachable from ", f);
	sources_text(f, v, s);
	required_text(f, finding);
}

void posture_shield_text(
    FILE *f, const struct posture_view *v, const struct posture_finding *finding)
{
	const struct posture_shield *s = &finding->shield;
	size_t n;

	fprintf(f, "%s: ", posture_against_name(s->level));
	if (s->unreachable) {
		reach_text(f, v, finding);
		grant_text(f, v, s);
		return;
	}
	n = guards_text(f, v, s, FS_GUARD_DROP, "known attacks dropped by guard ");
	n += guards_text(f, v, s, FS_GUARD_ALERT,
	    n > 0 ? ", only reported by guard " : "known attacks only reported by guard ");
	if (n == 0)
		fputs("no guard", f);
	guards_text(f, v, s, FS_GUARD_OFF, ", switched off: guard ");
	fputs("; ", f);
	reach_text(f, v, finding);
	grant_text(f, v, s);
}

void posture_first_text(FILE *f, const struct posture_first *first)
{
	for (size_t i = 0; i < first->n; i++) {
		fprintf(f, "%s%s", i > 0 ? ", " : "", first->vulns[i]->id);
		if (*first->vulns[i]->role != '\0')
			fprintf(f, " (if it is a %s)", first->vulns[i]->role);
	}
}

static void against_row(struct out_table *table, const struct posture_total *t,
    enum posture_state state)
{
	char n[POSTURE_NAGAINST + 1][24];
	size_t i;

	for (i = 0; i < POSTURE_NAGAINST; i++)
		snprintf(n[i], sizeof(n[i]), "%zu", t->against[state][i]);
	snprintf(n[i], sizeof(n[i]), "%zu", t->states[state]);
	out_table_row(table, posture_state_name(state), n[i], n[POSTURE_CLOSED],
	    n[POSTURE_GUARDED], n[POSTURE_PARTLY], n[POSTURE_NOTHING]);
}

static void against_table(FILE *f, const struct posture_total *t)
{
	struct out_table *table = out_table_new(
	    "vulnerabilities|>all|>nobody reaches|>guarded|>partly|>nothing against it");

	if (table == NULL)
		return;
	against_row(table, t, POSTURE_OPEN);
	against_row(table, t, POSTURE_CANT_TELL);
	out_table_print(table, f, false);
	out_table_free(table);
}

void posture_total_text(FILE *f, const struct posture_total *t)
{
	fprintf(f, "%zu host%s: %zu judged, %zu not stated, %zu not covered\n",
	    t->hosts, t->hosts == 1 ? "" : "s", t->cover[POSTURE_JUDGED],
	    t->cover[POSTURE_NOT_STATED], t->cover[POSTURE_NOT_COVERED]);
	if (t->inconsistent > 0)
		fprintf(f, "inconsistent inventory: %zu\n", t->inconsistent);
	if (t->differing > 0)
		fprintf(
		    f, "another system than declared was seen: %zu\n", t->differing);
	if (t->cover[POSTURE_JUDGED] == 0)
		return;
	fputc('\n', f);
	against_table(f, t);
	fprintf(f, "fixed: %zu, not affected: %zu\n", t->states[POSTURE_FIXED],
	    t->states[POSTURE_NOT_AFFECTED]);
}
