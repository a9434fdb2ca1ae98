/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a capture judged by two policies: what changes for its flows */
#include "cli/replay_against.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/jsonbuf.h"
#include "cli/load.h"
#include "cli/out.h"
#include "cli/replay.h"
#include "cli/replay_judge.h"
#include "wire/facts.h"

/* What becomes of a flow, from the best for who opened it to the worst. */
enum fate { FATE_PASS, FATE_ALLOW, FATE_WOULD_DENY, FATE_CONDEMN, FATE_DENY, FATE_COUNT };

static const char *const fate_word[FATE_COUNT] = { [FATE_PASS] = "pass",
	[FATE_ALLOW] = "allow", [FATE_WOULD_DENY] = "would_deny", [FATE_CONDEMN] = "condemn",
	[FATE_DENY] = "deny" };

enum change { SAME, OPENED, CLOSED, OTHER, CHANGES };

/* As `cordon diff` calls them. */
static const struct {
	const char *word, *said;
	enum out_tone tone;
} changes[CHANGES] = {
	[SAME] = { "same", "as before", TONE_DIM },
	[OPENED] = { "opened", "newly allowed", TONE_BAD },
	[CLOSED] = { "closed", "newly denied", TONE_GOOD },
	[OTHER] = { "changed", "otherwise changed", TONE_WARN },
};

enum fail_on { FAIL_NEVER, FAIL_OPENED, FAIL_CLOSED, FAIL_EXPOSURE, FAIL_ANY };

struct pair {
	const struct replay_flow *flow;
	struct judged before, after;
	enum change change;
	bool exposes; /* SMB or RDP that was not granted before passes now */
};

struct comparing {
	struct fs *fs[2];
	struct readers to[2];
	struct replay_counts read;
	uint64_t n[CHANGES], exposed;
};

static int parse_fail_on(enum fail_on *ret)
{
	static const char *const words[] = { [FAIL_OPENED] = "opened",
		[FAIL_CLOSED] = "closed", [FAIL_EXPOSURE] = "exposure", [FAIL_ANY] = "any" };
	const char *s = cli_opt("fail-on");

	*ret = FAIL_NEVER;
	if (!s)
		return CLI_OK;
	for (int i = FAIL_OPENED; i <= FAIL_ANY; i++) {
		if (strcmp(words[i], s) == 0) {
			*ret = (enum fail_on)i;
			return CLI_OK;
		}
	}
	return cli_usage("--fail-on takes opened, closed, exposure or any, not \"%s\"", s);
}

static bool has_failed(enum fail_on on, const struct comparing *c)
{
	switch (on) {
	case FAIL_NEVER:
		return false;
	case FAIL_OPENED:
		return c->n[OPENED] > 0 || c->exposed > 0;
	case FAIL_CLOSED:
		return c->n[CLOSED] > 0;
	case FAIL_EXPOSURE:
		return c->exposed > 0;
	case FAIL_ANY:
		return c->n[OPENED] + c->n[CLOSED] + c->n[OTHER] > 0;
	}
	return false;
}

/* ---- comparing ---- */

static bool would_deny(const struct judged *j)
{
	for (unsigned i = 0; i < j->v.nsides; i++)
		if (!j->v.side[i].match)
			return true;
	return false;
}

static enum fate fate_of(const struct judged *j)
{
	switch (j->v.result) {
	case FS_PASS:
		return FATE_PASS;
	case FS_DENY:
		return FATE_DENY;
	case FS_ALLOW:
		break;
	}
	if (replay_condemns(j))
		return FATE_CONDEMN;
	return would_deny(j) ? FATE_WOULD_DENY : FATE_ALLOW;
}

static bool stopped(const struct judged *j)
{
	return fate_of(j) >= FATE_CONDEMN;
}

/* Whether what it spoke gets, or got, through beyond the grants: the answer to a review's
 * first question. */
static bool gets_through(const struct judged *j)
{
	return j->flow->app != APP_NONE && !stopped(j);
}

/* Whether the same is told of it: by guards, by requirements, on so many packets. */
static bool told_alike(const struct judged *a, const struct judged *b)
{
	const struct replay_fate *x = &a->fate, *y = &b->fate;

	if (a->nhits != b->nhits || x->ngates != y->ngates || x->dropped != y->dropped ||
	    a->exposure != b->exposure)
		return false;
	for (size_t i = 0; i < a->nhits; i++)
		if (strcmp(a->hit[i].guard, b->hit[i].guard) != 0 ||
		    strcmp(replay_action(&a->hit[i]), replay_action(&b->hit[i])) != 0)
			return false;
	for (size_t i = 0; i < x->ngates; i++)
		if (x->gate[i].require != y->gate[i].require || x->gate[i].held != y->gate[i].held)
			return false;
	return true;
}

static void compare(struct comparing *c, size_t i, const int64_t *at, struct pair *ret)
{
	ret->flow = replay_flow(c->to[0].flows, i);
	replay_judge(&ret->before, c->fs[0], &c->to[0], i, at);
	replay_judge(&ret->after, c->fs[1], &c->to[1], i, at);
	if (stopped(&ret->before) != stopped(&ret->after))
		ret->change = stopped(&ret->before) ? OPENED : CLOSED;
	else if (fate_of(&ret->before) != fate_of(&ret->after) ||
	    !told_alike(&ret->before, &ret->after))
		ret->change = OTHER;
	else
		ret->change = SAME;
	ret->exposes = gets_through(&ret->after) && !gets_through(&ret->before);
	c->n[ret->change]++;
	c->exposed += ret->exposes;
}

/* ---- output ---- */

static bool has_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP;
}

static void side_json(struct jsonbuf *b, const char *key, const struct judged *j)
{
	char why[128];

	jsonbuf_raw(b, key);
	jsonbuf_raw(b, "{\"verdict\":");
	jsonbuf_str(b, fate_word[fate_of(j)]);
	jsonbuf_raw(b, ",\"why\":");
	jsonbuf_str(b, replay_why(j, why, sizeof(why)));
	jsonbuf_raw(b, ",\"guard_hits\":[");
	for (size_t i = 0; i < j->nhits; i++) {
		jsonbuf_raw(b, i ? ",{\"guard\":" : "{\"guard\":");
		jsonbuf_str(b, j->hit[i].guard);
		jsonbuf_raw(b, ",\"action\":");
		jsonbuf_str(b, replay_action(&j->hit[i]));
		jsonbuf_raw(b, "}");
	}
	jsonbuf_raw(b, "],\"denied_packets\":");
	jsonbuf_uint(b, replay_denied(j));
	jsonbuf_raw(b, j->exposure ? ",\"exposure\":true}" : ",\"exposure\":false}");
}

static void row_json(struct jsonbuf *b, const struct pair *p)
{
	const struct replay_flow *f = p->flow;
	char text[64], service[ANSWER_SERVICE_LEN];

	replay_timestamp(f->first_us, text, sizeof(text));
	jsonbuf_member(b, "{\"timestamp\":", text);
	jsonbuf_member(b, ",\"change\":", changes[p->change].word);
	replay_end(&f->src, 0, false, text, sizeof(text));
	jsonbuf_member(b, ",\"src_ip\":", text);
	if (has_ports(f->proto))
		jsonbuf_number(b, ",\"src_port\":", f->sport);
	replay_end(&f->dst, 0, false, text, sizeof(text));
	jsonbuf_member(b, ",\"dest_ip\":", text);
	if (has_ports(f->proto))
		jsonbuf_number(b, ",\"dest_port\":", f->dport);
	else if (f->proto == IPPROTO_ICMP || f->proto == IPPROTO_ICMPV6)
		jsonbuf_number(b, ",\"icmp_type\":", f->dport);
	jsonbuf_member(b, ",\"proto\":", replay_proto(&p->before.asked, service));
	if (f->app != APP_NONE)
		jsonbuf_member(b, ",\"app_proto\":", app_name((enum app)f->app));
	side_json(b, ",\"before\":", &p->before);
	side_json(b, ",\"after\":", &p->after);
	jsonbuf_raw(b, p->exposes ? ",\"exposes\":true" : ",\"exposes\":false");
	jsonbuf_number(b, ",\"packets\":", f->packets);
	jsonbuf_number(b, ",\"bytes\":", f->bytes);
	jsonbuf_raw(b, "}\n");
}

static void summary_json(struct jsonbuf *b, const struct comparing *c)
{
	jsonbuf_raw(b, "{\"event_type\":\"summary\"");
	jsonbuf_number(b, ",\"flows\":", replay_count(c->to[0].flows));
	jsonbuf_number(b, ",\"opened\":", c->n[OPENED]);
	jsonbuf_number(b, ",\"closed\":", c->n[CLOSED]);
	jsonbuf_number(b, ",\"changed\":", c->n[OTHER]);
	jsonbuf_number(b, ",\"same\":", c->n[SAME]);
	jsonbuf_number(b, ",\"exposure_opened\":", c->exposed);
	jsonbuf_number(b, ",\"packets\":", c->read.packets);
	jsonbuf_number(b, ",\"undecoded\":", c->read.undecoded);
	jsonbuf_raw(b, c->read.broken_off ? ",\"truncated\":true}\n" : ",\"truncated\":false}\n");
}

/* The cells of a row, as text and markdown have them. */
struct cells {
	char from[64], to[64], service[ANSWER_SERVICE_LEN], packets[24];
	char before[160], after[160];
	const char *proto, *spoke;
};

static void side_text(const struct judged *j, char *buf, size_t size)
{
	char why[128];

	snprintf(buf, size, "%s: %s%s", fate_word[fate_of(j)], replay_why(j, why, sizeof(why)),
	    j->exposure ? " (exposure)" : "");
}

static void cells_of(const struct pair *p, struct cells *ret)
{
	const struct replay_flow *f = p->flow;
	bool ports = has_ports(f->proto);

	replay_end(&f->src, f->sport, ports, ret->from, sizeof(ret->from));
	replay_end(&f->dst, f->dport, ports, ret->to, sizeof(ret->to));
	ret->proto = replay_proto(&p->before.asked, ret->service);
	ret->spoke = f->app == APP_NONE ? "" : app_name((enum app)f->app);
	snprintf(ret->packets, sizeof(ret->packets), "%llu", (unsigned long long)f->packets);
	side_text(&p->before, ret->before, sizeof(ret->before));
	side_text(&p->after, ret->after, sizeof(ret->after));
}

static void row_text(struct out_table *t, const struct pair *p)
{
	struct cells c;

	cells_of(p, &c);
	out_table_row(t, changes[p->change].word, c.from, c.to, c.proto, c.spoke,
	    p->exposes ? "exposure" : "", c.packets, c.before, c.after);
	out_table_tone(t, 0, changes[p->change].tone);
	out_table_tone(t, 5, TONE_BAD);
}

/* All of it is ids of rules and guards, addresses and words of our own: nothing in it
 * means anything to markdown but the bar, which none of them may hold. */
static void row_markdown(const struct pair *p)
{
	struct cells c;

	cells_of(p, &c);
	printf("| %s%s | %s | %s | %s | %s | %s | %s | %s |\n", changes[p->change].word,
	    p->exposes ? " **exposure**" : "", c.from, c.to, c.proto, c.spoke, c.packets,
	    c.before, c.after);
}

static void summary_text(const struct comparing *c, bool markdown)
{
	size_t flows = replay_count(c->to[0].flows);

	printf("%s%zu flow%s: ", markdown ? "\n" : "", flows, flows == 1 ? "" : "s");
	for (int i = OPENED; i < CHANGES; i++)
		printf("%llu %s, ", (unsigned long long)c->n[i], changes[i].said);
	printf("%llu %s; %llu exposure%s opened; %llu packets%s\n",
	    (unsigned long long)c->n[SAME], changes[SAME].said,
	    (unsigned long long)c->exposed, c->exposed == 1 ? "" : "s",
	    (unsigned long long)c->read.packets,
	    c->read.broken_off ? "; the capture is cut" : "");
}

static int report_json(struct comparing *c, const int64_t *at)
{
	static struct jsonbuf b;
	struct pair p;

	jsonbuf_init(&b, STDOUT_FILENO);
	for (size_t i = 0; i < replay_count(c->to[0].flows); i++) {
		compare(c, i, at, &p);
		if (p.change != SAME)
			row_json(&b, &p);
	}
	summary_json(&b, c);
	jsonbuf_flush(&b);
	return b.failed ? CLI_SYSTEM : CLI_OK;
}

static int report_markdown(struct comparing *c, const int64_t *at)
{
	bool head = false;
	struct pair p;

	for (size_t i = 0; i < replay_count(c->to[0].flows); i++) {
		compare(c, i, at, &p);
		if (p.change == SAME)
			continue;
		if (!head)
			puts("| change | from | to | proto | spoke | packets | before | after |\n"
			     "| --- | --- | --- | --- | --- | ---: | --- | --- |");
		head = true;
		row_markdown(&p);
	}
	summary_text(c, head);
	return CLI_OK;
}

static int report_text(struct comparing *c, const int64_t *at)
{
	struct out_table *t =
	    out_table_new("change|from|to|proto|spoke||>packets|before|after");
	struct pair p;
	int rc = 0;

	if (!t)
		return CLI_SYSTEM;
	for (size_t i = 0; i < replay_count(c->to[0].flows); i++) {
		compare(c, i, at, &p);
		if (p.change != SAME)
			row_text(t, &p);
	}
	if (out_table_rows(t))
		rc = out_table_print(t, stdout, cli.colour);
	summary_text(c, false);
	out_table_free(t);
	return rc < 0 ? CLI_SYSTEM : CLI_OK;
}

static int report(struct comparing *c, const int64_t *at)
{
	replay_guards_sort(c->to[0].guards);
	replay_guards_sort(c->to[1].guards);
	if (cli.format == FORMAT_JSON)
		return report_json(c, at);
	return cli.format == FORMAT_MARKDOWN ? report_markdown(c, at) : report_text(c, at);
}

int replay_against(
    const char *before, const char *after, const char *file, const int64_t *at)
{
	struct comparing c = { .exposed = 0 };
	enum fail_on on;
	int rc = parse_fail_on(&on);

	if (rc == CLI_OK)
		rc = load_sides(before, after, &c.fs[0], &c.fs[1]);
	if (rc == CLI_OK && (readers_init(&c.to[0], c.fs[0], at) < 0 ||
				readers_init(&c.to[1], c.fs[1], at) < 0)) {
		cli_warnx("out of memory");
		rc = CLI_SYSTEM;
	}
	if (rc == CLI_OK)
		rc = replay_read(file, c.to, 2, &c.read);
	if (rc == CLI_OK)
		rc = report(&c, at);
	if (rc == CLI_OK && c.read.broken_off)
		rc = CLI_USAGE;
	else if (rc == CLI_OK && has_failed(on, &c))
		rc = CLI_DIFFERENT;
	for (int i = 0; i < 2; i++) {
		readers_free(&c.to[i]);
		free(c.fs[i]);
	}
	return rc;
}
