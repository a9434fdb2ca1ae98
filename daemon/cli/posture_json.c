/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a posture as JSON: one line a host, then a summary */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cordon/guard.h>

#include "cli/cli.h"
#include "cli/jsonbuf.h"
#include "cli/observed.h"
#include "cli/posture_out.h"

static struct jsonbuf out;

#define RAW(literal) jsonbuf_mem(&out, literal, sizeof(literal) - 1)

static void member(const char *key)
{
	RAW(",");
	jsonbuf_str(&out, key);
	RAW(":");
}

static void text(const char *key, const char *s)
{
	member(key);
	jsonbuf_str(&out, s);
}

static void number(const char *key, uint64_t n)
{
	member(key);
	jsonbuf_uint(&out, n);
}

static void number_or_null(const char *key, uint64_t n)
{
	member(key);
	if (n == 0)
		RAW("null");
	else
		jsonbuf_uint(&out, n);
}

static void flag(const char *key, bool on)
{
	member(key);
	jsonbuf_raw(&out, on ? "true" : "false");
}

/* "2024-01", or null */
static void month(const char *key, uint32_t m)
{
	char buf[16];

	member(key);
	if (m == 0) {
		RAW("null");
		return;
	}
	snprintf(buf, sizeof(buf), "%04u-%02u", m / 12, m % 12 + 1);
	jsonbuf_str(&out, buf);
}

static void words(const char *key, const char *const *s, size_t n)
{
	member(key);
	RAW("[");
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			RAW(",");
		jsonbuf_str(&out, s[i]);
	}
	RAW("]");
}

static void cite(const struct servicing_update *u)
{
	RAW("{\"date\":");
	jsonbuf_str(&out, u->date);
	text("kb", u->kb);
	text("kind", servicing_kind_name(u->kind));
	number_or_null("build", u->build);
	number_or_null("revision", u->revision);
	flag("uncertain", u->uncertain);
	text("note", u->note);
	text("source", u->source);
	RAW("}");
}

/* "text":…,"cites":[…] */
static void claim_members(const struct posture_claim *c)
{
	RAW("\"text\":");
	jsonbuf_str(&out, c->text);
	member("cites");
	RAW("[");
	for (unsigned i = 0; i < c->ncites; i++) {
		if (i > 0)
			RAW(",");
		cite(c->cite[i]);
	}
	RAW("]");
}

static void claims(const char *key, const struct posture_claim *c, size_t n)
{
	member(key);
	RAW("[");
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			RAW(",");
		RAW("{");
		claim_members(&c[i]);
		RAW("}");
	}
	RAW("]");
}

static void ranges(const struct netrange *r, size_t n)
{
	char buf[NETRANGE_STRLEN];

	RAW("[");
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			RAW(",");
		jsonbuf_str(&out, netrange_format(&r[i], buf));
	}
	RAW("]");
}

static const char *action_word(uint8_t action)
{
	static const char *const words[] = { [FS_GUARD_OFF] = "disabled",
		[FS_GUARD_ALERT] = "alert", [FS_GUARD_DROP] = "drop" };

	return words[action];
}

static void shield_guard(const struct posture_view *v, const struct posture_guard *g)
{
	char until[POSTURE_UNTIL_LEN];

	RAW("{\"id\":");
	jsonbuf_str(&out,
	    fs_str(v->fs, FS_AT(v->fs, FS_GUARDS, struct guard, g->guard)->id));
	text("action", action_word(g->action));
	member("except");
	if (g->except.count > 0)
		ranges(fs_range(v->fs, g->except.first), g->except.count);
	else
		RAW("[]");
	member("until");
	if (*posture_until(g->until, until) != '\0')
		jsonbuf_str(&out, until);
	else
		RAW("null");
	text("then", action_word(g->then));
	RAW("}");
}

static void shield_guards(const struct posture_view *v, const struct posture_shield *s)
{
	member("guards");
	RAW("[");
	for (size_t i = 0; i < s->nguards; i++) {
		if (i > 0)
			RAW(",");
		shield_guard(v, &s->guards[i]);
	}
	RAW("]");
}

static void shield_rules(const struct posture_view *v, const struct posture_shield *s)
{
	member("rules");
	RAW("[");
	for (size_t i = 0; i < s->nrules; i++) {
		if (i > 0)
			RAW(",");
		jsonbuf_str(&out, fs_str(v->fs, fs_rule(v->fs, s->rules[i])->id));
	}
	RAW("]");
}

/* Beside the rules: a text, or null. */
static void shield_schedules(const struct posture_view *v, const struct posture_shield *s)
{
	member("schedules");
	RAW("[");
	for (size_t i = 0; i < s->nrules; i++) {
		uint32_t at = fs_rule(v->fs, s->rules[i])->schedule;

		if (i > 0)
			RAW(",");
		if (at == FS_NONE)
			RAW("null");
		else
			jsonbuf_str(&out,
			    fs_str(v->fs,
				FS_AT(v->fs, FS_SCHEDULES, struct fs_schedule, at)->text));
	}
	RAW("]");
}

/* What `cordon grant` may open it by. */
static void shield_grant(const struct posture_view *v, const struct posture_shield *s)
{
	const struct fs_jit *j;

	member("grant");
	if (s->grant == FS_NONE) {
		RAW("null");
		return;
	}
	j = FS_AT(v->fs, FS_JITS, struct fs_jit, s->grant);
	RAW("{\"from\":");
	ranges(fs_range(v->fs, j->from.first), j->from.count);
	number("max_s", j->max_s);
	RAW("}");
}

/* What of `require` helps: whether all those rules ask for it, and whether it is kept. */
static void required(const struct posture_finding *f)
{
	static const struct {
		uint8_t require;
		const char *required, *enforced;
	} rows[] = { { FS_REQ_NLA, "nla_required", "nla_enforced" },
		{ FS_REQ_SMB2, "smb2_required", "smb2_enforced" },
		{ FS_REQ_SIGNING, "signing_required", "signing_enforced" } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool asked = (f->shield.require & rows[i].require) != 0;

		if ((f->vuln->require & rows[i].require) == 0)
			continue;
		flag(rows[i].required, asked);
		flag(rows[i].enforced, asked && !f->shield.observed);
	}
}

static void shield(const struct posture_view *v, const struct posture_finding *f)
{
	const struct posture_shield *s = &f->shield;

	member("compensation");
	if (f->state == POSTURE_FIXED) {
		RAW("null");
		return;
	}
	RAW("{\"level\":");
	jsonbuf_str(&out, posture_against_name(s->level));
	shield_guards(v, s);
	member("reachable_from");
	ranges(s->sources, s->nsources);
	shield_rules(v, s);
	shield_schedules(v, s);
	shield_grant(v, s);
	flag("unreachable", s->unreachable);
	flag("only_observed", s->observed);
	required(f);
	RAW("}");
}

static void finding(const struct posture_view *v, const struct posture_finding *f)
{
	RAW("{\"id\":");
	jsonbuf_str(&out, f->vuln->id);
	text("title", f->vuln->title);
	words("cve", f->vuln->cve, f->vuln->ncve);
	text("state", posture_state_name(f->state));
	text("fixed_by", posture_by_name(f->by));
	member("why");
	RAW("{");
	claim_members(&f->why);
	RAW("}");
	text("role", f->vuln->role);
	text("note", f->vuln->note);
	text("source", f->vuln->source);
	shield(v, f);
	RAW("}");
}

static const char *seen_word(enum posture_seen s)
{
	return s != POSTURE_SEEN_NOTHING ? posture_seen_name(s) : "unknown";
}

static void sight(const struct observed_sight *s)
{
	RAW("{\"verdict\":");
	jsonbuf_str(&out, seen_word(s->verdict));
	text("text", s->said);
	text("address", s->address);
	text("nb_computer", s->name);
	text("nb_domain", s->domain);
	text("ntlm_version", s->ntlm);
	text("native_os", s->native_os);
	text("native_lm", s->native_lm);
	text("dialect", s->dialect);
	number("count", s->count);
	text("first", s->first);
	text("last", s->last);
	flag("past", s->past);
	RAW("}");
}

static void observed(const struct observed_host *h)
{
	member("observed");
	if (h == NULL) {
		RAW("null");
		return;
	}
	RAW("{\"verdict\":");
	jsonbuf_str(&out, seen_word(h->verdict));
	member("sightings");
	RAW("[");
	for (size_t i = 0; i < h->n; i++) {
		if (i > 0)
			RAW(",");
		sight(&h->sight[i]);
	}
	RAW("]");
	number("more", h->more);
	member("notes");
	RAW("[");
	for (size_t i = 0; i < h->nnotes; i++) {
		if (i > 0)
			RAW(",");
		jsonbuf_str(&out, h->notes[i]);
	}
	RAW("]}");
}

static void inventory(const struct posture_view *v, const struct fs_host *h)
{
	text("product", fs_str(v->fs, h->product));
	number_or_null("build", h->build);
	number_or_null("revision", h->revision);
	member("updates");
	RAW("[");
	for (uint32_t i = 0; i < h->updates.count; i++) {
		if (i > 0)
			RAW(",");
		jsonbuf_str(&out, fs_str(v->fs, *FS_AT(v->fs, FS_WORDS, uint32_t,
						    h->updates.first + i)));
	}
	RAW("]");
}

static void last_proven(const struct posture *p)
{
	member("last_proven");
	RAW("{");
	claim_members(&p->last);
	month("month", p->last_month);
	text("by", posture_by_name(p->last_by));
	month("all_up_to", p->cumulative_month);
	RAW("}");
	member("behind");
	RAW("{");
	claim_members(&p->behind);
	member("months");
	if (p->last_month != 0)
		jsonbuf_uint(&out, p->months_behind);
	else
		RAW("null");
	RAW("}");
}

static const char *install_word(enum posture_install i)
{
	switch (i) {
	case POSTURE_INSTALL_NO:
		return "no";
	case POSTURE_INSTALL_YES:
		return "yes";
	case POSTURE_INSTALL_IT_DID:
		return "it did";
	}
	return "";
}

static void judged(const struct posture_view *v, const struct posture *p)
{
	last_proven(p);
	member("can_install");
	RAW("{");
	claim_members(&p->install);
	text("from_july_2019", install_word(p->install_new));
	RAW("}");
	claims("inconsistent", p->inconsistent, p->ninconsistent);
	claims("notes", p->notes, p->nnotes);
	member("vulnerabilities");
	RAW("[");
	for (size_t i = 0; i < p->nfindings; i++) {
		if (i > 0)
			RAW(",");
		finding(v, &p->findings[i]);
	}
	RAW("]");
}

static const char *const covers[] = { [POSTURE_JUDGED] = "judged",
	[POSTURE_NOT_STATED] = "not stated",
	[POSTURE_NOT_COVERED] = "not covered" };

static void json_host(const struct posture_view *v, const struct posture *p)
{
	const struct fs_host *h = fs_host(v->fs, p->host);

	RAW("{\"host\":");
	jsonbuf_str(&out, fs_str(v->fs, h->name));
	text("file", fs_str(v->fs, h->file));
	number("line", h->line);
	text("mode", h->mode == FS_OBSERVE ? "observe" : "enforce");
	text("status", covers[p->cover]);
	inventory(v, h);
	member("level");
	RAW("{");
	claim_members(&p->level);
	RAW("}");
	if (p->cover == POSTURE_JUDGED)
		judged(v, p);
	observed(posture_observed(v, p->host));
	RAW("}\n");
}

/* {"closed":1,…} of the findings in one state */
static void levels(const char *key, const size_t *n)
{
	member(key);
	RAW("{\"");
	for (int a = 0; a < POSTURE_NAGAINST; a++) {
		if (a > 0)
			RAW(",\"");
		jsonbuf_raw(&out, posture_against_name((enum posture_against)a));
		RAW("\":");
		jsonbuf_uint(&out, n[a]);
	}
	RAW("}");
}

static void act_first(const struct posture_view *v, const struct posture_total *t)
{
	member("act_first");
	RAW("[");
	for (const struct posture_first *f = t->first; f != NULL; f = f->next) {
		if (f != t->first)
			RAW(",");
		RAW("{\"host\":");
		jsonbuf_str(&out, fs_str(v->fs, fs_host(v->fs, f->host)->name));
		member("vulnerabilities");
		RAW("[");
		for (size_t i = 0; i < f->n; i++) {
			if (i > 0)
				RAW(",");
			jsonbuf_str(&out, f->vulns[i]->id);
		}
		RAW("]}");
	}
	RAW("]");
}

static void json_begin(const struct posture_view *v)
{
	(void)v;
	jsonbuf_init(&out, STDOUT_FILENO);
}

static int json_end(const struct posture_view *v, const struct posture_total *t)
{
	struct tm tm;
	time_t at = (time_t)v->at;
	char when[40] = "";

	if (gmtime_r(&at, &tm) != NULL)
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	RAW("{\"event_type\":\"summary\"");
	text("at", when);
	number("hosts", t->hosts);
	number("judged", t->cover[POSTURE_JUDGED]);
	number("not_stated", t->cover[POSTURE_NOT_STATED]);
	number("not_covered", t->cover[POSTURE_NOT_COVERED]);
	number("open", t->states[POSTURE_OPEN]);
	number("cannot_tell", t->states[POSTURE_CANT_TELL]);
	number("fixed", t->states[POSTURE_FIXED]);
	number("not_affected", t->states[POSTURE_NOT_AFFECTED]);
	number("inconsistent", t->inconsistent);
	number("differing", t->differing);
	levels("open_by_compensation", t->against[POSTURE_OPEN]);
	levels("cannot_tell_by_compensation", t->against[POSTURE_CANT_TELL]);
	act_first(v, t);
	if (v->observed != NULL) {
		number("events_read", v->observed->lines);
		number("events_used", v->observed->used);
		number("events_malformed", v->observed->malformed);
		number("event_files", v->observed->files);
		number("event_files_broken", v->observed->broken);
	}
	RAW("}\n");
	jsonbuf_flush(&out);
	if (out.failed && out.err != EPIPE)
		cli_warnx("writing: %s", strerror(out.err));
	return out.failed ? -1 : 0;
}

const struct posture_format posture_json = { json_begin, json_host, json_end };
