#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The same packets through the kernel's rules and, as a capture, through `cordon replay`:
packet by packet the same verdict.  Made-up connections that do what conntrack finds odd,
and the lab's captures cut at random, reordered, with lost and doubled segments.

usage: replay.py CORDON CORDOND [CONNECTIONS [ROUNDS [SEED]]]   (in a network namespace of
its own)"""
import glob
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import time

import cases as C
import gates as G
import packets as P

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
PAUSE = 11  # seconds: what a reset closed is forgotten after 10
ABREAST = 60  # connections at once: the rules answer 100 packets in a burst with resets
HERE = os.path.dirname(os.path.abspath(__file__))
PCAPS = os.path.join(HERE, "..", "pcap")
SIDES = {"lan8": (8, ["10.20.8.0/24", "fd00:20:8::/64"]), "lan9": (9, ["10.21.0.0/24"]),
         "out0": (0, ["10.1.0.0/16", "10.30.0.0/16", "fd00:1::/32"])}
H, H6, WATCHED, FAR, NOBODY = "10.20.8.10", "fd00:20:8::10", "10.20.8.20", "10.21.0.30", "10.20.8.99"
JUMP, APP, FILES, SIGNED, OTHER, APP6 = ("10.1.0.5", "10.30.0.7", "10.30.0.8", "10.30.0.9",
                                         "10.30.0.99", "fd00:1::7")
POLICY = {
    "cordon.yaml": """cordon: 1
gateway:
  interfaces: [lan8, lan9]
  protect: [10.20.8.0/24, 10.21.0.0/24, "fd00:20:8::/64"]
defaults: {profile: server-2008}
""",
    "hosts/h.yaml": """host: h
addresses: [10.20.8.10, "fd00:20:8::10"]
allow:
  inbound:
    - {service: tcp/1433, from: [10.30.0.7, "fd00:1::7"], reason: sql, id: sql}
    - {service: ssh, from: [10.30.0.7, "fd00:1::7"], reason: may start short, id: ssh}
    - {service: rdp, from: 10.1.0.5, require: [nla], reason: jump, id: nla}
    - {service: rdp, from: 10.30.0.7, reason: free, id: rdp}
    - {service: [smb, netbios], from: [10.30.0.8, "fd00:1::7"], reason: files, id: smb}
    - {service: smb, from: 10.30.0.9, require: [smb2, signing], reason: signed, id: signed}
  outbound:
    - {service: tcp/8080, to: 10.30.0.7, reason: updates, id: web}
    - {service: smb, to: far, reason: near, id: near}
""",
    "hosts/far.yaml": """host: far
addresses: [10.21.0.30]
allow:
  inbound:
    - {service: smb, from: h, reason: near, id: near}
""",
    "hosts/watched.yaml": """host: watched
addresses: [10.20.8.20]
mode: observe
allow:
  inbound:
    - {service: tcp/1433, from: 10.30.0.7, reason: sql, id: sql}
    - {service: rdp, from: 10.1.0.5, require: [nla], reason: jump, id: rdp}
""",
}
ENDS = [(APP, H, 1433), (APP, H, 22), (APP6, H6, 1433), (APP6, H6, 445), (JUMP, H, 3389), (APP, H, 3389),
        (FILES, H, 445), (FILES, H, 139), (SIGNED, H, 445), (H, APP, 8080), (H, FAR, 445), (OTHER, H, 1433),
        (OTHER, NOBODY, 80), (APP, WATCHED, 1433), (JUMP, WATCHED, 3389), (OTHER, WATCHED, 8080)]
PULSAR = C.smb1(0x32, mid=81, status=0xc0000002, reply=True)
DATA = [C.HTTP, C.TDS, C.SMB1_NEGOTIATE, C.SMB2_NEGOTIATE, C.SMB3_ENCRYPTED, C.NBSS_REQUEST, C.RDP_COOKIE,
        C.RDP_NEG, C.RDP_BARE, C.S7_CONNECT, b"abc", b"x", b"SSH-2.0-x\r\n", C.SMB2_NEGOTIATE[4:],
        C.SMB2_NEGOTIATE[2:], C.RDP_NEG[3:], G.CR, G.confirm(), G.confirm(2, 1), G.confirm(3, 5), G.TLS,
        b"\x82\0\0\0", bytes.fromhex("0000fff7fe534d420000") + b"\0" * 40, PULSAR, b"y" * 1200]


def options(rng):
    """Of a SYN."""
    o = b""
    if rng.random() < .6:
        o += b"\2\4\5\xb4"
    if rng.random() < .5:
        o += b"\4\2\1\1"
    if rng.random() < .5:
        o += struct.pack("!BBBB", 1, 3, 3, rng.choice([0, 2, 7, 14]))
    return o


def tcp(src, dst, sport, dport, flags, seq, ack, window, data=b"", opts=b""):
    """An IP packet; ports and all else as they are told."""
    return with_checksums(P.packet(src, dst, P.TCP, sport, dport, 0), struct.pack(
        "!HHIIBBHHH", sport, dport, seq % 2**32, ack % 2**32, (20 + len(opts)) // 4 << 4, flags, window, 0,
        0) + opts + data)


def with_checksums(ip, seg):
    """The IP header of a packet before a TCP segment."""
    if ip[0] >> 4 == 4:
        head = ip[:20]
        head = head[:2] + struct.pack("!H", 20 + len(seg)) + head[4:10] + b"\0\0" + head[12:]
        head = head[:10] + struct.pack("!H", P.checksum(head)) + head[12:]
        pseudo = head[12:20] + struct.pack("!BBH", 0, P.TCP, len(seg))
    else:
        head = ip[:4] + struct.pack("!H", len(seg)) + ip[6:40]
        pseudo = head[8:40] + struct.pack("!II", len(seg), P.TCP)
    seg = seg[:16] + b"\0\0" + seg[18:]
    return head + seg[:16] + struct.pack("!H", P.checksum(pseudo + seg)) + seg[18:]


class Talk:
    """A connection that mostly behaves: yields one packet at a time."""

    def __init__(self, rng, sport):
        self.rng, self.sport = rng, sport
        client, server, self.dport = rng.choice(ENDS)
        self.ends = (client, server)
        self.seq = [rng.choice([1000, 2**32 - 20, rng.randrange(2**32)]) for _ in "ab"]
        self.sent = [[], []]
        self.window = [rng.choice([0, 1, 500, 8192, 64000]) if rng.random() < .3 else 64000 for _ in "ab"]
        self.start = rng.choice([0, 0, 0, 1, 2, 3])  # how much of the handshake is not seen
        self.n = 0

    def make(self, side, flags, data=b"", seq=None, ack=None, opts=b""):
        ports = (self.sport, self.dport) if side == 0 else (self.dport, self.sport)
        seq = self.seq[side] if seq is None else seq
        ack = self.seq[1 - side] if ack is None else ack
        return tcp(self.ends[side], self.ends[1 - side], *ports, flags, seq, ack, self.window[side], data, opts)

    def advance(self, side, flags, data=b"", opts=b""):
        """What belongs there next."""
        ip = self.make(side, flags, data, opts=opts, ack=None if flags & ACK else 0)
        self.sent[side].append((flags, data, self.seq[side], self.seq[1 - side]))
        self.seq[side] += len(data) + bool(flags & SYN) + bool(flags & FIN)
        return ip

    def handshake(self):
        step, self.start = self.start, self.start + 1
        return [lambda: self.advance(0, SYN, opts=options(self.rng)),
                lambda: self.advance(1, SYN | ACK, opts=options(self.rng)), lambda: self.advance(0, ACK)][step]()

    def odd(self):
        """What does not."""
        rng, side = self.rng, self.rng.randrange(2)
        kind = rng.randrange(8)
        if kind == 0 and self.sent[side]:  # again
            flags, data, seq, ack = rng.choice(self.sent[side])
            return self.make(side, flags, data, seq, ack)
        if kind == 1:
            return self.make(side, rng.choice([RST, RST | ACK]), seq=self.seq[side] + rng.choice([0, 0, 1, -1, 9999]))
        if kind == 2:  # beside the window
            return self.make(side, ACK | PSH, rng.choice(DATA), self.seq[side] + rng.choice(
                [-70000, -900, 500, 63990, 70000, 2**31]))
        if kind == 3:
            return self.make(side, ACK, rng.choice([b"", b"", rng.choice(DATA)]), ack=self.seq[1 - side] + rng.choice(
                [-70000, -1, 1, 5000, 2**31]))
        if kind == 4:
            return self.make(side, rng.choice([0, FIN, SYN | FIN, SYN | RST, URG, SYN | URG, FIN | RST, FIN | PSH | URG]),
                             rng.choice([b"", rng.choice(DATA)]))
        if kind == 5:  # opens once more
            self.seq = [rng.randrange(2**32), rng.randrange(2**32)] if rng.random() < .5 else self.seq
            self.start = 1
            return self.advance(0, SYN, rng.choice([b"", b"", rng.choice(DATA)]), opts=options(rng))
        if kind == 6:
            return self.make(side, rng.choice([SYN, SYN | ACK]), opts=options(rng))
        self.seq[side] += rng.choice([1, 7, 1400])  # lost before the gateway
        return self.advance(side, ACK, rng.choice(DATA))

    def next(self):
        rng = self.rng
        if rng.random() < .12:
            return self.odd()
        if self.start < 3:
            return self.handshake()
        side = rng.randrange(2)
        if rng.random() < .08:
            return self.advance(side, FIN | ACK)
        return self.advance(side, ACK | PSH, rng.choice([b"", rng.choice(DATA), rng.choice(DATA)]))


# ---- the lab's captures ----

def frames(path):
    """IP packets with TCP in them, of pcap files of Ethernet, cooked or raw."""
    with open(path, "rb") as f:
        data = f.read()
    skip = {1: 14, 101: 0, 113: 16, 276: 20}[struct.unpack("<I", data[20:24])[0]]
    at = 24
    while at + 16 <= len(data):
        n = struct.unpack("<I", data[at + 8:at + 12])[0]
        ip = data[at + 16 + skip:at + 16 + n]
        at += 16 + n
        key = P.key_of(ip)
        if key and key[2] == P.TCP:
            length = struct.unpack("!H", ip[2:4])[0] if ip[0] >> 4 == 4 else 40 + struct.unpack("!H", ip[4:6])[0]
            yield key, ip[:length]


def conversations():
    """[(client, [(sender is the client, IP packet)])] of all captures of the lab."""
    found = {}
    for path in sorted(glob.glob(os.path.join(PCAPS, "*.pcap"))):
        for key, ip in frames(path):
            ends = (path,) + tuple(sorted([(key[0], key[3]), (key[1], key[4])]))
            talk = found.setdefault(ends, [(key[0], key[3]), []])
            talk[1].append(((key[0], key[3]) == talk[0], ip))
    return [t[1] for _, t in sorted(found.items())]


class Cut:
    """A conversation of a capture between other ends, mended for the worse."""

    def __init__(self, rng, sport, talks):
        talk = rng.choice(talks)
        self.rng, self.sport = rng, sport
        self.ends = rng.choice([e for e in ENDS if (":" in e[0]) == (talk[0][1][0] >> 4 == 6)])
        start = rng.choice([0, rng.randrange(len(talk))])
        self.todo = [t for t in talk[start:] if rng.random() > .05]
        for _ in range(rng.choice([0, 1, 3, len(self.todo) // 4])):
            i = rng.randrange(max(1, len(self.todo)))
            self.todo[i:i + 2] = reversed(self.todo[i:i + 2])
        for _ in range(rng.choice([0, 0, 2])):
            self.todo.insert(rng.randrange(len(self.todo) + 1), rng.choice(talk))

    def next(self):
        if not self.todo:
            return None
        from_client, ip = self.todo.pop(0)
        client, server, dport = self.ends
        seg = ip[(ip[0] & 15) * 4:] if ip[0] >> 4 == 4 else ip[40:]
        ports = (self.sport, dport) if from_client else (dport, self.sport)
        ends = (client, server) if from_client else (server, client)
        return with_checksums(P.packet(*ends, P.TCP, *ports, 0), struct.pack("!HH", *ports) + seg[4:])


# ---- both ----

def send_round(gw, talks, sent):
    """One packet of each; what came out."""
    now = time.time()
    mine = []
    for talk in talks:
        ip = talk.next()
        if ip is None:
            continue
        key = P.key_of(ip)
        gw.send(gw.side_of(key[0]), ip)
        mine.append((talk, ip, key))
    got = gw.settle()
    for talk, ip, key in mine:
        sent.append((talk, now, ip, key in got[gw.side_of(key[1])]))


def through_kernel(gw, rng, connections, rounds):
    """[(connection, time, packet, whether it passed)]"""
    talks, sent, ports = conversations(), [], iter(range(20000, 60000))
    for first in range(0, connections, ABREAST):
        kinds = [(Talk, ()), (Cut, (talks,))]
        group = []
        for _ in range(min(ABREAST, connections - first)):
            kind, more = rng.choice(kinds)
            group.append(kind(rng, next(ports), *more))
        pause = rng.randrange(rounds // 2, rounds)
        for n in range(rounds):
            if n == pause and first == 0:
                time.sleep(PAUSE)
            send_round(gw, group, sent)
    return sent


def through_replay(cordon, work, sent):
    """By number of packet why it is denied, and of connections."""
    path = work + "/sent.pcap"
    P.write_pcap(path, [(at, ip) for _, at, ip, _ in sent])
    denied, rows = {}, []
    for args, add in ((["--packets"], lambda r: denied.__setitem__(r["packet"], r)), ([], rows.append)):
        out = subprocess.run([cordon, "replay", "--format", "json", *args, work + "/policy", path],
                             text=True, stdout=subprocess.PIPE, check=True).stdout
        for line in out.splitlines():
            row = json.loads(line)
            if "src_ip" in row:
                add(row)
    return denied, rows


def tape(sent, last, talk):
    for n, (who, at, ip, ok) in enumerate(sent[:last + 1]):
        if who is not talk:
            continue
        key = P.key_of(ip)
        seg = ip[20:] if ip[0] >> 4 == 4 else ip[40:]
        data = seg[(seg[12] >> 4) * 4:]
        seq, ack = struct.unpack("!II", seg[4:12])
        print("    %4d %.3f %s:%d > %s:%d flags %02x seq %u ack %u win %d data %d %s  kernel: %s" % (
            n + 1, at, key[0], key[3], key[1], key[4], key[5], seq, ack, struct.unpack("!H", seg[14:16])[0],
            len(data), data[:12].hex(), "passes" if ok else "drops"))


def compare(sent, denied):
    bad = []
    for n, (talk, _, _, ok) in enumerate(sent):
        if ok == (n + 1 in denied) and talk not in bad:
            bad.append(talk)
            print("FAILED packet %d: the kernel %s it, replay: %s" % (
                n + 1, "passes" if ok else "drops", denied.get(n + 1, {}).get("reason", "passes")))
            if len(bad) <= 3:
                tape(sent, n, talk)
    return len(bad)


def counts(sent, denied, rows):
    """Rows say of their packets what the packets say."""
    total = sum(r.get("denied_packets", 0) for r in rows)
    if total != len(denied) or sum(r["packets"] for r in rows) != len(sent):
        print("FAILED: rows count %d denied packets of %d, there are %d of %d" % (
            total, sum(r["packets"] for r in rows), len(denied), len(sent)))
        return 1
    return 0


def main():
    cordon, cordond = sys.argv[1:3]
    connections = int(sys.argv[3]) if len(sys.argv) > 3 else 180
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 40
    seed = int(sys.argv[5]) if len(sys.argv) > 5 else int(time.time())
    print("replay: seed %d" % seed, flush=True)
    rng = random.Random(seed)
    gw = P.Gateway(SIDES)
    for name in SIDES:
        for end in (name, name + "p"):
            P.run("ip", "link", "set", end, "mtu", "65000")
    with tempfile.TemporaryDirectory() as work:
        C.POLICY = POLICY
        C.start(cordond, work)
        sent = through_kernel(gw, rng, connections, rounds)
        denied, rows = through_replay(cordon, work, sent)
    bad = compare(sent, denied) + counts(sent, denied, rows)
    why = {}
    for r in denied.values():
        why[r["reason"]] = why.get(r["reason"], 0) + 1
    print("replay: seed %d: %d packets of %d connections, %d denied (%s), %d connections differ" % (
        seed, len(sent), connections, len(denied), ", ".join("%s %d" % kv for kv in sorted(why.items())), bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
