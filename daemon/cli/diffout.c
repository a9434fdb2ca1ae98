/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a policy difference for people: terminal text and markdown */
#include "cli/diffout.h"

#include <stdlib.h>
#include <string.h>

#include "cli/out.h"

enum { SOURCES_SHOWN = 8 };

struct writer {
	FILE *f;
	const struct fs *fs[2];
	const struct diff_changes *modes;
	bool colour, markdown;
};

static const char *tone(const struct writer *w, enum out_tone t)
{
	return out_tone(t, w->colour);
}

/* Foreign text; in markdown inside of backquotes, which it may not hold. */
static void foreign(const struct writer *w, const char *s)
{
	char *safe, *p;

	if (!w->markdown) {
		out_escape(w->f, s);
		return;
	}
	safe = out_escaped(s, strlen(s));
	for (p = safe; p != NULL && *p != '\0'; p++) {
		if (*p == '`' || *p == '|')
			*p = '\'';
	}
	fprintf(w->f, "`%s`", safe != NULL ? safe : "?");
	free(safe);
}

/* The host whose address it is, in the new policy or else the old one. */
static const char *host_name(const struct writer *w, const struct netaddr *a)
{
	for (int i = 1; i >= 0; i--) {
		uint32_t h = fs_place_of(w->fs[i], a);

		if (h != FS_NONE && fs_host(w->fs[i], h)->declared)
			return fs_str(w->fs[i], fs_host(w->fs[i], h)->name);
	}
	return NULL;
}

static bool is_one(const struct netrange *r)
{
	return netaddr_cmp(&r->lo, &r->hi) == 0;
}

static void range(const struct writer *w, const struct netrange *r)
{
	struct netrange all = netrange_all(r->lo.v);
	char text[NETRANGE_STRLEN];
	const char *name = is_one(r) ? host_name(w, &r->lo) : NULL;

	if (memcmp(&all, r, sizeof(all)) == 0)
		fprintf(w->f, "any (IPv%u)", r->lo.v);
	else
		fputs(netrange_format(r, text), w->f);
	if (name != NULL) {
		fputs(" (", w->f);
		foreign(w, name);
		fputs(")", w->f);
	}
}

static bool same_but_source(const struct diff_region *a, const struct diff_region *b)
{
	return a->src.lo.v == b->src.lo.v && a->proto_lo == b->proto_lo &&
	    a->proto_hi == b->proto_hi && a->port_lo == b->port_lo &&
	    a->port_hi == b->port_hi && a->why == b->why && a->guard == b->guard &&
	    memcmp(&a->dst, &b->dst, sizeof(a->dst)) == 0;
}

static void service(const struct writer *w, const struct diff_region *r)
{
	char proto[16], ports[16];
	bool all = r->port_lo == 0 && r->port_hi == 65535;

	fputs(diffout_proto(r, proto), w->f);
	if (!all)
		fprintf(w->f, "/%s", diffout_ports(r, ports));
	else if (r->proto_lo == r->proto_hi)
		fputs(" (all)", w->f);
}

static void why(const struct writer *w, const struct diff_region *r)
{
	const char *between = " [";

	for (unsigned i = 0; i < DIFF_NWHY; i++) {
		if ((r->why >> i & 1) == 0 || (1u << i) == DIFF_OPENED)
			continue;
		fprintf(w->f, "%s%s", between, diff_why_name((enum diff_why)(1u << i)));
		between = ", ";
	}
	if (r->guard != NULL) {
		fputs(": ", w->f);
		foreign(w, r->guard);
	}
	if (between[0] == ',')
		fputs("]", w->f);
}

static void causes(const struct writer *w, const struct diff_region *r, size_t n)
{
	enum { SHOWN = 6 };
	size_t shown = 0;
	const char *last = NULL;

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < r[i].ncauses; k++) {
			const struct diff_cause *c = &r[i].causes[k];
			const char *name = c->rule != NULL ? c->rule : c->host;

			if (last != NULL && strcmp(last, name) == 0)
				continue;
			last = name;
			if (shown++ >= SHOWN)
				continue;
			fputs(w->markdown ? (shown == 1 ? " — " : ", ") : "      ", w->f);
			foreign(w, name);
			fputs(c->rule == NULL ? " (observed) " : " ", w->f);
			foreign(w, c->file);
			fprintf(w->f, ":%u%s", c->line, w->markdown ? "" : "\n");
		}
	}
	if (shown > SHOWN)
		fprintf(w->f, w->markdown ? ", … (%zu more)" : "      … (%zu more)\n",
		    shown - SHOWN);
}

static void example(const struct writer *w, const struct fs_flow *f)
{
	struct diff_region r = { .proto_lo = f->proto, .proto_hi = f->proto,
		.port_lo = f->dport, .port_hi = f->dport };
	char src[NETADDR_STRLEN], dst[NETADDR_STRLEN], proto[16];

	fprintf(w->f, "%se.g. %s -> %s %s/%u%s%s", tone(w, TONE_DIM),
	    netaddr_format(&f->src, src), netaddr_format(&f->dst, dst),
	    diffout_proto(&r, proto), f->dport, tone(w, TONE_PLAIN),
	    w->markdown ? "" : "\n");
}

/* r[0..n) that differ in their sources only. */
static void region_row(const struct writer *w, const struct diff_region *r, size_t n,
    const char *mark, enum out_tone t)
{
	fprintf(w->f, w->markdown ? "- " : "  %s%s%s ", tone(w, t), mark,
	    tone(w, TONE_PLAIN));
	for (size_t i = 0; i < n && i < SOURCES_SHOWN; i++) {
		fputs(i > 0 ? ", " : "", w->f);
		range(w, &r[i].src);
	}
	if (n > SOURCES_SHOWN)
		fprintf(w->f, ", … (%zu more)", n - SOURCES_SHOWN);
	fputs(w->markdown ? " → " : " -> ", w->f);
	range(w, &r->dst);
	fputs(w->markdown ? " **" : "  ", w->f);
	service(w, r);
	fputs(w->markdown ? "**" : "", w->f);
	why(w, r);
	if (r->at_most)
		fputs(" at most: what the rules of hosts whose mode changed do not allow",
		    w->f);
	fputs(w->markdown ? "" : "\n", w->f);
	causes(w, r, n);
	fputs(w->markdown ? "; " : "      ", w->f);
	example(w, &r->witness);
	fputs(w->markdown ? "\n" : "", w->f);
}

static void heading(const struct writer *w, const char *title, size_t n, enum out_tone t)
{
	if (w->markdown)
		fprintf(w->f, "\n### %s (%zu)\n\n", title, n);
	else
		fprintf(w->f, "%s%s (%zu)%s\n", tone(w, t), title, n, tone(w, TONE_PLAIN));
}

/* The host whose change of mode is behind the region, if one is. */
static const char *observed_by(const struct writer *w, const struct diff_region *r)
{
	for (size_t i = 0; i < r->ncauses; i++) {
		if (r->causes[i].rule != NULL)
			continue;
		for (size_t k = 0; k < w->modes->n; k++) {
			if (strcmp(w->modes->v[k].subject, r->causes[i].host) == 0)
				return r->causes[i].host;
		}
	}
	return NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "All but what the rules say" is many regions; of a host that is observed (or no longer
 * is) a person wants only this to be said. */
static void observed_rows(const struct writer *w, const struct diff_regions *l,
    const char *mark, enum out_tone t)
{
	const char **name = calloc(l->n + 1, sizeof(*name));
	size_t n = 0;

	if (name == NULL)
		return;
	for (size_t i = 0; i < l->n; i++) {
		name[n] = observed_by(w, &l->v[i]);
		n += name[n] != NULL;
	}
	qsort(name, n, sizeof(*name), by_name);
	for (size_t i = 0, k; i < n; i = k) {
		for (k = i + 1; k < n && strcmp(name[i], name[k]) == 0;)
			k++;
		fprintf(w->f, w->markdown ? "- " : "  %s%s%s ", tone(w, t), mark,
		    tone(w, TONE_PLAIN));
		foreign(w, name[i]);
		fprintf(w->f, " in observe mode: whatever its rules do not allow, from and to"
			      " it (%zu region%s in JSON)\n", k - i, k - i == 1 ? "" : "s");
	}
	free(name);
}

static void regions(const struct writer *w, const struct diff_regions *l,
    const char *title, const char *mark, enum out_tone t)
{
	if (l->n == 0)
		return;
	heading(w, title, l->n, t);
	for (size_t i = 0, n; i < l->n; i += n) {
		for (n = 1; i + n < l->n && same_but_source(&l->v[i], &l->v[i + n]);)
			n++;
		if (observed_by(w, &l->v[i]) == NULL)
			region_row(w, &l->v[i], n, mark, t);
	}
	observed_rows(w, l, mark, t);
}

static const char *const titles[DIFF_LISTS] = {
	[DIFF_MODES] = "Modes",
	[DIFF_GUARDS] = "Guards",
	[DIFF_TIMES] = "Validity of rules",
	[DIFF_TRUST] = "Trust and settings",
};

static void value(const struct writer *w, const char *s)
{
	if (s != NULL && *s != '\0')
		foreign(w, s);
	else
		fputs("(none)", w->f);
}

static void change_row(const struct writer *w, const struct diff_change *c)
{
	fputs(w->markdown ? "- " : "  ~ ", w->f);
	foreign(w, c->subject);
	if (c->what != NULL) {
		fputs(" ", w->f);
		foreign(w, c->what);
	}
	fputs(": ", w->f);
	if (c->old != NULL && c->new != NULL && strcmp(c->old, c->new) == 0) {
		fputs("changed, ", w->f); /* read by other rules or another clock */
	} else {
		value(w, c->old);
		fputs(w->markdown ? " → " : " -> ", w->f);
	}
	value(w, c->new);
	if (c->weaker)
		fprintf(w->f, w->markdown ? " **weaker**" : " %sweaker%s",
		    tone(w, TONE_WARN), tone(w, TONE_PLAIN));
	if (c->file != NULL) {
		fputs("  ", w->f);
		foreign(w, c->file);
		fprintf(w->f, ":%u", c->line);
	}
	fputs("\n", w->f);
}

static void all(const struct writer *w, const struct diff *d)
{
	if (diff_is_empty(d)) {
		fputs("No changes\n", w->f);
		return;
	}
	regions(w, &d->exposure, "Exposure opened: SMB or RDP, or what guards them", "!",
	    TONE_BAD);
	regions(w, &d->opened, "Opened", "+", TONE_WARN);
	regions(w, &d->closed, "Closed", "-", TONE_GOOD);
	for (int i = 0; i < DIFF_LISTS; i++) {
		if (d->list[i].n > 0)
			heading(w, titles[i], d->list[i].n, TONE_BOLD);
		for (size_t k = 0; k < d->list[i].n; k++)
			change_row(w, &d->list[i].v[k]);
	}
}

void diffout_text(FILE *f, const struct diff *d, const struct fs *old,
    const struct fs *new, bool colour)
{
	struct writer w = { .f = f, .fs = { old, new }, .modes = &d->list[DIFF_MODES],
		.colour = colour };

	all(&w, d);
}

void diffout_markdown(FILE *f, const struct diff *d, const struct fs *old,
    const struct fs *new)
{
	struct writer w = { .f = f, .fs = { old, new }, .modes = &d->list[DIFF_MODES],
		.markdown = true };

	fputs(d->exposure.n > 0 ? "## cordon: this change exposes SMB or RDP\n\n"
				: "## cordon: policy difference\n\n", f);
	all(&w, d);
}
