/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what table inet cordon holds in the kernel: objects, elements, counters */
#include "nft/private.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/object.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

/* Append to an array of pointers that grows by doubling. */
static int grow(void *array, size_t n, void *item)
{
	void ***list = array;

	if ((n & (n - 1)) == 0) {
		void **more = reallocarray(*list, n == 0 ? 1 : 2 * n, sizeof(*more));

		if (more == NULL) {
			errno = ENOMEM;
			return MNL_CB_ERROR;
		}
		*list = more;
	}
	(*list)[n] = item;
	return MNL_CB_OK;
}

static int table_cb(const struct nlmsghdr *nlh, void *arg)
{
	struct nlattr *attr;
	struct kernel *k = arg;

	if (NFNL_MSG_TYPE(nlh->nlmsg_type) != NFT_MSG_NEWTABLE)
		return MNL_CB_OK;
	k->present = true;
	mnl_attr_for_each (attr, nlh, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attr) == NFTA_TABLE_FLAGS &&
		    mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
			k->flags = ntohl(mnl_attr_get_u32(attr));
	return MNL_CB_OK;
}

static bool is_ours(const char *table)
{
	return table != NULL && strcmp(table, NFT_TABLE) == 0;
}

static int chain_cb(const struct nlmsghdr *nlh, void *arg)
{
	struct nftnl_chain *c = nftnl_chain_alloc();
	struct kernel *k = arg;

	if (c == NULL)
		return MNL_CB_ERROR;
	if (nftnl_chain_nlmsg_parse(nlh, c) == -1 ||
	    !is_ours(nftnl_chain_get_str(c, NFTNL_CHAIN_TABLE))) {
		nftnl_chain_free(c);
		return MNL_CB_OK;
	}
	return grow(&k->chain, k->nchain++, c);
}

static int set_cb(const struct nlmsghdr *nlh, void *arg)
{
	struct nftnl_set *s = nftnl_set_alloc();
	struct kernel *k = arg;

	if (s == NULL)
		return MNL_CB_ERROR;
	if (nftnl_set_nlmsg_parse(nlh, s) == -1 ||
	    !is_ours(nftnl_set_get_str(s, NFTNL_SET_TABLE))) {
		nftnl_set_free(s);
		return MNL_CB_OK;
	}
	return grow(&k->set, k->nset++, s);
}

static int obj_cb(const struct nlmsghdr *nlh, void *arg)
{
	struct nftnl_obj *o = nftnl_obj_alloc();
	struct kernel *k = arg;

	if (o == NULL)
		return MNL_CB_ERROR;
	if (nftnl_obj_nlmsg_parse(nlh, o) == -1 ||
	    !is_ours(nftnl_obj_get_str(o, NFTNL_OBJ_TABLE))) {
		nftnl_obj_free(o);
		return MNL_CB_OK;
	}
	return grow(&k->obj, k->nobj++, o);
}

/* Ask for all objects of a kind in the table. */
static int ask_all(struct nft *n, uint16_t type, uint16_t table_attr, mnl_cb_t cb,
    void *arg)
{
	char buf[256];
	struct nlmsghdr *nlh = sock_request(n, buf, type, NLM_F_DUMP);

	mnl_attr_put_strz(nlh, table_attr, NFT_TABLE);
	return sock_ask(n, nlh, cb, arg);
}

int kernel_dump(struct nft *n, struct kernel *k)
{
	char buf[256];
	struct nlmsghdr *nlh = sock_request(n, buf, NFT_MSG_GETTABLE, NLM_F_ACK);
	int r;

	memset(k, 0, sizeof(*k));
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, NFT_TABLE);
	r = sock_ask(n, nlh, table_cb, k);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = ask_all(n, NFT_MSG_GETCHAIN, NFTA_CHAIN_TABLE, chain_cb, k);
	if (r == 0)
		r = ask_all(n, NFT_MSG_GETSET, NFTA_SET_TABLE, set_cb, k);
	if (r == 0)
		r = ask_all(n, NFT_MSG_GETOBJ, NFTA_OBJ_TABLE, obj_cb, k);
	return r;
}

void kernel_free(struct kernel *k)
{
	for (size_t i = 0; i < k->nchain; i++)
		nftnl_chain_free(k->chain[i]);
	for (size_t i = 0; i < k->nset; i++)
		nftnl_set_free(k->set[i]);
	for (size_t i = 0; i < k->nobj; i++)
		nftnl_obj_free(k->obj[i]);
	free(k->chain);
	free(k->set);
	free(k->obj);
	memset(k, 0, sizeof(*k));
}

struct nftnl_set *kernel_set(const struct kernel *k, const char *name)
{
	for (size_t i = 0; i < k->nset; i++)
		if (strcmp(nftnl_set_get_str(k->set[i], NFTNL_SET_NAME), name) == 0)
			return k->set[i];
	return NULL;
}

struct nftnl_obj *kernel_counter(const struct kernel *k, const char *name)
{
	for (size_t i = 0; i < k->nobj; i++)
		if (nftnl_obj_get_u32(k->obj[i], NFTNL_OBJ_TYPE) == NFT_OBJECT_COUNTER &&
		    strcmp(nftnl_obj_get_str(k->obj[i], NFTNL_OBJ_NAME), name) == 0)
			return k->obj[i];
	return NULL;
}

/* ---- elements ---- */

struct elem_list {
	struct carried *at;
	size_t count, cap;
};

static void read_key(const struct nlattr *nest, struct carried *c)
{
	struct nlattr *attr;

	mnl_attr_for_each_nested (attr, nest)
		if (mnl_attr_get_type(attr) == NFTA_DATA_VALUE &&
		    mnl_attr_get_payload_len(attr) <= sizeof(c->key)) {
			c->key_len = (uint8_t)mnl_attr_get_payload_len(attr);
			memcpy(c->key, mnl_attr_get_payload(attr), c->key_len);
		}
}

static void read_elem(const struct nlattr *nest, struct carried *c)
{
	struct nlattr *attr;

	mnl_attr_for_each_nested (attr, nest) {
		size_t len = mnl_attr_get_payload_len(attr);

		switch (mnl_attr_get_type(attr)) {
		case NFTA_SET_ELEM_KEY:
			read_key(attr, c);
			break;
		case NFTA_SET_ELEM_FLAGS:
			if (len >= sizeof(uint32_t))
				c->flags = ntohl(mnl_attr_get_u32(attr));
			break;
		case NFTA_SET_ELEM_TIMEOUT:
			if (len >= sizeof(uint64_t))
				c->timeout_ms = be64toh(mnl_attr_get_u64(attr));
			break;
		case NFTA_SET_ELEM_EXPR:
		case NFTA_SET_ELEM_EXPRESSIONS:
			c->counts = tally_of(attr, &c->packets, &c->bytes);
			break;
		case NFTA_SET_ELEM_EXPIRATION:
			if (len >= sizeof(uint64_t))
				c->expires_ms = be64toh(mnl_attr_get_u64(attr));
			break;
		}
	}
}

static int elems_cb(const struct nlmsghdr *nlh, void *arg)
{
	struct elem_list *l = arg;
	struct nlattr *attr, *elem;

	mnl_attr_for_each (attr, nlh, sizeof(struct nfgenmsg)) {
		if (mnl_attr_get_type(attr) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		mnl_attr_for_each_nested (elem, attr) {
			if (l->count == l->cap) {
				size_t cap = l->cap == 0 ? 64 : l->cap * 2;
				struct carried *more =
				    reallocarray(l->at, cap, sizeof(*more));

				if (more == NULL) {
					errno = ENOMEM;
					return MNL_CB_ERROR;
				}
				l->at = more;
				l->cap = cap;
			}
			memset(&l->at[l->count], 0, sizeof(*l->at));
			read_elem(elem, &l->at[l->count++]);
		}
	}
	return MNL_CB_OK;
}

int kernel_elems(struct nft *n, const char *set, struct carried **ret_elems,
    size_t *ret_count)
{
	struct elem_list l = { 0 };
	char buf[512];
	struct nlmsghdr *nlh = sock_request(n, buf, NFT_MSG_GETSETELEM, NLM_F_DUMP);
	int r;

	if (strlen(set) >= RS_NAME_MAX)
		return -ENAMETOOLONG;
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, set);
	r = sock_ask(n, nlh, elems_cb, &l);
	if (r != 0) {
		free(l.at);
		return r;
	}
	*ret_elems = l.at;
	*ret_count = l.count;
	return 0;
}

/* ---- what callers ask for ---- */

static int counters_once(struct nft *n, struct kernel *k)
{
	memset(k, 0, sizeof(*k));
	return ask_all(n, NFT_MSG_GETOBJ, NFTA_OBJ_TABLE, obj_cb, k);
}

int nft_counters(struct nft *n,
    void (*f)(void *arg, const char *name, uint64_t packets, uint64_t bytes), void *arg)
{
	struct kernel k;
	int r;

	/* a commit in between interrupts a dump */
	for (int try = 0; (r = counters_once(n, &k)) == -EINTR && try < 16; try++)
		kernel_free(&k);
	for (size_t i = 0; r == 0 && i < k.nobj; i++)
		if (nftnl_obj_get_u32(k.obj[i], NFTNL_OBJ_TYPE) == NFT_OBJECT_COUNTER)
			f(arg, nftnl_obj_get_str(k.obj[i], NFTNL_OBJ_NAME),
			    nftnl_obj_get_u64(k.obj[i], NFTNL_OBJ_CTR_PKTS),
			    nftnl_obj_get_u64(k.obj[i], NFTNL_OBJ_CTR_BYTES));
	kernel_free(&k);
	return r;
}

static int mark_cb(const struct nlmsghdr *nlh, void *arg)
{
	char *comment = arg;
	struct nlattr *attr;

	mnl_attr_for_each (attr, nlh, sizeof(struct nfgenmsg)) {
		const uint8_t *u = mnl_attr_get_payload(attr);
		size_t len = mnl_attr_get_payload_len(attr);

		/* one TLV: the comment, NUL-terminated */
		if (mnl_attr_get_type(attr) == NFTA_CHAIN_USERDATA && len > 2 &&
		    u[1] == len - 2 && u[len - 1] == '\0' && len - 2 <= MARK_LEN)
			memcpy(comment, u + 2, len - 2);
	}
	return MNL_CB_OK;
}

int nft_is_applied(struct nft *n, uint32_t generation, const uint8_t digest[static 32])
{
	char buf[256], have[MARK_LEN] = "", want[MARK_LEN];
	struct nlmsghdr *nlh = sock_request(n, buf, NFT_MSG_GETCHAIN, NLM_F_ACK);
	int r;

	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, NFT_TABLE);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, NFT_MARK);
	r = sock_ask(n, nlh, mark_cb, have);
	if (r == -ENOENT)
		return 0;
	if (r != 0)
		return r;
	mark_text(want, generation, digest, NULL);
	return strncmp(have, want, strlen(want)) == 0;
}
