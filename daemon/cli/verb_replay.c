/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: cordon replay: what a policy would have said to each flow of a capture */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/pcapfile.h"
#include "cli/answer.h"
#include "cli/cli.h"
#include "cli/jsonbuf.h"
#include "cli/out.h"
#include "cli/replay.h"
#include "cli/replay_against.h"
#include "cli/replay_gate.h"
#include "cli/replay_judge.h"
#include "cli/replay_packets.h"
#include "cli/verb.h"
#include "wire/wire.h"

static const struct wire_conf conf = {
    .flows = 1u << 18, .streams = 2048, .facts = 1u << 14, .huge_pages = true};

/* ---- reading ---- */

enum { PROGRESS_EVERY = 500000 };

int readers_init(struct readers *to, const struct fs *fs, const int64_t *at)
{
	to->at = at;
	struct wire_conf own = conf;

	to->flows = replay_new();
	/* who wrote the capture does not choose where its flows stand in the table */
	to->wire = getrandom(&own.seed, sizeof(own.seed), 0) == sizeof(own.seed)
	    ? wire_new(&own)
	    : NULL;
	to->guards = to->wire ? replay_guards_new(fs, to->wire) : NULL;
	to->kernel = replay_kernel_new(fs, at);
	return to->flows && to->guards && to->kernel ? 0 : -1;
}

void readers_free(struct readers *to)
{
	wire_free(to->wire);
	replay_guards_free(to->guards);
	replay_kernel_free(to->kernel);
	replay_free(to->flows);
}

static int take(const struct readers *to, const struct pkt_in *in, struct replay_counts *n)
{
	struct sighting s;
	bool news = wire_packet(to->wire, in, &s);
	enum decode how;
	const struct pkt_view *v = wire_view(to->wire, &how);
	struct replay_pass p;
	int rc;

	n->packets++;
	if (how == DECODE_FRAGMENT)
		return 0; /* counted when the datagram is whole */
	if (how != DECODE_OK || !v->src.v) {
		n->undecoded++;
		return 0;
	}
	rc = replay_packet(to->flows, v, in->ts_us, in->len);
	n->related += rc == 1;
	if (news && s.facts.app != APP_NONE)
		replay_spoken(to->flows, &s);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (replay_kernel_packet(to->kernel, to->flows, v, in->ts_us, &p) < 0 ||
	    replay_guards_packet(to->guards, to->flows, in->ts_us, &p) < 0)
		return -1;
	replay_kernel_done(to->kernel, to->flows, v, &p);
	if (to->packets)
		replay_packets_tell(to->packets, n->packets, to->flows, v, in->ts_us, &p);
	return 0;
}

static int take_all(const struct readers *to, unsigned nto, const struct pkt_in *in, int n,
    struct replay_counts *counts)
{
	struct replay_counts again = { 0 }; /* the same for every policy */

	for (unsigned k = 0; k < nto; k++) {
		wire_ahead(to[k].wire, in, (unsigned)n);
		for (int i = 0; i < n; i++)
			if (take(&to[k], &in[i], k ? &again : counts) < 0)
				return -1;
	}
	return 0;
}

/* What waited for bytes that no packet brought. */
static int finish(const struct readers *to)
{
	struct sighting s;

	while (wire_finish(to->wire, &s)) {
		replay_spoken(to->flows, &s);
		if (replay_guards_messages(to->guards, to->flows, s.last_us, to->at) < 0)
			return -1;
	}
	return 0;
}

static void progress(const struct pcapfile *f, uint64_t packets, size_t flows)
{
	int percent = pcapfile_percent(f);
	char part[16] = "";

	if (percent >= 0)
		snprintf(part, sizeof(part), " (%d %%)", percent);
	out_progress("%llu packets%s, %zu flows", (unsigned long long)packets, part, flows);
}

int replay_read(const char *path, const struct readers *to, unsigned nto,
    struct replay_counts *n)
{
	char err[PCAPFILE_ERRLEN];
	struct pcapfile *f = pcapfile_open(path, err);
	struct pkt_in in[WIRE_AHEAD];
	uint64_t tell = PROGRESS_EVERY;
	int got;

	if (!f) {
		cli_warnx("capture %s: %s", path, err);
		return CLI_USAGE;
	}
	while ((got = pcapfile_some(f, in, WIRE_AHEAD)) > 0) {
		if (take_all(to, nto, in, got, n) < 0) {
			out_progress(NULL);
			cli_warnx("out of memory after %llu packets",
			    (unsigned long long)n->packets);
			pcapfile_close(f);
			return CLI_SYSTEM;
		}
		if (n->packets >= tell) {
			progress(f, n->packets, replay_count(to->flows));
			tell += PROGRESS_EVERY;
		}
	}
	out_progress(NULL);
	for (unsigned k = 0; k < nto; k++)
		if (finish(&to[k]) < 0) {
			cli_warnx("out of memory at the end");
			pcapfile_close(f);
			return CLI_SYSTEM;
		}
	if (got < 0) {
		n->broken_off = true;
		cli_warnx("capture %s breaks off after %llu packets: %s", path,
		    (unsigned long long)n->packets, pcapfile_error(f));
	}
	pcapfile_close(f);
	return CLI_OK;
}

/* ---- judging ---- */

const struct replay_hit *replay_condemns(const struct judged *j)
{
	for (size_t i = 0; i < j->nhits; i++)
		if (j->hit[i].action == FS_GUARD_DROP && !j->hit[i].sensor)
			return &j->hit[i];
	return NULL;
}

static bool is_exposure(const struct fs_verdict *v, uint8_t app)
{
	uint8_t bit = app == APP_SMB ? FS_SMB : app == APP_RDP ? FS_RDP : 0;

	for (unsigned i = 0; bit && i < v->nsides; i++)
		if (!v->side[i].match || !(v->side[i].grants & bit))
			return true;
	return false;
}

/* Of a TCP connection whose opening was not seen the kernel lets packets pass if
 * either direction is allowed. */
static void judge(struct judged *j, const int64_t *at)
{
	const struct replay_flow *f = j->flow;
	int64_t second = f->first_us / 1000000 - (f->first_us % 1000000 < 0);

	j->asked = (struct fs_flow){.src = f->src,
	    .dst = f->dst,
	    .proto = f->proto,
	    .dport = f->dport,
	    .at = at ? *at : second};
	fs_judge(j->fs, &j->asked, &j->v);
	if (j->v.result == FS_DENY && f->proto == IPPROTO_TCP && !f->opened) {
		struct fs_flow back = j->asked;
		struct fs_verdict v;

		back.src = f->dst;
		back.dst = f->src;
		back.dport = f->sport;
		fs_judge(j->fs, &back, &v);
		if (v.result == FS_ALLOW) {
			j->asked = back;
			j->v = v;
		}
	}
	j->exposure = is_exposure(&j->v, f->app);
}

/* The first packet that the kernel refuses for more than its own sake names the reason; what
 * a guard condemns says so itself. */
static void judge_fate(struct judged *j)
{
	static const enum fs_reason why[] = { [0] = FS_WHY_OPENING, [FS_REQ_NLA] = FS_WHY_NLA,
		[FS_REQ_SMB2] = FS_WHY_SMB2, [FS_REQ_SIGNING] = FS_WHY_SIGNING };
	const struct replay_hit *drop = replay_condemns(j);
	uint64_t no_rule = j->fate.no_rule, first = drop ? drop->packet : UINT64_MAX;

	if (j->v.result != FS_ALLOW)
		return;
	for (size_t i = 0; i < j->fate.ngates; i++) {
		const struct replay_gate *g = &j->fate.gate[i];

		if (!g->held || g->packet > first)
			continue;
		first = g->packet;
		j->v.result = FS_DENY;
		j->v.reason = why[g->require];
		break;
	}
	if (no_rule != 0 && no_rule < first) {
		j->v.result = FS_DENY;
		j->v.reason = j->fate.reason;
	}
}

void replay_judge(struct judged *ret, const struct fs *fs, const struct readers *from,
    size_t i, const int64_t *at)
{
	*ret = (struct judged){ .fs = fs, .flow = replay_flow(from->flows, i),
		.fate = replay_fate_of(from->kernel, i) };
	judge(ret, at);
	ret->exposure |= ret->fate.spoke != 0;
	ret->nhits = replay_guards_of(from->guards, i, ret->flow, &ret->v, &ret->fate, ret->hit,
	    REPLAY_HITS_MAX);
	judge_fate(ret);
}

/* ---- output ---- */

#define RAW(b, literal) jsonbuf_mem(b, literal, sizeof(literal) - 1)

void replay_timestamp(int64_t us, char *buf, size_t size)
{
	time_t s = (time_t)(us / 1000000);
	struct tm tm;
	size_t n =
	    gmtime_r(&s, &tm) ? strftime(buf, size, "%Y-%m-%dT%H:%M:%S", &tm) : 0;

	snprintf(buf + n, size - n, ".%06d+0000", (int)(us % 1000000));
}

static void address_json(struct jsonbuf *b, const char *key, const struct netaddr *a)
{
	char text[NETADDR_STRLEN];

	jsonbuf_member(b, key, netaddr_format(a, text));
}

const char *replay_proto(
    const struct fs_flow *f, char buf[static ANSWER_SERVICE_LEN])
{
	char *slash;

	answer_service(f, buf);
	slash = strchr(buf, '/');
	if (slash && strncmp(buf, "ip/", 3) != 0)
		*slash = '\0';
	return buf;
}

const char *replay_action(const struct replay_hit *h)
{
	if (h->observed)
		return "would_drop";
	return h->action == FS_GUARD_DROP && !h->sensor ? "drop" : "alert";
}

/* Hits of guards in their order. */
static void hits_json(struct jsonbuf *b, const struct judged *j)
{
	RAW(b, ",\"guard_hits\":[");
	for (size_t i = 0; i < j->nhits; i++) {
		const struct replay_hit *h = &j->hit[i];
		char when[64];

		replay_timestamp(h->ts_us, when, sizeof(when));
		jsonbuf_raw(b, i ? ",{\"guard\":" : "{\"guard\":");
		jsonbuf_str(b, h->guard);
		RAW(b, ",\"action\":");
		jsonbuf_str(b, replay_action(h));
		RAW(b, ",\"where\":");
		jsonbuf_str(b, h->sensor ? "sensor" : "kernel");
		RAW(b, ",\"timestamp\":");
		jsonbuf_str(b, when);
		jsonbuf_number(b, ",\"packet\":", h->packet);
		RAW(b, "}");
	}
	RAW(b, "]");
}

static void gates_json(struct jsonbuf *b, const struct judged *j)
{
	RAW(b, ",\"gates\":[");
	for (size_t i = 0; i < j->fate.ngates; i++) {
		const struct replay_gate *g = &j->fate.gate[i];
		char when[64];

		replay_timestamp(g->ts_us, when, sizeof(when));
		jsonbuf_raw(b, i ? ",{\"reason\":" : "{\"reason\":");
		jsonbuf_str(b, replay_gate_reason(g->require));
		RAW(b, ",\"action\":");
		jsonbuf_str(b, g->held ? "deny" : "would_deny");
		RAW(b, ",\"timestamp\":");
		jsonbuf_str(b, when);
		jsonbuf_number(b, ",\"packet\":", g->packet);
		RAW(b, "}");
	}
	RAW(b, "]");
}

static void row_json(struct jsonbuf *b, const struct judged *j)
{
	const struct replay_flow *f = j->flow;
	bool icmp = f->proto == IPPROTO_ICMP || f->proto == IPPROTO_ICMPV6;
	bool ports = f->proto == IPPROTO_TCP || f->proto == IPPROTO_UDP ||
		     f->proto == IPPROTO_SCTP;
	char text[64], service[ANSWER_SERVICE_LEN];

	replay_timestamp(f->first_us, text, sizeof(text));
	RAW(b, "{\"timestamp\":");
	jsonbuf_str(b, text);
	address_json(b, ",\"src_ip\":", &f->src);
	if (ports)
		jsonbuf_number(b, ",\"src_port\":", f->sport);
	address_json(b, ",\"dest_ip\":", &f->dst);
	if (ports || icmp)
		jsonbuf_number(b, icmp ? ",\"icmp_type\":" : ",\"dest_port\":", f->dport);
	RAW(b, ",\"proto\":");
	jsonbuf_str(b, replay_proto(&j->asked, service));
	if (f->app != APP_NONE) {
		RAW(b, ",\"app_proto\":");
		jsonbuf_str(b, app_name((enum app)f->app));
	}
	RAW(b, ",");
	answer_members(b, j->fs, &j->asked, &j->v);
	if (j->exposure)
		RAW(b, ",\"exposure\":true");
	hits_json(b, j);
	if (j->fate.ngates > 0)
		gates_json(b, j);
	if (j->fate.condemned > 0)
		jsonbuf_number(b, ",\"condemned_packets\":", j->fate.condemned);
	if (replay_denied(j) > 0)
		jsonbuf_number(b, ",\"denied_packets\":", replay_denied(j));
	jsonbuf_number(b, ",\"packets\":", f->packets);
	jsonbuf_number(b, ",\"bytes\":", f->bytes);
	RAW(b, "}\n");
}

static void summary_json(struct jsonbuf *b, size_t flows, const struct replay_counts *n)
{
	RAW(b, "{\"event_type\":\"summary\"");
	jsonbuf_number(b, ",\"flows\":", flows);
	jsonbuf_number(b, ",\"allow\":", n->verdict[FS_ALLOW]);
	jsonbuf_number(b, ",\"deny\":", n->verdict[FS_DENY]);
	jsonbuf_number(b, ",\"pass\":", n->verdict[FS_PASS]);
	jsonbuf_number(b, ",\"exposure\":", n->exposure);
	jsonbuf_number(b, ",\"condemned\":", n->condemned);
	jsonbuf_number(b, ",\"packets\":", n->packets);
	jsonbuf_number(b, ",\"undecoded\":", n->undecoded);
	jsonbuf_number(b, ",\"related\":", n->related);
	jsonbuf_raw(
	    b, n->broken_off ? ",\"truncated\":true}\n" : ",\"truncated\":false}\n");
}

void replay_end(
    const struct netaddr *a, uint16_t port, bool with_port, char *buf, size_t size)
{
	char text[NETADDR_STRLEN];

	netaddr_format(a, text);
	if (!with_port)
		snprintf(buf, size, "%s", text);
	else
		snprintf(buf, size, a->v == 6 ? "[%s]:%u" : "%s:%u", text, port);
}

/* Of what is not TCP the verdict is that of all its packets. */
uint64_t replay_denied(const struct judged *j)
{
	if (j->fate.judged)
		return j->fate.dropped;
	return j->v.result == FS_DENY ? j->flow->packets : 0;
}

/* What weighs most of the hits that stopped nothing: the first that would have. */
static const struct replay_hit *told_hit(const struct judged *j)
{
	for (size_t i = 0; i < j->nhits; i++)
		if (j->hit[i].observed)
			return &j->hit[i];
	return &j->hit[0];
}

/* The rule that allows, or the host that has none, or the reason. */
const char *replay_why(const struct judged *j, char *buf, size_t size)
{
	const struct replay_fate *f = &j->fate;
	const struct replay_gate *g = f->ngates ? &f->gate[f->ngates - 1] : NULL;

	if (j->v.result == FS_DENY && f->no_rule > 1 && j->v.reason == f->reason) {
		snprintf(buf, size, "%s, from packet %llu on", fs_reason_text(f->reason),
		    (unsigned long long)f->no_rule);
		return buf;
	}
	if (g && (g->held || j->nhits == 0)) {
		snprintf(buf, size, g->held ? "%s at packet %llu" : "%s at packet %llu: would_deny",
		    replay_gate_reason(g->require), (unsigned long long)g->packet);
		return buf;
	}
	if (j->nhits) {
		const struct replay_hit *drop = replay_condemns(j);
		const struct replay_hit *h = drop ? drop : told_hit(j);

		snprintf(buf, size, "guard %s: %s at packet %llu", h->guard,
		    replay_action(h), (unsigned long long)h->packet);
		return buf;
	}
	for (unsigned i = j->v.nsides; i-- > 0;) {
		const struct fs_side *s = &j->v.side[i];

		if (j->v.result == FS_ALLOW && s->rule != FS_NONE)
			return fs_str(j->fs, fs_rule(j->fs, s->rule)->id);
	}
	return fs_reason_text(j->v.reason);
}

static void row_text(struct out_table *t, const struct judged *j)
{
	static const enum out_tone tone[] = {
	    [FS_PASS] = TONE_DIM, [FS_ALLOW] = TONE_GOOD, [FS_DENY] = TONE_BAD};
	const struct replay_flow *f = j->flow;
	bool ports = f->proto == IPPROTO_TCP || f->proto == IPPROTO_UDP ||
		     f->proto == IPPROTO_SCTP;
	char src[64], dst[64], service[ANSWER_SERVICE_LEN], packets[24], why[128];

	replay_end(&f->src, f->sport, ports, src, sizeof(src));
	replay_end(&f->dst, f->dport, ports, dst, sizeof(dst));
	answer_service(&j->asked, service);
	snprintf(packets, sizeof(packets), "%llu", (unsigned long long)f->packets);
	out_table_row(t, replay_condemns(j) ? "condemn" : fs_result_name(j->v.result), src, dst,
	    ports ? replay_proto(&j->asked, service) : service,
	    f->app == APP_NONE ? "" : app_name((enum app)f->app),
	    j->exposure ? "exposure" : "", packets,
	    replay_why(j, why, sizeof(why)));
	out_table_tone(t, 0, replay_condemns(j) ? TONE_BAD : tone[j->v.result]);
	out_table_tone(t, 5, TONE_BAD);
}

static void summary_text(size_t flows, const struct replay_counts *n)
{
	printf("%zu flow%s: %llu allowed, %llu denied, %llu not ours; %llu exposure%s, %llu condemned; "
	       "%llu packets, %llu of them not understood%s\n",
	    flows, flows == 1 ? "" : "s", (unsigned long long)n->verdict[FS_ALLOW],
	    (unsigned long long)n->verdict[FS_DENY],
	    (unsigned long long)n->verdict[FS_PASS], (unsigned long long)n->exposure,
	    n->exposure == 1 ? "" : "s", (unsigned long long)n->condemned,
	    (unsigned long long)n->packets, (unsigned long long)n->undecoded,
	    n->broken_off ? "; the capture is cut" : "");
}

static int report(const struct fs *fs, const struct readers *from, const int64_t *at,
    struct replay_counts *n)
{
	static struct jsonbuf b;
	const struct replay *r = from->flows;
	struct out_table *t = NULL;
	int rc = 0;

	if (cli.format == FORMAT_TEXT &&
	    !(t = out_table_new("verdict|from|to|proto|spoke||>packets|why")))
		return CLI_SYSTEM;
	jsonbuf_init(&b, STDOUT_FILENO);
	replay_guards_sort(from->guards);
	for (size_t i = 0; i < replay_count(r); i++) {
		struct judged j;

		replay_judge(&j, fs, from, i, at);
		n->condemned += replay_condemns(&j) != NULL;
		n->verdict[j.v.result]++;
		n->exposure += j.exposure;
		if (t)
			row_text(t, &j);
		else
			row_json(&b, &j);
	}
	if (t) {
		rc = out_table_print(t, stdout, cli.colour);
		summary_text(replay_count(r), n);
	} else {
		summary_json(&b, replay_count(r), n);
		jsonbuf_flush(&b);
	}
	out_table_free(t);
	return rc < 0 || b.failed ? CLI_SYSTEM : CLI_OK;
}

/* One policy: what it says of every flow. */
static int replay_one(const char *policy, const char *file, const int64_t *at)
{
	struct replay_counts n = {0};
	struct readers to = {0};
	struct fs *fs = NULL;
	int rc = cli_load_policy(policy, &fs);

	if (rc != CLI_OK)
		return rc;
	if (readers_init(&to, fs, at) < 0 ||
	    (cli_opt("packets") && !(to.packets = replay_packets_new(fs, at)))) {
		cli_warnx("out of memory");
		rc = CLI_SYSTEM;
	} else {
		rc = replay_read(file, &to, 1, &n);
	}
	if (rc == CLI_OK && to.packets)
		rc = replay_packets_end(to.packets, n.packets, n.broken_off) ? CLI_OK : CLI_SYSTEM;
	else if (rc == CLI_OK)
		rc = report(fs, &to, at, &n);
	replay_packets_free(to.packets);
	readers_free(&to);
	free(fs);
	return rc == CLI_OK && n.broken_off ? CLI_USAGE : rc;
}

int verb_replay(int argc, char **argv)
{
	const char *other = cli_opt("against");
	const int64_t *fixed;
	int64_t at;
	int rc;

	(void)argc;
	if ((rc = cli_time(&at)) != CLI_OK)
		return rc;
	fixed = cli_opt("at") ? &at : NULL;
	if (other && cli_opt("packets"))
		return cli_usage("--packets does not go with --against");
	if (other)
		return replay_against(argv[1], other, argv[2], fixed);
	if (cli_opt("fail-on") || cli.format == FORMAT_MARKDOWN)
		return cli_usage("%s goes with --against OTHER",
		    cli_opt("fail-on") ? "--fail-on" : "--format markdown");
	return replay_one(argv[1], argv[2], fixed);
}
