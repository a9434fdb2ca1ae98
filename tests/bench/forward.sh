#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: a packet's cost through gateways of several sizes, beside a bare ct state chain
#
# forward.sh BUILD ROUNDS FOLDER HOSTS...: FOLDER/HOSTS are bench policies, each loaded
# as it is, with the profile's guards, and with none ("-unguarded").
set -u
here=$(cd "$(dirname "$0")" && pwd)
BUILD=$(cd "$1" && pwd)
. "$here/../lib/netns.sh"
netns_enter "$0" "$@"

rounds=$2 top=$3
shift 3
target=10.65.0.11 client=10.30.0.7
set_mac() { netns_exec "$1" ip link set "$2" address "$3"; }

network() { # NUMBER
	netns_add gw$1 && netns_add db$1 && netns_add pc$1 || exit 77
	netns_link gw$1 lan8 db$1 eth0 && netns_link gw$1 wan pc$1 eth0 || exit 77
	set_mac gw$1 lan8 02:00:00:00:00:01 && set_mac db$1 eth0 02:00:00:00:00:02 &&
		set_mac gw$1 wan 02:00:00:00:00:03 && set_mac pc$1 eth0 02:00:00:00:00:04 ||
		exit 77
	netns_addr gw$1 lan8 10.64.0.1/12
	netns_addr gw$1 wan 10.30.0.1/16
	netns_sysctl gw$1 ipv4/ip_forward=1
	# nobody's address: the far end drops what arrives, and answers nothing
	netns_exec gw$1 ip neigh replace $target lladdr 02:00:00:00:00:09 dev lan8 nud permanent
	netns_exec gw$1 ip neigh replace $client lladdr 02:00:00:00:00:09 dev wan nud permanent
}
conntrack() { # NUMBER: once a rule has loaded it
	for key in checksum=0 tcp_be_liberal=1 udp_timeout=1 udp_timeout_stream=60 \
		tcp_timeout_syn_sent=1; do
		netns_sysctl gw$1 netfilter/nf_conntrack_$key 2>/dev/null
	done
}
# What asks for guards taken out of the kernel: hosts that disable them all leave it, as
# addresses that no file declares have their profile's.
unguard() { # NUMBER
	for c in ok4 syn4; do
		netns_exec gw$1 nft -a list chain inet cordon $c |
			sed -n 's/.*jump guards_.*# handle //p' | while read -r h; do
			netns_exec gw$1 nft delete rule inet cordon $c handle "$h" || exit 1
		done
	done
}
policy() { # HOSTS FOLDER: with one more, which the packets go to
	cp -r "$top/$1" "$2" || exit 1
	sed -i 's,^log:.*,log: { file: /run/events.jsonl\, journald: false },' "$2/cordon.yaml"
	cat >"$2/hosts/target.yaml" <<END
host: target
addresses: [$target]
allow:
  inbound:
    - service: [tcp/8080, udp/8080]
      from: [10.30.0.0/16, 10.31.7.0/24, 10.31.9.1, 10.31.9.7]
      reason: what is measured
END
}

network 0
netns_exec gw0 nft -f - <<END || exit 1
table inet bare {
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		ct state new accept
	}
}
END
conntrack 0
for n; do # each twice
	set -- "$@" "$n" "$n-unguarded"
	shift
done
set -- "$@" --
list="bare-ct $(netns_pid pc0) $(netns_pid db0)"
i=1
while [ "$1" != -- ]; do
	network $i
	policy "${1%-unguarded}" /run/policy$i
	if ! netns_exec gw$i "$BUILD/cordond" -e -c /run/policy$i --runtime-dir /run/r$i \
		--state-dir /run/none >/run/log$i 2>&1; then
		grep -q 'Message too long\|No buffer space' /run/log$i || { cat /run/log$i; exit 1; }
		echo "  SKIP: $1 hosts: so large a transaction needs a socket buffer that only" \
			"the system's root may set"
	else
		conntrack $i
		[ "$1" = "${1%-unguarded}" ] || unguard $i
		list="$list $1 $(netns_pid pc$i) $(netns_pid db$i)"
		i=$((i + 1))
	fi
	shift
done
"$BUILD/bench/bench_packet" "$rounds" $client $target $list || exit 1
# the packets did pass: a drop would have been cheap
k=1
while [ $k -lt $i ]; do
	netns_exec gw$k nft list counters table inet cordon 2>/dev/null |
		awk '/counter (denied|spoof|blocked|condemned|exposure|guard) / { name = $2 }
			/packets/ && name != "" { if ($2 > 0) print "  WRONG: " name ": " $2; name = "" }'
	k=$((k + 1))
done
