/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the SSH session this command runs in */
#ifndef CORDON_CLI_SESSION_H
#define CORDON_CLI_SESSION_H

#include <stddef.h>

/* SSH_CONNECTION ("CLIENT PORT SERVER PORT") of this process or, as sudo takes it away,
 * of the nearest process above it that may be read.  NULL: there is none.  buf. */
const char *session_ssh(char *buf, size_t size);

#endif
