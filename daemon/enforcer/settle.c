/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what takes long after a reload: the disk, and giving back what was before */
#include "enforcer/settle.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "enforcer/aside.h"
#include "enforcer/image.h"
#include "enforcer/request.h"
#include "enforcer/state.h"
#include "nft/nft.h"

struct settle_what {
	const struct enforcer *e;
	bool save;
};

static int settle_job(void *arg)
{
	const struct settle_what *a = arg;

	if (!a->save)
		return 0;
	return a->e->state_fd < 0 ? -ENOENT : image_save(a->e->state_fd, &a->e->live);
}

/* Sets of the policy before, which nothing asks any more. */
static void settle_rest(struct enforcer *e)
{
	struct nft_stats st;

	nft_reload_rest(e->rest, &st);
	e->rest = NULL;
	if (st.pieces > 0)
		log_debug("reload", "then: %u messages, %u bytes, +%u -%u elements, %u us to "
		    "commit %u pieces, the longest %u us", st.messages, st.bytes,
		    st.elements_added, st.elements_deleted, st.commit_us, st.pieces,
		    st.longest_us);
}

/* The other process writes to the disk.  It also is the last to hold the memory files of
 * the policy before: what they took is given back there, not between two blocks here. */
void settle(struct enforcer *e, struct image *before, bool save)
{
	struct settle_what job = { e, save };
	struct aside a;
	int r;

	aside_start(e, settle_job, &job, &a);
	request_breathe(e);
	settle_rest(e);
	image_drop_calmly(before, request_breathe, e);
	r = aside_wait(e, &a);
	if (!save)
		return;
	e->saved = r == 0;
	if (r < 0)
		log_warnx("reload", "can't keep the last good policy in %s: %s",
		    e->o->state_dir, strerror(-r));
}
