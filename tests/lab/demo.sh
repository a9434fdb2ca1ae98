#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: `make demo`: cordon between real SMB and RDP peers, in namespaces
#
# demo.sh [--quick] [--stand-in] [--build DIR] [--keep DIR]   BUILD names the build
# directory too; --keep copies logs and events to an existing directory.
# Needs no root where user namespaces are allowed.  Nothing is left behind: files,
# processes and networks live in namespaces that end with this script.
set -u
LAB_SRC=$(cd "$(dirname "$0")" && pwd)
BUILD=${BUILD:-build}
case $BUILD in
/*) ;;
*) BUILD=$(pwd)/$BUILD ;;
esac
export LAB_SRC BUILD
. "$LAB_SRC/../lib/netns.sh"

case " $* " in
*" --stand-in "* | *" --build "* | *" -h "* | *" --help "*) ;;
*)
	for program in cordon cordond; do
		[ -x "$BUILD/$program" ] && continue
		echo "demo: no $BUILD/$program: run make first" >&2
		exit 1
	done
	;;
esac
for tool in nft ip nsenter smbclient xfreerdp Xvfb xrdp nmap openssl nc; do
	command -v $tool >/dev/null && continue
	echo "demo: $tool is missing: make deps installs it" >&2
	exit 1
done
if ! /usr/bin/python3 -c 'import impacket' 2>/dev/null; then
	echo "demo: python3-impacket is missing: make deps installs it" >&2
	exit 1
fi

netns_enter "$0" "$@"
. "$LAB_SRC/lab.sh"
if ! lab_up; then
	echo "demo: the lab did not come up" >&2
	tail -v -n 5 "$LAB"/log/*.log >&2
	exit 1
fi
PYTHONDONTWRITEBYTECODE=1 $LAB_PY "$LAB_SRC/demo.py" "$@"
