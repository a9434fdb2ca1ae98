/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: memory that is built whole and freed whole */
#include "rules/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_MIN = 64 * 1024, ALIGN = 16 };

struct arena_chunk {
	struct arena_chunk *next;
	size_t used, cap;
	_Alignas(ALIGN) char mem[];
};

static struct arena_chunk *chunk_new(struct arena *a, size_t need)
{
	size_t cap = need > CHUNK_MIN ? need : CHUNK_MIN;
	struct arena_chunk *c = malloc(sizeof(*c) + cap);

	if (c == NULL)
		return NULL;
	c->used = 0;
	c->cap = cap;
	c->next = a->head;
	a->head = c;
	return c;
}

void *arena_calloc(struct arena *a, size_t n, size_t size)
{
	struct arena_chunk *c = a->head;
	size_t len;
	void *p;

	if (__builtin_mul_overflow(n, size, &len) || len > SIZE_MAX / 4)
		goto fail;
	len = (len + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (a->limit != 0 && len > a->limit - a->used) {
		a->over = true;
		goto fail;
	}
	if (c == NULL || c->cap - c->used < len) {
		c = chunk_new(a, len);
		if (c == NULL)
			goto fail;
	}
	p = c->mem + c->used;
	c->used += len;
	a->used += len;
	return memset(p, 0, len);
fail:
	a->failed = true;
	return NULL;
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *p = arena_calloc(a, len + 1, 1);

	if (p != NULL)
		memcpy(p, s, len);
	return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	p = n < 0 ? NULL : arena_calloc(a, (size_t)n + 1, 1);
	if (p == NULL)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

void arena_reset(struct arena *a)
{
	struct arena_chunk *c = a->head;

	if (c == NULL)
		return;
	while (c->next != NULL) {
		struct arena_chunk *next = c->next->next;

		free(c->next);
		c->next = next;
	}
	c->used = 0;
	a->used = 0;
}

void arena_free(struct arena *a)
{
	while (a->head != NULL) {
		struct arena_chunk *next = a->head->next;

		free(a->head);
		a->head = next;
	}
	a->used = 0;
}
