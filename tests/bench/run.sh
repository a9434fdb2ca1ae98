#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: make bench: each figure beside its peer, in one run, with its spread
#
# run.sh BUILD.  SIZES, ROUNDS and SAMPLES make it shorter or longer.  Nothing here passes
# or fails by time: a figure is read, never asserted.
set -u
here=$(cd "$(dirname "$0")" && pwd)
BUILD=$(cd "${1:-build}" && pwd)
SIZES=${SIZES:-10 1000 10000}
ROUNDS=${ROUNDS:-5}
SAMPLES=${SAMPLES:-300}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
failed=0

policy() { # HOSTS: the tree, and one with a rule of the host in the middle changed
	python3 "$here/policy.py" "$1" "$tmp/$1" && cp -r "$tmp/$1" "$tmp/$1-next" &&
		sed -i 's,service: mssql,service: tcp/1434,' \
			"$tmp/$1-next/hosts/host$(printf %05d $(($1 / 2))).yaml"
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
	"$BUILD/bench/bench_nft" "$(rounds "$n" 3)" "$tmp/$n" "$tmp/$n-next" || failed=1
done

echo
echo "== YAML -> kernel, end to end: cordond loads, checks, hands over, commits, reads back"
BUILD=$BUILD sh "$here/whole.sh" "$(rounds 1000 3)" "$tmp" $SIZES || failed=1

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
