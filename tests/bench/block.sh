#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: a real cordond: time to a block, calm and during reloads; time of a reload
#
# block.sh BUILD HOSTS SAMPLES: HOSTS of the bench policy, and one to attack.
set -u
here=$(cd "$(dirname "$0")" && pwd)
BUILD=$(cd "$1" && pwd)
hosts=$2 samples=$3
. "$here/../lib/netns.sh"
netns_enter "$0" "$BUILD" "$hosts" "$samples"

run=/run/bench
policy=$run/policy
target=10.65.0.11
mkdir -p $policy $run/state
python3 "$here/policy.py" "$hosts" $policy || exit 1
sed -i 's/^block:.*/block: { ttl: 1h, on: [guard, exposure] }/
	s,^log:.*,sensor: { interfaces: [lan8] }\nlog: { file: '$run'/events.jsonl\, journald: false },' \
	$policy/cordon.yaml
cat >$policy/hosts/target.yaml <<END
host: target
addresses: [$target]
allow:
  inbound:
    - service: tcp/8080
      from: 10.30.0.0/16
      reason: the port that is attacked
END

netns_add gw && netns_add db && netns_add pc || exit 77
netns_link gw lan8 db eth0 && netns_link gw wan pc eth0 || exit 77
set_mac() { netns_exec "$1" ip link set "$2" address "$3"; }
set_mac gw lan8 02:00:00:00:00:01 && set_mac db eth0 02:00:00:00:00:02 || exit 77
set_mac gw wan 02:00:00:00:00:03 && set_mac pc eth0 02:00:00:00:00:04 || exit 77
netns_addr gw lan8 10.64.0.1/12
netns_addr gw wan 10.30.0.1/16
netns_sysctl gw ipv4/ip_forward=1
netns_exec gw ip neigh replace $target lladdr 02:00:00:00:00:02 dev lan8 nud permanent

netns_exec gw "$BUILD/cordond" -d -c $policy --runtime-dir $run --state-dir $run/state \
	>$run/log 2>&1 &
cordon() { netns_exec gw "$BUILD/cordon" --runtime-dir $run "$@"; }
sensor_up() { cordon status --format json | grep -q '"sensor":{"up":true'; }
if ! wait_for 120 "cordond with $hosts hosts" sensor_up; then
	if grep -q 'Message too long\|No buffer space' $run/log; then
		echo "  SKIP: $hosts hosts: so large a transaction needs a socket buffer that" \
			"only the system's root may set"
		exit 0
	fi
	tail -20 $run/log
	exit 1
fi
sleep 1

# RT=1: what is measured gets the processor when it wakes up, on a busy machine, too; the
# loader and other helpers don't.
first=
if [ -n "${RT:-}" ]; then
	for pid in $(pgrep -f 'cordond -d -c'; pgrep -f -- '--role'); do
		chrt -R -r -p 5 "$pid"
	done
	first='chrt -r 6'
fi

measure() { # FIRST-SOURCE
	$first "$BUILD/bench/bench_block" "$samples" "$1" "$(netns_pid gw)" "$(netns_pid db)" \
		"$(netns_pid pc)" $target
}

ms() { awk '{ sum += $1; if (!n || $1 < min) min = $1; if ($1 > max) max = $1; v[n++] = $1 }
	END { asort_(v, n); printf "%.1f ms (%.1f .. %.1f, n %d)", v[int(n / 2)], min, max, n }
	function asort_(a, n, i, j, t) { for (i = 1; i < n; i++) { t = a[i]
		for (j = i - 1; j >= 0 && a[j] > t; j--) a[j + 1] = a[j]; a[j + 1] = t } }'; }

change() { # the ports of one host in the middle
	file=$policy/hosts/host$(printf %05d $((hosts / 2))).yaml
	if grep -q 'service: mssql' "$file"; then
		sed -i 's,service: mssql,service: tcp/1434,' "$file"
	else
		sed -i 's,service: tcp/1434,service: mssql,' "$file"
	fi
}

echo " calm:"
measure 0 || { tail -20 $run/log; exit 1; }

echo " reload with one host of $hosts changed, asked for and waited for on the socket:"
for i in 1 2 3 4 5; do
	change
	cordon reload --format json >$run/reload.$i 2>&1 || { cat $run/reload.$i; exit 1; }
done
printf '  whole                      %s\n' \
	"$(sed -n 's/.*"took_us": *\([0-9]*\).*/\1/p' $run/reload.? | awk '{ print $1 / 1000 }' | ms)"
last() { sed -n "s/.*generation [0-9]*: .*[ +]\([0-9]*\) $1.*/\1/p" $run/log | tail -5; }
printf '  kernel transaction         %s\n' "$(last 'us to commit' | awk '{ print $1 / 1000 }' | ms)"
printf '  bytes sent                 %s\n' "$(last bytes | tail -1)"

change_all() { # the same of every host: most elements of the largest maps
	if grep -q 'service: mssql' $policy/hosts/host00000.yaml; then
		sed -i 's,service: mssql,service: tcp/1434,' $policy/hosts/*.yaml
	else
		sed -i 's,service: tcp/1434,service: mssql,' $policy/hosts/*.yaml
	fi
}

during() { # CHANGE FIRST-SOURCE: measure while reloads follow each other
	(while :; do
		$1
		cordon reload >/dev/null 2>&1
		sleep 0.05
	done) &
	reloads=$!
	measure "$2"
	rc=$?
	kill $reloads
	wait $reloads 2>/dev/null
	[ $rc = 0 ] || tail -20 $run/log
	return $rc
}

echo " during such reloads, one after the other:"
during change 10000 || exit 1
echo " during reloads that change a port of all $hosts hosts:"
during change_all 20000 || exit 1
# Two lines a reload: up to the switch, and what was taken away after it.
sed -n 's/.*, \([+-][0-9]*\) \([+-][0-9]*\) elements.* \([0-9]*\) pieces, the longest \([0-9]*\) us.*/\1 \2 \3 \4/p' $run/log |
	awk '$3 > 0 { if ($1 > 0) { n++; add = $1; p = 0 } del = $2; p += $3; if ($4 > max) max = $4 }
		END { if (n) printf "  %d such reloads, the last +%d %d elements in %d pieces; longest commit of all %.1f ms\n", n, add, del, p, max / 1000 }'
