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
	[REASON_GUARD] = { "guard", "a guard's predicate matched" },
	[REASON_OVERFLOW] = { "overflow", "more flows than are told one by one" },
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
	[REASON_ADDRESSES] = { "address-mismatch",
	    "gateway.addresses are not those of the machine" },
	[REASON_FORWARDING] = { "forwarding-off", "the kernel does not forward" },
	[REASON_EVENTS_LOST] = { "events-lost", "events could not be written" },
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
