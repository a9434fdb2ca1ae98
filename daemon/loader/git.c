/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the commit of a checkout, read from its files */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "loader/git.h"

enum { GIT_HEAD_MAX = 512, GIT_PACKED_LINES = 200000 };

/* The first bytes of a plain file below dir_fd, NUL-terminated, without the newline
 * at the end. */
static bool git_read(int dir_fd, const char *path, char *buf, size_t size)
{
	int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, buf, size - 1);
	close(fd);
	if (n <= 0)
		return false;
	buf[n] = '\0';
	buf[strcspn(buf, "\r\n")] = '\0';
	return true;
}

/* 40 or 64 hex digits, then the end or a blank. */
static bool git_take_hash(const char *s, char ret[static MSG_COMMIT_LEN])
{
	size_t n = strspn(s, "0123456789abcdef");

	if ((n != 40 && n != 64) || (s[n] != '\0' && s[n] != ' '))
		return false;
	/* of SHA-256 the last digit does not fit; git takes the rest as well */
	snprintf(ret, MSG_COMMIT_LEN, "%.*s", (int)n, s);
	return true;
}

static bool git_ref_ok(const char *ref)
{
	static const char allowed[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz._-/";

	return strncmp(ref, "refs/", 5) == 0 && strlen(ref) < 256 && !strstr(ref, "..") &&
	    ref[strspn(ref, allowed)] == '\0';
}

static void git_packed(int dir_fd, const char *ref, char ret[static MSG_COMMIT_LEN])
{
	int fd = openat(dir_fd, ".git/packed-refs", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	char line[GIT_HEAD_MAX];

	if (!f) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (int i = 0; i < GIT_PACKED_LINES && fgets(line, sizeof(line), f); i++) {
		const char *name = strchr(line, ' ');

		line[strcspn(line, "\r\n")] = '\0';
		if (name && strcmp(name + 1, ref) == 0 && git_take_hash(line, ret))
			break;
	}
	fclose(f);
}

void git_commit(int dir_fd, char ret[static MSG_COMMIT_LEN])
{
	char head[GIT_HEAD_MAX], path[GIT_HEAD_MAX], hash[GIT_HEAD_MAX];
	const char *ref = head + 5;

	ret[0] = '\0';
	if (!git_read(dir_fd, ".git/HEAD", head, sizeof(head)))
		return;
	if (strncmp(head, "ref: ", 5) != 0) {
		git_take_hash(head, ret); /* detached */
		return;
	}
	if (!git_ref_ok(ref))
		return;
	snprintf(path, sizeof(path), ".git/%s", ref);
	if (git_read(dir_fd, path, hash, sizeof(hash)) && git_take_hash(hash, ret))
		return;
	git_packed(dir_fd, ref, ret);
}
