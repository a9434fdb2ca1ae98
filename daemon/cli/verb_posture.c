/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: cordon posture: what the declared patch level of each host proves */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cordon/servicing.h>

#include "cli/cli.h"
#include "cli/observed.h"
#include "cli/out.h"
#include "cli/posture_out.h"
#include "cli/verb.h"

static const struct posture_format *const formats[FORMAT_COUNT] = {
	[FORMAT_TEXT] = &posture_text,
	[FORMAT_JSON] = &posture_json,
	[FORMAT_MARKDOWN] = &posture_markdown,
};

static void add_up(
    const struct posture_view *v, const struct posture *p, struct posture_total *t)
{
	const struct observed_host *seen = posture_observed(v, p->host);

	t->hosts++;
	t->cover[p->cover]++;
	t->inconsistent += p->ninconsistent > 0;
	t->differing += seen != NULL && observed_verdict(seen) == POSTURE_SEEN_DIFFERS;
	for (int s = 0; s < POSTURE_NSTATES; s++)
		t->states[s] += p->states[s];
}

static int print_hosts(const struct posture_view *v, const struct servicing *table)
{
	const struct posture_format *f = formats[cli.format];
	struct posture_total total = { 0 };

	f->begin(v);
	for (uint32_t i = 0; i < v->fs->table[FS_HOSTS].count && !ferror(stdout); i++) {
		struct posture *p;

		if (!fs_host(v->fs, i)->declared)
			continue;
		if (posture_judge(table, v->fs, i, v->at, &p) != 0) {
			cli_warnx("out of memory");
			return CLI_SYSTEM;
		}
		add_up(v, p, &total);
		f->host(v, p);
		posture_free(p);
	}
	return f->end(v, &total) == 0 ? CLI_OK : CLI_SYSTEM;
}

static int read_observed(struct posture_view *v, struct observed **ret)
{
	const char *path = cli_opt("observed");
	char *safe;
	int err;

	if (path == NULL)
		return CLI_OK;
	if (observed_read(path, v->fs, ret) == 0) {
		v->observed = *ret;
		if ((*ret)->malformed > 0)
			cli_warnx(
			    "%llu of %llu lines are no events, or too long: skipped",
			    (unsigned long long)(*ret)->malformed,
			    (unsigned long long)(*ret)->lines);
		return CLI_OK;
	}
	err = errno;
	safe = out_escaped(path, strlen(path));
	cli_warnx("events %s: %s", safe != NULL ? safe : "?", strerror(err));
	free(safe);
	return err == EACCES || err == EPERM ? CLI_FORBIDDEN : CLI_USAGE;
}

int verb_posture(int argc, char **argv)
{
	struct posture_view v = { 0 };
	struct servicing *table = NULL;
	struct observed *seen = NULL;
	struct fs *fs = NULL;
	char why[200];
	int rc;

	(void)argc;
	if ((rc = cli_time(&v.at)) != CLI_OK)
		return rc;
	if (servicing_shipped(&table, why, sizeof(why)) != 0) {
		cli_warnx("%s", why);
		return CLI_SYSTEM;
	}
	rc = cli_load_policy(argv[1], &fs);
	v.fs = fs;
	if (rc == CLI_OK)
		rc = read_observed(&v, &seen);
	if (rc == CLI_OK)
		rc = print_hosts(&v, table);
	observed_free(seen);
	free(fs);
	servicing_free(table);
	return rc;
}
