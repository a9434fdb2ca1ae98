# SPDX-License-Identifier: GPL-2.0-or-later
# summary: TCP sessions read out of captures, and written again as other packets, links and files
"""A session is a Flow of Segs, as both ends meant it.  flows_of() reads them, packets_of()
makes IP packets of them, link() frames and a *_file() a capture of those."""
import dataclasses, gzip, heapq, ipaddress, itertools, struct

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
SOURCES = {1: "ether", 12: "raw", 101: "raw", 228: "raw", 113: "sll"}


@dataclasses.dataclass(slots=True)
class Seg:
    """out: by the client.  lost: bytes at the end of the segment that the capture has not."""
    out: bool
    seq: int
    ack: int
    flags: int
    data: bytes = b""
    win: int = 64000
    opts: bytes = b""
    lost: int = 0

    def but(self, **changes):
        return dataclasses.replace(self, **changes)

    def end(self):
        return self.seq + len(self.data) + self.lost + bool(self.flags & SYN) + bool(self.flags & FIN)


@dataclasses.dataclass(slots=True)
class Flow:
    """want: what inspect says of it, without the end points, one entry a record."""
    client: bytes
    cport: int
    server: bytes
    sport: int
    segs: list
    want: list = dataclasses.field(default_factory=list)
    name: str = ""
    gap: int = 100  # microseconds between its packets
    whole: bool = False  # is_clean(), and what was found does not hang on where packets begin

    def but(self, **changes):
        return dataclasses.replace(self, **changes)

    def key(self):
        return self.client, self.cport, self.server, self.sport


def key_of(client, cport, server, sport):
    """Flow.key() of end points as text"""
    return ipaddress.ip_address(client).packed, cport, ipaddress.ip_address(server).packed, sport


# ---- capture files in

def read_pcap(data, end):
    link = struct.unpack(end + "I", data[20:24])[0] & 0xffff
    at = 24
    while at + 16 <= len(data):
        cap, wire = struct.unpack(end + "II", data[at + 8:at + 16])
        yield link, data[at + 16:at + 16 + cap], wire
        at += 16 + cap


def read_pcapng(data):
    links, at, end = [], 0, "<"
    while at + 12 <= len(data):
        if data[at:at + 4] == b"\x0a\x0d\x0d\x0a":
            end = "<" if data[at + 8:at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            links = []
        kind, size = struct.unpack(end + "II", data[at:at + 8])
        if size < 12:
            return
        if kind == 1:
            links.append(struct.unpack(end + "H", data[at + 8:at + 10])[0])
        elif kind == 6:
            iface, _, _, cap, wire = struct.unpack(end + "IIIII", data[at + 8:at + 28])
            yield links[iface], data[at + 28:at + 28 + cap], wire
        at += size


def read(path):
    """(link type, bytes, length on the wire) of each packet"""
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as f:
        data = f.read()
    if data[:4] == b"\x0a\x0d\x0d\x0a":
        return read_pcapng(data)
    ends = {b"\xd4\xc3\xb2\xa1": "<", b"\x4d\x3c\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">",
            b"\xa1\xb2\x3c\x4d": ">"}
    return read_pcap(data, ends[data[:4]])


def strip_link(link, p):
    """the IP packet in a frame, or nothing"""
    if SOURCES.get(link) == "raw":
        return p
    at = {"ether": 12, "sll": 14}.get(SOURCES.get(link))
    while at and p[at:at + 2] in (b"\x81\x00", b"\x88\xa8"):
        at += 4
    return p[at + 2:] if at and p[at:at + 2] in (b"\x08\x00", b"\x86\xdd") else b""


def parse(link, frame, wire):
    """(src, sport, dst, dport, Seg) of a TCP packet that is no fragment, or None"""
    ip = strip_link(link, frame)
    if len(ip) >= 20 and ip[0] >> 4 == 4 and ip[9] == 6 and not struct.unpack("!H", ip[6:8])[0] & 0x3fff:
        head, total = (ip[0] & 15) * 4, struct.unpack("!H", ip[2:4])[0] or len(ip)
        src, dst = ip[12:16], ip[16:20]
    elif len(ip) >= 40 and ip[0] >> 4 == 6 and ip[6] == 6:
        head, total = 40, 40 + struct.unpack("!H", ip[4:6])[0]
        src, dst = ip[8:24], ip[24:40]
    else:
        return None
    tcp = ip[head:total]
    if len(tcp) < 20 or len(tcp) < (tcp[12] >> 4) * 4:
        return None
    sport, dport, seq, ack, off, flags, win = struct.unpack("!HHIIBBH", tcp[:16])
    off = (off >> 4) * 4
    seg = Seg(True, seq, ack, flags & 63, tcp[off:], win, tcp[20:off], max(0, total - head - len(tcp)))
    return src, sport, dst, dport, seg


def flows_of(path):
    """Flows by their end points, the client being who sent the SYN or the first packet; a
    SYN of another number begins a new one."""
    flows, now = [], {}
    for link, frame, wire in read(path):
        got = parse(link, frame, wire)
        if not got:
            continue
        src, sport, dst, dport, seg = got
        key = (src, sport, dst, dport)
        f = now.get(key) or now.get((dst, dport, src, sport))
        opens = seg.flags & (SYN | ACK) == SYN
        if f is None or opens and f.segs[0].seq != seg.seq:
            ends = key if not seg.flags & SYN or opens else (dst, dport, src, sport)
            f = Flow(*ends, [])
            now[ends] = f
            flows.append(f)
        seg.out = (src, sport) == (f.client, f.cport)
        f.segs.append(seg)
    return flows


def is_clean(f):
    """A handshake, and then all bytes of both ends once, in order and whole."""
    s = f.segs
    if len(s) < 4 or [x.flags & (SYN | ACK) for x in s[:3]] != [SYN, SYN | ACK, ACK]:
        return False
    follows = {True: s[0].end() & 0xffffffff, False: s[1].end() & 0xffffffff}
    if s[0].data or s[1].data:
        return False
    for x in s[2:]:
        if x.lost or x.flags & SYN or x.seq != follows[x.out] and not x.flags & RST:
            return False
        follows[x.out] = x.end() & 0xffffffff
    return True


# ---- IP packets

def tcp_of(f, s):
    opts = s.opts + bytes(-len(s.opts) % 4)
    a, b = (f.cport, f.sport) if s.out else (f.sport, f.cport)
    return struct.pack("!HHIIBBHHH", a, b, s.seq & 0xffffffff, s.ack & 0xffffffff,
                       (20 + len(opts)) // 4 << 4, s.flags, s.win, 0, 0) + opts + s.data


def ip_of(f, s, number):
    """(IP packet, bytes missing at its end)"""
    tcp = tcp_of(f, s)
    src, dst = (f.client, f.server) if s.out else (f.server, f.client)
    size = len(tcp) + s.lost
    if len(src) == 16:
        return struct.pack("!IHBB", 6 << 28, size if size < 65536 else 0, 6, 64) + src + dst + tcp, s.lost
    total = 20 + size if size + 20 < 65536 else 0
    return struct.pack("!BBHHHBBH", 0x45, 0, total, number & 0xffff, 0x4000, 64, 6, 0) + src + dst + tcp, s.lost


def packets_of(flows):
    """All packets in order of time, [(microseconds, IP packet, bytes missing)]: flows run side
    by side, each began a little later."""
    number = itertools.count(1)

    def one(i, f):
        for n, s in enumerate(f.segs):
            yield 1700000000000000 + i * 37 + n * f.gap, i, n, f, s
    merged = heapq.merge(*[one(i, f) for i, f in enumerate(flows)], key=lambda t: t[:3])
    return [(t, *ip_of(f, s, next(number))) for t, _, _, f, s in merged]


# ---- frames: (link type, what stands before an IP packet)

def _type(ip):
    return b"\x08\x00" if ip[0] >> 4 == 4 else b"\x86\xdd"


def _nflog(end):
    def tlv(kind, body):
        return struct.pack(end + "HH", len(body) + 4, kind) + body + bytes(-len(body) % 4)

    def frame(ip):
        head = bytes([2 if ip[0] >> 4 == 4 else 10, 0, 0, 5]) + tlv(1, _type(ip) + b"\2\0")
        return head + tlv(10, b"cordon:1\0") + tlv(12, b"\0\0\0\7") + tlv(9, ip)
    return frame


MACS = bytes.fromhex("020000000802020000000801")
LINKS = {
    "ethernet": (1, lambda ip: MACS + _type(ip) + ip),
    "VLAN": (1, lambda ip: MACS + b"\x81\0\0\x08" + _type(ip) + ip),
    "priority tag": (1, lambda ip: MACS + b"\x81\0\xa0\0" + _type(ip) + ip),
    "QinQ 88a8 8100": (1, lambda ip: MACS + b"\x88\xa8\0\x64\x81\0\0\x08" + _type(ip) + ip),
    "QinQ 8100 8100": (1, lambda ip: MACS + b"\x81\0\0\x64\x81\0\0\x08" + _type(ip) + ip),
    "QinQ 9100 8100": (1, lambda ip: MACS + b"\x91\0\0\x64\x81\0\0\x08" + _type(ip) + ip),
    "PPPoE": (1, lambda ip: MACS + b"\x88\x64\x11\0\0\1" + struct.pack("!H", len(ip) + 2) +
              (b"\0\x21" if ip[0] >> 4 == 4 else b"\0\x57") + ip),
    "PPPoE in a VLAN": (1, lambda ip: MACS + b"\x81\0\0\x07\x88\x64\x11\0\0\1" + struct.pack("!H", len(ip) + 2) +
                        (b"\0\x21" if ip[0] >> 4 == 4 else b"\0\x57") + ip),
    "PPP": (9, lambda ip: b"\xff\3\0" + (b"\x21" if ip[0] >> 4 == 4 else b"\x57") + ip),
    "cooked": (113, lambda ip: b"\0\0\0\1\0\6" + MACS[6:] + b"\0\0" + _type(ip) + ip),
    "cooked, VLAN": (113, lambda ip: b"\0\0\0\1\0\6" + MACS[6:] + b"\0\0\x81\0\0\x08" + _type(ip) + ip),
    "cooked 2": (276, lambda ip: _type(ip) + b"\0\0\0\0\0\3\0\1\0\6" + MACS[6:] + b"\0\0" + ip),
    "cooked 2, VLAN": (276, lambda ip: b"\x81\0\0\0\0\0\0\3\0\1\0\6" + MACS[6:] + b"\0\0\0\x08" + _type(ip) + ip),
    "nflog": (239, _nflog("<")),
    "nflog, other byte order": (239, _nflog(">")),
    "raw": (101, lambda ip: ip),
    "null": (0, lambda ip: struct.pack("<I", 2 if ip[0] >> 4 == 4 else 30) + ip),
    "null, other byte order": (0, lambda ip: struct.pack(">I", 2 if ip[0] >> 4 == 4 else 24) + ip),
    "loop": (108, lambda ip: struct.pack(">I", 2 if ip[0] >> 4 == 4 else 10) + ip),
    "padded to 60 bytes": (1, lambda ip: (MACS + _type(ip) + ip).ljust(60, b"\xff")),
    "frame check sequence": (1, lambda ip: (MACS + _type(ip) + ip).ljust(60, b"\0") + b"\xff\xfeSM"),
}


# ---- capture files out: frames are [(microseconds, bytes captured, length on the wire)]

def pcap_file(end="<", nano=False):
    def make(link, frames):
        out = [struct.pack(end + "IHHiIII", 0xa1b23c4d if nano else 0xa1b2c3d4, 2, 4, 0, 0, 1 << 18, link)]
        for us, p, wire in frames:
            out.append(struct.pack(end + "IIII", us // 1000000, us % 1000000 * (1000 if nano else 1), len(p), wire) + p)
        return b"".join(out)
    return make


def _pad(b):
    return b + bytes(-len(b) % 4)


def pcapng_file(ends="<", resol=6, interfaces=1, noise=False, simple=False, old=False, mixed=False):
    """One section for each of `ends`.  noise: blocks that hold no packet, and options.  mixed: of
    two interfaces of Ethernet one gives its packets raw."""
    def block(end, kind, body):
        n = struct.pack(end + "I", len(_pad(body)) + 12)
        return struct.pack(end + "I", kind) + n + _pad(body) + n

    def packet(end, iface, us, p, wire):
        at = us * 1000 if resol == 9 else us * 2 ** 20 // 10 ** 6 if resol == 0x94 else us
        ts = (at >> 32, at & 0xffffffff, len(p), wire)
        if simple:
            return block(end, 3, struct.pack(end + "I", len(p)) + p)  # it can't tell of a cut
        if old:
            return block(end, 2, struct.pack(end + "HHIIII", iface, 0, *ts) + p)
        opts = struct.pack(end + "HH4sHH", 1, 3, b"hi!\0", 0, 0) if noise else b""
        return block(end, 6, struct.pack(end + "IIIII", iface, *ts) + _pad(p) + opts)

    def make(link, frames):
        out, each = [], -(-len(frames) // len(ends))
        for i, end in enumerate(ends):
            out.append(block(end, 0x0a0d0d0a, struct.pack(end + "IHHq", 0x1a2b3c4d, 1, 0, -1)))
            raw = mixed and link == 1 and all(p[12:14] in (b"\x08\0", b"\x86\xdd") for _, p, _ in frames)
            for n in range(interfaces):
                opts = struct.pack(end + "HH", 2, 4) + b"lan8" + struct.pack(end + "HHB3xHH", 9, 1, resol, 0, 0)
                out.append(block(end, 1, struct.pack(end + "HHI", 101 if raw and n else link, 0, 1 << 18) + opts))
            for n, (us, p, wire) in enumerate(frames[i * each:(i + 1) * each]):
                cut = 14 if raw and n % interfaces else 0
                out.append(packet(end, n % interfaces, us, p[cut:], wire - cut))
                if noise and n % 7 == 0:  # a custom block, name resolution, one of no known kind
                    out += [block(end, 0xbad, b"\0\0\x7e\xd9????"), block(end, 4, b"\0\0\0\0"),
                            block(end, 0x7ffffff1, b"what?")]
            if noise:
                out.append(block(end, 5, struct.pack(end + "III", 0, 0, 0)))
        return b"".join(out)
    return make
