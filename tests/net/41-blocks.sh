#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: who is blocked by itself, and who never: forged addresses, neighbours, scans
#
# 41-blocks.sh BUILD: the folder with cordon and cordond.  No root needed.
set -u
here=$(cd "$(dirname "$0")" && pwd)
BUILD=$(cd "${1:-build}" && pwd)
. "$here/../lib/netns.sh"
netns_enter "$0" "$BUILD"

run=/run/blocks-test
events=$run/events.jsonl
mkdir -p $run/policy/hosts $run/policy/guards $run/state
cat >$run/policy/cordon.yaml <<END
cordon: 1
gateway:
  interfaces: [lan8]
  addresses: [10.20.8.1, 10.1.9.1, "fd00:20:8::1"]
  protect: [10.20.8.0/24, "fd00:20:8::/64"]
  management: [10.1.9.240/28]
block:
  ttl: 1h
  never: [domain-controllers]
  on: [guard, exposure, scan, bruteforce]
  scan: { targets: 20, within: 60s }
  bruteforce: { failures: 10, attempts: 10, within: 5m }
log: { file: $events, journald: false }
END
cat >$run/policy/groups.yaml <<END
domain-controllers: [10.1.9.10, "fd00:1:9::10"]
END
cat >$run/policy/guards/own.yaml <<END
guard: own
title: a guard of the test
match: [[{ at: 0, bytes: "43 4f 52 44 4f 4e 21 21" }]]
END
cat >$run/policy/hosts/erp.yaml <<END
host: erp
addresses: [10.20.8.11, "fd00:20:8::11"]
guards: { own: { action: drop } }
allow:
  inbound:
    - { service: tcp/8080, from: [10.1.9.0/25, 10.1.9.240/28, "fd00:1:9::/64"] }
    - { service: rdp, from: 10.1.9.68 }
    - { service: tcp/7100-7129, from: 10.1.9.69 }
END
cat >$run/policy/hosts/old.yaml <<END
host: old
addresses: [10.20.8.12]
END

bad=0
fail() {
	echo "FAIL: $*" >&2
	bad=1
}

netns_add gw && netns_add erp && netns_add pc || exit 77
netns_link gw lan8 erp eth0 && netns_link gw wan pc eth0 || exit 77
netns_addr gw lan8 10.20.8.1/24 fd00:20:8::1/64
netns_addr gw wan 10.1.9.1/24 fd00:1:9::1/64
netns_addr erp eth0 10.20.8.11/24 fd00:20:8::11/64
netns_addr pc eth0 10.1.9.5/24 10.1.9.10/24 10.1.9.66/24 10.1.9.67/24 10.1.9.68/24 \
	10.1.9.69/24 10.1.9.200/24 10.1.9.241/24 fd00:1:9::10/64 fd00:1:9::66/64
netns_route erp 10.20.8.1
netns_exec erp ip -6 route add default via fd00:20:8::1
netns_route pc 10.1.9.1
netns_exec pc ip -6 route add default via fd00:1:9::1
netns_sysctl gw ipv4/ip_forward=1 ipv6/conf/all/forwarding=1
mac=$(netns_exec gw ip -o link show wan | sed 's/.*link.ether \([0-9a-f:]*\).*/\1/')

netns_exec erp python3 -c '
import select, socket
open_ = []
for port in 8080, 3389:
    s = socket.socket(socket.AF_INET6)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.bind(("::", port))
    s.listen(64)
    open_.append(s)
print("ready", flush=True)
kept = []
while True:
    for s in select.select(open_, [], [])[0]:
        kept = kept[-200:] + [s.accept()[0]]' >$run/ready &
wait_for 5 "the server" grep -q ready $run/ready || exit 1

# A whole connection by SOURCE that sends HEX; fails where it does not open.
connect() { # SOURCE TARGET PORT HEX
	netns_exec pc python3 -c '
import socket, sys, time
source, target, port, data = sys.argv[1:]
s = socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET)
s.settimeout(1)
s.bind((source, 0))
s.connect((target, int(port)))
s.send(bytes.fromhex(data))
time.sleep(0.05)' "$@" 2>/dev/null
}
scan() { # SOURCE [FIRST PORT]
	netns_exec pc python3 -c '
import socket, sys
first = int(sys.argv[2])
for port in range(first, first + 30):
    s = socket.socket()
    s.bind((sys.argv[1], 0))
    s.settimeout(0.2)
    s.connect_ex(("10.20.8.11", port))
    s.close()' "$1" "${2:-7000}"
}
forge() { netns_exec pc python3 "$here/forge.py" eth0 $mac "$@"; }
own=434f52444f4e2121
rdp=030000130ee000000000000100080003000000
smb=00000054fe534d4240000000000000000000
hello=68656c6c6f2c206f6c6420686f7374
warm() { connect fd00:1:9::66 fd00:20:8::11 8080 $hello; }
wait_for 10 "IPv6" warm || exit 1

netns_exec gw "$BUILD/cordond" -c $run/policy --runtime-dir $run --state-dir $run/state \
	>$run/log 2>&1 &
cordond=$!
cordon() { netns_exec gw "$BUILD/cordon" --runtime-dir $run "$@"; }
sensor_up() { cordon status --format json | grep -q '"sensor":{"up":true'; }
wait_for 10 "the sensor" sensor_up || { cat $run/log >&2; exit 1; }
event() { grep "$1" $events 2>/dev/null | grep -q "$2"; }
# The blocks in force, one a line, sorted.
blocked() {
	cordon block --list --format json | python3 -c '
import json, sys
rows = [json.loads(line) for line in sys.stdin]
print(*sorted(r["addr"] for r in rows if "addr" in r), sep="\n")'
}
nobody() {
	sleep 0.3
	[ -z "$(blocked)" ] || fail "$1: blocked is $(blocked | tr '\n' ' ')"
}

connect 10.1.9.66 10.20.8.11 8080 $hello || fail "a granted connection"
nobody "a granted connection"

# ---- in the name of those who may never be blocked ----
for victim in 10.1.9.10 10.1.9.1 10.20.8.1 10.1.9.241 10.20.8.12 fd00:1:9::10 fd00:20:8::1; do
	target=10.20.8.11
	case $victim in *:*) target=fd00:20:8::11 ;; esac
	for payload in $own $rdp $smb; do
		forge $victim $target 8080 $payload || fail "forge $victim"
	done
	nobody "forged $victim"
done
# The forger sees no answers: nobody who merely has the right to connect is shut out either.
forge 10.1.9.5 10.20.8.11 8080 $own
nobody "forged, of one that a rule names"
wait_for 3 "the scan in its name" event '"kind": *"scan"' 10.1.9.5 || fail "no scan event"
event 'a rule names the source' 10.1.9.5 || fail "it is not said why it is not blocked"

# ---- the domain controller itself: told, dropped, not blocked ----
connect 10.1.9.10 10.20.8.11 8080 $own || fail "the domain controller can't connect"
wait_for 3 "the refusal" event 'not blocked' '"src_ip": *"10.1.9.10"' ||
	fail "it is not said that it is never blocked"
nobody "an attack by a domain controller"

# ---- honest attackers: real connections ----
expect() { # ADDRESS WHAT: it, and those before, are blocked
	all=$(printf '%s\n%s\n' "${all:-}" "$1" | sed '/^$/d' | sort)
	is_so() { [ "$(blocked)" = "$all" ]; }
	wait_for 3 "the block of $1" is_so || fail "$2: blocked is $(blocked | tr '\n' ' '), not $(echo $all)"
}
connect 10.1.9.66 10.20.8.11 8080 $own || fail "the attacker can't connect"
expect 10.1.9.66 "a guard's hit"
connect 10.1.9.66 10.20.8.11 8080 $hello && fail "a blocked source connects"
# The domain controller lives in the same /64: the attacker alone is blocked.
connect fd00:1:9::66 fd00:20:8::11 8080 $own || fail "the attacker can't connect by IPv6"
expect fd00:1:9::66 "an attack from beside a domain controller"
connect fd00:1:9::10 fd00:20:8::11 8080 $hello || fail "the neighbour is cut off"
# A scan by one that no rule names; by one that a rule names it is only told.
scan 10.1.9.200
expect 10.1.9.200 "a scan"
scan 10.1.9.67
wait_for 3 "the scan event" event '"kind": *"scan"' 10.1.9.67 || fail "no event of the second scan"
nobody_more() {
	sleep 0.3
	[ "$(blocked)" = "$all" ] || fail "$1: blocked is $(blocked | tr '\n' ' ')"
}
nobody_more "a scan by one that a rule names"
# Rules let it ask on all these ports, nobody answers there: told, and it is let alone.
scan 10.1.9.69 7100
wait_for 8 "the scan of granted ports" event '"kind": *"scan"' 10.1.9.69 ||
	fail "no event of a scan that rules allow"
nobody_more "a scan of ports that rules allow"
# Many connection requests to RDP that is granted.
for n in 1 2 3 4 5 6 7 8 9 10 11; do
	connect 10.1.9.68 10.20.8.11 3389 $rdp
done
expect 10.1.9.68 "bruteforce"
event '"kind": *"bruteforce"' T1110 || fail "no bruteforce event with its technique"

# ---- the engine's end: who is blocked, why, and the incidents stay known ----
why() {
	cordon block --list --format json | python3 -c '
import json, sys
for row in map(json.loads, sys.stdin):
    if "addr" in row:
        print(row["addr"], row["origin"], row["reason"], row["host"], row["incident"])' | sort
}
incidents() { cordon incidents --format json | grep -v '"end"' | sort; }
cordon block 203.0.113.9 --reason "seen elsewhere" >/dev/null || fail "an operator's block"
sleep 2.5 # so that it is written
why >$run/why.1
incidents >$run/incidents.1
grep -q '10.1.9.66 auto guard erp ' $run/why.1 || fail "the cause of a block is not known"
engine=$(pgrep -P $cordond -f 'role engine' || pgrep -f 'role engine')
kill -9 $engine
other_engine() { new=$(pgrep -f 'role engine') && [ "$new" != "$engine" ] && sensor_up; }
wait_for 5 "another engine" other_engine || fail "the engine did not come back"
sleep 0.5
why >$run/why.2
incidents >$run/incidents.2
cmp $run/why.1 $run/why.2 || { fail "causes of blocks are forgotten"; diff $run/why.1 $run/why.2; }
cmp $run/incidents.1 $run/incidents.2 || fail "incidents are forgotten"
[ -s $run/incidents.2 ] || fail "no incidents"
nobody_more_than() { [ "$(blocked | grep -v 203.0.113.9)" = "$all" ]; }
nobody_more_than || fail "the engine's end changed who is blocked"
# All of the daemon, and a state that was cut short.
stop() { # the daemon itself, not the shell that waits for it
	kill "$(pgrep -o -f "^$BUILD/cordond -c")"
	wait $cordond
}
stop
truncate -s 1000 $run/state/engine-state
netns_exec gw "$BUILD/cordond" -c $run/policy --runtime-dir $run --state-dir $run/state \
	>>$run/log 2>&1 &
cordond=$!
wait_for 10 "the daemon again" sensor_up || fail "a damaged state stops it"
nobody_more_than || fail "the daemon's end changed who is blocked"

/usr/bin/python3 "$here/../lib/events-check.py" "$here/../../daemon/engine/events.schema.json" $events
[ $? = 1 ] && fail "an event is not as the schema has it"
stop
grep 'seccomp:' $run/log && fail "a system call was refused"
grep -A20 'Sanitizer\|runtime error' $run/log && fail "a sanitizer complained"
[ $bad = 0 ] || { cat $run/log >&2; }
[ $bad = 0 ] && echo "ok: forged sources are not blocked, attackers are; causes survive"
exit $bad
