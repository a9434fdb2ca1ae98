/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: cordon replay: what a policy would have said to each flow of a capture */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/pcapfile.h"
#include "cli/answer.h"
#include "cli/cli.h"
#include "cli/jsonbuf.h"
#include "cli/out.h"
#include "cli/replay.h"
#include "cli/verb.h"
#include "wire/wire.h"

static const struct wire_conf conf = {
    .flows = 1u << 18, .streams = 2048, .facts = 1u << 14};

struct counts {
	uint64_t packets, undecoded, related, verdict[3], exposure;
	bool broken_off;
};

/* What a verdict is printed from. */
struct judged {
	const struct fs *fs;
	const struct replay_flow *flow;
	struct fs_flow asked;
	struct fs_verdict v;
	bool exposure;
};

/* ---- reading ---- */

static int take(
    struct replay *r, struct wire *w, const struct pkt_in *in, struct counts *n)
{
	struct sighting s;
	bool news = wire_packet(w, in, &s);
	enum decode how;
	const struct pkt_view *v = wire_view(w, &how);
	int rc;

	n->packets++;
	if (how == DECODE_FRAGMENT)
		return 0; /* counted when the datagram is whole */
	if (how != DECODE_OK || !v->src.v) {
		n->undecoded++;
		return 0;
	}
	rc = replay_packet(r, v, in->ts_us, in->len);
	n->related += rc == 1;
	if (news && s.facts.app != APP_NONE)
		replay_spoken(r, &s);
	return rc < 0 ? -1 : 0;
}

static int read_capture(
    const char *path, struct replay *r, struct wire *w, struct counts *n)
{
	char err[PCAPFILE_ERRLEN];
	struct pcapfile *f = pcapfile_open(path, err);
	struct pkt_in in;
	int rc;

	if (!f) {
		cli_warnx("capture: %s", err);
		return CLI_USAGE;
	}
	while ((rc = pcapfile_next(f, &in)) == 1) {
		if (take(r, w, &in, n) < 0) {
			cli_warnx("out of memory after %llu packets",
			    (unsigned long long)n->packets);
			pcapfile_close(f);
			return CLI_SYSTEM;
		}
		if (n->packets % 500000 == 0)
			out_progress("%llu packets, %zu flows",
			    (unsigned long long)n->packets, replay_count(r));
	}
	out_progress(NULL);
	if (rc < 0) {
		n->broken_off = true;
		cli_warnx("capture breaks off after %llu packets: %s",
		    (unsigned long long)n->packets, pcapfile_error(f));
	}
	pcapfile_close(f);
	return CLI_OK;
}

/* ---- judging ---- */

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

/* ---- output ---- */

#define RAW(b, literal) jsonbuf_mem(b, literal, sizeof(literal) - 1)

static void timestamp(int64_t us, char *buf, size_t size)
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

	jsonbuf_raw(b, key);
	jsonbuf_str(b, netaddr_format(a, text));
}

static void uint_json(struct jsonbuf *b, const char *key, uint64_t n)
{
	jsonbuf_raw(b, key);
	jsonbuf_uint(b, n);
}

static const char *proto_text(
    const struct fs_flow *f, char buf[static ANSWER_SERVICE_LEN])
{
	char *slash;

	answer_service(f, buf);
	slash = strchr(buf, '/');
	if (slash && strncmp(buf, "ip/", 3) != 0)
		*slash = '\0';
	return buf;
}

static void row_json(struct jsonbuf *b, const struct judged *j)
{
	const struct replay_flow *f = j->flow;
	bool icmp = f->proto == IPPROTO_ICMP || f->proto == IPPROTO_ICMPV6;
	char text[64], service[ANSWER_SERVICE_LEN];

	timestamp(f->first_us, text, sizeof(text));
	RAW(b, "{\"timestamp\":");
	jsonbuf_str(b, text);
	address_json(b, ",\"src_ip\":", &f->src);
	if (!icmp)
		uint_json(b, ",\"src_port\":", f->sport);
	address_json(b, ",\"dest_ip\":", &f->dst);
	uint_json(b, icmp ? ",\"icmp_type\":" : ",\"dest_port\":", f->dport);
	RAW(b, ",\"proto\":");
	jsonbuf_str(b, proto_text(&j->asked, service));
	if (f->app != APP_NONE) {
		RAW(b, ",\"app_proto\":");
		jsonbuf_str(b, app_name((enum app)f->app));
	}
	RAW(b, ",");
	answer_members(b, j->fs, &j->asked, &j->v);
	if (j->exposure)
		RAW(b, ",\"exposure\":true");
	uint_json(b, ",\"packets\":", f->packets);
	uint_json(b, ",\"bytes\":", f->bytes);
	RAW(b, "}\n");
}

static void summary_json(struct jsonbuf *b, size_t flows, const struct counts *n)
{
	RAW(b, "{\"event_type\":\"summary\"");
	uint_json(b, ",\"flows\":", flows);
	uint_json(b, ",\"allow\":", n->verdict[FS_ALLOW]);
	uint_json(b, ",\"deny\":", n->verdict[FS_DENY]);
	uint_json(b, ",\"pass\":", n->verdict[FS_PASS]);
	uint_json(b, ",\"exposure\":", n->exposure);
	uint_json(b, ",\"packets\":", n->packets);
	uint_json(b, ",\"undecoded\":", n->undecoded);
	uint_json(b, ",\"related\":", n->related);
	jsonbuf_raw(
	    b, n->broken_off ? ",\"truncated\":true}\n" : ",\"truncated\":false}\n");
}

static void end_text(
    const struct netaddr *a, uint16_t port, bool with_port, char *buf, size_t size)
{
	char text[NETADDR_STRLEN];

	netaddr_format(a, text);
	if (!with_port)
		snprintf(buf, size, "%s", text);
	else
		snprintf(buf, size, a->v == 6 ? "[%s]:%u" : "%s:%u", text, port);
}

/* The rule that allows, or the host that has none, or the reason. */
static const char *why_text(const struct judged *j)
{
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
	char src[64], dst[64], service[ANSWER_SERVICE_LEN], packets[24];

	end_text(&f->src, f->sport, ports, src, sizeof(src));
	end_text(&f->dst, f->dport, ports, dst, sizeof(dst));
	answer_service(&j->asked, service);
	snprintf(packets, sizeof(packets), "%llu", (unsigned long long)f->packets);
	out_table_row(t, fs_result_name(j->v.result), src, dst,
	    ports ? proto_text(&j->asked, service) : service,
	    f->app == APP_NONE ? "" : app_name((enum app)f->app),
	    j->exposure ? "exposure" : "", packets, why_text(j));
	out_table_tone(t, 0, tone[j->v.result]);
	out_table_tone(t, 5, TONE_BAD);
}

static void summary_text(size_t flows, const struct counts *n)
{
	printf("%zu flow%s: %llu allowed, %llu denied, %llu not ours; %llu exposure%s; "
	       "%llu packets, %llu of them not understood%s\n",
	    flows, flows == 1 ? "" : "s", (unsigned long long)n->verdict[FS_ALLOW],
	    (unsigned long long)n->verdict[FS_DENY],
	    (unsigned long long)n->verdict[FS_PASS], (unsigned long long)n->exposure,
	    n->exposure == 1 ? "" : "s", (unsigned long long)n->packets, (unsigned long long)n->undecoded,
	    n->broken_off ? "; the capture is cut" : "");
}

static int report(
    const struct fs *fs, const struct replay *r, const int64_t *at, struct counts *n)
{
	static struct jsonbuf b;
	struct out_table *t = NULL;
	int rc = 0;

	if (cli.format == FORMAT_TEXT &&
	    !(t = out_table_new("verdict|from|to|proto|spoke||>packets|why")))
		return CLI_SYSTEM;
	jsonbuf_init(&b, STDOUT_FILENO);
	for (size_t i = 0; i < replay_count(r); i++) {
		struct judged j = {.fs = fs, .flow = replay_flow(r, i)};

		judge(&j, at);
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

int verb_replay(int argc, char **argv)
{
	struct counts n = {0};
	struct replay *r = NULL;
	struct wire *w = NULL;
	struct fs *fs = NULL;
	int64_t at;
	int rc;

	(void)argc;
	if ((rc = cli_time(&at)) != CLI_OK ||
	    (rc = cli_load_policy(argv[1], &fs)) != CLI_OK)
		return rc;
	r = replay_new();
	w = wire_new(&conf);
	rc = r && w ? read_capture(argv[2], r, w, &n) : CLI_SYSTEM;
	if (rc == CLI_OK)
		rc = report(fs, r, cli_opt("at") ? &at : NULL, &n);
	wire_free(w);
	replay_free(r);
	free(fs);
	return rc;
}
