/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the role table; starting a role as a new process image */
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "priv/drop.h"
#include "priv/proc.h"

#define CAP(name) (UINT64_C(1) << CAP_##name)
#define MIB       (UINT64_C(1) << 20)

const struct role_row role_table[ROLE_COUNT] = {
	[ROLE_ENFORCER] = { .name = "enforcer", .files = 256,
		.start_caps = CAP(NET_ADMIN) | CAP(NET_RAW),
		.keep_caps = CAP(NET_ADMIN) | CAP(NET_RAW),
		.what = "owns table inet cordon, starts the others, checks requests" },
	[ROLE_LOADER] = { .name = "loader", .as_bytes = 2048 * MIB, .cpu_s = 60,
		.files = 64, .file_bytes = 512 * MIB,
		.nice = 1, /* below those who block; not below all others: it has 90 s */
		.what = "parses and compiles the policy tree, once" },
	[ROLE_SENSOR] = { .name = "sensor", .files = 128,
		.start_caps = CAP(NET_ADMIN) | CAP(NET_RAW),
		.what = "captures packets, recognises SMB and RDP" },
	[ROLE_ENGINE] = { .name = "engine", .files = 256,
		.what = "decides on sightings, writes events, serves the control socket" },
};

int role_by_name(const char *name)
{
	for (int i = 0; i < ROLE_COUNT; i++)
		if (strcmp(role_table[i].name, name) == 0)
			return i;
	return -1;
}

/* In the child.  The targets 3-5 may be sources of each other: lift all above them
 * first.  Afterwards only 0-5 are open. */
static int proc_place_fds(const int fds[static 3])
{
	int high[3];

	for (int i = 0; i < 3; i++) {
		high[i] = fds[i] < 0 ? -1 : fcntl(fds[i], F_DUPFD_CLOEXEC, 16);
		if (fds[i] >= 0 && high[i] < 0)
			return -errno;
	}
	for (int i = 0; i < 3; i++) {
		close(ROLE_FD_PARENT + i);
		if (high[i] >= 0 && dup2(high[i], ROLE_FD_PARENT + i) < 0)
			return -errno;
	}
	return close_range(ROLE_FD_EXTRA + 1, ~0U, 0) < 0 ? -errno : 0;
}

static int proc_stdin_null(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int r = fd < 0 || dup2(fd, STDIN_FILENO) < 0 ? -errno : 0;

	if (fd > STDIN_FILENO)
		close(fd);
	return r;
}

/* A brief run (-n, -e) by root has not switched user itself. */
static int proc_become_user(void)
{
	uid_t uid;
	gid_t gid;

	if (!priv_user(&uid, &gid))
		return 0;
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 ||
	    setresuid(uid, uid, uid) < 0)
		return -errno;
	return 0;
}

/* What survives the exec: ambient capabilities, by the table.  What we lack can't be
 * handed on: the role says itself what it could not open. */
static int proc_hand_caps(const struct role_row *row)
{
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++) {
		if (!(row->start_caps & UINT64_C(1) << cap))
			continue;
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			log_debug("proc", "%s starts without capability %s", row->name,
			    capng_capability_to_name(cap));
	}
	return 0;
}

static void proc_reset_signals(void)
{
	sigset_t none;

	/* The terminal's ^C and a hang-up are for the enforcer to act on. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void proc_give_way(const struct role_row *row)
{
	if (row->nice && setpriority(PRIO_PROCESS, 0, row->nice) < 0)
		log_debug("proc", "%s: no lower priority: %s", row->name, strerror(errno));
}

static void proc_clean_env(void)
{
	static const char *const ours[] = { "NOTIFY_SOCKET", "WATCHDOG_PID",
		"WATCHDOG_USEC", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES" };

	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		unsetenv(ours[i]);
}

static void proc_exec(enum role role, const int fds[static 3])
{
	const struct role_row *row = &role_table[role];
	const char *argv[] = { "cordond", "--role", row->name,
		log_debugging() ? "-d" : NULL, NULL };
	char *args[5];
	int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	proc_reset_signals();
	proc_clean_env();
	proc_give_way(row);
	if ((r = proc_place_fds(fds)) < 0 || (r = proc_stdin_null()) < 0 ||
	    (r = proc_become_user()) < 0 || (r = proc_hand_caps(row)) < 0) {
		errno = -r;
		log_warn("proc", "can't start the %s", row->name);
		_exit(6);
	}
	memcpy(args, argv, sizeof(args)); /* execv() wants char *const, changes nothing */
	execv("/proc/self/exe", args);
	log_warn("proc", "can't execute the %s", row->name);
	_exit(6);
}

int proc_start(enum role role, const int fds[static 3], pid_t *ret_pid)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		proc_exec(role, fds);
	*ret_pid = pid;
	return 0;
}

int proc_channel(int ret[static 2])
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret) < 0)
		return -errno;
	return 0;
}

const char *proc_status_text(int status, char *buf, unsigned size)
{
	if (WIFSIGNALED(status))
		snprintf(buf, size, "was killed by signal %d (%s)", WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) == ROLE_EXIT_SECCOMP)
		snprintf(buf, size, "made a system call its filter has not (see above)");
	else
		snprintf(buf, size, "exited with %d", WEXITSTATUS(status));
	return buf;
}
