#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: the worst moments: killed in a reload, two at once, full disk, tampering
set -u
. "$(dirname "$0")/../lib/netns.sh"
netns_enter "$0" "$@"

CORDOND=$(readlink -f "${BUILD:-build}/cordond")
dir=/run/failures
log=$dir/log
. "$(dirname "$0")/../lib/check.sh"

write_hosts() { # PORT
	for i in $(seq 10 60); do
		printf 'host: h%s\naddresses: [10.20.8.%s]\nallow:\n  inbound:\n' "$i" "$i"
		printf '    - {service: tcp/%s, from: 10.30.0.0/24, reason: test}\n' "$1"
		printf '%s\n' ---
	done | sed '$d' >"$dir/policy/hosts/new.yaml.tmp"
	mv "$dir/policy/hosts/new.yaml.tmp" "$dir/policy/hosts/all.yaml"
}

daemon() { # MORE ARGUMENTS...
	"$CORDOND" -c "$dir/policy" --runtime-dir "$dir/run" --state-dir "$dir/state" "$@" \
		2>>"$log" &
	daemon_pid=$!
}
gone() {
	kill -9 "$daemon_pid" 2>/dev/null
	wait "$daemon_pid" 2>/dev/null
	wait_for 5 roles none_left
}
none_left() { ! pgrep -f -- '[c]ordond --role ' >/dev/null; }
ready() { grep -q 'in force' "$log"; }
rules() { nft list table inet cordon 2>/dev/null; }
# The one thing that may never fail: all three hooks, with rules, and the addresses.
enforced() {
	rules >"$dir/rules"
	for hook in input forward output; do
		grep -A2 "chain $hook {" "$dir/rules" | grep -q "hook $hook" || return 1
		[ "$(sed -n "/chain $hook {/,/}/p" "$dir/rules" | wc -l)" -gt 4 ] || return 1
	done
	grep -q '10\.20\.8\.2-10\.20\.8\.255' "$dir/rules"
}

mkdir -p "$dir/run" "$dir/state" "$dir/policy/hosts"
: >"$log"
ip link add lan8 type veth peer name host8
ip addr add 10.20.8.1/24 dev lan8
ip link set lan8 up
ip link set host8 up
cat >"$dir/policy/cordon.yaml" <<END
cordon: 1
gateway:
  interfaces: [lan8]
  addresses: [10.20.8.1]
  protect: [10.20.8.0/24]
  management: [10.1.0.0/24]
log: { file: $dir/events.jsonl, journald: false }
END
write_hosts 1000

# -- two at once: one of them, whichever
daemon
first=$daemon_pid
daemon
second=$daemon_pid
check "two at once: one is in force" wait_for 10 first ready
sleep 0.5
n=0
kill -0 "$first" 2>/dev/null && n=$((n + 1)) && daemon_pid=$first
kill -0 "$second" 2>/dev/null && n=$((n + 1)) && daemon_pid=$second
check "two at once: one is left" test $n = 1
check "two at once: enforced" enforced
# another daemon that does not know of this one
"$CORDOND" -c "$dir/policy" --runtime-dir "$dir/run2" --state-dir "$dir/state2" \
	2>"$dir/log2" &
other=$!
sleep 1
check "one more, elsewhere: enforced" enforced
if nft delete table inet cordon 2>/dev/null; then
	echo "SKIP the kernel does not let a table be owned"
else
	check "one more, elsewhere: refused by the kernel" \
		sh -c "! kill -0 $other 2>/dev/null && grep -q 'kernel refused' $dir/log2"
	nft flush ruleset
	check "nft flush ruleset: enforced" enforced
fi
kill -9 $other 2>/dev/null

# -- killed at any moment of a reload
i=0 open=0
while [ $i -lt 12 ]; do
	i=$((i + 1))
	write_hosts $((2000 + i))
	kill -HUP "$daemon_pid"
	sleep "0.0$(((i * 7) % 10))$(((i * 3) % 10))"
	kill -9 "$daemon_pid"
	wait "$daemon_pid" 2>/dev/null
	enforced || open=$((open + 1))
	: >"$log"
	daemon
	wait_for 10 start ready
	enforced || open=$((open + 1))
done 2>/dev/null
check "killed in $i reloads: enforced each time" test $open = 0
check "the last policy is in force" sh -c "nft list table inet cordon | grep -q '\. 2012'"

# -- changed while nobody owned it
gone
nft flush chain inet cordon forward
nft add element inet cordon block4 '{ 10.99.0.1 timeout 1h }'
: >"$log"
daemon
check "emptied meanwhile: in force again" wait_for 10 start ready
check "emptied meanwhile: enforced" enforced
check "blocks stay" sh -c "nft list set inet cordon block4 | grep -q 10.99.0.1"

# -- the state directory is full
gone
mount -t tmpfs -o size=8k none "$dir/state" && head -c 100000 /dev/zero >"$dir/state/fill" 2>/dev/null
: >"$log"
daemon
check "full disk: in force" wait_for 10 start ready
check "full disk: it is said" wait_for 5 said grep -q "can't keep the last good" "$log"
check "full disk: nothing half written" test ! -s "$dir/state/last-good"
check "full disk: enforced" enforced
rm "$dir/state/fill"
write_hosts 3000
kill -HUP "$daemon_pid"
check "full disk: reloads" wait_for 5 reload sh -c "nft list table inet cordon | grep -q '\. 3000'"

# -- the event log is what it should not be
for kind in directory symlink device fifo; do
	gone
	rm -rf "$dir/events.jsonl" "$dir/target"
	case $kind in
	directory) mkdir "$dir/events.jsonl" ;;
	symlink) : >"$dir/target" && ln -s "$dir/target" "$dir/events.jsonl" ;;
	device) ln -s /dev/full "$dir/events.jsonl" ;;
	fifo) mkfifo "$dir/events.jsonl" ;;
	esac
	: >"$log"
	daemon
	check "log is a $kind: in force" wait_for 10 start ready
	check "log is a $kind: it is said" wait_for 5 said grep -q "can't open the event log" "$log"
	check "log is a $kind: both roles run" wait_for 5 roles sh -c \
		"[ \$(pgrep -fc -- '--role (sensor|engine)') = 2 ]"
	check "log is a $kind: enforced" enforced
done
check "the link was not followed" test ! -s "$dir/target"

# -- the policy: who may write it decides
rm -rf "$dir/events.jsonl"
chmod 666 "$dir/policy/hosts/all.yaml"
write_all() { sed -i s/3000/4000/ "$dir/policy/hosts/all.yaml" && chmod 666 "$dir/policy/hosts/all.yaml"; }
write_all
kill -HUP "$daemon_pid"
check "a file that all may write is refused" wait_for 5 refused grep -q 'not touched' "$log"
check "and nothing changed" sh -c "! nft list table inet cordon | grep -q '\. 4000'"
chmod 644 "$dir/policy/hosts/all.yaml"

# -- the protected interface gets another name
ip link set lan8 down && ip link set lan8 name wan9 && ip link set wan9 up
check "renamed interface: enforced" enforced
check "renamed interface: the daemon lives" kill -0 "$daemon_pid"

gone
echo "$checks checks, $failed failed"
[ $failed = 0 ]
