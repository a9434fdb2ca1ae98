#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: whatever dies or is wrong, the table in the kernel is never less strict
set -u
. "$(dirname "$0")/../lib/netns.sh"
netns_enter "$0" "$@"

CORDOND=$(readlink -f "${BUILD:-build}/cordond")
dir=/run/lifecycle
log=$dir/log
. "$(dirname "$0")/../lib/check.sh"

write_policy() { # DIRECTORY PORT...: a gateway and a host with one rule a port
	mkdir -p "$1/hosts"
	cat >"$1/cordon.yaml" <<-END
		cordon: 1
		gateway:
		  interfaces: [lan8]
		  addresses: [10.20.8.1]
		  protect: [10.20.8.0/24]
		  management: [10.1.0.0/24]
		sensor: { interfaces: [lan8] }
		log: { file: $dir/events.jsonl, journald: false }
	END
	policy=$1
	shift
	{
		printf 'host: erp\naddresses: [10.20.8.11]\nallow:\n  inbound:\n'
		for port; do
			printf '    - service: tcp/%s\n      from: 10.30.0.7\n' "$port"
			printf '      reason: test\n'
		done
	} >"$policy/hosts/erp.yaml"
}

daemon() {
	"$CORDOND" -c "$dir/policy" --runtime-dir "$dir/run" --state-dir "$dir/state" \
		2>>"$log" &
	daemon_pid=$!
}

role_pid() { pgrep -P "$daemon_pid" -f -- "--role $1"; }
both_up() { role_pid sensor && role_pid engine; }
both_ready() { [ "$(grep -c 'is ready' "$log")" -ge "$1" ]; }
other_role() { now=$(role_pid "$1") && [ "$now" != "$2" ]; }
none_left() { ! pgrep -f -- '--role '; }
# Rules and sets without what counts or runs down by itself, and without the owner.
ruleset() {
	nft list table inet cordon 2>&1 |
		sed -E '/^\tflags/d; s/ # progname.*//; s/packets [0-9]+ bytes [0-9]+//; s/(expires|timeout) [0-9a-z]+//g'
}
same_rules() { ruleset >"$dir/now" && diff "$1" "$dir/now"; }
has_rule() { ruleset | grep -q "$1"; }
lines_with() { [ "$(grep -c -- "$2" "$log")" -ge "$1" ]; }
generation() { nft list table inet cordon | grep -o 'g[0-9]* ' | sort -u | head -1; }
status_of() { # EXPECTED COMMAND...
	expected=$1
	shift
	"$@"
	got=$?
	[ "$got" = "$expected" ] || { echo "exit $got, expected $expected" && false; }
}

mkdir -p "$dir/run" "$dir/state"
: >"$log"
ip link add lan8 type veth peer name host8
ip addr add 10.20.8.1/24 dev lan8
ip link set lan8 up
ip link set host8 up
echo 1 >/proc/sys/net/ipv4/ip_forward
write_policy "$dir/policy" 1433

# -- the dry run changes nothing
check "-n accepts the policy" status_of 0 "$CORDOND" -n -c "$dir/policy" \
	--state-dir "$dir/state"
check "-n leaves no table" sh -c '! nft list table inet cordon'

# -- start
daemon
check "both roles are ready" wait_for 10 ready sh -c "
	grep -q 'in force' $log && [ \$(pgrep -fc -- '--role (sensor|engine)') = 2 ]"
check "the table is there" has_rule 'hook forward'
check "the rule's port is there" has_rule 1433
check "the last good policy is kept" test -s "$dir/state/last-good"
check "the control socket is 0660" sh -c "[ \$(stat -c %a $dir/run/ctl.sock) = 660 ]"
check "a second daemon is refused" status_of 6 "$CORDOND" -c "$dir/policy" \
	--runtime-dir "$dir/run" --state-dir "$dir/state2"
check "-n works beside it" status_of 0 "$CORDOND" -n -c "$dir/policy"
for role in sensor engine; do
	check "$role has no capability left" wait_for 5 drop sh -c "
		grep -q 'CapPrm:.0000000000000000' /proc/$(role_pid $role)/status"
	check "$role is confined" wait_for 5 seccomp sh -c "
		grep -q 'NoNewPrivs:.1' /proc/$(role_pid $role)/status &&
		{ [ -n '${SAN:-}' ] || grep -q 'Seccomp:.2' /proc/$(role_pid $role)/status; }"
done
check "the enforcer keeps two capabilities" \
	grep -q 'CapPrm:.0000000000003000' /proc/$daemon_pid/status

# -- a role dies
ruleset >"$dir/before"
for role in sensor engine; do
	old=$(role_pid $role)
	kill -9 "$old"
	check "kill -9 $role: the table is unchanged" same_rules "$dir/before"
	check "kill -9 $role: it is back" wait_for 5 "$role" other_role $role "$old"
done
check "and the table is unchanged" same_rules "$dir/before"
check "both deaths are said" lines_with 2 'killed by signal 9'

# -- a bad policy
printf 'alow: 1\n' >>"$dir/policy/hosts/erp.yaml"
kill -HUP $daemon_pid
check "a bad policy is reported" wait_for 5 report lines_with 1 'was not touched'
check "with its place" grep -q 'hosts/erp.yaml:[0-9]*:[0-9]*: error' "$log"
check "and leaves the ruleset alone" same_rules "$dir/before"
check "-n says no" status_of 1 "$CORDOND" -n -c "$dir/policy" --state-dir "$dir/state"

# -- a good one
write_policy "$dir/policy" 1433 8080
kill -HUP $daemon_pid
check "a mended policy is in force" wait_for 5 reload has_rule 8080

# -- the table is removed by somebody (who may)
if nft delete table inet cordon 2>/dev/null; then
	check "a removed table is put back" wait_for 8 table has_rule 8080
	check "and it is said" lines_with 1 'putting it back'
else
	echo "ok   nobody else can delete the table (the kernel protects it)"
fi

# -- the parent dies
ruleset >"$dir/before"
kill -9 $daemon_pid
wait $daemon_pid 2>/dev/null
check "kill -9 of the daemon: the table stays" same_rules "$dir/before"
check "kill -9 of the daemon: no role is left" wait_for 5 roles none_left
check "kill -9 of the daemon: the table stays after that" same_rules "$dir/before"

# -- adopted, with a bad tree: the last good policy
cp -r "$dir/policy" "$dir/good"
printf 'alow: 1\n' >>"$dir/policy/hosts/erp.yaml"
daemon
check "a bad tree at the start: the last good policy" \
	wait_for 10 restored lines_with 1 'from the last good policy'
check "its rules are in force" has_rule 8080
check "it runs" wait_for 5 roles both_up
rm -r "$dir/policy" && mv "$dir/good" "$dir/policy"
kill -HUP $daemon_pid
check "the mended tree is loaded" wait_for 5 reload lines_with 4 'in force'

# -- the end
kill -TERM $daemon_pid
wait $daemon_pid
check "SIGTERM: exit 0" test $? = 0
check "SIGTERM: the rules stay" has_rule 8080
check "SIGTERM: no role is left" wait_for 5 roles none_left

# -- boot
nft delete table inet cordon
check "-e puts the last good policy in force" status_of 0 "$CORDOND" -e \
	-c "$dir/nowhere" --state-dir "$dir/state"
check "-e: the table is there" has_rule 8080
nft delete table inet cordon
head -c 900 "$dir/state/last-good" >"$dir/cut" && cp "$dir/cut" "$dir/state/last-good"
check "-e with a damaged image compiles the tree" status_of 0 "$CORDOND" -e \
	-c "$dir/policy" --state-dir "$dir/state"
check "-e: the table is there again" has_rule 8080
check "-e with nothing says so" status_of 6 "$CORDOND" -e -c "$dir/nowhere" \
	--state-dir "$dir/empty"
check "a start with nothing good is exit 1" status_of 1 "$CORDOND" -c "$dir/nowhere" \
	--runtime-dir "$dir/run" --state-dir "$dir/empty"
check "and leaves the table" has_rule 8080
check "-e with nothing left the table, too" sh -c "! nft list ruleset | grep -q 'policy drop'"
nft delete table inet cordon
check "-e with nothing at all closes, and says 6" status_of 6 "$CORDOND" -e \
	-c "$dir/nowhere" --state-dir "$dir/empty"
check "nothing is forwarded then" sh -c "nft list table inet cordon | \
	grep -q 'hook forward .* policy drop'"
check "the gateway itself stays reachable" sh -c "! nft list table inet cordon | \
	grep -q 'hook input'"
check "a policy takes its place" status_of 0 "$CORDOND" -e -c "$dir/policy" \
	--state-dir "$dir/state"
check "and forwards by its rules" sh -c "! nft list ruleset | grep -q 'policy drop'"

check "no system call was refused" sh -c "! grep 'seccomp:' $log"
check "no sanitizer complained" sh -c "! grep -A20 'Sanitizer\|runtime error' $log"
echo "$checks checks, $failed failed"
if [ $failed != 0 ]; then
	sed 's/^/log: /' "$log"
	exit 1
fi
