#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What `require:` asks of a connection: nla, smb2, signing, byte by byte, and what a client
may try to get around it.  The same packets as a capture: `replay` says the same.

usage: gates.py CORDON CORDOND   (in a network namespace of its own)"""
import json
import random
import struct
import subprocess
import sys
import tempfile
import time

import cases as C
import packets as P

FIN = 1
SIDES = {"lan8": (8, ["10.20.8.0/24", "fd00:20:8::/64"]), "lan9": (9, ["10.21.0.0/24"]),
         "out0": (0, ["10.1.0.0/16", "10.30.0.0/16", "fd00:1::/32"])}
H, H6, FAR, WATCHED = "10.20.8.10", "fd00:20:8::10", "10.21.0.30", "10.20.8.20"
JUMP, JUMP6, FREE, FILES, SIGNED, BOTH, OLD = ("10.1.0.5", "fd00:1::5", "10.1.0.6", "10.30.0.7",
                                               "10.30.0.8", "10.30.0.9", "10.30.0.10")
POLICY = {
    "cordon.yaml": """cordon: 1
gateway:
  interfaces: [lan8, lan9]
  protect: [10.20.8.0/24, "fd00:20:8::/64"]
""",
    "hosts/h.yaml": """host: h
addresses: [10.20.8.10, "fd00:20:8::10"]
allow:
  inbound:
    - {service: rdp, from: [10.1.0.5, 10.1.0.6, "fd00:1::5"], require: [nla], id: rdp-nla}
    - {service: rdp, from: 10.1.0.6, id: rdp-free}
    - {service: tcp/3390, speaks: [rdp, smb], from: 10.1.0.5, require: [nla], id: two}
    - {service: [smb, netbios], from: [10.30.0.7, "fd00:1::5"], require: [smb2], id: no-smb1}
    - {service: [smb, netbios], from: 10.30.0.8, require: [signing], id: signed}
    - {service: smb, from: 10.30.0.9, require: [smb2, signing], id: both}
    - {service: smb, from: 10.30.0.10, id: old}
  outbound:
    - {service: rdp, to: [far, 10.1.0.0/16], require: [nla], id: rdp-out}
    - {service: tcp/3391, speaks: rdp, to: far, id: rdp-near}
    - {service: [rdp, smb], to: watched, id: rdp-watched}
""",
    "hosts/far.yaml": """host: far
addresses: [10.21.0.30]
allow:
  inbound:
    - {service: rdp, from: h, id: rdp-in}
    - {service: tcp/3391, speaks: rdp, from: h, require: [nla], id: rdp-nla}
""",
    "hosts/watched.yaml": """host: watched
addresses: [10.20.8.20]
mode: observe
allow:
  inbound:
    - {service: rdp, from: [10.1.0.5, h], require: [nla], id: rdp}
    - {service: smb, from: 10.30.0.7, require: [smb2, signing], id: smb}
""",
}


def request(rest=b"", length=None, li=None):
    """An X.224 connection request; length, li: what TPKT and X.224 say of it."""
    n = 11 + len(rest)
    return struct.pack("!BBHBBHHB", 3, 0, n if length is None else length,
                       n - 5 if li is None else li, 0xe0, 0, 0, 0) + rest


def confirm(kind=2, value=2, length=8):
    return bytes.fromhex("030000130ed00000123400") + struct.pack("<BBHI", kind, 0, length, value)


NEG = struct.pack("<BBHI", 1, 0, 8, 3)
CR, COOKIE = request(NEG), request(b"Cookie: mstshash=anna\r\n" + NEG)
PLAIN_CC = bytes.fromhex("0300000b06d00000123400")
MCS = bytes.fromhex("0300000c02f0807f65820194")
TLS = bytes.fromhex("16030100c8010000c4").ljust(205, b"t")


class Conn(C.Conn):
    """Numbers that wrap, and any low bits."""

    def __init__(self, gw, client, server, dport, seq=None):
        self.gw, self.client, self.server, self.dport = gw, client, server, dport
        self.sport = next(C.Conn.ports)
        self.side, self.back = gw.side_of(client), gw.side_of(server)
        self.seq = random.randrange(2**31) if seq is None else seq
        self.ack = random.randrange(2**31)
        self.tape = []
        self.opened = self.syn() and self.answer(P.SYN | P.ACK) and self.send(b"")

    def through(self, side, ip):
        ok, got = self.gw.through(side, ip)
        self.tape.append((ip, ok))
        return ok, got

    def at(self, offset, payload, flags=P.ACK):
        """Data of the client at an offset of what it would send next."""
        seq, self.seq = self.seq, self.seq + offset
        ok, self.got = self.through(self.side, P.packet(
            self.client, self.server, P.TCP, self.sport, self.dport, flags, payload,
            seq=self.seq, ack=self.ack))
        self.seq = seq
        return ok

    def run(self, steps):
        """steps: bytes of the client, or (bytes,) of the server; what became of each."""
        return [self.answer(payload=s[0]) if isinstance(s, tuple) else self.send(s) for s in steps]


TAPES = []  # (name, packets of a connection and whether they passed, whether it was condemned)


def tell(gw, check, name, ends, steps, want):
    conn = Conn(gw, *ends)
    check("%s: connection" % name, bool(conn.opened))
    check(name, conn.run(steps), want)
    TAPES.append((name, conn.tape, not conn.send(b"")))  # nothing asks for openings there
    return conn


def replay(cordon, work, check):
    """What was sent above, as a capture."""
    path, now = work + "/gates.pcap", time.time()
    P.write_pcap(path, [(now, ip) for _, tape, _ in TAPES for ip, _ in tape])
    out = subprocess.run([cordon, "replay", "--format", "json", work + "/policy", path], text=True,
                         stdout=subprocess.PIPE, check=True).stdout
    rows = [json.loads(line) for line in out.splitlines()][:-1]
    check("as many connections in replay", len(rows), len(TAPES))
    for row, (name, tape, condemned) in zip(rows, TAPES):
        check("replay: %s: condemned" % name, "condemned_packets" in row, condemned)
        gates = [g for g in row.get("gates", []) if g["action"] == "deny"]
        passed = [ok for _, ok in tape]
        if gates:
            check("replay: %s: denied" % name, (row["verdict"], row["reason"]), ("deny", gates[0]["reason"]))
            check("replay: %s: not before" % name, all(passed[:gates[0]["packet"] - 1]))
        for g in gates:
            at = g["packet"] - 1
            check("replay: %s: denied there" % name, passed[at], False)
            if g["reason"] != "opening":
                check("replay: %s: denied from there on" % name, any(passed[at:]), False)
        if not gates and not condemned:
            check("replay: %s: allowed" % name, row["verdict"], "allow")
            check("replay: %s: no packet denied" % name, all(passed))
    return len(rows)


YES, NO = True, False
RDP_CASES = [  # name, steps, which pass
    ("NLA", [CR, (confirm(),), TLS, (TLS,)], [YES] * 4),
    ("NLA, with cookie", [COOKIE, (confirm(2, 8),), TLS], [YES] * 3),
    ("as long as is held", [request(b"Cookie: " + b"x" * 99 + b"\r\n" + NEG), (confirm(),), TLS], [YES] * 3),
    ("longer", [request(b"Cookie: " + b"x" * 100 + b"\r\n" + NEG), (confirm(),)], [NO, NO]),
    ("bare request, refused", [request(), (confirm(3, 5),)], [YES, YES]),
    ("standard security selected", [CR, (confirm(2, 0),), MCS], [YES, NO, NO]),
    ("TLS selected", [CR, (confirm(2, 1),), TLS], [YES, NO, NO]),
    ("RDSTLS selected", [CR, (confirm(2, 4),), TLS], [YES, NO, NO]),
    ("HYBRID and another bit", [CR, (confirm(2, 3),), TLS], [YES, NO, NO]),
    ("without negotiation", [request(), (PLAIN_CC,), MCS], [YES, NO, NO]),
    ("another length inside", [CR, (confirm(length=9),), TLS], [YES, NO, NO]),
    ("answer cut short", [CR, (confirm()[:15],), (confirm()[15:],)], [YES, NO, NO]),
    ("more behind the answer", [CR, (confirm() + b"x",), TLS], [YES, NO, NO]),
    ("the server first", [(confirm(),), CR], [NO, NO]),
    ("failure, then TLS all the same", [CR, (confirm(3, 5),), TLS], [YES, YES, NO]),
    ("failure, then HYBRID all the same", [CR, (confirm(3, 2),), (confirm(),), TLS], [YES] * 4),
    ("data in the request's packet", [CR + MCS, (confirm(),)], [NO, NO]),
    ("one byte behind the request", [CR + b"\x03", CR], [NO, NO]),
    ("data before the answer", [CR, MCS, (confirm(),)], [YES, NO, NO]),
    ("TLS before the answer", [CR, TLS, (confirm(),)], [YES, NO, NO]),
    ("another request behind the first", [CR, COOKIE, (confirm(),)], [YES, NO, NO]),
    ("the same behind the first", [CR, CR, (confirm(),)], [YES, NO, NO]),
    ("TPKT says more than there is", [request(NEG, length=20, li=15), (confirm(),)], [NO, NO]),
    ("TPKT says less than there is", [request(NEG, length=18, li=13), (confirm(),)], [NO, NO]),
    ("TPKT says 256 more", [request(NEG, length=19 + 256), (confirm(),)], [NO, NO]),
    ("X.224 says another length", [request(NEG, li=6), (confirm(),)], [NO, NO]),
    ("HTTP", [C.HTTP], [NO]),
    ("SMB", [C.SMB2_NEGOTIATE, CR], [NO, NO]),
]


def rdp(gw, check):
    for ends in ((JUMP, H, 3389), (JUMP6, H6, 3389)):
        for name, steps, want in RDP_CASES:
            tell(gw, check, name, ends, steps, want)
    denied = C.counter("denied")
    conn = tell(gw, check, "data before the answer, again", (JUMP, H, 3389), [CR, MCS], [YES, NO])
    check("it is answered by a reset", conn.reset_seen())
    check("it is counted as denied", C.counter("denied") - denied, 1)
    check("any rule without nla frees", Conn(gw, FREE, H, 3389).run(
        [CR, MCS, (PLAIN_CC,), MCS]), [YES] * 4)
    dual = (JUMP, H, 3390)
    tell(gw, check, "where SMB is granted too: SMB", dual, [C.SMB2_NEGOTIATE, (C.SMB2_NEGOTIATE,)], [YES] * 2)
    tell(gw, check, "where SMB is granted too: NLA", dual, [CR, (confirm(),), TLS], [YES] * 3)
    tell(gw, check, "where SMB is granted too: no NLA", dual, [CR, (confirm(2, 1),)], [YES, NO])
    tell(gw, check, "where SMB is granted too: SMB late", dual, [CR, C.SMB2_NEGOTIATE], [YES, NO])


def pieces(gw, check):
    conn = Conn(gw, JUMP, H, 3389)
    first, rest = conn.send(CR[:12]), conn.send(CR[12:])
    check("request cut in two never passes whole", first and rest, False)
    conn = Conn(gw, JUMP, H, 3389)
    check("short first segment", conn.send(CR[:4]), False)
    conn.seq -= 4
    check("then whole", conn.run([CR, (confirm(),), TLS]), [YES] * 3)


def sides(gw, check):
    good, bad = [CR, (confirm(),), TLS], [CR, (confirm(2, 1),), TLS]
    for name, ends in (("only the client's side requires", (H, FAR, 3389)),
                       ("only the server's side requires", (H, FAR, 3391)),
                       ("outbound", (H, JUMP, 3389))):
        tell(gw, check, name + ", NLA", ends, good, [YES] * 3)
        tell(gw, check, name + ", no NLA", ends, bad, [YES, NO, NO])
        tell(gw, check, name + ", pipelined", ends, [CR + MCS], [NO])
    seen = C.counter("would_deny_seen")
    tell(gw, check, "observed host, no NLA", (JUMP, WATCHED, 3389), [CR, (confirm(2, 1),), TLS], [YES] * 3)
    check("it is told once", C.counter("would_deny_seen") - seen, 1)
    tell(gw, check, "observed host, pipelined", (JUMP, WATCHED, 3389), [CR + MCS, MCS], [YES] * 2)
    check("it is told, too", C.counter("would_deny_seen") - seen, 2)
    tell(gw, check, "observed host, NLA", (JUMP, WATCHED, 3389), good, [YES] * 3)
    check("nothing to tell", C.counter("would_deny_seen") - seen, 2)


def numbers(gw, check):
    """Where the request stands in the stream decides, not which packet it is."""
    for name, seq in (("low bits all ones", 0x1fffe), ("wraps", 2**32 - 1), ("zero", 2**16 - 1)):
        check(name, Conn(gw, JUMP, H, 3389, seq).run([CR, (confirm(),), TLS]), [YES] * 3)
    conn = Conn(gw, JUMP, H, 3389)
    check("sent again", conn.at(0, CR) and conn.at(0, CR) and conn.at(0, CR))
    check("sent again, then answered", conn.at(0, CR) and conn.run([CR, (confirm(),), TLS]), [YES] * 3)
    conn = Conn(gw, JUMP, H, 3389)
    check("sent again behind the answer", conn.run([CR, (confirm(),)]) and conn.at(-len(CR), CR))
    conn = Conn(gw, JUMP, H, 3389)
    check("refused, sent again: silence", (conn.run([CR, (confirm(3, 5),)]), conn.at(-len(CR), CR),
                                           conn.reset_seen()), ([YES, YES], NO, NO))
    check("refused, the server again", conn.answer(payload=confirm(3, 5)))
    longer = request(b"Cookie: mstshash=" + b"x" * 60 + b"\r\n" + NEG)
    for name, first, offset, second in (
            ("longer at the same place", CR, 0, longer),
            ("64 bytes longer", CR, 0, request(b"Cookie: " + b"x" * 54 + b"\r\n" + NEG)),
            ("shorter at the same place", longer, 0, CR),
            ("its head before what was sent", CR, 19 - 11, longer),
            ("far ahead", CR, 1000, longer), ("one byte on", CR, 1, CR)):
        conn = Conn(gw, JUMP, H, 3389)
        check("%s: the first" % name, conn.at(0, first))
        check(name, conn.at(offset, second), False)
    for name, offset in (("ahead of the stream", 200), ("256 ahead", 256), ("256 early", -256),
                         ("4096 ahead", 4096), ("its head before the stream", -11), ("one byte early", -1)):
        conn = Conn(gw, JUMP, H, 3389)
        check(name, conn.at(offset, longer), False)
        check("%s: condemned" % name, conn.send(CR), False)
    syn = Conn(gw, JUMP, H, 3389)
    syn.sport = next(C.Conn.ports)
    check("data in the SYN", syn.at(-1, CR, P.SYN), False)


def forget():
    """What conntrack does itself, some time later."""
    C.subprocess.run(["conntrack", "-F"], check=False, stderr=C.subprocess.DEVNULL,
                     stdout=C.subprocess.DEVNULL)


def around(gw, check):
    """What conntrack can be made to believe."""
    conn = Conn(gw, JUMP, H, 3389)
    check("acknowledging too much", gw.through(conn.side, P.packet(
        JUMP, H, P.TCP, conn.sport, 3389, P.ACK, CR + MCS, seq=conn.seq, ack=conn.ack + 10**6))[0], False)
    conn = Conn(gw, JUMP, H, 3389, 5000)
    conn.at(64000, b"x" * 1400)
    check("behind the end of the window", conn.send(CR + MCS), False)
    conn = Conn(gw, JUMP, H, 3389)
    conn.at(0, b"", P.RST)
    check("behind a reset", conn.send(CR + MCS), False)
    conn = Conn(gw, FREE, H, 3389)
    check("a free source, where the port asks: nothing invalid", gw.through(conn.side, P.packet(
        FREE, H, P.TCP, conn.sport, 3389, P.ACK, CR, seq=conn.seq, ack=conn.ack + 10**6))[0], False)
    for flag in (P.RST | P.ACK, FIN | P.ACK):
        conn = Conn(gw, JUMP, H, 3389)
        conn.at(0, b"", flag)
        forget()
        check("ended, forgotten, and on", conn.send(CR + MCS), False)
        check("ended, forgotten, the server on", conn.answer(payload=MCS), False)
        conn = Conn(gw, JUMP, WATCHED, 3389)
        conn.at(0, b"", flag)
        forget()
        check("ended, forgotten, and on: observed", conn.send(CR + MCS))
    conn = Conn(gw, JUMP, H, 3389)
    conn.run([CR, (confirm(),), TLS])
    forget()
    check("a session goes on when conntrack is lost", conn.send(TLS) and conn.answer(payload=TLS)
          and conn.send(TLS))


OLD_ASK = C.smb1(0x72, b"")[:-2] + struct.pack("<H", 24) + b"\2NT LM 0.12\0\2SMB 2.002\0"
OLD_ASK = struct.pack("!I", len(OLD_ASK) - 4) + OLD_ASK[4:]


def smb2(command=0, mode=1, dialect=0x202, reply=False, status=0):
    """SMB2; mode and dialect where NEGOTIATE has them."""
    head = b"\xfeSMB" + struct.pack("<HHIHHI", 64, 0, status, command, 1, 1 if reply else 0)
    body = struct.pack("<HHH", 65, mode, dialect) if reply else struct.pack("<HHH", 36, 1, mode)
    frame = head.ljust(64, b"\0") + body.ljust(48, b"\0")
    return struct.pack("!I", len(frame)) + frame


def old_answer(mode=3, index=0):
    return C.smb1(0x72, struct.pack("<HB", index, mode).ljust(34, b"\0"), reply=True)


ASK, MUST = smb2(), smb2(mode=3)
SAYS, SAYS_MUST = smb2(reply=True), smb2(reply=True, mode=3)
SETUP, OLD_SETUP = smb2(1), C.smb1(0x73, b"\xff\0" + b"\0" * 22)
WILD, WILD_MUST = smb2(reply=True, dialect=0x2ff), smb2(reply=True, dialect=0x2ff, mode=3)
ERROR = smb2(reply=True, status=0xc00000bb)
SESSION = b"\x82\0\0\0"
SMB_CASES = [  # name, steps, then which pass where smb2, signing, both are required
    ("SMB2", [ASK, (SAYS,), SETUP], ["yyy", "ynn", "ynn"]),
    ("SMB2, the server signs", [ASK, (SAYS_MUST,), SETUP], ["yyy"] * 3),
    ("SMB2, the client signs", [MUST, (SAYS,), SETUP], ["yyy"] * 3),
    ("from SMB1 to SMB2", [OLD_ASK, (WILD,), ASK, (SAYS,), SETUP], ["yyyyy", "yyynn", "yyynn"]),
    ("from SMB1 to SMB2, the client signs", [OLD_ASK, (WILD,), MUST, (SAYS,), SETUP], ["yyyyy"] * 3),
    ("from SMB1 to SMB2, the server signs", [OLD_ASK, (WILD_MUST,), ASK, (SAYS_MUST,), SETUP], ["yyyyy"] * 3),
    ("SMB2 without signing, then SMB1", [OLD_ASK, (WILD,), OLD_SETUP], ["yyy", "yyn", "yyn"]),
    ("SMB1", [OLD_ASK, (old_answer(),), OLD_SETUP], ["ynn", "ynn", "ynn"]),
    ("SMB1, the server signs", [OLD_ASK, (old_answer(15),), OLD_SETUP], ["ynn", "yyy", "ynn"]),
    ("SMB1, no dialect", [OLD_ASK, (old_answer(index=0xffff),)], ["yn", "yy", "yn"]),
    ("SMB1 without negotiate", [OLD_SETUP], ["n"] * 3),
    ("SMB1 behind the negotiate", [OLD_ASK, OLD_SETUP, (old_answer(),)], ["ynn"] * 3),
    ("SMB1 in the negotiate's packet", [OLD_ASK + OLD_SETUP], ["n"] * 3),
    ("SMB1 behind a frame too short for it", [b"\0\0\0\x0f" + OLD_ASK[4:19] + OLD_SETUP], ["n"] * 3),
    ("nothing in the frame, SMB1 in its packet", [b"\0\0\0\0" + OLD_ASK[4:] + OLD_SETUP], ["n"] * 3),
    ("SMB2 behind SMB1's negotiate", [OLD_ASK, ASK], ["yn"] * 3),
    ("SMB2 without negotiate", [SETUP], ["n"] * 3),
    ("encrypted at once", [C.SMB3_ENCRYPTED], ["n"] * 3),
    ("the server first", [(SAYS,), ASK], ["nn"] * 3),
    ("answer cut short", [ASK, (SAYS[:60],), (SAYS[60:],)], ["ynn"] * 3),
    ("answer cut in its mode", [ASK, (SAYS_MUST[:71],), (SAYS_MUST[71:],)], ["ynn"] * 3),
    ("an error first", [ASK, (ERROR,)], ["yy", "yy", "yy"]),
    ("an error, then a session", [ASK, (ERROR,), SETUP], ["yyy", "yyn", "yyn"]),
    ("another answer", [ASK, (smb2(1, reply=True),)], ["yn"] * 3),
]
NETBIOS_CASES = [
    ("NetBIOS, SMB2", [C.NBSS_REQUEST, (SESSION,), ASK, (SAYS_MUST,), SETUP], ["yyyyy"] * 2),
    ("NetBIOS, SMB1", [C.NBSS_REQUEST, (SESSION,), OLD_ASK, (old_answer(),)], ["yyyn"] * 2),
    ("NetBIOS, refused", [C.NBSS_REQUEST, (b"\x83\0\0\x01\x80",)], ["yy"] * 2),
    ("NetBIOS, an answer behind the session's", [C.NBSS_REQUEST, (SESSION + old_answer(),)], ["yn"] * 2),
    ("NetBIOS, SMB1 at once", [C.NBSS_REQUEST, OLD_ASK], ["yn"] * 2),
]


def passes(text):
    return [c == "y" for c in text]


def smb(gw, check):
    for name, steps, want in SMB_CASES:
        for client, w in zip((FILES, SIGNED, BOTH), want):
            tell(gw, check, "%s, from %s" % (name, client), (client, H, 445), steps, passes(w))
    for name, steps, want in SMB_CASES[:8]:
        tell(gw, check, name + ", IPv6", (JUMP6, H6, 445), steps, passes(want[0]))
    for name, steps, want in NETBIOS_CASES:
        for client, w in zip((FILES, SIGNED), want):
            tell(gw, check, "%s, from %s" % (name, client), (client, H, 139), steps, passes(w))
    tell(gw, check, "nothing required", (OLD, H, 445), [OLD_ASK, (old_answer(),), OLD_SETUP], [YES] * 3)
    conn = Conn(gw, FILES, H, 445)
    check("SMB1's negotiate again", conn.at(0, OLD_ASK) and conn.run([OLD_ASK, (SAYS,), SETUP]), [YES] * 3)
    conn = Conn(gw, FILES, H, 445)
    check("SMB1 under a frame of SMB2", conn.at(-200, ASK + OLD_ASK), False)
    seen = C.counter("would_deny_seen")
    tell(gw, check, "observed", (FILES, WATCHED, 445), [OLD_ASK, (old_answer(),), OLD_SETUP], [YES] * 3)
    check("observed: both are told", C.counter("would_deny_seen") - seen, 2)


def main():
    random.seed(seed := random.randrange(10**6))
    check = C.Checks()
    gw = P.Gateway(SIDES)
    C.POLICY = POLICY
    with tempfile.TemporaryDirectory() as work:
        C.start(sys.argv[2], work)
        for group in (rdp, pieces, sides, numbers, around, smb):
            group(gw, check)
        replayed = replay(sys.argv[1], work, check)
    print("gates: %d checks, %d failed (seed %d); %d connections, kernel = replay" % (
        check.n, check.bad, seed, replayed))
    return 1 if check.bad else 0


if __name__ == "__main__":
    sys.exit(main())
