/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: single elements of timed sets: blocks and grants, between two reloads */
#include "nft/private.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES = 4 };

struct elem {
	const struct known_set *set;
	const uint8_t *key, *end; /* end: last of an interval, else NULL */
	uint32_t timeout_s;
};

static int known_cb(const struct nlmsghdr *nlh, void *arg)
{
	struct known_set *k = arg;
	struct nftnl_set *s = nftnl_set_alloc();

	if (s == NULL)
		return MNL_CB_ERROR;
	if (nftnl_set_nlmsg_parse(nlh, s) == 0) {
		k->flags = nftnl_set_get_u32(s, NFTNL_SET_FLAGS);
		k->key_len = nftnl_set_get_u32(s, NFTNL_SET_KEY_LEN);
	}
	nftnl_set_free(s);
	return MNL_CB_OK;
}

/* What the kernel says of a set; asked once after each reload. */
static int known(struct nft *n, const char *name, const struct known_set **ret_set)
{
	struct known_set k = { .flags = 0 };
	char buf[512];
	struct nlmsghdr *nlh;
	int r;

	for (unsigned i = 0; i < n->nknown; i++)
		if (strcmp(n->known[i].name, name) == 0) {
			*ret_set = &n->known[i];
			return 0;
		}
	if (strlen(name) >= sizeof(k.name))
		return -ENAMETOOLONG;
	strcpy(k.name, name);
	nlh = sock_request(n, buf, NFT_MSG_GETSET, NLM_F_ACK);
	mnl_attr_put_strz(nlh, NFTA_SET_TABLE, NFT_TABLE);
	mnl_attr_put_strz(nlh, NFTA_SET_NAME, name);
	r = sock_ask(n, nlh, known_cb, &k);
	if (r != 0)
		return r;
	if (n->nknown == KNOWN_SETS)
		n->nknown = 0;
	n->known[n->nknown] = k;
	*ret_set = &n->known[n->nknown++];
	return 0;
}

/* Fill *e; the caller's key is of 1 key, or of first and last where the set is an
 * interval one, each as long as in a ruleset (padded). */
static int elem_new(struct nft *n, struct elem *e, const char *set, const void *key,
    size_t key_len, uint32_t timeout_s)
{
	size_t padded;
	int r = known(n, set, &e->set);

	if (r != 0)
		return r;
	padded = (e->set->key_len + 3u) & ~(size_t)3;
	if (key_len != (e->set->flags & NFT_SET_INTERVAL ? 2 : 1) * padded)
		return -EINVAL;
	e->key = key;
	e->end = e->set->flags & NFT_SET_INTERVAL ? e->key + padded : NULL;
	e->timeout_s = timeout_s;
	return 0;
}

static void put_one(struct nlmsghdr *nlh, const struct elem *e, const uint8_t *key,
    bool end, uint32_t timeout_s)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM), *value;

	if (end)
		mnl_attr_put_u32(nlh, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_INTERVAL_END));
	value = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_KEY);
	mnl_attr_put(nlh, NFTA_DATA_VALUE, e->set->key_len, key);
	mnl_attr_nest_end(nlh, value);
	if (timeout_s != 0)
		mnl_attr_put_u64(nlh, NFTA_SET_ELEM_TIMEOUT, htobe64(timeout_s * 1000ull));
	mnl_attr_nest_end(nlh, nest);
}

static void put_message(struct batch *b, const struct elem *e, uint16_t type,
    uint16_t flags)
{
	const struct origin of = origin_of(OF_ELEM, e->set->name, "");
	struct nlmsghdr *nlh = batch_message(b, type, flags, &of);
	bool add = type == NFT_MSG_NEWSETELEM;
	struct nlattr *list;
	uint8_t end[64];
	size_t i;

	if (nlh == NULL)
		return;
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, e->set->name);
	list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	put_one(nlh, e, e->key, false, add ? e->timeout_s : 0);
	if (e->end != NULL && e->set->key_len <= sizeof(end)) {
		memcpy(end, e->end, e->set->key_len);
		for (i = e->set->key_len; i > 0 && ++end[i - 1] == 0; i--)
			;
		if (i > 0)
			put_one(nlh, e, end, true, 0); /* ends with its start */
	}
	mnl_attr_nest_end(nlh, list);
	batch_put(b, nlh);
}

static int there_cb(const struct nlmsghdr *nlh, void *arg)
{
	(void)arg;
	(void)nlh;
	return MNL_CB_OK;
}

/* Whether the element is in the set: 1, 0 or -errno.  Asked first, because a refused
 * transaction waits for an RCU grace period (10 to 20 ms), this takes microseconds. */
static int elem_there(struct nft *n, const struct elem *e)
{
	char buf[512];
	struct nlmsghdr *nlh = sock_request(n, buf, NFT_MSG_GETSETELEM, NLM_F_ACK);
	struct nlattr *list;
	int r;

	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, e->set->name);
	list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	put_one(nlh, e, e->key, false, 0);
	mnl_attr_nest_end(nlh, list);
	r = sock_ask(n, nlh, there_cb, NULL);
	return r == 0 ? 1 : r == -ENOENT ? 0 : r;
}

/* Send a deletion, an addition or both as one transaction. */
static int elem_commit(struct nft *n, const struct elem *e, bool del, bool add)
{
	struct batch b;
	int r;

	batch_begin(&b, n, 0);
	if (del)
		put_message(&b, e, NFT_MSG_DELSETELEM, 0);
	if (add)
		put_message(&b, e, NFT_MSG_NEWSETELEM,
		    NLM_F_CREATE | (del ? 0 : NLM_F_EXCL));
	r = batch_commit(&b, n, false, NULL);
	batch_free(&b);
	if (r == 0 && n->genid != 0)
		n->genid++;
	return r;
}

int nft_elem_add(struct nft *n, const char *set, const void *key, size_t key_len,
    uint32_t timeout_s)
{
	struct elem e;
	int r = elem_new(n, &e, set, key, key_len, timeout_s);

	if (r != 0)
		return r;
	/* Before 6.12 an addition renews no timeout: what is there is replaced.  It may
	 * end by itself, or come by a packet, in between: hence the loop. */
	for (int try = 0; try < TRIES; try++) {
		int there = elem_there(n, &e);

		if (there < 0)
			return there;
		r = elem_commit(n, &e, there, true);
		if (r != (there ? -ENOENT : -EEXIST))
			break;
	}
	return r;
}

int nft_elem_del(struct nft *n, const char *set, const void *key, size_t key_len)
{
	struct elem e;
	int r = elem_new(n, &e, set, key, key_len, 0);

	if (r == 0)
		r = elem_there(n, &e);
	if (r <= 0)
		return r == 0 ? -ENOENT : r;
	return elem_commit(n, &e, true, false);
}

int nft_forget(struct nft *n, const struct ruleset *rs)
{
	struct batch b;
	int r;

	batch_begin(&b, n, 0);
	for (uint32_t i = 0; i < rs->table[RS_SETS].count; i++)
		if (rs_set(rs, i)->dynamic && rs_set(rs, i)->timeout)
			elems_flush(&b, rs, rs_set(rs, i));
	r = batch_commit(&b, n, false, NULL);
	if (r == 0 && n->genid != 0 && b.norigin > 1) /* else nothing was sent */
		n->genid++;
	batch_free(&b);
	return r;
}

static int by_key(const void *x, const void *y)
{
	const struct carried *a = x, *b = y;
	int r = memcmp(a->key, b->key, sizeof(a->key));

	/* where an interval ends and the next begins, the end is first */
	return r != 0 ? r : (a->flags < b->flags) - (a->flags > b->flags);
}

static uint32_t left_s(const struct carried *c)
{
	return (uint32_t)((c->expires_ms + 999) / 1000);
}

/* Starts and ends, made first and last again. */
static void give_intervals(struct carried *c, size_t count, size_t padded,
    void (*f)(void *arg, const void *key, size_t key_len, uint32_t expires_s), void *arg)
{
	if (count > 0)
		qsort(c, count, sizeof(*c), by_key);
	for (size_t i = 0; i < count; i++) {
		uint8_t key[128] = { 0 };
		uint8_t *last = key + padded;

		if (c[i].flags & NFT_SET_ELEM_INTERVAL_END)
			continue;
		memcpy(key, c[i].key, c[i].key_len);
		memset(last, 0xff, c[i].key_len);
		if (i + 1 < count) {
			memcpy(last, c[i + 1].key, c[i].key_len);
			for (size_t k = c[i].key_len; k > 0 && last[k - 1]-- == 0; k--)
				;
		}
		f(arg, key, 2 * padded, left_s(&c[i]));
	}
}

int nft_elems(struct nft *n, const char *set,
    void (*f)(void *arg, const void *key, size_t key_len, uint32_t expires_s), void *arg)
{
	const struct known_set *k;
	struct carried *c = NULL;
	size_t count = 0, padded;
	int r = known(n, set, &k);

	if (r != 0)
		return r;
	/* a commit in between interrupts a dump */
	for (int try = 0; (r = kernel_elems(n, set, &c, &count)) == -EINTR && try < 16;)
		try++;
	if (r != 0)
		return r;
	padded = (k->key_len + 3u) & ~(size_t)3;
	if (k->flags & NFT_SET_INTERVAL)
		give_intervals(c, count, padded, f, arg);
	else
		for (size_t i = 0; i < count; i++)
			f(arg, c[i].key, padded, left_s(&c[i]));
	free(c);
	return 0;
}
