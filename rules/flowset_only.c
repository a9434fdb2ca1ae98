/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: assertions of the form "only: A, B may be reached by SET outbound" */
#include <string.h>

#include "rules/flowset.h"

static int not_only(struct policy *p, const struct pstr *text)
{
	policy_error(p, "CRD032", text->loc, "\"%s\" does not say who may reach whom",
	    text->s);
	diag_hint(p->diag,
	    "PEER, … may be reached by SRC outbound [SERVICE], or PEER, … may reach DST "
	    "inbound [SERVICE]");
	return 1;
}

/* Words that have to follow. */
static bool expect(const char **s, const char *words)
{
	char word[FLOWSET_WORD_MAX], want[FLOWSET_WORD_MAX];

	while (flowset_word(&words, want)) {
		if (!flowset_word(s, word) || strcmp(word, want) != 0)
			return false;
	}
	return true;
}

/* The peers before "may", behind which *s stands then.  0, 1, -1. */
static int parse_peers(struct policy *p, const struct pstr *text, const char **s,
    struct space_axes peers[static 2])
{
	char word[FLOWSET_WORD_MAX];
	bool more = true; /* a peer has to follow */
	int rc = 0;

	while (rc == 0) {
		size_t n;

		if (!flowset_word(s, word))
			return not_only(p, text);
		if (!more && strcmp(word, "may") == 0)
			break;
		n = strlen(word);
		if (!more)
			return not_only(p, text);
		more = n > 1 && word[n - 1] == ',';
		if (more)
			word[n - 1] = '\0';
		rc = flowset_end(p, text, word, peers);
	}
	axes_merge(&peers[0]);
	axes_merge(&peers[1]);
	return rc;
}

/* The other end, its direction, and the service.  0, 1, -1. */
static int parse_rest(struct policy *p, const struct pstr *text, const char *s,
    const char *direction, struct space_axes end[static 2], struct region keys[static 2])
{
	char word[FLOWSET_WORD_MAX], dir[FLOWSET_WORD_MAX], service[FLOWSET_WORD_MAX];
	int rc;

	if (!flowset_word(&s, word) || !flowset_word(&s, dir) ||
	    strcmp(dir, direction) != 0)
		return not_only(p, text);
	if (!flowset_word(&s, service))
		strcpy(service, "any");
	if (s[strspn(s, " ")] != '\0')
		return not_only(p, text);
	rc = flowset_end(p, text, word, end);
	return rc == 0 ? flowset_service(p, text, service, keys) : rc;
}

static int parse(struct policy *p, const struct pstr *text, struct flowset *ret)
{
	const char *s = text->s, *behind;
	struct space_axes *peers = ret->dst, *end = ret->src;
	bool by;
	int rc;

	/* Where the peers go is only said behind them. */
	behind = strstr(s, " may ");
	by = behind != NULL && strncmp(behind, " may be ", 8) == 0;
	if (!by) {
		peers = ret->src;
		end = ret->dst;
	}
	rc = parse_peers(p, text, &s, peers);
	if (rc == 0 && !expect(&s, by ? "be reached by" : "reach"))
		rc = not_only(p, text);
	if (rc == 0)
		rc = parse_rest(
		    p, text, s, by ? "outbound" : "inbound", end, ret->keys);
	if (rc != 0)
		return rc;
	flowset_complement(&peers[0], 4);
	flowset_complement(&peers[1], 6);
	if (peers[0].failed || peers[1].failed)
		return policy_no_memory(p);
	return flowset_check_empty(p, text, ret);
}

int flowset_parse_only(struct policy *p, const struct pstr *text, struct flowset *ret)
{
	int rc;

	*ret = (struct flowset){ 0 };
	rc = parse(p, text, ret);
	if (rc != 0)
		flowset_free(ret);
	return rc;
}
