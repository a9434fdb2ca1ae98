/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: SMB that leaves the house, and SMB or RDP for many */
#include <string.h>

#include "rules/check_review.h"

/* ---- outbound SMB ---- */

/* What is nobody's on the Internet: the IANA registries of special purpose addresses
 * (RFC 6890 and updates).  Of IPv6 only 2000::/3 is given out at all. */
static const struct inside {
	uint8_t v, len;
	uint8_t b[4];
} insides[] = {
	{ 4, 8, { 0 } },
	{ 4, 8, { 10 } },
	{ 4, 10, { 100, 64 } },
	{ 4, 8, { 127 } },
	{ 4, 16, { 169, 254 } },
	{ 4, 12, { 172, 16 } },
	{ 4, 24, { 192, 0, 2 } },
	{ 4, 16, { 192, 168 } },
	{ 4, 15, { 198, 18 } },
	{ 4, 24, { 198, 51, 100 } },
	{ 4, 24, { 203, 0, 113 } },
	{ 4, 3, { 224 } },
	{ 6, 3, { 0 } },
	{ 6, 32, { 0x20, 0x01, 0x0d, 0xb8 } },
	{ 6, 20, { 0x3f, 0xff } },
	{ 6, 2, { 0x40 } },
	{ 6, 1, { 0x80 } },
};

static bool in_inside(const struct netrange *r)
{
	for (size_t i = 0; i < sizeof(insides) / sizeof(insides[0]); i++) {
		struct netaddr a = { .v = insides[i].v };
		struct netrange row;

		if (a.v != r->lo.v)
			continue;
		memcpy(a.b, insides[i].b, sizeof(insides[i].b));
		row = netrange_of_prefix(&a, insides[i].len);
		if (netrange_has(&row, &r->lo) && netrange_has(&row, &r->hi))
			return true;
	}
	return false;
}

/* Some addresses of the range are outside: not private, not protected, not ours. */
static bool is_outside(const struct review *x, const struct netrange *r)
{
	const struct space_axes *own = &x->protected[r->lo.v == 6];
	struct space_axes inside = { 0 }, range = { 0 }, rest = { 0 };
	bool outside;

	if (in_inside(r))
		return false;
	for (size_t i = 0; i < sizeof(insides) / sizeof(insides[0]); i++) {
		struct netaddr a = { .v = insides[i].v };
		struct netrange row;

		if (a.v != r->lo.v)
			continue;
		memcpy(a.b, insides[i].b, sizeof(insides[i].b));
		row = netrange_of_prefix(&a, insides[i].len);
		axes_add(&inside, region_axis_of(&row));
	}
	for (size_t i = 0; i < own->n; i++)
		axes_add(&inside, own->v[i]);
	axes_merge(&inside);
	axes_add(&range, region_axis_of(r));
	axes_subtract(&range, &inside, &rest);
	outside = rest.n > 0 || rest.failed;
	axes_free(&inside);
	axes_free(&range);
	axes_free(&rest);
	return outside;
}

static bool grants(const struct prule *r, uint8_t what)
{
	for (uint32_t i = 0; i < r->ports.n; i++) {
		if ((r->ports.v[i].grants & what) != 0)
			return true;
	}
	return false;
}

static void check_smb_out(struct review *x, const struct phost *h, const struct prule *r)
{
	char text[NETRANGE_STRLEN];

	for (size_t i = 0; i < r->ranges.n; i++) {
		if (!is_outside(x, &r->ranges.r[i]))
			continue;
		policy_error(x->p, "CRD110", r->peers.loc,
		    r->any ? "\"%s\" may speak SMB to everyone%s"
			   : "\"%s\" may speak SMB to %s, which is not inside",
		    h->name.s, r->any ? "" : netrange_format(&r->ranges.r[i], text));
		diag_hint(x->p->diag,
		    "whoever answers there gets the host's NTLM credentials; name the "
		    "servers");
		return;
	}
}

/* ---- how many may reach SMB or RDP ---- */

/* IPv4 addresses and IPv6 /64 networks. */
static uint64_t sources_of(const struct prangeset *s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		struct region_axis a = region_axis_of(&s->r[i]);
		unsigned shift = s->r[i].lo.v == 6 ? 64 : 0;
		region_addr count = (a.hi >> shift) - (a.lo >> shift) + 1;

		n += count < UINT32_MAX ? (uint64_t)count : UINT32_MAX;
		if (n >= UINT32_MAX)
			return UINT32_MAX;
	}
	return n;
}

static void check_many(struct review *x, const struct phost *h, const struct prule *r)
{
	uint64_t most = (uint64_t)x->p->cordon->check.exposure.v, n = sources_of(&r->ranges);
	uint8_t what = grants(r, FS_SMB) ? FS_SMB : FS_RDP;

	if (n <= most || (r->exposure.given && r->reason.s != NULL))
		return;
	policy_error(x->p, "CRD109", r->peers.loc,
	    "%llu sources may reach %s of \"%s\" by rule \"%s\" (more than %llu)",
	    (unsigned long long)n, what == FS_SMB ? "SMB" : "RDP", h->name.s, r->full_id,
	    (unsigned long long)most);
	diag_hint(x->p->diag,
	    "name who needs it; or say `exposure: accepted` with a reason that covers so "
	    "many");
}

void review_outside(struct review *x, struct phost *h, enum fs_dir dir, struct prule *r)
{
	if (r->expires.v <= x->p->now)
		return;
	if (dir == FS_OUT && grants(r, FS_SMB))
		check_smb_out(x, h, r);
	if (dir == FS_IN && grants(r, FS_SMB | FS_RDP))
		check_many(x, h, r);
}
