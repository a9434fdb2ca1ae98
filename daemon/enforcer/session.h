/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: would a policy cut off the session it is applied from */
#ifndef CORDON_ENFORCER_SESSION_H
#define CORDON_ENFORCER_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "priv/msg.h"

struct fs;

/* iface: by which the session's packets enter, or "" where that is not known.  False:
 * it goes on under fs at `at` (seconds UTC), as far as cordon's table decides.  True:
 * *ret_why says what is missing. */
bool session_cut(const struct fs *fs, const struct msg_session *s, const char *iface,
    int64_t at, char *ret_why, size_t size);

/* The same as a sealed file with one diagnostic as JSON, as loaders write them.  A
 * descriptor or -errno. */
int session_diagnostic(const char *why);

#endif
