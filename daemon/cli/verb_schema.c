/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: cordon schema: the JSON Schema of policy files */
#include <errno.h>
#include <string.h>

#include <cordon/rules.h>

#include "cli/cli.h"
#include "cli/verb.h"

int verb_schema(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	if (emit_schema(stdout) == 0)
		return CLI_OK;
	cli_warnx("writing the schema: %s", strerror(errno));
	return CLI_SYSTEM;
}
