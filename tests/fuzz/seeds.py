#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: the captures in tests/pcap as inputs of the targets that read the wire
"""usage: seeds.py   (writes tests/fuzz/corpus/{wire,decode,smb,rdp,guards,nflog,reassembly,capture}/*;
run after captures change)"""
import glob
import gzip
import os
import random
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../pcap"))
import travel
import tunnels

PACKETS, BYTES = 16, 6000


def convert(path):
    with open(path, "rb") as f:
        data = f.read()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    link = struct.unpack(order + "I", data[20:24])[0] & 0xffff
    at, out, n = 24, b"", 0
    while at + 16 <= len(data) and n < PACKETS:
        cap, wire = struct.unpack(order + "II", data[at + 8:at + 16])
        packet = data[at + 16:at + 16 + cap][:0x7fff]
        at += 16 + cap
        if len(out) + len(packet) + 4 > BYTES:
            break
        out += struct.pack("!HH", link, len(packet) | (0x8000 if wire > cap else 0)) + packet
        n += 1
    return out


def packets(path):
    with open(path, "rb") as f:
        data = f.read()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    link = struct.unpack(order + "I", data[20:24])[0] & 0xffff
    at = 24
    while at + 16 <= len(data):
        cap = struct.unpack(order + "I", data[at + 8:at + 12])[0]
        yield link, data[at + 16:at + 16 + cap]
        at += 16 + cap


def payload(link, packet):
    """(flow and direction, TCP payload) of a packet over Ethernet or raw IP, or None"""
    ip = packet[14:] if link == 1 else packet
    if len(ip) < 40 or ip[0] >> 4 not in (4, 6):
        return None
    four = ip[0] >> 4 == 4
    head, proto = ((ip[0] & 15) * 4, ip[9]) if four else (40, ip[6])
    end = struct.unpack("!H", ip[2:4])[0] if four else 40 + struct.unpack("!H", ip[4:6])[0]
    tcp = ip[head:end]
    if proto != 6 or len(tcp) < 20:
        return None
    return (ip[12:20] if four else ip[8:40], tcp[:4]), tcp[(tcp[12] >> 4) * 4:]


def streams(path):
    """the first bytes of each direction of each flow, opener first"""
    out = {}
    for link, packet in packets(path):
        one = payload(link, packet)
        if one and one[1] and len(out.get(one[0], b"")) < 1500:
            out[one[0]] = out.get(one[0], b"") + one[1]
    return [s[:1500] for s in out.values()]


def nflog(prefix, packet):
    def attr(kind, value):
        return (struct.pack("<HH", 4 + len(value), kind) + value).ljust(
            4 + (len(value) + 3) // 4 * 4, b"\0")
    return (b"\2\0\0\5" + attr(1, struct.pack("!HBB", 0x800, 2, 0)) +
            attr(4, struct.pack("!I", 3)) + attr(12, struct.pack("!I", 9)) +
            attr(10, prefix + b"\0") + attr(9, packet))


def put(target, name, data):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus", target)
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, name), "wb") as f:
        f.write(data)


def recogniser_rows(stream):
    """(target, row) pairs: rows of fuzz_smb in the order of the table"""
    if stream[:1] == b"\x03":
        return [("rdp", 0)]
    if stream[:1] in (b"\x81", b"\x82", b"\x85"):
        return [("smb", 0)]
    return [("smb", 1 if stream[4:5] == b"\xff" else 2)] if stream[5:8] == b"SMB" else []


def captures(path):
    """a few packets of one capture as files of every kind"""
    frames = [(1700000000000000 + 70001 * i, p[:90], len(p)) for i, (_, p) in enumerate(packets(path)) if i < 6]
    kinds = {
        "pcap": travel.pcap_file(), "pcap-ns": travel.pcap_file(nano=True), "pcap-big": travel.pcap_file(">"),
        "ng": travel.pcapng_file(interfaces=2, noise=True), "ng-ns-big": travel.pcapng_file(">", resol=9),
        "ng-orders": travel.pcapng_file("<><", resol=0x94, mixed=True, interfaces=3),
        "ng-simple": travel.pcapng_file(simple=True), "ng-old": travel.pcapng_file(old=True),
    }
    for name, make in kinds.items():
        data = make(1, frames)
        put("capture", name, data)
        if name in ("pcap", "pcap-big", "ng"):
            put("capture", name + "-gz", gzip.compress(data, mtime=0))
    put("capture", "pcap-cut", travel.pcap_file()(1, frames)[:-5])
    put("capture", "ng-cut", travel.pcapng_file()(1, frames)[:-5])


def in_tunnels(path):
    """a packet of a capture in each tunnel, over Ethernet"""
    ip = [p[14:] for link, p in packets(path) if payload(link, p)][3]
    out = b""
    for _, step in sorted(tunnels.TUNNELS.items()):
        for _, p, _ in step(random.Random(1), [(0, ip, 0)]):
            out += struct.pack("!HH", 1, len(p) + 14) + travel.MACS + travel._type(p) + p
    return out


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    for path in sorted(glob.glob(os.path.join(here, "../pcap/*.pcap"))):
        name = os.path.splitext(os.path.basename(path))[0]
        put("wire", name, convert(path))
        put("decode", name, convert(path)[:1200])
        for i, stream in enumerate(streams(path)[:4]):
            for target, row in recogniser_rows(stream):
                put(target, "%s-%d" % (name, i), bytes([13 if i % 2 == 0 else 5, row]) + stream)
            # no terms of its own, and one that asks for the first bytes
            put("guards", "%s-%d" % (name, i), b"\0" + stream[:400])
        for link, packet in packets(path):
            if payload(link, packet):
                put("nflog", name, nflog(b"cordon denied g7 smb", packet[14 * (link == 1):][:300]))
                break
    for target in ("wire", "decode"):
        put(target, "tunnels", in_tunnels(os.path.join(here, "../pcap/smb2.pcap")))
    captures(os.path.join(here, "../pcap/smb2.pcap"))
    put("nflog", "prefix", b"cordon would_deny g4294967295 smb-not-granted")
    put("guards", "own", bytes([3, 68, 4, 3, 0, ord("S"), 96, 0, 1, 9, 2, 8, 0, 0, 255, 0]) +
        b"\0\0\0\x2fSTSTSMBr\2\3\2\3")
    put("reassembly", "orders", bytes.fromhex("fffffff0") + bytes(
        [0, 0, 9, 0, 10, 20, 8, 3, 30, 4, 2, 60, 12, 5, 9, 16, 0, 7, 20, 200, 3, 24, 0, 0,
         1, 9, 9, 2, 7, 7, 3, 5, 5, 8, 60, 255, 28, 0, 0]))


if __name__ == "__main__":
    main()
