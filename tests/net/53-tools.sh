#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: attackers' and administrators' tools, scans and passwords, against the whole daemon
#
# 53-tools.sh BUILD.  Scanners and remote administration as they ship; no exploit is run.
set -u
here=$(cd "$(dirname "$0")" && pwd)
BUILD=$(cd "${1:-build}" && pwd)
LAB_SRC=$here/../lab
export BUILD LAB_SRC
. "$here/../lib/netns.sh"
for tool in nft ip nsenter smbclient rpcclient net smbpasswd xfreerdp Xvfb xrdp nmap hydra openssl nc; do
	command -v $tool >/dev/null || { echo "SKIP: no $tool"; exit 77; }
done
/usr/bin/python3 -c 'import impacket' 2>/dev/null || { echo "SKIP: no python3-impacket"; exit 77; }
netns_enter "$0" "$BUILD"
. "$LAB_SRC/lab.sh"
lab_up || { tail -v -n 5 "$LAB"/log/*.log >&2; echo "the lab did not come up"; exit 1; }
# 20 hosts that a monitoring system asks, and who scans
for n in 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40; do
	netns_exec files01 ip addr add 10.20.8.$n/24 dev eth0
done
# A server that knows an account, where smbd runs: hydra tries its passwords.
netns_exec files01 ip addr add 10.20.8.41/24 dev eth0
if [ -f "$LAB/samba/smb.conf" ]; then
	printf 'right\nright\n' | smbpasswd -c "$LAB/samba/smb.conf" -s -a "$(id -un)" >/dev/null ||
		{ echo "smbpasswd failed"; exit 1; }
fi
for n in 67 68 69 70 71 72 73 74; do
	netns_exec intruder ip addr add 10.66.0.$n/24 dev eth0
done
netns_exec app-server ip addr add 10.30.0.8/24 dev eth0
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$LAB_SRC:$here $LAB_PY "$here/tools.py" "$BUILD" ${GROUPS_WANTED:-}
