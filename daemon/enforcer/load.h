/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: one run of the loader, with limits of time and size */
#ifndef CORDON_ENFORCER_LOAD_H
#define CORDON_ENFORCER_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "enforcer/image.h"
#include "priv/msg.h"

struct enforcer;

enum { LOAD_TIMEOUT_S = 90 }; /* of wall time; CPU time is limited by priv/proc.c */

struct load_ask {
	uint32_t id;    /* of the request that wants it; 0: nobody waits for an answer */
	bool scheduled; /* because a rule starts or ends: nothing is said if all is well */
	bool keep_key;  /* the image is what the tree was found to be */
	bool hold;      /* the tree is not to be taken at the next start */
	uint8_t deed;   /* enum policy_deed, of what it becomes */
	uint64_t since_us; /* clock_mono_us() when it was asked for */
	struct msg_reload want; /* all zero: nothing of it */
	struct msg_load msg;
};

struct load_result {
	struct load_ask ask;
	bool ok;               /* image is set: the receiver's */
	bool same;             /* the tree is what ask.msg.key was made from */
	struct image image;
	struct msg_loaded info;
	int diag_fd;           /* diagnostics as JSON lines, or -1; load.c closes it */
};
typedef void load_done_fn(struct enforcer *e, struct load_result *r);

/* Start a loader on input_fd (policy directory, or an image where
 * ask->msg.from_image), the caller's.  done runs once, from the loop.  0 or -errno
 * (-EBUSY: one is running). */
int load_start(struct enforcer *e, const struct load_ask *ask, int input_fd,
    load_done_fn *done);

/* Kill a running loader; done is not called. */
void load_cancel(struct enforcer *e);

#endif
