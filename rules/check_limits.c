/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what is read but not enforced by this version is said, never silent */
#include "rules/check.h"

int check_settings_enforced(struct policy *p)
{
	const struct pcordon *c = p->cordon;

	if (c != NULL && c->sensor.on_loss.v != 0)
		policy_error(p, "CRD084", c->sensor.on_loss.loc,
		    "not enforced by this version: SMB and RDP stay open without the "
		    "sensor");
	return 0;
}

void check_host_enforced(struct policy *p, struct phost *h)
{
	if (h->jit.n > 0)
		policy_error(p, "CRD081", h->jit.loc,
		    "not available in this version: nothing can be granted on \"%s\"",
		    h->name.s);
}
