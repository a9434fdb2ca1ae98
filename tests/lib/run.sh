#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: runs the tests of a suite file, a line each, and says how many passed
#
# run.sh BUILD SUITE [NAME...]: unit tests in BUILD/tests first, then the suite; with
# NAMEs only those.  The output of what fails is shown whole; all of it is in BUILD/log.
set -u
umask 022 # cordond refuses a policy that others may write
build=$1 suite=$2
shift 2
log=$build/log
mkdir -p "$log"
passed=0 failed=0 skipped=0

wanted() {
	[ $# -eq 1 ] && return 0
	one=$1
	shift
	for w; do
		[ "$w" = "$one" ] && return 0
	done
	return 1
}

run_one() { # NAME COMMAND...
	name=$1
	shift
	printf '  %-18s ' "$name"
	start=$(date +%s)
	"$@" >"$log/$name" 2>&1 </dev/null
	code=$?
	took=$(($(date +%s) - start))
	# cmocka ends with 0 even where every test of the program was skipped.
	[ $code = 0 ] && grep -q '^\[  PASSED  \] 0 test' "$log/$name" && code=77
	case $code in
	0)
		passed=$((passed + 1))
		echo "ok      ${took}s  $(tail -n 1 "$log/$name" | cut -c1-110)"
		;;
	77)
		skipped=$((skipped + 1))
		why=$(grep SKIP: "$log/$name" | tail -n 1)
		echo "SKIP    $(echo "${why:-$(tail -n 1 "$log/$name")}" | cut -c1-110)"
		;;
	*)
		failed=$((failed + 1))
		echo "FAILED  ${took}s  exit $code"
		tail -n 200 "$log/$name" | sed 's/^/      | /'
		;;
	esac
}

for t in "$build"/tests/test_*; do
	case $t in
	*.d) continue ;;
	esac
	name=$(basename "$t")
	# shellcheck disable=SC2086
	wanted "$name" "$@" && run_one "$name" "$t"
done
while read -r name command; do
	case $name in
	'' | '#'*) continue ;;
	esac
	command=$(echo "$command" | sed "s,@B,$build,g")
	wanted "$name" "$@" && run_one "$name" $command
done <"$suite"
echo "$passed $failed $skipped" >"$build/log.count"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
