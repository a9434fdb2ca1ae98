#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is not SMB or RDP never trips their openings: how real protocols start, and random
bytes: how likely by the rules' own bits, and as packets through the kernel.

usage: benign.py CORDON CORDOND [PACKETS [SEED]]   (in a network namespace of its own)"""
import json
import random
import re
import subprocess
import sys
import tempfile

import cases as C
import packets as P

APP, APP6, H, H6 = C.APP, C.APP6, C.H, C.H6
POLICY = dict(C.POLICY)
WATCHED = ["exposure", "exposure_seen", "condemned", "denied", "short", "guard", "guard_seen", "spoof"]


def x(text, size=0):
    return bytes.fromhex(text).ljust(size, b"\0")


def tpkt(text):
    data = bytes.fromhex(text)
    return b"\3\0" + (len(data) + 4).to_bytes(2, "big") + data


# name: what the client and (in a tuple) the server send, from the first byte on
DIALOGUES = {
    "telnet": [(x("fffd18fffd20fffd23fffd27"),), x("fffb18fffb1f"), b"a", b"l", b"s", b"\r\n", (b"$ ",)],
    "SSH": [(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",), b"SSH-2.0-PuTTY_Release_0.81\r\n", x("000003dc0a14" + "5a" * 16, 992)],
    "DNS/TCP": [x("001d1234010000010000000000000377777706706c616e74036c616e00000100" + "01")],
    "DNS/TCP, length first": [x("001d"), x("1234010000010000000000000377777706706c616e740000010001")],
    "AXFR": [x("001d000100000001000000000000076578616d706c65036c616e0000fc0001")],
    "SMTP": [(b"220 mail ESMTP\r\n",), b"EHLO a\r\n", (b"250 mail\r\n",), b"QUIT\r\n"],
    "SMTP, the client first": [b"HELO\r\n", b"MAIL FROM:<a@b>\r\n"],
    "FTP": [(b"220 ready\r\n",), b"USER anonymous\r\n", (b"331 ?\r\n",), b"PASS x\r\n", b"PASV\r\n"],
    "POP3, IMAP": [(b"+OK\r\n",), b"CAPA\r\n", b"a1 LOGIN a b\r\n"],
    "Kerberos, AS-REQ": [x("000000d36a81d03081cda103020105a20302010aa3", 215)],
    "Kerberos, length first": [x("000000d3"), x("6a81d03081cda103020105a20302010aa3", 211)],
    "kpasswd": [x("0000024b0249ff80", 591)],
    "LDAP, bind": [x("300c020101600702010304008000"), (x("300c02010161070a010004000400"),)],
    "LDAP, search": [x("30840000003f02010163840000003604000a01000a0100020100", 69)],
    "TDS, prelogin": [x("1201002f00000100000015000601001b000102001c000103001d0000ff0b000c3800000000000000", 47)],
    "TDS, login": [x("1001009000000100880000000200097200100000", 144)],
    "TDS 4.2": [x("0200020000000000", 512)],
    "HTTP": [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", (b"HTTP/1.1 200 OK\r\n\r\n",)],
    "HTTP/2": [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + x("00000604000000000000")],
    "RTSP": [b"OPTIONS rtsp://cam/1 RTSP/1.0\r\nCSeq: 1\r\n\r\n"],
    "TLS 1.3": [x("16030100c8010000c40303", 205), (x("160303007a0200007603", 127),)],
    "SSL 2": [x("802e0100020015000000100100800700c0", 48)],
    "S7": [tpkt("11e00000000100c0010ac1020100c2020102"), (tpkt("11d00001000200c0010ac1020100c2020102"),),
           tpkt("02f08032010000000000080000f0000001000101e0")],
    "S7, TSAPs first": [tpkt("11e00000001200c1020100c2020302c0010a")],
    "MMS, IEC 61850": [tpkt("11e00000000100c0010dc2020001c1020001"),
                       tpkt("02f0800dbc0506130100160102140200023302000134020001c1a6")],
    "ICCP": [tpkt("0ee00000000100c2020001c1020001")],
    "TASE, other class": [tpkt("11e00000000140c1020001c2020001c0010b")],
    "H.323, Q.931": [tpkt("080200010504038090a56c0c80" + "31323334" * 4 + "7e0035")],
    "H.245": [tpkt("0270010600088175000b800d00003c00010000")],
    "T.125 without X.224": [tpkt("02f0807f6582")],
    "Modbus": [x("0001000000060103" + "0000000a"), (x("00010000001701031400"),)],
    "Modbus, many": [x("00ff00000006010f000000ff" * 3)],
    "IEC 104": [x("680407000000"), (x("68040b000000"),), x("680e0000000064010600010000000014")],
    "DNP3": [x("056405c00100000c1b5d")],
    "EtherNet/IP": [x("6500040000000000", 28)],
    "OPC UA": [b"HELF" + x("38000000000000000000010000000100", 52)],
    "FINS": [b"FINS" + x("0000000c0000000000000000" + "00000000")],
    "MELSEC": [x("500000ffff03000c00100001040000640000a80a00")],
    "ADS": [x("000026000000" + "0a0a0a0a0101" + "5103" + "c0a80001" + "0101")],
    "DICOM": [x("0100000000cd00010000" + "41" * 32, 211)],
    "HL7": [b"\x0bMSH|^~\\&|LAB|A|B|C|20260101||ORU^R01|1|P|2.3\r\x1c\r"],
    "DCE/RPC": [x("05000b03100000004800000001000000d016d016", 72)],
    "NFS": [x("80000028000000010000000000000002000186a3", 44)],
    "iSCSI": [x("4387000000000000", 48)],
    "PostgreSQL, asks for TLS": [x("0000000804d2162f"), (b"N",)],
    "PostgreSQL": [x("0000002900030000") + b"user\0a\0database\0b\0\0"],
    "MySQL": [(x("4a0000000a") + b"8.0.36\0",), x("a00000018da20a00", 164)],
    "Oracle": [x("003a0000010000000136012c", 58)],
    "LPD": [b"\2raw\n", (b"\0",)],
    "raw printing": [b"\x1b%-12345X@PJL\r\n"],
    "VNC": [(b"RFB 003.008\n",), b"RFB 003.008\n"],
    "ICA": [(x("7f7f49434100"),), x("7f7f494341000102")],
    "X11": [x("6c00" + "0b0000000000000000")],
    "MQTT": [x("101000044d5154540402003c000461626364")],
    "NetWare, NCP": [b"DmdT" + x("00000017000000010000000111110000ff01ff")],
    "AFP": [x("000400010000000000000002000000000f00"), (x("01040001"),)],
    "BGP": [b"\xff" * 16 + x("001d0104fde800b40a000001" + "00")],
    "text with SMB in it": [b"NT SMB share: \\\\erp\\SMB\n", b"\0\0SMB is off\n"],
    "zeros, ones": [b"\0" * 200, b"\xff" * 200],
}


class Fast:
    """A connection without waiting for each packet: the counters tell what was dropped."""

    def __init__(self, gw, client, server, dport):
        self.gw, self.ends, self.dport, self.sport = gw, (client, server), dport, next(C.Conn.ports)
        self.next = [1000, 5000]
        self.say(0, flags=P.SYN)
        self.say(1, flags=P.SYN | P.ACK)
        self.say(0)

    def say(self, who, data=b"", flags=P.ACK):
        src, dst = self.ends[who], self.ends[1 - who]
        ports = (self.sport, self.dport)[::1 if who == 0 else -1]
        self.gw.send(self.gw.side_of(src), P.packet(src, dst, P.TCP, *ports, flags, data, seq=self.next[who],
                                                    ack=self.next[1 - who]))
        self.next[who] += len(data) + (flags & P.SYN > 0)

    def run(self, steps):
        for s in steps:
            self.say(isinstance(s, tuple), s[0] if isinstance(s, tuple) else s)
        self.say(1, b"", 0x11)  # FIN: to be seen at the other end
        return self.ends[1], self.ends[0], P.TCP, self.dport, self.sport, 0x11


def counts():
    out = subprocess.run(["nft", "-j", "list", "counters", "table", "inet", "cordon"], text=True, check=True,
                         stdout=subprocess.PIPE).stdout
    found = {c["counter"]["name"]: c["counter"]["packets"] for c in json.loads(out)["nftables"] if "counter" in c}
    return {name: found.get(name, 0) for name in WATCHED}


def dialogues(gw, check):
    n = 0
    for name, steps in DIALOGUES.items():
        before, ends = counts(), []
        first = next(s for s in steps if not isinstance(s, tuple))
        ways = [steps]
        if len(first) > 1:  # the first segment cut: usual where short openings are
            at = steps.index(first)
            ways += [steps[:at] + [first[:k], first[k:]] + steps[at + 1:] for k in range(1, min(8, len(first)))]
            ways += [steps[:at] + [first, first, first, first] + steps[at + 1:]]
        for way in ways:
            opens = next(s for s in way if not isinstance(s, tuple))
            for client, server in ((APP, H), (APP6, H6)):
                for port in (23, 1433) if len(opens) >= 8 else (23,):
                    ends.append(Fast(gw, client, server, port).run(way))
            ends.append(Fast(gw, H, APP, 21 if len(opens) < 8 else 80).run(way))
        gw_got = gw.settle()
        seen = gw_got["out0"] | gw_got["lan8"]
        check("%s: none is dropped, told or condemned" % name, counts(), before)
        check("%s: all came through" % name, [e for e in ends if e not in seen], [])
        n += len(ends)
    return n


# ---- random bytes ----

def rules_of(cordon, root):
    """[(condition's bits at each byte, runs only while few packets were seen)] of the openings."""
    out = subprocess.run([cordon, "compile", "--format", "json", root], text=True, check=True,
                         stdout=subprocess.PIPE).stdout
    chain = next(c for c in json.loads(out)["chains"] if c["name"] == "opening")
    found, early = [], False
    for text in chain["rules"]:
        early |= "ct label 122" in text
        if "jump found_" not in text:
            continue
        want = {}
        for at, size, mask, value in re.findall(r"@ih,(\d+),(\d+) (?:& 0x([0-9a-f]+) == )?0x([0-9a-f]+)", text):
            size = int(size)
            m = int(mask, 16) if mask else (1 << size) - 1
            for k in range(size // 8):
                shift = size - 8 - 8 * k
                want[int(at) // 8 + k] = (m >> shift & 255, int(value, 16) >> shift & 255)
        found.append((want, early))
    return found


def bits(want):
    return sum(bin(m).count("1") for m, _ in want.values())


def computed(check, cordon, root):
    """Expected hits: no more than the sum of what each rule alone would hit."""
    rules = rules_of(cordon, root)
    always = sum(2.0 ** -bits(w) for w, early in rules if not early)
    every = sum(2.0 ** -bits(w) for w, _ in rules)
    packets = 100e9 / 1460
    print("benign: %d predicates, %d-%d bits; a random packet hits with %.1e, one of a connection's first three "
          "with %.1e" % (len(rules), min(bits(w) for w, _ in rules), max(bits(w) for w, _ in rules), always, every))
    print("benign: 100 GB of random payload (%.1e packets): %.1e hits expected in one stream, %.1e in connections "
          "of 1 MB" % (packets, packets * always + 3 * every, packets * always + 3e5 * every))
    check("there are predicates", len(rules) >= 20)
    check("a judged packet hits with 1e-12 at most", always <= 1e-12)
    check("100 GB in one stream: under 1e-3 hits expected", packets * always + 3 * every < 1e-3)
    check("100 GB in connections of 1 MB: under 1e-2", packets * always + 3e5 * every < 1e-2)
    return rules


def sampled(gw, check, rules, packets, seed):
    """Each by itself and untracked, so that every rule is asked about each; then real ones,
    made of the rules, to see that they would have been found."""
    rng = random.Random(seed)
    subprocess.run(["nft", "add table inet raw; add chain inet raw p { type filter hook prerouting priority -300; };"
                    "add rule inet raw p tcp dport 1433 notrack; add rule inet raw p tcp dport 1433 counter"], check=True)
    head = P.packet(APP, H, P.TCP, 40000, 1433, P.ACK, b"", seq=9, ack=9)
    kind = P.mac(P.mac_of(0, 1)) + P.mac(P.mac_of(0, 2)) + b"\x08\x00"
    sock, head_of = gw.sock["out0"], {}
    for size in range(8, 72):
        ip = P.packet(APP, H, P.TCP, 40000, 1433, P.ACK, b"\0" * size, seq=9, ack=9)
        head_of[size] = kind + ip[:len(head)]

    def send(data):
        sock.send(head_of[len(data)] + data)
    before = counts()
    gw.sock["lan8"].close()  # nobody looks at what came through: the counters tell
    for _ in range(packets // 10000):
        block = rng.randbytes(10000 * 71)
        at = 0
        for k in range(10000):
            size = 8 + block[at] % 64
            send(block[at:at + size])
            at += 71
    after = counts()
    passed = re.search(r"packets (\d+)", subprocess.run(["nft", "list", "table", "inet", "raw"], text=True,
                                                         stdout=subprocess.PIPE).stdout)
    print("benign: %d random payloads of 8-71 bytes through the kernel (seed %d): %d hits" % (
        packets // 10000 * 10000, seed, sum(after.values()) - sum(before.values())))
    check("all random packets were looked at", int(passed[1]) >= packets // 10000 * 10000)
    check("random payload hits nothing", after, before)
    for want, _ in rules:
        data = bytearray(rng.randbytes(40))
        for at, (m, v) in want.items():
            data[at] = data[at] & ~m & 255 | v
        send(bytes(data))
    check("what the rules ask for is found", counts()["exposure"] - after["exposure"], len(rules))


def main():
    packets = int(sys.argv[3]) if len(sys.argv) > 3 else 1000000
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else random.randrange(10**6)
    check = C.Checks()
    gw = P.Gateway(C.SIDES)
    POLICY["hosts/h.yaml"] = POLICY["hosts/h.yaml"].replace("service: http, to: 10.30.0.0/24",
                                                           "service: [http, ftp], to: 10.30.0.0/24, id: web")
    C.POLICY = POLICY
    with tempfile.TemporaryDirectory() as work:
        C.start(sys.argv[2], work)
        n = dialogues(gw, check)
        print("benign: %d protocols, %d connections: nothing tripped" % (len(DIALOGUES), n) if not check.bad else
              "benign: %d connections, see above" % n)
        rules = computed(check, sys.argv[1], work + "/policy")
        sampled(gw, check, rules, packets, seed)
    print("benign: %d checks, %d failed" % (check.n, check.bad))
    return 1 if check.bad else 0


if __name__ == "__main__":
    sys.exit(main())
