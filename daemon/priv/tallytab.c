/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: sums by address and kind, as enforcer and engine keep them */
#include "priv/tallytab.h"

#include <stdlib.h>
#include <string.h>

enum { CAP_FIRST = 64 };

/* FNV-1a: the keys are the policy's, not a stranger's. */
static uint64_t hash(const struct netaddr *addr, uint8_t kind)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < sizeof(addr->b); i++)
		h = (h ^ addr->b[i]) * 0x100000001b3u;
	h = (h ^ addr->v) * 0x100000001b3u;
	h = (h ^ kind) * 0x100000001b3u;
	return h ^ h >> 32;
}

/* Its place, or the free one where it belongs; cap > 0 and one is free. */
static struct tally_row *place(const struct tallytab *t, const struct netaddr *addr,
    uint8_t kind)
{
	size_t i = hash(addr, kind) & (t->cap - 1);

	while (t->row[i].used && (t->row[i].kind != kind ||
				     netaddr_cmp(&t->row[i].addr, addr) != 0))
		i = (i + 1) & (t->cap - 1);
	return &t->row[i];
}

struct tally_row *tallytab_find(const struct tallytab *t, const struct netaddr *addr,
    uint8_t kind)
{
	struct tally_row *r = t->cap == 0 ? NULL : place(t, addr, kind);

	return r != NULL && r->used ? r : NULL;
}

static bool grow(struct tallytab *t)
{
	struct tallytab more = { .cap = t->cap == 0 ? CAP_FIRST : 2 * t->cap, .n = t->n };

	more.row = calloc(more.cap, sizeof(*more.row));
	if (more.row == NULL)
		return false;
	for (size_t i = 0; i < t->cap; i++)
		if (t->row[i].used)
			*place(&more, &t->row[i].addr, t->row[i].kind) = t->row[i];
	free(t->row);
	*t = more;
	return true;
}

struct tally_row *tallytab_row(struct tallytab *t, const struct netaddr *addr, uint8_t kind)
{
	struct tally_row *r = tallytab_find(t, addr, kind);

	if (r != NULL)
		return r;
	if (t->n >= TALLYTAB_MAX || (4 * (t->n + 1) > 3 * t->cap && !grow(t)))
		return NULL;
	r = place(t, addr, kind);
	r->used = true;
	r->addr = *addr;
	r->kind = kind;
	t->n++;
	return r;
}

void tallytab_free(struct tallytab *t)
{
	free(t->row);
	memset(t, 0, sizeof(*t));
}
