/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: how many event lines a minute one source, one host may cause */
#ifndef ENGINE_QUOTA_H
#define ENGINE_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include <cordon/netaddr.h>

struct quota;

/* Tables of fixed size, with a secret: strangers choose the keys.  Where there is no
 * room for another source or host of this minute, it has its full quota each time: the
 * other of the two still holds.  sodium_init() was called.  NULL: no memory. */
enum { QUOTA_SOURCES = 8192, QUOTA_HOSTS = 16384 };
struct quota *quota_new(void);
void quota_free(struct quota *q);

/* Take one line of both; limits a minute, 0: none.  IPv6 sources by /64; source v 0, host
 * "": none.  False: one of them is spent, and nothing was taken. */
bool quota_take(struct quota *q, const struct netaddr *source, uint32_t source_max,
    const char *host, uint32_t host_max, uint64_t mono_us);

#endif
