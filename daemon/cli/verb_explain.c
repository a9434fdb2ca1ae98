/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: cordon explain: the verdict on one flow, a set of flows, or a stream of them */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/answer.h"
#include "cli/cli.h"
#include "cli/jsonbuf.h"
#include "cli/ends.h"
#include "cli/explain_set.h"
#include "cli/out.h"
#include "cli/verb.h"

enum { LINE_MAX_LEN = 4096, INPUT_LEN = 1 << 16 };

struct explain {
	const struct fs *fs;
	const struct ends *ends;
	struct jsonbuf *out;
	int64_t at;
	uint64_t line;
	bool malformed;
};

/* ---- one flow ---- */

/* "erp-db01 (10.20.8.11)", or only the address where that was given. */
static void end_text(const char *word, const struct netaddr *a, char *buf, size_t size)
{
	char text[NETADDR_STRLEN];
	struct netaddr same;

	netaddr_format(a, text);
	if (netaddr_parse(word, &same) == 0)
		snprintf(buf, size, "%s", text);
	else
		snprintf(buf, size, "%s (%s)", word, text);
}

static void explain_text(
    const struct explain *x, const char *const *word, const struct fs_flow *flow)
{
	char src[256], dst[256];
	struct fs_verdict v;

	fs_judge(x->fs, flow, &v);
	end_text(word[0], &flow->src, src, sizeof(src));
	end_text(word[1], &flow->dst, dst, sizeof(dst));
	answer_path(stdout, cli.colour, x->fs, flow, &v, src, dst);
}

static void explain_json(const struct explain *x, const struct fs_flow *flow)
{
	struct fs_verdict v;

	fs_judge(x->fs, flow, &v);
	jsonbuf_raw(x->out, "{");
	answer_members(x->out, x->fs, flow, &v);
	jsonbuf_raw(x->out, "}\n");
}

static int explain_one(
    const struct explain *x, const char *policy, const char *const *word)
{
	struct fs_flow flow = {.at = x->at};
	const char *why;
	unsigned wrong;

	if (ends_flow(x->ends, word, &flow, &why, &wrong) < 0)
		return explain_set(x->out, policy, x->at, word);
	if (cli.format == FORMAT_JSON)
		explain_json(x, &flow);
	else
		explain_text(x, word, &flow);
	return CLI_OK;
}

/* ---- lines of standard input ---- */

static void complain(struct explain *x, const char *word, const char *why)
{
	char text[256];

	snprintf(text, sizeof(text), "%s%.100s%s%s", word ? "\"" : "", word ? word : "",
	    word ? "\": " : "", why);
	jsonbuf_raw(x->out, "{\"error\":");
	jsonbuf_str(x->out, text);
	jsonbuf_raw(x->out, ",\"line\":");
	jsonbuf_uint(x->out, x->line);
	jsonbuf_raw(x->out, "}\n");
	x->malformed = true;
}

/* Split s in place at blanks; returns the number of words, 4 for more than 3. */
static unsigned split(char *s, const char *word[static 3])
{
	unsigned n = 0;

	for (;;) {
		s += strspn(s, " \t\r");
		if (!*s || n == 3)
			return *s ? 4 : n;
		word[n++] = s;
		s += strcspn(s, " \t\r");
		if (*s)
			*s++ = '\0';
	}
}

/* s[0..len) without its newline; s[len] may be overwritten. */
static void explain_line(struct explain *x, char *s, size_t len)
{
	struct fs_flow flow = {.at = x->at};
	const char *word[3], *why;
	unsigned n, wrong;

	x->line++;
	if (len > LINE_MAX_LEN || memchr(s, '\0', len)) {
		complain(x, NULL, len > LINE_MAX_LEN ? "line too long" : "a zero byte");
		return;
	}
	s[len] = '\0';
	n = split(s, word);
	if (n == 0)
		return; /* an empty line asks nothing */
	if (n != 3)
		complain(x, NULL, "not of the form SRC DST PROTO/PORT");
	else if (ends_flow(x->ends, word, &flow, &why, &wrong) < 0)
		complain(x, word[wrong], why);
	else
		explain_json(x, &flow);
}

/* Answer all whole lines of buf[0..len); returns the bytes used up. */
static size_t explain_lines(struct explain *x, char *buf, size_t len)
{
	size_t at = 0;

	while (at < len) {
		char *end = memchr(buf + at, '\n', len - at);

		if (!end)
			break;
		explain_line(x, buf + at, (size_t)(end - (buf + at)));
		at = (size_t)(end - buf) + 1;
	}
	return at;
}

/* What is answered leaves before the next wait for input, so that a program can ask
 * line by line. */
static int explain_stdin(struct explain *x)
{
	static char buf[INPUT_LEN + 1];
	size_t len = 0, used;
	bool skipping = false; /* in a line longer than the buffer */
	ssize_t n = 0;

	for (;;) {
		jsonbuf_flush(x->out);
		if (x->out->failed)
			break;
		n = read(STDIN_FILENO, buf + len, INPUT_LEN - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
		if (skipping) {
			char *end = memchr(buf, '\n', len);

			used = end ? (size_t)(end - buf) + 1 : len;
			skipping = !end;
			memmove(buf, buf + used, len - used);
			len -= used;
		}
		used = explain_lines(x, buf, len);
		memmove(buf, buf + used, len - used);
		len -= used;
		if (len == INPUT_LEN) {
			explain_line(x, buf, len);
			skipping = true;
			len = 0;
		}
	}
	if (n < 0) {
		cli_warnx("reading flows: %s", strerror(errno));
		return CLI_SYSTEM;
	}
	if (len > 0)
		explain_line(x, buf, len);
	return x->malformed ? CLI_USAGE : CLI_OK;
}

/* ---- */

static int explain(struct explain *x, char **argv)
{
	static struct jsonbuf out;
	int rc;

	x->out = &out;
	jsonbuf_init(&out, STDOUT_FILENO);
	if (strcmp(argv[2], "-") == 0)
		rc = explain_stdin(x);
	else
		rc = explain_one(x, argv[1], (const char *const *)&argv[2]);
	jsonbuf_flush(&out);
	if (out.failed) {
		if (out.err != EPIPE)
			cli_warnx("writing answers: %s", strerror(out.err));
		return CLI_SYSTEM;
	}
	return rc;
}

int verb_explain(int argc, char **argv)
{
	bool stream = argc == 3 && strcmp(argv[2], "-") == 0;
	struct explain x = {0};
	struct ends *ends;
	struct fs *fs = NULL;
	int rc;

	if (!stream && argc != 5)
		return cli_usage(
		    "explain needs POLICY SRC DST PROTO/PORT, or POLICY -");
	if ((rc = cli_time(&x.at)) != CLI_OK)
		return rc;
	if ((rc = cli_load_policy(argv[1], &fs)) != CLI_OK)
		return rc;
	ends = ends_new(fs);
	x.fs = fs;
	x.ends = ends;
	rc = ends ? explain(&x, argv) : CLI_SYSTEM;
	ends_free(ends);
	free(fs);
	return rc;
}
