/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a verdict as JSON and in words */
#include "cli/answer.h"

#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include <cordon/guard.h>

#include "cli/jsonbuf.h"
#include "cli/out.h"

const char *answer_side(const struct fs_side *s)
{
	if (s->match)
		return "allow";
	return s->observed ? "would_deny" : "deny";
}

const char *answer_dir(enum fs_dir d)
{
	switch (d) {
	case FS_IN:
		return "inbound";
	case FS_OUT:
		return "outbound";
	}
	return "?";
}

static const char *proto_name(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_SCTP:
		return "sctp";
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_ICMPV6:
		return "icmpv6";
	}
	return NULL;
}

const char *answer_service(
    const struct fs_flow *flow, char buf[static ANSWER_SERVICE_LEN])
{
	const char *name = proto_name(flow->proto);

	if (name)
		snprintf(buf, ANSWER_SERVICE_LEN, "%s/%u", name, flow->dport);
	else
		snprintf(buf, ANSWER_SERVICE_LEN, "ip/%u", flow->proto);
	return buf;
}

/* The first use of side s from *at on that does something; *at is moved there. */
static bool next_use(const struct fs *fs, const struct fs_flow *flow,
    const struct fs_side *s, uint32_t *at, uint32_t *ret)
{
	const struct fs_span *uses = &fs_host(fs, s->host)->guards;
	const struct netaddr *peer = s->dir == FS_IN ? &flow->src : &flow->dst;

	for (; *at < uses->count; ++*at) {
		const struct fs_guard_use *u =
		    FS_AT(fs, FS_GUARD_USES, struct fs_guard_use, uses->first + *at);

		if (fs_use_action(fs, u, peer, flow->at) != FS_GUARD_OFF) {
			*ret = u->guard;
			return true;
		}
	}
	return false;
}

/* The uses of each side ascend: the smaller of the two first ones is next. */
bool answer_guards_next(struct answer_guards *w, const struct fs *fs,
    const struct fs_flow *flow, const struct fs_verdict *v, uint32_t *ret)
{
	uint32_t guard[2];
	bool any[2] = { false, false };
	unsigned best = 0;

	for (unsigned s = 0; s < v->nsides && flow->proto == IPPROTO_TCP; s++)
		any[s] = next_use(fs, flow, &v->side[s], &w->at[s], &guard[s]);
	if (!any[0] && !any[1])
		return false;
	if (any[1] && (!any[0] || guard[1] < guard[0]))
		best = 1;
	*ret = guard[best];
	w->at[!best] += any[!best] && guard[!best] == *ret;
	w->at[best]++;
	return true;
}

static const char *guard_id(const struct fs *fs, uint32_t i)
{
	return fs_str(fs, FS_AT(fs, FS_GUARDS, struct guard, i)->id);
}

/* ---- JSON ---- */

#define RAW(b, literal) jsonbuf_mem(b, literal, sizeof(literal) - 1)

/* A side without a rule names the host's own place: where a rule would be written. */
void answer_side_json(struct jsonbuf *b, const struct fs *fs, const struct fs_side *s)
{
	const struct fs_host *h = fs_host(fs, s->host);
	const struct fs_rule *r = s->rule == FS_NONE ? NULL : fs_rule(fs, s->rule);

	RAW(b, "{\"host\":");
	jsonbuf_str(b, fs_str(fs, h->name));
	RAW(b, ",\"direction\":\"");
	jsonbuf_raw(b, answer_dir(s->dir));
	RAW(b, "\",\"verdict\":\"");
	jsonbuf_raw(b, answer_side(s));
	RAW(b, "\",\"rule\":");
	if (r)
		jsonbuf_str(b, fs_str(fs, r->id));
	else
		RAW(b, "null");
	RAW(b, ",\"file\":");
	jsonbuf_str(b, fs_str(fs, r ? r->file : h->file));
	RAW(b, ",\"line\":");
	jsonbuf_uint(b, r ? r->line : h->line);
	RAW(b, "}");
}

void answer_members(struct jsonbuf *b, const struct fs *fs, const struct fs_flow *flow,
    const struct fs_verdict *v)
{
	struct answer_guards walk = { { 0, 0 } };
	uint32_t guard;

	RAW(b, "\"verdict\":\"");
	jsonbuf_raw(b, fs_result_name(v->result));
	RAW(b, "\",\"sides\":[");
	for (unsigned i = 0; i < v->nsides; i++) {
		if (i > 0)
			RAW(b, ",");
		answer_side_json(b, fs, &v->side[i]);
	}
	RAW(b, "],\"guards\":[");
	for (bool more = false; answer_guards_next(&walk, fs, flow, v, &guard); more = true) {
		if (more)
			RAW(b, ",");
		jsonbuf_str(b, guard_id(fs, guard));
	}
	RAW(b, "],\"reason\":");
	jsonbuf_str(b, fs_reason_text(v->reason));
}

/* ---- words ---- */

static void put(FILE *f, const struct fs *fs, uint32_t string)
{
	out_escape(f, fs_str(fs, string));
}

static void place(FILE *f, const struct fs *fs, uint32_t file, uint32_t line)
{
	fputs(" (", f);
	put(f, fs, file);
	fprintf(f, ":%u)", line);
}

static void until(FILE *f, int64_t expires)
{
	time_t t = (time_t)expires;
	struct tm tm;
	char day[32];

	if (expires == FS_FOREVER || !gmtime_r(&t, &tm))
		return;
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%SZ", &tm);
	fprintf(f, "; ends %s", day);
}

static void matched_text(FILE *f, const struct fs *fs, const struct fs_side *s)
{
	const struct fs_rule *r = fs_rule(fs, s->rule);

	fputs("  rule ", f);
	put(f, fs, r->id);
	fprintf(f, s->dir == FS_IN ? " lets it in" : " lets it out");
	place(f, fs, r->file, r->line);
	if (*fs_str(fs, r->reason)) {
		fputs(": ", f);
		put(f, fs, r->reason);
	}
	if (*fs_str(fs, r->ticket)) {
		fputs(", ", f);
		put(f, fs, r->ticket);
	}
	if (r->schedule != FS_NONE) {
		fputs("; only ", f);
		put(f, fs,
		    FS_AT(fs, FS_SCHEDULES, struct fs_schedule, r->schedule)->text);
	}
	until(f, r->expires);
	fputc('\n', f);
}

/* A rule that would match, but not at this time: what one looks for at 3 a.m. */
static void asleep_text(FILE *f, const struct fs *fs, const struct fs_rule *r, int64_t at)
{
	fputs("  rule ", f);
	put(f, fs, r->id);
	place(f, fs, r->file, r->line);
	if (at >= r->expires) {
		fputs(" would match, but has expired", f);
		until(f, r->expires);
	} else {
		fputs(" would match, but only ", f);
		put(f, fs,
		    FS_AT(fs, FS_SCHEDULES, struct fs_schedule, r->schedule)->text);
		fputs(" (", f);
		put(f, fs, fs->settings.timezone);
		fputc(')', f);
	}
	fputc('\n', f);
}

static void side_text(FILE *f, const struct fs *fs, const struct fs_side *s)
{
	const struct fs_host *h = fs_host(fs, s->host);

	if (s->match && s->rule != FS_NONE) {
		matched_text(f, fs, s);
		return;
	}
	fputs("  ", f);
	if (h->declared) {
		put(f, fs, h->name);
		place(f, fs, h->file, h->line);
		fprintf(f, " has no %s rule for it", answer_dir(s->dir));
	} else {
		fprintf(f, "the %s is an address of ",
		    s->dir == FS_IN ? "target" : "source");
		put(f, fs, h->name);
		place(f, fs, h->file, h->line);
		fputs(" that no file declares: it may do nothing", f);
	}
	if (s->observed)
		fputs(", but is only observed: logged, not denied", f);
	fputc('\n', f);
}

const char *answer_spoken(const struct fs_verdict *v)
{
	static const char *const said[] = {
	    [0] = "neither SMB nor RDP is granted on it: stopped as exposure",
	    [FS_SMB] = "SMB is granted on it, RDP is not: stopped as exposure",
	    [FS_RDP] = "RDP is granted on it, SMB is not: stopped as exposure",
	    [FS_SMB | FS_RDP] = "both SMB and RDP are granted on it",
	};

	return said[v->grants & (FS_SMB | FS_RDP)];
}

const char *answer_required(const struct fs_verdict *v, unsigned i)
{
	static const struct {
		uint8_t bit;
		const char *text;
	} said[] = {
	    {FS_REQ_NLA, "it goes on only if the server selects NLA"},
	    {FS_REQ_SMB2, "it goes on only if the server answers in SMB2"},
	    {FS_REQ_SIGNING, "it goes on only if an end requires signing"},
	};

	if (i >= sizeof(said) / sizeof(said[0]))
		return NULL;
	return v->require & said[i].bit ? said[i].text : "";
}

static void spoken_text(FILE *f, const struct fs_verdict *v)
{
	const char *text;

	fprintf(f, "  %s\n", answer_spoken(v));
	for (unsigned i = 0; (text = answer_required(v, i)) != NULL; i++)
		if (*text)
			fprintf(f, "  %s\n", text);
}

void answer_headline(FILE *f, bool colour, const struct fs_flow *flow,
    const struct fs_verdict *v, const char *src, const char *dst)
{
	static const struct {
		const char *word, *fate;
		enum out_tone tone;
	} say[] = {
	    [FS_PASS] = {"pass", "is left alone", TONE_DIM},
	    [FS_ALLOW] = {"allow", "passes", TONE_GOOD},
	    [FS_DENY] = {"deny", "is stopped", TONE_BAD},
	};
	char service[ANSWER_SERVICE_LEN];

	fprintf(f, "%s%s%s: %s from ", out_tone(say[v->result].tone, colour),
	    say[v->result].word, out_tone(TONE_PLAIN, colour),
	    answer_service(flow, service));
	out_escape(f, src);
	fputs(" to ", f);
	out_escape(f, dst);
	fprintf(f, " %s: %s\n", say[v->result].fate, fs_reason_text(v->reason));
}

void answer_text(FILE *f, bool colour, const struct fs *fs, const struct fs_flow *flow,
    const struct fs_verdict *v, const char *src, const char *dst)
{
	struct answer_guards walk = { { 0, 0 } };
	const char *before = "  guards on its payload: ";
	uint32_t guard;

	answer_headline(f, colour, flow, v, src, dst);
	for (unsigned i = 0; i < v->nsides; i++) {
		const struct fs_side *s = &v->side[i];

		side_text(f, fs, s);
		if (!s->match && s->asleep != FS_NONE)
			asleep_text(f, fs, fs_rule(fs, s->asleep), flow->at);
	}
	if (v->reason != FS_WHY_RULES || flow->proto != IPPROTO_TCP)
		return;
	spoken_text(f, v);
	while (answer_guards_next(&walk, fs, flow, v, &guard)) {
		fputs(before, f);
		put(f, fs, FS_AT(fs, FS_GUARDS, struct guard, guard)->id);
		before = ", ";
	}
	if (*before == ',')
		fputc('\n', f);
}
