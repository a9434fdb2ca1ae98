/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: checks of addresses: of hosts, of the gateway, of protected prefixes */
#include "rules/check.h"

#include <stdlib.h>
#include <string.h>

struct owned {
	struct netaddr a;
	const struct phost *host;
	struct diag_loc loc;
	uint32_t order; /* as written, so that the later one is reported */
};

static int by_address(const void *a, const void *b)
{
	const struct owned *x = a, *y = b;
	int c = netaddr_cmp(&x->a, &y->a);

	return c != 0 ? c : (x->order > y->order) - (x->order < y->order);
}

/* ---- kinds of addresses ---- */

static const struct {
	const char *range, *what;
} no_host[] = {
	{ "0.0.0.0/8", "an unspecified address" },
	{ "127.0.0.0/8", "a loopback address" },
	{ "169.254.0.0/16", "a link-local address" },
	{ "224.0.0.0/4", "a multicast address" },
	{ "240.0.0.0/4", "a reserved address" },
	{ "::/128", "the unspecified address" },
	{ "::1/128", "the loopback address" },
	{ "fe80::/10", "a link-local address" },
	{ "ff00::/8", "a multicast address" },
};

static bool is_mapped(const struct netrange *r)
{
	struct netrange mapped;

	return netrange_parse("::ffff:0:0/96", &mapped, NULL) == 0 &&
	    netrange_overlaps(&mapped, r) && netrange_prefixlen(r) >= 96;
}

static void check_kind(
    struct policy *p, const struct pstr *text, const struct netaddr *a)
{
	struct netrange one = { *a, *a }, r;

	if (is_mapped(&one)) {
		policy_error(
		    p, "CRD066", text->loc, "%s is an IPv4-mapped address", text->s);
		diag_hint(p->diag, "write the IPv4 address");
		return;
	}
	for (size_t i = 0; i < sizeof(no_host) / sizeof(no_host[0]); i++) {
		if (netrange_parse(no_host[i].range, &r, NULL) == 0 &&
		    netrange_has(&r, a)) {
			policy_error(p, "CRD053", text->loc, "%s is %s", text->s,
			    no_host[i].what);
			return;
		}
	}
}

/* ---- hosts ---- */

static const struct pstr *gateway_has(const struct policy *p, const struct netaddr *a)
{
	struct netaddr own;

	if (p->cordon == NULL)
		return NULL;
	PLIST_EACH(struct pstr, g, p->cordon->gateway.addresses)
	{
		if (netaddr_parse(g->s, &own) == 0 && netaddr_cmp(&own, a) == 0)
			return g;
	}
	return NULL;
}

static void check_host_address(struct policy *p, const struct phost *h,
    const struct pstr *text, const struct netaddr *a)
{
	const struct pstr *own = gateway_has(p, a);

	check_kind(p, text, a);
	if (own == NULL)
		return;
	policy_error(p, "CRD051", text->loc,
	    "%s of host \"%s\" is the gateway's own address", text->s, h->name.s);
	diag_hint(p->diag, "see %s", policy_place(p, own->loc));
}

static void report_twice(
    struct policy *p, const struct owned *one, const struct owned *two)
{
	char text[NETADDR_STRLEN];

	netaddr_format(&one->a, text);
	if (one->host == two->host)
		policy_error(p, "CRD050", two->loc, "%s stands twice in host \"%s\"",
		    text, two->host->name.s);
	else
		policy_error(p, "CRD050", two->loc,
		    "%s of host \"%s\" belongs to \"%s\" too", text, two->host->name.s,
		    one->host->name.s);
	diag_hint(p->diag, "see %s", policy_place(p, one->loc));
}

/* Every address of every host; the caller free()s.  NULL: no memory, or none. */
static struct owned *gather(struct policy *p, uint32_t *ret_n)
{
	struct owned *all;
	size_t cap = 0;
	uint32_t n = 0;

	for (size_t i = 0; i < p->hosts.n; i++)
		cap += ((struct phost *)p->hosts.v[i])->addresses.n;
	*ret_n = 0;
	if (cap == 0)
		return NULL;
	all = calloc(cap, sizeof(*all));
	if (all == NULL) {
		policy_no_memory(p);
		return NULL;
	}
	for (size_t i = 0; i < p->hosts.n; i++) {
		const struct phost *h = p->hosts.v[i];

		PLIST_EACH(struct pstr, text, h->addresses)
		{
			if (netaddr_parse(text->s, &all[n].a) == -1)
				continue;
			check_host_address(p, h, text, &all[n].a);
			all[n].host = h;
			all[n].loc = text->loc;
			all[n].order = n;
			n++;
		}
	}
	*ret_n = n;
	return all;
}

static void check_management(struct policy *p, const struct owned *all, uint32_t n);

int check_addresses(struct policy *p)
{
	uint32_t n;
	struct owned *all = gather(p, &n);

	if (all == NULL)
		return p->arena.failed ? -1 : 0;
	qsort(all, n, sizeof(*all), by_address);
	for (uint32_t i = 1; i < n; i++) {
		if (netaddr_cmp(&all[i - 1].a, &all[i].a) == 0)
			report_twice(p, &all[i - 1], &all[i]);
	}
	check_management(p, all, n);
	free(all);
	return 0;
}

/* ---- the gateway ---- */

static const struct owned *first_in(const struct owned *all, uint32_t n,
    const struct netrange *r)
{
	uint32_t lo = 0, hi = n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (netaddr_cmp(&all[mid].a, &r->lo) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < n && netrange_has(r, &all[lo].a) ? &all[lo] : NULL;
}

static void check_management(struct policy *p, const struct owned *all, uint32_t n)
{
	if (p->cordon == NULL)
		return;
	PLIST_EACH(struct pstr, m, p->cordon->gateway.management)
	{
		const struct owned *o;
		struct netrange r;

		if (netrange_parse(m->s, &r, NULL) == -1)
			continue;
		o = first_in(all, n, &r);
		if (o == NULL)
			continue;
		policy_error(p, "CRD052", m->loc,
		    "management %s holds an address of host \"%s\"", m->s,
		    o->host->name.s);
		diag_hint(p->diag, "management is accepted before the policy: see %s",
		    policy_place(p, o->loc));
	}
}

static void check_prefix(struct policy *p, const struct pgateway *g,
    const struct pprefix *f)
{
	PLIST_EACH(struct pprefix, other, g->protect)
	{
		if (other >= f || other->range.lo.v == 0 ||
		    !netrange_overlaps(&f->range, &other->range))
			continue;
		policy_error(p, "CRD054", f->prefix.loc, "%s overlaps %s", f->prefix.s,
		    other->prefix.s);
		diag_hint(p->diag, "each protected address belongs to one prefix");
		break;
	}
	PLIST_EACH(struct pstr, m, g->management)
	{
		struct netrange r;

		if (netrange_parse(m->s, &r, NULL) == -1 ||
		    !netrange_overlaps(&r, &f->range))
			continue;
		policy_error(p, "CRD052", m->loc,
		    "management %s overlaps the protected %s", m->s, f->prefix.s);
		diag_hint(p->diag, "management is accepted before the policy: see %s",
		    policy_place(p, f->prefix.loc));
	}
}

int check_gateway(struct policy *p)
{
	if (p->cordon == NULL)
		return 0;
	PLIST_EACH(struct pstr, a, p->cordon->gateway.addresses)
	{
		struct netaddr addr;

		if (netaddr_parse(a->s, &addr) == 0 && !netaddr_is_linklocal(&addr))
			check_kind(p, a, &addr);
	}
	PLIST_EACH(struct pprefix, f, p->cordon->gateway.protect)
	{
		if (f->range.lo.v == 0)
			continue;
		if (netrange_prefixlen(&f->range) < 0) {
			policy_error(p, "CRD027", f->prefix.loc, "%s is not one prefix",
			    f->prefix.s);
			diag_hint(p->diag, "write it as CIDR prefixes");
		}
		check_prefix(p, &p->cordon->gateway, f);
	}
	return 0;
}
