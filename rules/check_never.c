/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: sources of rules that stand in block.never: nothing shuts them out */
#include <stdlib.h>

#include "rules/check_review.h"
#include "rules/resolve.h"

/* An entry of block.never, and the inbound rules that let it in. */
struct never {
	struct prangeset ranges;
	const struct prule *first;
	size_t rules, exposed; /* exposed: those that grant SMB or RDP */
};

void review_never_start(struct review *x)
{
	struct plist *list = &x->p->cordon->block.never;

	if (list->n == 0)
		return;
	x->never = calloc(list->n, sizeof(*x->never));
	for (uint32_t i = 0; x->never != NULL && i < list->n; i++) {
		struct plist one = { .v = (struct pstr *)list->v + i, .n = 1 };

		if (resolve_peers(x->p, &one, &x->never[i].ranges) == -1)
			x->failed = true;
	}
	x->failed |= x->never == NULL;
}

static bool meet(const struct prangeset *few, const struct prangeset *many)
{
	for (size_t i = 0; i < few->n; i++) {
		size_t k = netranges_from(many->r, many->n, &few->r[i].lo);

		if (k < many->n && netrange_overlaps(&many->r[k], &few->r[i]))
			return true;
	}
	return false;
}

void review_never_rule(struct review *x, const struct prule *r)
{
	uint8_t grants = 0;

	/* Everyone includes them, which says nothing about this entry. */
	if (x->never == NULL || r->any || !meet(&x->p->cordon->never, &r->ranges))
		return;
	for (uint32_t i = 0; i < r->ports.n; i++)
		grants |= r->ports.v[i].grants;
	for (uint32_t i = 0; i < x->p->cordon->block.never.n; i++) {
		struct never *n = &x->never[i];

		if (!meet(&n->ranges, &r->ranges))
			continue;
		if (n->rules++ == 0)
			n->first = r;
		n->exposed += grants != 0;
	}
}

void review_never_end(struct review *x)
{
	struct plist *list = &x->p->cordon->block.never;

	for (uint32_t i = 0; x->never != NULL && i < list->n; i++) {
		const struct never *n = &x->never[i];
		const struct pstr *text = (struct pstr *)list->v + i;

		if (n->rules == 0)
			continue;
		policy_error(x->p, "CRD104", text->loc,
		    "\"%s\" is let in by %zu rule%s and never blocked: %s%s", text->s,
		    n->rules, n->rules == 1 ? "" : "s", n->first->full_id,
		    n->rules > 1 ? ", …" : "");
		diag_hint(x->p->diag,
		    "%zu of them may speak SMB or RDP; an attack from there is dropped where it "
		    "is recognised, but may be tried again for ever",
		    n->exposed);
	}
	free(x->never);
}
