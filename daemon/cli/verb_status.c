/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: `cordon status`: what is enforced, and whether it is sound */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/out.h"
#include "cli/status_counts.h"
#include "cli/verb.h"

static void line(const char *name)
{
	printf("%s%-9s%s ", out_tone(TONE_BOLD, cli.colour), name,
	    out_tone(TONE_PLAIN, cli.colour));
}

/* Foreign words and numbers of the row o. */
static void word(const json_t *o, const char *key)
{
	out_escape(stdout, client_text(o, key));
}

/* "N what", coloured where N should be 0. */
static void count(
    const json_t *o, const char *key, const char *what, enum out_tone tone)
{
	int64_t n = client_number(o, key);
	char buf[32];
	bool tint = n != 0 && tone != TONE_PLAIN && cli.colour;

	printf("%s%s %s%s", out_tone(tone, tint), client_count(n, buf), what,
	    out_tone(TONE_PLAIN, tint));
}

static void yes_no(const json_t *o, const char *key, const char *yes, const char *no)
{
	bool is = json_is_true(json_object_get(o, key));

	printf("%s%s%s", out_tone(is ? TONE_PLAIN : TONE_BAD, cli.colour && !is),
	    is ? yes : no, out_tone(TONE_PLAIN, cli.colour && !is));
}

static void print_policy(const json_t *row, const json_t *p)
{
	char when[32];

	line("policy");
	if (*client_text(p, "commit")) {
		fputs("commit ", stdout);
		word(p, "commit");
		fputs(", ", stdout);
	}
	printf("digest %.16s, generation %lld\n",
	    *client_text(p, "digest") ? client_text(p, "digest") : "none",
	    (long long)client_number(p, "generation"));
	line("");
	printf("applied %s UTC", client_time(p, "applied", when));
	if (json_is_true(json_object_get(p, "restored")))
		printf("%s, restored from the last good one, not from the tree%s",
		    out_tone(TONE_WARN, cli.colour), out_tone(TONE_PLAIN, cli.colour));
	fputs("\n", stdout);
	line("version");
	word(row, "version");
	fputs("\n", stdout);
}

static void print_back(const json_t *p)
{
	const json_t *to = json_object_get(p, "rollback_to");
	char when[32], span[32];

	if (client_number(p, "confirm_s")) {
		line("CONFIRM");
		printf("%s%s left to run `cordon confirm`, else the policy before returns%s\n",
		    out_tone(TONE_BAD, cli.colour),
		    client_span(client_number(p, "confirm_s"), span),
		    out_tone(TONE_PLAIN, cli.colour));
	}
	if (json_is_true(json_object_get(p, "held"))) {
		line("held");
		puts("the tree was rolled back: it is not loaded before apply or reload");
	}
	if (!to || json_is_null(to))
		return;
	line("before");
	if (*client_text(to, "commit")) {
		fputs("commit ", stdout);
		word(to, "commit");
		fputs(", ", stdout);
	}
	printf("digest %.16s, applied %s UTC: `cordon rollback` returns to it\n",
	    client_text(to, "digest"), client_time(to, "applied", when));
}

static void print_findings(const json_t *list)
{
	char when[32];

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *f = json_array_get(list, i);
		const char *severity = client_text(f, "severity");
		enum out_tone tone = strcmp(severity, "critical") == 0 ? TONE_BAD :
		    strcmp(severity, "warning") == 0 ? TONE_WARN : TONE_PLAIN;

		line(i == 0 ? "health" : "");
		printf("%s%s: ", out_tone(tone, cli.colour), severity);
		word(f, "finding");
		printf("%s ", out_tone(TONE_PLAIN, cli.colour));
		word(f, "object");
		printf(", since %s UTC\n", client_time(f, "since", when));
		line("");
		fputs("  ", stdout);
		word(f, "what");
		fputs("\n", stdout);
		line("");
		fputs("  ", stdout);
		word(f, "mend");
		fputs("\n", stdout);
	}
	if (json_array_size(list) == 0) {
		line("health");
		puts("nothing found that weakens the table");
	}
}

static void print_hosts(const json_t *row, const json_t *h)
{
	line("hosts");
	count(h, "declared", "declared, ", TONE_PLAIN);
	count(h, "prefixes", "protected prefixes; ", TONE_PLAIN);
	count(h, "enforced", "enforced, ", TONE_PLAIN);
	count(h, "observed", "only observed\n", TONE_WARN);
	line("rules");
	count(row, "rules", "in force\n", TONE_PLAIN);
}

static void print_kernel(const json_t *k)
{
	line("kernel");
	yes_no(k, "owned", "table is owned; ",
	    "table is not owned: others can change it; ");
	count(k, "sets", "sets, ", TONE_PLAIN);
	count(k, "elements", "elements\n", TONE_PLAIN);
	line("");
	yes_no(k, "forwarding4", "forwards IPv4", "does not forward IPv4");
	yes_no(k, "forwarding6", ", IPv6\n", ", not IPv6\n");
	line("denied");
	count(k, "denied_packets", "packets, ", TONE_PLAIN);
	count(k, "denied_bytes", "bytes\n", TONE_PLAIN);
	line("blocks");
	count(k, "blocks", "in force\n", TONE_PLAIN);
}

static void print_sensor(const json_t *s)
{
	line("sensor");
	yes_no(s, "up", "up, ", "down, ");
	count(s, "restarts", "restarts; ", TONE_WARN);
	count(s, "handles", "captures, ", TONE_PLAIN);
	count(s, "packets", "packets, ", TONE_PLAIN);
	count(s, "dropped", "dropped\n", TONE_BAD);
	line("");
	count(s, "flows", "flows, ", TONE_PLAIN);
	count(s, "evicted", "evicted, ", TONE_PLAIN);
	count(s, "let_go", "let go, ", TONE_PLAIN);
	count(s, "conflicts", "conflicts, ", TONE_PLAIN);
	count(s, "sightings", "sightings, ", TONE_PLAIN);
	count(s, "lost", "lost\n", TONE_BAD);
}

static void print_engine(const json_t *e)
{
	char since[32];

	line("engine");
	printf("up since %s UTC, ", client_time(e, "since", since));
	count(e, "restarts", "restarts\n", TONE_WARN);
	line("");
	count(e, "events", "events from ", TONE_PLAIN);
	count(e, "sightings", "sightings, ", TONE_PLAIN);
	count(e, "suppressed", "packets told as counts, ", TONE_PLAIN);
	count(e, "overflow", "of them without addresses\n", TONE_WARN);
	line("");
	count(e, "incidents", json_integer_value(json_object_get(e, "incidents")) == 1 ?
	    "incident\n" : "incidents\n", TONE_PLAIN);
}

static void print_sinks(const json_t *sinks)
{
	for (size_t i = 0; i < json_array_size(sinks); i++) {
		const json_t *s = json_array_get(sinks, i);

		line(i == 0 ? "log" : "");
		word(s, "name");
		if (!json_is_true(json_object_get(s, "enabled"))) {
			fputs(" off\n", stdout);
			continue;
		}
		fputs(": ", stdout);
		count(s, "written", "written, ", TONE_PLAIN);
		count(s, "lost", "lost", TONE_BAD);
		if (*client_text(s, "error")) {
			printf(", %sfailing: ", out_tone(TONE_BAD, cli.colour));
			word(s, "error");
			fputs(out_tone(TONE_PLAIN, cli.colour), stdout);
		}
		fputs("\n", stdout);
	}
}

static void print_status(void *arg, const struct json_t *row)
{
	const json_t *engine = json_object_get(row, "engine");

	(void)arg;
	print_policy(row, json_object_get(row, "policy"));
	print_back(json_object_get(row, "policy"));
	print_findings(json_object_get(row, "findings"));
	print_hosts(row, json_object_get(row, "hosts"));
	print_kernel(json_object_get(row, "kernel"));
	print_sensor(json_object_get(row, "sensor"));
	status_counts(json_object_get(row, "counts"));
	print_engine(engine);
	print_sinks(json_object_get(engine, "sinks"));
}

int verb_status(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return client_ask("status", NULL, print_status, NULL);
}
