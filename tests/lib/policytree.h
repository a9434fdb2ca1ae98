/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a policy tree from texts, loaded as the verbs load one */
#ifndef CORDON_TESTS_POLICYTREE_H
#define CORDON_TESTS_POLICYTREE_H

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cordon/diag.h>
#include <cordon/flowspace.h>
#include <cordon/rules.h>

#define POLICYTREE_CORDON \
	"cordon: 1\ngateway: { interfaces: [lan0], addresses: [10.9.0.1] }\n" \
	"defaults: { profile: server-2008 }\n"

struct policytree_file {
	const char *path, *text; /* path NULL ends the list; "hosts/a.yaml" at most one '/' */
};

/* Writes the files below dir, which exists. */
static inline int policytree_write(const char *dir, const struct policytree_file *f)
{
	for (; f->path != NULL; f++) {
		char path[PATH_MAX], *slash;
		FILE *out;

		snprintf(path, sizeof(path), "%s/%s", dir, f->path);
		slash = strchr(path + strlen(dir) + 1, '/');
		if (slash != NULL) {
			*slash = '\0';
			mkdir(path, 0755);
			*slash = '/';
		}
		out = fopen(path, "w");
		if (out == NULL)
			return -1;
		fputs(f->text, out);
		if (fclose(out) != 0)
			return -1;
	}
	return 0;
}

static inline void policytree_remove(const char *dir, const struct policytree_file *f)
{
	char path[PATH_MAX], *slash;

	for (; f->path != NULL; f++) {
		snprintf(path, sizeof(path), "%s/%s", dir, f->path);
		unlink(path);
		slash = strchr(path + strlen(dir) + 1, '/');
		if (slash != NULL) {
			*slash = '\0';
			rmdir(path);
		}
	}
	rmdir(dir);
}

typedef int policytree_fn(const struct rules_source *, struct diaglist *, struct fs **);

/* rules_load() or rules_check() at second `now`; d must be initialised. */
static inline int policytree_with(const struct policytree_file *f, int64_t now,
    struct diaglist *d, struct fs **ret, policytree_fn *load)
{
	char dir[PATH_MAX / 2];
	struct rules_source src = { .name = "", .now = now };
	int rc = -1;

	snprintf(dir, sizeof(dir), "%s/cordon-test-XXXXXX",
	    getenv("TMPDIR") != NULL ? getenv("TMPDIR") : P_tmpdir);
	if (mkdtemp(dir) == NULL)
		return -1;
	src.policy_fd = -1;
	if (policytree_write(dir, f) == 0)
		src.policy_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	src.zoneinfo_fd = open("/usr/share/zoneinfo", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (src.policy_fd != -1) {
		rc = load(&src, d, ret);
		close(src.policy_fd);
	}
	if (src.zoneinfo_fd != -1)
		close(src.zoneinfo_fd);
	policytree_remove(dir, f);
	return rc;
}

static inline int policytree_load(const struct policytree_file *f, int64_t now,
    struct diaglist *d, struct fs **ret)
{
	return policytree_with(f, now, d, ret, rules_load);
}

#endif
