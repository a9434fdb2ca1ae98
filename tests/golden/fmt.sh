#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: cordon fmt: one form, no comment lost, the same policy, files replaced whole
#
# fmt.sh CORDON [SEED]; --update instead of SEED takes fmt/formatted.yaml anew.
set -u
cordon=$1
here=$(cd "$(dirname "$0")" && pwd)
top=$here/../..
seed=${2:-$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')}
work=$(mktemp -d) || exit 1
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
test=fmt
. "$(dirname "$0")/../lib/expect.sh"

same() {
	checks=$((checks + 1))
	diff -u "$1" "$2" >&2 || fail "$1 and $2 differ"
}

# Comments wherever they may stand: the whole form, by hand.
mkdir -p "$work/one/hosts"
cp "$here/fmt/comments.yaml" "$work/one/hosts/a.yaml"
expect 3 "$cordon" fmt --check "$work/one"
says out 'hosts/a.yaml$'
same "$here/fmt/comments.yaml" "$work/one/hosts/a.yaml"
expect 0 "$cordon" fmt "$work/one"
if [ "$seed" = --update ]; then
	cp "$work/one/hosts/a.yaml" "$here/fmt/formatted.yaml"
	seed=1
fi
same "$here/fmt/formatted.yaml" "$work/one/hosts/a.yaml"
expect 0 "$cordon" fmt --check "$work/one"
for n in $(grep -o '# c[0-9]*' "$here/fmt/comments.yaml" | cut -c3-); do
	checks=$((checks + 1))
	[ "$(grep -c "# $n\( \|\$\)" "$work/one/hosts/a.yaml")" = 1 ] || fail "comment $n"
done

# Everything that ships and every golden policy: stable, and the same policy.
for dir in "$top"/rules/examples/*/ "$here"/*/policy/ "$here"/diff/*/new/; do
	[ -f "$dir/cordon.yaml" ] || continue
	rm -rf "$work/tree"
	mkdir "$work/tree"
	(cd "$dir" && find . -name '*.yaml' | tar cf - -T -) | tar xf - -C "$work/tree"
	expect 0 "$cordon" fmt "$work/tree"
	expect 0 "$cordon" fmt --check "$work/tree"
	expect 0 "$cordon" diff "$dir" "$work/tree" --fail-on any --at 2026-06-03T10:00:00Z
	for t in "$dir" "$work/tree"; do
		"$cordon" compile "$t" --at 2026-06-03T10:00:00Z 2>"$work/err" |
			grep -v digest >"$work/nft.$(basename "$t")"
	done
	same "$work/nft.$(basename "$dir")" "$work/nft.tree"
done
# Those that ship are in that form.
expect 0 "$cordon" fmt --check "$top/rules/examples"

# What the loader refuses for its structure is left as it is, or keeps its meaning.
for dir in "$top"/tests/reject/*/; do
	for f in "$dir"/*.yaml "$dir"/*/*.yaml; do
		[ -f "$f" ] || continue
		"$cordon" fmt - <"$f" >"$work/once" 2>"$work/err"
		checks=$((checks + 1))
		case $? in
		0) "$cordon" fmt - <"$work/once" | cmp -s - "$work/once" || fail "$f: not stable" ;;
		1) [ ! -s "$work/once" ] || fail "$f: refused, and printed"
			grep -q 'stdin:.*error: ' "$work/err" || fail "$f: $(cat "$work/err")" ;;
		*) fail "$f: exit $?" ;;
		esac
	done
done

# Bad input leaves the file alone, says where, and the others are formatted.
mkdir -p "$work/bad/hosts"
printf 'host:   a\n' >"$work/bad/hosts/a.yaml"
printf 'host: b\naddresses: [10.0.0.1\nmode: x\n' >"$work/bad/hosts/b.yaml"
printf 'host: c\nhost: d\n' >"$work/bad/hosts/c.yaml"
cp "$work/bad/hosts/b.yaml" "$work/b.before"
expect 1 "$cordon" fmt "$work/bad"
says err 'hosts/b.yaml:3:5: error: '
says err 'hosts/c.yaml:2:1: error: key "host" stands twice'
same "$work/b.before" "$work/bad/hosts/b.yaml"
checks=$((checks + 1))
[ "$(cat "$work/bad/hosts/a.yaml")" = 'host: a' ] || fail "a.yaml was not formatted"

# The file's mode stays; nothing is left beside it; a link is not followed.
chmod 640 "$work/bad/hosts/a.yaml"
printf 'host:   a\n' >"$work/bad/hosts/a.yaml"
expect 0 "$cordon" fmt "$work/bad/hosts/a.yaml"
checks=$((checks + 2))
[ "$(stat -c %a "$work/bad/hosts/a.yaml")" = 640 ] || fail "the mode changed"
[ "$(ls -A "$work/bad/hosts")" = "$(printf 'a.yaml\nb.yaml\nc.yaml')" ] ||
	fail "left behind: $(ls -A "$work/bad/hosts")"
ln -s a.yaml "$work/bad/hosts/link.yaml"
expect 2 "$cordon" fmt "$work/bad/hosts/link.yaml"
says err 'symbolic link'
if [ "$(id -u)" != 0 ]; then
	printf 'host:   a\n' >"$work/bad/hosts/a.yaml"
	chmod 555 "$work/bad/hosts"
	expect 5 "$cordon" fmt "$work/bad/hosts/a.yaml"
	checks=$((checks + 1))
	[ "$(cat "$work/bad/hosts/a.yaml")" = 'host:   a' ] || fail "half a file was written"
fi

# Standard input; no such file; an empty one.
expect 0 "$cordon" fmt <"$here/fmt/formatted.yaml"
same "$here/fmt/formatted.yaml" "$work/out"
expect 3 "$cordon" fmt --check - <"$here/fmt/comments.yaml"
expect 2 "$cordon" fmt "$work/nowhere"
expect 0 "$cordon" fmt - </dev/null
printf '# only\n\n\n# comments\n\n' | "$cordon" fmt - >"$work/out"
printf '# only\n\n# comments\n' >"$work/want"
same "$work/want" "$work/out"

# Quotes where somebody's reader needs them, and only there.
cat >"$work/in" <<'END'
host: "a"
addresses: [fd00::1, '10.0.0.1', "fd00::2/64"]
owner: "6003"
os: { build: 6003, product: 'yes', updates: ["KB1: x", 'it''s', "a \\ b", "\e", "tab\t"] }
END
cat >"$work/want" <<'END'
host: a
addresses: ["fd00::1", 10.0.0.1, "fd00::2/64"]
owner: "6003"
os: { product: "yes", build: 6003, updates: ["KB1: x", it's, a \ b, "\x1b", "tab\t"] }
END
expect 0 "$cordon" fmt - <"$work/in"
same "$work/want" "$work/out"

if python3 -c 'import yaml' 2>/dev/null; then
	# shellcheck disable=SC2046
	python3 "$here/fmt.py" "$cordon" "$seed" 150 $(find "$top/rules/examples" -name '*.yaml' \
		! -path '*/ci/*') "$here/erp/policy/cordon.yaml" || bad=$((bad + 1))
else
	echo "fmt: SKIP random spellings: no python3-yaml" >&2
fi

echo "fmt: $checks checks, $bad failures"
[ $bad = 0 ]
