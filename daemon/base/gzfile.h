/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a gzip file as a stdio stream */
#ifndef BASE_GZFILE_H
#define BASE_GZFILE_H

#include <stdio.h>

/* Why reading ended early, for messages; the stream's owner keeps it. */
struct gzfile_error {
	const char *why; /* static text, NULL: nothing is wrong */
};

/* Read `from`, which stands at the first byte of a gzip file (of any number of members),
 * through zlib.  The stream returned owns it and closes it.  A file that breaks off or is
 * damaged is a read error, and then err->why says which.  NULL without memory: `from`
 * stays the caller's. */
FILE *gzfile_open(FILE *from, struct gzfile_error *err);

#endif
