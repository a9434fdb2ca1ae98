/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: findings for reviewers: what is stated, dated, tested, and the way through */
#include "rules/check_review.h"

#include <stdlib.h>
#include <string.h>

#include "rules/when.h"

/* "2027-03-31": the last day on which something that ends at t holds. */
static const char *last_day(int64_t t, char buf[static WHEN_DATE_LEN])
{
	return when_format_date(t - 1, buf);
}

/* ---- ends that are near ---- */

static void check_end(struct review *x, const struct pnum *expires, const char *what)
{
	struct policy *p = x->p;
	int64_t near = p->now + p->cordon->check.expiring_s.v;
	char day[WHEN_DATE_LEN];

	if (!expires->given || expires->v <= p->now || expires->v > near)
		return;
	policy_error(p, "CRD105", expires->loc, "%s ends with %s", what,
	    last_day(expires->v, day));
	diag_hint(p->diag, "extend it with a new ticket, or let it end");
}

/* ---- what the settings want to be stated ---- */

static bool wants(const struct review *x, enum policy_stated what)
{
	return (x->p->cordon->check.require.v & what) != 0;
}

static void check_stated(struct review *x, const struct prule *r)
{
	if (wants(x, STATED_TICKET) && r->ticket.s == NULL)
		policy_error(x->p, "CRD107", r->loc, "rule \"%s\" names no ticket",
		    r->full_id);
	if (wants(x, STATED_REASON) && r->reason.s == NULL)
		policy_error(x->p, "CRD108", r->loc, "rule \"%s\" gives no reason",
		    r->full_id);
}

/* ---- observed, and since when ---- */

struct watched {
	const struct pnum *mode, *since; /* since: NULL if the default's counts */
	struct diag_loc loc;
	const char *name;
};

static void check_watched(struct review *x, const struct watched *w)
{
	struct policy *p = x->p;
	char day[WHEN_DATE_LEN];

	if (!w->since->given) {
		policy_error(p, "CRD117", w->loc,
		    "%s is only observed, and nothing says since when", w->name);
		diag_hint(p->diag, "add `observe_since:` with a date");
	} else if (p->now - w->since->v > p->cordon->check.observe_s.v) {
		policy_error(p, "CRD116", w->since->loc,
		    "%s has been only observed since %s", w->name,
		    when_format_date(w->since->v, day));
		diag_hint(p->diag, "write the rules that `cordon watch --kind would_deny` "
				   "shows to be needed, then enforce");
	}
}

static void check_host_watched(struct review *x, const struct phost *h)
{
	const char *name = arena_printf(&x->p->arena, "host \"%s\"", h->name.s);
	struct watched w = { &h->mode, &h->since, h->mode.loc, name };

	if (!h->mode.given)
		w.loc = h->since.given ? h->since.loc : h->name.loc;
	if (name != NULL)
		check_watched(x, &w);
	x->failed |= name == NULL;
}

/* Whether the default says it for all who say nothing themselves. */
static bool inherits(const struct review *x, const struct pnum *mode,
    const struct pnum *since)
{
	(void)x;
	return !mode->given && !since->given;
}

static bool observed(const struct review *x, const struct pnum *mode)
{
	return (mode->given ? mode->v : x->p->cordon->defaults.mode.v) == FS_OBSERVE;
}

static void check_defaults_watched(struct review *x)
{
	const struct pcordon *c = x->p->cordon;
	struct watched w = { &c->defaults.mode, &c->defaults.since, c->defaults.mode.loc,
		"what inherits defaults.mode" };
	bool any = false;

	for (size_t i = 0; i < x->p->hosts.n && !any; i++) {
		const struct phost *h = x->p->hosts.v[i];

		any = inherits(x, &h->mode, &h->since);
	}
	PLIST_EACH(struct pprefix, f, c->gateway.protect)
	{
		any |= inherits(x, &f->mode, &f->since);
		w.name = f->prefix.s;
		w.mode = &f->mode;
		w.since = &f->since;
		w.loc = f->mode.given ? f->mode.loc : f->loc;
		if (observed(x, &f->mode) && !inherits(x, &f->mode, &f->since))
			check_watched(x, &w);
	}
	w = (struct watched){ &c->defaults.mode, &c->defaults.since, c->defaults.mode.loc,
		"what inherits defaults.mode" };
	if (any && c->defaults.mode.v == FS_OBSERVE)
		check_watched(x, &w);
}

/* ---- one host ---- */

static void check_guard_sets(struct review *x, const struct phost *h)
{
	PLIST_EACH(struct pguard_set, s, h->guards)
	{
		check_end(x, &s->expires, "this setting");
		if (s->action.v != FS_GUARD_OFF || s->expires.given)
			continue;
		policy_error(x->p, "CRD118", s->id.loc,
		    "guard \"%s\" is disabled on \"%s\" for ever", s->id.s, h->name.s);
		diag_hint(x->p->diag, "add `expires:`");
	}
}

static void review_host(struct review *x, uint32_t host, struct phost *h)
{
	if (wants(x, STATED_OWNER) && h->owner.s == NULL)
		policy_error(
		    x->p, "CRD106", h->name.loc, "host \"%s\" has no owner", h->name.s);
	if (observed(x, &h->mode) && !inherits(x, &h->mode, &h->since))
		check_host_watched(x, h);
	if (h->allow.rules[FS_IN].n == 0 && h->allow.rules[FS_OUT].n == 0 &&
	    h->jit.n == 0)
		policy_error(x->p, "CRD113", h->name.loc,
		    "host \"%s\" has no rules: it is shut off", h->name.s);
	check_guard_sets(x, h);
	for (int dir = FS_IN; dir <= FS_OUT; dir++) {
		PLIST_EACH(struct prule, r, h->allow.rules[dir])
		{
			check_stated(x, r);
			check_end(x, &r->expires, "this rule");
			review_reach(x, host, h, (enum fs_dir)dir, r);
			review_outside(x, h, (enum fs_dir)dir, r);
		}
		review_shadow(x, h, (enum fs_dir)dir);
	}
}

/* ---- the way through ---- */

int review_policy(struct policy *p, const struct fs *fs)
{
	struct review x = { .p = p, .fs = fs };
	bool failed;

	space_protected(fs, 4, &x.protected[0]);
	space_protected(fs, 6, &x.protected[1]);
	if (p->tests.n == 0)
		policy_error(p, "CRD119", p->cordon->version.loc,
		    "nothing asserts what this policy must do");
	check_defaults_watched(&x);
	review_never_start(&x);
	for (size_t i = 0; i < p->hosts.n; i++)
		review_host(&x, (uint32_t)i, p->hosts.v[i]);
	review_never_end(&x);
	review_used(&x);
	review_updates(&x);
	for (size_t i = 0; i < p->naccepts; i++)
		check_end(&x, &p->accepts[i]->expires, "this acceptance");
	accept_review(p);
	failed = x.failed || x.protected[0].failed || x.protected[1].failed;
	space_free(x.space);
	axes_free(&x.protected[0]);
	axes_free(&x.protected[1]);
	return failed ? policy_no_memory(p) : 0;
}
