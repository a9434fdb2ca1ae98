#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets one by one through the kernel's rules: place, gateway, answers, openings, guards.

usage: cases.py CORDON CORDOND   (in a network namespace of its own)"""
import os
import socket
import struct
import subprocess
import sys
import tempfile

import packets as P

SIDES = {"lan8": (8, ["10.20.8.0/24", "fd00:20:8::/64"]), "lan9": (9, ["10.21.0.0/24"]),
         "out0": (0, ["10.1.0.0/16", "10.30.0.0/16", "fd00:1::/32"])}
GW_LAN, GW_OUT = "192.0.2.33", "192.0.2.1"
H, H6, WATCHED = "10.20.8.10", "fd00:20:8::10", "10.20.8.20"
APP, APP6, JUMP, OTHER = "10.30.0.7", "fd00:1::7", "10.1.0.5", "10.1.0.66"

POLICY = {
    "cordon.yaml": """cordon: 1
gateway:
  interfaces: [lan8, lan9]
  addresses: [192.0.2.33, 192.0.2.1, "2001:db8:8::1"]
  protect: [10.20.8.0/24, "fd00:20:8::/64"]
  management: [10.1.9.0/24]
defaults: {profile: server-2008}
""",
    "hosts/h.yaml": """host: h
addresses: [10.20.8.10, "fd00:20:8::10"]
allow:
  inbound:
    - {service: [tcp/1433, tcp/102, telnet], from: [10.30.0.0/24, "fd00:1::/64"], id: plain}
    - {service: [smb, netbios], from: 10.30.0.7, id: files}
    - {service: rdp, from: 10.1.0.5}
    - {service: [snmp, ping], from: gateway, id: watch}
    - {service: icmp/8-13, from: 10.30.0.77, id: types}
  outbound:
    - {service: dns, to: gateway}
    - {service: http, to: 10.30.0.0/24}
    - {service: tcp/8530, to: 10.30.0.7, id: updates}
    - {service: [smb, tcp/8001, telnet], to: far, id: far}
""",
    "hosts/far.yaml": """host: far
addresses: [10.21.0.30]
allow:
  inbound:
    - {service: [smb, tcp/8002, tcp/23], from: h, id: near}
  outbound:
    - {service: tcp/49152-65535, to: 10.20.8.0/24, id: high}
""",
    "hosts/watched.yaml": """host: watched
addresses: [10.20.8.20]
mode: observe
""",
}

SMB1_NEGOTIATE = bytes.fromhex("00000054ff534d4272000000001801280000000000000000000000000000" +
                               "2f4b00005c000000310002").ljust(60, b"\0")
SMB2_NEGOTIATE = bytes.fromhex("00000068fe534d4240000000000000000000").ljust(108, b"\0")
SMB3_ENCRYPTED = bytes.fromhex("00000100fd534d42").ljust(80, b"\0")
NBSS_REQUEST = bytes.fromhex("81000044") + b"\x20" + b"CK" * 16 + b"\0\x20" + b"CA" * 16 + b"\0"
RDP_COOKIE = bytes.fromhex("0300002722e00000000000") + b"Cookie: mstshash=a\r\n" + bytes.fromhex("0100080003000000")
RDP_NEG = bytes.fromhex("030000130ee000000000000100080003000000")
RDP_BARE = bytes.fromhex("0300000b06e00000000000")
S7_CONNECT = bytes.fromhex("0300001611e00000000100c0010ac1020100c2020102")
HTTP = b"GET / HTTP/1.0\r\n\r\n"
TDS = bytes.fromhex("1201002f00000100").ljust(47, b"\0")


class Checks:
    def __init__(self):
        self.n = self.bad = 0

    def __call__(self, what, got, want=True):
        self.n += 1
        if got != want:
            self.bad += 1
            print("FAILED %s: got %s, want %s" % (what, got, want))


class Conn:
    """A TCP connection spoken by hand through the gateway, sequence numbers as conntrack
    wants them.  side: where the client's packets enter, if not where it is."""
    ports = iter(range(21000, 60000))

    def __init__(self, gw, client, server, dport, side=None):
        self.gw, self.client, self.server, self.dport = gw, client, server, dport
        self.sport = next(Conn.ports)
        self.side, self.back = side or gw.side_of(client), gw.side_of(server)
        self.seq, self.ack = 1000, 5000
        self.opened = self.syn() and self.answer(P.SYN | P.ACK) and self.send(b"")

    def through(self, side, ip):
        return self.gw.through(side, ip)

    def syn(self):
        ok, self.got = self.through(self.side, P.packet(
            self.client, self.server, P.TCP, self.sport, self.dport, P.SYN, seq=self.seq))
        self.seq += 1
        return ok

    def answer(self, flags=P.ACK, payload=b""):
        ok, self.got = self.through(self.back, P.packet(
            self.server, self.client, P.TCP, self.dport, self.sport, flags, payload,
            seq=self.ack, ack=self.seq))
        self.ack += len(payload) + (1 if flags & P.SYN else 0)
        return ok

    def send(self, payload):
        ok, self.got = self.through(self.side, P.packet(
            self.client, self.server, P.TCP, self.sport, self.dport, P.ACK, payload,
            seq=self.seq, ack=self.ack))
        self.seq += len(payload)
        return ok

    def reset_seen(self):
        """Whether the sender of the last packet was answered with a reset."""
        return any(k[5] & P.RST for k in self.got[self.side] | self.got[self.back] if k[2] == P.TCP)


def start(cordond, work):
    root = work + "/policy"
    os.makedirs(root + "/hosts")
    for name, text in POLICY.items():
        with open(os.path.join(root, name), "w") as f:
            f.write(text)
    subprocess.run([cordond, "-e", "-c", root, "--state-dir", work, "--runtime-dir", work],
                   check=True, stderr=subprocess.DEVNULL)


def counter(name):
    out = subprocess.run(["nft", "list", "counter", "inet", "cordon", name], text=True,
                         stdout=subprocess.PIPE, check=True).stdout
    return int(out.split("packets ")[1].split()[0])


def place(gw, check):
    """Step 0, and what step 2 lets pass."""
    def forwards(side, src, dst, proto=P.TCP, dport=80, **more):
        return gw.through(side, P.packet(src, dst, proto, next(Conn.ports), dport, **more))[0]
    spoofed = counter("spoof")
    check("inside source from outside", forwards("out0", H, APP), False)
    check("inside source from outside, to a host", forwards("out0", "10.20.8.10", "10.20.8.20"), False)
    check("unknown source from inside", forwards("lan8", APP, "10.30.0.9"), False)
    check("unknown IPv6 source from inside", forwards("lan8", APP6, "fd00:1::9"), False)
    check("unprotected address inside, routed there", forwards("lan9", "10.21.0.99", APP), False)
    check("each was counted as a spoof", counter("spoof") - spoofed, 5)
    check("undeclared address inside", forwards("lan8", "10.20.8.99", APP), False)
    check("undeclared address, to it", forwards("out0", APP, "10.20.8.99"), False)
    check("undeclared IPv6 address", forwards("lan8", "fd00:20:8::99", APP6), False)
    check("host of lan8 from lan9", forwards("lan9", H, APP), False)
    check("host of lan9 from lan8", forwards("lan8", "10.21.0.30", APP), False)
    check("link-local source", forwards("lan8", "169.254.1.1", APP), False)
    check("ISATAP or 6in4 from a host", forwards("lan8", H, APP, 41, 0), False)
    check("Teredo from a host", forwards("lan8", H, OTHER, P.UDP, 3544), False)
    check("observed host, no rule", forwards("out0", OTHER, WATCHED, P.TCP, 445))
    check("observed host, outbound", forwards("lan8", WATCHED, OTHER, P.UDP, 53))
    gw.send("lan8", P.packet(H, APP, P.ICMP, 7, 5))
    check("redirect", (H, APP, P.ICMP, 7, 5, 0) in gw.settle()["out0"], False)


def gateway(gw, check):
    """Input and output hooks."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind(("0.0.0.0", 53))
    listener.settimeout(0.3)

    def received(side, src, dst=GW_LAN, port=53):
        gw.send(side, P.packet(src, dst, P.UDP, next(Conn.ports), port, payload=b"q" * 12))
        try:
            return listener.recvfrom(100)[1][0] == src
        except socket.timeout:
            return False
    check("dns of a host to the gateway", received("lan8", H))
    check("dns of a host to another address of the gateway", received("lan8", H, GW_OUT))
    check("dns of an undeclared address", received("lan8", "10.20.8.99"), False)
    check("dns spoofed from outside", received("out0", H), False)
    check("dns of a stranger: not ours", received("out0", OTHER, GW_OUT))
    check("management reaches the gateway", received("out0", "10.1.9.1", GW_OUT))
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.bind((GW_LAN, 0))

    def sends(dst, port):
        gw.settle(quick=True)
        try:
            sender.sendto(b"x" * 8, (dst, port))
        except PermissionError:
            return False
        got = gw.settle(quick=True)
        return any(k[1] == dst and k[4] == port for k in got["lan8"] | got["out0"])
    check("gateway asks a host by SNMP", sends(H, 161))
    check("gateway asks a host elsewhere", sends(H, 514), False)
    check("gateway asks an undeclared address", sends("10.20.8.99", 161), False)
    check("gateway to the outside: not ours", sends(OTHER, 514))
    gw.settle(quick=True)
    port = sender.getsockname()[1]
    sender.settimeout(0.3)
    gw.send("lan8", P.packet(H, GW_LAN, P.UDP, 161, port, payload=b"answer.."))
    try:
        answered = sender.recv(100) == b"answer.."
    except socket.timeout:
        answered = False
    check("the answer to the gateway's question", answered)
    listener.close()
    sender.close()


def answers(gw, check):
    """Denied TCP gets a reset at once, through the own output hook; all else silence."""
    denied = Conn(gw, OTHER, H, 1433)
    check("denied SYN", denied.opened, False)
    check("denied SYN is answered by a reset", denied.reset_seen())
    stray = Conn(gw, "10.20.8.99", APP, 80)
    check("denied SYN of an undeclared address is answered", stray.reset_seen())
    spoof = Conn(gw, "10.30.0.200", "10.30.0.9", 80, side="lan8")
    check("spoofed SYN gets silence", spoof.reset_seen(), False)
    conn = Conn(gw, APP, H, 1433)
    check("allowed connection opens", bool(conn.opened))
    check("it carries data", conn.send(TDS) and conn.answer(payload=TDS))
    for ask, answer in ((8, 0), (13, 14)):  # both ends of a range of types
        there, back = ("10.30.0.77", H, P.ICMP, 700 + ask, ask), (H, "10.30.0.77", P.ICMP, 700 + ask, answer)
        check("ICMP %d" % ask, gw.through("out0", P.packet(*there))[0])
        check("ICMP %d, its answer" % answer, gw.through("lan8", P.packet(*back))[0])
    # an error about it comes back, one about nothing does not
    inner = P.packet(APP, H, P.TCP, conn.sport, 1433, P.ACK, seq=conn.seq)[:28]
    gw.settle()
    gw.send("lan8", icmp_error(H, APP, inner))
    check("unreachable about it passes", any(k[2] == P.ICMP and k[4] == 3 for k in gw.settle()["out0"]))
    other = P.packet(APP, H, P.TCP, 1, 2, P.ACK)[:28]
    gw.send("lan8", icmp_error(H, APP, other))
    check("unreachable about nothing", any(k[2] == P.ICMP and k[4] == 3 for k in gw.settle()["out0"]), False)


def icmp_error(src, dst, inner):
    body = struct.pack("!BBHI", 3, 1, 0, 0) + inner
    body = body[:2] + struct.pack("!H", P.checksum(body)) + body[4:]
    head = P.packet(src, dst, 50, 0, 0, payload=body)
    head = head[:9] + bytes([P.ICMP]) + b"\0\0" + head[12:]
    return head[:10] + struct.pack("!H", P.checksum(head[:20])) + head[12:]


def both_sides(gw, check):
    """Between two hosts behind the gateway each has to consent."""
    far = "10.21.0.30"
    conn = Conn(gw, H, far, 445)
    check("both consent", bool(conn.opened))
    check("both grant SMB", conn.send(SMB2_NEGOTIATE) and conn.answer(payload=SMB2_NEGOTIATE))
    check("only the client's side", Conn(gw, H, far, 8001).opened, False)
    check("only the server's side", Conn(gw, H, far, 8002).opened, False)
    check("neither", Conn(gw, far, H, 1433).opened, False)
    # conntrack lost: the first packet seen is the server's, to a port its own outbound
    # rule covers but the client's inbound does not: the reversed look-up allows it
    ok, _ = gw.through("lan9", P.packet(far, H, P.TCP, 445, 55555, P.ACK, b"data", seq=3, ack=4))
    check("an answer seen first", ok)


OPENINGS = [("SMB1 negotiate", SMB1_NEGOTIATE), ("SMB2 negotiate", SMB2_NEGOTIATE),
            ("SMB3 encrypted", SMB3_ENCRYPTED), ("NetBIOS session request", NBSS_REQUEST),
            ("RDP with cookie", RDP_COOKIE), ("RDP negotiation", RDP_NEG), ("RDP bare", RDP_BARE)]


def openings(gw, check):
    for name, data in OPENINGS:
        for client, server in ((APP, H), (APP6, H6)):
            conn = Conn(gw, client, server, 1433)
            check("%s where not granted: connection" % name, bool(conn.opened))
            check("%s where not granted" % name, conn.send(data), False)
            check("%s: reset" % name, conn.reset_seen())
            check("%s: condemned, other data" % name, conn.send(TDS), False)
            check("%s: condemned, the server's" % name, conn.answer(payload=b"x" * 9), False)
    for name, data in OPENINGS[:3]:
        late = Conn(gw, APP, H, 1433)
        check("%s as the second payload" % name, (late.send(TDS), late.send(data)), (True, False))
        check("%s where granted" % name, Conn(gw, APP, H, 445).send(data))
    check("NetBIOS session where granted", Conn(gw, APP, H, 139).send(NBSS_REQUEST))
    for name, data in OPENINGS[4:]:
        check("%s where granted" % name, Conn(gw, JUMP, H, 3389).send(data))
    for name, port, client in (("SMB", 445, APP), ("RDP", 3389, JUMP)):
        other = Conn(gw, client, H, port)
        check("HTTP where %s is granted" % name, other.send(HTTP), False)
        check("HTTP where %s is granted: reset" % name, other.reset_seen())
        whole = SMB2_NEGOTIATE if port == 445 else RDP_NEG
        cut = Conn(gw, client, H, port)
        check("%s granted, four bytes first" % name, cut.send(whole[:4]), False)
        cut.seq -= 4  # nothing came through: the client sends all of it again
        check("%s granted, then whole" % name, cut.send(whole) and cut.answer(payload=b"y" * 20))
        check("%s granted, data behind the opening" % name, cut.send(b"d" * 30))
    check("watched host: anything goes", Conn(gw, OTHER, WATCHED, 445).send(HTTP))
    check("RDP where SMB is granted", Conn(gw, APP, H, 445).send(RDP_NEG), False)
    check("SMB where RDP is granted", Conn(gw, JUMP, H, 3389).send(SMB2_NEGOTIATE), False)
    check("outbound SMB where not granted", Conn(gw, H, APP, 80).send(SMB2_NEGOTIATE), False)
    check("outbound HTTP", Conn(gw, H, APP, 80).send(HTTP))
    check("watched host: SMB is only told", Conn(gw, OTHER, WATCHED, 1433).send(SMB2_NEGOTIATE))
    for cut in range(1, len(SMB2_NEGOTIATE[:8])):
        conn = Conn(gw, APP, H, 1433)
        first, rest = conn.send(SMB2_NEGOTIATE[:cut]), conn.send(SMB2_NEGOTIATE[cut:])
        check("SMB cut after %d bytes" % cut, first and rest, False)
        conn = Conn(gw, APP, H, 23)  # telnet: short segments are usual
        first, rest = conn.send(SMB2_NEGOTIATE[:cut]), conn.send(SMB2_NEGOTIATE[cut:])
        check("SMB cut after %d bytes, telnet" % cut, (first, rest), (True, cut > 4))
    check("one letter, but only the client's side says telnet", Conn(gw, H, "10.21.0.30", 23).send(b"l"), False)
    check("watched host: one letter first", Conn(gw, OTHER, WATCHED, 1433).send(b"l"))
    check("telnet's single letters", all(map(Conn(gw, APP, H, 23).send, (b"l", b"s", b"\r\n"))))
    for name, port, data in (("S7", 102, S7_CONNECT), ("TDS", 1433, TDS), ("HTTP", 1433, HTTP)):
        conn = Conn(gw, APP, H, port)
        check("benign %s" % name, conn.send(data) and conn.answer(payload=data) and conn.send(data))


def smb1(command, words=b"", mid=65, pid_high=0, status=0, reply=False):
    head = b"\xffSMB" + bytes([command]) + struct.pack("<IBHH", status, 0x98 if reply else 0x18, 0x2807, pid_high)
    head += b"\0" * 10 + struct.pack("<HHHH", 2048, 65279, 2048, mid)
    body = head + bytes([len(words) // 2]) + words + b"\0\0"
    return struct.pack("!I", len(body)) + body


def guards(gw, check):
    trans2 = struct.pack("<HHHHBBHIHHHHHBBH", 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 66, 0, 1, 0, 0x000e)
    cases = [("ms17-010-groom", bytes.fromhex("0000fff7fe534d42").ljust(80, b"\0"), True),
             ("ms17-010-trans2", smb1(0x32, trans2), True),
             ("ms09-050", smb1(0x72, b"", pid_high=0x26), True),
             ("smb1 session setup", smb1(0x73, b"\xff\0" + b"\0" * 22), True),
             ("doublepulsar", smb1(0x32, b"", mid=81, status=0xc0000002, reply=True), False)]
    for name, data, to_server in cases:
        before = counter("guard")
        conn = Conn(gw, APP, H, 445)
        check("SMB2 session for guard %s" % name, conn.send(SMB2_NEGOTIATE))
        check("guard %s" % name, conn.send(data) if to_server else conn.answer(payload=data), False)
        check("guard %s counts" % name, counter("guard") - before, 1)
        check("guard %s condemns" % name, conn.send(SMB2_NEGOTIATE), False)
    check("a multi-protocol negotiate", Conn(gw, APP, H, 445).send(SMB1_NEGOTIATE))


def midstream(gw, check):
    """No connection is known: what is allowed goes on, and nothing opens."""
    def ack(side, src, dst, sport, dport):
        return gw.through(side, P.packet(src, dst, P.TCP, sport, dport, P.ACK, b"data", seq=7, ack=9))[0]
    check("allowed, client's", ack("out0", APP, H, 55001, 1433))
    check("allowed, server's first", ack("lan8", H, APP, 1433, 55002))
    check("denied, client's", ack("out0", OTHER, H, 55003, 1433), False)
    check("denied, server's", ack("lan8", H, OTHER, 1433, 55004), False)
    for name, data in (("SMB", SMB2_NEGOTIATE), ("RDP", RDP_NEG)):  # where nothing grants them
        check("of a host only observed, %s" % name, gw.through("out0", P.packet(
            OTHER, WATCHED, P.TCP, 55005, 8080, P.ACK, data, seq=7, ack=9))[0])
        check("of one enforced, %s" % name, gw.through("out0", P.packet(
            APP, H, P.TCP, 55006, 1433, P.ACK, data, seq=7, ack=9))[0], False)


def main():
    check = Checks()
    gw = P.Gateway(SIDES)
    with tempfile.TemporaryDirectory() as work:
        start(sys.argv[2], work)
        for group in (place, gateway, answers, both_sides, openings, guards, midstream):
            group(gw, check)
    print("packets: %d checks, %d failed" % (check.n, check.bad))
    return 1 if check.bad else 0


if __name__ == "__main__":
    sys.exit(main())
