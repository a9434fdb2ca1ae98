/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: sets, maps, chains and elements: ruleset -> the objects nft would make */
#include "nft/private.h"

#include <arpa/inet.h>
#include <endian.h>
#include <libnftnl/chain.h>
#include <libnftnl/set.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

/* nft's words for a key's byte order, in the userdata of a set. */
enum { ORDER_NONE, ORDER_HOST, ORDER_NETWORK };
enum {
	TYPE_BITS = 6,             /* of a subtype in the type of a concatenation */
	TYPE_VERDICT = 0xffffff00, /* NFT_DATA_VERDICT as the type of data */
	EXPR_CONCAT = 13,          /* nft's number, in the userdata of a concatenation */
	ELEM_OPEN = 1,             /* in an element's userdata: interval without an end */
};

/* ★ nft's data types: number, bytes, byte order. */
static const struct type_row {
	uint8_t nft, len, order;
} type_row[] = {
	[RS_T_IP4] = { 7, 4, ORDER_NETWORK },
	[RS_T_IP6] = { 8, 16, ORDER_NETWORK },
	[RS_T_PROTO] = { 12, 1, ORDER_NONE },
	[RS_T_PORT] = { 13, 2, ORDER_NETWORK },
	[RS_T_ICMP] = { 14, 1, ORDER_NETWORK },
	[RS_T_ICMP6] = { 29, 1, ORDER_NETWORK },
	[RS_T_IFNAME] = { 41, 16, ORDER_HOST },
	[RS_T_PRIORITY] = { 23, 4, ORDER_HOST },
};

int32_t lower_verdict(uint8_t go)
{
	static const int32_t verdict[] = {
		[RS_ACCEPT] = NF_ACCEPT, [RS_DROP] = NF_DROP, [RS_RETURN] = NFT_RETURN,
		[RS_JUMP] = NFT_JUMP, [RS_GOTO] = NFT_GOTO, [RS_CONTINUE] = NFT_CONTINUE,
	};

	return verdict[go];
}

size_t lower_key_len(const struct rs_set *s)
{
	return s->nkeys == 1 ? type_row[s->key[0]].len : s->key_len;
}

/* ---- sets and chains ---- */

static uint32_t set_flags(const struct rs_set *s)
{
	return (s->interval ? NFT_SET_INTERVAL : 0) | (s->map ? NFT_SET_MAP : 0) |
	    (s->timeout || s->timeout_s != 0 ? NFT_SET_TIMEOUT : 0) |
	    (s->dynamic ? NFT_SET_EVAL : 0);
}

static uint32_t set_key_type(const struct rs_set *s)
{
	uint32_t type = 0;

	for (uint8_t i = 0; i < s->nkeys; i++)
		type = type << TYPE_BITS | type_row[s->key[i]].nft;
	return type;
}

/* What `nft list` needs to print a set as it was written. */
static bool set_userdata(struct nftnl_udata_buf *u, const struct rs_set *s,
    const char *comment)
{
	struct nftnl_udata *nest;
	bool ok;

	ok = nftnl_udata_put_u32(u, NFTNL_UDATA_SET_KEYBYTEORDER,
	    s->nkeys == 1 ? type_row[s->key[0]].order : ORDER_NONE);
	if (s->map)
		ok &= nftnl_udata_put_u32(u, NFTNL_UDATA_SET_DATABYTEORDER,
		    s->map == RS_MAP_VALUE ? ORDER_HOST : ORDER_NONE);
	if (s->nkeys > 1) {
		nest = nftnl_udata_nest_start(u, NFTNL_UDATA_SET_KEY_TYPEOF);
		ok &= nest != NULL;
		ok &= nftnl_udata_put_u32(u, NFTNL_UDATA_SET_TYPEOF_EXPR, EXPR_CONCAT);
		ok &= nftnl_udata_put(u, NFTNL_UDATA_SET_TYPEOF_DATA, 0, NULL);
		nftnl_udata_nest_end(u, nest);
	}
	if (s->map)
		ok &= nftnl_udata_put_u32(u, NFTNL_UDATA_SET_DATA_INTERVAL, 0);
	if (*comment != '\0')
		ok &= nftnl_udata_put_strz(u, NFTNL_UDATA_SET_COMMENT, comment);
	return ok;
}

static int set_put_userdata(struct nftnl_set *set, const struct rs_set *s,
    const char *comment)
{
	struct nftnl_udata_buf *u = nftnl_udata_buf_alloc(UINT8_MAX);
	int r = -1;

	if (u != NULL && set_userdata(u, s, comment))
		r = nftnl_set_set_data(set, NFTNL_SET_USERDATA, nftnl_udata_buf_data(u),
		    nftnl_udata_buf_len(u));
	if (u != NULL)
		nftnl_udata_buf_free(u);
	return r;
}

struct nftnl_set *lower_set(const struct ruleset *rs, const struct rs_set *s, uint32_t id)
{
	struct nftnl_set *set = nftnl_set_alloc();

	if (set == NULL)
		return NULL;
	nftnl_set_set_str(set, NFTNL_SET_TABLE, NFT_TABLE);
	nftnl_set_set_str(set, NFTNL_SET_NAME, rs_str(rs, s->name));
	nftnl_set_set_u32(set, NFTNL_SET_FLAGS, set_flags(s));
	nftnl_set_set_u32(set, NFTNL_SET_KEY_TYPE, set_key_type(s));
	nftnl_set_set_u32(set, NFTNL_SET_KEY_LEN, (uint32_t)lower_key_len(s));
	nftnl_set_set_u32(set, NFTNL_SET_ID, id);
	if (s->map) {
		bool value = s->map == RS_MAP_VALUE;

		nftnl_set_set_u32(set, NFTNL_SET_DATA_TYPE,
		    value ? type_row[RS_T_PRIORITY].nft : TYPE_VERDICT);
		nftnl_set_set_u32(set, NFTNL_SET_DATA_LEN,
		    value ? type_row[RS_T_PRIORITY].len : 0);
	}
	if (s->size != 0)
		nftnl_set_set_u32(set, NFTNL_SET_DESC_SIZE, s->size);
	if (s->timeout_s != 0)
		nftnl_set_set_u64(set, NFTNL_SET_TIMEOUT, s->timeout_s * 1000ull);
	if (set_put_userdata(set, s, rs_str(rs, s->comment)) == -1) {
		nftnl_set_free(set);
		return NULL;
	}
	return set;
}

static int chain_put_comment(struct nftnl_chain *chain, const char *comment)
{
	struct nftnl_udata_buf *u;
	int r = -1;

	if (*comment == '\0')
		return 0;
	u = nftnl_udata_buf_alloc(UINT8_MAX);
	if (u == NULL)
		return -1;
	if (nftnl_udata_put_strz(u, NFTNL_UDATA_CHAIN_COMMENT, comment))
		r = nftnl_chain_set_data(chain, NFTNL_CHAIN_USERDATA,
		    nftnl_udata_buf_data(u), nftnl_udata_buf_len(u));
	nftnl_udata_buf_free(u);
	return r;
}

struct nftnl_chain *lower_chain(const struct ruleset *rs, const struct rs_chain *c)
{
	static const uint32_t hook[] = {
		[RS_HOOK_INPUT] = NF_INET_LOCAL_IN, [RS_HOOK_FORWARD] = NF_INET_FORWARD,
		[RS_HOOK_OUTPUT] = NF_INET_LOCAL_OUT,
	};
	struct nftnl_chain *chain = nftnl_chain_alloc();

	if (chain == NULL)
		return NULL;
	nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, NFT_TABLE);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, rs_str(rs, c->name));
	if (c->hook != RS_HOOK_NONE) {
		nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, "filter");
		nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM, hook[c->hook]);
		nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO, c->priority);
		nftnl_chain_set_u32(chain, NFTNL_CHAIN_POLICY, c->drop ? NF_DROP : NF_ACCEPT);
	}
	if (chain_put_comment(chain, rs_str(rs, c->comment)) == -1) {
		nftnl_chain_free(chain);
		return NULL;
	}
	return chain;
}

/* ---- elements ---- */

/* Elements are written straight into the messages: 100,000 objects would cost more
 * than the kernel does. */
struct elem_writer {
	struct batch *b;
	const struct ruleset *rs;
	const struct rs_set *set;
	const char *name;
	size_t key_len;
	uint16_t type, flags;
	struct nlmsghdr *nlh;
	struct nlattr *list;
};

static void writer_close(struct elem_writer *w)
{
	if (w->nlh == NULL)
		return;
	mnl_attr_nest_end(w->nlh, w->list);
	batch_put(w->b, w->nlh);
	w->nlh = NULL;
}

/* Room for the next element, i of RS_ELEMS, in this message or a new one. */
static bool writer_room(struct elem_writer *w, uint32_t i)
{
	const struct origin of = { .object = OF_ELEM, .name = w->name, .comment = "",
		.rs = w->type == NFT_MSG_NEWSETELEM ? w->rs : NULL, .elem = i };

	if (w->nlh != NULL && w->nlh->nlmsg_len < MESSAGE_MAX)
		return true;
	writer_close(w);
	w->nlh = batch_message(w->b, w->type, w->flags, &of);
	if (w->nlh == NULL)
		return false;
	mnl_attr_put_strz(w->nlh, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
	mnl_attr_put_strz(w->nlh, NFTA_SET_ELEM_LIST_SET, w->name);
	w->list = mnl_attr_nest_start(w->nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	return true;
}

static void put_value(struct nlmsghdr *nlh, uint16_t attr, const void *value, size_t len)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, attr);

	mnl_attr_put(nlh, NFTA_DATA_VALUE, len, value);
	mnl_attr_nest_end(nlh, nest);
}

static void put_verdict(struct nlmsghdr *nlh, const struct ruleset *rs,
    const struct rs_elem *e)
{
	struct nlattr *data = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_DATA);
	struct nlattr *verdict = mnl_attr_nest_start(nlh, NFTA_DATA_VERDICT);

	mnl_attr_put_u32(nlh, NFTA_VERDICT_CODE, htonl((uint32_t)lower_verdict(e->go)));
	if (e->go == RS_JUMP || e->go == RS_GOTO)
		mnl_attr_put_strz(nlh, NFTA_VERDICT_CHAIN,
		    rs_str(rs, rs_chain(rs, e->chain)->name));
	mnl_attr_nest_end(nlh, verdict);
	mnl_attr_nest_end(nlh, data);
}

/* Userdata: the comment, and whether an interval has no end. */
static void put_userdata(struct nlmsghdr *nlh, const char *comment, bool open)
{
	const uint32_t flags = ELEM_OPEN;
	uint8_t u[2 + 128 + 2 + 4];
	size_t len = 0, n = strlen(comment) + 1;

	if (n > 1 && n <= 128) {
		u[len++] = NFTNL_UDATA_SET_ELEM_COMMENT;
		u[len++] = (uint8_t)n;
		memcpy(u + len, comment, n);
		len += n;
	}
	if (open) {
		u[len++] = NFTNL_UDATA_SET_ELEM_FLAGS;
		u[len++] = sizeof(flags);
		memcpy(u + len, &flags, sizeof(flags));
		len += sizeof(flags);
	}
	if (len > 0)
		mnl_attr_put(nlh, NFTA_SET_ELEM_USERDATA, len, u);
}

/* The value after key, big-endian; false: there is none. */
static bool key_next(uint8_t *key, size_t len)
{
	while (len-- > 0)
		if (++key[len] != 0)
			return true;
	return false;
}

static void put_interval_end(struct nlmsghdr *nlh, const void *key, size_t len)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);

	mnl_attr_put_u32(nlh, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_INTERVAL_END));
	put_value(nlh, NFTA_SET_ELEM_KEY, key, len);
	mnl_attr_nest_end(nlh, nest);
}

static void put_elem(struct elem_writer *w, const struct rs_elem *e, bool bare)
{
	const uint8_t *key = rs_key(w->rs, e);
	struct nlattr *nest;
	uint8_t end[64];
	bool open = false;

	if (w->set->interval) {
		memcpy(end, key + w->set->key_len, w->key_len);
		open = !key_next(end, w->key_len);
	}
	nest = mnl_attr_nest_start(w->nlh, NFTA_LIST_ELEM);
	put_value(w->nlh, NFTA_SET_ELEM_KEY, key, w->key_len);
	if (w->set->map == RS_MAP_VERDICT && !bare)
		put_verdict(w->nlh, w->rs, e);
	else if (w->set->map && !bare)
		put_value(w->nlh, NFTA_SET_ELEM_DATA, &e->chain, sizeof(e->chain));
	if (!bare)
		put_userdata(w->nlh, rs_str(w->rs, e->comment), open);
	mnl_attr_nest_end(w->nlh, nest);
	if (w->set->interval && !open)
		put_interval_end(w->nlh, end, w->key_len);
}

static struct elem_writer writer(struct batch *b, const struct ruleset *rs,
    const struct rs_set *s, bool add)
{
	return (struct elem_writer){ .b = b, .rs = rs, .set = s,
		.name = rs_str(rs, s->name), .key_len = lower_key_len(s),
		.type = add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
		.flags = add ? NLM_F_CREATE : 0 };
}

void elems_add(struct batch *b, const struct ruleset *rs, const struct rs_set *s,
    uint32_t first, uint32_t count)
{
	static const uint8_t zero[64];
	struct elem_writer w = writer(b, rs, s, true);

	for (uint32_t i = first; i < first + count && writer_room(&w, i); i++) {
		const struct rs_elem *e = RS_AT(rs, RS_ELEMS, struct rs_elem, i);

		/* nft marks the gap before the first interval */
		if (s->interval && i == s->elems.first &&
		    memcmp(rs_key(rs, e), zero, w.key_len) != 0)
			put_interval_end(w.nlh, zero, w.key_len);
		put_elem(&w, e, false);
	}
	writer_close(&w);
}

void elems_del(struct batch *b, const struct ruleset *rs, const struct rs_set *s,
    const uint32_t *elem, size_t count)
{
	struct elem_writer w = writer(b, rs, s, false);

	for (size_t i = 0; i < count && writer_room(&w, elem[i]); i++)
		put_elem(&w, RS_AT(rs, RS_ELEMS, struct rs_elem, elem[i]), true);
	writer_close(&w);
}

void elems_flush(struct batch *b, const struct ruleset *rs, const struct rs_set *s)
{
	const struct origin of = { .object = OF_ELEM, .name = rs_str(rs, s->name),
		.comment = "" };
	struct nlmsghdr *nlh = batch_message(b, NFT_MSG_DELSETELEM, 0, &of);

	if (nlh == NULL)
		return;
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, rs_str(rs, s->name));
	batch_put(b, nlh);
}

void elems_carry(struct batch *b, const char *set, const struct carried *c, size_t count)
{
	const struct origin of = { .object = OF_ELEM, .name = set, .comment = "" };
	struct nlattr *list = NULL, *nest;
	struct nlmsghdr *nlh = NULL;

	for (size_t i = 0; i < count; i++) {
		if (nlh == NULL) {
			nlh = batch_message(b, NFT_MSG_NEWSETELEM, NLM_F_CREATE, &of);
			if (nlh == NULL)
				return;
			mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
			mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, set);
			list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
		}
		nest = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
		if (c[i].flags != 0)
			mnl_attr_put_u32(nlh, NFTA_SET_ELEM_FLAGS, htonl(c[i].flags));
		put_value(nlh, NFTA_SET_ELEM_KEY, c[i].key, c[i].key_len);
		if (c[i].timeout_ms != 0)
			mnl_attr_put_u64(nlh, NFTA_SET_ELEM_TIMEOUT, htobe64(c[i].timeout_ms));
		if (c[i].expires_ms != 0)
			mnl_attr_put_u64(nlh, NFTA_SET_ELEM_EXPIRATION,
			    htobe64(c[i].expires_ms));
		if (c[i].counts)
			tally_put(nlh, c[i].packets, c[i].bytes);
		mnl_attr_nest_end(nlh, nest);
		if (nlh->nlmsg_len < MESSAGE_MAX && i + 1 < count)
			continue;
		mnl_attr_nest_end(nlh, list);
		batch_put(b, nlh);
		nlh = NULL;
	}
}
