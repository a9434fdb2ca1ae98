/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: reports: each packet counted, each flow logged once a period, none lost */
#include "rules/compile.h"

#include <stdio.h>
#include <string.h>

#include "rules/rulewriter.h"

/* A packet that is reported falls into exactly one of three: logged, suppressed (its
 * flow was logged within the period, and counts it), overflow (the set of flows is
 * full).  Each of these is counted for the gateway (named counters), by rules that lie
 * apart: so KIND = KIND_logged + KIND_suppressed + KIND_overflow.  For the host it is
 * counted on the way (dynamic sets that packets fill): hits, of these unlogged, of these
 * suppressed.  Sets cost nothing until something is denied. */
enum { SNAPLEN = 1600, PER_MINUTE = 6, FLOW_IDLE_S = 20, HOSTS_MAX = 16384,
	FLOWS_MANY = 65536, FLOWS_FEW = 16384 };

/* One report: whose, what kind, and on which side the host is. */
struct report {
	struct compile *c;
	const char *kind;   /* of counters and sets: "exposure", "guard_seen", … */
	const char *prefix; /* of the log */
	bool to, from;      /* the host may be the destination, the source */
	uint32_t log;       /* chain, where flows are: logs, and goes on as the report does */
};

static uint32_t set_of(const struct report *r, const struct fam *f, const char *what,
    const struct rs_set *proto)
{
	char name[RS_NAME_MAX];
	uint32_t i;

	snprintf(name, sizeof(name), "%.32s_%.16s%u", r->kind, what, f->v);
	i = rsb_find_set(r->c->b, name);
	return i != RS_NONE ? i : rsb_set(r->c->b, name, proto);
}

/* Who floods with many flows: anybody, or a host with forged sources.  The others
 * need a connection or a block first. */
static uint32_t flows_max(const char *kind)
{
	return strcmp(kind, "denied") == 0 || strcmp(kind, "spoof") == 0 ? FLOWS_MANY :
									   FLOWS_FEW;
}

static uint32_t flow_set(const struct report *r, const struct fam *f, bool ports)
{
	struct rs_set s = { .nkeys = ports ? 4 : 3,
		.key = { f->addr_type, f->addr_type, RS_T_PROTO, RS_T_PORT },
		.dynamic = true, .timeout = true, .timeout_s = FLOW_IDLE_S, .keep = true,
		.size = ports ? flows_max(r->kind) : FLOWS_FEW };

	if (!ports)
		s.key[3] = 0;
	return set_of(r, f, ports ? "flows" : "flowsproto", &s);
}

/* The elements of hosts that leave the policy stay, with their sums. */
static uint32_t sum_set(const struct report *r, const struct fam *f, const char *what)
{
	const struct rs_set hosts = { .nkeys = 1, .key = { f->addr_type }, .dynamic = true,
		.keep = true, .size = HOSTS_MAX };

	return set_of(r, f, what, &hosts);
}

/* Count for the host: the destination where it is one, else the source. */
static void count_host(const struct report *r, const struct fam *f, uint32_t at,
    const char *what)
{
	const uint8_t dst[1] = { (uint8_t)f->daddr }, src[1] = { (uint8_t)f->saddr };
	uint32_t set = sum_set(r, f, what);
	struct rs_builder *b = r->c->b;

	if (!f->lives)
		return;
	if (r->to)
		rw_tally(rw_in(rw_rule(b, at), f->daddr, f->hosts), dst, 1, set);
	if (!r->from)
		return;
	rw_rule(b, at);
	if (r->to)
		rw_not_in(b, f->daddr, f->hosts);
	rw_tally(rw_in(b, f->saddr, f->hosts), src, 1, set);
}

/* ---- the three that a packet may be ---- */

static void with_ports(const struct report *r, uint32_t at, bool ports)
{
	rw_rule(r->c->b, at);
	if (ports)
		rw_in(r->c->b, RS_L4PROTO, r->c->port_protos);
	else
		rw_not_in(r->c->b, RS_L4PROTO, r->c->port_protos);
}

/* The end of a rule: counted as `what`, and done. */
static void done(const struct report *r, const char *what, uint32_t then)
{
	char name[RS_NAME_MAX];

	snprintf(name, sizeof(name), "%.40s_%.16s", r->kind, what);
	rw_counter(r->c->b, name);
	rw_go(r->c->b, then == RS_NONE ? RS_RETURN : RS_GOTO, then);
}

/* Counted where it is logged: the flow's rules, of which there are two, only say where. */
static void log_rule(const struct report *r, uint32_t at, uint32_t then)
{
	char name[RS_NAME_MAX];

	snprintf(name, sizeof(name), "%.40s_logged", r->kind);
	rw_counter(rw_rule(r->c->b, at), name);
	rw_log(r->c->b, r->c->o->log_group, SNAPLEN, r->prefix);
	rw_go(r->c->b, then == RS_NONE ? RS_RETURN : RS_GOTO, then);
}

/* In a chain of its own: the prefix names the generation, so this is all of a report
 * that each reload sends again (and of one without flows the jump that counts). */
static uint32_t log_chain(const struct report *r, const char *head, uint32_t then)
{
	char name[RS_NAME_MAX];
	uint32_t at;

	snprintf(name, sizeof(name), "%.56s_log", head);
	at = rsb_chain(r->c->b, name, NULL);
	log_rule(r, at, then);
	return at;
}

/* The flow's element counts the packet before its limit decides; packets renew it, so
 * that it can be read before its end.  Only what is within the limit goes on. */
static void logged_rules(const struct report *r, const struct fam *f, uint32_t at)
{
	const uint8_t flow[4] = { f->saddr, f->daddr, RS_L4PROTO, RS_TH_DPORT };

	for (int ports = 1; ports >= 0; ports--) {
		with_ports(r, at, ports);
		rw_flow(r->c->b, flow, ports ? 4 : 3, flow_set(r, f, ports), FLOW_IDLE_S,
		    PER_MINUTE);
		rw_go(r->c->b, RS_GOTO, r->log);
	}
}

/* What has no element although it was to get one. */
static void overflow_rules(const struct report *r, const struct fam *f, uint32_t at,
    uint32_t then)
{
	const uint8_t flow[4] = { f->saddr, f->daddr, RS_L4PROTO, RS_TH_DPORT };

	for (int ports = 1; ports >= 0; ports--) {
		with_ports(r, at, ports);
		rw_fields_not_in(r->c->b, flow, ports ? 4 : 3, flow_set(r, f, ports));
		done(r, "overflow", then);
	}
}

/* Of a host: hits, then without what was logged, then without what overflowed too. */
static void flow_rules(const struct report *r, const struct fam *f, uint32_t at,
    uint32_t then)
{
	logged_rules(r, f, at);
	count_host(r, f, at, "unlogged");
	overflow_rules(r, f, at, then);
	count_host(r, f, at, "suppressed");
	rw_rule(r->c->b, at);
	done(r, "suppressed", then);
}

static void head_name(char name[static RS_NAME_MAX], const struct fam *f, const char *kind,
    const char *detail)
{
	snprintf(name, RS_NAME_MAX - 8, "%s%s%s%s", kind, *detail != '\0' ? "_" : "", detail,
	    f == NULL ? "" : f->v == 4 ? "4" : "6");
	for (char *p = name; *p != '\0'; p++)
		if (*p == '-')
			*p = '_';
}

static void count_rules(const struct report *r, const struct fam *only, uint32_t at)
{
	rw_counter(rw_rule(r->c->b, at), r->kind);
	for (int i = 0; i < 2; i++) {
		const struct fam *f = &r->c->fam[i];

		if (only != NULL && only != f)
			continue;
		count_host(r, f, at, "hits");
		sum_set(r, f, "told"); /* the daemon's */
	}
}

/* Guards and openings count alike: one chain a kind, or each of them brought its own
 * rules, and the whole would no more fit into one batch of nft without rights. */
static uint32_t count_chain(const struct report *r)
{
	char name[RS_NAME_MAX];
	uint32_t at;

	snprintf(name, sizeof(name), "%.48s_count", r->kind);
	at = rsb_find_chain(r->c->b, name);
	if (at == RS_NONE) {
		at = rsb_chain(r->c->b, name, NULL);
		count_rules(r, NULL, at);
	}
	return at;
}

static void count_jump(const struct report *r, uint32_t at)
{
	uint32_t count = count_chain(r); /* has rules of its own: before, not as an argument */

	rw_go(rw_rule(r->c->b, at), RS_JUMP, count);
}

void compile_report_kept(struct compile *c, const struct fam *f, const char *kind)
{
	static const char *const sums[] = { "hits", "unlogged", "suppressed", "told" };
	static const char *const counters[] = { "", "_logged", "_overflow", "_suppressed" };
	const struct report r = { .c = c, .kind = kind };
	char name[RS_NAME_MAX];

	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++)
		sum_set(&r, f, sums[i]);
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
		snprintf(name, sizeof(name), "%.40s%s", kind, counters[i]);
		rsb_counter(c->b, name);
	}
}

uint32_t compile_report(struct compile *c, struct fam *f, const char *kind,
    const char *detail, uint32_t then)
{
	/* what is only told is not counted with what is dropped */
	bool seen = f == NULL && then == RS_NONE;
	char name[RS_NAME_MAX], counted[RS_NAME_MAX], prefix[128];
	struct report r = { .c = c, .kind = counted, .prefix = prefix,
		.to = strcmp(detail, "out") != 0, .from = strcmp(detail, "in") != 0 };
	uint32_t head;

	head_name(name, f, kind, detail);
	snprintf(counted, sizeof(counted), "%s%s", kind, seen ? "_seen" : "");
	snprintf(prefix, sizeof(prefix), "cordon %s g%u%s%s ", kind, c->o->generation,
	    *detail != '\0' ? " " : "", detail);
	head = rsb_chain(c->b, name, NULL);
	if (f != NULL) {
		r.log = log_chain(&r, name, then);
		if (strcmp(kind, "denied") == 0) /* openings are, too */
			count_jump(&r, head);
		else
			count_rules(&r, f, head);
		flow_rules(&r, f, head, then);
	} else { /* of both families; each packet is logged */
		count_jump(&r, head);
		log_rule(&r, head, then); /* no chain: the kernel counts how deep it is */
	}
	return head;
}
