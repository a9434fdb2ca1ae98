#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: the sum over the builds that `make check` tested, from their logs
set -u
passed=0 failed=0 skipped=0
for build; do
	read -r p f s <"$build/log.count" || exit 1
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done
echo "all builds:"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
