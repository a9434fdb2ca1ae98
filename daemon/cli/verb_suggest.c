/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: `cordon suggest`: rules for what observed hosts were seen to do */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cordon/diag.h>
#include <cordon/flowspace.h>
#include <cordon/suggest.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/load.h"
#include "cli/out.h"
#include "cli/verb.h"

#define POLICY_DIR "/etc/cordon/policy"

struct seen {
	struct suggest_flow *flow;
	size_t n, cap;
	int64_t forgotten, forgotten_packets;
	bool failed;
};

/* ---- the daemon's flows ---- */

static const struct {
	const char *word, *text;
} whys[] = {
	{ "smb", "spoke SMB" },
	{ "rdp", "spoke RDP" },
	{ "scan", "the client scanned" },
	{ "guard", "hit a guard" },
};

static const char *why_text(const char *word)
{
	for (size_t i = 0; i < sizeof(whys) / sizeof(whys[0]); i++)
		if (strcmp(whys[i].word, word) == 0)
			return whys[i].text;
	return *word ? "unknown" : NULL;
}

static struct suggest_flow *room(struct seen *s)
{
	size_t cap = 2 * s->cap + 64;
	struct suggest_flow *flow;

	if (s->n < s->cap)
		return &s->flow[s->n];
	flow = reallocarray(s->flow, cap, sizeof(*flow));
	if (!flow) {
		s->failed = true;
		return NULL;
	}
	s->flow = flow;
	s->cap = cap;
	return &s->flow[s->n];
}

static void take_row(void *arg, const struct json_t *row)
{
	struct seen *s = arg;
	struct suggest_flow *f;

	if (json_object_get(row, "forgotten")) {
		s->forgotten = client_number(row, "forgotten");
		s->forgotten_packets = client_number(row, "forgotten_packets");
		return;
	}
	f = room(s);
	if (!f)
		return;
	memset(f, 0, sizeof(*f));
	if (netaddr_parse(client_text(row, "address"), &f->host) < 0 ||
	    netaddr_parse(client_text(row, "peer"), &f->peer) < 0)
		return;
	f->port = (uint16_t)client_number(row, "port");
	f->proto = (uint8_t)client_number(row, "proto");
	f->dir = strcmp(client_text(row, "direction"), "in") == 0 ? FS_IN : FS_OUT;
	f->middle = json_is_true(json_object_get(row, "middle"));
	f->count = (uint64_t)client_number(row, "packets");
	f->first_us = client_number(row, "first_us");
	f->last_us = client_number(row, "last_us");
	f->apart = why_text(client_text(row, "apart"));
	s->n++;
}

/* Rows are wanted as data whatever is printed of them. */
static int ask(const char *host, struct seen *ret)
{
	int format = cli.format, code;
	json_t *args = json_object();

	if (host)
		json_object_set_new(args, "host", json_string(host));
	cli.format = FORMAT_TEXT;
	code = client_ask("suggest", args, take_row, ret);
	cli.format = format;
	if (code == CLI_OK && ret->failed) {
		cli_warnx("out of memory");
		return CLI_SYSTEM;
	}
	return code;
}

/* ---- text ---- */

static const char *day(int64_t us, char buf[static 24])
{
	time_t t = (time_t)(us / 1000000);
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(buf, 24, "%Y-%m-%d %H:%M", &tm);
	return buf;
}

static void print_list(const char *key, const char *const *item, size_t n)
{
	printf("      %s: [", key);
	for (size_t i = 0; i < n; i++) /* IPv6 begins no plain scalar in a list */
		printf(strchr(item[i], ':') ? "%s\"%s\"" : "%s%s", i ? ", " : "", item[i]);
	printf("]\n");
}

struct printer {
	char host[64];
	int dir; /* -1: none yet */
	size_t rules;
};

static void print_host(struct printer *p, const struct suggestion *s)
{
	if (p->host[0])
		printf("---\n");
	snprintf(p->host, sizeof(p->host), "%s", s->host);
	p->dir = -1;
	if (s->address)
		printf("# not declared; as a file in hosts/:\nhost: %s\naddresses: [\"%s\"]\n",
		    s->host, s->address);
	else
		printf("# host %s, %s:%" PRIu32 "; beside what it has there:\n", s->host,
		    s->file, s->line);
	printf("allow:\n");
}

static void print_rule(void *ctx, const struct suggestion *s)
{
	struct printer *p = ctx;
	char first[24], last[24];

	if (strcmp(p->host, s->host) != 0)
		print_host(p, s);
	if (p->dir != s->dir)
		printf("  %s:\n", s->dir == FS_IN ? "inbound" : "outbound");
	p->dir = s->dir;
	p->rules++;
	printf("    - id: %s\n", s->id);
	print_list("service", s->services, s->nservices);
	print_list(s->dir == FS_IN ? "from" : "to", s->peers, s->npeers);
	printf("      reason: \"FIXME: seen %" PRIu64 " times, %s to %s\"\n", s->count,
	    day(s->first_us, first), day(s->last_us, last));
	if (*s->note)
		printf("      # %s\n", s->note);
	if (s->middle)
		printf("      # partly seen in the middle of connections only: the direction "
		       "is guessed\n");
}

static const char *proto_word(uint8_t proto, char buf[static 8])
{
	switch (proto) {
	case 1:
		return "icmp";
	case 6:
		return "tcp";
	case 17:
		return "udp";
	case 58:
		return "icmpv6";
	case 132:
		return "sctp";
	}
	snprintf(buf, 8, "ip/%u", proto);
	return buf;
}

static const struct netaddr *client_of(const struct suggest_flow *f)
{
	return f->dir == FS_IN ? &f->peer : &f->host;
}

/* Other flows of the client of s->flow[at] that are apart for the same; SIZE_MAX: one of
 * them stands before it, and told of it. */
static size_t others_like(const struct seen *s, size_t at)
{
	const struct suggest_flow *f = &s->flow[at];
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		const struct suggest_flow *o = &s->flow[i];

		if (i == at || o->granted || o->apart != f->apart ||
		    netaddr_cmp(client_of(o), client_of(f)) != 0)
			continue;
		if (i < at)
			return SIZE_MAX;
		n++;
	}
	return n;
}

static void print_flow(const struct suggest_flow *f, size_t others)
{
	char host[NETADDR_STRLEN], peer[NETADDR_STRLEN], first[24], last[24], word[8];

	netaddr_format(&f->host, host);
	netaddr_format(&f->peer, peer);
	printf("#   %s -> %s %s/%u", f->dir == FS_IN ? peer : host,
	    f->dir == FS_IN ? host : peer, proto_word(f->proto, word), f->port);
	if (others)
		printf(" and %zu more", others);
	printf(": %s (%" PRIu64 " times, %s to %s)\n", f->apart, f->count,
	    day(f->first_us, first), day(f->last_us, last));
}

static void print_apart(const struct seen *s)
{
	bool said = false;

	for (size_t i = 0; i < s->n; i++) {
		const struct suggest_flow *f = &s->flow[i];
		bool scan = f->apart == why_text("scan"); /* has many flows: one line */
		size_t others = f->apart && !f->granted && scan ? others_like(s, i) : 0;

		if (!f->apart || f->granted || others == SIZE_MAX)
			continue;
		if (!said)
			printf("# Not suggested:\n");
		said = true;
		print_flow(f, others);
	}
}

static void print_rest(const struct seen *s, const struct printer *p)
{
	print_apart(s);
	if (s->forgotten)
		printf("# %" PRId64 " flows of %" PRId64
		       " packets were forgotten: there were too many\n",
		    s->forgotten, s->forgotten_packets);
	if (!p->rules)
		printf("# nothing to suggest\n");
}

/* ---- JSON ---- */

static json_t *strings(const char *const *item, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(item[i]));
	return list;
}

static void dump(json_t *row)
{
	char *text = row ? json_dumps(row, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;

	if (text)
		puts(text);
	free(text);
	json_decref(row);
}

static void dump_rule(void *ctx, const struct suggestion *s)
{
	char first[24], last[24];

	(void)ctx;
	dump(json_pack(
	    "{s:s, s:s*, s:s, s:s, s:o, s:o, s:I, s:s, s:s, s:b, s:s}", "host", s->host,
	    "address", s->address, "direction", s->dir == FS_IN ? "in" : "out", "id", s->id,
	    "services", strings(s->services, s->nservices), "peers",
	    strings(s->peers, s->npeers), "count", (json_int_t)s->count, "first",
	    day(s->first_us, first), "last", day(s->last_us, last), "guessed", s->middle,
	    "note", s->note));
}

static void dump_rest(const struct seen *s)
{
	char host[NETADDR_STRLEN], peer[NETADDR_STRLEN], first[24], last[24], word[8];

	for (size_t i = 0; i < s->n; i++) {
		const struct suggest_flow *f = &s->flow[i];

		if (!f->apart || f->granted)
			continue;
		dump(json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:s, s:s}", "apart",
		    f->apart, "address", netaddr_format(&f->host, host), "peer",
		    netaddr_format(&f->peer, peer), "direction",
		    f->dir == FS_IN ? "in" : "out", "proto", proto_word(f->proto, word),
		    "port", f->port, "count", (json_int_t)f->count, "first",
		    day(f->first_us, first), "last", day(f->last_us, last)));
	}
	dump(json_pack("{s:I, s:I}", "forgotten", (json_int_t)s->forgotten,
	    "forgotten_packets", (json_int_t)s->forgotten_packets));
}

/* ---- the verb ---- */

static int suggest(const char *policy, unsigned share, struct seen *s)
{
	bool json = cli.format == FORMAT_JSON;
	struct printer p = { .dir = -1 };
	struct diaglist d;
	int code;

	diag_init(&d);
	code = load_and_suggest(policy, share, s->flow, s->n, &d,
	    json ? dump_rule : print_rule, &p);
	if (d.errors > 0)
		diag_print(&d, stderr, out_wants_colour(stderr));
	diag_free(&d);
	if (code != CLI_OK)
		return code;
	if (json)
		dump_rest(s);
	else
		print_rest(s, &p);
	return CLI_OK;
}

int verb_suggest(int argc, char **argv)
{
	const char *policy = cli_opt("policy"), *text = cli_opt("share");
	struct seen s = { 0 };
	long share = SUGGEST_SHARE;
	char *end = NULL;
	int code;

	if (text) {
		share = strtol(text, &end, 10);
		if (end == text || *end || share < 1 || share > 100)
			return cli_usage("--share is 1 to 100, not \"%s\"", text);
	}
	code = ask(argc > 1 ? argv[1] : NULL, &s);
	if (code == CLI_OK)
		code = suggest(policy ? policy : POLICY_DIR, (unsigned)share, &s);
	free(s.flow);
	return code;
}
