#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: what `require:` lets through of real clients: NLA, SMB2, signing
#
# 60-gates.sh BUILD   The same attempts pass before the rules are loaded, or the servers
# would be what refuses.
set -u
build=$(cd "$1" && pwd)
LAB_SRC=$(cd "$(dirname "$0")/../lab" && pwd)
. "$LAB_SRC/../lib/netns.sh"
for tool in ip nsenter xfreerdp Xvfb xrdp xrdp-keygen openssl nc smbd smbclient \
	freerdp-shadow-cli; do
	command -v $tool >/dev/null || { echo "SKIP: no $tool"; exit 77; }
done
netns_enter "$0" "$build"
LAB=/run/lab
. "$LAB_SRC/lab.sh"
bad=0 done=0

setup() {
	mkdir -p "$LAB/log" "$LAB/home" "$LAB/tmp"
	for n in gateway client nla other; do
		netns_add $n || return
	done
	netns_sysctl gateway ipv4/ip_forward=1 || return
	netns_link gateway out0 client eth0 && netns_link gateway lan1 nla eth0 &&
		netns_link gateway lan2 other eth0 || return
	netns_addr gateway out0 10.1.0.1/24 fd00:1::1/64
	netns_addr client eth0 10.1.0.5/24 fd00:1::5/64
	netns_route client 10.1.0.1 fd00:1::1
	netns_addr gateway lan1 10.20.8.1/28 fd00:8::1/64
	netns_addr nla eth0 10.20.8.2/28 fd00:8::2/64
	netns_route nla 10.20.8.1 fd00:8::1
	netns_addr gateway lan2 10.20.8.17/28 fd00:9::1/64
	netns_addr other eth0 10.20.8.18/28 fd00:9::2/64
	for n in 19 20; do
		netns_exec other ip addr add 10.20.8.$n/28 dev eth0
	done
	netns_route other 10.20.8.17 fd00:9::1
}

policy() {
	mkdir -p "$LAB/policy/hosts" "$LAB/state" "$LAB/runtime"
	cat >"$LAB/policy/cordon.yaml" <<-END
		cordon: 1
		gateway:
		  interfaces: [lan1, lan2]
		  protect: [10.20.8.0/24]
	END
	for h in "nla 2 rdp nla" "tls 18 rdp nla" "new 18 smb smb2" "signed 19 smb signing" \
		"plain 20 smb signing"; do
		set -- $h
		f=$LAB/policy/hosts/h$2.yaml
		[ -f "$f" ] || printf 'host: h%s\naddresses: [10.20.8.%s]\nallow:\n  inbound:\n' \
			$2 $2 >"$f"
		echo "    - { service: $3, from: 10.1.0.5, require: [$4], id: $1 }" >>"$f"
	done
}

smb_server() { # ADDRESS SIGNING
	d=$LAB/samba$1
	mkdir -p "$d/share"
	echo drawings >"$d/share/drawings.txt"
	cat >"$d/smb.conf" <<-END
		[global]
		netbios name = FILES$1
		server min protocol = NT1
		server signing = $2
		map to guest = Bad User
		guest account = $(id -un)
		smb ports = 445
		load printers = no
		disable spoolss = yes
		bind interfaces only = yes
		interfaces = 10.20.8.$1/28
		private dir = $d
		lock directory = $d
		state directory = $d
		cache directory = $d
		pid directory = $d
		ncalrpc dir = $d/ncalrpc
		log file = $LAB/log/smbd$1-own.log
		[share]
		path = $d/share
		guest ok = yes
	END
	lab_run other "smbd$1" smbd -F --no-process-group -l "$LAB/log" -s "$d/smb.conf"
}

servers() {
	# user, domain, LM hash, NT hash of "lab"
	echo 'lab:::2892d26cdf84d7a70e2eb3b9f05c425e:::' >"$LAB/sam"
	lab_display client && lab_display nla || return
	DISPLAY=$(lab_screen nla) lab_run nla shadow freerdp-shadow-cli /port:3389 /sec:nla \
		"/sam-file:$LAB/sam" /bind-address:10.20.8.2
	lab_xrdp_config || return
	lab_run other xrdp xrdp --nodaemon -c /etc/xrdp/xrdp.ini
	for a in nla:10.20.8.2:3389 other:10.20.8.18:3389; do
		IFS=: read -r ns ip port <<-END
			$a
		END
		wait_for 15 "server $a" netns_exec "$ns" nc -z -w 1 "$ip" "$port" || return
	done
	[ "$smb" = yes ] || return 0
	smb_server 18 auto && smb_server 19 mandatory && smb_server 20 auto || return
	for n in 18 19 20; do
		wait_for 15 "smbd $n" netns_exec other nc -z -w 1 10.20.8.$n 445 || return
	done
}

in_client() {
	HOME=$LAB/home TMPDIR=$LAB/tmp DISPLAY=$(lab_screen client) netns_exec client timeout 8 "$@" \
		</dev/null >"$LAB/log/client.log" 2>&1
}

rdp() { # ADDRESS SECURITY
	in_client xfreerdp "/v:10.20.8.$1" /u:lab /p:lab /cert:ignore +auth-only "/sec:$2" \
		/timeout:4000 && return
	# of a session in standard security xrdp says this at its end
	grep -q ERRINFO_LOGOFF_BY_USER "$LAB/log/client.log"
}

smb() { # ADDRESS DIALECT [OPTION]
	in_client smbclient -N "//10.20.8.$1/share" -m "$2" "--option=client min protocol=$2" \
		"--option=client signing=${3:-if_required}" -c ls
}

try() { # yes|no WHAT COMMAND...
	want=$1 what=$2
	shift 2
	done=$((done + 1)) got=no
	for _ in 1 2 3; do # a client on a busy machine may give up by itself
		"$@" && got=yes
		[ $got = yes ] || [ "$want" = no ] && break
	done
	[ $got = "$want" ] && return
	echo "FAILED $what: passes: $got, expected: $want"
	tail -n 4 "$LAB/log/client.log"
	bad=$((bad + 1))
}

attempts() { # yes: before the rules; no: under them
	try yes "xfreerdp /sec:nla to a server with NLA" rdp 2 nla
	try "$1" "xfreerdp /sec:tls to a server without" rdp 18 tls
	try "$1" "xfreerdp /sec:rdp to a server without" rdp 18 rdp
	[ "$smb" = yes ] || return
	try yes "SMB3 where smb2 is required" smb 18 SMB3
	try yes "SMB2_02 where smb2 is required" smb 18 SMB2_02
	try "$1" "SMB1 where smb2 is required" smb 18 NT1
	try yes "SMB3 where signing is required, the server signs" smb 19 SMB3
	try "$1" "SMB3 where signing is required, nobody does" smb 20 SMB3
}

smb=yes
if [ "$(cat /proc/self/setgroups)" != allow ]; then
	smb=no
	echo "gates: SKIP SMB: smbd needs real root" >&2
fi
if ! setup || ! servers; then
	tail -v -n 5 "$LAB"/log/*.log >&2
	echo "gates: the servers did not come up"
	exit 1
fi
policy
attempts yes
netns_exec gateway "$build/cordond" -e -c "$LAB/policy" --state-dir "$LAB/state" \
	--runtime-dir "$LAB/runtime" 2>"$LAB/log/cordond.log" ||
	{ cat "$LAB/log/cordond.log"; exit 1; }
attempts no
echo "gates: $done attempts, $bad failed"
[ $bad = 0 ]
