/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the policy in force and the one before, by generation */
#include "engine/generation.h"

#include <errno.h>
#include <string.h>

#include <cordon/flowspace.h>

static void generation_drop(struct generation *g)
{
	if (g->fs)
		blob_drop(&g->image);
	memset(g, 0, sizeof(*g));
}

int generations_take(struct generations *g, const struct msg_policy *p, int fd,
    blob_breathe_fn *breathe, void *arg)
{
	struct generation new = { .applied_at = p->applied_at,
		.restored = p->restored }, gone;
	int r = blob_take(fd, BLOB_MAX, &new.image);

	if (r < 0)
		return r;
	new.fs = new.image.data;
	blob_touch(&new.image, breathe, arg);
	if (new.image.len != p->size ||
	    !fs_valid_calmly(new.image.data, new.image.len, breathe, arg) ||
	    memcmp(new.fs->digest, p->digest, sizeof(p->digest)) != 0) {
		blob_drop(&new.image);
		return -EINVAL;
	}
	memcpy(new.policy.digest, p->digest, sizeof(new.policy.digest));
	memcpy(new.policy.commit, p->commit, sizeof(new.policy.commit));
	new.policy.generation = p->generation;
	if (g->now.fs && g->now.policy.generation == p->generation) {
		gone = g->now; /* the same again: it was confirmed */
	} else {
		gone = g->before;
		g->before = g->now;
	}
	g->now = new;
	if (gone.fs)
		blob_drop_calmly(&gone.image, breathe, arg);
	return 0;
}

void generations_free(struct generations *g)
{
	generation_drop(&g->before);
	generation_drop(&g->now);
}

/* Numbers rise with each commit, and may wrap. */
static bool is_newer(uint32_t number, const struct generation *than)
{
	return (int32_t)(number - than->policy.generation) > 0;
}

const struct generation *generations_find(const struct generations *g, uint32_t number)
{
	if (number && g->before.fs && !is_newer(number, &g->before))
		return &g->before;
	return &g->now;
}

bool generations_awaits(const struct generations *g, uint32_t number)
{
	return !g->now.fs || (number && is_newer(number, &g->now));
}
