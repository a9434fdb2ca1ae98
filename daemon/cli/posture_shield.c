/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what the policy has against a vulnerability, in words */
#include <netinet/in.h>

#include <cordon/guard.h>

#include "cli/observed.h"
#include "cli/out.h"
#include "cli/posture_out.h"

enum { SHOWN_MAX = 4 };

const struct observed_host *posture_observed(
    const struct posture_view *v, uint32_t host)
{
	return v->observed != NULL ? &v->observed->host[host] : NULL;
}

static size_t guards_text(FILE *f, const struct posture_view *v,
    const struct posture_shield *s, uint8_t action, const char *sep)
{
	size_t n = 0;

	for (size_t i = 0; i < s->nguards; i++) {
		const struct guard *g;

		if (s->guards[i].action != action)
			continue;
		g = FS_AT(v->fs, FS_GUARDS, struct guard, s->guards[i].guard);
		fprintf(f, "%s", n == 0 ? sep : ", ");
		out_escape(f, fs_str(v->fs, g->id));
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

static void sources_text(
    FILE *f, const struct posture_view *v, const struct posture_shield *s)
{
	char buf[NETRANGE_STRLEN];

	for (size_t i = 0; i < s->nsources && i < SHOWN_MAX; i++)
		fprintf(
		    f, "%s%s", i > 0 ? ", " : "", netrange_format(&s->sources[i], buf));
	if (s->nsources > SHOWN_MAX)
		fprintf(f, " and %zu more", s->nsources - SHOWN_MAX);
	fputs(" by ", f);
	for (size_t i = 0; i < s->nrules && i < SHOWN_MAX; i++) {
		fputs(i > 0 ? ", " : "", f);
		out_escape(f, fs_str(v->fs, fs_rule(v->fs, s->rules[i])->id));
	}
	if (s->nrules > SHOWN_MAX)
		fprintf(f, " and %zu more rules", s->nrules - SHOWN_MAX);
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
	size_t drop =
	    guards_text(f, v, s, FS_GUARD_DROP, "known attacks dropped by guard ");
	size_t alert = guards_text(f, v, s, FS_GUARD_ALERT,
	    drop > 0 ? ", only reported by guard "
		     : "known attacks only reported by guard ");

	if (drop + alert == 0 && !s->unreachable)
		fputs("no guard", f);
	if (drop + alert > 0 || !s->unreachable)
		fputs("; ", f);
	reach_text(f, v, finding);
}

void posture_total_text(FILE *f, const struct posture_total *t)
{
	fprintf(f, "%zu host%s: %zu judged, %zu not stated, %zu not covered\n",
	    t->hosts, t->hosts == 1 ? "" : "s", t->cover[POSTURE_JUDGED],
	    t->cover[POSTURE_NOT_STATED], t->cover[POSTURE_NOT_COVERED]);
	fprintf(f,
	    "vulnerabilities: %zu open, %zu can't tell, %zu fixed, %zu not affected\n",
	    t->states[POSTURE_OPEN], t->states[POSTURE_CANT_TELL],
	    t->states[POSTURE_FIXED], t->states[POSTURE_NOT_AFFECTED]);
	if (t->inconsistent > 0)
		fprintf(f, "inconsistent inventory: %zu\n", t->inconsistent);
	if (t->differing > 0)
		fprintf(
		    f, "another system than declared was seen: %zu\n", t->differing);
}
