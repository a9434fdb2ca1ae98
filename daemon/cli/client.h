/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: one question to the daemon over its control socket */
#ifndef CORDON_CLI_CLIENT_H
#define CORDON_CLI_CLIENT_H

#include <stdint.h>

struct json_t;

/* Called for each row of the answer; the reference stays the caller's. */
typedef void client_row_fn(void *arg, const struct json_t *row);

/* Ask the daemon of cli.runtime_dir (priv/ctl.h).  Takes the reference of args (NULL:
 * none).  With --format json rows are printed as they are, one a line, and f is not
 * called.  The exit code of the answer; what went wrong is on stderr.  CLI_NO_DAEMON:
 * nobody listens, CLI_FORBIDDEN: not ours to ask. */
int client_ask(const char *verb, struct json_t *args, client_row_fn *f, void *arg);

/* Text of a row's field, or "" where it has none; its number, or 0. */
const char *client_text(const struct json_t *row, const char *key);
int64_t client_number(const struct json_t *row, const char *key);
/* 2026-11-22T14:03:58.123456+0000 as "2026-11-22 14:03:58"; the same of the daemon's
 * null as "never".  Returns buf. */
const char *client_time(const struct json_t *row, const char *key, char buf[static 32]);
/* Seconds as "59m", "1h 3m", "2d 4h".  Returns buf. */
const char *client_span(int64_t seconds, char buf[static 32]);
/* "90", "90s", "10m", "1h", "7d" as seconds, or -1: malformed, or more than max. */
long client_seconds(const char *text, long max);
/* 1234567 as "1,234,567".  Returns buf. */
const char *client_count(int64_t n, char buf[static 32]);

#endif
