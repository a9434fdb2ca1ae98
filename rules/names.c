/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the one name space of hosts, groups and services */
#include "rules/names.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

/* Keyed, because names come from files that somebody else may have written. */
static uint64_t hash(const char *s)
{
	static const unsigned char key[crypto_shorthash_KEYBYTES] = "cordon names 1";
	uint64_t h;

	crypto_shorthash((unsigned char *)&h, (const unsigned char *)s, strlen(s), key);
	return h;
}

static struct name *slot_of(struct name *slot, size_t cap, const char *text)
{
	size_t i = hash(text) & (cap - 1);

	while (slot[i].text != NULL && strcmp(slot[i].text, text) != 0)
		i = (i + 1) & (cap - 1);
	return &slot[i];
}

const struct name *names_find(const struct names *t, const char *text)
{
	const struct name *s;

	if (t->cap == 0)
		return NULL;
	s = slot_of(t->slot, t->cap, text);
	return s->text != NULL ? s : NULL;
}

static int grow(struct names *t)
{
	size_t cap = t->cap != 0 ? t->cap * 2 : 256;
	struct name *slot = calloc(cap, sizeof(*slot));

	if (slot == NULL)
		return -1;
	for (size_t i = 0; i < t->cap; i++) {
		if (t->slot[i].text != NULL)
			*slot_of(slot, cap, t->slot[i].text) = t->slot[i];
	}
	free(t->slot);
	t->slot = slot;
	t->cap = cap;
	return 0;
}

int names_add(struct names *t, const char *text, enum name_kind kind, void *thing)
{
	if (t->n * 2 >= t->cap && grow(t) == -1)
		return -1;
	*slot_of(t->slot, t->cap, text) = (struct name){ text, kind, thing };
	t->n++;
	return 0;
}

void names_free(struct names *t)
{
	free(t->slot);
	*t = (struct names){ 0 };
}

const char *name_kind_text(enum name_kind k)
{
	switch (k) {
	case NAME_NONE:
		return "nothing";
	case NAME_HOST:
		return "host";
	case NAME_GROUP:
		return "group";
	case NAME_SERVICE:
		return "service";
	}
	return "";
}
