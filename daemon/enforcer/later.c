/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: requests that came in the middle of long work, and can wait for its end */
#include "enforcer/later.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "enforcer/state.h"

struct later {
	struct later *next;
	struct msg_hdr hdr;
	unsigned char body[];
};

bool later_room(const struct child *c)
{
	return c->nlater < LATER_MAX;
}

int later_keep(struct child *c, const struct msg_hdr *hdr, const union msg_body *body)
{
	struct later *l = malloc(sizeof(*l) + hdr->len), **end = &c->later;

	if (!l)
		return -ENOMEM;
	l->next = NULL;
	l->hdr = *hdr;
	memcpy(l->body, body, hdr->len);
	while (*end)
		end = &(*end)->next;
	*end = l;
	c->nlater++;
	return 0;
}

bool later_take(struct child *c, struct msg_hdr *ret_hdr, union msg_body *ret_body)
{
	struct later *l = c->later;

	if (!l)
		return false;
	*ret_hdr = l->hdr;
	memcpy(ret_body, l->body, l->hdr.len);
	c->later = l->next;
	c->nlater--;
	free(l);
	return true;
}

void later_clear(struct child *c)
{
	struct msg_hdr hdr;
	union msg_body body;

	while (later_take(c, &hdr, &body))
		;
}
