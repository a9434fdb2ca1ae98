/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the way to a verdict, step by step, as a person asks "why" and "why not" */
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include <cordon/guard.h>

#include "cli/answer.h"
#include "cli/out.h"

enum { NEAR_MAX = 3, GUARDS_A_LINE = 5 };

struct path {
	FILE *f;
	const struct fs *fs;
	const struct fs_flow *flow;
	const struct fs_verdict *v;
	bool colour;
};

/* The start of a step; NULL: one more line of the step before. */
static void step(const struct path *p, const char *name)
{
	fprintf(p->f, "  %-10s", name != NULL ? name : "");
}

static void put(const struct path *p, uint32_t string)
{
	out_escape(p->f, fs_str(p->fs, string));
}

static void place(const struct path *p, uint32_t file, uint32_t line)
{
	fputs(" (", p->f);
	put(p, file);
	fprintf(p->f, ":%u)", line);
}

static void instant(const struct path *p, int64_t at)
{
	time_t t = (time_t)at;
	struct tm tm;
	char text[32] = "?";

	if (gmtime_r(&t, &tm))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	fputs(text, p->f);
}

/* ---- whose addresses they are ---- */

static void whose(const struct path *p, const struct netaddr *a)
{
	uint32_t i = fs_place_of(p->fs, a);
	const struct fs_host *h = i != FS_NONE ? fs_host(p->fs, i) : NULL;
	char text[NETADDR_STRLEN];

	fputs(netaddr_format(a, text), p->f);
	if (h == NULL) {
		fputs(netranges_have(fs_range(p->fs, p->fs->settings.addresses.first),
			  p->fs->settings.addresses.count, a)
			? " is the gateway's own"
			: " is neither declared nor protected", p->f);
		return;
	}
	fputs(h->declared ? " is " : " is an undeclared address of ", p->f);
	put(p, h->name);
	place(p, h->file, h->line);
	fputs(h->mode == FS_OBSERVE ? ", only observed" : ", enforced", p->f);
}

static void places(const struct path *p)
{
	step(p, "place");
	whose(p, &p->flow->src);
	fputc('\n', p->f);
	step(p, NULL);
	whose(p, &p->flow->dst);
	fputc('\n', p->f);
	if (p->v->reason == FS_WHY_NOT_OURS)
		return;
	step(p, "blocked");
	fputs("not known without the gateway: `cordon block --list` there\n", p->f);
}

/* ---- rules ---- */

static const struct netaddr *peer_of(const struct path *p, enum fs_dir dir)
{
	return dir == FS_IN ? &p->flow->src : &p->flow->dst;
}

static bool has_peer(const struct path *p, const struct fs_rule *r)
{
	return netranges_have(fs_range(p->fs, r->peers.first), r->peers.count,
	    peer_of(p, (enum fs_dir)r->dir));
}

static bool has_service(const struct path *p, const struct fs_rule *r)
{
	for (uint32_t i = 0; i < r->services.count; i++) {
		const struct fs_service *s = fs_service(p->fs, r->services.first + i);

		if (s->proto == p->flow->proto && s->lo <= p->flow->dport &&
		    p->flow->dport <= s->hi &&
		    (s->family == 0 || s->family == p->flow->src.v))
			return true;
	}
	return false;
}

static void rule_name(const struct path *p, const struct fs_rule *r)
{
	put(p, r->id);
	place(p, r->file, r->line);
}

static void why(const struct path *p, const struct fs_rule *r)
{
	if (*fs_str(p->fs, r->reason)) {
		fputs(": ", p->f);
		put(p, r->reason);
	}
	if (*fs_str(p->fs, r->ticket)) {
		fputs(", ", p->f);
		put(p, r->ticket);
	}
}

static void validity(const struct path *p, const struct fs_rule *r)
{
	int64_t until;

	if (r->schedule != FS_NONE) {
		fputs("; only ", p->f);
		put(p,
		    FS_AT(p->fs, FS_SCHEDULES, struct fs_schedule, r->schedule)->text);
		fputs(" (", p->f);
		put(p, p->fs->settings.timezone);
		fputc(')', p->f);
	}
	if (fs_rule_active(p->fs, r, p->flow->at, &until) && until != FS_FOREVER) {
		fputs(until == r->expires ? "; expires " : "; until ", p->f);
		instant(p, until);
	} else if (r->expires != FS_FOREVER) {
		fputs(p->flow->at >= r->expires ? "; expired " : "; expires ", p->f);
		instant(p, r->expires);
	}
}

static const char *family_word(enum fs_dir dir)
{
	return dir == FS_IN ? "from" : "to";
}

/* Of the rule's peers the range that is least far from the flow's. */
static const struct netrange *nearest_peer(const struct path *p, const struct fs_rule *r)
{
	const struct netrange *peers = fs_range(p->fs, r->peers.first);
	const struct netaddr *want = peer_of(p, (enum fs_dir)r->dir);
	size_t at = netranges_from(peers, r->peers.count, want);

	/* The one behind shares fewer leading bytes than the one before, or more. */
	if (at == r->peers.count || peers[at].lo.v != want->v) {
		if (at > 0)
			at--;
	} else if (at > 0 && peers[at - 1].hi.v == want->v) {
		size_t before = 0, behind = 0, n = netaddr_size(want);

		while (before < n && peers[at - 1].hi.b[before] == want->b[before])
			before++;
		while (behind < n && peers[at].lo.b[behind] == want->b[behind])
			behind++;
		if (before > behind)
			at--;
	}
	return at < r->peers.count ? &peers[at] : NULL;
}

static void its_peers(const struct path *p, const struct fs_rule *r)
{
	const struct netrange *near = nearest_peer(p, r);
	char text[NETRANGE_STRLEN];

	if (near == NULL)
		return;
	fprintf(p->f, " %s %s", family_word((enum fs_dir)r->dir),
	    netrange_format(near, text));
	if (r->peers.count > 1)
		fprintf(p->f, " and %u more", r->peers.count - 1);
}

static void its_services(const struct path *p, const struct fs_rule *r)
{
	const char *sep = " on ";
	uint32_t last = FS_NONE;

	for (uint32_t i = 0; i < r->services.count; i++) {
		uint32_t name = fs_service(p->fs, r->services.first + i)->name;

		if (name == last)
			continue;
		fputs(sep, p->f);
		put(p, name);
		sep = ", ";
		last = name;
	}
}

/* ---- one side ---- */

/* All rules that match: the first names the side, the others widen what it grants. */
static void matching(const struct path *p, const struct fs_side *s)
{
	const struct fs_span *rules = &fs_host(p->fs, s->host)->rules[s->dir];
	bool first = true;

	for (uint32_t i = 0; i < rules->count; i++) {
		const struct fs_rule *r = fs_rule(p->fs, rules->first + i);

		if (!has_peer(p, r) || !has_service(p, r) ||
		    !fs_rule_active(p->fs, r, p->flow->at, NULL))
			continue;
		step(p, first ? answer_dir(s->dir) : NULL);
		fputs(first ? "" : "and ", p->f);
		rule_name(p, r);
		fputs(s->dir == FS_IN ? " lets it in" : " lets it out", p->f);
		why(p, r);
		validity(p, r);
		fputc('\n', p->f);
		first = false;
	}
}

/* A rule that would match, but not at this time: what one looks for at 3 a.m. */
static void sleeping(const struct path *p, const struct fs_rule *r)
{
	step(p, NULL);
	fputs("not now: ", p->f);
	rule_name(p, r);
	fputs(" would match", p->f);
	validity(p, r);
	fputc('\n', p->f);
}

/* Rules that fail by one thing only: the port, or the other end. */
static void near_misses(const struct path *p, const struct fs_side *s)
{
	const struct fs_span *rules = &fs_host(p->fs, s->host)->rules[s->dir];
	unsigned shown = 0, more = 0;

	for (int by_service = 1; by_service >= 0; by_service--) {
		for (uint32_t i = 0; i < rules->count; i++) {
			const struct fs_rule *r = fs_rule(p->fs, rules->first + i);

			if (has_service(p, r) != (by_service != 0) ||
			    has_peer(p, r) == (by_service != 0))
				continue;
			if (shown++ >= NEAR_MAX) {
				more++;
				continue;
			}
			step(p, NULL);
			fputs("near: ", p->f);
			rule_name(p, r);
			fputs(by_service ? " is for this service, but"
					 : " is for this end, but", p->f);
			if (by_service)
				its_peers(p, r);
			else
				its_services(p, r);
			fputc('\n', p->f);
		}
	}
	if (more > 0) {
		step(p, NULL);
		fprintf(p->f, "near: and %u more\n", more);
	}
}

static void no_match(const struct path *p, const struct fs_side *s)
{
	const struct fs_host *h = fs_host(p->fs, s->host);
	uint32_t n = h->rules[s->dir].count;
	const char *dir = answer_dir(s->dir);

	step(p, dir);
	if (!h->declared) {
		fprintf(p->f, "no file declares the %s: it may do nothing",
		    s->dir == FS_IN ? "target" : "source");
	} else if (n == 0) {
		put(p, h->name);
		fprintf(p->f, " has no %s rule at all", dir);
	} else {
		fprintf(p->f, "none of the %u %s rule%s of ", n, dir, n == 1 ? "" : "s");
		put(p, h->name);
		fputs(" matches", p->f);
	}
	fputc('\n', p->f);
	if (s->asleep != FS_NONE)
		sleeping(p, fs_rule(p->fs, s->asleep));
	if (p->v->reason != FS_WHY_MULTICAST)
		near_misses(p, s);
	if (s->observed) {
		step(p, "observe");
		put(p, h->name);
		fputs(" is only observed: would_deny is logged, nothing is denied\n", p->f);
	}
}

/* ---- what is on it once it passes ---- */

static void guards(const struct path *p)
{
	struct answer_guards walk = { { 0, 0 } };
	uint32_t guard;
	size_t i = 0;

	for (; answer_guards_next(&walk, p->fs, p->flow, p->v, &guard); i++) {
		if (i > 0)
			fputs(i % GUARDS_A_LINE == 0 ? ",\n" : ", ", p->f);
		if (i % GUARDS_A_LINE == 0)
			step(p, i == 0 ? "guards" : NULL);
		put(p, FS_AT(p->fs, FS_GUARDS, struct guard, guard)->id);
	}
	if (i > 0)
		fputc('\n', p->f);
}

static void payload(const struct path *p)
{
	const char *said;

	if (p->v->reason == FS_WHY_RULES && p->flow->proto == IPPROTO_TCP) {
		step(p, "spoken");
		fprintf(p->f, "%s\n", answer_spoken(p->v));
		for (unsigned i = 0; (said = answer_required(p->v, i)) != NULL; i++) {
			if (*said == '\0')
				continue;
			step(p, "requires");
			fprintf(p->f, "%s\n", said);
		}
	}
	if (p->v->result == FS_ALLOW)
		guards(p);
}

void answer_path(FILE *f, bool colour, const struct fs *fs, const struct fs_flow *flow,
    const struct fs_verdict *v, const char *src, const char *dst)
{
	struct path p = { f, fs, flow, v, colour };

	answer_headline(f, colour, flow, v, src, dst);
	places(&p);
	for (unsigned i = 0; i < v->nsides; i++) {
		if (v->side[i].match)
			matching(&p, &v->side[i]);
		else
			no_match(&p, &v->side[i]);
	}
	payload(&p);
	step(&p, "result");
	fprintf(f, "%s\n", fs_result_name(v->result));
}
