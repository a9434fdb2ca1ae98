/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: findings that the policy accepts where they are, with a reason and an end */
#include <stdlib.h>
#include <string.h>

#include "rules/check.h"

/* ---- what they are about ---- */

static const struct diag_loc *rule_scope(struct policy *p, const char *id)
{
	char host[64];
	size_t n = strcspn(id, "/");
	const struct name *found;
	const struct phost *h;

	if (id[n] == '\0' || n >= sizeof(host))
		return NULL;
	memcpy(host, id, n);
	host[n] = '\0';
	found = names_find(&p->names, host);
	if (found == NULL || found->kind != NAME_HOST)
		return NULL;
	h = found->thing;
	for (int dir = FS_IN; dir <= FS_OUT; dir++) {
		PLIST_EACH(struct prule, r, h->allow.rules[dir])
		{
			if (r->full_id != NULL && strcmp(r->full_id, id) == 0)
				return &r->loc;
		}
	}
	return NULL;
}

static const struct diag_loc *named_scope(struct policy *p, const char *text)
{
	const struct name *n = names_find(&p->names, text);

	/* All of them start with their place. */
	return n != NULL ? (const struct diag_loc *)n->thing : rule_scope(p, text);
}

static void check_one(struct policy *p, struct paccept *a)
{
	const struct diag_code *c = a->finding.s != NULL ? diag_code_find(a->finding.s) : NULL;
	const struct diag_loc *of;

	if (a->finding.s != NULL && c == NULL) {
		policy_error(p, "CRD122", a->finding.loc, "there is no finding \"%s\"",
		    a->finding.s);
		diag_hint(p->diag, "`cordon check --explain` lists them");
	} else if (c != NULL && c->severity == DIAG_ERROR) {
		policy_error(p, "CRD122", a->finding.loc,
		    "%s (%s) is an error, which can't be accepted", c->code, c->name);
		diag_hint(p->diag, "mend it: %s", c->mend);
	} else if (c != NULL && strncmp(c->name, "accept-", 7) == 0) {
		policy_error(p, "CRD122", a->finding.loc,
		    "%s is about acceptances, and can't be accepted itself", c->code);
	}
	if (a->of.s == NULL)
		return;
	of = named_scope(p, a->of.s);
	if (of != NULL)
		a->scope = *of;
	else
		policy_error(p, "CRD041", a->of.loc,
		    "no host, group, service or rule is called \"%s\"", a->of.s);
}

/* ---- the index ---- */

struct vec {
	struct paccept **v;
	size_t n;
};

/* NULL: only count. */
static void take(struct vec *out, struct plist *list, const struct diag_loc *scope)
{
	PLIST_EACH(struct paccept, a, *list)
	{
		if (out->v != NULL) {
			if (scope != NULL)
				a->scope = *scope;
			out->v[out->n] = a;
		}
		out->n++;
	}
}

static void take_host(struct vec *out, struct phost *h)
{
	take(out, &h->accept, &h->loc);
	for (int dir = FS_IN; dir <= FS_OUT; dir++) {
		PLIST_EACH(struct prule, r, h->allow.rules[dir])
		{
			take(out, &r->accept, &r->loc);
		}
	}
}

static void take_all(struct policy *p, struct vec *out)
{
	out->n = 0;
	if (p->cordon != NULL) {
		take(out, &p->cordon->accept, NULL);
		PLIST_EACH(struct pprefix, f, p->cordon->gateway.protect)
		{
			take(out, &f->accept, &f->loc);
		}
	}
	for (size_t i = 0; i < p->groups.n; i++) {
		struct pgroup *g = p->groups.v[i];

		take(out, &g->accept, &g->loc);
	}
	for (size_t i = 0; i < p->services.n; i++) {
		struct pservice *s = p->services.v[i];

		take(out, &s->accept, &s->loc);
	}
	for (size_t i = 0; i < p->guards.n; i++) {
		struct pguard *g = p->guards.v[i];

		take(out, &g->accept, &g->loc);
	}
	for (size_t i = 0; i < p->hosts.n; i++)
		take_host(out, p->hosts.v[i]);
}

/* Those of the whole tree first: they belong to no file. */
static int by_scope(const void *x, const void *y)
{
	const struct diag_loc *a = &(*(struct paccept *const *)x)->scope,
			      *b = &(*(struct paccept *const *)y)->scope;

	if ((a->line == 0) != (b->line == 0))
		return a->line == 0 ? -1 : 1;
	if (a->line != 0 && a->file != b->file)
		return a->file < b->file ? -1 : 1;
	return (a->line > b->line) - (a->line < b->line);
}

/* What reading the tree found is about whole files: only acceptances without a scope
 * can mean it. */
static void accept_earlier(struct policy *p)
{
	for (size_t i = 0; i < p->diag->n; i++) {
		const struct diag *d = &p->diag->d[i];
		const char *reason = accept_reason(
		    p, d->code->code, (struct diag_loc){ .file = UINT32_MAX });

		if (reason != NULL)
			diag_accept_at(p->diag, i, reason);
	}
}

int accept_index(struct policy *p)
{
	struct vec all = { 0 };

	take_all(p, &all);
	if (all.n == 0)
		return 0;
	all.v = arena_calloc(&p->arena, all.n, sizeof(*all.v));
	if (all.v == NULL)
		return policy_no_memory(p);
	take_all(p, &all);
	for (size_t i = 0; i < all.n; i++)
		check_one(p, all.v[i]);
	qsort(all.v, all.n, sizeof(*all.v), by_scope);
	p->accepts = all.v;
	p->naccepts = all.n;
	accept_earlier(p);
	return 0;
}

static bool within(const struct diag_loc *scope, const struct diag_loc *at)
{
	if (scope->line == 0)
		return true;
	if (scope->file != at->file || at->line < scope->line ||
	    (at->line == scope->line && at->col < scope->col))
		return false;
	return at->line < scope->end_line ||
	    (at->line == scope->end_line && at->col < scope->end_col);
}

/* First one of the file. */
static size_t first_of(const struct policy *p, uint32_t file)
{
	size_t lo = 0, hi = p->naccepts;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct diag_loc *s = &p->accepts[mid]->scope;

		if (s->line == 0 || s->file < file)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* An expired one accepts nothing, but is not idle either: that it is over is said. */
static const char *try_one(
    struct policy *p, struct paccept *a, const char *code, const struct diag_loc *at)
{
	if (a->finding.s == NULL || strcmp(a->finding.s, code) != 0 ||
	    !within(&a->scope, at))
		return NULL;
	a->used = true;
	return a->expires.v > p->now ? a->reason.s : NULL;
}

const char *accept_reason(struct policy *p, const char *code, struct diag_loc at)
{
	const struct diag_code *c = p->naccepts > 0 ? diag_code_find(code) : NULL;
	const char *reason = NULL, *one;

	if (c == NULL || c->severity == DIAG_ERROR)
		return NULL;
	for (size_t i = 0; i < p->naccepts && p->accepts[i]->scope.line == 0; i++) {
		one = try_one(p, p->accepts[i], code, &at);
		reason = reason != NULL ? reason : one;
	}
	for (size_t i = first_of(p, at.file);
	     i < p->naccepts && p->accepts[i]->scope.file == at.file; i++) {
		one = try_one(p, p->accepts[i], code, &at);
		reason = reason != NULL ? reason : one;
	}
	return reason;
}

/* ---- findings about them ---- */

void accept_review(struct policy *p)
{
	for (size_t i = 0; i < p->naccepts; i++) {
		const struct paccept *a = p->accepts[i];

		if (a->expires.v <= p->now) {
			policy_error(p, "CRD120", a->expires.loc,
			    "the acceptance of %s has expired", a->finding.s);
			diag_hint(p->diag, "mend what it was about, or decide again");
		} else if (!a->used) {
			policy_error(p, "CRD121", a->finding.loc,
			    "nothing here has the finding %s", a->finding.s);
			diag_hint(p->diag, "remove it: what comes later is to be seen");
		}
	}
}
