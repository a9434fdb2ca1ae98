#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: captured SMB sessions, replayed through a gateway: what hosts say they are
"""Each case is a legacy host of its own: what is declared of it, a captured session that
its addresses are put into, and the identity events that must come of that and no others.

usage: identity.py policy DIR RUN     write the policy; RUN: where the events go
       identity.py own RUN            captures of the own lab, some edited in memory
       identity.py again RUN          the same once more, and a host that changed
       identity.py one RUN HOST REASON NOTE    one host's once more: that event, no other
       identity.py real RUN           captures of others; 77 where there are none
       identity.py posture CORDON DIR RUN  what posture makes of DIR and these events

Both peers are namespaces without addresses (pids in RUN/ns): what the client said enters
from the client's, what the server said from the server's, each packet only after the one
before it came out at the other side, so conntrack and sensor see a session as it was."""
import collections
import ctypes
import ipaddress
import json
import os
import select
import socket
import struct
import subprocess
import sys
import time

import packets as P

HERE = os.path.dirname(os.path.abspath(__file__))
OWN = os.path.join(HERE, "..", "pcap")
LENT = os.environ.get("CORDON_PCAPS", os.path.join(HERE, "..", "..", "..", "shared", "pcaps"))
OUTSIDE = {4: "10.1.9.9", 6: "fd00:1:9::9"}
SERVER_2008 = "windows-server-2008-sp2"
PACKETS = 60  # of a session: what a server is told by is at its start

POLICY = """cordon: 1
gateway:
  interfaces: [lan8]
  addresses: [10.20.8.1, "fd00:20:8::1", 10.1.9.1, "fd00:1:9::1"]
  protect: [10.20.8.0/24, "fd00:20:8::/64"]
sensor: {{ interfaces: [lan8] }}
log: {{ file: {run}/events.jsonl, journald: false }}
"""
# What the captures trip is not what is tested here: nothing of a session may be missing.
GUARDS = ("smb1", "smb1-negotiate", "smb-signing", "null-session", "null-session-request",
          "ms17-010-probe", "ms17-010-nttrans", "pipes-compound")


# ---- captures ----

def utf16(text):
    return text.encode("utf-16-le")


NATIVE = "Windows Server (R) 2008 Standard 6003 Service Pack 2"  # what the lab's server says


def named(text, fill=" "):
    """In NATIVE's place, which is as long."""
    return (utf16(NATIVE), utf16(text.ljust(len(NATIVE), fill)))


def version(major, minor, build, was=(6, 0, 6003)):
    """The VERSION of an NTLM challenge (MS-NLMP 2.2.2.10), told by what stands before it."""
    return tuple(struct.pack("<BBHI", a, b, c, 0x0f000000) for a, b, c in (was, (major, minor, build)))


SAMBA_VERSION = (6, 1, 0)
# The chosen dialect in a negotiate response (MS-SMB2 2.2.4): size, security mode, dialect.
DIALECT_210 = (struct.pack("<HHH", 65, 1, 0x202), struct.pack("<HHH", 65, 1, 0x210))
BUILD = {n: named(NATIVE.replace("6003", n)) for n in ("6001", "6002")}


def read_pcap(path):
    """IP packets of a capture (Ethernet or raw), in its order."""
    with open(path, "rb") as f:
        data = f.read()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    link, at = struct.unpack(order + "I", data[20:24])[0], 24
    while at + 16 <= len(data):
        size = struct.unpack(order + "I", data[at + 8:at + 12])[0]
        frame = data[at + 16:at + 16 + size]
        at += 16 + size
        if link == 101:
            yield frame
        elif link == 1 and frame[12:14] in (b"\x08\x00", b"\x86\xdd"):
            yield frame[14:]


def tcp_of(ip):
    """(src, sport, dst, dport, TCP header, payload), None where it is no whole TCP packet."""
    if len(ip) < 40:
        return None
    if ip[0] >> 4 == 4:
        head, size, proto, ends = (ip[0] & 15) * 4, struct.unpack("!H", ip[2:4])[0], ip[9], ip[12:20]
    else:
        head, size, proto, ends = 40, 40 + struct.unpack("!H", ip[4:6])[0], ip[6], ip[8:40]
    seg = ip[head:size]
    if proto != P.TCP or len(seg) < 20:
        return None
    half, off = len(ends) // 2, (seg[12] >> 4) * 4
    sport, dport = struct.unpack("!HH", seg[:4])
    return (str(ipaddress.ip_address(ends[:half])), sport, str(ipaddress.ip_address(ends[half:])),
            dport, seg[:off], seg[off:])


def session(path, server=None):
    """One TCP connection: [(from the client?, TCP header, payload)] and the server's port:
    the first that began in the capture, in which its server speaks, and that is the one
    asked for.  server: "address:port", or "address:port<port of the client>"."""
    flows = {}
    for ip in read_pcap(path):
        seen = tcp_of(ip)
        if not seen:
            continue
        src, sport, dst, dport, head, data = seen
        there, back = (src, sport, dst, dport), (dst, dport, src, sport)
        if head[13] & (P.SYN | P.ACK) == P.SYN:
            flows.setdefault(there, [])
        if there in flows:
            flows[there].append((True, head, data))
        elif back in flows:
            flows[back].append((False, head, data))
    for (_, sport, dst, dport), sends in flows.items():
        names = (None, "%s:%d" % (dst, dport), "%s:%d<%d" % (dst, dport, sport))
        if server in names and sum(len(d) for client, _, d in sends if not client) > 100:
            return sends[:PACKETS], dport
    raise ValueError("%s: no connection to %s" % (path, server))


def edited(sends, edits):
    """The session with bytes of the server's replaced by as many others."""
    for old, new in edits:
        assert len(old) == len(new), (old, new)
        assert any(old in d for client, _, d in sends if not client), old
        sends = [(c, h, d if c else d.replace(old, new)) for c, h, d in sends]
    return sends


def rebuilt(send, src, dst, sport, dport):
    """The packet with these ends; the TCP options are kept, all checksums are right."""
    _, head, data = send
    src, dst = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    seg = struct.pack("!HH", sport, dport) + head[4:16] + b"\0\0" + head[18:] + data
    pseudo = src.packed + dst.packed + struct.pack("!II", len(seg), P.TCP)
    seg = seg[:16] + struct.pack("!H", P.checksum(pseudo + seg)) + seg[18:]
    if src.version == 6:
        return struct.pack("!IHBB", 6 << 28, len(seg), P.TCP, 64) + src.packed + dst.packed + seg
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(seg), 1, 0x4000, 64, P.TCP, 0) + \
        src.packed + dst.packed
    return ip[:10] + struct.pack("!H", P.checksum(ip)) + ip[12:] + seg


# ---- the peers ----

def socket_in(pid):
    """A packet socket of that process's network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net") as own, open("/proc/%d/ns/net" % pid) as other:
        if libc.setns(other.fileno(), 0):
            raise OSError(ctypes.get_errno(), "setns")
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(P.ETH_P_ALL))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        s.bind(("eth0", 0))
        libc.setns(own.fileno(), 0)
    return s


class Peers:
    """inside: the legacy hosts' end; else the outside's."""

    def __init__(self, run):
        self.sock = {}
        for inside, name in ((True, "host"), (False, "pc")):
            with open("%s/ns/%s" % (run, name)) as f:
                self.sock[inside] = socket_in(int(f.read()))
            self.sock[inside].setblocking(False)

    def drain(self, inside):
        out = []
        while True:
            try:
                frame, addr = self.sock[inside].recvfrom(70000)
            except BlockingIOError:
                return out
            if addr[2] != socket.PACKET_OUTGOING:
                out.append(tcp_of(frame[14:]))

    def through(self, inside, ip, wait):
        """Send from a side; whether it came out at the other one."""
        want = tcp_of(ip)
        key = want[:4] + (want[4][4:12], want[5])
        self.drain(not inside)
        kind = b"\x08\x00" if ip[0] >> 4 == 4 else b"\x86\xdd"
        self.sock[inside].send(P.mac(P.mac_of(8 if inside else 0, 1)) +
                               P.mac(P.mac_of(8 if inside else 0, 2)) + kind + ip)
        end = time.monotonic() + wait
        while time.monotonic() < end:
            select.select([self.sock[not inside]], [], [], 0.01)
            for seen in self.drain(not inside):
                if seen and seen[:4] + (seen[4][4:12], seen[5]) == key:
                    return True
        return False


# ---- cases ----

class Case:
    """host: its name.  product, build: as declared.  want: [(reason, what the note says)],
    in any order: its identity events.  file, edits: an own capture, bytes of its server's
    replaced; with real one of others, and server which of its connections.  outbound: the
    host is the client.  skip: packets, from the start, that nobody sees."""
    all = []

    def __init__(self, host, product, build, want, file, edits=(), server=None, real=False, v6=False,
                 mode="enforce", declared=True, outbound=False, skip=0):
        self.host, self.product, self.build, self.want = host, product, build, want
        self.file, self.edits, self.server, self.real, self.v6 = file, edits, server, real, v6
        self.mode, self.declared, self.outbound, self.skip = mode, declared, outbound, skip
        self.number = 10 + len(Case.all)
        self.sport = 40000
        Case.all.append(self)

    def address(self, v=None):
        six = self.v6 if v is None else v == 6
        return ("fd00:20:8::%x" if six else "10.20.8.%d") % self.number

    def policy(self):
        os_keys = [("product", self.product), ("build", self.build)]
        os_text = ", ".join("%s: %s" % p for p in os_keys if p[1])
        lines = ["host: " + self.host, 'addresses: [%s, "%s"]' % (self.address(4), self.address(6)),
                 "mode: " + self.mode]
        lines += ["os: { %s }" % os_text] if os_text else []
        lines += ["guards:"] + ['  %s: { action: disabled, reason: "of this test", expires: 2099-01-01 }' % g
                                for g in GUARDS]
        lines += ["allow:"]
        for key, to in (("inbound", "from"), ("outbound", "to")):
            lines += ["  %s:" % key, '    - { service: [smb, netbios], %s: [10.1.9.9, "fd00:1:9::9"] }' % to,
                      '    - { service: tcp/1433, speaks: smb, %s: 10.1.9.9 }' % to]
        return "\n".join(lines) + "\n"

    def play(self, peers):
        """Replay it, by a port of the client's that is new; how many packets got lost."""
        path = os.path.join(LENT if self.real else OWN, self.file)
        sends, port = session(path, self.server)
        sends = edited(sends, self.edits)[self.skip:]
        client, server = OUTSIDE[6 if self.v6 else 4], self.address()
        if self.outbound:
            client, server = server, client
        self.sport += 1
        lost = 0
        for send in sends:
            ends = (client, server, self.sport, port) if send[0] else (server, client, port, self.sport)
            inside = send[0] == self.outbound
            lost += not peers.through(inside, rebuilt(send, *ends), 1 if self.declared else 0.02)
        return lost


def own_cases():
    v = version
    smb1, smb2, smb3 = "smb1-2008.pcap", "smb2.pcap", "smb3-encrypted.pcap"
    ntlm = "NTLM: build 6003, as declared"
    Case("same", SERVER_2008, 6003, [("agrees", ntlm)], smb1)
    Case("same-v6", SERVER_2008, 6003, [("agrees", ntlm)], smb1, v6=True)
    # This server's positive session response holds both names, as the request does.
    Case("same-netbios", SERVER_2008, 6003, [("agrees", ntlm)], "smb1-netbios-v6.pcap")
    Case("same-netbios-v6", SERVER_2008, 6003, [("agrees", ntlm)], "smb1-netbios-v6.pcap", v6=True)
    Case("same-1433", SERVER_2008, 6003, [("agrees", ntlm)], "smb1-port1433.pcap")
    Case("same-observed", SERVER_2008, 6003, [("agrees", ntlm)], smb1, mode="observe")
    Case("same-middle", SERVER_2008, 6003, [("agrees", ntlm)], smb1, skip=6)
    Case("wire-6002", SERVER_2008, 6003,
         [("differs", "build 6002, 6003 is declared: no update of April 2019 or later is active")],
         smb1, [BUILD["6002"], v(6, 0, 6002)])
    Case("wire-6003", SERVER_2008, 6002, [("differs", "build 6003, 6002 is declared")], smb1)
    Case("wire-6001", SERVER_2008, 6003, [("differs", "build 6001, without Service Pack 2")],
         smb1, [BUILD["6001"], v(6, 0, 6001)])
    # One of the two that tell a build was changed, and not the other.
    Case("two-words", SERVER_2008, 6003, [("differs", "native OS: build 6002, 6003 is declared")],
         smb1, [BUILD["6002"]])
    Case("r2", SERVER_2008, 6003, [("differs", "NTLM: version 6.1.7601")], smb1,
         [named("Windows Server 2008 R2 Standard 7601 Service Pack 1"), v(6, 1, 7601)])
    Case("vista", SERVER_2008, 6002, [("differs", "native OS: Windows Vista, of the same builds")], smb1,
         [named("Windows Vista (TM) Business 6002 Service Pack 2"), v(6, 0, 6002)])
    # SMB2 has no native OS: Vista and Server 2008 are the same there, and that is said.
    Case("vista-smb2", SERVER_2008, 6003, [("agrees", "Windows Vista has the same builds")], smb2,
         [v(6, 0, 6003, SAMBA_VERSION)])
    Case("samba", SERVER_2008, 6003, [("differs", "6.1 build 0, as Samba answers")], smb2)
    Case("samba-smb3", SERVER_2008, 6003, [("differs", "SMB 2.10 or higher chosen"),
                                           ("differs", "6.1 build 0, as Samba answers")], smb3)
    Case("samba-smb1", SERVER_2008, 6003, [("differs", "native OS: Unix, as Samba answers")],
         smb1, [named("Unix", "\0"), v(6, 1, 0)])
    Case("smb-210", SERVER_2008, 6003, [("differs", "SMB 2.10 or higher chosen"),
                                        ("differs", "SMB 2.10 or higher chosen")], smb2,
         [v(6, 0, 6003, SAMBA_VERSION), DIALECT_210])
    Case("newer", SERVER_2008, 6003, [("differs", "NTLM: version 10.0.17763")], smb2,
         [v(10, 0, 17763, SAMBA_VERSION)])
    Case("fuzzer", SERVER_2008, 6003, [("unknown", "no Windows has version 255.255")], smb2,
         [v(255, 255, 65535, SAMBA_VERSION)])
    Case("no-build", SERVER_2008, None, [("unknown", "no build is declared")], smb1)
    Case("no-os", None, None, [("unknown", "no Windows Server 2008 SP2 is declared")], smb1)
    Case("hostile", SERVER_2008, 6003, [("unknown", "native OS: not one that is known")], "hostile-names.pcap")
    # It only calls a Samba, or is only one of the protected prefix: nothing is said of it.
    Case("caller", SERVER_2008, 6003, [], smb2, outbound=True)
    Case("nobody", None, None, [], smb1, declared=False)


def real_cases():
    suricata = "OISF+suricata-verify/tests/"
    zeek = "zeek+zeek/testing/btest/Traces/"
    for name, *rest in (
            ("real-6002", 6002, [("agrees", "NTLM: build 6002, as declared")],
             "_derived/cut_mb2_smb139_w2008sp2.pcap"),
            ("real-6002-declared-6003", 6003, [("differs", "build 6002, 6003 is declared")],
             "_derived/cut_mb2_smb139_w2008sp2.pcap"),
            ("real-6003", 6003, [("agrees", "NTLM: build 6003, as declared")],
             "_derived/derived_w2008_6003_smb1_139.pcap"),
            ("real-6003-declared-6002", 6002, [("differs", "build 6003, 6002 is declared")],
             "_derived/derived_w2008_6003_smb1_139.pcap"),
            ("real-r2", 6003, [("differs", "6.1.7601")], suricata + "smb-filename/input.pcap", "10.4.30.5:445"),
            ("real-samba-smb1", 6003, [("differs", "native LAN manager: Samba")],
             zeek + "smb/smb1_transaction_request.pcap"),
            ("real-samba-smb3", 6003, [("differs", "SMB 2.10 or higher"), ("differs", "as Samba answers")],
             zeek + "smb/smb2_100_small_files.pcap"),
            ("real-samba-dc", 6003, [("differs", "native OS: Unix, as Samba answers")],
             "odedshimon+BruteShark/Pcap_Examples/Kerberos_-_v5_UDP.pcap", "127.0.0.21:445"),
            # Kerberos and SMB 2.02: a session, but no word that could be compared.
            ("real-silent", 6003, [], "odedshimon+BruteShark/Pcap_Examples/Kerberos_-_v5_UDP.pcap",
             "127.0.0.21:445<15295"),
            # It answers 2.?? to an SMB1 negotiate, then chooses 2.10: two values.
            ("real-smb21", 6003, [("differs", "SMB 2.10 or higher")] * 2, zeek + "krb/smb2_krb.pcap",
             "172.19.23.143:445"),
            ("real-newer", 6003, [("differs", "SMB 2.10 or higher"), ("differs", "NTLM: version 10.0.19041")], zeek + "smb/smb3_multichannel.pcap"),
            ("real-2003", 6003, [("differs", "native OS: another Windows")], "odedshimon+BruteShark/"
             "Pcap_Examples/Kerberos_v5_-_UDP_3.pcap", "10.5.3.1:445")):
        build, want, file, *server = rest
        Case(name, SERVER_2008, build, want, file, server=server[0] if server else None, real=True)


own_cases()
real_cases()


# ---- what came of it ----

class Check:
    def __init__(self, run):
        self.log, self.bad, self.done = run + "/events.jsonl", 0, 0

    def ok(self, what, right, seen=""):
        self.done += 1
        if not right:
            self.bad += 1
            print("FAIL %s: %s" % (what, seen))

    def identities(self):
        """The identity events of each host: [(reason, note, event)]."""
        out = collections.defaultdict(list)
        with open(self.log) as f:
            for event in map(json.loads, f):
                if event["cordon"]["kind"] == "identity":
                    c = event["cordon"]
                    out[c["host"]].append((c["reason"], c["note"], event))
        return out

    def settled(self, least):
        """All events, once there are as many and no more come."""
        end, last = time.monotonic() + 5, None
        while True:
            now = self.identities()
            count = sum(map(len, now.values()))
            if (count >= least and count == last) or time.monotonic() > end:
                return now
            last = count
            time.sleep(0.4)

    def same(self, host, got, want):
        pool = list(got)
        for reason, note in want:
            hit = next((g for g in pool if g[0] == reason and note in g[1]), None)
            self.ok(host, hit, "no event %s \"%s\" in %s" % (reason, note, [g[:2] for g in got]))
            if hit:
                pool.remove(hit)
        self.ok(host, not pool, "beyond what was expected: %s" % [g[:2] for g in pool])


def play(check, peers, cases):
    for case in cases:
        lost = case.play(peers)
        check.ok(case.host, lost == 0 if case.declared else lost > 0, "%d packets lost" % lost)


def shape(check, got):
    """An event names the connection, the server at its end, and what was said."""
    for case in Case.all:
        for _, note, e in got.get(case.host, []):
            c = e["cordon"]
            right = (e["dest_ip"] == case.address() and e["src_ip"] == OUTSIDE[6 if case.v6 else 4] and
                     e["app_proto"] == "smb" and "smb" in e and c["rule"] is None and
                     c["action"] == "none" and c["mode"] == case.mode)
            check.ok("the event of " + case.host, right, e)
            check.ok("the note of " + case.host, note.isprintable() and len(note) < 192, note)


def played(what, run, cases, wants):
    """Replay the cases: of each host come the events of wants, beyond those before."""
    check, peers = Check(run), Peers(run)
    before = check.identities()
    play(check, peers, cases)
    got = check.settled(sum(map(len, before.values())) + sum(map(len, wants)))
    for case, want in zip(cases, wants):
        check.same(case.host, got[case.host][len(before[case.host]):], want)
    shape(check, got)
    print("%s: %d hosts, %d identity events, %d checks, %d failed" % (
        what, len(cases), sum(map(len, got.values())) - sum(map(len, before.values())),
        check.done, check.bad))
    return 1 if check.bad else 0


def again(run):
    """Nothing new of those that say the same; of one that says another thing, that."""
    cases = [c for c in Case.all if not c.real]
    changed = next(c for c in cases if c.host == "same")
    changed.edits = [BUILD["6002"], version(6, 0, 6002)]
    for case in cases:
        case.sport += 100
    return played("again", run, cases, [[("differs", "build 6002, 6003 is declared")]
                                        if c is changed else [] for c in cases])


def one(run, host, reason, note):
    case = next(c for c in Case.all if c.host == host)
    case.sport += 200 + len(note)
    return played(host, run, [case], [[(reason, note)]])


def worst(reasons):
    return next((r for r in ("differs", "unknown", "agrees") if r in reasons), "unknown")


def posture(cordon, policy, run):
    """Of each host the build that was seen stands beside the declared one."""
    check = Check(run)
    cmd = [cordon, "posture", policy, "--observed", check.log, "--format"]
    rows = [json.loads(l) for l in subprocess.check_output(cmd + ["json"], text=True).split("\n") if l]
    text = "\n" + subprocess.check_output(cmd + ["text"], text=True)
    by_host = {r["host"]: r for r in rows if "host" in r}
    # What was told while something else was declared is compared anew.
    got = check.identities()
    last = max((e[2] for es in got.values() for e in es), key=lambda e: e["timestamp"])
    digest = last["cordon"]["policy"]["digest"]
    for case in (c for c in Case.all if c.declared):
        row = by_host[case.host]
        events = [e for e in got[case.host] if e[2]["cordon"]["policy"]["digest"] == digest]
        seen = row["observed"]
        part = " ".join(text.split("\n%s  hosts/" % case.host)[1].split("\n\n")[0].split())
        check.ok(case.host, row.get("build") == case.build, row.get("build"))
        check.ok(case.host, seen["verdict"] == worst([e[0] for e in events]), seen)
        check.ok(case.host, ("build %d" % case.build if case.build else "") in part, part)
        if not events:
            check.ok(case.host, "unknown: no event tells what answers there" in part, part)
        for reason, note, e in events:
            build, native = e["smb"].get("ntlmssp", {}).get("version", ""), e["smb"].get("native_os", "")
            check.ok(case.host, any(s["verdict"] == reason and s["text"] == note and
                                    s["ntlm_version"] == build and s["native_os"] == native
                                    for s in seen["sightings"]), (note, build, seen))
            check.ok(case.host, "%s: %s" % (reason, note) in part, (note, part))
    # These are copies of one machine as far as the wire tells: the captures hold one name.
    names = collections.Counter(s["nb_computer"] for r in by_host.values()
                                for s in (r["observed"] or {}).get("sightings", ()) if not s["past"])
    shared = [n for n, count in names.items() if n and count > 1]
    check.ok("names", shared, names)
    for host, row in by_host.items():
        seen = row["observed"]
        mine = {s["nb_computer"] for s in seen["sightings"] if not s["past"]}
        if mine & set(shared):
            check.ok(host, any("answers by the name of" in n for n in seen["notes"]), seen)
    print("posture: %d hosts, %d checks, %d failed" % (len(by_host), check.done, check.bad))
    return 1 if check.bad or not by_host else 0


def write_policy(folder, run):
    os.makedirs(folder + "/hosts", exist_ok=True)
    with open(folder + "/cordon.yaml", "w") as f:
        f.write(POLICY.format(run=run))
    for case in Case.all:
        if case.declared:
            with open("%s/hosts/%s.yaml" % (folder, case.host), "w") as f:
                f.write(case.policy())
    return 0


def own(run):
    cases = [c for c in Case.all if not c.real]
    return played("own captures", run, cases, [c.want for c in cases])


def real(run):
    cases = [c for c in Case.all if c.real]
    missing = sorted({c.file for c in cases if not os.path.exists(os.path.join(LENT, c.file))})
    if missing:
        print("SKIP of this part: no captures of others (%s) in ../shared/pcaps or $CORDON_PCAPS" % missing[0])
        return 77
    return played("captures of others", run, cases, [c.want for c in cases])


VERBS = {f.__name__: f for f in (own, again, one, real, posture)} | {"policy": write_policy}
if __name__ == "__main__":
    sys.exit(VERBS[sys.argv[1]](*sys.argv[2:]))
