/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what the declared build and updates of a host lack, by the servicing table */
#include <string.h>

#include "rules/check_review.h"
#include "rules/posture.h"

/* The order of KB4474419 and KB4493730 isn't settled and a 6003 host with neither can be
 * genuine: what is found is a list to complete, never a contradiction. */

struct inventory_gap {
	const struct servicing_update *needed[2]; /* not declared, though later ones need it */
	const struct servicing_update *first;     /* that brought 6003 */
	const struct servicing_update *took;      /* a declared one that needs them */
	bool shows_build;                         /* a declared one brings 6003 */
};

static bool is_declared(const struct phost *h, const char *kb)
{
	PLIST_EACH(struct pstr, u, h->os.updates)
	{
		if (strcmp(u->s, kb) == 0)
			return true;
	}
	return false;
}

static void find_needed(const struct servicing *t, const struct phost *h,
    struct inventory_gap *ret, uint32_t *ret_from)
{
	unsigned n = 0;

	for (size_t i = 0; i < t->nupdates && n < 2; i++) {
		const struct servicing_update *u = &t->updates[i];

		if (u->required_from == 0)
			continue;
		*ret_from = u->required_from;
		if (!is_declared(h, u->kb))
			ret->needed[n++] = u;
	}
}

static const struct servicing_update *first_6003(const struct servicing *t)
{
	for (size_t i = 0; i < t->nupdates; i++) {
		if (t->updates[i].build == 6003)
			return &t->updates[i];
	}
	return NULL;
}

static void read_inventory(const struct servicing *t, const struct phost *h,
    struct inventory_gap *ret)
{
	uint32_t from = 0;

	*ret = (struct inventory_gap){ .first = first_6003(t) };
	find_needed(t, h, ret, &from);
	ret->shows_build = h->os.revision.given;
	PLIST_EACH(struct pstr, kb, h->os.updates)
	{
		const struct servicing_update *u = servicing_find(t, kb->s);

		if (u == NULL || !posture_ships_kernel(u))
			continue;
		ret->shows_build |= ret->first != NULL && u >= ret->first;
		if (from != 0 && u->month >= from)
			ret->took = u;
	}
}

static void check_inventory(struct review *x, const struct servicing *t, struct phost *h)
{
	struct inventory_gap g;
	struct policy *p = x->p;

	read_inventory(t, h, &g);
	if (g.took != NULL && g.needed[0] != NULL) {
		policy_error(p, "CRD114", h->os.updates.loc,
		    "\"%s\" declares %s of %s, but not %s%s%s, which updates of that time need",
		    h->name.s, g.took->kb, g.took->date, g.needed[0]->kb,
		    g.needed[1] != NULL ? " and " : "",
		    g.needed[1] != NULL ? g.needed[1]->kb : "");
		diag_hint(p->diag, "complete the list from the host's own");
	}
	if (h->os.build.v != 6003 || g.shows_build || g.first == NULL)
		return;
	policy_error(p, "CRD115", h->os.build.loc,
	    "nothing that \"%s\" declares brings build 6003: %s of %s or a later one does",
	    h->name.s, g.first->kb, g.first->date);
	diag_hint(p->diag, "list it in `updates:`, or state the `revision:`%s",
	    g.needed[0] != NULL ?
	    "; with what is declared it can't take updates from July 2019 on" : "");
}

static bool is_ours(const struct phost *h)
{
	return (h->os.build.given || h->os.updates.n > 0) &&
	    (h->os.product.s == NULL || posture_is_2008(h->os.product.s));
}

void review_updates(struct review *x)
{
	struct servicing *t = NULL;
	char why[128];

	for (size_t i = 0; i < x->p->hosts.n; i++) {
		struct phost *h = x->p->hosts.v[i];

		if (!is_ours(h))
			continue;
		if (t == NULL && servicing_shipped(&t, why, sizeof(why)) == -1) {
			x->failed = true; /* what ships with the program is well-formed */
			return;
		}
		check_inventory(x, t, h);
	}
	servicing_free(t);
}
