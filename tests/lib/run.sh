#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: runs the tests of a suite file, a line each, and says how many passed
#
# run.sh BUILD SUITE [NAME...]: unit tests in BUILD/tests and the suite; with NAMEs only
# those.  JOBS run side by side (default: one more than processors), each in namespaces or folders
# of its own.  The output of what fails is shown whole; all of it is in BUILD/log.
set -u
umask 022 # cordond refuses a policy that others may write

# The child: run.sh --one BUILD NAME COMMAND...  Says all it has to say in one write.
if [ "$1" = --one ]; then
	log=$2/log name=$3
	shift 3
	start=$(date +%s)
	"$@" >"$log/$name" 2>&1 </dev/null
	code=$?
	took=$(($(date +%s) - start))
	# cmocka ends with 0 even where every test of the program was skipped.
	[ $code = 0 ] && grep -q '^\[  PASSED  \] 0 test' "$log/$name" && code=77
	case $code in
	0)
		word=ok said=$(tail -n 1 "$log/$name" | cut -c1-110)
		;;
	77)
		word=SKIP said=$(grep SKIP: "$log/$name" | tail -n 1)
		said=$(echo "${said:-$(tail -n 1 "$log/$name")}" | cut -c1-110)
		;;
	*)
		word=FAILED said="exit $code
$(tail -n 200 "$log/$name" | sed 's/^/      | /')"
		;;
	esac
	printf '  %-18s %-6s %4ss  %s\n' "$name" $word "$took" "$said"
	echo $word >>"$log.words"
	exit 0
fi

build=$1 suite=$2
shift 2
log=$build/log
mkdir -p "$log"
: >"$log.words"

wanted() {
	[ $# -eq 1 ] && return 0
	one=$1
	shift
	for w; do
		[ "$w" = "$one" ] && return 0
	done
	return 1
}

list() { # NAME... : NAME COMMAND lines of what is wanted
	for t in "$build"/tests/test_*; do
		case $t in
		*.d) continue ;;
		esac
		wanted "${t##*/}" "$@" && echo "${t##*/} $t"
	done
	while read -r name command; do
		case $name in
		'' | '#'*) continue ;;
		esac
		wanted "$name" "$@" && echo "$name $command"
	done <"$suite" | sed "s,@B,$build,g"
}

count() {
	grep -c "^$1\$" "$log.words"
}

# Each line is split into words again by the inner shell, as the suite means it.
list "$@" | tr '\n' '\0' | xargs -0 -r -n 1 -P "${JOBS:-$(($(nproc) + 1))}" \
	sh -c 'exec sh "$0" --one "$1" $2' "$0" "$build"
passed=$(count ok) failed=$(count FAILED) skipped=$(count SKIP)
echo "$passed $failed $skipped" >"$build/log.count"
echo "$passed passed, $failed failed, $skipped skipped"
# A test that ended without a word, or a NAME that is none, is no success.
[ "$failed" -eq 0 ] && [ "$passed$skipped" != 00 ] &&
	[ $((passed + skipped)) -eq "$(list "$@" | wc -l)" ]
