#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: what `cordon inspect` says of the lab's own captures, whole, as it was reviewed
#
# lab.sh CORDON [--update] [NAME...].  NAME.jsonl holds the output for NAME.pcap; --update
# writes it (read the diff then).  The table below is written by hand and never updated:
# recognised flows, and words that have to stand in the line of each.
set -u
cordon=$1
shift
update=
[ "${1:-}" = --update ] && update=1 && shift
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
bad=0 done=0

cat >"$work/known" <<'END'
hostile-names    1 "smb1_in_use":true "native_os":"\u001B]0;\u0007
other-benign     0
rdp-port8080     1 "dest_port":8080 "app_proto":"rdp" "cookie":"lab" "selected":"ssl"
rdp-standard-v6  1 "dest_port":3389 "app_proto":"rdp" "selected":"rdp" "client_name":"lab" "cliprdr"
rdp-tls          1 "dest_port":3389 "app_proto":"rdp" "requested":["ssl"] "selected":"ssl"
smb1-2008        1 "dest_port":445 "smb1_in_use":true "version":"6.0.6003" "host":"LAB"
smb1-netbios-v6  1 "dest_port":139 "smb1_in_use":true "netbios":true "version":"6.0.6003"
smb1-port1433    1 "dest_port":1433 "app_proto":"smb" "smb1_in_use":true "version":"6.0.6003"
smb2             1 "dest_port":445 "dialect":"2.02" "guest":true "interest":["IPC$"]
smb3-encrypted   1 "dest_port":445 "dialect":"3.11" "encrypted":true "response":"ntlmv2"
END

fail() {
	echo "lab: $*" >&2
	bad=$((bad + 1))
}

# known NAME OUTPUT: the line of the table holds.
known() {
	known_line=$(grep "^$1 " "$work/known")
	if [ -z "$known_line" ]; then
		fail "$1.pcap: not in the table of lab.sh"
		return
	fi
	set -f # the words hold brackets
	# shellcheck disable=SC2086
	set -- "$2" $known_line
	set +f
	[ "$(grep -vc '"event_type":"summary"' "$1")" = "$3" ] ||
		fail "$2: recognised flows other than $3: $(cat "$1")"
	known_out=$1 known_name=$2
	shift 3
	for word; do
		grep -qF -- "$word" "$known_out" || fail "$known_name: no $word"
	done
}

[ $# -gt 0 ] || set -- $(cd "$here" && ls -- *.pcap | sed 's/\.pcap$//')
for name; do
	if ! "$cordon" inspect --format json "$here/$name.pcap" >"$work/out" 2>"$work/err"; then
		fail "$name.pcap: inspect exits with an error: $(cat "$work/err")"
		continue
	fi
	[ ! -s "$work/err" ] || fail "$name.pcap: $(cat "$work/err")"
	[ "$(tail -n 1 "$work/out" | cut -c1-24)" = '{"event_type":"summary",' ] ||
		fail "$name.pcap: no summary at the end"
	python3 -c 'import json, sys; [json.loads(l) for l in open(sys.argv[1])]' "$work/out" ||
		fail "$name.pcap: no JSON"
	[ "$(LC_ALL=C tr -d '\n\040-\177' <"$work/out" | wc -c)" = 0 ] ||
		fail "$name.pcap: not plain ASCII, and it may reach a terminal"
	known "$name" "$work/out"
	if [ -n "$update" ]; then
		cp "$work/out" "$here/$name.jsonl"
	else
		diff -u "$here/$name.jsonl" "$work/out" >&2 || fail "$name.jsonl differs"
	fi
	done=$((done + 1))
done
for f in "$here"/*.jsonl; do
	[ -f "${f%.jsonl}.pcap" ] || fail "${f##*/} belongs to no capture"
done
[ "$done" -gt 0 ] || fail "no captures"
echo "lab: $done captures${update:+ written}, $bad failures"
[ $bad -eq 0 ]
