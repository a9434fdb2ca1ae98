#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: an observed host, its suggestion applied and enforced: what was seen passes
#
# 40-suggest.sh BUILD: the folder with cordon and cordond.  No root needed.
set -u
here=$(cd "$(dirname "$0")" && pwd)
BUILD=$(cd "${1:-build}" && pwd)
. "$here/../lib/netns.sh"
netns_enter "$0" "$BUILD"

run=/run/suggest-test
events=$run/events.jsonl
mkdir -p $run/policy/hosts $run/policy/guards $run/state
cat >$run/policy/cordon.yaml <<END
cordon: 1
gateway:
  interfaces: [lan8]
  addresses: [10.20.8.1, 10.1.9.1, "fd00:20:8::1"]
  protect: [10.20.8.0/24, "fd00:20:8::/64"]
log: { file: $events, journald: false }
END
cat >$run/policy/groups.yaml <<END
app-servers: [10.1.9.5, 10.1.9.6, 10.1.9.7]
far: [10.1.9.90, 10.1.9.91, 10.1.9.5]
END
cat >$run/policy/guards/own.yaml <<END
guard: own
title: a guard of the test
match: [[{ at: 0, bytes: "43 4f 52 44 4f 4e 21 21" }]]
END
host() { # MODE
	printf 'host: db\naddresses: [10.20.8.11, "fd00:20:8::11"]\nmode: %s\n' $1
	printf 'guards: { own: { action: drop } }\n'
}
host observe >$run/policy/hosts/db.yaml

bad=0
fail() {
	echo "FAIL: $*" >&2
	bad=1
}

netns_add gw && netns_add db && netns_add pc || exit 77
netns_link gw lan8 db eth0 && netns_link gw wan pc eth0 || exit 77
netns_addr gw lan8 10.20.8.1/24 fd00:20:8::1/64
netns_addr gw wan 10.1.9.1/24 fd00:1:9::1/64
netns_addr db eth0 10.20.8.11/24 fd00:20:8::11/64
netns_addr pc eth0 10.1.9.5/24 10.1.9.6/24 10.1.9.7/24 10.1.9.20/24 10.1.9.21/24 \
	10.1.9.50/24 10.1.9.60/24 10.1.9.70/24 fd00:1:9::5/64
netns_route db 10.20.8.1
netns_exec db ip -6 route add default via fd00:20:8::1
netns_route pc 10.1.9.1
netns_exec pc ip -6 route add default via fd00:1:9::1
netns_sysctl gw ipv4/ip_forward=1 ipv6/conf/all/forwarding=1

# Both ends answer what they are asked, on any of these ports.
cat >$run/server.py <<'END'
import select, socket, sys
ports = {"tcp": [53, 1433, 5432, 8080, 8082, 8083, 9102], "udp": [53, 123, 161]}
polled = {}
for kind, list in ports.items():
    for port in list:
        s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        s.bind(("::", port))
        if kind == "tcp":
            s.listen(64)
        polled[s] = kind
print("ready", flush=True)
while True:
    for s in select.select(list_ := [*polled], [], [])[0]:
        try:
            if polled[s] == "tcp":
                polled[s.accept()[0]] = "open"
            elif polled[s] == "udp":
                s.sendto(b"answer", s.recvfrom(4096)[1])
            elif data := s.recv(4096):
                s.send(b"answer to " + data)
            else:
                raise OSError
        except OSError:
            polled.pop(s)
            s.close()
END
# Each "FROM TO PROTO PORT [TEXT]" has to be answered; the number of those that were not.
cat >$run/ask.py <<'END'
import socket, sys
lost = 0
for line in sys.stdin:
    source, target, kind, port, *text = line.split()
    s = socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET,
                      socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    s.settimeout(1)
    data = bytes.fromhex(text[0]) if text else b"a question of some length"
    try:
        s.bind((source, 0))
        s.connect((target, int(port)))
        for _ in range(2):
            s.send(data)
            s.recv(100)
    except OSError as e:
        print(line.strip(), e)
        lost += 1
    s.close()
sys.exit(lost)
END
# A connection from before cordon: it speaks once a line on stdin.
cat >$run/older.py <<'END'
import socket, sys
s = socket.create_connection(("10.20.8.11", 5432), source_address=("10.1.9.7", 0))
s.settimeout(1)
print("open", flush=True)
for line in sys.stdin:
    s.send(b"one more question")
    print(s.recv(100), flush=True)
END
in_pc() { netns_exec pc python3 $run/ask.py; }
in_db() { netns_exec db python3 $run/ask.py; }
benign_in() {
	for a in 5 6 7; do echo "10.1.9.$a 10.20.8.11 tcp 1433"; done
	for a in 20 21; do echo "10.1.9.$a 10.20.8.11 tcp 9102"; done
	echo "10.1.9.7 10.20.8.11 tcp 5432"
	echo "10.1.9.5 10.20.8.11 udp 161"
	echo "10.1.9.6 10.20.8.11 tcp 8080"
	echo "fd00:1:9::5 fd00:20:8::11 tcp 1433"
	echo "fd00:1:9::5 fd00:20:8::11 udp 161"
}
benign_out() {
	echo "10.20.8.11 10.1.9.5 udp 53" # the address that this server answers from
	echo "10.20.8.11 10.1.9.20 tcp 53"
	echo "10.20.8.11 10.1.9.5 udp 123"
	echo "fd00:20:8::11 fd00:1:9::5 udp 123"
}
# RDP, a guard, a scan; each by a client of its own.
rdp=030000130ee000000000000100080003000000
bad_rdp() { echo "10.1.9.60 10.20.8.11 tcp 8082 $rdp" | in_pc; }
bad_guard() { echo "10.1.9.70 10.20.8.11 tcp 8083 434f52444f4e2121" | in_pc; }
bad_scan() { netns_exec pc python3 -c '
import socket
for port in range(7000, 7040):
    s = socket.socket()
    s.bind(("10.1.9.50", 0))
    s.settimeout(0.3)
    s.connect_ex(("10.20.8.11", port))
    s.close()'; }

for ns in db pc; do
	netns_exec $ns python3 $run/server.py >$run/$ns.ready &
done
wait_for 5 "both servers" sh -c "grep -q ready $run/db.ready && grep -q ready $run/pc.ready" || exit 1
# Neighbours are found before anything is timed.
warm() { echo "fd00:1:9::5 fd00:20:8::11 tcp 1433" | in_pc; }
wait_for 10 "IPv6" warm || exit 1
mkfifo $run/older.in
netns_exec pc python3 $run/older.py <$run/older.in >$run/older.out &
exec 9>$run/older.in
wait_for 5 "a connection from before" grep -q open $run/older.out || exit 1

netns_exec gw "$BUILD/cordond" -c $run/policy --runtime-dir $run --state-dir $run/state \
	>$run/log 2>&1 &
cordond=$!
cordon() { netns_exec gw "$BUILD/cordon" --runtime-dir $run "$@"; }
sensor_up() { cordon status --format json | grep -q '"sensor":{"up":true'; }
wait_for 10 "the sensor" sensor_up || { cat $run/log >&2; exit 1; }
event() { grep "$1" $events 2>/dev/null | grep -q "$2"; }

# ---- observed: all of it passes ----
echo >&9
benign_in | in_pc || fail "an observed host is cut off"
benign_out | in_db || fail "an observed host can't get out"
bad_rdp >/dev/null
bad_guard >/dev/null
bad_scan
wait_for 5 "the scan" event '"kind": *"scan"' 10.1.9.50 || fail "no scan event"
wait_for 5 "the exposure" event '"kind": *"exposure"' 10.1.9.60 || fail "no exposure event"
wait_for 5 "the guard" event '"kind": *"guard"' 10.1.9.70 || fail "no guard event"
wait_for 5 "the older connection" event '"kind": *"would_deny"' '"dest_port": *5432' ||
	fail "what was open before is not told"
grep -q '"kind": *"denied"' $events && fail "an observed host was denied something"
grep -q '"kind": *"blocked"' $events && fail "observed traffic blocked somebody"

suggest() { cordon suggest --policy $run/policy "$@"; }
sleep 2.5 # so that the engine has written its state
suggest >$run/before.yaml || fail "cordon suggest"
# It outlives the engine.
engine=$(pgrep -P $cordond -f 'role engine' || pgrep -f 'role engine')
kill -9 $engine
other_engine() { new=$(pgrep -f 'role engine') && [ "$new" != "$engine" ] && sensor_up; }
wait_for 5 "another engine" other_engine || fail "the engine did not come back"
suggest db >$run/seen.yaml || fail "cordon suggest db"
cmp -s $run/before.yaml $run/seen.yaml || {
	fail "the engine's end changed what it suggests"
	diff $run/before.yaml $run/seen.yaml >&2
}
said() { grep -q -- "$1" $run/seen.yaml || fail "not suggested: $1"; }
unsaid() { grep -v '^#' $run/seen.yaml | grep -q -- "$1" && fail "suggested: $1"; }
said 'mssql'
said 'app-servers'
said '10.1.9.20/31'
said 'snmp'
said 'dns'
said 'ntp'
said 'tcp/8080'
said 'tcp/5432'
unsaid 'far'
unsaid 'udp/'
for client in 10.1.9.50 10.1.9.60 10.1.9.70; do
	unsaid $client
	grep '^#' $run/seen.yaml | grep -q $client || fail "not told apart: $client"
done
suggest nobody | grep -q 'nothing to suggest' || fail "a host that was not seen"
suggest --format json | python3 -c '
import json, sys
rows = [json.loads(line) for line in sys.stdin]
assert any("mssql" in r.get("services", []) and "app-servers" in r["peers"] for r in rows), rows
assert {r["apart"] for r in rows if "apart" in r} >= {"spoke RDP", "hit a guard", "the client scanned"}, rows
' || fail "the JSON form"

# ---- its reasons filled in, enforced ----
{ host enforce; grep -v '^---' $run/seen.yaml; } >$run/new.yaml
cp $run/new.yaml $run/policy/hosts/db.yaml
"$BUILD/cordon" check $run/policy >$run/check 2>&1 || { fail "the suggestion has errors"; cat $run/check >&2; }
grep -q 'CRD067' $run/check || fail "unfilled reasons are not warned of"
sed -i 's/FIXME: seen/a test, seen/' $run/policy/hosts/db.yaml
"$BUILD/cordon" check $run/policy 2>&1 | grep -q CRD067 && fail "filled reasons are warned of"
cordon reload >$run/reload 2>&1 || { fail "reload"; cat $run/reload >&2; }
: >$events
echo >&9
benign_in | in_pc || fail "enforced: something that was seen does not pass"
benign_out | in_db || fail "enforced: the host can't get out as it did"
sleep 1.5
grep -q '"kind": *"denied"' $events && { fail "something that was seen is denied"; cat $events >&2; }
[ "$(grep -c answer $run/older.out)" = 2 ] || fail "the older connection was cut"
bad_rdp >/dev/null && fail "RDP passes where it is not granted"
bad_guard >/dev/null && fail "a guard's hit passes"
bad_scan
for client in 10.1.9.50 10.1.9.60 10.1.9.70; do
	wait_for 5 "denial of $client" event '"kind": *"denied"' $client || fail "$client is not denied"
done
/usr/bin/python3 "$here/../lib/events-check.py" "$here/../../daemon/engine/events.schema.json" $events
[ $? = 1 ] && fail "an event is not as the schema has it"

kill $cordond
wait $cordond
grep -A20 'Sanitizer\|runtime error' $run/log && fail "a sanitizer complained"
[ $bad = 0 ] || cat $run/log $run/seen.yaml >&2
[ $bad = 0 ] && echo "ok: observed, suggested, enforced: nothing seen was denied"
exit $bad
