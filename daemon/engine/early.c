/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: sightings that came before the policy they were logged under */
#include "engine/early.h"

#include <stdlib.h>

#include "engine/generation.h"

struct early {
	uint32_t head, count;
	uint64_t due_us[EARLY_MAX];
	struct msg_sighting at[EARLY_MAX];
};

struct early *early_new(void)
{
	return calloc(1, sizeof(struct early));
}

void early_free(struct early *e)
{
	free(e);
}

bool early_take(struct early *e, const struct generations *g,
    const struct msg_sighting *s, uint64_t mono_us)
{
	uint32_t i = (e->head + e->count) % EARLY_MAX;

	if (!generations_awaits(g, s->generation) || e->count == EARLY_MAX)
		return false;
	e->at[i] = *s;
	e->due_us[i] = mono_us + EARLY_WAIT_US;
	e->count++;
	return true;
}

bool early_next(struct early *e, const struct generations *g, uint64_t mono_us,
    struct msg_sighting *ret, uint64_t *ret_due)
{
	*ret_due = e->count ? e->due_us[e->head] : 0;
	if (!e->count || (mono_us < e->due_us[e->head] &&
			     generations_awaits(g, e->at[e->head].generation)))
		return false;
	*ret = e->at[e->head];
	e->head = (e->head + 1) % EARLY_MAX;
	e->count--;
	return true;
}
