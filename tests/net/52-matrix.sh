#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: the evasion matrix: technique x protocol -> kernel, sensor or missed
#
# 52-matrix.sh BUILD: prints the matrix; fails where more is missed than is said there.
set -u
build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
for tool in nft ip python3 conntrack; do
	command -v $tool >/dev/null || { echo "SKIP: no $tool"; exit 77; }
done
. "$here/../lib/netns.sh"
netns_enter "$0" "$build"
PYTHONDONTWRITEBYTECODE=1 exec python3 "$here/matrix.py" "$build"
