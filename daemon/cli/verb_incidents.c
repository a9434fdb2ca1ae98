/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: `cordon incidents`: events of one source, host and kind, newest first */
/* For cordon.8:
 *
 * incidents [--host NAME] [--limit N]
 *   Lists the incidents the running daemon knows, the one with the latest event first,
 *   50 unless --limit says otherwise.  An incident is the events of one source, host
 *   and kind with no hour of quiet between them; its id is the `incident` field of
 *   those events in the log, where all of them can be found.  The daemon keeps the
 *   latest 4,096.  BLOCK says what became of blocking the source: asked, blocked,
 *   refused, ended. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/out.h"
#include "cli/verb.h"

static void add_row(void *arg, const struct json_t *row)
{
	struct out_table *t = arg;
	char packets[32], last[32];
	bool blocked = strcmp(client_text(row, "block"), "blocked") == 0;

	out_table_row(t, client_text(row, "id"), client_time(row, "last", last),
	    client_text(row, "kind"), client_text(row, "source"),
	    client_text(row, "host"),
	    client_count(client_number(row, "packets"), packets),
	    client_text(row, "action"), client_text(row, "block"),
	    client_text(row, "what"));
	out_table_tone(t, 7, blocked ? TONE_GOOD : TONE_PLAIN);
}

/* A number from 1 on, or 0. */
static long number(const char *text)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	return errno || *end || end == text || n < 1 || n > 1000000 ? 0 : n;
}

int verb_incidents(int argc, char **argv)
{
	const char *host = cli_opt("host"), *limit = cli_opt("limit");
	struct out_table *t;
	json_t *args;
	int code;

	(void)argc;
	(void)argv;
	if (limit && !number(limit))
		return cli_usage("--limit is a number from 1 on, not \"%s\"", limit);
	t = out_table_new("ID|LAST (UTC)|KIND|SOURCE|HOST|>PACKETS|ACTION|BLOCK|WHAT");
	args = json_object();
	if (host)
		json_object_set_new(args, "host", json_string(host));
	if (limit)
		json_object_set_new(args, "limit", json_integer(number(limit)));
	code = client_ask("incidents", args, add_row, t);
	if (code == CLI_OK && cli.format == FORMAT_TEXT && t) {
		if (out_table_rows(t))
			out_table_print(t, stdout, cli.colour);
		else
			puts("no incidents");
	}
	out_table_free(t);
	return code;
}
