#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: seeds one bug after another and says which test catches it
#
# run.sh [NAME...]   (make mutants)   Each NAME.patch is one bug; its first line says which.
# In a copy of the tree it is applied, built, and the tests run until one fails.  Fails
# itself where a bug survives all of them, or a patch no longer applies.
# STAGES="unit oracle packets golden": which tests, in this order.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
stages=${STAGES:-unit oracle packets golden}
units="test_flowspace test_compile test_nft_lower"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
mkdir "$work/tree"
(cd "$root" && tar cf - --exclude=.git --exclude='./build*' Makefile VERSION include rules daemon tests systemd) |
	tar xf - -C "$work/tree" || exit 1
cd "$work/tree" || exit 1
b=$work/tree/build

build() {
	targets=all
	for t in $units; do
		targets="$targets build/tests/$t"
	done
	# shellcheck disable=SC2086
	make -j2 BUILD=build OPT=-O1 $targets >"$work/log" 2>&1
}

# stage NAME: 0 passes.  The seeds are fixed: what is caught today is caught tomorrow.
stage() {
	case $1 in
	unit)
		for t in $units; do
			"$b/tests/$t" >"$work/log" 2>&1 || return 1
		done
		;;
	golden) sh tests/golden/run.sh "$b/cordon" >"$work/log" 2>&1 ;;
	packets) sh tests/net/50-packets.sh "$b" >"$work/log" 2>&1 ;;
	oracle) for seed in 3 7; do
		sh tests/oracle/run.sh "$b" 4 300 $seed >"$work/log" 2>&1 || return 1
	done ;;
	esac
}

build || { cat "$work/log" && echo "mutants: the tree does not build" && exit 1; }
for s in $stages; do
	stage "$s" || { tail -n 5 "$work/log" && echo "mutants: $s fails without any bug" && exit 1; }
done
[ $# -gt 0 ] || set -- $(cd "$here" && ls ./*.patch | sed 's,^./,,; s,\.patch$,,')
caught=0 survived=0
for name; do
	patch -p1 --quiet <"$here/$name.patch" >"$work/log" 2>&1 ||
		{ cat "$work/log" && echo "mutants: $name.patch does not apply" && exit 1; }
	by=
	build || by=BROKEN
	for s in $stages; do
		[ -z "$by" ] || break
		stage "$s" || by=$s
	done
	printf '%-26s %-9s %s\n' "$name" "${by:-SURVIVED}" "$(head -n 1 "$here/$name.patch")"
	# a bug that the compiler finds tests nothing
	[ "$by" = BROKEN ] && tail -n 5 "$work/log" && by=
	if [ -n "$by" ]; then caught=$((caught + 1)); else survived=$((survived + 1)); fi
	patch -R -p1 --quiet <"$here/$name.patch" >/dev/null || exit 1
done
echo "mutants: $caught caught, $survived survived"
[ "$survived" -eq 0 ]
