/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a posture as text for a terminal */
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

static void made_line(struct posture_made *m, const char *label, enum out_tone tone)
{
	if (fclose(m->f) == 0)
		line(label, tone, m->text);
	else
		line(label, tone, "out of memory");
	free(m->text);
}

static void claim_line(
    const char *label, const struct posture_claim *c, enum out_tone tone)
{
	struct posture_made m;

	if (!posture_made_begin(&m))
		return;
	posture_claim_text(m.f, c);
	made_line(&m, label, tone);
}

static void claim_lines(
    const char *label, const struct posture_claim *c, size_t n, enum out_tone tone)
{
	for (size_t i = 0; i < n; i++)
		claim_line(i == 0 ? label : "", &c[i], tone);
}

static void observed_lines(const struct observed_host *h)
{
	if (h == NULL)
		return;
	if (h->n == 0)
		line("seen", TONE_WARN, "unknown: no event tells what answers there");
	for (size_t i = 0; i < h->n; i++) {
		const struct observed_sight *s = &h->sight[i];
		struct posture_made m;

		if (!posture_made_begin(&m))
			return;
		posture_sight_text(m.f, s);
		made_line(&m, i == 0 ? "seen" : "",
		    s->verdict == POSTURE_SEEN_DIFFERS && !s->past ? TONE_BAD
								   : TONE_PLAIN);
	}
	if (h->more > 0)
		line("", TONE_WARN, "and more than can be listed: see the event log");
	for (size_t i = 0; i < h->nnotes; i++)
		line(i == 0 ? "which means" : "", TONE_WARN, h->notes[i]);
}

static void finding_line(enum posture_state s, const struct posture_finding *f)
{
	struct posture_made m;

	if (!posture_made_begin(&m))
		return;
	posture_name_text(m.f, f->vuln);
	fputs(": ", m.f);
	posture_claim_text(m.f, &f->why);
	if (*f->vuln->note != '\0' && strcmp(f->vuln->note, f->why.text) != 0)
		fprintf(m.f, "; %s", f->vuln->note);
	made_line(&m, posture_state_name(s), tone_of(s));
}

static enum out_tone tone_against(enum posture_against a)
{
	switch (a) {
	case POSTURE_CLOSED:
	case POSTURE_GUARDED:
		return TONE_GOOD;
	case POSTURE_PARTLY:
		return TONE_WARN;
	case POSTURE_NOTHING:
		return TONE_BAD;
	case POSTURE_NAGAINST:
		break;
	}
	return TONE_PLAIN;
}

static void shield_line(const struct posture_view *v, const struct posture_finding *f)
{
	struct posture_made m;

	if (!posture_made_begin(&m))
		return;
	posture_shield_text(m.f, v, f);
	made_line(&m, "  against it", tone_against(f->shield.level));
}

/* What needs nobody's attention stands in one line. */
static void together(const struct posture *p, enum posture_state s)
{
	const char *sep = "";
	struct posture_made m;

	if (!posture_made_begin(&m))
		return;
	for (size_t i = 0; i < p->nfindings; i++) {
		const struct posture_claim *why = &p->findings[i].why;

		if (p->findings[i].state != s)
			continue;
		fprintf(m.f, "%s%s", sep, p->findings[i].vuln->id);
		if (s == POSTURE_FIXED && p->findings[i].by == POSTURE_BY_REVISION)
			fputs(" (by revision)", m.f);
		else if (s == POSTURE_FIXED && why->ncites > 0)
			fprintf(m.f, " (%s)", why->cite[0]->kb);
		sep = ", ";
	}
	if (s == POSTURE_NOT_AFFECTED && *sep != '\0')
		fputs(": such traffic is an attempt", m.f);
	made_line(&m, posture_state_name(s), tone_of(s));
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
	claim_line("level", &p->level, TONE_PLAIN);
	claim_line("last proven", &p->last, TONE_PLAIN);
	claim_line("behind", &p->behind, TONE_PLAIN);
	claim_line("can install", &p->install, TONE_PLAIN);
	claim_lines("inconsistent", p->inconsistent, p->ninconsistent, TONE_BAD);
	claim_lines("note", p->notes, p->nnotes, TONE_PLAIN);
	observed_lines(posture_observed(v, p->host));
	findings(v, p);
	putchar('\n');
}

static void nothing(const struct posture_view *v)
{
	(void)v;
}

static void first_lines(const struct posture_view *v, const struct posture_total *t)
{
	if (t->first == NULL)
		return;
	puts("\nopen, reachable and not fully guarded:");
	for (const struct posture_first *f = t->first; f != NULL; f = f->next) {
		struct posture_made m;

		if (!posture_made_begin(&m))
			return;
		fprintf(m.f, "%s: ", fs_str(v->fs, fs_host(v->fs, f->host)->name));
		posture_first_text(m.f, f);
		made_line(&m, "", TONE_PLAIN);
	}
}

static void uncertain_lines(const struct posture_total *t)
{
	if (t->nuncertain == 0)
		return;
	puts("\nuncertain in the servicing table:");
	for (size_t i = 0; i < t->nuncertain; i++) {
		const struct servicing_update *u = t->uncertain[i];
		struct posture_made m;

		if (!posture_made_begin(&m))
			return;
		fprintf(m.f, "%s: %s (%s)", u->date, u->note, u->source);
		made_line(&m, *u->kb != '\0' ? u->kb : u->date, TONE_PLAIN);
	}
	if (t->more_uncertain > 0)
		line("", TONE_PLAIN, "and more: see --format json");
}

static int text_end(const struct posture_view *v, const struct posture_total *t)
{
	posture_total_text(stdout, t);
	first_lines(v, t);
	uncertain_lines(t);
	return 0;
}

const struct posture_format posture_text = { nothing, text_host, text_end };
