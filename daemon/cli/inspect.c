/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: cordon inspect: what SMB and RDP is in a capture; needs no policy */
#include "cli/verb_inspect.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <cordon/flowspace.h>
#include <cordon/guard.h>
#include <cordon/rules.h>

#include "base/facts_json.h"
#include "base/pcapfile.h"
#include "cli/cli.h"
#include "cli/hits.h"
#include "cli/jsonbuf.h"
#include "cli/out.h"
#include "wire/guards.h"
#include "wire/wire.h"

enum { PROGRESS_EVERY = 500000 };

/* What is asked of packets: the guards that ship, whoever uses them. */
struct look {
	struct wire *wire;
	struct fs *fs; /* holds the guards */
	struct guards *guards;
	struct hits *hits;
};

/* A capture is worth more memory than a live link: it isn't bounded by time.  Mirror feeds
 * bring packets in tunnels. */
static const struct wire_conf conf = { .flows = 1u << 18, .streams = 2048, .facts = 1u << 14,
	.tunnels = true, .huge_pages = true };

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

static void seen_index(struct seen *s)
{
	memset(s->slot, 0, s->slots * sizeof(*s->slot));
	for (size_t i = 0; i < s->n; i++)
		s->slot[seen_slot(s, s->list[i].flow_id)] = (uint32_t)i + 1;
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
	seen_index(s);
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

static bool seen_has(const struct seen *s, uint64_t id)
{
	return s->slots && s->slot[seen_slot(s, id)];
}

static int by_flow(const void *a, const void *b)
{
	const struct sighting *x = a, *y = b;

	return (x->flow_id > y->flow_id) - (x->flow_id < y->flow_id);
}

static void seen_sort(struct seen *s)
{
	if (s->n == 0)
		return;
	qsort(s->list, s->n, sizeof(s->list[0]), by_flow);
	seen_index(s);
}

static void print_json(struct jsonbuf *b, json_t *o)
{
	if (o) {
		jsonbuf_json(b, o);
		jsonbuf_mem(b, "\n", 1);
	}
	json_decref(o);
}

static const char *guard_id(const struct look *l, uint32_t i)
{
	return fs_str(l->fs, FS_AT(l->fs, FS_GUARDS, struct guard, i)->id);
}

/* What was hit on packets of the flows, as the kernel sees them, is added to what was on
 * their messages. */
static void add_hits(const struct look *l, struct seen *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const uint32_t *bits = hits_of(l->hits, s->list[i].flow_id);

		for (size_t k = 0; bits && k < FACT_GUARD_WORDS; k++)
			s->list[i].facts.guards[k] |= bits[k];
	}
}

static bool was_hit(const struct sighting *s, uint32_t guard)
{
	return s->facts.guards[guard / 32] >> guard % 32 & 1;
}

static json_t *guards_json(const struct look *l, const struct sighting *s)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < l->fs->table[FS_GUARDS].count && i < GUARDS_MAX; i++)
		if (was_hit(s, i))
			json_array_append_new(list, json_string(guard_id(l, i)));
	return list;
}

static void print_flow_json(
    struct jsonbuf *b, const struct look *l, const struct sighting *s)
{
	char client[NETADDR_STRLEN], server[NETADDR_STRLEN];
	enum app app = (enum app)s->facts.app;

	print_json(b, json_pack("{ss si ss si ss ss ss so so}",
	    "src_ip", netaddr_format(&s->client, client), "src_port", s->client_port,
	    "dest_ip", netaddr_format(&s->server, server), "dest_port", s->server_port,
	    "proto", "TCP", "app_proto", app_name(app),
	    "confidence", facts_confidence(&s->facts),
	    app_name(app), facts_json(&s->facts), "guards", guards_json(l, s)));
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
	COUNTER("tunnelled", tunnelled),
	COUNTER("fragments", fragments),
	COUNTER("fragments_dropped", frags_dropped),
	COUNTER("old_segments", old_segments),
	COUNTER("overlap_conflicts", conflicts),
	COUNTER("gaps", gaps),
	COUNTER("gaps_resumed", resumed),
	COUNTER("outside_window", outside),
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

/* Flows that a guard hit: of those with a row of their own, or of the others. */
static uint32_t flows_hit(
    const struct look *l, const struct seen *seen, uint32_t guard, bool others)
{
	const uint32_t *bits;
	uint32_t n = 0;
	uint64_t id;

	for (size_t i = 0; !others && i < seen->n; i++)
		n += was_hit(&seen->list[i], guard);
	for (size_t i = 0; others && hits_at(l->hits, i, &id, &bits); i++)
		n += (bits[guard / 32] >> guard % 32 & 1) && !seen_has(seen, id);
	return n;
}

static json_t *hits_json(const struct look *l, const struct seen *seen, bool others)
{
	json_t *o = json_object();

	for (uint32_t i = 0; i < l->fs->table[FS_GUARDS].count && i < GUARDS_MAX; i++) {
		uint32_t n = flows_hit(l, seen, i, others);

		if (n)
			json_object_set_new(o, guard_id(l, i), json_integer(n));
	}
	return o;
}

static void print_summary_json(struct jsonbuf *b, const struct look *l,
    const struct seen *seen, const struct wire_stats *st, unsigned damaged)
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
	json_object_set_new(o, "guards", hits_json(l, seen, false));
	json_object_set_new(o, "guards_elsewhere", hits_json(l, seen, true));
	json_object_set_new(o, "damaged_files", json_integer(damaged));
	print_json(b, o);
}

static int __attribute__((format(printf, 4, 5)))
append(char *buf, size_t room, size_t at, const char *fmt, ...)
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

static void guard_words(const struct look *l, const struct sighting *s, char *buf, size_t room)
{
	size_t at = strlen(buf);

	for (uint32_t i = 0; i < l->fs->table[FS_GUARDS].count && i < GUARDS_MAX; i++)
		if (was_hit(s, i))
			APPEND(" guard %s", guard_id(l, i));
}

static void flow_row(struct out_table *t, const struct look *l, const struct sighting *s)
{
	char client[NETADDR_STRLEN + 10], server[NETADDR_STRLEN + 10], words[512] = "";

	endpoint(client, sizeof(client), &s->client, s->client_port);
	endpoint(server, sizeof(server), &s->server, s->server_port);
	if (s->facts.app == APP_SMB)
		smb_words(&s->facts.smb, words, sizeof(words));
	else
		rdp_words(&s->facts.rdp, words, sizeof(words));
	guard_words(l, s, words, sizeof(words));
	out_table_row(t, client, server, app_name((enum app)s->facts.app),
	    facts_confidence(&s->facts), words);
}

static void print_elsewhere(const struct look *l, const struct seen *s)
{
	for (uint32_t i = 0; i < l->fs->table[FS_GUARDS].count && i < GUARDS_MAX; i++) {
		uint32_t n = flows_hit(l, s, i, true);

		if (n)
			printf(", guard %s on %u other flow%s", guard_id(l, i), n,
			    n == 1 ? "" : "s");
	}
}

static int print_text(const struct look *l, const struct seen *s, const struct wire_stats *st)
{
	struct out_table *t = out_table_new("CLIENT|SERVER|APP|CONFIDENCE|FACTS");
	int rc;

	if (!t)
		return -1;
	for (size_t i = 0; i < s->n; i++)
		flow_row(t, l, &s->list[i]);
	rc = s->n ? out_table_print(t, stdout, cli.colour) : 0;
	out_table_free(t);
	for (size_t i = 0; i < COUNTERS; i++)
		if (i < COUNTERS_ALWAYS || counter_of(st, &counters[i]))
			printf("%s%s %llu", i ? ", " : "", counters[i].name,
			    (unsigned long long)counter_of(st, &counters[i]));
	for (int app = APP_SMB; app < APP_COUNT; app++)
		printf(", %s %llu", app_name((enum app)app),
		    (unsigned long long)st->recognised[app]);
	print_elsewhere(l, s);
	putchar('\n');
	return rc;
}

/* Take n packets; -1: no memory. */
static int take(const struct look *l, struct seen *seen, const struct pkt_in *in, int n)
{
	uint32_t hit[GUARDS_HITS_MAX];
	struct sighting one;

	wire_ahead(l->wire, in, (unsigned)n);
	for (int i = 0; i < n; i++) {
		if (wire_packet(l->wire, &in[i], &one) && seen_put(seen, &one) < 0)
			return -1;
		if (hits_packet(l->hits, l->guards, l->wire, hit) < 0)
			return -1;
	}
	return 0;
}

/* What waited for bytes that no packet brought. */
static int finish(const struct look *l, struct seen *seen)
{
	struct sighting one;

	while (wire_finish(l->wire, &one))
		if (seen_put(seen, &one) < 0)
			return -1;
	return 0;
}

static void progress(const char *path, const struct pcapfile *f, uint64_t packets, size_t found)
{
	int percent = pcapfile_percent(f);
	char part[16] = "";

	if (percent >= 0)
		snprintf(part, sizeof(part), " (%d %%)", percent);
	out_progress("%s: %llu packets%s, %zu flows of SMB and RDP", path,
	    (unsigned long long)packets, part, found);
}

/* Feed one file: 0, 1 if it breaks off (it is used as far as it goes), -1 if it is
 * no capture or memory is short. */
static int read_file(const char *path, const struct look *l, struct seen *seen)
{
	char err[PCAPFILE_ERRLEN];
	struct pcapfile *f = pcapfile_open(path, err);
	struct pkt_in in[WIRE_AHEAD];
	uint64_t packets = 0, tell = PROGRESS_EVERY;
	int n;

	if (!f) {
		cli_warnx("inspect: %s: %s", path, err);
		return -1;
	}
	while ((n = pcapfile_some(f, in, WIRE_AHEAD)) > 0) {
		if (take(l, seen, in, n) < 0) {
			out_progress(NULL);
			cli_warnx("inspect: out of memory");
			pcapfile_close(f);
			return -1;
		}
		packets += (uint64_t)n;
		if (packets >= tell) {
			progress(path, f, packets, seen->n);
			tell += PROGRESS_EVERY;
		}
	}
	out_progress(NULL);
	if (n < 0)
		cli_warnx("inspect: %s: broken off after %llu packets: %s", path,
		    (unsigned long long)packets, pcapfile_error(f));
	pcapfile_close(f);
	return n < 0 ? 1 : 0;
}

static int print_all_json(const struct look *l, const struct seen *seen,
    const struct wire_stats *st, unsigned damaged)
{
	static struct jsonbuf out;

	jsonbuf_init(&out, STDOUT_FILENO);
	for (size_t i = 0; i < seen->n; i++)
		print_flow_json(&out, l, &seen->list[i]);
	print_summary_json(&out, l, seen, st, damaged);
	jsonbuf_flush(&out);
	return out.failed ? -1 : 0;
}

static int print_all(struct seen *seen, const struct look *l, unsigned damaged)
{
	struct wire_stats st;
	int rc;

	seen_sort(seen);
	add_hits(l, seen);
	wire_get_stats(l->wire, &st);
	if (cli.format == FORMAT_JSON)
		return print_all_json(l, seen, &st, damaged);
	rc = print_text(l, seen, &st);
	return fflush(stdout) == 0 ? rc : -1;
}

static void look_free(struct look *l)
{
	wire_free(l->wire);
	guards_free(l->guards);
	hits_free(l->hits);
	free(l->fs);
}

static int look_init(struct look *l)
{
	struct wire_conf own = conf;

	*l = (struct look){ .hits = hits_new() };
	/* who wrote the capture does not choose where its flows stand in the table */
	if (getrandom(&own.seed, sizeof(own.seed), 0) == sizeof(own.seed))
		l->wire = wire_new(&own);
	if (rules_shipped_guards(&l->fs) == 0)
		l->guards = hits_guards(l->fs, NULL);
	if (!l->wire || !l->hits || !l->guards) {
		look_free(l);
		return -1;
	}
	wire_set_tap(l->wire, &(struct wire_tap){ guards_tap, l->guards });
	return 0;
}

int verb_inspect(int argc, char **argv)
{
	struct seen seen = { .n = 0 };
	unsigned damaged = 0;
	int rc = CLI_OK;
	struct look l;

	if (look_init(&l) < 0) {
		cli_warnx("inspect: out of memory");
		return CLI_SYSTEM;
	}
	for (int i = 1; i < argc; i++)
		switch (read_file(argv[i], &l, &seen)) {
		case -1:
			rc = CLI_USAGE;
			break;
		case 1:
			damaged++;
			rc = CLI_USAGE;
			break;
		}
	if (finish(&l, &seen) < 0 || print_all(&seen, &l, damaged) < 0)
		rc = CLI_SYSTEM;
	free(seen.list);
	free(seen.slot);
	look_free(&l);
	return rc;
}
