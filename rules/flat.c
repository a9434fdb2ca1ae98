/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: growable tables that end as one block without pointers */
#include "rules/flat.h"

#include <stdlib.h>
#include <string.h>

#include "rules/arena.h"

#define FLAT_ALIGN(n)  (((n) + 15) & ~(size_t)15)
#define FLAT_BYTES_MAX ((size_t)1 << 31)

static uint32_t hash_of(const char *s, size_t len)
{
	uint64_t h = len, word;

	for (; len >= sizeof(word); s += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, s, sizeof(word));
		h = (h ^ word) * 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
	}
	word = 0;
	memcpy(&word, s, len);
	h = (h ^ word) * 0x9e3779b97f4a7c15u;
	return (uint32_t)(h >> 32);
}

int flat_init(struct flat *f, const size_t *elem_size, size_t ntables)
{
	memset(f, 0, sizeof(*f));
	f->ntables = ntables;
	for (size_t i = 0; i < ntables; i++)
		f->t[i].elem = elem_size[i];
	f->hash_cap = 1024;
	f->hash = calloc(f->hash_cap, sizeof(*f->hash));
	if (f->hash == NULL)
		return -1;
	flat_add(f, 0, "", 1);
	return f->failed ? -1 : 0;
}

void flat_free(struct flat *f)
{
	for (size_t i = 0; i < f->ntables; i++)
		free(f->t[i].at);
	free(f->hash);
	memset(f, 0, sizeof(*f));
}

static void resize(struct flat *f, struct flat_table *t, size_t cap)
{
	char *at = cap > FLAT_BYTES_MAX / t->elem ? NULL
						  : reallocarray(t->at, cap, t->elem);

	if (at == NULL) {
		f->failed = true;
		return;
	}
	arena_advise(at, cap * t->elem);
	t->at = at;
	t->cap = cap;
}

void flat_reserve(struct flat *f, size_t table, size_t n)
{
	struct flat_table *t = &f->t[table];

	if (!f->failed && t->count + n > t->cap)
		resize(f, t, t->count + n);
}

uint32_t flat_add(struct flat *f, size_t table, const void *data, size_t n)
{
	struct flat_table *t = &f->t[table];
	size_t need = t->count + n;

	if (f->failed)
		return 0;
	if (need > t->cap) {
		size_t cap = t->cap == 0 ? 64 : t->cap * 2;

		while (cap < need)
			cap *= 2;
		resize(f, t, cap);
		if (f->failed)
			return 0;
	}
	if (data != NULL)
		memcpy(t->at + t->count * t->elem, data, n * t->elem);
	else
		memset(t->at + t->count * t->elem, 0, n * t->elem);
	t->count = need;
	return (uint32_t)(need - n);
}

static int hash_grow(struct flat *f)
{
	size_t cap = f->hash_cap * 2;
	struct flat_slot *more = calloc(cap, sizeof(*more));

	if (more == NULL)
		return -1;
	for (size_t i = 0; i < f->hash_cap; i++) {
		size_t at = f->hash[i].hash & (cap - 1);

		if (f->hash[i].str == 0)
			continue;
		while (more[at].str != 0)
			at = (at + 1) & (cap - 1);
		more[at] = f->hash[i];
	}
	free(f->hash);
	f->hash = more;
	f->hash_cap = cap;
	return 0;
}

uint32_t flat_str(struct flat *f, const char *s)
{
	size_t at, len;
	uint32_t hash;

	if (s == NULL || *s == '\0' || f->failed)
		return 0;
	if (strcmp(f->t[0].at + f->last, s) == 0) /* often the same many times */
		return f->last;
	if (f->strings * 2 >= f->hash_cap && hash_grow(f) == -1) {
		f->failed = true;
		return 0;
	}
	len = strlen(s);
	hash = hash_of(s, len);
	for (at = hash & (f->hash_cap - 1); f->hash[at].str != 0;
	     at = (at + 1) & (f->hash_cap - 1))
		if (f->hash[at].hash == hash &&
		    strcmp(f->t[0].at + f->hash[at].str, s) == 0)
			return f->last = f->hash[at].str;
	f->strings++;
	f->last = flat_add(f, 0, s, len + 1);
	f->hash[at] = (struct flat_slot){ f->last, hash };
	return f->last;
}

void *flat_finish(const struct flat *f, const void *header, size_t header_len,
    size_t dir_off, size_t *ret_size)
{
	size_t size = FLAT_ALIGN(header_len), at = size;
	uint32_t *dir;
	char *block;

	if (f->failed)
		return NULL;
	for (size_t i = 0; i < f->ntables; i++)
		size += FLAT_ALIGN(f->t[i].count * f->t[i].elem);
	if (size > FLAT_BYTES_MAX)
		return NULL;
	block = calloc(1, size);
	if (block == NULL)
		return NULL;
	arena_advise(block, size);
	memcpy(block, header, header_len);
	dir = (uint32_t *)(void *)(block + dir_off);
	for (size_t i = 0; i < f->ntables; i++) {
		size_t len = f->t[i].count * f->t[i].elem;

		dir[2 * i] = (uint32_t)at;
		dir[2 * i + 1] = (uint32_t)f->t[i].count;
		if (len > 0)
			memcpy(block + at, f->t[i].at, len);
		at += FLAT_ALIGN(len);
	}
	*ret_size = size;
	return block;
}

bool flat_valid(const uint32_t *dir, const size_t *elem_size, size_t ntables,
    size_t header_len, const void *block, size_t size)
{
	for (size_t i = 0; i < ntables; i++) {
		size_t off = dir[2 * i], count = dir[2 * i + 1];

		if (off % 16 != 0 || off < header_len || off > size)
			return false;
		if (count > (size - off) / elem_size[i])
			return false;
	}
	return dir[1] > 0 && ((const char *)block)[dir[0] + dir[1] - 1] == '\0' &&
	       ((const char *)block)[dir[0]] == '\0';
}
