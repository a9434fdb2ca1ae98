#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: both capture paths: a denial through nflog, RDP recognised on an odd port
#
# 30-sensor.sh BUILD: the folder with cordon and cordond.  No root needed.
set -u
here=$(cd "$(dirname "$0")" && pwd)
BUILD=$(cd "${1:-build}" && pwd)
. "$here/../lib/netns.sh"
netns_enter "$0" "$BUILD"

run=/run/sensor-test
events=$run/events.jsonl
mkdir -p $run/policy/hosts $run/state
cat >$run/policy/cordon.yaml <<EOF
cordon: 1
gateway:
  interfaces: [lan8]
  addresses: [10.20.8.1, 10.1.9.1]
  protect: [10.20.8.0/24]
sensor: { interfaces: [lan8, wan] }
log: { file: $events, journald: false }
EOF
cat >$run/policy/hosts/db.yaml <<EOF
host: db
addresses: [10.20.8.11]
allow:
  inbound:
    - service: tcp/8080
      from: [10.1.9.5]
EOF

bad=0
fail() {
	echo "FAIL: $*" >&2
	bad=1
}

netns_add gw && netns_add db && netns_add pc || exit 77
netns_link gw lan8 db eth0 && netns_link gw wan pc eth0 || exit 77
netns_addr gw lan8 10.20.8.1/24
netns_addr gw wan 10.1.9.1/24
netns_addr db eth0 10.20.8.11/24
netns_addr pc eth0 10.1.9.5/24
netns_route db 10.20.8.1
netns_route pc 10.1.9.1
netns_sysctl gw ipv4/ip_forward=1

netns_exec gw "$BUILD/cordond" -c $run/policy --runtime-dir $run --state-dir $run/state \
	>$run/log 2>&1 &
cordond=$!
wait_for 5 "cordond" netns_exec gw nft list table inet cordon || {
	cat $run/log >&2
	exit 1
}
status() { netns_exec gw "$BUILD/cordon" --runtime-dir $run status --format json; }
sensor_up() { status | grep -q '"sensor":{"up":true'; }
wait_for 5 "the sensor" sensor_up || { status; cat $run/log >&2; exit 1; }
# It says what it listens to at once: nflog, lan8, wan.  (Its statistics come every second.)
listens() { status | grep -q "\"handles\":$1\b"; }
sleep 0.2
listens 3 || { fail "3 captures are not reported at the start"; status >&2; }

# An event that matches both patterns is in the log.
event() { grep "$1" $events 2>/dev/null | grep -q "$2"; }

# 1. nflog: a SYN to a port that no rule opens.
syn() {
	netns_exec pc python3 -c '
import socket, sys
s = socket.socket()
s.settimeout(0.5)
try:
    s.connect(("10.20.8.11", int(sys.argv[1])))
    sys.exit("connected")
except OSError:
    pass' "$1" || fail "port $1 answered"
}
syn 445
wait_for 3 "an event of the denial" event '"kind": *"denied"' '"dest_port": *445' ||
	fail "no denied event for tcp/445"

# 2. Interfaces and nflog: an RDP connection request on a port granted for something else.
netns_exec db python3 -c '
import socket
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("10.20.8.11", 8080))
s.listen(5)
while True:
    c, _ = s.accept()
    c.recv(4096)' &
server=$!
rdp() {
	netns_exec pc python3 -c '
import socket, time
s = socket.socket()
s.settimeout(1)
s.connect(("10.20.8.11", 8080))
cookie = b"Cookie: mstshash=mallory\r\n"
neg = bytes.fromhex("0100080003000000")
x224 = bytes([6 + len(cookie) + len(neg)]) + bytes.fromhex("e00000000000") + cookie + neg
s.send(b"\x03\x00" + (4 + len(x224)).to_bytes(2, "big") + x224)
time.sleep(0.3)'
}
wait_for 3 "the granted connection" rdp || fail "tcp/8080 is not open"
wait_for 3 "an event of the exposure" event '"kind": *"exposure"' '"dest_port": *8080' ||
	fail "no exposure event for RDP on tcp/8080"
# One opening, seen by the interface and by the kernel: one event, of what happened to it.
sleep 0.3
exposures() { grep '"kind": *"exposure"' $events | grep -c '"dest_port": *8080'; }
[ "$(exposures)" = 1 ] || fail "$(exposures) exposure events for one opening"
event '"kind": *"exposure"' '"action": *"drop"' || fail "the drop is not told as one"
event '"kind": *"exposure"' '"action": *"allowed"' && fail "the drop is told as allowed"
wait_for 3 "what the sensor read" event '"app_proto": *"rdp"' mallory ||
	fail "the sensor did not read the RDP cookie"

# 3. Interfaces alone: a connection on the link whose frames are for another machine than
# the gateway.  No rule and no log of the kernel ever sees it.
beside() {
	netns_exec pc python3 -c '
import socket, struct, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
a, b = socket.inet_aton("10.1.9.5"), socket.inet_aton("10.20.8.11")
port, cookie = int(sys.argv[1]), b"Cookie: mstshash=" + sys.argv[2].encode() + b"\r\n"
def frame(src, dst, sport, dport, seq, ack, flags, data=b""):
    tcp = struct.pack(">HHIIBBHHH", sport, dport, seq, ack, 80, flags, 8192, 0, 0) + data
    ip = struct.pack(">BBHHHBBH", 69, 0, 20 + len(tcp), 1, 0, 64, 6, 0) + src + dst
    s.send(bytes.fromhex("02aabbccdd01" "02aabbccdd02" "0800") + ip + tcp)
neg = bytes.fromhex("0100080003000000")
x224 = bytes([6 + len(cookie) + len(neg)]) + bytes.fromhex("e00000000000") + cookie + neg
frame(a, b, 5000, port, 100, 0, 2)
frame(b, a, port, 5000, 700, 101, 18)
frame(a, b, 5000, port, 101, 701, 16)
frame(a, b, 5000, port, 101, 701, 24,
    b"\x03\x00" + (4 + len(x224)).to_bytes(2, "big") + x224)' "$@"
}
beside 9000 sidedoor
wait_for 3 "an event of what bypasses the gateway" event '"dest_port": *9000' sidedoor ||
	fail "no event for RDP that only the interface shows"
event '"dest_port": *9000' '"action": *"drop"' && fail "what nobody dropped is told as dropped"

# 4. The sensor is killed: it comes back, and denials are seen again.
sensor=$(pgrep -P $cordond -f 'role sensor' || pgrep -f 'role sensor')
kill -9 $sensor
other_sensor() { new=$(pgrep -f 'role sensor') && [ "$new" != "$sensor" ] && sensor_up; }
wait_for 5 "another sensor" other_sensor || fail "the sensor did not come back"
syn 446
wait_for 3 "an event after the restart" event '"kind": *"denied"' '"dest_port": *446' ||
	fail "no denied event after the sensor's restart"

# A denial while nobody listened must not keep the next ones out of the log: a flow is
# logged once in 10 s.  The daemon stands still, so that the sensor stays away.
kill -STOP $cordond
sensor=$(pgrep -f 'role sensor')
kill -9 $sensor
syn 448
kill -CONT $cordond
wait_for 5 "the sensor after the gap" other_sensor
syn 448
wait_for 3 "an event after the gap" event '"kind": *"denied"' '"dest_port": *448' ||
	fail "a denial that nobody heard hides the next"

# 5. The engine is killed: the sensor's sightings reach the new one.
engine=$(pgrep -f 'role engine')
kill -9 $engine
other_engine() { new=$(pgrep -f 'role engine') && [ "$new" != "$engine" ] && sensor_up; }
wait_for 5 "another engine" other_engine || fail "the engine did not come back"
syn 447
wait_for 3 "an event by the new engine" event '"kind": *"denied"' '"dest_port": *447' ||
	fail "no denied event after the engine's restart"

# 6. An interface goes and comes back: another sensor opens it.
netns_exec gw ip link del wan
wait_for 5 "two captures" listens 2 || fail "the lost interface is still counted"
netns_link gw wan pc eth0
netns_addr gw wan 10.1.9.1/24
netns_addr pc eth0 10.1.9.5/24
netns_route pc 10.1.9.1
wait_for 5 "three captures" listens 3 || fail "the interface that came back is not watched"
beside 9001 backdoor
wait_for 3 "an event by way of it" event '"dest_port": *9001' backdoor ||
	fail "nothing is seen on the interface that came back"
warned=$(grep -c "wan: " $run/log)
[ "$warned" -le 3 ] || fail "$warned warnings about one interface"

# 7. It holds no rights: no capability, no new privileges, a filter.
rights=/proc/$(pgrep -f 'role sensor')/status
for want in 'CapPrm:	0000000000000000' 'CapEff:	0000000000000000' 'NoNewPrivs:	1' 'Seccomp:	2'; do
	grep -q "$want" $rights || [ "${SAN:-}" ] || fail "sensor: not $want"
done

kill $server
kill $cordond
[ $bad = 0 ] || { cat $run/log $events >&2; }
[ $bad = 0 ] && echo "ok: nflog and interface captures, restart, rights"
exit $bad
