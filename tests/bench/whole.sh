#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: from the policy tree to the kernel by the daemon itself, beside nft -f
#
# whole.sh ROUNDS FOLDER HOSTS...: FOLDER/HOSTS are bench policies.  `cordond -e` is the
# start at boot: it ends when the table is there.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/netns.sh"
netns_enter "$0" "$@"

rounds=$1 top=$2
shift 2
now() { date +%s%N; }
row() { # WHAT FILE-OF-MILLISECONDS
	sort -n "$2" | awk -v what="$1" '{ v[NR] = $1 }
		END { printf "  %-38s %10.1f ms  (%.1f .. %.1f, n %d)\n", what,
			v[int((NR + 1) / 2)], v[1], v[NR], NR }'
}

boot() { # HOSTS: the daemon from nothing
	"$BUILD/cordond" -e -c "$top/$1" --runtime-dir /run/bench --state-dir /run/none \
		>/run/log 2>&1
}

for n; do
	"$BUILD/cordon" compile "$top/$n" >/run/text || exit 1
	: >/run/ours
	: >/run/peer
	i=0
	while [ $i -lt "$rounds" ] && { [ "$n" -lt 10000 ] || [ $i -lt 3 ]; }; do
		start=$(now)
		if ! boot "$n"; then
			grep -q 'Message too long\|No buffer space' /run/log || {
				cat /run/log
				exit 1
			}
			echo "  SKIP: $n hosts: so large a transaction needs a socket buffer" \
				"that only the system's root may set"
			continue 2
		fi
		echo $((($(now) - start) / 1000)) | awk '{ print $1 / 1000 }' >>/run/ours
		nft delete table inet cordon || exit 1
		start=$(now)
		"$BUILD/cordon" compile "$top/$n" >/run/text || exit 1
		i=$((i + 1))
		nft -f /run/text 2>/dev/null || continue # not as the root of a namespace
		echo $((($(now) - start) / 1000)) | awk '{ print $1 / 1000 }' >>/run/peer
		nft delete table inet cordon || exit 1
	done
	row "$n hosts: cordond, tree -> kernel" /run/ours
	[ ! -s /run/peer ] || row "$n hosts: cordon compile and nft -f" /run/peer
done
