#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: record the lab's own captures of real SMB and RDP sessions
#
# capture.sh DIR       writes one file a row of the table below; tests/pcap/ holds them
# Needs root: smbd and tcpdump call setgroups, which a user namespace of one user forbids.
set -u
if [ $# -ne 1 ] || [ ! -d "$1" ]; then
	echo "usage: capture.sh DIR" >&2
	exit 2
fi
if [ "$(id -u)" != 0 ]; then
	echo "SKIP: recording needs root (smbd and tcpdump)" >&2
	exit 77
fi
LAB_SRC=$(cd "$(dirname "$0")" && pwd)
OUT=$(cd "$1" && pwd)
MAX_BYTES=30000
MIN_BYTES=3000 # a session that came to nothing is shorter
export LAB_SRC
. "$LAB_SRC/../lib/netns.sh"
netns_enter "$0" "$@"
. "$LAB_SRC/lab.sh"
lab_up || exit 1
HOME=$LAB/home DISPLAY=$(lab_screen jump-host)
export HOME DISPLAY

smb() { # HOST/SHARE PORT DIALECT [OPTION...]
	smb_share=$1 smb_port=$2 smb_dialect=$3
	shift 3
	netns_exec app-server smbclient -N "//$smb_share" -p "$smb_port" -m "$smb_dialect" \
		"--option=client min protocol=$smb_dialect" "$@" -c ls
}

rdp() { # HOST PORT SECURITY; standard RDP security ends after the logon, with an error
	netns_exec jump-host timeout 10 xfreerdp "/v:$1" "/port:$2" /u:lab /p:lab /cert:ignore \
		+auth-only "/sec:$3" || [ "$3" = rdp ]
}

# SMB3 with encryption needs a user that smbd knows.
smb3_user() {
	printf 'lab\nlab\n' | smbpasswd -c "$LAB/samba/smb.conf" -a -s "$(id -un)" >/dev/null
}

client() {
	netns_exec app-server $LAB_PY "$LAB_SRC/client.py" "$@"
}

# Database, web, an SSH-like greeting that the server sends first, one byte a segment.
benign() {
	client sql 10.20.8.11 1433 && client sql fd00:20:8::11 1433 &&
		client http 10.20.8.11 8080 && client slow 10.20.8.11 2222
}

heard() {
	grep -q 'listening on' "$LAB/tcpdump"
}

# record HOST NAME COMMAND...: what crosses HOST's interface while COMMAND runs
record() {
	rec_host=$1 rec_name=$2
	shift 2
	: >"$LAB/tcpdump"
	nsenter -t "$(netns_pid "$rec_host")" -n -- tcpdump -i eth0 -Z root -s 0 -U \
		--immediate-mode -w "$LAB/$rec_name" tcp 2>"$LAB/tcpdump" &
	rec_pid=$!
	wait_for 5 tcpdump heard || return
	if ! "$@" >"$LAB/command" 2>&1; then
		echo "$rec_name: the session failed:" >&2
		cat "$LAB/command" >&2
		return 1
	fi
	sleep 0.3 # the last FIN and RST are still on their way
	kill -INT $rec_pid && wait $rec_pid
	rec_size=$(stat -c %s "$LAB/$rec_name")
	if [ "$rec_size" -gt $MAX_BYTES ] || [ "$rec_size" -lt $MIN_BYTES ]; then
		echo "$rec_name: $rec_size bytes, not $MIN_BYTES-$MAX_BYTES" >&2
		return 1
	fi
	cat "$LAB/$rec_name" >"$OUT/$rec_name" && echo "$rec_name  $rec_size bytes"
}

lab_run erp-db01 greeting $LAB_PY "$LAB_SRC/services.py" greeting:2222
wait_for 5 greeting lab_listens erp-db01 2222 || exit 1

failed=0
record erp-db01 smb1-2008.pcap smb 10.20.8.11/erp 445 NT1 || failed=1
record erp-db01 smb1-netbios-v6.pcap smb fd00:20:8::11/erp 139 NT1 || failed=1
record erp-db01 smb1-port1433.pcap smb 10.20.8.11/erp 1433 NT1 || failed=1
record files01 smb2.pcap smb 10.20.8.12/drawings 445 SMB2_02 || failed=1
smb3_user || failed=1
record files01 smb3-encrypted.pcap smb 10.20.8.12/drawings 445 SMB3_11 \
	--client-protection=encrypt -U "$(id -un)%lab" || failed=1
record erp-db01 rdp-tls.pcap rdp 10.20.8.11 3389 tls || failed=1
record erp-db01 rdp-standard-v6.pcap rdp '[fd00:20:8::11]' 3389 rdp || failed=1
record erp-db01 rdp-port8080.pcap rdp 10.20.8.11 8080 tls || failed=1
record erp-db01 other-benign.pcap benign || failed=1
exit $failed
