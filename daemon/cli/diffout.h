/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a policy difference as text, markdown and JSON */
#ifndef CORDON_CLI_DIFFOUT_H
#define CORDON_CLI_DIFFOUT_H

#include <stdio.h>

#include <cordon/diff.h>

/* Each writes everything; write errors are left in f. */
void diffout_text(FILE *f, const struct diff *d, const struct fs *old,
    const struct fs *new, bool colour);
void diffout_markdown(FILE *f, const struct diff *d, const struct fs *old,
    const struct fs *new);
/* To standard output.  -1: write error. */
int diffout_json(const struct diff *d);

/* "tcp", "any", "50", "7-255"; returns buf. */
const char *diffout_proto(const struct diff_region *r, char buf[static 16]);
/* "445" or "1000-2000"; returns buf. */
const char *diffout_ports(const struct diff_region *r, char buf[static 16]);

#endif
