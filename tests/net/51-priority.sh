#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: a packet's priority, which the rules use as a register, is back when it leaves
set -u
. "$(dirname "$0")/../lib/netns.sh"
netns_enter "$0" "$@"

BUILD=$(readlink -f "${BUILD:-build}")
dir=/run/priority
log=$dir/log
. "$(dirname "$0")/../lib/check.sh"

mkdir -p $dir/policy/hosts
cat >$dir/policy/cordon.yaml <<END
cordon: 1
gateway:
  interfaces: [lan8]
  addresses: [10.20.8.1, "fd00:20:8::1"]
  protect: [10.20.8.0/24, "fd00:20:8::/64"]
  management: [10.1.0.0/24]
log: { file: $dir/events.jsonl, journald: false }
END
cat >$dir/policy/hosts/db.yaml <<END
host: db
addresses: [10.20.8.11, "fd00:20:8::11"]
allow:
  inbound:
    - { service: udp/5140, from: [10.30.0.0/28, "fd00:30::/64"], reason: test }
END
netns_add gw && netns_add db && netns_add pc || exit 77
netns_link gw lan8 db eth0 && netns_link gw wan pc eth0 || exit 77
netns_addr gw lan8 10.20.8.1/24 fd00:20:8::1/64
netns_addr gw wan 10.30.0.1/24 fd00:30::1/64
netns_addr db eth0 10.20.8.11/24 fd00:20:8::11/64
netns_addr pc eth0 10.30.0.5/24 fd00:30::5/64
netns_route db 10.20.8.1 fd00:20:8::1
netns_route pc 10.30.0.1 fd00:30::1
netns_sysctl gw ipv4/ip_forward=1 ipv6/conf/all/forwarding=1

# What leaves the gateway, by priority, before and with the rules.
netns_exec gw nft -f - <<END
table inet probe {
	counter p0 { }
	counter p2 { }
	counter p4 { }
	counter p6 { }
	counter other { }
	chain post {
		type filter hook postrouting priority filter;
		icmpv6 type { 133, 134, 135, 136, 143 } return
		meta priority 0:0 counter name p0 return
		meta priority 0:2 counter name p2 return
		meta priority 0:4 counter name p4 return
		meta priority 0:6 counter name p6 return
		counter name other
	}
}
END
counts() { # in the order of names
	netns_exec gw nft list counters table inet probe |
		awk '/counter/ { n = $2 } /packets/ { printf "%s=%s ", n, $2 }'
}
# Two datagrams of each type of service, and of IPv6; db listens, so that nothing comes back.
send() {
	netns_exec gw nft reset counters table inet probe >/dev/null
	netns_exec pc python3 - <<END || return 1
import socket, time
for tos in 0, 8, 16, 24:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
    for i in 1, 2:
        s.sendto(b"x", ("10.20.8.11", 5140))
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
for i in 1, 2:
    s.sendto(b"x", ("fd00:20:8::11", 5140))
time.sleep(0.2)
END
}
sent() { # all came out of the gateway
	counts | tr ' =' '\n\n' | awk '/^[0-9]+$/ { n += $1 } END { exit n != 10 }'
}
netns_exec db python3 -c '
import signal, socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("::", 5140))
signal.pause()' &
listening() { netns_exec db ss -ulnH | grep -q ':5140 '; }

wait_for 5 "the listener" listening
i=0
until send && sent || [ $i -ge 20 ]; do # neighbours, and addresses that settle
	i=$((i + 1))
	sleep 0.2
done
send
bare=$(counts)
netns_exec gw "$BUILD/cordond" -e -c $dir/policy --runtime-dir $dir/run \
	--state-dir $dir/state 2>>$log
check "the policy is in force" netns_exec gw nft list table inet cordon
check "datagrams of four types of service, and of IPv6, are sent" send
check "and pass" sent
ours=$(counts)
check "each left with the priority it has without cordon: $bare" [ "$ours" = "$bare" ]
check "none with a number of the rules" [ "${ours#*other=0 }" != "$ours" ]
check "all four were seen" [ -z "$(echo "$ours" | grep 'p[0246]=0 ')" ]

echo "$checks checks, $failed failed"
[ $failed = 0 ]
