/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the verb table: dispatch, usage, help and the man page check come from it */
#ifndef CORDON_CLI_VERB_H
#define CORDON_CLI_VERB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "cli/cli.h"

#define FORMAT_BIT(f) (1u << (f))

/* An option of one verb: --NAME, or --NAME VALUE / --NAME=VALUE where arg is set.
 * Given twice, the last one counts.  Ends with name NULL. */
struct verb_opt {
	const char *name; /* without dashes */
	const char *arg;  /* "TIME", or NULL: a flag */
	const char *help; /* one line */
};

/* argv[0] is the verb, argv[1..argc-1] its operands: options are taken out before
 * (cli_opt()).  Returns an enum cli_exit. */
typedef int verb_run(int argc, char **argv);

struct verb {
	const char *name;
	verb_run *run;    /* NULL: not in this build */
	const char *args; /* operands as in the synopsis: "POLICY FILE.pcap" */
	int min, max;     /* operands; max -1: any number */
	const char *help; /* one line, for the list of verbs */
	const char *more; /* paragraphs for `cordon help VERB` */
	unsigned formats; /* FORMAT_BIT()s; 0: --format is refused */
	int format;       /* enum cli_format without --format */
	bool live;        /* needs the daemon: speaks to its control socket */
	const struct verb_opt *opts; /* or NULL */
};

/* Ends with name NULL. */
extern const struct verb verbs[];

/* NULL: no such verb. */
const struct verb *verb_find(const char *name);
/* Its option by name (len bytes), or NULL. */
const struct verb_opt *verb_opt_find(const struct verb *v, const char *name, size_t len);

/* ---- help.c ---- */
/* The name of the verb that a mistyped one most likely means, or NULL. */
const char *verb_nearest(const char *name);
/* "cordon VERB [options] ARGS" in one line. */
void verb_synopsis(const struct verb *v, FILE *f);
/* All verbs, one a line. */
void verb_list(FILE *f);
/* Everything the row says. */
void verb_help(const struct verb *v, FILE *f);

verb_run verb_check, verb_compile, verb_explain, verb_schema, verb_replay, verb_inspect,
    verb_posture;
verb_run verb_diff, verb_test, verb_fmt, verb_completion;
verb_run verb_suggest;
verb_run verb_status, verb_incidents, verb_watch, verb_block, verb_unblock, verb_apply,
    verb_reload, verb_confirm, verb_rollback;

#endif
