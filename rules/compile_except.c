/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: exceptions of guards compiled to sets of host and peer */
#include "rules/compile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/compile_except.h"
#include "rules/rulewriter.h"

int except_new(struct except_list *l, uint32_t guards)
{
	memset(l, 0, sizeof(*l));
	l->v = calloc((size_t)guards + 1, sizeof(*l->v));
	return l->v == NULL ? -1 : 0;
}

void except_free(struct except_list *l)
{
	for (uint32_t i = 0; l->v != NULL && i < l->n; i++)
		free(l->v[i].of);
	free(l->v);
}

/* What of the host is left out by the guard at this time. */
static struct fs_span exceptions_of(
    const struct compile *c, const struct fs_host *h, uint32_t guard)
{
	const struct fs_span none = { 0, 0 };

	for (uint32_t i = 0; i < h->guards.count; i++) {
		const struct fs_guard_use *u =
		    FS_AT(c->fs, FS_GUARD_USES, struct fs_guard_use, h->guards.first + i);

		if (u->guard == guard)
			return c->o->at < u->expires && u->action != FS_GUARD_OFF ?
			    u->except : none;
	}
	return none;
}

/* One prefix of peers for one address of the host. */
static void put_pair(struct compile *c, struct exceptions *x, const char *name,
    const struct netaddr *host, const struct netrange *peer)
{
	int k = host->v == 6, len = netrange_prefixlen(peer);
	const struct fam *f = &c->fam[k];
	size_t size = netaddr_size(host);
	uint8_t key[32];
	char full[RS_NAME_MAX];

	if (x->set[k][len] == RS_NONE) {
		snprintf(full, sizeof(full), "gexcept_%.40s%u_%d", name, f->v, len);
		x->set[k][len] = rsb_set(c->b, full, &(struct rs_set){ .nkeys = 2,
			.key = { f->addr_type, f->addr_type } });
	}
	memcpy(key, host->b, size);
	memcpy(key + size, peer->lo.b, size);
	rsb_elem(c->b, x->set[k][len], key, NULL, RS_CONTINUE, RS_NONE, "");
}

static void put_peers(struct compile *c, struct exceptions *x, const char *name,
    const struct netaddr *host, struct fs_span peers)
{
	for (uint32_t i = 0; i < peers.count; i++) {
		struct netrange rest = *fs_range(c->fs, peers.first + i), p;
		bool more = rest.lo.v == host->v;

		while (more) {
			more = netrange_pop_prefix(&rest, &p);
			put_pair(c, x, name, host, &p);
		}
	}
}

static void fill(struct compile *c, struct exceptions *x, const char *name)
{
	memset(x->set, 0xff, sizeof(x->set));
	for (uint32_t i = 0; i < c->fs->table[FS_HOSTS].count; i++) {
		const struct fs_span at = fs_host(c->fs, i)->addresses;

		for (uint32_t a = 0; x->of[i].count > 0 && a < at.count; a++)
			put_peers(c, x, name, &fs_range(c->fs, at.first + a)->lo, x->of[i]);
	}
}

const struct exceptions *except_of(
    struct compile *c, struct except_list *l, uint32_t guard, const char *name)
{
	uint32_t hosts = c->fs->table[FS_HOSTS].count;
	struct exceptions *x = &l->v[l->n];
	bool any = false;

	x->of = calloc((size_t)hosts + 1, sizeof(*x->of));
	c->failed |= x->of == NULL;
	for (uint32_t i = 0; i < hosts && !c->failed; i++) {
		x->of[i] = exceptions_of(c, fs_host(c->fs, i), guard);
		any |= x->of[i].count > 0;
	}
	for (uint32_t i = 0; any && i < l->n; i++) {
		if (memcmp(l->v[i].of, x->of, hosts * sizeof(*x->of)) != 0)
			continue;
		free(x->of);
		return &l->v[i];
	}
	if (!any || c->failed) {
		free(x->of);
		return NULL;
	}
	fill(c, x, name);
	l->n++;
	return x;
}

void except_ask(struct compile *c, int family, const struct exceptions *x, bool host_is_dst)
{
	const struct fam *f = &c->fam[family];
	const uint8_t key[2] = { host_is_dst ? f->daddr : f->saddr,
		host_is_dst ? f->saddr : f->daddr };
	const int longest = f->v == 4 ? 32 : 128;

	for (int len = longest; x != NULL && len > 0; len--) {
		uint8_t mask[16] = { 0 };

		if (x->set[family][len] == RS_NONE)
			continue;
		for (int i = 0; i < len; i++)
			mask[i / 8] |= (uint8_t)(0x80 >> i % 8);
		if (len == longest)
			rw_fields_not_in(c->b, key, 2, x->set[family][len]);
		else
			rw_masked_not_in(c->b, key, 2, mask, x->set[family][len]);
	}
}
