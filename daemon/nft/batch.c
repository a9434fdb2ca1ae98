/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: one transaction: messages in one buffer, sent at once, refusals explained */
#include "nft/private.h"

#include <netinet/in.h>
#include <errno.h>
#include <libnftnl/common.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#ifndef ERESTART
#define ERESTART 85
#endif

enum { ROOM = MESSAGE_MAX + 8192 };

/* The first refusal of a transaction, by order of its messages. */
struct verdict {
	int err; /* errno, 0: none */
	uint32_t index, offset;
	bool answered; /* the ACK of the last message, or a refusal, arrived */
};

static void batch_raw(struct batch *b, uint16_t type, uint16_t flags, uint32_t genid)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(b->buf + b->len);
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = b->first_seq + (uint32_t)b->norigin;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = AF_UNSPEC;
	nfg->version = NFNETLINK_V0;
	nfg->res_id = htons(NFNL_SUBSYS_NFTABLES);
	if (genid != 0)
		mnl_attr_put_u32(nlh, NFNL_BATCH_GENID, htonl(genid));
	b->len += NLMSG_ALIGN(nlh->nlmsg_len);
}

static bool batch_origin(struct batch *b, const struct origin *of)
{
	if (b->norigin == b->origin_cap) {
		size_t cap = b->origin_cap == 0 ? 64 : b->origin_cap * 2;
		struct origin *more = reallocarray(b->origin, cap, sizeof(*more));

		if (more == NULL)
			return false;
		b->origin = more;
		b->origin_cap = cap;
	}
	b->origin[b->norigin] = *of;
	b->origin[b->norigin++].at = b->len;
	return true;
}

static bool batch_room(struct batch *b)
{
	size_t cap = b->cap == 0 ? 2 * ROOM : b->cap;
	char *more;

	while (cap - b->len < ROOM)
		cap *= 2;
	if (cap == b->cap)
		return true;
	more = realloc(b->buf, cap);
	if (more == NULL)
		return false;
	b->buf = more;
	b->cap = cap;
	return true;
}

void batch_begin(struct batch *b, struct nft *n, uint32_t genid)
{
	static const struct origin of = { .object = OF_BATCH, .name = "", .comment = "" };

	memset(b, 0, sizeof(*b));
	b->first_seq = n->seq + 1;
	b->one_expr = n->one_expr;
	if (!batch_room(b)) {
		b->failed = true;
		return;
	}
	batch_raw(b, NFNL_MSG_BATCH_BEGIN, 0, genid);
	b->failed = !batch_origin(b, &of);
}

void batch_free(struct batch *b)
{
	free(b->buf);
	free(b->origin);
	memset(b, 0, sizeof(*b));
}

struct nlmsghdr *batch_message(struct batch *b, uint16_t type, uint16_t flags,
    const struct origin *of)
{
	if (b->failed || !batch_room(b) || !batch_origin(b, of)) {
		b->failed = true;
		return NULL;
	}
	return nftnl_nlmsg_build_hdr(b->buf + b->len, type, NFPROTO_INET, flags,
	    b->first_seq + (uint32_t)b->norigin - 1);
}

void batch_put(struct batch *b, const struct nlmsghdr *nlh)
{
	b->len += NLMSG_ALIGN(nlh->nlmsg_len);
}

/* The extended part of a refusal: where in the message. */
static uint32_t refusal_offset(const struct nlmsghdr *nlh, const struct nlmsgerr *e)
{
	size_t skip = sizeof(*e);
	struct nlattr *attr;

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return 0;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		skip += mnl_nlmsg_get_payload_len(&e->msg);
	mnl_attr_for_each (attr, nlh, (unsigned)skip)
		if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_OFFS &&
		    mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
			return mnl_attr_get_u32(attr);
	return 0;
}

static void judge(const struct batch *b, const char *buf, size_t got, struct verdict *v)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)buf;
	int len = (int)got;

	for (; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
		const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);
		uint32_t index = nlh->nlmsg_seq - b->first_seq;

		if (nlh->nlmsg_type != NLMSG_ERROR || index > b->norigin ||
		    mnl_nlmsg_get_payload_len(nlh) < sizeof(*e))
			continue;
		v->answered = true;
		if (e->error == 0 || (v->err != 0 && v->index <= index))
			continue;
		v->err = -e->error;
		v->index = index;
		v->offset = refusal_offset(nlh, e);
	}
}

/* Answers are queued when the transaction's sendmsg() returns. */
static void batch_answers(const struct batch *b, struct nft *n, struct verdict *v)
{
	char buf[16384];
	bool lost = false;

	for (;;) {
		ssize_t got = recv(mnl_socket_get_fd(n->nl), buf, sizeof(buf), MSG_DONTWAIT);

		if (got > 0)
			judge(b, buf, (size_t)got, v);
		else if (got == -1 && errno == ENOBUFS)
			lost = true;
		else if (got == -1 && errno != EINTR)
			break;
	}
	/* some answers are missing: a silent kernel has applied nothing */
	if (v->err == 0 && (lost || !v->answered))
		v->err = ENOBUFS;
}

/* The refused element: the one whose attribute begins last at or before offset. */
static void blame_elem(const struct batch *b, const struct origin *of, uint32_t offset,
    struct nft_error *err)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)(b->buf + of->at);
	struct nlattr *attr, *elem;
	uint32_t index = of->elem;
	bool found = false;

	mnl_attr_for_each (attr, nlh, sizeof(struct nfgenmsg)) {
		if (mnl_attr_get_type(attr) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		mnl_attr_for_each_nested (elem, attr) {
			const struct nlattr *first = mnl_attr_get_payload(elem);

			if ((size_t)((const char *)elem - (const char *)nlh) > offset)
				break;
			/* the ends of intervals are no elements of the ruleset */
			if (mnl_attr_get_type(first) == NFTA_SET_ELEM_FLAGS)
				continue;
			index += found;
			found = true;
		}
	}
	if (found && index < of->rs->table[RS_ELEMS].count)
		err->comment = rs_str(of->rs,
		    RS_AT(of->rs, RS_ELEMS, struct rs_elem, index)->comment);
}

static void blame(const struct batch *b, const struct verdict *v, struct nft_error *err)
{
	static const char *const word[] = {
		[OF_BATCH] = "batch", [OF_TABLE] = "table", [OF_COUNTER] = "counter",
		[OF_SET] = "set", [OF_CHAIN] = "chain", [OF_RULE] = "rule",
		[OF_ELEM] = "element",
	};
	const struct origin *of = &b->origin[v->index < b->norigin ? v->index : 0];

	*err = (struct nft_error){ v->err, word[of->object], of->name, of->comment };
	if (of->object == OF_ELEM && of->rs != NULL && v->offset != 0)
		blame_elem(b, of, v->offset, err);
}

int batch_commit(struct batch *b, struct nft *n, bool dry, struct nft_error *err)
{
	struct verdict v = { 0 };
	struct nlmsghdr *last;

	if (b->failed)
		v = (struct verdict){ .err = ENOMEM };
	else if (b->norigin == 1)
		return 0;
	else {
		last = (struct nlmsghdr *)(b->buf + b->origin[b->norigin - 1].at);
		last->nlmsg_flags |= NLM_F_ACK;
		n->seq = b->first_seq + (uint32_t)b->norigin;
		if (!dry)
			batch_raw(b, NFNL_MSG_BATCH_END, 0, 0);
		sock_drain(n);
		v.err = -sock_send(n, b->buf, b->len);
		if (v.err == 0)
			batch_answers(b, n, &v);
	}
	if (v.err == EINTR)
		v.err = ERESTART;
	if (v.err != 0 && err != NULL && !b->failed)
		blame(b, &v, err);
	else if (v.err != 0 && err != NULL)
		*err = (struct nft_error){ v.err, "batch", "", "" };
	return -v.err;
}
