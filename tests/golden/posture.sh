#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: cordon posture: inventories and event logs -> text, JSON and markdown
#
# posture.sh CORDON [--update] [CASE...].  A case of posture/ is a folder with policy/,
# events.jsonl (where there is one) and the files that come of it at 2026-06-01:
# posture.txt, posture.jsonl, posture.md.  --update writes them; read the diff then.
set -u
cordon=$1
shift
update=
[ "${1:-}" = --update ] && update=1 && shift
here=$(cd "$(dirname "$0")" && pwd)/posture
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
bad=0 cases=0

fail() {
	echo "posture: $*" >&2
	bad=$((bad + 1))
}

run_case() {
	dir=$here/$1
	set -- "$1" "$dir/policy" --at 2026-06-01
	[ ! -f "$dir/events.jsonl" ] || set -- "$@" --observed "$dir/events.jsonl"
	name=$1
	shift
	for pair in text:txt json:jsonl markdown:md; do
		file=posture.${pair#*:}
		"$cordon" posture "$@" --format "${pair%:*}" >"$work/$file" 2>"$work/err" ||
			fail "$name: exit $?: $(cat "$work/err")"
		[ -s "$work/$file" ] || fail "$name/$file: nothing came out"
		if [ -n "$update" ]; then
			cp "$work/$file" "$dir/$file"
		else
			diff -u "$dir/$file" "$work/$file" >&2 || fail "$name/$file differs"
		fi
	done
	/usr/bin/python3 "$here/../posture_check.py" "$here/../../../daemon/cli/posture.schema.json" \
		"$work" >&2 || fail "$name: the formats"
	# Nothing of the wire reaches the terminal as it came.
	! LC_ALL=C grep -q "$(printf '[\001-\010\013-\037]')" "$work/posture.txt" "$work/posture.md" ||
		fail "$name: a control character"
	cases=$((cases + 1))
}

# A hostile log: skipped and counted, the good line in it is used.
hostile() {
	python3 -c '
import sys
o = sys.stdout.buffer
good = b"{\"dest_ip\":\"10.9.0.3\",\"smb\":{\"ntlmssp\":{\"version\":\"6.0.6002\"}}}\n"
o.write(b"[" * 200000 + b"\n")                     # deep
o.write(b"{\"smb\":\"" + b"x" * 400000 + b"\"}\n") # longer than a line may be
o.write(b"\0\0\0\n\xff\xfe\n{\"a\":\"\\u0000\"}\n{\"smb\":[]}\n{\"dest_ip\":7,\"smb\":{}}\n")
o.write(b"{\"dest_ip\":\"10.9.0.3\",\"smb\":{\"ntlmssp\":[],\"native_os\":{},\"dialect\":2}}\n")
o.write(good)
for i in range(1000):                              # more kinds than are kept
    o.write(b"{\"dest_ip\":\"10.9.0.3\",\"smb\":{\"native_os\":\"w%d%s\"}}\n" % (i, b"\xc3\xa9" * 90))
o.write(good[:-2])                                 # cut' >"$work/hostile"
	"$cordon" posture "$here/seen/policy" --at 2026-06-01 --format json --observed - \
		<"$work/hostile" >"$work/out" 2>"$work/err" || fail "hostile: exit $?: $(cat "$work/err")"
	grep -q 'skipped' "$work/err" || fail "hostile: nothing is said of what was skipped"
	python3 -c '
import json, sys
rows = {r.get("host"): r for r in map(json.loads, open(sys.argv[1], encoding="utf-8"))}
seen, total = rows["behind"]["observed"], rows[None]
assert seen["verdict"] == "differs", seen["verdict"]
assert len(seen["sightings"]) == 16 and seen["more"] == 1001 - 16, seen["more"]
assert seen["sightings"][0]["count"] == 1
assert total["events_malformed"] == 6 and total["events_used"] == 1001, total' "$work/out" ||
		fail "hostile: JSON"
}

# Rotated logs: a folder of plain and packed files, in whatever order, says what one file does.
rotated() {
	mkdir -p "$work/logs"
	head -n 5 "$here/changes/events.jsonl" >"$work/logs/events.jsonl"
	sed -n 6,12p "$here/changes/events.jsonl" | gzip >"$work/logs/events.jsonl-20260501.gz"
	sed -n '13,$p' "$here/changes/events.jsonl" >"$work/logs/events.jsonl.1"
	echo 'no log' >"$work/logs/README"
	mkfifo "$work/logs/waits.jsonl" && mkdir "$work/logs/folder.jsonl"
	set -- "$here/changes/policy" --at 2026-06-01 --format text --observed
	"$cordon" posture "$@" "$here/changes/events.jsonl" >"$work/one" 2>/dev/null
	"$cordon" posture "$@" "$work/logs" >"$work/many" 2>/dev/null || fail "rotated: exit $?"
	diff -u "$work/one" "$work/many" >&2 || fail "rotated: another posture"
	gzip -c "$here/changes/events.jsonl" | "$cordon" posture "$@" - >"$work/many" 2>/dev/null
	cmp -s "$work/one" "$work/many" || fail "packed, from standard input: another posture"
	# What of a packed file is there is used, and what is not is said.
	gzip -c "$here/changes/events.jsonl" | head -c 200 >"$work/logs/events.jsonl.2.gz"
	"$cordon" posture "$@" "$work/logs" >"$work/many" 2>"$work/err" || fail "broken: exit $?"
	grep -q 'packed file is damaged' "$work/err" || fail "broken: nothing is said"
	mkdir "$work/empty"
	"$cordon" posture "$@" "$work/empty" >"$work/out" 2>"$work/err"
	[ $? = 2 ] && grep -q 'no file with' "$work/err" || fail "a folder without logs: not exit 2"
}

[ $# -gt 0 ] || set -- $(ls "$here")
for c; do
	run_case "$c"
done
hostile
rotated
"$cordon" posture "$here/seen/policy" --observed "$work/none" >"$work/out" 2>"$work/err"
[ $? = 2 ] && [ ! -s "$work/out" ] || fail "a log that is not there: not exit 2"
[ $cases -gt 0 ] || fail "no case ran"
echo "posture: $cases cases${update:+ written}, $bad failures"
[ $bad = 0 ]
