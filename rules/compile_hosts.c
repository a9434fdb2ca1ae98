/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: each host's rules as elements: who may reach what, whom it may reach */
#include "rules/compile.h"

#include <netinet/in.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/compile_lists.h"
#include "rules/rulewriter.h"

/* Several rules that match are an "or": so entries of one host may stand in the exact
 * set, behind its ports and behind its protocols side by side, and nothing has to be
 * split into disjoint parts.  Chains and sets of sources are named by their content:
 * equal lists are shared, and a reload leaves what did not change alone. */
enum { EXACT_MAX = 8 };

struct scratch {
	struct want *wants;
	size_t n, cap;
	struct lists l;
	struct range_entry {
		uint8_t proto;
		uint16_t lo, hi;
		uint32_t target, comment_rule;
		bool direct; /* goto target, else jump */
	} *entries;
	size_t nentries, entries_cap;
};

int icmp_reply_of(uint8_t icmp_proto, uint16_t type)
{
	static const uint8_t pairs4[][2] = { { 8, 0 }, { 13, 14 }, { 15, 16 }, { 17, 18 } };

	if (icmp_proto == IPPROTO_ICMPV6)
		return type == 128 ? 129 : -1;
	for (size_t i = 0; i < sizeof(pairs4) / sizeof(pairs4[0]); i++)
		if (pairs4[i][0] == type)
			return pairs4[i][1];
	return -1;
}

/* ---- what a host's rules want ---- */

static const char *id_of(const struct compile *c, const struct want *w)
{
	return fs_str(c->fs, fs_rule(c->fs, w->rule)->id);
}

static int by_key(const void *x, const void *y)
{
	const struct want *a = x, *b = y;

	if (a->proto != b->proto)
		return a->proto < b->proto ? -1 : 1;
	if (a->lo != b->lo)
		return a->lo < b->lo ? -1 : 1;
	if (a->hi != b->hi)
		return a->hi < b->hi ? -1 : 1;
	return a->rule < b->rule ? -1 : a->rule > b->rule;
}

static void gather(struct compile *c, struct scratch *s, const struct fs_host *h,
    enum fs_dir dir)
{
	s->n = 0;
	for (uint32_t i = 0; i < h->rules[dir].count; i++) {
		uint32_t index = h->rules[dir].first + i;
		const struct fs_rule *r = fs_rule(c->fs, index);
		int64_t until;

		if (!fs_rule_active(c->fs, r, c->o->at, &until))
			continue;
		for (uint32_t k = 0; k < r->services.count; k++) {
			const struct fs_service *sv = fs_service(c->fs, r->services.first + k);

			s->wants = compile_grow(c, s->wants, &s->cap, s->n + 1, sizeof(*s->wants));
			if (c->failed)
				return;
			s->wants[s->n++] = (struct want){ .lo = sv->lo, .hi = sv->hi,
				.proto = sv->proto, .family = sv->family,
				.grants = sv->grants, .short_ok = sv->short_opening,
				.rule = index, .until = until };
		}
	}
	if (s->n > 0)
		qsort(s->wants, s->n, sizeof(*s->wants), by_key);
}

/* ---- what goes into the exact sets ---- */

static void put_exact(struct compile *c, const struct fam *f, enum fs_dir dir,
    const struct netaddr *host, const struct want *w, const struct netaddr *peer)
{
	const struct netaddr *client = dir == FS_IN ? peer : host;
	const struct netaddr *server = dir == FS_IN ? host : peer;
	size_t size = netaddr_size(host);
	uint8_t key[40] = { 0 };

	memcpy(key, client->b, size);
	memcpy(key + size, server->b, size);
	key[2 * size] = w->proto;
	key[2 * size + 4] = (uint8_t)(w->lo >> 8);
	key[2 * size + 5] = (uint8_t)w->lo;
	rsb_elem(c->b, f->exact[dir], key, NULL, RS_CONTINUE, RS_NONE, id_of(c, w));
}

/* Few single addresses of a single port go into the exact set of this direction and
 * leave the list. */
static bool take_exact(struct compile *c, const struct fam *f, enum fs_dir dir,
    const struct netaddr *host, const struct want *w, struct lists *l)
{
	struct part *p = &l->parts[0];
	size_t singles = 0, kept = 0;

	if (c->failed || l->nparts == 0 || p->until != FS_FOREVER)
		return false;
	for (size_t i = 0; i < p->n; i++)
		singles += range_is_single(&l->ranges[p->first + i]);
	if (singles == 0 || singles > EXACT_MAX)
		return false;
	for (size_t i = 0; i < p->n; i++) {
		struct netrange r = l->ranges[p->first + i];

		if (range_is_single(&r))
			put_exact(c, f, dir, host, w, &r.lo);
		else
			l->ranges[p->first + kept++] = r;
	}
	p->n = kept;
	return true;
}

/* The same for another host that has the same list. */
static void take_exact_again(struct compile *c, const struct fam *f, enum fs_dir dir,
    const struct netaddr *host, const struct want *w)
{
	const struct fs_span peers = fs_rule(c->fs, w->rule)->peers;

	for (uint32_t i = 0; i < peers.count; i++) {
		const struct netrange *r = fs_range(c->fs, peers.first + i);

		if (r->lo.v == f->v && range_is_single(r))
			put_exact(c, f, dir, host, w, &r->lo);
	}
}

/* The list of a single rule, which others may have too. */
static struct list_key list_key_of(const struct compile *c, const struct want *w,
    size_t n, uint8_t v, bool exact, unsigned what)
{
	const struct fs_span peers = fs_rule(c->fs, w->rule)->peers;
	struct list_key key = { .until = w->until, .first = peers.first, .v = v,
		.exact = exact, .what = (uint8_t)what };

	if (n == 1 && w->family == 0)
		key.count = peers.count;
	return key; /* count 0: not one that is remembered */
}

/* ---- one host, one direction, one family ---- */

static struct then then_of(const struct fam *f, enum way w)
{
	switch (w) {
	case FWD_IN:
		return (struct then){ "from", f->saddr, f->hit_in, { 0 }, 0 };
	case REV_OUT:
		return (struct then){ "answerto", f->saddr, f->hit_rev_out, { 0 }, 0 };
	case FWD_OUT:
	case REV_IN:
	case WAYS:
		break;
	}
	return (struct then){ "to", f->daddr, f->ok, { 0 }, 0 };
}

static size_t host_key(uint8_t key[static 24], const struct netaddr *host, uint8_t proto)
{
	size_t size = netaddr_size(host);

	memset(key, 0, 24);
	memcpy(key, host->b, size);
	key[size] = proto;
	return size;
}

static void map_port(struct compile *c, uint32_t map, const struct netaddr *host,
    const struct want *w, enum rs_go go, uint32_t chain, const char *comment)
{
	uint8_t key[24];
	size_t size = host_key(key, host, w->proto);

	key[size + 4] = (uint8_t)(w->lo >> 8);
	key[size + 5] = (uint8_t)w->lo;
	rsb_elem(c->b, map, key, NULL, go, chain, comment);
}

static void range_go(struct compile *c, const struct range_entry *e)
{
	rw_go(c->b, e->direct ? RS_GOTO : RS_JUMP, e->target);
}

/* Answers to a range of ICMP types: one test for each that has an answer. */
static void answer_rules(struct compile *c, const struct fam *f,
    const struct range_entry *e, uint32_t chain)
{
	for (unsigned type = e->lo; type <= e->hi; type++) {
		int reply = icmp_reply_of(e->proto, (uint16_t)type);

		if (reply < 0)
			continue;
		rw_cmp(rw_rule(c->b, chain), f->icmp_field, RS_EQ, (uint64_t)reply);
		range_go(c, e);
	}
}

/* The port (or ICMP type) test of a range, and where it leads. */
static void range_rules(struct compile *c, const struct fam *f, enum way w,
    const struct range_entry *e, uint32_t chain)
{
	bool reverse = w == REV_IN || w == REV_OUT;

	if (reverse && e->proto == f->icmp) {
		answer_rules(c, f, e, chain);
		return;
	}
	rw_rule(c->b, chain);
	if (is_port_proto(e->proto))
		rw_ports(c->b, reverse ? RS_TH_SPORT : RS_TH_DPORT, e->lo, e->hi);
	else if (e->proto == f->icmp)
		rw_ports(c->b, f->icmp_field, e->lo, e->hi);
	range_go(c, e);
}

/* The chain of one protocol's ranges: equal ones are shared. */
static uint32_t ranges_chain(struct compile *c, const struct fam *f, enum way w,
    const struct range_entry *e, size_t n, bool grants)
{
	static const char *const kind[WAYS] = { "inports", "outports", "inanswers",
		"outanswers" };
	crypto_generichash_state st;
	char name[RS_NAME_MAX];
	uint32_t chain;

	compile_hash_start(&st, 2 + (uint64_t)grants);
	for (size_t i = 0; i < n; i++) {
		const char *target = rsb_chain_name(c->b, e[i].target);
		uint64_t v[4] = { e[i].proto, e[i].lo, e[i].hi, e[i].direct };

		/* by the target's name: its index depends on the rest of the policy */
		crypto_generichash_update(&st, (const uint8_t *)v, sizeof(v));
		crypto_generichash_update(&st, (const uint8_t *)target,
		    strlen(target) + 1);
	}
	compile_name(name, grants ? "grants" : kind[w], f->v, &st);
	chain = rsb_find_chain(c->b, name);
	if (chain != RS_NONE)
		return chain;
	chain = rsb_chain(c->b, name, &(struct rs_chain){ .content_named = true });
	for (size_t i = 0; i < n; i++)
		range_rules(c, f, w, &e[i], chain);
	return chain;
}

static void add_entry(struct compile *c, struct scratch *s, const struct want *w,
    uint32_t target, bool direct)
{
	s->entries = compile_grow(c, s->entries, &s->entries_cap, s->nentries + 1,
	    sizeof(*s->entries));
	if (!c->failed)
		s->entries[s->nentries++] = (struct range_entry){ .proto = w->proto,
			.lo = w->lo, .hi = w->hi, .target = target,
			.comment_rule = w->rule, .direct = direct };
}

/* Flush the collected ranges: one chain a protocol, one element a host. */
static void map_ranges(struct compile *c, const struct fam *f, enum way w,
    struct scratch *s, const struct netaddr *host, uint32_t map, bool grants)
{
	for (size_t i = 0; i < s->nentries;) {
		size_t n = 1;
		uint8_t key[24];
		uint32_t chain;

		while (i + n < s->nentries && s->entries[i + n].proto == s->entries[i].proto)
			n++;
		chain = ranges_chain(c, f, w, &s->entries[i], n, grants);
		host_key(key, host, s->entries[i].proto);
		rsb_elem(c->b, map, key, NULL, RS_JUMP, chain,
		    fs_str(c->fs, fs_rule(c->fs, s->entries[i].comment_rule)->id));
		i += n;
	}
	s->nentries = 0;
}

static size_t same_key(const struct scratch *s, size_t at)
{
	size_t n = 1;

	while (at + n < s->n && s->wants[at + n].proto == s->wants[at].proto &&
	    s->wants[at + n].lo == s->wants[at].lo && s->wants[at + n].hi == s->wants[at].hi)
		n++;
	return n;
}

static bool single_port(const struct want *w)
{
	return is_port_proto(w->proto) && w->lo == w->hi;
}

static bool of_family(const struct want *w, const struct fam *f)
{
	return (w->proto != IPPROTO_ICMP || f->v == 4) &&
	    (w->proto != IPPROTO_ICMPV6 || f->v == 6);
}

/* Consent of one side in one orientation. */
static void host_way(struct compile *c, const struct fam *f, enum way w,
    struct scratch *s, const struct netaddr *host)
{
	enum fs_dir dir = w == FWD_IN || w == REV_IN ? FS_IN : FS_OUT;
	const struct then t = then_of(f, w);

	for (size_t i = 0, n; i < s->n && !c->failed; i += n) {
		const struct want *wt = &s->wants[i];
		bool exact = single_port(wt);
		struct list_key key;
		struct list_end end;

		n = same_key(s, i);
		if (!of_family(wt, f))
			continue;
		key = list_key_of(c, wt, n, f->v, exact, w);
		if (!lists_known(&s->l, &key, &end)) {
			lists_collect(c, &s->l, wt, n, f->v);
			end.singles = exact && take_exact(c, f, dir, host, wt, &s->l);
			lists_settle(c, f, &s->l, &t, &end);
			lists_remember(c, &s->l, &key, &end);
		} else if (end.singles) {
			take_exact_again(c, f, dir, host, wt);
		}
		if (c->failed || end.empty)
			continue;
		if (exact)
			map_port(c, f->port_map[w], host, wt, end.all ? RS_GOTO : RS_JUMP,
			    end.chain, id_of(c, wt));
		else
			add_entry(c, s, wt, end.chain, end.all);
	}
	map_ranges(c, f, w, s, host, f->proto_map[w], false);
}

/* One port with one kind of grant: an element of the map, no chain of its own.  (A map
 * holds a key once.) */
static bool is_alone(const struct scratch *s, size_t at, size_t n)
{
	const struct want *w = &s->wants[at];

	return single_port(w) &&
	    (at == 0 || w[-1].proto != w->proto || w[-1].lo != w->lo || w[-1].hi != w->hi) &&
	    (at + n == s->n || w[n].proto != w->proto || w[n].lo != w->lo ||
		w[n].hi != w->hi);
}

/* What the side grants to whom, noted when the connection opens: a rule's labels. */
static void host_grants(struct compile *c, const struct fam *f, enum fs_dir dir,
    struct scratch *s, const struct netaddr *host)
{
	static const uint32_t smb[] = { LABEL_IN_SMB, LABEL_OUT_SMB };
	static const uint32_t rdp[] = { LABEL_IN_RDP, LABEL_OUT_RDP };
	static const uint32_t may_be_short[] = { LABEL_IN_SHORT, LABEL_OUT_SHORT };

	for (size_t i = 0, n; i < s->n && !c->failed; i += n) {
		const struct want *w = &s->wants[i];
		struct list_key key;
		struct list_end end;

		n = 1;
		if (w->proto != IPPROTO_TCP || (w->grants == 0 && !w->short_ok))
			continue;
		for (; i + n < s->n && s->wants[i + n].proto == w->proto &&
		     s->wants[i + n].lo == w->lo && s->wants[i + n].hi == w->hi &&
		     s->wants[i + n].grants == w->grants &&
		     s->wants[i + n].short_ok == w->short_ok; n++)
			;
		struct then t = { "grant", dir == FS_IN ? f->saddr : f->daddr, RS_NONE,
			{ 0 }, 0 };

		if (w->grants & FS_SMB)
			t.label[t.nlabels++] = smb[dir];
		if (w->grants & FS_RDP)
			t.label[t.nlabels++] = rdp[dir];
		if (w->short_ok)
			t.label[t.nlabels++] = may_be_short[dir];
		key = list_key_of(c, w, n, f->v, false,
		    WAYS + ((unsigned)dir << 3 | w->grants << 1 | w->short_ok));
		if (!lists_known(&s->l, &key, &end)) {
			lists_collect(c, &s->l, w, n, f->v);
			end.singles = false;
			lists_settle(c, f, &s->l, &t, &end);
			lists_remember(c, &s->l, &key, &end);
		}
		if (c->failed || end.empty)
			continue;
		if (is_alone(s, i, n))
			map_port(c, f->grant_map[dir], host, w, RS_JUMP, end.chain, id_of(c, w));
		else
			add_entry(c, s, w, end.chain, false);
	}
	map_ranges(c, f, dir == FS_IN ? FWD_IN : FWD_OUT, s, host, f->grant_range[dir], true);
}

static void host_address(struct compile *c, struct scratch *s, enum fs_dir dir,
    const struct netaddr *a)
{
	const struct fam *f = &c->fam[a->v == 6];

	host_way(c, f, dir == FS_IN ? FWD_IN : FWD_OUT, s, a);
	host_way(c, f, dir == FS_IN ? REV_IN : REV_OUT, s, a);
	host_grants(c, f, dir, s, a);
}

void compile_hosts(struct compile *c)
{
	struct scratch s;

	memset(&s, 0, sizeof(s));
	for (uint32_t i = 0; i < c->fs->table[FS_HOSTS].count && !c->failed; i++) {
		const struct fs_host *h = fs_host(c->fs, i);

		for (int dir = FS_IN; dir <= FS_OUT && h->declared; dir++) {
			gather(c, &s, h, dir);
			for (uint32_t a = 0; s.n > 0 && a < h->addresses.count; a++)
				host_address(c, &s, dir,
				    &fs_range(c->fs, h->addresses.first + a)->lo);
		}
	}
	free(s.wants);
	lists_free(&s.l);
	free(s.entries);
}
