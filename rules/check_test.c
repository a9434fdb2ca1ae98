/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the form of assertions: "SRC -> DST SERVICE" */
#include "rules/check.h"

#include <string.h>

#include "rules/flowset.h"

/* Whether something in these lines was found wrong already, as the value that seems to be
 * missing. */
static bool is_reported(const struct policy *p, const struct diag_loc *at)
{
	const char *path = p->files[at->file].path;

	for (size_t i = 0; i < p->diag->n; i++) {
		const struct diag *d = &p->diag->d[i];

		if (d->loc.line >= at->line && d->loc.line <= at->end_line &&
		    d->loc.file < p->diag->nfiles &&
		    strcmp(p->diag->files[d->loc.file], path) == 0)
			return true;
	}
	return false;
}

/* What it is: a flow with what is expected, or `only`. */
static int check_form(struct policy *p, const struct ptest *t)
{
	bool only = t->only.s != NULL, flow = t->flow.s != NULL;

	if (((!only && !flow) || (!only && !t->expect.given)) && is_reported(p, &t->loc))
		return -1;
	if (!only && !flow)
		policy_error(p, "CRD021", t->loc, "test has neither \"flow\" nor \"only\"");
	else if (!only && !t->expect.given)
		policy_error(p, "CRD021", t->loc, "test has no \"expect\"");
	else if (only && flow)
		policy_error(p, "CRD032", t->only.loc, "\"only\" stands instead of \"flow\"");
	else if (only && t->expect.given)
		policy_error(p, "CRD032", t->expect.loc,
		    "\"only\" expects that all others are denied: no \"expect\" beside it");
	else if (only && t->rule.s != NULL)
		policy_error(p, "CRD032", t->rule.loc,
		    "no rule decides what is denied: no \"rule\" beside \"only\"");
	else
		return 0;
	return -1;
}

int test_flows(struct policy *p, const struct ptest *t, struct flowset *ret)
{
	return t->only.s != NULL ? flowset_parse_only(p, &t->only, ret)
				 : flowset_parse(p, &t->flow, ret);
}

int check_tests(struct policy *p)
{
	for (size_t i = 0; i < p->tests.n; i++) {
		const struct ptest *t = p->tests.v[i];
		struct flowset set;

		if (check_form(p, t) != 0)
			continue;
		switch (test_flows(p, t, &set)) {
		case 0:
			if (t->rule.s != NULL && !flowset_is_small(&set))
				policy_error(p, "CRD032", t->rule.loc,
				    "\"rule\" is for at most %d flows, \"%s\" has more",
				    FLOWSET_SMALL, t->flow.s);
			flowset_free(&set);
			break;
		case -1:
			return -1;
		}
	}
	return 0;
}
