/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: groups and services that nothing refers to */
#include <string.h>

#include "rules/check_review.h"

/* What is named by a rule, a setting or an assertion, and what that is made of. */

static void use(struct policy *p, const char *name);

static void use_list(struct policy *p, const struct plist *list)
{
	PLIST_EACH(struct pstr, s, *list)
	{
		use(p, s->s);
	}
}

/* Names do not contain themselves (CRD043), and each is followed once. */
static void use(struct policy *p, const char *name)
{
	bool plain = name != NULL && name[strcspn(name, ".:/")] == '\0';
	const struct name *n = plain ? names_find(&p->names, name) : NULL;
	struct pgroup *g;
	struct pservice *s;

	if (n == NULL)
		return; /* an address, a port */
	switch (n->kind) {
	case NAME_GROUP:
		g = n->thing;
		if (!g->used) {
			g->used = true;
			use_list(p, &g->members);
		}
		break;
	case NAME_SERVICE:
		s = n->thing;
		if (!s->used) {
			s->used = true;
			use_list(p, &s->bundle);
		}
		break;
	case NAME_HOST:
	case NAME_NONE:
		break;
	}
}

/* The words of an assertion. */
static void use_words(struct policy *p, const char *text)
{
	static const char gaps[] = " ,!";

	for (const char *s = text != NULL ? text : ""; *s != '\0';) {
		size_t n = strcspn(s, gaps);
		char word[64];

		if (n > 0 && n < sizeof(word)) {
			memcpy(word, s, n);
			word[n] = '\0';
			use(p, word);
		}
		s += n;
		s += strspn(s, gaps);
	}
}

static void use_host(struct policy *p, const struct phost *h)
{
	for (int dir = FS_IN; dir <= FS_OUT; dir++) {
		PLIST_EACH(struct prule, r, h->allow.rules[dir])
		{
			use_list(p, &r->service);
			use_list(p, &r->peers);
		}
	}
	PLIST_EACH(struct pguard_set, s, h->guards)
	{
		use_list(p, &s->except);
	}
	PLIST_EACH(struct pjit, j, h->jit)
	{
		use(p, j->service.s);
		use_list(p, &j->from);
	}
}

void review_used(struct review *x)
{
	struct policy *p = x->p;

	use_list(p, &p->cordon->block.never);
	for (size_t i = 0; i < p->hosts.n; i++)
		use_host(p, p->hosts.v[i]);
	for (size_t i = 0; i < p->tests.n; i++) {
		use_words(p, ((const struct ptest *)p->tests.v[i])->flow.s);
		use_words(p, ((const struct ptest *)p->tests.v[i])->only.s);
	}
	for (size_t i = 0; i < p->groups.n; i++) {
		const struct pgroup *g = p->groups.v[i];

		if (!g->used)
			policy_error(p, "CRD111", g->name.loc,
			    "nothing uses the group \"%s\"", g->name.s);
	}
	for (size_t i = 0; i < p->services.n; i++) {
		const struct pservice *s = p->services.v[i];

		if (!s->used && !s->shipped)
			policy_error(p, "CRD112", s->name.loc,
			    "nothing uses the service \"%s\"", s->name.s);
	}
}
