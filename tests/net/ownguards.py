#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Guards as users write them, from cordon-policy(5) alone: each hit and each near miss as
packets through the kernel, and the same packets as a capture: `replay` says the same.

usage: ownguards.py CORDON CORDOND [SEED]   (in a network namespace of its own)"""
import json
import os
import random
import subprocess
import sys
import tempfile
import time

import cases as C
import gates
import packets as P

GUARDS = r"""
guard: plc-stop
title: S7 stop of the processor
attack: T0881
match:
  - { at: 0, bytes: "03 00" }
  - { at: 4, bytes: "02 f0 80 32 01" }
  - { at: 17, bytes: "29" }
---
guard: printer
title: a job in PJL, either case of its word
match: [ { at: 0, bytes: "1b 25 2d 31 32 33 34 35" }, { at: 8, bytes: "58", mask: "df" } ]
---
guard: write-coil
title: Modbus, functions 5 and 15, unit 1-127
match:
  - - { at: 2, bytes: "00 00 00" }
    - { at: 6, bytes: "00", mask: "80" }
    - { at: 6, bytes: "00", not: true }
    - { at: 7, bytes: "05", mask: "f5" }
    - { at: 8, bytes: "00 00" }
---
guard: far-end
title: as far as a comparison reaches
match: [ { at: 255, bytes: "43 4f 52 44 4f 4e 21 21" } ]
---
guard: banner
title: what a server may not say
direction: to-client
match: [ { at: 0, bytes: "32 32 30 20 4f 4c 44 2d" } ]
---
guard: either
title: whoever says it
direction: both
match: [ { at: 1, bytes: "42 4f 54 48 21 21" } ]
---
guard: one-of-three
title: alternatives
match:
  - [ { at: 0, bytes: "61 61 61 61 61 61 61 61" } ]
  - [ { at: 0, bytes: "62 62 62 62 62 62" }, { at: 9, bytes: "00", not: true } ]
  - [ { at: 4, bytes: "63 63 63 63 63 63 63 63" }, { at: 12, bytes: "01", mask: "01" } ]
---
guard: told
title: only told
action: alert
match: [ { at: 0, bytes: "54 4f 4c 44 54 4f 4c 44" } ]
---
guard: two-apart
title: two differences side by side
match: [ { at: 0, bytes: "44 49 46 46 44 49" }, { at: 6, bytes: "30", not: true }, { at: 7, bytes: "30", not: true } ]
---
guard: excepted
title: not for one
match: [ { at: 0, bytes: "45 58 43 45 50 54 45 44" } ]
---
guard: expired
title: off until yesterday
match: [ { at: 0, bytes: "45 58 50 49 52 45 44 21" } ]
---
guard: unused
title: off
match: [ { at: 0, bytes: "55 4e 55 53 45 44 21 21" } ]
---
guard: searched
title: of the sensor
where: sensor
match: [ { at: 0, bytes: "53 45 4e 53" }, { at: 4, within: 100, bytes: "4e 45 45 44 4c 45" } ]
"""
POLICY = {
    "cordon.yaml": """cordon: 1
gateway:
  interfaces: [lan8, lan9]
  protect: [10.20.8.0/25, { prefix: 10.20.8.128/25, mode: observe }, "fd00:20:8::/64"]
""",
    "guards/own.yaml": GUARDS,
    "hosts/h.yaml": """host: h
addresses: [10.20.8.10, "fd00:20:8::10"]
allow:
  inbound:
    - {service: [tcp/102, tcp/502, tcp/1433], from: [10.30.0.0/24, "fd00:1::/64"], id: plain}
guards:
  plc-stop: { action: drop }
  printer: { action: drop }
  write-coil: { action: drop }
  far-end: { action: drop }
  banner: { action: drop }
  either: { action: drop }
  one-of-three: { action: drop }
  told: { action: alert }
  two-apart: { action: drop }
  excepted: { action: drop, except: 10.30.0.7, reason: it has to }
  expired: { action: disabled, reason: it had to, expires: 2026-01-01 }
  unused: { action: disabled, reason: nobody has it }
  searched: { action: alert }
""",
    "hosts/watched.yaml": """host: watched
addresses: [10.20.8.20]
mode: observe
guards: { printer: { action: drop } }
""",
}
S7 = bytes.fromhex("0300002102f0803201000004000010000029").ljust(33, b"\0")
PJL = b"\x1b%-12345X@PJL"
COIL = bytes.fromhex("0001000000060105000aff00")
DIFF = b"DIFFDI11"
# name, (from the server?, payload), does it pass; another client; which guard is told
CASES = [
    ("S7 stop", S7, False), ("S7 read", S7[:17] + b"\x04" + S7[18:], True),
    ("S7 stop, cut before it", S7[:17], True), ("S7 stop, to its last byte", S7[:18], False),
    ("PJL", PJL, False), ("PJL, other case", PJL.replace(b"X", b"x"), False),
    ("PJL, one byte off", b" " + PJL, True), ("PJL, another word", PJL.replace(b"X", b"Y"), True),
    ("PJL, cut", PJL[:8], True),
    ("coil 05", COIL, True), ("coil 05, address 0", COIL[:8] + b"\0\0" + COIL[10:], False),
    ("coil 15, address 0", COIL[:7] + b"\x0f\0\0" + COIL[10:], False),
    ("coil 04, address 0", COIL[:7] + b"\x04\0\0" + COIL[10:], True),
    ("unit 0", COIL[:6] + b"\0\x05\0\0" + COIL[10:], True),
    ("unit 128", COIL[:6] + b"\x80\x05\0\0" + COIL[10:], True),
    ("far end", b"x" * 255 + b"CORDON!!", False), ("far end, one short", b"x" * 255 + b"CORDON!", True),
    ("far end, one late", b"x" * 256 + b"CORDON!!", True),
    ("banner of the server", (b"220 OLD-FTP\r\n",), False), ("banner of the client", b"220 OLD-FTP\r\n", True),
    ("both, client", b"xBOTH!!z", False), ("both, server", (b"xBOTH!!z",), False),
    ("both, under 8 bytes", b"xBOTH!!", True),
    ("first of three", b"a" * 8, False), ("second of three", b"b" * 9 + b"x", False),
    ("second, what it is not", b"b" * 9 + b"\0", True), ("second, cut", b"b" * 9, True),
    ("third of three", b"xxxx" + b"c" * 8 + b"\x81", False), ("third, another bit", b"xxxx" + b"c" * 8 + b"\x80", True),
    ("only told", b"TOLDTOLD", True),
    ("two apart", DIFF, False), ("two apart, the first equal", b"DIFFDI01", True),
    ("two apart, the second equal", b"DIFFDI10", True), ("two apart, both", b"DIFFDI00", True),
    ("excepted, another", b"EXCEPTED", False, "10.30.0.8"), ("excepted", b"EXCEPTED", True),
    ("excepted, IPv6", b"EXCEPTED", False, C.APP6),
    ("its setting expired", b"EXPIRED!", False), ("disabled", b"UNUSED!!", True),
    ("the sensor's", b"SENSxxxxNEEDLE", True),
]
PORT = 1433
UNLISTED = "10.20.8.200"


def one(gw, check, name, step, want, client=C.APP):
    conn = gates.Conn(gw, client, C.H6 if ":" in client else C.H, PORT)
    first = [b"hello, old host", (b"hello, client",)]
    check("%s: before" % name, conn.run(first), [True, True])
    check(name, conn.run([step]), [want])
    # behind a drop all is denied, else it goes on
    check("%s: behind" % name, conn.run([b"and so on", (b"and so on",)]), [want] * 2)
    return name, conn.tape


def by_chance(gw, check, tapes, n):
    """The bytes of a case with one of them changed: whatever the kernel does, replay does."""
    for i in range(n):
        name, step = random.choice(CASES)[:2]
        data = bytearray(step[0] if isinstance(step, tuple) else step)
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        data = bytes(data)
        conn = gates.Conn(gw, random.choice(("10.30.0.7", "10.30.0.8")), C.H, PORT)
        conn.run([b"hello, old host", (data,) if isinstance(step, tuple) else data, b"and so on"])
        tapes.append(("%s, changed (%d)" % (name, i), conn.tape))


def watched(gw, check, tapes):
    conn = gates.Conn(gw, C.APP, C.WATCHED, PORT)
    check("observed", conn.run([b"hello, old host", PJL, b"and so on"]), [True] * 3)
    tapes.append(("observed", conn.tape))


def unlisted(gw, check):
    """Undeclared, of an observed prefix: the policy's guards are told."""
    def seen():
        out = subprocess.run(["nft", "list", "counter", "inet", "cordon", "guard_seen"], text=True,
                             stdout=subprocess.PIPE, check=True).stdout
        return int(out.split("packets")[1].split()[0])
    conn, before = gates.Conn(gw, C.APP, UNLISTED, PORT), seen()
    check("unlisted: before", (conn.run([b"hello, old host"]), seen() - before), ([True], 0))
    check("unlisted: a guard", (conn.run([PJL, b"and so on"]), seen() - before), ([True] * 2, 1))


def replay(cordon, work, check, tapes):
    path = work + "/own.pcap"
    P.write_pcap(path, [(time.time(), ip) for _, tape in tapes for ip, _ in tape])
    out = subprocess.run([cordon, "replay", "--format", "json", work + "/policy", path], text=True,
                         stdout=subprocess.PIPE, check=True).stdout
    rows = [json.loads(line) for line in out.splitlines()][:-1]
    check("as many connections in replay", len(rows), len(tapes))
    for row, (name, tape) in zip(rows, tapes):
        passed = [ok for _, ok in tape]
        drops = [h for h in row["guard_hits"] if h["action"] == "drop"]
        check("replay: %s: a drop" % name, bool(drops), not all(passed))
        if drops and not all(passed):
            check("replay: %s: at that packet" % name, drops[0]["packet"], passed.index(False) + 1)
        if name in ("only told", "observed"):
            check("replay: %s" % name, [h["action"] for h in row["guard_hits"]],
                  ["alert" if name == "only told" else "would_drop"])


def main():
    random.seed(seed := int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(10**6))
    check = C.Checks()
    gw = P.Gateway(C.SIDES)
    C.POLICY = POLICY
    with tempfile.TemporaryDirectory() as work:
        os.makedirs(work + "/policy/guards")
        C.start(sys.argv[2], work)
        tapes = [one(gw, check, *case) for case in CASES]
        by_chance(gw, check, tapes, 60)
        watched(gw, check, tapes)
        unlisted(gw, check)
        replay(sys.argv[1], work, check, tapes)
    print("own guards: %d checks, %d failed (seed %d); %d connections, kernel = replay" % (
        check.n, check.bad, seed, len(tapes)))
    return 1 if check.bad else 0


if __name__ == "__main__":
    sys.exit(main())
