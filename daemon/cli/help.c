/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: usage and help texts, all of them from the verb table */
#include <stdint.h>
#include <string.h>

#include "cli/out.h"
#include "cli/verb.h"

/* Edit distance of two short words, capped at 8. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[32], last, keep;
	size_t n = strlen(b);

	if (n >= 32 || strlen(a) >= 32)
		return 8;
	for (size_t j = 0; j <= n; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; a[i - 1]; i++) {
		last = row[0];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= n; j++) {
			unsigned best = last + (a[i - 1] != b[j - 1]);

			keep = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
			last = keep;
		}
	}
	return row[n];
}

const char *verb_nearest(const char *name)
{
	const char *best = NULL;
	unsigned least = 3;

	for (const struct verb *v = verbs; v->name; v++) {
		unsigned d = distance(name, v->name);

		if (d < least) {
			least = d;
			best = v->name;
		}
	}
	return best;
}

static void formats(const struct verb *v, FILE *f)
{
	const char *sep = "";

	for (int i = 0; i < FORMAT_COUNT; i++)
		if (v->formats & FORMAT_BIT(i)) {
			fprintf(f, "%s%s", sep, out_formats[i]);
			sep = "|";
		}
}

void verb_synopsis(const struct verb *v, FILE *f)
{
	fprintf(f, "cordon %s", v->name);
	if (v->formats & (v->formats - 1)) {
		fputs(" [--format ", f);
		formats(v, f);
		fputc(']', f);
	}
	for (const struct verb_opt *o = v->opts; o && o->name; o++)
		fprintf(f, o->arg ? " [--%s %s]" : " [--%s]", o->name, o->arg);
	fprintf(f, "%s%s\n", *v->args ? " " : "", v->args);
}

static void list_kind(FILE *f, bool live)
{
	for (const struct verb *v = verbs; v->name; v++)
		if (v->live == live)
			fprintf(f, "  %-10s %s\n", v->name, v->help);
}

void verb_list(FILE *f)
{
	fputs("usage: cordon [--runtime-dir DIR] VERB [options] [operands]\n\n"
	      "without a daemon, for the policy's repository and its CI:\n",
	    f);
	list_kind(f, false);
	fputs("\nspeaking to the running cordond:\n", f);
	list_kind(f, true);
	fputs("\n`cordon help VERB` tells more, cordon(8) everything.\n", f);
}

static void option(FILE *f, const char *name, const char *arg, const char *help)
{
	char left[64];

	snprintf(left, sizeof(left), "--%s%s%s", name, arg ? " " : "", arg ? arg : "");
	fprintf(f, "  %-18s %s\n", left, help);
}

void verb_help(const struct verb *v, FILE *f)
{
	fputs("usage: ", f);
	verb_synopsis(v, f);
	fprintf(f, "\n%s: %s\n", v->name, v->help);
	if (v->more)
		fprintf(f, "\n%s\n", v->more);
	fputc('\n', f);
	if (v->formats & (v->formats - 1)) {
		fputs("  --format FORMAT    ", f);
		formats(v, f);
		fprintf(f, "; default %s\n", out_formats[v->format]);
	}
	for (const struct verb_opt *o = v->opts; o && o->name; o++)
		option(f, o->name, o->arg, o->help);
	if (v->live)
		option(f, "runtime-dir", "DIR", "of the daemon; default /run/cordon");
	if (!v->live)
		fputs("\nNeeds neither root nor a daemon.\n", f);
}
