/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a posture for people: text on a terminal, markdown in a report */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/observed.h"
#include "cli/out.h"
#include "cli/posture_out.h"

enum { WIDTH = 96, LABEL = 12, INDENT = 15 };

/* In this order, what is worst first. */
static const enum posture_state shown[] = { POSTURE_OPEN, POSTURE_CANT_TELL,
	POSTURE_FIXED, POSTURE_NOT_AFFECTED };
enum { NSHOWN = sizeof(shown) / sizeof(shown[0]) };

static enum out_tone tone_of(enum posture_state s)
{
	switch (s) {
	case POSTURE_OPEN:
		return TONE_BAD;
	case POSTURE_CANT_TELL:
		return TONE_WARN;
	case POSTURE_FIXED:
		return TONE_GOOD;
	case POSTURE_NOT_AFFECTED:
		return TONE_DIM;
	case POSTURE_NSTATES:
		break;
	}
	return TONE_PLAIN;
}

/* Escaped text in lines of WIDTH, all but the first indented. */
static void wrap(const char *s)
{
	size_t column = INDENT;

	while (*s != '\0') {
		size_t n = strcspn(s, " ");

		if (column > INDENT && column + n + 1 > WIDTH) {
			printf("\n%*s", INDENT, "");
			column = INDENT;
		} else if (column > INDENT) {
			putchar(' ');
			column++;
		}
		fwrite(s, 1, n, stdout);
		column += n;
		s += n;
		s += strspn(s, " ");
	}
	putchar('\n');
}

static void line(const char *label, enum out_tone tone, const char *text)
{
	char *safe;

	if (*text == '\0')
		return;
	safe = out_escaped(text, strlen(text));
	printf("  %s%-*s%s ", out_tone(tone, cli.colour), LABEL, label,
	    out_tone(TONE_PLAIN, cli.colour));
	wrap(safe != NULL ? safe : "out of memory");
	free(safe);
}

static void lines(
    const char *label, const struct posture_claim *c, size_t n, enum out_tone tone)
{
	for (size_t i = 0; i < n; i++)
		line(i == 0 ? label : "", tone, c[i].text);
}

/* "agrees: NTLM: build 6003 … (3 events, last 2026-01-02T…)" */
static char *sight_text(const struct observed_sight *s)
{
	char *text = NULL;

	if (asprintf(&text, "%s: %s (%llu event%s, last %s)",
		posture_seen_name(s->verdict), s->said, (unsigned long long)s->count,
		s->count == 1 ? "" : "s",
		s->last[0] != '\0' ? s->last : "at no time told") < 0)
		return NULL;
	return text;
}

static void observed_lines(const struct observed_host *h)
{
	if (h == NULL)
		return;
	if (h->n == 0)
		line("seen", TONE_WARN, "unknown: no event tells what answers there");
	for (size_t i = 0; i < h->n; i++) {
		char *text = sight_text(&h->sight[i]);

		line(i == 0 ? "seen" : "",
		    h->sight[i].verdict == POSTURE_SEEN_DIFFERS ? TONE_BAD : TONE_PLAIN,
		    text != NULL ? text : "out of memory");
		free(text);
	}
	if (h->more > 0)
		line("", TONE_WARN, "and more than can be listed: see the event log");
}

/* "MS14-068 (CVE-2014-6324; if it is a domain controller)" */
static void name_text(FILE *m, const struct servicing_vuln *n)
{
	bool cve = strcmp(n->id, n->cve[0]) != 0;

	fputs(n->id, m);
	if (cve)
		fprintf(m, " (%s%s", n->cve[0], n->ncve > 1 ? " …" : "");
	if (*n->role != '\0')
		fprintf(m, "%sif it is a %s", cve ? "; " : " (", n->role);
	if (cve || *n->role != '\0')
		fputc(')', m);
}

static char *memory_close(FILE *m, char **text)
{
	if (fclose(m) == 0)
		return *text;
	free(*text);
	return NULL;
}

static void finding_line(enum posture_state s, const struct posture_finding *f)
{
	char *text = NULL;
	size_t n;
	FILE *m = open_memstream(&text, &n);

	if (m == NULL)
		return;
	name_text(m, f->vuln);
	fprintf(m, ": %s", f->why.text);
	text = memory_close(m, &text);
	line(posture_state_name(s), tone_of(s), text != NULL ? text : "out of memory");
	free(text);
}

static void shield_line(const struct posture_view *v, const struct posture_finding *f)
{
	char *text = NULL;
	size_t n;
	FILE *m = open_memstream(&text, &n);

	if (m == NULL)
		return;
	posture_shield_text(m, v, f);
	text = memory_close(m, &text);
	line("", TONE_PLAIN, text != NULL ? text : "out of memory");
	free(text);
}

/* What needs nobody's attention stands in one line. */
static void together(const struct posture *p, enum posture_state s)
{
	char *text = NULL;
	size_t n;
	FILE *m = open_memstream(&text, &n);
	const char *sep = "";

	if (m == NULL)
		return;
	for (size_t i = 0; i < p->nfindings; i++) {
		const struct posture_claim *why = &p->findings[i].why;

		if (p->findings[i].state != s)
			continue;
		fprintf(m, "%s%s", sep, p->findings[i].vuln->id);
		if (s == POSTURE_FIXED && p->findings[i].by == POSTURE_BY_REVISION)
			fputs(" (by revision)", m);
		else if (s == POSTURE_FIXED && why->ncites > 0)
			fprintf(m, " (%s)", why->cite[0]->kb);
		sep = ", ";
	}
	if (s == POSTURE_NOT_AFFECTED && *sep != '\0')
		fputs(": such traffic is an attempt", m);
	text = memory_close(m, &text);
	line(posture_state_name(s), tone_of(s), text != NULL ? text : "out of memory");
	free(text);
}

static void findings(const struct posture_view *v, const struct posture *p)
{
	for (size_t k = 0; k < NSHOWN; k++) {
		if (shown[k] == POSTURE_FIXED || shown[k] == POSTURE_NOT_AFFECTED) {
			together(p, shown[k]);
			continue;
		}
		for (size_t i = 0; i < p->nfindings; i++) {
			if (p->findings[i].state != shown[k])
				continue;
			finding_line(shown[k], &p->findings[i]);
			shield_line(v, &p->findings[i]);
		}
	}
}

static void text_host(const struct posture_view *v, const struct posture *p)
{
	const struct fs_host *h = fs_host(v->fs, p->host);

	fputs(out_tone(TONE_BOLD, cli.colour), stdout);
	out_escape(stdout, fs_str(v->fs, h->name));
	printf("%s  ", out_tone(TONE_PLAIN, cli.colour));
	out_escape(stdout, fs_str(v->fs, h->file));
	printf(":%u%s\n", h->line, h->mode == FS_OBSERVE ? ", only observed" : "");
	line("declared", TONE_PLAIN, p->declared);
	line("level", TONE_PLAIN, p->level.text);
	line("last proven", TONE_PLAIN, p->last.text);
	line("behind", TONE_PLAIN, p->behind.text);
	line("can install", TONE_PLAIN, p->install.text);
	lines("inconsistent", p->inconsistent, p->ninconsistent, TONE_BAD);
	lines("note", p->notes, p->nnotes, TONE_PLAIN);
	observed_lines(posture_observed(v, p->host));
	findings(v, p);
	putchar('\n');
}

static void nothing(const struct posture_view *v)
{
	(void)v;
}

static int text_end(const struct posture_view *v, const struct posture_total *t)
{
	(void)v;
	posture_total_text(stdout, t);
	return 0;
}

const struct posture_format posture_text = { nothing, text_host, text_end };

/* ---- markdown ---- */

/* What a cell, a list or a heading could take for markup leaves escaped. */
static void md(const char *s)
{
	char *safe = out_escaped(s, strlen(s));

	for (const char *c = safe != NULL ? safe : ""; *c != '\0'; c++) {
		if (strchr("\\`*_[]<>|#~", *c) != NULL)
			putchar('\\');
		putchar(*c);
	}
	free(safe);
}

static void md_item(const char *label, const char *text)
{
	if (*text == '\0')
		return;
	printf("- **%s**: ", label);
	md(text);
	putchar('\n');
}

static void md_observed(const struct observed_host *h)
{
	if (h == NULL)
		return;
	if (h->n == 0)
		md_item("Seen", "unknown: no event tells what answers there");
	for (size_t i = 0; i < h->n; i++) {
		char *text = sight_text(&h->sight[i]);

		md_item("Seen", text != NULL ? text : "out of memory");
		free(text);
	}
	if (h->more > 0)
		md_item("Seen", "and more than can be listed: see the event log");
}

static void md_shield(const struct posture_view *v, const struct posture_finding *f)
{
	char *text = NULL;
	size_t n;
	FILE *m;

	if (f->state != POSTURE_OPEN && f->state != POSTURE_CANT_TELL)
		return;
	m = open_memstream(&text, &n);
	if (m == NULL)
		return;
	posture_shield_text(m, v, f);
	if (fclose(m) == 0)
		md(text);
	free(text);
}

static void md_row(const struct posture_view *v, const struct posture_finding *f)
{
	printf("| %s | ", posture_state_name(f->state));
	md(f->vuln->id);
	if (*f->vuln->role != '\0')
		printf(" (if it is a %s)", f->vuln->role);
	fputs(" | ", stdout);
	for (unsigned i = 0; i < f->vuln->ncve; i++)
		printf("%s%s", i > 0 ? ", " : "", f->vuln->cve[i]);
	fputs(" | ", stdout);
	md(f->why.text);
	fputs(" | ", stdout);
	md_shield(v, f);
	fputs(" |\n", stdout);
}

static void md_host(const struct posture_view *v, const struct posture *p)
{
	fputs("\n## ", stdout);
	md(fs_str(v->fs, fs_host(v->fs, p->host)->name));
	fputs("\n\n", stdout);
	md_item("Declared", p->declared);
	md_item("Level", p->level.text);
	md_item("Last proven", p->last.text);
	md_item("Behind", p->behind.text);
	md_item("Can install", p->install.text);
	for (size_t i = 0; i < p->ninconsistent; i++)
		md_item("Inconsistent", p->inconsistent[i].text);
	for (size_t i = 0; i < p->nnotes; i++)
		md_item("Note", p->notes[i].text);
	md_observed(posture_observed(v, p->host));
	if (p->nfindings == 0)
		return;
	fputs("\n| state | vulnerability | CVE | why | against it |\n"
	      "| --- | --- | --- | --- | --- |\n",
	    stdout);
	for (size_t k = 0; k < NSHOWN; k++)
		for (size_t i = 0; i < p->nfindings; i++)
			if (p->findings[i].state == shown[k])
				md_row(v, &p->findings[i]);
}

static void md_begin(const struct posture_view *v)
{
	(void)v;
	fputs(
	    "# Patch posture\n\nBy what the inventory proves; what was seen on the wire is "
	    "evidence, not authentication.\n",
	    stdout);
}

static int md_end(const struct posture_view *v, const struct posture_total *t)
{
	(void)v;
	fputs("\n## Summary\n\n```\n", stdout);
	posture_total_text(stdout, t);
	fputs("```\n", stdout);
	return 0;
}

const struct posture_format posture_markdown = { md_begin, md_host, md_end };
