/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: finding a chain, set or counter of a ruleset by name */
#include "nft/private.h"

#include <stdlib.h>
#include <string.h>

static const char *name_at(const struct byname *n, uint32_t i)
{
	if (n->table == RS_CHAINS)
		return rs_str(n->rs, rs_chain(n->rs, i)->name);
	if (n->table == RS_SETS)
		return rs_str(n->rs, rs_set(n->rs, i)->name);
	return rs_str(n->rs, *RS_AT(n->rs, RS_COUNTERS, uint32_t, i));
}

static uint32_t hash(const char *s)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (; *s != '\0'; s++)
		h = (h ^ (uint8_t)*s) * 16777619u;
	return h ^ h >> 15;
}

int byname_new(struct byname *n, const struct ruleset *rs, enum rs_table table)
{
	uint32_t count = rs->table[table].count, size = 8;

	while (size < count * 2)
		size *= 2;
	*n = (struct byname){ rs, table, calloc(size, sizeof(*n->slot)), size - 1 };
	if (n->slot == NULL)
		return -1;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = hash(name_at(n, i)) & n->mask;

		while (n->slot[at] != 0)
			at = (at + 1) & n->mask;
		n->slot[at] = i + 1;
	}
	return 0;
}

void byname_free(struct byname *n)
{
	free(n->slot);
	n->slot = NULL;
}

uint32_t byname_find(const struct byname *n, const char *name)
{
	for (uint32_t at = hash(name) & n->mask; n->slot[at] != 0; at = (at + 1) & n->mask)
		if (strcmp(name_at(n, n->slot[at] - 1), name) == 0)
			return n->slot[at] - 1;
	return RS_NONE;
}
