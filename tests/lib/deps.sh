#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: install the Debian packages that are missing, or say what to install
#
# deps.sh PACKAGE...     (make deps gives it the list)
set -u

# What of the arguments dpkg does not know as installed.
missing_of() {
	dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
		sed -n 's/^installed //p' >"$have" || :
	for package in "$@"; do
		grep -qxF "$package" "$have" || printf '%s ' "$package"
	done
}

# Run a command as root; the reason was printed before.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

fail() {
	echo "deps: $1" >&2
	echo "deps: install these yourself, then run make again:" >&2
	echo "  $missing" >&2
	exit 1
}

[ $# -gt 0 ] || exit 0
if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	missing=$*
	fail "this is not a Debian system; the names below are Debian 12's packages"
fi
have=$(mktemp) || exit 1
trap 'rm -f "$have"' EXIT
trap 'exit 130' INT TERM
missing=$(missing_of "$@")
[ -n "$missing" ] || exit 0

echo "deps: to build and test cordon, these Debian packages are missing:"
echo "  $missing"
if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
	fail "installing needs root, and there is no sudo"
fi
echo "deps: installing them: apt-get install$([ "$(id -u)" = 0 ] || echo ', through sudo')"
# Somebody else's apt (a fresh desktop has one running) is waited for.
lock='-o DPkg::Lock::Timeout=300'
# Recommended packages stay out, and policy-rc.d keeps the services that come with the
# test peers (samba, xrdp) from being started here.
policy=/usr/sbin/policy-rc.d
held=no
if [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null &&
		as_root chmod 755 $policy && held=yes
	trap 'rm -f "$have"; [ $held = no ] || as_root rm -f $policy' EXIT
fi
update() {
	echo "deps: fresh package lists first: apt-get update"
	as_root apt-get $lock update -q || fail "apt-get update failed"
}
install() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get $lock install -y -q \
		--no-install-recommends $missing
}
updated=no
if ! ls /var/lib/apt/lists/*Packages* >/dev/null 2>&1; then
	update
	updated=yes
fi
if ! install; then
	[ $updated = no ] || fail "apt-get install failed"
	update
	install || fail "apt-get install failed"
fi
missing=$(missing_of "$@")
[ -z "$missing" ] || fail "apt-get succeeded, yet these are not there"
