/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what every verb is given: global options, exit codes, the policy loader */
#ifndef CORDON_CLI_CLI_H
#define CORDON_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct fs;

/* Output formats; the rows of out_formats[] (out.h) in this order. */
enum cli_format { FORMAT_TEXT, FORMAT_JSON, FORMAT_MARKDOWN, FORMAT_SARIF, FORMAT_NFT,
	FORMAT_COUNT };

/* DESIGN section 9.  A verb returns one of these. */
enum cli_exit {
	CLI_OK = 0,
	CLI_POLICY = 1,     /* the policy has errors, or an assertion failed */
	CLI_USAGE = 2,      /* wrong arguments or unreadable input */
	CLI_DIFFERENT = 3,  /* a difference the caller asked to fail on */
	CLI_NO_DAEMON = 4,  /* the daemon does not run */
	CLI_FORBIDDEN = 5,  /* not permitted */
	CLI_SYSTEM = 6,     /* the kernel or the system refused */
};

struct cli {
	int format;              /* enum cli_format: asked for, or the verb's default */
	bool colour;             /* stdout is a terminal that wants colour */
	const char *runtime_dir; /* of the daemon; "/run/cordon" unless --runtime-dir */
};
extern struct cli cli; /* set by main() before a verb runs */

/* The value of the verb's option --NAME (without dashes); "" where it takes no
 * value; NULL: not given.  Only options of the verb's row can be there. */
const char *cli_opt(const char *name);

/* Say on stderr what is wrong with the arguments and how the verb is used; returns
 * CLI_USAGE. */
int cli_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* "cordon: TEXT" on stderr; foreign text is escaped by the caller (out_escape). */
void cli_warnx(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Load, resolve and check the policy tree at path; diagnostics go to stderr.
 * CLI_OK: *ret_fs is a block to free(); else the exit code, *ret_fs untouched. */
int cli_load_policy(const char *path, struct fs **ret_fs);

/* Seconds UTC of --at, or now.  CLI_OK or CLI_USAGE (said on stderr). */
int cli_time(int64_t *ret_at);

#endif
