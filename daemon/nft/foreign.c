/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what other tables do that goes around table inet cordon */
#include "nft/private.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

enum { TABLES_MAX = 64 };

struct foreign_table {
	uint8_t family;
	char name[RS_NAME_MAX];
};

struct foreign {
	struct foreign_table table[TABLES_MAX];
	size_t n;
	bool found[NFT_FOREIGN_KINDS]; /* in the table that is looked at */
};

static int foreign_table_cb(const struct nlmsghdr *nlh, void *arg)
{
	const struct nfgenmsg *g = mnl_nlmsg_get_payload(nlh);
	struct foreign *f = arg;
	struct nlattr *attr;

	mnl_attr_for_each (attr, nlh, sizeof(*g)) {
		const char *name = mnl_attr_get_str(attr);

		if (mnl_attr_get_type(attr) != NFTA_TABLE_NAME || f->n == TABLES_MAX ||
		    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0 ||
		    strlen(name) >= sizeof(f->table[0].name) ||
		    (g->nfgen_family == NFPROTO_INET && strcmp(name, NFT_TABLE) == 0))
			continue;
		f->table[f->n].family = g->nfgen_family;
		strcpy(f->table[f->n++].name, name);
	}
	return MNL_CB_OK;
}

static int foreign_flowtable_cb(const struct nlmsghdr *nlh, void *arg)
{
	struct foreign *f = arg;

	(void)nlh;
	f->found[NFT_FOREIGN_FLOWTABLE] = true;
	return MNL_CB_OK;
}

/* iptables -j CT --notrack, in a rule that nft only carries: the first word of struct
 * xt_ct_target_info has bit XT_CT_NOTRACK. */
static bool foreign_xt_notrack(struct nlattr *data)
{
	struct nlattr *attr;
	bool target = false, bit = false;

	mnl_attr_for_each_nested (attr, data) {
		uint16_t flags;

		if (mnl_attr_get_type(attr) == NFTA_TARGET_NAME &&
		    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
			target = strcmp(mnl_attr_get_str(attr), "CT") == 0 ||
			    strcmp(mnl_attr_get_str(attr), "NOTRACK") == 0;
		if (mnl_attr_get_type(attr) == NFTA_TARGET_INFO &&
		    mnl_attr_get_payload_len(attr) >= sizeof(flags)) {
			memcpy(&flags, mnl_attr_get_payload(attr), sizeof(flags));
			bit = flags & 1;
		}
	}
	return target && bit;
}

static void foreign_expr(struct foreign *f, struct nlattr *elem)
{
	static const struct {
		const char *name;
		enum nft_foreign what;
	} known[] = {
		{ "notrack", NFT_FOREIGN_NOTRACK },
		{ "flow_offload", NFT_FOREIGN_FLOWTABLE },
		{ "fwd", NFT_FOREIGN_FORWARD },
	};
	struct nlattr *attr, *data = NULL;
	const char *name = "";

	mnl_attr_for_each_nested (attr, elem) {
		if (mnl_attr_get_type(attr) == NFTA_EXPR_NAME &&
		    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
			name = mnl_attr_get_str(attr);
		if (mnl_attr_get_type(attr) == NFTA_EXPR_DATA)
			data = attr;
	}
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(name, known[i].name) == 0)
			f->found[known[i].what] = true;
	if (data && strcmp(name, "target") == 0 && foreign_xt_notrack(data))
		f->found[NFT_FOREIGN_NOTRACK] = true;
}

static int foreign_rule_cb(const struct nlmsghdr *nlh, void *arg)
{
	struct foreign *f = arg;
	struct nlattr *attr, *elem;

	mnl_attr_for_each (attr, nlh, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attr) == NFTA_RULE_EXPRESSIONS)
			mnl_attr_for_each_nested (elem, attr)
				if (mnl_attr_get_type(elem) == NFTA_LIST_ELEM)
					foreign_expr(f, elem);
	return MNL_CB_OK;
}

/* table NULL: of all tables of all families. */
static int foreign_ask(struct nft *n, uint16_t type, uint16_t table_attr,
    const struct foreign_table *table, mnl_cb_t cb, struct foreign *f)
{
	char buf[512];
	struct nlmsghdr *nlh = sock_request(n, buf, type, NLM_F_DUMP);
	struct nfgenmsg *g = mnl_nlmsg_get_payload(nlh);

	g->nfgen_family = table ? table->family : NFPROTO_UNSPEC;
	if (table)
		mnl_attr_put_strz(nlh, table_attr, table->name);
	return sock_ask(n, nlh, cb, f);
}

static int foreign_one(struct nft *n, struct foreign *f, const struct foreign_table *t,
    nft_foreign_fn *fn, void *arg)
{
	int r;

	memset(f->found, 0, sizeof(f->found));
	/* a kernel without flowtables has none */
	r = foreign_ask(n, NFT_MSG_GETFLOWTABLE, NFTA_FLOWTABLE_TABLE, t,
	    foreign_flowtable_cb, f);
	if (r == 0 || r == -EOPNOTSUPP || r == -ENOENT)
		r = foreign_ask(n, NFT_MSG_GETRULE, NFTA_RULE_TABLE, t, foreign_rule_cb, f);
	if (r < 0)
		return r == -ENOENT ? 0 : r; /* deleted meanwhile */
	for (int k = 0; k < NFT_FOREIGN_KINDS; k++)
		if (f->found[k])
			fn(arg, (enum nft_foreign)k, t->family, t->name);
	return 0;
}

int nft_foreign(struct nft *n, nft_foreign_fn *fn, void *arg)
{
	struct foreign *f = calloc(1, sizeof(*f));
	int r = -ENOMEM;

	if (f)
		r = foreign_ask(n, NFT_MSG_GETTABLE, 0, NULL, foreign_table_cb, f);
	for (size_t i = 0; r == 0 && i < f->n; i++)
		r = foreign_one(n, f, &f->table[i], fn, arg);
	free(f);
	return r;
}

int nft_generation(struct nft *n, uint32_t *ret)
{
	return sock_genid(n, ret);
}
