/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: replay --packets: each packet that the kernel would have denied, and why */
#include "cli/replay_packets.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/jsonbuf.h"
#include "cli/replay.h"
#include "cli/replay_judge.h"
#include "cli/replay_kernel.h"
#include "wire/decode.h"

struct replay_packets {
	const struct fs *fs;
	const int64_t *at;
	uint64_t denied;
	struct jsonbuf b;
};

struct replay_packets *replay_packets_new(const struct fs *fs, const int64_t *at)
{
	struct replay_packets *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->fs = fs;
	t->at = at;
	jsonbuf_init(&t->b, STDOUT_FILENO);
	return t;
}

void replay_packets_free(struct replay_packets *t)
{
	free(t);
}

static bool has_ports(const struct pkt_view *v)
{
	return v->proto == IPPROTO_TCP || v->proto == IPPROTO_UDP || v->proto == IPPROTO_SCTP;
}

/* ICMP's type stands where others have their port. */
static struct fs_flow asked_of(const struct pkt_view *v)
{
	return (struct fs_flow){ .src = v->src, .dst = v->dst, .proto = v->proto,
		.dport = has_ports(v) ? v->dport : v->icmp_type };
}

static void line_json(struct jsonbuf *b, const struct pkt_view *v, uint64_t number,
    int64_t ts_us, const char *why, const char *guard)
{
	const struct fs_flow asked = asked_of(v);
	char text[64], service[ANSWER_SERVICE_LEN];

	jsonbuf_number(b, "{\"packet\":", number);
	replay_timestamp(ts_us, text, sizeof(text));
	jsonbuf_member(b, ",\"timestamp\":", text);
	replay_end(&v->src, 0, false, text, sizeof(text));
	jsonbuf_member(b, ",\"src_ip\":", text);
	if (has_ports(v))
		jsonbuf_number(b, ",\"src_port\":", v->sport);
	replay_end(&v->dst, 0, false, text, sizeof(text));
	jsonbuf_member(b, ",\"dest_ip\":", text);
	if (has_ports(v))
		jsonbuf_number(b, ",\"dest_port\":", asked.dport);
	else if (v->proto == IPPROTO_ICMP || v->proto == IPPROTO_ICMPV6)
		jsonbuf_number(b, ",\"icmp_type\":", asked.dport);
	jsonbuf_member(b, ",\"proto\":", replay_proto(&asked, service));
	jsonbuf_member(b, ",\"reason\":", why);
	if (guard)
		jsonbuf_member(b, ",\"guard\":", guard);
	jsonbuf_raw(b, "}\n");
}

static void line_text(struct jsonbuf *b, const struct pkt_view *v, uint64_t number,
    int64_t ts_us, const char *why, const char *guard)
{
	const struct fs_flow asked = asked_of(v);
	char when[64], src[64], dst[64], service[ANSWER_SERVICE_LEN], line[512];

	replay_timestamp(ts_us, when, sizeof(when));
	replay_end(&v->src, v->sport, has_ports(v), src, sizeof(src));
	replay_end(&v->dst, v->dport, has_ports(v), dst, sizeof(dst));
	snprintf(line, sizeof(line), "packet %llu  %s  %s > %s  %s  %s%s%s\n",
	    (unsigned long long)number, when, src, dst, replay_proto(&asked, service), why,
	    guard ? " " : "", guard ? guard : "");
	jsonbuf_raw(b, line);
}

/* Of what is not TCP conntrack's direction is that of the flow. */
static const char *why_of(const struct replay_packets *t, const struct replay *r,
    int64_t ts_us, const struct replay_pass *p)
{
	const struct replay_flow *f = replay_flow(r, replay_last(r, NULL));
	struct fs_flow asked = { .src = f->src, .dst = f->dst, .proto = f->proto,
		.dport = f->dport,
		.at = t->at ? *t->at : ts_us / 1000000 - (ts_us % 1000000 < 0) };
	struct fs_verdict v;

	if (f->proto == IPPROTO_TCP)
		return p->why == REPLAY_PASSES ? NULL : replay_why_word(p->why);
	fs_judge(t->fs, &asked, &v);
	if (v.result != FS_DENY)
		return NULL;
	return v.reason == FS_WHY_MULTICAST ? "multicast" :
	    v.reason == FS_WHY_UNDECLARED ? replay_why_word(REPLAY_UNDECLARED) :
					      replay_why_word(REPLAY_NO_RULE);
}

void replay_packets_tell(struct replay_packets *t, uint64_t number, const struct replay *r,
    const struct pkt_view *v, int64_t ts_us, const struct replay_pass *p)
{
	const char *why = why_of(t, r, ts_us, p);

	if (!why)
		return;
	t->denied++;
	(cli.format == FORMAT_JSON ? line_json : line_text)(
	    &t->b, v, number, ts_us, why, p->guard);
}

bool replay_packets_end(struct replay_packets *t, uint64_t packets, bool broken_off)
{
	char line[128];

	if (cli.format == FORMAT_JSON) {
		jsonbuf_number(&t->b, "{\"event_type\":\"summary\",\"packets\":", packets);
		jsonbuf_number(&t->b, ",\"denied_packets\":", t->denied);
		jsonbuf_raw(&t->b,
		    broken_off ? ",\"truncated\":true}\n" : ",\"truncated\":false}\n");
	} else {
		snprintf(line, sizeof(line), "%llu of %llu packets denied%s\n",
		    (unsigned long long)t->denied, (unsigned long long)packets,
		    broken_off ? "; the capture is cut" : "");
		jsonbuf_raw(&t->b, line);
	}
	jsonbuf_flush(&t->b);
	return !t->b.failed;
}
