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

/* ---- the way through ---- */

int pipeline_finish(struct policy *p, struct fs **ret)
{
	if (p->cordon != NULL && load_zone(p) == -1)
		return -1;
	if (resolve_names(p) == -1 || resolve_policy(p) == -1 || check_policy(p) == -1)
		return -1;
	if (p->diag->errors > 0 || p->cordon == NULL)
		return -1;
	return build_fs(p, ret);
}

int pipeline_load(const struct rules_source *src, struct diaglist *d,
    int (*with)(struct policy *p, const struct fs *fs, void *ctx), void *ctx,
    struct fs **ret)
{
	struct policy p;
	struct fs *fs = NULL;
	int rc = -1;

	policy_init(&p, d);
	p.arena.limit = PIPELINE_MEMORY_MAX;
	p.scratch.limit = PIPELINE_MEMORY_MAX;
	p.now = src->now;
	p.zoneinfo_fd = src->zoneinfo_fd;
	if (load_shipped(&p) == 0 && tree_load(&p, src) == 0)
		rc = pipeline_finish(&p, &fs);
	if (rc == 0 && with != NULL)
		rc = with(&p, fs, ctx);
	if (rc == 0)
		*ret = fs;
	else
		free(fs);
	if (rc == -1 && d->errors == 0)
		policy_no_memory(&p);
	policy_free(&p);
	diag_sort(d);
	return rc;
}

int rules_load(const struct rules_source *src, struct diaglist *d, struct fs **ret_fs)
{
	return pipeline_load(src, d, NULL, NULL, ret_fs);
}
