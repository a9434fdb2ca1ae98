#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: the tree keeps its shape: who includes whom, heads of files, sizes, paths named
#
# tree-check.sh [TREE]: reads source, builds nothing.  The rules are the design's map of
# the code; a line of the tables below is one permission.
set -u
cd "${1:-$(dirname "$0")/../..}" || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
: >"$work/bad"

fail() {
	echo "tree-check: $*" | tee -a "$work/bad" >&2
}

# Fail with each line that a part of the check wrote to found; CODE is how it ended.
found() { # CODE PART
	[ "$1" -eq 0 ] || fail "the check of $2 itself ends with $1"
	while read -r line; do fail "$line"; done <"$work/found"
}

find include rules daemon tests systemd .ci -name __pycache__ -prune -o -type f -print |
	LC_ALL=C sort >"$work/files"
grep '\.[ch]$' "$work/files" >"$work/source"
code=$(grep -v '^tests/' "$work/source")

# Folder (or file) -> what it may include, by the start of the name.
cat >"$work/may" <<'END'
include/cordon       cordon/
rules                cordon/ rules/
daemon/base          base/
daemon/base/facts_json.c  wire/
daemon/base/facts_json.h  wire/
daemon/base/parts.h       wire/
daemon/base/pcapfile.c    wire/
daemon/base/pcapfile.h    wire/
daemon/base/pcapplain.c   wire/
daemon/base/pcapng.c      wire/
daemon/base/readahead.c   wire/
daemon/wire          wire/ cordon/netaddr.h cordon/guard.h
daemon/priv          base/ priv/ wire/facts.h cordon/netaddr.h cordon/guard.h cordon/flowspace.h cordon/tally.h
daemon/nft           nft/ cordon/
daemon/sensor        base/ priv/ wire/ sensor/ cordon/netaddr.h
daemon/engine        base/ priv/ wire/ engine/ cordon/
daemon/loader        base/ priv/ loader/ cordon/
daemon/enforcer      base/ priv/ nft/ enforcer/ cordon/
daemon/cli           base/ wire/ cli/ cordon/ priv/ctl.h
daemon/main.c        base/ priv/ sensor/sensor.h engine/engine.h loader/loader.h enforcer/enforcer.h
END
# Header of a library -> the files that may include it.
cat >"$work/only" <<'END'
yaml.h               rules/yaml.c
libnftnl/            daemon/nft/
libmnl/              daemon/nft/
linux/netfilter/nf_tables.h  daemon/nft/
pcap                 daemon/sensor/capture.c daemon/base/pcapfile.c
seccomp.h            daemon/priv/
cap-ng.h             daemon/priv/
systemd/             daemon/base/ daemon/priv/ daemon/enforcer/ daemon/engine/
END

# shellcheck disable=SC2086
grep -n '^#[[:space:]]*include' $code |
	sed 's/^\([^:]*\):\([0-9]*\):#[[:space:]]*include[[:space:]]*\([<"]\)\([^>"]*\)[>"].*/\1 \2 \3 \4/' \
		>"$work/includes"
awk -v work="$work" '
function starts(s, list,   n, i, w) {
	n = split(list, w, " ")
	for (i = 1; i <= n; i++)
		if (substr(s, 1, length(w[i])) == w[i])
			return 1
	return 0
}
function rest(   i, s) {
	for (i = 2; i <= NF; i++)
		s = s " " $i
	return s
}
FILENAME == work "/may" { may[$1] = rest(); next }
FILENAME == work "/only" { only[$1] = rest(); next }
{
	file = $1; name = $4; folder = file
	sub("/[^/]*$", "", folder)
	if (file == "daemon/main.c")
		folder = file
	ours = name ~ /^(cordon|rules|base|wire|priv|nft|sensor|engine|loader|enforcer|cli)\//
	if ($3 == "\"" && !ours)
		print file ":" $2 ": \"" name "\" is not named from include/, daemon/ or the root"
	else if (ours && !(folder in may))
		print file ":" $2 ": no row for " folder
	else if (ours && !starts(name, may[folder] " " may[file]))
		print file ":" $2 ": " folder " may not include " name
	for (lib in only)
		if ($3 == "<" && starts(name, lib) && !starts(file, only[lib]))
			print file ":" $2 ": <" name "> only in" only[lib]
	edge[file] = edge[file] " " name
}
# What the sensor gets through its headers: neither the compiler nor netlink.
function reach(file, from,   n, i, w) {
	if (seen[file]++)
		return
	if (file ~ /^(rules|daemon\/nft)\// ||
	    file ~ /^include\/cordon\/(rules|ruleset|diag|flowspace)\.h$/)
		print from ": sees " file " through its headers"
	n = split(edge[file], w, " ")
	for (i = 1; i <= n; i++)
		reach((w[i] ~ /^cordon\// ? "include/" : w[i] ~ /^rules\// ? "" : "daemon/") w[i],
		    from)
}
END {
	for (file in edge)
		if (file ~ /^daemon\/(sensor|wire)\/.*\.c$/) {
			split("", seen)
			reach(file, file)
		}
}' "$work/may" "$work/only" "$work/includes" >"$work/found"
found $? includes

# The first two lines of a source file say licence and purpose; long files are split.
awk '
FNR == 1 {
	c = FILENAME ~ /\.[ch]$/
	if (c && $0 != "/* SPDX-License-Identifier: GPL-2.0-or-later */")
		print FILENAME ":1: no SPDX line"
	if (!c && $0 !~ /^#!/ && $0 !~ /SPDX-License-Identifier/)
		print FILENAME ":1: neither #! nor SPDX line"
	if (!c && FILENAME ~ /^rules\/.*yaml$/ && $0 !~ /SPDX-License-Identifier/)
		print FILENAME ":1: no SPDX line"
}
FNR == 2 && c && $0 !~ /^\/\* summary: [^ ]/ {
	print FILENAME ":2: no `/* summary: …` line"
}
FNR == 601 && FILENAME !~ /^tests\// {
	print FILENAME ": more than 600 lines"
}' $(cat "$work/source") $(grep -E '^(rules|systemd)/.*\.(yaml|service|sh)$|^tests/(fuzz|golden|lab|lib|net|oracle|pcap|reject|bench)/[^/]*\.(sh|py)$' "$work/files") >"$work/found"
found $? heads

# Nothing of the machine it was written on ([k] and [d]: this file has the words too).
grep -rnaE '/wor[k]/|/tmp/[A-Za-z0-9_-]*buil[d]|/home/[a-z]|/root/[a-z.]' \
	include rules daemon tests systemd .ci Makefile $(ls README.md 2>/dev/null) |
	sed 's/^/machine path: /' | cut -c1-150 >"$work/found"
found $? paths

# Examples are tests; tests named are there.
for dir in rules/examples/*/; do
	[ -s "$dir/flows" ] || fail "$dir has no flows: examples are tests"
	[ -s "$dir/cordon.yaml" ] || fail "$dir has no cordon.yaml"
done
[ -s tests/suite ] || fail "no tests/suite"
for path in $(grep -hoE '(tests|daemon|rules)/[A-Za-z0-9_./-]+\.(sh|py)' tests/suite tests/suite-asan Makefile \
	tests/targets.mk | sort -u); do
	[ -f "$path" ] || fail "$path is run by a suite or the Makefile, but not there"
done

# README's table of where to add things names paths that are there (NAME, CASE, NN stand
# for what is to be added: something of that pattern has to be there).
if [ -f README.md ]; then
	sed -n '/^## Where to add things/,/^## /p' README.md | grep '^|' >"$work/table"
	rows=$(grep -c '`' "$work/table")
	[ "$rows" -ge 8 ] || fail "README.md: \"Where to add things\" has $rows rows"
	grep -o '`[^`]*`' "$work/table" | tr -d '`' | grep '[/.]' | sort -u >"$work/named"
	while read -r path; do
		glob=$(echo "$path" | sed 's/NAME/*/g; s/CASE/*/g; s/NN/[0-9]*/g')
		# shellcheck disable=SC2086
		[ -e "$(ls -d $glob 2>/dev/null | head -n 1)" ] ||
			fail "README.md names $path in \"Where to add things\": not there"
	done <"$work/named"
else
	fail "no README.md"
fi

# What README.md says cordon takes of the kernel is what the code takes.
labels=$(awk 'match($0, /LABEL_CONDEMNED = [0-9]+/) { n = substr($0, RSTART + 18, 3) - 1; on = 1 }
	on && /^\tLABEL_[A-Z0-9_]*[ ,]/ && !/LABEL_LAST/ { n++ }
	on && /LABEL_LAST = .* \+ [0-9]+/ { sub(/.*\+ /, ""); last = n + $0 }
	match($0, /LABEL_FIRST = [0-9]+/) { print substr($0, RSTART + 14, RLENGTH - 14) "-" last; exit }' rules/compile.h)
hooks=$(sed -n 's/.*HOOK_PRIORITY = \(-*[0-9]*\) .*/\1/p' rules/compile.h)
group=$(sed -n 's/.*LOG_GROUP = \([0-9]*\),.*/\1/p' daemon/priv/msg.h)
for said in "label bits $labels " "filter priority $hooks:" "group $group;"; do
	grep -qF -- "$said" README.md || fail "README.md does not say \"$said\""
done

# Every shipped YAML file is YAML to somebody else's parser, too.
if python3 -c 'import yaml' 2>/dev/null; then
	python3 -c '
import glob, sys, yaml
loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
files = {}
for path in sorted(glob.glob("rules/**/*.yaml", recursive=True)):
    try:
        files[path] = list(yaml.load_all(open(path, encoding="utf-8"), loader))
    except (yaml.YAMLError, UnicodeError) as e:
        print(path + ": " + " ".join(str(e).split()))
        files[path] = []
        continue
    if not any(files[path]):
        print(path + ": empty")
# and the manual of policies names what ships, with its ports.
page = open("rules/cordon-policy.5", encoding="utf-8").read().splitlines()
for path, documents in files.items():
    kind, name = path.split("/")[1], path.split("/")[-1][:-5]
    if kind in ("guards", "profiles"):
        if not any(l in (".It Cm " + name, ".Cm " + name) for l in page):
            print(f"cordon-policy.5: {name} of {path} is not there")
    for name, service in (documents or [{}])[0].items() if kind == "services" else ():
        what = service.get("ports") or service["bundle"]
        what = ", ".join([what] if isinstance(what, str) else what)
        row = f".It Cm {name} Ta {what} Ta " if "ports" in service else what
        if not any(l.startswith(row) for l in page):
            print(f"cordon-policy.5: {name} of {path} is not there as: {row}")' >"$work/found"
	found $? YAML
else
	echo "tree-check: SKIP shipped YAML: no python3-yaml" >&2
fi

bad=$(wc -l <"$work/bad")
echo "tree-check: $(wc -l <"$work/source") C files, $(wc -l <"$work/includes") includes," \
	"$(find rules -name '*.yaml' | wc -l) shipped YAML files, $bad problems"
[ "$bad" -eq 0 ]
