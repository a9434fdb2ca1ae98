#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: the oracle = explain = nft text = netlink rendering = replay, with real packets
#
# run.sh BUILD [POLICIES FLOWS SEED [SECONDS]]    SEED may be "-"
set -u
build=$1
shift
[ $# -gt 0 ] || set -- 12 400
here=$(cd "$(dirname "$0")" && pwd)
for tool in nft ip conntrack python3; do
	command -v $tool >/dev/null || { echo "SKIP: no $tool"; exit 77; }
done
python3 -c 'import yaml, zoneinfo; zoneinfo.ZoneInfo("Europe/Berlin")' 2>/dev/null ||
	{ echo "SKIP: no python3-yaml or tzdata"; exit 77; }
user=
[ "$(id -u)" = 0 ] || user=-Ur
unshare ${user:+$user} -n true 2>/dev/null || { echo "SKIP: no namespaces allowed"; exit 77; }
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$here:$here/../net exec unshare ${user:+$user} -n python3 \
	"$here/run.py" "$build/cordon" "$build/cordond" "$here/../../rules/services" "$@"
