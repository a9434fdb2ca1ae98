/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a gzip file as a stdio stream */
#include "base/gzfile.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/types.h>
#include <zlib.h>

enum { GZ_CHUNK = 1 << 16, GZ_ONLY = 16 + MAX_WBITS };

struct gzfile {
	FILE *from;
	z_stream z;
	struct gzfile_error *err;
	bool member_ended;
	unsigned char in[GZ_CHUNK];
};

static int fail(struct gzfile *g, const char *why)
{
	g->err->why = why;
	errno = EIO;
	return -1;
}

/* More compressed bytes; 1, 0 at the end of the file, -1. */
static int refill(struct gzfile *g)
{
	if (g->z.avail_in)
		return 1;
	g->z.next_in = g->in;
	g->z.avail_in = (uInt)fread(g->in, 1, sizeof(g->in), g->from);
	if (g->z.avail_in)
		return 1;
	if (ferror(g->from))
		return fail(g, "the compressed file can't be read");
	return g->member_ended ? 0 : fail(g, "the gzip data breaks off");
}

/* What follows a member is the next one. */
static int inflate_some(struct gzfile *g)
{
	if (g->member_ended && inflateReset(&g->z) != Z_OK)
		return fail(g, "gzip can't begin again");
	g->member_ended = false;
	switch (inflate(&g->z, Z_NO_FLUSH)) {
	case Z_STREAM_END:
		g->member_ended = true;
		return 0;
	case Z_OK:
	case Z_BUF_ERROR: /* wants more of either side */
		return 0;
	case Z_MEM_ERROR:
		return fail(g, "no memory to decompress");
	}
	return fail(g, "the gzip data is damaged");
}

static ssize_t gz_read(void *cookie, char *buf, size_t size)
{
	struct gzfile *g = cookie;
	size_t room = size < 1u << 30 ? size : 1u << 30;
	int rc;

	g->z.next_out = (Bytef *)buf;
	g->z.avail_out = (uInt)room;
	while (g->z.avail_out == room) {
		rc = refill(g);
		if (rc <= 0)
			return rc;
		if (inflate_some(g) < 0)
			break;
	}
	/* What came out before the damage is given first: the next call finds it again. */
	if (g->z.avail_out < room)
		return (ssize_t)(room - g->z.avail_out);
	return -1;
}

static int gz_close(void *cookie)
{
	struct gzfile *g = cookie;
	int rc = fclose(g->from);

	inflateEnd(&g->z);
	free(g);
	return rc;
}

FILE *gzfile_open(FILE *from, struct gzfile_error *err)
{
	static const cookie_io_functions_t io = { .read = gz_read, .close = gz_close };
	struct gzfile *g = calloc(1, sizeof(*g));
	FILE *f;

	if (!g)
		return NULL;
	g->from = from;
	g->err = err;
	if (inflateInit2(&g->z, GZ_ONLY) != Z_OK) {
		free(g);
		return NULL;
	}
	f = fopencookie(g, "rb", io);
	if (!f) {
		inflateEnd(&g->z);
		free(g);
	}
	return f;
}
