#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: storms of one flow and of many: every packet counted, told once, nothing stopped
#
# 60-counting.sh BUILD [FLOWS]: FLOWS forged sources in the second storm (100000).  No
# root needed.
set -u
here=$(cd "$(dirname "$0")" && pwd)
BUILD=$(cd "${1:-build}" && pwd)
FLOWS=${2:-100000}
. "$here/../lib/netns.sh"
netns_enter "$0" "$BUILD" "$FLOWS"

dir=/run/counting
events=$dir/events.jsonl
mkdir -p $dir/policy/hosts $dir/state
. "$here/../lib/check.sh"

cat >$dir/policy/cordon.yaml <<END
cordon: 1
gateway:
  interfaces: [lan8]
  addresses: [10.20.8.1, 10.1.9.1]
  protect: [10.20.8.0/24]
log: { file: $events, journald: false, quota: { source: 600, host: 3000 } }
END
host() { # NAME ADDRESS PORT
	printf 'host: %s\naddresses: [%s]\nallow:\n  inbound:\n' "$1" "$2"
	printf '    - {service: tcp/%s, from: 10.1.9.5, reason: test}\n' "$3"
}
host db 10.20.8.11 8080 >$dir/policy/hosts/db.yaml
host old 10.20.8.12 8080 >$dir/policy/hosts/old.yaml

netns_add gw && netns_add db && netns_add pc || exit 77
netns_link gw lan8 db eth0 && netns_link gw wan pc eth0 || exit 77
netns_addr gw lan8 10.20.8.1/24
netns_addr gw wan 10.1.9.1/24
netns_addr db eth0 10.20.8.11/24
netns_addr pc eth0 10.1.9.5/24
netns_route db 10.20.8.1
netns_route pc 10.1.9.1
netns_sysctl gw ipv4/ip_forward=1

daemon() {
	netns_exec gw "$BUILD/cordond" -c $dir/policy --runtime-dir $dir --state-dir \
		$dir/state >>$dir/log 2>&1 &
}
daemon_pid() { pgrep -f -- 'cordond -[c] '; }
stop() {
	kill "$(daemon_pid)"
	wait_for 5 "the daemon to end" sh -c '! pgrep -f -- "[c]ordond -"'
}
status() { netns_exec gw "$BUILD/cordon" --runtime-dir $dir status --format json; }
sensor_up() { status 2>/dev/null | grep -q '"sensor":{"up":true'; }
storm() { # SRC DST PACKETS [FLOWS]
	netns_exec pc python3 "$here/storm.py" eth0 "$1" "$2" 9999 "$3" ${4:+"$4"}
}
counted() { # ADDRESS: packets denied of it, by the kernel's own word
	netns_exec gw nft -j list set inet cordon denied_hits4 | python3 -c '
import json, sys
for o in json.load(sys.stdin)["nftables"]:
    for e in o.get("set", {}).get("elem", []):
        if e["elem"]["val"] == sys.argv[1]:
            print(e["elem"]["counter"]["packets"])' "$1"
}
# Poll, but not as often as wait_for does: what is asked for is costly.
await() { # SECONDS COMMAND...
	end=$(($(date +%s) + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt $end ] || return 1
		sleep 1
	done
}
# All that was counted is told: within three periods of the last packet.
settled() {
	status >$dir/status && python3 "$here/counting.py" $dir/status $events "$1"
}

daemon
wait_for 10 "the sensor" sensor_up || { cat $dir/log >&2; exit 1; }

# Allowed traffic, before, while and after.
netns_exec db python3 -c '
import socket
s = socket.create_server(("", 8080), backlog=64)
while True:
    c, _ = s.accept()
    c.sendall(c.recv(16) or b"")
    c.close()' &
cat >$dir/client.py <<'END'
import socket, sys, time
good = bad = 0
end = time.time() + float(sys.argv[1])
while time.time() < end or good + bad < 20:
    try:
        with socket.create_connection(("10.20.8.11", 8080), 5) as s:
            s.sendall(b"a request, whole")
            good += len(s.recv(16)) == 16
    except OSError as e:
        bad += 1
        print(e)
    time.sleep(0.01)
print(good, "good", bad, "bad")
sys.exit(bad > 0 or good < 20)
END
sleep 0.3

netns_exec pc python3 $dir/client.py 3 >$dir/client.out 2>&1 &
client=$!
wait_for 5 "the client" netns_exec pc grep -q '^10\.1\.9\.1 .*0x2' /proc/net/arp
storm 10.1.9.77 10.20.8.11 50000 >$dir/rate
echo "     one flow: $(cat $dir/rate)"
check "one flow: the kernel counted each packet" test "$(counted 10.20.8.11)" = 50000
flow_told() { # SRC PACKETS: in one event at once and one a period
	grep "\"src_ip\":\"$1\"" $events >$dir/flow
	python3 -c '
import json, sys
counts = [json.loads(line)["cordon"]["count"] for line in open(sys.argv[1])]
print(counts)
assert sum(counts) == int(sys.argv[2]) and counts[0] == 1 and len(counts) <= 4' \
		$dir/flow "$2"
}
await 30 flow_told 10.1.9.77 50000
check "one flow: one event, then its exact count" flow_told 10.1.9.77 50000
cat $dir/out

netns_exec pc python3 $dir/client.py 3 >>$dir/client.out 2>&1 &
other=$!
storm 10.64.0.1 10.20.8.11 "$FLOWS" "$FLOWS" >$dir/rate
echo "     many flows: $(cat $dir/rate)"
sent=$((50000 + FLOWS))
check "many flows: the kernel counted each packet" test "$(counted 10.20.8.11)" = $sent
wait $client && wait $other
client=$?
check "allowed traffic went on meanwhile" test $client = 0
cat $dir/client.out

# An engine that is killed: its successor tells what it did not.
storm 10.1.9.78 10.20.8.12 100 >/dev/null
kill -9 "$(pgrep -f -- '[c]ordond --role engine')"
storm 10.1.9.79 10.20.8.11 5000 >/dev/null
sent=$((sent + 5000))
wait_for 5 "another engine" sensor_up
# A reload, by which a host leaves the policy, in the middle of a storm.
storm 10.1.9.80 10.20.8.11 20000 >/dev/null &
other=$!
rm $dir/policy/hosts/old.yaml
kill -HUP "$(daemon_pid)"
wait $other
sent=$((sent + 20000))
check "killed engine, reload: the kernel counted each packet" \
	test "$(counted 10.20.8.11)" = $sent
# The daemon is stopped; packets come while nobody listens; it is started again.
stop
storm 10.1.9.81 10.20.8.11 3000 >/dev/null
sent=$((sent + 3000))
check "no daemon: the kernel counted each packet" test "$(counted 10.20.8.11)" = $sent
daemon
wait_for 10 "the daemon again" sensor_up
want="10.20.8.11=$sent,10.20.8.12=100"
await 60 settled "$want"
check "counted = logged + suppressed + overflow = told" settled "$want"
cat $dir/out
check "the sum of a host that left stays" python3 -c '
import json, sys
rows = json.load(open(sys.argv[1]))["counts"]["hosts"]
assert [r["host"] for r in rows if r["addr"] == "10.20.8.12"] == [None], rows' $dir/status
# More flows than the quota of two minutes lets through.
storm 10.65.0.1 10.20.8.11 10000 10000 >/dev/null
sent=$((sent + 10000))
want="10.20.8.11=$sent,10.20.8.12=100"
await 60 settled "$want"
check "over the quota: told all the same" settled "$want"
cat $dir/out
check "quota: at most 3000 lines a minute of a host" python3 -c '
import collections, json, sys
lines = collections.Counter()
for line in open(sys.argv[1]):
    e = json.loads(line)
    if e["cordon"]["kind"] == "denied" and e["cordon"]["host"] == "db" and "src_ip" in e:
        lines[e["timestamp"][:16]] += 1
# minutes of the clock are not those of the quota: two may meet in one
assert all(n <= 2 * 3000 for n in lines.values()), lines' $events
check "quota: what was held back is said" await 15 grep -q '"reason":"log-quota"' $events
check "the log is as its schema says" sh -c "head -200 $events >$dir/head &&
	tail -200 $events >>$dir/head && python3 '$here/../lib/events-check.py' \
	'$here/../../daemon/engine/events.schema.json' $dir/head"
stop
[ $failed = 0 ] || tail -5 $dir/log
echo "$((checks - failed)) of $checks checks passed"
[ $failed = 0 ]
