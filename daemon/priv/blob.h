/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: blocks of bytes handed from role to role as sealed memory files */
#ifndef CORDON_PRIV_BLOB_H
#define CORDON_PRIV_BLOB_H

#include <stddef.h>
#include <stdint.h>

/* No image or ruleset is larger. */
#define BLOB_MAX (UINT64_C(256) << 20)

/* A mapped, sealed memory file: nobody can change or shrink it any more. */
struct blob {
	int fd;           /* -1: none */
	const void *data; /* page-aligned; NULL where len is 0 */
	size_t len;
};
#define BLOB_NONE { -1, NULL, 0 }

/* A memory file of data[0..len), sealed against everything.  The fd or -errno. */
int blob_seal(const char *name, const void *data, size_t len);

/* Check the seals and the size (at most max) and map.  Takes fd over, closes it on
 * failure.  0 or -errno (-EPERM: not sealed, -EFBIG). */
int blob_take(int fd, uint64_t max, struct blob *ret);

/* Unmap and close; b becomes BLOB_NONE.  BLOB_NONE is legal. */
void blob_drop(struct blob *b);

/* Pages come at their first touch, and go again, at a millisecond for some megabytes:
 * both in slices, and breathe(arg) between them.  What the memory file itself takes goes
 * at once, with its last holder. */
typedef void blob_breathe_fn(void *arg);
void blob_touch(const struct blob *b, blob_breathe_fn *breathe, void *arg);
void blob_drop_calmly(struct blob *b, blob_breathe_fn *breathe, void *arg);

#endif
