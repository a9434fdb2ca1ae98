#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: storms of denied packets: the identity, lines of log, requests that go on
#
# storm.sh BUILD SECONDS FLOWS: 100,000 packets a second for SECONDS from one source, then
# one packet from each of FLOWS; beside it nft with a counter and a log without limit.
set -u
here=$(cd "$(dirname "$0")" && pwd)
BUILD=$(cd "$1" && pwd)
seconds=$2 flows=$3
. "$here/../lib/netns.sh"
netns_enter "$0" "$BUILD" "$seconds" "$flows"

run=/run/storm
mkdir -p $run/policy/hosts $run/state
cat >$run/policy/cordon.yaml <<END
cordon: 1
gateway:
  interfaces: [lan8]
  addresses: [10.20.8.1, 10.1.9.1]
  protect: [10.20.8.0/24]
log: { file: $run/events.jsonl, journald: false }
END
cat >$run/policy/hosts/db.yaml <<END
host: db
addresses: [10.20.8.11]
allow:
  inbound:
    - {service: tcp/8080, from: 10.1.9.5, reason: bench}
END
netns_add gw && netns_add db && netns_add pc || exit 77
netns_link gw lan8 db eth0 && netns_link gw wan pc eth0 || exit 77
netns_addr gw lan8 10.20.8.1/24
netns_addr gw wan 10.1.9.1/24
netns_addr db eth0 10.20.8.11/24
netns_addr pc eth0 10.1.9.5/24
netns_route db 10.20.8.1
netns_route pc 10.1.9.1
netns_sysctl gw ipv4/ip_forward=1
netns_exec db python3 -c '
import socket
s = socket.create_server(("", 8080), backlog=64)
while True:
    c, _ = s.accept()
    c.sendall(c.recv(16) or b"")
    c.close()' &
cat >$run/client.py <<'END'
import socket, sys, time
took, bad, end = [], 0, time.time() + float(sys.argv[1])
while time.time() < end:
    begin = time.perf_counter()
    try:
        with socket.create_connection(("10.20.8.11", 8080), 5) as s:
            s.sendall(b"a request, whole")
            bad += len(s.recv(16)) != 16
        took.append((time.perf_counter() - begin) * 1000)
    except OSError:
        bad += 1
    time.sleep(0.005)
took.sort()
print(f"{len(took)} requests of {bad + len(took)}: median {took[len(took) // 2]:.2f} ms, "
      f"99 % {took[len(took) * 99 // 100]:.2f}, longest {took[-1]:.2f}")
END
client() { netns_exec pc python3 $run/client.py "$1"; }
storm() { # SRC PACKETS FLOWS RATE
	netns_exec pc python3 "$here/../net/storm.py" eth0 "$1" 10.20.8.11 9999 "$2" "$3" "$4"
}
storms() { # WHAT
	client "$seconds" >$run/client &
	pid=$!
	echo "  $1, one flow: packets, seconds: $(storm 10.1.9.77 $((seconds * 100000)) 1 100000)"
	wait $pid
	echo "    allowed meanwhile: $(cat $run/client)"
	client "$seconds" >$run/client &
	pid=$!
	echo "  $1, $flows flows: packets, seconds: $(storm 10.64.0.1 "$flows" "$flows" 100000)"
	wait $pid
	echo "    allowed meanwhile: $(cat $run/client)"
}
sent=$((seconds * 100000 + flows))

netns_exec gw sh -c 'nft -f - <<END
table ip peer {
	chain forward {
		type filter hook forward priority 0; policy accept
		udp dport 9999 counter log group 2008 drop
	}
}
END'
echo "  calm: $(client 3)"
storms "peer (nft: counter log drop)"
netns_exec gw nft list table ip peer | sed -n 's/.*\(packets [0-9]*\).*/    counted: \1/p'
netns_exec gw nft delete table ip peer

netns_exec gw "$BUILD/cordond" -c $run/policy --runtime-dir $run --state-dir $run/state \
	>$run/log 2>&1 &
status() { netns_exec gw "$BUILD/cordon" --runtime-dir $run status --format json; }
up() { status | grep -q '"sensor":{"up":true'; }
wait_for 10 "cordond" up || exit 1
echo "  calm, cordon: $(client 3)"
storms cordon
tries=60
until status >$run/status && python3 "$here/../net/counting.py" $run/status \
	$run/events.jsonl 10.20.8.11=$sent >$run/identity; do
	tries=$((tries - 1))
	[ $tries -gt 0 ] || break
	sleep 1
done
echo "    identity of $sent: $(cat $run/identity)"
[ $tries -gt 0 ]
