#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: the first packets of each capture in tests/pcap as an input of fuzz_wire
"""usage: seeds.py   (writes tests/fuzz/corpus/wire/*; run after captures change)"""
import glob
import os
import struct

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


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    for path in sorted(glob.glob(os.path.join(here, "../pcap/*.pcap"))):
        name = os.path.splitext(os.path.basename(path))[0]
        with open(os.path.join(here, "corpus/wire", name), "wb") as f:
            f.write(convert(path))


main()
