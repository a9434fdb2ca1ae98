/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: resolved policy -> ruleset of table inet cordon */
#include "rules/compile.h"

#include <stdlib.h>
#include <string.h>

#include <cordon/diag.h>

static const struct fam fam_of[2] = {
	{ .v = 4, .nfproto = 2, .icmp = 1, .addr_type = RS_T_IP4, .icmp_type = RS_T_ICMP,
	    .saddr = RS_IP_SADDR, .daddr = RS_IP_DADDR, .icmp_field = RS_ICMP_TYPE },
	{ .v = 6, .nfproto = 10, .icmp = 58, .addr_type = RS_T_IP6,
	    .icmp_type = RS_T_ICMP6, .saddr = RS_IP6_SADDR, .daddr = RS_IP6_DADDR,
	    .icmp_field = RS_ICMP6_TYPE },
};

int rules_compile(const struct fs *fs, const struct compile_opts *o, struct diaglist *d,
    struct ruleset **ret)
{
	struct compile c = { .fs = fs, .o = o,
		.require = compile_required(fs, o->at) };
	struct ruleset *rs = NULL;

	memcpy(c.fam, fam_of, sizeof(c.fam));
	c.b = rsb_new();
	if (c.b != NULL) {
		compile_declare(&c);
		compile_sets(&c);
		c.require = compile_required(fs, o->at);
		compile_hosts(&c);
		if (!c.failed)
			compile_chains(&c);
		if (!c.failed)
			rs = rsb_finish(c.b);
	}
	compile_hosts_free(&c);
	rsb_free(c.b);
	if (rs == NULL) {
		if (d != NULL)
			diag_add(d, "CRD090", (struct diag_loc){ 0 },
			    "the compiled ruleset does not fit into memory");
		return -1;
	}
	memcpy(rs->digest, fs->digest, sizeof(rs->digest));
	rs->generation = o->generation;
	rs->at = o->at;
	*ret = rs;
	return 0;
}

int rules_closed(struct ruleset **ret)
{
	struct rs_builder *b = rsb_new();
	struct ruleset *rs = NULL;

	if (b != NULL) {
		compile_closed_chain(b);
		rs = rsb_finish(b);
	}
	rsb_free(b);
	if (rs == NULL)
		return -1;
	*ret = rs;
	return 0;
}
