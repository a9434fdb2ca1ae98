/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: bytes an element of each table of a ruleset; private to rules/ */
#ifndef RULES_RS_TABLES_H
#define RULES_RS_TABLES_H

#include <stddef.h>

#include <cordon/ruleset.h>

extern const size_t rs_elem_size[RS_NTABLES];

#endif
