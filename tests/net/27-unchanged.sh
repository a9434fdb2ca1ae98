#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: an unchanged tree is recognised, whatever else changed is loaded
#
# "Unchanged" is told by the answer and the log; that nothing was sent, by the generation
# in the table and by no new loader result.
set -u
. "$(dirname "$0")/../lib/netns.sh"
netns_enter "$0" "$@"

CORDON=$(readlink -f "${BUILD:-build}/cordon")
dir=/run/unchanged
log=$dir/log
. "$(dirname "$0")/../lib/check.sh"
mkdir -p "$dir/run" "$dir/state" "$dir/policy/hosts"
cp "$(readlink -f "${BUILD:-build}/cordond")" "$dir/cordond" # another build id, later

cordon() { "$CORDON" --runtime-dir "$dir/run" "$@"; }
answers() { cordon status; }
daemon() {
	: >"$log"
	"$dir/cordond" -c "$dir/policy" --runtime-dir "$dir/run" --state-dir "$dir/state" \
		2>>"$log" &
	daemon_pid=$!
	wait_for 20 engine answers
}
stopped() {
	kill -TERM "$daemon_pid"
	wait "$daemon_pid"
}
generation() { nft list table inet cordon | grep -o 'g[0-9][0-9]* ' | sort -u | head -1; }
same() { # COMMAND...: it says unchanged, and the kernel has what it had
	before=$(generation)
	cordon "$@" >"$dir/said" || return 1
	cat "$dir/said"
	grep -q '^unchanged: ' "$dir/said" && [ "$(generation)" = "$before" ]
}
loaded() { # COMMAND...: it was read, and put in force as another generation
	before=$(generation)
	cordon "$@" >"$dir/said" || return 1
	cat "$dir/said"
	grep -q 'is in force' "$dir/said" && [ "$(generation)" != "$before" ]
}
said_more() { [ "$(grep -c 'the tree is unchanged' "$log")" -gt "$1" ]; }
from_store() { grep 'its stored policy is used' "$log"; }
from_tree() { ! from_store && grep 'in force' "$log"; }
rule() { # MORE
	printf 'host: erp\naddresses: [10.20.8.11]\nallow:\n  inbound:\n' \
		>"$dir/policy/hosts/erp.yaml"
	printf '    - { service: tcp/1433, from: 10.30.0.7, reason: test%s }\n' "$1" \
		>>"$dir/policy/hosts/erp.yaml"
}
until_second() { while [ "$(date +%s)" -lt "$1" ]; do sleep 0.1; done; }
flip() { # FILE OFFSET: one bit of one byte
	python3 -c '
import sys
with open(sys.argv[1], "r+b") as f:
    at = int(sys.argv[2]) if int(sys.argv[2]) >= 0 else f.seek(0, 2) + int(sys.argv[2])
    f.seek(at)
    b = f.read(1)[0] ^ 1
    f.seek(at)
    f.write(bytes([b]))' "$1" "$2"
}
other_build() { # FILE: another build id, as another compilation would have
	python3 -c '
import sys
data = bytearray(open(sys.argv[1], "rb").read())
at = data.find(b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0")
if at < 0:
    sys.exit("no build id")
data[at + 16] ^= 1
open(sys.argv[1] + ".new", "wb").write(data)' "$1" && chmod 755 "$1.new" && mv "$1.new" "$1"
}

ip link add lan8 type veth peer name host8
ip addr add 10.20.8.1/24 dev lan8
ip link set lan8 up
ip link set host8 up
echo 1 >/proc/sys/net/ipv4/ip_forward
cat >"$dir/policy/cordon.yaml" <<-END
	cordon: 1
	gateway:
	  interfaces: [lan8]
	  addresses: [10.20.8.1]
	  protect: [10.20.8.0/24]
	  timezone: Europe/Berlin
	sensor: { interfaces: [lan8] }
	log: { file: $dir/events.jsonl, journald: false }
END
rule ''

# -- while it runs
check "the first start reads the tree" daemon
check "and nothing stored" from_tree
check "nothing changed: nothing is sent" same reload
check "apply says so too" same apply
touch -d '2001-02-03' "$dir/policy/cordon.yaml" "$dir/policy/hosts/erp.yaml"
check "another time of the files: nothing is sent" same reload
said=$(grep -c 'the tree is unchanged' "$log")
kill -HUP "$daemon_pid"
check "SIGHUP: nothing is sent" wait_for 5 log said_more "$said"
sed -i 's/reason: test/reason: tesu/' "$dir/policy/hosts/erp.yaml"
check "one byte of a reason: loaded" loaded reload
check "and then known" same reload
mv "$dir/policy/hosts/erp.yaml" "$dir/policy/hosts/erq.yaml"
check "another name of a file: loaded" loaded reload
printf '# nothing\n' >"$dir/policy/groups.yaml"
check "a file more that is no policy: refused as ever" sh -c "
	! '$CORDON' --runtime-dir $dir/run reload"
rm "$dir/policy/groups.yaml"
check "and gone again: nothing is sent" same reload
check "another commit: loaded" loaded apply --commit 0123abc
check "the same commit: nothing is sent" same apply --commit 0123abc
check "no commit again: loaded" loaded reload
chmod o+w "$dir/policy/hosts/erq.yaml"
check "writable for others: refused, though unchanged" sh -c "
	! '$CORDON' --runtime-dir $dir/run reload"
chmod o-w "$dir/policy/hosts/erq.yaml"
check "a trial of the unchanged tree: loaded" loaded apply --confirm 60s
check "and confirmed" cordon confirm
check "and known" same reload

# -- the time
mv "$dir/policy/hosts/erq.yaml" "$dir/policy/hosts/erp.yaml"
end=$(($(date +%s) + 4))
rule ", expires: $(date -u -d "@$end" +%Y-%m-%dT%H:%M:%SZ)"
check "a rule that ends soon" loaded reload
until_second $((end + 2))
check "it has ended: loaded" loaded reload
check "and then known" same reload

# -- over a restart
stopped
check "a start" daemon
check "takes what is stored" from_store
check "with its rules" sh -c "nft list table inet cordon | grep -q 10.20.8.11"
check "and reads nothing afterwards either" same reload
stopped
other_build "$dir/cordond" || exit 1
check "a start of another build" daemon
check "reads the tree" from_tree
stopped
check "a start of that build again" daemon
check "takes what is stored" from_store
stopped
chmod o+w "$dir/state/last-good"
check "a start with a store that others may write" daemon
check "reads the tree" from_tree
stopped
flip "$dir/state/last-good" -100
check "a start with a damaged store" daemon
check "says so" grep "can't be used" "$log"
check "reads the tree" from_tree
stopped
sed -i 's/tcp\/1433/tcp\/1434/' "$dir/policy/hosts/erp.yaml"
check "a start with one byte changed" daemon
check "reads the tree" from_tree
end=$(($(date +%s) + 5))
rule ", expires: $(date -u -d "@$end" +%Y-%m-%dT%H:%M:%SZ)"
check "a rule that ends soon" loaded reload
stopped
until_second "$end"
check "a start behind its end" daemon
check "reads the tree" from_tree
stopped

echo "$checks checks, $failed failed"
if [ $failed != 0 ]; then
	sed 's/^/log: /' "$log"
	exit 1
fi
