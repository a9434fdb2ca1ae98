/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: of `cordon status`: what the kernel counted, by reason and by host */
#include "cli/status_counts.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/out.h"

enum { ROWS_SHOWN = 10 };

/* "N = N logged + N suppressed + N overflow"; coloured where that is not so. */
static void print_terms(const json_t *o)
{
	static const char *const term[] = { "logged", "suppressed", "overflow" };
	int64_t sum = 0, all = client_number(o, "packets");
	char buf[32];

	for (size_t i = 0; i < 3; i++)
		sum += client_number(o, term[i]);
	printf("%s%s packets", out_tone(TONE_BAD, cli.colour && sum != all),
	    client_count(all, buf));
	for (size_t i = 0; i < 3; i++)
		printf("%s%s %s", i == 0 ? " = " : " + ",
		    client_count(client_number(o, term[i]), buf), term[i]);
	fputs(out_tone(TONE_PLAIN, cli.colour && sum != all), stdout);
}

static int by_packets(const void *x, const void *y)
{
	int64_t a = client_number(*(json_t *const *)x, "packets");
	int64_t b = client_number(*(json_t *const *)y, "packets");

	return (a < b) - (a > b);
}

static void print_row(const json_t *row)
{
	const char *host = client_text(row, "host"), *addr = client_text(row, "addr");
	char buf[32];

	fputs("            ", stdout);
	out_escape(stdout, *addr ? addr : "no declared host");
	if (*addr) {
		fputs(" (", stdout);
		out_escape(stdout, *host ? host : "left the policy");
		fputs(")", stdout);
	}
	fputs(" ", stdout);
	out_escape(stdout, client_text(row, "kind"));
	fputs(": ", stdout);
	print_terms(row);
	printf("; %s told\n", client_count(client_number(row, "told"), buf));
}

static void print_rows(const json_t *list)
{
	size_t n = json_array_size(list);
	const json_t **row = calloc(n + 1, sizeof(*row));

	if (!row)
		return;
	for (size_t i = 0; i < n; i++)
		row[i] = json_array_get(list, i);
	qsort(row, n, sizeof(*row), by_packets);
	for (size_t i = 0; i < n && i < ROWS_SHOWN; i++)
		print_row(row[i]);
	if (n > ROWS_SHOWN)
		printf("            and %zu more, see --format json\n", n - ROWS_SHOWN);
	free(row);
}

void status_counts(const struct json_t *counts)
{
	json_t *all = json_object_get(counts, "gateway"), *terms;
	const char *kind;
	bool first = true;

	json_object_foreach(all, kind, terms)
	{
		printf("%s%-9s%s ", out_tone(TONE_BOLD, cli.colour), first ? "counts" : "",
		    out_tone(TONE_PLAIN, cli.colour));
		out_escape(stdout, kind);
		fputs(": ", stdout);
		print_terms(terms);
		fputs("\n", stdout);
		first = false;
	}
	print_rows(json_object_get(counts, "hosts"));
}
