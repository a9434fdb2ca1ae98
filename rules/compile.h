/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what the parts of the compiler share; private to rules/ */
#ifndef RULES_COMPILE_H
#define RULES_COMPILE_H

#include <stdint.h>

#include <cordon/flowspace.h>
#include <cordon/guard.h>
#include <cordon/rules.h>
#include <cordon/ruleset.h>

#include "rules/rulewriter.h"

/* Of the base chains: after DNAT, before other filters and SNAT (cordond(8), README). */
enum { HOOK_PRIORITY = -10 };

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
	LABEL_BROKEN,          /* 3: nla, smb2, signing did not hold */
	LABEL_LAST = LABEL_BROKEN + 2,

	/* what connections have to show (compile_gates.c) */
	LABEL_FIRST = 64,
	LABEL_SEQ = LABEL_FIRST, /* 16: low bits of the number of the client's first byte */
	LABEL_LEN = 80,        /* 8: low bits of the length of its first request */
	LABEL_NOTED = 88,      /* LABEL_SEQ is known */
	LABEL_ASKED,           /* LABEL_LEN is */
	LABEL_ASKED_SMB,       /* it asked for SMB */
	LABEL_REFUSED,         /* the server said no */
	LABEL_SESSION,         /* the server accepted a NetBIOS session */
	LABEL_SMB2_SPOKEN,     /* it speaks SMB2, and waits for another NEGOTIATE */
	LABEL_CLIENT_SIGNS,    /* the client requires signing */
	LABEL_GATED,           /* something is required */
	LABEL_PASSED,          /* it was shown, or never will be */
	LABEL_IN_ASKS,         /* a rule of the server's, the client's side requires something */
	LABEL_OUT_ASKS,
	LABEL_IN_WAIVES,       /* 3: one that grants does not: nla, smb2, signing */
	LABEL_OUT_WAIVES = LABEL_IN_WAIVES + 3,
	LABEL_NEED = LABEL_OUT_WAIVES + 3, /* 3: some side requires it */
	LABEL_HELD = LABEL_NEED + 3, /* 3: one that enforces does */
	LABEL_TOLD_SMB2 = LABEL_HELD + 3, /* 111 */
};

/* Orientation of a lookup: the packet as it is, or with its ends exchanged (it may
 * be an answer); of the server's side (in) or the client's (out).  BOTH: of the first of
 * two protected sides, a hit of which asks the other. */
enum way { FWD_IN, FWD_OUT, REV_IN, REV_OUT, BOTH_FWD, BOTH_REV, WAYS };
static inline bool way_reverse(enum way w)
{
	return w == REV_IN || w == REV_OUT || w == BOTH_REV;
}
static inline enum fs_dir way_dir(enum way w)
{
	return w == FWD_IN || w == REV_IN || w == BOTH_FWD ? FS_IN : FS_OUT;
}
/* The host is the packet's source. */
static inline bool way_by_source(enum way w)
{
	return w == FWD_OUT || w == REV_IN;
}

/* So many ranges of addresses are compared one by one: the kernel's set of intervals
 * costs as much as nine (or three of no prefix). */
enum { SPANS_MAX = 3 };

/* What of the table belongs to one address family. */
struct fam {
	uint8_t v; /* 4 or 6 */
	uint8_t nfproto, icmp;
	enum rs_type addr_type, icmp_type;
	enum rs_field saddr, daddr, icmp_field;
	/* What the policy has of it: some address of L or P, some that is only observed.
	 * Without, no packet can get where rules would ask for them, and none are written. */
	bool lives, watches;
	bool managed; /* somebody manages the gateway by it */
	bool pairs; /* a rule may let two protected ends meet: else there is no chain `both` */
	/* sets of addresses */
	uint32_t legacy, hosts, observe, management, icmp_errors;
	struct netrange span[SPANS_MAX]; /* what legacy holds, the largest first */
	uint32_t nspans;      /* more than SPANS_MAX: only the set has them */
	struct netrange hull; /* a prefix that has all of legacy in it; where lives */
	uint32_t neighbour, listener; /* sets of ICMPv6 types; of 6 */
	uint32_t block, block_net, block_all, block_all_net, quarantine;
	uint32_t peers[129];  /* number of a list . prefix of this length; RS_NONE */
	uint32_t older[2];  /* host . port where a rule of an observed host allows something */
	uint32_t speaks[2]; /* host . port where some rule grants SMB or RDP */
	uint32_t asks[2];   /* of these, where one requires something */
	uint32_t shut;      /* connections that ended before their gate opened */
	/* chains */
	uint32_t forward, judge, inside, toward, both, icmp_odd, try_way[WAYS];
	uint32_t ok, odd, denied, spoofed, blocked, condemned, syn;
	uint32_t watch_in, watch_out;
};

struct compile {
	const struct fs *fs;
	const struct compile_opts *o;
	struct rs_builder *b;
	struct fam fam[2];
	uint32_t inside;           /* set of protected interfaces */
	uint32_t port_protos;      /* tcp, udp, sctp */
	uint32_t answer, opening; /* chains of both families */
	struct guard_group group[GUARD_GROUPS_MAX]; /* of guards, and the chain of each */
	uint32_t guards[GUARD_GROUPS_MAX], ngroups;
	uint32_t gate, gate_early;
	uint8_t require;           /* fs_require_bit: what some active rule asks for */
	uint32_t timed, clock;     /* chains: is the end that the packet carries past */
	struct hosts *hosts;       /* compile_hosts.h */
	struct lists *lists;
	struct classes *classes;
	uint32_t *ends;            /* of timed rules, seconds UTC */
	size_t nends, ends_cap, nkeys;
	bool failed;
};

/* How the table is laid out, so that its cost a packet and a change hangs on no number of
 * hosts: no chain and no jump belongs to a host or to a list of peers.  Maps say which
 * number a host's port has (compile_keys.c): that of a list of peers.  The number is kept
 * in the packet's priority for the next look-up: whether list . peer is in one of the
 * sets of prefixes (compile_lists.c).  What passes gets the priority back that the kernel
 * gives by type of service (compile_consent.c).  Both ways of a connection use the same
 * sets, with the packet's ends exchanged.  A new element is never a reason for the kernel
 * to walk the whole table again, as one with a jump is. */
#define LIST_FLAG 0x80000000u /* in every number but the ends of timed rules */
#define TIME_OVER 0x80000000u
#define LIST_ANY  0x80000001u
enum { KEYS_MAX = 8 << 20 };

static inline bool is_port_proto(uint8_t proto)
{
	return proto == 6 || proto == 17 || proto == 132;
}

/* The n-th protocol's answer to a request of this ICMP type, or -1. */
int icmp_reply_of(uint8_t icmp_proto, uint16_t type);

static inline bool compile_watches(const struct compile *c)
{
	return c->fam[0].watches || c->fam[1].watches;
}
/* To a rule of one family: not where this end is only observed. */
static inline void compile_enforced(struct compile *c, const struct fam *f, enum rs_field end)
{
	if (f->watches)
		rw_not_in(c->b, end, f->observe);
}

/* compile_sets.c: all named sets with the policy's fixed contents */
void compile_sets(struct compile *c);
/* compile_place.c: where a packet comes from and goes to; calls that append to the rule
 * begun last return what the rule writer's do. */
struct rs_builder *compile_legacy(struct compile *c, const struct fam *f, enum rs_field end);
struct rs_builder *compile_not_legacy(struct compile *c, const struct fam *f,
    enum rs_field end);
/* Rules of chain `at`: what this end is of L or P goes on to chain `to`. */
void compile_legacy_goto(struct compile *c, const struct fam *f, uint32_t at,
    enum rs_field end, uint32_t to);
/* The base chains, once the others are there. */
void compile_places(struct compile *c);
/* From inside comes only what is protected and routed back there. */
void compile_inside_place(struct compile *c, struct fam *f);
/* Of who opens or gets: blocked everywhere, or not ours; what is goes on to `toward`. */
void compile_judge(struct compile *c, struct fam *f, uint32_t at);
/* compile_chains.c: the static chains (declare first, so that maps can point there) */
void compile_declare(struct compile *c);
void compile_chains(struct compile *c);
/* The only chain where no policy is known: forwards nothing. */
uint32_t compile_closed_chain(struct rs_builder *b);
/* compile_openings.c: SMB and RDP openings where they are not granted */
void compile_openings(struct compile *c);
/* compile_watch.c: what is reported of hosts that are only observed */
void compile_older(struct compile *c);
void compile_watch(struct compile *c, struct fam *f, uint32_t at); /* watch_in, watch_out */
/* compile_odd.c: TCP packets of connections that conntrack does not know from the start */
void compile_speaks(struct compile *c);
void compile_odd(struct compile *c, const struct fam *f); /* chain odd */
/* TCP headers that are not all there are denied: a rule of chain `at`. */
void compile_truncated(struct compile *c, const struct fam *f, uint32_t at);
/* compile_gates.c: connections that have to show something first.  compile_gates() comes
 * before the others, which do nothing where nothing is required. */
enum { REQUIRE_LABELS_MAX = 4 };
uint8_t compile_required(const struct fs *fs, int64_t at);
void compile_gates(struct compile *c);
void compile_gate_needs(struct compile *c, const struct fam *f); /* rules of chain syn */
void compile_gate_jump(struct compile *c, uint32_t at, uint32_t gate);
/* What a rule that grants this and requires that leaves out of what others require. */
uint8_t compile_waived(const struct compile *c, uint8_t require, uint8_t grants);
bool compile_asks(const struct compile *c, uint8_t require, uint8_t grants);
/* The labels that say so; returns how many. */
uint32_t compile_require_labels(const struct compile *c, enum fs_dir dir, uint8_t grants,
    uint8_t waived, uint32_t label[static REQUIRE_LABELS_MAX]);
/* compile_guards.c: the policy's guards as payload rules */
void compile_guards(struct compile *c);
/* At the end of a chain: what sends a packet to the guards it may be hit by. */
void compile_guards_at(struct compile *c, uint32_t chain);
/* compile_lists.c */
void *compile_grow(struct compile *c, void *at, size_t *cap, size_t need, size_t elem);
int lists_new(struct compile *c);
void lists_free(struct lists *l);
void lists_sets(struct compile *c); /* all lists are known */
uint32_t lists_chain(struct compile *c, const struct fam *f, const char *name,
    enum rs_field peer, uint32_t hit);
/* compile_hosts.c: what each host's rules allow, before the chains that ask for it */
void compile_hosts(struct compile *c);
void compile_hosts_free(struct compile *c);
/* compile_consent.c: the rules that look there */
void compile_consent(struct compile *c, const struct fam *f, uint32_t at, enum way w,
    uint32_t hit);
void compile_labels(struct compile *c, const struct fam *f, enum fs_dir dir); /* of syn */
void compile_timed(struct compile *c);
void compile_restore(struct compile *c, const struct fam *f, uint32_t at);

/* compile_report.c: a chain that counts under `kind`, for the gateway and for the host,
 * and logs (detail may be ""), then goes on to `then` (RS_NONE: returns).  With a family:
 * each flow at most once a period; f NULL: each packet, of both families. */
uint32_t compile_report(struct compile *c, struct fam *f, const char *kind,
    const char *detail, uint32_t then);
/* Only the counts of such reports, which nothing makes now: they stay what they were. */
void compile_report_kept(struct compile *c, const struct fam *f, const char *kind);

#endif
