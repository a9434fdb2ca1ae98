#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: bad policies and the exact diagnostics they get; every code at least once
#
# tests/reject/CASE is a policy tree with the file `expected`; setup.sh, where there is
# one, adds what git cannot hold, and `args` has further arguments of check.  Usage: run.sh [--update] [CASE…]; CORDON=the binary.
set -u
here=$(cd "$(dirname "$0")" && pwd)
cordon=${CORDON:-$here/../../build/cordon}
case $cordon in /*) ;; *) cordon=$PWD/$cordon ;; esac
[ -x "$cordon" ] || { echo "SKIP: no $cordon"; exit 77; }
update=0
[ "${1:-}" = --update ] && { update=1; shift; }
all=0
[ $# -eq 0 ] && { all=1; set -- "$here"/*/; }
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT INT TERM
# No policy brings these about: no memory, and a kernel that refuses.
exempt='CRD091 CRD092'
n=0 bad=0

fail() {
	echo "FAIL $1: $2"
	bad=$((bad + 1))
}

for dir; do
	name=$(basename "$dir")
	src=$here/$name
	n=$((n + 1))
	cp -R "$src" "$tmp/tree"
	rm -f "$tmp/tree/expected" "$tmp/tree/args"
	args=
	[ ! -f "$src/args" ] || args=$(cat "$src/args")
	[ ! -f "$src/setup.sh" ] || (cd "$tmp/tree" && sh ./setup.sh && rm setup.sh)
	# shellcheck disable=SC2086 # words
	(cd "$tmp/tree" && "$cordon" check --format text $args .) >"$tmp/out" 2>"$tmp/err"
	rc=$?
	# The counts at the end are the verb's, not the list's.
	cat "$tmp/err" "$tmp/out" | grep -vE '^([0-9]+ errors?, [0-9]+ warnings?|[0-9]+ (notes?|accepted).*|ok: .*)$' \
	    >"$tmp/got"
	if grep -q ': error: \|^error: ' "$tmp/got"; then want=1; else want=0; fi
	[ $rc -eq $want ] || fail "$name" "exit $rc, expected $want"
	[ -s "$tmp/got" ] || fail "$name" "no diagnostics"
	[ $update -eq 0 ] || cp "$tmp/got" "$src/expected"
	diff -u "$src/expected" "$tmp/got" || fail "$name" "other diagnostics"
	rm -rf "$tmp/tree"
done

if [ $all -eq 1 ]; then
	# The shipped examples are the counterpart: no error, and nothing found but what
	# this version does not enforce (CRD08x) or time that passed (CRD064, CRD105).
	for dir in "$here"/../../rules/examples/*/; do
		[ -f "$dir/cordon.yaml" ] || continue
		"$cordon" check --format text "$dir" >"$tmp/out" 2>&1 ||
			fail "$dir" "the example has errors"
		! grep -o '\[CRD[0-9]*\]$' "$tmp/out" | grep -vE '\[CRD(08.|064|105)\]' ||
			fail "$dir" "the example has warnings"
	done
	for code in $(sed -n 's/^\t{ "\(CRD[0-9]*\)".*/\1/p' "$here/../../rules/diagcode.c"); do
		case " $exempt " in *" $code "*) continue ;; esac
		grep -qF "[$code]" "$here"/*/expected || fail "$code" "no case has it"
	done
fi
echo "$n policies, $bad failures"
[ $bad -eq 0 ]
