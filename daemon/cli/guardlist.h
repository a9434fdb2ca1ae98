/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the guards of a policy, what each does where, and how sure it is */
#ifndef CORDON_CLI_GUARDLIST_H
#define CORDON_CLI_GUARDLIST_H

#include <stdint.h>

struct fs;

/* Print all guards of fs as they act at second `at`: a table, or one JSON line each.
 * Returns an enum cli_exit. */
int guardlist_print(const struct fs *fs, int64_t at);

#endif
