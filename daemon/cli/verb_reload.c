/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: `cordon apply` and `cordon reload`: the daemon reads its policy again */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/out.h"
#include "cli/session.h"
#include "cli/verb.h"

enum { CONFIRM_MIN_S = 5, CONFIRM_MAX_S = 3600 };

/* The loader's rows are those of diag_print_json(): file, line, column, … */
static void print_diagnostic(const struct json_t *row)
{
	bool error = strcmp(client_text(row, "severity"), "error") == 0;
	bool colour = out_wants_colour(stderr);

	out_escape(stderr, client_text(row, "file"));
	if (client_number(row, "line"))
		fprintf(stderr, ":%lld:%lld", (long long)client_number(row, "line"),
		    (long long)client_number(row, "column"));
	fprintf(stderr, ": %s%s:%s ", out_tone(error ? TONE_BAD : TONE_WARN, colour),
	    error ? "error" : "warning", out_tone(TONE_PLAIN, colour));
	out_escape(stderr, client_text(row, "message"));
	if (*client_text(row, "code")) {
		fputs(" [", stderr);
		out_escape(stderr, client_text(row, "code"));
		fputs("]", stderr);
	}
	if (*client_text(row, "hint")) {
		fputs(" (", stderr);
		out_escape(stderr, client_text(row, "hint"));
		fputs(")", stderr);
	}
	fputs("\n", stderr);
}

static void print_row(void *arg, const struct json_t *row)
{
	char took[32], errors[32], warnings[32];
	int64_t us = client_number(row, "took_us");

	(void)arg;
	if (json_object_get(row, "message")) {
		print_diagnostic(row);
		return;
	}
	if (strcmp(client_text(row, "deed"), "unchanged") == 0)
		printf("unchanged: generation %lld stays in force%s%s%s\n",
		    (long long)client_number(row, "generation"), us ? ", found after " : "",
		    us ? client_count(us, took) : "", us ? " µs" : "");
	else if (json_is_true(json_object_get(row, "applied")))
		printf("generation %lld is in force%s%s%s; %s warnings\n",
		    (long long)client_number(row, "generation"), us ? ", after " : "",
		    us ? client_count(us, took) : "", us ? " µs" : "",
		    client_count(client_number(row, "warnings"), warnings));
	else
		printf("not applied: %s errors, %s warnings\n",
		    client_count(client_number(row, "errors"), errors),
		    client_count(client_number(row, "warnings"), warnings));
	fflush(stdout); /* before the diagnostics on stderr */
}

/* The row tells how long there is; what to do about it is for people. */
static void print_trial(void *arg, const struct json_t *row)
{
	char span[32];

	print_row(arg, row);
	if (client_number(row, "confirm_s") && json_is_true(json_object_get(row, "applied")))
		printf("run `cordon confirm` within %s, else the policy before returns\n",
		    client_span(client_number(row, "confirm_s"), span));
	fflush(stdout);
}

/* What the daemon may not cut off. */
static void add_session(json_t *args)
{
	char buf[256];
	const char *ssh = session_ssh(buf, sizeof(buf));

	if (ssh)
		json_object_set_new(args, "session", json_string(ssh));
}

int verb_apply(int argc, char **argv)
{
	const char *commit = cli_opt("commit"), *confirm = cli_opt("confirm");
	long seconds = confirm ? client_seconds(confirm, CONFIRM_MAX_S) : 0;
	json_t *args;

	(void)argc;
	(void)argv;
	if (confirm && seconds < CONFIRM_MIN_S)
		return cli_usage("--confirm is a time from 5s to 1h, as 60s, 10m; not \"%s\"",
		    confirm);
	args = json_object();
	if (commit)
		json_object_set_new(args, "commit", json_string(commit));
	if (confirm)
		json_object_set_new(args, "confirm_s", json_integer(seconds));
	if (cli_opt("force"))
		json_object_set_new(args, "force", json_true());
	add_session(args);
	return client_ask("reload", args, print_trial, NULL);
}

int verb_reload(int argc, char **argv)
{
	json_t *args = json_object();

	(void)argc;
	(void)argv;
	add_session(args);
	return client_ask("reload", args, print_row, NULL);
}
