/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: cordon check: every diagnostic of a policy tree, and what the codes mean */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <cordon/diag.h>
#include <cordon/flowspace.h>

#include "cli/cli.h"
#include "cli/guardlist.h"
#include "cli/load.h"
#include "cli/out.h"
#include "cli/verb.h"

/* ---- codes ---- */

static int code_json(const struct diag_code *c)
{
	const struct diag_help *h = diag_help_find(c->code);
	json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "code", c->code,
	    "name", c->name, "severity", diag_severity_name(c->severity), "what", c->what,
	    "why", h ? h->why : "", "mend", c->mend ? c->mend : "", "example",
	    h ? h->example : "");
	int rc = -1;

	if (row)
		rc = json_dumpf(row, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(row);
	if (rc != 0)
		return CLI_SYSTEM;
	putchar('\n');
	return CLI_OK;
}

static int list_codes(void)
{
	static const enum out_tone tones[] = { [DIAG_ERROR] = TONE_BAD,
		[DIAG_WARNING] = TONE_WARN, [DIAG_NOTE] = TONE_PLAIN };
	struct out_table *t;
	int rc = CLI_OK;

	if (cli.format == FORMAT_JSON) {
		for (const struct diag_code *c = diag_codes; c->code && rc == CLI_OK; c++)
			rc = code_json(c);
		return rc;
	}
	if (cli.format != FORMAT_TEXT)
		return cli_usage("codes are listed as text or json");
	t = out_table_new("code|name|severity|what it says");
	if (!t)
		return CLI_SYSTEM;
	for (const struct diag_code *c = diag_codes; c->code; c++) {
		out_table_row(t, c->code, c->name, diag_severity_name(c->severity), c->what);
		out_table_tone(t, 2, tones[c->severity]);
	}
	rc = out_table_print(t, stdout, cli.colour);
	out_table_free(t);
	return rc == 0 ? CLI_OK : CLI_SYSTEM;
}

static int explain_code(const char *code)
{
	const struct diag_code *c = diag_code_find(code);
	const struct diag_help *h = diag_help_find(code);

	if (!c || !h) {
		char *safe = out_escaped(code, strlen(code));
		int rc = cli_usage("there is no code \"%s\"; --explain alone lists them",
		    safe ? safe : "?");

		free(safe);
		return rc;
	}
	if (cli.format == FORMAT_JSON)
		return code_json(c);
	if (cli.format != FORMAT_TEXT)
		return cli_usage("a code is explained as text or json");
	printf("%s %s (%s)\n\n%s\n\nWhy: %s\n\nMend: %s\n\nAs:\n", c->code, c->name,
	    diag_severity_name(c->severity), c->what, h->why, c->mend);
	for (const char *s = h->example; *s;) {
		int n = (int)strcspn(s, "\n");

		printf("    %.*s\n", n, s);
		s += n + (s[n] == '\n');
	}
	return CLI_OK;
}

/* ---- a tree ---- */

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static void print_summary(const struct fs *fs)
{
	size_t hosts = 0, observed = 0, prefixes = 0;
	size_t rules = fs->table[FS_RULES].count;

	for (uint32_t i = 0; i < fs->table[FS_HOSTS].count; i++) {
		const struct fs_host *h = fs_host(fs, i);

		hosts += h->declared;
		observed += h->declared && h->mode == FS_OBSERVE;
		prefixes += !h->declared;
	}
	printf("ok: %zu host%s", hosts, plural(hosts));
	if (observed > 0)
		printf(" (%zu only observed)", observed);
	printf(", %zu rule%s, %zu protected prefix%s, policy ", rules, plural(rules),
	    prefixes, prefixes == 1 ? "" : "es");
	for (size_t i = 0; i < 6; i++)
		printf("%02x", fs->digest[i]);
	putchar('\n');
}

/* Notes and what is accepted are counted; --all shows them. */
static void print_text(struct diaglist *d, const struct fs *fs)
{
	char counts[64];

	d->show_all = cli_opt("all") != NULL;
	diag_print(d, stdout, cli.colour);
	if (fs)
		print_summary(fs);
	if (d->errors + d->warnings > 0) {
		load_counts(d, counts, sizeof(counts));
		puts(counts);
	}
	if (d->notes > 0)
		printf("%zu note%s%s", d->notes, plural(d->notes),
		    d->accepted > 0 ? ", " : "");
	if (d->accepted > 0)
		printf("%zu accepted", d->accepted);
	if (d->notes + d->accepted > 0)
		puts(d->show_all ? "" : "; --all shows them");
}

/* Code review wants paths from the root of the repository in which the check runs, not
 * from the policy tree's. */
static void paths_from_here(struct diaglist *d, const char *tree)
{
	size_t len = strlen(tree);

	while (len > 1 && tree[len - 1] == '/')
		len--;
	while (len > 2 && tree[0] == '.' && tree[1] == '/') {
		tree += 2;
		len -= 2;
	}
	if (len == 1 && tree[0] == '.')
		return;
	for (size_t i = 0; i < d->nfiles; i++) {
		char *path;

		if (d->files[i][0] == '\0')
			continue;
		if (asprintf(&path, "%.*s/%s", (int)len, tree, d->files[i]) < 0)
			return;
		free(d->files[i]);
		d->files[i] = path;
	}
}

/* The least severe finding that fails the check.  CLI_OK or CLI_USAGE. */
static int fail_on(enum diag_severity *ret)
{
	const char *s = cli_opt("fail-on");

	for (int i = DIAG_ERROR; s && i <= DIAG_NOTE; i++) {
		if (strcmp(s, diag_severity_name((enum diag_severity)i)) == 0) {
			*ret = (enum diag_severity)i;
			return CLI_OK;
		}
	}
	if (!s)
		return CLI_OK;
	return cli_usage("--fail-on takes error, warning or note, not \"%s\"", s);
}

static bool fails(const struct diaglist *d, enum diag_severity on)
{
	return d->errors > 0 || (on >= DIAG_WARNING && d->warnings > 0) ||
	    (on >= DIAG_NOTE && d->notes > 0);
}

static void print_all(struct diaglist *d, const char *tree, const struct fs *fs)
{
	if (cli.format == FORMAT_SARIF) {
		paths_from_here(d, tree);
		diag_print_sarif(d, stdout);
	} else if (cli.format == FORMAT_JSON) {
		diag_print_json(d, stdout);
	} else {
		print_text(d, fs);
	}
}

int verb_check(int argc, char **argv)
{
	enum diag_severity on = DIAG_ERROR;
	struct diaglist d;
	struct fs *fs = NULL;
	int64_t at;
	int rc;

	if (cli_opt("explain") && argc > 1)
		return explain_code(argv[1]);
	if (cli_opt("explain") || cli_opt("list-codes"))
		return list_codes();
	if (argc < 2)
		return cli_usage("check needs a policy directory");
	if (cli_opt("guards") && cli.format == FORMAT_SARIF)
		return cli_usage("guards are listed as text or json");
	if (cli_opt("guards") && cli_opt("fail-on"))
		return cli_usage("--fail-on does not go with --guards");
	if ((rc = fail_on(&on)) != CLI_OK || (rc = cli_time(&at)) != CLI_OK)
		return rc;
	diag_init(&d);
	rc = load_and_review(argv[1], at, &d, &fs);
	if (rc == CLI_OK && fs && cli_opt("guards"))
		rc = guardlist_print(fs, at);
	else if (rc == CLI_OK || rc == CLI_POLICY)
		print_all(&d, argv[1], fs);
	if (rc == CLI_OK && fails(&d, on))
		rc = CLI_POLICY;
	free(fs);
	diag_free(&d);
	return rc;
}
