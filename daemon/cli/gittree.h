/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a policy tree out of a git repository, for verbs that compare */
#ifndef CORDON_CLI_GITTREE_H
#define CORDON_CLI_GITTREE_H

#include <stdbool.h>

/* Whether an operand means a tree in git: git:REV or git:REV:PATH. */
bool gittree_is(const char *operand);

/* Write the files of that tree into a new private directory; *ret_dir is its path, for
 * gittree_remove().  REV alone is the current directory's part of the tree; PATH is
 * from the top of the repository, or from here with "./".  CLI_OK, or what to exit with
 * (said on stderr).  git runs without hooks, fsmonitor, filters and attributes, and
 * fetches nothing. */
int gittree_extract(const char *operand, char **ret_dir);

/* Remove the directory and free its name; NULL is fine. */
void gittree_remove(char *dir);

#endif
