#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: apply --confirm, confirm, rollback: the way back works whatever dies
set -u
. "$(dirname "$0")/../lib/netns.sh"
netns_enter "$0" "$@"

dir=/run/confirm
log=$dir/log
. "$(dirname "$0")/../lib/check.sh"
. "$(dirname "$0")/../lib/daemon.sh"
unset SSH_CONNECTION

policy() { # PORT
	cat >"$dir/policy/cordon.yaml" <<-END
		cordon: 1
		gateway:
		  interfaces: [lan8]
		  addresses: [10.20.8.1]
		  protect: [10.20.8.0/24]
		  management: [10.1.0.0/24]
		log: { file: $dir/events.jsonl, journald: false }
	END
	cat >"$dir/policy/hosts/erp.yaml" <<-END
		host: erp
		addresses: [10.20.8.11]
		allow:
		  inbound:
		    - { service: tcp/$1, from: 10.30.0.7, reason: test }
	END
}
gives() { # EXIT ARGUMENTS...
	want=$1
	shift
	cordon "$@" >"$dir/said" 2>"$dir/err"
	got=$?
	[ $got = "$want" ] || { echo "exit $got, expected $want: $(cat "$dir/err")" && false; }
}
has() { nft list table inet cordon | grep -q "\. $1"; }
has_not() { ! has "$1"; }
field() { # of the policy in status
	cordon status --format json | python3 -c '
import json, sys
v = json.loads(sys.stdin.read() or "{\"policy\":{}}")["policy"]
for k in sys.argv[1].split("."):
    v = (v or {}).get(k)
print(json.dumps(v))' "$1"
}
is() { [ "$(field "$1")" = "$2" ] || { echo "$1 is $(field "$1")" && false; }; }
left() { n=$(field confirm_s) && echo "$n s are left" && [ "$n" -gt "$1" ]; }
event() { grep -q "\"kind\":\"policy\".*\"reason\":\"$1\"" "$dir/events.jsonl"; }

mkdir -p "$dir/run" "$dir/state" "$dir/policy/hosts"
ip link add lan8 type veth peer name host8
ip link add wan9 type veth peer name out9
ip addr add 10.20.8.1/24 dev lan8
ip addr add 192.0.2.1/24 dev wan9
for i in lan8 host8 wan9 out9; do ip link set $i up; done
policy 1001
daemon || exit 1

# -- nothing waits
check "confirm without a trial" gives 6 confirm
check "rollback without a policy before" gives 6 rollback
check "nothing to confirm in status" is confirm_s null
for t in 4s 2h 0 -5 nonsense 3601; do
	check "--confirm $t is refused" gives 2 apply "--confirm=$t"
done

# -- confirmed in time
policy 1002
check "apply --confirm" gives 0 apply --confirm 60s
check "it says what to do" grep -q 'cordon confirm' "$dir/said"
check "it is in force" has 1002
check "status says how long" left 40
check "and where it would go back to" test "$(field rollback_to.digest)" != null
check "in words, too" sh -c "'$CORDON' --runtime-dir $dir/run status | grep -q 'left to run'"
policy 1003
check "another apply is refused meanwhile" gives 6 apply
check "and said" grep -q 'cordon confirm' "$dir/err"
kill -HUP "$daemon_pid"
check "SIGHUP is refused meanwhile" wait_for 5 hangup grep -q 'waits to be confirmed' "$log"
check "nothing of it is in force" has_not 1003
check "the last good policy is still the one before" \
	sh -c "! cmp -s $dir/state/last-good $dir/state/trial-image"
check "confirm" gives 0 confirm
check "nothing waits any more" is confirm_s null
check "no trial is left on disk" test ! -e "$dir/state/trial" -a ! -e "$dir/state/trial-image"
check "confirming twice" gives 6 confirm
check "it stays" has 1002
check "event: trial" wait_for 5 event event trial
check "event: confirmed" wait_for 5 event event confirmed

# -- not confirmed: the CLI is long gone, nobody is there
check "apply --confirm 5s" gives 0 apply --confirm 5s
check "in force" has 1003
check "not confirmed: the policy before is back" wait_for 10 revert has 1002
check "and the new one is gone" has_not 1003
check "too late" gives 6 confirm
check "event: reverted" wait_for 5 event event reverted
check "the tree is held" is held true

# -- a start does not take what was rolled back
killed
check "restarted after a revert" daemon
check "still the policy before" has 1002
check "not the tree" has_not 1003
check "still held" is held true
check "apply takes the tree" gives 0 apply
check "in force" has 1003
check "not held any more" is held false
check "rollback without a trial: the one before" gives 0 rollback
check "it is" has 1002
check "event: rolled-back" wait_for 5 event event rolled-back
check "rolling back again returns" gives 0 rollback
check "it does" has 1003

# -- rollback of a trial
policy 1004
check "apply --confirm" gives 0 apply --confirm 60s
check "rollback at once" gives 0 rollback
check "the policy before" has 1003
check "nothing waits" is confirm_s null

# -- the daemon is killed meanwhile and comes back in time
check "apply --confirm" gives 0 apply --confirm 60s
killed
check "killed: the table stays" has 1004
check "restarted" daemon
check "the trial goes on" left 1
check "in force" has 1004
check "rollback after the restart" gives 0 rollback
check "the policy before" has 1003

# -- the daemon is killed meanwhile and comes back late
check "apply --confirm" gives 0 apply --confirm 5s
killed
sleep 6
check "killed: the table stays" has 1004
check "restarted late" daemon
check "the policy before" has 1003
check "and not the tree" has_not 1004
check "event: reverted-start" wait_for 5 event event reverted-start

# -- killed, started, killed again; the deadline is the first one
check "apply --confirm" gives 0 apply --confirm 8s
killed
check "restarted" daemon
killed
check "restarted again" daemon
check "the trial ends by itself" wait_for 10 revert has 1003

# -- the machine is started anew: another boot, and the table is gone
check "apply --confirm" gives 0 apply --confirm 600s
killed
echo 01234567-89ab-cdef-0123-456789abcdef >"$dir/boot"
if mount --bind "$dir/boot" /proc/sys/kernel/random/boot_id 2>/dev/null; then
	check "another boot: restarted" daemon
	check "another boot: the policy before" has 1003
	check "another boot: nothing waits" is confirm_s null
	umount /proc/sys/kernel/random/boot_id
else
	echo "SKIP another boot: /proc/sys can't be mounted over"
	daemon
	cordon rollback
fi
check "apply --confirm" gives 0 apply --confirm 600s
killed
nft delete table inet cordon
check "early unit: exit 0" "$CORDOND" -e -c "$dir/policy" --state-dir "$dir/state"
check "early unit: the policy before" has 1003
check "early unit: not the one on trial" has_not 1004
check "early unit, then the daemon" daemon
check "the policy before" has 1003
check "nothing waits" is confirm_s null

# -- a damaged record, a damaged image: back to the last good one, never the tree
check "apply --confirm" gives 0 apply --confirm 600s
killed
head -c 50 "$dir/state/trial" >"$dir/cut" && cp "$dir/cut" "$dir/state/trial"
check "damaged record: restarted" daemon
check "damaged record: the policy before" has 1003
check "apply --confirm" gives 0 apply --confirm 600s
killed
head -c 900 "$dir/state/trial-image" >"$dir/cut" && cp "$dir/cut" "$dir/state/trial-image"
check "damaged image: restarted" daemon
check "damaged image: the policy before" has 1003

# -- the state directory can't be written: no trial
killed
mkdir "$dir/small"
mount -t tmpfs -o size=256k none "$dir/small" && cp "$dir/state"/* "$dir/small/"
mount --move "$dir/small" "$dir/state" 2>/dev/null || mount --bind "$dir/small" "$dir/state"
check "full disk: started" daemon
head -c 1000000 /dev/zero >"$dir/state/fill" 2>/dev/null
check "full disk: no trial" gives 6 apply --confirm 60s
check "full disk: it is said" grep -q 'state directory' "$dir/err"
check "full disk: not in force" has_not 1004
rm "$dir/state/fill"

# -- the session that asks
ssh_from() { # EXIT "SSH_CONNECTION" ARGUMENTS...
	SSH_CONNECTION=$2
	export SSH_CONNECTION
	wanted=$1
	shift 2
	gives "$wanted" "$@"
	status=$?
	unset SSH_CONNECTION
	return $status
}
policy 1005
check "session of a legacy host: refused" \
	ssh_from 1 "10.20.8.11 40000 10.20.8.1 22" apply --confirm 60s
check "it says which rule" \
	grep -q 'host erp has no rule that allows it to 10.20.8.1 tcp/22' "$dir/err"
check "nothing was applied" has_not 1005
check "nothing waits" is confirm_s null
check "session of an undeclared address: refused" \
	ssh_from 1 "10.20.8.77 40000 10.20.8.1 22" apply
check "it says so" grep -q 'undeclared address in 10.20.8.0/24' "$dir/err"
check "reload is no way around" ssh_from 1 "10.20.8.11 40000 10.20.8.1 22" reload
check "as sshd writes IPv4 on an IPv6 socket" \
	ssh_from 1 "::ffff:10.20.8.11 40000 ::ffff:10.20.8.1 22" apply
check "--force" ssh_from 0 "10.20.8.11 40000 10.20.8.1 22" apply --force
check "in force" has 1005
policy 1006
check "session of management" ssh_from 0 "10.1.0.5 40000 10.20.8.1 22" apply
policy 1007
check "session from elsewhere" ssh_from 0 "192.0.2.9 40000 192.0.2.1 22" apply
check "through sudo: the environment above" \
	env SSH_CONNECTION="10.20.8.11 40000 10.20.8.1 22" sh -c \
	"env -u SSH_CONNECTION '$CORDON' --runtime-dir $dir/run apply; test \$? = 1"
# the uplink becomes a protected interface: whoever comes by it is spoofed
sed -i 's/interfaces: .*/interfaces: [lan8, wan9]/' "$dir/policy/cordon.yaml"
check "its interface becomes protected: refused" \
	ssh_from 1 "192.0.2.9 40000 192.0.2.1 22" apply
check "it says by which" grep -q '192.0.2.9 comes by wan9' "$dir/err"
policy 1008
sed -i 's/protect: .*/protect: [10.20.8.0\/24, 192.0.2.128\/25]/' "$dir/policy/cordon.yaml"
check "its address becomes protected: refused" \
	ssh_from 1 "192.0.2.200 40000 192.0.2.1 22" apply
check "it says by what it comes" \
	grep -q 'protected address, but comes by wan9' "$dir/err"
policy 1009
cat >>"$dir/policy/hosts/erp.yaml" <<END
  outbound:
    - { service: tcp/22, to: gateway, reason: the administrator sits there }
END
check "session of a legacy host with the rule" \
	ssh_from 0 "10.20.8.11 40000 10.20.8.1 22" apply
check "in force" has 1009
check "nonsense is refused" ssh_from 2 "10.20.8.11 40000 sideways" apply

killed
check "no system call was refused" sh -c "! grep 'seccomp:' $log"
check "no sanitizer complained" sh -c "! grep -A20 'Sanitizer\|runtime error' $log"
echo "$checks checks, $failed failed"
if [ $failed != 0 ]; then
	sed 's/^/log: /' "$log"
	exit 1
fi
