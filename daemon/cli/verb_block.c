/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: `cordon block`, `block --list` and `unblock` */
/* For cordon.8:
 *
 * block ADDRESS [--ttl TIME] [--scope legacy|all] [--reason TEXT]
 *   Shuts out a source: one address, or an IPv6 /64.  TIME is seconds or 90s, 10m, 1h,
 *   7d, at most 30d; without it the policy's block.ttl, with 0 until unblock.  Scope
 *   legacy (the default unless the policy says otherwise) concerns traffic of legacy
 *   hosts only, all everything through the gateway.  The address of a legacy host may
 *   be blocked here, never automatically: then neither it opens connections nor others
 *   to it.  The gateway's own, management and block.never addresses are refused (exit
 *   5).  Needs root, or to be the user the daemon was started by.
 *
 * block --list
 *   Lists the kernel's blocks.  ORIGIN is auto or operator, LEFT the time until the
 *   kernel ends it by itself, INCIDENT the one that caused it.
 *
 * unblock ADDRESS
 *   Ends a block at once.  Exits 6 where there is none. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/out.h"
#include "cli/verb.h"

enum { TTL_MAX_S = 30 * 86400 };

static const char *left(const struct json_t *row, char buf[static 32])
{
	if (json_is_integer(json_object_get(row, "ttl_s")))
		return client_span(client_number(row, "ttl_s"), buf);
	return "until unblocked";
}

static void add_row(void *arg, const struct json_t *row)
{
	char buf[32];

	out_table_row(arg, client_text(row, "addr"), client_text(row, "origin"),
	    client_text(row, "scope"), left(row, buf), client_text(row, "host"),
	    client_text(row, "reason"), client_text(row, "incident"),
	    client_text(row, "note"));
}

static int list_blocks(void)
{
	struct out_table *t =
	    out_table_new("ADDRESS|ORIGIN|SCOPE|LEFT|HOST|REASON|INCIDENT|NOTE");
	int code = client_ask("blocks", NULL, add_row, t);

	if (code == CLI_OK && cli.format == FORMAT_TEXT && t) {
		if (out_table_rows(t))
			out_table_print(t, stdout, cli.colour);
		else
			puts("nobody is blocked");
	}
	out_table_free(t);
	return code;
}

/* What was asked for is told once it is known to be so. */
static void keep_row(void *arg, const struct json_t *row)
{
	json_t **kept = arg;

	json_decref(*kept);
	*kept = json_deep_copy(row);
}

static void print_blocked(const json_t *row)
{
	char buf[32];

	out_escape(stdout, client_text(row, "addr"));
	fputs(" is blocked, ", stdout);
	fputs(json_is_integer(json_object_get(row, "ttl_s")) ? "for " : "", stdout);
	fputs(left(row, buf), stdout);
	printf(", scope %s\n",
	    strcmp(client_text(row, "scope"), "all") == 0 ? "all" : "legacy");
}

int verb_block(int argc, char **argv)
{
	const char *ttl = cli_opt("ttl"), *scope = cli_opt("scope");
	const char *reason = cli_opt("reason");
	json_t *args, *row = NULL;
	int code;

	if (cli_opt("list"))
		return argc > 1 ? cli_usage("--list takes no address") : list_blocks();
	if (argc < 2)
		return cli_usage("block needs an address, or --list");
	if (ttl && client_seconds(ttl, TTL_MAX_S) < 0)
		return cli_usage(
		    "--ttl is 0, or a time up to 30d as 90s, 10m, 1h, 7d; not \"%s\"",
		    ttl);
	args = json_pack("{s:s}", "addr", argv[1]);
	if (!args)
		return cli_usage("\"%s\" is not an address", argv[1]);
	if (ttl)
		json_object_set_new(args, "ttl_s", json_integer(client_seconds(ttl, TTL_MAX_S)));
	if (scope)
		json_object_set_new(args, "scope", json_string(scope));
	if (reason)
		json_object_set_new(args, "reason", json_string(reason));
	code = client_ask("block", args, keep_row, &row);
	if (code == CLI_OK && cli.format == FORMAT_TEXT && row)
		print_blocked(row);
	json_decref(row);
	return code;
}

int verb_unblock(int argc, char **argv)
{
	json_t *args = json_pack("{s:s}", "addr", argv[1]);
	int code;

	(void)argc;
	if (!args)
		return cli_usage("\"%s\" is not an address", argv[1]);
	code = client_ask("unblock", args, NULL, NULL);
	if (code == CLI_OK && cli.format == FORMAT_TEXT) {
		out_escape(stdout, argv[1]);
		puts(" is not blocked any more");
	}
	return code;
}
