/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: names of a policy for what was observed */
#include "rules/suggest_names.h"

#include <netinet/in.h>
#include <string.h>

/* Ports of a narrow service; addresses of a group that are looked for one by one. */
enum { NARROW = 8, MEMBERS_MAX = 4096, PART_MIN = 2 };

/* ---- services ---- */

static bool has_port(const struct pport *q, uint8_t proto, uint16_t port)
{
	return q->proto == proto && q->lo <= port && port <= q->hi;
}

static bool seen_in(const struct pport *q, const struct suggest_flow *flows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (has_port(q, flows[i].proto, flows[i].port))
			return true;
	return false;
}

/* Its ports, if it may stand for the flow, else 0. */
static uint32_t service_width(const struct pservice *s, const struct suggest_flow *flows,
    size_t n, const struct suggest_flow *f)
{
	uint32_t width = 0;
	bool has = false, all = true;

	if (s->bundle.n > 0)
		return 0;
	for (uint32_t k = 0; k < s->resolved.n; k++) {
		const struct pport *q = &s->resolved.v[k];

		if (q->grants != 0)
			return 0;
		width += (uint32_t)(q->hi - q->lo) + 1;
		has = has || has_port(q, f->proto, f->port);
		all = all && seen_in(q, flows, n);
	}
	return has && (width <= NARROW || all) ? width : 0;
}

static const char *inline_service(struct policy *p, const struct suggest_flow *f)
{
	static const struct {
		uint8_t proto;
		const char *word;
	} words[] = { { IPPROTO_TCP, "tcp" }, { IPPROTO_UDP, "udp" },
		{ IPPROTO_SCTP, "sctp" }, { IPPROTO_ICMP, "icmp" },
		{ IPPROTO_ICMPV6, "icmpv6" } };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].proto == f->proto)
			return arena_printf(&p->arena, "%s/%u", words[i].word, f->port);
	return arena_printf(&p->arena, "ip/%u", f->proto);
}

const char *suggest_service(struct policy *p, const struct suggest_flow *flows, size_t n,
    const struct suggest_flow *f)
{
	const struct pservice *best = NULL;
	uint32_t best_width = 0;

	for (size_t i = 0; i < p->services.n; i++) {
		const struct pservice *s = p->services.v[i];
		uint32_t width = service_width(s, flows, n, f);

		if (width == 0 || (best != NULL && width > best_width) ||
		    (best != NULL && width == best_width &&
			strcmp(s->name.s, best->name.s) > 0))
			continue;
		best = s;
		best_width = width;
	}
	return best != NULL ? best->name.s : inline_service(p, f);
}

static bool listed(const char **service, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(service[i], name) == 0)
			return true;
	return false;
}

static size_t drop(const char **service, size_t n, const char *name)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		if (strcmp(service[i], name) != 0)
			service[k++] = service[i];
	return k;
}

static const struct pservice *service_named(const struct policy *p, const char *name)
{
	const struct name *n = names_find(&p->names, name);

	return n != NULL && n->kind == NAME_SERVICE ? n->thing : NULL;
}

/* Every port of a is one of b. */
static bool contained(const struct pservice *a, const struct pservice *b)
{
	for (uint32_t i = 0; i < a->resolved.n; i++) {
		const struct pport *q = &a->resolved.v[i];
		bool found = false;

		for (uint32_t k = 0; k < b->resolved.n && !found; k++)
			found = has_port(&b->resolved.v[k], q->proto, q->lo) &&
			    has_port(&b->resolved.v[k], q->proto, q->hi);
		if (!found)
			return false;
	}
	return true;
}

/* The mapper beside the whole of RPC says nothing. */
static size_t drop_contained(struct policy *p, const char **service, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct pservice *a = service_named(p, service[i]), *b = NULL;
		bool said = false;

		for (size_t k = 0; k < n && a != NULL && !said; k++) {
			b = k != i ? service_named(p, service[k]) : NULL;
			said = b != NULL && contained(a, b);
		}
		if (said)
			n = drop(service, n, service[i--]);
	}
	return n;
}

size_t suggest_bundles(struct policy *p, const char **service, size_t n, const char **note)
{
	n = drop_contained(p, service, n);
	for (size_t i = 0; i < p->services.n; i++) {
		const struct pservice *b = p->services.v[i];
		uint32_t seen = 0;

		PLIST_EACH(struct pstr, ref, b->bundle)
		{
			seen += listed(service, n, ref->s);
		}
		if (seen < PART_MIN || seen * 2 < b->bundle.n)
			continue;
		if (seen < b->bundle.n) {
			if (*note != NULL)
				*note = arena_printf(&p->arena, "%s%s%u of the %u services of %s",
				    *note, **note != '\0' ? "; " : "", seen, b->bundle.n,
				    b->name.s);
			continue;
		}
		PLIST_EACH(struct pstr, ref, b->bundle)
		{
			n = drop(service, n, ref->s);
		}
		service[n++] = b->name.s;
	}
	return n;
}

/* ---- peers ---- */

struct peers {
	struct policy *p;
	const struct netrange *seen; /* sorted, disjoint */
	size_t nseen;
	struct netrange *left; /* single addresses that no name covers */
	size_t nleft;
	const char **name;
	size_t n, cap;
	const char *note;
};

/* How many addresses r has; more than MEMBERS_MAX: any such number. */
static uint32_t addresses_of(const struct netrange *r)
{
	struct netaddr a = r->lo;
	uint32_t n = 1;

	while (n <= MEMBERS_MAX && netaddr_cmp(&a, &r->hi) < 0 && netaddr_next(&a))
		n++;
	return n;
}

static bool is_left(const struct peers *x, const struct netaddr *a)
{
	for (size_t i = 0; i < x->nleft; i++)
		if (netaddr_cmp(&x->left[i].lo, a) == 0)
			return true;
	return false;
}

static void seen_of(const struct peers *x, const struct prangeset *set, uint32_t *ret_all,
    uint32_t *ret_seen, bool *ret_new)
{
	*ret_all = *ret_seen = 0;
	*ret_new = false;
	for (size_t i = 0; i < set->n && *ret_all <= MEMBERS_MAX; i++)
		*ret_all += addresses_of(&set->r[i]);
	for (size_t i = 0; i < set->n && *ret_all <= MEMBERS_MAX; i++) {
		struct netaddr a = set->r[i].lo;

		do {
			*ret_seen += netranges_have(x->seen, x->nseen, &a);
			*ret_new = *ret_new || is_left(x, &a);
		} while (netaddr_cmp(&a, &set->r[i].hi) < 0 && netaddr_next(&a));
	}
}

static int add_name(struct peers *x, const char *name)
{
	if (x->n == x->cap) {
		size_t cap = 2 * x->cap + 8;
		const char **grown = arena_calloc(&x->p->arena, cap, sizeof(*grown));

		if (grown == NULL)
			return policy_no_memory(x->p);
		if (x->n > 0)
			memcpy(grown, x->name, x->n * sizeof(*grown));
		x->name = grown;
		x->cap = cap;
	}
	x->name[x->n++] = name;
	return 0;
}

/* Name the set where enough of it was seen, and some of that has no name yet.  share 0:
 * one address is enough. */
static int offer(struct peers *x, const char *name, const struct prangeset *set,
    unsigned share)
{
	uint32_t all, seen;
	size_t k = 0;
	bool new;

	seen_of(x, set, &all, &seen, &new);
	if (!new || all > MEMBERS_MAX || seen * 100 < all * share ||
	    (share > 0 && seen < 2 && all > 1))
		return 0;
	if (share > 0 && seen < all && x->note != NULL)
		x->note = arena_printf(&x->p->arena, "%s%s%u of the %u addresses of %s", x->note,
		    *x->note != '\0' ? "; " : "", seen, all, name);
	for (size_t i = 0; i < x->nleft; i++)
		if (!netranges_have(set->r, set->n, &x->left[i].lo))
			x->left[k++] = x->left[i];
	x->nleft = k;
	return add_name(x, name);
}

/* Every address by itself, as flows have them. */
static int split(struct peers *x)
{
	size_t n = 0;

	for (size_t i = 0; i < x->nseen; i++) {
		struct netaddr a = x->seen[i].lo;

		for (n++; netaddr_cmp(&a, &x->seen[i].hi) < 0 && netaddr_next(&a); n++)
			;
	}
	x->left = arena_calloc(&x->p->arena, n, sizeof(*x->left));
	if (x->left == NULL)
		return policy_no_memory(x->p);
	for (size_t i = 0; i < x->nseen; i++) {
		struct netaddr a = x->seen[i].lo;

		do
			x->left[x->nleft++] = (struct netrange){ a, a };
		while (netaddr_cmp(&a, &x->seen[i].hi) < 0 && netaddr_next(&a));
	}
	return 0;
}

static int add_rest(struct peers *x)
{
	size_t n = netranges_merge(x->left, x->nleft);

	for (size_t i = 0; i < n; i++) {
		struct netrange r = x->left[i], prefix;
		char text[NETRANGE_STRLEN];
		const char *name;
		bool more;

		do {
			more = netrange_pop_prefix(&r, &prefix);
			name = arena_printf(
			    &x->p->arena, "%s", netrange_format(&prefix, text));
			if (name == NULL || add_name(x, name) == -1)
				return policy_no_memory(x->p);
		} while (more);
	}
	return 0;
}

int suggest_name_peers(struct policy *p, const struct netrange *r, size_t n,
    struct suggest_peers *io)
{
	struct peers x = { .p = p, .seen = r, .nseen = n, .note = "" };

	if (split(&x) == -1)
		return -1;
	for (size_t i = 0; i < p->groups.n; i++) {
		const struct pgroup *g = p->groups.v[i];

		if (offer(&x, g->name.s, &g->ranges, io->share) == -1)
			return -1;
	}
	for (size_t i = 0; i < p->hosts.n; i++) {
		const struct phost *h = p->hosts.v[i];

		if (offer(&x, h->name.s, &h->ranges, 0) == -1)
			return -1;
	}
	if (p->cordon->addresses.n > 0 && offer(&x, "gateway", &p->cordon->addresses, 0) == -1)
		return -1;
	if (add_rest(&x) == -1)
		return -1;
	if (x.note == NULL)
		return policy_no_memory(p);
	io->name = x.name;
	io->n = x.n;
	io->note = x.note;
	return 0;
}
