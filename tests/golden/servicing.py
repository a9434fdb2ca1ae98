#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: the servicing table that ships, row by row against the list of facts it was made from
"""usage: servicing.py.  Anchors stand here; the list of facts (../shared/FACTS-servicing.csv or
$CORDON_FACTS) is compared where it is there."""
import csv
import os
import re
import sys

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
FACTS = os.environ.get("CORDON_FACTS", os.path.join(TOP, "..", "shared", "FACTS-servicing.csv"))
ROW = re.compile(r'(\w+): (?:"((?:[^"\\]|\\.)*)"|([^,}]+?))\s*(?:,|\}$)')

# kind of the facts -> kind, programme
KINDS = {
    "monthly-rollup": ("rollup", "free"), "security-only": ("security-only", "free"),
    "monthly-rollup-ESU": ("rollup", "esu azure"), "security-only-ESU": ("security-only", "esu azure"),
    "monthly-rollup-PremiumAssurance": ("rollup", "premium"),
    "security-only-PremiumAssurance": ("security-only", "premium"),
    "monthly-rollup-preview": ("preview", "free"), "SSU": ("ssu", ""), "SHA-2-support": ("sha-2", ""),
    "ESU-licensing-prep": ("esu-prep", ""), "cve-fix": ("fix", ""),
}
# First and last updates of each programme, and what fixed a vulnerability: KB, date, revision.
ANCHORS = """
KB4489880 2019-03-12 6002.24565    KB4489887 2019-03-19 6003          KB4493471 2019-04-09 6003.20489
KB4499149 2019-05-14 6003.20512    KB4499180 2019-05-14 6003.20512    KB4534303 2020-01-14 6003.20705
KB5004955 2021-07-06 6003.21138    KB5004305 2021-07-13 6003.21163    KB5009627 2022-01-11 6003.21349
KB5014010 2022-05-10 6003.21481    KB5022340 2023-01-10 6003.21872    KB5034173 2024-01-09 6003.22464
KB5034176 2024-01-09 6003.22464    KB5040499 2024-07-09 6003.22769    KB5044306 2024-10-08 6003.22918
KB5062624 2025-07-08 6003.23418    KB5073697 2026-01-13 6003.23717    KB5073700 2026-01-13 6003.23717
""".split()
ENDS = {"free": "2020-01-14", "esu": "2023-01-10", "azure": "2024-01-09", "premium": "2026-01-13"}
bad = 0


def ok(what, good, *more):
    global bad
    if not good:
        bad += 1
        print("servicing:", what, *more, file=sys.stderr)


def table():
    rows = []
    with open(TOP + "/rules/servicing/servicing.yaml", encoding="utf-8") as f:
        for line in f:
            if line.startswith("- {"):
                rows.append({k: a or b for k, a, b in ROW.findall(line.strip()[3:].strip())})
    return rows


def anchors(rows):
    by_kb = {r["kb"]: r for r in rows if "kb" in r}
    for kb, date, revision in zip(*[iter(ANCHORS)] * 3):
        row = by_kb.get(kb, {})
        ok("anchor", (row.get("date"), row.get("revision")) == (date, revision), kb, row)
    for programme, date in ENDS.items():
        ends = [r["date"] for r in rows if r["kind"] == "end" and r["programme"] == programme]
        ok("end of " + programme, ends == [date], ends)
    needed = {r["kb"] for r in rows if "required_from" in r}
    ok("needed from July 2019 on", needed == {"KB4474419", "KB4493730"}, needed)
    ok("what proves nothing is no rollup", all(
        "required_from" not in r for r in rows if r["kind"] in ("rollup", "security-only")))
    for programme, (first, last) in {"azure": ("2023-02", "2024-01"), "premium": ("2024-02", "2026-01")}.items():
        months = sorted(r["date"][:7] for r in rows if r["kind"] == "rollup" and r["programme"] == programme)
        ok("months of " + programme, (months[0], months[-1]) == (first, last), months)


def plain(note):
    """A note without what the columns of the table say by themselves, in words alone."""
    for text in ("NOT cumulative: proves only its own month", "revision = ntoskrnl file version",
                 "revision = MSRC fixed build (record does not separate MR/SO)",
                 "revision = MSRC fixed build", "PREVIEW"):
        note = note.replace(text, "")
    return set(re.findall(r"[A-Za-z]{5,}|[0-9]{4,}", note.lower()))


def compare(fact, rows, lost):
    kind, programmes = KINDS[fact["kind"]]
    row = next((r for r in rows if r.get("kb") == fact["kb"]), None)
    name = "%s %s" % (fact["kb"], fact["date"])
    ok(name + " is not in the table", row is not None)
    if row is None:
        return
    ok(name + ": date", row["date"] == fact["date"], row["date"])
    if fact["kind"] != "cve-fix":
        ok(name + ": kind", row["kind"] == kind, row["kind"])
        ok(name + ": programme", row.get("programme", "") in programmes.split() or not programmes,
           row.get("programme"))
    want = fact["build_revision"].replace(".?", "")
    high = re.split(r"[-/]", want, maxsplit=1)[1:]
    ok(name + ": revision", not want or row.get("revision", "").startswith(re.split(r"[-/ ]", want)[0]),
       row.get("revision"), want)
    ok(name + ": highest revision", not high or row.get("revision_high") == high[0].split(".")[-1], high)
    # The same sources, without the ids of the tool that found them.
    for source in re.sub(r"\((?:find_\w+ )?id \d+\)", "", fact["source"]).split(";"):
        source = source.split("(")[0].strip()
        if source.startswith("find_"): # a search, not a source
            continue
        ok(name + ": source", source.split(" ")[0] in row["source"] or source == "brief" or "brief" in source,
           source, "|", row["source"])
    doubt = re.search(r"UNCERTAIN|NOT independently sourced|not sourced|Conflict", fact["note"])
    ok(name + ": uncertain", not doubt or row.get("uncertain") == "true" or fact["kind"] == "cve-fix", fact["note"])
    if fact["kind"] == "cve-fix":
        mends(fact, name)
        return
    missing = plain(fact["note"]) - plain(row.get("note", "")) - plain(str(row))
    lost.append((len(missing), name, missing))


def mends(fact, name):
    """cves.yaml has the number as what fixes the CVE that the fact names."""
    with open(TOP + "/rules/servicing/cves.yaml", encoding="utf-8") as f:
        entries = f.read().split("\n- id: ")[1:]
    cve = re.search(r"CVE-\d+-\d+", fact["note"])
    if not cve:  # KB4018466: only by what it replaces
        ok(name + ": not in cves.yaml", any(fact["kb"] in entry for entry in entries))
        return
    cve = cve.group()
    numbers = set(re.findall(r"KB\d+", fact["kb"] + " " + fact["note"].split("security-only")[-1]
                             if "security-only" in fact["note"] else fact["kb"]))
    for entry in entries:
        if cve in entry:
            fixed = re.search(r"fixed_by: (.*)", entry)
            ok(name + ": cves.yaml", fixed and all(kb in fixed.group(1) for kb in numbers), numbers, entry)
            ok(name + ": revision of cves.yaml", not fact["build_revision"] or
               '"%s"' % fact["build_revision"] in entry, fact["build_revision"], entry)
            return
    ok(name + ": not in cves.yaml", False, cve, fact["note"])


def lifecycle(fact, rows):
    dates = [r for r in rows if r["kind"] in ("lifecycle", "end") and r["date"] == fact["date"]]
    ok("lifecycle of %s" % fact["date"], dates, fact["note"])
    build = fact["build_revision"]
    ok("build of %s" % fact["date"], not build or any(
        build.split(".")[-1] in str(r) for r in dates + [r for r in rows if r["date"] == fact["date"]]), build)


def facts(rows):
    lost = []
    with open(FACTS, encoding="utf-8", newline="") as f:
        all_facts = list(csv.DictReader(f))
    for fact in all_facts:
        if fact["kind"] == "lifecycle":
            lifecycle(fact, rows)
        elif fact["kb"]:
            compare(fact, rows, lost)
        else:
            with open(TOP + "/rules/servicing/cves.yaml", encoding="utf-8") as f:
                ok("no KB and not in cves.yaml", re.search(r"CVE-\d+-\d+", fact["note"]).group() in f.read(), fact)
    known = {f["kb"] for f in all_facts}
    for row in rows:
        ok("a row without a fact", not row.get("kb") or row["kb"] in known, row)
    for n, name, words in lost:
        ok(name + ": words of the note are lost", n <= 4, words)
    print("servicing: %d rows, %d facts, %d differ" % (len(rows), len(all_facts), bad))


def main():
    rows = table()
    ok("rows", len(rows) > 200, len(rows))
    anchors(rows)
    if os.path.exists(FACTS):
        facts(rows)
    else:
        print("servicing: %d rows, the anchors; SKIP of this part: no list of facts" % len(rows))
    return 1 if bad else 0


sys.exit(main())
