# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames made and read by hand, and a gateway between two veth pairs to send them through.

The gateway's namespace holds lan8 (inside) and out0 (outside); their other ends, lan8p and
out0p, have no addresses: frames are injected and observed there with packet sockets."""
import ipaddress
import select
import socket
import struct
import subprocess
import time

ETH_P_ALL = 3
MAC_GW = {"lan8": "02:00:00:00:08:01", "out0": "02:00:00:00:00:01"}
MAC_PEER = {"lan8": "02:00:00:00:08:02", "out0": "02:00:00:00:00:02"}
# The neighbours' address is nobody's: what leaves the gateway is observed at the other
# end, but not taken up by the same kernel a second time.
MAC_NEXT = {"lan8": "02:00:00:00:08:99", "out0": "02:00:00:00:00:99"}
TCP, UDP, ICMP, ICMP6, SCTP = 6, 17, 1, 58, 132
SYN, ACK, RST = 2, 16, 4


def run(*cmd):
    subprocess.run(cmd, check=True, stdout=subprocess.DEVNULL)


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    s = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff


def transport(src, dst, proto, sport, dport, flags, payload, seq, ack):
    """The transport segment with its checksum; dport is the type of ICMP."""
    if proto == TCP:
        seg = struct.pack("!HHIIBBHHH", sport, dport, seq, ack if flags & ACK else 0,
                          5 << 4, flags, 64000, 0, 0) + payload
        at = 16
    elif proto == UDP:
        seg = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload
        at = 6
    elif proto in (ICMP, ICMP6):
        seg = struct.pack("!BBHHH", dport, 0, 0, sport, 1) + payload
        at = 2
    elif proto == SCTP:  # an INIT chunk (RFC 9260 3.3.2); conntrack looks at its shape
        chunk = struct.pack("!BBHIIHHI", 1, 0, 20, 7, 65536, 1, 1, 1)
        return struct.pack("!HHII", sport, dport, 0, 0) + chunk
    else:
        return payload or b"\0" * 8
    pseudo = b""
    if proto != ICMP:
        pseudo = src.packed + dst.packed + struct.pack("!II", len(seg), proto)
    return seg[:at] + struct.pack("!H", checksum(pseudo + seg)) + seg[at + 2:]


def packet(src, dst, proto, sport, dport, flags=SYN, payload=b"", ttl=64, seq=1000, ack=1):
    src, dst = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    seg = transport(src, dst, proto, sport, dport, flags, payload, seq, ack)
    if src.version == 6:
        return struct.pack("!IHBB", 6 << 28, len(seg), proto, ttl) + src.packed + dst.packed + seg
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(seg), sport, 0, ttl, proto, 0)
    head += src.packed + dst.packed
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + seg


def key_of(ip):
    """(src, dst, proto, sport, dport, flags) of a packet, or None."""
    if len(ip) < 20:
        return None
    if ip[0] >> 4 == 4:
        seg = ip[(ip[0] & 15) * 4:]
        src, dst, proto = ip[12:16], ip[16:20], ip[9]
    else:
        seg, src, dst, proto = ip[40:], ip[8:24], ip[24:40], ip[6]
    sport = dport = flags = 0
    if proto in (TCP, UDP, SCTP) and len(seg) >= 8:
        sport, dport = struct.unpack("!HH", seg[:4])
        flags = seg[13] if proto == TCP and len(seg) >= 14 else 0
    elif proto in (ICMP, ICMP6) and len(seg) >= 6:
        dport, sport = seg[0], struct.unpack("!H", seg[4:6])[0]
    return (str(ipaddress.ip_address(bytes(src))), str(ipaddress.ip_address(bytes(dst))),
            proto, sport, dport, flags)


class Gateway:
    """Two interfaces, routes for both sides, forwarding on.  inside, outside: prefixes."""

    def __init__(self, inside, outside):
        self.sock = {}
        for name in ("lan8", "out0"):
            run("ip", "link", "add", name, "address", MAC_GW[name], "type", "veth", "peer",
                "name", name + "p", "address", MAC_PEER[name])
            for end in (name, name + "p"):
                run("ip", "link", "set", end, "up")
                try:
                    with open("/proc/sys/net/ipv6/conf/%s/accept_dad" % end, "w") as f:
                        f.write("0")
                except OSError:
                    pass
        run("ip", "link", "set", "lo", "up")
        for path in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
            with open("/proc/sys/net/" + path, "w") as f:
                f.write("1")
        for name, net, prefixes in (("lan8", 8, inside), ("out0", 0, outside)):
            run("ip", "addr", "add", "192.0.2.%d/30" % (net * 4 + 1), "dev", name)
            run("ip", "addr", "add", "2001:db8:%d::1/64" % net, "dev", name, "nodad")
            run("ip", "neigh", "replace", "192.0.2.%d" % (net * 4 + 2), "lladdr", MAC_NEXT[name],
                "dev", name, "nud", "permanent")
            run("ip", "neigh", "replace", "2001:db8:%d::2" % net, "lladdr", MAC_NEXT[name],
                "dev", name, "nud", "permanent")
            for p in prefixes:
                via = "192.0.2.%d" % (net * 4 + 2) if "." in p else "2001:db8:%d::2" % net
                run("ip", "route", "replace", p, "via", via, "dev", name)
        for name in ("lan8", "out0"):
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 25)
            s.bind((name + "p", 0))
            s.setblocking(False)
            self.sock[name] = s

    def send(self, side, ip):
        kind = b"\x08\x00" if ip[0] >> 4 == 4 else b"\x86\xdd"
        self.sock[side].send(mac(MAC_GW[side]) + mac(MAC_PEER[side]) + kind + ip)

    def drain(self, side):
        """Keys of all packets that left the gateway on this side since last asked."""
        seen = set()
        while True:
            try:
                frame, addr = self.sock[side].recvfrom(65600)
            except BlockingIOError:
                return seen
            if addr[2] == socket.PACKET_OUTGOING or len(frame) < 34:
                continue
            if frame[12:14] in (b"\x08\x00", b"\x86\xdd"):
                key = key_of(frame[14:])
                if key:
                    seen.add(key)

    def through(self, side, ip):
        """Send one packet in at a side; whether it came out at the other, and all that left."""
        self.settle(quick=True)
        self.send(side, ip)
        got = self.settle(quick=True)
        return key_of(ip) in got["out0" if side == "lan8" else "lan8"], got

    def settle(self, quick=False):
        """veth delivers in softirq context: wait until nothing has come for a while."""
        end = time.monotonic() + 2
        quiet = 0
        got = {"lan8": set(), "out0": set()}
        while quiet < (1 if quick else 2) and time.monotonic() < end:
            ready, _, _ = select.select(list(self.sock.values()), [], [], 0.01 if quick else 0.02)
            quiet = 0 if ready else quiet + 1
            for side in self.sock:
                got[side] |= self.drain(side)
        return got
