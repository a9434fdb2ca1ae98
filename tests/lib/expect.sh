# SPDX-License-Identifier: GPL-2.0-or-later
# summary: exit codes and output of commands; sourced.  test: who says it; work: a folder
bad=0 checks=0

fail() {
	echo "$test: $*" >&2
	bad=$((bad + 1))
}
expect() { # CODE COMMAND...: its output is in $work/out and $work/err
	want=$1
	shift
	"$@" >"$work/out" 2>"$work/err"
	got=$?
	checks=$((checks + 1))
	[ $got = "$want" ] && return
	fail "exit $got instead of $want: $*"
	sed 's/^/    /' "$work/err" >&2
}
says() { # out|err PATTERN
	checks=$((checks + 1))
	grep -q -- "$2" "$work/$1" || fail "no \"$2\" on $1: $(head -3 "$work/$1")"
}
silent() { # out|err
	checks=$((checks + 1))
	[ ! -s "$work/$1" ] || fail "$1 is not empty: $(head -1 "$work/$1")"
}
