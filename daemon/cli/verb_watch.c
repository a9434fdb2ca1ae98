/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: `cordon watch`: events as they happen */
/* For cordon.8:
 *
 * watch [--host NAME] [--kind KIND,...]
 *   Prints events as the daemon writes them until it is interrupted, one a line; with
 *   --format json as they are in the log (cordon-events(5)).  A reader that is too slow
 *   loses events here, not in the log, and is told how many. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/out.h"
#include "cli/verb.h"

/* How an action looks. */
static const struct {
	const char *action;
	enum out_tone tone;
} tones[] = {
	{ "drop", TONE_BAD },
	{ "would_drop", TONE_WARN },
	{ "alert", TONE_WARN },
	{ "block", TONE_GOOD },
	{ "unblock", TONE_GOOD },
	{ "refused", TONE_BAD },
	{ "apply", TONE_GOOD },
};

static enum out_tone tone_of(const char *action)
{
	for (size_t i = 0; i < sizeof(tones) / sizeof(tones[0]); i++)
		if (strcmp(tones[i].action, action) == 0)
			return tones[i].tone;
	return TONE_PLAIN;
}

static void put(const char *before, const char *text)
{
	if (!*text)
		return;
	fputs(before, stdout);
	out_escape(stdout, text);
}

static void print_end(
    const json_t *row, const char *before, const char *addr, const char *port)
{
	put(before, client_text(row, addr));
	if (json_object_get(row, port))
		printf(" %lld", (long long)client_number(row, port));
}

static void print_event(void *arg, const struct json_t *row)
{
	const json_t *c = json_object_get(row, "cordon");
	enum out_tone tone = tone_of(client_text(c, "action"));
	char when[32], n[32];

	(void)arg;
	printf(
	    "%s  %s", client_time(row, "timestamp", when), out_tone(tone, cli.colour));
	put("", client_text(c, "kind"));
	fputs(out_tone(TONE_PLAIN, cli.colour && tone != TONE_PLAIN), stdout);
	put(" ", client_text(c, "action"));
	print_end(row, "  ", "src_ip", "src_port");
	print_end(row, " -> ", "dest_ip", "dest_port");
	put(" ", client_text(row, "proto"));
	put("  host ", client_text(c, "host"));
	put("  rule ", client_text(c, "rule"));
	put("  ", client_text(c, "reason"));
	put("  guard ", client_text(c, "guard"));
	if (client_number(c, "count") > 1)
		printf("  x%s", client_count(client_number(c, "count"), n));
	put("  ", client_text(c, "note"));
	putchar('\n');
	fflush(stdout);
}

/* "a,b" as a JSON list. */
static json_t *kinds(const char *text)
{
	json_t *list = json_array();

	while (*text) {
		size_t len = strcspn(text, ",");

		json_array_append_new(list, json_stringn(text, len));
		text += len + (text[len] == ',');
	}
	return list;
}

int verb_watch(int argc, char **argv)
{
	const char *host = cli_opt("host"), *kind = cli_opt("kind");
	json_t *args = json_object();

	(void)argc;
	(void)argv;
	if (host)
		json_object_set_new(args, "host", json_string(host));
	if (kind)
		json_object_set_new(args, "kind", kinds(kind));
	return client_ask("watch", args, print_event, NULL);
}
