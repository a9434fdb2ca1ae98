/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a policy that has to be confirmed, and the way back */
#ifndef CORDON_ENFORCER_TRIAL_H
#define CORDON_ENFORCER_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "enforcer/image.h"

struct enforcer;
struct load_result;
struct loop_source;
struct msg_status;

/* `apply --confirm`: the policy before is the last good one, on disk, until the new one
 * is confirmed; so whatever is started meanwhile starts with it.  The file `trial` in
 * the state directory says until when, in time since boot (the wall clock may be set),
 * and is there before the kernel has the new policy. */
struct trial {
	bool pending;
	bool held;            /* rolled back or reverted: a start does not take the tree */
	uint64_t deadline_us; /* clock_mono_us(), of this boot */
	struct image back;    /* pending: the policy before, its flow space only */
	struct loop_source *timer;
};

/* Seconds left to confirm, 0: nothing waits. */
uint32_t trial_left_s(const struct enforcer *e);

/* The policy i is about to be committed for `seconds`: write that down.  0 or -errno:
 * it can't be, don't. */
int trial_begin(struct enforcer *e, const struct image *i, uint32_t seconds);
/* It was not committed. */
void trial_abort(struct enforcer *e);
/* It was: *before, whose flow space is taken over, is where it goes back to. */
void trial_started(struct enforcer *e, struct image *before);
/* A policy is in force for good, with or without a trial before: `held` where it is not
 * the tree's. */
void trial_over(struct enforcer *e, bool held);

/* MSG_TRIAL_OK, MSG_TRIAL_BACK; the answers go by themselves. */
void trial_confirm(struct enforcer *e, uint32_t id);
void trial_rollback(struct enforcer *e, uint32_t id);

/* How the daemon has to start. */
enum trial_start {
	TRIAL_TREE,   /* with the tree, as ever */
	TRIAL_BACK,   /* with the last good policy: the trial's time is over, or its boot */
	TRIAL_HELD,   /* likewise: the tree was rolled back before */
	TRIAL_RESUME, /* with *ret, which is still on trial */
};
enum trial_start trial_resume(struct enforcer *e, struct image *ret);
/* The machine starts: whatever was on trial is not any more.  A container may have the
 * kernel's boot id of before. */
void trial_booted(struct enforcer *e);

void trial_status(const struct enforcer *e, struct msg_status *ret);
void trial_close(struct enforcer *e);

#endif
