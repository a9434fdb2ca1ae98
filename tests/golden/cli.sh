#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: the command line's contract: exit codes, streams, hostile input, closed pipes
#
# cli.sh CORDON
set -u
cordon=$1
here=$(cd "$(dirname "$0")" && pwd)
policy=$here/erp/policy
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
test=cli
. "$(dirname "$0")/../lib/expect.sh"

# usage
expect 2 "$cordon"
silent out
expect 0 "$cordon" help
silent err
expect 2 "$cordon" explian
says err 'did you mean "explain"'
expect 2 "$cordon" check
expect 2 "$cordon" compile "$policy" more
expect 2 "$cordon" compile "$policy" --format sarif
expect 2 "$cordon" compile "$policy" --at yesterday
expect 2 "$cordon" compile "$policy" --at
expect 2 "$cordon" check "$policy" --list-codes=yes
expect 2 "$cordon" check "$work/none"
says err 'No such file'
expect 2 "$cordon" explain "$policy" "$(printf 'a\033]0;x\007')" erp-db01 tcp/1
says err '\\x1b'
for v in check compile explain replay inspect posture fmt schema completion status incidents watch block unblock apply reload; do
	expect 0 "$cordon" help $v
	says out "^usage: cordon $v"
	expect 0 "$cordon" $v --help
done

# errors of a policy: on stdout for check, on stderr for the others
mkdir -p "$work/bad"
printf 'cordon: 1\ngateway: { interfaces: [lan8], colour: red }\n' >"$work/bad/cordon.yaml"
expect 1 "$cordon" check "$work/bad"
says out '^cordon.yaml:2:.*: error: '
says out '^[0-9]* errors*, [0-9]* warnings*$'
silent err
expect 1 "$cordon" compile "$work/bad"
silent out
says err ': error: '
expect 1 "$cordon" check "$work/bad" --format json
python3 -c 'import json,sys; [json.loads(l) for l in open(sys.argv[1])]' "$work/out" || bad=$((bad + 1))
expect 1 "$cordon" check "$work/bad" --format sarif
python3 -c '
import json, sys
run = json.load(open(sys.argv[1]))["runs"][0]
uri = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
assert uri.endswith("bad/cordon.yaml"), uri' "$work/out" || bad=$((bad + 1))
expect 0 "$cordon" check "$policy"
says out '^ok: 2 hosts, '
expect 0 "$cordon" check --list-codes
says out '^CRD001'
expect 2 "$cordon" check --guards --format sarif "$policy"
expect 0 "$cordon" check --guards "$policy"
says out '^smb1 .* kernel .* 56 .* 4.2e-17 '
expect 0 "$cordon" check --guards --format json "$policy"
says out '"guard":"smb-not-granted".*"bits":null,"false_hits":null'
says out '"guard":"ms17-010-probe".*"bits":96.*"validated":true.*"cve":\["CVE-2017-0143"'
expect 0 "$cordon" check --guards --format json "$policy/../../diff/excepts/new"
says out '"guard":"pipe-svcctl".*"hosts":{"drop":3,.*"off":3,"with_exceptions":3}'

# no colour in a file, and never with NO_COLOR
if grep -q "$(printf '\033')" "$work/out"; then
	echo "cli: colour in a file" >&2
	bad=$((bad + 1))
fi

# explain - : one line an input line, malformed ones too; a line without end, a long
# one, a zero byte
{
	echo "10.30.0.7 erp-db01 tcp/1433"
	echo "10.30.0.7 erp-db01"
	echo
	printf '10.30.0.7 erp-db01 tcp/\0001433\n'
	head -c 200000 /dev/zero | tr '\0' x
	echo
	printf '\377\376"\\ erp-db01 tcp/1\r\n'
	printf 'erp-db01 10.10.0.10 tcp/445'
} >"$work/in"
"$cordon" explain "$policy" - <"$work/in" >"$work/out" 2>"$work/err"
[ $? = 2 ] || bad=$((bad + 1))
python3 -c '
import json, sys
rows = [json.loads(l) for l in open(sys.argv[1], encoding="utf-8")]
assert [r.get("verdict") for r in rows] == ["allow", None, None, None, None, "allow"], rows
assert [r["line"] for r in rows if "error" in r] == [2, 4, 5, 6], rows' "$work/out" ||
	bad=$((bad + 1))

# an answer comes before the next question
python3 -c '
import subprocess, sys
p = subprocess.Popen([sys.argv[1], "explain", sys.argv[2], "-"], stdin=subprocess.PIPE,
    stdout=subprocess.PIPE, text=True, bufsize=1)
for port, want in ((1433, "allow"), (1434, "deny")):
    p.stdin.write("10.30.0.7 erp-db01 tcp/%d\n" % port)
    p.stdin.flush()
    assert "\"verdict\":\"%s\"" % want in p.stdout.readline()
p.stdin.close()
assert p.wait(10) == 0' "$cordon" "$policy" || bad=$((bad + 1))

# what can't be written is an error
if [ -c /dev/full ]; then
	for v in "schema" "compile $policy" "check $policy" "explain $policy 10.30.0.7 erp-db01 tcp/1"; do
		"$cordon" $v >/dev/full 2>"$work/err"
		got=$?
		[ $got = 6 ] || { echo "cli: $v > /dev/full: exit $got" >&2; bad=$((bad + 1)); }
	done
fi

# a guard's exception (10.1.3.16/28) cuts the sources of a set
guards_of() { # SOURCES: of how many regions pipe-svcctl reads the payload, of how many not
	"$cordon" explain "$here/../../rules/examples/plant" "$1" scanner-gw tcp/5666 --format json |
		awk '/"src"/ { if (/pipe-svcctl/) n++; else m++ } END { print n + 0, m + 0 }'
}
for want in "10.1.3.0/28 1 0" "10.1.3.16/28 0 3" "10.1.3.0/27 1 3"; do
	checks=$((checks + 1))
	got="${want%% *} $(guards_of "${want%% *}")"
	[ "$got" = "$want" ] || { echo "cli: guards of a set: $got, not $want" >&2; bad=$((bad + 1)); }
done

# all guards of a flow are named, of both ends, each once: 100 and the shipped ones
python3 - "$work/many" <<'END'
import os, sys
top = sys.argv[1]
for d in ("hosts", "guards"):
    os.makedirs(os.path.join(top, d))
def put(name, text):
    with open(os.path.join(top, name), "w") as f:
        f.write(text)
put("cordon.yaml", """cordon: 1
gateway: {interfaces: [lan8], protect: [10.20.8.0/24]}
""")
put("guards/many.yaml", "---\n".join("""guard: own-%03d
title: number %d
attack: T1210
direction: to-server
protocol: smb
action: drop
affects: "yes"
match:
  - { at: 4, bytes: "fe 53 4d 42 01 02 03 %02x" }
references: ["https://example.com/"]
false_positives: none
validated: no
""" % (i, i, i) for i in range(100)))
for n, (host, own) in enumerate((("a", range(0, 100, 2)), ("b", range(1, 100, 2)))):
    put("hosts/%s.yaml" % host, """host: %s
addresses: [10.20.8.1%d]
allow:
  inbound: [{service: smb, from: [a, b], reason: files}]
  outbound: [{service: smb, to: [a, b], reason: files}]
guards:
%s""" % (host, n, "".join('  own-%03d: { action: drop, reason: "of %s" }\n' % (i, host) for i in own)))
END
checks=$((checks + 2))
"$cordon" explain "$work/many" a b tcp/445 --format json >"$work/out" 2>"$work/err"
"$cordon" explain "$work/many" a b tcp/445 >"$work/text" 2>>"$work/err"
python3 -c '
import json, re, sys
named = json.load(open(sys.argv[1]))["guards"]
assert named == sorted(set(named)) and len([g for g in named if g[:4] == "own-"]) == 100, named
text = open(sys.argv[2]).read()
assert re.findall("own-[0-9]+", text) == [g for g in named if g[:4] == "own-"], text' \
	"$work/out" "$work/text" || { cat "$work/err" >&2; bad=$((bad + 1)); }

# no daemon
for v in status incidents "block --list" "unblock 10.9.9.9" reload apply watch; do
	expect 4 "$cordon" --runtime-dir "$work/nowhere" $v
	silent out
done

echo "cli: $checks checks, $bad failures"
[ $bad = 0 ]
