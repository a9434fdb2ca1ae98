#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: single packets through the kernel's rules: place, gateway, NAT, fragments, errors, openings, what is benign, guards, evasions, gates
#
# 50-packets.sh BUILD [SET...]   cases, evasions, gates, places, benign, ownguards
set -u
build=$1
shift
[ $# -gt 0 ] || set -- cases evasions gates places benign ownguards
here=$(cd "$(dirname "$0")" && pwd)
for tool in nft ip python3; do
	command -v $tool >/dev/null || { echo "SKIP: no $tool"; exit 77; }
done
user=
[ "$(id -u)" = 0 ] || user=-Ur
unshare ${user:+$user} -n true 2>/dev/null || { echo "SKIP: no namespaces allowed"; exit 77; }
export PYTHONDONTWRITEBYTECODE=1
bad=0
for set; do
	unshare ${user:+$user} -n python3 "$here/$set.py" "$build/cordon" "$build/cordond" || bad=1
done
exit $bad
