/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: from a policy tree to its flat block */
#include <cordon/rules.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rules/build.h"
#include "rules/check.h"
#include "rules/load.h"
#include "rules/pipeline.h"
#include "rules/resolve.h"
#include "rules/tree.h"
#include "rules/zone.h"

/* ---- the time zone ---- */

enum { ZONE_FILE_MAX = 64 * 1024 };

static bool zone_name_ok(const char *s)
{
	static const char allowed[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-_/";

	return *s != '/' && *s != '\0' && s[strspn(s, allowed)] == '\0' &&
	    strstr(s, "//") == NULL;
}

/* The file's bytes; NULL with *ret_why. */
static uint8_t *read_zone(
    int dir, const char *name, size_t *ret_len, const char **ret_why)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	uint8_t *data = NULL;
	struct stat st;
	ssize_t n;

	*ret_why = strerror(errno);
	if (fd == -1)
		return NULL;
	*ret_why = "not a zone file";
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
	    st.st_size <= ZONE_FILE_MAX)
		data = malloc((size_t)st.st_size);
	n = data != NULL ? read(fd, data, (size_t)st.st_size) : -1;
	close(fd);
	if (n <= 0) {
		free(data);
		return NULL;
	}
	*ret_len = (size_t)n;
	return data;
}

static int utc(struct policy *p)
{
	p->transitions = calloc(1, sizeof(*p->transitions));
	if (p->transitions == NULL)
		return policy_no_memory(p);
	p->transitions[0].at = INT64_MIN;
	p->ntransitions = 1;
	return 0;
}

static int load_zone(struct policy *p)
{
	const struct pstr *zone = &p->cordon->gateway.timezone;
	const char *why = "not a name of the zone database";
	uint8_t *data = NULL;
	size_t len = 0;

	if (zone->s == NULL || strcmp(zone->s, "UTC") == 0)
		return utc(p);
	if (zone_name_ok(zone->s)) {
		why = "no zone database here";
		if (p->zoneinfo_fd != -1)
			data = read_zone(p->zoneinfo_fd, zone->s, &len, &why);
	}
	if (data != NULL) {
		why = "not a zone file";
		if (zone_parse(data, len, &p->transitions, &p->ntransitions) == 0)
			why = NULL;
	}
	free(data);
	if (why != NULL) {
		policy_error(
		    p, "CRD046", zone->loc, "time zone \"%s\": %s", zone->s, why);
		diag_hint(p->diag, "as Europe/Berlin; the package tzdata has them");
	}
	return 0;
}

/* The zone's file besides what tree_digest has; -1: it can't be read. */
static int digest_zone(struct tree_digest *d, int zoneinfo_fd, const char *name)
{
	const char *why;
	uint8_t *data = NULL;
	size_t len = 0;

	tree_digest_add(d, name, strlen(name));
	if (strcmp(name, "UTC") == 0)
		return 0;
	if (zoneinfo_fd != -1 && zone_name_ok(name))
		data = read_zone(zoneinfo_fd, name, &len, &why);
	if (data == NULL)
		return -1;
	tree_digest_add(d, data, len);
	free(data);
	return 0;
}

static int digest_end(struct tree_digest *d, const struct rules_source *src,
    const char *timezone, uint8_t ret[static RULES_DIGEST_LEN])
{
	if (d->odd || digest_zone(d, src->zoneinfo_fd, timezone) == -1)
		return -1;
	crypto_generichash_final(&d->state, ret, RULES_DIGEST_LEN);
	return 0;
}

int rules_digest(
    const struct rules_source *src, const char *timezone, uint8_t ret[static 32])
{
	struct tree_digest digest;
	struct diaglist d;
	struct policy p;
	int rc;

	diag_init(&d);
	policy_init(&p, &d);
	p.arena.limit = PIPELINE_MEMORY_MAX;
	tree_digest_start(&digest, true);
	rc = tree_read(&p, src, &digest);
	if (rc == 0)
		rc = digest_end(&digest, src, timezone, ret);
	policy_free(&p);
	diag_free(&d);
	return rc;
}

/* ---- the way through ---- */

int pipeline_finish(struct policy *p, struct fs **ret)
{
	if (p->cordon != NULL && load_zone(p) == -1)
		return -1;
	if (resolve_names(p) == -1 || resolve_policy(p) == -1 || accept_index(p) == -1 ||
	    check_policy(p) == -1)
		return -1;
	if (p->diag->errors > 0 || p->cordon == NULL)
		return -1;
	return build_fs(p, ret);
}

int pipeline_load(const struct rules_source *src, struct diaglist *d,
    int (*with)(struct policy *p, const struct fs *fs, void *ctx), void *ctx,
    struct fs **ret)
{
	struct tree_digest digest;
	struct policy p;
	struct fs *fs = NULL;
	int rc = -1;

	policy_init(&p, d);
	p.arena.limit = PIPELINE_MEMORY_MAX;
	p.scratch.limit = PIPELINE_MEMORY_MAX;
	p.now = src->now;
	p.zoneinfo_fd = src->zoneinfo_fd;
	tree_digest_start(&digest, src->ret_digest != NULL);
	if (load_shipped(&p) == 0 && tree_load(&p, src, &digest) == 0)
		rc = pipeline_finish(&p, &fs);
	if (rc == 0 && with != NULL)
		rc = with(&p, fs, ctx);
	if (rc == 0)
		*ret = fs;
	else
		free(fs);
	if (src->ret_digest != NULL && (rc != 0 ||
	    digest_end(&digest, src, fs_str(fs, fs->settings.timezone),
		src->ret_digest) == -1))
		memset(src->ret_digest, 0, RULES_DIGEST_LEN);
	if (rc == -1 && d->errors == 0)
		policy_no_memory(&p);
	policy_free(&p);
	diag_sort(d);
	return rc;
}

static int review(struct policy *p, const struct fs *fs, void *ctx)
{
	(void)ctx;
	return review_policy(p, fs);
}

int rules_check(const struct rules_source *src, struct diaglist *d, struct fs **ret_fs)
{
	return pipeline_load(src, d, review, NULL, ret_fs);
}

int rules_load(const struct rules_source *src, struct diaglist *d, struct fs **ret_fs)
{
	return pipeline_load(src, d, NULL, NULL, ret_fs);
}

int rules_shipped_guards(struct fs **ret_fs)
{
	struct diaglist d;
	struct policy p;
	int rc = -1;

	diag_init(&d);
	policy_init(&p, &d);
	if (load_shipped(&p) == 0) {
		for (size_t i = 0; i < p.guards.n; i++)
			resolve_guard(&p, p.guards.v[i]);
		rc = build_guards(&p, ret_fs);
	}
	policy_free(&p);
	diag_free(&d);
	return rc;
}
