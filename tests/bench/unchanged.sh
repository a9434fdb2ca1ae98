#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: how long the daemon takes to know that a tree is unchanged
#
# unchanged.sh ROUNDS FOLDER HOSTS...: FOLDER/HOSTS are bench policies.  The peer is b2sum
# over the same files: the same hash, read by somebody else.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/netns.sh"
netns_enter "$0" "$@"

rounds=$1 top=$2
shift 2
now() { date +%s%N; }
since() { # START FILE
	echo $((($(now) - $1) / 1000)) | awk '{ print $1 / 1000 }' >>"$2"
}
row() { # WHAT FILE-OF-MILLISECONDS
	sort -n "$2" | awk -v what="$1" '{ v[NR] = $1 }
		END { printf "  %-38s %10.1f ms  (%.1f .. %.1f, n %d)\n", what,
			v[int((NR + 1) / 2)], v[1], v[NR], NR }'
}
cordon() { "$BUILD/cordon" --runtime-dir /run/bench "$@"; }
answers() { cordon status >/dev/null; }
measure() { # HOSTS
	: >/run/ours
	: >/run/peer
	i=0
	while [ $i -lt "$rounds" ]; do
		start=$(now)
		cordon reload >/run/said || return 1
		since "$start" /run/ours
		grep -q '^unchanged' /run/said || {
			cat /run/said
			return 1
		}
		start=$(now)
		find "$top/$1" -name '*.yaml' -exec b2sum {} + >/dev/null
		since "$start" /run/peer
		i=$((i + 1))
	done
	row "$1 hosts: cordon reload" /run/ours
	row "$1 hosts: find and b2sum" /run/peer
}

ip link add lan8 type veth peer name host8
ip link set lan8 up
for n; do
	rm -rf /run/bench /run/state
	mkdir -p /run/bench /run/state
	"$BUILD/cordond" -c "$top/$n" --runtime-dir /run/bench --state-dir /run/state \
		2>/run/log &
	daemon=$!
	if wait_for 60 "$n hosts" answers; then
		measure "$n" || exit 1
	elif grep -q 'Message too long\|No buffer space' /run/log; then
		echo "  SKIP: $n hosts: so large a transaction needs a socket buffer" \
			"that only the system's root may set"
	else
		cat /run/log
		exit 1
	fi
	kill "$daemon" 2>/dev/null
	wait "$daemon" 2>/dev/null
	nft delete table inet cordon 2>/dev/null
done
