#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""cordon-policy(5) has every key of the table, with its words, range, and an example.

man-keys.py CORDON PAGE: the keys as `cordon schema` prints them."""
import json
import re
import subprocess
import sys

# Sections of the page that describe a kind of file.
SECTIONS = {"cordon": ["CORDON.YAML", "FINDINGS"], "groups": ["GROUPS", "FINDINGS"],
            "services": ["SERVICES", "FINDINGS"], "guards": ["GUARDS", "FINDINGS"],
            "profiles": ["GUARDS"], "hosts": ["HOSTS", "FINDINGS"], "tests": ["TESTS"]}
# Shipped only: what they hold is not for readers of the page to write.
NOT_WRITTEN = {"profiles"}


def objects(node, path=""):
    """(path, schema of the key, required) of every key below a definition."""
    if isinstance(node, dict):
        for key, sub in (node.get("properties") or {}).items():
            yield path + key, key, sub, key in node.get("required", [])
            yield from objects(sub, path + key + ".")
        for name, sub in node.items():
            if name != "properties" and isinstance(sub, (dict, list)):
                yield from objects(sub, path)
    elif isinstance(node, list):
        for sub in node:
            yield from objects(sub, path)


def scalars(node):
    """The scalar forms of a key: itself, or what its list holds; not of nested keys."""
    if isinstance(node, list):
        for sub in node:
            yield from scalars(sub)
    elif isinstance(node, dict) and "properties" not in node:
        yield node
        for name in ("anyOf", "items"):
            yield from scalars(node.get(name, []))


def plain(text):
    return re.sub(r"\\[&e]", "", re.sub(r"^\.(Cm|Li|Ar|Op|Pq|Sx|It|Qq)\b", "", text, flags=re.M))


def main():
    cordon, page = sys.argv[1:]
    schema = json.loads(subprocess.check_output([cordon, "schema"]))
    text = open(page, encoding="utf-8").read()
    section = dict(re.findall(r"^\.Sh ([^\n]*)\n(.*?)(?=^\.Sh |\Z)", text, re.M | re.S))
    examples = "\n".join(re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", text, re.M | re.S))
    bad = n = 0

    def fail(what):
        nonlocal bad
        bad += 1
        print("man-keys: " + what, file=sys.stderr)

    seen = set()
    for kind, node in schema["$defs"].items():
        if kind in NOT_WRITTEN:
            continue
        body = "\n".join(section.get(s, "") for s in SECTIONS[kind])
        entries = re.findall(r"^(\.It[^\n]*\n.*?)(?=^\.(?:It|El|Bd|S[sh])\b|\Z)", body, re.M | re.S)
        for path, key, sub, required in objects(node):
            if (kind, path) in seen:
                continue
            seen.add((kind, path))
            n += 1
            mine = [e for e in entries if re.search(r"\bCm %s :" % key, e.split("\n")[0])]
            where = "%s: %s" % (kind, path)
            if key == "members":
                mine = mine or [body]  # a group is its members
            if not mine:
                fail("%s has no entry" % where)
                continue
            text = plain("\n".join(mine))
            if required and "equired" not in text and key != "members":
                fail("%s: its entry does not say that it is required" % where)
            for s in scalars(sub):
                for word in s.get("enum", []):
                    if not re.search(r"\b%s\b" % re.escape(word), text):
                        fail("%s: its entry has no \"%s\"" % (where, word))
                for bound in ("minimum", "maximum"):
                    if s.get("type") == "integer" and not re.search(
                            r"(?<![0-9])%d(?![0-9])" % s[bound], text):
                        fail("%s: its entry has no %s %d" % (where, bound, s[bound]))
                if s.get("maxLength") not in (None, 40) and str(s["maxLength"]) not in text:
                    fail("%s: its entry has no length %d" % (where, s["maxLength"]))
            if not re.search(r"(?<![a-z_])%s:" % key, examples) and key != "within":
                fail("%s: no example has it" % where)
    print("man-keys: %d keys, %d problems" % (n, bad))
    sys.exit(bad != 0)


main()
