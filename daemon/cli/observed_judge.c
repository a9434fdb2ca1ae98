/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what several things said at one address, or one name at several, come to */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/observed.h"

/* None of it is proof.  An address that says two builds can be a host that was updated,
 * a load balancer, NAT, a lease that went to another machine; one name at two hosts a
 * copy of a machine (as moving one into a VM leaves behind), a cluster, or one machine
 * declared twice.  So each note names what was seen, then what it can be. */

enum { NOTES_MAX = 8, SAID_MAX = OBSERVED_SIGHTS_MAX };

static int note(struct observed_host *h, char *text)
{
	if (text == NULL)
		return -1;
	if (h->notes == NULL)
		h->notes = calloc(NOTES_MAX, sizeof(*h->notes));
	if (h->notes == NULL || h->nnotes == NOTES_MAX) {
		free(text);
		return h->notes == NULL ? -1 : 0;
	}
	h->notes[h->nnotes++] = text;
	return 0;
}

/* What tells systems apart: the version, or else the native OS.  A dialect alone stands
 * in events before the version is known and does not. */
static const char *key_of(const struct observed_sight *s)
{
	return s->ntlm[0] != '\0' ? s->ntlm : s->native_os;
}

/* All sights of one address and key: from when to when. */
struct said {
	const char *address, *key, *first, *last;
};

static size_t group(const struct observed_host *h, struct said *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n; i++) {
		const struct observed_sight *s = &h->sight[i];
		size_t k = 0;

		if (*key_of(s) == '\0')
			continue;
		while (k < n && (strcmp(ret[k].address, s->address) != 0 ||
				    strcmp(ret[k].key, key_of(s)) != 0))
			k++;
		if (k == n)
			ret[n++] =
			    (struct said){ s->address, key_of(s), s->first, s->last };
		if (strcmp(s->first, ret[k].first) < 0)
			ret[k].first = s->first;
		if (strcmp(s->last, ret[k].last) > 0)
			ret[k].last = s->last;
	}
	return n;
}

/* Versions are compared with versions, names of systems with such. */
static bool is_version(const struct said *s)
{
	return s->key[strspn(s->key, "0123456789.")] == '\0';
}

static bool comparable(const struct said *a, const struct said *b)
{
	return is_version(a) == is_version(b) && strcmp(a->key, b->key) != 0;
}

/* What came after s at its address and shares no time with it; NULL: nothing, or times
 * that overlap, or are not told. */
static const struct said *after(const struct said *all, size_t n, const struct said *s)
{
	const struct said *next = NULL;

	for (size_t i = 0; i < n; i++) {
		if (strcmp(all[i].address, s->address) != 0 || !comparable(&all[i], s))
			continue;
		if (*s->last == '\0' || *all[i].first == '\0' ||
		    (strcmp(all[i].first, s->last) <= 0 &&
			strcmp(s->first, all[i].last) <= 0))
			return NULL;
		if (strcmp(all[i].first, s->last) > 0 &&
		    (next == NULL || strcmp(all[i].first, next->first) < 0))
			next = &all[i];
	}
	return next;
}

static bool overlaps(const struct said *a, const struct said *b)
{
	return strcmp(a->first, b->last) <= 0 && strcmp(b->first, a->last) <= 0;
}

static void mark_past(struct observed_host *h, const struct said *s)
{
	for (size_t i = 0; i < h->n; i++)
		if (strcmp(h->sight[i].address, s->address) == 0 &&
		    strcmp(key_of(&h->sight[i]), s->key) == 0)
			h->sight[i].past = true;
}

static int note_change(
    struct observed_host *h, const struct said *a, const struct said *b)
{
	char *text;

	if (asprintf(&text,
		"%s said %s until %s and %s since %s: updated, or restored, or another "
		"machine answers there",
		a->address, a->key, a->last, b->key, b->first) < 0)
		return -1;
	return note(h, text);
}

static int note_in_turn(
    struct observed_host *h, const struct said *a, const struct said *b)
{
	char *text;

	if (asprintf(&text,
		"%s says %s and %s in turn: more than one machine answers there (a load "
		"balancer, NAT, an address used twice)",
		a->address, a->key, b->key) < 0)
		return -1;
	return note(h, text);
}

static int note_addresses(
    struct observed_host *h, const struct said *a, const struct said *b)
{
	char *text;

	if (asprintf(&text,
		"%s says %s, %s says %s: not one machine, or updated in between",
		a->address, a->key, b->address, b->key) < 0)
		return -1;
	return note(h, text);
}

static int judge_pair(
    struct observed_host *h, const struct said *a, const struct said *b)
{
	if (!comparable(a, b))
		return 0;
	if (strcmp(a->address, b->address) == 0)
		return *a->first != '\0' && *b->first != '\0' && !overlaps(a, b)
			   ? 0
			   : note_in_turn(h, a, b);
	return note_addresses(h, a, b);
}

static int judge_keys(struct observed_host *h)
{
	struct said said[SAID_MAX];
	bool past[SAID_MAX] = { false };
	size_t n = group(h, said);

	for (size_t i = 0; i < n; i++) {
		const struct said *next = after(said, n, &said[i]);

		if (next == NULL)
			continue;
		past[i] = true;
		mark_past(h, &said[i]);
		if (note_change(h, &said[i], next) == -1)
			return -1;
	}
	for (size_t i = 0; i < n; i++)
		for (size_t k = i + 1; k < n; k++)
			if (!past[i] && !past[k] &&
			    judge_pair(h, &said[i], &said[k]) == -1)
				return -1;
	return 0;
}

/* ---- names ---- */

struct named {
	const char *name, *domain;
	uint32_t host;
};

static int by_name(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	if (c == 0)
		c = strcmp(x->domain, y->domain);
	return c != 0 ? c : (x->host > y->host) - (x->host < y->host);
}

static bool same_name(const struct named *a, const struct named *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->domain, b->domain) == 0;
}

/* The names that hosts answer by now, each once a host. */
static struct named *all_names(const struct observed *o, size_t *ret_n)
{
	size_t n = 0, kept = 0;
	struct named *all;

	for (size_t i = 0; i < o->nhosts; i++)
		n += o->host[i].n;
	all = calloc(n + 1, sizeof(*all));
	if (all == NULL)
		return NULL;
	n = 0;
	for (size_t i = 0; i < o->nhosts; i++)
		for (size_t k = 0; k < o->host[i].n; k++) {
			const struct observed_sight *s = &o->host[i].sight[k];

			if (s->name[0] != '\0' && !s->past)
				all[n++] =
				    (struct named){ s->name, s->domain, (uint32_t)i };
		}
	qsort(all, n, sizeof(*all), by_name);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || by_name(&all[kept - 1], &all[i]) != 0)
			all[kept++] = all[i];
	*ret_n = kept;
	return all;
}

static int note_shared(struct observed *o, const struct fs *fs, const struct named *a,
    const struct named *b)
{
	const char *other = fs_str(fs, fs_host(fs, b->host)->name);
	char *text;

	if (asprintf(&text,
		"%s answers by the name of %s, too: a copy of the machine, a cluster, or one "
		"machine declared twice",
		other, a->name) < 0)
		return -1;
	return note(&o->host[a->host], text);
}

static int note_names(struct observed_host *h)
{
	const struct observed_sight *first = NULL;
	char *text;

	for (size_t i = 0; i < h->n; i++) {
		const struct observed_sight *s = &h->sight[i];

		if (s->past || s->name[0] == '\0')
			continue;
		if (first == NULL)
			first = s;
		else if (strcmp(s->name, first->name) != 0) {
			if (asprintf(&text,
				"answers by more than one name (%s at %s, %s at %s): more than "
				"one machine, or it was renamed",
				first->name, first->address, s->name, s->address) < 0)
				return -1;
			return note(h, text);
		}
	}
	return 0;
}

static int judge_names(struct observed *o, const struct fs *fs)
{
	size_t n = 0;
	struct named *all = all_names(o, &n);
	int rc = all != NULL ? 0 : -1;

	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (i + 1 < n && same_name(&all[i], &all[i + 1]))
			rc = note_shared(o, fs, &all[i], &all[i + 1]);
		else if (i > 0 && same_name(&all[i], &all[i - 1]))
			rc = note_shared(o, fs, &all[i], &all[i - 1]);
	}
	free(all);
	return rc;
}

/* ---- hosts ---- */

static int by_first(const void *a, const void *b)
{
	const struct observed_sight *x = a, *y = b;
	int c = strcmp(x->first, y->first);

	if (c == 0)
		c = strcmp(x->address, y->address);
	if (c == 0)
		c = strcmp(x->said, y->said);
	if (c == 0)
		c = strcmp(x->native_os, y->native_os);
	return c != 0 ? c : strcmp(x->native_lm, y->native_lm);
}

static enum posture_seen worst(const struct observed_host *h)
{
	static const enum posture_seen order[] = { POSTURE_SEEN_DIFFERS,
		POSTURE_SEEN_UNKNOWN, POSTURE_SEEN_AGREES };

	for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++)
		for (size_t i = 0; i < h->n; i++)
			if (h->sight[i].verdict == order[k] && !h->sight[i].past)
				return order[k];
	return POSTURE_SEEN_NOTHING;
}

int observed_judge(struct observed *o, const struct fs *fs)
{
	for (size_t i = 0; i < o->nhosts; i++) {
		struct observed_host *h = &o->host[i];

		if (h->n > 1)
			qsort(h->sight, h->n, sizeof(*h->sight), by_first);
		if (judge_keys(h) == -1 || note_names(h) == -1)
			return -1;
		h->verdict = worst(h);
	}
	return judge_names(o, fs);
}
