/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: `cordon confirm` and `cordon rollback` */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/verb.h"

static void print_done(void *arg, const struct json_t *row)
{
	if (json_is_true(json_object_get(row, "applied")))
		printf("%s: generation %lld\n", (const char *)arg,
		    (long long)client_number(row, "generation"));
}

int verb_confirm(int argc, char **argv)
{
	char done[] = "confirmed, this policy stays";

	(void)argc;
	(void)argv;
	return client_ask("confirm", NULL, print_done, done);
}

int verb_rollback(int argc, char **argv)
{
	char done[] = "the policy before is in force again; the tree waits for apply or reload";

	(void)argc;
	(void)argv;
	return client_ask("rollback", NULL, print_done, done);
}
