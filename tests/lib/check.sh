# SPDX-License-Identifier: GPL-2.0-or-later
# summary: counting checks of a shell test; sourced.  dir: where output may be put
failed=0 checks=0

check() { # WHAT COMMAND...
	what=$1
	shift
	checks=$((checks + 1))
	if "$@" >"$dir/out" 2>&1; then
		echo "ok   $what"
	else
		echo "FAIL $what"
		sed 's/^/     | /' "$dir/out"
		failed=$((failed + 1))
	fi
}
