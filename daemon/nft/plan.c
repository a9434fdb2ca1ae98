/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the messages that make a ruleset's objects, and the mark of what is applied */
#include "nft/private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/object.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int plan_new(struct plan *p, const struct ruleset *rs)
{
	p->rs = rs;
	p->counter = calloc(rs->table[RS_COUNTERS].count + 1u, 1);
	p->set = calloc(rs->table[RS_SETS].count + 1u, 1);
	p->chain = calloc(rs->table[RS_CHAINS].count + 1u, 1);
	if (p->counter != NULL && p->set != NULL && p->chain != NULL)
		return 0;
	plan_free(p);
	return -ENOMEM;
}

void plan_free(struct plan *p)
{
	free(p->counter);
	free(p->set);
	free(p->chain);
	memset(p, 0, sizeof(*p));
}

/* was: an earlier counter whose values it takes on, or NULL. */
static void create_counter(struct batch *b, const char *name, struct nftnl_obj *was)
{
	const struct origin of = origin_of(OF_COUNTER, name, "");
	struct nlmsghdr *nlh = batch_message(b, NFT_MSG_NEWOBJ, NLM_F_CREATE, &of);
	struct nftnl_obj *o = nftnl_obj_alloc();

	if (nlh == NULL || o == NULL) {
		b->failed = true;
		if (o != NULL)
			nftnl_obj_free(o);
		return;
	}
	nftnl_obj_set_str(o, NFTNL_OBJ_TABLE, NFT_TABLE);
	nftnl_obj_set_str(o, NFTNL_OBJ_NAME, name);
	nftnl_obj_set_u32(o, NFTNL_OBJ_TYPE, NFT_OBJECT_COUNTER);
	nftnl_obj_set_u64(o, NFTNL_OBJ_CTR_PKTS,
	    was == NULL ? 0 : nftnl_obj_get_u64(was, NFTNL_OBJ_CTR_PKTS));
	nftnl_obj_set_u64(o, NFTNL_OBJ_CTR_BYTES,
	    was == NULL ? 0 : nftnl_obj_get_u64(was, NFTNL_OBJ_CTR_BYTES));
	nftnl_obj_nlmsg_build_payload(nlh, o);
	batch_put(b, nlh);
	nftnl_obj_free(o);
}

void plan_set(struct batch *b, const struct ruleset *rs, uint32_t i)
{
	const struct rs_set *s = rs_set(rs, i);
	const struct origin of = origin_of(OF_SET, rs_str(rs, s->name), rs_str(rs, s->comment));
	struct nlmsghdr *nlh = batch_message(b, NFT_MSG_NEWSET, NLM_F_CREATE, &of);
	struct nftnl_set *set = lower_set(rs, s, i + 1);

	if (nlh == NULL || set == NULL) {
		b->failed = true;
	} else {
		nftnl_set_nlmsg_build_payload(nlh, set);
		batch_put(b, nlh);
	}
	if (set != NULL)
		nftnl_set_free(set);
}

void plan_chain(struct batch *b, const struct ruleset *rs,
    const struct rs_chain *c)
{
	const struct origin of =
	    origin_of(OF_CHAIN, rs_str(rs, c->name), rs_str(rs, c->comment));
	struct nlmsghdr *nlh = batch_message(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE, &of);
	struct nftnl_chain *chain = lower_chain(rs, c);

	if (nlh == NULL || chain == NULL) {
		b->failed = true;
	} else {
		nftnl_chain_nlmsg_build_payload(nlh, chain);
		batch_put(b, nlh);
	}
	if (chain != NULL)
		nftnl_chain_free(chain);
}

void plan_rules(struct batch *b, const struct ruleset *rs,
    const struct rs_chain *c, struct nft_stats *st)
{
	for (uint32_t i = c->rules.first; i < c->rules.first + c->rules.count; i++) {
		const struct rs_rule *r = RS_AT(rs, RS_RULES, struct rs_rule, i);
		const struct origin of =
		    origin_of(OF_RULE, rs_str(rs, c->name), rs_str(rs, r->comment));
		struct nlmsghdr *nlh = batch_message(b, NFT_MSG_NEWRULE,
		    NLM_F_CREATE | NLM_F_APPEND, &of);
		struct nftnl_rule *rule = nlh == NULL ? NULL : lower_rule(rs, r, b->one_expr);

		if (rule == NULL) {
			b->failed = true;
			return;
		}
		nftnl_rule_nlmsg_build_payload(nlh, rule);
		batch_put(b, nlh);
		nftnl_rule_free(rule);
		st->rules++;
	}
}

void mark_text(char buf[static MARK_LEN], uint32_t generation, const uint8_t digest[32],
    const char *commit)
{
	int at = snprintf(buf, MARK_LEN, "cordon %u g%u ", RS_VERSION, generation);

	for (int i = 0; i < 32; i++)
		at += snprintf(buf + at, MARK_LEN - (size_t)at, "%02x", digest[i]);
	buf[at++] = ' ';
	for (; commit != NULL && *commit != '\0' && at < MARK_LEN - 1; commit++)
		buf[at++] = strspn(commit, "0123456789abcdefghijklmnopqrstuvwxyz"
					   "ABCDEFGHIJKLMNOPQRSTUVWXYZ._-") > 0 ?
		    *commit : '_';
	buf[at] = '\0';
}

static void mark_create(struct batch *b, const struct ruleset *rs, const char *commit)
{
	const struct origin of = origin_of(OF_CHAIN, NFT_MARK, "");
	struct nlmsghdr *nlh = batch_message(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE, &of);
	char u[2 + MARK_LEN];

	if (nlh == NULL)
		return;
	mark_text(u + 2, rs->generation, rs->digest, commit);
	u[0] = 0; /* NFTNL_UDATA_CHAIN_COMMENT */
	u[1] = (char)(strlen(u + 2) + 1);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, NFT_TABLE);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, NFT_MARK);
	mnl_attr_put(nlh, NFTA_CHAIN_USERDATA, 2 + strlen(u + 2) + 1, u);
	batch_put(b, nlh);
}

void plan_create(const struct plan *p, struct batch *b, const struct kernel *k,
    struct nft_stats *st)
{
	const struct ruleset *rs = p->rs;

	for (uint32_t i = 0; i < rs->table[RS_COUNTERS].count; i++) {
		const char *name = rs_str(rs, *RS_AT(rs, RS_COUNTERS, uint32_t, i));

		if (p->counter[i] == HAVE_NONE)
			create_counter(b, name, k == NULL ? NULL : kernel_counter(k, name));
	}
	for (uint32_t i = 0; i < rs->table[RS_SETS].count; i++)
		if (p->set[i] == HAVE_NONE) {
			plan_set(b, rs, i);
			st->sets_added++;
		}
	for (uint32_t i = 0; i < rs->table[RS_CHAINS].count; i++)
		if (p->chain[i] == HAVE_NONE) {
			plan_chain(b, rs, rs_chain(rs, i));
			st->chains_added++;
		}
}

void plan_fill(const struct plan *p, struct batch *b, const char *commit,
    struct nft_stats *st)
{
	const struct ruleset *rs = p->rs;

	for (uint32_t i = 0; i < rs->table[RS_CHAINS].count; i++)
		if (p->chain[i] != HAVE_ALL)
			plan_rules(b, rs, rs_chain(rs, i), st);
	for (uint32_t i = 0; i < rs->table[RS_SETS].count; i++) {
		const struct rs_set *s = rs_set(rs, i);

		if (p->set[i] == HAVE_ALL)
			continue;
		elems_add(b, rs, s, s->elems.first, s->elems.count);
		st->elements_added += s->elems.count;
	}
	mark_create(b, rs, commit);
}

/* ---- deletions ---- */

void put_named(struct batch *b, uint16_t type, enum object object, uint16_t table_attr,
    uint16_t name_attr, const char *name, bool own)
{
	const struct origin of = origin_of(object, own && name != NULL ? name : "", "");
	struct nlmsghdr *nlh = batch_message(b, type, 0, &of);

	if (nlh == NULL)
		return;
	mnl_attr_put_strz(nlh, table_attr, NFT_TABLE);
	if (name != NULL)
		mnl_attr_put_strz(nlh, name_attr, name);
	batch_put(b, nlh);
}

void put_delete_counter(struct batch *b, const char *name, uint32_t type)
{
	const struct origin of = origin_of(OF_COUNTER, "", "");
	struct nlmsghdr *nlh = batch_message(b, NFT_MSG_DELOBJ, 0, &of);

	if (nlh == NULL)
		return;
	mnl_attr_put_strz(nlh, NFTA_OBJ_TABLE, NFT_TABLE);
	mnl_attr_put_strz(nlh, NFTA_OBJ_NAME, name);
	mnl_attr_put_u32(nlh, NFTA_OBJ_TYPE, htonl(type));
	batch_put(b, nlh);
}
