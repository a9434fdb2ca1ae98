#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: policy trees -> ruleset and answers, compared with the files beside them
#
# run.sh CORDON [--update] [CASE...].  A case is a folder with policy/, flows (lines of
# SRC DST PROTO/PORT # VERDICT, written by hand), at (the time of it all; else 2026-06-01)
# and the files that come of it: ruleset.nft, ruleset.json, explain.jsonl.  Everything is
# made twice: the two runs are equal to the byte.  captures, where it is there, names files
# of tests/pcap whose replay makes replay.jsonl.  --update writes the files (never the
# verdicts in flows); read the diff then.
set -u
cordon=$1
shift
update=
[ "${1:-}" = --update ] && update=1 && shift
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
bad=0 cases=0 files=0

# make_one OUT COMMAND...: run, keep its output; what is on stderr is shown if it fails.
make_one() {
	out=$1
	shift
	"$@" >"$out" 2>"$work/err" && return
	cat "$work/err" >&2
	return 1
}

make_all() {
	make_one "$2/ruleset.nft" "$cordon" compile "$1/policy" --format nft --at "$3" &&
		make_one "$2/ruleset.json" "$cordon" compile "$1/policy" --format json \
			--at "$3" &&
		make_one "$2/explain.jsonl" "$cordon" explain "$1/policy" - --at "$3" \
			<"$work/asked" &&
		make_replay "$1" >"$2/replay.jsonl"
}

# Judged at the time of the captures, which no rule of these cases depends on.
make_replay() {
	[ ! -f "$1/captures" ] || while read -r capture; do
		"$cordon" replay "$1/policy" "$here/../pcap/$capture" --format json || return
	done <"$1/captures"
}

fail() {
	echo "golden: $*" >&2
	bad=$((bad + 1))
}

run_case() {
	case_dir=$1 name=${1##*/}
	at=$(cat "$case_dir/at" 2>/dev/null || echo 2026-06-01)
	rm -rf "$work/1" "$work/2"
	mkdir "$work/1" "$work/2"
	sed 's/ *#.*//' "$case_dir/flows" >"$work/asked"
	if ! make_all "$case_dir" "$work/1" "$at" || ! make_all "$case_dir" "$work/2" "$at"; then
		fail "$name: cordon failed"
		return
	fi
	outputs="ruleset.nft ruleset.json explain.jsonl"
	[ ! -f "$case_dir/captures" ] || outputs="$outputs replay.jsonl"
	for f in $outputs; do
		cmp -s "$work/1/$f" "$work/2/$f" || fail "$name/$f: two runs differ"
		[ -s "$work/1/$f" ] || fail "$name/$f: nothing came out"
		if [ -n "$update" ]; then
			cp "$work/1/$f" "$case_dir/$f"
		else
			diff -u "$case_dir/$f" "$work/1/$f" >&2 || fail "$name/$f differs"
		fi
		files=$((files + 1))
	done
	# The verdicts are those that were written by hand.
	sed -n 's/.*# *//p' "$case_dir/flows" >"$work/want"
	sed 's/^{"verdict":"\([a-z]*\)".*/\1/' "$work/1/explain.jsonl" |
		diff "$work/want" - >"$work/verdicts" ||
		fail "$name: verdicts (< wanted, by line of flows): $(cat "$work/verdicts")"
	python3 -c 'import json,sys; json.load(open(sys.argv[1]))' "$work/1/ruleset.json" ||
		fail "$name/ruleset.json is no JSON"
	loads "$work/1/ruleset.nft" || fail "$name/ruleset.nft: nft refuses it"
	cases=$((cases + 1))
}

# nft itself takes the text, where namespaces allow to ask it.
inside="unshare -n"
[ "$(id -u)" = 0 ] || inside="unshare -Urn"
if ! why=$(command -v nft && $inside true 2>&1); then
	echo "golden: SKIP nft -c: ${why:-nft is not installed}" >&2
	inside=
fi
loads() {
	[ -n "$inside" ] || return 0
	$inside nft -c -f "$1" 2>"$work/err" && return
	if [ "$(id -u)" != 0 ] && grep -q 'Message too long' "$work/err"; then
		echo "golden: SKIP nft -c of $1: nft needs real root for that much" >&2
		return
	fi
	cat "$work/err" >&2
	return 1
}

[ $# -gt 0 ] || set -- $(cd "$here" && ls -d */policy | sed 's,/policy,,')
for c; do
	run_case "$here/$c"
done
[ $cases -gt 0 ] || fail "no case ran"
echo "golden: $cases cases, $files files${update:+ written}, $bad failures"
[ $bad = 0 ]
