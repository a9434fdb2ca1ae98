/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: cordon compile: the ruleset that a policy becomes, as text or JSON */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cordon/diag.h>
#include <cordon/rules.h>

#include "cli/cli.h"
#include "cli/out.h"
#include "cli/verb.h"

/* The daemon's group (priv/msg.h), so that the text is what it would load. */
enum { NFLOG_GROUP = 2008 };

static int emit(const struct ruleset *rs)
{
	int rc =
	    cli.format == FORMAT_JSON ? emit_json(rs, stdout) : emit_nft(rs, stdout);

	if (rc == 0)
		return CLI_OK;
	cli_warnx("writing the ruleset: %s", strerror(errno));
	return CLI_SYSTEM;
}

int verb_compile(int argc, char **argv)
{
	struct compile_opts opts = {.log_group = NFLOG_GROUP};
	struct ruleset *rs = NULL;
	struct fs *fs = NULL;
	struct diaglist d;
	int rc;

	(void)argc;
	if ((rc = cli_time(&opts.at)) != CLI_OK)
		return rc;
	if ((rc = cli_load_policy(argv[1], &fs)) != CLI_OK)
		return rc;
	diag_init(&d);
	if (rules_compile(fs, &opts, &d, &rs) == 0)
		rc = emit(rs);
	else
		rc = CLI_POLICY;
	diag_print(&d, stderr, out_wants_colour(stderr));
	diag_free(&d);
	free(rs);
	free(fs);
	return rc;
}
