#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: every input of tests/fuzz/corpus through its target, under sanitizers
#
# replay.sh DIR: where the targets built without libFuzzer are.
set -u
dir=$1
here=$(cd "$(dirname "$0")" && pwd)
n=0
for target in "$here"/fuzz_*.c; do
	name=$(basename "$target" .c)
	set -- "$here/corpus/${name#fuzz_}"/*
	[ -e "$1" ] || { echo "no corpus for $name"; exit 1; }
	"$dir/$name" "$@" || { echo "$name failed"; exit 1; }
	n=$((n + $#))
done
echo "$n inputs replayed"
