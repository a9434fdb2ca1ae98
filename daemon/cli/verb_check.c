/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: cordon check: every diagnostic of a policy tree */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <cordon/diag.h>
#include <cordon/flowspace.h>

#include "cli/cli.h"
#include "cli/load.h"
#include "cli/out.h"
#include "cli/verb.h"

static const char *severity_name(enum diag_severity s)
{
	switch (s) {
	case DIAG_ERROR:
		return "error";
	case DIAG_WARNING:
		return "warning";
	}
	return "?";
}

static int list_codes_json(void)
{
	for (const struct diag_code *c = diag_codes; c->code; c++) {
		json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:s}", "code", c->code,
		    "name", c->name, "severity", severity_name(c->severity), "what",
		    c->what, "mend", c->mend ? c->mend : "");

		if (!row || json_dumpf(row, stdout, JSON_COMPACT | JSON_ENSURE_ASCII) != 0) {
			json_decref(row);
			return CLI_SYSTEM;
		}
		putchar('\n');
		json_decref(row);
	}
	return CLI_OK;
}

static int list_codes(void)
{
	struct out_table *t;
	int rc;

	if (cli.format == FORMAT_JSON)
		return list_codes_json();
	if (cli.format != FORMAT_TEXT)
		return cli_usage("--list-codes prints text or json");
	t = out_table_new("code|name|severity|what it says");
	if (!t)
		return CLI_SYSTEM;
	for (const struct diag_code *c = diag_codes; c->code; c++) {
		out_table_row(t, c->code, c->name, severity_name(c->severity), c->what);
		if (c->severity == DIAG_ERROR)
			out_table_tone(t, 2, TONE_BAD);
		else
			out_table_tone(t, 2, TONE_WARN);
	}
	rc = out_table_print(t, stdout, cli.colour);
	out_table_free(t);
	return rc == 0 ? CLI_OK : CLI_SYSTEM;
}

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

static void print_text(const struct diaglist *d, const struct fs *fs)
{
	char counts[64];

	diag_print(d, stdout, cli.colour);
	if (fs)
		print_summary(fs);
	if (d->errors + d->warnings > 0) {
		load_counts(d, counts, sizeof(counts));
		puts(counts);
	}
}

/* Code review wants paths from the root of the repository in which the check runs, not
 * from the policy tree's. */
static void paths_from_here(struct diaglist *d, const char *tree)
{
	size_t len = strlen(tree);

	while (len > 1 && tree[len - 1] == '/')
		len--;
	if (len == 1 && tree[0] == '.')
		return;
	for (size_t i = 0; i < d->nfiles; i++) {
		char *path;

		if (asprintf(&path, "%.*s/%s", (int)len, tree, d->files[i]) < 0)
			return;
		free(d->files[i]);
		d->files[i] = path;
	}
}

int verb_check(int argc, char **argv)
{
	struct diaglist d;
	struct fs *fs = NULL;
	int rc;

	if (cli_opt("list-codes"))
		return list_codes();
	if (argc < 2)
		return cli_usage("check needs a policy directory");
	diag_init(&d);
	rc = load_policy(argv[1], &d, &fs);
	if (rc == CLI_OK || rc == CLI_POLICY) {
		if (cli.format == FORMAT_SARIF) {
			paths_from_here(&d, argv[1]);
			diag_print_sarif(&d, stdout);
		} else if (cli.format == FORMAT_JSON) {
			diag_print_json(&d, stdout);
		} else {
			print_text(&d, fs);
		}
	}
	free(fs);
	diag_free(&d);
	return rc;
}
