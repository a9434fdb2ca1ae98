/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the compiler's named sets: addresses, blocks, maps of consent */
#include "rules/compile.h"

#include <stdio.h>
#include <string.h>

#include "rules/rulewriter.h"

enum { BLOCKS_MAX = 65536 };

static uint32_t named_set(struct compile *c, const struct fam *f, const char *name,
    const struct rs_set *proto)
{
	char full[RS_NAME_MAX];

	snprintf(full, sizeof(full), "%.48s%u", name, f->v);
	return rsb_set(c->b, full, proto);
}

static uint32_t address_set(struct compile *c, const struct fam *f, const char *name)
{
	return named_set(c, f, name, &(struct rs_set){ .nkeys = 1,
		.key = { f->addr_type }, .interval = true });
}

static void put_range(struct compile *c, const struct fam *f, uint32_t set,
    const struct netrange *r)
{
	if (r->lo.v == f->v)
		rsb_elem(c->b, set, r->lo.b, r->hi.b, RS_CONTINUE, RS_NONE, "");
}

static uint32_t timed_set(struct compile *c, const struct fam *f, const char *name)
{
	return named_set(c, f, name, &(struct rs_set){ .nkeys = 1,
		.key = { f->addr_type }, .timeout = true, .keep = true,
		.size = BLOCKS_MAX });
}

static void block_sets(struct compile *c, struct fam *f)
{
	f->block = timed_set(c, f, "block");
	f->block_all = timed_set(c, f, "blockall");
	f->quarantine = timed_set(c, f, "quarantine");
	if (f->v == 4)
		return;
	f->block_net = rsb_set(c->b, "block6net", &(struct rs_set){ .nkeys = 1,
		.key = { RS_T_IP6 }, .timeout = true, .keep = true, .size = BLOCKS_MAX });
	f->block_all_net = rsb_set(c->b, "blockall6net", &(struct rs_set){ .nkeys = 1,
		.key = { RS_T_IP6 }, .timeout = true, .keep = true, .size = BLOCKS_MAX });
}

/* The addresses of declared hosts, one by one: those that are counted by themselves. */
static void host_set(struct compile *c, struct fam *f)
{
	const struct fs_place *p = fs_table(c->fs, FS_PLACES);
	uint32_t n = c->fs->table[FS_PLACES].count;

	f->hosts = named_set(c, f, "hosts", &(struct rs_set){ .nkeys = 1,
		.key = { f->addr_type } });
	for (uint32_t i = 0; i < n; i++)
		if (p[i].range.lo.v == f->v && fs_host(c->fs, p[i].host)->declared &&
		    netaddr_cmp(&p[i].range.lo, &p[i].range.hi) == 0)
			rsb_elem(c->b, f->hosts, p[i].range.lo.b, NULL, RS_CONTINUE,
			    RS_NONE, "");
}

static bool is_larger(const struct netrange *a, const struct netrange *b)
{
	struct netaddr x = a->hi, y = b->hi;
	int borrow_a = 0, borrow_b = 0;

	for (int i = (int)netaddr_size(&x) - 1; i >= 0; i--) {
		int da = a->hi.b[i] - a->lo.b[i] - borrow_a;
		int db = b->hi.b[i] - b->lo.b[i] - borrow_b;

		borrow_a = da < 0;
		borrow_b = db < 0;
		x.b[i] = (uint8_t)da;
		y.b[i] = (uint8_t)db;
	}
	return netaddr_cmp(&x, &y) > 0;
}

/* Ranges come rising: the hull is the prefix of the first and the last. */
static void add_span(struct fam *f, const struct netrange *r)
{
	uint32_t at = f->nspans < SPANS_MAX ? f->nspans : SPANS_MAX;
	unsigned len = (unsigned)netaddr_size(&r->lo) * 8;

	if (f->nspans++ == 0)
		f->hull = *r;
	while (!netrange_has(&f->hull, &r->hi) || netrange_prefixlen(&f->hull) < 0)
		f->hull = netrange_of_prefix(&f->hull.lo, len--);
	if (f->nspans > SPANS_MAX)
		return;
	for (; at > 0 && is_larger(r, &f->span[at - 1]); at--)
		f->span[at] = f->span[at - 1];
	f->span[at] = *r;
}

/* L and P, merged: places next to each other become one interval. */
static void legacy_set(struct compile *c, struct fam *f)
{
	const struct fs_place *p = fs_table(c->fs, FS_PLACES);
	uint32_t n = c->fs->table[FS_PLACES].count;

	f->legacy = address_set(c, f, "legacy");
	for (uint32_t i = 0; i < n;) {
		struct netrange r = p[i].range;
		struct netaddr after = r.hi;

		for (i++; i < n && netaddr_next(&after) && p[i].range.lo.v == r.lo.v &&
		     netaddr_cmp(&after, &p[i].range.lo) == 0; i++)
			r.hi = after = p[i].range.hi;
		put_range(c, f, f->legacy, &r);
		if (r.lo.v == f->v)
			add_span(f, &r);
	}
}

static void observe_set(struct compile *c, struct fam *f)
{
	const struct fs_place *p = fs_table(c->fs, FS_PLACES);
	uint32_t n = c->fs->table[FS_PLACES].count;

	f->observe = address_set(c, f, "observe");
	for (uint32_t i = 0; i < n; i++)
		if (fs_host(c->fs, p[i].host)->mode == FS_OBSERVE)
			put_range(c, f, f->observe, &p[i].range);
}

/* Of `related`, only these pass: unreachable, too big, time exceeded, parameter. */
static void icmp_error_set(struct compile *c, struct fam *f)
{
	static const uint8_t errors4[] = { 3, 11, 12 }, errors6[] = { 1, 2, 3, 4 };
	const uint8_t *types = f->v == 4 ? errors4 : errors6;
	size_t n = f->v == 4 ? sizeof(errors4) : sizeof(errors6);

	f->icmp_errors = named_set(c, f, "icmperrors", &(struct rs_set){ .nkeys = 1,
		.key = { f->icmp_type } });
	for (size_t i = 0; i < n; i++) {
		uint8_t key[4] = { types[i] };

		rsb_elem(c->b, f->icmp_errors, key, NULL, RS_CONTINUE, RS_NONE, "");
	}
}

/* What neighbours on one link say to each other; not advertisements of routers. */
static void neighbour_sets(struct compile *c, struct fam *f)
{
	static const uint8_t nd[] = { 133, 135, 136 }, mld[] = { 130, 131, 132, 143 };
	static const struct {
		const char *name;
		const uint8_t *types;
		size_t n;
	} rows[2] = { { "neighbour", nd, sizeof(nd) }, { "listener", mld, sizeof(mld) } };
	uint32_t *at[2] = { &f->neighbour, &f->listener };

	for (int i = 0; i < 2; i++) {
		*at[i] = named_set(c, f, rows[i].name, &(struct rs_set){ .nkeys = 1,
			.key = { f->icmp_type } });
		for (size_t k = 0; k < rows[i].n; k++) {
			const uint8_t key[4] = { rows[i].types[k] };

			rsb_elem(c->b, *at[i], key, NULL, RS_CONTINUE, RS_NONE, "");
		}
	}
}

static void interface_set(struct compile *c)
{
	const struct fs_span s = c->fs->settings.interfaces;
	uint8_t key[16];

	c->inside = rsb_set(c->b, "inside", &(struct rs_set){ .nkeys = 1,
		.key = { RS_T_IFNAME } });
	for (uint32_t i = 0; i < s.count; i++) {
		rw_ifname(key, fs_str(c->fs, *FS_AT(c->fs, FS_WORDS, uint32_t, s.first + i)));
		rsb_elem(c->b, c->inside, key, NULL, RS_CONTINUE, RS_NONE, "");
	}
}

static void port_proto_set(struct compile *c)
{
	static const uint8_t protos[] = { 6, 17, 132 };

	c->port_protos = rsb_set(c->b, "withports", &(struct rs_set){ .nkeys = 1,
		.key = { RS_T_PROTO } });
	for (size_t i = 0; i < sizeof(protos); i++) {
		uint8_t key[4] = { protos[i] };

		rsb_elem(c->b, c->port_protos, key, NULL, RS_CONTINUE, RS_NONE, "");
	}
}

void compile_sets(struct compile *c)
{
	const struct fs_settings *s = &c->fs->settings;

	interface_set(c);
	port_proto_set(c);
	for (int i = 0; i < 2; i++) {
		struct fam *f = &c->fam[i];

		legacy_set(c, f);
		host_set(c, f);
		observe_set(c, f);
		f->management = address_set(c, f, "management");
		for (uint32_t k = 0; k < s->management.count; k++)
			put_range(c, f, f->management, fs_range(c->fs, s->management.first + k));
		for (uint32_t k = 0; k < s->management.count; k++)
			f->managed |= fs_range(c->fs, s->management.first + k)->lo.v == f->v;
		icmp_error_set(c, f);
		if (f->v == 6)
			neighbour_sets(c, f);
		block_sets(c, f);
	}
	compile_speaks(c);
	compile_older(c);
}
