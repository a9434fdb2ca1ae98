#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: a container boots: no packet passes before the table is there; the units' life
set -u
# systemd needs the machine's own root: in a user namespace it mounts no control groups.
[ "$(id -u)" = 0 ] || { echo "SKIP: only root can boot a container"; exit 77; }
for tool in systemd-nspawn nsenter python3; do
	command -v $tool >/dev/null || { echo "SKIP: no $tool (package systemd-container)"; exit 77; }
done
. "$(dirname "$0")/../lib/netns.sh"
netns_enter "$0" "$@"

build=$(readlink -f "${BUILD:-build}")
top=$(readlink -f "$(dirname "$0")/../..")
dir=/run/boot
root=$dir/root
. "$(dirname "$0")/../lib/check.sh"

# -- a machine: this one's /usr, its own /etc, our units
mkdir -p "$root"/usr "$root"/etc/systemd/system/sysinit.target.wants \
	"$root"/etc/systemd/system/multi-user.target.wants "$root"/etc/cordon/policy/hosts \
	"$root"/opt "$root"/var/lib "$root"/var/log "$root"/tmp "$root"/proc "$root"/sys \
	"$root"/dev "$root"/run "$root"/root "$root"/etc/sysusers.d "$root"/etc/tmpfiles.d
for d in bin sbin lib lib64; do ln -s "usr/$d" "$root/$d"; done
cp "$build/cordond" "$build/cordon" "$root/opt/"
cp "$top/systemd/cordon.sysusers" "$root/etc/sysusers.d/cordon.conf"
cp "$top/systemd/cordon.tmpfiles" "$root/etc/tmpfiles.d/cordon.conf"
for u in cordon-early cordond; do
	sed 's,@SBINDIR@,/opt,g; s,@SYSCONFDIR@,/etc,g' "$top/systemd/$u.service" \
		>"$root/etc/systemd/system/$u.service"
done
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
echo gateway >"$root/etc/hostname"
cp /etc/os-release "$root/etc/os-release"
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/usr/sbin/nologin\n' >"$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
# what the network's manager would do, as late as it may
cat >"$root/etc/systemd/system/net-up.service" <<END
[Unit]
DefaultDependencies=no
After=network-pre.target
Wants=network-pre.target
Before=network.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'date +%%s.%%N >/run/net-up; ip link set lan8 up; ip link set wan9 up'
[Install]
WantedBy=multi-user.target
END
ln -s ../cordon-early.service "$root/etc/systemd/system/sysinit.target.wants/"
for u in cordond net-up; do
	ln -s "../$u.service" "$root/etc/systemd/system/multi-user.target.wants/"
done
ln -s /usr/lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
cat >"$root/etc/cordon/policy/cordon.yaml" <<END
cordon: 1
gateway:
  interfaces: [lan8]
  addresses: [10.20.8.1]
  protect: [10.20.8.0/24]
  management: [10.1.0.0/24]
log: { file: /var/log/cordon/events.jsonl, journald: true }
END
port() { # PORT
	cat >"$root/etc/cordon/policy/hosts/erp.yaml" <<-END
		host: erp
		addresses: [10.20.8.11]
		allow:
		  inbound:
		    - { service: udp/$1, from: 10.30.0.7, reason: test }
	END
}
port 5001

# -- its network: configured, forwarding, but down
netns_add gw
netns_add host
netns_add out
netns_link gw lan8 host eth0
netns_link gw wan9 out eth0
netns_addr gw lan8 10.20.8.1/24
netns_addr gw wan9 10.30.0.1/24
netns_addr host eth0 10.20.8.11/24
netns_addr out eth0 10.30.0.7/24
netns_sysctl gw ipv4/ip_forward=1
netns_route host 10.20.8.1
netns_exec gw ip link set lan8 down
netns_exec gw ip link set wan9 down
# one allowed port, two others; every millisecond each, from before the start on
netns_exec out python3 -c '
import socket, subprocess, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    for port in (5001, 5002, 5003):
        try:
            s.sendto(b"a packet of some bytes", ("10.20.8.11", port))
        except OSError:
            pass
    time.sleep(0.001)' &
netns_exec out ip route add default via 10.30.0.1 dev eth0 onlink
netns_exec host python3 -u -c '
import os, select, socket, sys
socks = {}
for p in (5001, 5002, 5003):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("0.0.0.0", p))
    socks[s] = p
n = {p: 0 for p in socks.values()}
while True:
    for s in select.select(list(socks), [], [])[0]:
        s.recv(100)
        n[socks[s]] += 1
        with open(sys.argv[1] + ".new", "w") as f:
            f.write(" ".join(f"{p}:{c}" for p, c in n.items()) + "\n")
        os.replace(sys.argv[1] + ".new", sys.argv[1])' "$dir/got" & # never read half
got() { sed -n "s/.*$1:\([0-9]*\).*/\1/p" "$dir/got" 2>/dev/null; }
passes() { [ "$(got "$1")" -gt "${2:-0}" ]; }
more() { n=$(got "$1") && sleep 0.5 && passes "$1" "$n"; }
none() { # PORT...: not one, since the beginning
	for p; do [ "$(got "$p")" = 0 ] || { cat "$dir/got" && return 1; }; done
}

# -- boot
boot() {
	: >"$dir/console"
	systemd-nspawn -q -D "$root" --bind-ro=/usr --boot --register=no --keep-unit \
		--capability=CAP_NET_ADMIN,CAP_NET_RAW --console=pipe \
		--network-namespace-path="/proc/$(netns_pid gw)/ns/net" \
		</dev/null >"$dir/console" 2>&1 &
	nspawn=$!
	wait_for 20 init find_init && wait_for 60 systemd running
}
find_init() { init=$(pgrep -P "$nspawn" -x systemd); } # before, a helper of nspawn's
in_it() { nsenter -t "$init" -m -u -i -n -p -- "$@"; }
running() { in_it systemctl is-active multi-user.target | grep -qx active; }
off() {
	in_it systemctl poweroff >/dev/null 2>&1
	wait_for 30 end sh -c "! kill -0 $nspawn 2>/dev/null" || kill -9 "$init" "$nspawn"
	wait "$nspawn" 2>/dev/null
}
status() { in_it /opt/cordon --runtime-dir /run/cordon status; }
# In what rules allow; the sets of denied flows name the port, too.
has() {
	in_it nft list table inet cordon |
		awk -v p=". $1" '$1 ~ /^(set|map)$/ { s = $2 } s !~ /_flows/ && index($0, p) { f = 1 } END { exit !f }'
}
has_not() { ! has "$1"; }
is_active() { in_it systemctl is-active "$1" | grep -qx active; }

if ! boot; then
	echo "SKIP: no container boots here: $(tail -n 3 "$dir/console" | tr '\n' ' ')"
	exit 77
fi
check "first boot, without a last good policy: early unit" is_active cordon-early.service
check "the daemon announced itself" is_active cordond.service
check "as user cordon" sh -c "[ \$(nsenter -t $init -p -m ps -o user= -C cordond | sort -u | head -1) = cordon ]"
check "what is allowed passes" wait_for 10 packets passes 5001
check "nothing else ever did" none 5002 5003
check "the early unit was done before the network came up" sh -c "
	[ \$(nsenter -t $init -m -p systemctl show -P ExecMainExitTimestampMonotonic cordon-early.service) -le \
	  \$(nsenter -t $init -m -p systemctl show -P ExecMainStartTimestampMonotonic net-up.service) ]"

# -- the unit's life
port 5002
check "systemctl reload" in_it systemctl reload cordond.service
check "reload: the new rule" wait_for 10 reload has 5002
check "reload: it passes" wait_for 5 packets passes 5002
check "reload: the old one does not" sh -c "a=\$(cat $dir/got | cut -d' ' -f1); sleep 0.5; [ \$(cut -d' ' -f1 $dir/got) = \$a ]"
check "systemctl stop" in_it systemctl stop cordond.service
check "stopped: the rules stay" has 5002
check "stopped: none of 5003" none 5003
check "systemctl start" in_it systemctl start cordond.service
check "READY: the kernel has it" has 5002
main=$(in_it systemctl show -P MainPID cordond.service)
in_it kill -9 "$main"
check "killed: the rules stay" has 5002
check "killed: systemd starts it again" wait_for 15 restart is_active cordond.service
check "killed: and it answers" wait_for 15 answer status
check "restart" in_it systemctl restart cordond.service

# -- an unconfirmed policy, then the machine is started anew
port 5003
check "apply --confirm" in_it /opt/cordon --runtime-dir /run/cordon apply --confirm 10m
check "in force" has 5003
off
netns_exec gw nft flush ruleset
netns_exec gw nft delete table inet cordon 2>/dev/null
netns_exec gw ip link set lan8 down
netns_exec gw ip link set wan9 down
sleep 0.2
had=$(got 5003)
if boot; then
	check "boot before the confirm: the policy before" has 5002
	check "boot before the confirm: not the unconfirmed one" has_not 5003
	check "it passes" wait_for 10 packets more 5002
	check "not one packet of the other" test "$(got 5003)" = "$had"
	check "status: nothing waits, the tree is held" sh -c "
		nsenter -t $init -m -u -i -n -p /opt/cordon --runtime-dir /run/cordon status | grep -q rolled"
else
	check "second boot" false
fi

# -- a broken tree and no daemon: the early unit alone
echo 'alow: 1' >>"$root/etc/cordon/policy/hosts/erp.yaml"
rm "$root/etc/systemd/system/multi-user.target.wants/cordond.service"
off
netns_exec gw nft flush ruleset
netns_exec gw nft delete table inet cordon 2>/dev/null
netns_exec gw ip link set lan8 down
netns_exec gw ip link set wan9 down
sleep 0.2
had=$(got 5003)
if boot; then
	check "broken tree, early unit alone: it did its work" is_active cordon-early.service
	check "its rules are the last good ones" has 5002
	check "they pass" wait_for 10 packets more 5002
	check "nothing else" test "$(got 5003)" = "$had"
else
	check "third boot" false
fi
off
echo "$checks checks, $failed failed"
if [ $failed != 0 ]; then
	tail -n 60 "$dir/console" | sed 's/^/console: /'
	exit 1
fi
