/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: cordond: from the command line to a role */
#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "enforcer/enforcer.h"
#include "engine/engine.h"
#include "loader/loader.h"
#include "priv/proc.h"
#include "priv/sandbox.h"
#include "sensor/sensor.h"

static int (*const main_role[ROLE_COUNT])(void) = {
	[ROLE_LOADER] = loader_main,
	[ROLE_SENSOR] = sensor_main,
	[ROLE_ENGINE] = engine_main,
};

enum { MAIN_RUNTIME = 256, MAIN_STATE, MAIN_ROLE };

/* Help and getopt_long() read the same rows; arg NULL: takes none. */
static const struct main_option {
	int key;
	const char *name, *arg, *help;
} main_options[] = {
	{ 'c', "config", "DIR", "policy tree (default " CORDON_SYSCONFDIR "/cordon/policy)" },
	{ 'n', "dry-run", NULL, "check the policy against the kernel, change nothing, end" },
	{ 'e', "early", NULL, "put the last good policy in force and end (boot)" },
	{ MAIN_RUNTIME, "runtime-dir", "DIR", "control socket and lock (default /run/cordon)" },
	{ MAIN_STATE, "state-dir", "DIR", "last good policy (default /var/lib/cordon)" },
	{ 'd', "debug", NULL, "log more" },
	{ 'V', "version", NULL, "print the version" },
	{ 'h', "help", NULL, "this" },
	{ MAIN_ROLE, "role", "NAME", NULL }, /* re-execution by the enforcer */
};
enum { MAIN_OPTIONS = sizeof(main_options) / sizeof(*main_options) };

static void main_usage(FILE *f)
{
	fputs("usage: cordond [-c DIR] [-n | -e] [--runtime-dir DIR] [--state-dir DIR] "
	      "[-d]\n", f);
	for (const struct main_option *o = main_options; o < main_options + MAIN_OPTIONS;
	     o++) {
		char key[] = "    ", text[40];

		if (!o->help)
			continue;
		if (o->key < MAIN_RUNTIME)
			snprintf(key, sizeof(key), "-%c, ", o->key);
		snprintf(text, sizeof(text), "%s--%s%s%s", key, o->name, o->arg ? " " : "",
		    o->arg ? o->arg : "");
		fprintf(f, "  %-24s %s\n", text, o->help);
	}
}

static void main_long_options(char *shorts, struct option *longs)
{
	for (int i = 0; i < MAIN_OPTIONS; i++) {
		const struct main_option *o = &main_options[i];

		longs[i] = (struct option){ o->name, o->arg ? required_argument :
			no_argument, NULL, o->key };
		if (o->key >= MAIN_RUNTIME)
			continue;
		*shorts++ = (char)o->key;
		if (o->arg)
			*shorts++ = ':';
	}
	*shorts = '\0';
}

static int main_run_role(const char *name, bool debug)
{
	int role = role_by_name(name);

	if (role < 0 || !main_role[role]) {
		fprintf(stderr, "cordond: no role \"%s\" to start\n", name);
		return ENFORCER_USAGE;
	}
	log_init(role_table[role].name, debug);
	sandbox_watch();
	json_object_seed(0); /* opens /dev/urandom at its first use: not after the drop */
	return main_role[role]();
}

int main(int argc, char **argv)
{
	struct enforcer_opts o = { .policy_dir = CORDON_SYSCONFDIR "/cordon/policy",
		.runtime_dir = "/run/cordon", .state_dir = "/var/lib/cordon" };
	struct option longs[MAIN_OPTIONS + 1] = { 0 };
	char shorts[2 * MAIN_OPTIONS + 1];
	const char *role = NULL;
	bool debug = false;
	int c;

	main_long_options(shorts, longs);
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			o.policy_dir = optarg;
			break;
		case 'n':
			o.check = true;
			break;
		case 'e':
			o.early = true;
			break;
		case 'd':
			debug = true;
			break;
		case MAIN_RUNTIME:
			o.runtime_dir = optarg;
			break;
		case MAIN_STATE:
			o.state_dir = optarg;
			break;
		case MAIN_ROLE:
			role = optarg;
			break;
		case 'V':
			puts("cordond " CORDON_VERSION);
			return ENFORCER_OK;
		case 'h':
			main_usage(stdout);
			return ENFORCER_OK;
		default:
			main_usage(stderr);
			return ENFORCER_USAGE;
		}
	}
	if (optind != argc || (o.check && o.early)) {
		main_usage(stderr);
		return ENFORCER_USAGE;
	}
	if (role)
		return main_run_role(role, debug);
	log_init(role_table[ROLE_ENFORCER].name, debug);
	sandbox_watch();
	return enforcer_run(&o);
}
