/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: one question to the daemon over its control socket */
#include "cli/client.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/out.h"
#include "priv/ctl.h"

/* errno of connect() -> what to say and how to exit. */
static const struct {
	int err, exit;
	const char *what;
} refusals[] = {
	{ ENOENT, CLI_NO_DAEMON, "the daemon is not running" },
	{ ECONNREFUSED, CLI_NO_DAEMON, "the daemon is not running" },
	{ ENOTDIR, CLI_NO_DAEMON, "the daemon is not running" },
	{ EACCES, CLI_FORBIDDEN, "you are not permitted to ask the daemon" },
	{ EPERM, CLI_FORBIDDEN, "you are not permitted to ask the daemon" },
};

static int client_refused(const char *path, int err)
{
	char *safe = out_escaped(path, strlen(path));
	const char *what = "the daemon can't be asked";
	int code = CLI_SYSTEM;

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (refusals[i].err == err) {
			what = refusals[i].what;
			code = refusals[i].exit;
		}
	cli_warnx("%s: %s: %s", what, safe ? safe : "", strerror(err));
	free(safe);
	return code;
}

/* 0 and *ret_fd, or what to exit with. */
static int client_connect(int *ret_fd)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, err;

	if (snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/%s", cli.runtime_dir,
		CTL_SOCKET) >= (int)sizeof(sun.sun_path))
		return client_refused(cli.runtime_dir, ENAMETOOLONG);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) < 0) {
		err = errno;
		if (fd >= 0)
			close(fd);
		return client_refused(sun.sun_path, err);
	}
	*ret_fd = fd;
	return CLI_OK;
}

static int client_send(int fd, const char *verb, json_t *args)
{
	json_t *q = json_pack("{s:s}", "verb", verb);
	char *line;
	int r = -1;

	if (args)
		json_object_set(q, "args", args);
	line = q ? json_dumps(q, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	if (line && strlen(line) < CTL_LINE_MAX)
		r = dprintf(fd, "%s\n", line) > 0 ? 0 : -1;
	free(line);
	json_decref(q);
	return r;
}

static int client_end(const json_t *row)
{
	const json_t *code = json_object_get(row, "exit");
	const char *error = json_string_value(json_object_get(row, "error"));
	char *safe = error ? out_escaped(error, strlen(error)) : NULL;

	if (safe)
		cli_warnx("%s", safe);
	free(safe);
	return json_is_integer(code) ? (int)json_integer_value(code) : CLI_SYSTEM;
}

static void client_row(const json_t *row, client_row_fn *f, void *arg)
{
	if (json_object_get(row, "skipped")) {
		cli_warnx("%" JSON_INTEGER_FORMAT
			  " events were skipped: this reader is too slow",
		    json_integer_value(json_object_get(row, "skipped")));
	} else if (cli.format == FORMAT_JSON) {
		json_dumpf(row, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
		putchar('\n');
		fflush(stdout);
	} else if (f) {
		f(arg, row);
	}
}

static int client_read(FILE *in, client_row_fn *f, void *arg)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	int code = -1;

	while (code < 0 && !ferror(stdout) && (len = getline(&line, &size, in)) > 0) {
		json_t *row = json_loadb(line, (size_t)len, JSON_ALLOW_NUL, NULL);

		if (!json_is_object(row)) {
			cli_warnx("the daemon's answer is not understood");
			code = CLI_SYSTEM;
		} else if (json_is_true(json_object_get(row, "end"))) {
			code = client_end(row);
		} else {
			client_row(row, f, arg);
		}
		json_decref(row);
	}
	free(line);
	if (code < 0 && !ferror(stdout))
		cli_warnx("the daemon hung up");
	return code < 0 ? CLI_NO_DAEMON : code;
}

int client_ask(const char *verb, struct json_t *args, client_row_fn *f, void *arg)
{
	FILE *in = NULL;
	int fd = -1, code = client_connect(&fd);

	if (code == CLI_OK && client_send(fd, verb, args) < 0) {
		cli_warnx("the question could not be sent");
		code = CLI_USAGE;
	} else if (code == CLI_OK) {
		in = fdopen(fd, "r");
		code = in ? client_read(in, f, arg) : CLI_SYSTEM;
	}
	if (in)
		fclose(in);
	else if (fd >= 0)
		close(fd);
	json_decref(args);
	return code;
}

const char *client_text(const struct json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return text ? text : "";
}

int64_t client_number(const struct json_t *row, const char *key)
{
	return json_integer_value(json_object_get(row, key));
}

const char *client_time(const struct json_t *row, const char *key, char buf[static 32])
{
	const char *text = client_text(row, key);

	snprintf(buf, 32, "%.19s", *text ? text : "never");
	if (strlen(text) >= 19)
		buf[10] = ' ';
	return buf;
}

const char *client_span(int64_t s, char buf[static 32])
{
	if (s < 60)
		snprintf(buf, 32, "%" PRId64 "s", s);
	else if (s < 3600)
		snprintf(buf, 32, "%" PRId64 "m %" PRId64 "s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, 32, "%" PRId64 "h %" PRId64 "m", s / 3600, s % 3600 / 60);
	else
		snprintf(
		    buf, 32, "%" PRId64 "d %" PRId64 "h", s / 86400, s % 86400 / 3600);
	return buf;
}

long client_seconds(const char *text, long max)
{
	static const struct {
		const char *unit;
		long s;
	} units[] = { { "", 1 }, { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 } };
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno || end == text || n < 0 || n > max)
		return -1;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(end, units[i].unit) == 0)
			return n > max / units[i].s ? -1 : n * units[i].s;
	return -1;
}

const char *client_count(int64_t n, char buf[static 32])
{
	char digits[24];
	size_t len = (size_t)snprintf(digits, sizeof(digits), "%" PRId64, n), o = 0;

	for (size_t i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0 && digits[i - 1] != '-')
			buf[o++] = ',';
		buf[o++] = digits[i];
	}
	buf[o] = '\0';
	return buf;
}
