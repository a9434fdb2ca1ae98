/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the policy directory: finding and reading its files */
#include "rules/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cordon/rules.h>

#include "rules/load.h"
#include "rules/shipped.h"
#include "rules/yaml.h"

struct tree {
	struct policy *p;
	const struct rules_source *src;
	struct tree_digest *digest;
	size_t bytes;
	bool full;      /* the limit was reported */
	bool read_only; /* nothing is parsed */
};

/* ---- the digest ---- */

/* Lengths stand before texts, so that no two trees are written alike. */
void tree_digest_add(struct tree_digest *d, const void *data, size_t len)
{
	uint64_t n = len;

	if (d->idle)
		return;
	crypto_generichash_update(&d->state, (const unsigned char *)&n, sizeof(n));
	crypto_generichash_update(&d->state, data, len);
}

/* What ships with the program is part of every policy. */
void tree_digest_start(struct tree_digest *d, bool wanted)
{
	static const uint32_t version = FS_VERSION;

	d->odd = false;
	d->idle = !wanted;
	if (d->idle)
		return;
	crypto_generichash_init(&d->state, NULL, 0, RULES_DIGEST_LEN);
	tree_digest_add(d, &version, sizeof(version));
	for (const struct shipped *s = shipped_files; s->path != NULL; s++) {
		tree_digest_add(d, s->path, strlen(s->path));
		tree_digest_add(d, s->data, s->len);
	}
}

/* ---- reports ---- */

/* How a file is called in reports. */
static const char *shown(struct tree *t, const char *dir, const char *name)
{
	const char *base = t->src->name != NULL ? t->src->name : "";

	return arena_printf(&t->p->arena, "%s%s%s%s%s", base, *base != '\0' ? "/" : "",
	    dir, *dir != '\0' ? "/" : "", name);
}

/* A report about a file as a whole, which need not have been loaded. */
static void report(struct tree *t, const char *code, const char *path, const char *fmt,
    const char *arg)
{
	struct diag_loc loc = { 0 };

	t->digest->odd = true;
	if (t->p->diag->overflow)
		return;
	loc.file = diag_file(t->p->diag, path != NULL ? path : "");
	diag_add(t->p->diag, code, loc, fmt, arg);
}

/* Whether the object is of a kind and owner to be read; reported if not. */
static bool is_safe(struct tree *t, const struct stat *st, bool dir, const char *path)
{
	if (dir ? !S_ISDIR(st->st_mode) : !S_ISREG(st->st_mode)) {
		report(t, "CRD011", path, "not a regular %s", dir ? "folder" : "file");
		return false;
	}
	if (!t->src->trusted_only)
		return true;
	if ((st->st_uid != 0 && st->st_uid != geteuid()) || (st->st_mode & 022) != 0) {
		report(t, "CRD011", path, "others than root may change this %s",
		    dir ? "folder" : "file");
		diag_hint(t->p->diag, "chown root, chmod go-w");
		return false;
	}
	return true;
}

static void report_open(struct tree *t, int err, const char *path)
{
	if (err == ELOOP || err == ENOTDIR) {
		report(t, "CRD011", path, "a symbolic link or no regular file%s", "");
		diag_hint(
		    t->p->diag, "links are not followed: put the file itself there");
	} else {
		report(t, "CRD015", path, "cannot be read: %s", strerror(err));
	}
}

/* All of fd; the text lives in the arena.  -1: reported. */
static int slurp(struct tree *t, int fd, size_t size, const char *path,
    const char **ret, size_t *ret_len)
{
	char *data = arena_calloc(
	    t->read_only ? &t->p->scratch : &t->p->arena, size + 1, 1);
	size_t len = 0;

	if (data == NULL)
		return policy_no_memory(t->p);
	while (len < size) {
		ssize_t n = read(fd, data + len, size - len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1) {
			report(
			    t, "CRD015", path, "cannot be read: %s", strerror(errno));
			return -1;
		}
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret = data;
	*ret_len = len;
	return 0;
}

static int load_open(struct tree *t, int fd, enum schema_file kind, const char *path)
{
	const char *data = NULL;
	struct stat st;
	size_t len = 0;

	if (fstat(fd, &st) == -1) {
		report_open(t, errno, path);
		return 0;
	}
	if (!is_safe(t, &st, false, path))
		return 0;
	if (st.st_size > YAML_FILE_MAX) {
		report(t, "CRD012", path, "larger than 4 MiB%s", "");
		return 0;
	}
	t->bytes += (size_t)st.st_size;
	if (t->bytes > TREE_BYTES_MAX) {
		if (!t->full)
			report(
			    t, "CRD012", path, "the tree is larger than 512 MiB%s", "");
		t->full = true;
		return 0;
	}
	arena_reset(&t->p->scratch);
	if (slurp(t, fd, (size_t)st.st_size, path, &data, &len) == -1)
		return t->p->arena.failed || t->p->scratch.failed ? -1 : 0;
	tree_digest_add(t->digest, path, strlen(path));
	tree_digest_add(t->digest, data, len);
	return t->read_only ? 0 : load_file(t->p, kind, path, data, len, false);
}

/* 1: it is there and was dealt with; 0: it is not there; -1: no memory. */
static int load_one(struct tree *t, int dir_fd, enum schema_file kind, const char *dir,
    const char *name)
{
	const char *path = shown(t, dir, name);
	int fd, rc;

	if (path == NULL)
		return policy_no_memory(t->p);
	fd = openat(
	    dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd == -1 && errno == ENOENT && *dir == '\0')
		return 0;
	if (fd == -1) {
		report_open(t, errno, path);
		return 1;
	}
	rc = load_open(t, fd, kind, path);
	close(fd);
	return rc == -1 ? -1 : 1;
}

/* ---- folders ---- */

static bool has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n > m && strcmp(s + n - m, suffix) == 0;
}

static void report_ignored(struct tree *t, const char *dir, const char *name)
{
	const char *path = shown(t, dir, name);

	report(t, "CRD013", path, "not read: no %s", *dir != '\0' ?
	    "file with the suffix .yaml" : "file of a policy has this name");
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names in an open folder that end in .yaml, sorted; others are reported. */
static int list_folder(
    struct tree *t, DIR *d, const char *dir, char ***ret, size_t *ret_n)
{
	const struct dirent *e;
	char **names = NULL;
	size_t n = 0, cap = 0;

	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		if (!has_suffix(e->d_name, ".yaml")) {
			if (has_suffix(e->d_name, ".yml") || e->d_type == DT_DIR)
				report_ignored(t, dir, e->d_name);
			continue;
		}
		if (n == TREE_FILES_MAX) {
			report(t, "CRD012", shown(t, "", dir),
			    "more than 100,000 files%s", "");
			break;
		}
		if (n == cap) {
			char **grown = reallocarray(
			    names, cap = cap != 0 ? cap * 2 : 64, sizeof(*names));

			if (grown == NULL)
				goto fail;
			names = grown;
		}
		names[n] = arena_strndup(&t->p->arena, e->d_name, strlen(e->d_name));
		if (names[n++] == NULL)
			goto fail;
	}
	if (n > 1)
		qsort(names, n, sizeof(*names), by_text);
	*ret = names;
	*ret_n = n;
	return 0;
fail:
	free(names);
	return policy_no_memory(t->p);
}

static int load_listed(struct tree *t, DIR *d, enum schema_file kind, const char *dir)
{
	char **names = NULL;
	size_t n = 0;
	int rc = 0;

	if (list_folder(t, d, dir, &names, &n) == -1)
		return -1;
	for (size_t i = 0; i < n && rc == 0; i++) {
		if (load_one(t, dirfd(d), kind, dir, names[i]) == -1)
			rc = -1;
	}
	free(names);
	return rc == -1 ? -1 : 1;
}

/* As load_one(), of a whole folder. */
static int load_folder(struct tree *t, enum schema_file kind)
{
	const char *dir = schema_kinds[kind].name;
	int fd = openat(t->src->policy_fd, dir,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), rc = 1;
	struct stat st;
	DIR *d;

	if (fd == -1 && errno == ENOENT)
		return 0;
	if (fd == -1) {
		report_open(t, errno, shown(t, "", dir));
		return 1;
	}
	if (fstat(fd, &st) == -1 || !is_safe(t, &st, true, shown(t, "", dir))) {
		close(fd);
		return 1;
	}
	d = fdopendir(fd);
	if (d == NULL) {
		close(fd);
		return policy_no_memory(t->p);
	}
	rc = load_listed(t, d, kind, dir);
	closedir(d);
	return rc;
}

static int load_kind(struct tree *t, enum schema_file kind)
{
	const struct schema_kind *k = &schema_kinds[kind];
	char file[32];
	int single = 0, folder = 0;

	snprintf(file, sizeof(file), "%s.yaml", k->name);
	if (k->single)
		single = load_one(t, t->src->policy_fd, kind, "", file);
	if (k->folder)
		folder = load_folder(t, kind);
	if (single == -1 || folder == -1)
		return -1;
	if (single == 1 && folder == 1) {
		report(t, "CRD014", shown(t, "", file), "there is a folder \"%s\" too",
		    k->name);
		diag_hint(t->p->diag, "move this file into it");
	}
	if (kind == FILE_CORDON && single == 0)
		report(t, "CRD010", shown(t, "", file), "missing: %s", k->help);
	return 0;
}

/* ---- the top ---- */

static bool is_known(const char *name)
{
	char file[32];

	for (int k = 0; k < FILE_NKINDS; k++) {
		snprintf(file, sizeof(file), "%s.yaml", schema_kinds[k].name);
		if ((schema_kinds[k].single && strcmp(name, file) == 0) ||
		    (schema_kinds[k].folder && strcmp(name, schema_kinds[k].name) == 0))
			return true;
	}
	return false;
}

/* A misspelt hosts/ must not go unseen.  Other things may lie beside the policy. */
static int look_around(struct tree *t)
{
	int fd = openat(t->src->policy_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *e;
	struct stat st;
	DIR *d;

	if (fd == -1 || fstat(fd, &st) == -1) {
		report_open(t, errno, shown(t, "", "."));
		if (fd != -1)
			close(fd);
		return 0;
	}
	is_safe(t, &st, true, shown(t, "", "."));
	d = fdopendir(fd);
	if (d == NULL) {
		close(fd);
		return policy_no_memory(t->p);
	}
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] != '.' && !is_known(e->d_name) &&
		    (has_suffix(e->d_name, ".yaml") || has_suffix(e->d_name, ".yml")))
			report_ignored(t, "", e->d_name);
	}
	closedir(d);
	return 0;
}

static int tree_walk(struct tree *t)
{
	if (look_around(t) == -1)
		return -1;
	for (int k = 0; k < FILE_NKINDS; k++) {
		if (load_kind(t, (enum schema_file)k) == -1)
			return -1;
	}
	return 0;
}

int tree_load(struct policy *p, const struct rules_source *src, struct tree_digest *d)
{
	return tree_walk(&(struct tree){ .p = p, .src = src, .digest = d });
}

int tree_read(struct policy *p, const struct rules_source *src, struct tree_digest *d)
{
	return tree_walk(
	    &(struct tree){ .p = p, .src = src, .digest = d, .read_only = true });
}
