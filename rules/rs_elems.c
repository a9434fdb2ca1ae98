/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the elements of one set while its ruleset is built */
#include "rules/rs_elems.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "rules/arena.h"
#include "rules/flat.h"

void rs_elems_init(struct rs_elems *x, size_t key_len, bool interval)
{
	x->key_len = key_len;
	x->keys_len = key_len * (interval ? 2 : 1);
	x->stride = sizeof(struct rs_elem) + (x->keys_len + 3) / 4 * 4;
}

int rs_elems_add(struct rs_elems *x, const struct rs_elem *e, const void *key,
    const void *key_end)
{
	char *to;

	if (x->n == x->cap) {
		size_t cap = x->cap == 0 ? 64 : x->cap * 2;
		char *more = reallocarray(x->at, cap, x->stride);

		if (more == NULL)
			return -1;
		arena_advise(more, cap * x->stride);
		x->at = more;
		x->cap = cap;
	}
	to = x->at + x->n++ * x->stride;
	memcpy(to, e, sizeof(*e));
	memcpy(to + sizeof(*e), key, x->key_len);
	if (key_end != NULL)
		memcpy(to + sizeof(*e) + x->key_len, key_end, x->key_len);
	return 0;
}

void rs_elems_free(struct rs_elems *x)
{
	free(x->at);
	memset(x, 0, sizeof(*x));
}

static const char *record(const struct rs_elems *x, size_t i)
{
	return x->at + i * x->stride;
}

static const uint8_t *key_of(const char *rec)
{
	return (const uint8_t *)rec + sizeof(struct rs_elem);
}

/* ---- order ---- */

/* Sorted in place of the records: most comparisons end in the bytes that stand here, the
 * first that are not the same in all keys of the set.  By age where keys are equal, so
 * that the order hangs on no libc. */
struct order {
	uint64_t head[2]; /* big endian */
	const char *rec;
};

static int by_key(const void *x, const void *y, void *arg)
{
	const struct order *a = x, *b = y;
	const size_t *len = arg;
	int c;

	for (int i = 0; i < 2; i++)
		if (a->head[i] != b->head[i])
			return a->head[i] < b->head[i] ? -1 : 1;
	c = memcmp(key_of(a->rec), key_of(b->rec), *len);
	return c != 0 ? c : (a->rec > b->rec) - (a->rec < b->rec);
}

static uint64_t head_of(const uint8_t *key, size_t at, size_t len)
{
	uint64_t v = 0;

	if (at + sizeof(v) <= len) {
		memcpy(&v, key + at, sizeof(v));
		return be64toh(v);
	}
	for (size_t i = at; i < at + sizeof(v); i++)
		v = v << 8 | (i < len ? key[i] : 0);
	return v;
}

static void set_heads(const struct rs_elems *x, struct order *o)
{
	const uint8_t *first = key_of(record(x, 0));
	size_t same = x->key_len;

	for (size_t i = 1; i < x->n; i++) {
		const uint8_t *key = key_of(record(x, i));
		size_t k = 0;

		while (k < same && key[k] == first[k])
			k++;
		same = k;
	}
	for (size_t i = 0; i < x->n; i++) {
		o[i].rec = record(x, i);
		o[i].head[0] = head_of(key_of(o[i].rec), same, x->key_len);
		o[i].head[1] = head_of(key_of(o[i].rec), same + 8, x->key_len);
	}
}

static bool is_sorted(const struct rs_elems *x)
{
	for (size_t i = 1; i < x->n; i++)
		if (memcmp(key_of(record(x, i - 1)), key_of(record(x, i)), x->key_len) >= 0)
			return false;
	return true;
}

/* ---- into the tables ---- */

static void lay(const struct rs_elems *x, struct flat *f, const char *rec)
{
	struct rs_elem e;

	memcpy(&e, rec, sizeof(e)); /* with its padding, which is zero */
	e.key = flat_add(f, RS_KEYS, key_of(rec), x->keys_len);
	flat_add(f, RS_ELEMS, &e, 1);
}

static int lay_sorted(const struct rs_elems *x, struct flat *f, uint32_t *ret_n)
{
	struct order *o = calloc(x->n, sizeof(*o));
	size_t len = x->key_len, before = 0;

	if (o == NULL)
		return -1;
	arena_advise(o, x->n * sizeof(*o));
	set_heads(x, o);
	qsort_r(o, x->n, sizeof(*o), by_key, &len);
	for (size_t i = 0; i < x->n; i++) {
		if (i + 8 < x->n)
			__builtin_prefetch(o[i + 8].rec);
		if (i > 0 && memcmp(key_of(o[before].rec), key_of(o[i].rec), len) == 0)
			continue; /* the same key again: stored once */
		lay(x, f, o[i].rec);
		before = i;
		++*ret_n;
	}
	free(o);
	return 0;
}

int rs_elems_lay(const struct rs_elems *x, struct flat *f, uint32_t *ret_n)
{
	*ret_n = 0;
	if (x->n > 0 && !is_sorted(x))
		return lay_sorted(x, f, ret_n);
	for (size_t i = 0; i < x->n; i++)
		lay(x, f, record(x, i));
	*ret_n = (uint32_t)x->n;
	return 0;
}
