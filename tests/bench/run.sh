#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: make bench: each figure beside its peer, in one run, with its spread
#
# run.sh BUILD.  SIZES, ROUNDS, SAMPLES and FORWARD_ROUNDS make it shorter or longer.
# Nothing here passes or fails by time: a figure is read, never asserted.
set -u
here=$(cd "$(dirname "$0")" && pwd)
BUILD=$(cd "${1:-build}" && pwd)
SIZES=${SIZES:-10 1000 10000}
ROUNDS=${ROUNDS:-5}
SAMPLES=${SAMPLES:-300}
FORWARD_ROUNDS=${FORWARD_ROUNDS:-25}
VERB_SIZES=${VERB_SIZES:-10 100 1000 10000}
EXPLAIN=${EXPLAIN:-200000}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
failed=0

policy() { # HOSTS: the tree, and one with a rule of the host in the middle changed
	python3 "$here/policy.py" "$1" "$tmp/$1" && cp -r "$tmp/$1" "$tmp/$1-next" &&
		sed -i 's,service: mssql,service: tcp/1434,' \
			"$tmp/$1-next/hosts/host$(printf %05d $(($1 / 2))).yaml" &&
		cp -r "$tmp/$1" "$tmp/$1-all" &&
		sed -i 's,service: mssql,service: tcp/1434,' "$tmp/$1-all/hosts/"*.yaml
}

rounds() { # HOSTS LEAST: fewer where one takes long, never fewer than LEAST
	if [ "$1" -ge 10000 ] && [ "$ROUNDS" -gt "$2" ]; then
		echo "$2"
	elif [ "$1" -le 100 ]; then
		echo $((ROUNDS * 5))
	else
		echo "$ROUNDS"
	fi
}

echo "machine: Linux $(uname -r) $(uname -m), $(nproc) cores," \
	"$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -1)," \
	"$(awk '/^MemTotal/ { printf "%.1f", $2 / 1048576 }' /proc/meminfo) GiB;" \
	"load before $(cut -d' ' -f1 /proc/loadavg)"
echo "tools:   $(nft --version 2>/dev/null || echo 'no nft'); $("$BUILD/cordon" \
	--version 2>/dev/null | head -1)"
echo "policy:  tests/bench/policy.py: v4 and v6, 10 rules a host, RPC's port ranges,"
echo "         up to 2,000 distinct source lists with CIDRs.  Median (min .. max)."

for n in $SIZES; do
	policy "$n" || exit 1
	echo
	echo "== $n hosts: YAML -> checked block -> ruleset, in memory"
	"$BUILD/bench/bench_compile" "$(rounds "$n" 5)" "$tmp/$n" || failed=1
	echo "== $n hosts: ruleset -> kernel, one transaction, beside \`nft -f\` of its text"
	"$BUILD/bench/bench_nft" "$(rounds "$n" 3)" "$tmp/$n" "$tmp/$n-next" \
		"$tmp/$n-all" || failed=1
done

for n in $VERB_SIZES; do
	[ -d "$tmp/$n" ] || policy "$n" || exit 1
	echo
	echo "== $n hosts: the verbs of a review, each a process; $EXPLAIN flows explained"
	python3 "$here/near.py" "$tmp/$n" "$n" "$EXPLAIN" || exit 1
	"$BUILD/bench/bench_verbs" "$(rounds "$n" 5)" "$BUILD/cordon" "$tmp/$n" \
		"$tmp/verbs-$n" || failed=1
	rm -rf "$tmp/$n-tests" "$tmp/$n-flows"
done
if [ -s "$tmp/verbs-100" ] && [ -s "$tmp/verbs-10000" ]; then
	echo "== from 100 to 10,000 hosts: 100 would be linear (CPU time; memory)"
	awk 'NR == FNR { ms[$1] = $2; kb[$1] = $3; next }
		{ printf "  %-38s %10.1f x   %8.1f x\n", $1, $2 / ms[$1], $3 / kb[$1] }' \
		"$tmp/verbs-100" "$tmp/verbs-10000"
fi

echo
echo "== an unchanged tree, recognised: cordon reload, asked of cordond"
BUILD=$BUILD sh "$here/unchanged.sh" "$ROUNDS" "$tmp" $SIZES || failed=1

echo
echo "== forwarding: a packet's cost, interleaved rounds, beside a bare ct state chain"
sh "$here/forward.sh" "$BUILD" "$FORWARD_ROUNDS" "$tmp" $SIZES
case $? in
0 | 77) ;;
*) failed=1 ;;
esac

echo
echo "== YAML -> kernel, end to end: cordond loads, checks, hands over, commits, reads back"
BUILD=$BUILD sh "$here/whole.sh" "$(rounds 1000 3)" "$tmp" $SIZES || failed=1

echo
echo "== storms: 100,000 denied packets a second, of one flow and of forged ones"
sh "$here/storm.sh" "$BUILD" "${STORM_SECONDS:-10}" "${STORM_FLOWS:-1000000}" || failed=1

echo
echo "== recognition offline: cordon inspect with all shipped guards, and its peers"
python3 "$here/inspect.py" "$BUILD" "$ROUNDS" "${FLOWS:-120000}" "$tmp" || failed=1
echo "== replay of a capture, with the largest bench policy"
python3 "$here/replay.py" "$BUILD" "$ROUNDS" "${CONNECTIONS:-60000}" "$tmp/${SIZES##* }" "$tmp" || failed=1
echo "== a flood of flows of one segment each, against a table of 131,072"
"$BUILD/bench/bench_inspect" flood 2000000 "$ROUNDS" || failed=1

echo
echo "== guards in the kernel: none, all, beside a bare chain of ct state; 64-byte segments"
sh "$here/guards.sh" "$BUILD" "${GUARD_ROUNDS:-25}"
case $? in
0 | 77) ;;
*) failed=1 ;;
esac

for n in $SIZES; do
	[ "$n" = 1000 ] && continue
	echo
	echo "== $n hosts: sighting -> block, one cordond with all its roles"
	echo "  From the call that sends the frame to the kernel's notice of the new element"
	echo "  read by the bench: the veth, the capture, sensor, engine, enforcer, commit.  The"
	echo "  peers' TCP is written by the bench, so no other stack's time is in it."
	sh "$here/block.sh" "$BUILD" "$n" "$SAMPLES"
	case $? in
	0 | 77) ;;
	*) failed=1 ;;
	esac
done
exit $failed
