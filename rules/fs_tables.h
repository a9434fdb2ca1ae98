/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: bytes an element of each table of a flow space; private to rules/ */
#ifndef RULES_FS_TABLES_H
#define RULES_FS_TABLES_H

#include <stddef.h>

#include <cordon/flowspace.h>

extern const size_t fs_elem_size[FS_NTABLES];

#endif
