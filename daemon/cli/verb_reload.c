/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: `cordon apply` and `cordon reload`: the daemon reads its policy again */
/* For cordon.8:
 *
 * apply [--commit ID]
 *   Has the daemon load, check, compile and commit its policy tree, under the given
 *   commit (at most 63 of 0-9 A-Z a-z . _ -), which then stands in every event and in
 *   the kernel's table; without it the daemon reads the commit from the tree's .git.
 *   All diagnostics are printed on stderr.  Exits 1 if the policy has errors and 6 if
 *   the kernel refused; then the running ruleset was not touched.  Needs root, or to be
 *   the user the daemon was started by.
 *
 * reload
 *   The same without a commit; SIGHUP does it too, without an answer. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/out.h"
#include "cli/verb.h"

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
	if (json_is_true(json_object_get(row, "applied")))
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

int verb_apply(int argc, char **argv)
{
	const char *commit = cli_opt("commit");
	json_t *args = json_object();

	(void)argc;
	(void)argv;
	if (commit)
		json_object_set_new(args, "commit", json_string(commit));
	return client_ask("reload", args, print_row, NULL);
}

int verb_reload(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return client_ask("reload", NULL, print_row, NULL);
}
