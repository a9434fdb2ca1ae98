/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: elements that count: read in pieces, written, probed for */
#include "nft/private.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { PIECE_MAX = 1 << 16, KEY_MAX = 64 };

/* ---- counters of elements ---- */

static uint64_t number(const struct nlattr *attr)
{
	return mnl_attr_get_payload_len(attr) < sizeof(uint64_t) ? 0 :
	    be64toh(mnl_attr_get_u64(attr));
}

static void counter_data(struct nlattr *data, uint64_t *packets, uint64_t *bytes)
{
	struct nlattr *attr;

	mnl_attr_for_each_nested (attr, data) {
		if (mnl_attr_get_type(attr) == NFTA_COUNTER_PACKETS)
			*packets = number(attr);
		else if (mnl_attr_get_type(attr) == NFTA_COUNTER_BYTES)
			*bytes = number(attr);
	}
}

/* One expression: its name, then its data. */
static bool counter_of(struct nlattr *expr, uint64_t *packets, uint64_t *bytes)
{
	struct nlattr *attr, *data = NULL;
	bool is = false;

	mnl_attr_for_each_nested (attr, expr) {
		if (mnl_attr_get_type(attr) == NFTA_EXPR_NAME)
			is = mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0 &&
			    strcmp(mnl_attr_get_str(attr), "counter") == 0;
		else if (mnl_attr_get_type(attr) == NFTA_EXPR_DATA)
			data = attr;
	}
	if (is && data != NULL)
		counter_data(data, packets, bytes);
	return is && data != NULL;
}

bool tally_of(struct nlattr *attr, uint64_t *ret_packets, uint64_t *ret_bytes)
{
	struct nlattr *one;

	if (mnl_attr_get_type(attr) == NFTA_SET_ELEM_EXPR)
		return counter_of(attr, ret_packets, ret_bytes);
	mnl_attr_for_each_nested (one, attr)
		if (counter_of(one, ret_packets, ret_bytes))
			return true;
	return false;
}

void tally_put(struct nlmsghdr *nlh, uint64_t packets, uint64_t bytes)
{
	struct nlattr *expr = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_EXPR), *data;

	mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, "counter");
	data = mnl_attr_nest_start(nlh, NFTA_EXPR_DATA);
	mnl_attr_put_u64(nlh, NFTA_COUNTER_BYTES, htobe64(bytes));
	mnl_attr_put_u64(nlh, NFTA_COUNTER_PACKETS, htobe64(packets));
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, expr);
}

/* ---- reading ---- */

struct nft_reader {
	struct mnl_socket *nl;
	uint32_t seq;
	char buf[PIECE_MAX];
};

struct nft_reader *nft_reader_open(void)
{
	struct nft_reader *r = calloc(1, sizeof(*r));
	int saved;

	if (r == NULL)
		return NULL;
	r->nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (r->nl != NULL && mnl_socket_bind(r->nl, 0, MNL_SOCKET_AUTOPID) == 0)
		return r;
	saved = errno;
	nft_reader_close(r);
	errno = saved;
	return NULL;
}

void nft_reader_close(struct nft_reader *r)
{
	if (r == NULL)
		return;
	if (r->nl != NULL)
		mnl_socket_close(r->nl);
	free(r);
}

int nft_reader_fd(const struct nft_reader *r)
{
	return mnl_socket_get_fd(r->nl);
}

int nft_reader_ask(struct nft_reader *r, const char *set)
{
	char buf[512];
	struct nlmsghdr *nlh;

	if (strlen(set) >= RS_NAME_MAX)
		return -ENAMETOOLONG;
	while (recv(nft_reader_fd(r), r->buf, sizeof(r->buf), MSG_DONTWAIT) > 0)
		;
	nlh = nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETSETELEM, NFPROTO_INET, NLM_F_DUMP,
	    ++r->seq);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, set);
	return mnl_socket_sendto(r->nl, nlh, nlh->nlmsg_len) == -1 ? -errno : 0;
}

static void read_count(struct nlattr *elem, nft_count_fn *f, void *arg)
{
	uint8_t key[KEY_MAX] = { 0 };
	uint64_t packets = 0, bytes = 0;
	struct nlattr *attr, *value;
	bool counts = false;
	size_t len = 0;

	mnl_attr_for_each_nested (attr, elem) {
		uint16_t type = mnl_attr_get_type(attr);

		if (type == NFTA_SET_ELEM_EXPR || type == NFTA_SET_ELEM_EXPRESSIONS)
			counts = tally_of(attr, &packets, &bytes);
		if (type != NFTA_SET_ELEM_KEY)
			continue;
		mnl_attr_for_each_nested (value, attr)
			if (mnl_attr_get_type(value) == NFTA_DATA_VALUE &&
			    mnl_attr_get_payload_len(value) <= sizeof(key)) {
				len = mnl_attr_get_payload_len(value);
				memcpy(key, mnl_attr_get_payload(value), len);
			}
	}
	if (counts && len > 0)
		f(arg, key, (len + 3) & ~(size_t)3, packets);
}

static void read_counts(const struct nlmsghdr *nlh, nft_count_fn *f, void *arg)
{
	struct nlattr *attr, *elem;

	mnl_attr_for_each (attr, nlh, sizeof(struct nfgenmsg)) {
		if (mnl_attr_get_type(attr) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		mnl_attr_for_each_nested (elem, attr)
			read_count(elem, f, arg);
	}
}

static int reader_error(const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);

	return nlh->nlmsg_len < mnl_nlmsg_size(sizeof(*e)) ? -EPROTO : e->error;
}

int nft_reader_step(struct nft_reader *r, nft_count_fn *f, void *arg)
{
	ssize_t got = recv(nft_reader_fd(r), r->buf, sizeof(r->buf), MSG_DONTWAIT);
	int left = (int)got;

	if (got < 0)
		return errno == EINTR || errno == EWOULDBLOCK ? -EAGAIN : -errno;
	/* an interrupted dump is not repeated: the next round comes */
	for (const struct nlmsghdr *nlh = (const void *)r->buf; mnl_nlmsg_ok(nlh, left);
	     nlh = mnl_nlmsg_next(nlh, &left)) {
		if (nlh->nlmsg_seq != r->seq)
			continue;
		if (nlh->nlmsg_type == NLMSG_DONE)
			return 0;
		if (nlh->nlmsg_type == NLMSG_ERROR)
			return reader_error(nlh);
		read_counts(nlh, f, arg);
	}
	return 1;
}

/* ---- writing ---- */

static void put_counts(struct batch *b, const char *set, uint16_t type,
    const struct nft_count *c, size_t count)
{
	const struct origin of = origin_of(OF_ELEM, "", "");
	struct nlattr *list = NULL, *nest, *key;
	struct nlmsghdr *nlh = NULL;
	bool add = type == NFT_MSG_NEWSETELEM;

	for (size_t i = 0; i < count; i++) {
		if (!add && !c[i].there)
			continue;
		if (nlh == NULL) {
			nlh = batch_message(b, type, add ? NLM_F_CREATE : 0, &of);
			if (nlh == NULL)
				return;
			mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
			mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, set);
			list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
		}
		nest = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
		key = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_KEY);
		mnl_attr_put(nlh, NFTA_DATA_VALUE, c[i].key_len, c[i].key);
		mnl_attr_nest_end(nlh, key);
		if (add)
			tally_put(nlh, c[i].packets, 0);
		mnl_attr_nest_end(nlh, nest);
	}
	if (nlh == NULL)
		return;
	mnl_attr_nest_end(nlh, list);
	batch_put(b, nlh);
}

/* Messages of this many elements stay under MESSAGE_MAX. */
enum { COUNTS_A_MESSAGE = 400 };

int nft_counts_put(struct nft *n, const char *set, const struct nft_count *c, size_t count)
{
	struct batch b;
	int r;

	batch_begin(&b, n, 0);
	for (size_t i = 0; i < count; i += COUNTS_A_MESSAGE) {
		size_t some = count - i < COUNTS_A_MESSAGE ? count - i : COUNTS_A_MESSAGE;

		put_counts(&b, set, NFT_MSG_DELSETELEM, c + i, some);
		put_counts(&b, set, NFT_MSG_NEWSETELEM, c + i, some);
	}
	r = batch_commit(&b, n, false, NULL);
	batch_free(&b);
	if (r == 0 && n->genid != 0)
		n->genid++;
	return r;
}

/* ---- what the kernel can ---- */

#define PROBE "cordon_probe"

static struct ruleset *probe_ruleset(void)
{
	struct rs_builder *b = rsb_new();
	struct rs_set set = { .nkeys = 1, .key = { RS_T_IP4 }, .dynamic = true,
		.timeout = true, .timeout_s = 1, .size = 16 };
	struct rs_op op = { .code = RS_OP_UPDATE, .nfields = 1, .field = { RS_IP_DADDR },
		.tally = RS_COUNT | RS_RENEW, .arg = 1, .arg2 = 1 };
	struct ruleset *rs;
	uint32_t at;

	if (b == NULL)
		return NULL;
	op.set = rsb_set(b, "flows", &set);
	at = rsb_chain(b, "count", NULL);
	rsb_rule(b, at, "");
	rsb_op(b, &op);
	rs = rsb_finish(b);
	rsb_free(b);
	return rs;
}

static void probe_write(struct batch *b, const struct ruleset *rs)
{
	const struct origin of = origin_of(OF_BATCH, "", "");
	struct nftnl_set *set = lower_set(rs, rs_set(rs, 0), 1);
	struct nftnl_chain *chain = lower_chain(rs, rs_chain(rs, 0));
	struct nftnl_rule *rule =
	    lower_rule(rs, RS_AT(rs, RS_RULES, struct rs_rule, 0), false);
	struct nlmsghdr *nlh = batch_message(b, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL,
	    &of);

	if (set == NULL || chain == NULL || rule == NULL || nlh == NULL) {
		b->failed = true;
		goto out;
	}
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, PROBE);
	batch_put(b, nlh);
	nftnl_set_set_str(set, NFTNL_SET_TABLE, PROBE);
	if ((nlh = batch_message(b, NFT_MSG_NEWSET, NLM_F_CREATE, &of)) == NULL)
		goto out;
	nftnl_set_nlmsg_build_payload(nlh, set);
	batch_put(b, nlh);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, PROBE);
	if ((nlh = batch_message(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE, &of)) == NULL)
		goto out;
	nftnl_chain_nlmsg_build_payload(nlh, chain);
	batch_put(b, nlh);
	nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, PROBE);
	if ((nlh = batch_message(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, &of)) == NULL)
		goto out;
	nftnl_rule_nlmsg_build_payload(nlh, rule);
	batch_put(b, nlh);
out:
	if (set != NULL)
		nftnl_set_free(set);
	if (chain != NULL)
		nftnl_chain_free(chain);
	if (rule != NULL)
		nftnl_rule_free(rule);
}

bool tally_can_count(struct nft *n)
{
	struct ruleset *rs = probe_ruleset();
	struct batch b;
	bool ok;

	if (rs == NULL)
		return false;
	batch_begin(&b, n, 0);
	probe_write(&b, rs);
	ok = batch_commit(&b, n, true, NULL) == 0;
	batch_free(&b);
	free(rs);
	return ok;
}
