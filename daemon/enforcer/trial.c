/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a policy that has to be confirmed, and the way back */
#include "enforcer/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cordon/flowspace.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "enforcer/aside.h"
#include "enforcer/reload.h"
#include "enforcer/roles.h"
#include "enforcer/state.h"

#define TRIAL_FILE  "trial"
#define TRIAL_TMP   "trial.tmp"
#define TRIAL_MAGIC "CRDNTRY1"

enum { TRIAL_RETRY_MS = 1000, TRIAL_BUSY_MS = 100, TRIAL_BOOT_LEN = 40 };

enum trial_state {
	TRIAL_PENDING,
	TRIAL_REFUSED, /* nothing is on trial; the tree is not to be taken */
	TRIAL_BOOTED,  /* the machine was started meanwhile */
};

/* The file.  Same machine, same build: host order. */
struct trial_record {
	char magic[8];
	char boot[TRIAL_BOOT_LEN]; /* of the kernel: the deadline is of that boot */
	uint64_t deadline_us;      /* since boot, with suspend */
	int64_t deadline_wall;     /* seconds UTC: for people who read the file */
	uint8_t digest[FS_DIGEST_LEN]; /* of the policy on trial */
	uint64_t state;            /* enum trial_state */
	uint8_t sum[16];
};

static void trial_boot(char ret[static TRIAL_BOOT_LEN])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	memset(ret, 0, TRIAL_BOOT_LEN);
	if (fd < 0)
		return;
	if (read(fd, ret, TRIAL_BOOT_LEN - 1) < 0)
		ret[0] = '\0';
	close(fd);
}

static void trial_sum(const struct trial_record *t, uint8_t ret[static 16])
{
	crypto_generichash(ret, 16, (const uint8_t *)t, offsetof(struct trial_record, sum),
	    NULL, 0);
}

static int trial_write(struct enforcer *e, struct trial_record *t)
{
	int fd, r = 0;

	memcpy(t->magic, TRIAL_MAGIC, sizeof(t->magic));
	trial_boot(t->boot);
	trial_sum(t, t->sum);
	unlinkat(e->state_fd, TRIAL_TMP, 0);
	fd = openat(e->state_fd, TRIAL_TMP,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return -errno;
	if (write(fd, t, sizeof(*t)) != (ssize_t)sizeof(*t))
		r = errno ? -errno : -EIO;
	else if (fsync(fd) < 0)
		r = -errno;
	close(fd);
	if (r == 0 && renameat(e->state_fd, TRIAL_TMP, e->state_fd, TRIAL_FILE) < 0)
		r = -errno;
	if (r < 0) {
		unlinkat(e->state_fd, TRIAL_TMP, 0);
		return r;
	}
	return fsync(e->state_fd) < 0 ? -errno : 0;
}

/* 1: *ret is set; 0: there is none; -1: there is one that is damaged. */
static int trial_read(const struct enforcer *e, struct trial_record *ret)
{
	struct trial_record t;
	uint8_t sum[16];
	ssize_t n;
	int fd;

	if (e->state_fd < 0)
		return 0;
	fd = openat(e->state_fd, TRIAL_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	n = read(fd, &t, sizeof(t));
	close(fd);
	if (n != (ssize_t)sizeof(t) || memcmp(t.magic, TRIAL_MAGIC, sizeof(t.magic)) != 0)
		return -1;
	trial_sum(&t, sum);
	if (memcmp(sum, t.sum, sizeof(sum)) != 0)
		return -1;
	*ret = t;
	return 1;
}

static int trial_forget_job(void *arg)
{
	const struct enforcer *e = arg;
	bool any = unlinkat(e->state_fd, TRIAL_FILE, 0) == 0;

	any |= unlinkat(e->state_fd, IMAGE_TRIAL, 0) == 0;
	return any && fsync(e->state_fd) < 0 ? -errno : 0;
}

static int trial_held_job(void *arg)
{
	struct enforcer *e = arg;
	struct trial_record t;

	memset(&t, 0, sizeof(t));
	t.state = TRIAL_REFUSED;
	unlinkat(e->state_fd, IMAGE_TRIAL, 0);
	return trial_write(e, &t);
}

/* Nothing is on trial any more, on disk; a trial that stays there after a failure says
 * the same as what is held. */
static void trial_end_files(struct enforcer *e, bool held)
{
	int r = 0;

	if (held)
		r = aside_run(e, trial_held_job, e);
	else if (faccessat(e->state_fd, TRIAL_FILE, F_OK, 0) == 0 ||
	    faccessat(e->state_fd, IMAGE_TRIAL, F_OK, 0) == 0)
		r = aside_run(e, trial_forget_job, e);
	if (r < 0)
		log_warnx("trial", "can't write to %s: %s", e->o->state_dir, strerror(-r));
}

uint32_t trial_left_s(const struct enforcer *e)
{
	uint64_t now = clock_mono_us();

	if (!e->trial.pending || now >= e->trial.deadline_us)
		return 0;
	return (uint32_t)((e->trial.deadline_us - now + 999999) / 1000000);
}

struct trial_job {
	struct enforcer *e;
	const struct image *i;
	struct trial_record t;
};

static int trial_begin_job(void *arg)
{
	struct trial_job *j = arg;
	int r = 0;

	if (!j->e->saved) /* what it goes back to has to be on disk first */
		r = image_save(j->e->state_fd, &j->e->live);
	if (r == 0)
		r = image_save_as(j->e->state_fd, IMAGE_TRIAL, j->i);
	return r == 0 ? trial_write(j->e, &j->t) : r;
}

int trial_begin(struct enforcer *e, const struct image *i, uint32_t seconds)
{
	struct trial_job j;
	int r;

	if (e->state_fd < 0)
		return -ENOENT;
	memset(&j, 0, sizeof(j));
	j.e = e;
	j.i = i;
	j.t.deadline_us = clock_mono_us() + seconds * UINT64_C(1000000);
	j.t.deadline_wall = clock_now() + seconds;
	memcpy(j.t.digest, i->fs->digest, sizeof(j.t.digest));
	r = aside_run(e, trial_begin_job, &j);
	if (r == 0) {
		e->saved = true;
		e->trial.deadline_us = j.t.deadline_us;
	} else {
		trial_abort(e);
	}
	return r;
}

void trial_abort(struct enforcer *e)
{
	if (e->state_fd >= 0)
		trial_end_files(e, e->trial.held); /* as before it was tried */
}

/* Goes back; again and again until it has. */
static void trial_on_timer(void *arg)
{
	struct enforcer *e = arg;
	uint64_t now = clock_mono_us(), wait_ms = TRIAL_RETRY_MS;

	if (!e->trial.pending)
		return;
	if (now < e->trial.deadline_us)
		wait_ms = (e->trial.deadline_us - now) / 1000 + 1;
	else if (e->load)
		wait_ms = TRIAL_BUSY_MS;
	else {
		log_warnx("trial", "nobody confirmed: going back to the policy before");
		if (reload_back(e, 0, &e->trial.back, DEED_REVERTED) < 0)
			log_warnx("trial", "can't start: trying again");
	}
	if (loop_rearm(e->trial.timer, wait_ms) < 0)
		fatalx("trial", "no timer"); /* the next daemon goes back */
}

static void trial_arm(struct enforcer *e)
{
	uint64_t now = clock_mono_us();
	uint64_t ms = e->trial.deadline_us > now ? (e->trial.deadline_us - now) / 1000 + 1 : 0;

	loop_del(&e->trial.timer);
	if (loop_add_timer(e->loop, ms, 0, trial_on_timer, e, &e->trial.timer) < 0)
		fatalx("trial", "no timer");
}

void trial_started(struct enforcer *e, struct image *before)
{
	image_drop(&e->trial.back);
	e->trial.back = *before;
	e->trial.back.blob[1] = (struct blob)BLOB_NONE;
	e->trial.back.rs = e->trial.back.made = NULL;
	before->blob[0] = (struct blob)BLOB_NONE;
	before->fs = NULL;
	e->trial.pending = true;
	trial_arm(e);
}

void trial_over(struct enforcer *e, bool held)
{
	loop_del(&e->trial.timer);
	image_drop(&e->trial.back);
	e->trial.pending = false;
	e->trial.held = held;
	if (e->state_fd >= 0)
		trial_end_files(e, held);
}

static int trial_confirm_job(void *arg)
{
	const struct enforcer *e = arg;

	return image_save(e->state_fd, &e->live);
}

void trial_confirm(struct enforcer *e, uint32_t id)
{
	int r;

	if (!trial_left_s(e)) {
		reload_result(e, id, MSG_E_ABSENT, 0, DEED_CONFIRMED);
		return;
	}
	r = aside_run(e, trial_confirm_job, e);
	if (r < 0) { /* after a restart it would be gone */
		reload_result(e, id, MSG_E_STATE, -r, DEED_CONFIRMED);
		return;
	}
	e->saved = true;
	trial_over(e, false);
	e->deed = DEED_CONFIRMED;
	log_info("trial", "generation %u is confirmed", e->live.generation);
	roles_policy(e);
	reload_result(e, id, MSG_OK, 0, DEED_CONFIRMED);
}

void trial_rollback(struct enforcer *e, uint32_t id)
{
	struct image previous = IMAGE_NONE;
	int r;

	if (e->trial.pending) {
		r = reload_back(e, id, &e->trial.back, DEED_ROLLED_BACK);
	} else {
		r = e->state_fd < 0 ? -ENOENT :
		    image_restore_from(e->state_fd, IMAGE_PREVIOUS, &previous);
		if (r == 0)
			r = reload_back(e, id, &previous, DEED_ROLLED_BACK);
		image_drop(&previous);
	}
	if (r < 0) /* else it is answered when it is done */
		reload_result(e, id, r == -EBUSY ? MSG_E_BUSY :
		    r == -ENOENT ? MSG_E_ABSENT : MSG_E_STATE, -r, DEED_ROLLED_BACK);
}

/* The policy on trial, of this boot, and where it goes back to. */
static bool trial_take_up(struct enforcer *e, const struct trial_record *t,
    struct image *ret)
{
	struct image now = IMAGE_NONE, back = IMAGE_NONE;

	if (image_restore_from(e->state_fd, IMAGE_TRIAL, &now) < 0)
		return false;
	if (memcmp(now.fs->digest, t->digest, sizeof(t->digest)) != 0 ||
	    image_restore(e->state_fd, &back) < 0) {
		image_drop(&now);
		return false;
	}
	e->saved = true;
	now.restored = false;
	back.restored = false;
	*ret = now;
	e->trial.deadline_us = t->deadline_us;
	trial_started(e, &back);
	return true;
}

enum trial_start trial_resume(struct enforcer *e, struct image *ret)
{
	char boot[TRIAL_BOOT_LEN];
	struct trial_record t;
	int r = trial_read(e, &t);

	if (r == 0)
		return TRIAL_TREE;
	if (r > 0 && t.state == TRIAL_REFUSED) {
		e->trial.held = true;
		log_info("trial", "the tree was rolled back: it waits for apply or reload");
		return TRIAL_HELD;
	}
	trial_boot(boot);
	if (r > 0 && t.state == TRIAL_PENDING && boot[0] && strcmp(boot, t.boot) == 0 &&
	    clock_mono_us() < t.deadline_us && trial_take_up(e, &t, ret)) {
		log_info("trial", "a policy is on trial: %u s are left to confirm it",
		    trial_left_s(e));
		return TRIAL_RESUME;
	}
	log_warnx("trial", "a policy was not confirmed before this start: starting with the "
	    "one before");
	return TRIAL_BACK;
}

void trial_booted(struct enforcer *e)
{
	struct trial_record t;

	if (trial_read(e, &t) != 1 || t.state != TRIAL_PENDING)
		return;
	t.state = TRIAL_BOOTED;
	if (trial_write(e, &t) < 0) /* then the kernel's boot id has to tell it */
		log_warn("trial", "can't write to %s", e->o->state_dir);
}

void trial_status(const struct enforcer *e, struct msg_status *ret)
{
	struct image previous = IMAGE_NONE;
	const struct image *back = &e->trial.back;

	ret->trial_s = trial_left_s(e);
	ret->held = e->trial.held;
	if (!e->trial.pending) {
		if (e->state_fd < 0 || image_peek(e->state_fd, IMAGE_PREVIOUS, &previous,
			ret->back_digest) < 0)
			return;
		back = &previous;
	} else {
		memcpy(ret->back_digest, back->fs->digest, sizeof(ret->back_digest));
	}
	ret->back = 1;
	ret->back_applied_at = back->applied_at;
	ret->back_generation = back->generation;
	memcpy(ret->back_commit, back->info.commit, sizeof(ret->back_commit));
}

void trial_close(struct enforcer *e)
{
	loop_del(&e->trial.timer);
	image_drop(&e->trial.back);
}
