/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: each host's rules as elements: who may reach what, whom it may reach */
#include "rules/compile.h"

#include <netinet/in.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/rulewriter.h"

/* Several rules that match are an "or": so entries of one host may stand in the exact
 * set, behind its ports and behind its protocols side by side, and nothing has to be
 * split into disjoint parts.  Chains and sets of sources are named by their content:
 * equal lists are shared, and a reload leaves what did not change alone. */
enum { EXACT_MAX = 8, INLINE_MAX = 8, NAME_HASH = 10 };

/* One protocol/port range of an active rule. */
struct want {
	uint16_t lo, hi;
	uint8_t proto, family, grants;
	bool short_ok;
	uint32_t rule;
	int64_t until;
};

/* A list of peers with the time until which each holds. */
struct part {
	int64_t until;
	size_t first, n; /* in ranges[] */
};

struct lists {
	struct netrange *ranges;
	size_t nranges, cap;
	struct part *parts;
	size_t nparts, parts_cap;
};

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

static void *grow(struct compile *c, void *at, size_t *cap, size_t need, size_t elem)
{
	size_t want = *cap == 0 ? 64 : *cap * 2;
	void *more;

	if (need <= *cap)
		return at;
	while (want < need)
		want *= 2;
	more = reallocarray(at, want, elem);
	if (more == NULL) {
		c->failed = true;
		return at;
	}
	*cap = want;
	return more;
}

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

			s->wants = grow(c, s->wants, &s->cap, s->n + 1, sizeof(*s->wants));
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

/* ---- lists of peers ---- */

static void add_part(struct compile *c, struct lists *l, const struct netrange *r,
    size_t n, uint8_t v, int64_t until)
{
	struct part *p;

	l->ranges = grow(c, l->ranges, &l->cap, l->nranges + n, sizeof(*l->ranges));
	l->parts = grow(c, l->parts, &l->parts_cap, l->nparts + 1, sizeof(*l->parts));
	if (c->failed)
		return;
	p = l->nparts > 0 && l->parts[l->nparts - 1].until == until ?
	    &l->parts[l->nparts - 1] : &l->parts[l->nparts++];
	if (p->until != until || p->first + p->n != l->nranges)
		*p = (struct part){ .until = until, .first = l->nranges };
	for (size_t i = 0; i < n; i++) {
		if (r[i].lo.v != v)
			continue;
		l->ranges[l->nranges++] = r[i];
		p->n++;
	}
}

static int by_until(const void *x, const void *y)
{
	const struct want *const *a = x, *const *b = y;

	if ((*a)->until != (*b)->until)
		return (*a)->until > (*b)->until ? -1 : 1;
	return (*a)->rule < (*b)->rule ? -1 : (*a)->rule > (*b)->rule;
}

/* The peers of wants[0..n), which share a key, one part a distinct end of validity;
 * what holds for ever first. */
static void collect(struct compile *c, struct lists *l, const struct want *wants,
    size_t n, uint8_t v)
{
	const struct want **order = calloc(n, sizeof(*order));

	l->nranges = l->nparts = 0;
	if (order == NULL) {
		c->failed = true;
		return;
	}
	for (size_t i = 0; i < n; i++)
		order[i] = &wants[i];
	qsort(order, n, sizeof(*order), by_until);
	for (size_t i = 0; i < n && !c->failed; i++) {
		const struct fs_rule *r = fs_rule(c->fs, order[i]->rule);

		if (order[i]->family == 0 || order[i]->family == v)
			add_part(c, l, fs_range(c->fs, r->peers.first), r->peers.count, v,
			    order[i]->until);
	}
	free(order);
	for (size_t i = 0; i < l->nparts; i++)
		l->parts[i].n = netranges_merge(&l->ranges[l->parts[i].first],
		    l->parts[i].n);
}

static bool is_single(const struct netrange *r)
{
	return netaddr_cmp(&r->lo, &r->hi) == 0;
}

static bool is_all(const struct netrange *r)
{
	struct netrange all = netrange_all(r->lo.v);

	return memcmp(&all, r, sizeof(all)) == 0;
}

static bool list_empty(const struct lists *l)
{
	for (size_t i = 0; i < l->nparts; i++)
		if (l->parts[i].n > 0)
			return false;
	return true;
}

/* Few single addresses of a single port go into the exact set of this direction and
 * leave the list. */
static void take_exact(struct compile *c, const struct fam *f, enum fs_dir dir,
    const struct netaddr *host, const struct want *w, struct lists *l,
    const char *comment)
{
	struct part *p = &l->parts[0];
	size_t singles = 0, kept = 0;

	if (l->nparts == 0 || p->until != FS_FOREVER)
		return;
	for (size_t i = 0; i < p->n; i++)
		singles += is_single(&l->ranges[p->first + i]);
	if (singles == 0 || singles > EXACT_MAX)
		return;
	for (size_t i = 0; i < p->n; i++) {
		struct netrange r = l->ranges[p->first + i];
		const struct netaddr *client = dir == FS_IN ? &r.lo : host;
		const struct netaddr *server = dir == FS_IN ? host : &r.lo;
		size_t size = netaddr_size(host);
		uint8_t key[40] = { 0 };

		if (!is_single(&r)) {
			l->ranges[p->first + kept++] = r;
			continue;
		}
		memcpy(key, client->b, size);
		memcpy(key + size, server->b, size);
		key[2 * size] = w->proto;
		key[2 * size + 4] = (uint8_t)(w->lo >> 8);
		key[2 * size + 5] = (uint8_t)w->lo;
		rsb_elem(c->b, f->exact[dir], key, NULL, RS_CONTINUE, RS_NONE, comment);
	}
	p->n = kept;
}

/* ---- chains and sets named by content ---- */

static void name_of(char name[static RS_NAME_MAX], const char *kind, uint8_t v,
    crypto_generichash_state *st)
{
	uint8_t h[16];
	size_t len;

	crypto_generichash_final(st, h, sizeof(h));
	len = (size_t)snprintf(name, 24, "%.16s%u_", kind, v);
	sodium_bin2hex(name + len, RS_NAME_MAX - len, h, NAME_HASH);
}

static void hash_start(crypto_generichash_state *st, uint64_t what)
{
	crypto_generichash_init(st, NULL, 0, 16);
	crypto_generichash_update(st, (const uint8_t *)&what, sizeof(what));
}

static void hash_part(const struct compile *c, crypto_generichash_state *st,
    const struct lists *l, const struct part *p)
{
	if (p->until != FS_FOREVER)
		crypto_generichash_update(st, (const uint8_t *)&c->o->floor,
		    sizeof(c->o->floor));
	crypto_generichash_update(st, (const uint8_t *)&p->until, sizeof(p->until));
	crypto_generichash_update(st, (const uint8_t *)&l->ranges[p->first],
	    p->n * sizeof(*l->ranges));
}

/* Rules with a test of time; the floor closes them where the clock went back. */
static void time_test(struct compile *c, int64_t until)
{
	if (until == FS_FOREVER)
		return;
	if (c->o->floor > 0)
		rw_cmp(c->b, RS_TIME, RS_GE, (uint64_t)c->o->floor * 1000000000u);
	rw_cmp(c->b, RS_TIME, RS_LT, (uint64_t)until * 1000000000u);
}

static uint32_t range_set(struct compile *c, const struct fam *f, const struct lists *l,
    const struct part *p)
{
	crypto_generichash_state st;
	char name[RS_NAME_MAX];
	struct part timeless = *p;
	uint32_t set;

	timeless.until = FS_FOREVER;
	hash_start(&st, 1);
	hash_part(c, &st, l, &timeless);
	name_of(name, "list", f->v, &st);
	set = rsb_find_set(c->b, name);
	if (set != RS_NONE)
		return set;
	set = rsb_set(c->b, name, &(struct rs_set){ .nkeys = 1, .key = { f->addr_type },
		.interval = true, .content_named = true });
	for (size_t i = 0; i < p->n; i++) {
		const struct netrange *r = &l->ranges[p->first + i];

		rsb_elem(c->b, set, r->lo.b, r->hi.b, RS_CONTINUE, RS_NONE, "");
	}
	return set;
}

/* What to do with a peer that is in the list. */
struct then {
	const char *kind;        /* first part of the chain's name */
	enum rs_field field;     /* where the peer's address stands in the packet */
	uint32_t hit;            /* chain to go on with, or RS_NONE: */
	uint32_t label[3], nlabels; /* these are set, and the chain returns */
};

static void finish_rule(struct compile *c, const struct then *t)
{
	for (uint32_t i = 0; i < t->nlabels; i++)
		rw_set_label(c->b, t->label[i]);
	if (t->hit != RS_NONE)
		rw_go(c->b, RS_GOTO, t->hit);
}

static void list_rules(struct compile *c, const struct fam *f, uint32_t chain,
    const struct lists *l, const struct part *p, const struct then *t)
{
	if (p->n > INLINE_MAX) {
		rw_rule(c->b, chain);
		time_test(c, p->until);
		rw_in(c->b, t->field, range_set(c, f, l, p));
		finish_rule(c, t);
		return;
	}
	for (size_t i = 0; i < p->n; i++) {
		const struct netrange *r = &l->ranges[p->first + i];

		rw_rule(c->b, chain);
		time_test(c, p->until);
		if (!is_all(r))
			rw_addr(c->b, t->field, r);
		finish_rule(c, t);
	}
}

/* The chain that tries the list: hits go on, misses return. */
static uint32_t list_chain(struct compile *c, const struct fam *f, const struct lists *l,
    const struct then *t)
{
	crypto_generichash_state st;
	char name[RS_NAME_MAX];
	uint64_t what = t->nlabels;
	uint32_t chain;

	for (uint32_t i = 0; i < t->nlabels; i++)
		what = what << 8 | t->label[i];
	hash_start(&st, what);
	for (size_t i = 0; i < l->nparts; i++)
		if (l->parts[i].n > 0)
			hash_part(c, &st, l, &l->parts[i]);
	name_of(name, t->kind, f->v, &st);
	chain = rsb_find_chain(c->b, name);
	if (chain != RS_NONE)
		return chain;
	chain = rsb_chain(c->b, name, &(struct rs_chain){ .content_named = true });
	for (size_t i = 0; i < l->nparts; i++)
		list_rules(c, f, chain, l, &l->parts[i], t);
	return chain;
}

static bool list_is_all(const struct lists *l)
{
	return l->nparts > 0 && l->parts[0].until == FS_FOREVER && l->parts[0].n == 1 &&
	    is_all(&l->ranges[l->parts[0].first]);
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

/* The port (or ICMP type) test of a range; false: an answer has no such packet. */
static bool range_test(struct compile *c, const struct fam *f, enum way w,
    const struct range_entry *e, uint32_t chain)
{
	bool reverse = w == REV_IN || w == REV_OUT;
	int reply;

	if (is_port_proto(e->proto)) {
		rw_rule(c->b, chain);
		rw_ports(c->b, reverse ? RS_TH_SPORT : RS_TH_DPORT, e->lo, e->hi);
		return true;
	}
	if (e->proto != f->icmp) {
		rw_rule(c->b, chain);
		return true;
	}
	if (!reverse) {
		rw_ports(rw_rule(c->b, chain), f->icmp_field, e->lo, e->hi);
		return true;
	}
	reply = e->lo == e->hi ? icmp_reply_of(e->proto, e->lo) : -1;
	if (reply >= 0)
		rw_cmp(rw_rule(c->b, chain), f->icmp_field, RS_EQ, (uint64_t)reply);
	return reply >= 0;
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

	hash_start(&st, 2 + (uint64_t)grants);
	for (size_t i = 0; i < n; i++) {
		const char *target = rsb_chain_name(c->b, e[i].target);
		uint64_t v[4] = { e[i].proto, e[i].lo, e[i].hi, e[i].direct };

		/* by the target's name: its index depends on the rest of the policy */
		crypto_generichash_update(&st, (const uint8_t *)v, sizeof(v));
		crypto_generichash_update(&st, (const uint8_t *)target,
		    strlen(target) + 1);
	}
	name_of(name, grants ? "grants" : kind[w], f->v, &st);
	chain = rsb_find_chain(c->b, name);
	if (chain != RS_NONE)
		return chain;
	chain = rsb_chain(c->b, name, &(struct rs_chain){ .content_named = true });
	for (size_t i = 0; i < n; i++)
		if (range_test(c, f, w, &e[i], chain))
			rw_go(c->b, e[i].direct ? RS_GOTO : RS_JUMP, e[i].target);
	return chain;
}

static void add_entry(struct compile *c, struct scratch *s, const struct want *w,
    uint32_t target, bool direct)
{
	s->entries = grow(c, s->entries, &s->entries_cap, s->nentries + 1,
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
		const char *comment = fs_str(c->fs, fs_rule(c->fs, wt->rule)->id);
		bool all;

		n = same_key(s, i);
		if (!of_family(wt, f))
			continue;
		collect(c, &s->l, wt, n, f->v);
		if (single_port(wt))
			take_exact(c, f, dir, host, wt, &s->l, comment);
		if (c->failed || list_empty(&s->l))
			continue;
		all = list_is_all(&s->l);
		if (single_port(wt))
			map_port(c, f->port_map[w], host, wt, all ? RS_GOTO : RS_JUMP,
			    all ? t.hit : list_chain(c, f, &s->l, &t), comment);
		else
			add_entry(c, s, wt, all ? t.hit : list_chain(c, f, &s->l, &t), all);
	}
	map_ranges(c, f, w, s, host, f->proto_map[w], false);
}

/* What the side grants to whom, noted when the connection opens: a rule's labels. */
static void host_grants(struct compile *c, const struct fam *f, enum fs_dir dir,
    struct scratch *s, const struct netaddr *host)
{
	static const uint32_t smb[] = { LABEL_IN_SMB, LABEL_OUT_SMB };
	static const uint32_t rdp[] = { LABEL_IN_RDP, LABEL_OUT_RDP };

	for (size_t i = 0, n; i < s->n && !c->failed; i += n) {
		const struct want *w = &s->wants[i];

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
			t.label[t.nlabels++] = LABEL_SHORT_OK;
		collect(c, &s->l, w, n, f->v);
		if (!c->failed && !list_empty(&s->l))
			add_entry(c, s, w, list_chain(c, f, &s->l, &t), false);
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
	free(s.l.ranges);
	free(s.l.parts);
	free(s.entries);
}
