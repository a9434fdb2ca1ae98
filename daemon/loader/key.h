/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what a policy was made from, as one digest */
#ifndef CORDON_LOADER_KEY_H
#define CORDON_LOADER_KEY_H

#include <stdbool.h>

#include "priv/msg.h"

/* Two policies of one key are the same, but for the time at which they are compiled:
 * this very program (its build id), the tree, the zone's file (`tree`: the digest of
 * rules_load() or rules_digest()) and the commit.  All zero where the tree's digest is
 * that, or the program has no build id. */
void key_make(const uint8_t tree[static 32], const char *commit,
    uint8_t ret[static MSG_KEY_LEN]);
bool key_is_set(const uint8_t key[static MSG_KEY_LEN]);

#endif
