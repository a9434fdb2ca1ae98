/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: every message between roles; this file is what an auditor reads */
#ifndef CORDON_PRIV_MSG_H
#define CORDON_PRIV_MSG_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cordon/netaddr.h>
#include <cordon/tally.h>
#include <cordon/guard.h>
#include "wire/facts.h"

/* Channels are SOCK_SEQPACKET pairs: one datagram is one struct msg_hdr, then
 * exactly the body of its type (msg_table[].len), with msg_table[].fds descriptors.
 * A wrong size, type, sender or number of descriptors ends the role that sent it.
 * No message carries a path, a format or a length that sizes a buffer. */
enum role { ROLE_ENFORCER, ROLE_LOADER, ROLE_SENSOR, ROLE_ENGINE, ROLE_COUNT };

enum {
	MSG_COMMIT_LEN = 64, /* policy commit, NUL-terminated text [0-9A-Za-z._-] */
	MSG_KEY_LEN = 32,    /* a digest */
	MSG_ZONE_LEN = 64,   /* as Europe/Berlin: NUL-terminated */
	MSG_DETAIL_LEN = 64, /* guard id, "smb", "rdp": NUL-terminated */
	MSG_IFACES_MAX = 16,
	MSG_GUARDS_MAX = FACT_GUARD_WORDS * 32,
	/* descriptors of a role at its start */
	ROLE_FD_PARENT = 3, /* channel to the enforcer */
	ROLE_FD_PEER = 4,   /* sensor: to the engine; engine: to the sensor;
	                     * loader: policy directory, or the image to compile */
	ROLE_FD_EXTRA = 5,  /* engine: listening control socket; loader: zoneinfo or -1 */
	LOG_GROUP = 2008,   /* nflog: denials, guard hits; LOG_GROUP + 1: copies */
};

enum msg_type {
	/* enforcer -> loader; loader -> enforcer */
	MSG_LOAD,          /* struct msg_load */
	MSG_LOADED,        /* struct msg_loaded, 3 fds: image, ruleset, diagnostics */
	MSG_LOAD_FAILED,   /* struct msg_loaded, 1 fd: diagnostics */
	MSG_LOAD_SAME,     /* no body: the tree is what msg_load.key was made from */
	/* enforcer -> sensor */
	MSG_SENSOR_CONFIG, /* struct msg_sensor_config */
	MSG_SENSOR_GUARD,  /* struct msg_sensor_guard: one of the list to look for */
	MSG_PEER,          /* no body, 1 fd: a new channel to the restarted peer (also
	                    * enforcer -> engine) */
	/* sensor -> enforcer */
	MSG_READY,         /* no body: handles open, rights dropped (also from engine) */
	/* sensor -> engine */
	MSG_SIGHTING,      /* struct msg_sighting */
	MSG_SENSOR_STATS,  /* struct msg_sensor_stats, once a second */
	/* enforcer -> engine */
	MSG_POLICY,        /* struct msg_policy, 1 fd: image (struct fs), sealed */
	MSG_LOG_FD,        /* no body, 1 fd: the event log, opened for append */
	MSG_STATE_FD,      /* no body, 1 fd: what an engine before kept, read and write */
	MSG_RESULT,        /* struct msg_result: answer to BLOCK, UNBLOCK */
	MSG_RELOAD_RESULT, /* struct msg_result, 1 fd: diagnostics as JSON lines; to RELOAD,
	                    * TRIAL_OK, TRIAL_BACK */
	MSG_BLOCK_ENTRY,   /* struct msg_block: one of the kernel's blocks; then */
	MSG_BLOCKS_END,    /* struct msg_result */
	MSG_STATUS,        /* struct msg_status */
	MSG_HEALTH,        /* struct msg_health */
	MSG_FLOWS,         /* struct msg_flows: what the kernel counted, flow by flow, */
	MSG_SUMS,          /* struct msg_sums: by host; and what was told of it before */
	MSG_COUNTED,       /* struct msg_counted: all of that was sent */
	MSG_FINDING,       /* struct msg_finding: one is there, or is over */
	/* engine -> enforcer */
	MSG_BLOCK,         /* struct msg_block */
	MSG_UNBLOCK,       /* struct msg_block */
	MSG_LIST_BLOCKS,   /* no body */
	MSG_GET_STATUS,    /* no body */
	MSG_RELOAD,        /* struct msg_reload */
	MSG_TRIAL_OK,      /* no body; the answer to both is a MSG_RELOAD_RESULT */
	MSG_TRIAL_BACK,    /* no body */
	MSG_LOG_REOPEN,    /* no body */
	MSG_TOLD,          /* struct msg_sum: so much more stands in written events */
	MSG_TYPES
};

struct msg_hdr {
	uint16_t type; /* enum msg_type */
	uint16_t len;  /* of the body */
	uint32_t id;   /* of a request; its answer carries the same */
};

struct msg_load {
	int64_t at, floor;
	uint32_t generation;
	bool from_image; /* ROLE_FD_PEER is an image: compile it, parse nothing */
	char commit[MSG_COMMIT_LEN]; /* given by apply --commit, else "" */
	uint8_t key[MSG_KEY_LEN]; /* of what is in force; all zero: load in any case */
	char zone[MSG_ZONE_LEN];  /* time zone of that policy */
};

struct msg_loaded {
	uint32_t errors, warnings;
	uint32_t hosts, rules;
	uint32_t ruleset_bytes, image_bytes;
	int64_t next_change; /* fs_next_change(): recompile then */
	char commit[MSG_COMMIT_LEN]; /* given, or read from .git, or "" */
	uint8_t key[MSG_KEY_LEN]; /* digest of program, tree, zone and commit it was made
	                           * from; all zero: it can't be recognised again */
};

struct msg_sensor_config {
	uint32_t nifaces;
	char iface[MSG_IFACES_MAX][IFNAMSIZ];
	uint16_t log_group;
};

/* A guard to look for in messages that the sensor put together.  index counts to
 * total - 1; a list of none is one message with total 0. */
struct msg_sensor_guard {
	uint32_t index, total;
	char id[MSG_DETAIL_LEN];
	uint8_t where, dir; /* GUARD_KERNEL or GUARD_SENSOR; enum guard_dir */
	uint8_t alternative_len[GUARD_ALTERNATIVE_MAX];
	uint32_t nterms;
	struct guard_term terms[GUARD_TERM_MAX];
};

/* What a sighting is: the kernel's word before it in the nflog prefix, or what the
 * sensor recognised by itself on an interface. */
enum sighting_kind {
	SIGHT_DENIED,     /* no rule */
	SIGHT_WOULD_DENY, /* no rule, observed host */
	SIGHT_SPOOF,
	SIGHT_EXPOSURE,   /* kernel: SMB or RDP opening where it is not granted */
	SIGHT_GUARD,      /* kernel, or sensor with src the client: detail is the guard id */
	SIGHT_CONDEMNED,  /* later packet of a condemned connection */
	SIGHT_BLOCKED,    /* packet of a blocked source */
	SIGHT_SPOKEN,     /* sensor recognised SMB or RDP: facts */
	SIGHT_HALF_OPEN,  /* sensor: src's SYN passed, a connection never came about */
	SIGHT_KINDS
};

struct msg_sighting {
	int64_t time_us;         /* capture time, microseconds since 1970 */
	struct netaddr src, dst; /* as in the packet; SPOKEN: client and server */
	uint16_t sport, dport;   /* icmp: 0 and the type */
	uint8_t proto, kind;     /* IPPROTO_*, enum sighting_kind */
	uint8_t tcp_flags;
	bool from_nflog;
	bool handshake;          /* TCP: proof that src really receives: payload on an
	                          * established connection, or seen by the sensor */
	uint32_t generation;     /* of the ruleset that logged it; 0: interface */
	uint32_t count;          /* packets this stands for, >= 1 */
	char iface[IFNAMSIZ];
	char detail[MSG_DETAIL_LEN];
	struct flow_facts facts;
};

struct msg_sensor_stats {
	uint64_t packets, dropped; /* since start, all handles */
	uint64_t flows, evicted, sightings, lost; /* lost: could not be sent */
	uint64_t nflog_lost;       /* logged by the kernel, lost before it was read */
	uint64_t conflicts;        /* bytes sent again with other content */
	uint64_t let_go;           /* flows' facts and waiting bytes there was no room for */
	uint32_t handles;
};

/* What became of a policy: the deed that an event tells, and an answer. */
enum policy_deed {
	DEED_APPLIED, DEED_RESTORED,
	DEED_TRIAL,          /* in force until it is confirmed, or for trial_s seconds */
	DEED_CONFIRMED,
	DEED_REVERTED,       /* nobody confirmed in time */
	DEED_ROLLED_BACK,    /* an operator asked */
	DEED_REVERTED_START, /* the machine or the daemon was started meanwhile */
	DEED_UNCHANGED,      /* only of an answer: the tree is what is in force */
	DEEDS
};

struct msg_policy {
	uint32_t generation;
	uint32_t deed;    /* enum policy_deed */
	uint32_t trial_s; /* seconds left to confirm, 0: none is needed */
	int64_t applied_at;
	uint32_t size; /* of the image */
	uint8_t digest[32];
	char commit[MSG_COMMIT_LEN];
	bool restored; /* from the last good image, not from the tree */
};

enum msg_code {
	MSG_OK,
	MSG_E_INVALID,     /* malformed, ttl out of bounds */
	MSG_E_NEVER,       /* never blockable: gateway, management, never, protected */
	MSG_E_FULL,        /* set is full, or over the budget of automatic blocks */
	MSG_E_ABSENT,      /* unblock: no such block */
	MSG_E_POLICY,      /* reload: the policy has errors */
	MSG_E_KERNEL,      /* the kernel refused: err */
	MSG_E_LOCKOUT,     /* it would cut off the session that asks; see the diagnostics */
	MSG_E_TRIAL,       /* another policy waits to be confirmed */
	MSG_E_STATE,       /* the state directory can't be written: err */
	MSG_E_BUSY,
};

enum block_origin { BLOCK_AUTO, BLOCK_OPERATOR };
/* A block of an address, IPv6 automatic ones of its /64.  ttl_s 0: until unblocked
 * (operator only).  As MSG_BLOCK_ENTRY: ttl_s is what is left. */
struct msg_block {
	struct netaddr addr;
	uint8_t prefixlen;  /* 32, 128, or 64 for IPv6 */
	uint8_t origin;     /* enum block_origin */
	uint8_t scope;      /* enum fs_scope */
	bool legacy;        /* an operator's block of a legacy host: both directions */
	uint32_t ttl_s;
};

struct msg_result {
	uint32_t code; /* enum msg_code */
	int32_t err;   /* errno of the kernel, or 0 */
	uint32_t generation, errors, warnings;
	uint32_t took_us;
	uint32_t deed;    /* enum policy_deed: of a RELOAD_RESULT that is MSG_OK */
	uint32_t trial_s; /* seconds left to confirm, 0: none is needed */
};

struct msg_status {
	int64_t applied_at;
	uint32_t generation, hosts, rules, sets, elements, blocks;
	uint8_t owned;      /* the kernel's table is owned and persists */
	uint8_t forwarding4, forwarding6;
	uint8_t sensor_up, engine_up;
	uint32_t restarts[ROLE_COUNT];
	uint64_t denied_packets, denied_bytes;
	char commit[MSG_COMMIT_LEN];
	uint32_t trial_s;        /* seconds left to confirm the policy; 0: it is for good */
	uint8_t held;            /* rolled back: the tree waits for apply or reload */
	uint8_t back;            /* the four below are of the policy a rollback returns to */
	int64_t back_applied_at;
	uint32_t back_generation;
	uint8_t back_digest[32];
	char back_commit[MSG_COMMIT_LEN];
};

enum health_what {
	HEALTH_ROLE_DIED, HEALTH_ROLE_BACK, HEALTH_RELOAD_FAILED, HEALTH_BLOCK_FULL,
	HEALTH_TABLE_CHANGED, HEALTH_KINDS
};
struct msg_health {
	uint32_t what;   /* enum health_what */
	uint32_t role;   /* enum role, where it is about one */
	int32_t code;
	char detail[MSG_DETAIL_LEN];
};

/* Something outside cordon's table that weakens it or makes it void.  word and object
 * together name it: stable. */
enum finding_severity { FINDING_NOTE, FINDING_WARNING, FINDING_CRITICAL, FINDING_SEVERITIES };
enum { FINDING_WORD_LEN = 32, FINDING_OBJECT_LEN = 64, FINDING_TEXT_LEN = 192 };
struct msg_finding {
	uint32_t severity; /* enum finding_severity */
	bool on;           /* there, or over */
	bool known;        /* told before, to an engine that is gone: no event */
	int64_t since;     /* seconds UTC */
	char word[FINDING_WORD_LEN];     /* [a-z0-9-], not empty */
	char object[FINDING_OBJECT_LEN]; /* what it is about: an interface, a table; or "" */
	char what[FINDING_TEXT_LEN], mend[FINDING_TEXT_LEN]; /* sentences */
};

/* A session at the gateway that a policy may not cut off; client.v 0: none. */
struct msg_session {
	struct netaddr client, server;
	uint16_t port; /* of the server */
};

enum { TRIAL_MIN_S = 5, TRIAL_MAX_S = 3600 };
struct msg_reload {
	char commit[MSG_COMMIT_LEN];
	uint32_t trial_s; /* 0: for good; else TRIAL_MIN_S - TRIAL_MAX_S */
	bool force;       /* also where it cuts the session off */
	struct msg_session session;
};

/* A flow whose element counted more than the packet that was logged first. */
struct msg_flow {
	uint64_t packets; /* since the element is there */
	struct netaddr src, dst;
	uint16_t dport;   /* 0 where the protocol has none */
	uint8_t proto, kind; /* IPPROTO_*, enum tally_kind */
};
enum { MSG_FLOWS_MAX = 40, MSG_SUMS_MAX = 48 };
struct msg_flows {
	uint32_t n;
	struct msg_flow at[MSG_FLOWS_MAX];
};

/* Of one address (v 0: of all that are no declared host's). */
struct msg_sum {
	uint64_t packets;
	struct netaddr addr;
	uint8_t kind, what; /* enum tally_kind, enum tally_what up to TALLY_TOLD */
};
/* As of now; TALLY_TOLD comes once, when the engine starts. */
struct msg_sums {
	uint32_t n;
	struct msg_sum at[MSG_SUMS_MAX];
};

/* The gateway's own counters, by kind and what (TALLY_HITS to TALLY_OVERFLOW). */
struct msg_counted {
	uint64_t total[TALLY_KINDS][TALLY_TOLD];
};

/* Who may send what, how large, with how many descriptors. */
struct msg_row {
	const char *name;
	uint16_t len;
	uint8_t fds;
	uint8_t from, to; /* bits 1 << enum role */
};
extern const struct msg_row msg_table[MSG_TYPES];

/* Send one message of `type` (body of msg_table[type].len bytes, or NULL where 0).
 * 0 or -errno (-EAGAIN: the peer's queue is full; nothing was sent). */
int msg_send(int fd, enum msg_type type, uint32_t id, const void *body, const int *fds);

/* Room for any body. */
union msg_body {
	struct msg_load load;
	struct msg_loaded loaded;
	struct msg_sensor_config sensor_config;
	struct msg_sensor_guard sensor_guard;
	struct msg_sighting sighting;
	struct msg_sensor_stats sensor_stats;
	struct msg_policy policy;
	struct msg_block block;
	struct msg_result result;
	struct msg_status status;
	struct msg_health health;
	struct msg_finding finding;
	struct msg_reload reload;
	struct msg_flows flows;
	struct msg_sums sums;
	struct msg_sum sum;
	struct msg_counted counted;
};

/* Whether the body is one: text ends and is of its alphabet, enums and booleans are
 * such, addresses are whole, counts lie within their arrays.  msg_recv() asks it. */
bool msg_valid(enum msg_type type, const union msg_body *body);

/* Receive one message that `from` may send to `to`.  1: *hdr, *body, fds[0..2] (-1
 * where none; the caller owns them) are set; 0: the peer is gone; -EAGAIN: nothing
 * there; -EPROTO: it broke the contract (descriptors closed): end it. */
int msg_recv(int fd, enum role from, enum role to, struct msg_hdr *hdr,
    union msg_body *body, int fds[static 3]);

#endif
