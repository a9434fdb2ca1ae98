/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a file read in large parts, whose records are lent where they lie */
#include "base/parts.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { PART = 1 << 18, ROOM = 2 * PART };

int parts_init(struct parts *p, FILE *file, size_t held)
{
	*p = (struct parts){ .file = file, .room = ROOM, .next = held };
	p->bytes = malloc(p->room);
	return p->bytes ? 0 : -1;
}

void parts_fini(struct parts *p)
{
	free(p->bytes);
}

int parts_fail(struct parts *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->why, sizeof(p->why), fmt, ap);
	va_end(ap);
	return -1;
}

static int make_room(struct parts *p, size_t n)
{
	uint8_t *bigger;

	if (n <= p->room)
		return 0;
	bigger = realloc(p->bytes, n);
	if (!bigger)
		return parts_fail(p, "%s", strerror(ENOMEM));
	p->bytes = bigger;
	p->room = n;
	return 0;
}

void parts_more(struct parts *p)
{
	size_t n;

	if (p->over)
		return;
	p->over = true;
	if (p->at) /* else a long record is moved with each part of it */
		memmove(p->bytes, p->bytes + p->at, p->end - p->at);
	p->end -= p->at;
	p->at = 0;
	if (make_room(p, p->end + p->next) < 0)
		return;
	errno = 0;
	n = fread(p->bytes + p->end, 1, p->next, p->file);
	p->end += n;
	p->over = n < p->next;
	if (p->over && ferror(p->file))
		parts_fail(p, "error reading dump file: %s", strerror(errno));
	p->next = PART;
}
