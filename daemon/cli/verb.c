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
	    "place, the line, and what would be right; of a tree without errors also what\n"
	    "a reviewer wants to know.  Exits 1 if there is an error.",
	    TEXT | JSON | FORMAT_BIT(FORMAT_SARIF), FORMAT_TEXT, false,
	    OPTS({ "all", NULL, "show notes and accepted findings in text, too" },
		{ "fail-on", "SEVERITY", "exit 1 also on a `warning`, or on a `note`" },
		{ "explain", NULL, "explain the code given in place of POLICY, or list all" },
		{ "list-codes", NULL, "list the diagnostic codes instead" },
		{ "guards", NULL, "list its guards instead: where each acts, how sure it is" },
		OPT_AT) },
	{ "compile", verb_compile, "POLICY", 1, 1,
	    "show the nftables ruleset that a policy becomes",
	    "The nft text is what the kernel would hold; `nft -f` loads it by itself.\n"
	    "The same policy at the same TIME gives the same bytes.",
	    NFT | JSON, FORMAT_NFT, false, OPTS(OPT_AT) },
	{ "explain", verb_explain, "POLICY SRC DST PROTO/PORT", 2, 4,
	    "say whether a flow is allowed, and by which rule",
	    "SRC and DST are an address, the name of a declared host, or `gateway`: the\n"
	    "way to the verdict is shown step by step.  With a CIDR, an a-b range, a\n"
	    "group, `any`, `*` (all declared hosts) or `!` before one of them, or with the\n"
	    "name of a service, it is a set of flows: which of them may, by which rule.\n"
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
	    "spoke; SMB or RDP beyond what the rules grant is marked as exposure.\n"
	    "With --against, only flows that the policy OTHER judges differently are\n"
	    "reported, and how many it would open and close; both may be git:REV.",
	    TEXT | JSON | MARKDOWN, FORMAT_TEXT, false,
	    OPTS({ "packets", NULL, "each packet that would have been denied, and why" },
		{ "against", "OTHER", "what a changed policy would have done" },
		{ "fail-on", "WHAT",
		    "exit 3 on `opened` or `closed` flows, on `exposure`, on `any` difference" },
		OPT_AT) },
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
	    OPTS({ "observed", "EVENTS", "compare with event logs: a file, a folder, or -" },
		OPT_AT) },
	{ "fmt", verb_fmt, "[PATH …]", 0, -1,
	    "bring policy files into their canonical form, comments kept",
	    "PATH is a policy tree, a file of one, or `-`; without any, standard input is\n"
	    "formatted to standard output.  Files that change are listed and replaced,\n"
	    "each whole or not at all.  A file that is no YAML stays as it is.",
	    TEXT, FORMAT_TEXT, false,
	    OPTS({ "check", NULL, "only list them, and exit 3 if there is one" }) },
	{ "schema", verb_schema, "", 0, 0,
	    "print the JSON Schema of policy files, for editors",
	    "JSON Schema 2020-12, from the same table of keys that the loader uses.",
	    JSON, FORMAT_JSON, false, NULL },
	{ "completion", verb_completion, "bash|zsh", 1, 1,
	    "print what makes a shell complete this command",
	    "For bash: eval \"$(cordon completion bash)\"; for zsh it goes into a folder of\n"
	    "$fpath as _cordon.  `make install` puts both in place.",
	    TEXT, FORMAT_TEXT, false, NULL },
	{ "apply", verb_apply, "", 0, 0,
	    "have the daemon load its policy tree under a commit",
	    "The daemon reads its own policy directory; a policy with errors leaves the\n"
	    "running ruleset alone and is reported.  So does one that would cut off the SSH\n"
	    "session this runs in.",
	    TEXT | JSON, FORMAT_TEXT, true,
	    OPTS({ "commit", "ID", "the policy's commit, for events and the table" },
		{ "confirm", "TIME", "go back unless `cordon confirm` comes within 5s to 1h" },
		{ "force", NULL, "also where it cuts off this session" }) },
	{ "confirm", verb_confirm, "", 0, 0,
	    "keep the policy that `apply --confirm` put in force",
	    "From then on it is also what the gateway starts with.",
	    TEXT | JSON, FORMAT_TEXT, true, NULL },
	{ "rollback", verb_rollback, "", 0, 0,
	    "go back to the policy before",
	    "Where a policy waits to be confirmed, at once to the one confirmed last; else\n"
	    "to the one that was in force before this one.  Until the next apply or reload\n"
	    "the daemon starts with it, too, whatever the tree says.",
	    TEXT | JSON, FORMAT_TEXT, true, NULL },
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
	{ "suggest", verb_suggest, "[HOST]", 0, 1,
	    "turn what observed hosts were seen to do into rules",
	    "Rules in YAML for what no rule allowed on hosts and prefixes of `mode: observe`,\n"
	    "each with a reason to fill in.  What hit a guard, came from a scan, or spoke SMB\n"
	    "or RDP is listed apart and never suggested.",
	    TEXT | JSON, FORMAT_TEXT, true,
	    OPTS({ "policy", "DIR", "its groups and services are used; /etc/cordon/policy" },
		{ "share", "N", "name a group once N percent of it were seen; 80" }) },
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
