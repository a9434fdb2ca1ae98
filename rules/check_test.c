/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the form of assertions: "SRC -> DST SERVICE" */
#include "rules/check.h"

#include "rules/flowset.h"

int check_tests(struct policy *p)
{
	for (size_t i = 0; i < p->tests.n; i++) {
		const struct ptest *t = p->tests.v[i];
		struct flowset set;

		if (t->flow.s == NULL)
			continue; /* reported when it was read */
		switch (flowset_parse(p, &t->flow, &set)) {
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
