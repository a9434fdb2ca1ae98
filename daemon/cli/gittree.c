/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: git ls-tree and cat-file -> files in a private directory */
#include "cli/gittree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <ftw.h>

#include "cli/cli.h"
#include "cli/out.h"

/* Not `git archive`: it obeys the tree's own .gitattributes (export-ignore could hide a
 * host from the review) and runs filters.  These two give the bytes that were committed. */

enum { FILE_BYTES_MAX = 64 << 20, OID_MAX = 64 };

bool gittree_is(const char *operand)
{
	return strncmp(operand, "git:", 4) == 0;
}

/* ---- running git ---- */

struct child {
	pid_t pid;
	FILE *in, *out; /* its standard input and output */
};

static void run_child(char *const argv[], int in, int out)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	setenv("GIT_OPTIONAL_LOCKS", "0", 1);
	setenv("GIT_NO_LAZY_FETCH", "1", 1);
	setenv("GIT_TERMINAL_PROMPT", "0", 1);
	if (dup2(in, 0) == -1 || dup2(out, 1) == -1 || null == -1 || dup2(null, 2) == -1)
		_exit(126);
	execvp(argv[0], argv);
	_exit(127);
}

/* args: behind the settings, ends with NULL.  0 or -1 (errno). */
static int start_git(const char *const *args, struct child *ret)
{
	static const char *const fixed[] = { "git", "--no-pager", "-c",
		"core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c",
		"protocol.allow=never" };
	char *argv[32];
	size_t n = 0;
	int in[2], out[2];

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		argv[n++] = (char *)(uintptr_t)fixed[i];
	while (*args != NULL && n < 31)
		argv[n++] = (char *)(uintptr_t)*args++;
	argv[n] = NULL;
	if (pipe2(in, O_CLOEXEC) == -1)
		return -1;
	if (pipe2(out, O_CLOEXEC) == -1) {
		close(in[0]);
		close(in[1]);
		return -1;
	}
	ret->pid = fork();
	if (ret->pid == 0)
		run_child(argv, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	ret->in = fdopen(in[1], "w");
	ret->out = fdopen(out[0], "r");
	if (ret->pid != -1 && ret->in != NULL && ret->out != NULL)
		return 0;
	if (ret->in != NULL)
		fclose(ret->in);
	else
		close(in[1]);
	if (ret->out != NULL)
		fclose(ret->out);
	else
		close(out[0]);
	if (ret->pid != -1)
		waitpid(ret->pid, NULL, 0);
	return -1;
}

/* Its exit status; 127: there is no git. */
static int end_git(struct child *c)
{
	int status = 0;

	fclose(c->in);
	fclose(c->out);
	while (waitpid(c->pid, &status, 0) == -1 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}

/* The first line that git prints.  Its exit status, or -1. */
static int ask_git(const char *const *args, char *buf, size_t size)
{
	struct child c;
	size_t len;

	if (start_git(args, &c) == -1)
		return -1;
	if (fgets(buf, (int)size, c.out) == NULL)
		buf[0] = '\0';
	len = strlen(buf);
	if (len > 0 && buf[len - 1] == '\n')
		buf[len - 1] = '\0';
	return end_git(&c);
}

/* ---- which tree ---- */

static int complain(const char *operand, int code, const char *why)
{
	char *safe = out_escaped(operand, strlen(operand));

	cli_warnx("%s: %s", safe != NULL ? safe : "?", why);
	free(safe);
	return code;
}

/* The id of the tree that the operand names. */
static int find_tree(const char *operand, char oid[static OID_MAX + 2])
{
	const char *rev = operand + 4, *colon = strchr(rev, ':');
	char prefix[PATH_MAX], *spec = NULL;
	const char *const where[] = { "rev-parse", "--show-prefix", NULL };
	int rc = ask_git(where, prefix, sizeof(prefix));

	if (rc == 127 || rc == -1)
		return complain(operand, CLI_SYSTEM, "git can't be run");
	if (rc != 0)
		return complain(operand, CLI_USAGE,
		    "the current directory is in no git repository");
	if (*rev == '\0' || colon == rev)
		return complain(operand, CLI_USAGE, "no revision is named");
	if (asprintf(&spec, "%.*s^{commit}", colon != NULL ? (int)(colon - rev) : INT_MAX,
		rev) == -1)
		return complain(operand, CLI_SYSTEM, "out of memory");
	rc = ask_git((const char *const[]){ "rev-parse", "--verify", "--quiet",
			 "--end-of-options", spec, NULL }, oid, OID_MAX + 2);
	free(spec);
	if (rc != 0)
		return complain(operand, CLI_USAGE, "no such revision");
	if (asprintf(&spec, "%s:%s", oid, colon != NULL ? colon + 1 : prefix) == -1)
		return complain(operand, CLI_SYSTEM, "out of memory");
	rc = ask_git((const char *const[]){ "rev-parse", "--verify", "--quiet",
			 "--end-of-options", spec, NULL }, oid, OID_MAX + 2);
	free(spec);
	if (rc != 0)
		return complain(operand, CLI_USAGE, "no such path in that revision");
	if (asprintf(&spec, "%s^{tree}", oid) == -1)
		return complain(operand, CLI_SYSTEM, "out of memory");
	rc = ask_git((const char *const[]){ "rev-parse", "--verify", "--quiet",
			 "--end-of-options", spec, NULL }, oid, OID_MAX + 2);
	free(spec);
	return rc == 0 ? CLI_OK : complain(operand, CLI_USAGE, "not a folder in that revision");
}

/* ---- writing files ---- */

/* "hosts/a.yaml": at most one folder deep is what a policy has. */
static bool path_wanted(const char *path)
{
	const char *slash = strchr(path, '/');

	return slash == NULL || strchr(slash + 1, '/') == NULL;
}

/* No tree of git's making holds such names; one made by hand could. */
static bool path_safe(const char *path)
{
	while (*path != '\0') {
		size_t n = strcspn(path, "/");

		if (n == 0 || (n == 1 && path[0] == '.') ||
		    (n == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		path += n;
		if (*path == '/' && *++path == '\0')
			return false;
	}
	return true;
}

static int write_file(int dir, const char *path, bool link, const char *data, size_t len)
{
	const char *slash = strchr(path, '/');
	int fd, rc = -1;

	if (slash != NULL) {
		char *folder = strndup(path, (size_t)(slash - path));

		if (folder == NULL || (mkdirat(dir, folder, 0700) == -1 && errno != EEXIST)) {
			free(folder);
			return -1;
		}
		free(folder);
	}
	if (link)
		return symlinkat(data, dir, path);
	fd = openat(dir, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n <= 0)
			break;
		data += n;
		len -= (size_t)n;
	}
	rc = len == 0 ? 0 : -1;
	return close(fd) == -1 ? -1 : rc;
}

/* One object from `cat-file --batch`; NULL: it did not answer as it should. */
static char *read_object(struct child *c, const char *oid, size_t *ret_len)
{
	char line[256], *data;
	unsigned long long len;
	const char *blob;

	fprintf(c->in, "%s\n", oid);
	fflush(c->in);
	if (fgets(line, sizeof(line), c->out) == NULL)
		return NULL;
	blob = strstr(line, " blob ");
	if (blob == NULL || sscanf(blob, " blob %llu", &len) != 1 || len > FILE_BYTES_MAX)
		return NULL;
	data = malloc(len + 1);
	if (data == NULL || fread(data, 1, len + 1, c->out) != len + 1) {
		free(data);
		return NULL;
	}
	data[len] = '\0'; /* git's newline behind the object */
	*ret_len = len;
	return data;
}

/* "100644 blob OID\tPATH" of ls-tree -z. */
static int write_entry(struct child *objects, int dir, char *entry)
{
	char *tab = strchr(entry, '\t'), *oid = tab != NULL ? strchr(entry, ' ') : NULL;
	size_t len = 0;
	char *data;
	int rc;

	if (oid == NULL || strncmp(oid, " blob ", 6) != 0)
		return 0; /* a submodule */
	*tab = '\0';
	if (!path_safe(tab + 1))
		return -1;
	if (!path_wanted(tab + 1))
		return 0;
	data = read_object(objects, oid + 6, &len);
	if (data == NULL)
		return -1;
	rc = write_file(dir, tab + 1, strncmp(entry, "120000", 6) == 0, data, len);
	free(data);
	return rc;
}

static int write_tree(const char *oid, int dir)
{
	const char *const list[] = { "ls-tree", "-r", "-z", "--full-tree", oid, NULL };
	const char *const batch[] = { "cat-file", "--batch", NULL };
	struct child names, objects;
	char *entry = NULL;
	size_t cap = 0;
	int rc = 0;

	if (start_git(list, &names) == -1)
		return -1;
	if (start_git(batch, &objects) == -1) {
		end_git(&names);
		return -1;
	}
	while (rc == 0 && getdelim(&entry, &cap, '\0', names.out) > 0)
		rc = write_entry(&objects, dir, entry);
	free(entry);
	rc |= end_git(&names);
	rc |= end_git(&objects);
	return rc == 0 ? 0 : -1;
}

int gittree_extract(const char *operand, char **ret_dir)
{
	const char *tmp = secure_getenv("TMPDIR");
	char oid[OID_MAX + 2], *dir = NULL;
	int fd, rc = find_tree(operand, oid);

	if (rc != CLI_OK)
		return rc;
	if (asprintf(&dir, "%s/cordon-git-XXXXXX",
		tmp != NULL && *tmp != '\0' ? tmp : P_tmpdir) == -1)
		return complain(operand, CLI_SYSTEM, "out of memory");
	if (mkdtemp(dir) == NULL) {
		free(dir);
		return complain(operand, CLI_SYSTEM, "no temporary directory can be made");
	}
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = fd != -1 ? write_tree(oid, fd) : -1;
	if (fd != -1)
		close(fd);
	if (rc == -1) {
		gittree_remove(dir);
		return complain(operand, CLI_SYSTEM, "the tree can't be read or written");
	}
	*ret_dir = dir;
	return CLI_OK;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

void gittree_remove(char *dir)
{
	if (dir != NULL)
		nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(dir);
}
