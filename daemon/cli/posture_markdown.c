/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a posture as markdown for a report */
#include <stdlib.h>
#include <string.h>

#include "cli/observed.h"
#include "cli/out.h"
#include "cli/posture_out.h"

/* In this order, what is worst first. */
static const enum posture_state shown[] = { POSTURE_OPEN, POSTURE_CANT_TELL,
	POSTURE_FIXED, POSTURE_NOT_AFFECTED };
enum { NSHOWN = sizeof(shown) / sizeof(shown[0]) };

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

static void made_md(struct posture_made *m)
{
	md(fclose(m->f) == 0 ? m->text : "out of memory");
	free(m->text);
}

static void md_claim(const char *label, const struct posture_claim *c)
{
	struct posture_made m;

	if (*c->text == '\0' || !posture_made_begin(&m))
		return;
	printf("- **%s**: ", label);
	posture_claim_text(m.f, c);
	made_md(&m);
	putchar('\n');
}

static void md_sight(const struct observed_sight *s)
{
	struct posture_made m;

	if (!posture_made_begin(&m))
		return;
	fputs("- **Seen**: ", stdout);
	posture_sight_text(m.f, s);
	made_md(&m);
	putchar('\n');
}

static void md_observed(const struct observed_host *h)
{
	if (h == NULL)
		return;
	if (h->n == 0)
		md_item("Seen", "unknown: no event tells what answers there");
	for (size_t i = 0; i < h->n; i++)
		md_sight(&h->sight[i]);
	if (h->more > 0)
		md_item("Seen", "and more than can be listed: see the event log");
	for (size_t i = 0; i < h->nnotes; i++)
		md_item("Which means", h->notes[i]);
}

static void md_shield(const struct posture_view *v, const struct posture_finding *f)
{
	struct posture_made m;

	if ((f->state != POSTURE_OPEN && f->state != POSTURE_CANT_TELL) ||
	    !posture_made_begin(&m))
		return;
	posture_shield_text(m.f, v, f);
	made_md(&m);
}

static void md_why(const struct posture_finding *f)
{
	struct posture_made m;

	if (!posture_made_begin(&m))
		return;
	posture_claim_text(m.f, &f->why);
	if (*f->vuln->note != '\0' && strcmp(f->vuln->note, f->why.text) != 0)
		fprintf(m.f, "; %s", f->vuln->note);
	made_md(&m);
}

static void md_row(const struct posture_view *v, const struct posture_finding *f)
{
	printf("| %s | ", posture_state_name(f->state));
	md(f->vuln->id);
	if (*f->vuln->title != '\0') {
		fputs(": ", stdout);
		md(f->vuln->title);
	}
	if (*f->vuln->role != '\0')
		printf(" (if it is a %s)", f->vuln->role);
	fputs(" | ", stdout);
	for (unsigned i = 0; i < f->vuln->ncve; i++)
		printf("%s%s", i > 0 ? ", " : "", f->vuln->cve[i]);
	fputs(" | ", stdout);
	md_why(f);
	fputs(" | ", stdout);
	md_shield(v, f);
	fputs(" |\n", stdout);
}

static void md_head(const struct posture_view *v, const struct fs_host *h)
{
	fputs("\n## ", stdout);
	md(fs_str(v->fs, h->name));
	fputs("\n\n- **Place**: ", stdout);
	md(fs_str(v->fs, h->file));
	printf(":%u%s\n", h->line, h->mode == FS_OBSERVE ? ", only observed" : "");
}

static void md_host(const struct posture_view *v, const struct posture *p)
{
	md_head(v, fs_host(v->fs, p->host));
	md_item("Declared", p->declared);
	md_claim("Level", &p->level);
	md_claim("Last proven", &p->last);
	md_claim("Behind", &p->behind);
	md_claim("Can install", &p->install);
	for (size_t i = 0; i < p->ninconsistent; i++)
		md_claim("Inconsistent", &p->inconsistent[i]);
	for (size_t i = 0; i < p->nnotes; i++)
		md_claim("Note", &p->notes[i]);
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

static void md_first(const struct posture_view *v, const struct posture_total *t)
{
	if (t->first == NULL)
		return;
	fputs("\n## Open, reachable and not fully guarded\n\n", stdout);
	for (const struct posture_first *f = t->first; f != NULL; f = f->next) {
		fputs("- **", stdout);
		md(fs_str(v->fs, fs_host(v->fs, f->host)->name));
		fputs("**: ", stdout);
		posture_first_text(stdout, f);
		putchar('\n');
	}
}

static void md_uncertain(const struct posture_total *t)
{
	if (t->nuncertain == 0)
		return;
	fputs("\n## Uncertain in the servicing table\n\n", stdout);
	for (size_t i = 0; i < t->nuncertain; i++) {
		const struct servicing_update *u = t->uncertain[i];

		printf("- **%s** (%s): ", *u->kb != '\0' ? u->kb : u->date, u->date);
		md(u->note);
		fputs(" (", stdout);
		md(u->source);
		fputs(")\n", stdout);
	}
	if (t->more_uncertain > 0)
		puts("- and more: see the JSON");
}

static int md_end(const struct posture_view *v, const struct posture_total *t)
{
	fputs("\n## Summary\n\n```\n", stdout);
	posture_total_text(stdout, t);
	fputs("```\n", stdout);
	md_first(v, t);
	md_uncertain(t);
	return 0;
}

const struct posture_format posture_markdown = { md_begin, md_host, md_end };
