#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: the CI recipes and the hook, run for real on a scratch repository
#
# recipes.sh CORDON.  The commands are taken out of the YAML of rules/examples/ci; the
# services' part (variables, gh, curl) is played.  Nothing leaves this machine.
set -u
cordon=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
ci=$(cd "$(dirname "$0")/../../rules/examples/ci" && pwd)
command -v git >/dev/null || { echo "recipes: SKIP: no git"; exit 77; }
python3 -c 'import yaml' 2>/dev/null || { echo "recipes: SKIP: no python3-yaml"; exit 77; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
bad=0 checks=0
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null HOME="$work"
export GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@example.com GIT_COMMITTER_NAME=t \
	GIT_COMMITTER_EMAIL=t@example.com

fail() {
	echo "recipes: $*" >&2
	bad=$((bad + 1))
}
# expect CODE WHAT COMMAND...: its output goes to $work/log
expect() {
	want=$1 what=$2
	shift 2
	"$@" >"$work/log" 2>&1
	got=$?
	checks=$((checks + 1))
	[ $got = "$want" ] && return
	fail "$what: exit $got instead of $want"
	sed 's/^/    /' "$work/log" >&2
}
holds() { # FILE TEXT
	checks=$((checks + 1))
	grep -qF -- "$2" "$1" || fail "no \"$2\" in $(basename "$1"): $(head -n 5 "$1")"
}

# What the recipes call: this build, and services that write down what they are told.
mkdir "$work/bin"
ln -s "$cordon" "$work/bin/cordon"
printf '#!/bin/sh\necho "$@" >>"%s/said"\n' "$work" >"$work/bin/gh"
cp "$work/bin/gh" "$work/bin/curl"
chmod +x "$work/bin/gh" "$work/bin/curl"
PATH=$work/bin:$PATH
export PATH

# The commands of a recipe as one script, as its runner runs them.
python3 - "$ci" "$work" <<'PY'
import sys, yaml
ci, work = sys.argv[1:]
job = yaml.safe_load(open(ci + "/.github/workflows/policy.yml"))["jobs"]["review"]
# each step is a shell of its own: bash -e
steps = [(s["name"], s["run"]) for s in job["steps"] if "run" in s]
with open(work + "/github", "w") as f:
    f.write("export POLICY='%s'\n" % job["env"]["POLICY"])
    for i, (name, run) in enumerate(steps):
        open("%s/step%d" % (work, i), "w").write(run)
        f.write("bash -e '%s/step%d' || { echo \"failed at %s\"; exit 1; }\n" % (work, i, name))
uses = [s["uses"].split("@")[0] for s in job["steps"] if "uses" in s]
assert uses == ["actions/checkout", "github/codeql-action/upload-sarif"], uses
job = yaml.safe_load(open(ci + "/.gitlab-ci.yml"))["policy"]
with open(work + "/gitlab", "w") as f:
    f.write("set -eo pipefail\nexport POLICY='%s' BASE=$CI_MERGE_REQUEST_DIFF_BASE_SHA\n"
            % job["variables"]["POLICY"])
    f.writelines(line + "\n" for line in job["script"])
hook = yaml.safe_load(open(ci + "/.pre-commit-hooks.yaml"))[0]
assert hook["entry"] == "hooks/pre-commit", hook
PY

# A repository whose base is the example, with the hook; changes on branches.
origin=$work/origin
mkdir "$origin"
git -C "$origin" init -q -b main
git -C "$origin" config uploadpack.allowAnySHA1InWant true
(cd "$ci" && tar cf - .) | tar xf - -C "$origin"
git -C "$origin" add -A
git -C "$origin" commit -q -m base || fail "commit"
base=$(git -C "$origin" rev-parse HEAD)
ln -s ../../hooks/pre-commit "$origin/.git/hooks/pre-commit"
host=$origin/hosts/files01.yaml

branch() { # NAME SED-SCRIPT [--no-verify]
	git -C "$origin" checkout -q -b "$1" main
	sed -i "$2" "$host"
	git -C "$origin" add -A
	git -C "$origin" commit -q -m "$1" ${3:-}
}
add_http='s/^    - { service: smb.*/&\n    - { service: https, from: 198.51.100.0\/24, reason: its page }/'
expect 0 "the hook lets a good commit through" branch good "$add_http"
expect 1 "the hook stops a broken one" branch broken 's/^addresses:.*/addresses: [192.0.2.300]/'
holds "$work/log" 'is not an IPv4 or IPv6 address'
git -C "$origin" reset -q --hard
expect 1 "the hook stops what the tests forbid" branch forbidden 's,198.51.100.0/24,198.51.0.0/17,'
holds "$work/log" 'failed'
git -C "$origin" reset -q --hard
expect 1 "the hook stops another form" branch unformed 's/^host:/host:   /'
holds "$work/log" 'cordon fmt'
# what lies in the work tree and is not staged does not count
git -C "$origin" reset -q --hard
sed -i 's/^host:/host:   /' "$host"
echo "# note" >>"$origin/tests/main.yaml"
git -C "$origin" add tests/main.yaml
expect 0 "the hook judges what is staged" git -C "$origin" commit -q -m staged
git -C "$origin" reset -q --hard
# branches that the hook did not see
branch exposed 's/^    - { service: smb.*/&\n    - { service: rdp, from: 198.51.100.7, reason: help desk }/' --no-verify
branch errors 's/^addresses:.*/addresses: [192.0.2.300]/' --no-verify

# run RECIPE BRANCH DEPTH: in a clone as the service makes it
run() {
	cd "$work" && rm -rf "$work/clone" "$work/said"
	git clone -q --depth="$3" --branch "$2" "file://$origin" "$work/clone" || return 99
	cd "$work/clone" || return 99
	: >"$work/summary"
	BASE=$base PR=7 GITHUB_STEP_SUMMARY=$work/summary GH_TOKEN=x \
		CI_MERGE_REQUEST_DIFF_BASE_SHA=$base CORDON_TOKEN=x \
		CI_API_V4_URL=https://gitlab.example/api/v4 CI_PROJECT_ID=1 \
		CI_MERGE_REQUEST_IID=7 bash "$work/$1"
}
for recipe in github gitlab; do
	for depth in 1 50; do
		expect 0 "$recipe, depth $depth, a good change" run $recipe good $depth
		holds "$work/clone/cordon.md" '## cordon: policy difference'
		holds "$work/clone/cordon.md" 'tcp/443'
		python3 -c 'import json, sys; assert json.load(open(sys.argv[1]))["version"] == "2.1.0"' \
			"$work/clone/cordon.sarif" || fail "$recipe: no SARIF"
		holds "$work/said" cordon.md
	done
	run $recipe exposed 1 >"$work/log" 2>&1
	code=$?
	checks=$((checks + 1))
	[ $code != 0 ] || fail "$recipe: exposure passes"
	holds "$work/clone/cordon.md" '## cordon: this change exposes SMB or RDP'
	holds "$work/said" cordon.md
	run $recipe errors 1 >"$work/log" 2>&1
	code=$?
	checks=$((checks + 1))
	[ $code != 0 ] || fail "$recipe: a policy with errors passes"
	holds "$work/clone/cordon.sarif" '"CRD027"'
	holds "$work/log" 'is not an IPv4 or IPv6 address'
done

echo "recipes: $checks checks, $bad failures"
[ $bad -eq 0 ]
