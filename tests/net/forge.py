# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets in somebody else's name: forge.py IFACE GATEWAY-MAC VICTIM TARGET PORT HEX

SYNs to many ports, a payload without any connection, a connection whose answers the forger
never sees, UDP, and ICMP errors that quote the victim; as raw frames, so that no stack of
this machine objects."""
import ipaddress
import os
import socket
import struct
import sys
import time

iface, mac, victim, target, port, payload = sys.argv[1:7]
SRC, DST = ipaddress.ip_address(victim), ipaddress.ip_address(target)
port, payload = int(port), bytes.fromhex(payload)
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind((iface, 0))
own = wire.getsockname()[4]


def checksum(data):
    total = sum(struct.unpack(">%dH" % (len(data + b"\0") // 2), (data + b"\0")[:len(data) + len(data) % 2]))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def pseudo(proto, length, src, dst):
    if src.version == 4:
        return src.packed + dst.packed + struct.pack(">BBH", 0, proto, length)
    return src.packed + dst.packed + struct.pack(">IHBB", length, 0, 0, proto)


def network(proto, body, src=SRC, dst=DST):
    if src.version == 6:
        return struct.pack(">IHBB", 0x60000000, len(body), proto, 60) + src.packed + dst.packed + body
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(body), os.getpid() & 0xffff, 0, 60, proto, 0,
                       src.packed, dst.packed)
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + body


def send(packet):
    kind = b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00"
    wire.send(bytes.fromhex(mac.replace(":", "")) + own + kind + packet)


def tcp(sport, dport, seq, ack, flags, data=b"", src=SRC, dst=DST):
    head = struct.pack(">HHIIBBHHH", sport, dport, seq, ack, 0x50, flags, 8192, 0, 0)
    total = checksum(pseudo(6, len(head + data), src, dst) + head + data)
    return network(6, head[:16] + struct.pack(">H", total) + head[18:] + data, src, dst)


def udp(sport, dport, data):
    head = struct.pack(">HHHH", sport, dport, 8 + len(data), 0)
    total = checksum(pseudo(17, len(head + data), SRC, DST) + head + data) or 0xffff
    return network(17, head[:6] + struct.pack(">H", total) + data)


def icmp_error(quoted):
    proto, kind = (1, 3) if SRC.version == 4 else (58, 1)
    body = struct.pack(">BBHI", kind, 3 if proto == 1 else 4, 0, 0) + quoted
    total = checksum((b"" if proto == 1 else pseudo(58, len(body), SRC, DST)) + body)
    return network(proto, body[:2] + struct.pack(">H", total) + body[4:])


for n in range(60):
    send(tcp(41000 + n, 2000 + n, 100, 0, 2))               # a scan
    send(udp(42000 + n, 2000 + n, b"a question"))
send(tcp(43000, port, 500, 700, 0x18, payload))              # no connection at all
for n in range(20):                                          # one, as if it saw the answers
    sport, seq = 44000 + n, 1000 * n
    send(tcp(sport, port, seq, 0, 2))
    time.sleep(0.002)
    send(tcp(sport, port, seq + 1, 77777 * n, 0x10))
    send(tcp(sport, port, seq + 1, 77777 * n, 0x18, payload))
    send(tcp(sport, port, seq + 1 + len(payload), 77777 * n, 0x18, payload))
send(tcp(45000, port, 0, 0, 2, payload))                     # data in the SYN
send(icmp_error(tcp(46000, port, 1, 1, 0x18, payload)[:60]))
send(icmp_error(tcp(port, 46000, 1, 1, 0x18, payload, DST, SRC)[:60]))
