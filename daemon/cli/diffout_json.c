/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a policy difference as one JSON object */
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "cli/diffout.h"
#include "cli/jsonbuf.h"

static const struct {
	uint8_t number;
	const char *name;
} protos[] = { { IPPROTO_TCP, "tcp" }, { IPPROTO_UDP, "udp" }, { IPPROTO_SCTP, "sctp" },
	{ IPPROTO_ICMP, "icmp" }, { IPPROTO_ICMPV6, "icmpv6" } };

const char *diffout_proto(const struct diff_region *r, char buf[static 16])
{
	if (r->proto_lo == 0 && r->proto_hi == 255)
		return "any";
	if (r->proto_lo != r->proto_hi) {
		snprintf(buf, 16, "%u-%u", r->proto_lo, r->proto_hi);
		return buf;
	}
	for (size_t i = 0; i < sizeof(protos) / sizeof(protos[0]); i++) {
		if (protos[i].number == r->proto_lo)
			return protos[i].name;
	}
	snprintf(buf, 16, "%u", r->proto_lo);
	return buf;
}

const char *diffout_ports(const struct diff_region *r, char buf[static 16])
{
	if (r->port_lo == r->port_hi)
		snprintf(buf, 16, "%u", r->port_lo);
	else
		snprintf(buf, 16, "%u-%u", r->port_lo, r->port_hi);
	return buf;
}

/* ,"key":"value", or null. */
static void member(struct jsonbuf *b, const char *key, const char *value)
{
	jsonbuf_raw(b, ",\"");
	jsonbuf_raw(b, key);
	jsonbuf_raw(b, "\":");
	if (value != NULL)
		jsonbuf_str(b, value);
	else
		jsonbuf_raw(b, "null");
}

/* With its length also where that says one address. */
static void cidr(struct jsonbuf *b, const struct netrange *p)
{
	char addr[NETADDR_STRLEN], text[NETADDR_STRLEN + 8];

	snprintf(text, sizeof(text), "%s/%d", netaddr_format(&p->lo, addr),
	    netrange_prefixlen(p));
	jsonbuf_str(b, text);
}

static void witness(struct jsonbuf *b, const struct fs_flow *f)
{
	struct diff_region r = { .proto_lo = f->proto, .proto_hi = f->proto };
	char addr[NETADDR_STRLEN], proto[16];

	jsonbuf_raw(b, ",\"witness\":{\"src\":");
	jsonbuf_str(b, netaddr_format(&f->src, addr));
	member(b, "dst", netaddr_format(&f->dst, addr));
	member(b, "proto", diffout_proto(&r, proto));
	jsonbuf_raw(b, ",\"port\":");
	jsonbuf_uint(b, f->dport);
	jsonbuf_raw(b, "}");
}

static void causes(struct jsonbuf *b, const struct diff_region *r)
{
	bool first = true;

	jsonbuf_raw(b, ",\"rules\":[");
	for (size_t i = 0; i < r->ncauses; i++) {
		if (r->causes[i].rule == NULL)
			continue;
		jsonbuf_raw(b, first ? "" : ",");
		jsonbuf_str(b, r->causes[i].rule);
		first = false;
	}
	jsonbuf_raw(b, "],\"causes\":[");
	for (size_t i = 0; i < r->ncauses; i++) {
		const struct diff_cause *c = &r->causes[i];

		jsonbuf_raw(b, i > 0 ? ",{\"host\":" : "{\"host\":");
		jsonbuf_str(b, c->host);
		member(b, "rule", c->rule);
		member(b, "file", c->file);
		jsonbuf_raw(b, ",\"line\":");
		jsonbuf_uint(b, c->line);
		jsonbuf_raw(b, "}");
	}
	jsonbuf_raw(b, "]");
}

static void reasons(struct jsonbuf *b, const struct diff_region *r)
{
	bool first = true;

	if (r->why == 0)
		return;
	jsonbuf_raw(b, ",\"why\":[");
	for (unsigned i = 0; i < DIFF_NWHY; i++) {
		if ((r->why >> i & 1) == 0)
			continue;
		jsonbuf_raw(b, first ? "" : ",");
		jsonbuf_str(b, diff_why_name((enum diff_why)(1u << i)));
		first = false;
	}
	jsonbuf_raw(b, "]");
	if (r->guard != NULL)
		member(b, "guard", r->guard);
}

static void one_region(struct jsonbuf *b, const struct diff_region *r,
    const struct netrange *src, const struct netrange *dst)
{
	struct fs_flow f = r->witness;
	char proto[16], ports[16];

	f.src = src->lo;
	f.dst = dst->lo;
	jsonbuf_raw(b, "{\"src\":");
	cidr(b, src);
	jsonbuf_raw(b, ",\"dst\":");
	cidr(b, dst);
	member(b, "proto", diffout_proto(r, proto));
	member(b, "ports", diffout_ports(r, ports));
	causes(b, r);
	reasons(b, r);
	if (r->at_most)
		jsonbuf_raw(b, ",\"at_most\":true");
	witness(b, &f);
	jsonbuf_raw(b, "}");
}

/* Ranges of addresses as the prefixes that make them up. */
static void regions(struct jsonbuf *b, const struct diff_regions *l)
{
	bool first = true;

	jsonbuf_raw(b, "[");
	for (size_t i = 0; i < l->n; i++) {
		struct netrange dsts = l->v[i].dst, dst;
		bool more_dst, more_src;

		do {
			struct netrange srcs = l->v[i].src, src;

			more_dst = netrange_pop_prefix(&dsts, &dst);
			do {
				more_src = netrange_pop_prefix(&srcs, &src);
				jsonbuf_raw(b, first ? "" : ",\n  ");
				first = false;
				one_region(b, &l->v[i], &src, &dst);
			} while (more_src);
		} while (more_dst);
	}
	jsonbuf_raw(b, "]");
}

static const struct {
	const char *name, *subject, *what;
} lists[DIFF_LISTS] = {
	[DIFF_MODES] = { "mode_changes", "host", NULL },
	[DIFF_GUARDS] = { "guard_changes", "host", "guard" },
	[DIFF_TIMES] = { "time_changes", "rule", "what" },
	[DIFF_TRUST] = { "trust_changes", "subject", "what" },
};

static void changes(struct jsonbuf *b, const struct diff_changes *l, int list)
{
	jsonbuf_raw(b, ",\n\"");
	jsonbuf_raw(b, lists[list].name);
	jsonbuf_raw(b, "\":[");
	for (size_t i = 0; i < l->n; i++) {
		const struct diff_change *c = &l->v[i];

		jsonbuf_raw(b, i > 0 ? ",\n  {\"" : "{\"");
		jsonbuf_raw(b, lists[list].subject);
		jsonbuf_raw(b, "\":");
		jsonbuf_str(b, c->subject);
		if (lists[list].what != NULL)
			member(b, lists[list].what, c->what);
		member(b, "old", c->old);
		member(b, "new", c->new);
		jsonbuf_raw(b, c->weaker ? ",\"weaker\":true" : ",\"weaker\":false");
		if (c->file != NULL) {
			member(b, "file", c->file);
			jsonbuf_raw(b, ",\"line\":");
			jsonbuf_uint(b, c->line);
		}
		jsonbuf_raw(b, "}");
	}
	jsonbuf_raw(b, "]");
}

int diffout_json(const struct diff *d)
{
	static struct jsonbuf b;

	jsonbuf_init(&b, STDOUT_FILENO);
	jsonbuf_raw(&b, "{\"opened\":");
	regions(&b, &d->opened);
	jsonbuf_raw(&b, ",\n\"closed\":");
	regions(&b, &d->closed);
	jsonbuf_raw(&b, ",\n\"exposure\":{\"opened\":");
	regions(&b, &d->exposure);
	jsonbuf_raw(&b, "}");
	for (int i = 0; i < DIFF_LISTS; i++)
		changes(&b, &d->list[i], i);
	jsonbuf_raw(&b, "}\n");
	jsonbuf_flush(&b);
	return b.failed ? -1 : 0;
}
