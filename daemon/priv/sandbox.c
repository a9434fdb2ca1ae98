/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the system calls each role may make, as tables */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "priv/proc.h"
#include "priv/sandbox.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANDBOX_SKIP 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANDBOX_SKIP 1
#endif
#endif
#ifndef SANDBOX_SKIP
#define SANDBOX_SKIP 0
#endif

/* A call, and what its arguments have to be where that is asked. */
struct sandbox_row {
	int nr;
	unsigned nargs;
	struct scmp_arg_cmp arg[2];
};

#define CALL(name)                { SCMP_SYS(name), 0, { { 0 } } }
#define CALL_IF(name, ...)        { SCMP_SYS(name), 1, { __VA_ARGS__ } }
#define CALL_IF2(name, ...)       { SCMP_SYS(name), 2, { __VA_ARGS__ } }
#define ARG_IS(n, v)              { n, SCMP_CMP_EQ, v, 0 }
#define ARG_BITS(n, mask, v)      { n, SCMP_CMP_MASKED_EQ, mask, v }
#define NOT_EXEC(name)            CALL_IF(name, ARG_BITS(2, PROT_EXEC, 0))

/* The loop, memory and the log: every role. */
static const struct sandbox_row sandbox_base[] = {
	CALL(read), CALL(write), CALL(writev), CALL(close), CALL(lseek),
	CALL(recvmsg), CALL(sendmsg), CALL(fstat), CALL(newfstatat), CALL(fcntl),
	CALL(epoll_create1), CALL(epoll_ctl), CALL(epoll_wait), CALL(epoll_pwait),
	CALL(epoll_pwait2), CALL(timerfd_create), CALL(timerfd_settime),
	CALL(signalfd4), CALL(poll), CALL(ppoll),
	CALL(clock_gettime), CALL(clock_getres), CALL(gettimeofday), CALL(time),
	CALL(clock_nanosleep), CALL(nanosleep),
	CALL(brk), CALL(munmap), CALL(mremap), CALL(madvise),
	NOT_EXEC(mmap), NOT_EXEC(mprotect),
	CALL(futex), CALL(getrandom), CALL(sysinfo), CALL(sched_yield),
	CALL(getpid), CALL(gettid), CALL(getppid), CALL(getuid), CALL(geteuid),
	CALL(getgid), CALL(getegid),
	CALL(rt_sigprocmask), CALL(rt_sigreturn), CALL(restart_syscall),
	CALL(exit), CALL(exit_group),
	CALL_IF(ioctl, ARG_IS(1, TCGETS)),
};

/* Reads files below descriptors and by name, creates and changes none; no socket. */
static const struct sandbox_row sandbox_loader[] = {
	CALL_IF(openat, ARG_BITS(2, O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND, O_RDONLY)),
	CALL(getdents64), CALL(statx), CALL(readlinkat), CALL(pread64),
	CALL(faccessat), CALL(faccessat2), CALL(fadvise64),
	CALL(memfd_create), CALL(ftruncate), CALL(pwrite64), CALL(dup),
};

/* Handles are open: from here on it only receives. */
static const struct sandbox_row sandbox_sensor[] = {
	CALL(recvfrom), CALL(recvmmsg), CALL(sendmmsg),
	/* libpcap, when a link went down: is the interface still there? */
	CALL(getsockname), CALL_IF(ioctl, ARG_IS(1, SIOCGIFFLAGS)),
	CALL_IF(getsockopt, ARG_IS(1, SOL_PACKET)),
	CALL_IF2(getsockopt, ARG_IS(1, SOL_SOCKET), ARG_IS(2, SO_ERROR)),
};

/* Clients of the control socket, the log file, the journal's open socket. */
static const struct sandbox_row sandbox_engine[] = {
	CALL(accept4), CALL(accept), CALL(recvfrom), CALL(sendto), CALL(shutdown),
	CALL_IF(getsockopt, ARG_IS(1, SOL_SOCKET)),
	CALL_IF(setsockopt, ARG_IS(1, SOL_SOCKET)),
	CALL(fsync), CALL(fdatasync), CALL(ftruncate), CALL(memfd_create),
	CALL(pread64), CALL(pwrite64), CALL(dup), CALL(uname), CALL(getsockname),
};

/* The enforcer's own, and what its children need until they drop theirs: a filter
 * is inherited.  Nothing here loads modules, mounts, enters namespaces, traces,
 * or makes eBPF, io_uring or keys. */
static const struct sandbox_row sandbox_enforcer[] = {
	/* files: state, log, policy directory; the dynamic loader */
	CALL(open), CALL(openat), CALL(access), CALL(faccessat), CALL(faccessat2),
	CALL(stat), CALL(lstat), CALL(statx), CALL(statfs), CALL(fstatfs),
	CALL(readlink), CALL(readlinkat),
	CALL(getdents64), CALL(pread64), CALL(pwrite64), CALL(ftruncate), CALL(fsync),
	CALL(fdatasync), CALL(rename), CALL(renameat), CALL(renameat2), CALL(unlink),
	CALL(unlinkat), CALL(linkat), CALL(mkdir), CALL(mkdirat), CALL(chmod), CALL(fchmod),
	CALL(fchmodat), CALL(umask), CALL(getcwd), CALL(fadvise64), CALL(memfd_create),
	CALL(dup), CALL(dup2), CALL(dup3), CALL(close_range), CALL(pipe2),
	CALL(eventfd2), CALL(mmap), CALL(mprotect), CALL(ioctl),
	/* netlink, the channels, the journal; AF_PACKET for the sensor */
	CALL_IF(socket, ARG_IS(0, AF_UNIX)), CALL_IF(socket, ARG_IS(0, AF_NETLINK)),
	CALL_IF(socket, ARG_IS(0, AF_PACKET)),
	CALL_IF(socketpair, ARG_IS(0, AF_UNIX)), CALL(bind), CALL(connect),
	CALL(listen), CALL(accept), CALL(accept4), CALL(getsockname), CALL(getpeername),
	CALL(getsockopt), CALL(setsockopt), CALL(sendto), CALL(recvfrom),
	CALL(recvmmsg), CALL(sendmmsg), CALL(shutdown),
	/* children */
	CALL(clone), CALL(fork), CALL(vfork), CALL(execve), CALL(wait4), CALL(waitid),
	CALL(kill), CALL(tgkill), CALL(pidfd_open), CALL(pidfd_send_signal),
	CALL(set_tid_address), CALL(set_robust_list), CALL(rseq), CALL(arch_prctl),
	CALL(prlimit64), CALL(getrlimit), CALL(setrlimit), CALL(uname), CALL(prctl),
	CALL(capget), CALL(capset), CALL(seccomp), CALL(rt_sigaction),
	CALL(sigaltstack), CALL(sched_getaffinity), CALL(getresuid), CALL(getresgid),
	CALL(getgroups), CALL(setgroups), CALL(setresuid), CALL(setresgid),
	CALL(getpgrp), CALL(getpgid), CALL(times), CALL(getrusage),
	CALL_IF(setpriority, ARG_IS(0, PRIO_PROCESS)),
};

#define TABLE(t) { t, sizeof(t) / sizeof(*(t)) }
static const struct {
	const struct sandbox_row *row;
	size_t n;
} sandbox_table[ROLE_COUNT] = {
	[ROLE_ENFORCER] = TABLE(sandbox_enforcer),
	[ROLE_LOADER] = TABLE(sandbox_loader),
	[ROLE_SENSOR] = TABLE(sandbox_sensor),
	[ROLE_ENGINE] = TABLE(sandbox_engine),
};

/* The call did not happen.  Only write() and exit: malloc may hold its lock. */
static void sandbox_refused(int signo, siginfo_t *si, void *context)
{
	char text[96];
	int n = snprintf(text, sizeof(text),
	    "cordond: seccomp: system call %d refused, process %d ends\n",
	    si->si_syscall, (int)getpid());

	(void)signo;
	(void)context;
	if (n > 0 && write(STDERR_FILENO, text, (size_t)n) < 0)
		_exit(ROLE_EXIT_SECCOMP);
	_exit(ROLE_EXIT_SECCOMP);
}

void sandbox_watch(void)
{
	struct sigaction sa = { .sa_sigaction = sandbox_refused, .sa_flags = SA_SIGINFO };

	if (sigaction(SIGSYS, &sa, NULL) < 0)
		log_warn("priv", "SIGSYS");
}

static int sandbox_add(scmp_filter_ctx ctx, const struct sandbox_row *row, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int r = seccomp_rule_add_array(
		    ctx, SCMP_ACT_ALLOW, row[i].nr, row[i].nargs, row[i].arg);

		/* -EDOM, -EFAULT: a call that this architecture does not have. */
		if (r < 0 && r != -EDOM && r != -EFAULT)
			return r;
	}
	return 0;
}

int sandbox_enter(enum role role)
{
	scmp_filter_ctx ctx;
	int r;

	if (SANDBOX_SKIP) {
		log_debug("priv", "built with a sanitizer: no system call filter");
		return 0;
	}
	ctx = seccomp_init(SCMP_ACT_TRAP);
	if (!ctx)
		return -ENOMEM;
	if ((r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH,
		 SCMP_ACT_KILL_PROCESS)) < 0 ||
	    (r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2)) < 0 ||
	    (r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_LOG, 1)) < 0)
		goto out;
	if ((r = sandbox_add(ctx, sandbox_base,
		 sizeof(sandbox_base) / sizeof(*sandbox_base))) < 0 ||
	    (r = sandbox_add(ctx, sandbox_table[role].row, sandbox_table[role].n)) < 0)
		goto out;
	r = seccomp_load(ctx);
out:
	seccomp_release(ctx);
	return r;
}
