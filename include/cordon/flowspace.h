/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: a resolved policy as one flat block, and the one evaluator of it */
#ifndef CORDON_FLOWSPACE_H
#define CORDON_FLOWSPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cordon/netaddr.h>

/* A `struct fs` is one block without pointers: it is written by the loader, handed
 * over as a sealed memory file, and read by enforcer, engine and every verb.  All
 * references are indexes into the tables below; FS_NONE means "none".  Times are
 * seconds since 1970 UTC.  Ports are host order.  Flags are uint8_t, 0 is no: a bool
 * with another value, from another process, is undefined. */
enum { FS_NONE = UINT32_MAX, FS_VERSION = 2, FS_DIGEST_LEN = 32 };
#define FS_FOREVER INT64_MAX

enum fs_table {
	FS_STRINGS,     /* char: NUL-terminated strings, index = byte offset, 0 is "" */
	FS_WORDS,       /* uint32_t: lists of string indexes */
	FS_RANGES,      /* struct netrange */
	FS_PLACES,      /* struct fs_place: L and P, sorted, disjoint */
	FS_HOSTS,       /* struct fs_host */
	FS_RULES,       /* struct fs_rule: by host, direction, id (bytes) */
	FS_SERVICES,    /* struct fs_service */
	FS_SCHEDULES,   /* struct fs_schedule */
	FS_WINDOWS,     /* struct fs_window */
	FS_TRANSITIONS, /* struct fs_transition: of the policy's time zone, by time */
	FS_GUARDS,      /* struct guard (cordon/guard.h), by id */
	FS_GUARD_TERMS, /* struct guard_term */
	FS_GUARD_USES,  /* struct fs_guard_use */
	FS_JITS,        /* struct fs_jit */
	FS_NTABLES
};

struct fs_span {
	uint32_t first, count;
};

enum fs_dir { FS_IN, FS_OUT };
enum fs_mode { FS_ENFORCE, FS_OBSERVE };
enum fs_proto_bit { FS_SMB = 1, FS_RDP = 2 };
enum fs_require_bit { FS_REQ_NLA = 1, FS_REQ_SMB2 = 2, FS_REQ_SIGNING = 4 };
enum fs_scope { FS_SCOPE_LEGACY, FS_SCOPE_ALL };
enum fs_block_on { FS_ON_GUARD = 1, FS_ON_BRUTEFORCE = 2, FS_ON_SCAN = 4,
	FS_ON_EXPOSURE = 8 };

struct fs_settings {
	struct fs_span interfaces, sensor_interfaces; /* FS_WORDS */
	struct fs_span addresses, management, never;  /* FS_RANGES, sorted, disjoint */
	uint32_t timezone, log_file;                  /* strings; log_file "" = none */
	uint32_t block_ttl_s;
	uint32_t scan_targets, scan_within_s;         /* targets asked for in that time */
	uint32_t log_source_quota, log_host_quota;    /* event lines a minute, 0: no limit */
	uint32_t logon_failures, logon_attempts, logon_within_s; /* likewise: bruteforce */
	uint8_t block_scope, block_on;                /* enum fs_scope; bits */
	uint8_t journald;
	uint8_t fail_closed; /* sensor.on_loss: closed */
};

struct fs_place {
	struct netrange range;
	uint32_t host;
};

/* A declared host, or a protected prefix (declared = false) that stands for the
 * undeclared addresses in it: such a one has no rules. */
struct fs_host {
	uint32_t name, owner, file, line;      /* name of a prefix: its text */
	struct fs_span addresses;              /* FS_RANGES: single addresses, or the prefix */
	struct fs_span rules[2];               /* by enum fs_dir */
	struct fs_span guards;                 /* FS_GUARD_USES, by guard id */
	struct fs_span jits;                   /* FS_JITS */
	uint32_t product, profile;
	uint32_t build, revision;              /* 0: not stated */
	struct fs_span updates;                /* FS_WORDS: "KB…" */
	uint8_t mode;                          /* enum fs_mode */
	uint8_t declared;
};

/* One protocol/port range of a rule.  tcp, udp, sctp: destination ports; icmp,
 * icmpv6: types; any other protocol: 0-65535. */
struct fs_service {
	uint32_t name; /* the service it came from, or the inline text */
	uint16_t lo, hi;
	uint8_t proto;         /* IPPROTO_* */
	uint8_t grants;        /* fs_proto_bit: what may be spoken there */
	uint8_t family;        /* 0 both, 4 or 6 (icmp is 4, icmpv6 6) */
	uint8_t short_opening;    /* first segments under 8 bytes are usual there */
};

struct fs_rule {
	uint32_t id, host;
	uint32_t reason, ticket;      /* strings */
	uint32_t file, line, col;
	uint32_t schedule;            /* FS_SCHEDULES or FS_NONE */
	struct fs_span services;      /* FS_SERVICES */
	struct fs_span peers;         /* FS_RANGES, sorted, disjoint; in: sources, out: targets */
	int64_t expires;              /* first second in which it no longer exists */
	uint8_t dir, require;         /* enum fs_dir; fs_require_bit */
	uint8_t exposure_accepted;
};

struct fs_schedule {
	struct fs_span windows; /* FS_WINDOWS: the union of them */
	uint32_t text;
};

/* Minutes of local time.  to > 1440 where the window ends on the next day. */
struct fs_window {
	uint8_t weekdays; /* bit 0 = Monday: days on which it starts */
	uint16_t from, to;
};

/* From `at` on, local time = UTC + offset_s.  The first row's `at` is INT64_MIN. */
struct fs_transition {
	int64_t at;
	int32_t offset_s;
};

enum fs_guard_action { FS_GUARD_OFF, FS_GUARD_ALERT, FS_GUARD_DROP };
struct fs_guard_use {
	uint32_t guard; /* FS_GUARDS */
	uint32_t reason;
	struct fs_span except; /* FS_RANGES: peers the host's own setting leaves out */
	int64_t expires; /* of the host's own setting; profile's default afterwards */
	uint8_t action, default_action; /* enum fs_guard_action */
};

struct fs_jit {
	uint32_t service;        /* string: service name */
	struct fs_span services; /* FS_SERVICES */
	struct fs_span from;     /* FS_RANGES */
	uint32_t max_s;
};

struct fs {
	char magic[8];
	uint32_t version, size; /* size: bytes of the whole block */
	uint8_t digest[FS_DIGEST_LEN]; /* BLAKE2b of the block with digest zeroed */
	struct fs_settings settings;
	struct {
		uint32_t off, count;
	} table[FS_NTABLES];
};

static inline const void *fs_table(const struct fs *fs, enum fs_table t)
{
	return (const char *)fs + fs->table[t].off;
}
#define FS_AT(fs, table, type, i) ((const type *)fs_table(fs, table) + (i))
static inline const char *fs_str(const struct fs *fs, uint32_t i)
{
	return (const char *)fs_table(fs, FS_STRINGS) + i;
}
static inline const struct fs_host *fs_host(const struct fs *fs, uint32_t i)
{
	return FS_AT(fs, FS_HOSTS, struct fs_host, i);
}
static inline const struct fs_rule *fs_rule(const struct fs *fs, uint32_t i)
{
	return FS_AT(fs, FS_RULES, struct fs_rule, i);
}
static inline const struct fs_service *fs_service(const struct fs *fs, uint32_t i)
{
	return FS_AT(fs, FS_SERVICES, struct fs_service, i);
}
static inline const struct netrange *fs_range(const struct fs *fs, uint32_t i)
{
	return FS_AT(fs, FS_RANGES, struct netrange, i);
}

/* Whether buf[0..len) is a well-formed block: every offset, span, index, string
 * and enum in bounds, sorted tables sorted.  For blocks from another process. */
bool fs_valid(const void *buf, size_t len);
/* The same; breathe(arg) runs now and then, for a caller that others wait for. */
bool fs_valid_calmly(const void *buf, size_t len, void (*breathe)(void *arg), void *arg);

/* ---- building (rules/resolve.c; tests) ---- */
struct fs_builder;
struct fs_builder *fsb_new(void); /* NULL: no memory */
void fsb_free(struct fs_builder *b);
/* Index of an equal string, stored once.  "" and NULL are 0. */
uint32_t fsb_str(struct fs_builder *b, const char *s);
/* Append one element (size by table); returns its index.  No memory: remembered,
 * fsb_finish() returns NULL. */
uint32_t fsb_add(struct fs_builder *b, enum fs_table t, const void *elem);
/* Append n ranges after sorting and merging them; the span of the result.  A list
 * that was stored before is not stored again. */
struct fs_span fsb_ranges(struct fs_builder *b, const struct netrange *r, size_t n);
struct fs_settings *fsb_settings(struct fs_builder *b);
struct fs_host *fsb_host(struct fs_builder *b, uint32_t i); /* valid until next fsb_add */
/* Sort rules (ids within host and direction), build FS_PLACES from the hosts'
 * addresses (declared carve undeclared), compute the digest.  The caller free()s
 * the result.  NULL: no memory, or over 4 GiB.  Does not free b. */
struct fs *fsb_finish(struct fs_builder *b);

/* ---- the evaluator: DESIGN section 4, steps 2-4 and 6 ---- */
struct fs_flow {
	struct netaddr src, dst;
	uint8_t proto;  /* IPPROTO_* */
	uint16_t dport; /* icmp, icmpv6: the type; others: 0 */
	int64_t at;     /* seconds UTC */
};

enum fs_result { FS_PASS, FS_ALLOW, FS_DENY };
enum fs_reason {
	FS_WHY_NOT_OURS,    /* neither end is protected */
	FS_WHY_RULES,       /* every protected end has a rule for it */
	FS_WHY_NO_RULE,     /* an end has no rule for it */
	FS_WHY_UNDECLARED,  /* an end is an undeclared protected address */
	FS_WHY_OBSERVED,    /* an end has no rule, but is only observed */
	FS_WHY_MULTICAST,   /* from a legacy host to a group or broadcast address */
	/* never of fs_judge(): what a capture did not show */
	FS_WHY_NLA, FS_WHY_SMB2, FS_WHY_SIGNING,
	FS_WHY_OPENING,     /* what it showed instead: other data first */
};

struct fs_side {
	uint32_t host;    /* FS_HOSTS */
	uint32_t rule;    /* smallest id that matches, or FS_NONE */
	uint32_t asleep;  /* smallest id that would, but not at this time, or FS_NONE */
	enum fs_dir dir;
	bool match;       /* a rule matches */
	bool observed;    /* the side's mode is observe */
	uint8_t grants;   /* union over matching rules: fs_proto_bit */
	uint8_t require;  /* held by every matching rule that grants that protocol */
	bool short_opening; /* union over matching rules */
};

struct fs_verdict {
	enum fs_result result;
	enum fs_reason reason;
	struct fs_side side[2]; /* outbound of src first, where it is protected */
	unsigned nsides;
	uint8_t grants;  /* granted by every protected side (observed and unmatched: all) */
	uint8_t require; /* required by any side */
};

void fs_judge(const struct fs *fs, const struct fs_flow *flow, struct fs_verdict *ret);

/* The host or prefix that holds a, or FS_NONE. */
uint32_t fs_place_of(const struct fs *fs, const struct netaddr *a);

/* Whether r exists at `at`; if so *ret_until (may be NULL) is the first second in
 * which it no longer does (FS_FOREVER: never). */
bool fs_rule_active(const struct fs *fs, const struct fs_rule *r, int64_t at,
    int64_t *ret_until);

/* What u, of a host, does at `at` about a hit in what it and this peer send each other;
 * peer NULL: one that is no exception. */
enum fs_guard_action fs_use_action(const struct fs *fs, const struct fs_guard_use *u,
    const struct netaddr *peer, int64_t at);
/* The same of whatever host i says about a guard; off where it does not use it. */
enum fs_guard_action fs_guard_action_of(const struct fs *fs, uint32_t host, uint32_t guard,
    const struct netaddr *peer, int64_t at);

/* The first second after `at` in which some rule starts or ends to exist, or
 * FS_FOREVER: when the ruleset has to be compiled again. */
int64_t fs_next_change(const struct fs *fs, int64_t at);

/* A word for machines and a sentence for people. */
const char *fs_result_name(enum fs_result r);
const char *fs_reason_text(enum fs_reason r);

#endif
