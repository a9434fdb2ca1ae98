/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: diff against brute force: every flow of small worlds, judged one by one */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <time.h>

#include <cordon/diff.h>

#include "fstest.h"

static const int64_t now = 1800000000;

/* ---- random policies ---- */

static uint64_t seed;

static unsigned rnd(unsigned n) /* 0..n-1 */
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 11) % n;
}

/* What a policy is made of, so that the second one of a pair is a changed copy. */
enum { HOSTS = 4, RULES = 5, PEERS = 3 };
struct a_rule {
	unsigned dir, service, npeers, peer[PEERS], require, timed;
};
struct a_host {
	unsigned on, addr[2], mode, nrules;
	struct a_rule rule[RULES];
};
struct a_policy {
	unsigned prefix, prefix_mode, small, small_mode, gateway, v;
	struct a_host host[HOSTS];
};

static const char *const peers[2][12] = {
	{ "10.0.0.0/28", "10.0.0.3", "10.0.0.4-10.0.0.9", "10.0.0.8/29", "10.0.0.14",
	    "10.0.0.0/8", "0.0.0.0/0", "192.0.2.1", "10.0.0.2-10.0.0.3", "10.0.0.12/31",
	    "192.0.2.0/24", "224.0.0.0/4" },
	{ "fd00::/124", "fd00::3", "fd00::4-fd00::9", "fd00::8/125", "fd00::e",
	    "fd00::/16", "::/0", "2001:db8::1", "fd00::2-fd00::3", "fd00::c/127",
	    "2001:db8::/32", "ff00::/8" },
};

static const struct {
	uint8_t proto, grants, family;
	uint16_t lo, hi;
} services[] = {
	{ 6, FS_SMB, 0, 445, 445 }, { 6, FS_RDP, 0, 3389, 3389 }, { 6, 0, 0, 1, 65535 },
	{ 6, 0, 0, 440, 450 }, { 17, 0, 0, 53, 53 }, { 1, 0, 4, 8, 8 },
	{ 58, 0, 6, 128, 128 }, { 1, 0, 4, 0, 255 }, { 50, 0, 0, 0, 65535 },
	{ 6, FS_SMB | FS_RDP, 0, 8080, 8080 }, { 6, 0, 0, 8080, 8080 },
	{ 6, 0, 0, 3389, 3389 },
};
enum { SERVICES = sizeof(services) / sizeof(services[0]) };

static struct a_rule random_rule(void)
{
	struct a_rule r = { rnd(2), rnd(SERVICES), 1 + rnd(PEERS), { 0 },
		rnd(2) ? rnd(8) : 0, rnd(4) == 0 ? 1 + rnd(2) : 0 };

	for (unsigned i = 0; i < PEERS; i++)
		r.peer[i] = rnd(12);
	return r;
}

static void random_host(struct a_host *h, unsigned k)
{
	h->on = rnd(5) != 0;
	h->addr[0] = 2 + k * 3;
	h->addr[1] = rnd(2) ? 3 + k * 3 : h->addr[0];
	h->mode = rnd(4) == 0;
	h->nrules = rnd(RULES + 1);
	for (unsigned i = 0; i < RULES; i++)
		h->rule[i] = random_rule();
}

static void random_policy(struct a_policy *p)
{
	p->prefix = rnd(3);
	p->prefix_mode = rnd(3) == 0;
	p->small = rnd(3) == 0;
	p->small_mode = rnd(2);
	p->gateway = rnd(2);
	for (unsigned k = 0; k < HOSTS; k++)
		random_host(&p->host[k], k);
}

static void mutate(struct a_policy *p)
{
	struct a_host *h = &p->host[rnd(HOSTS)];

	switch (rnd(9)) {
	case 0:
		h->on = !h->on;
		break;
	case 1:
		h->mode = !h->mode;
		break;
	case 2:
		p->prefix = rnd(3);
		p->prefix_mode = rnd(2);
		break;
	case 3:
		p->small = !p->small;
		break;
	case 4:
		random_host(h, (unsigned)(h - p->host));
		break;
	case 5:
		p->gateway = !p->gateway;
		break;
	case 6:
		h->rule[0].require ^= 1 + rnd(7);
		h->nrules = h->nrules != 0 ? h->nrules : 1;
		break;
	default:
		h->rule[rnd(RULES)] = random_rule();
		h->nrules = 1 + rnd(RULES);
		break;
	}
}

static void add_rule(struct fs_builder *b, uint32_t host, const struct a_rule *r,
    unsigned i, unsigned k, bool v6)
{
	char id[32], list[256] = "";
	struct fs_service s;
	struct fs_rule out;

	for (unsigned q = 0; q < r->npeers; q++) {
		strcat(list, peers[v6][r->peer[q]]);
		strcat(list, " ");
	}
	memset(&s, 0, sizeof(s));
	memset(&out, 0, sizeof(out));
	snprintf(id, sizeof(id), "h%u/%s/r%u", k, r->dir == FS_IN ? "in" : "out", i);
	s.proto = services[r->service].proto;
	s.family = services[r->service].family;
	s.grants = services[r->service].grants;
	s.lo = services[r->service].lo;
	s.hi = services[r->service].hi;
	out.id = fsb_str(b, id);
	out.file = fsb_str(b, "hosts.yaml");
	out.line = 10 * k + i;
	out.host = host;
	out.dir = (uint8_t)r->dir;
	out.require = (uint8_t)r->require;
	out.expires = r->timed == 0 ? FS_FOREVER : r->timed == 1 ? now : now + 1;
	out.schedule = FS_NONE;
	out.services.first = fsb_add(b, FS_SERVICES, &s);
	out.services.count = 1;
	out.peers = ft_ranges(b, list);
	fsb_add(b, FS_RULES, &out);
}

static struct fs *build(const struct a_policy *p, bool v6)
{
	static const char *const base[] = { "10.0.0.%u 10.0.0.%u", "fd00::%x fd00::%x" };
	static const char *const prefix[2][2] = { { "10.0.0.0/28", "10.0.0.0/29" },
		{ "fd00::/124", "fd00::/125" } };
	struct fs_builder *b = fsb_new();
	struct fs *fs;

	if (p->gateway)
		fsb_settings(b)->addresses = ft_ranges(b, v6 ? "fd00::1" : "10.0.0.1");
	for (unsigned k = 0; k < HOSTS; k++) {
		const struct a_host *h = &p->host[k];
		char name[8], addr[64];
		uint32_t host;

		if (!h->on)
			continue;
		snprintf(name, sizeof(name), "h%u", k);
		snprintf(addr, sizeof(addr), base[v6], h->addr[0], h->addr[1]);
		host = ft_host(b, name, addr, true, (enum fs_mode)h->mode);
		for (unsigned i = 0; i < h->nrules; i++)
			add_rule(b, host, &h->rule[i], i, k, v6);
	}
	if (p->prefix)
		ft_host(b, prefix[v6][p->prefix - 1], prefix[v6][p->prefix - 1], false,
		    (enum fs_mode)p->prefix_mode);
	if (p->small)
		ft_host(b, v6 ? "fd00::c/126" : "10.0.0.12/30",
		    v6 ? "fd00::c/126" : "10.0.0.12/30", false,
		    (enum fs_mode)p->small_mode);
	fs = fsb_finish(b);
	fsb_free(b);
	assert_non_null(fs);
	assert_true(fs_valid(fs, fs->size));
	return fs;
}

/* ---- the oracle ---- */

static const char *const outside[2][12] = {
	{ "0.0.0.0", "9.255.255.255", "10.0.0.16", "10.0.0.255", "10.255.255.255",
	    "11.0.0.0", "192.0.2.0", "192.0.2.1", "192.0.2.255", "224.0.0.5",
	    "239.255.255.255", "255.255.255.255" },
	{ "::", "fcff::", "fd00::10", "fd00:ffff::", "fd01::", "2001:db8::", "2001:db8::1",
	    "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::", "ff02::1", "ff00::",
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
};
enum { ADDRS = 28 };

static const struct {
	uint8_t proto;
	uint16_t port;
} keys[] = { { 6, 0 }, { 6, 1 }, { 6, 139 }, { 6, 439 }, { 6, 440 }, { 6, 444 }, { 6, 445 },
	{ 6, 446 }, { 6, 450 }, { 6, 451 }, { 6, 3389 }, { 6, 8080 }, { 6, 65535 },
	{ 17, 53 }, { 17, 445 }, { 1, 0 }, { 1, 8 }, { 1, 255 }, { 58, 128 }, { 50, 0 },
	{ 51, 0 }, { 0, 0 }, { 255, 0 } };
enum { KEYS = sizeof(keys) / sizeof(keys[0]) };

static void points(struct netaddr a[ADDRS], bool v6)
{
	for (unsigned i = 0; i < 16; i++) {
		netaddr_parse(v6 ? "fd00::" : "10.0.0.0", &a[i]);
		a[i].b[v6 ? 15 : 3] = (uint8_t)i;
	}
	for (unsigned i = 16; i < ADDRS; i++)
		assert_int_equal(netaddr_parse(outside[v6][i - 16], &a[i]), 0);
}

static bool region_has(const struct diff_region *r, const struct fs_flow *f)
{
	return r->src.lo.v == f->src.v && netrange_has(&r->src, &f->src) &&
	    netrange_has(&r->dst, &f->dst) && r->proto_lo <= f->proto &&
	    f->proto <= r->proto_hi && r->port_lo <= f->dport && f->dport <= r->port_hi;
}

/* How many regions of the list have the flow; the reasons of the last. */
static unsigned hits(const struct diff_regions *l, const struct fs_flow *f, unsigned *why)
{
	unsigned n = 0;

	for (size_t i = 0; i < l->n; i++) {
		if ((l->v[i].why &
			(DIFF_GUARD | DIFF_NEVER | DIFF_MANAGEMENT | DIFF_UNPROTECTED |
			    DIFF_ON_LOSS)) != 0 || !region_has(&l->v[i], f))
			continue;
		n++;
		if (why != NULL)
			*why = l->v[i].why;
	}
	return n;
}

/* What the sides that enforce grant and require; an observed one stops nothing. */
static void enforced(const struct fs_verdict *v, uint8_t *grants, uint8_t *require)
{
	*grants = v->result == FS_ALLOW ? FS_SMB | FS_RDP : 0;
	*require = 0;
	for (unsigned i = 0; i < v->nsides && v->result == FS_ALLOW; i++) {
		if (v->side[i].observed)
			continue;
		*grants &= v->side[i].grants;
		*require |= v->side[i].require;
	}
}

/* What exposure the flow adds, from the two verdicts alone. */
static unsigned exposed(const struct fs_flow *f, const struct fs_verdict *o,
    const struct fs_verdict *n)
{
	static const struct {
		uint8_t grant, require;
		unsigned why;
	} rows[] = { { FS_SMB, FS_REQ_SMB2, DIFF_NO_SMB2 },
		{ FS_SMB, FS_REQ_SIGNING, DIFF_NO_SIGNING },
		{ FS_RDP, FS_REQ_NLA, DIFF_NO_NLA } };
	uint8_t og, or, ng, nr;
	unsigned why = 0;

	enforced(o, &og, &or);
	enforced(n, &ng, &nr);
	if (f->proto != 6 || n->result != FS_ALLOW)
		return 0;
	if (o->result != FS_ALLOW)
		return ng != 0 || f->dport == 139 || f->dport == 445 ||
			f->dport == 3389 ? DIFF_OPENED : 0;
	if (ng & ~og & FS_SMB)
		why |= DIFF_SMB;
	if (ng & ~og & FS_RDP)
		why |= DIFF_RDP;
	for (size_t i = 0; i < 3; i++) {
		if ((ng & rows[i].grant) && !(nr & rows[i].require) &&
		    (!(og & rows[i].grant) || (or & rows[i].require)))
			why |= rows[i].why;
	}
	return why;
}

static uint64_t flows, changed, wrong;

static void say_wrong(const char *what, const struct fs_flow *f, unsigned n, unsigned m)
{
	char src[NETADDR_STRLEN], dst[NETADDR_STRLEN];

	if (wrong++ < 10)
		print_error("%s: %s -> %s %u/%u: %u, want %u\n", what,
		    netaddr_format(&f->src, src), netaddr_format(&f->dst, dst), f->proto,
		    f->dport, n, m);
}

static void judge_one(const struct fs *o, const struct fs *n, const struct diff *d,
    const struct fs_flow *f)
{
	struct fs_verdict a, b;
	unsigned why = 0, want, got;

	fs_judge(o, f, &a);
	fs_judge(n, f, &b);
	flows++;
	want = a.result != FS_ALLOW && b.result == FS_ALLOW;
	changed += want || (a.result == FS_ALLOW && b.result != FS_ALLOW);
	if ((got = hits(&d->opened, f, NULL)) != want)
		say_wrong("opened", f, got, want);
	want = a.result == FS_ALLOW && b.result != FS_ALLOW;
	if ((got = hits(&d->closed, f, NULL)) != want)
		say_wrong("closed", f, got, want);
	want = exposed(f, &a, &b);
	got = hits(&d->exposure, f, &why);
	if (got != (want != 0) || why != want)
		say_wrong("exposure", f, got > 1 ? 1000 + got : why, want);
}

static void judge_all(const struct fs *o, const struct fs *n, const struct diff *d, bool v6)
{
	struct netaddr a[ADDRS];

	points(a, v6);
	for (unsigned s = 0; s < ADDRS; s++) {
		for (unsigned t = 0; t < ADDRS; t++) {
			for (unsigned k = 0; k < KEYS; k++) {
				struct fs_flow f = { .src = a[s], .dst = a[t],
					.proto = keys[k].proto, .dport = keys[k].port,
					.at = now };

				judge_one(o, n, d, &f);
			}
		}
	}
}

/* Witnesses are flows whose verdict changed; rules named are the policy's. */
static void check_witnesses(const struct fs *o, const struct fs *n,
    const struct diff_regions *l, bool opened)
{
	for (size_t i = 0; i < l->n; i++) {
		struct fs_verdict a, b;

		fs_judge(o, &l->v[i].witness, &a);
		fs_judge(n, &l->v[i].witness, &b);
		if (!region_has(&l->v[i], &l->v[i].witness) ||
		    (opened ? b : a).result != FS_ALLOW ||
		    (opened ? a : b).result == FS_ALLOW)
			say_wrong("witness", &l->v[i].witness, 0, 1);
		a = opened ? b : a;
		if (l->v[i].ncauses == 0 && !a.side[0].observed &&
		    (a.nsides < 2 || !a.side[1].observed))
			say_wrong("no rule named", &l->v[i].witness, 0, 1);
	}
}

static void check_mirror(const struct diff *d, const struct diff *r)
{
	assert_int_equal(d->opened.n, r->closed.n);
	assert_int_equal(d->closed.n, r->opened.n);
	for (size_t i = 0; i < d->opened.n; i++) {
		const struct diff_region *x = &d->opened.v[i], *y = &r->closed.v[i];

		assert_memory_equal(&x->src, &y->src, sizeof(x->src));
		assert_memory_equal(&x->dst, &y->dst, sizeof(x->dst));
		assert_int_equal(x->port_lo, y->port_lo);
		assert_int_equal(x->proto_lo, y->proto_lo);
	}
	for (int i = 0; i < DIFF_LISTS; i++)
		assert_int_equal(d->list[i].n, r->list[i].n);
}

static void check_pair(const struct a_policy *p, const struct a_policy *q, bool v6)
{
	struct fs *o = build(p, v6), *n = build(q, v6);
	struct diff *d, *r, *same;

	assert_int_equal(rules_diff(o, n, now, &d), 0);
	assert_int_equal(rules_diff(n, o, now, &r), 0);
	assert_int_equal(rules_diff(o, o, now, &same), 0);
	assert_true(diff_is_empty(same));
	judge_all(o, n, d, v6);
	check_witnesses(o, n, &d->opened, true);
	check_witnesses(o, n, &d->closed, false);
	check_mirror(d, r);
	diff_free(d);
	diff_free(r);
	diff_free(same);
	free(o);
	free(n);
}

static void agrees_with_brute_force(void **state)
{
	const char *given = getenv("DIFF_SEED"), *count = getenv("DIFF_PAIRS");
	uint64_t start = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
	unsigned pairs = count != NULL ? (unsigned)atoi(count) : 120;

	(void)state;
	for (unsigned i = 0; i < pairs; i++) {
		struct a_policy p, q;

		seed = (start + i) * 0x9e3779b97f4a7c15u | 1;
		rnd(2);
		memset(&p, 0, sizeof(p));
		random_policy(&p);
		q = p;
		if (i % 4 == 0)
			random_policy(&q);
		for (unsigned k = 1 + rnd(3); k > 0; k--)
			mutate(&q);
		check_pair(&p, &q, i % 2 != 0);
		if (wrong > 0) {
			print_error("DIFF_SEED=%llu DIFF_PAIRS=1 repeats it (pair %u)\n",
			    (unsigned long long)start + i, i);
			break;
		}
	}
	print_message("seed %llu: %u pairs, %llu flows, %llu changed, %llu disagreements\n",
	    (unsigned long long)start, pairs, (unsigned long long)flows,
	    (unsigned long long)changed, (unsigned long long)wrong);
	assert_int_equal(wrong, 0);
	assert_true(given != NULL || changed > 1000);
}

/* ---- single cases ---- */

static struct fs *one_rule(uint8_t grants, uint8_t require, int64_t expires)
{
	struct fs_builder *b = fsb_new();
	uint32_t a = ft_host(b, "a", "10.20.8.11", true, FS_ENFORCE);
	struct fs *fs;

	ft_rule(b, a, (struct ft_rule){ .id = "a/in/x", .proto = 6, .lo = 8080,
		.grants = grants, .require = require, .peers = "10.1.0.0/24",
		.expires = expires });
	fs = fsb_finish(b);
	fsb_free(b);
	assert_non_null(fs);
	return fs;
}

/* Nothing but one property of one rule differs. */
static void one_property_alone(void **state)
{
	static const struct {
		uint8_t grants[2], require[2];
		int64_t expires[2];
		size_t exposed, times, trust;
		unsigned why;
	} rows[] = {
		{ { FS_RDP, FS_RDP }, { FS_REQ_NLA, 0 }, { 0, 0 }, 1, 0, 1, DIFF_NO_NLA },
		{ { FS_RDP, FS_RDP }, { 0, FS_REQ_NLA }, { 0, 0 }, 0, 0, 1, 0 },
		{ { 0, FS_SMB }, { 0, 0 }, { 0, 0 }, 1, 0, 0,
		    DIFF_SMB | DIFF_NO_SMB2 | DIFF_NO_SIGNING },
		{ { 0, 0 }, { 0, 0 }, { now + 5, 0 }, 0, 1, 0, 0 },
		{ { 0, 0 }, { 0, 0 }, { now - 5, now - 9 }, 0, 1, 0, 0 },
		{ { FS_SMB, FS_SMB }, { 7, 7 }, { now + 5, now + 5 }, 0, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fs *o = one_rule(rows[i].grants[0], rows[i].require[0],
			      rows[i].expires[0]),
			  *n = one_rule(rows[i].grants[1], rows[i].require[1],
			      rows[i].expires[1]);
		struct diff *d;

		assert_int_equal(rules_diff(o, n, now, &d), 0);
		assert_int_equal(d->opened.n + d->closed.n, 0);
		assert_int_equal(d->exposure.n, rows[i].exposed);
		assert_int_equal(d->exposure.n > 0 ? d->exposure.v[0].why : 0, rows[i].why);
		assert_int_equal(d->list[DIFF_TIMES].n, rows[i].times);
		assert_int_equal(d->list[DIFF_TRUST].n, rows[i].trust);
		diff_free(d);
		free(o);
		free(n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_brute_force),
		cmocka_unit_test(one_property_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
