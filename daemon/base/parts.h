/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a file read in large parts, whose records are lent where they lie */
#ifndef BASE_PARTS_H
#define BASE_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "wire/decode.h"

/* libpcap asks stdio twice a packet, which then copies every byte again.  Here a part of
 * the file that stays in the second-level cache is read at once, and what records there
 * are in it are borrowed until more is read. */
struct parts {
	FILE *file;
	uint8_t *bytes;
	size_t at, end;	   /* of bytes[]: what is still to be looked at */
	size_t room, next; /* of bytes[]; how much is asked for next */
	bool over;	   /* nothing comes any more: the end, or `why` */
	char why[128];	   /* "": nothing is wrong */
};

/* From `file`, which stays the caller's and which nobody else may read from here on.
 * `held` (> 0) is how much stdio may have read of it already: that is asked for first,
 * exactly, so that everything behind it comes straight from the kernel.  -1 without
 * memory; parts_fini() is legal then, and on what is all 0. */
int parts_init(struct parts *p, FILE *file, size_t held);
void parts_fini(struct parts *p);

/* Read on behind what is left, or set p->over.  What was borrowed is gone.  The memory is
 * what is left and one part, whatever a file claims to hold. */
void parts_more(struct parts *p);

/* Why there is nothing more or none that makes sense.  Returns -1. */
int parts_fail(struct parts *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static inline size_t parts_left(const struct parts *p)
{
	return p->end - p->at;
}

/* How one kind of file is read.  `one` looks at p->at: 1, a packet, 0, what is there is
 * not all of one, -1 on damage, which moves nothing, so that it is met again.  `broken`:
 * with p->over, what that means: 0 or -1. */
struct parts_kind {
	int (*one)(void *arg, struct pkt_in *ret);
	int (*broken)(void *arg);
};

/* Up to max (>= 1) of the next packets, borrowed until the next call: how many, 0 at the
 * end, -1.  Inline so that a constant `kind` is called directly. */
static inline int parts_some(struct parts *p, const struct parts_kind *kind, void *arg,
    struct pkt_in *ret, int max)
{
	int n = 0, rc;

	for (;;) {
		rc = kind->one(arg, &ret[n]);
		if (rc == 1 && ++n < max)
			continue;
		if (n > 0)
			return n;
		if (rc < 0)
			return rc;
		if (p->over)
			return kind->broken(arg);
		parts_more(p);
	}
}

#endif
