/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the servicing table from its YAML: one row a key, references resolved */
#include "rules/servicing.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/shipped.h"

enum { TABLE_MEMORY_MAX = 16 << 20, ROWS_MAX = 4096 };

int servicing_fail(struct reader *r, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (r->failed)
		return -1;
	r->failed = true;
	n = snprintf(
	    r->why, r->size, "%s:%u: ", r->file, r->at != NULL ? r->at->line : 0);
	va_start(ap, fmt);
	if (n >= 0 && (size_t)n < r->size)
		vsnprintf(r->why + n, r->size - (size_t)n, fmt, ap);
	va_end(ap);
	return -1;
}

/* ---- values ---- */

static const char *const kind_names[SERVICING_NKINDS] = {
	[SERVICING_LIFECYCLE] = "lifecycle",
	[SERVICING_END] = "end",
	[SERVICING_FIX] = "fix",
	[SERVICING_ROLLUP] = "rollup",
	[SERVICING_SECURITY_ONLY] = "security-only",
	[SERVICING_PREVIEW] = "preview",
	[SERVICING_SSU] = "ssu",
	[SERVICING_SHA2] = "sha-2",
	[SERVICING_ESU_PREP] = "esu-prep",
};
static const char *const programme_names[SERVICING_NPROGRAMMES] = {
	[SERVICING_FREE] = "free",
	[SERVICING_ESU] = "esu",
	[SERVICING_AZURE] = "azure",
	[SERVICING_PREMIUM] = "premium",
};

const char *servicing_kind_name(enum servicing_kind k)
{
	return kind_names[k];
}

const char *servicing_programme_name(enum servicing_programme p)
{
	return programme_names[p];
}

const char *servicing_text(struct reader *r, const struct ynode *n)
{
	const char *copy = NULL;

	if (n->kind == YNODE_SCALAR)
		copy = arena_strndup(&r->table->arena, n->text, n->n);
	else
		servicing_fail(r, "a text is wanted");
	if (copy == NULL)
		servicing_fail(r, "no memory");
	return copy != NULL ? copy : "";
}

int servicing_word(
    struct reader *r, const struct ynode *n, const char *const *names, int count)
{
	for (int i = 0; n->kind == YNODE_SCALAR && i < count; i++)
		if (strcmp(names[i], n->text) == 0)
			return i;
	servicing_fail(r, "\"%s\" is not known here",
	    n->kind == YNODE_SCALAR ? n->text : "a list");
	return 0;
}

static bool digits(const char *s, size_t n, uint32_t *ret)
{
	*ret = 0;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		*ret = *ret * 10 + (uint32_t)(s[i] - '0');
	}
	return n > 0 && n < 9;
}

/* "2019-04" or "2019-04-09" -> months. */
static uint32_t month_of(struct reader *r, const char *s)
{
	size_t len = strlen(s);
	uint32_t year, month, day = 1;

	if ((len != 7 && len != 10) || s[4] != '-' || !digits(s, 4, &year) ||
	    !digits(s + 5, 2, &month) || month < 1 || month > 12 ||
	    (len == 10 &&
		(s[7] != '-' || !digits(s + 8, 2, &day) || day < 1 || day > 31))) {
		servicing_fail(r, "\"%s\" is not a date", s);
		return 0;
	}
	return 12 * year + month - 1;
}

/* "6003" or "6003.20489" */
void servicing_version(
    struct reader *r, const char *s, uint32_t *ret_build, uint32_t *ret)
{
	size_t n = strcspn(s, ".");

	*ret = 0;
	if (!digits(s, n, ret_build) ||
	    (s[n] != '\0' && !digits(s + n + 1, strlen(s + n + 1), ret)))
		servicing_fail(r, "\"%s\" is not BUILD.REVISION", s);
}

/* The items of a list, or the one scalar in its place. */
unsigned servicing_list(struct reader *r, const struct ynode *n, const char **ret)
{
	unsigned count = 0;

	if (n->kind == YNODE_SCALAR) {
		ret[0] = servicing_text(r, n);
		return 1;
	}
	for (const struct yitem *i = n->items; i != NULL; i = i->next) {
		if (i->key != NULL || count == SERVICING_LIST_MAX) {
			servicing_fail(
			    r, "a list of at most %d is wanted", SERVICING_LIST_MAX);
			break;
		}
		ret[count++] = servicing_text(r, i->value);
	}
	return count;
}

/* ---- updates ---- */

typedef void update_put(
    struct reader *r, struct servicing_update *u, const struct ynode *n);

static void put_date(
    struct reader *r, struct servicing_update *u, const struct ynode *n)
{
	u->date = servicing_text(r, n);
	u->month = month_of(r, u->date);
}
static void put_kb(struct reader *r, struct servicing_update *u, const struct ynode *n)
{
	u->kb = servicing_text(r, n);
	if (strncmp(u->kb, "KB", 2) != 0)
		servicing_fail(r, "\"%s\" is not a KB number", u->kb);
}
static void put_kind(
    struct reader *r, struct servicing_update *u, const struct ynode *n)
{
	u->kind =
	    (enum servicing_kind)servicing_word(r, n, kind_names, SERVICING_NKINDS);
}
static void put_programme(
    struct reader *r, struct servicing_update *u, const struct ynode *n)
{
	u->programme = (enum servicing_programme)servicing_word(
	    r, n, programme_names, SERVICING_NPROGRAMMES);
}
static void put_revision(
    struct reader *r, struct servicing_update *u, const struct ynode *n)
{
	servicing_version(r, servicing_text(r, n), &u->build, &u->revision);
}
static void put_high(
    struct reader *r, struct servicing_update *u, const struct ynode *n)
{
	const char *s = servicing_text(r, n);

	if (!digits(s, strlen(s), &u->revision_high))
		servicing_fail(r, "\"%s\" is not a revision", s);
}
static void put_of(struct reader *r, struct servicing_update *u, const struct ynode *n)
{
	u->of = servicing_text(r, n);
}
static void put_required(
    struct reader *r, struct servicing_update *u, const struct ynode *n)
{
	u->required_from = month_of(r, servicing_text(r, n));
}
static void put_uncertain(
    struct reader *r, struct servicing_update *u, const struct ynode *n)
{
	u->uncertain = strcmp(servicing_text(r, n), "true") == 0;
}
static void put_note(
    struct reader *r, struct servicing_update *u, const struct ynode *n)
{
	u->note = servicing_text(r, n);
}
static void put_source(
    struct reader *r, struct servicing_update *u, const struct ynode *n)
{
	u->source = servicing_text(r, n);
}

static const struct {
	const char *key;
	update_put *put;
} update_keys[] = { { "date", put_date }, { "kb", put_kb }, { "kind", put_kind },
	{ "programme", put_programme }, { "revision", put_revision },
	{ "revision_high", put_high }, { "of", put_of },
	{ "required_from", put_required }, { "uncertain", put_uncertain },
	{ "note", put_note }, { "source", put_source } };

static void read_update(
    struct reader *r, const struct ynode *row, struct servicing_update *u)
{
	*u = (struct servicing_update){
		.date = "", .kb = "", .note = "", .source = "", .of = ""
	};
	for (const struct yitem *i = row->items; i != NULL; i = i->next) {
		size_t k = 0, n = sizeof(update_keys) / sizeof(update_keys[0]);

		while (k < n && strcmp(update_keys[k].key, i->key->text) != 0)
			k++;
		if (k == n)
			servicing_fail(r, "unknown key \"%s\"", i->key->text);
		else
			update_keys[k].put(r, u, i->value);
	}
	if (u->revision_high == 0)
		u->revision_high = u->revision;
	if (*u->date == '\0' || *u->source == '\0')
		servicing_fail(r, "a row without date or source");
	if (*u->kb == '\0' && u->kind != SERVICING_LIFECYCLE &&
	    u->kind != SERVICING_END)
		servicing_fail(r, "an update without a KB number");
	if (u->revision_high < u->revision)
		servicing_fail(r, "revision_high is below revision");
}

/* Lookups and "the last one" go by this order. */
static void check_order(struct reader *r, const struct servicing_update *u, size_t i)
{
	if (i > 0 && strcmp(u[i - 1].date, u[i].date) > 0)
		servicing_fail(r, "%s stands after %s", u[i].date, u[i - 1].date);
	for (size_t k = 0; k < i && *u[i].kb != '\0'; k++)
		if (strcmp(u[k].kb, u[i].kb) == 0)
			servicing_fail(r, "%s stands there twice", u[i].kb);
}

/* ---- files ---- */

static void on_duplicate(void *arg, const struct ynode *key, const struct ynode *first)
{
	struct reader *r = arg;

	(void)first;
	r->at = key;
	servicing_fail(r, "\"%s\" stands there twice", key->text);
}

const struct ynode *servicing_rows(
    struct reader *r, struct arena *a, const char *data, size_t len)
{
	struct yaml_error e = { 0 };
	struct ydoc *doc = NULL;

	r->at = NULL;
	if (yaml_parse(a, data, len, on_duplicate, r, &doc, &e) == -1) {
		servicing_fail(r, "line %u: %s", e.line,
		    e.message != NULL ? e.message : "no memory");
		return NULL;
	}
	if (doc == NULL || doc->root->kind != YNODE_SEQ || doc->root->n == 0 ||
	    doc->root->n > ROWS_MAX || doc->next != NULL) {
		servicing_fail(r, "one list of 1 to %d rows is wanted", ROWS_MAX);
		return NULL;
	}
	for (const struct yitem *i = doc->root->items; i != NULL; i = i->next) {
		r->at = i->value;
		if (i->value->kind != YNODE_MAP)
			servicing_fail(r, "a row is not a map");
	}
	return r->failed ? NULL : doc->root;
}

static void read_updates(
    struct reader *r, struct arena *a, const char *data, size_t len)
{
	const struct ynode *rows = servicing_rows(r, a, data, len);
	struct servicing *t = &r->table->t;
	struct servicing_update *u;

	if (rows == NULL)
		return;
	u = arena_calloc(&r->table->arena, rows->n, sizeof(*u));
	if (u == NULL) {
		servicing_fail(r, "no memory");
		return;
	}
	t->updates = u;
	for (const struct yitem *i = rows->items; i != NULL && !r->failed;
	     i = i->next) {
		r->at = i->value;
		read_update(r, i->value, &u[t->nupdates]);
		check_order(r, u, t->nupdates++);
	}
}

static void read_vulns(struct reader *r, struct arena *a, const char *data, size_t len)
{
	const struct ynode *rows = servicing_rows(r, a, data, len);
	struct servicing *t = &r->table->t;
	struct servicing_vuln *v;

	if (rows == NULL)
		return;
	v = arena_calloc(&r->table->arena, rows->n, sizeof(*v));
	if (v == NULL) {
		servicing_fail(r, "no memory");
		return;
	}
	t->vulns = v;
	for (const struct yitem *i = rows->items; i != NULL && !r->failed;
	     i = i->next) {
		r->at = i->value;
		servicing_read_vuln(r, i->value, &v[t->nvulns++]);
	}
}

int servicing_parse(const char *updates, size_t updates_len, const char *cves,
    size_t cves_len, struct servicing **ret, char *why, size_t size)
{
	struct arena nodes = { .limit = TABLE_MEMORY_MAX };
	struct reader r = { .table = calloc(1, sizeof(*r.table)),
		.why = why,
		.size = size,
		.file = "servicing.yaml" };

	if (r.table == NULL)
		return servicing_fail(&r, "no memory");
	r.table->arena.limit = TABLE_MEMORY_MAX;
	read_updates(&r, &nodes, updates, updates_len);
	if (!r.failed) {
		r.file = "cves.yaml";
		read_vulns(&r, &nodes, cves, cves_len);
	}
	arena_free(&nodes);
	if (r.failed) {
		servicing_free(&r.table->t);
		return -1;
	}
	*ret = &r.table->t;
	return 0;
}

static const struct shipped *shipped_find(const char *path)
{
	for (const struct shipped *s = shipped_files; s->path != NULL; s++)
		if (strcmp(s->path, path) == 0)
			return s;
	return NULL;
}

int servicing_shipped(struct servicing **ret, char *why, size_t size)
{
	const struct shipped *updates = shipped_find("servicing/servicing.yaml");
	const struct shipped *cves = shipped_find("servicing/cves.yaml");
	const struct shipped *others = shipped_find("servicing/other-systems.yaml");
	struct servicing *t;

	if (updates == NULL || cves == NULL || others == NULL) {
		snprintf(why, size, "the servicing table is not in this program");
		return -1;
	}
	if (servicing_parse(updates->data, updates->len, cves->data, cves->len, &t, why,
		size) == -1)
		return -1;
	if (servicing_parse_others(t, others->data, others->len, why, size) == -1) {
		servicing_free(t);
		return -1;
	}
	*ret = t;
	return 0;
}

void servicing_free(struct servicing *t)
{
	struct table *table = (struct table *)t;

	if (table == NULL)
		return;
	arena_free(&table->arena);
	free(table);
}

const struct servicing_update *servicing_find(const struct servicing *t, const char *kb)
{
	for (size_t i = 0; i < t->nupdates; i++)
		if (*kb != '\0' && strcmp(t->updates[i].kb, kb) == 0)
			return &t->updates[i];
	return NULL;
}
