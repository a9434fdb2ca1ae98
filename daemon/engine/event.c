/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: an event as JSON in the shape of Suricata's EVE, and as a sentence */
#include "engine/event.h"

#include <inttypes.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/facts_json.h"
#include "engine/community.h"

static const struct {
	uint8_t proto;
	const char *name;
} protos[] = {
	{ IPPROTO_TCP, "TCP" },
	{ IPPROTO_UDP, "UDP" },
	{ IPPROTO_ICMP, "ICMP" },
	{ IPPROTO_ICMPV6, "IPv6-ICMP" },
	{ IPPROTO_SCTP, "SCTP" },
	{ IPPROTO_GRE, "GRE" },
	{ IPPROTO_ESP, "ESP" },
	{ IPPROTO_IPV6, "IPv6" },
};

static const char *proto_text(uint8_t proto, char buf[static 8])
{
	for (size_t i = 0; i < sizeof(protos) / sizeof(protos[0]); i++)
		if (protos[i].proto == proto)
			return protos[i].name;
	snprintf(buf, 8, "%03u", proto); /* as Suricata names what it has no word for */
	return buf;
}

static bool has_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP;
}

static bool is_icmp(uint8_t proto)
{
	return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

const char *event_time(int64_t time_us, char buf[static EVENT_TIME_LEN])
{
	time_t s = (time_t)(time_us / 1000000);
	struct tm tm;
	size_t n;

	if (time_us < 0 || !gmtime_r(&s, &tm)) {
		s = 0;
		gmtime_r(&s, &tm);
	}
	n = strftime(buf, EVENT_TIME_LEN, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, EVENT_TIME_LEN - n, ".%06d+0000", (int)(time_us % 1000000));
	return buf;
}

static json_t *text(const char *s)
{
	return facts_json_text((const uint8_t *)s, strlen(s));
}

/* "" stands for "does not apply". */
struct json_t *event_text_or_null(const char *s)
{
	return s && *s ? text(s) : json_null();
}

static void set(json_t *o, const char *key, json_t *value)
{
	json_object_set_new(o, key, value);
}

static void set_addr(json_t *o, const char *key, const struct netaddr *a)
{
	char buf[NETADDR_STRLEN];

	if (a->v)
		set(o, key, json_string(netaddr_format(a, buf)));
}

static void set_flow(json_t *o, const struct event *e)
{
	char cid[COMMUNITY_LEN], buf[8];

	set_addr(o, "src_ip", &e->src);
	if (e->src.v && has_ports(e->proto))
		set(o, "src_port", json_integer(e->sport));
	set_addr(o, "dest_ip", &e->dst);
	if (e->dst.v && has_ports(e->proto))
		set(o, "dest_port", json_integer(e->dport));
	if (e->src.v && e->dst.v) {
		set(o, "proto", json_string(proto_text(e->proto, buf)));
		if (is_icmp(e->proto))
			set(o, "icmp_type", json_integer(e->dport & 0xff));
		if (community_id(&e->src, &e->dst, e->proto, e->sport, e->dport, cid))
			set(o, "community_id", json_string(cid));
	}
	if (e->iface[0])
		set(o, "in_iface", text(e->iface));
}

static const char *signature(const struct event *e)
{
	if (e->title[0])
		return e->title;
	if (e->kind == EVENT_DENIED || e->kind == EVENT_EXPOSURE)
		return event_reasons[e->reason].what;
	return event_kinds[e->kind].what;
}

static json_t *alert_json(const struct event *e)
{
	return json_pack("{s:s, s:o, s:s, s:i}", "action",
	    e->action == ACTION_DROP ? "blocked" : "allowed", "signature",
	    text(signature(e)), "category", event_kinds[e->kind].what, "severity",
	    event_kinds[e->kind].severity);
}

static json_t *policy_json(const struct event_policy *p)
{
	char hex[65] = "";

	for (size_t i = 0; p->generation && i < sizeof(p->digest); i++)
		snprintf(hex + 2 * i, 3, "%02x", p->digest[i]);
	return json_pack("{s:o, s:o, s:i}", "digest", event_text_or_null(hex), "commit",
	    event_text_or_null(p->commit), "generation", (int)p->generation);
}

static const char *const block_origins[] = { "auto", "operator" };
static const char *const block_scopes[] = { "legacy", "all" };

static json_t *block_json(const struct event *e)
{
	char addr[NETADDR_STRLEN];
	json_t *o = json_pack("{s:s, s:i, s:s, s:s}", "addr",
	    netaddr_format(&e->block.addr, addr), "prefixlen", e->block.prefixlen,
	    "origin", block_origins[e->block.origin & 1], "scope",
	    block_scopes[e->block.scope & 1]);

	set(o, "ttl_s", e->block.ttl_s ? json_integer(e->block.ttl_s) : json_null());
	if (e->took_us)
		set(o, "took_us", json_integer(e->took_us));
	return o;
}

static json_t *attack_json(const struct event *e)
{
	json_t *a = json_array();

	if (e->attack[0])
		json_array_append_new(a, text(e->attack));
	return a;
}

static json_t *cve_json(const struct event *e)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < EVENT_CVES && e->cve[i][0]; i++)
		json_array_append_new(a, text(e->cve[i]));
	return a;
}

static const char *const shapes[SHAPE_COUNT] = { NULL, "vertical", "horizontal", "mixed",
	"slow", "smb", "rdp" };

static json_t *behaviour_json(const struct event *e)
{
	const struct event_behaviour *b = &e->behaviour;
	json_t *o = json_pack("{s:o, s:i, s:i, s:I}", "shape",
	    event_text_or_null(shapes[b->shape]), "targets", (int)b->targets, "within_s",
	    (int)b->window_s, "packets", (json_int_t)b->packets);

	if (e->kind == EVENT_SCAN) {
		set(o, "hosts", json_integer(b->hosts));
		set(o, "ports", json_integer(b->ports));
	} else {
		set(o, "failures", json_integer(b->failures));
		set(o, "attempts", json_integer(b->attempts));
	}
	return o;
}

static const char *const confidences[] = { NULL, "handshake", "dialog" };

static json_t *cordon_json(const struct event *e)
{
	json_t *o = json_object();
	char buf[EVENT_TIME_LEN];

	set(o, "schema", json_integer(1));
	set(o, "seq", json_integer((json_int_t)e->seq));
	set(o, "host", event_text_or_null(e->host));
	set(o, "rule", event_text_or_null(e->rule));
	set(o, "direction", event_text_or_null(event_sides[e->side]));
	set(o, "kind", json_string(event_kinds[e->kind].name));
	set(o, "action", json_string(event_actions[e->action]));
	set(o, "mode", event_text_or_null(event_modes[e->mode]));
	set(o, "reason", json_string(event_reasons[e->reason].name));
	set(o, "count", json_integer((json_int_t)e->count));
	set(o, "policy", policy_json(&e->policy));
	set(o, "attack", attack_json(e));
	set(o, "cve", cve_json(e));
	set(o, "confidence", event_text_or_null(confidences[e->confidence]));
	set(o, "incident", event_text_or_null(e->incident));
	if (e->since_us)
		set(o, "since", json_string(event_time(e->since_us, buf)));
	if (e->guard[0])
		set(o, e->kind == EVENT_HEALTH ? "finding" : "guard", text(e->guard));
	if (e->note[0])
		set(o, "note", text(e->note));
	if (e->has_block)
		set(o, "block", block_json(e));
	if (e->behaviour.window_s)
		set(o, "behaviour", behaviour_json(e));
	return o;
}

struct json_t *event_json(const struct event *e, const struct flow_facts *facts)
{
	const struct event_kind_row *kind = &event_kinds[e->kind];
	char buf[EVENT_TIME_LEN];
	json_t *o = json_object(), *app;

	if (!o)
		return NULL;
	set(o, "timestamp", json_string(event_time(e->time_us, buf)));
	set(o, "event_type", json_string(kind->alert ? "alert" : "cordon"));
	set_flow(o, e);
	if (e->app)
		set(o, "app_proto", json_string(app_name(e->app)));
	if (kind->alert)
		set(o, "alert", alert_json(e));
	app = facts ? facts_json(facts) : NULL;
	if (app)
		set(o, app_name(facts->app), app);
	set(o, "cordon", cordon_json(e));
	return o;
}

/* jansson leaves DEL as it is, terminals do not. */
static char *escape_del(char *line)
{
	size_t len = strlen(line), dels = 0, o = 0;
	char *safe;

	for (size_t i = 0; i < len; i++)
		dels += line[i] == 0x7f;
	if (dels == 0)
		return line;
	safe = malloc(len + 5 * dels + 1);
	for (size_t i = 0; safe && i <= len; i++) {
		if (line[i] == 0x7f) {
			memcpy(safe + o, "\\u007f", 6);
			o += 6;
		} else {
			safe[o++] = line[i];
		}
	}
	free(line);
	return safe;
}

char *event_line(const struct event *e, const struct flow_facts *facts)
{
	json_t *o = event_json(e, facts);
	char *line = o ? json_dumps(o, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;

	json_decref(o);
	return line ? escape_del(line) : NULL;
}

static void sentence_end(
    char *buf, size_t size, const struct netaddr *a, uint8_t proto, uint16_t port)
{
	char addr[NETADDR_STRLEN];

	netaddr_format(a, addr);
	if (!has_ports(proto))
		snprintf(buf, size, "%s", addr);
	else
		snprintf(buf, size, a->v == 6 ? "[%s]:%u" : "%s:%u", addr, port);
}

void event_sentence(const struct event *e, char *buf, size_t size)
{
	char src[80] = "", dst[80] = "", flow[192] = "", proto[8];

	if (e->src.v)
		sentence_end(src, sizeof(src), &e->src, e->proto, e->sport);
	if (e->dst.v)
		sentence_end(dst, sizeof(dst), &e->dst, e->proto, e->dport);
	if (dst[0])
		snprintf(flow, sizeof(flow), " %s -> %s %s", src, dst,
		    proto_text(e->proto, proto));
	else if (src[0])
		snprintf(flow, sizeof(flow), " %s", src);
	snprintf(buf, size, "%s%s%s%s: %s", event_kinds[e->kind].name, flow,
	    e->host[0] ? ", host " : "", e->host, event_reasons[e->reason].what);
}
