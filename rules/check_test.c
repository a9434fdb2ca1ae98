/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the form of assertions: "SRC -> DST PROTO/PORT" */
#include "rules/check.h"

#include <string.h>

#include <cordon/rules.h>

#include "rules/resolve.h"

enum { WORD_MAX = 96 };

/* The next word of *s into buf; false at the end or if it is too long. */
static bool next_word(const char **s, char buf[static WORD_MAX])
{
	size_t n;

	*s += strspn(*s, " ");
	n = strcspn(*s, " ");
	if (n == 0 || n >= WORD_MAX)
		return false;
	memcpy(buf, *s, n);
	buf[n] = '\0';
	*s += n;
	return true;
}

/* An address or host; the family of an address, 0 for a host, -1: reported. */
static int check_end(struct policy *p, const struct ptest *t, const char *word)
{
	struct netaddr a;
	const struct name *n;

	if (netaddr_parse(word, &a) == 0)
		return a.v;
	n = names_find(&p->names, word);
	if (n != NULL && n->kind == NAME_HOST)
		return 0;
	policy_error(p, strpbrk(word, ".:/") != NULL ? "CRD032" : "CRD041", t->flow.loc,
	    "\"%s\" is neither an address nor a host", word);
	resolve_hint_name(p, word, 1u << NAME_HOST);
	return -1;
}

static void check_test(struct policy *p, const struct ptest *t)
{
	char src[WORD_MAX], arrow[WORD_MAX], dst[WORD_MAX], service[WORD_MAX];
	const char *s = t->flow.s, *why = NULL;
	int from, to;
	uint8_t proto;
	uint16_t port;

	if (s == NULL)
		return; /* reported when it was read */
	if (!next_word(&s, src) || !next_word(&s, arrow) || strcmp(arrow, "->") != 0 ||
	    !next_word(&s, dst) || !next_word(&s, service) ||
	    s[strspn(s, " ")] != '\0') {
		policy_error(
		    p, "CRD032", t->flow.loc, "\"%s\" is not a flow", t->flow.s);
		diag_hint(
		    p->diag, "SRC -> DST PROTO/PORT, as 10.1.0.5 -> erp-db01 tcp/445");
		return;
	}
	from = check_end(p, t, src);
	to = check_end(p, t, dst);
	if (from > 0 && to > 0 && from != to)
		policy_error(p, "CRD032", t->flow.loc,
		    "%s and %s are of different families", src, dst);
	if (rules_parse_service(
		service, from == 6 || to == 6 ? 6 : 4, &proto, &port, &why) == -1)
		policy_error(p, "CRD032", t->flow.loc, "\"%s\": %s", service, why);
}

int check_tests(struct policy *p)
{
	for (size_t i = 0; i < p->tests.n; i++)
		check_test(p, p->tests.v[i]);
	return 0;
}
