#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: what guards cost a forwarded packet in the kernel, beside a bare ct state chain
#
# guards.sh BUILD ROUNDS: one connection of small segments through a gateway in
# namespaces, in turn with no rules, with a chain of `ct state`, with a policy whose
# guards are all disabled, and with all of them.  CPU of the sender a segment.
set -u
here=$(cd "$(dirname "$0")" && pwd)
BUILD=$(cd "$1" && pwd)
rounds=$2
. "$here/../lib/netns.sh"
netns_enter "$0" "$BUILD" "$rounds"

run=/run/guards
mkdir -p $run/none/hosts $run/all/hosts
for p in none all; do
	cat >$run/$p/cordon.yaml <<END
cordon: 1
gateway:
  interfaces: [lan8]
  addresses: [10.20.8.1, 10.1.9.1]
  protect: [10.20.8.0/24]
log: { file: $run/events.jsonl, journald: false }
END
	cat >$run/$p/hosts/db.yaml <<END
host: db
addresses: [10.20.8.11]
allow:
  inbound:
    - {service: tcp/8080, from: 10.1.9.5, reason: bench}
guards:
END
done
for g in "$here"/../../rules/guards/*.yaml; do
	id=$(basename "$g" .yaml)
	grep -q '^where: builtin' "$g" && continue
	echo "  $id: { action: disabled, reason: bench, expires: 2099-01-01 }" >>$run/none/hosts/db.yaml
	grep -q '^where: sensor' "$g" && continue
	echo "  $id: { action: drop }" >>$run/all/hosts/db.yaml
done
netns_add gw && netns_add db && netns_add pc || exit 77
netns_link gw lan8 db eth0 && netns_link gw wan pc eth0 || exit 77
netns_addr gw lan8 10.20.8.1/24
netns_addr gw wan 10.1.9.1/24
netns_addr db eth0 10.20.8.11/24
netns_addr pc eth0 10.1.9.5/24
netns_route db 10.20.8.1
netns_route pc 10.1.9.1
netns_sysctl gw ipv4/ip_forward=1
netns_exec db "$BUILD/bench/bench_forward" sink 8080 &
sleep 1

cat >$run/ct.nft <<END
table inet base {
	chain forward {
		type filter hook forward priority -10; policy drop
		ct state established,related accept
		ip saddr 10.1.9.5 ip daddr 10.20.8.11 tcp dport 8080 ct state new accept
	}
}
END
: >$run/empty.nft
for p in none all; do
	"$BUILD/cordon" compile $run/$p >$run/$p.nft || exit 1
done
i=0
while [ $i -lt "$rounds" ]; do
	for r in empty ct none all; do
		netns_exec gw nft flush ruleset
		netns_exec gw nft -f $run/$r.nft || exit 1
		netns_exec pc "$BUILD/bench/bench_forward" send 10.20.8.11 8080 40000 >>$run/$r.ns || exit 1
	done
	i=$((i + 1))
done
python3 - $run <<'END'
import statistics, sys
took = {r: [float(l.split()[0]) for l in open(f"{sys.argv[1]}/{r}.ns")] for r in ("empty", "ct", "none", "all")}
names = {"empty": "no rules", "ct": "a bare `ct state` chain", "none": "cordon, guards disabled",
         "all": "cordon, all guards of the kernel"}
for r, ns in took.items():
    ns_sorted, ratio = sorted(ns), [a / b for a, b in zip(ns, took["ct"])]
    print(f"  {names[r]:34} {statistics.median(ns):7.0f} ns a segment  ({ns_sorted[0]:.0f} .. "
          f"{ns_sorted[-1]:.0f}, n {len(ns)})  {statistics.median(ratio):.2f}x of ct state")
END
