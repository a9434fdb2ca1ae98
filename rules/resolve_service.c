/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: services, bundles and guards of a policy into ports and bytes */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "rules/inline.h"
#include "rules/resolve.h"

enum { PORTS_MAX = 256 }; /* of one rule */

struct portvec {
	struct pport v[PORTS_MAX];
	uint32_t n;
	bool full;
};

static void add_port(struct policy *p, struct portvec *out, const struct pport *port,
    struct diag_loc loc)
{
	if (out->n < PORTS_MAX) {
		out->v[out->n++] = *port;
		return;
	}
	if (!out->full)
		policy_error(p, "CRD090", loc, "more than %d port ranges in one rule",
		    PORTS_MAX);
	out->full = true;
}

static int keep_ports(struct policy *p, const struct portvec *v, struct pports *ret)
{
	struct pport *copy = arena_calloc(&p->arena, v->n, sizeof(*copy));

	if (copy == NULL)
		return policy_no_memory(p);
	memcpy(copy, v->v, v->n * sizeof(*copy));
	ret->v = copy;
	ret->n = v->n;
	return 0;
}

/* What a single TCP port is known to speak: that of the shipped service on it. */
static uint8_t shipped_grants(const struct policy *p, const struct pport *port)
{
	if (port->proto != IPPROTO_TCP || port->lo != port->hi)
		return 0;
	for (size_t i = 0; i < p->services.n; i++) {
		const struct pservice *s = p->services.v[i];

		if (!s->shipped || !s->speaks.given)
			continue;
		for (uint32_t k = 0; k < s->resolved.n; k++) {
			if (s->resolved.v[k].proto == port->proto &&
			    s->resolved.v[k].lo == port->lo &&
			    s->resolved.v[k].hi == port->hi)
				return s->resolved.v[k].grants;
		}
	}
	return 0;
}

static int resolve_service(struct policy *p, struct pservice *s, unsigned depth);

static void add_inline(struct policy *p, const struct pstr *text, uint8_t speaks,
    struct portvec *out)
{
	struct pport port[2];
	const char *why;
	int n = inline_parse(text->s, port, &why);

	for (int i = 0; i < n; i++) {
		port[i].name = text->s;
		port[i].grants = shipped_grants(p, &port[i]);
		if (port[i].proto == IPPROTO_TCP && port[i].lo == port[i].hi)
			port[i].grants |= speaks;
		add_port(p, out, &port[i], text->loc);
	}
}

static int add_service(struct policy *p, const struct pstr *ref, struct portvec *out,
    unsigned depth)
{
	const struct name *n = names_find(&p->names, ref->s);
	struct pservice *s = n != NULL && n->kind == NAME_SERVICE ? n->thing : NULL;

	if (s == NULL) {
		policy_error(
		    p, "CRD042", ref->loc, "no service is called \"%s\"", ref->s);
		resolve_hint_name(p, ref->s, 1u << NAME_SERVICE);
		return 0;
	}
	if (s->state == RESOLVE_OPEN) {
		policy_error(
		    p, "CRD043", ref->loc, "bundle \"%s\" contains itself", s->name.s);
		return 0;
	}
	if (depth >= RESOLVE_DEPTH_MAX) {
		policy_error(p, "CRD043", ref->loc, "bundles nested deeper than %d",
		    RESOLVE_DEPTH_MAX);
		return 0;
	}
	if (resolve_service(p, s, depth + 1) == -1)
		return -1;
	for (uint32_t i = 0; i < s->resolved.n; i++)
		add_port(p, out, &s->resolved.v[i], ref->loc);
	return 0;
}

static int add_own_ports(struct policy *p, struct pservice *s, struct portvec *out)
{
	PLIST_EACH(struct pstr, text, s->ports)
	{
		struct pport port[2];
		const char *why;
		int n = inline_parse(text->s, port, &why);

		for (int i = 0; i < n; i++) {
			port[i].name = s->name.s;
			port[i].short_opening = s->short_opening.v != 0;
			if (port[i].proto == IPPROTO_TCP)
				port[i].grants = (uint8_t)s->speaks.v;
			add_port(p, out, &port[i], text->loc);
		}
	}
	return 0;
}

static int resolve_service(struct policy *p, struct pservice *s, unsigned depth)
{
	struct portvec *v;
	int rc = 0;

	if (s->state == RESOLVE_DONE)
		return 0;
	v = calloc(1, sizeof(*v));
	if (v == NULL)
		return policy_no_memory(p);
	s->state = RESOLVE_OPEN;
	add_own_ports(p, s, v);
	PLIST_EACH(struct pstr, ref, s->bundle)
	{
		if (strchr(ref->s, '/') != NULL)
			add_inline(p, ref, 0, v);
		else if (add_service(p, ref, v, depth) == -1)
			rc = -1;
	}
	if (rc == 0)
		rc = keep_ports(p, v, &s->resolved);
	s->state = RESOLVE_DONE;
	free(v);
	return rc;
}

int resolve_ports(struct policy *p, const struct plist *list, uint8_t speaks,
    struct pports *ret, struct pservice **ret_single)
{
	const struct pstr *first = list->v;
	const struct name *n = list->n == 1 ? names_find(&p->names, first->s) : NULL;
	struct portvec *v;
	int rc = 0;

	if (n != NULL && n->kind == NAME_SERVICE) {
		struct pservice *s = n->thing;

		if (resolve_service(p, s, 0) == -1)
			return -1;
		*ret = s->resolved;
		if (ret_single != NULL)
			*ret_single = s;
		return 0;
	}
	v = calloc(1, sizeof(*v));
	if (v == NULL)
		return policy_no_memory(p);
	PLIST_EACH(struct pstr, ref, *list)
	{
		if (strchr(ref->s, '/') != NULL)
			add_inline(p, ref, speaks, v);
		else if (add_service(p, ref, v, 0) == -1)
			rc = -1;
	}
	if (rc == 0)
		rc = keep_ports(p, v, ret);
	free(v);
	return rc;
}

/* ---- guards ---- */

struct pguard *resolve_find_guard(struct policy *p, const char *id)
{
	for (size_t i = 0; i < p->guards.n; i++) {
		struct pguard *g = p->guards.v[i];

		if (strcmp(g->id.s, id) == 0)
			return g;
	}
	return NULL;
}

struct pprofile *resolve_find_profile(struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->profiles.n; i++) {
		struct pprofile *f = p->profiles.v[i];

		if (strcmp(f->name.s, name) == 0)
			return f;
	}
	return NULL;
}

static unsigned hex_digit(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : ((unsigned)c | 0x20) - 'a' + 10;
}

/* Text that put_hex() let through; returns the bytes, at most 8. */
static uint8_t hex_bytes(const char *s, uint8_t ret[static 8])
{
	uint8_t n = 0;

	while (*s != '\0' && n < 8) {
		if (*s == ' ') {
			s++;
			continue;
		}
		ret[n++] = (uint8_t)(hex_digit(s[0]) << 4 | hex_digit(s[1]));
		s += 2;
	}
	return n;
}

static int resolve_term(struct policy *p, const struct pterm *t, struct guard_term *ret)
{
	if (t->bytes.s == NULL)
		return -1; /* reported when it was read */
	memset(ret, 0, sizeof(*ret));
	ret->offset = (uint8_t)t->at.v;
	ret->negate = t->negate.v != 0;
	ret->within = (uint16_t)t->within.v;
	ret->len = hex_bytes(t->bytes.s, ret->value);
	memset(ret->mask, 0xff, ret->len);
	if (t->mask.s != NULL && hex_bytes(t->mask.s, ret->mask) != ret->len)
		return policy_error(p, "CRD031", t->mask.loc,
		    "the mask has another length than the bytes (%u)", ret->len);
	for (uint8_t i = 0; i < ret->len; i++) {
		if ((ret->value[i] & ~ret->mask[i]) != 0)
			return policy_error(p, "CRD031", t->bytes.loc,
			    "byte %u has bits that the mask leaves out: never equal",
			    i);
	}
	return 0;
}

void resolve_guard(struct policy *p, struct pguard *g)
{
	size_t n = 0;
	bool bad = false;

	if (g->match.n == 0 && g->where.v != GUARD_BUILTIN && g->match.loc.line == 0)
		policy_error(p, "CRD021", g->loc, "guard has no \"match\"");
	PLIST_EACH(struct palternative, a, g->match)
	{
		if (n == sizeof(g->alternative_len) ||
		    g->nterms + a->terms.n > GUARD_TERM_MAX) {
			policy_error(p, "CRD031", a->terms.loc,
			    "more than %zu alternatives, or %d comparisons in all",
			    sizeof(g->alternative_len), GUARD_TERM_MAX);
			return;
		}
		PLIST_EACH(struct pterm, t, a->terms)
		{
			bad |= resolve_term(p, t, &g->terms[g->nterms++]) == -1;
		}
		g->alternative_len[n++] = (uint8_t)a->terms.n;
	}
	if (bad) /* it is not compared with others */
		memset(g->alternative_len, 0, sizeof(g->alternative_len));
}
