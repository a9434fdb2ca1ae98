/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: ends of a flow as people name them: address, declared host, gateway */
#ifndef CORDON_CLI_ENDS_H
#define CORDON_CLI_ENDS_H

#include <stddef.h>

#include <cordon/flowspace.h>

struct ends;

/* An index of fs's host names; fs outlives it.  NULL: no memory. */
struct ends *ends_new(const struct fs *fs);
void ends_free(struct ends *n);

/* FS_HOSTS index of a declared host, or FS_NONE. */
uint32_t ends_host(const struct ends *n, const char *name, size_t len);

/* Fill flow's src, dst, proto and dport from three words.  A name stands for its
 * first address of the family that the other end has, IPv4 where both may be.
 * 0, or -1 and *ret_why (static text) and *ret_word (0-2: the word that is wrong). */
int ends_flow(const struct ends *n, const char *const word[static 3],
    struct fs_flow *flow, const char **ret_why, unsigned *ret_word);

#endif
