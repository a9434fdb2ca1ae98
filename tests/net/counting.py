#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: the counting identity, from `cordon status`, the event log and what was sent
"""counting.py STATUS EVENTS SENT [HOST_LIMIT]

STATUS: a file with the JSON of `cordon status`; EVENTS: the log; SENT: packets that were
to be denied, or ADDRESS=PACKETS,... for each.  Prints what does not hold, one line each;
exit 0: all holds."""
import collections
import json
import sys

bad = []


def claim(holds, what):
    if not holds:
        bad.append(what)


def terms_hold(what, t):
    claim(t["packets"] == t["logged"] + t["suppressed"] + t["overflow"],
          f"{what}: {t['packets']} is not {t['logged']} logged + {t['suppressed']} "
          f"suppressed + {t['overflow']} overflow")


def main():
    with open(sys.argv[1]) as f:
        counts = json.load(f)["counts"]
    with open(sys.argv[2]) as f:
        events = [json.loads(line) for line in f]
    sent = dict(pair.split("=") for pair in sys.argv[3].split(","))
    rows = {r["addr"]: r for r in counts["hosts"] if r["kind"] == "denied"}
    for kind, terms in counts["gateway"].items():
        terms_hold(kind, terms)
        for term in ("packets", "logged", "suppressed", "overflow"):
            total = sum(r[term] for r in counts["hosts"] if r["kind"] == kind)
            # what is logged of no host is what is left
            claim(total == terms[term], f"{kind} {term}: hosts {total}, gateway {terms[term]}")
    for row in counts["hosts"]:
        terms_hold(f"{row['addr']} {row['kind']}", row)
        claim(row["told"] == row["packets"],
              f"{row['addr']} {row['kind']}: {row['told']} told of {row['packets']}")
    for addr, packets in sent.items():
        got = rows.get(addr, {"packets": 0})["packets"]
        claim(got == int(packets), f"{addr}: {packets} sent, {got} counted")

    told = collections.Counter()
    last = {}
    for e in events:
        c = e["cordon"]
        if c["kind"] != "denied":
            continue
        told[c["kind"]] += c["count"]
        # one line a flow and period of ten seconds: the first, then counts
        if "src_ip" not in e:
            continue
        key = (e["src_ip"], e["dest_ip"], e["dest_port"], c["reason"])
        if "since" in c and key in last:
            claim(c["seq"] > last[key], f"{key}: out of order")
        last[key] = c["seq"]
    total = sum(r["packets"] for r in counts["hosts"] if r["kind"] == "denied")
    claim(told["denied"] == total, f"the log tells of {told['denied']} packets, "
                                   f"the kernel counted {total}")
    print("\n".join(bad) if bad else
          f"denied {total} = " + " + ".join(
              f"{counts['gateway']['denied'][t]} {t}"
              for t in ("logged", "suppressed", "overflow")) + f"; {len(events)} lines")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
