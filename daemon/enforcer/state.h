/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what the enforcer knows; private to its files */
#ifndef CORDON_ENFORCER_STATE_H
#define CORDON_ENFORCER_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "enforcer/enforcer.h"
#include "enforcer/guard.h"
#include "enforcer/image.h"
#include "enforcer/trial.h"
#include "nft/nft.h"
#include "priv/msg.h"

struct counting;
struct later;
struct load;
struct loop;
struct loop_source;
struct queued;

/* A running sensor or engine. */
struct child {
	enum role role;
	pid_t pid; /* 0: not running */
	int fd;    /* channel, -1 */
	int spare; /* end of a peer channel that waits for its start, or -1 */
	bool ready, wanted_end;
	uint32_t restarts;
	unsigned quick;      /* deaths in a row soon after the start */
	uint64_t started_us;
	struct loop_source *io, *watch, *timer;
	struct queued *head, *tail; /* messages its socket had no room for */
	size_t nqueued;
	struct later *later; /* requests that came amid long work */
	size_t nlater;
	struct enforcer *e;
};

enum { FINDINGS_MAX = 64, FOREIGN_MAX = 16 };

struct enforcer {
	const struct enforcer_opts *o;
	struct loop *loop;
	struct nft *nft;
	int ctl_fd, state_fd, lock_fd;

	struct image live;      /* what the kernel has; live.fs NULL: nothing yet */
	int64_t next_change;    /* seconds UTC, FS_FOREVER */
	bool owned;             /* of the last nft_apply() */
	bool saved;             /* live is the last good one on disk */
	enum policy_deed deed;  /* what live became */
	struct trial trial;
	struct load *load;      /* the loader that runs, or NULL */
	struct nft_rest *rest;  /* of the last commit, between it and settle() */
	bool again;             /* reload once it is done */
	int start_status;       /* exit status a failed first load would have */

	struct guard_state guard;
	struct netrange *local; /* the machine's addresses */
	size_t nlocal;
	bool full_said;

	struct child child[ROLE_COUNT]; /* sensor and engine */
	struct msg_sensor_config sensor_config; /* what the running sensor got */
	struct {
		int fd;
		unsigned index[MSG_IFACES_MAX]; /* what the running sensor found */
		struct loop_source *io, *timer;
	} links;
	struct {
		struct msg_finding now[FINDINGS_MAX]; /* that the engine was told of */
		size_t n;
		struct { /* kept until the kernel's generation changes */
			enum nft_foreign what;
			uint8_t family;
			char table[64];
		} foreign[FOREIGN_MAX];
		size_t nforeign;
		uint32_t nft_generation;
		struct loop_source *timer;
	} health;
	struct counting *counting; /* NULL: not yet */
	bool serving, stopping;
	struct loop_source *change_timer, *watch_timer;
	struct loop_source *later_timer; /* once something waits in child.later */
};

#endif
