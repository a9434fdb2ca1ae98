/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: for tests of daemon/nft: a network namespace, nft's output as a string */
#ifndef CORDON_TESTS_NFTLAB_H
#define CORDON_TESTS_NFTLAB_H

#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifndef NFTLAB_PLAIN /* a program that is no unit test */
#include <cmocka.h>
#endif

#include <cordon/ruleset.h>
#include "nft/nft.h"

/* Why there is no namespace to test in; NULL: there is. */
static const char *lab_why = "not entered";
/* In a user namespace, and so root in there only. */
static bool lab_userns;

static inline void lab_map(const char *file, unsigned id)
{
	char text[64];
	int fd = open(file, O_WRONLY | O_CLOEXEC);
	int len = snprintf(text, sizeof(text), "0 %u 1", id);

	if (fd == -1 || write(fd, text, (size_t)len) != len)
		lab_why = "cannot map the user into a namespace";
	if (fd != -1)
		close(fd);
}

/* A network namespace of its own, as root or inside a user namespace. */
static inline void lab_enter(void)
{
	unsigned uid = geteuid(), gid = getegid();
	bool real = uid == 0 && getenv("LAB_USERNS") == NULL;

	if (system("nft --version >/dev/null 2>&1") != 0) {
		lab_why = "there is no nft";
		return;
	}
	if (unshare(real ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET) == -1) {
		lab_why = "no network namespace (root, or user namespaces, are needed)";
		return;
	}
	lab_why = NULL;
	lab_userns = !real;
	if (real)
		return;
	int fd = open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC);

	if (fd == -1 || write(fd, "deny", 4) != 4)
		lab_why = "cannot deny setgroups";
	if (fd != -1)
		close(fd);
	lab_map("/proc/self/uid_map", uid);
	lab_map("/proc/self/gid_map", gid);
}

#define LAB()                                              \
	do {                                               \
		if (lab_why != NULL) {                     \
			print_message("SKIP: %s\n", lab_why); \
			skip();                            \
		}                                          \
	} while (0)

/* Output of a shell command; NULL: it failed.  The caller free()s. */
static inline char *lab_output(const char *command)
{
	size_t len = 0, cap = 1 << 16, got;
	char *buf = malloc(cap);
	FILE *p = popen(command, "r");

	if (buf == NULL || p == NULL)
		abort();
	while ((got = fread(buf + len, 1, cap - len - 1, p)) > 0) {
		len += got;
		if (cap - len < 2 && (buf = realloc(buf, cap *= 2)) == NULL)
			abort();
	}
	buf[len] = '\0';
	if (pclose(p) == 0)
		return buf;
	free(buf);
	return NULL;
}

/* The table as nft prints it, without what only one of the renderings has: the mark of
 * what is applied, and the table's flags and comment. */
#define LAB_LIST                                                            \
	"nft -s list ruleset | awk '"                                       \
	"/^\tchain cordon_applied \\{/ { skip = 1 } "                       \
	"/^\t(comment|flags) / { next } "                                   \
	"{ sub(/^table inet cordon \\{.*/, \"table inet cordon {\") } "     \
	"!skip && NF { print } "                                            \
	"/^\t\\}/ { skip = 0 }'"

static inline char *lab_list(void)
{
	return lab_output(LAB_LIST);
}

/* The same, an object a line, sorted: the kernel lists objects by their age. */
static inline char *lab_sorted(void)
{
	return lab_output(LAB_LIST " | awk '{ line = line $0 \"|\" } "
				   "/^(table|\t?\\})/ { print line; line = \"\" }' | sort");
}

#ifndef NFTLAB_PLAIN
/* Two listings are equal, or the first line that is not is told. */
static inline void lab_same(const char *netlink, const char *text)
{
	const char *a = netlink, *b = text;

	while (*a != '\0' && *b != '\0') {
		size_t la = strcspn(a, "\n"), lb = strcspn(b, "\n");

		if (la != lb || memcmp(a, b, la) != 0)
			fail_msg("netlink: %.*s\ntext:    %.*s", (int)la, a, (int)lb, b);
		a += la + (a[la] == '\n');
		b += lb + (b[lb] == '\n');
	}
	assert_string_equal(a, b);
}
#endif

/* nft gave the kernel more than a socket holds: it enlarges one for real root only. */
static bool lab_too_long;

/* Load text with `nft -f`. */
static inline bool lab_load(const char *text)
{
	FILE *p = popen("said=$(nft -f - 2>&1) && exit 0; echo \"$said\" >&2; "
			"case $said in *'Message too long'*) exit 3 ;; esac; exit 1", "w");
	int status;

	if (p == NULL)
		abort();
	fputs(text, p);
	status = pclose(p);
	lab_too_long = WIFEXITED(status) && WEXITSTATUS(status) == 3;
	return status == 0;
}

#endif
