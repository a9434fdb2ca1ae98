#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: the SARIF of every rejected policy is valid, points at the text, and is stable
"""run.py CORDON.  Each case of tests/reject and each example is checked as SARIF and
compared with the text of the files and with `--format json`.  With SARIF_SCHEMA=FILE it is
validated with that schema, too: the official one (sarif-schema-2.1.0.json, OASIS) is not
shipped."""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

try:
    import jsonschema
except ImportError:
    print("SKIP: python3-jsonschema is not installed")
    sys.exit(77)

HERE = os.path.dirname(os.path.abspath(__file__))
REJECT = os.path.join(HERE, "..", "reject")
EXAMPLES = os.path.join(HERE, "..", "..", "rules", "examples")
bad = []


def check(cordon, top, tree, fmt, args=()):
    p = subprocess.run([cordon, "check", tree, "--format", fmt, *args], cwd=top,
                       capture_output=True, text=True, check=False)
    if p.returncode not in (0, 1):
        sys.exit("check exits %d: %s" % (p.returncode, p.stderr))
    return p.stdout


def region_ok(lines, region):
    """The region lies in the file, starts before it ends, and not at a blank."""
    first, last = region["startLine"], region["endLine"]
    if not 1 <= first <= last <= len(lines):
        return False
    start, end = region["startColumn"], region.get("endColumn", len(lines[last - 1]) + 1)
    if start > len(lines[first - 1]) + 1 or end > len(lines[last - 1]) + 1:
        return False
    return (first, start) < (last, end) or start == end


def compare(name, top, log, rows):
    run = log["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    if len(run["results"]) != len(rows):
        bad.append("%s: %d results, %d rows" % (name, len(run["results"]), len(rows)))
    prints = [r["partialFingerprints"]["cordonFinding/v1"] for r in run["results"]]
    if len(set(prints)) != len(prints):
        bad.append(name + ": two results have one fingerprint")
    for result, row in zip(run["results"], rows):
        what = "%s: %s line %d" % (name, row["code"], row["line"])
        if rules[result["ruleIndex"]]["id"] != row["code"] or result["ruleId"] != row["code"]:
            bad.append(what + ": another rule")
        if result["level"] != row["severity"]:
            bad.append(what + ": another level")
        accepted = [s["justification"] for s in result["suppressions"]]
        if accepted != ([row["accepted"]] if row["accepted"] else []):
            bad.append(what + ": suppressions %s" % accepted)
        for place in result["locations"]:
            place = place["physicalLocation"]
            path = os.path.join(top, urllib.parse.unquote(place["artifactLocation"]["uri"]))
            if "region" not in place:
                continue
            with open(path, "rb") as f:
                text = f.read().decode("utf-8", "replace")
            if not region_ok(text.split("\n"), place["region"]):
                bad.append("%s: region %s" % (what, place["region"]))


def one(cordon, schemas, source):
    name = os.path.basename(source.rstrip("/"))
    with tempfile.TemporaryDirectory() as top:
        tree = os.path.join(top, "my policy")
        shutil.copytree(source, tree, symlinks=True)
        setup, args = os.path.join(tree, "setup.sh"), []
        if os.path.exists(setup):
            subprocess.run(["sh", "./setup.sh"], cwd=tree, check=True)
            os.unlink(setup)
        if os.path.exists(os.path.join(tree, "args")):
            with open(os.path.join(tree, "args"), encoding="ascii") as f:
                args = [a for a in f.read().split() if a != "--all"]
        text = check(cordon, top, "my policy", "sarif", args)
        log = json.loads(text)
        for schema in schemas:
            for e in schema.iter_errors(log):
                bad.append("%s: %s at %s" % (name, e.message[:200], list(e.path)))
        rows = [json.loads(x) for x in
                check(cordon, top, "my policy", "json", args).splitlines()]
        compare(name, top, log, rows)
        return log["runs"][0]["results"]


def moved(cordon):
    """Lines before a finding come and go: its fingerprint stays, its line does not."""
    with tempfile.TemporaryDirectory() as top:
        shutil.copytree(os.path.join(REJECT, "find-required"), os.path.join(top, "p"))
        prints = []
        for _ in range(2):
            log = json.loads(check(cordon, top, "p", "sarif", ["--at", "2026-06-01"]))
            prints.append([(r["partialFingerprints"]["cordonFinding/v1"],
                            r["locations"][0]["physicalLocation"]["region"]["startLine"])
                           for r in log["runs"][0]["results"]
                           if "hosts" in json.dumps(r["locations"])])
            path = os.path.join(top, "p", "hosts", "a.yaml")
            with open(path, encoding="ascii") as f:
                text = f.read()
            with open(path, "w", encoding="ascii") as f:
                f.write("# one line\n# and another\n" + text)
        if [p for p, _ in prints[0]] != [p for p, _ in prints[1]] or len(prints[0]) < 4:
            bad.append("fingerprints change with lines: %s" % prints)
        if [n + 2 for _, n in prints[0]] != [n for _, n in prints[1]]:
            bad.append("lines do not follow: %s" % prints)


def main(argv):
    if len(argv) != 2:
        sys.exit(__doc__)
    cordon = os.path.abspath(argv[1])
    files = [os.path.join(HERE, "parts.schema.json")]
    if os.environ.get("SARIF_SCHEMA"):
        files.append(os.environ["SARIF_SCHEMA"])
    schemas = []
    for name in files:
        with open(name, encoding="utf-8") as f:
            schema = json.load(f)
        schemas.append(jsonschema.validators.validator_for(schema)(schema))
    cases = sorted(glob.glob(os.path.join(REJECT, "*/"))) + \
        sorted(glob.glob(os.path.join(EXAMPLES, "*/cordon.yaml")))
    results = []
    for case in cases:
        results += one(cordon, schemas,
                       os.path.dirname(case) if case.endswith(".yaml") else case)
    levels = {r["level"] for r in results}
    if levels != {"error", "warning", "note"}:
        bad.append("levels seen: %s" % levels)
    if not any(r["suppressions"] for r in results):
        bad.append("no suppression seen")
    if not any(p["physicalLocation"].get("region", {}).get("endLine", 0) >
               p["physicalLocation"].get("region", {}).get("startLine", 0)
               for r in results for p in r["locations"]):
        bad.append("no region of several lines seen")
    moved(cordon)
    for line in bad:
        print("FAIL sarif: " + line)
    print("sarif: %d policies, %d results, %d schemas, %d failures" % (
        len(cases), len(results), len(schemas), len(bad)))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
