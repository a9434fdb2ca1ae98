#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: every code and every key of the policy has a case in which it is found fault with
"""coverage.py CORDON: codes from `check --list-codes`, keys from `schema`; a key is covered
where a diagnostic of tests/reject/CASE/expected shows a line that holds it, or names it."""
import glob
import json
import os
import re
import subprocess
import sys

# No policy brings these about: no memory, and a kernel that refuses (tests/unit and
# tests/net do).
EXEMPT_CODES = {"CRD091", "CRD092"}
# Of what only ships with the program; a tree cannot hold a profile.
EXEMPT_KEYS = set()
CASES_MIN = 100


def output(*argv):
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def keys_of(node):
    """Every key of a section, wherever it stands."""
    if isinstance(node, dict):
        yield from node.get("properties", {}) if isinstance(
            node.get("properties"), dict) else ()
        for child in node.values():
            yield from keys_of(child)
    elif isinstance(node, list):
        for child in node:
            yield from keys_of(child)


def main(argv):
    if len(argv) != 2:
        sys.exit(__doc__)
    here = os.path.dirname(os.path.abspath(argv[0]))
    expected = [open(f, encoding="utf-8", errors="replace").read()
                for f in sorted(glob.glob(os.path.join(here, "*", "expected")))]
    text = "\n".join(expected)
    codes = {json.loads(line)["code"]: json.loads(line) for line in output(
        argv[1], "check", "--list-codes", "--format", "json").splitlines()}
    schema = json.loads(output(argv[1], "schema"))
    schema["$defs"].pop("profiles")
    shown = set()
    for line in re.findall(r"^ +\d+ \| (.*)$", text, re.M):
        shown.update(re.findall(r"([a-z_]+)\"?:", line))
    shown.update(re.findall(r' has no "([a-z_]+)"', text))
    found = set(re.findall(r"\[(CRD\d{3})\]$", text, re.M))
    bad = []
    bad += ["code %s has no case" % c for c in sorted(codes.keys() - found - EXEMPT_CODES)]
    bad += ["code %s is in no table" % c for c in sorted(found - codes.keys())]
    bad += ["code %s: %s is missing" % (c, part) for c, row in codes.items()
            for part in ("name", "what", "why", "mend", "example") if not row[part]]
    bad += ["key %s has no case" % k
            for k in sorted(set(keys_of(schema)) - shown - EXEMPT_KEYS)]
    if len(expected) < CASES_MIN:
        bad.append("%d cases, %d are wanted" % (len(expected), CASES_MIN))
    for line in bad:
        print("FAIL coverage: " + line)
    print("coverage: %d cases, %d codes, %d keys, %d failures" % (
        len(expected), len(codes), len(set(keys_of(schema))), len(bad)))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
