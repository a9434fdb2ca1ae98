/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the one table of every policy key */
#include "rules/schema.h"

#include <string.h>

#include "rules/policy.h"

#define AT(type, field) .offset = offsetof(struct type, field)
#define ONE_DAY 86400
#define END { .name = NULL }

/* ---- words ---- */

static const struct schema_word mode_words[] = { { "enforce", FS_ENFORCE },
	{ "observe", FS_OBSERVE }, { NULL, 0 } };
static const struct schema_word on_loss_words[] = { { "keep", 0 }, { "closed", 1 },
	{ NULL, 0 } };
static const struct schema_word scope_words[] = { { "legacy", FS_SCOPE_LEGACY },
	{ "all", FS_SCOPE_ALL }, { NULL, 0 } };
static const struct schema_word block_on_words[] = { { "guard", FS_ON_GUARD },
	{ "exposure", FS_ON_EXPOSURE }, { "bruteforce", FS_ON_BRUTEFORCE },
	{ "scan", FS_ON_SCAN }, { NULL, 0 } };
static const struct schema_word speaks_words[] = { { "smb", FS_SMB }, { "rdp", FS_RDP },
	{ NULL, 0 } };
static const struct schema_word protocol_words[] = { { "any", 0 }, { "smb", FS_SMB },
	{ "rdp", FS_RDP }, { NULL, 0 } };
static const struct schema_word require_words[] = { { "nla", FS_REQ_NLA },
	{ "smb2", FS_REQ_SMB2 }, { "signing", FS_REQ_SIGNING }, { NULL, 0 } };
static const struct schema_word exposure_words[] = { { "accepted", 1 }, { NULL, 0 } };
static const struct schema_word stated_words[] = { { "owner", STATED_OWNER },
	{ "ticket", STATED_TICKET }, { "reason", STATED_REASON }, { NULL, 0 } };
static const struct schema_word short_words[] = { { "allow", 1 }, { "deny", 0 },
	{ NULL, 0 } };
static const struct schema_word action_words[] = { { "drop", FS_GUARD_DROP },
	{ "alert", FS_GUARD_ALERT }, { "disabled", FS_GUARD_OFF }, { "off", FS_GUARD_OFF },
	{ NULL, 0 } };
static const struct schema_word direction_words[] = { { "to-server", GUARD_TO_SERVER },
	{ "to-client", GUARD_TO_CLIENT }, { "both", GUARD_BOTH }, { NULL, 0 } };
static const struct schema_word where_words[] = { { "kernel", GUARD_KERNEL },
	{ "sensor", GUARD_SENSOR }, { "builtin", GUARD_BUILTIN }, { NULL, 0 } };
static const struct schema_word affects_words[] = { { "yes", GUARD_AFFECTS_YES },
	{ "no", GUARD_AFFECTS_NO }, { "unknown", GUARD_AFFECTS_UNKNOWN }, { NULL, 0 } };
static const struct schema_word expect_words[] = { { "allow", FS_ALLOW },
	{ "deny", FS_DENY }, { "pass", FS_PASS }, { NULL, 0 } };

/* ---- findings that are accepted where they are ---- */

static const struct schema_key accept_keys[] = {
	{ "finding", S_CODE, SF_REQUIRED, AT(paccept, finding),
	    "the code of a warning or note" },
	{ "reason", S_TEXT, SF_REQUIRED, AT(paccept, reason), "why it may stay",
	    .max = 500 },
	{ "expires", S_TIME, SF_REQUIRED, AT(paccept, expires),
	    "accepted through that day UTC, or until that instant" },
	{ "of", S_TEXT, 0, AT(paccept, of),
	    "only of this host, group, service or rule; default all that it stands in",
	    .max = 96 },
	END };
static const struct schema_section accept_section = { .what = "acceptance",
	.size = sizeof(struct paccept), .keys = accept_keys };
#define ACCEPT(type) \
	{ "accept", S_SECTION, SF_LIST, AT(type, accept), \
	    "findings of `cordon check` that may stay", .sub = &accept_section }

/* ---- cordon.yaml ---- */

static const struct schema_key protect_keys[] = {
	{ "prefix", S_PREFIX, SF_REQUIRED, AT(pprefix, prefix),
	    "protected addresses, as a CIDR" },
	{ "mode", S_WORD, 0, AT(pprefix, mode), "of its undeclared addresses",
	    .words = mode_words, .dflt = -1 },
	{ "observe_since", S_INSTANT, 0, AT(pprefix, since), "since when it is only observed" },
	ACCEPT(pprefix),
	END };
static const struct schema_section protect_section = { .what = "protected prefix",
	.size = sizeof(struct pprefix), .keys = protect_keys, .short_for = "prefix" };

static const struct schema_key gateway_keys[] = {
	{ "interfaces", S_IFACE, SF_LIST | SF_REQUIRED, AT(pgateway, interfaces),
	    "the legacy hosts are behind these", .max = 15 },
	{ "addresses", S_ADDRESS, SF_LIST, AT(pgateway, addresses), "the gateway's own" },
	{ "protect", S_SECTION, SF_LIST, AT(pgateway, protect),
	    "prefixes in which undeclared addresses count as hosts without rules",
	    .sub = &protect_section },
	{ "management", S_PREFIX, SF_LIST, AT(pgateway, management),
	    "sources the input hook accepts before all else; never blocked" },
	{ "timezone", S_TEXT, 0, AT(pgateway, timezone),
	    "of schedules, as Europe/Berlin; default UTC", .max = 64 },
	END };
static const struct schema_section gateway_section = { .what = "gateway",
	.size = sizeof(struct pgateway), .keys = gateway_keys };

#define IN(section, field) .offset = \
	(offsetof(struct pcordon, section.field) - offsetof(struct pcordon, section))
static const struct schema_key defaults_keys[] = {
	{ "mode", S_WORD, 0, IN(defaults, mode), "of hosts that do not state one",
	    .words = mode_words, .dflt = FS_ENFORCE },
	{ "profile", S_NAME, 0, IN(defaults, profile), "of hosts that do not state one",
	    .max = 40 },
	{ "observe_since", S_INSTANT, 0, IN(defaults, since),
	    "since when hosts without a mode of their own are only observed" },
	END };
static const struct schema_section defaults_section = { .what = "defaults",
	.size = sizeof(((struct pcordon *)0)->defaults), .keys = defaults_keys };

static const struct schema_key sensor_keys[] = {
	{ "interfaces", S_IFACE, SF_LIST, IN(sensor, interfaces),
	    "captured on; default gateway.interfaces", .max = 15 },
	{ "on_loss", S_WORD, 0, IN(sensor, on_loss),
	    "when the sensor is down: keep the rules, or close SMB and RDP",
	    .words = on_loss_words },
	END };
static const struct schema_section sensor_section = { .what = "sensor",
	.size = sizeof(((struct pcordon *)0)->sensor), .keys = sensor_keys };

static const struct schema_key scan_keys[] = {
	{ "targets", S_INT, 0, IN(block.scan, targets),
	    "denied hosts and ports of one source that make a scan; default 20", .min = 5,
	    .max = 100, .dflt = 20 },
	{ "within", S_DURATION, 0, IN(block.scan, within_s), "in this time; default 60s",
	    .min = 10, .max = ONE_DAY, .dflt = 60 },
	END };
static const struct schema_section scan_section = { .what = "scan",
	.size = sizeof(((struct pcordon *)0)->block.scan), .keys = scan_keys };

static const struct schema_key bruteforce_keys[] = {
	{ "failures", S_INT, 0, IN(block.bruteforce, failures),
	    "logons of one source that SMB servers refused; default 10", .min = 3,
	    .max = 1000, .dflt = 10 },
	{ "attempts", S_INT, 0, IN(block.bruteforce, attempts),
	    "RDP connections, SMB logons of one source to one host; default 40", .min = 10,
	    .max = 1000, .dflt = 40 },
	{ "within", S_DURATION, 0, IN(block.bruteforce, within_s),
	    "in this time; default 5m", .min = 10, .max = ONE_DAY, .dflt = 300 },
	END };
static const struct schema_section bruteforce_section = { .what = "bruteforce",
	.size = sizeof(((struct pcordon *)0)->block.bruteforce), .keys = bruteforce_keys };

static const struct schema_key block_keys[] = {
	{ "ttl", S_DURATION, 0, IN(block, ttl_s), "how long a block lasts; default 1h",
	    .min = 10, .max = 30 * ONE_DAY, .dflt = 3600 },
	{ "scope", S_WORD, 0, IN(block, scope),
	    "what a blocked source may not reach: legacy hosts, or all",
	    .words = scope_words, .dflt = FS_SCOPE_LEGACY },
	{ "never", S_PEER, SF_LIST, IN(block, never), "sources that are never blocked" },
	{ "on", S_WORDS, 0, IN(block, on),
	    "what blocks a source; default guard and exposure", .words = block_on_words,
	    .dflt = FS_ON_GUARD | FS_ON_EXPOSURE },
	{ "scan", S_SECTION, 0, IN(block, scan), "what a scan is", .sub = &scan_section },
	{ "bruteforce", S_SECTION, 0, IN(block, bruteforce), "what guessing of passwords is",
	    .sub = &bruteforce_section },
	END };
static const struct schema_section block_section = { .what = "block",
	.size = sizeof(((struct pcordon *)0)->block), .keys = block_keys };

static const struct schema_key quota_keys[] = {
	{ "source", S_INT, 0, IN(log.quota, source),
	    "events a minute about one source, 0: no limit; default 600",
	    .max = 1000000, .dflt = 600 },
	{ "host", S_INT, 0, IN(log.quota, host),
	    "events a minute about one legacy host, 0: no limit; default 6000",
	    .max = 1000000, .dflt = 6000 },
	END };
static const struct schema_section quota_section = { .what = "quota",
	.size = sizeof(((struct pcordon *)0)->log.quota), .keys = quota_keys };

static const struct schema_key log_keys[] = {
	{ "file", S_TEXT, 0, IN(log, file), "events as JSON lines; an absolute path",
	    .max = 255 },
	{ "journald", S_BOOL, 0, IN(log, journald), "events to the journal too" },
	{ "quota", S_SECTION, 0, IN(log, quota),
	    "beyond which packets are only counted, by host", .sub = &quota_section },
	END };
static const struct schema_section log_section = { .what = "log",
	.size = sizeof(((struct pcordon *)0)->log), .keys = log_keys };

static const struct schema_key check_keys[] = {
	{ "require", S_WORDS, 0, IN(check, require), "what hosts and rules must state",
	    .words = stated_words },
	{ "expiring", S_DURATION, 0, IN(check, expiring_s),
	    "ends nearer than this are found; default 30d", .max = 3650 * ONE_DAY,
	    .dflt = 30 * ONE_DAY },
	{ "observe", S_DURATION, 0, IN(check, observe_s),
	    "observed for longer than this is found; default 90d", .max = 3650 * ONE_DAY,
	    .dflt = 90 * ONE_DAY },
	{ "exposure", S_INT, 0, IN(check, exposure),
	    "sources of an SMB or RDP rule that need no reason; default 256", .min = 1,
	    .max = 65536, .dflt = 256 },
	END };
static const struct schema_section check_section = { .what = "check",
	.size = sizeof(((struct pcordon *)0)->check), .keys = check_keys };

static const struct schema_key cordon_keys[] = {
	{ "cordon", S_INT, SF_REQUIRED, AT(pcordon, version), "format version", .min = 1,
	    .max = 1 },
	{ "gateway", S_SECTION, SF_REQUIRED, AT(pcordon, gateway), "the machine itself",
	    .sub = &gateway_section },
	{ "defaults", S_SECTION, 0, AT(pcordon, defaults), "for every host",
	    .sub = &defaults_section },
	{ "sensor", S_SECTION, 0, AT(pcordon, sensor), "the packet recogniser",
	    .sub = &sensor_section },
	{ "block", S_SECTION, 0, AT(pcordon, block), "automatic blocks",
	    .sub = &block_section },
	{ "log", S_SECTION, 0, AT(pcordon, log), "where events go", .sub = &log_section },
	{ "check", S_SECTION, 0, AT(pcordon, check), "what `cordon check` looks for",
	    .sub = &check_section },
	ACCEPT(pcordon),
	END };
static const struct schema_section cordon_section = { .what = "cordon.yaml",
	.size = sizeof(struct pcordon), .keys = cordon_keys };

/* ---- groups and services ---- */

static const struct schema_key group_keys[] = {
	{ "members", S_PEER, SF_LIST | SF_REQUIRED, AT(pgroup, members),
	    "address, CIDR, a-b range, group or host" },
	ACCEPT(pgroup),
	END };
static const struct schema_section group_section = { .what = "group",
	.size = sizeof(struct pgroup), .keys = group_keys, .short_for = "members", .map_type = S_NAME,
	.map_offset = offsetof(struct pgroup, name) };

static const struct schema_key service_keys[] = {
	{ "title", S_TEXT, 0, AT(pservice, title), "what it is", .max = 200 },
	{ "ports", S_PORTS, SF_LIST, AT(pservice, ports), "tcp/445, udp/53, …" },
	{ "bundle", S_SERVICE, SF_LIST, AT(pservice, bundle),
	    "instead of ports: the services it stands for" },
	{ "speaks", S_WORD, 0, AT(pservice, speaks),
	    "the application protocol that a rule for it grants on its TCP ports",
	    .words = speaks_words },
	{ "short_opening", S_WORD, 0, AT(pservice, short_opening),
	    "whether clients may open with fewer than 8 bytes; default deny",
	    .words = short_words },
	ACCEPT(pservice),
	END };
static const struct schema_section service_section = { .what = "service",
	.size = sizeof(struct pservice), .keys = service_keys, .map_type = S_NAME,
	.map_offset = offsetof(struct pservice, name) };

/* ---- guards and profiles ---- */

static const struct schema_key term_keys[] = {
	{ "at", S_INT, SF_REQUIRED, AT(pterm, at), "offset from the start of the TCP payload",
	    .max = GUARD_OFFSET_MAX },
	{ "bytes", S_HEX, SF_REQUIRED, AT(pterm, bytes), "1 to 8 bytes in hex" },
	{ "mask", S_HEX, 0, AT(pterm, mask), "bits that count; default all" },
	{ "not", S_BOOL, 0, AT(pterm, negate), "holds where the bytes differ" },
	{ "within", S_INT, 0, AT(pterm, within),
	    "sensor only: so many offsets further is as good, and what follows counts "
	    "from there", .max = GUARD_WITHIN_MAX },
	END };
static const struct schema_section term_section = { .what = "byte comparison",
	.size = sizeof(struct pterm), .keys = term_keys };
static const struct schema_key alternative_keys[] = {
	{ "terms", S_SECTION, SF_LIST | SF_REQUIRED, AT(palternative, terms),
	    "comparisons that all hold", .sub = &term_section },
	END };
static const struct schema_section alternative_section = { .what = "alternative",
	.size = sizeof(struct palternative), .keys = alternative_keys, .short_for = "terms",
	.short_only = true };

static const struct schema_key guard_keys[] = {
	{ "guard", S_NAME, SF_REQUIRED, AT(pguard, id), "its id", .max = 40 },
	{ "title", S_TEXT, SF_REQUIRED, AT(pguard, title), "what it stops", .max = 200 },
	{ "cve", S_CVE, SF_LIST, AT(pguard, cve), "vulnerabilities it is about" },
	{ "attack", S_TEXT, 0, AT(pguard, attack), "ATT&CK technique, as T1210", .max = 16 },
	{ "direction", S_WORD, 0, AT(pguard, direction),
	    "of the packets it reads; default to-server", .words = direction_words },
	{ "protocol", S_WORD, 0, AT(pguard, protocol), "default any",
	    .words = protocol_words },
	{ "where", S_WORD, 0, AT(pguard, where), "who evaluates it; default kernel",
	    .words = where_words },
	{ "match", S_SECTION, SF_LIST | SF_STRICT, AT(pguard, match),
	    "alternatives, each a list of byte comparisons", .sub = &alternative_section },
	{ "action", S_WORD, 0, AT(pguard, action), "default drop", .words = action_words,
	    .dflt = FS_GUARD_DROP },
	{ "affects", S_WORD, 0, AT(pguard, affects),
	    "whether Server 2008 SP2 (6002, 6003) is affected", .words = affects_words,
	    .dflt = GUARD_AFFECTS_UNKNOWN },
	{ "references", S_TEXT, SF_LIST, AT(pguard, references), "where to read more",
	    .max = 400 },
	{ "false_positives", S_TEXT, 0, AT(pguard, note), "what innocent traffic hits it",
	    .max = 2000 },
	{ "validated", S_TEXT, 0, AT(pguard, validated), "what it was tested on",
	    .max = 2000 },
	ACCEPT(pguard),
	END };
static const struct schema_section guard_section = { .what = "guard",
	.size = sizeof(struct pguard), .keys = guard_keys };

static const struct schema_key profile_keys[] = {
	{ "profile", S_NAME, SF_REQUIRED, AT(pprofile, name), "its name", .max = 40 },
	{ "title", S_TEXT, 0, AT(pprofile, title), "what hosts it is for", .max = 200 },
	{ "guards", S_NAME, SF_LIST, AT(pprofile, guards),
	    "guards that are on, with their own action", .max = 40 },
	END };
static const struct schema_section profile_section = { .what = "profile",
	.size = sizeof(struct pprofile), .keys = profile_keys };

/* ---- hosts ---- */

#define RULE_HEAD \
	{ "id", S_ID, 0, AT(prule, id), \
	    "its name in HOST/in/NAME; default the services' names", .max = 90 }, \
	{ "service", S_SERVICE, SF_LIST | SF_REQUIRED, AT(prule, service), \
	    "names of services, or inline ones as tcp/1433" }
#define RULE_TAIL \
	{ "reason", S_TEXT, 0, AT(prule, reason), "why", .max = 500 }, \
	{ "ticket", S_TEXT, 0, AT(prule, ticket), "on whose order", .max = 100 }, \
	{ "expires", S_TIME, 0, AT(prule, expires), \
	    "valid through that day UTC, or until that instant", .dflt = FS_FOREVER }, \
	{ "schedule", S_SCHEDULE, 0, AT(prule, schedule), \
	    "when it exists, as Mon-Fri 07:00-19:00", .max = 200 }, \
	{ "require", S_WORDS, 0, AT(prule, require), \
	    "what the connection must prove: nla (rdp), smb2, signing (smb)", \
	    .words = require_words }, \
	{ "exposure", S_WORD, 0, AT(prule, exposure), \
	    "accepted: everyone, or a wide range for SMB or RDP, is meant", \
	    .words = exposure_words }, \
	{ "speaks", S_WORDS, 0, AT(prule, speaks), \
	    "what its inline TCP ports speak", .words = speaks_words }, \
	ACCEPT(prule)

static const struct schema_key inbound_keys[] = {
	RULE_HEAD,
	{ "from", S_PEER, SF_LIST | SF_REQUIRED, AT(prule, peers),
	    "address, CIDR, a-b range, group, host, gateway or any" },
	RULE_TAIL,
	END };
static const struct schema_key outbound_keys[] = {
	RULE_HEAD,
	{ "to", S_PEER, SF_LIST | SF_REQUIRED, AT(prule, peers),
	    "address, CIDR, a-b range, group, host, gateway or any" },
	RULE_TAIL,
	END };
static const struct schema_section inbound_section = { .what = "inbound rule",
	.size = sizeof(struct prule), .keys = inbound_keys };
static const struct schema_section outbound_section = { .what = "outbound rule",
	.size = sizeof(struct prule), .keys = outbound_keys };

#define OF(section, field) .offset = \
	(offsetof(struct phost, section.field) - offsetof(struct phost, section))
static const struct schema_key os_keys[] = {
	{ "product", S_NAME, 0, OF(os, product), "as windows-server-2008-sp2", .max = 60 },
	{ "build", S_INT, 0, OF(os, build), "6002 or 6003", .min = 2600, .max = 99999 },
	{ "revision", S_INT, 0, OF(os, revision), "behind the build's point", .max = 99999 },
	{ "updates", S_KB, SF_LIST, OF(os, updates), "installed, as KB4474419" },
	END };
static const struct schema_section os_section = { .what = "os",
	.size = sizeof(((struct phost *)0)->os), .keys = os_keys };

static const struct schema_key allow_keys[] = {
	{ "inbound", S_SECTION, SF_LIST | SF_STRICT, OF(allow, rules[FS_IN]),
	    "who may connect to it", .sub = &inbound_section },
	{ "outbound", S_SECTION, SF_LIST | SF_STRICT, OF(allow, rules[FS_OUT]),
	    "where it may connect to", .sub = &outbound_section },
	END };
static const struct schema_section allow_section = { .what = "allow",
	.size = sizeof(((struct phost *)0)->allow), .keys = allow_keys };

static const struct schema_key guard_set_keys[] = {
	{ "action", S_WORD, SF_REQUIRED, AT(pguard_set, action), "on this host",
	    .words = action_words },
	{ "except", S_PEER, SF_LIST, AT(pguard_set, except), "peers it is off for" },
	{ "reason", S_TEXT, 0, AT(pguard_set, reason),
	    "required to disable, and with `except`", .max = 500 },
	{ "expires", S_TIME, 0, AT(pguard_set, expires), "then the profile's again",
	    .dflt = FS_FOREVER },
	END };
static const struct schema_section guard_set_section = { .what = "guard setting",
	.size = sizeof(struct pguard_set), .keys = guard_set_keys, .map_type = S_NAME,
	.map_offset = offsetof(struct pguard_set, id) };

static const struct schema_key jit_keys[] = {
	{ "from", S_PEER, SF_LIST | SF_REQUIRED, AT(pjit, from), "who may be granted it" },
	{ "max", S_DURATION, 0, AT(pjit, max_s), "the longest grant; default 1h",
	    .min = 60, .max = ONE_DAY, .dflt = 3600 },
	END };
static const struct schema_section jit_section = { .what = "jit",
	.size = sizeof(struct pjit), .keys = jit_keys,
	.map_type = S_SERVICE, .map_offset = offsetof(struct pjit, service) };

static const struct schema_key host_keys[] = {
	{ "host", S_NAME, SF_REQUIRED, AT(phost, name), "its name", .max = 40 },
	{ "addresses", S_ADDRESS, SF_LIST | SF_REQUIRED, AT(phost, addresses),
	    "all that it has" },
	{ "mode", S_WORD, 0, AT(phost, mode), "enforce, or observe to log only",
	    .words = mode_words, .dflt = -1 },
	{ "observe_since", S_INSTANT, 0, AT(phost, since), "since when it is only observed" },
	{ "profile", S_NAME, 0, AT(phost, profile), "default defaults.profile", .max = 40 },
	{ "owner", S_TEXT, 0, AT(phost, owner), "who answers for it", .max = 200 },
	{ "os", S_SECTION, 0, AT(phost, os), "what runs on it", .sub = &os_section },
	{ "allow", S_SECTION, 0, AT(phost, allow), "its allowlist; all else is denied",
	    .sub = &allow_section },
	{ "guards", S_SECTION, SF_MAP, AT(phost, guards), "other than its profile's",
	    .sub = &guard_set_section },
	{ "jit", S_SECTION, SF_MAP, AT(phost, jit), "what `cordon grant` may open",
	    .sub = &jit_section },
	ACCEPT(phost),
	END };
static const struct schema_section host_section = { .what = "host",
	.size = sizeof(struct phost), .keys = host_keys };

/* ---- tests ---- */

static const struct schema_key test_keys[] = {
	{ "name", S_TEXT, 0, AT(ptest, name), "what it is about", .max = 200 },
	{ "flow", S_TEXT, 0, AT(ptest, flow), "SRC -> DST SERVICE", .max = 200 },
	{ "expect", S_WORD, 0, AT(ptest, expect), "the verdict of each flow",
	    .words = expect_words },
	{ "only", S_TEXT, 0, AT(ptest, only),
	    "instead of both: PEER, … may be reached by SRC outbound [SERVICE], or PEER, … "
	    "may reach DST inbound [SERVICE]: all others are denied", .max = 400 },
	{ "rule", S_TEXT, 0, AT(ptest, rule), "the id of the rule that decides", .max = 96 },
	{ "at", S_INSTANT, 0, AT(ptest, at), "when; default now" },
	END };
static const struct schema_section test_section = { .what = "test",
	.size = sizeof(struct ptest), .keys = test_keys };

const struct schema_kind schema_kinds[FILE_NKINDS] = {
	[FILE_CORDON] = { "cordon", true, false, false, 0, &cordon_section,
	    "gateway, protected prefixes, defaults, sensor, block, log" },
	[FILE_GROUPS] = { "groups", true, true, false, SF_MAP, &group_section,
	    "named sets of addresses" },
	[FILE_SERVICES] = { "services", true, true, false, SF_MAP, &service_section,
	    "named protocols and ports" },
	[FILE_GUARDS] = { "guards", false, true, true, 0, &guard_section,
	    "virtual patches" },
	[FILE_PROFILES] = { "profiles", false, false, true, 0, &profile_section,
	    "what hosts of one system get by default (shipped only)" },
	[FILE_HOSTS] = { "hosts", false, true, true, 0, &host_section,
	    "one legacy host a document" },
	[FILE_TESTS] = { "tests", false, true, true, SF_LIST, &test_section,
	    "assertions about flows" },
};

const struct schema_key *schema_find(const struct schema_section *s, const char *name)
{
	for (const struct schema_key *k = s->keys; k->name != NULL; k++) {
		if (k->name[0] == name[0] && strcmp(k->name, name) == 0)
			return k;
	}
	return NULL;
}

const char *schema_type_text(enum schema_type t)
{
	static const char *const text[S_NTYPES] = {
		[S_TEXT] = "a line of text",
		[S_NAME] = "a name of a-z, 0-9 and '-'",
		[S_ID] = "a name of a-z, 0-9 and '-+._'",
		[S_IFACE] = "a network interface",
		[S_ADDRESS] = "an IPv4 or IPv6 address",
		[S_PREFIX] = "an address, CIDR or range",
		[S_PEER] = "an address, CIDR, range, group, host, `gateway` or `any`",
		[S_SERVICE] = "a service, or an inline one such as tcp/1433",
		[S_PORTS] = "an inline service such as tcp/1433",
		[S_KB] = "an update such as KB4474419",
		[S_CVE] = "a CVE id such as CVE-2017-0144",
		[S_CODE] = "the code of a finding such as CRD100",
		[S_HEX] = "1 to 8 bytes in hex",
		[S_SCHEDULE] = "a schedule such as Mon-Fri 07:00-19:00",
		[S_INT] = "a whole number",
		[S_BOOL] = "true or false",
		[S_DURATION] = "a duration such as 90s, 60m, 1h or 7d",
		[S_TIME] = "a date, or an RFC 3339 instant",
		[S_INSTANT] = "a date, or an RFC 3339 instant",
		[S_WORD] = "a word",
		[S_WORDS] = "words",
		[S_SECTION] = "a mapping",
	};

	return text[t];
}
