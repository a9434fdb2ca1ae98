/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: cordon test: the assertions of a policy tree, and why one does not hold */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <cordon/assertion.h>
#include <cordon/diag.h>

#include "cli/answer.h"
#include "cli/cli.h"
#include "cli/jsonbuf.h"
#include "cli/load.h"
#include "cli/out.h"
#include "cli/verb.h"

struct count {
	size_t tried, failed;
	struct jsonbuf *json; /* NULL: text */
};

static void show_text(const struct assertion *a)
{
	char src[NETADDR_STRLEN], dst[NETADDR_STRLEN], service[ANSWER_SERVICE_LEN];
	struct fs_verdict v;

	out_escape(stdout, a->file);
	printf(":%u: %sfailed%s: ", a->line, out_tone(TONE_BAD, cli.colour),
	    out_tone(TONE_PLAIN, cli.colour));
	if (a->name != NULL) {
		out_escape(stdout, a->name);
		fputs(": ", stdout);
	}
	if (a->only != NULL)
		fputs("only ", stdout);
	out_escape(stdout, a->only != NULL ? a->only : a->flow);
	if (a->only == NULL)
		printf(": expected %s", fs_result_name(a->expect));
	if (a->rule != NULL) {
		fputs(" by ", stdout);
		out_escape(stdout, a->rule);
	}
	fs_judge(a->fs, &a->witness, &v);
	netaddr_format(&a->witness.src, src);
	netaddr_format(&a->witness.dst, dst);
	printf(a->only != NULL ? "; but so may %s -> %s %s:\n"
			       : ", but not so for %s -> %s %s:\n",
	    src, dst, answer_service(&a->witness, service));
	answer_text(stdout, cli.colour, a->fs, &a->witness, &v, src, dst);
}

static void show_json(struct jsonbuf *b, const struct assertion *a)
{
	char text[NETADDR_STRLEN], service[ANSWER_SERVICE_LEN];
	struct fs_verdict v;

	jsonbuf_raw(b, "{\"file\":");
	jsonbuf_str(b, a->file);
	jsonbuf_raw(b, ",\"line\":");
	jsonbuf_uint(b, a->line);
	if (a->name != NULL) {
		jsonbuf_raw(b, ",\"name\":");
		jsonbuf_str(b, a->name);
	}
	jsonbuf_raw(b, a->only != NULL ? ",\"only\":" : ",\"flow\":");
	jsonbuf_str(b, a->only != NULL ? a->only : a->flow);
	jsonbuf_raw(b, ",\"expect\":");
	jsonbuf_str(b, fs_result_name(a->expect));
	jsonbuf_raw(b, a->held ? ",\"ok\":true" : ",\"ok\":false");
	if (!a->held) {
		fs_judge(a->fs, &a->witness, &v);
		jsonbuf_raw(b, ",\"witness\":{\"src\":");
		jsonbuf_str(b, netaddr_format(&a->witness.src, text));
		jsonbuf_raw(b, ",\"dst\":");
		jsonbuf_str(b, netaddr_format(&a->witness.dst, text));
		jsonbuf_raw(b, ",\"service\":");
		jsonbuf_str(b, answer_service(&a->witness, service));
		jsonbuf_raw(b, "},");
		answer_members(b, a->fs, &a->witness, &v);
	}
	jsonbuf_raw(b, "}\n");
}

static void show(void *ctx, const struct assertion *a)
{
	struct count *n = ctx;

	n->tried++;
	n->failed += !a->held;
	if (n->json != NULL)
		show_json(n->json, a);
	else if (!a->held)
		show_text(a);
}

static void print_errors(const struct diaglist *d)
{
	char counts[64];

	load_counts(d, counts, sizeof(counts));
	diag_print(d, stderr, out_wants_colour(stderr));
	fprintf(stderr, "%s\n", counts);
}

int verb_test(int argc, char **argv)
{
	static struct jsonbuf json;
	struct count n = { 0 };
	struct diaglist d;
	int64_t at;
	int rc;

	(void)argc;
	if ((rc = cli_time(&at)) != CLI_OK)
		return rc;
	if (cli.format == FORMAT_JSON) {
		n.json = &json;
		jsonbuf_init(&json, STDOUT_FILENO);
	}
	diag_init(&d);
	rc = load_and_test(argv[1], at, &d, show, &n);
	if (d.errors > 0)
		print_errors(&d);
	diag_free(&d);
	if (n.json != NULL)
		jsonbuf_flush(&json);
	else if (rc == CLI_OK)
		printf("%zu assertion%s, %zu failed\n", n.tried, n.tried == 1 ? "" : "s",
		    n.failed);
	if (n.json != NULL && json.failed) {
		if (json.err != EPIPE)
			cli_warnx("writing answers: %s", strerror(json.err));
		return CLI_SYSTEM;
	}
	return rc == CLI_OK && n.failed > 0 ? CLI_POLICY : rc;
}
