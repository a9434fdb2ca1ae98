/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: parts of the text rendering that other renderings use; private to rules/ */
#ifndef RULES_EMIT_H
#define RULES_EMIT_H

#include <stdio.h>

#include <cordon/ruleset.h>

void emit_rule_text(FILE *f, const struct ruleset *rs, const struct rs_rule *r);
void emit_key_text(FILE *f, const struct ruleset *rs, const struct rs_set *s,
    const struct rs_elem *e);
/* What an element of a map is mapped to. */
void emit_data_text(FILE *f, const struct ruleset *rs, const struct rs_set *s,
    const struct rs_elem *e);
const char *emit_type_name(enum rs_type t);
const char *emit_hook_name(enum rs_hook h);

#endif
