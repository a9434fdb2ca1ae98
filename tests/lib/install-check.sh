#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: make install puts everything where it belongs, it works there; uninstall takes it away
#
# install-check.sh; BUILD names the build directory (default build, as in the Makefile).
# Nothing is written outside a temporary DESTDIR.
set -u
cd "$(dirname "$0")/../.." || exit 1
dest=$(mktemp -d) || exit 1
trap 'rm -rf "$dest"' EXIT
trap 'exit 130' INT TERM
# This is a make of its own, not a part of the one that runs the tests.
unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR PREFIX SYSCONFDIR UNITDIR
bad=0
fail() {
	echo "install-check: $*" >&2
	bad=$((bad + 1))
}
skip() {
	echo "install-check: SKIP $*" >&2
}
make_it() {
	make --no-print-directory BUILD="${BUILD:-build}" DESTDIR="$dest" PREFIX=/usr "$1" \
		>"$dest.log" 2>&1 && return
	cat "$dest.log" >&2
	fail "make $1 fails"
}
trap 'rm -rf "$dest" "$dest.log"' EXIT

(umask 077 && make_it install && exit $bad) || exit 1

# Exactly these files, readable by all.
{
	echo usr/bin/cordon usr/sbin/cordond usr/share/cordon/events.schema.json \
		usr/share/cordon/posture.schema.json \
		usr/share/bash-completion/completions/cordon usr/share/zsh/site-functions/_cordon \
		usr/lib/sysusers.d/cordon.conf usr/lib/tmpfiles.d/cordon.conf | tr ' ' '\n'
	ls systemd/*.service | sed 's,^systemd,usr/lib/systemd/system,'
	ls daemon/*.8 daemon/*/*.8 | sed 's,.*/,usr/share/man/man8/,'
	ls daemon/*/*.5 rules/*.5 | sed 's,.*/,usr/share/man/man5/,'
	find rules/services rules/guards rules/profiles rules/servicing rules/examples -type f |
		sed 's,^rules,usr/share/cordon,'
} | LC_ALL=C sort >"$dest.want"
(cd "$dest" && find . ! -type d | sed 's,^\./,,' | LC_ALL=C sort) >"$dest.got"
diff "$dest.want" "$dest.got" >&2 || fail "other files than these are installed (< wanted)"
rm -f "$dest.want" "$dest.got"
[ -z "$(find "$dest/usr" ! -perm -444)" ] ||
	fail "not readable by all: $(find "$dest/usr" ! -perm -444 | head -n 3)"
for page in cordon.8 cordond.8 cordon-policy.5 cordon-events.5; do
	[ -s "$dest/usr/share/man/man${page##*.}/$page" ] || fail "no $page"
done

# What is installed runs, on what is installed.
for program in usr/bin/cordon usr/sbin/cordond; do
	"$dest/$program" --version >"$dest.log" 2>&1 || fail "$program: $(cat "$dest.log")"
	grep -q "$(cat VERSION)" "$dest.log" || fail "$program has another version than $(cat VERSION)"
done
for example in "$dest"/usr/share/cordon/examples/*/; do
	"$dest/usr/bin/cordon" check "$example" >"$dest.log" 2>&1 ||
		fail "cordon check of an installed example: $(cat "$dest.log")"
done
python3 -c 'import json, sys; json.load(open(sys.argv[1]))' \
	"$dest/usr/share/cordon/events.schema.json" || fail "events.schema.json is no JSON"

# The units: whole, and systemd understands them (with the program found under DESTDIR).
units=$dest/usr/lib/systemd/system
! grep -n '@[A-Z][A-Z]*@' "$units"/*.service "$dest"/usr/lib/*.d/cordon.conf >&2 ||
	fail "placeholders are left"
for u in "$units"/*.service; do
	grep -q '^ExecStart=/usr/sbin/cordond .*-c /etc/cordon/policy$' "$u" ||
		fail "${u##*/} starts something else: $(grep ExecStart= "$u")"
done
# systemd-analyze wants /run/systemd, which only a running systemd makes: it gets a /run.
private="unshare -m"
[ "$(id -u)" = 0 ] || private="unshare -Urm"
if command -v systemd-analyze >/dev/null && $private mount -t tmpfs run /run 2>/dev/null; then
	mkdir "$dest/verify"
	for u in "$units"/*.service; do
		sed "s,/usr/sbin/cordond,$dest/usr/sbin/cordond," "$u" >"$dest/verify/${u##*/}"
	done
	if ! $private sh -c 'mount -t tmpfs run /run && exec systemd-analyze verify --man=no "$@"' \
		sh "$dest"/verify/*.service >"$dest.log" 2>&1; then
		fail "systemd-analyze verify: $(cat "$dest.log")"
	elif grep -E 'cordon|Unknown|ignoring' "$dest.log" >&2; then
		fail "systemd-analyze verify warns"
	fi
	rm -r "$dest/verify"
else
	skip "the units: no systemd-analyze, or no namespace for it"
fi

make_it uninstall
left=$(cd "$dest" && find . ! -type d -o -name '*cordon*')
[ -z "$left" ] || fail "make uninstall leaves $left"
echo "install-check: $bad failures"
[ $bad -eq 0 ]
