/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the compiled ruleset, kernel-free: what both renderings are made from */
#ifndef CORDON_RULESET_H
#define CORDON_RULESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One block without pointers, as struct fs; flags are uint8_t, 0 is no, since a bool
 * with another value, from another process, is undefined.  It describes all of table
 * `inet cordon`: objects in the order in which they have to be created. */
enum { RS_NONE = UINT32_MAX, RS_VERSION = 1, RS_KEYS_MAX = 4, RS_NAME_MAX = 64 };

enum rs_table {
	RS_STRINGS,  /* char; index = byte offset, 0 is "" */
	RS_SETS,     /* struct rs_set */
	RS_ELEMS,    /* struct rs_elem */
	RS_KEYS,     /* uint8_t: the elements' keys */
	RS_COUNTERS, /* uint32_t: names of counter objects (strings) */
	RS_CHAINS,   /* struct rs_chain */
	RS_RULES,    /* struct rs_rule: by chain, in order */
	RS_OPS,      /* struct rs_op */
	RS_NTABLES
};

struct rs_span {
	uint32_t first, count;
};

/* Types of set keys, and their bytes in a key (each padded to 4). */
enum rs_type {
	RS_T_IP4,     /* 4, network order */
	RS_T_IP6,     /* 16, network order */
	RS_T_PROTO,   /* 1 */
	RS_T_PORT,    /* 2, network order */
	RS_T_ICMP,    /* 1 */
	RS_T_ICMP6,   /* 1 */
	RS_T_IFNAME,  /* 16, NUL padded */
	RS_T_PRIORITY, /* 4, host order: a packet's priority (nft: classid) */
};

/* What a packet is asked for.  The family and transport a field needs (as nft's
 * own dependencies) are added by the lowering, once a rule. */
enum rs_field {
	RS_NFPROTO,     /* 1: NFPROTO_IPV4 2, NFPROTO_IPV6 10 */
	RS_L4PROTO,     /* 1 */
	RS_IIFNAME,     /* 16 */
	RS_OIFNAME,     /* 16 */
	RS_PKTTYPE,     /* 1: host 0, broadcast 1, multicast 2 */
	RS_TIME,        /* 8: nanoseconds since 1970, host order */
	RS_CT_DIR,      /* 1: original 0, reply 1 */
	RS_IP_SADDR, RS_IP_DADDR,   /* 4 */
	RS_IP6_SADDR, RS_IP6_DADDR, /* 16 */
	RS_IP6_HOPLIMIT,            /* 1 */
	RS_TH_SPORT, RS_TH_DPORT,   /* 2: tcp, udp, sctp alike (`th`) */
	RS_TCP_FLAGS,               /* 1 */
	RS_ICMP_TYPE, RS_ICMP6_TYPE, /* 1 */
	RS_FIB_SADDR_TYPE, RS_FIB_DADDR_TYPE, /* 4, host order: RTN_LOCAL 2 … */
	RS_FIB_SADDR_OIF,           /* `fib saddr . iif oif`: 4, 0 = missing */
	RS_PRIORITY,    /* 4, host order: `meta priority`, where rules keep a number */
	RS_IH,          /* payload of the transport header: `@ih,offset,bits` */
	RS_TH_RAW,      /* `@th,offset,bits` */
	RS_NH_RAW,      /* `@nh,offset,bits` */
	RS_NFIELDS
};

enum rs_cmp { RS_EQ, RS_NE, RS_LT, RS_GT, RS_LE, RS_GE };
enum rs_go { RS_ACCEPT, RS_DROP, RS_RETURN, RS_JUMP, RS_GOTO, RS_CONTINUE };
enum rs_hook { RS_HOOK_NONE, RS_HOOK_INPUT, RS_HOOK_FORWARD, RS_HOOK_OUTPUT };
enum rs_ct_state { RS_CT_INVALID = 1, RS_CT_ESTABLISHED = 2, RS_CT_RELATED = 4,
	RS_CT_NEW = 8, RS_CT_UNTRACKED = 64 };

/* Of RS_OP_UPDATE: the element counts its packets; each renews its timeout. */
enum { RS_COUNT = 1, RS_RENEW = 2 };

enum rs_opcode {
	RS_OP_CMP,      /* field (& mask, where has_mask) cmp value */
	RS_OP_RANGE,    /* field in value..mask (lo..hi), or not where negate */
	RS_OP_LOOKUP,   /* field[0..nfields) in set, or not where negate; where has_mask:
	                 * the last field (an address) & mask */
	RS_OP_VMAP,     /* field[0..nfields) vmap set */
	RS_OP_MAP,      /* the packet's priority becomes what field[0..nfields) is mapped
	                 * to by set (RS_MAP_VALUE); false where that has no such key */
	RS_OP_PRIORITY, /* the packet's priority becomes arg */
	RS_OP_CT_STATE, /* one of the bits `arg`, or none of them where negate */
	RS_OP_CT_LABEL, /* label bit `arg` set, or not where negate */
	RS_OP_SET_LABEL,/* set label bit `arg` */
	RS_OP_COUNTER,  /* counter object set (RS_COUNTERS); RS_NONE: anonymous */
	RS_OP_LOG,      /* nflog group arg, prefix str, snaplen arg2, queue threshold 1 */
	RS_OP_LIMIT,    /* arg a second, burst arg2; true where `negate`: over the rate */
	RS_OP_UPDATE,   /* add field[] to dynamic set, timeout arg seconds; `tally` says
	                 * what else; arg2: at most so often a minute (0: no limit), which
	                 * is looked at after the count.  False: over that, or no room */
	RS_OP_RESET,    /* reject with tcp reset */
	RS_OP_GO,       /* verdict go, to chain */
};

struct rs_op {
	uint8_t code, cmp, go, nfields;   /* enums above */
	uint8_t field[RS_KEYS_MAX];       /* enum rs_field; CMP, RANGE: field[0] */
	uint8_t negate, has_mask;
	uint8_t len;                      /* bytes of value and mask in use */
	uint8_t tally;                    /* UPDATE: bits RS_COUNT, RS_RENEW */
	uint16_t offset;                  /* RS_IH, RS_TH_RAW: byte offset */
	uint32_t set, chain, str, arg, arg2;
	uint8_t value[16], mask[16];
};

struct rs_rule {
	uint32_t chain;
	uint32_t comment; /* string: the cordon rule id, or "" */
	struct rs_span ops;
};

/* priority and policy of base chains only (hook != RS_HOOK_NONE). */
struct rs_chain {
	uint32_t name, comment;
	struct rs_span rules;
	int32_t priority;
	uint8_t hook;
	uint8_t drop; /* policy drop */
};

enum rs_map { RS_MAP_NONE, RS_MAP_VERDICT, RS_MAP_VALUE };

struct rs_set {
	uint32_t name, comment;
	struct rs_span elems;      /* RS_ELEMS, sorted by key */
	uint32_t size;             /* 0: not given; rsb_finish() gives large hashes one */
	uint32_t timeout_s;        /* default of elements; 0: none */
	uint8_t key[RS_KEYS_MAX], nkeys; /* enum rs_type */
	uint8_t key_len;           /* bytes of a key: sum of its padded types */
	uint8_t interval, timeout, dynamic;
	uint8_t map;                  /* enum rs_map */
	uint8_t keep;                 /* elements belong to the daemon: a reload keeps them */
};

struct rs_elem {
	uint32_t key;     /* byte offset in RS_KEYS: key, then the end key where interval */
	uint32_t chain;   /* map to verdicts: RS_CHAINS for jump and goto, else RS_NONE;
	                   * map to values: the value */
	uint32_t comment; /* string */
	uint8_t go;       /* map to verdicts: enum rs_go */
};

struct ruleset {
	char magic[8];
	uint32_t version, size;
	uint8_t digest[32]; /* of the policy (struct fs) it was compiled from */
	uint32_t generation;
	int64_t at;         /* compiled for this time, seconds UTC */
	struct {
		uint32_t off, count;
	} table[RS_NTABLES];
};

static inline const void *rs_table(const struct ruleset *rs, enum rs_table t)
{
	return (const char *)rs + rs->table[t].off;
}
#define RS_AT(rs, table, type, i) ((const type *)rs_table(rs, table) + (i))
static inline const char *rs_str(const struct ruleset *rs, uint32_t i)
{
	return (const char *)rs_table(rs, RS_STRINGS) + i;
}
static inline const struct rs_chain *rs_chain(const struct ruleset *rs, uint32_t i)
{
	return RS_AT(rs, RS_CHAINS, struct rs_chain, i);
}
static inline const struct rs_set *rs_set(const struct ruleset *rs, uint32_t i)
{
	return RS_AT(rs, RS_SETS, struct rs_set, i);
}
static inline const uint8_t *rs_key(const struct ruleset *rs, const struct rs_elem *e)
{
	return (const uint8_t *)rs_table(rs, RS_KEYS) + e->key;
}

/* Bytes of a key of this type in a concatenation (padded to 4), and without. */
size_t rs_type_len(enum rs_type t);
/* Bytes of a field's value (RS_IH, RS_TH_RAW: 0, the op's len says). */
size_t rs_field_len(enum rs_field f);

/* Whether buf[0..len) is a well-formed block: every offset, span, index and enum in
 * bounds, only names [a-zA-Z0-9_], jumps and gotos without loops and at most 15 deep, key
 * lengths right.  The enforcer applies nothing that fails this. */
bool ruleset_valid(const void *buf, size_t len);
/* The same; breathe(arg) runs now and then, for a caller that others wait for. */
bool ruleset_valid_calmly(const void *buf, size_t len, void (*breathe)(void *arg),
    void *arg);

/* ---- building (rules/compile.c) ---- */
struct rs_builder;
struct rs_builder *rsb_new(void);
void rsb_free(struct rs_builder *b);
uint32_t rsb_str(struct rs_builder *b, const char *s);
uint32_t rsb_counter(struct rs_builder *b, const char *name);
/* The caller fills *set but elems; name as a string. */
uint32_t rsb_set(struct rs_builder *b, const char *name, const struct rs_set *set);
/* key: set's key_len bytes; key_end: of an interval's last member, else NULL. */
void rsb_elem(struct rs_builder *b, uint32_t set, const void *key, const void *key_end,
    enum rs_go go, uint32_t chain, const char *comment);
uint32_t rsb_chain(struct rs_builder *b, const char *name, const struct rs_chain *c);
/* Start a rule at the end of chain; the ops that follow belong to it. */
void rsb_rule(struct rs_builder *b, uint32_t chain, const char *comment);
void rsb_op(struct rs_builder *b, const struct rs_op *op);
/* Index of a chain or set by name, or RS_NONE. */
uint32_t rsb_find_chain(struct rs_builder *b, const char *name);
uint32_t rsb_find_set(struct rs_builder *b, const char *name);
/* Name of a chain; valid until the next string is added. */
const char *rsb_chain_name(struct rs_builder *b, uint32_t chain);
/* Sort elements and rules by owner; the caller free()s.  NULL: no memory. */
struct ruleset *rsb_finish(struct rs_builder *b);

#endif
