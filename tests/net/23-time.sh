#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: rules, windows and blocks end on time with the daemon dead; clocks that are wrong
#
# Windows are of minutes.  A time zone of our own, mounted over a real one, puts noon at
# the second that suits the test.
set -u
. "$(dirname "$0")/../lib/netns.sh"
netns_enter "$0" "$@"

dir=/run/time
log=$dir/log
. "$(dirname "$0")/../lib/check.sh"
. "$(dirname "$0")/../lib/daemon.sh"

zone=Etc/GMT+11
zone_file=/usr/share/zoneinfo/$zone
rules() { # standard input: lines of the host's inbound list
	{
		printf 'host: erp\naddresses: [10.20.8.11]\nallow:\n  inbound:\n'
		printf '    - { service: tcp/2000, from: 10.30.0.7, reason: untimed }\n'
		cat
	} >"$dir/policy/hosts/erp.yaml"
}
rule() { # PORT MORE
	printf '    - { service: tcp/%s, from: 10.30.0.7, reason: test, %s }\n' "$1" "$2"
}
instant() { date -u -d "@$1" +%Y-%m-%dT%H:%M:%SZ; }
until_second() { while [ "$(date +%s)" -lt "$1" ]; do sleep 0.1; done; }
connects() { # PORT
	netns_exec out python3 -c '
import socket, sys
s = socket.create_connection(("10.20.8.11", int(sys.argv[1])), 1)
s.settimeout(1)
s.sendall(b"hello, who is there")
sys.exit(not s.recv(5))' "$1" 2>/dev/null
}
connects_not() { ! connects "$1"; }
# A connection that is used until it is cut; says "open", then "cut".
talks() { # PORT FILE
	netns_exec out python3 -u -c '
import socket, sys, time
s = socket.create_connection(("10.20.8.11", int(sys.argv[1])), 2)
s.settimeout(1)
said = False
for i in range(150):
    try:
        s.sendall(b"still here, are you?")
        if not s.recv(64):
            break
    except OSError:
        break
    if not said:
        print("open")
        said = True
    time.sleep(0.1)
else:
    print("never", end=" ")
print("cut")' "$1" >"$2" 2>&1 &
}

mkdir -p "$dir/run" "$dir/state" "$dir/policy/hosts"
: >"$log"
netns_add host
netns_add out
ip link add lan8 type veth peer name eth0 netns "$(netns_pid host)"
ip link add wan9 type veth peer name eth0 netns "$(netns_pid out)"
ip addr add 10.20.8.1/24 dev lan8
ip addr add 10.30.0.1/24 dev wan9
ip link set lan8 up
ip link set wan9 up
netns_exec host ip addr add 10.20.8.11/24 dev eth0
netns_exec out ip addr add 10.30.0.7/24 dev eth0
for n in host out; do netns_exec $n ip link set eth0 up; done
netns_exec host ip route add default via 10.20.8.1
netns_exec out ip route add default via 10.30.0.1
echo 1 >/proc/sys/net/ipv4/ip_forward
netns_exec host python3 -c '
import socket, threading
def serve(c):
    try:
        while True:
            d = c.recv(64)
            if not d:
                break
            c.sendall(d)
    except OSError:
        pass
def listen(s):
    while True:
        threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
for p in range(2000, 2010):
    s = socket.create_server(("0.0.0.0", p))
    t = threading.Thread(target=listen, args=(s,))
    t.start()' &
cat >"$dir/policy/cordon.yaml" <<END
cordon: 1
gateway:
  interfaces: [lan8]
  addresses: [10.20.8.1]
  protect: [10.20.8.0/24]
  management: [10.1.0.0/24]
  timezone: $zone
log: { file: $dir/events.jsonl, journald: false }
END

# -- expiry, with the daemon dead
end=$(($(date +%s) + 9))
{ rule 2001 "expires: \"$(instant $end)\"" && rule 2002 'expires: "2090-01-01"'; } | rules
check "start" daemon
check "before: what has no end" wait_for 5 server connects 2000
check "before: what ends soon" connects 2001
talks 2001 "$dir/talk"
check "before: a connection of it is open" wait_for 5 open grep -q open "$dir/talk"
check "block for seconds" cordon block 10.30.0.99 --ttl 4s
killed
check "killed: it still passes" connects 2001
check "killed: the block is there" sh -c "nft list set inet cordon block4 | grep -q 10.30.0.99"
until_second $((end + 1))
check "ended by the kernel: no new connection" connects_not 2001
check "ended by the kernel: the open one is cut" wait_for 5 cut grep -qx cut "$dir/talk"
check "the block ended by itself" sh -c "! nft list set inet cordon block4 | grep -q 10.30.0.99"
check "the others stay" connects 2000
check "the one that ends in 2090 too" connects 2002

# -- a clock that is behind: timed rules are closed until it is right
killed 2>/dev/null
later=$(($(date +%s) + 15))
# the last good policy says when it was applied, behind magic, generation and size
python3 -c '
import struct, sys
with open(sys.argv[1], "r+b") as f:
    f.seek(16)
    was = struct.unpack("q", f.read(8))[0]
    assert abs(was - int(sys.argv[2])) < 1000, was
    f.seek(16)
    f.write(struct.pack("q", int(sys.argv[2])))' "$dir/state/last-good" $later
check "started with a clock of before" daemon
check "untimed rules pass" wait_for 5 server connects 2000
check "timed rules are closed, long before their end" connects_not 2002
until_second $((later + 1))
check "the clock is right: they pass" connects 2002
killed

# -- windows
noon_at() { # SECOND [LOCAL SECONDS GAINED THEN]: of the zone
	python3 -c '
import sys
at, gain = int(sys.argv[1]), int(sys.argv[2])
off = 43200 - at % 86400
def hms(s):
    return "%s%d:%02d:%02d" % ("-" if s < 0 else "", abs(s) // 3600, abs(s) // 60 % 60, abs(s) % 60)
import time
until = time.strftime("%Y %b %d %H:%M:%Su", time.gmtime(at))
print("Zone\tTest\t%s\t-\tAAA\t%s" % (hms(off), until))
print("\t\t%s\t-\tBBB" % hms(off + gain))' "$1" "${2:-0}" >"$dir/zone"
	zic -d "$dir/zones" "$dir/zone" && mount --bind "$dir/zones/Test" "$zone_file"
}
if ! command -v zic >/dev/null || [ ! -e "$zone_file" ] ||
	! noon_at "$(date +%s)" 2>"$dir/why"; then
	echo "SKIP windows: no zone can be put in place: $(cat "$dir/why" 2>/dev/null)"
else
	umount "$zone_file"
	windows() {
		rule 2003 'schedule: "11:00-12:00"'
		rule 2004 'schedule: "12:00-12:30"'
		rule 2005 'schedule: "13:00-13:30"'
		rule 2006 'schedule: "23:00-12:00"'
		rule 2007 'schedule: "10:30-11:30"'
	}
	windows | rules

	noon=$(($(date +%s) + 8))
	noon_at $noon
	check "start" daemon
	check "11:59: a window that ends" wait_for 5 server connects 2003
	check "11:59: over midnight" connects 2006
	check "11:59: one that starts" connects_not 2004
	until_second $((noon + 1))
	check "12:00: it is over" connects_not 2003
	check "12:00: over midnight, too" connects_not 2006
	check "12:00: the other was opened" wait_for 5 window connects 2004
	check "12:00: not the one of 13:00" connects_not 2005
	killed
	umount "$zone_file"

	noon=$(($(date +%s) + 8))
	noon_at $noon
	check "start" daemon
	talks 2003 "$dir/talk2"
	check "11:59: a connection is open" wait_for 5 open grep -q open "$dir/talk2"
	killed
	check "11:59, daemon dead: the window" connects 2003
	until_second $((noon + 1))
	check "12:00, daemon dead: it is over" connects_not 2003
	check "12:00, daemon dead: over midnight, too" connects_not 2006
	check "12:00, daemon dead: its connection is cut" wait_for 5 cut grep -qx cut "$dir/talk2"
	check "12:00, daemon dead: nobody opens the other" connects_not 2004
	umount "$zone_file"

	noon=$(($(date +%s) + 8))
	noon_at $noon 3600
	check "start before summer time" daemon
	check "11:59: the window" wait_for 5 server connects 2003
	until_second $((noon + 1))
	check "13:00: 12:00 never was" connects_not 2004
	check "13:00: the window is over" connects_not 2003
	check "13:00: this one was opened" wait_for 5 window connects 2005
	killed
	umount "$zone_file"

	noon=$(($(date +%s) + 8))
	noon_at $noon -1800
	check "start before winter time, half an hour" daemon
	check "11:59: the window" wait_for 5 server connects 2003
	check "11:59: 11:30 is over" connects_not 2007
	until_second $((noon + 1))
	check "11:30 again: the window goes on" connects 2003
	check "11:30 again: still over" connects_not 2007
	check "11:30 again: not noon yet" connects_not 2004
	killed
	umount "$zone_file"
fi

check "no system call was refused" sh -c "! grep 'seccomp:' $log"
check "no sanitizer complained" sh -c "! grep -A20 'Sanitizer\|runtime error' $log"
echo "$checks checks, $failed failed"
if [ $failed != 0 ]; then
	sed 's/^/log: /' "$log"
	exit 1
fi
