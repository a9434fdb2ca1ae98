/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: from flows that were observed to rules that allow them */
#include <cordon/suggest.h>

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <cordon/rules.h>

#include "rules/pipeline.h"
#include "rules/suggest_names.h"

/* One service of a host and direction, and who it was seen with. */
struct item {
	const char *service;
	struct netrange *peer;
	size_t npeers;
	uint64_t count;
	int64_t first_us, last_us;
	bool middle, done;
};

struct suggester {
	struct policy *p;
	const struct fs *fs;
	int64_t at;
	unsigned share, serial;
	struct suggest_flow *flow;
	size_t n;
	suggest_fn *fn;
	void *ctx;
};

/* ---- which flows ---- */

static const char *port_of(const struct policy *p, const struct suggest_flow *f)
{
	for (size_t i = 0; f->proto == IPPROTO_TCP && i < p->services.n; i++) {
		const struct pservice *s = p->services.v[i];

		for (uint32_t k = 0; s->bundle.n == 0 && k < s->resolved.n; k++) {
			const struct pport *q = &s->resolved.v[k];

			if (q->proto == f->proto && q->lo <= f->port && f->port <= q->hi &&
			    q->grants != 0)
				return q->grants & FS_SMB ? "a port of SMB" : "a port of RDP";
		}
	}
	return NULL;
}

static bool is_granted(const struct suggester *s, const struct suggest_flow *f)
{
	bool in = f->dir == FS_IN;
	struct fs_flow flow = { .src = in ? f->peer : f->host,
		.dst = in ? f->host : f->peer,
		.proto = f->proto,
		.dport = f->port,
		.at = s->at };
	struct fs_verdict v;

	fs_judge(s->fs, &flow, &v);
	for (unsigned i = 0; i < v.nsides; i++)
		if (v.side[i].dir == (enum fs_dir)f->dir)
			return v.side[i].match;
	return true; /* it is not ours any more */
}

static bool is_plain(const struct suggest_flow *f)
{
	return f->apart == NULL && !f->granted;
}

static void sift(struct suggester *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct suggest_flow *f = &s->flow[i];

		f->granted = is_granted(s, f);
		if (f->apart == NULL)
			f->apart = port_of(s->p, f);
	}
}

/* ---- order: plain ones first; by host, direction, protocol, port, peer ---- */

static const struct fs *sort_fs; /* qsort() hands nothing on; set around it only */

static uint32_t declared_host(const struct fs *fs, const struct netaddr *a)
{
	uint32_t i = fs_place_of(fs, a);

	return i != FS_NONE && fs_host(fs, i)->declared ? i : FS_NONE;
}

static int by_host(const struct fs *fs, const struct suggest_flow *a,
    const struct suggest_flow *b)
{
	uint32_t x = declared_host(fs, &a->host), y = declared_host(fs, &b->host);

	if (x != y)
		return x < y ? -1 : 1;
	return x != FS_NONE ? 0 : netaddr_cmp(&a->host, &b->host);
}

static int by_flow(const void *pa, const void *pb)
{
	const struct suggest_flow *a = pa, *b = pb;
	int c;

	if (is_plain(a) != is_plain(b))
		return is_plain(a) ? -1 : 1;
	if ((c = by_host(sort_fs, a, b)) != 0)
		return c;
	if (a->dir != b->dir)
		return a->dir - b->dir;
	if (a->proto != b->proto)
		return a->proto - b->proto;
	if (a->port != b->port)
		return a->port - b->port;
	return netaddr_cmp(&a->peer, &b->peer);
}

/* ---- items ---- */

static void item_take(struct item *it, const struct suggest_flow *f)
{
	it->peer[it->npeers++] = (struct netrange){ f->peer, f->peer };
	it->count += f->count;
	if (it->first_us == 0 || f->first_us < it->first_us)
		it->first_us = f->first_us;
	if (f->last_us > it->last_us)
		it->last_us = f->last_us;
	it->middle = it->middle || f->middle;
}

/* The services of flows[0..n), each with its peers; -1: no memory. */
static int items_of(struct suggester *s, const struct suggest_flow *f, size_t n,
    struct item **ret, size_t *ret_n)
{
	struct item *it = arena_calloc(&s->p->arena, n, sizeof(*it));
	const char **name = arena_calloc(&s->p->arena, n, sizeof(*name));
	size_t count = 0;

	if (it == NULL || name == NULL)
		return policy_no_memory(s->p);
	for (size_t i = 0; i < n; i++) {
		name[i] = suggest_service(s->p, f, n, &f[i]);
		if (name[i] == NULL)
			return policy_no_memory(s->p);
	}
	for (size_t i = 0; i < n; i++) {
		size_t k = 0;

		while (k < count && strcmp(it[k].service, name[i]) != 0)
			k++;
		if (k == count) {
			it[count].service = name[i];
			it[count].peer =
			    arena_calloc(&s->p->arena, n - i, sizeof(struct netrange));
			if (it[count++].peer == NULL)
				return policy_no_memory(s->p);
		}
		item_take(&it[k], &f[i]);
	}
	for (size_t k = 0; k < count; k++)
		it[k].npeers = netranges_merge(it[k].peer, it[k].npeers);
	*ret = it;
	*ret_n = count;
	return 0;
}

static bool same_peers(const struct item *a, const struct item *b)
{
	return a->npeers == b->npeers &&
	    memcmp(a->peer, b->peer, a->npeers * sizeof(*a->peer)) == 0;
}

/* ---- rules ---- */

static const char *next_id(struct suggester *s, const char *host, enum fs_dir dir)
{
	for (;;) {
		const char *id = arena_printf(&s->p->arena, "seen-%u", ++s->serial);
		const char *full = arena_printf(&s->p->arena, "%s/%s/%s", host,
		    dir == FS_IN ? "in" : "out", id != NULL ? id : "");
		bool taken = false;

		if (id == NULL || full == NULL)
			return NULL;
		for (uint32_t i = 0; i < s->fs->table[FS_RULES].count && !taken; i++)
			taken = strcmp(fs_str(s->fs, fs_rule(s->fs, i)->id), full) == 0;
		if (!taken)
			return id;
	}
}

static int name_host(struct suggester *s, const struct suggest_flow *f,
    struct suggestion *ret)
{
	uint32_t i = declared_host(s->fs, &f->host);
	char text[NETADDR_STRLEN];
	char *name;

	if (i != FS_NONE) {
		ret->host = fs_str(s->fs, fs_host(s->fs, i)->name);
		ret->file = fs_str(s->fs, fs_host(s->fs, i)->file);
		ret->line = fs_host(s->fs, i)->line;
		return 0;
	}
	ret->address = arena_printf(&s->p->arena, "%s", netaddr_format(&f->host, text));
	name = arena_printf(&s->p->arena, "host-%s", text);
	if (name == NULL || ret->address == NULL)
		return policy_no_memory(s->p);
	for (char *c = name; *c != '\0'; c++)
		if (*c == '.' || *c == ':')
			*c = '-';
	ret->host = name;
	return 0;
}

/* The rule of item[k] and of those after it that have the same peers. */
static int suggest_rule(struct suggester *s, const struct suggest_flow *f,
    struct item *item, size_t n)
{
	const char **service = arena_calloc(&s->p->arena, n, sizeof(*service));
	struct suggestion out = { .dir = f->dir, .first_us = item->first_us };
	struct suggest_peers peers = { .share = s->share };

	if (service == NULL || name_host(s, f, &out) == -1)
		return policy_no_memory(s->p);
	for (size_t i = 0; i < n; i++) {
		if (item[i].done || !same_peers(&item[i], item))
			continue;
		if (i > 0)
			item[i].done = true;
		service[out.nservices++] = item[i].service;
		out.count += item[i].count;
		out.middle = out.middle || item[i].middle;
		if (item[i].first_us < out.first_us)
			out.first_us = item[i].first_us;
		if (item[i].last_us > out.last_us)
			out.last_us = item[i].last_us;
	}
	if (suggest_name_peers(s->p, item->peer, item->npeers, &peers) == -1)
		return -1;
	out.nservices = suggest_bundles(s->p, service, out.nservices, &peers.note);
	out.id = next_id(s, out.host, (enum fs_dir)f->dir);
	if (out.id == NULL || peers.note == NULL)
		return policy_no_memory(s->p);
	out.services = service;
	out.peers = peers.name;
	out.npeers = peers.n;
	out.note = peers.note;
	s->fn(s->ctx, &out);
	return 0;
}

/* Flows of one host and direction. */
static int suggest_side(struct suggester *s, const struct suggest_flow *f, size_t n)
{
	struct item *item = NULL;
	size_t nitems = 0;

	if (items_of(s, f, n, &item, &nitems) == -1)
		return -1;
	for (size_t k = 0; k < nitems; k++)
		if (!item[k].done && suggest_rule(s, f, &item[k], nitems - k) == -1)
			return -1;
	return 0;
}

static int suggest_all(struct policy *p, const struct fs *fs, void *ctx)
{
	struct suggester *s = ctx;
	size_t i = 0, end;

	s->p = p;
	s->fs = fs;
	sift(s);
	sort_fs = fs;
	if (s->n > 0)
		qsort(s->flow, s->n, sizeof(*s->flow), by_flow);
	sort_fs = NULL;
	for (; i < s->n && is_plain(&s->flow[i]); i = end) {
		const struct suggest_flow *f = &s->flow[i];

		for (end = i + 1; end < s->n && is_plain(&s->flow[end]) &&
		     s->flow[end].dir == f->dir && by_host(fs, &s->flow[end], f) == 0;)
			end++;
		if (i == 0 || by_host(fs, &s->flow[i - 1], f) != 0)
			s->serial = 0;
		if (suggest_side(s, f, end - i) == -1)
			return -1;
	}
	return 0;
}

int rules_suggest(const struct rules_source *src, int64_t at, unsigned share,
    struct suggest_flow *flows, size_t n, struct diaglist *d, suggest_fn *fn, void *ctx)
{
	struct suggester s = { .at = at, .share = share, .flow = flows, .n = n, .fn = fn,
		.ctx = ctx };
	struct fs *fs = NULL;
	int rc = pipeline_load(src, d, suggest_all, &s, &fs);

	free(fs);
	return rc;
}
