/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: memory that is built whole and freed whole */
#include "rules/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Chunks grow with what is in the arena already, so that a large policy has few. */
enum { CHUNK_MIN = 64 * 1024, CHUNK_MAX = 16 << 20, HUGE_MIN = 4 << 20, ALIGN = 16 };

struct arena_chunk {
	struct arena_chunk *next;
	size_t used, cap;
	size_t dirty; /* what lies behind these bytes was never written to: zero */
	_Alignas(ALIGN) char mem[];
};

void arena_advise(void *p, size_t len)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t from = ((uintptr_t)p + page - 1) & ~(page - 1),
		  to = ((uintptr_t)p + len) & ~(page - 1);

	/* Advice only: where there are no huge pages it works as well, slower. */
	if (len >= HUGE_MIN)
		madvise((void *)from, to - from, MADV_HUGEPAGE);
}

static struct arena_chunk *chunk_new(struct arena *a, size_t need)
{
	size_t cap = a->used < CHUNK_MIN ? CHUNK_MIN :
	    a->used < CHUNK_MAX		 ? a->used :
					   CHUNK_MAX;
	struct arena_chunk *c;

	if (cap < need)
		cap = need;
	/* Of this size they come zeroed from the system: not touched before use. */
	c = calloc(1, sizeof(*c) + cap);
	if (c == NULL)
		return NULL;
	arena_advise(c, sizeof(*c) + cap);
	c->cap = cap;
	c->next = a->head;
	a->head = c;
	return c;
}

/* len zeroed bytes at a multiple of `align`. */
static void *take(struct arena *a, size_t len, size_t align)
{
	struct arena_chunk *c = a->head;
	size_t pad = c != NULL ? -c->used & (align - 1) : 0;
	void *p;

	if (len > SIZE_MAX / 4)
		goto fail;
	len += pad;
	if (a->limit != 0 && len > a->limit - a->used) {
		a->over = true;
		goto fail;
	}
	if (c == NULL || c->cap - c->used < len) {
		len -= pad;
		pad = 0;
		c = chunk_new(a, len);
		if (c == NULL)
			goto fail;
	}
	p = c->mem + c->used + pad;
	if (c->used < c->dirty)
		memset(p, 0, len < c->dirty - c->used ? len : c->dirty - c->used);
	c->used += len;
	a->used += len;
	return p;
fail:
	a->failed = true;
	return NULL;
}

void *arena_calloc(struct arena *a, size_t n, size_t size)
{
	size_t len;

	if (__builtin_mul_overflow(n, size, &len))
		len = SIZE_MAX; /* refused */
	return take(a, len, ALIGN);
}

/* Text needs no alignment, and there is much of it. */
char *arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *p = take(a, len + 1, 1);

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
	p = n < 0 ? NULL : take(a, (size_t)n + 1, 1);
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
	if (c->dirty < c->used)
		c->dirty = c->used;
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
