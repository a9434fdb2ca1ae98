#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: evaluator = nft text = netlink rendering, with real packets
#
# 40-agreement.sh BUILD [POLICIES [FLOWS [SEED]]]
set -u
build=$1
shift
[ $# -gt 0 ] || set -- 8 300
here=$(cd "$(dirname "$0")" && pwd)
for tool in nft ip conntrack python3; do
	command -v $tool >/dev/null || { echo "SKIP: no $tool"; exit 77; }
done
user=
[ "$(id -u)" = 0 ] || user=-Ur
unshare ${user:+$user} -n true 2>/dev/null || { echo "SKIP: no namespaces allowed"; exit 77; }
PYTHONDONTWRITEBYTECODE=1 exec unshare ${user:+$user} -n python3 "$here/agreement.py" \
	"$build/cordon" "$build/cordond" "$@"
