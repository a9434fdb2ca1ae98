/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the verb table: one row a verb, with all that is said about it */
#include "cli/verb.h"

#include <string.h>

#define TEXT FORMAT_BIT(FORMAT_TEXT)
#define JSON FORMAT_BIT(FORMAT_JSON)
#define NFT  FORMAT_BIT(FORMAT_NFT)
#define MARKDOWN FORMAT_BIT(FORMAT_MARKDOWN)

/* clang-format off */
#define OPT_AT { "at", "TIME", "judge as of TIME: a date or an RFC 3339 instant" }
#define OPTS(...) (const struct verb_opt[]){ __VA_ARGS__, { 0 } }

const struct verb verbs[] = {
	{ "check", verb_check, "POLICY", 0, 1,
	    "find all errors and warnings of a policy tree",
	    "Reads the tree as the daemon would and prints every diagnostic with its\n"
	    "place, the line, and what would be right.  Exits 1 if there is an error.",
	    TEXT | JSON | FORMAT_BIT(FORMAT_SARIF), FORMAT_TEXT, false,
	    OPTS({ "list-codes", NULL, "list the diagnostic codes instead" }) },
	{ "compile", verb_compile, "POLICY", 1, 1,
	    "show the nftables ruleset that a policy becomes",
	    "The nft text is what the kernel would hold; `nft -f` loads it by itself.\n"
	    "The same policy at the same TIME gives the same bytes.",
	    NFT | JSON, FORMAT_NFT, false, OPTS(OPT_AT) },
	{ "explain", verb_explain, "POLICY SRC DST PROTO/PORT", 2, 4,
	    "say whether a flow is allowed, and by which rule",
	    "SRC and DST are an address, the name of a declared host, or `gateway`.\n"
	    "With `-` in their place, lines of `SRC DST PROTO/PORT` are read from\n"
	    "standard input and each is answered by one line of JSON.",
	    TEXT | JSON, FORMAT_TEXT, false, OPTS(OPT_AT) },
	{ "diff", verb_diff, "OLD NEW", 2, 2,
	    "show exactly which flows a change of policy opens and closes",
	    "OLD and NEW are a directory, or a tree of the git repository around the\n"
	    "current directory: git:REV, git:REV:PATH.  Exposure stands first; what is\n"
	    "no flow (modes, guards, validity, trust) is listed behind the flows.",
	    TEXT | JSON | FORMAT_BIT(FORMAT_MARKDOWN), FORMAT_TEXT, false,
	    OPTS(OPT_AT, { "fail-on", "WHAT",
		"exit 3 on `opened` flows, on `exposure`, on `any` difference" }) },
	{ "test", verb_test, "POLICY", 1, 1,
	    "prove the assertions of a policy tree, for all their flows",
	    "Each assertion of tests/*.yaml speaks of a set of flows; it holds if every\n"
	    "flow of the set is judged so.  A failure shows one that is not, and the rule\n"
	    "that decided.  Exits 1 if one failed.",
	    TEXT | JSON, FORMAT_TEXT, false, OPTS(OPT_AT) },
	{ "replay", verb_replay, "POLICY FILE.pcap", 2, 2,
	    "judge every flow of a capture by a policy",
	    "Each flow is judged at the time it was captured and reported with what it\n"
	    "spoke; SMB or RDP beyond what the rules grant is marked as exposure.",
	    TEXT | JSON, FORMAT_TEXT, false, OPTS(OPT_AT) },
	{ "inspect", verb_inspect, "FILE.pcap …", 1, -1,
	    "report the SMB and RDP that a capture holds",
	    "Needs no policy.  One row a recognised flow with the facts read from it,\n"
	    "then a summary.  Ports are not looked at.",
	    TEXT | JSON, FORMAT_JSON, false, NULL },
	{ "posture", verb_posture, "POLICY", 1, 1,
	    "say what the declared patch level of each host proves",
	    "Compares build, revision and updates of each host with the servicing table\n"
	    "that ships with this program: what it can still install, the last security\n"
	    "update proven, which known vulnerabilities are fixed, open, or can't be told,\n"
	    "and what the policy has against them.",
	    TEXT | JSON | MARKDOWN, FORMAT_TEXT, false,
	    OPTS({ "observed", "EVENTS", "compare with an event log; - reads standard input" },
		OPT_AT) },
	{ "schema", verb_schema, "", 0, 0,
	    "print the JSON Schema of policy files, for editors",
	    "JSON Schema 2020-12, from the same table of keys that the loader uses.",
	    JSON, FORMAT_JSON, false, NULL },
	{ "apply", verb_apply, "", 0, 0,
	    "have the daemon load its policy tree under a commit",
	    "The daemon reads its own policy directory; a policy with errors leaves the\n"
	    "running ruleset alone and is reported.",
	    TEXT | JSON, FORMAT_TEXT, true,
	    OPTS({ "commit", "ID", "the policy's commit, for events and the table" }) },
	{ "reload", verb_reload, "", 0, 0,
	    "have the daemon read its policy tree again",
	    "As SIGHUP, but waits for the result and shows the diagnostics.",
	    TEXT | JSON, FORMAT_TEXT, true, NULL },
	{ "status", verb_status, "", 0, 0,
	    "show what is enforced, and whether it is sound", NULL,
	    TEXT | JSON, FORMAT_TEXT, true, NULL },
	{ "incidents", verb_incidents, "", 0, 0,
	    "list incidents, the newest first",
	    "An incident is the events of one source, host and kind.",
	    TEXT | JSON, FORMAT_TEXT, true,
	    OPTS({ "host", "NAME", "only those of one host" },
		{ "limit", "N", "at most N of them" }) },
	{ "watch", verb_watch, "", 0, 0,
	    "show events as they happen", NULL,
	    TEXT | JSON, FORMAT_TEXT, true,
	    OPTS({ "host", "NAME", "only those of one host" },
		{ "kind", "KIND,…", "only these kinds of event" }) },
	{ "block", verb_block, "[ADDRESS]", 0, 1,
	    "shut a source out for a time, or list who is",
	    "Without --ttl the block lasts as long as the policy's block.ttl says;\n"
	    "`--ttl 0` lasts until it is taken away.  Gateway, management and the\n"
	    "policy's never list can't be blocked.",
	    TEXT | JSON, FORMAT_TEXT, true,
	    OPTS({ "list", NULL, "list the blocks in force" },
		{ "ttl", "TIME", "how long: 90s, 10m, 1h, 7d" },
		{ "scope", "SCOPE", "legacy: only towards legacy hosts; all: everything" },
		{ "reason", "TEXT", "why, for the event" }) },
	{ "unblock", verb_unblock, "ADDRESS", 1, 1,
	    "take a block away", NULL,
	    TEXT | JSON, FORMAT_TEXT, true, NULL },
	{ 0 },
};
/* clang-format on */

const struct verb *verb_find(const char *name)
{
	for (const struct verb *v = verbs; v->name; v++)
		if (strcmp(v->name, name) == 0)
			return v;
	return NULL;
}

const struct verb_opt *verb_opt_find(const struct verb *v, const char *name, size_t len)
{
	for (const struct verb_opt *o = v->opts; o && o->name; o++)
		if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
			return o;
	return NULL;
}
