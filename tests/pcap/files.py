#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: capture files as people have them, whole and broken, and two policies over one
"""usage: files.py CORDON   Exit: 0, or 1 and what is wrong."""
import glob, gzip, json, os, shutil, struct, subprocess, sys, tempfile, threading

HERE = os.path.dirname(os.path.abspath(__file__))
CORDON = os.path.abspath(sys.argv[1])
EXAMPLE = HERE + "/../../rules/examples/file-server"
failures, checks = [], 0


def check(what, ok, seen=""):
    global checks
    checks += 1
    if not ok:
        failures.append(what)
        print(f"captures: {what}: {seen}")


def run(*args, data=None):
    r = subprocess.run([CORDON, *args], input=data, capture_output=True)
    return r.returncode, r.stdout.decode(), r.stderr.decode()


def records(path):
    with open(path, "rb") as f:
        data = f.read()
    at, out = 24, []
    while at < len(data):
        n = struct.unpack("<I", data[at + 8:at + 12])[0]
        out.append(data[at:at + 16 + n])
        at += 16 + n
    return data[:24], out


def write(name, data):
    path = os.path.join(work, name)
    with open(path, "wb") as f:
        f.write(data)
    return path


def pcapng(header, recs):
    """the same as pcapng: section, one interface, enhanced packet blocks"""
    def block(kind, body):
        body = body.ljust((len(body) + 3) // 4 * 4, b"\0")
        n = struct.pack("<I", len(body) + 12)
        return struct.pack("<I", kind) + n + body + n
    link = struct.unpack("<I", header[20:24])[0]
    out = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    out += block(1, struct.pack("<HHI", link, 0, 262144))
    for r in recs:
        sec, usec, cap, wire = struct.unpack("<IIII", r[:16])
        us = sec * 1000000 + usec
        out += block(6, struct.pack("<IIIII", 0, us >> 32, us & 0xffffffff, cap, wire) + r[16:])
    return out


def merged():
    """All of the lab's, so that what began first is recognised last."""
    files = [records(p) for p in sorted(glob.glob(HERE + "/*.pcap"))]
    first = [recs[0] for _, recs in files]
    rest = [r for _, recs in reversed(files) for r in recs[1:]]
    return files[0][0], first + rest


def shapes():
    header, recs = merged()
    plain = header + b"".join(recs)
    one = write("all.pcap", plain)
    rc, want, err = run("inspect", one)
    last = json.loads(want.splitlines()[-1])
    check("all of the lab's in one", rc == 0 and last["packets"] == len(recs), err)
    check("a flow's hits are counted with it", last["guards_elsewhere"] == {} and
          last["guards"].get("smb1", 0) >= 3, last)
    check("flows in their order", [json.loads(l)["src_port"] for l in want.splitlines()[:-1]] ==
          [struct.unpack("!H", p)[0] for p in opener_ports(recs, want)], want)
    same = [("again", one, None), ("stdin", "-", plain),
            ("gz", write("a.pcap.gz", gzip.compress(plain)), None),
            ("gz by stdin", "-", gzip.compress(plain)),
            ("gz of two members", write("b.gz", gzip.compress(plain[:5000]) +
                                        gzip.compress(plain[5000:])), None),
            ("pcapng", write("a.pcapng", pcapng(header, recs)), None),
            ("pcapng.gz by stdin", "-", gzip.compress(pcapng(header, recs)))]
    for what, path, data in same:
        check(what, run("inspect", path, data=data)[:2] == (0, want))
    if shutil.which("taskset"):
        alone = subprocess.run(["taskset", "1", CORDON, "inspect", one], capture_output=True)
        check("on one processor", alone.stdout.decode() == want)
    return plain, recs


def opener_ports(recs, want):
    """client ports of the flows reported, in the order of their first packets"""
    clients = {struct.pack("!H", json.loads(l)["src_port"]) for l in want.splitlines()[:-1]}
    seen = []
    for r in recs:
        p = r[16:]
        l4 = 14 + (40 if p[12:14] == b"\x86\xdd" else 20)
        if p[l4:l4 + 2] in clients and p[l4:l4 + 2] not in seen:
            seen.append(p[l4:l4 + 2])
    return seen


def broken(plain, recs):
    whole = len(plain) - len(recs[-1])
    squeezed = gzip.compress(plain)
    damaged = bytearray(squeezed)
    damaged[len(damaged) // 2] ^= 0x55
    damaged[len(damaged) // 2 + 1] ^= 0x55
    cases = [("cut in a packet", plain[:-3], len(recs) - 1, "broken off after"),
             ("cut in a header", plain[:whole + 7], len(recs) - 1, "broken off after"),
             ("gzip cut", squeezed[:-40], None, "the gzip data breaks off"),
             ("gzip damaged", bytes(damaged), None, "the gzip data")]
    for what, data, packets, says in cases:
        path = write("broken", data)
        rc, out, err = run("inspect", path)
        last = json.loads(out.splitlines()[-1])
        check(f"{what}: what was read is reported", last["damaged_files"] == 1 and
              (last["packets"] == packets if packets else 0 < last["packets"] <= len(recs)), last)
        check(f"{what}: said, exit 2", rc == 2 and says in err, (rc, err))
        rc, out, err = run("replay", EXAMPLE, path, "--format", "json")
        last = json.loads(out.splitlines()[-1])
        check(f"{what}: replay too", rc == 2 and last["truncated"] is True and
              "breaks off after" in err, (rc, err))


def refused(plain):
    usb = bytearray(plain)
    usb[20:24] = struct.pack("<I", 189)
    cases = [("empty", b"", "the file is empty"), ("one byte", b"\xd4", "neither pcap nor pcapng"),
             ("text", b"hello, world, this is no capture\n", "neither pcap nor pcapng"),
             ("gzip of nothing", gzip.compress(b""), "neither pcap nor pcapng"),
             ("xz", b"\xfd7zXZ\0" + bytes(50), "xz -dc"), ("zstd", b"\x28\xb5\x2f\xfd" + bytes(50), "zstd -dc"),
             ("USB", bytes(usb), "link type 189")]
    for what, data, says in cases:
        for verb in (["inspect"], ["replay", EXAMPLE]):
            rc, out, err = run(*verb, write("refused", data))
            check(f"{verb[0]}: {what}", rc == 2 and says in err and "Sanitizer" not in err, (rc, err))
    for path, says in ((work, "Is a directory"), (work + "/none", "No such file")):
        rc, out, err = run("inspect", path)
        check(says, rc == 2 and says in err, (rc, err))
    rc, out, err = run("inspect", work + "/none", work + "/all.pcap")
    check("the others are read all the same", rc == 2 and len(out.splitlines()) > 5, (rc, out))


def edited(name, edits):
    path = os.path.join(work, name)
    shutil.copytree(EXAMPLE, path)
    for file, old, new in edits:
        with open(f"{path}/{file}") as f:
            text = f.read()
        assert old in text, old
        with open(f"{path}/{file}", "w") as f:
            f.write(text.replace(old, new, 1))
    return path


def against():
    capture = work + "/all.pcap"
    open_ = edited("open", [
        ("hosts/files01.yaml", "  outbound:", "    - { service: rdp, from: 10.1.0.5, id: new }\n  outbound:"),
        ("hosts/files01.yaml", "  inbound:", "  inbound:\n    - { service: tcp/1433, from: 10.30.0.7, reason: x }")])
    observed = edited("observed", [("hosts/files01.yaml", "owner:", "mode: observe\nowner:")])

    def replay(before, after, *more):
        rc, out, err = run("replay", before, capture, "--against", after, "--format", "json", *more)
        lines = [json.loads(l) for l in out.splitlines()]
        return rc, lines[:-1], lines[-1]

    rc, rows, total = replay(EXAMPLE, EXAMPLE, "--fail-on", "any")
    check("no difference", rc == 0 and rows == [] and total["same"] == total["flows"] > 9, total)
    rc, rows, total = replay(EXAMPLE, open_)
    by_port = {(r["dest_ip"], r["dest_port"]): r for r in rows}
    check("what a rule opens", rc == 0 and total["opened"] == 2 and total["closed"] == 0 and
          total["changed"] == 1 and len(rows) == 3 and total["same"] + 3 == total["flows"], total)
    rdp = by_port.get(("10.20.8.11", 3389), {})
    check("RDP that passes now", rdp.get("change") == "opened" and rdp["exposes"] is True and
          rdp["before"]["verdict"] == "deny" and rdp["after"] ==
          {"verdict": "allow", "why": "files01/in/new", "guard_hits": [], "denied_packets": 0,
           "exposure": False}, rdp)
    check("TDS to a new rule", any(r["dest_port"] == 1433 and not r["exposes"] for r in rows), rows)
    check("SMB over that port stays stopped", total["exposure_opened"] == 1 and
          [(r["before"]["verdict"], r["after"]["verdict"], r["app_proto"]) for r in rows
           if r["change"] == "changed"] == [("deny", "condemn", "smb")], rows)
    rc, rows2, total2 = replay(open_, EXAMPLE)
    check("the other way round", total2["closed"] == 2 and total2["opened"] == 0 and
          sorted(r["change"] for r in rows2) == ["changed", "closed", "closed"] and total2["exposure_opened"] == 0, total2)
    rc, rows, total = replay(EXAMPLE, observed)
    check("observed: what was denied would be", total["opened"] > 2 and
          all(r["after"]["verdict"] == "would_deny" for r in rows
              if r["before"]["verdict"] == "deny"), rows)
    for on, forth, back in (("opened", 3, 0), ("closed", 0, 3), ("exposure", 3, 0), ("any", 3, 3)):
        check(f"--fail-on {on}", (replay(EXAMPLE, open_, "--fail-on", on)[0],
                                  replay(open_, EXAMPLE, "--fail-on", on)[0]) == (forth, back))
    for fmt, says in (("text", "2 newly allowed, 0 newly denied"), ("markdown", "| opened **exposure** |")):
        rc, out, err = run("replay", EXAMPLE, capture, "--against", open_, "--format", fmt)
        check(f"as {fmt}", rc == 0 and says in out and "files01/in/new" in out, out)
    for args in (["--fail-on", "any"], ["--format", "markdown"], ["--against", open_, "--fail-on", "x"]):
        check(f"usage {args}", run("replay", EXAMPLE, capture, *args)[0] == 2)
    bad = edited("bad", [("hosts/files01.yaml", "owner:", "ownr:")])
    rc, out, err = run("replay", EXAMPLE, capture, "--against", bad)
    check("an error in the other", rc == 1 and "ownr" in err and "new policy" in err and out == "", err)


def on_terminal(*args):
    """stdout and what a terminal for stderr is told"""
    ours, theirs = os.openpty()
    child = subprocess.Popen([CORDON, *args], stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    told = b""
    reader = threading.Thread(target=lambda: out.append(child.stdout.read()))
    out = []
    reader.start()
    try:
        while more := os.read(ours, 4096):
            told += more
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    reader.join()
    check(f"{args[0]} on a terminal", child.wait() == 0, told)
    return out[0].decode(), told.decode()


def progress(whole, recs):
    """told on terminals while a large file is read, and gone at the end; nowhere else"""
    syn = next(r for r in recs if len(r) < 100)
    large, small = write("large.pcap", whole[:24] + syn * 1100000), write("small.pcap", whole)
    for verb in (["inspect", "--format", "json", large],
                 ["replay", "--format", "json", EXAMPLE, large]):
        rc, plain, err = run(*verb)
        out, told = on_terminal(*verb)
        check(f"{verb[0]}: nothing to a pipe", rc == 0 and err == "", err)
        check(f"{verb[0]}: the same result", out == plain, out[-300:])
        check(f"{verb[0]}: progress", told.count(" %)") == 2 and " packets (" in told, told)
        check(f"{verb[0]}: gone at the end", told.endswith("\r\033[K"), told[-80:])
    out, told = on_terminal("inspect", "--format", "json", small)
    check("a small file: nothing told", told == "", told)


with tempfile.TemporaryDirectory() as work:
    whole, packets = shapes()
    broken(whole, packets)
    refused(whole)
    against()
    progress(whole, packets)
print(f"captures: {checks} checks, {len(failures)} failures")
sys.exit(1 if failures else 0)
