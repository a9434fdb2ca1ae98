/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what the parts of the compiler share; private to rules/ */
#ifndef RULES_COMPILE_H
#define RULES_COMPILE_H

#include <stdint.h>

#include <cordon/flowspace.h>
#include <cordon/rules.h>
#include <cordon/ruleset.h>

/* Bits of ct label that table inet cordon uses (documented in cordond(8)). */
enum label_bit {
	LABEL_CONDEMNED = 112, /* a guard or opening dropped a packet of it */
	LABEL_FRESH,           /* its SYN was seen under this table */
	LABEL_SEEN1,           /* one, two client payloads were looked at (three: SEEN3) */
	LABEL_SEEN2,
	LABEL_JUDGED,          /* no opening can come any more */
	LABEL_IN_SMB,          /* the server's side grants SMB, RDP */
	LABEL_IN_RDP,
	LABEL_OUT_SMB,         /* the client's side grants SMB, RDP */
	LABEL_OUT_RDP,
	LABEL_IN_SHORT,        /* the server's side allows first segments under 8 bytes */
	LABEL_SEEN3,
	LABEL_PICKED,          /* first seen without its SYN: either end may be the client */
	LABEL_OUT_SHORT,       /* the client's side does */
};

/* Orientation of a lookup: the packet as it is, or with its ends exchanged (it may
 * be an answer); of the server's side (in) or the client's (out). */
enum way { FWD_IN, FWD_OUT, REV_IN, REV_OUT, WAYS };

/* What of the table belongs to one address family. */
struct fam {
	uint8_t v; /* 4 or 6 */
	uint8_t nfproto, icmp;
	enum rs_type addr_type, icmp_type;
	enum rs_field saddr, daddr, icmp_field;
	/* sets of addresses */
	uint32_t legacy, observe, management, multicast, icmp_errors;
	uint32_t block, block_net, block_all, block_all_net, quarantine;
	uint32_t logged, logged_other;
	/* consent: exact (client . server . proto . port), host . proto . port -> chain,
	 * host . proto -> chain of port ranges */
	uint32_t exact[2]; /* by enum fs_dir */
	uint32_t port_map[WAYS], proto_map[WAYS];
	/* grants at the opening: host . proto . port -> chain, host . proto -> chain */
	uint32_t grant_map[2], grant_range[2];
	uint32_t speaks[2]; /* host . port where some rule grants SMB or RDP */
	/* chains */
	uint32_t judge, inside, toward, both, try_way[WAYS], hit_in, hit_rev_out;
	uint32_t ok, denied, spoofed, blocked, condemned, syn;
	uint32_t watch_in, watch_out;
};

struct compile {
	const struct fs *fs;
	const struct compile_opts *o;
	struct rs_builder *b;
	struct fam fam[2];
	uint32_t inside;           /* set of protected interfaces */
	uint32_t port_protos;      /* tcp, udp, sctp */
	uint32_t answer, opening, guards; /* chains of both families */
	bool failed;
};

static inline bool is_port_proto(uint8_t proto)
{
	return proto == 6 || proto == 17 || proto == 132;
}

/* The n-th protocol's answer to a request of this ICMP type, or -1. */
int icmp_reply_of(uint8_t icmp_proto, uint16_t type);

/* compile_sets.c: all named sets with the policy's fixed contents */
void compile_sets(struct compile *c);
/* compile_chains.c: the static chains (declare first, so that maps can point there) */
void compile_declare(struct compile *c);
void compile_chains(struct compile *c);
/* The only chain where no policy is known: forwards nothing. */
uint32_t compile_closed_chain(struct rs_builder *b);
/* compile_openings.c: SMB and RDP openings where they are not granted */
void compile_openings(struct compile *c);
/* compile_odd.c: TCP packets of connections that conntrack does not know from the start */
void compile_speaks(struct compile *c);
void compile_odd(struct compile *c, const struct fam *f); /* rules of chain ok */
/* compile_guards.c: the policy's guards as payload rules */
void compile_guards(struct compile *c);
/* compile_hosts.c: what each host's rules allow */
void compile_hosts(struct compile *c);

/* A chain that counts and logs under `kind` (detail may be ""), then goes on to `then`
 * (RS_NONE: returns).  With a family: each flow at most once a period; f NULL: each
 * packet, of both families. */
uint32_t compile_report(struct compile *c, struct fam *f, const char *kind,
    const char *detail, uint32_t then);

#endif
