/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: opening and loading the policy tree that a verb is given */
#include "cli/load.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cordon/diag.h>
#include <cordon/rules.h>

#include "cli/cli.h"
#include "cli/gittree.h"
#include "cli/out.h"

/* TZDIR as for every program that knows time zones (tests, NixOS). */
static int open_zoneinfo(void)
{
	const char *dir = secure_getenv("TZDIR");

	return open(dir && *dir ? dir : "/usr/share/zoneinfo",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int cannot_open(const char *path)
{
	int err = errno;
	char *safe = out_escaped(path, strlen(path));

	cli_warnx("policy %s: %s", safe ? safe : "?", strerror(err));
	free(safe);
	return err == EACCES || err == EPERM ? CLI_FORBIDDEN : CLI_USAGE;
}

/* CLI_OK with the descriptors open, else what to exit with. */
static int open_source(const char *path, struct rules_source *ret)
{
	*ret = (struct rules_source){ .name = "", .now = time(NULL) };
	ret->policy_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ret->policy_fd < 0)
		return cannot_open(path);
	ret->zoneinfo_fd = open_zoneinfo();
	return CLI_OK;
}

static void close_source(const struct rules_source *src)
{
	close(src->policy_fd);
	if (src->zoneinfo_fd >= 0)
		close(src->zoneinfo_fd);
}

int load_policy(const char *path, struct diaglist *d, struct fs **ret_fs)
{
	struct rules_source src;
	int rc = open_source(path, &src);

	if (rc != CLI_OK)
		return rc;
	rc = rules_load(&src, d, ret_fs) == 0 ? CLI_OK : CLI_POLICY;
	diag_sort(d);
	close_source(&src);
	return rc;
}

int load_and_review(const char *path, int64_t at, struct diaglist *d, struct fs **ret_fs)
{
	struct rules_source src;
	int rc = open_source(path, &src);

	if (rc != CLI_OK)
		return rc;
	src.now = at;
	rc = rules_check(&src, d, ret_fs) == 0 ? CLI_OK : CLI_POLICY;
	diag_sort(d);
	close_source(&src);
	return rc;
}

int load_and_test(const char *path, int64_t at, struct diaglist *d, assertion_fn *fn,
    void *ctx)
{
	struct rules_source src;
	int rc = open_source(path, &src);

	if (rc != CLI_OK)
		return rc;
	rc = rules_test(&src, at, d, fn, ctx) == 0 ? CLI_OK : CLI_POLICY;
	close_source(&src);
	return rc;
}

int load_and_reach(const char *path, int64_t at, const char *flows, struct diaglist *d,
    reach_fn *fn, void *ctx, int *ret_reach)
{
	struct rules_source src;
	int rc = open_source(path, &src);

	if (rc != CLI_OK)
		return rc;
	*ret_reach = rules_reach(&src, at, flows, d, fn, ctx);
	close_source(&src);
	return CLI_OK;
}

int load_and_suggest(const char *path, unsigned share, struct suggest_flow *flows,
    size_t n, struct diaglist *d, suggest_fn *fn, void *ctx)
{
	struct rules_source src;
	int rc = open_source(path, &src);

	if (rc != CLI_OK)
		return rc;
	rc = rules_suggest(&src, src.now, share, flows, n, d, fn, ctx) == 0 ? CLI_OK
									    : CLI_POLICY;
	close_source(&src);
	return rc;
}

void load_counts(const struct diaglist *d, char *buf, unsigned size)
{
	snprintf(buf, size, "%zu error%s, %zu warning%s", d->errors,
	    d->errors == 1 ? "" : "s", d->warnings, d->warnings == 1 ? "" : "s");
}

int cli_load_policy(const char *path, struct fs **ret_fs)
{
	struct diaglist d;
	char counts[64];
	int rc;

	diag_init(&d);
	rc = load_policy(path, &d, ret_fs);
	load_counts(&d, counts, sizeof(counts));
	if (d.errors > 0) {
		diag_print(&d, stderr, out_wants_colour(stderr));
		fprintf(stderr, "%s\n", counts);
	} else if (d.warnings > 0) {
		fprintf(stderr, "%s: `cordon check` shows them\n", counts);
	}
	diag_free(&d);
	return rc;
}

/* One of two policies to compare. */
struct side {
	const char *which, *operand;
	struct fs **ret;
	char *dir; /* what git gave, to be removed; or NULL */
	struct rules_source src;
	struct diaglist d;
	int rc;
};

static void side_open(struct side *s)
{
	diag_init(&s->d);
	s->rc = gittree_is(s->operand) ? gittree_extract(s->operand, &s->dir) : CLI_OK;
	if (s->rc == CLI_OK)
		s->rc = open_source(s->dir != NULL ? s->dir : s->operand, &s->src);
}

static void *side_load(void *arg)
{
	struct side *s = arg;

	if (s->rc != CLI_OK)
		return NULL;
	s->rc = rules_load(&s->src, &s->d, s->ret) == 0 ? CLI_OK : CLI_POLICY;
	diag_sort(&s->d);
	close_source(&s->src);
	return NULL;
}

static void side_close(struct side *s)
{
	char counts[64], *safe;

	gittree_remove(s->dir);
	if (s->d.errors > 0) {
		safe = out_escaped(s->operand, strlen(s->operand));
		load_counts(&s->d, counts, sizeof(counts));
		diag_print(&s->d, stderr, out_wants_colour(stderr));
		cli_warnx("%s policy %s: %s", s->which, safe != NULL ? safe : "?", counts);
		free(safe);
	}
	diag_free(&s->d);
}

/* Side by side: loading is most of what a comparison takes, and the library shares
 * nothing between two loads.  Only the loads themselves, so that output keeps its order. */
int load_sides(const char *old, const char *new, struct fs **ret_old, struct fs **ret_new)
{
	struct side s[2] = { { .which = "old", .operand = old, .ret = ret_old },
		{ .which = "new", .operand = new, .ret = ret_new } };
	pthread_t thread;
	bool beside;

	side_open(&s[0]);
	side_open(&s[1]);
	beside = pthread_create(&thread, NULL, side_load, &s[0]) == 0;
	if (!beside)
		side_load(&s[0]);
	side_load(&s[1]);
	if (beside)
		pthread_join(thread, NULL);
	side_close(&s[0]);
	side_close(&s[1]);
	return s[0].rc != CLI_OK ? s[0].rc : s[1].rc;
}

int cli_time(int64_t *ret_at)
{
	const char *s = cli_opt("at");

	if (!s) {
		*ret_at = time(NULL);
		return CLI_OK;
	}
	if (rules_parse_time(s, ret_at) == 0)
		return CLI_OK;
	return cli_usage("--at \"%s\" is neither a date (2027-03-31) nor an RFC 3339 "
			 "instant (2027-03-31T18:00:00Z)",
	    s);
}
