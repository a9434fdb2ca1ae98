#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: seeds one bug after another and says which test catches it
#
# run.sh [NAME...]   (make mutants T="NAME...")   Each NAME.patch is one bug.  Its first line
# says which, a second one "by: TEST..." which tests to ask first: those that are made for it.
# In a copy of the tree it is applied and built, and the tests run until one fails; what
# fails without any bug, too, catches nothing.  Ends with the list, test by test, and fails
# where a bug survives, breaks the build, or its patch no longer fits (no fuzz is taken).
# TESTS="NAME...": what is asked after that, names of tests/unit and tests/suite, in order;
# packets:SET is a part of packets.
# JOBS=N: so many trees side by side (default: one a processor).
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
tests=${TESTS:-test_flowspace test_compile test_layout test_nft_lower test_region test_diff
	diff explain packets:cases packets:gates packets:places packets:evasions packets:benign
	oracle golden gates}
jobs=${JOBS:-$(nproc)}
cc=gcc
command -v ccache >/dev/null && cc="ccache gcc" # most of each build is that of the one before
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# In the tree we are in: what TEST needs, and no more.
build() { # TEST
	case $1 in
	test_*) make -j2 CC="$cc" BUILD=build OPT=-O1 "build/tests/$1" ;;
	*) make -j2 CC="$cc" BUILD=build OPT=-O1 all ;;
	esac
}

# The seeds are fixed: what is caught today is caught tomorrow.
ask() { # TEST
	b=$PWD/build
	case $1 in
	test_*) set -- "$b/tests/$1" ;;
	explain) set -- python3 tests/golden/explain.py "$b/cordon" 3 12 ;;
	oracle)
		sh tests/oracle/run.sh "$b" 4 300 3 || return
		set -- sh tests/oracle/run.sh "$b" 4 300 7
		;;
	packets:*) set -- sh tests/net/50-packets.sh "$b" "${1#*:}" ;;
	*)
		line=$(sed -n "s,@B,$b,g;s/^$1  *//p" tests/suite)
		[ -n "$line" ] || { echo "no test $1" && return 1; }
		# shellcheck disable=SC2086
		set -- $line
		;;
	esac
	timeout 900 "$@" </dev/null
}

# The tree without any bug, one at a time: whether TEST is worth anything here.
sound() { # TEST
	(
		flock 9
		[ -f "$work/sound/$1" ] && exit "$(cat "$work/sound/$1")"
		cd "$work/clean" && build "$1" >"$work/sound/$1.log" 2>&1 && ask "$1" >>"$work/sound/$1.log" 2>&1
		code=$?
		echo $code >"$work/sound/$1"
		exit $code
	) 9>"$work/lock"
}

# Says which test fails with the bug that is in the tree; BROKEN: it does not build.
catcher() { # LOG TEST...
	log=$1 asked=' '
	shift
	for t; do
		case $asked in
		*" $t "*) continue ;;
		esac
		asked="$asked$t "
		build "$t" >"$log" 2>&1 || { echo BROKEN && return; }
		ask "$t" >"$log" 2>&1
		case $? in
		0) ;;
		77) echo "$t" >>"$work/skipped" ;;
		*)
			sound "$t" && echo "$t" && return
			echo "$t" >>"$work/unsound"
			;;
		esac
	done
	echo SURVIVED
}

one() { # NAME, in a tree of its own
	patch=$here/$1.patch log=$work/$1.log
	if patch -F0 -p1 --forward --dry-run <"$patch" >"$log" 2>&1; then
		patch -F0 -p1 --quiet <"$patch" >"$log" 2>&1
		# shellcheck disable=SC2046,SC2086
		by=$(catcher "$log" $(sed -n '2s/^by: //p' "$patch") $tests)
		patch -F0 -R -p1 --quiet <"$patch" >/dev/null || exit 1
	else
		by=NOPATCH
	fi
	# a bug that the compiler finds tests nothing
	case $by in
	BROKEN | NOPATCH) tail -n 5 "$log" ;;
	esac
	printf '%-26s %-15s %s\n' "$1" "$by" "$(head -n 1 "$patch")"
	echo "$by $1" >>"$work/result"
}

worker() { # K NAME...: every jobs-th one, from the K-th on
	cd "$work/tree$1" || exit 1
	k=$1
	shift
	i=0
	for name; do
		[ $((i % jobs)) -ne "$k" ] || one "$name"
		i=$((i + 1))
	done
}

mkdir "$work/clean" "$work/sound"
(cd "$root" && tar cf - --exclude=.git --exclude='./build*' Makefile VERSION include rules daemon tests systemd) |
	tar xf - -C "$work/clean" || exit 1
(cd "$work/clean" && build all >"$work/log" 2>&1) ||
	{ cat "$work/log" && echo "mutants: the tree does not build" && exit 1; }
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(cd "$here" && ls ./*.patch | sed 's,^./,,; s,\.patch$,,')
[ "$jobs" -le $# ] || jobs=$#
k=0 pids=''
while [ $k -lt "$jobs" ]; do
	cp -a "$work/clean" "$work/tree$k" || exit 1
	k=$((k + 1))
done
k=0
while [ $k -lt "$jobs" ]; do
	worker $k "$@" &
	pids="$pids $!"
	k=$((k + 1))
done
for p in $pids; do
	wait "$p" || echo "worker lost" >>"$work/unsound"
done
for why in skipped unsound; do
	[ ! -f "$work/$why" ] || echo "mutants: $why: $(sort -u "$work/$why" | tr '\n' ' ')"
done
echo "mutants: what caught each"
sort "$work/result" | awk '
	{ n[$1]++; names[$1] = names[$1] " " $2 }
	END { for (t in n) printf "  %-15s %3d %s\n", t, n[t], names[t] }' | sort
awk -v all=$# '
	$1 ~ /^(SURVIVED|BROKEN|NOPATCH)$/ { bad++; next }
	{ caught++ }
	END { printf "mutants: %d caught, %d not\n", caught, all - caught; exit caught != all }' "$work/result" &&
	[ ! -f "$work/unsound" ]
