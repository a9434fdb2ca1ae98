/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the one name space of hosts, groups and services */
#ifndef CORDON_RULES_NAMES_H
#define CORDON_RULES_NAMES_H

#include <stddef.h>
#include <stdint.h>

enum name_kind { NAME_NONE, NAME_HOST, NAME_GROUP, NAME_SERVICE };

struct name {
	const char *text;
	enum name_kind kind;
	void *thing; /* struct phost, pgroup, pservice */
};

struct names {
	struct name *slot;
	size_t n, cap;
};

/* The entry of that name, or NULL. */
const struct name *names_find(const struct names *t, const char *text);
/* Add one that is not there yet.  0, or -1: no memory. */
int names_add(struct names *t, const char *text, enum name_kind kind, void *thing);
void names_free(struct names *t);
/* "host", "group", "service" */
const char *name_kind_text(enum name_kind k);

#endif
