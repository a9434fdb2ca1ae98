/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: cordon fmt: policy files in their canonical form, comments kept */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cordon/diag.h>
#include <cordon/fmt.h>

#include "cli/cli.h"
#include "cli/out.h"
#include "cli/verb.h"

enum { FILE_MAX = 4 << 20, FOLDER_DEPTH = 4 };

struct job {
	bool check;
	size_t changed;
	int rc; /* the worst so far */
	struct diaglist diag;
};

static void worse(struct job *j, int rc)
{
	if (j->rc == CLI_OK || rc == CLI_SYSTEM)
		j->rc = rc;
}

static void complain(struct job *j, const char *path, const char *what)
{
	int err = errno;
	char *safe = out_escaped(path, strlen(path));

	cli_warnx("%s: %s", safe != NULL ? safe : "?", what != NULL ? what : strerror(err));
	free(safe);
	worse(j, what == NULL && (err == EACCES || err == EPERM || err == EROFS)
		? CLI_FORBIDDEN : what == NULL && err == ENOENT ? CLI_USAGE
		: what == NULL ? CLI_SYSTEM : CLI_USAGE);
}

/* All of a descriptor; NULL with errno, EFBIG where it is larger than a policy file. */
static char *slurp(int fd, size_t *ret_len)
{
	char *data = malloc(FILE_MAX + 1);
	size_t len = 0;
	ssize_t n = 1;

	while (data != NULL && n > 0 && len <= FILE_MAX) {
		n = read(fd, data + len, FILE_MAX + 1 - len);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			len += (size_t)n;
	}
	if (data != NULL && n >= 0 && len <= FILE_MAX) {
		*ret_len = len;
		return data;
	}
	if (len > FILE_MAX)
		errno = EFBIG;
	free(data);
	return NULL;
}

static bool write_all(int fd, const char *s, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, s, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		s += n;
		len -= (size_t)n;
	}
	return true;
}

/* In place of the file, whole or not at all; its mode and owner stay. */
static bool replace(const char *path, const struct stat *st, const char *text, size_t len)
{
	char *temp = NULL;
	bool done = false;
	int fd, err;

	if (asprintf(&temp, "%s.XXXXXX", path) < 0)
		return false;
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd >= 0) {
		struct stat now;

		done = write_all(fd, text, len) && fchmod(fd, st->st_mode & 07777) == 0 &&
		    fstat(fd, &now) == 0 &&
		    ((now.st_uid == st->st_uid && now.st_gid == st->st_gid) ||
			fchown(fd, st->st_uid, st->st_gid) == 0) &&
		    fsync(fd) == 0 && rename(temp, path) == 0;
		err = errno;
		close(fd);
		if (!done)
			unlink(temp);
		errno = err;
	}
	free(temp);
	return done;
}

static void format_file(struct job *j, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	char *data = NULL, *text = NULL;
	size_t len = 0, text_len = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		complain(j, path, errno == ELOOP ? "a symbolic link" : NULL);
	} else if (!S_ISREG(st.st_mode)) {
		complain(j, path, "not a regular file");
	} else if ((data = slurp(fd, &len)) == NULL) {
		complain(j, path, errno == EFBIG ? "larger than 4 MiB" : NULL);
	} else if (rules_fmt(path, data, len, &j->diag, &text, &text_len) == -1) {
		worse(j, CLI_POLICY);
	} else if (text_len != len || memcmp(text, data, len) != 0) {
		j->changed++;
		out_escape(stdout, path);
		putchar('\n');
		if (!j->check && !replace(path, &st, text, text_len))
			complain(j, path, NULL);
	}
	if (fd >= 0)
		close(fd);
	free(data);
	free(text);
}

static void format_stdin(struct job *j)
{
	char *text = NULL, *data;
	size_t len = 0, text_len = 0;

	data = slurp(STDIN_FILENO, &len);
	if (data == NULL)
		complain(j, "standard input", errno == EFBIG ? "larger than 4 MiB" : NULL);
	else if (rules_fmt(NULL, data, len, &j->diag, &text, &text_len) == -1)
		worse(j, CLI_POLICY);
	else if (!j->check)
		fwrite(text, 1, text_len, stdout);
	else if (text_len != len || memcmp(text, data, len) != 0)
		j->changed++;
	free(data);
	free(text);
}

/* ---- folders ---- */

static int is_wanted(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return e->d_name[0] != '.' && (e->d_type == DT_DIR ||
	    (n > 5 && strcmp(e->d_name + n - 5, ".yaml") == 0));
}

/* The YAML files of a policy tree: of the folder itself and of those in it. */
static void format_folder(struct job *j, const char *path, int depth)
{
	struct dirent **list = NULL;
	int n = scandir(path, &list, is_wanted, alphasort);
	char *inner;

	if (n < 0)
		complain(j, path, NULL);
	for (int i = 0; i < n; i++) {
		if (asprintf(&inner, "%s/%s", path, list[i]->d_name) < 0) {
			complain(j, path, NULL);
		} else {
			if (list[i]->d_type != DT_DIR)
				format_file(j, inner);
			else if (depth > 1)
				format_folder(j, inner, depth - 1);
			free(inner);
		}
		free(list[i]);
	}
	free(list);
}

static void format_path(struct job *j, const char *path)
{
	struct stat st;

	if (strcmp(path, "-") == 0)
		format_stdin(j);
	else if (stat(path, &st) < 0)
		complain(j, path, NULL);
	else if (S_ISDIR(st.st_mode))
		format_folder(j, path, FOLDER_DEPTH);
	else
		format_file(j, path);
}

int verb_fmt(int argc, char **argv)
{
	struct job j = { .check = cli_opt("check") != NULL };

	diag_init(&j.diag);
	if (argc == 1)
		format_stdin(&j);
	for (int i = 1; i < argc; i++)
		format_path(&j, argv[i]);
	diag_print(&j.diag, stderr, out_wants_colour(stderr));
	diag_free(&j.diag);
	if (j.rc == CLI_OK && j.check && j.changed > 0)
		return CLI_DIFFERENT;
	return j.rc;
}
