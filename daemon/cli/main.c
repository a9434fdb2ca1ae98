/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: cordon: command line -> options, operands, verb */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/out.h"
#include "cli/verb.h"

struct cli cli = {.format = FORMAT_TEXT, .runtime_dir = "/run/cordon"};

enum { GIVEN_MAX = 16 };
static struct {
	const struct verb_opt *opt;
	const char *value;
} given[GIVEN_MAX];
static unsigned ngiven;
static const struct verb *running;

const char *cli_opt(const char *name)
{
	for (unsigned i = ngiven; i-- > 0;)
		if (strcmp(given[i].opt->name, name) == 0)
			return given[i].value;
	return NULL;
}

void cli_warnx(const char *fmt, ...)
{
	va_list ap;

	fputs("cordon: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

int cli_usage(const char *fmt, ...)
{
	char text[512], *safe;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	safe = out_escaped(text, strlen(text));
	cli_warnx("%s", safe ? safe : "wrong arguments");
	free(safe);
	fputs("usage: ", stderr);
	if (running)
		verb_synopsis(running, stderr);
	else
		fputs("cordon VERB …; `cordon help` lists the verbs\n", stderr);
	return CLI_USAGE;
}

static int set_format(const struct verb *v, const char *name)
{
	for (int i = 0; i < FORMAT_COUNT; i++)
		if (strcmp(out_formats[i], name) == 0 && (v->formats & FORMAT_BIT(i))) {
			cli.format = i;
			return CLI_OK;
		}
	return cli_usage("%s does not know the format \"%s\"", v->name, name);
}

static int set_option(const struct verb *v, const struct verb_opt *o, const char *value)
{
	if (strcmp(o->name, "format") == 0)
		return set_format(v, value);
	if (strcmp(o->name, "runtime-dir") == 0) {
		cli.runtime_dir = value;
		return CLI_OK;
	}
	if (ngiven == GIVEN_MAX)
		return cli_usage("too many options");
	given[ngiven].opt = o;
	given[ngiven++].value = value ? value : "";
	return CLI_OK;
}

/* Options that main() itself understands, for every verb. */
static const struct verb_opt common[] = {
    {"format", "FORMAT", NULL},
    {"runtime-dir", "DIR", NULL},
    {"help", NULL, NULL},
    {0},
};
static const struct verb no_verb = {.opts = common};

static const struct verb_opt *find_option(
    const struct verb *v, const char *s, size_t len)
{
	const struct verb_opt *o = verb_opt_find(&no_verb, s, len);

	return o ? o : verb_opt_find(v, s, len);
}

/* Take the options out of argv; operands move up.  CLI_OK, or what to exit with; -1:
 * help was asked for. */
static int take_options(const struct verb *v, int *argc, char **argv)
{
	int kept = 1, rc;

	for (int i = 1; i < *argc; i++) {
		const struct verb_opt *o;
		const char *s = argv[i], *value = NULL;
		size_t len;

		if (strcmp(s, "--") == 0) {
			while (++i < *argc)
				argv[kept++] = argv[i];
			break;
		}
		if (strcmp(s, "-h") == 0)
			return -1;
		if (s[0] != '-' || s[1] == '\0') {
			argv[kept++] = argv[i];
			continue;
		}
		len = strcspn(s, "=");
		o = s[1] == '-' ? find_option(v, s + 2, len - 2) : NULL;
		if (!o)
			return cli_usage("%s has no option \"%s\"", v->name, s);
		if (strcmp(o->name, "help") == 0)
			return -1;
		if (s[len] == '=')
			value = s + len + 1;
		else if (o->arg && i + 1 < *argc)
			value = argv[++i];
		if (o->arg && !value)
			return cli_usage("--%s needs a %s", o->name, o->arg);
		if (!o->arg && value)
			return cli_usage("--%s takes no value", o->name);
		if ((rc = set_option(v, o, value)) != CLI_OK)
			return rc;
	}
	*argc = kept;
	argv[kept] = NULL;
	return CLI_OK;
}

static int unknown_verb(const char *name)
{
	const char *near = verb_nearest(name);

	return near
		   ? cli_usage("unknown verb \"%s\" (did you mean \"%s\"?)", name, near)
		   : cli_usage("unknown verb \"%s\"", name);
}

static int help(const char *name)
{
	const struct verb *v;

	if (!name) {
		verb_list(stdout);
		return CLI_OK;
	}
	v = verb_find(name);
	if (!v)
		return unknown_verb(name);
	verb_help(v, stdout);
	return CLI_OK;
}

static int run_verb(const struct verb *v, int argc, char **argv)
{
	int rc;

	running = v;
	cli.format = v->format;
	rc = take_options(v, &argc, argv);
	if (rc == -1)
		return help(v->name);
	if (rc != CLI_OK)
		return rc;
	if (argc - 1 < v->min)
		return cli_usage("%s needs %s", v->name, v->args);
	if (v->max >= 0 && argc - 1 > v->max)
		return cli_usage("too much given: \"%s\"", argv[v->max + 1]);
	if (!v->run) {
		cli_warnx("%s is not in this build", v->name);
		return CLI_USAGE;
	}
	return v->run(argc, argv);
}

/* `cordon --runtime-dir DIR VERB …`: before the verb stands only this. */
static int take_runtime_dir(int argc, char **argv)
{
	static const char name[] = "--runtime-dir";
	size_t len = sizeof(name) - 1;

	if (argc > 1 && strncmp(argv[1], name, len) == 0) {
		if (argv[1][len] == '=') {
			cli.runtime_dir = argv[1] + len + 1;
			return 1;
		}
		if (argv[1][len] == '\0' && argc > 2) {
			cli.runtime_dir = argv[2];
			return 2;
		}
	}
	return 0;
}

static int dispatch(int argc, char **argv)
{
	const struct verb *v;

	if (argc < 2) {
		verb_list(stderr);
		return CLI_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
		puts("cordon " CORDON_VERSION);
		return CLI_OK;
	}
	if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
	    strcmp(argv[1], "-h") == 0)
		return help(argv[2]);
	v = verb_find(argv[1]);
	if (!v)
		return unknown_verb(argv[1]);
	return run_verb(v, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	int rc, skip = take_runtime_dir(argc, argv);

	/* A closed pipe is an error of this write, not a death. */
	signal(SIGPIPE, SIG_IGN);
	cli.colour = out_wants_colour(stdout);
	rc = dispatch(argc - skip, argv + skip);
	if ((fflush(stdout) != 0 || ferror(stdout)) && rc == CLI_OK) {
		if (errno != EPIPE)
			cli_warnx("writing the result: %s", strerror(errno));
		rc = CLI_SYSTEM;
	}
	return rc;
}
