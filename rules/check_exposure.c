/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: SMB and RDP for too many needs to be meant */
#include "rules/check.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { WIDE_V4_BITS = 16, WIDE_V6_BITS = 80, PORTS_MAX = 64 };

static bool is_accepted(const struct prule *r)
{
	return r->exposure.given && r->reason.s != NULL;
}

static void hint_accept(struct policy *p, const struct prule *r, const char *else_what)
{
	diag_hint(p->diag, "%s, or add%s%s%s", else_what,
	    r->exposure.given ? "" : " `exposure: accepted`",
	    !r->exposure.given && r->reason.s == NULL ? " and" : "",
	    r->reason.s == NULL ? " a `reason:`" : "");
}

void check_any(struct policy *p, struct phost *h, enum fs_dir dir, struct prule *r)
{
	if (!r->any || is_accepted(r))
		return;
	policy_error(p, "CRD056", r->peers.loc,
	    dir == FS_IN ? "everyone may connect to \"%s\" here"
			 : "\"%s\" may connect to everyone here",
	    h->name.s);
	hint_accept(p, r, "name the peers");
}

/* ---- the union of sources by port ---- */

/* Saturating count of addresses as units of 2^-WIDE…: >= 1 is wide. */
static bool is_wide(struct netrange *r, size_t n)
{
	unsigned __int128 total[2] = { 0, 0 };

	n = netranges_merge(r, n);
	for (size_t i = 0; i < n; i++) {
		unsigned __int128 lo = 0, hi = 0;
		bool v6 = r[i].lo.v == 6;
		size_t len = netaddr_size(&r[i].lo);

		for (size_t k = 0; k < len; k++) {
			lo = lo << 8 | r[i].lo.b[k];
			hi = hi << 8 | r[i].hi.b[k];
		}
		if ((hi - lo) >> (v6 ? WIDE_V6_BITS : WIDE_V4_BITS) != 0)
			return true;
		total[v6] += hi - lo + 1;
	}
	return total[0] >> WIDE_V4_BITS != 0 || total[1] >> WIDE_V6_BITS != 0;
}

static bool covers(const struct prule *r, uint16_t port)
{
	for (uint32_t i = 0; i < r->ports.n; i++) {
		const struct pport *q = &r->ports.v[i];

		if (q->proto == IPPROTO_TCP && q->lo <= port && port <= q->hi)
			return true;
	}
	return false;
}

enum which { ALL, ACCEPTED, OTHERS };

static bool takes(const struct prule *r, uint16_t port, enum which which)
{
	return (which == ALL || (which == ACCEPTED) == is_accepted(r)) &&
	       covers(r, port);
}

/* Whether these rules together let a wide range reach the port. */
static bool union_is_wide(struct policy *p, const struct plist *rules, uint16_t port,
    enum which which)
{
	struct netrange *all;
	size_t n = 0;
	bool wide;

	PLIST_EACH(struct prule, r, *rules)
	{
		n += takes(r, port, which) ? r->ranges.n : 0;
	}
	if (n == 0)
		return false;
	all = calloc(n, sizeof(*all));
	if (all == NULL) {
		policy_no_memory(p);
		return false;
	}
	n = 0;
	PLIST_EACH(struct prule, r, *rules)
	{
		if (!takes(r, port, which) || r->ranges.n == 0)
			continue;
		memcpy(all + n, r->ranges.r, r->ranges.n * sizeof(*all));
		n += r->ranges.n;
	}
	wide = is_wide(all, n);
	free(all);
	return wide;
}

/* ---- the ports that matter ---- */

struct ports {
	uint16_t v[PORTS_MAX];
	size_t n;
};

static void ports_add(struct ports *s, uint16_t port)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->v[i] == port)
			return;
	}
	if (s->n < PORTS_MAX)
		s->v[s->n++] = port;
}

/* Those of SMB and RDP, and whatever a rule says speaks them. */
static void ports_of(const struct plist *rules, struct ports *ret)
{
	static const uint16_t own[] = { 139, 445, 3389 };

	ret->n = 0;
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		ports_add(ret, own[i]);
	PLIST_EACH(struct prule, r, *rules)
	{
		for (uint32_t i = 0; i < r->ports.n; i++) {
			if (r->ports.v[i].grants != 0)
				ports_add(ret, r->ports.v[i].lo);
		}
	}
}

void check_wide(struct policy *p, struct phost *h)
{
	const struct plist *rules = &h->allow.rules[FS_IN];
	struct ports ports;

	ports_of(rules, &ports);
	for (size_t i = 0; i < ports.n; i++) {
		uint16_t port = ports.v[i];
		bool others = union_is_wide(p, rules, port, OTHERS);

		/* What was accepted as wide makes narrow rules beside it no wider. */
		if (!others && (!union_is_wide(p, rules, port, ALL) ||
		    union_is_wide(p, rules, port, ACCEPTED)))
			continue;
		PLIST_EACH(struct prule, r, *rules)
		{
			if (!takes(r, port, OTHERS) || r->any)
				continue;
			policy_error(p, "CRD057", r->peers.loc,
			    "port %u of \"%s\" is reachable from a /16 (IPv6 /48) or "
			    "more, over "
			    "all its rules",
			    port, h->name.s);
			hint_accept(p, r, "narrow the sources");
		}
	}
}
