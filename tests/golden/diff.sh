#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: pairs of policies and what diff says of them; git revisions; exit codes
#
# diff.sh CORDON [--update].  A case is tests/golden/diff/CASE with old/ and new/, and
# diff.txt, diff.md, diff.json.  The case `same` has to stay without a difference.
set -u
cordon=$1
update=${2:-}
here=$(cd "$(dirname "$0")" && pwd)/diff
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
at=2026-06-03T10:00:00Z
test=diff
. "$(dirname "$0")/../lib/expect.sh"

# Of every region: CIDRs, disjoint from the others of its list, and the witness within.
cat >"$work/regions.py" <<'PY'
import ipaddress, json, sys
d = json.load(open(sys.argv[1]))
keys = ["opened", "closed", "exposure", "mode_changes", "guard_changes", "time_changes",
        "trust_changes"]
assert list(d) == keys, list(d)
def ports(r):
    lo, _, hi = r["ports"].partition("-")
    return int(lo), int(hi or lo)
def meet(a, b):
    net = ipaddress.ip_network
    x, y = ports(a), ports(b)
    return (net(a["src"]).version == net(b["src"]).version and
            net(a["src"]).overlaps(net(b["src"])) and
            net(a["dst"]).overlaps(net(b["dst"])) and a["proto"] == b["proto"] and
            x[0] <= y[1] and y[0] <= x[1])
for l in (d["opened"], d["closed"]):
    for i, r in enumerate(l):
        assert not any(meet(r, o) for o in l[:i]), r
        w = r["witness"]
        assert ipaddress.ip_address(w["src"]) in ipaddress.ip_network(r["src"]), r
        assert ipaddress.ip_address(w["dst"]) in ipaddress.ip_network(r["dst"]), r
        print(w["src"], w["dst"], "%s/%d" % (w["proto"], w["port"]))
PY

for dir in "$here"/*/; do
	name=$(basename "$dir")
	for f in text:diff.txt markdown:diff.md json:diff.json; do
		expect 0 "$cordon" diff "$dir/old" "$dir/new" --at $at --format "${f%:*}"
		[ -z "$update" ] || cp "$work/out" "$dir/${f#*:}"
		diff -u "$dir/${f#*:}" "$work/out" >&2 || fail "$name/${f#*:} differs"
	done
	python3 "$work/regions.py" "$work/out" >/dev/null || fail "$name: regions"
	# Each witness is judged by explain as the list says.
	python3 "$work/regions.py" "$work/out" | grep -v ' any/\| [0-9-]*/' >"$work/flows"
	for side in old new; do
		"$cordon" explain "$dir/$side" - --at $at <"$work/flows" |
			sed 's/^{"verdict":"\([a-z]*\)".*/\1/' >"$work/$side.verdicts"
	done
	[ -s "$work/flows" ] && paste "$work/old.verdicts" "$work/new.verdicts" |
		awk '($1 == "allow") == ($2 == "allow")' | grep . >&2 &&
		fail "$name: a witness is judged alike"
	expect 0 "$cordon" diff "$dir/new" "$dir/new" --fail-on any
	says out '^No changes$'
done
expect 0 "$cordon" diff "$here/same/old" "$here/same/new" --at $at --fail-on any
says out '^No changes$'
# The sleeping rule, at each edge of its week.
for t in 2026-06-05T23:30:00Z 2026-06-06T00:59:59Z 2026-06-06T01:00:00Z; do
	expect 0 "$cordon" diff "$here/same/old" "$here/same/new" --at $t --fail-on any
done

# --fail-on
expect 3 "$cordon" diff "$here/rules/old" "$here/rules/new" --fail-on opened
expect 3 "$cordon" diff "$here/rules/old" "$here/rules/new" --fail-on exposure
expect 3 "$cordon" diff "$here/settings/old" "$here/settings/new" --fail-on exposure
expect 3 "$cordon" diff "$here/rules/old" "$here/rules/new" --fail-on=any
expect 2 "$cordon" diff "$here/rules/old" "$here/rules/new" --fail-on most
expect 2 "$cordon" diff "$here/rules/old"
expect 2 "$cordon" diff "$here/rules/old" "$here/none"

# errors of one side
cp -R "$here/rules/new" "$work/broken"
echo 'hosts: 1' >>"$work/broken/cordon.yaml"
expect 1 "$cordon" diff "$here/rules/old" "$work/broken"
says err 'cordon: new policy .*broken: 1 error'
expect 1 "$cordon" diff "$work/broken" "$here/rules/old"
says err 'cordon: old policy .*broken: 1 error'

# what does not parse on one side, on both; what is no folder
printf 'host: [\n' >"$work/broken/hosts/x.yaml"
expect 1 "$cordon" diff "$here/rules/old" "$work/broken"
says err 'hosts/x.yaml:2:1: error: '
expect 1 "$cordon" diff "$work/broken" "$work/broken" --format json
says err 'cordon: old policy .*broken: '
[ ! -s "$work/out" ] || fail "half an answer on stdout"
expect 2 "$cordon" diff "$here/rules/old" "$here/rules/old/cordon.yaml"
says err 'Not a directory'

# git: two revisions, hooks and attributes that must not count
repo=$work/repo
mkdir "$repo" "$repo/policy"
git() {
	command git -C "$repo" -c user.name=t -c user.email=t@example.com -c init.defaultBranch=main "$@" \
		>"$work/git" 2>&1 || fail "git $*: $(cat "$work/git")"
}
git init
cp -R "$here"/rules/old/* "$repo/policy"
git add -A
git commit -m old
rm -rf "$repo"/policy/*
cp -R "$here"/rules/new/* "$repo/policy"
printf 'hosts/erp.yaml export-ignore\n*.yaml filter=bad\n' >"$repo/policy/.gitattributes"
git add -A
git commit -m new
git config filter.bad.smudge "touch $work/filtered; cat"
git config core.fsmonitor "$work/monitor"
printf '#!/bin/sh\ntouch %s\n' "$work/monitored" >"$work/monitor"
chmod +x "$work/monitor"
here_now=$PWD
cd "$repo" || exit 1
TMPDIR=$work/tmp
mkdir "$TMPDIR"
export TMPDIR
expect 0 "$cordon" diff git:HEAD~1:policy git:HEAD:policy --at $at
diff -u "$here/rules/diff.txt" "$work/out" >&2 || fail "git revisions: other difference"
expect 0 "$cordon" diff git:HEAD~1:policy policy --at $at
diff -u "$here/rules/diff.txt" "$work/out" >&2 || fail "revision and folder: other difference"
cd policy || exit 1
expect 0 "$cordon" diff git:HEAD~1 . --at $at
diff -u "$here/rules/diff.txt" "$work/out" >&2 || fail "revision from a folder: other difference"
expect 0 "$cordon" diff git:HEAD~1:./ git:main --at $at
expect 2 "$cordon" diff git:nowhere .
says err 'git:nowhere: no such revision'
expect 2 "$cordon" diff git:HEAD:nowhere .
says err 'no such path'
expect 2 "$cordon" diff git: .
expect 2 "$cordon" diff git:--help .
expect 1 "$cordon" diff git:HEAD:policy/hosts .
says err 'old policy'
expect 2 "$cordon" diff git:HEAD:policy/cordon.yaml .
says err 'git:HEAD:policy/cordon.yaml: not a folder'
expect 2 "$cordon" diff git:0123456789abcdef0123456789abcdef01234567 .
says err 'no such revision'
# a shallow clone has no older revision
command git clone -q --depth=1 "file://$repo" "$work/shallow" 2>"$work/git" || fail "clone"
cd "$work/shallow/policy" || exit 1
expect 2 "$cordon" diff git:HEAD~1 .
says err 'git:HEAD~1: no such revision'
# what calls itself a repository, and is none
mkdir -p "$work/no/.git" && cd "$work/no" || exit 1
GIT_CEILING_DIRECTORIES=$work expect 2 "$cordon" diff git:HEAD "$here/rules/new"
says err 'in no git repository'
cd "$work" || exit 1
GIT_CEILING_DIRECTORIES=$work
export GIT_CEILING_DIRECTORIES
expect 2 "$cordon" diff git:HEAD "$here/rules/new"
says err 'in no git repository'
checks=$((checks + 3))
[ -z "$(ls "$TMPDIR")" ] || fail "left behind: $(ls "$TMPDIR")"
[ ! -e "$work/filtered" ] || fail "a filter ran"
[ ! -e "$work/monitored" ] || fail "fsmonitor ran"
cd "$here_now" || exit 1

# test
cp -R "$here/rules/old" "$work/tested"
mkdir "$work/tested/tests"
cat >"$work/tested/tests/t.yaml" <<'END'
- { flow: "10.30.0.17 -> erp-db01 mssql", expect: allow, rule: erp-db01/in/mssql }
- { flow: "jump-hosts -> erp-db01 rdp", expect: allow }
- { flow: "!jump-hosts -> * rdp", expect: deny }
- { flow: "any -> erp-db01 smb", expect: deny }
- { flow: "192.0.2.1 -> 192.0.2.2 any", expect: pass }
- { flow: "* -> !10.20.8.0/24 any", expect: deny }
END
expect 0 "$cordon" test "$work/tested" --at $at
says out '^6 assertions, 0 failed$'
# Saturday night the fourth does not hold.
expect 1 "$cordon" test "$work/tested" --at 2026-06-05T23:30:00Z
says out 't.yaml:4: failed: any -> erp-db01 smb: expected deny, but not so for 10.30.9.9 -> 10.20.8.11 tcp/445'
says out 'erp-db01/in/night'
says out '^6 assertions, 1 failed$'
cat >"$work/tested/tests/t.yaml" <<'END'
- { flow: "10.30.0.16/28 -> erp-db01 mssql", expect: allow }
- { flow: "jump-hosts -> * rdp", expect: allow }
- { flow: "any -> erp-db01 tcp/1-65535", expect: deny }
- { flow: "10.30.0.17 -> erp-db01 mssql", expect: allow, rule: erp-db01/in/rdp }
- { flow: "192.0.2.1 -> any icmp/echo-request", expect: pass }
- { flow: "!0.0.0.0/0 -> fd00::1 any", expect: deny }
- { flow: "192.0.2.1 -> 192.0.2.2 any", expect: deny }
END
expect 1 "$cordon" test "$work/tested" --at $at --format json
says out '"line":1,.*"ok":false,"witness":{"src":"10.30.0.24"'
checks=$((checks + 1))
[ "$(grep -c '"ok":false' "$work/out")" = 7 ] || fail "not all seven refuted"
echo "- { flow: x, expect: deny }" >>"$work/tested/tests/t.yaml"
expect 1 "$cordon" test "$work/tested"
says err 'is not a flow'

echo "diff: $checks checks, $bad failures"
[ $bad = 0 ]
