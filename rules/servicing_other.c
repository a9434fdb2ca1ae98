/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: updates of other systems (other-systems.yaml), and numbers that look alike
 */
#include <stdlib.h>
#include <string.h>

#include "rules/servicing.h"

enum { OTHER_KBS_MAX = 4096 };

static void read_kbs(struct reader *r, const struct ynode *n, struct servicing_other *o)
{
	const char **kb;

	if (n->kind != YNODE_SEQ || n->n == 0 || n->n > OTHER_KBS_MAX) {
		servicing_fail(r, "a list of 1 to %d is wanted", OTHER_KBS_MAX);
		return;
	}
	kb = arena_calloc(&r->table->arena, n->n, sizeof(*kb));
	if (kb == NULL) {
		servicing_fail(r, "no memory");
		return;
	}
	o->kb = kb;
	for (const struct yitem *i = n->items; i != NULL && !r->failed; i = i->next) {
		kb[o->nkb] = servicing_text(r, i->value);
		if (strncmp(kb[o->nkb], "KB", 2) != 0)
			servicing_fail(r, "\"%s\" is not a KB number", kb[o->nkb]);
		else if (servicing_find(&r->table->t, kb[o->nkb]) != NULL)
			servicing_fail(r, "%s is one of our own", kb[o->nkb]);
		o->nkb++;
	}
}

static void read_other(
    struct reader *r, const struct ynode *row, struct servicing_other *o)
{
	*o = (struct servicing_other){ .product = "", .source = "" };
	for (const struct yitem *i = row->items; i != NULL; i = i->next) {
		if (strcmp(i->key->text, "product") == 0)
			o->product = servicing_text(r, i->value);
		else if (strcmp(i->key->text, "source") == 0)
			o->source = servicing_text(r, i->value);
		else if (strcmp(i->key->text, "kbs") == 0)
			read_kbs(r, i->value, o);
		else
			servicing_fail(r, "unknown key \"%s\"", i->key->text);
	}
	if (*o->product == '\0' || *o->source == '\0' || o->nkb == 0)
		servicing_fail(r, "a row without product, source or kbs");
}

int servicing_parse_others(
    struct servicing *t, const char *text, size_t len, char *why, size_t size)
{
	struct arena nodes = { .limit = 16 << 20 };
	struct reader r = { .table = (struct table *)t,
		.file = "other-systems.yaml",
		.why = why,
		.size = size };
	const struct ynode *rows = servicing_rows(&r, &nodes, text, len);
	struct servicing_other *o = NULL;

	if (rows != NULL)
		o = arena_calloc(&r.table->arena, rows->n, sizeof(*o));
	if (rows != NULL && o == NULL)
		servicing_fail(&r, "no memory");
	t->others = o;
	t->nothers = 0;
	for (const struct yitem *i = o != NULL ? rows->items : NULL;
	     i != NULL && !r.failed; i = i->next) {
		r.at = i->value;
		read_other(&r, i->value, &o[t->nothers++]);
	}
	arena_free(&nodes);
	return r.failed ? -1 : 0;
}

const struct servicing_other *servicing_of_other(
    const struct servicing *t, const char *kb)
{
	for (size_t i = 0; i < t->nothers; i++)
		for (size_t k = 0; k < t->others[i].nkb; k++)
			if (strcmp(t->others[i].kb[k], kb) == 0)
				return &t->others[i];
	return NULL;
}

/* Whether a slip of the finger lies between them: one digit another, one too many or
 * too few, or two neighbours the other way round. */
static bool is_slip(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b), i = 0;

	while (a[i] != '\0' && a[i] == b[i])
		i++;
	if (n == m)
		return strcmp(a + i, b + i) != 0 &&
		       (strcmp(a + i + 1, b + i + 1) == 0 ||
			   (a[i] == b[i + 1] && a[i + 1] == b[i] && a[i] != '\0' &&
			       a[i + 1] != '\0' && strcmp(a + i + 2, b + i + 2) == 0));
	if (n + 1 == m)
		return strcmp(a + i, b + i + 1) == 0;
	return n == m + 1 && strcmp(a + i + 1, b + i) == 0;
}

size_t servicing_near(const struct servicing *t, const char *kb,
    const struct servicing_update **ret, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < t->nupdates && n < max; i++)
		if (*t->updates[i].kb != '\0' && is_slip(kb, t->updates[i].kb))
			ret[n++] = &t->updates[i];
	return n;
}
