/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: giving up rights, for good */
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/securebits.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

#include "base/log.h"
#include "priv/drop.h"
#include "priv/proc.h"
#include "priv/sandbox.h"

#if defined(__SANITIZE_ADDRESS__)
#define DROP_SANITIZED 1 /* its shadow memory is terabytes of address space */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DROP_SANITIZED 1
#endif
#endif
#ifndef DROP_SANITIZED
#define DROP_SANITIZED 0
#endif

/* Whether /proc/self/{u,g}id_map has a line that maps id. */
static bool priv_mapped(const char *map, uint32_t id)
{
	FILE *f = fopen(map, "re");
	unsigned long inside, outside, count;
	bool found = false;

	if (!f)
		return false;
	while (!found && fscanf(f, "%lu %lu %lu", &inside, &outside, &count) == 3)
		found = id >= inside && id - inside < count;
	fclose(f);
	return found;
}

bool priv_user(uid_t *ret_uid, gid_t *ret_gid)
{
	const struct passwd *pw;

	if (geteuid() != 0 || capng_get_caps_process() < 0 ||
	    !capng_have_capability(CAPNG_EFFECTIVE, CAP_SETUID) ||
	    !capng_have_capability(CAPNG_EFFECTIVE, CAP_SETGID))
		return false;
	pw = getpwnam(PRIV_USER);
	if (!pw) {
		log_debug("priv", "no user " PRIV_USER ": staying uid %u", geteuid());
		return false;
	}
	if (!priv_mapped("/proc/self/uid_map", pw->pw_uid) ||
	    !priv_mapped("/proc/self/gid_map", pw->pw_gid)) {
		log_debug("priv", "user " PRIV_USER " isn't mapped in this namespace");
		return false;
	}
	*ret_uid = pw->pw_uid;
	*ret_gid = pw->pw_gid;
	return true;
}

static int priv_switch_user(void)
{
	uid_t uid;
	gid_t gid;

	if (!priv_user(&uid, &gid))
		return 0;
	if (prctl(PR_SET_KEEPCAPS, 1) < 0 || setgroups(0, NULL) < 0 ||
	    setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return -errno;
	return 0;
}

/* Exactly these; effective: which of them work now. */
static int priv_set_caps(uint64_t permitted, uint64_t effective, bool inheritable)
{
	const capng_type_t held = CAPNG_PERMITTED | (inheritable ? CAPNG_INHERITABLE : 0);

	if (capng_get_caps_process() < 0)
		return -EPERM;
	for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (permitted & UINT64_C(1) << cap &&
		    !capng_have_capability(CAPNG_PERMITTED, cap)) {
			log_debug("priv", "not held: %s", capng_capability_to_name(cap));
			permitted &= ~(UINT64_C(1) << cap);
		}
	capng_clear(CAPNG_SELECT_CAPS);
	for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++) {
		if (permitted & UINT64_C(1) << cap)
			capng_update(CAPNG_ADD, held, cap);
		if (permitted & effective & UINT64_C(1) << cap)
			capng_update(CAPNG_ADD, CAPNG_EFFECTIVE, cap);
	}
	return capng_apply(CAPNG_SELECT_CAPS) < 0 ? -EPERM : 0;
}

/* Nothing this process executes can gain more than `keep`, uid 0 or not. */
static int priv_close_bounds(uint64_t keep)
{
	if (!capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP))
		return 0; /* then the unit file has done it */
	for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (!(keep & UINT64_C(1) << cap) && prctl(PR_CAPBSET_DROP, cap) < 0 &&
		    errno != EINVAL)
			return -errno;
	if (prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED) < 0)
		return -errno;
	return 0;
}

int priv_enforcer_start(bool early)
{
	uint64_t net = role_table[ROLE_ENFORCER].keep_caps;
	uint64_t brief = net | UINT64_C(1) << CAP_SETUID | UINT64_C(1) << CAP_SETGID |
	    UINT64_C(1) << CAP_DAC_READ_SEARCH;
	int r;

	if (capng_get_caps_process() < 0 ||
	    !capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN))
		return -EPERM;
	if ((r = priv_close_bounds(early ? brief : net)) < 0)
		return r;
	if (early)
		return priv_set_caps(brief, brief, false);
	if ((r = priv_switch_user()) < 0)
		return r;
	/* NET_RAW is only there to be handed to the sensor. */
	return priv_set_caps(net, UINT64_C(1) << CAP_NET_ADMIN, true);
}

static void priv_limit(int what, uint64_t value)
{
	struct rlimit rl = { value, value }, now;

	if (getrlimit((__rlimit_resource_t)what, &now) == 0 && now.rlim_max < value)
		rl.rlim_cur = rl.rlim_max = now.rlim_max;
	if (setrlimit((__rlimit_resource_t)what, &rl) < 0)
		fatal("priv", "setrlimit %d", what);
}

static void priv_limits(const struct role_row *row)
{
	priv_limit(RLIMIT_CORE, 0);
	priv_limit(RLIMIT_NOFILE, row->files);
	if (row->cpu_s)
		priv_limit(RLIMIT_CPU, row->cpu_s);
	if (row->file_bytes)
		priv_limit(RLIMIT_FSIZE, row->file_bytes);
	if (row->as_bytes && !DROP_SANITIZED)
		priv_limit(RLIMIT_AS, row->as_bytes);
}

void priv_drop(enum role role)
{
	const struct role_row *row = &role_table[role];
	sd_id128_t boot;
	int r;

	/* sd-event seeds its first timer with it, from a file; libsystemd keeps it. */
	if (sd_id128_get_boot(&boot) < 0)
		log_debug("priv", "no boot id");
	priv_limits(row);
	if (role != ROLE_ENFORCER) {
		prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
		if ((r = priv_set_caps(row->keep_caps, row->keep_caps, false)) < 0) {
			errno = -r;
			fatal("priv", "dropping capabilities");
		}
		/* Credentials are final: a later change would clear it. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	}
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		fatal("priv", "prctl");
	if ((r = sandbox_enter(role)) < 0) {
		errno = -r;
		fatal("priv", "installing the system call filter");
	}
	log_debug("priv", "rights dropped");
}
