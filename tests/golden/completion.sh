#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: bash completes every verb, option and format of the table; zsh can read its file
#
# completion.sh CORDON
set -u
cordon=$1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
bad=0 checks=0
fail() {
	echo "completion: $*" >&2
	bad=$((bad + 1))
}
"$cordon" completion bash >"$work/bash" || fail "exit $?"
bash -n "$work/bash" || fail "no bash"
. "$work/bash"

# The words that are offered, one a line, for the command line given.
offered() {
	COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
	_cordon
	printf '%s\n' "${COMPREPLY[@]}"
}
# offers "WANTED..." WORD...
offers() {
	local want=$1 got
	shift
	checks=$((checks + 1))
	got=$(offered "$@" | sort | tr '\n' ' ')
	[ "$got" = "$(printf '%s\n' $want | sort | tr '\n' ' ')" ] || fail "$*: offers $got, not $want"
}

complete -p cordon >/dev/null || fail "not registered"
verbs=$("$cordon" help | sed -n 's/^  \([a-z][a-z]*\)  *[^ ].*/\1/p')
offers "$verbs help --help --version --runtime-dir" cordon ""
offers "explain" cordon ex
offers "$verbs help --help --version --runtime-dir" cordon help ""
offers "block" cordon --runtime-dir /x bloc
for v in $verbs; do
	text=$("$cordon" help "$v")
	options=$(sed -n 's/^  \(--[a-z-]*\).*/\1/p' <<<"$text")
	offers "--help $options" cordon "$v" --
	formats=$(sed -n 's/^  --format FORMAT *\([a-z|]*\);.*/\1/p' <<<"$text" | tr '|' ' ')
	[ -z "$formats" ] || offers "$formats" cordon "$v" --format ""
	# bash takes = for a word of its own
	[ -z "$formats" ] || offers "$formats" cordon "$v" --format = ""
done
offers "opened exposure any" cordon diff --fail-on ""
offers "opened closed exposure any" cordon replay --fail-on ""
offers "error warning note" cordon check --fail-on ""
offers "exposure" cordon diff --fail-on=ex --fail-on = ex
offers "bash zsh" cordon completion ""
mkdir "$work/trees" "$work/trees/policy one"
: >"$work/trees/poster"
cd "$work/trees" || exit 1
checks=$((checks + 1))
[ "$(offered cordon check pol)" = "policy one" ] || fail "a folder: $(offered cordon check pol)"
offers "" cordon status po
case $cordon in /*) ;; *) cordon=$OLDPWD/$cordon ;; esac
"$cordon" completion fish >"$work/out" 2>&1
[ $? = 2 ] || fail "fish is no error"

"$cordon" completion zsh >"$work/_cordon" || fail "exit $?"
for v in $verbs; do
	checks=$((checks + 1))
	grep -q "^[[:space:]]*$v) _arguments" "$work/_cordon" || fail "zsh: no $v"
	for o in $("$cordon" help "$v" | sed -n 's/^  \(--[a-z-]*\).*/\1/p'); do
		checks=$((checks + 1))
		awk -v v="$v) _arguments" 'index($0, v) { on = 1 } on; / ;;$/ { on = 0 }' \
			"$work/_cordon" | grep -qF -- "'$o" || fail "zsh: no $o of $v"
	done
done
if command -v zsh >/dev/null; then
	zsh -n "$work/_cordon" || fail "zsh cannot read it"
	checks=$((checks + 1))
else
	echo "completion: SKIP zsh -n: zsh is not installed" >&2
fi
echo "completion: $checks checks, $bad failures"
[ $bad -eq 0 ]
