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
	if (c != NULL && c->block.on.given &&
	    (c->block.on.v & (FS_ON_BRUTEFORCE | FS_ON_SCAN)) != 0)
		policy_error(p, "CRD082", c->block.on.loc,
		    "not enforced by this version: %s nobody",
		    (c->block.on.v & FS_ON_BRUTEFORCE) == 0 ? "scan blocks" :
		    (c->block.on.v & FS_ON_SCAN) == 0 ? "bruteforce blocks" :
		    "bruteforce and scan block");
	for (size_t i = 0; i < p->guards.n; i++) {
		const struct pguard *g = p->guards.v[i];

		if (g->where.v == GUARD_SENSOR)
			policy_error(p, "CRD083", g->where.loc,
			    "not evaluated by this version: guard \"%s\" of the sensor",
			    g->id.s);
	}
	return 0;
}

void check_host_enforced(struct policy *p, struct phost *h)
{
	if (h->jit.n > 0)
		policy_error(p, "CRD081", h->jit.loc,
		    "not available in this version: nothing can be granted on \"%s\"",
		    h->name.s);
}

void check_rule_enforced(struct policy *p, struct phost *h, enum fs_dir dir,
    struct prule *r)
{
	(void)h;
	(void)dir;
	if (r->require.given)
		policy_error(p, "CRD080", r->require.loc,
		    "not enforced by this version: rule \"%s\" grants without it",
		    r->full_id);
}
