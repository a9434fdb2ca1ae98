# SPDX-License-Identifier: GPL-2.0-or-later
"""The evasion matrix: how a client may hide that it speaks SMB or RDP where that is not
granted, and who notices: the kernel (some of the opening never arrives), the sensor (an
event names it after it has passed; `answer`: only when the server has answered), or nobody.

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
SMB3 = b"\0\0\0\xb4\xfdSMB" + b"\x5a" * 32 + struct.pack("<IHHQ", 128, 0, 1, 7)
SMB3 += b"\xa5" * (0xb4 + 4 - len(SMB3))
PROTOCOLS = {"SMB1": SMB1, "SMB2": SMB2, "SMB3 encrypted": SMB3, "RDP cookie": C.RDP_COOKIE,
             "RDP": C.RDP_NEG}
# What the server says: MS-CIFS 2.2.4.52.2, MS-SMB2 2.2.4, 2.2.41, MS-RDPBCGR 2.2.1.2.
CONFIRM = bytes.fromhex("030000130ed000001234000200080002000000")
ANSWERS = {"SMB1": SMB1[:13] + b"\x98" + SMB1[14:36] + b"\x11" + b"\0" * 36,
           "SMB2": SMB2[:20] + b"\1" + SMB2[21:68] + struct.pack("<HHH", 65, 1, 0x202) +
           b"\0" * 58, "SMB3 encrypted": SMB3, "RDP cookie": CONFIRM, "RDP": CONFIRM}
# A service whose clients open with 8 bytes at least, one where fewer are usual, and what is
# granted for the other protocol.
PORTS = {"1433": 1433, "telnet": 23, "other": 0}
OTHER = {"SMB": 3389, "RDP": 445}
CONNECT_INITIAL = bytes.fromhex("0300001602f0807f65820004040101") + b"\0" * 7

# What is missed, and stands in the limits of cordond(8): (technique, protocol, port).
MISSED = set()


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


def connect(conn, data):
    """HTTP's way through a proxy."""
    if not conn.send(b"CONNECT 10.20.8.10:3389 HTTP/1.1\r\nHost: h\r\n\r\n"):
        return False
    conn.answer(payload=b"HTTP/1.1 200 Connection established\r\n\r\n")
    return conn.send(data)


def proxied(conn, data):
    """In one packet with what a load balancer puts in front."""
    return conn.send(b"PROXY TCP4 192.0.2.7 10.20.8.10 40000 3389\r\n" + data)


def behind(first, then):
    """A dialogue, and then hidden in another way."""
    return lambda conn, data: first(conn, b"a" * 24) and bool(
        conn.answer(payload=b"b" * 24)) and then(conn, data)


def misled(conn, data):
    """First what no host reads, so that who listens loses the place in the stream."""
    far = conn.seq + 50000
    E.tcp(conn, b"x" * 16, flags=P.SYN, seq=conn.seq - 1)
    E.tcp(conn, flags=P.SYN, seq=far)
    E.tcp(conn, flags=P.SYN | P.ACK, seq=far, ack=far + 1)
    E.tcp(conn, C.SMB2_NEGOTIATE[:20] + b"x" * 40, seq=far + 20000)
    return reversed_bytes(conn, data)


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
              ("header split after 4", split(4)), ("split after 5", split(5)),
              ("split after 6", split(6)), ("split after 7", split(7)),
              ("split after 9", split(9)), ("1-byte segments", pieces(1)),
              ("10-byte window", pieces(10)), ("second piece first", reorder),
              ("backwards, by 8", reversed_bytes), ("overlap", overlap),
              ("pipelined data", pipelined), ("IP options, extension headers", extension),
              ("fragments", fragments), ("QinQ", tagged), ("mid-stream", midstream),
              ("behind a dialogue", late), ("SOCKS", socks),
              ("HTTP CONNECT", connect), ("PROXY header", proxied),
              ("dialogue, then after 6", behind(late, split(6))),
              ("dialogue, then 1-byte segments", behind(late, pieces(1))), ("out of conntrack's window", invalid),
              ("misled, then backwards by 8", misled)]


# By IPv4 and IPv6 both; the others by one of them, in turn.
BOTH = (whole, extension, fragments)


class Events:
    def __init__(self, path):
        self.path = path

    def exposure(self, conn, timeout_s):
        end = time.monotonic() + timeout_s
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


def verdict(gw, events, send, name, client, server, port):
    conn = C.Conn(gw, client, server, port or OTHER[name[:3]])
    if not conn.opened:
        return "no connection"
    if not send(conn, PROTOCOLS[name]):
        return "kernel"
    if events.exposure(conn, 1):
        return "sensor"
    conn.answer(payload=ANSWERS[name])
    return "answer" if events.exposure(conn, 2) else "missed"


def start(build, work):
    root = work + "/policy"
    os.makedirs(root + "/hosts")
    policy = {name: text.replace("10.30.0.0/24", "10.30.0.0/22")
              for name, text in C.POLICY.items()}
    policy["hosts/h.yaml"] = policy["hosts/h.yaml"].replace(
        "  outbound:", "    - {service: rdp, from: [10.30.0.0/22, \"fd00:1::/64\"], id: desk}\n"
        "    - {service: smb, from: [10.30.0.0/22, \"fd00:1::/64\"], id: share}\n  outbound:", 1)
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


def send_otherwise(gw):
    """Bytes that wait for what is before them come again with other content."""
    conn = C.Conn(gw, "10.30.3.250", C.H, PORTS["telnet"])
    for letter in b"BC":
        E.tcp(conn, bytes([letter]) * 8, seq=conn.seq + 8)
    time.sleep(2.5)  # the sensor tells its counts once a second


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
                ends = [("10.30.%d.%d" % divmod(n, 256), C.H), ("fd00:1::%x" % n, C.H6)]
                if send not in BOTH:
                    ends = [ends[n % 2]]
                got = [verdict(gw, events, send, name, client, server, PORTS[service])
                       for client, server in ends]
                word = max(got, key=["kernel", "sensor", "answer", "missed",
                                     "no connection"].index)
                row.append(word)
                key = (technique, name, service)
                if word in ("missed", "no connection") and key not in MISSED:
                    bad.append("%s, %s to %s: %s" % (*key, "/".join(got)))
                if word == "missed":
                    stale.discard(key)
            rows.append((technique, row))
        send_otherwise(gw)
        daemon.terminate()
        daemon.wait(10)
        with open(work + "/events") as f:
            told = [json.loads(line)["cordon"] for line in f]
        if not any(e["kind"] == "health" and e["reason"] == "conflict" for e in told):
            bad.append("bytes sent again with other content: no event")
    for name in PROTOCOLS:
        print("%-32s" % name + "".join("%-10s" % s for n, s in columns if n == name))
        for technique, row in rows:
            print("  %-30s" % technique + "".join(
                "%-10s" % w for w, c in zip(row, columns) if c[0] == name))
    for line in bad:
        print("MISSED", line)
    for key in sorted(stale):
        print("STALE: not missed any more:", *key)
    words = [w for _, row in rows for w in row]
    print("matrix: %d cells: kernel %d, sensor %d, sensor at the answer %d, missed %d" % (
        len(words), *(words.count(w) for w in ("kernel", "sensor", "answer", "missed"))))
    return 1 if bad or stale else 0


if __name__ == "__main__":
    sys.exit(main())
