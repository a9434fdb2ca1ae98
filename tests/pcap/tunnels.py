# SPDX-License-Identifier: GPL-2.0-or-later
# summary: IP packets in the tunnels that `cordon inspect` looks into
"""TUNNELS: name -> step on packets, as those of detours.py."""
import struct

import detours as D
import travel as T

ENDS4 = bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))
ENDS6 = b"\x20\1\x0d\xb8".ljust(15, b"\0") + b"\1", b"\x20\1\x0d\xb8".ljust(15, b"\0") + b"\2"


def outer4(proto, body, lost):
    total = 20 + len(body) + lost
    return struct.pack("!BBHHHBBH", 0x45, 0, total, 7, 0, 64, proto, 0) + b"".join(ENDS4) + body


def outer6(proto, body, lost):
    return struct.pack("!IHBB", 6 << 28, len(body) + lost, proto, 64) + b"".join(ENDS6) + body


def frame(ip):
    return T.MACS + T._type(ip) + ip


def tagged(ip):
    return T.MACS + b"\x81\0\0\x08" + T._type(ip) + ip


def wrap(proto, head, inner=lambda ip: ip, outer=outer4):
    """head(bytes of what is inside, kind of IP): what stands in front of it"""
    def one(r, ip, lost):
        body = inner(ip)
        body = head(len(body) + lost, T._type(ip)) + body
        if len(body) + lost > 65000:
            return [(ip, lost)]
        return [(outer(proto, body, lost), lost)]
    return D.per_packet(one)


def same_kind(kind):
    """IP in IP: the protocol tells the version of what is inside"""
    def one(r, ip, lost):
        if len(ip) + lost > 65000:
            return [(ip, lost)]
        return [(kind(41 if D.is6(ip) else 4, ip, lost), lost)]
    return D.per_packet(one)


def gre(flags, rest=b""):
    return lambda n, kind: struct.pack("!H", flags) + kind + rest


def bridged(flags, proto, rest=b""):
    return lambda n, kind: struct.pack("!HH", flags, proto) + rest


def udp(port, head):
    def make(n, kind):
        h = head(n, kind)
        return struct.pack("!HHHH", 50000 + n % 1000, port, 8 + len(h) + n, 0) + h
    return make


def gtp(flags, rest=b""):
    return lambda n, kind: struct.pack("!BBHI", flags, 255, len(rest) + n, 0x1234) + rest


def keep_alives(r, packets):
    """GRE, and the keep-alive as Cisco's routers send it: a packet for the sender itself in one"""
    back = outer4(47, b"\0\0\0\0", 0)
    for i, (t, ip, lost) in enumerate(wrap(47, gre(0))(r, packets)):
        if i % 5 == 0:
            yield t, outer4(47, b"\0\0\x08\0" + back, 0), 0
            yield t, back, 0
        yield t, ip, lost


def both(*steps):
    def step(r, packets):
        for one in steps:
            packets = list(one(r, packets))
        return packets
    return step


NUMBER = b"\0\0\0\7"
ERSPAN2 = b"\x10\x08\0\1\0\0\0\1"
ERSPAN3 = b"\x20\x08\0\1" + b"\0\0\1\0" + b"\0\0"
TUNNELS = {
    "GRE": wrap(47, gre(0)),
    "GRE over IPv6": wrap(47, gre(0), outer=outer6),
    "GRE, checksum": wrap(47, gre(0x8000, b"\x12\x34\0\0")),
    "GRE, key and number": wrap(47, gre(0x3000, b"\0\0\0\x2a" + NUMBER)),
    "GRE, all fields": wrap(47, gre(0xf000, b"\x12\x34\0\0\0\0\0\x2a" + NUMBER + b"\x08\0\0\4\x0a\0\0\1\0\0\0\0")),
    "GRE, keep-alives": keep_alives,
    "GRE, VLAN": wrap(47, lambda n, kind: b"\0\0\x81\0\0\x08" + kind),
    "GRE, MPLS": wrap(47, lambda n, kind: b"\0\0\x88\x47\0\1\1\x40"),
    "bridged in GRE": wrap(47, bridged(0, 0x6558), frame),
    "NVGRE": wrap(47, bridged(0x2000, 0x6558, b"\0\1\2\3"), frame),
    "ERSPAN I": wrap(47, bridged(0, 0x88be), frame),
    "ERSPAN II": wrap(47, bridged(0x1000, 0x88be, NUMBER + ERSPAN2), tagged),
    "ERSPAN III": wrap(47, bridged(0x1000, 0x22eb, NUMBER + ERSPAN3 + b"\0\0"), frame),
    "ERSPAN III, platform": wrap(47, bridged(0x1000, 0x22eb, NUMBER + ERSPAN3 + b"\0\1" + bytes(8)), frame),
    "IP in IPv4": same_kind(outer4),
    "IP in IPv6": same_kind(outer6),
    "VXLAN": wrap(17, udp(4789, lambda n, kind: b"\x08\0\0\0\0\1\2\0"), frame),
    "VXLAN over IPv6, VLAN": wrap(17, udp(4789, lambda n, kind: b"\x08\0\0\0\0\1\2\0"), tagged, outer6),
    "Geneve": wrap(17, udp(6081, lambda n, kind: b"\0\0\x65\x58\0\1\2\0"), frame),
    "Geneve, options, IP": wrap(17, udp(6081, lambda n, kind: b"\2\0" + kind + b"\0\1\2\0" + bytes(3) + b"\1" + bytes(4))),
    "GTP-U": wrap(17, udp(2152, gtp(0x30))),
    "GTP-U, number": wrap(17, udp(2152, gtp(0x32, b"\0\7\0\0"))),
    "GTP-U, extension": wrap(17, udp(2152, gtp(0x34, b"\0\0\0\x85\1\0\1\0"))),
}
TUNNELS["VXLAN in GRE in IPv6 in IPv4"] = both(TUNNELS["VXLAN"], wrap(47, gre(0), outer=outer6), same_kind(outer4))
TUNNELS["in pieces in VXLAN"] = both(D.fragments("reverse"), TUNNELS["VXLAN"])
TUNNELS["GRE in pieces"] = both(TUNNELS["GRE, key and number"], D.fragments("in order"))
TUNNELS["in pieces in VXLAN in pieces"] = both(D.fragments("in order"), TUNNELS["VXLAN"], D.fragments("reverse"))
