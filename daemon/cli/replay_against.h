/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a capture judged by two policies: what changes for its flows */
#ifndef CORDON_CLI_REPLAY_AGAINST_H
#define CORDON_CLI_REPLAY_AGAINST_H

#include <stdint.h>

/* Read the file once for the policies `before` and `after` (folders or git:REV), and
 * print each flow whose verdict differs; at as replay_judge() takes it.  Returns an enum
 * cli_exit: CLI_DIFFERENT as --fail-on asks for. */
int replay_against(
    const char *before, const char *after, const char *file, const int64_t *at);

#endif
