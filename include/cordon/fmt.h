/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: policy files in one form: cordon fmt */
#ifndef CORDON_FMT_H
#define CORDON_FMT_H

#include <stddef.h>

struct diaglist;

/* The canonical form of the policy file data[0..len).  path tells the kind of file
 * ("hosts/a.yaml"; NULL: guessed by its keys) and stands in diagnostics.  Keys are in the
 * order of the table of keys, and take their comments along; every comment of the text is
 * in the result once.  0: *ret (free()) of *ret_len bytes, which means the same to the
 * loader, proven by reading it again.  -1: no YAML, a key twice, or no memory, in *d. */
int rules_fmt(const char *path, const char *data, size_t len, struct diaglist *d,
    char **ret, size_t *ret_len);

#endif
