/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: cordon posture: what the declared patch level of each host proves */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cordon/servicing.h>

#include "cli/cli.h"
#include "cli/observed.h"
#include "cli/out.h"
#include "cli/posture_out.h"
#include "cli/verb.h"

static const struct posture_format *const formats[FORMAT_COUNT] = {
	[FORMAT_TEXT] = &posture_text,
	[FORMAT_JSON] = &posture_json,
	[FORMAT_MARKDOWN] = &posture_markdown,
};

static bool is_first(const struct posture_finding *f)
{
	return f->state == POSTURE_OPEN && (f->shield.level == POSTURE_PARTLY ||
					       f->shield.level == POSTURE_NOTHING);
}

/* Note what of a host can't wait; -1: no memory. */
static int add_first(const struct posture *p, struct posture_total *t)
{
	struct posture_first *first;
	size_t n = p->against[POSTURE_OPEN][POSTURE_PARTLY] +
		   p->against[POSTURE_OPEN][POSTURE_NOTHING];

	if (n == 0)
		return 0;
	first = calloc(1, sizeof(*first) + n * sizeof(first->vulns[0]));
	if (first == NULL)
		return -1;
	first->host = p->host;
	for (size_t i = 0; i < p->nfindings; i++)
		if (is_first(&p->findings[i]))
			first->vulns[first->n++] = p->findings[i].vuln;
	*t->first_end = first;
	t->first_end = &first->next;
	return 0;
}

static void free_first(struct posture_first *first)
{
	while (first != NULL) {
		struct posture_first *next = first->next;

		free(first);
		first = next;
	}
}

static void add_row(const struct servicing_update *u, struct posture_total *t)
{
	size_t i = t->nuncertain;

	while (i > 0 && t->uncertain[i - 1] > u)
		i--;
	if (!u->uncertain || (i > 0 && t->uncertain[i - 1] == u))
		return;
	if (t->nuncertain == POSTURE_UNCERTAIN_MAX) {
		t->more_uncertain++;
		return;
	}
	memmove(&t->uncertain[i + 1], &t->uncertain[i],
	    (t->nuncertain++ - i) * sizeof(t->uncertain[0]));
	t->uncertain[i] = u;
}

static void add_claim(const struct posture_claim *c, struct posture_total *t)
{
	for (unsigned i = 0; i < c->ncites; i++)
		add_row(c->cite[i], t);
}

/* The rows of the table that are uncertain and that something said rests on. */
static void add_uncertain(const struct posture *p, struct posture_total *t)
{
	add_claim(&p->level, t);
	add_claim(&p->last, t);
	add_claim(&p->behind, t);
	add_claim(&p->install, t);
	for (size_t i = 0; i < p->ninconsistent; i++)
		add_claim(&p->inconsistent[i], t);
	for (size_t i = 0; i < p->nnotes; i++)
		add_claim(&p->notes[i], t);
	for (size_t i = 0; i < p->nfindings; i++)
		add_claim(&p->findings[i].why, t);
}

static int add_up(
    const struct posture_view *v, const struct posture *p, struct posture_total *t)
{
	const struct observed_host *seen = posture_observed(v, p->host);

	t->hosts++;
	t->cover[p->cover]++;
	t->inconsistent += p->ninconsistent > 0;
	t->differing += seen != NULL && seen->verdict == POSTURE_SEEN_DIFFERS;
	add_uncertain(p, t);
	for (int s = 0; s < POSTURE_NSTATES; s++) {
		t->states[s] += p->states[s];
		for (int a = 0; a < POSTURE_NAGAINST; a++)
			t->against[s][a] += p->against[s][a];
	}
	return add_first(p, t);
}

static int print_hosts(const struct posture_view *v, const struct servicing *table,
    struct posture_total *total)
{
	const struct posture_format *f = formats[cli.format];

	f->begin(v);
	for (uint32_t i = 0; i < v->fs->table[FS_HOSTS].count && !ferror(stdout); i++) {
		struct posture *p;
		int rc;

		if (!fs_host(v->fs, i)->declared)
			continue;
		rc = posture_judge(table, v->fs, i, v->at, &p);
		if (rc == 0) {
			rc = add_up(v, p, total);
			f->host(v, p);
			posture_free(p);
		}
		if (rc != 0) {
			cli_warnx("out of memory");
			return CLI_SYSTEM;
		}
	}
	return f->end(v, total) == 0 ? CLI_OK : CLI_SYSTEM;
}

static int read_observed(struct posture_view *v, struct observed **ret)
{
	const char *path = cli_opt("observed");
	char *safe;
	int err;

	if (path == NULL)
		return CLI_OK;
	if (observed_read(path, v->fs, ret) == 0) {
		v->observed = *ret;
		if ((*ret)->malformed > 0)
			cli_warnx(
			    "%llu of %llu lines are no events, or too long: skipped",
			    (unsigned long long)(*ret)->malformed,
			    (unsigned long long)(*ret)->lines);
		if ((*ret)->broken > 0)
			cli_warnx("%llu packed file%s damaged: used as far as possible",
			    (unsigned long long)(*ret)->broken,
			    (*ret)->broken == 1 ? " is" : "s are");
		return CLI_OK;
	}
	err = errno;
	safe = out_escaped(path, strlen(path));
	cli_warnx("events %s: %s", safe != NULL ? safe : "?",
	    err == ENODATA ? "no file with .jsonl in its name" : strerror(err));
	free(safe);
	return err == EACCES || err == EPERM ? CLI_FORBIDDEN : CLI_USAGE;
}

int verb_posture(int argc, char **argv)
{
	struct posture_total total = { .first_end = &total.first };
	struct posture_view v = { 0 };
	struct servicing *table = NULL;
	struct observed *seen = NULL;
	struct fs *fs = NULL;
	char why[200];
	int rc;

	(void)argc;
	if ((rc = cli_time(&v.at)) != CLI_OK)
		return rc;
	if (servicing_shipped(&table, why, sizeof(why)) != 0) {
		cli_warnx("%s", why);
		return CLI_SYSTEM;
	}
	rc = cli_load_policy(argv[1], &fs);
	v.fs = fs;
	if (rc == CLI_OK)
		rc = read_observed(&v, &seen);
	if (rc == CLI_OK)
		rc = print_hosts(&v, table, &total);
	free_first(total.first);
	observed_free(seen);
	free(fs);
	servicing_free(table);
	return rc;
}
