/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: cordon diff: what a change of policy opens, closes and weakens */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cordon/diag.h>
#include <cordon/diff.h>

#include "cli/cli.h"
#include "cli/diffout.h"
#include "cli/load.h"
#include "cli/out.h"
#include "cli/verb.h"

enum fail_on { FAIL_NEVER, FAIL_OPENED, FAIL_EXPOSURE, FAIL_ANY };

static int parse_fail_on(enum fail_on *ret)
{
	static const char *const words[] = { [FAIL_OPENED] = "opened",
		[FAIL_EXPOSURE] = "exposure", [FAIL_ANY] = "any" };
	const char *s = cli_opt("fail-on");

	*ret = FAIL_NEVER;
	if (s == NULL)
		return CLI_OK;
	for (int i = FAIL_OPENED; i <= FAIL_ANY; i++) {
		if (strcmp(words[i], s) == 0) {
			*ret = (enum fail_on)i;
			return CLI_OK;
		}
	}
	return cli_usage("--fail-on takes opened, exposure or any, not \"%s\"", s);
}

static bool has_failed(enum fail_on on, const struct diff *d)
{
	switch (on) {
	case FAIL_NEVER:
		return false;
	case FAIL_OPENED:
		return d->opened.n > 0 || d->exposure.n > 0;
	case FAIL_EXPOSURE:
		return d->exposure.n > 0;
	case FAIL_ANY:
		return !diff_is_empty(d);
	}
	return false;
}

static int show(const struct diff *d, const struct fs *old, const struct fs *new)
{
	if (cli.format == FORMAT_JSON)
		return diffout_json(d) == 0 ? CLI_OK : CLI_SYSTEM;
	if (cli.format == FORMAT_MARKDOWN)
		diffout_markdown(stdout, d, old, new);
	else
		diffout_text(stdout, d, old, new, cli.colour);
	return CLI_OK;
}

static int compare(const struct fs *old, const struct fs *new, int64_t at,
    struct diff **ret)
{
	switch (rules_diff(old, new, at, ret)) {
	case 0:
		return CLI_OK;
	case -E2BIG:
		cli_warnx("the difference has more than a million pieces; compare in "
			  "smaller steps");
		return CLI_SYSTEM;
	}
	cli_warnx("out of memory");
	return CLI_SYSTEM;
}

int verb_diff(int argc, char **argv)
{
	struct fs *old = NULL, *new = NULL;
	struct diff *d = NULL;
	enum fail_on on;
	int64_t at;
	int rc;

	(void)argc;
	if ((rc = cli_time(&at)) != CLI_OK || (rc = parse_fail_on(&on)) != CLI_OK)
		return rc;
	rc = load_sides(argv[1], argv[2], &old, &new);
	if (rc == CLI_OK)
		rc = compare(old, new, at, &d);
	if (rc == CLI_OK)
		rc = show(d, old, new);
	if (rc == CLI_OK && has_failed(on, d))
		rc = CLI_DIFFERENT;
	diff_free(d);
	free(old);
	free(new);
	return rc;
}
