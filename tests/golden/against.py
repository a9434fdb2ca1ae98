#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`cordon replay OLD FILE --against NEW`: what a change of rules, services, modes, guards and
requirements does to the lab's connections, as text, JSON and markdown say it.

usage: against.py CORDON"""
import gzip
import json
import os
import subprocess
import sys
import tempfile

PCAPS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "pcap")
CONFIG = """cordon: 1
gateway: {interfaces: [lan8], protect: [10.20.8.0/24, "fd00:20:8::/64"]}
"""
HOST = """host: h
addresses: [10.20.8.11, "fd00:20:8::11"]
mode: %(mode)s
guards:
  smb1: { action: %(smb1)s, reason: test }
allow:
  inbound:
    - { service: tcp/1433, from: 10.30.0.7, reason: old files, id: files%(files)s }
    - { service: tcp/8080, from: 10.1.0.5, reason: desk, id: desk%(desk)s }
"""
PLAIN = {"mode": "enforce", "smb1": "drop", "files": "", "desk": ""}
SMB = ", speaks: smb"
# name, capture, before, after, [(change, verdicts, exposes)], of --fail-on which exit 3
CASES = [
    ("nothing", "smb1-port1433", {}, {}, [], ""),
    ("a rule goes", "other-benign", {}, {"files": ", expires: 2020-01-01"}, [
        ("closed", "allow", "deny", False)], "closed any"),
    ("a rule comes", "other-benign", {"files": ", expires: 2020-01-01"}, {}, [
        ("opened", "deny", "allow", False)], "opened any"),
    ("only observed from now on", "other-benign", {}, {"mode": "observe"}, [
        ("opened", "deny", "would_deny", False)] * 3, "opened any"),
    ("enforced from now on", "rdp-port8080", {"mode": "observe"}, {}, [
        ("closed", "allow", "condemn", False)], "closed any"),
    ("RDP is granted", "rdp-port8080", {}, {"desk": ", speaks: rdp"}, [
        ("opened", "condemn", "allow", True)], "opened exposure any"),
    ("NLA is required", "rdp-port8080", {"desk": ", speaks: rdp"}, {"desk": ", speaks: rdp, require: [nla]"}, [
        ("closed", "allow", "deny", False)], "closed any"),
    ("SMB is granted, SMB1 is not", "smb1-port1433", {}, {"files": SMB}, [
        ("changed", "condemn", "condemn", False)], "any"),
    ("the ban of SMB1 goes", "smb1-port1433", {"files": SMB}, {"files": SMB, "smb1": "disabled"}, [
        ("opened", "condemn", "allow", True)], "opened exposure any"),
    ("the ban of SMB1 only tells", "smb1-port1433", {"files": SMB}, {"files": SMB, "smb1": "alert"}, [
        ("opened", "condemn", "allow", True)], "opened exposure any"),
    ("it does not even tell", "smb1-port1433", {"files": SMB, "smb1": "alert"}, {"files": SMB, "smb1": "disabled"}, [
        ("changed", "allow", "allow", False)], "any"),
    ("SMB2 is required", "smb1-port1433", {"files": SMB, "smb1": "disabled"},
     {"files": SMB + ", require: [smb2]", "smb1": "disabled"}, [("closed", "allow", "deny", False)], "closed any"),
]
WORDS = ["opened", "closed", "exposure", "any"]
bad = checks = 0


def check(what, got, want):
    global bad, checks
    checks += 1
    if got != want:
        bad += 1
        print("FAILED %s: got %s, want %s" % (what, got, want))


def policy(root, more):
    os.makedirs(root + "/hosts", exist_ok=True)
    for name, text in (("cordon.yaml", CONFIG), ("hosts/h.yaml", HOST % {**PLAIN, **more})):
        with open(os.path.join(root, name), "w") as f:
            f.write(text)
    return root


def run(*args, stdin=None):
    done = subprocess.run([sys.argv[1], "replay", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, input=stdin)
    return done.returncode, done.stdout.decode()


def one(work, name, capture, before, after, want, fails):
    path = os.path.join(PCAPS, capture + ".pcap")
    args = [policy(work + "/old", before), path, "--against", policy(work + "/new", after)]
    code, out = run(*args, "--format", "json")
    check("%s: exit" % name, code, 0)
    rows = [json.loads(line) for line in out.splitlines()]
    summary = rows.pop()
    check(name, [(r["change"], r["before"]["verdict"], r["after"]["verdict"], r["exposes"]) for r in rows], want)
    for change in ("opened", "closed", "changed"):
        check("%s: sum of %s" % (name, change), summary[change], sum(r["change"] == change for r in rows))
    check("%s: sums" % name, (summary["same"] + len(rows), summary["exposure_opened"]),
          (summary["flows"], sum(r["exposes"] for r in rows)))
    for word in WORDS:
        check("%s: --fail-on %s" % (name, word), run(*args, "--fail-on", word)[0], 3 if word in fails.split() else 0)
    for form in ("text", "markdown"):
        code, said = run(*args, "--format", form)
        lines = [x for x in said.splitlines() if any(x.lstrip("| ").startswith(c) for c in ("opened", "closed", "changed"))]
        check("%s: rows as %s" % (name, form), (code, len(lines)), (0, len(rows)))
    for r in rows:  # each side as the policy alone says it
        for side, root in (("before", args[0]), ("after", args[3])):
            mine = [json.loads(line) for line in run("--format", "json", root, path)[1].splitlines()[:-1]]
            mine = next(m for m in mine if all(m[k] == r[k] for k in ("src_ip", "src_port", "dest_ip", "dest_port")))
            told = [(h["guard"], h["action"]) for h in mine["guard_hits"]]
            check("%s: %s: hits" % (name, side), [(h["guard"], h["action"]) for h in r[side]["guard_hits"]], told)
            check("%s: %s: packets" % (name, side), r[side]["denied_packets"], mine.get("denied_packets", 0))
    return args, out


def ways(args, out):
    """The same, however the capture comes in."""
    with open(args[1], "rb") as f:
        data = f.read()
    for name, stdin in (("standard input", data), ("gzip", gzip.compress(data)), ("again", data)):
        check(name, run(args[0], "-", *args[2:], "--format", "json", stdin=stdin), (0, out))
    check("a cut capture", run(args[0], "-", *args[2:], stdin=data[:-7])[0], 2)
    check("no capture", run(args[0], "-", *args[2:], stdin=b"x" * 99)[0], 2)
    check("--packets with it", run(*args, "--packets")[0], 2)
    check("an unknown word", run(*args, "--fail-on", "nothing")[0], 2)
    check("alone", run(*args[:2], "--fail-on", "any")[0], 2)


def packets(work):
    """--packets: one line a denied packet, as many as the connection has."""
    path = os.path.join(PCAPS, "smb1-port1433.pcap")
    root = policy(work + "/packets", {})
    rows = [json.loads(line) for line in run("--packets", "--format", "json", root, path)[1].splitlines()]
    flow = json.loads(run("--format", "json", root, path)[1].splitlines()[0])
    check("packets", len(rows) - 1, flow["denied_packets"])
    check("the first", (rows[0]["packet"], rows[0]["reason"]), (flow["guard_hits"][0]["packet"], "smb-not-granted"))
    check("the rest", {r["reason"] for r in rows[1:-1]}, {"condemned"})
    check("their sum", rows[-1]["denied_packets"], len(rows) - 1)
    text = run("--packets", root, path)[1].splitlines()
    check("text", (len(text), text[-1]), (len(rows), "19 of 22 packets denied"))


def main():
    with tempfile.TemporaryDirectory() as work:
        for case in CASES:
            args, out = one(work, *case)
        ways(args, out)
        packets(work)
    print("against: %d checks, %d failures" % (checks, bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
