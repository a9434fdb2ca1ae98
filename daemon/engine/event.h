/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: one event: the record, its words, and its JSON (events.schema.json) */
#ifndef ENGINE_EVENT_H
#define ENGINE_EVENT_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cordon/netaddr.h>
#include "priv/msg.h"

struct json_t;

enum event_kind {
	EVENT_DENIED, EVENT_WOULD_DENY, EVENT_EXPOSURE, EVENT_GUARD, EVENT_SCAN,
	EVENT_BRUTEFORCE, EVENT_BLOCKED, EVENT_UNBLOCKED, EVENT_IDENTITY, EVENT_BYPASS,
	EVENT_DRIFT, EVENT_POLICY, EVENT_GRANT, EVENT_HEALTH, EVENT_KINDS
};

/* What was done: to the packet, or by cordon. */
enum event_action {
	ACTION_NONE, ACTION_DROP, ACTION_WOULD_DROP, ACTION_ALERT, ACTION_BLOCK,
	ACTION_UNBLOCK, ACTION_REFUSED, ACTION_APPLY, ACTION_COUNT
};

enum event_reason {
	REASON_NO_RULE, REASON_UNDECLARED, REASON_SPOOF, REASON_BLOCKED,
	REASON_CONDEMNED, REASON_STATE, REASON_MULTICAST, REASON_NOT_OURS,
	REASON_SMB, REASON_RDP, REASON_GUARD, REASON_OVERFLOW,
	REASON_NLA, REASON_SMB2, REASON_SIGNING,
	REASON_SCAN, REASON_BRUTEFORCE,
	REASON_IDENTITY_AGREES, REASON_IDENTITY_DIFFERS, REASON_IDENTITY_UNKNOWN,
	REASON_OPERATOR, REASON_EXPIRED, REASON_NOT_THERE, REASON_NEVER, REASON_FULL,
	REASON_INVALID, REASON_KERNEL, REASON_BUSY, REASON_FOUND,
	REASON_APPLIED, REASON_RESTORED,
	REASON_ROLE_DIED, REASON_ROLE_BACK, REASON_RELOAD_FAILED, REASON_TABLE_CHANGED,
	REASON_FINDING, REASON_FINDING_OVER, REASON_EVENTS_LOST,
	REASON_LOG_QUOTA, REASON_FLOWS_FULL, REASON_UNHEARD, REASON_CONFLICT,
	REASON_TRIAL, REASON_CONFIRMED, REASON_REVERTED, REASON_ROLLED_BACK,
	REASON_REVERTED_START, REASON_COUNT
};

enum event_side { SIDE_NONE, SIDE_IN, SIDE_OUT };
enum event_mode { MODE_NONE, MODE_ENFORCE, MODE_OBSERVE };

enum { EVENT_HOST_LEN = 96, EVENT_RULE_LEN = 104, EVENT_INCIDENT_LEN = 24,
	EVENT_TITLE_LEN = 96, EVENT_NOTE_LEN = 192, EVENT_CVES = 4, EVENT_CVE_LEN = 20,
	EVENT_ATTACK_LEN = 12 };

/* What a scan or the guessing of passwords was seen to be, within window_s seconds.
 * targets: pairs of host and port, of a bruteforce hosts. */
enum event_shape { SHAPE_NONE, SHAPE_VERTICAL, SHAPE_HORIZONTAL, SHAPE_MIXED, SHAPE_SLOW,
	SHAPE_SMB, SHAPE_RDP, SHAPE_COUNT };
struct event_behaviour {
	uint32_t targets, hosts, ports;
	uint32_t failures, attempts;
	uint64_t packets;  /* that made it; the events of these count them */
	uint32_t window_s; /* 0: the event is not about behaviour */
	uint8_t shape;     /* enum event_shape */
};

/* Under which policy something was judged. */
struct event_policy {
	uint8_t digest[32];
	uint32_t generation; /* 0: not known */
	char commit[MSG_COMMIT_LEN];
};

/* Fixed size and no pointers: the dedupe table keeps one a flow.  All zero is an
 * event that says nothing; strings are "" where they do not apply. */
struct event {
	int64_t time_us;     /* of the packet, or of the deed; since 1970 */
	int64_t since_us;    /* of the first packet counted, where count stands for many */
	uint64_t seq, count; /* count: packets this record stands for */
	uint8_t kind, action, reason, side, mode; /* enums above */
	uint8_t proto, app, confidence;
	bool has_block;
	bool reversed;       /* src is the server: not told, but who is accused */
	struct netaddr src, dst; /* v 0: none */
	struct netaddr tally_addr; /* where the kernel counted it (engine/account.h): */
	uint8_t tally;             /* enum tally_kind + 1, 0: nowhere */
	uint16_t sport, dport;   /* icmp: 0 and the type */
	char iface[IFNAMSIZ];
	char host[EVENT_HOST_LEN], rule[EVENT_RULE_LEN], incident[EVENT_INCIDENT_LEN];
	char guard[MSG_DETAIL_LEN]; /* its id; of a health event the word of a finding */
	char title[EVENT_TITLE_LEN], note[EVENT_NOTE_LEN];
	char attack[EVENT_ATTACK_LEN], cve[EVENT_CVES][EVENT_CVE_LEN];
	struct event_policy policy;
	struct msg_block block;
	struct event_behaviour behaviour;
	uint32_t took_us; /* block: sighting to the kernel's answer, 0: not measured */
};

/* Tables of words, by enum. */
struct event_kind_row {
	const char *name;
	bool alert;       /* event_type "alert" with alert{}, else "cordon" */
	uint8_t severity; /* 1 worst - 3, as Suricata's */
	const char *what; /* for people: the signature where no guard has a title */
};
extern const struct event_kind_row event_kinds[EVENT_KINDS];
struct event_reason_row {
	const char *name, *what;
};
extern const struct event_reason_row event_reasons[REASON_COUNT];
extern const char *const event_actions[ACTION_COUNT];
extern const char *const event_sides[3]; /* NULL, "in", "out" */
extern const char *const event_modes[3]; /* NULL, "enforce", "observe" */

/* Kind by name, or EVENT_KINDS. */
enum event_kind event_kind_by_name(const char *name);

/* Copy text into a fixed field: cut, always terminated. */
void event_set(char *to, size_t size, const char *from);
#define EVENT_SET(field, text) event_set((field), sizeof(field), (text))

/* The event as it is logged; facts may be NULL.  A new reference, or NULL: no
 * memory. */
struct json_t *event_json(const struct event *e, const struct flow_facts *facts);
/* The same as one line of printable ASCII, without newline; free() it. */
char *event_line(const struct event *e, const struct flow_facts *facts);
/* A JSON string, or null for "" and NULL. */
struct json_t *event_text_or_null(const char *s);
/* YYYY-MM-DDThh:mm:ss.uuuuuu+0000 */
enum { EVENT_TIME_LEN = 40 };
const char *event_time(int64_t time_us, char buf[static EVENT_TIME_LEN]);

/* Whether every enum and boolean is one and every text ends: of one from a file. */
bool event_valid(const struct event *e);

/* One line for people, without time: "denied 10.1.0.5:4000 -> … tcp/445 …". */
void event_sentence(const struct event *e, char *buf, size_t size);

#endif
