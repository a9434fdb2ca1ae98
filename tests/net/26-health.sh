#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: what voids enforcement from outside is found, told, and over again
set -u
. "$(dirname "$0")/../lib/netns.sh"
netns_enter "$0" "$@"

CORDOND=$(readlink -f "${BUILD:-build}/cordond")
CORDON=$(readlink -f "${BUILD:-build}/cordon")
dir=/run/health
log=$dir/log
. "$(dirname "$0")/../lib/check.sh"

cordon() { "$CORDON" --runtime-dir "$dir/run" "$@"; }
answers() { cordon status; }
found() { # WORD OBJECT
	cordon status --format json | python3 -c '
import json, sys
f = json.loads(sys.stdin.read() or "{}").get("findings", [])
for x in f:
    print(x["finding"], x["object"] or "", x["severity"])
sys.exit(not any(x["finding"] == sys.argv[1] and (x["object"] or "") == sys.argv[2] for x in f))' \
		"$1" "$2"
}
found_not() { ! found "$@"; }
told() { # REASON WORD
	grep -q "\"kind\":\"health\".*\"reason\":\"$1\".*\"finding\":\"$2\"" "$dir/events.jsonl"
}
appears() { # WHAT WORD OBJECT
	check "$1: found" wait_for 9 finding found "$2" "$3"
	check "$1: told" wait_for 5 event told finding "$2"
}
goes() { # WHAT WORD OBJECT
	check "$1: over" wait_for 9 finding found_not "$2" "$3"
	check "$1: over is told" wait_for 5 event told finding-over "$2"
}
sysctl() { echo "$2" >"/proc/sys/net/$1"; }
has_sysctl() { [ -e "/proc/sys/net/$1" ] || { echo "SKIP $1: this kernel has none" && false; }; }

mkdir -p "$dir/run" "$dir/state" "$dir/policy/hosts"
: >"$log"
ip link add lan8 type veth peer name host8
ip link add wan9 type veth peer name out9
netns_add host
ip link set host8 netns "$(netns_pid host)" name eth0
netns_add out
ip link set out9 netns "$(netns_pid out)" name eth0
ip addr add 10.20.8.1/24 dev lan8
ip addr add 10.30.0.1/24 dev wan9
ip link set lan8 up
ip link set wan9 up
netns_exec host ip addr add 10.20.8.11/24 dev eth0
netns_exec out ip addr add 10.30.0.7/24 dev eth0
for n in host out; do netns_exec $n ip link set eth0 up; done
netns_exec host ip route add default via 10.20.8.1
netns_exec out ip route add default via 10.30.0.1
sysctl ipv4/ip_forward 1
sysctl ipv4/conf/all/send_redirects 0
sysctl ipv4/conf/lan8/send_redirects 0
sysctl ipv4/conf/wan9/rp_filter 1
cat >"$dir/policy/cordon.yaml" <<END
cordon: 1
gateway:
  interfaces: [lan8]
  addresses: [10.20.8.1]
  protect: [10.20.8.0/24]
  management: [10.1.0.0/24]
log: { file: $dir/events.jsonl, journald: false }
END
cat >"$dir/policy/hosts/erp.yaml" <<END
host: erp
addresses: [10.20.8.11]
allow:
  inbound:
    - { service: [tcp/1433, udp/5000], from: 10.30.0.7, reason: test }
END
"$CORDOND" -c "$dir/policy" --runtime-dir "$dir/run" --state-dir "$dir/state" 2>>"$log" &
wait_for 20 engine answers || exit 1

check "all is well: no finding but what the kernel's age gives" sh -c "
	'$CORDON' --runtime-dir $dir/run status --format json |
	python3 -c 'import json, sys
f = [x for x in json.load(sys.stdin)[\"findings\"] if x[\"finding\"] != \"table-unowned\"]
print(f); sys.exit(bool(f))'"
check "and in words" sh -c "'$CORDON' --runtime-dir $dir/run status | grep -E 'nothing found|table-unowned'"

# -- switches
switch() { # KEY BAD GOOD WORD OBJECT
	has_sysctl "$1" || return
	sysctl "$1" "$2"
	appears "$1=$2" "$4" "$5"
	sysctl "$1" "$3"
	goes "$1=$3" "$4" "$5"
}
switch ipv4/ip_forward 0 1 forwarding-off ipv4
switch ipv4/conf/all/send_redirects 1 0 redirects-sent lan8
switch ipv4/conf/lan8/proxy_arp 1 0 proxy-arp lan8
switch ipv4/conf/wan9/rp_filter 0 1 rp-filter-off wan9
switch netfilter/nf_conntrack_tcp_loose 0 1 conntrack-strict nf_conntrack_tcp_loose
switch netfilter/nf_conntrack_tcp_be_liberal 1 0 conntrack-liberal nf_conntrack_tcp_be_liberal
# turning forwarding off and on set these to their defaults
sysctl ipv4/conf/all/accept_source_route 1
sysctl ipv4/conf/lan8/accept_source_route 0
switch ipv4/conf/wan9/accept_source_route 1 0 source-route wan9
sysctl ipv4/conf/all/accept_source_route 0
sysctl ipv4/conf/lan8/accept_source_route 1
sleep 3
check "one switch of two opens nothing" found_not source-route lan8

# -- addresses and interfaces
ip addr del 10.20.8.1/24 dev lan8
appears "the gateway's address is gone" address-mismatch 10.20.8.1
ip addr add 10.20.8.1/24 dev lan8
goes "it is back" address-mismatch 10.20.8.1
ip link set lan8 down
ip link set lan8 name lan7
appears "another name" interface-missing lan8
ip link set lan7 name lan8
ip link set lan8 up
goes "the old name" interface-missing lan8
for kind in bridge vrf; do
	case $kind in vrf) more="table 10" ;; *) more= ;; esac
	# shellcheck disable=SC2086
	if ip link add up0 type $kind $more 2>/dev/null; then
		ip link set lan8 master up0
		appears "port of a $kind" interface-enslaved "lan8 in $kind up0"
		ip link set lan8 nomaster
		ip link del up0
		goes "not a port of a $kind" interface-enslaved "lan8 in $kind up0"
	else
		echo "SKIP $kind: this kernel has none"
	fi
done

# -- other tables
nft -f - <<END
table ip raw0 {
	chain pre {
		type filter hook prerouting priority raw; policy accept;
		udp dport 5000 notrack
	}
}
END
appears "another table: notrack" notrack "table ip raw0"
nft delete table ip raw0
goes "another table: no notrack" notrack "table ip raw0"
if nft add table inet fast 2>/dev/null &&
	nft add flowtable inet fast f '{ hook ingress priority 0; devices = { lan8, wan9 }; }' \
		2>/dev/null; then
	appears "another table: flowtable" flow-offload "table inet fast"
	nft delete table inet fast
	goes "another table: no flowtable" flow-offload "table inet fast"
else
	nft delete table inet fast 2>/dev/null
	echo "SKIP flowtable: this kernel has none"
fi
if nft -f - 2>/dev/null <<END; then
table netdev early {
	chain in {
		type filter hook ingress device wan9 priority 0; policy accept;
		udp dport 5001 fwd to lan8
	}
}
END
	appears "another table: fwd" packet-redirect "table netdev early"
	nft delete table netdev early
	goes "another table: no fwd" packet-redirect "table netdev early"
else
	echo "SKIP fwd: this kernel has none"
fi
if tc qdisc add dev wan9 clsact 2>/dev/null && tc filter add dev wan9 ingress matchall \
	action mirred egress redirect dev lan8 2>/dev/null; then
	appears "tc redirect" packet-redirect wan9
	tc qdisc del dev wan9 clsact
	goes "no tc redirect" packet-redirect wan9
else
	echo "SKIP tc: this kernel has no clsact, matchall or mirred"
fi
cat >"$dir/xdp.c" <<END
__attribute__((section("xdp"), used)) int pass(void *ctx) { return 2; }
END
if clang -O2 -target bpf -c "$dir/xdp.c" -o "$dir/xdp.o" 2>/dev/null &&
	ip link set wan9 xdpgeneric obj "$dir/xdp.o" sec xdp 2>/dev/null; then
	appears "XDP" xdp-program wan9
	ip link set wan9 xdpgeneric off
	goes "no XDP" xdp-program wan9
else
	echo "SKIP XDP: no program can be attached here"
fi

# -- the connection table is full: closed, said, and open again for what is allowed
connects() { # PORT
	netns_exec out python3 -c '
import socket, sys
socket.create_connection(("10.20.8.11", int(sys.argv[1])), 1).close()' "$1"
}
connects_not() { ! connects "$@"; }
netns_exec host python3 -c '
import select, socket
s = [socket.create_server(("0.0.0.0", p)) for p in (1433, 9999)]
while True:
    for r in select.select(s, [], [])[0]:
        r.accept()[0].close()' &
max=$(cat /proc/sys/net/netfilter/nf_conntrack_max)
# entries of connections that are confirmed: the kernel evicts none of them
filled() {
	python3 -c '
import sys
n = int(sys.argv[1]) + 1000
for i in range(n):
    print(f"-I -s 10.77.{i // 65000}.1 -d 10.78.0.1 -p udp --sport {i % 65000 + 1} --dport 9 "
          "-t 300 -u ASSURED,SEEN_REPLY")' "$max" >"$dir/entries"
	conntrack -R "$dir/entries" >/dev/null 2>&1
	rm "$dir/entries"
	[ "$(cat /proc/sys/net/netfilter/nf_conntrack_count)" -ge $((max - 1)) ]
}
check "before: the allowed port" wait_for 5 server connects 1433
check "before: not the other" connects_not 9999
if [ "$max" -gt 600000 ]; then
	echo "SKIP connection table: nf_conntrack_max is $max, too many to fill"
elif ! conntrack -V >/dev/null 2>&1 || ! filled; then
	echo "SKIP connection table: it can't be filled here (conntrack -R)"
else
	check "full: new connections fail, allowed ones too" connects_not 1433
	for port in 9999 445 3389; do
		check "full: no port $port" connects_not $port
	done
	appears "full" conntrack-full "nf_conntrack_max $max"
	check "full: it is a critical one" sh -c "'$CORDON' --runtime-dir $dir/run status |
		grep -q 'critical: conntrack-full'"
	check "full: the table is there" sh -c "nft list table inet cordon | grep -q 'hook forward'"
	conntrack -F 2>/dev/null
	goes "room again" conntrack-full "nf_conntrack_max $max"
	check "after: the allowed port" wait_for 5 server connects 1433
	check "after: not the other" connects_not 9999
fi

# -- an engine that died knows again
sysctl ipv4/conf/lan8/proxy_arp 1
appears "before the engine dies" proxy-arp lan8
before=$(grep -c '"finding":"proxy-arp"' "$dir/events.jsonl")
kill -9 "$(pgrep -f -- '--role engine')"
check "a new engine knows" wait_for 9 engine found proxy-arp lan8
check "and does not tell it again" test \
	"$(grep -c '"finding":"proxy-arp"' "$dir/events.jsonl")" = "$before"

check "no system call was refused" sh -c "! grep 'seccomp:' $log"
check "no sanitizer complained" sh -c "! grep -A20 'Sanitizer\|runtime error' $log"
if python3 -c 'import jsonschema' 2>/dev/null; then
	check "events are as the schema says" python3 "$(dirname "$0")/../lib/events-check.py" \
		"$(dirname "$0")/../../daemon/engine/events.schema.json" "$dir/events.jsonl"
fi
echo "$checks checks, $failed failed"
if [ $failed != 0 ]; then
	sed 's/^/log: /' "$log"
	exit 1
fi
