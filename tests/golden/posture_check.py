#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: one posture in its three formats: schema, totals, and that all three say the same
"""usage: posture_check.py SCHEMA FOLDER: posture.jsonl, posture.txt and posture.md in it."""
import json
import re
import sys
from collections import Counter

try:
    import jsonschema
except ImportError:
    jsonschema = None

WIDTH = 100


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def plain(text):
    """Without what escapes, wraps and marks up."""
    return "".join(re.sub(r"\\(.)", r"\1", text).split())


def by_schema(path, rows):
    if jsonschema is None:
        print("SKIP of this part: python3-jsonschema is missing", file=sys.stderr)
        return
    schema = json.loads(read(path))
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)
    for row in rows:
        for error in check.iter_errors(row):
            raise SystemExit("%s: %s" % (row.get("host", "summary"), error.message[:300]))


def totals(hosts, total):
    states, level = Counter(), Counter()
    first = []
    for h in hosts:
        bad = []
        for v in h.get("vulnerabilities", ()):
            states[v["state"]] += 1
            against = v["compensation"]
            assert (against is None) == (v["state"] == "fixed"), v["id"]
            assert v["state"] not in ("fixed", "open") or v["why"]["cites"], v["id"]
            if against is None:
                continue
            level[v["state"], against["level"]] += 1
            assert against["unreachable"] == (against["level"] == "closed"), v["id"]
            assert not against["only_observed"] or against["level"] == "nothing", v["id"]
            assert len(against["rules"]) == len(against["schedules"])
            if against["level"] == "guarded":
                assert any(g["action"] == "drop" for g in against["guards"]) or \
                    against.get("nla_enforced") or against.get("smb2_enforced"), v["id"]
            if v["state"] == "open" and against["level"] in ("partly", "nothing"):
                bad.append(v["id"])
        if bad:
            first.append({"host": h["host"], "vulnerabilities": bad})
    names = {"open": "open", "cannot_tell": "can't tell", "fixed": "fixed", "not_affected": "not affected"}
    for key, state in names.items():
        assert total[key] == states[state], key
    for key in ("open", "cannot_tell"):
        for word, n in total[key + "_by_compensation"].items():
            assert n == level[names[key], word], (key, word)
    assert total["act_first"] == first, first
    assert [h["host"] for h in hosts] == sorted(h["host"] for h in hosts)


def same(hosts, text, md):
    """What the JSON says of a host stands in the text and in the markdown, too."""
    for h in hosts:
        said = [h["level"]["text"], h["host"], "%s:%d" % (h["file"], h["line"])]
        if h["status"] == "judged":
            said += [h[k]["text"] for k in ("last_proven", "behind", "can_install")]
            said += [c["text"] for k in ("inconsistent", "notes") for c in h[k]]
        for v in h.get("vulnerabilities", ()):
            said.append(v["id"])
            if v["state"] not in ("open", "can't tell"):
                continue
            against = v["compensation"]
            said += [v["title"], v["why"]["text"], v["note"], against["level"] + ":"]
            said += [r for r in against["rules"][:4]] + [s for s in against["schedules"][:4] if s]
            if not against["unreachable"]:
                said += [g["id"] for g in against["guards"]]
                said += [x for g in against["guards"] for x in g["except"][:4]]
        for s in (h["observed"] or {}).get("sightings", ()):
            said += [s["text"], s["address"]]
        for part in said:
            for name, whole in (("text", text), ("markdown", md)):
                assert plain(part) in whole, (name, h["host"], part)


def uncertain(rows, text, md):
    """Each uncertain row that something rests on is told at the end."""
    def walk(x):
        if isinstance(x, dict):
            if x.get("uncertain"):
                yield x
            for v in x.values():
                yield from walk(v)
        elif isinstance(x, list):
            for v in x:
                yield from walk(v)
    for row in walk(rows):
        assert row["note"], row
        for name, whole in (("text", text), ("markdown", md)):
            end = whole.lower().split("uncertainintheservicingtable")[1]
            assert plain(row["note"]).lower() in end and row["kb"].lower() in end, (name, row["kb"])


def main():
    schema, folder = sys.argv[1:]
    rows = [json.loads(l) for l in read(folder + "/posture.jsonl").splitlines()]
    hosts, total = rows[:-1], rows[-1]
    assert total["event_type"] == "summary" and total["hosts"] == len(hosts) > 0
    by_schema(schema, rows)
    totals(hosts, total)
    raw = read(folder + "/posture.txt")
    for line in raw.splitlines():
        assert len(line) <= WIDTH or " " not in line[15:], "%d columns: %s" % (len(line), line)
    text, md = plain(raw), plain(read(folder + "/posture.md"))
    same(hosts, text, md)
    uncertain(rows, text, md)


main()
