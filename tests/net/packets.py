# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames made and read by hand, and a gateway between veth pairs to send them through.

The gateway's namespace holds one end of each, as lan8 (inside) and out0 (outside); the
other ends, lan8p and out0p, have no addresses: frames are injected and observed there."""
import ipaddress
import select
import socket
import struct
import subprocess
import time

ETH_P_ALL = 3
TCP, UDP, ICMP, ICMP6, SCTP = 6, 17, 1, 58, 132
SYN, ACK, RST = 2, 16, 4


def mac_of(net, who):
    """who: 1 the gateway, 2 the veth's other end, 0x99 the next hop: that is nobody's, so
    that what leaves is observed at the other end but not taken up by the same kernel."""
    return "02:00:00:00:%02x:%02x" % (net, who)


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
        seg = struct.pack("!HHIIBBHHH", sport, dport, seq % 2**32, ack % 2**32 if flags & ACK else 0,
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


def write_pcap(path, packets):
    """packets: [(seconds, IP packet)]; link type RAW."""
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101))
        for at, ip in packets:
            f.write(struct.pack("<IIII", int(at), int(at % 1 * 1e6), len(ip), len(ip)) + ip)


class Local:
    """The gateway's own ends: packets sent here pass its output hook, and those are seen
    that came through its input hook."""
    PROTOS = {4: (TCP, UDP, ICMP, SCTP, 50), 6: (TCP, UDP, ICMP6, SCTP, 50)}

    def __init__(self):
        self.out, self.into = {}, []
        for v, family in ((4, socket.AF_INET), (6, socket.AF_INET6)):
            self.out[v] = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
            for proto in self.PROTOS[v]:
                s = socket.socket(family, socket.SOCK_RAW, proto)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
                s.setblocking(False)
                if v == 6:
                    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
                self.into.append((s, v, proto))

    def send(self, ip):
        v = ip[0] >> 4
        to = str(ipaddress.ip_address(ip[16:20] if v == 4 else ip[24:40]))
        try:
            self.out[v].sendto(ip, (to, 0))
        except PermissionError:
            pass  # the output hook dropped it

    def drain(self):
        seen = set()
        for s, v, proto in self.into:
            while True:
                try:
                    data, extra, _, addr = s.recvmsg(65600, 256)
                except BlockingIOError:
                    break
                if v == 6:  # without its header
                    info = next(d for _, kind, d in extra if kind == socket.IPV6_PKTINFO)
                    data = struct.pack("!IHBB", 6 << 28, len(data), proto, 64) + \
                        ipaddress.ip_address(addr[0].split("%")[0]).packed + info[:16] + data
                seen.add(key_of(data))
        return seen


class Gateway:
    """sides: {interface: (number, [prefixes routed there])}; forwarding is on.  The
    gateway has 192.0.2.(4 * number + 1) and 2001:db8:(number)::1 on each, and own:
    [(interface, address)].  With them there is a side "local"."""

    def __init__(self, sides, own=()):
        self.net = {name: net for name, (net, _) in sides.items()}
        self.routes = [(ipaddress.ip_network(p), name) for name, (_, ps) in sides.items() for p in ps]
        self.sock = {}
        run("ip", "link", "set", "lo", "up")
        for name, (net, prefixes) in sides.items():
            self.link(name, net)
            self.addresses(name, net, prefixes)
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 25)
            s.bind((name + "p", 0))
            s.setblocking(False)
            self.sock[name] = s
        for name, address in own:
            self.add_address(name, address)
        self.own = {address for _, address in own}
        self.local = Local() if own else None
        for path, value in (("ipv4/ip_forward", 1), ("ipv6/conf/all/forwarding", 1),
                            # place is the rules' to judge here, not the kernel's
                            *(("ipv4/conf/%s/rp_filter" % c, 0) for c in ["all", *sides])):
            with open("/proc/sys/net/" + path, "w") as f:
                f.write(str(value))

    @staticmethod
    def link(name, net):
        run("ip", "link", "add", name, "address", mac_of(net, 1), "type", "veth", "peer",
            "name", name + "p", "address", mac_of(net, 2))
        for end in (name, name + "p"):
            run("ip", "link", "set", end, "up")

    @staticmethod
    def addresses(name, net, prefixes):
        next4, next6 = "192.0.2.%d" % (net * 4 + 2), "2001:db8:%d::2" % net
        run("ip", "addr", "add", "192.0.2.%d/30" % (net * 4 + 1), "dev", name)
        run("ip", "addr", "add", "2001:db8:%d::1/64" % net, "dev", name, "nodad")
        for hop in (next4, next6):
            run("ip", "neigh", "replace", hop, "lladdr", mac_of(net, 0x99), "dev", name,
                "nud", "permanent")
        for p in prefixes:
            run("ip", "route", "replace", p, "via", next4 if "." in p else next6, "dev", name)

    @staticmethod
    def add_address(name, address):
        run("ip", "addr", "add", address, "dev", name, *(["nodad"] if ":" in address else []))

    def side_of(self, address):
        """The interface behind which an address is, or None; "local": the gateway's own."""
        if address in self.own:
            return "local"
        a = ipaddress.ip_address(address)
        return next((name for net, name in self.routes if a in net), None)

    def send(self, side, ip):
        if side == "local":
            return self.local.send(ip)
        kind = b"\x08\x00" if ip[0] >> 4 == 4 else b"\x86\xdd"
        net = self.net[side]
        self.sock[side].send(mac(mac_of(net, 1)) + mac(mac_of(net, 2)) + kind + ip)

    def drain(self, side):
        """Keys of all packets that left the gateway on this side since last asked."""
        if side == "local":
            return self.local.drain()
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
        """Send one packet in at a side; whether it came out elsewhere, and all that left."""
        self.settle(quick=True)
        self.send(side, ip)
        got = self.settle(quick=True)
        return any(key_of(ip) in seen for name, seen in got.items() if name != side), got

    def settle(self, quick=False):
        """veth delivers in softirq context: wait until nothing has come for a while."""
        end = time.monotonic() + 2
        quiet = 0
        got = {name: set() for name in [*self.sock, *(["local"] if self.local else [])]}
        while quiet < (1 if quick else 2) and time.monotonic() < end:
            ready, _, _ = select.select(list(self.sock.values()), [], [], 0.01 if quick else 0.02)
            quiet = 0 if ready else quiet + 1
            for side in got:
                got[side] |= self.drain(side)
        return got
