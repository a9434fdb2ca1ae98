/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the YAML files that are linked into the binary */
#ifndef CORDON_RULES_SHIPPED_H
#define CORDON_RULES_SHIPPED_H

#include <stddef.h>

/* path: below rules/, as "services/smb.yaml"; data[len] is NUL. */
struct shipped {
	const char *path;
	const char *data;
	size_t len;
};
extern const struct shipped shipped_files[]; /* ends with path NULL */

#endif
