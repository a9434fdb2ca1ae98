#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What an attacker tries: tricks with conntrack's state, odd flags, extension headers,
fragments, source routes, spoofed addresses.

usage: evasions.py CORDON CORDOND   (in a network namespace of its own)"""
import ipaddress
import socket
import struct
import sys
import tempfile

import cases as C
import packets as P

FIN, PSH, URG = 1, 8, 32
MANAGEMENT = "10.1.9.1"


def tcp(conn, payload=b"", seq=None, flags=P.ACK, ttl=64, ack=None):
    """A packet of the client with free fields; whether it came through."""
    ok, conn.got = conn.gw.through(conn.side, P.packet(
        conn.client, conn.server, P.TCP, conn.sport, conn.dport, flags, payload, ttl=ttl,
        seq=conn.seq if seq is None else seq, ack=conn.ack if ack is None else ack))
    return ok


def open_conn(gw, check, what, dport=1433, client=C.APP):
    conn = C.Conn(gw, client, C.H, dport)
    check("%s: connection" % what, bool(conn.opened))
    return conn


def windows(gw, check):
    """Packets that conntrack calls invalid, but a server takes."""
    conn = open_conn(gw, check, "beyond the window")
    # one packet at the end of the window: conntrack then takes the stream's start for an
    # old retransmission, the server does not
    tcp(conn, b"x" * 1400, seq=conn.seq + 64000)
    check("SMB in a packet that conntrack calls invalid", conn.send(C.SMB2_NEGOTIATE), False)
    conn = open_conn(gw, check, "beyond the window, RDP")
    tcp(conn, b"x" * 1400, seq=conn.seq + 64000)
    check("RDP in a packet that conntrack calls invalid", conn.send(C.RDP_COOKIE), False)
    # acknowledges what was never sent: invalid on every kernel
    for name, port, want in (("not granted", 1433, False), ("granted", 445, True)):
        conn = open_conn(gw, check, "SMB %s" % name, port)
        check("SMB %s, acknowledging too much" % name, tcp(
            conn, C.SMB2_NEGOTIATE, ack=conn.ack + 1000000), want)
    conn = open_conn(gw, check, "TDS acknowledging too much")
    check("TDS acknowledging too much", tcp(conn, C.TDS, ack=conn.ack + 1000000))
    conn = open_conn(gw, check, "beyond the window, granted", 445)
    tcp(conn, b"x" * 1400, seq=conn.seq + 64000)
    check("SMB where granted, invalid", conn.send(C.SMB2_NEGOTIATE))
    check("the server's answer", conn.answer(payload=C.SMB2_NEGOTIATE))
    conn = open_conn(gw, check, "beyond the window, benign")
    tcp(conn, b"x" * 1400, seq=conn.seq + 64000)
    check("TDS, invalid", conn.send(C.TDS))
    check("the server's answer", conn.answer(payload=C.TDS))


def forgotten(gw, check):
    """Make conntrack forget the connection, then open."""
    conn = open_conn(gw, check, "forgotten")
    C.subprocess.run(["conntrack", "-F"], check=False, stderr=C.subprocess.DEVNULL,
                     stdout=C.subprocess.DEVNULL)
    check("forgotten: acknowledgement goes on", conn.send(b""))
    check("SMB on a forgotten connection", conn.send(C.SMB2_NEGOTIATE), False)
    for port, data in ((445, C.SMB2_NEGOTIATE), (1433, C.TDS), (23, b"l")):
        conn = open_conn(gw, check, "forgotten, benign", port)
        conn.send(data)
        C.subprocess.run(["conntrack", "-F"], check=False, stderr=C.subprocess.DEVNULL,
                         stdout=C.subprocess.DEVNULL)
        check("forgotten, port %d: goes on" % port, conn.send(data) and conn.answer(payload=data)
              and conn.send(data))
        C.subprocess.run(["conntrack", "-F"], check=False, stderr=C.subprocess.DEVNULL,
                         stdout=C.subprocess.DEVNULL)
        check("forgotten, port %d: the server first" % port, conn.answer(payload=data)
              and conn.send(data) and conn.answer(payload=data))


TRANS2 = C.smb1(0x32, struct.pack("<HHHHBBHIHHHHHBBH", *[0] * 11, 66, 0, 1, 0, 0x000e))
IMPLANT = C.smb1(0x32, mid=81, status=0xc0000002, reply=True)


def guards_evaded(gw, check):
    """Guards on packets of which conntrack does not know who opened the connection."""
    def picked(what, client=C.APP):
        conn = open_conn(gw, check, what, 445, client)
        conn.send(C.SMB2_NEGOTIATE)
        C.subprocess.run(["conntrack", "-F"], check=False, stderr=C.subprocess.DEVNULL,
                         stdout=C.subprocess.DEVNULL)
        return conn
    conn = open_conn(gw, check, "guard, invalid", 445)
    conn.send(C.SMB2_NEGOTIATE)
    check("a guard's packet that acknowledges too much", tcp(
        conn, TRANS2, ack=conn.ack + 1000000), False)
    conn = open_conn(gw, check, "guard, beyond the window", 445)
    conn.send(C.SMB2_NEGOTIATE)
    tcp(conn, b"x" * 1400, seq=conn.seq + 64000)
    check("a guard's packet behind the end of the window", conn.send(TRANS2), False)
    conn = picked("guard, the server first")
    check("the server goes on", conn.answer(payload=C.SMB2_NEGOTIATE))
    check("a guard's packet of the client, behind the server's", conn.send(TRANS2), False)
    check("and condemned", conn.send(C.SMB2_NEGOTIATE), False)
    conn = picked("implant, the server first")
    check("a guard's answer that is picked up", conn.answer(payload=IMPLANT), False)
    conn = picked("guard, the client first")
    check("a guard's packet that is picked up", conn.send(TRANS2), False)
    conn = picked("benign, the server first")
    check("what is benign goes on", conn.answer(payload=C.SMB2_NEGOTIATE) and
          conn.send(C.SMB2_NEGOTIATE) and conn.answer(payload=C.SMB2_NEGOTIATE))
    for name, data, want in (("the answer's bytes of the client", IMPLANT, True),
                             ("the request's of the client", TRANS2, False)):
        conn = open_conn(gw, check, "from its SYN", 445)
        conn.send(C.SMB2_NEGOTIATE)
        check("from its SYN, " + name, conn.send(data), want)


def order(gw, check):
    """Data ahead of its turn must not use up what is looked at."""
    conn = open_conn(gw, check, "out of order")
    for i in range(6):
        tcp(conn, b"B" * 12, seq=conn.seq + len(C.SMB2_NEGOTIATE) + 12 * i)
    check("SMB behind data ahead of it", conn.send(C.SMB2_NEGOTIATE), False)
    conn = open_conn(gw, check, "out of order, RDP")
    for i in range(6):
        tcp(conn, b"B" * 12, seq=conn.seq + len(C.RDP_COOKIE) + 12 * i)
    check("RDP behind data ahead of it", conn.send(C.RDP_COOKIE), False)


def flags(gw, check):
    for name, f in (("SYN+FIN", P.SYN | FIN), ("SYN+RST", P.SYN | P.RST), ("SYN+PSH", P.SYN | PSH),
                    ("SYN+URG", P.SYN | URG), ("SYN", P.SYN)):
        got = gw.through("out0", P.packet(C.OTHER, C.H, P.TCP, next(C.Conn.ports), 1433, f))[0]
        check("%s, denied" % name, got, False)
        got = gw.through("out0", P.packet(C.APP, C.H, P.TCP, next(C.Conn.ports), 1433, f,
                                          C.SMB2_NEGOTIATE))[0]
        check("%s with SMB in it" % name, got, False)
        got = gw.through("out0", P.packet(C.APP, C.H, P.TCP, 443, 445, f))[0]
        check("%s from a server's port" % name, got, True)
        got = gw.through("lan8", P.packet(C.H, C.APP, P.TCP, 1433, 40000, f))[0]
        check("%s of the server" % name, got, False)
    for name, f in (("none", 0), ("FIN", FIN), ("all", 0x3f)):
        got = gw.through("out0", P.packet(C.OTHER, C.H, P.TCP, next(C.Conn.ports), 1433, f))[0]
        check("flags %s, denied" % name, got, False)


def directions(gw, check):
    def udp(side, src, dst, sport, dport):
        return gw.through(side, P.packet(src, dst, P.UDP, sport, dport, payload=b"x" * 12))[0]
    check("UDP reply without a question", udp("lan8", C.H, C.OTHER, 161, 500), False)
    check("UDP to a host from an allowed server's port", udp("out0", C.APP, C.H, 53, 135), False)
    # an answer allowed by a rule must not turn around
    check("SCTP to the port of a TCP rule", gw.through(
        "out0", P.packet(C.APP, C.H, P.SCTP, 50, 1433))[0], False)
    check("SCTP of the host", gw.through("lan8", P.packet(C.H, C.APP, P.SCTP, 1433, 50))[0], False)
    for proto in (4, 33, 41, 47, 50, 51, 94, 136):
        check("protocol %d to a host" % proto, gw.through(
            "out0", P.packet(C.APP, C.H, proto, 0, 0, payload=b"\x45" + b"\0" * 60))[0], False)
        check("protocol %d of a host" % proto, gw.through(
            "lan8", P.packet(C.H, C.APP, proto, 0, 0, payload=b"\x45" + b"\0" * 60))[0], False)
    for kind in (0, 3, 5, 8, 9, 10, 13, 17, 42):
        got = gw.through("out0", P.packet(C.APP, C.H, P.ICMP, 9, kind))[0]
        check("ICMP type %d to a host" % kind, got, False)
        got = gw.through("lan8", P.packet(C.H, C.APP, P.ICMP, 9, kind))[0]
        check("ICMP type %d of a host" % kind, got, False)
    for kind in (1, 2, 3, 4, 128, 129, 130, 133, 134, 135, 136, 137, 138, 139, 143, 151):
        for ttl in (255, 64, 2):
            got = gw.through("out0", P.packet(C.APP6, C.H6, P.ICMP6, 9, kind, ttl=ttl))[0]
            check("ICMPv6 type %d to a host" % kind, got, False)
            got = gw.through("lan8", P.packet(C.H6, C.APP6, P.ICMP6, 9, kind, ttl=ttl))[0]
            check("ICMPv6 type %d of a host" % kind, got, False)


def cross(gw, check):
    """ICMP of the other family, and IPv4 in IPv6."""
    got = gw.through("out0", P.packet(C.APP, C.H, P.ICMP6, 9, 136))[0]
    check("ICMPv6 in IPv4", got, False)
    for proto in (P.ICMP, 4, 41, 47, 59):
        got = gw.through("out0", P.packet(C.APP6, C.H6, proto, 9, 8, payload=b"\x08" + b"\0" * 40))[0]
        check("protocol %d in IPv6" % proto, got, False)


def with_headers(src, dst, headers, proto, seg):
    """An IPv6 packet with extension headers, (type, bytes without the first) each."""
    body, kinds = b"", [h[0] for h in headers] + [proto]
    for i, (_, data) in enumerate(headers):
        body += bytes([kinds[i + 1]]) + data
    src, dst = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    return struct.pack("!IHBB", 6 << 28, len(body + seg), kinds[0], 64) + src.packed + \
        dst.packed + body + seg


def extensions(gw, check):
    """IPv6 extension headers do not hide the transport."""
    def syn(src, dst, sport, dport, headers):
        seg = P.transport(ipaddress.ip_address(src), ipaddress.ip_address(dst), P.TCP, sport,
                          dport, P.SYN, b"", 1000, 0)
        ip = with_headers(src, dst, headers, P.TCP, seg)
        gw.settle(quick=True)
        gw.send("out0", ip)
        got = gw.settle(quick=True)["lan8"]
        return any(k[0] == src and k[1] == dst for k in got)
    pad = b"\0\x01\x04\0\0\0\0"
    fragment = (44, b"\0\0\0\0\0\0\x07")
    for name, headers in (("destination options", [(60, pad)]), ("hop-by-hop", [(0, pad)]),
                          ("two", [(0, pad), (60, pad)]), ("atomic fragment", [fragment]),
                          ("routing 0, none left", [(43, b"\0\0\0\0\0\0\0")])):
        check("allowed port behind %s" % name, syn(C.APP6, C.H6, next(C.Conn.ports), 1433, headers))
        check("denied port behind %s" % name, syn(C.APP6, C.H6, next(C.Conn.ports), 22, headers), False)
    for kind in (135, 139, 140, 253, 50):
        check("denied port behind header %d" % kind, syn(
            C.APP6, C.H6, next(C.Conn.ports), 22, [(kind, pad)]), False)
        check("allowed port behind header %d" % kind, syn(
            C.APP6, C.H6, next(C.Conn.ports), 1433, [(kind, pad)]), False)


def fragments(gw, check):
    """Judged whole: a first fragment without ports, overlaps, an end that says otherwise."""
    def pieces(src, dst, seg, cuts, ident):
        src, dst = ipaddress.ip_address(src), ipaddress.ip_address(dst)
        for i, (at, end) in enumerate(cuts):
            part = seg[at:end]
            more = 0 if end >= len(seg) else 0x2000
            head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(part), ident, more | at // 8, 64,
                               P.TCP, 0) + src.packed + dst.packed
            gw.send("out0", head[:10] + struct.pack("!H", P.checksum(head)) + head[12:] + part)
        return any(k[0] == str(src) and k[1] == str(dst) for k in gw.settle()["lan8"])
    def segment(dport, sport):
        return P.transport(ipaddress.ip_address(C.APP), ipaddress.ip_address(C.H), P.TCP, sport,
                           dport, P.SYN, b"", 1000, 0)
    gw.settle()
    check("allowed in two fragments", pieces(C.APP, C.H, segment(1433, 3001), ((0, 8), (8, 20)), 1))
    check("denied in two fragments", pieces(C.APP, C.H, segment(22, 3002), ((0, 8), (8, 20)), 2), False)
    check("a later fragment alone", pieces(C.APP, C.H, segment(22, 3003), ((8, 20),), 3), False)
    check("a first fragment alone", pieces(C.APP, C.H, segment(1433, 3004), ((0, 8),), 4), False)


def source_route(gw, check):
    """Loose source route by the gateway: the kernel refuses it.  Where a machine takes them
    (accept_source_route), they pass the rules: `status` has to tell."""
    def through():
        src, hop = ipaddress.ip_address(C.OTHER), ipaddress.ip_address(C.GW_OUT)
        option = bytes([131, 7, 4]) + ipaddress.ip_address(C.H).packed + b"\0"
        seg = P.transport(src, ipaddress.ip_address(C.H), P.UDP, 1, 161, 0, b"x" * 12, 0, 0)
        head = struct.pack("!BBHHHBBH", 0x47, 0, 28 + len(seg), 5, 0, 64, P.UDP, 0)
        head += src.packed + hop.packed + option
        ip = head[:10] + struct.pack("!H", P.checksum(head)) + head[12:] + seg
        gw.settle()
        gw.send("out0", ip)
        return any(k[0] == C.OTHER for k in gw.settle()["lan8"])
    check("source route, as the kernel has it", through(), False)


def spoofing(gw, check):
    """Addresses that are trusted somewhere, from where they are not."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind(("0.0.0.0", 514))
    listener.settimeout(0.3)

    def received(side, src, dst):
        gw.send(side, P.packet(src, dst, P.UDP, next(C.Conn.ports), 514, payload=b"q" * 12))
        try:
            return listener.recvfrom(100)[1][0] == src
        except socket.timeout:
            return False
    check("management from outside", received("out0", MANAGEMENT, C.GW_OUT))
    check("management spoofed by a host", received("lan8", MANAGEMENT, C.GW_LAN), False)
    C.P.run("ip", "route", "replace", "10.1.9.0/24", "via", "192.0.2.34", "dev", "lan8")
    check("management that lives inside", received("lan8", MANAGEMENT, C.GW_LAN))
    C.P.run("ip", "route", "del", "10.1.9.0/24")
    check("the gateway's own address from inside", received("lan8", C.GW_OUT, C.GW_LAN), False)
    check("loopback from inside", received("lan8", "127.0.0.1", C.GW_LAN), False)
    listener.close()
    raw = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    raw.setsockopt(socket.IPPROTO_IP, 15, 1)  # IP_FREEBIND, as transparent proxies have
    raw.setsockopt(socket.IPPROTO_IP, 19, 1)  # IP_TRANSPARENT
    raw.bind((C.H, 5000))
    gw.settle()
    try:
        raw.sendto(b"as the host", (C.OTHER, 99))
    except PermissionError:
        pass
    check("the gateway in a host's name", any(k[0] == C.H for k in gw.settle()["out0"]), False)
    raw.close()


def main():
    check = C.Checks()
    gw = P.Gateway(C.SIDES)
    with tempfile.TemporaryDirectory() as work:
        C.start(sys.argv[2], work)
        for group in (flags, directions, cross, extensions, fragments, spoofing, source_route,
                      windows, order, forgotten, guards_evaded):
            group(gw, check)
    print("evasions: %d checks, %d failed" % (check.n, check.bad))
    return 1 if check.bad else 0


if __name__ == "__main__":
    sys.exit(main())
