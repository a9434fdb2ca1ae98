#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: every verb, option and policy key stands in its manual, and mandoc is content
#
# man-check.sh CORDON: the built program, whose help and schema are the tables.
set -eu
cordon=$1
top=$(cd "$(dirname "$0")/../.." && pwd)
page=$top/daemon/cli/cordon.8
bad=0

fail() {
	echo "man-check: $*" >&2
	bad=1
}

# A line that starts an item with the verb: `.Cm VERB`, alone or under `.It Xo`.
verbs=$("$cordon" help | sed -n 's/^  \([a-z][a-z]*\)  *[^ ].*/\1/p')
[ "$(echo "$verbs" | wc -w)" -ge 6 ] || fail "cordon help lists no verbs"
for v in $verbs; do
	grep -Eq "^(\.It )?\.?Cm $v( |\$)" "$page" || fail "verb $v is not in cordon.8"
	for o in $("$cordon" help "$v" | sed -n 's/^  --\([a-z-]*\).*/\1/p'); do
		grep -Eq "Fl -$o( |\$)" "$page" || fail "option --$o of $v is not in cordon.8"
	done
done
# The other way round: no verb in the manual that the table does not have.
for v in $(sed -n '/^\.Ss Verbs/,/^\.Sh ENV/p' "$page" |
	awk '/^\.It Xo/ { getline; print $2 } /^\.It Cm/ { print $3 }' | sort -u); do
	echo "$verbs" | grep -qx "$v" || fail "cordon.8 describes $v, which is no verb"
done

# What status may find, by its word.
for w in $(sed -n 's/^\t{ "\([a-z-]*\)", FINDING_.*/\1/p' "$top/daemon/enforcer/checks.c"); do
	grep -Eq "^\.Cm (.* )?$w( |\$)" "$page" || fail "finding $w is not in cordon.8"
done

policy=$top/rules/cordon-policy.5
if [ -f "$policy" ]; then
	keys=$("$cordon" schema | python3 -c '
import json, sys

def keys(node):
    if isinstance(node, dict):
        props = node.get("properties")
        if isinstance(props, dict):
            yield from props
        for child in node.values():
            yield from keys(child)
    elif isinstance(node, list):
        for child in node:
            yield from keys(child)

print("\n".join(sorted(set(keys(json.load(sys.stdin))))))')
	[ -n "$keys" ] || fail "cordon schema names no keys"
	for k in $keys; do
		grep -Eq "(^|[^a-z_-])$k([^a-z_-]|\$)" "$policy" ||
			fail "policy key $k is not in cordon-policy.5"
	done
	python3 "$top/tests/lib/man-keys.py" "$cordon" "$policy" >&2 || bad=1
else
	echo "man-check: SKIP policy keys: rules/cordon-policy.5 is not there" >&2
fi

if command -v mandoc >/dev/null; then
	for m in "$top"/daemon/*.8 "$top"/daemon/*/*.[58] "$top"/rules/*.5; do
		[ -f "$m" ] || continue
		mandoc -T lint -W warning "$m" >&2 || fail "mandoc complains about ${m#"$top"/}"
	done
else
	echo "man-check: SKIP mandoc: not installed" >&2
fi
exit $bad
