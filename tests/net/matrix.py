# SPDX-License-Identifier: GPL-2.0-or-later
"""The evasion matrix: how a client may hide that it speaks SMB or RDP where that is not
granted, and who notices: the kernel (some of the opening never arrives), the sensor (an
event names it after it has passed), or nobody.

usage: matrix.py BUILD   (by 52-matrix.sh, in a world of its own)"""
import ipaddress
import json
import os
import struct
import subprocess
import sys
import tempfile
import time

import cases as C
import evasions as E
import packets as P

SMB1 = bytes.fromhex("00000045ff534d4272000000001853c80000000000000000000000000000fffffeff"
                     "00000000002200") + b"\2NT LM 0.12\0\2SMB 2.002\0\2SMB 2.???\0"
SMB2 = C.SMB2_NEGOTIATE[:12] + struct.pack("<IHHI", 0, 0, 31, 0) + b"\0" * 44 + \
    struct.pack("<HHHHI", 36, 2, 1, 0, 0) + b"\1" * 16 + b"\0" * 8 + b"\2\2\x10\2"
SMB2 = struct.pack("!I", len(SMB2) - 4) + SMB2[4:]
PROTOCOLS = {"SMB1": SMB1, "SMB2": SMB2, "RDP cookie": C.RDP_COOKIE, "RDP": C.RDP_NEG}
# A service whose clients open with 8 bytes at least, and one where fewer are usual.
PORTS = {"1433": 1433, "telnet": 23}
CONNECT_INITIAL = bytes.fromhex("0300001602f0807f65820004040101") + b"\0" * 7

# What is missed, and stands in the limits of cordond(8): (technique, protocol, port).  The
# magic is cut in two, and the rest is longer than what the sensor takes without one.
MISSED = {("split after 6", "SMB1", "telnet"), ("split after 6", "SMB2", "telnet")}


def whole(conn, data):
    return conn.send(data)


def pieces(n):
    def send(conn, data):
        return all([conn.send(data[i:i + n]) for i in range(0, len(data), n)])
    return send


def split(at):
    return lambda conn, data: all([conn.send(data[:at]), conn.send(data[at:])])


def reorder(conn, data):
    at = 10
    late = E.tcp(conn, data[at:], seq=conn.seq + at)
    return all([late, E.tcp(conn, data[:at])])


def reversed_bytes(conn, data):
    return all([E.tcp(conn, data[i:i + 8], seq=conn.seq + i)
                for i in reversed(range(0, len(data), 8))])


def overlap(conn, data):
    """Both pieces hold the bytes between them."""
    return all([E.tcp(conn, data[:12]), E.tcp(conn, data[3:], seq=conn.seq + 3)])


def pipelined(conn, data):
    return conn.send(data + CONNECT_INITIAL)


def extension(conn, data):
    """Behind IPv6 destination options (IPv4: an IP option would do the same)."""
    src, dst = ipaddress.ip_address(conn.client), ipaddress.ip_address(conn.server)
    seg = P.transport(src, dst, P.TCP, conn.sport, conn.dport, P.ACK, data, conn.seq, conn.ack)
    if src.version == 4:
        head = struct.pack("!BBHHHBBH", 0x46, 0, 24 + len(seg), 7, 0, 64, P.TCP, 0)
        head += src.packed + dst.packed + b"\1\1\1\0"
        ip = head[:10] + struct.pack("!H", P.checksum(head)) + head[12:] + seg
        return conn.gw.through(conn.side, ip)[0]
    ip = E.with_headers(conn.client, conn.server, [(60, b"\0\x01\x04\0\0\0\0")], P.TCP, seg)
    conn.gw.settle(quick=True)
    conn.gw.send(conn.side, ip)
    return any(k[0] == conn.client for k in conn.gw.settle(quick=True)[conn.back])


def fragments(conn, data):
    src, dst = ipaddress.ip_address(conn.client), ipaddress.ip_address(conn.server)
    seg = P.transport(src, dst, P.TCP, conn.sport, conn.dport, P.ACK, data, conn.seq, conn.ack)
    conn.gw.settle(quick=True)
    for at in range(0, len(seg), 24):
        part, more = seg[at:at + 24], at + 24 < len(seg)
        if src.version == 4:
            head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(part), conn.sport,
                               (0x2000 if more else 0) | at // 8, 64, P.TCP, 0)
            head += src.packed + dst.packed
            ip = head[:10] + struct.pack("!H", P.checksum(head)) + head[12:] + part
        else:
            frag = struct.pack("!BBHI", P.TCP, 0, at | more, conn.sport)
            ip = struct.pack("!IHBB", 6 << 28, 8 + len(part), 44, 64) + src.packed + \
                dst.packed + frag + part
        conn.gw.send(conn.side, ip)
    return any(k[0] == conn.client for k in conn.gw.settle(quick=True)[conn.back])


def midstream(conn, data):
    """Conntrack has forgotten the connection."""
    conn.send(b"x" * 20)
    conn.answer(payload=b"y" * 20)
    subprocess.run(["conntrack", "-F"], check=False, stderr=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL)
    return conn.send(data)


def late(conn, data):
    """Behind an honest dialogue."""
    for _ in range(3):
        conn.send(b"x" * 20)
        conn.answer(payload=b"y" * 20)
    return conn.send(data)


def socks(conn, data):
    for ask, answer in ((b"\5\1\0", b"\5\0"),
                        (b"\5\1\0\1\x0a\x14\x08\x0a\x0d\x3d", b"\5\0\0\1\0\0\0\0\0\0")):
        if not conn.send(ask):
            return False
        conn.answer(payload=answer)
    return conn.send(data)


def invalid(conn, data):
    """Conntrack calls it invalid, the server does not."""
    E.tcp(conn, b"x" * 1400, seq=conn.seq + 64000)
    return conn.send(data)


def tagged(conn, data):
    """In two VLAN tags: no interface of the gateway takes them; a switch might."""
    def frame(src, dst, sport, dport, seq, ack, flags, payload=b""):
        ip = P.packet(src, dst, P.TCP, sport, dport, flags, payload, seq=seq, ack=ack)
        kind = b"\x08\x00" if ip[0] >> 4 == 4 else b"\x86\xdd"
        net = conn.gw.net[conn.side]
        conn.gw.sock[conn.side].send(P.mac(P.mac_of(net, 1)) + P.mac(P.mac_of(net, 2)) +
                                     b"\x88\xa8\0\7\x81\0\0\x08" + kind + ip)
    there, back = (conn.client, conn.server, 7, conn.dport), (conn.server, conn.client, conn.dport, 7)
    conn.sport = 7
    frame(*there, 100, 0, P.SYN)
    frame(*back, 500, 101, P.SYN | P.ACK)
    frame(*there, 101, 501, P.ACK)
    frame(*there, 101, 501, P.ACK, data)
    return True  # whether it arrives is not the gateway's to say


TECHNIQUES = [("whole", whole), ("header split after 1", split(1)),
              ("header split after 4", split(4)), ("split after 6", split(6)),
              ("split after 9", split(9)), ("1-byte segments", pieces(1)),
              ("10-byte window", pieces(10)), ("second piece first", reorder),
              ("backwards, by 8", reversed_bytes), ("overlap", overlap),
              ("pipelined data", pipelined), ("IP options, extension headers", extension),
              ("fragments", fragments), ("QinQ", tagged), ("mid-stream", midstream),
              ("behind a dialogue", late), ("SOCKS", socks), ("out of conntrack's window", invalid)]


class Events:
    def __init__(self, path):
        self.path = path

    def exposure(self, conn):
        end = time.monotonic() + 2
        while time.monotonic() < end:
            if os.path.exists(self.path):
                with open(self.path) as f:
                    for line in f:
                        e = json.loads(line)
                        if e["cordon"]["kind"] == "exposure" and \
                                conn.sport in (e.get("src_port"), e.get("dest_port")) and \
                                conn.client in (e["src_ip"], e["dest_ip"]):
                            return True
            time.sleep(0.05)
        return False


def verdict(gw, events, send, data, client, server, port):
    conn = C.Conn(gw, client, server, port)
    if not conn.opened:
        return "no connection"
    if not send(conn, data):
        return "kernel"
    return "sensor" if events.exposure(conn) else "missed"


def start(build, work):
    root = work + "/policy"
    os.makedirs(root + "/hosts")
    policy = dict(C.POLICY)
    policy["cordon.yaml"] += "sensor: { interfaces: [out0] }\n" \
        "block: { on: [guard] }\nlog: { file: %s/events, journald: false }\n" % work
    for name, text in policy.items():
        with open(os.path.join(root, name), "w") as f:
            f.write(text)
    with open(work + "/log", "wb") as log:
        daemon = subprocess.Popen([build + "/cordond", "-c", root, "--state-dir", work,
                                   "--runtime-dir", work], stdout=log, stderr=log)
    for _ in range(200):
        run = subprocess.run([build + "/cordon", "--runtime-dir", work, "status", "--format",
                              "json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if run.returncode == 0 and json.loads(run.stdout)["sensor"].get("handles", 0) >= 2:
            return daemon
        time.sleep(0.05)
    sys.exit("the daemon is not ready:\n" + open(work + "/log").read())


def main():
    gw = P.Gateway(C.SIDES)
    bad, stale, rows = [], set(MISSED), []
    with tempfile.TemporaryDirectory() as work:
        daemon = start(sys.argv[1], work)
        events = Events(work + "/events")
        columns = [(name, service) for name in PROTOCOLS for service in PORTS]
        for technique, send in TECHNIQUES:
            row = []
            for name, service in columns:
                n = len(rows) * len(columns) + len(row) + 20  # a client each: one event each
                got = [verdict(gw, events, send, PROTOCOLS[name], client, server, PORTS[service])
                       for client, server in (("10.30.0.%d" % n, C.H), ("fd00:1::%x" % n, C.H6))]
                word = max(got, key=["kernel", "sensor", "missed", "no connection"].index)
                row.append(word)
                key = (technique, name, service)
                if word in ("missed", "no connection") and key not in MISSED:
                    bad.append("%s, %s to %s: %s" % (*key, "/".join(got)))
                if word == "missed":
                    stale.discard(key)
            rows.append((technique, row))
        daemon.terminate()
        daemon.wait(10)
    print("%-30s" % "" + "".join("%-18s" % ("%s %s" % c) for c in columns))
    for technique, row in rows:
        print("%-30s" % technique + "".join("%-18s" % w for w in row))
    for line in bad:
        print("MISSED", line)
    for key in sorted(stale):
        print("STALE: not missed any more:", *key)
    words = [w for _, row in rows for w in row]
    print("matrix: %d cells: kernel %d, sensor %d, missed %d" % (
        len(words), words.count("kernel"), words.count("sensor"), words.count("missed")))
    return 1 if bad or stale else 0


if __name__ == "__main__":
    sys.exit(main())
