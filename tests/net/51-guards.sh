#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: guards against real tools: dropped at the packet, told by id; the twin passes
#
# 51-guards.sh BUILD.  Attack tools scan or send openings up to the bytes that a guard
# judges; nothing here carries a working payload.
set -u
here=$(cd "$(dirname "$0")" && pwd)
BUILD=$(cd "${1:-build}" && pwd)
LAB_SRC=$here/../lab
export BUILD LAB_SRC
. "$here/../lib/netns.sh"
for tool in nft ip nsenter smbclient xfreerdp Xvfb xrdp nmap openssl nc; do
	command -v $tool >/dev/null || { echo "SKIP: no $tool"; exit 77; }
done
/usr/bin/python3 -c 'import impacket' 2>/dev/null || { echo "SKIP: no python3-impacket"; exit 77; }
netns_enter "$0" "$BUILD"
. "$LAB_SRC/lab.sh"
lab_up || { tail -v -n 5 "$LAB"/log/*.log >&2; echo "the lab did not come up"; exit 1; }
netns_addr files01 eth0 10.20.8.13/24
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$LAB_SRC $LAB_PY "$here/guards.py" "$BUILD"
