/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the words of events: kinds, actions, reasons */
#include "engine/event.h"

#include <stdio.h>
#include <string.h>

const struct event_kind_row event_kinds[EVENT_KINDS] = {
	[EVENT_DENIED] = { "denied", true, 3, "traffic no rule allows" },
	[EVENT_WOULD_DENY] = { "would_deny", true, 3,
	    "traffic no rule allows, let through: the host is only observed" },
	[EVENT_EXPOSURE] = { "exposure", true, 1,
	    "SMB or RDP beyond what rules grant" },
	[EVENT_GUARD] = { "guard", true, 1, "payload of a known attack" },
	[EVENT_SCAN] = { "scan", true, 2, "many closed ports asked for" },
	[EVENT_BRUTEFORCE] = { "bruteforce", true, 1, "many failed logons" },
	[EVENT_BLOCKED] = { "blocked", false, 2, "source shut out" },
	[EVENT_UNBLOCKED] = { "unblocked", false, 3, "source let in again" },
	[EVENT_IDENTITY] = { "identity", false, 3, "what a host says it is" },
	[EVENT_BYPASS] = { "bypass", true, 1, "traffic that went around the gateway" },
	[EVENT_DRIFT] = { "drift", false, 2, "the kernel differs from the policy" },
	[EVENT_POLICY] = { "policy", false, 3, "policy in force" },
	[EVENT_GRANT] = { "grant", false, 3, "rule for minutes" },
	[EVENT_HEALTH] = { "health", false, 2, "state of the gateway" },
};

const char *const event_actions[ACTION_COUNT] = {
	[ACTION_NONE] = "none",
	[ACTION_DROP] = "drop",
	[ACTION_WOULD_DROP] = "would_drop",
	[ACTION_ALERT] = "alert",
	[ACTION_BLOCK] = "block",
	[ACTION_UNBLOCK] = "unblock",
	[ACTION_REFUSED] = "refused",
	[ACTION_APPLY] = "apply",
};

const char *const event_sides[3] = { NULL, "in", "out" };
const char *const event_modes[3] = { NULL, "enforce", "observe" };

/* Names are part of the schema; sentences may change. */
const struct event_reason_row event_reasons[REASON_COUNT] = {
	[REASON_NO_RULE] = { "no-rule", "no rule of the host allows it" },
	[REASON_UNDECLARED] = { "undeclared",
	    "a protected address that no host declares" },
	[REASON_SPOOF] = { "spoof",
	    "the source does not belong behind that interface" },
	[REASON_BLOCKED] = { "blocked", "the source is blocked" },
	[REASON_CONDEMNED] = { "condemned", "the connection was condemned before" },
	[REASON_STATE] = { "state",
	    "the policy allows the flow, but not this packet of it now" },
	[REASON_MULTICAST] = { "multicast", "broadcast or multicast of a legacy host" },
	[REASON_NOT_OURS] = { "not-ours",
	    "neither end is protected by the policy of now" },
	[REASON_SMB] = { "smb-not-granted", "SMB where no rule grants it" },
	[REASON_RDP] = { "rdp-not-granted", "RDP where no rule grants it" },
	[REASON_NLA] = { "nla-required", "RDP without NLA where a rule requires it" },
	[REASON_SMB2] = { "smb2-required", "SMB1 where a rule requires SMB2" },
	[REASON_SIGNING] = { "signing-required",
	    "SMB that will not be signed where a rule requires it" },
	[REASON_GUARD] = { "guard", "a guard's predicate matched" },
	[REASON_OVERFLOW] = { "overflow", "more flows than are told one by one" },
	[REASON_SCAN] = { "scan", "one source asked for many hosts or ports" },
	[REASON_BRUTEFORCE] = { "bruteforce", "one source failed to log on many times" },
	[REASON_IDENTITY_AGREES] = { "agrees", "it says what is declared of it" },
	[REASON_IDENTITY_DIFFERS] = { "differs", "it says other than what is declared" },
	[REASON_IDENTITY_UNKNOWN] = { "unknown",
	    "what it says can't be compared with what is declared" },
	[REASON_OPERATOR] = { "operator", "asked for on the control socket" },
	[REASON_EXPIRED] = { "expired", "the time of the block is over" },
	[REASON_NOT_THERE] = { "not-there", "the kernel no longer has the block" },
	[REASON_NEVER] = { "never-block", "an address that may never be blocked" },
	[REASON_FULL] = { "full", "no room for another block" },
	[REASON_INVALID] = { "invalid", "the request was out of bounds" },
	[REASON_KERNEL] = { "kernel", "the kernel refused" },
	[REASON_BUSY] = { "busy", "the enforcer is busy" },
	[REASON_FOUND] = { "found",
	    "the kernel had the block before the engine started" },
	[REASON_APPLIED] = { "applied", "the policy was applied" },
	[REASON_RESTORED] = { "restored", "the last good policy was applied again" },
	[REASON_ROLE_DIED] = { "role-died", "a process of the daemon ended" },
	[REASON_ROLE_BACK] = { "role-back",
	    "a process of the daemon was started again" },
	[REASON_RELOAD_FAILED] = { "reload-failed",
	    "the policy was not applied; the one before is in force" },
	[REASON_TABLE_CHANGED] = { "table-changed", "somebody else changed the table" },
	[REASON_FINDING] = { "finding", "something around the table weakens it" },
	[REASON_FINDING_OVER] = { "finding-over", "a finding does not hold any more" },
	[REASON_TRIAL] = { "trial", "the policy was applied until it is confirmed" },
	[REASON_CONFIRMED] = { "confirmed", "the policy was confirmed" },
	[REASON_REVERTED] = { "reverted",
	    "the policy was not confirmed in time; the one before is in force" },
	[REASON_ROLLED_BACK] = { "rolled-back", "the one before is in force, as asked" },
	[REASON_REVERTED_START] = { "reverted-start",
	    "the gateway was started before the policy was confirmed; the one before is in "
	    "force" },
	[REASON_EVENTS_LOST] = { "events-lost", "events could not be written" },
	[REASON_LOG_QUOTA] = { "log-quota",
	    "events over log.quota were held back; their packets are counted by host" },
	[REASON_FLOWS_FULL] = { "flows-full",
	    "packets of flows beyond the kernel's table of flows: denied, counted by host" },
	[REASON_UNHEARD] = { "unheard",
	    "packets the kernel logged were lost before the engine; counted by host" },
	[REASON_CONFLICT] = { "conflict",
	    "bytes of a connection were sent again with other content; the first ones count" },
};

enum event_kind event_kind_by_name(const char *name)
{
	int i;

	for (i = 0; i < EVENT_KINDS; i++)
		if (strcmp(event_kinds[i].name, name) == 0)
			break;
	return (enum event_kind)i;
}

void event_set(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
}

static bool text_ok(const char *s, size_t size)
{
	return memchr(s, '\0', size) != NULL;
}

/* Another value in a bool would be undefined behaviour to read. */
static bool bool_ok(const bool *b)
{
	unsigned char byte;

	memcpy(&byte, b, 1);
	return byte <= 1;
}

static bool addr_ok(const struct netaddr *a)
{
	return a->v == 0 || a->v == 4 || a->v == 6;
}

static bool texts_ok(const struct event *e)
{
	for (int i = 0; i < EVENT_CVES; i++)
		if (!text_ok(e->cve[i], sizeof(e->cve[i])))
			return false;
	return text_ok(e->iface, sizeof(e->iface)) && text_ok(e->host, sizeof(e->host)) &&
	       text_ok(e->rule, sizeof(e->rule)) &&
	       text_ok(e->incident, sizeof(e->incident)) &&
	       text_ok(e->guard, sizeof(e->guard)) && text_ok(e->title, sizeof(e->title)) &&
	       text_ok(e->note, sizeof(e->note)) && text_ok(e->attack, sizeof(e->attack)) &&
	       text_ok(e->policy.commit, sizeof(e->policy.commit));
}

bool event_valid(const struct event *e)
{
	return e->kind < EVENT_KINDS && e->action < ACTION_COUNT &&
	       e->reason < REASON_COUNT && e->side <= SIDE_OUT && e->mode <= MODE_OBSERVE &&
	       e->app < APP_COUNT && e->confidence <= CONFIDENCE_DIALOG &&
	       e->behaviour.shape < SHAPE_COUNT && bool_ok(&e->has_block) &&
	       bool_ok(&e->reversed) && bool_ok(&e->block.legacy) && addr_ok(&e->src) &&
	       addr_ok(&e->dst) && addr_ok(&e->block.addr) && texts_ok(e);
}
