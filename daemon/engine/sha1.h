/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: SHA-1, because the Community ID is defined by it; for nothing else */
#ifndef ENGINE_SHA1_H
#define ENGINE_SHA1_H

#include <stddef.h>
#include <stdint.h>

enum { SHA1_LEN = 20 };

/* Digest of data[0..len).  Not for security: collisions can be made. */
void sha1(const void *data, size_t len, uint8_t ret[static SHA1_LEN]);

#endif
