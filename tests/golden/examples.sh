#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: the examples: sound, the same bytes twice, taken by nft, meaning what they say
#
# examples.sh CORDON [EXAMPLE...].  Each folder of rules/examples holds, beside its policy,
# the file flows:
#	SRC DST PROTO/PORT  # VERDICT [RULE]   explain says so; RULE is one of the sides'
#	# at TIME                              when, of the lines below; needed once, first
#	# warns CODE...                        exactly these warnings, default none
#	# may warn CODE...                     these, too, as time passes
# Without EXAMPLE the examples of README.md and cordon-policy(5) are tried, too.
set -u
cordon=$1
shift
PATH=$PATH:/usr/sbin:/sbin # nft, where users' PATH has no sbin
here=$(cd "$(dirname "$0")" && pwd)
examples=$here/../../rules/examples
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
bad=0 done=0 flows=0 loaded=0

fail() {
	echo "examples: $*" >&2
	bad=$((bad + 1))
}

# How nft can be asked without touching this machine's rules; empty: not at all.
inside="unshare -n"
[ "$(id -u)" = 0 ] || inside="unshare -Urn"
if ! command -v nft >/dev/null; then
	inside='' why='nft is not installed'
elif ! why=$($inside true 2>&1); then
	inside=''
fi

# No error, and of warnings those that flows announces.
check_sound() {
	"$cordon" check --format json "$dir" >"$work/check" 2>"$work/err" ||
		fail "$name: check exits $?: $(cat "$work/check" "$work/err")"
	grep '"accepted":null' "$work/check" |
		sed -n 's/.*"code":"\(CRD[0-9]*\)".*/\1/p' | sort -u >"$work/codes"
	[ "$(grep -c '"severity"' "$work/check")" = "$(grep -c '"code":"CRD' "$work/check")" ] ||
		fail "$name: a diagnostic without a code"
	words may >"$work/may"
	words warns >"$work/warns"
	grep -vxFf "$work/may" "$work/codes" | diff "$work/warns" - >"$work/diff" ||
		fail "$name: warnings (< announced): $(grep '^[<>]' "$work/diff" | tr '\n' ' ')"
}

# The codes of the `# warns` or `# may warn` line, one a line.
words() {
	sed -n "s/^# $1 \(warn \)\{0,1\}//p" "$dir/flows" | tr ' ' '\n' | sort -u
}

# compile_twice FORMAT: the same bytes twice, and not none.
compile_twice() {
	for i in 1 2; do
		"$cordon" compile "$dir" --format "$1" --at 2026-06-03 >"$work/$1.$i" 2>"$work/err" ||
			fail "$name: compile exits $?: $(cat "$work/err")"
	done
	[ -s "$work/$1.1" ] || fail "$name: compile --format $1 prints nothing"
	cmp "$work/$1.1" "$work/$1.2" || fail "$name: two runs of compile differ"
}

# Ask explain all lines of one time at once, and compare answer by answer.
ask() {
	python3 -c '
import json, re, subprocess, sys

cordon, tree, path = sys.argv[1:]
at, asked, bad, seen = None, [], 0, set()

def run():
    global bad
    if not asked:
        return
    text = "".join(flow + "\n" for _, flow, _ in asked)
    p = subprocess.run([cordon, "explain", tree, "-", "--at", at], input=text,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    answers = [json.loads(l) for l in p.stdout.splitlines()]
    if p.returncode != 0 or len(answers) != len(asked):
        errors = [l for l in p.stdout.splitlines() if "error" in l]
        sys.exit(f"{path}: explain exits {p.returncode}, {len(answers)} answers to "
                 f"{len(asked)} flows: {p.stderr}{errors}")
    for (line, flow, want), got in zip(asked, answers):
        rules = [s["rule"] for s in got["sides"]]
        seen.add(got["verdict"])
        if got["verdict"] != want[0] or (want[1:] and want[1] not in rules):
            bad += 1
            print(f"{path}:{line}: {flow} at {at}: wanted", *want, "got",
                  got["verdict"], rules, file=sys.stderr)

count = 0
for number, line in enumerate(open(path), 1):
    head = re.match(r"# at (\S+)$", line)
    flow = re.match(r"(\S+ \S+ \S+/\S+) +# (allow|deny|pass)(?: (\S+))?$", line)
    if head:
        run()
        at, asked = head[1], []
    elif flow and at:
        asked.append((number, flow[1], [w for w in flow.groups()[1:] if w]))
        count += 1
    elif line.strip() and not line.startswith("#"):
        sys.exit(f"{path}:{number}: not understood: {line.strip()}")
run()
if seen != {"allow", "deny", "pass"}:
    bad += 1
    print(f"{path}: shows only {sorted(seen)}, not allow, deny and pass", file=sys.stderr)
print(count)
sys.exit(bad != 0)' "$cordon" "$dir" "$dir/flows" >"$work/count" || fail "$name: flows"
	flows=$((flows + $(cat "$work/count") + 0))
}

# The manual's examples are one policy, and a sound one but for the keys it warns of.
check_manual() {
	dir=$work/manual name=cordon-policy.5
	mkdir -p "$dir/guards" "$dir/hosts" "$dir/tests"
	awk -v dir="$dir" '
	function file_of(line) {
		if (line ~ /^cordon:/) return "cordon.yaml"
		if (line ~ /^host:/) return "hosts/h.yaml"
		if (line ~ /^guard:/) return "guards/g.yaml"
		if (line ~ /^- /) return "tests/t.yaml"
		return groups++ ? "services.yaml" : "groups.yaml"
	}
	/^\.Ed/ { out = "" }
	/^\.Bd -literal/ { getline; out = dir "/" file_of($0) }
	out { print > out }' "$here/../../rules/cordon-policy.5"
	printf '# warns CRD081 CRD111 CRD112\n' >"$dir/flows"
	[ "$(find "$dir" -name '*.yaml' | wc -l)" = 6 ] ||
		fail "$name: other examples than one of each kind of file"
	check_sound
}

if [ $# -eq 0 ]; then
	check_manual
	python3 "$here/readme.py" "$cordon" || fail "README.md shows something else"
	# shellcheck disable=SC2046
	set -- $(ls "$examples")
fi
for name; do
	dir=$examples/$name
	if [ ! -f "$dir/flows" ]; then
		fail "$name: no flows"
		continue
	fi
	check_sound
	compile_twice nft
	compile_twice json
	python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$work/json.1" ||
		fail "$name: compile --format json is no JSON"
	if [ -n "$inside" ]; then
		if $inside nft -c -f "$work/nft.1" 2>"$work/err"; then
			loaded=$((loaded + 1))
		elif [ "$(id -u)" != 0 ] && grep -q 'Message too long' "$work/err"; then
			echo "examples: SKIP nft -c of $name: nft needs real root for that much" >&2
		else
			fail "$name: nft refuses it: $(head -n 5 "$work/err")"
		fi
	fi
	ask
	done=$((done + 1))
done
[ -n "$inside" ] || echo "examples: SKIP nft -c: $why" >&2
[ "$done" -gt 0 ] && [ "$flows" -gt 0 ] || fail "nothing was tested"
echo "examples: $done examples ($loaded loaded by nft), $flows flows, $bad failures"
[ $bad -eq 0 ]
