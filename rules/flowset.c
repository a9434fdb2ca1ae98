/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: sets of flows as assertions write them: words into addresses and services */
#include "rules/flowset.h"

#include <stdlib.h>
#include <string.h>

#include "rules/inline.h"
#include "rules/resolve.h"

bool flowset_word(const char **s, char buf[static FLOWSET_WORD_MAX])
{
	size_t n;

	*s += strspn(*s, " ");
	n = strcspn(*s, " ");
	if (n == 0 || n >= FLOWSET_WORD_MAX)
		return false;
	memcpy(buf, *s, n);
	buf[n] = '\0';
	*s += n;
	return true;
}

static int find_everybody(struct policy *p)
{
	struct space_axes *all = calloc(2, sizeof(*all));

	p->everybody = all;
	for (size_t i = 0; i < p->hosts.n && all != NULL; i++) {
		const struct phost *h = p->hosts.v[i];

		for (size_t k = 0; k < h->ranges.n; k++)
			axes_add(&all[h->ranges.r[k].lo.v == 6],
			    region_axis_of(&h->ranges.r[k]));
	}
	if (all == NULL)
		return policy_no_memory(p);
	axes_merge(&all[0]);
	axes_merge(&all[1]);
	return 0;
}

/* Hosts do not change once they are resolved. */
static int all_hosts(struct policy *p, struct space_axes ret[static 2])
{
	if (p->everybody == NULL && find_everybody(p) == -1)
		return -1;
	for (int k = 0; k < 2; k++) {
		for (size_t i = 0; i < p->everybody[k].n; i++)
			axes_add(&ret[k], p->everybody[k].v[i]);
		ret[k].failed |= p->everybody[k].failed;
	}
	return ret[0].failed || ret[1].failed ? policy_no_memory(p) : 0;
}

void flowset_forget(struct policy *p)
{
	for (int k = 0; k < 2 && p->everybody != NULL; k++)
		axes_free(&p->everybody[k]);
	free(p->everybody);
	p->everybody = NULL;
}

void flowset_complement(struct space_axes *a, uint8_t v)
{
	struct region_axis whole = region_axis_all(v);
	struct space_axes all = { .v = &whole, .n = 1, .cap = 1 }, rest = { 0 };

	axes_subtract(&all, a, &rest);
	axes_free(a);
	*a = rest;
}

int flowset_end(struct policy *p, const struct pstr *text, const char *word,
    struct space_axes ret[static 2])
{
	struct pstr peer = { .s = word + (*word == '!'), .loc = text->loc };
	struct plist list = { .v = &peer, .n = 1 };
	struct prangeset set = { 0 };
	size_t errors = p->diag->errors;
	const char *why = NULL;
	struct netrange r;

	if (strcmp(peer.s, "*") == 0) {
		if (all_hosts(p, ret) == -1)
			return -1;
	} else if (strpbrk(peer.s, ".:/") != NULL &&
	    names_find(&p->names, peer.s) == NULL && netrange_parse(peer.s, &r, &why) == -1) {
		policy_error(p, "CRD032", text->loc, "\"%s\": %s", peer.s, why);
		return 1;
	} else if (resolve_peers(p, &list, &set) == -1) {
		return -1;
	}
	if (p->diag->errors > errors)
		return 1;
	axes_of_ranges(set.r, set.n, 4, &ret[0]);
	axes_of_ranges(set.r, set.n, 6, &ret[1]);
	for (int k = 0; k < 2 && *word == '!'; k++)
		flowset_complement(&ret[k], k == 0 ? 4 : 6);
	return ret[0].failed || ret[1].failed ? policy_no_memory(p) : 0;
}

static void add_keys(struct region *keys, uint8_t v, const struct pport *port)
{
	struct fs_service s = { .lo = port->lo, .hi = port->hi, .proto = port->proto };
	struct region_box b = { 0 };

	if (port->family != 0 && port->family != v)
		return;
	space_service_keys(&s, &b.key_lo, &b.key_hi);
	region_add(keys, &b);
}

int flowset_service(struct policy *p, const struct pstr *text, const char *word,
    struct region keys[static 2])
{
	struct pstr name = { .s = word, .loc = text->loc };
	struct plist list = { .v = &name, .n = 1 };
	struct pports ports = { 0 };
	struct pport everything[2];
	size_t errors = p->diag->errors;
	const char *why;

	if (strchr(word, '/') != NULL && inline_parse(word, everything, &why) == -1) {
		policy_error(p, "CRD032", text->loc, "\"%s\": %s", word, why);
		return 1;
	}
	if (strcmp(word, "any") == 0) {
		struct region_box all = { .key_hi = REGION_KEY_MAX };

		region_add(&keys[0], &all);
		region_add(&keys[1], &all);
	} else if (resolve_ports(p, &list, 0, &ports, NULL) == -1) {
		return -1;
	}
	if (p->diag->errors > errors)
		return 1;
	for (uint32_t i = 0; i < ports.n; i++) {
		add_keys(&keys[0], 4, &ports.v[i]);
		add_keys(&keys[1], 6, &ports.v[i]);
	}
	return keys[0].failed || keys[1].failed ? policy_no_memory(p) : 0;
}

int flowset_check_empty(
    struct policy *p, const struct pstr *text, const struct flowset *s)
{
	for (int k = 0; k < 2; k++) {
		if (s->src[k].n > 0 && s->dst[k].n > 0 && s->keys[k].n > 0)
			return 0;
	}
	policy_error(p, "CRD032", text->loc,
	    "\"%s\" is no flow at all: its ends and its service are of different families",
	    text->s);
	return 1;
}

static int parse(struct policy *p, const struct pstr *text, struct flowset *ret)
{
	char src[FLOWSET_WORD_MAX], arrow[FLOWSET_WORD_MAX], dst[FLOWSET_WORD_MAX], service[FLOWSET_WORD_MAX];
	const char *s = text->s;
	int a, b, c;

	if (!flowset_word(&s, src) || !flowset_word(&s, arrow) || strcmp(arrow, "->") != 0 ||
	    !flowset_word(&s, dst) || !flowset_word(&s, service) || s[strspn(s, " ")] != '\0') {
		policy_error(p, "CRD032", text->loc, "\"%s\" is not a flow", text->s);
		diag_hint(p->diag,
		    "SRC -> DST SERVICE, as 10.1.0.5 -> erp-db01 tcp/445, or any -> * smb");
		return 1;
	}
	a = flowset_end(p, text, src, ret->src);
	b = a != -1 ? flowset_end(p, text, dst, ret->dst) : -1;
	c = b != -1 ? flowset_service(p, text, service, ret->keys) : -1;
	if (c == -1)
		return -1;
	return a != 0 || b != 0 || c != 0 ? 1 : flowset_check_empty(p, text, ret);
}

int flowset_parse(struct policy *p, const struct pstr *text, struct flowset *ret)
{
	int rc;

	*ret = (struct flowset){ 0 };
	rc = parse(p, text, ret);
	if (rc != 0)
		flowset_free(ret);
	return rc;
}

void flowset_free(struct flowset *s)
{
	for (int k = 0; k < 2; k++) {
		axes_free(&s->src[k]);
		axes_free(&s->dst[k]);
		region_free(&s->keys[k]);
	}
}

/* Their number, or more than FLOWSET_SMALL. */
static region_addr count_axes(const struct space_axes *a)
{
	region_addr n = 0;

	for (size_t i = 0; i < a->n && n <= FLOWSET_SMALL; i++)
		n += a->v[i].hi - a->v[i].lo < FLOWSET_SMALL ?
		    a->v[i].hi - a->v[i].lo + 1 : FLOWSET_SMALL + 1;
	return n;
}

bool flowset_is_small(const struct flowset *s)
{
	region_addr n = 0;

	for (int k = 0; k < 2; k++) {
		region_addr pairs = count_axes(&s->src[k]) * count_axes(&s->dst[k]);

		for (size_t i = 0; i < s->keys[k].n; i++)
			n += pairs * (s->keys[k].v[i].key_hi - s->keys[k].v[i].key_lo + 1);
	}
	return n <= FLOWSET_SMALL;
}
