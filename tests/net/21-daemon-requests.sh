#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: requests to the enforcer end in the kernel, or are refused; systemd's words
set -u
. "$(dirname "$0")/../lib/netns.sh"
netns_enter "$0" "$@"

CORDOND=$(readlink -f "${BUILD:-build}/cordond")
dir=/run/requests
. "$(dirname "$0")/../lib/check.sh"

mkdir -p "$dir/policy/hosts" "$dir/policy/.git/refs/heads" "$dir/run" "$dir/state"
cat >"$dir/policy/cordon.yaml" <<END
cordon: 1
gateway:
  interfaces: [lan8]
  addresses: [10.20.8.1]
  protect: [10.20.8.0/24]
  management: [10.1.0.0/24]
sensor: { interfaces: [lan8] }
block: { ttl: 1h, never: [10.9.9.9] }
log: { file: $dir/events.jsonl, journald: false }
END
cat >"$dir/policy/hosts/erp.yaml" <<END
host: erp
addresses: [10.20.8.11]
allow:
  inbound:
    - service: tcp/1433
      from: 10.30.0.7
      reason: test
END
commit=0123456789abcdef0123456789abcdef01234567
echo 'ref: refs/heads/main' >"$dir/policy/.git/HEAD"
echo $commit >"$dir/policy/.git/refs/heads/main"

# A client of the control socket: exit status of the verb, rows on stdout.
cat >"$dir/ctl.py" <<'END'
import json, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall((json.dumps({"verb": sys.argv[2], "args": json.loads(sys.argv[3])}) + "\n").encode())
for line in s.makefile():
    row = json.loads(line)
    print(json.dumps(row))
    if row.get("end"):
        sys.exit(row["exit"])
sys.exit(99)
END
# What systemd would hear: one line a datagram.
cat >"$dir/notify.py" <<'END'
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
while True:
    print(s.recv(4096).decode().replace("\n", " "), flush=True)
END
ctl() { # EXIT VERB ARGS
	want=$1
	shift
	/usr/bin/python3 "$dir/ctl.py" "$dir/run/ctl.sock" "$@"
	got=$?
	[ $got = "$want" ] || { echo "exit $got, expected $want" && false; }
}
has() { nft get element inet cordon "$1" "{ $2 }"; }
has_not() { ! has "$1" "$2"; }
heard() { grep -q "$1" "$dir/notified"; }
block() { # EXIT ADDRESS TTL SCOPE
	ctl "$1" block "{\"addr\":\"$2\",\"ttl_s\":$3,\"scope\":\"$4\",\"reason\":\"test\"}"
}

ip link add lan8 type veth peer name host8
ip addr add 10.20.8.1/24 dev lan8
ip addr add 198.51.100.7/32 dev lo
ip link set lan8 up
ip link set host8 up

/usr/bin/python3 "$dir/notify.py" "$dir/notify" >"$dir/notified" &
wait_for 5 listener test -S "$dir/notify" || exit 1
NOTIFY_SOCKET=$dir/notify WATCHDOG_USEC=400000 "$CORDOND" -c "$dir/policy" \
	--runtime-dir "$dir/run" --state-dir "$dir/state" 2>"$dir/log" &
daemon_pid=$!
check "READY is announced" wait_for 10 ready heard READY=1
check "READY came with a table in the kernel" nft list table inet cordon
check "the watchdog is served" wait_for 5 watchdog heard WATCHDOG=1
check "the socket answers" wait_for 5 answer ctl 0 status '{}'
check "the commit of .git is the policy's" \
	sh -c "grep -q 'commit $commit' $dir/log"

check "block of a stranger" block 0 203.0.113.9 600 legacy
check "is in the kernel" has block4 203.0.113.9
check "block of all traffic, IPv6, for ever" block 0 2001:db8::9 0 all
check "is in the kernel too" has blockall6 2001:db8::9
check "quarantine of a legacy host" block 0 10.20.8.11 600 legacy
check "is in the kernel as well" has quarantine4 10.20.8.11
for never in 10.9.9.9 10.1.0.5 10.20.8.1 198.51.100.7; do
	check "never blocked: $never" block 5 $never 600 legacy
	check "nor in the kernel: $never" has_not block4 $never
done
check "no longer than 30 days" block 2 203.0.113.10 2592001 legacy
check "nor in the kernel" has_not block4 203.0.113.10

check "a reload with a commit" ctl 0 reload '{"commit":"abc123"}'
check "keeps the block" has block4 203.0.113.9
check "keeps the quarantine" has quarantine4 10.20.8.11
kill -9 "$(pgrep -P $daemon_pid -f -- '--role engine')"
check "the engine is back" wait_for 5 engine ctl 0 blocks '{}'
check "the kernel's blocks are listed by it" sh -c "
	python3 $dir/ctl.py $dir/run/ctl.sock blocks '{}' | grep -q 203.0.113.9"
check "unblock" ctl 0 unblock '{"addr":"203.0.113.9"}'
check "gone from the kernel" has_not block4 203.0.113.9

# The log file is rotated away: a new one at the next reload.
mv "$dir/events.jsonl" "$dir/events.1"
check "a reload opens the log again" ctl 0 reload '{}'
check "the log is there" wait_for 5 log test -s "$dir/events.jsonl"
check "and is 0640" sh -c "[ \$(stat -c %a $dir/events.jsonl) = 640 ]"

echo 'x: [' >>"$dir/policy/cordon.yaml"
check "a bad policy is refused with its errors" sh -c "
	! python3 $dir/ctl.py $dir/run/ctl.sock reload '{}' >$dir/rows &&
	grep -q '\"file\": \"cordon.yaml\"' $dir/rows"
check "the table stays" nft list table inet cordon

kill -TERM $daemon_pid
wait $daemon_pid
check "the end is announced" wait_for 5 end heard STOPPING=1
check "no system call was refused" sh -c "! grep 'seccomp:' $dir/log"
check "no sanitizer complained" sh -c "! grep -A20 'Sanitizer\|runtime error' $dir/log"
echo "$checks checks, $failed failed"
if [ $failed != 0 ]; then
	sed 's/^/log: /' "$dir/log"
	exit 1
fi
