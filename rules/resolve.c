/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: names of a loaded policy: who is who, groups and peers */
#include "rules/resolve.h"

#include <stdlib.h>
#include <string.h>

#include "rules/text.h"

/* Growing list of ranges; freed by its user. */
struct rangevec {
	struct netrange *r;
	size_t n, cap;
};

static int rangevec_add(struct policy *p, struct rangevec *v, const struct netrange *r,
    size_t n)
{
	if (v->cap - v->n < n) {
		size_t cap = v->cap * 2 > v->n + n ? v->cap * 2 : v->n + n + 16;
		struct netrange *grown = reallocarray(v->r, cap, sizeof(*grown));

		if (grown == NULL)
			return policy_no_memory(p);
		v->r = grown;
		v->cap = cap;
	}
	if (n > 0)
		memcpy(v->r + v->n, r, n * sizeof(*r));
	v->n += n;
	return 0;
}

/* ---- names ---- */

static int define(struct policy *p, const struct pstr *name, enum name_kind kind,
    void *thing)
{
	const struct name *old = names_find(&p->names, name->s);
	struct diag_loc at = { 0 };

	if (strcmp(name->s, "any") == 0 || strcmp(name->s, "gateway") == 0) {
		policy_error(p, "CRD026", name->loc,
		    "\"%s\" is reserved, no %s can have it", name->s,
		    name_kind_text(kind));
		return 0;
	}
	if (old == NULL)
		return names_add(&p->names, name->s, kind, thing) == -1 ?
		    policy_no_memory(p) : 0;
	if (old->kind == NAME_SERVICE && ((struct pservice *)old->thing)->shipped) {
		policy_error(p, "CRD040", name->loc,
		    "\"%s\" is the name of a shipped service", name->s);
		diag_hint(
		    p->diag, "choose another name for this %s", name_kind_text(kind));
		return 0;
	}
	switch (old->kind) {
	case NAME_HOST:
		at = ((struct phost *)old->thing)->name.loc;
		break;
	case NAME_GROUP:
		at = ((struct pgroup *)old->thing)->name.loc;
		break;
	case NAME_SERVICE:
		at = ((struct pservice *)old->thing)->name.loc;
		break;
	case NAME_NONE:
		break;
	}
	policy_error(p, "CRD040", name->loc, "\"%s\" is already the name of a %s",
	    name->s, name_kind_text(old->kind));
	diag_hint(p->diag, "see %s", policy_place(p, at));
	return 0;
}

int resolve_names(struct policy *p)
{
	for (size_t i = 0; i < p->services.n; i++) {
		struct pservice *s = p->services.v[i];

		if (define(p, &s->name, NAME_SERVICE, s) == -1)
			return -1;
	}
	for (size_t i = 0; i < p->groups.n; i++) {
		struct pgroup *g = p->groups.v[i];

		if (define(p, &g->name, NAME_GROUP, g) == -1)
			return -1;
	}
	for (size_t i = 0; i < p->hosts.n; i++) {
		struct phost *h = p->hosts.v[i];

		if (define(p, &h->name, NAME_HOST, h) == -1)
			return -1;
	}
	return 0;
}

void resolve_hint_name(struct policy *p, const char *want, unsigned kinds)
{
	enum { HINTS_MAX = 100 }; /* each looks at every name */
	struct text_nearest near = { .want = want };

	if (p->diag->n > HINTS_MAX)
		return;
	for (size_t i = 0; i < p->names.cap; i++) {
		const struct name *n = &p->names.slot[i];

		if (n->text != NULL && (kinds >> n->kind & 1) != 0)
			text_offer(&near, n->text);
	}
	if (near.best != NULL)
		diag_hint(p->diag, "did you mean \"%s\"?", near.best);
}

/* ---- peers ---- */

static int resolve_group(struct policy *p, struct pgroup *g, unsigned depth);

static int add_gateway(struct policy *p, const struct pstr *peer, struct rangevec *out)
{
	const struct plist *own = &p->cordon->gateway.addresses;

	if (own->n == 0) {
		policy_error(
		    p, "CRD061", peer->loc, "`gateway` needs gateway.addresses");
		diag_hint(p->diag, "list the gateway's own addresses in cordon.yaml");
	}
	PLIST_EACH(struct pstr, a, *own)
	{
		struct netrange r;

		if (netaddr_parse(a->s, &r.lo) == -1)
			continue;
		r.hi = r.lo;
		if (rangevec_add(p, out, &r, 1) == -1)
			return -1;
	}
	return 0;
}

static int add_host(struct policy *p, const struct phost *h, struct rangevec *out)
{
	PLIST_EACH(struct pstr, a, h->addresses)
	{
		struct netrange r;

		if (netaddr_parse(a->s, &r.lo) == -1)
			continue;
		r.hi = r.lo;
		if (rangevec_add(p, out, &r, 1) == -1)
			return -1;
	}
	return 0;
}

static int add_group(struct policy *p, const struct pstr *peer, struct pgroup *g,
    struct rangevec *out, unsigned depth)
{
	if (g->state == RESOLVE_OPEN) {
		policy_error(
		    p, "CRD043", peer->loc, "group \"%s\" contains itself", g->name.s);
		diag_hint(p->diag, "it is defined in %s", policy_place(p, g->name.loc));
		return 0;
	}
	if (depth >= RESOLVE_DEPTH_MAX) {
		policy_error(p, "CRD043", peer->loc, "groups nested deeper than %d",
		    RESOLVE_DEPTH_MAX);
		return 0;
	}
	if (resolve_group(p, g, depth + 1) == -1)
		return -1;
	return rangevec_add(p, out, g->ranges.r, g->ranges.n);
}

static int add_name(struct policy *p, const struct pstr *peer, struct rangevec *out,
    unsigned depth)
{
	const struct name *n = names_find(&p->names, peer->s);
	enum name_kind kind = n != NULL ? n->kind : NAME_NONE;

	switch (kind) {
	case NAME_HOST:
		return add_host(p, n->thing, out);
	case NAME_GROUP:
		return add_group(p, peer, n->thing, out, depth);
	case NAME_SERVICE:
		policy_error(p, "CRD041", peer->loc,
		    "\"%s\" is a service, not a group or host", peer->s);
		return 0;
	case NAME_NONE:
		policy_error(p, "CRD041", peer->loc,
		    "no group or host is called \"%s\"", peer->s);
		resolve_hint_name(p, peer->s, 1u << NAME_HOST | 1u << NAME_GROUP);
		return 0;
	}
	return 0;
}

/* Names have none of these, addresses have one of them. */
static bool is_name(const char *s)
{
	return s[strcspn(s, ".:/")] == '\0';
}

static int add_peer(struct policy *p, const struct pstr *peer, struct rangevec *out,
    unsigned depth)
{
	struct netrange r[2];

	if (strcmp(peer->s, "any") == 0) {
		r[0] = netrange_all(4);
		r[1] = netrange_all(6);
		return rangevec_add(p, out, r, 2);
	}
	if (strcmp(peer->s, "gateway") == 0)
		return p->cordon != NULL ? add_gateway(p, peer, out) : 0;
	if (!is_name(peer->s) && netrange_parse(peer->s, &r[0], NULL) == 0)
		return rangevec_add(p, out, r, 1);
	return add_name(p, peer, out, depth);
}

static int resolve_list(
    struct policy *p, const struct plist *list, struct prangeset *ret, unsigned depth)
{
	struct rangevec v = { 0 };
	int rc = 0;

	PLIST_EACH(struct pstr, peer, *list)
	{
		rc = add_peer(p, peer, &v, depth);
		if (rc == -1)
			break;
	}
	v.n = netranges_merge(v.r, v.n);
	if (rc == 0 && v.n > 0) {
		ret->r = arena_calloc(&p->arena, v.n, sizeof(*v.r));
		if (ret->r == NULL)
			rc = policy_no_memory(p);
	}
	if (rc == 0 && v.n > 0) {
		memcpy(ret->r, v.r, v.n * sizeof(*v.r));
		ret->n = v.n;
	}
	free(v.r);
	return rc;
}

static int resolve_group(struct policy *p, struct pgroup *g, unsigned depth)
{
	int rc;

	if (g->state == RESOLVE_DONE)
		return 0;
	g->state = RESOLVE_OPEN;
	rc = resolve_list(p, &g->members, &g->ranges, depth);
	g->state = RESOLVE_DONE;
	return rc;
}

int resolve_peers(struct policy *p, const struct plist *list, struct prangeset *ret)
{
	const struct pstr *first = list->v;
	const struct name *n;

	/* Many rules name one group alone: they share its ranges. */
	n = list->n == 1 && is_name(first->s) ? names_find(&p->names, first->s) : NULL;
	if (n != NULL && n->kind == NAME_GROUP) {
		struct pgroup *g = n->thing;

		if (resolve_group(p, g, 0) == -1)
			return -1;
		*ret = g->ranges;
		return 0;
	}
	return resolve_list(p, list, ret, 0);
}

/* ---- the policy ---- */

/* Every rule has one: not printf(). */
struct joined {
	char *at, *end;
};

static void join(struct joined *j, const char *s)
{
	while (*s != '\0' && j->at < j->end)
		*j->at++ = *s++;
}

static void join_services(struct joined *j, const struct prule *r)
{
	enum { NAME_LEN = 511 };
	char *start = j->at, *end = j->end;

	if (end - start > NAME_LEN)
		j->end = start + NAME_LEN;
	PLIST_EACH(struct pstr, s, r->service)
	{
		join(j, j->at != start ? "+" : "");
		join(j, s->s);
	}
	j->end = end;
	for (char *c = start; c < j->at; c++) {
		if (*c == '/')
			*c = '-';
	}
}

static int rule_id(struct policy *p, const struct phost *h, enum fs_dir dir,
    struct prule *r)
{
	enum { ID_MAX = 96 };
	char text[1024];
	struct joined id = { text, text + sizeof(text) - 1 };
	size_t len;

	join(&id, h->name.s);
	join(&id, dir == FS_IN ? "/in/" : "/out/");
	if (r->id.s != NULL)
		join(&id, r->id.s);
	else
		join_services(&id, r);
	len = (size_t)(id.at - text);
	r->full_id = arena_strndup(&p->arena, text, len);
	if (r->full_id == NULL)
		return policy_no_memory(p);
	if (len > ID_MAX) {
		policy_error(p, "CRD026", r->loc,
		    "the rule's id has %zu bytes (at most %d)", strlen(r->full_id),
		    ID_MAX);
		diag_hint(p->diag, "give it a shorter `id:`");
	}
	return 0;
}

static int resolve_rule(
    struct policy *p, struct phost *h, enum fs_dir dir, struct prule *r)
{
	if (rule_id(p, h, dir, r) == -1 ||
	    resolve_peers(p, &r->peers, &r->ranges) == -1)
		return -1;
	for (size_t i = 0; i < r->ranges.n; i++) {
		const struct netrange *q = &r->ranges.r[i];

		r->any |= q->lo.b[0] == 0 && q->hi.b[0] == 0xff &&
		    netrange_prefixlen(q) == 0;
	}
	return resolve_ports(
	    p, &r->service, (uint8_t)r->speaks.v, &r->ports, &r->single);
}

static void resolve_guard_set(struct policy *p, struct pguard_set *s)
{
	struct text_nearest near = { .want = s->id.s };

	s->guard = resolve_find_guard(p, s->id.s);
	if (s->guard != NULL)
		return;
	policy_error(p, "CRD044", s->id.loc, "no guard is called \"%s\"", s->id.s);
	for (size_t i = 0; i < p->guards.n; i++)
		text_offer(&near, ((struct pguard *)p->guards.v[i])->id.s);
	if (near.best != NULL)
		diag_hint(p->diag, "did you mean \"%s\"?", near.best);
}

static int resolve_profile(struct policy *p, struct phost *h)
{
	const struct pstr *name = &h->profile;

	if (name->s == NULL && p->cordon != NULL)
		name = &p->cordon->defaults.profile;
	if (name->s == NULL)
		return 0;
	h->used_profile = resolve_find_profile(p, name->s);
	if (h->used_profile == NULL && name == &h->profile)
		policy_error(
		    p, "CRD045", name->loc, "no profile is called \"%s\"", name->s);
	return 0;
}

static int resolve_host(struct policy *p, struct phost *h)
{
	if (resolve_list(p, &h->addresses, &h->ranges, 0) == -1)
		return -1;
	for (int dir = FS_IN; dir <= FS_OUT; dir++) {
		PLIST_EACH(struct prule, r, h->allow.rules[dir])
		{
			if (resolve_rule(p, h, (enum fs_dir)dir, r) == -1)
				return -1;
		}
	}
	PLIST_EACH(struct pguard_set, s, h->guards)
	{
		resolve_guard_set(p, s);
		if (resolve_peers(p, &s->except, &s->ranges) == -1)
			return -1;
	}
	PLIST_EACH(struct pjit, j, h->jit)
	{
		struct plist one = { .v = &j->service, .n = 1 };

		if (resolve_peers(p, &j->from, &j->ranges) == -1 ||
		    resolve_ports(p, &one, 0, &j->ports, NULL) == -1)
			return -1;
	}
	return resolve_profile(p, h);
}

static void resolve_profile_guards(struct policy *p, const struct pprofile *f)
{
	PLIST_EACH(struct pstr, g, f->guards)
	{
		if (resolve_find_guard(p, g->s) == NULL)
			policy_error(
			    p, "CRD044", g->loc, "no guard is called \"%s\"", g->s);
	}
}

static int resolve_cordon(struct policy *p, struct pcordon *c)
{
	const struct pstr *name = &c->defaults.profile;

	PLIST_EACH(struct pprefix, f, c->gateway.protect)
	{
		if (f->prefix.s != NULL)
			netrange_parse(f->prefix.s, &f->range, NULL);
	}
	if (name->s != NULL && resolve_find_profile(p, name->s) == NULL)
		policy_error(
		    p, "CRD045", name->loc, "no profile is called \"%s\"", name->s);
	if (resolve_peers(p, &c->gateway.addresses, &c->addresses) == -1 ||
	    resolve_peers(p, &c->gateway.management, &c->management) == -1)
		return -1;
	return resolve_peers(p, &c->block.never, &c->never);
}

int resolve_policy(struct policy *p)
{
	for (size_t i = 0; i < p->guards.n; i++)
		resolve_guard(p, p->guards.v[i]);
	for (size_t i = 0; i < p->profiles.n; i++)
		resolve_profile_guards(p, p->profiles.v[i]);
	if (p->cordon != NULL && resolve_cordon(p, p->cordon) == -1)
		return -1;
	for (size_t i = 0; i < p->groups.n; i++) {
		if (resolve_group(p, p->groups.v[i], 0) == -1)
			return -1;
	}
	for (size_t i = 0; i < p->services.n; i++) {
		struct pservice *s = p->services.v[i];
		struct plist one = { .v = &s->name, .n = 1 };
		struct pports ports;

		if (resolve_ports(p, &one, 0, &ports, NULL) == -1)
			return -1;
	}
	for (size_t i = 0; i < p->hosts.n; i++) {
		if (resolve_host(p, p->hosts.v[i]) == -1)
			return -1;
	}
	return 0;
}
