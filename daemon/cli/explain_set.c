/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: explain for sets of flows: a table of regions, and the same as JSON */
#include "cli/explain_set.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <cordon/diag.h>
#include <cordon/diff.h>

#include "cli/answer.h"
#include "cli/cli.h"
#include "cli/diffout.h"
#include "cli/jsonbuf.h"
#include "cli/load.h"
#include "cli/out.h"

enum { SOURCES_SHOWN = 6, CELL = 512 };

struct set {
	struct jsonbuf *json; /* NULL: text */
	struct out_table *table;
	struct reach_region last; /* text: the row that waits for more sources */
	int64_t at;
	char from[CELL], to[CELL], service[40], by[CELL];
	unsigned sources;
	size_t regions, count[3]; /* by enum fs_result */
};

/* diffout.c's words for protocols and ports. */
static struct diff_region as_diff(const struct reach_region *r)
{
	return (struct diff_region){ .proto_lo = r->proto_lo, .proto_hi = r->proto_hi,
		.port_lo = r->port_lo, .port_hi = r->port_hi };
}

/* ---- JSON ---- */

static void member(struct jsonbuf *b, const char *key, const char *value)
{
	jsonbuf_raw(b, "\"");
	jsonbuf_raw(b, key);
	jsonbuf_raw(b, "\":");
	jsonbuf_str(b, value);
	jsonbuf_raw(b, ",");
}

static void piece_json(struct set *x, const struct fs *fs, const struct reach_region *r)
{
	struct diff_region d = as_diff(r);
	/* Guards read TCP: of a region with more in it they are named too. */
	struct fs_flow flow = { .src = r->src.lo, .dst = r->dst.lo, .at = x->at,
		.proto = r->proto_lo <= IPPROTO_TCP && IPPROTO_TCP <= r->proto_hi ?
		    IPPROTO_TCP : r->proto_lo };
	char range[NETRANGE_STRLEN], word[16];

	jsonbuf_raw(x->json, x->regions++ > 0 ? ",\n{" : "\n{");
	member(x->json, "src", netrange_format(&r->src, range));
	member(x->json, "dst", netrange_format(&r->dst, range));
	member(x->json, "proto", diffout_proto(&d, word));
	member(x->json, "ports", diffout_ports(&d, word));
	answer_members(x->json, fs, &flow, &r->verdict);
	jsonbuf_raw(x->json, "}");
}

/* The ends of the region that a side's exceptions from guards are about. */
static struct netrange *peers_of(struct reach_region *r, const struct fs_side *s)
{
	return s->dir == FS_IN ? &r->src : &r->dst;
}

/* The last of the peers that are alike for this guard: *peers may begin within an
 * exception, or before one. */
static struct netaddr alike_until(const struct fs *fs, const struct fs_guard_use *u,
    const struct netrange *peers)
{
	const struct netrange *e = fs_range(fs, u->except.first);
	size_t i = netranges_from(e, u->except.count, &peers->lo);
	struct netaddr last;

	if (i == u->except.count || e[i].lo.v != peers->lo.v ||
	    netaddr_cmp(&e[i].lo, &peers->hi) > 0)
		return peers->hi;
	if (netaddr_cmp(&e[i].lo, &peers->lo) <= 0)
		return netaddr_cmp(&e[i].hi, &peers->hi) < 0 ? e[i].hi : peers->hi;
	last = e[i].lo;
	netaddr_prev(&last);
	return last;
}

/* Guards are part of the answer: what exceptions hold in part falls in two.  Whether it
 * did; *ret_first is what comes first, *r the rest. */
static bool cut_by_guards(const struct set *x, const struct fs *fs, struct reach_region *r,
    struct reach_region *ret_first)
{
	for (unsigned s = 0; s < r->verdict.nsides; s++) {
		const struct fs_side *side = &r->verdict.side[s];
		const struct fs_span *uses = &fs_host(fs, side->host)->guards;

		for (uint32_t i = 0; i < uses->count; i++) {
			const struct fs_guard_use *u = FS_AT(fs, FS_GUARD_USES,
			    struct fs_guard_use, uses->first + i);
			struct netrange *peers = peers_of(r, side);
			struct netaddr last = alike_until(fs, u, peers);

			if (x->at >= u->expires || netaddr_cmp(&last, &peers->hi) == 0)
				continue;
			*ret_first = *r;
			peers_of(ret_first, side)->hi = last;
			peers->lo = last;
			netaddr_next(&peers->lo);
			return true;
		}
	}
	return false;
}

static void region_json(struct set *x, const struct fs *fs, const struct reach_region *r)
{
	bool tcp = r->proto_lo <= IPPROTO_TCP && IPPROTO_TCP <= r->proto_hi;
	struct reach_region rest = *r, first;

	while (tcp && cut_by_guards(x, fs, &rest, &first))
		region_json(x, fs, &first);
	piece_json(x, fs, &rest);
}

/* ---- the table ---- */

static bool same_row(const struct reach_region *a, const struct reach_region *b)
{
	return memcmp(&a->dst, &b->dst, sizeof(a->dst)) == 0 &&
	    a->src.lo.v == b->src.lo.v && a->proto_lo == b->proto_lo &&
	    a->proto_hi == b->proto_hi && a->port_lo == b->port_lo &&
	    a->port_hi == b->port_hi &&
	    memcmp(&a->verdict, &b->verdict, sizeof(a->verdict)) == 0;
}

static void range_text(const struct fs *fs, const struct netrange *r, char *buf,
    size_t size)
{
	struct netrange all = netrange_all(r->lo.v);
	char text[NETRANGE_STRLEN];
	uint32_t host = fs_place_of(fs, &r->lo);

	if (memcmp(&all, r, sizeof(all)) == 0)
		snprintf(buf, size, "any (IPv%u)", r->lo.v);
	else if (netaddr_cmp(&r->lo, &r->hi) == 0 && host != FS_NONE &&
	    fs_host(fs, host)->declared)
		snprintf(buf, size, "%s (%s)", fs_str(fs, fs_host(fs, host)->name),
		    netrange_format(r, text));
	else
		snprintf(buf, size, "%s", netrange_format(r, text));
}

static void service_text(const struct reach_region *r, char *buf, size_t size)
{
	struct diff_region d = as_diff(r);
	char proto[16], ports[16];

	if (r->port_lo == 0 && r->port_hi == 65535)
		snprintf(buf, size, "%s", diffout_proto(&d, proto));
	else
		snprintf(buf, size, "%s/%s", diffout_proto(&d, proto),
		    diffout_ports(&d, ports));
}

static size_t side_text(const struct fs *fs, const struct fs_side *s, char *buf,
    size_t size)
{
	const struct fs_host *h = fs_host(fs, s->host);
	int n;

	if (s->match) {
		const struct fs_rule *r = fs_rule(fs, s->rule);

		n = snprintf(buf, size, "%s (%s:%u)", fs_str(fs, r->id),
		    fs_str(fs, r->file), r->line);
	} else {
		n = snprintf(buf, size, h->declared ?
		    "no %s rule of %s (%s:%u)" : "no %s rules: undeclared in %s (%s:%u)",
		    answer_dir(s->dir), fs_str(fs, h->name), fs_str(fs, h->file), h->line);
		if (n >= 0 && (size_t)n < size && s->observed)
			n += snprintf(buf + n, size - (size_t)n, ", observed");
	}
	return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

static void by_text(const struct fs *fs, const struct fs_verdict *v, char *buf, size_t size)
{
	size_t at = 0;

	buf[0] = '\0';
	if (v->nsides == 0 || v->reason == FS_WHY_MULTICAST) {
		snprintf(buf, size, "%s", fs_reason_text(v->reason));
		return;
	}
	for (unsigned i = 0; i < v->nsides; i++) {
		if (i > 0)
			at += (size_t)snprintf(buf + at, size - at, "; ");
		if (at + 3 >= size)
			return;
		at += side_text(fs, &v->side[i], buf + at, size - at);
	}
}

static void flush_row(struct set *x)
{
	static const enum out_tone tone[] = { [FS_PASS] = TONE_DIM,
		[FS_ALLOW] = TONE_GOOD, [FS_DENY] = TONE_BAD };
	enum fs_result result = x->last.verdict.result;

	if (x->sources == 0)
		return;
	if (x->sources > SOURCES_SHOWN)
		snprintf(x->from + strlen(x->from), sizeof(x->from) - strlen(x->from),
		    ", … (%u more)", x->sources - SOURCES_SHOWN);
	out_table_row(x->table, fs_result_name(result), x->from, x->to, x->service, x->by);
	out_table_tone(x->table, 0, tone[result]);
	x->sources = 0;
}

static void region_row(struct set *x, const struct fs *fs, const struct reach_region *r)
{
	size_t used;

	if (x->sources > 0 && !same_row(&x->last, r))
		flush_row(x);
	if (x->sources == 0) {
		x->from[0] = '\0';
		range_text(fs, &r->dst, x->to, sizeof(x->to));
		service_text(r, x->service, sizeof(x->service));
		by_text(fs, &r->verdict, x->by, sizeof(x->by));
	}
	used = strlen(x->from);
	if (x->sources < SOURCES_SHOWN) {
		if (x->sources > 0)
			used += (size_t)snprintf(x->from + used,
			    sizeof(x->from) - used, ", ");
		range_text(fs, &r->src, x->from + used, sizeof(x->from) - used);
	}
	x->last = *r;
	x->sources++;
}

/* ---- */

static void on_region(void *ctx, const struct fs *fs, const struct reach_region *r)
{
	struct set *x = ctx;

	if (x->json != NULL) {
		region_json(x, fs, r);
		return;
	}
	region_row(x, fs, r);
	x->regions++;
	x->count[r->verdict.result]++;
}

static void print_text(struct set *x, const char *const word[static 3])
{
	flush_row(x);
	for (int i = 0; i < 3; i++) {
		out_escape(stdout, word[i]);
		fputs(i == 0 ? " -> " : i == 1 ? " " : ": ", stdout);
	}
	printf("%zu region%s: %zu allow, %zu pass, %zu deny\n\n", x->regions,
	    x->regions == 1 ? "" : "s", x->count[FS_ALLOW], x->count[FS_PASS],
	    x->count[FS_DENY]);
	if (out_table_print(x->table, stdout, cli.colour) == -1)
		cli_warnx("no memory: rows are missing");
}

/* What is wrong with the words, or with the policy. */
static int refused(const struct diaglist *d, int rc)
{
	if (rc == -E2BIG) {
		cli_warnx("the answer falls into more than a million pieces: ask for less");
		return CLI_USAGE;
	}
	if (rc != 1) {
		diag_print(d, stderr, out_wants_colour(stderr));
		return CLI_POLICY;
	}
	for (size_t i = 0; i < d->n; i++) {
		if (d->d[i].code->severity == DIAG_ERROR) /* escaped when it was added */
			cli_warnx("%s%s%s", d->d[i].message,
			    d->d[i].hint != NULL ? "; " : "",
			    d->d[i].hint != NULL ? d->d[i].hint : "");
	}
	return CLI_USAGE;
}

static int judge(struct set *x, const char *policy, int64_t at, const char *flows,
    const char *const *word)
{
	struct diaglist d;
	int rc, reach = 0;

	diag_init(&d);
	rc = load_and_reach(policy, at, flows, &d, on_region, x, &reach);
	if (rc == CLI_OK && reach != 0)
		rc = refused(&d, reach);
	else if (rc == CLI_OK && x->json != NULL)
		jsonbuf_raw(x->json, x->regions > 0 ? "\n]}\n" : "]}\n");
	else if (rc == CLI_OK)
		print_text(x, word);
	diag_free(&d);
	return rc;
}

int explain_set(struct jsonbuf *b, const char *policy, int64_t at,
    const char *const word[static 3])
{
	struct set x = { .json = cli.format == FORMAT_JSON ? b : NULL, .at = at };
	char *flows;
	int rc;

	for (int i = 0; i < 3; i++) {
		if (word[i][0] == '\0' || strchr(word[i], ' ') != NULL)
			return cli_usage("\"%s\": neither an end of a flow nor a service",
			    word[i]);
	}
	x.table = out_table_new("VERDICT|FROM|TO|SERVICE|BY");
	if (x.table == NULL || asprintf(&flows, "%s -> %s %s", word[0], word[1], word[2]) < 0) {
		out_table_free(x.table);
		cli_warnx("no memory");
		return CLI_SYSTEM;
	}
	if (x.json != NULL)
		jsonbuf_raw(b, "{\"regions\":[");
	rc = judge(&x, policy, at, flows, word);
	if (rc != CLI_OK && x.json != NULL)
		b->len = 0; /* half an answer is none */
	free(flows);
	out_table_free(x.table);
	return rc;
}
