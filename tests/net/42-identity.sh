#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: captured sessions through the running daemon: who says to be what, and posture
#
# 42-identity.sh BUILD: the folder with cordon and cordond.  No root needed.
set -u
here=$(cd "$(dirname "$0")" && pwd)
BUILD=$(cd "${1:-build}" && pwd)
. "$here/../lib/netns.sh"
netns_enter "$0" "$BUILD"

run=/run/identity-test
events=$run/events.jsonl
mkdir -p $run/policy $run/state $run/ns
bad=0
fail() {
	echo "FAIL: $*" >&2
	bad=1
}
cases() { PYTHONDONTWRITEBYTECODE=1 python3 "$here/identity.py" "$@"; }
cases policy $run/policy $run || exit 1

netns_add gw && netns_add host && netns_add pc || exit 77
cp "$NETNS_DIR/host" "$NETNS_DIR/pc" $run/ns/
netns_link gw lan8 host eth0 && netns_link gw out0 pc eth0 || exit 77
# The peers' ends have no addresses: nobody there answers or resets by itself.
for link in gw,lan8,08:01 host,eth0,08:02 gw,out0,00:01 pc,eth0,00:02; do
	ns=${link%%,*} mac=02:00:00:00:${link##*,} dev=${link#*,} dev=${dev%,*}
	netns_exec $ns ip link set $dev address $mac mtu 65535 || exit 77
done
for ns in host pc; do
	netns_sysctl $ns ipv6/conf/eth0/disable_ipv6=1
done
netns_addr gw lan8 10.20.8.1/24 fd00:20:8::1/64
netns_addr gw out0 10.1.9.1/24 fd00:1:9::1/64
netns_sysctl gw ipv4/ip_forward=1 ipv6/conf/all/forwarding=1
neighbours() {
	for n in $(seq 10 60); do
		echo "neigh replace 10.20.8.$n lladdr 02:00:00:00:08:02 dev lan8 nud permanent"
		printf 'neigh replace fd00:20:8::%x lladdr 02:00:00:00:08:02 dev lan8 nud permanent\n' $n
	done
	echo "neigh replace 10.1.9.9 lladdr 02:00:00:00:00:02 dev out0 nud permanent"
	echo "neigh replace fd00:1:9::9 lladdr 02:00:00:00:00:02 dev out0 nud permanent"
}
neighbours | netns_exec gw ip -batch - || exit 1

"$BUILD/cordon" check $run/policy >$run/check 2>&1 || { cat $run/check >&2; exit 1; }
netns_exec gw "$BUILD/cordond" -c $run/policy --runtime-dir $run --state-dir $run/state \
	>$run/log 2>&1 &
cordond=$!
cordon() { netns_exec gw "$BUILD/cordon" --runtime-dir $run "$@"; }
sensor_up() { cordon status --format json | grep -q '"sensor":{"up":true'; }
wait_for 10 "the sensor" sensor_up || { cat $run/log >&2; exit 1; }

# ---- once a host, value and day ----
cases own $run || fail "captures of the own lab"
cases again $run || fail "the same once more"
# Declared anew, what was told is compared again.
sed -i 's/build: 6003/build: 6002/' $run/policy/hosts/wire-6002.yaml
cordon reload >$run/reload 2>&1 || { fail "reload"; cat $run/reload >&2; }
cases one $run wire-6002 agrees "build 6002, as declared" || fail "declared anew"
sed -i 's/build: 6002/build: 6003/' $run/policy/hosts/wire-6002.yaml
cordon reload >$run/reload 2>&1 || { fail "reload"; cat $run/reload >&2; }
# A run of the engine remembers, the next one tells it anew.
engine=$(pgrep -P $cordond -f 'role engine' || pgrep -f 'role engine')
kill -9 $engine
other_engine() { new=$(pgrep -f 'role engine') && [ "$new" != "$engine" ] && sensor_up; }
wait_for 5 "another engine" other_engine || fail "the engine did not come back"
cases one $run wire-6001 differs "build 6001, without Service Pack 2" || fail "another engine"

cases real $run
real=$?
[ $real = 0 ] || [ $real = 77 ] || fail "captures of others"

# ---- what a host says of itself shuts nobody out ----
cordon block --list --format json >$run/blocks || fail "blocks are not listed"
[ -s $run/blocks ] && fail "a block: $(cat $run/blocks)"
grep -q '"kind": *"blocked"' $events && fail "a block in the log"

# ---- the log is valid, and posture reads it ----
/usr/bin/python3 "$here/../lib/events-check.py" "$here/../../daemon/engine/events.schema.json" \
	$events --expect identity
[ $? = 1 ] && fail "an event is not as the schema has it"
cases posture "$BUILD/cordon" $run/policy $run || fail "posture"

kill "$(pgrep -o -f "^$BUILD/cordond -c")"
wait $cordond
grep 'seccomp:' $run/log && fail "a system call was refused"
grep -A20 'Sanitizer\|runtime error' $run/log && fail "a sanitizer complained"
[ $bad = 0 ] || cat $run/log >&2
[ $bad = 0 ] && echo "ok: what captured hosts say they are is told as it compares, and in posture"
exit $bad
