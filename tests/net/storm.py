#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: a source of packets for storms: UDP through AF_PACKET, from as many sources as told
"""storm.py IFACE SRC DST DPORT PACKETS [FLOWS [PER_SECOND]]

Sends PACKETS frames from FLOWS different forged sources (SRC and those behind it), one
after the other; prints how many were sent and in how many seconds."""
import ipaddress
import socket
import struct
import sys
import time


def checksum(header):
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def mac_of(iface, ip):
    """The MAC that answers for the gateway, from the neighbour table."""
    with open("/proc/net/arp") as table:
        for line in table.readlines()[1:]:
            word = line.split()
            if word[0] == ip and word[5] == iface:
                return bytes.fromhex(word[3].replace(":", ""))
    raise SystemExit(f"storm.py: {ip} is no neighbour on {iface}")


def gateway_of(iface):
    with open("/proc/net/route") as table:
        for line in table.readlines()[1:]:
            word = line.split()
            if word[0] == iface and word[1] == "00000000":
                return socket.inet_ntoa(struct.pack("<I", int(word[2], 16)))
    raise SystemExit(f"storm.py: no default route through {iface}")


def main():
    iface, src, dst, dport, packets = sys.argv[1:6]
    packets, dport = int(packets), int(dport)
    flows = int(sys.argv[6]) if len(sys.argv) > 6 else 1
    rate = int(sys.argv[7]) if len(sys.argv) > 7 else 0
    first = int(ipaddress.IPv4Address(src))
    to = ipaddress.IPv4Address(dst).packed
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    sock.bind((iface, 0))
    with open(f"/sys/class/net/{iface}/address") as f:
        own = bytes.fromhex(f.read().strip().replace(":", ""))
    ether = mac_of(iface, gateway_of(iface)) + own + b"\x08\x00"
    udp = struct.pack("!HHHH", 4000, dport, 12, 0) + b"storm"[:4]
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0)
    base = sum(struct.unpack("!6H", head + b"")) if len(head) == 12 else 0
    base += sum(struct.unpack("!2H", to))
    begin = time.monotonic()
    for i in range(packets):
        addr = first + i % flows
        total = base + (addr >> 16) + (addr & 0xFFFF)
        total = (total & 0xFFFF) + (total >> 16)
        total = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
        frame = b"".join((ether, head[:10], total.to_bytes(2, "big"),
                          addr.to_bytes(4, "big"), to, udp))
        while True:
            try:
                sock.send(frame)
                break
            except OSError as e:
                if e.errno != 105:  # ENOBUFS: the queue is full
                    raise
        if rate and i % 256 == 255:
            ahead = i / rate - (time.monotonic() - begin)
            if ahead > 0:
                time.sleep(ahead)
    print(packets, round(time.monotonic() - begin, 3))


if __name__ == "__main__":
    main()
