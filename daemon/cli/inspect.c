/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: cordon inspect: what SMB and RDP is in a capture; needs no policy */
#include "cli/verb_inspect.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/facts_json.h"
#include "base/pcapfile.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "wire/wire.h"

/* A capture is worth more memory than a live link: it isn't bounded by time. */
static const struct wire_conf conf = { .flows = 1u << 18, .streams = 2048, .facts = 1u << 14 };

/* The newest sighting of each flow, by a small hash on its id. */
struct seen {
	struct sighting *list;
	size_t n, room;
	uint32_t *slot; /* index + 1 into list, 0: free */
	size_t slots;   /* a power of two, at least twice room */
};

static size_t seen_slot(const struct seen *s, uint64_t id)
{
	size_t at = (size_t)(id * 0x9e3779b97f4a7c15u >> 20) & (s->slots - 1);

	while (s->slot[at] && s->list[s->slot[at] - 1].flow_id != id)
		at = (at + 1) & (s->slots - 1);
	return at;
}

static int seen_grow(struct seen *s)
{
	size_t room = s->room ? s->room * 2 : 256;
	struct sighting *list = reallocarray(s->list, room, sizeof(*list));

	if (!list)
		return -1;
	s->list = list;
	s->room = room;
	free(s->slot);
	s->slots = room * 2;
	s->slot = calloc(s->slots, sizeof(*s->slot));
	if (!s->slot)
		return -1;
	for (size_t i = 0; i < s->n; i++)
		s->slot[seen_slot(s, s->list[i].flow_id)] = (uint32_t)i + 1;
	return 0;
}

static int seen_put(struct seen *s, const struct sighting *one)
{
	size_t at;

	if (s->n == s->room && seen_grow(s) < 0)
		return -1;
	at = seen_slot(s, one->flow_id);
	if (!s->slot[at])
		s->slot[at] = (uint32_t)++s->n;
	s->list[s->slot[at] - 1] = *one;
	return 0;
}

static int by_flow(const void *a, const void *b)
{
	const struct sighting *x = a, *y = b;

	return (x->flow_id > y->flow_id) - (x->flow_id < y->flow_id);
}

static void print_json(json_t *o)
{
	json_dumpf(o, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(o);
}

static void print_flow_json(const struct sighting *s)
{
	char client[NETADDR_STRLEN], server[NETADDR_STRLEN];
	enum app app = (enum app)s->facts.app;

	print_json(json_pack("{ss si ss si ss ss ss so s[]}",
	    "src_ip", netaddr_format(&s->client, client), "src_port", s->client_port,
	    "dest_ip", netaddr_format(&s->server, server), "dest_port", s->server_port,
	    "proto", "TCP", "app_proto", app_name(app),
	    "confidence", facts_confidence(&s->facts),
	    app_name(app), facts_json(&s->facts), "guards"));
}

/* One row a counter of the summary. */
static const struct counter {
	const char *name;
	size_t at;
} counters[] = {
#define COUNTER(name, member) { name, offsetof(struct wire_stats, member) }
	COUNTER("packets", packets),
	COUNTER("bytes", bytes),
	COUNTER("tcp_packets", tcp),
	COUNTER("flows", flows),
	COUNTER("not_ip", not_ip),
	COUNTER("malformed", malformed),
	COUNTER("cut", cut),
	COUNTER("unknown_linktype", unknown_link),
	COUNTER("fragments", fragments),
	COUNTER("fragments_dropped", frags_dropped),
	COUNTER("old_segments", old_segments),
	COUNTER("overlap_conflicts", conflicts),
	COUNTER("gaps", gaps),
	COUNTER("lost_sync", lost_sync),
	COUNTER("flows_evicted", flows_evicted),
	COUNTER("streams_evicted", streams_evicted),
	COUNTER("facts_evicted", facts_evicted),
#undef COUNTER
};
enum { COUNTERS = sizeof(counters) / sizeof(counters[0]), COUNTERS_ALWAYS = 4 };

static uint64_t counter_of(const struct wire_stats *st, const struct counter *c)
{
	uint64_t n;

	memcpy(&n, (const char *)st + c->at, sizeof(n));
	return n;
}

static void print_summary_json(const struct wire_stats *st, unsigned damaged)
{
	json_t *o = json_object(), *apps = json_object();

	json_object_set_new(o, "event_type", json_string("summary"));
	for (size_t i = 0; i < COUNTERS; i++)
		json_object_set_new(o, counters[i].name,
		    json_integer((json_int_t)counter_of(st, &counters[i])));
	for (int app = APP_SMB; app < APP_COUNT; app++)
		json_object_set_new(apps, app_name((enum app)app),
		    json_integer((json_int_t)st->recognised[app]));
	json_object_set_new(o, "recognised", apps);
	json_object_set_new(o, "damaged_files", json_integer(damaged));
	print_json(o);
}

static int __attribute__((format(printf, 4, 5))) append(char *buf, size_t room, size_t at, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = at < room ? vsnprintf(buf + at, room - at, fmt, ap) : 0;
	va_end(ap);
	return n > 0 ? n : 0;
}
#define APPEND(...) (at += (size_t)append(buf, room, at, __VA_ARGS__))

static void smb_words(const struct smb_facts *f, char *buf, size_t room)
{
	char dialect[FACTS_DIALECT_LEN];
	size_t at = 0;

	APPEND("%s", facts_dialect(f, dialect));
	if (f->ntlm.has_version)
		APPEND(" ntlm %u.%u.%u", f->ntlm.major, f->ntlm.minor, f->ntlm.build);
	if (f->native_os.len)
		APPEND(" \"%.*s\"", f->native_os.len, (const char *)f->native_os.b);
	if (f->logon_failures)
		APPEND(" %u failed logons", f->logon_failures);
}

static void rdp_words(const struct rdp_facts *f, char *buf, size_t room)
{
	size_t at = 0;

	APPEND("%s", facts_rdp_selected(f));
	if (f->cookie.len)
		APPEND(" cookie \"%.*s\"", f->cookie.len, (const char *)f->cookie.b);
	if (f->flags & RDP_MS_T120)
		APPEND(" MS_T120");
}

static void endpoint(char *buf, size_t len, const struct netaddr *a, uint16_t port)
{
	char addr[NETADDR_STRLEN];

	snprintf(buf, len, a->v == 6 ? "[%s]:%u" : "%s:%u", netaddr_format(a, addr), port);
}

static void flow_row(struct out_table *t, const struct sighting *s)
{
	char client[NETADDR_STRLEN + 10], server[NETADDR_STRLEN + 10], words[512] = "";

	endpoint(client, sizeof(client), &s->client, s->client_port);
	endpoint(server, sizeof(server), &s->server, s->server_port);
	if (s->facts.app == APP_SMB)
		smb_words(&s->facts.smb, words, sizeof(words));
	else
		rdp_words(&s->facts.rdp, words, sizeof(words));
	out_table_row(t, client, server, app_name((enum app)s->facts.app),
	    facts_confidence(&s->facts), words);
}

static int print_text(const struct seen *s, const struct wire_stats *st)
{
	struct out_table *t = out_table_new("CLIENT|SERVER|APP|CONFIDENCE|FACTS");
	int rc;

	if (!t)
		return -1;
	for (size_t i = 0; i < s->n; i++)
		flow_row(t, &s->list[i]);
	rc = s->n ? out_table_print(t, stdout, cli.colour) : 0;
	out_table_free(t);
	for (size_t i = 0; i < COUNTERS; i++)
		if (i < COUNTERS_ALWAYS || counter_of(st, &counters[i]))
			printf("%s%s %llu", i ? ", " : "", counters[i].name,
			    (unsigned long long)counter_of(st, &counters[i]));
	for (int app = APP_SMB; app < APP_COUNT; app++)
		printf(", %s %llu", app_name((enum app)app),
		    (unsigned long long)st->recognised[app]);
	putchar('\n');
	return rc;
}

/* Feed one file: 0, 1 if it breaks off (it is used as far as it goes), -1 if it is
 * no capture or memory is short. */
static int read_file(const char *path, struct wire *w, struct seen *seen)
{
	char err[PCAPFILE_ERRLEN];
	struct pcapfile *f = pcapfile_open(path, err);
	struct sighting one;
	struct pkt_in in;
	int rc;

	if (!f) {
		cli_warnx("inspect: %s: %s", path, err);
		return -1;
	}
	while ((rc = pcapfile_next(f, &in)) == 1)
		if (wire_packet(w, &in, &one) && seen_put(seen, &one) < 0) {
			cli_warnx("inspect: out of memory");
			pcapfile_close(f);
			return -1;
		}
	if (rc < 0)
		cli_warnx("inspect: %s: %s", path, pcapfile_error(f));
	pcapfile_close(f);
	return rc < 0 ? 1 : 0;
}

static int print_all(const struct seen *seen, const struct wire *w, unsigned damaged)
{
	struct wire_stats st;
	int rc = 0;

	if (seen->n)
		qsort(seen->list, seen->n, sizeof(seen->list[0]), by_flow);
	wire_get_stats(w, &st);
	if (cli.format == FORMAT_JSON) {
		for (size_t i = 0; i < seen->n; i++)
			print_flow_json(&seen->list[i]);
		print_summary_json(&st, damaged);
	} else {
		rc = print_text(seen, &st);
	}
	return fflush(stdout) == 0 ? rc : -1;
}

int verb_inspect(int argc, char **argv)
{
	struct wire *w = wire_new(&conf);
	struct seen seen = { .n = 0 };
	unsigned damaged = 0;
	int rc = CLI_OK;

	if (!w) {
		cli_warnx("inspect: out of memory");
		return CLI_SYSTEM;
	}
	for (int i = 1; i < argc; i++)
		switch (read_file(argv[i], w, &seen)) {
		case -1:
			rc = CLI_USAGE;
			break;
		case 1:
			damaged++;
		}
	if (print_all(&seen, w, damaged) < 0)
		rc = CLI_SYSTEM;
	free(seen.list);
	free(seen.slot);
	wire_free(w);
	return rc;
}
