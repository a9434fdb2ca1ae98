#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: single packets through the kernel's rules: place, gateway, openings, guards
#
# 50-packets.sh BUILD
set -u
build=$1
here=$(cd "$(dirname "$0")" && pwd)
for tool in nft ip python3; do
	command -v $tool >/dev/null || { echo "SKIP: no $tool"; exit 77; }
done
user=
[ "$(id -u)" = 0 ] || user=-Ur
unshare ${user:+$user} -n true 2>/dev/null || { echo "SKIP: no namespaces allowed"; exit 77; }
PYTHONDONTWRITEBYTECODE=1 exec unshare ${user:+$user} -n python3 "$here/cases.py" \
	"$build/cordon" "$build/cordond"
