#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What real networks do: odd sources, tunnels, redirects, NAT on the same gateway, fragments,
extension headers, VLAN, UDP, and who gets which error.

usage: places.py CORDON CORDOND   (in a network namespace of its own)"""
import ipaddress
import os
import socket
import struct
import subprocess
import sys
import tempfile

import cases as C
import evasions as E
import packets as P

H, H6, APP, APP6, OTHER, OTHER6 = C.H, C.H6, C.APP, C.APP6, C.OTHER, "fd00:1:0:9::66"
GW6 = "2001:db8:8::1"
TUNNEL, ROUTER, ROUTER6 = "10.30.0.41", "10.1.0.254", "fd00:1:0:ff::1"
POLICY = {
    "cordon.yaml": C.POLICY["cordon.yaml"],
    "hosts/h.yaml": """host: h
addresses: [10.20.8.10, "fd00:20:8::10"]
allow:
  inbound:
    - {service: [tcp/1433, udp/1434, telnet], from: [10.30.0.0/24, "fd00:1::/64"], id: plain}
    - {service: smb, from: 10.30.0.7, id: files}
  outbound:
    - {service: [dns, tcp/8022], to: gateway, id: gw}
    - {service: [http, udp/514], to: [10.30.0.0/24, "fd00:1::/64"], id: http}
    - {service: ip/41, to: 10.30.0.41, id: tunnel}
""",
    "hosts/watched.yaml": C.POLICY["hosts/watched.yaml"],
}


def went(gw, side, ip):
    """Send; {interface: keys} of all that left."""
    gw.settle(quick=True)
    gw.send(side, ip)
    return gw.settle(quick=True)


def passes(gw, side, src, dst, proto=P.TCP, dport=80, sport=None, **more):
    return gw.through(side, P.packet(src, dst, proto, sport or next(C.Conn.ports), dport, **more))[0]


def sources(gw, check):
    for src in ("0.0.0.0", "0.1.2.3", "127.0.0.1", "169.254.9.9", "224.0.0.9", "240.0.0.1", "255.255.255.255",
                "10.20.9.1", "10.30.0.7", C.GW_LAN, C.GW_OUT, "10.20.8.99", "10.20.8.0", "10.20.8.255", "10.1.9.1"):
        check("%s from inside" % src, passes(gw, "lan8", src, APP), False)
    for src in ("::", "::1", "fe80::1", "ff02::9", "2002:a14:80a::1", "2001:0:102:304::1", "::ffff:10.20.8.10",
                "::10.20.8.10", "fec0::1", "fd00:20:9::1", "fd00:1::7", GW6, "fd00:20:8::99",
                "64:ff9b::a14:80a"):
        check("%s from inside" % src, passes(gw, "lan8", src, APP6), False)
    for src, dst in ((H, "10.1.0.9"), (H6, "fd00:1::9"), ("10.20.8.99", H), ("fd00:20:8::99", H6), (H, H), (H6, H6)):
        check("%s from outside to %s" % (src, dst), passes(gw, "out0", src, dst, dport=1433), False)
    check("declared, from inside", passes(gw, "lan8", H, APP) and passes(gw, "lan8", H6, APP6))
    denied = C.counter("denied")
    check("link-local is judged as an undeclared host's: denied", passes(gw, "lan8", "169.254.9.8", APP), False)
    check("and counted so", C.counter("denied") - denied, 1)


def to_gateway(gw, check):
    """What neighbours need reaches the gateway from link-local; nothing else does."""
    def received(src, dst, port, sport=None, mac=None):
        family = socket.AF_INET6 if ":" in dst else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as s:
            s.settimeout(0.3)
            s.bind(("", port))
            ip = P.packet(src, dst, P.UDP, sport or next(C.Conn.ports), port, payload=b"q" * 12)
            gw.sock["lan8"].send((mac or P.mac(P.mac_of(8, 1))) + P.mac(P.mac_of(8, 2)) +
                                 (b"\x08\0" if ip[0] >> 4 == 4 else b"\x86\xdd") + ip)
            try:
                return s.recvfrom(100)[0] == b"q" * 12
            except socket.timeout:
                return False
    check("DNS of a host over IPv6", received(H6, GW6, 53))
    check("DNS of link-local", received("fe80::2", GW6, 53), False)
    check("DNS of an undeclared prefix", received("fd00:77::2", GW6, 53), False)
    check("other service of the gateway", received(H6, GW6, 123), False)
    check("DHCPv6 of link-local", received("fe80::2", GW6, 547, 546))
    check("DHCPv6 from another port", received("fe80::2", GW6, 547, 5460), False)
    check("DHCP of a host without address", received("0.0.0.0", "255.255.255.255", 67, 68, b"\xff" * 6))
    check("broadcast of a host", received(H, "255.255.255.255", 138, mac=b"\xff" * 6), False)

    def solicited(src, hops):
        target = ipaddress.ip_address(GW6).packed
        got = went(gw, "lan8", P.packet(src, GW6, P.ICMP6, 0, 135, ttl=hops, payload=b"")[:44] + b"\0" * 4 + target)
        return any(k[2] == P.ICMP6 and k[4] == 136 for k in got["lan8"])
    seg = struct.pack("!BBHI", 135, 0, 0, 0) + ipaddress.ip_address(GW6).packed + b"\1\1" + P.mac(P.mac_of(8, 2))

    def asks(src, hops):
        a, b = ipaddress.ip_address(src), ipaddress.ip_address(GW6)
        pseudo = a.packed + b.packed + struct.pack("!II", len(seg), 58)
        body = seg[:2] + struct.pack("!H", P.checksum(pseudo + seg)) + seg[4:]
        ip = struct.pack("!IHBB", 6 << 28, len(body), 58, hops) + a.packed + b.packed + body
        return any(k[2] == P.ICMP6 and k[4] == 136 for k in went(gw, "lan8", ip)["lan8"])
    check("neighbour solicitation of link-local", asks("fe80::2", 255))
    check("one that crossed a router", asks("fe80::3", 64), False)


def tunnels(gw, check):
    inner4 = P.packet(H, OTHER, P.TCP, 5, 445)
    inner6 = P.packet(H6, OTHER6, P.TCP, 5, 445)
    for name, proto, inner in (("6in4, ISATAP", 41, inner6), ("4in4", 4, inner4), ("GRE", 47, b"\0\0\x86\xdd" + inner6),
                               ("ESP", 50, b"\0" * 40), ("L2TP", 115, b"\0" * 40), ("EtherIP", 97, b"\x30\0" + b"\0" * 40)):
        for side, src, dst in (("lan8", H, APP), ("out0", APP, H)):
            check("%s %s -> %s" % (name, src, dst), passes(gw, side, src, dst, proto, 0, payload=inner), False)
    for name, proto, inner in (("4in6", 4, inner4), ("6in6", 41, inner6), ("GRE", 47, b"\0\0\x08\0" + inner4)):
        for side, src, dst in (("lan8", H6, APP6), ("out0", APP6, H6)):
            check("%s %s -> %s" % (name, src, dst), passes(gw, side, src, dst, proto, 0, payload=inner), False)
    for sport, dport in ((4000, 3544), (3544, 4000), (3544, 3544)):
        for side, src, dst in (("lan8", H, APP), ("out0", APP, H), ("lan8", H6, APP6), ("out0", APP6, H6)):
            check("Teredo %d -> %d, %s" % (sport, dport, src), passes(
                gw, side, src, dst, P.UDP, dport, sport, payload=inner6), False)
    check("6in4 that a rule names", passes(gw, "lan8", H, TUNNEL, 41, 0, payload=inner6))
    check("its answer", passes(gw, "out0", TUNNEL, H, 41, 0, payload=inner6))
    check("4in4 to there", passes(gw, "lan8", H, TUNNEL, 4, 0, payload=inner4), False)


def icmp(src, dst, kind, code, inner, rest=b"\0" * 4):
    """An ICMP or ICMPv6 error; rest: its second word."""
    a, b = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    body = struct.pack("!BBH", kind, code, 0) + rest + inner
    proto = P.ICMP if a.version == 4 else P.ICMP6
    pseudo = b"" if a.version == 4 else a.packed + b.packed + struct.pack("!II", len(body), proto)
    body = body[:2] + struct.pack("!H", P.checksum(pseudo + body)) + body[4:]
    ip = P.packet(src, dst, 50, 0, 0, payload=body)
    if a.version == 6:
        return ip[:6] + bytes([proto]) + ip[7:]
    ip = ip[:9] + bytes([proto]) + b"\0\0" + ip[12:]
    return ip[:10] + struct.pack("!H", P.checksum(ip[:20])) + ip[12:]


def told(gw, side, back, ip, kind):
    return any(k[2] in (P.ICMP, P.ICMP6) and k[4] == kind for k in went(gw, side, ip)[back])


ERRORS4 = [("net unreachable", 3, 0), ("port unreachable", 3, 3), ("too big", 3, 4), ("prohibited", 3, 13),
           ("time exceeded", 11, 0), ("parameter problem", 12, 0)]
ERRORS6 = [("no route", 1, 0), ("port unreachable", 1, 4), ("too big", 2, 0), ("hop limit", 3, 0),
           ("parameter problem", 4, 1)]


def errors(gw, check):
    """At once, to the side whose packet it is about; redirects and all else never."""
    for client, server, router, kinds, redirect in ((APP, H, ROUTER, ERRORS4, 5), (APP6, H6, ROUTER6, ERRORS6, 137)):
        for proto, port in ((P.TCP, 1433), (P.UDP, 1434)):
            sport = next(C.Conn.ports)
            ask = P.packet(client, server, proto, sport, port, payload=b"" if proto == P.TCP else b"q" * 9)
            answer = P.packet(server, client, proto, port, sport, P.SYN | P.ACK,
                              b"" if proto == P.TCP else b"a" * 9, seq=5000, ack=1001)
            what = "%s, protocol %d" % (client, proto)
            check("%s: there and back" % what, gw.through("out0", ask)[0] and gw.through("lan8", answer)[0])
            rest = b"\0\0\x05\x00"
            for name, kind, code in kinds:
                check("%s: %s of the host" % (what, name), told(
                    gw, "lan8", "out0", icmp(server, client, kind, code, ask, rest), kind))
                check("%s: %s of a router" % (what, name), told(
                    gw, "out0", "lan8", icmp(router, server, kind, code, answer, rest), kind))
            for name, side, back, ip in (
                    ("redirect of the host", "lan8", "out0", icmp(server, client, redirect, 1, ask)),
                    ("redirect of a router", "out0", "lan8", icmp(router, server, redirect, 1, answer))):
                check("%s: %s" % (what, name), told(gw, side, back, ip, redirect), False)
            other = P.packet(client, server, proto, 7, 7)
            kind = kinds[1][1]
            check("%s: error about nothing" % what, told(
                gw, "lan8", "out0", icmp(server, client, kind, kinds[1][2], other), kind), False)
            check("%s: error of a spoofed source" % what, told(
                gw, "lan8", "out0", icmp(router, client, kind, kinds[1][2], ask), kind), False)


def own_errors(gw, check):
    """The gateway's: they pass its output hook."""
    big4 = bytearray(P.packet(APP, H, P.UDP, 4001, 1434, payload=b"x" * 1400))
    big4[6] |= 0x40  # don't fragment
    big4[10:12] = b"\0\0"
    big4[10:12] = struct.pack("!H", P.checksum(bytes(big4[:20])))
    P.run("ip", "link", "set", "lan8", "mtu", "1300")
    check("too big for the host's link: told at once", told(gw, "out0", "out0", bytes(big4), 3))
    check("IPv6", told(gw, "out0", "out0", P.packet(APP6, H6, P.UDP, 4002, 1434, payload=b"x" * 1400), 2))
    P.run("ip", "link", "set", "lan8", "mtu", "1500")
    check("what fits", passes(gw, "out0", APP, H, P.UDP, 1434, payload=b"x" * 1200))
    check("time exceeded to the host", told(gw, "lan8", "lan8", P.packet(H, APP, P.TCP, 4003, 80, ttl=1), 11))
    check("IPv6", told(gw, "lan8", "lan8", P.packet(H6, APP6, P.TCP, 4004, 80, ttl=1), 3))
    check("time exceeded to the client", told(gw, "out0", "out0", P.packet(APP, H, P.TCP, 4005, 1433, ttl=1), 11))
    check("port unreachable to the host", told(gw, "lan8", "lan8", P.packet(H, C.GW_LAN, P.UDP, 4006, 53, payload=b"q" * 12), 3))
    check("IPv6", told(gw, "lan8", "lan8", P.packet(H6, GW6, P.UDP, 4007, 53, payload=b"q" * 12), 1))


def reset(gw, side, ip, back=None):
    return any(k[2] == P.TCP and k[5] & P.RST for k in went(gw, side, ip)[back or side])


def resets(gw, check):
    for side, src, dst in (("out0", OTHER, H), ("out0", OTHER6, H6), ("lan8", H, OTHER), ("lan8", H6, OTHER6),
                           ("lan8", H, C.GW_LAN), ("lan8", H6, GW6), ("lan8", "10.20.8.99", C.GW_LAN)):
        ip = P.packet(src, dst, P.TCP, next(C.Conn.ports), 2222)
        got = went(gw, side, ip)
        check("denied %s -> %s: reset" % (src, dst), [(k[0], k[1], k[3]) for k in got[side] if k[2] == P.TCP and k[5] & P.RST],
              [(dst, src, 2222)])
        check("denied %s -> %s: nobody else hears of it" % (src, dst), not got["out0" if side == "lan8" else "lan8"])
    for family, to in ((socket.AF_INET, H), (socket.AF_INET6, H6)):
        with socket.socket(family, socket.SOCK_STREAM) as s:
            s.settimeout(5)
            try:
                s.connect((to, 2222))
                word = "connected"
            except OSError as e:
                word = type(e).__name__
            check("the gateway's own connection to %s is refused at once" % to, word, "ConnectionRefusedError")
    spoof = P.packet("10.30.0.201", APP, P.TCP, 5, 2222)
    check("spoofed: silence", reset(gw, "lan8", spoof), False)


def nft(text):
    done = subprocess.run(["nft", "-f", "-"], input=text, text=True, stderr=subprocess.PIPE)
    if done.returncode and "not supported" not in done.stderr and "No such file" not in done.stderr:
        raise RuntimeError(done.stderr)
    return done.returncode == 0


def nat(gw, check):
    """Judged behind DNAT, before SNAT."""
    if not nft("table ip napt {\nchain pre { type nat hook prerouting priority -100;\n"
               "ip daddr 192.0.2.1 tcp dport 8433 dnat to 10.20.8.10:1433\n"
               "ip daddr 192.0.2.1 tcp dport 8434 dnat to 10.20.8.10:135\n"
               "ip daddr 192.0.2.1 udp dport 8434 dnat to 10.20.8.10:1434\n}\n"
               "chain post { type nat hook postrouting priority 100; oifname out0 masquerade\n}\n}\n"
               "table ip6 napt {\nchain pre { type nat hook prerouting priority -100;\n"
               "ip6 daddr 2001:db8::1 tcp dport 8433 dnat to [fd00:20:8::10]:1433\n}\n"
               "chain post { type nat hook postrouting priority 100; oifname out0 masquerade\n}\n}\n"):
        print("places: SKIP NAT: this kernel has none in nft")
        return
    subprocess.run(["conntrack", "-F"], check=False, stderr=subprocess.DEVNULL)

    def seen(got, side, src, dst, proto, sport, dport):
        return any(k[:5] == (src, dst, proto, sport, dport) for k in got[side])
    for client, outer, host in ((APP, C.GW_OUT, H), (APP6, "2001:db8:0::1", H6)):
        outer = str(ipaddress.ip_address(outer))
        port = next(C.Conn.ports)
        got = went(gw, "out0", P.packet(client, outer, P.TCP, port, 8433))
        check("DNAT to an allowed port of %s" % host, seen(got, "lan8", client, host, P.TCP, port, 1433))
        got = went(gw, "lan8", P.packet(host, client, P.TCP, 1433, port, P.SYN | P.ACK, seq=5000, ack=1001))
        check("its answer, translated back", seen(got, "out0", outer, client, P.TCP, 8433, port))
        went(gw, "out0", P.packet(client, outer, P.TCP, port, 8433, P.ACK, seq=1001, ack=5001))
        got = went(gw, "out0", P.packet(client, outer, P.TCP, port, 8433, P.ACK, C.SMB2_NEGOTIATE, seq=1001, ack=5001))
        check("SMB over it", seen(got, "lan8", client, host, P.TCP, port, 1433), False)
        check("its reset, translated back", any(
            k[0] == outer and k[3] == 8433 and k[5] & P.RST for k in got["out0"]))
    port = next(C.Conn.ports)
    got = went(gw, "out0", P.packet(OTHER, C.GW_OUT, P.TCP, port, 8433))
    check("DNAT for a stranger", seen(got, "lan8", OTHER, H, P.TCP, port, 1433), False)
    check("its reset comes from the outer address", any(
        k[0] == C.GW_OUT and k[1] == OTHER and k[5] & P.RST for k in got["out0"]))
    got = went(gw, "out0", P.packet(APP, C.GW_OUT, P.TCP, port, 8434))
    check("DNAT to a port without rule", seen(got, "lan8", APP, H, P.TCP, port, 135), False)
    got = went(gw, "out0", P.packet(APP, C.GW_OUT, P.UDP, port, 8434, payload=b"q" * 9))
    check("DNAT of UDP", seen(got, "lan8", APP, H, P.UDP, port, 1434))
    got = went(gw, "lan8", P.packet(H, APP, P.UDP, 1434, port, payload=b"a" * 9))
    check("its answer", seen(got, "out0", C.GW_OUT, APP, P.UDP, 8434, port))
    for host, server, outer in ((H, APP, C.GW_OUT), (H6, APP6, "2001:db8::1")):
        port = next(C.Conn.ports)
        got = went(gw, "lan8", P.packet(host, server, P.TCP, port, 80))
        check("masqueraded, %s" % host, any(k[0] == outer and k[1] == server and k[4] == 80 for k in got["out0"]))
        left = [k[3] for k in got["out0"] if k[0] == outer and k[4] == 80]
        got = went(gw, "out0", P.packet(server, outer, P.TCP, 80, left[0] if left else 1, P.SYN | P.ACK, seq=5000, ack=1001))
        check("its answer, %s" % host, seen(got, "lan8", server, host, P.TCP, 80, port))
        got = went(gw, "lan8", P.packet(host, server, P.TCP, port + 1, 81))
        check("masqueraded, no rule, %s" % host, [k for k in got["out0"] if k[4] == 81], [])
    nft("delete table ip napt\ndelete table ip6 napt\n")
    subprocess.run(["conntrack", "-F"], check=False, stderr=subprocess.DEVNULL)


def v4_pieces(src, dst, proto, seg, cuts, ident):
    src, dst = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    for at, data, more in cuts:
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(data), ident, more << 13 | at // 8, 64, proto, 0) + \
            src.packed + dst.packed
        yield head[:10] + struct.pack("!H", P.checksum(head)) + head[12:] + data


def v6_pieces(src, dst, proto, seg, cuts, ident):
    for at, data, more in cuts:
        yield E.with_headers(src, dst, [(44, b"\0" + struct.pack("!HI", at | more, ident))], proto, data)


def fragments(gw, check):
    idents = iter(range(100, 10**6))

    def came(pieces, src, dst):
        gw.settle(quick=True)
        for ip in pieces:
            gw.send("out0", ip)
        return any(k[:2] == (src, dst) for k in gw.settle()["lan8"])
    # IPv6: a first fragment without the whole header is nobody's to take (RFC 8200 4.5)
    for src, dst, pieces, tiny in ((APP, H, v4_pieces, True), (APP6, H6, v6_pieces, False)):
        def whole(dport, proto=P.TCP, payload=b"", flags=P.SYN):
            return P.transport(ipaddress.ip_address(src), ipaddress.ip_address(dst), proto, next(C.Conn.ports),
                               dport, flags, payload, 1000, 0)

        def cut(seg, *at):
            ends = [0, *at, len(seg)]
            return [(a, seg[a:b], b < len(seg)) for a, b in zip(ends, ends[1:])]
        for name, seg, want in (("allowed", whole(1433), tiny), ("denied", whole(135), False),
                                ("allowed UDP", whole(1434, P.UDP, b"x" * 40), True),
                                ("denied UDP", whole(137, P.UDP, b"x" * 40), False)):
            proto = P.UDP if "UDP" in name else P.TCP
            for how, parts in (("tiny", cut(seg, 8)), ("tiny, three", cut(seg, 8, 16)),
                               ("tiny, turned around", cut(seg, 8, 16)[::-1])):
                check("%s, %s, %s" % (src, name, how), came(
                    pieces(src, dst, proto, seg, parts, next(idents)), src, dst), want)
        good, bad = whole(1433), whole(135)
        over = [(0, good[:16], 1), (0, bad[:16], 1), (8, bad[8:], 0)]
        check("%s, overlapping: one port over the other" % src, came(
            pieces(src, dst, P.TCP, good, over, next(idents)), src, dst), False)
        over = [(0, bad[:16], 1), (8, good[8:], 0), (0, good[:8], 1)]
        check("%s, overlapping, denied first" % src, came(
            pieces(src, dst, P.TCP, good, over, next(idents)), src, dst), False)
        conn = C.Conn(gw, src, dst, 1433)
        seg = P.transport(ipaddress.ip_address(src), ipaddress.ip_address(dst), P.TCP, conn.sport, 1433, P.ACK,
                          C.SMB2_NEGOTIATE, conn.seq, conn.ack)
        check("%s, SMB in fragments" % src, came(pieces(src, dst, P.TCP, seg, cut(seg, 24, 32, 40), next(idents)),
                                                 src, dst), False)
        check("%s, it is condemned" % src, conn.send(C.TDS), False)
    # the transport header is not in the first fragment (RFC 7112)
    pad, seg = b"\0\x01\x04\0\0\0\0", P.transport(ipaddress.ip_address(APP6), ipaddress.ip_address(H6), P.TCP, 5, 135,
                                                 P.SYN, b"", 1000, 0)
    hidden = bytes([P.TCP]) + pad + seg
    check("destination options alone in the first fragment", came(
        v6_pieces(APP6, H6, 60, hidden, [(0, hidden[:8], 1), (8, hidden[8:], 0)], next(idents)), APP6, H6), False)


def headers(gw, check):
    def syn(dport, chain, src=APP6, dst=H6, side="out0"):
        seg = P.transport(ipaddress.ip_address(src), ipaddress.ip_address(dst), P.TCP, next(C.Conn.ports), dport,
                          P.SYN, b"", 1000, 0)
        return any(k[:2] == (src, dst) for k in went(gw, side, E.with_headers(src, dst, chain, P.TCP, seg))[
            "lan8" if side == "out0" else "out0"])
    via = ipaddress.ip_address(OTHER6).packed
    routing = {"0": b"\x02\0\1" + b"\0" * 4 + via, "2": b"\x02\2\1" + b"\0" * 4 + via,
               "2, none left": b"\x02\2\0" + b"\0" * 4 + via, "3": b"\x02\3\1" + b"\0" * 4 + via,
               "4": b"\x02\4\1" + b"\0" * 4 + via, "253": b"\x02\xfd\1" + b"\0" * 4 + via}
    for name, data in routing.items():
        check("denied port behind routing %s" % name, syn(135, [(43, data)]), False)
        check("denied port behind routing %s, of the host" % name, syn(135, [(43, data)], H6, APP6, "lan8"), False)
    check("by the gateway to a host", any(k[1] == H6 for k in went(gw, "out0", E.with_headers(
        OTHER6, "2001:db8:0::1", [(43, b"\x02\2\1" + b"\0" * 4 + ipaddress.ip_address(H6).packed)], P.TCP,
        P.transport(ipaddress.ip_address(OTHER6), ipaddress.ip_address(H6), P.TCP, 5, 1433, P.SYN, b"", 1, 0)))["lan8"]), False)
    ah = b"\x04\0\0" + b"\0\0\0\1" + b"\0\0\0\1" + b"\0" * 12
    check("denied port behind AH", syn(135, [(51, ah)]), False)
    check("denied port behind AH, of the host", syn(135, [(51, ah)], H6, APP6, "lan8"), False)
    pad = b"\0\x01\x04\0\0\0\0"
    check("denied port behind eight headers", syn(135, [(0, pad)] + [(60, pad)] * 7), False)
    check("no next header", passes(gw, "lan8", H6, APP6, 59, 0), False)
    conn = C.Conn(gw, APP6, H6, 1433)
    seg = P.transport(ipaddress.ip_address(APP6), ipaddress.ip_address(H6), P.TCP, conn.sport, 1433, P.ACK,
                      C.SMB2_NEGOTIATE, conn.seq, conn.ack)
    got = went(gw, "out0", E.with_headers(APP6, H6, [(60, pad)], P.TCP, seg))
    check("SMB behind destination options", any(k[:2] == (APP6, H6) for k in got["lan8"]), False)
    check("SMB behind them: condemned", conn.send(C.TDS), False)


def udp(gw, check):
    for client, server, back in ((APP, H, "out0"), (APP6, H6, "out0")):
        port = next(C.Conn.ports)
        ask = lambda: passes(gw, "out0", client, server, P.UDP, 1434, port, payload=b"question.")
        answer = lambda: passes(gw, "lan8", server, client, P.UDP, port, 1434, payload=b"answer...")
        check("UDP answer before the question, %s" % client, answer(), False)
        check("UDP, %s" % client, ask() and answer())
        check("UDP that goes on, %s" % client, all(ask() and answer() for _ in range(20)))
        subprocess.run(["conntrack", "-F"], check=False, stderr=subprocess.DEVNULL)
        check("UDP answer after conntrack's loss, %s" % client, answer(), False)
        check("UDP goes on with the next question, %s" % client, ask() and answer())
        check("to another port of the client, %s" % client, passes(
            gw, "lan8", server, client, P.UDP, port + 1, 1434, payload=b"answer..."), False)
    port = next(C.Conn.ports)
    check("outbound UDP", passes(gw, "lan8", H, APP, P.UDP, 514, port, payload=b"log line."))
    check("its answer", passes(gw, "out0", APP, H, P.UDP, port, 514, payload=b"thanks..."))


def loss(gw, check):
    """Fail-over: another gateway takes over in the middle, with an empty table."""
    for client, server, port, side in ((APP, H, 1433, "out0"), (APP6, H6, 1433, "out0"), (H, APP, 80, "lan8")):
        conn = C.Conn(gw, client, server, port)
        conn.send(C.HTTP)
        for who in ("client", "server"):
            subprocess.run(["conntrack", "-F"], check=False, stderr=subprocess.DEVNULL)
            first = conn.send(b"data.....") if who == "client" else conn.answer(payload=b"data.....")
            check("%s goes on, the %s first" % (client, who), first and conn.send(b"x" * 9) and conn.answer(payload=b"y" * 9))
        subprocess.run(["conntrack", "-F"], check=False, stderr=subprocess.DEVNULL)
        check("%s: the end of it" % client, conn.answer(P.ACK | 1) and gw.through(side, P.packet(
            client, server, P.TCP, conn.sport, port, P.ACK | 1, seq=conn.seq, ack=conn.ack))[0])
    for f in (P.ACK, P.SYN | P.ACK, P.ACK | 1, P.RST, 0):
        check("nothing opens: flags %d" % f, passes(gw, "out0", OTHER, H, dport=1433, flags=f), False)
        check("nothing opens: flags %d, of the host" % f, passes(gw, "lan8", H, OTHER, dport=80, flags=f), False)


def vlan(gw, check):
    """A VLAN's interface as the protected one."""
    if subprocess.run(["ip", "link", "add", "link", "lan8", "name", "lan8.7", "type", "vlan", "id", "7"],
                      stderr=subprocess.DEVNULL).returncode:
        print("places: SKIP VLAN: this kernel has no 8021Q")
        return
    P.run("ip", "link", "set", "lan8.7", "up")
    P.run("ip", "addr", "add", "192.0.2.129/30", "dev", "lan8.7")
    P.run("ip", "neigh", "replace", "192.0.2.130", "lladdr", P.mac_of(8, 0x99), "dev", "lan8.7", "nud", "permanent")
    P.run("ip", "route", "replace", "10.20.8.10/32", "via", "192.0.2.130", "dev", "lan8.7")

    def tagged(ip):
        gw.settle(quick=True)
        gw.sock["lan8"].send(P.mac(P.mac_of(8, 1)) + P.mac(P.mac_of(8, 2)) + b"\x81\0\0\7\x08\0" + ip)
        return any(k[0] == H for k in gw.settle(quick=True)["out0"])
    check("tagged, allowed", tagged(P.packet(H, APP, P.TCP, 5, 80)))
    check("tagged, denied", tagged(P.packet(H, APP, P.TCP, 6, 81)), False)
    check("untagged, though it lives in the VLAN", passes(gw, "lan8", H, APP), False)
    P.run("ip", "link", "del", "lan8.7")


def cut(gw, check, cordond, work):
    """A rule taken away: both ends of its connections hear of it with their next packet."""
    conns = [C.Conn(gw, a, b, 1433) for a, b in ((APP, H), (APP6, H6)) for _ in range(2)]
    check("open", all(c.opened and c.send(C.TDS) and c.answer(payload=C.TDS) for c in conns))
    path = work + "/policy/hosts/h.yaml"
    with open(path) as f:
        text = f.read()
    with open(path, "w") as f:
        f.write(text.replace("tcp/1433, ", ""))
    subprocess.run([cordond, "-e", "-c", work + "/policy", "--state-dir", work, "--runtime-dir", work],
                   check=True, stderr=subprocess.DEVNULL)
    for c in conns[::2]:
        check("%s: its next packet" % c.client, (c.send(C.TDS), c.reset_seen()), (False, True))
    for c in conns[1::2]:
        check("%s: the server's next packet" % c.client, (c.answer(payload=C.TDS), c.reset_seen()), (False, True))


def main():
    check = C.Checks()
    policy = dict(POLICY)
    policy["cordon.yaml"] = policy["cordon.yaml"].replace("[lan8, lan9]", "[lan8, lan9, lan8.7]")
    gw = P.Gateway(C.SIDES)
    C.POLICY = policy
    with tempfile.TemporaryDirectory() as work:
        C.start(sys.argv[2], work)
        for group in (sources, to_gateway, tunnels, errors, own_errors, resets, fragments, headers, udp, loss, nat, vlan):
            group(gw, check)
        cut(gw, check, sys.argv[2], work)
    print("places: %d checks, %d failed" % (check.n, check.bad))
    return 1 if check.bad else 0


if __name__ == "__main__":
    sys.exit(main())
