#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: what a reviewer does with check and test: severities, codes, witnesses
#
# review.sh CORDON.  Findings themselves are tests/reject/find-*, accept-*.
set -u
cordon=$1
here=$(cd "$(dirname "$0")" && pwd)
reject=$here/../reject
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
bad=0 checks=0

expect() {
	want=$1
	shift
	"$@" >"$work/out" 2>"$work/err"
	got=$?
	checks=$((checks + 1))
	[ $got = "$want" ] && return
	echo "review: exit $got instead of $want: $*" >&2
	cat "$work/out" "$work/err" | sed 's/^/    /' >&2
	bad=$((bad + 1))
}
says() {
	checks=$((checks + 1))
	grep -q -- "$1" "$work/out" && return
	echo "review: no \"$1\" in:" >&2
	sed 's/^/    /' "$work/out" >&2
	bad=$((bad + 1))
}
says_not() {
	checks=$((checks + 1))
	grep -q -- "$1" "$work/out" || return
	echo "review: \"$1\" is there" >&2
	bad=$((bad + 1))
}

# what fails a check: errors always, the others on demand, what is accepted never
warns=$reject/find-required notes=$reject/find-host-empty
expect 0 "$cordon" check "$warns" --at 2026-06-01
says '^0 errors, 4 warnings$'
expect 1 "$cordon" check "$warns" --at 2026-06-01 --fail-on warning
expect 1 "$cordon" check "$warns" --at 2026-06-01 --fail-on note
expect 0 "$cordon" check "$notes" --at 2026-06-01 --fail-on warning
expect 1 "$cordon" check "$notes" --at 2026-06-01 --fail-on note
expect 1 "$cordon" check "$reject/bad-address" --fail-on error
expect 2 "$cordon" check "$warns" --fail-on everything
expect 2 "$cordon" check "$warns" --at someday
for e in "$here"/../../rules/examples/minimal; do
	expect 0 "$cordon" check "$e" --fail-on note
done

# notes and what is accepted: counted in text, shown with --all, always in json
expect 0 "$cordon" check "$reject/accept-kept" --at 2026-06-01
says_not 'accepted: for the next hall'
says '^1 note, [0-9]* accepted; --all shows them$'
expect 0 "$cordon" check "$reject/accept-kept" --at 2026-06-01 --all
says 'accepted: for the next hall'
expect 0 "$cordon" check "$reject/accept-kept" --at 2026-06-01 --format json
says '"code":"CRD111".*"accepted":"for the next hall"'
says '"code":"CRD111".*"accepted":null'
# the same a year later: the acceptances are over
expect 0 "$cordon" check "$reject/accept-kept" --at 2027-06-01 --format json
says_not '"accepted":"'
says '"code":"CRD120"'

# codes
expect 0 "$cordon" check --explain CRD110
says '^CRD110 smb-outside (warning)$'
says '^Why: .'
says '^Mend: .'
says '^    - { service: smb, '
expect 0 "$cordon" check --explain
says '^CRD001 '
says '^CRD122 '
expect 0 "$cordon" check --explain CRD110 --format json
says '"why":"'
expect 2 "$cordon" check --explain CRD999
expect 2 "$cordon" check --explain CRD110 --format sarif

# test: sets of flows, a witness and the rule that decided
mkdir -p "$work/p/hosts" "$work/p/tests"
cat >"$work/p/cordon.yaml" <<'EOF'
cordon: 1
gateway: { interfaces: [lan0], addresses: [10.9.0.1], protect: [10.9.0.0/24] }
EOF
cat >"$work/p/groups.yaml" <<'EOF'
dcs: [10.1.1.10, 10.1.1.11]
jump: 10.1.2.5
EOF
cat >"$work/p/hosts/a.yaml" <<'EOF'
host: a
addresses: 10.9.0.11
allow:
  inbound:
    - { service: rdp, from: jump }
    - { id: odd, service: tcp/400-500, from: 10.7.7.7 }
  outbound:
    - { service: ldap, to: dcs }
    - { id: leak, service: tcp/8443, to: 10.50.0.9 }
---
host: b
addresses: 10.9.0.12
allow:
  inbound:
    - { service: rdp, from: jump, schedule: Mon-Fri 07:00-19:00 }
EOF
tests() {
	cat >"$work/p/tests/t.yaml"
}
tests <<'EOF'
- { flow: "jump -> * rdp", expect: allow, at: 2026-06-03T10:00:00Z }
- { flow: "!jump -> * rdp", expect: deny }
- { flow: "any -> b smb", expect: deny }
- { flow: "* -> * any", expect: deny }
- only: jump may reach * inbound rdp
- only: jump, 10.7.7.7 may reach a inbound
- only: dcs, 10.50.0.9 may be reached by * outbound
- only: dcs may be reached by a outbound ldap
EOF
expect 0 "$cordon" test "$work/p"
says '^8 assertions, 0 failed$'
tests <<'EOF'
- { flow: "jump -> * rdp", expect: allow, at: 2026-06-06T10:00:00Z }
- { name: no SMB, flow: "any -> a tcp/445", expect: deny }
- only: dcs may be reached by * outbound
- only: jump may reach a inbound
EOF
expect 1 "$cordon" test "$work/p"
says '^4 assertions, 4 failed$'
says '^tests/t.yaml:1: .*failed.*10.1.2.5 -> 10.9.0.12 tcp/3389:$'
says '^tests/t.yaml:2: .*no SMB: any -> a tcp/445: expected deny, but not so for 10.7.7.7 -> 10.9.0.11 tcp/445:$'
says 'rule a/in/odd lets it in (hosts/a.yaml:6)'
says '^tests/t.yaml:3: .*only dcs may be reached by \* outbound; but so may 10.9.0.11 -> 10.50.0.9 tcp/8443:$'
says 'rule a/out/leak lets it out (hosts/a.yaml:9)'
says '^tests/t.yaml:4: .*; but so may 10.7.7.7 -> 10.9.0.11 tcp/400:$'
expect 1 "$cordon" test "$work/p" --format json
says '"only":"dcs may be reached by \* outbound","expect":"deny","ok":false,"witness":{"src":"10.9.0.11","dst":"10.50.0.9","service":"tcp/8443"}'
# whatever the witness, explain agrees with it
python3 - "$cordon" "$work/p" "$work/out" <<'EOF' || bad=$((bad + 1))
import json, subprocess, sys
for row in map(json.loads, open(sys.argv[3], encoding="utf-8")):
    w = row["witness"]
    at = ["--at", "2026-06-06T10:00:00Z"] if row["line"] == 1 else []
    out = subprocess.run([sys.argv[1], "explain", sys.argv[2], w["src"], w["dst"], w["service"],
                          "--format", "json", *at], capture_output=True, text=True, check=True)
    if json.loads(out.stdout)["verdict"] == row["expect"]:
        sys.exit("the witness of line %d is as expected" % row["line"])
EOF
echo "review: $checks checks, $bad failures"
[ $bad -eq 0 ]
