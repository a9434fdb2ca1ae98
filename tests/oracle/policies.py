# SPDX-License-Identifier: GPL-2.0-or-later
"""Random policy trees, and random flows aimed at what they say and at its edges."""
import datetime
import ipaddress
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "net"))
import cases  # noqa: E402  the payloads
import gates  # noqa: E402
import packets as P  # noqa: E402

SIDES = {"lan8": (8, ["10.20.8.0/24", "fd00:20:8::/64"]),
         "lan9": (9, ["10.21.0.0/24", "fd00:21::/64"]),
         "out0": (0, ["10.1.0.0/16", "10.30.0.0/16", "172.16.0.0/16", "fd00:1::/32"])}
# two of them within protected prefixes, and yet not protected
OWN = [("lan8", "10.20.8.1"), ("lan8", "fd00:20:8::1"), ("out0", "10.1.255.254")]
PEERS = ["10.1.0.5", "10.1.0.0/24", "10.30.0.7", "10.30.0.10-10.30.0.17", "172.16.4.0/22",
         "10.30.4.1", "10.30.4.2", "fd00:1::5", "fd00:1:0:7::/64", "fd00:1::10-fd00:1::1f",
         "10.30.8.0/21", "fd00:1:1::/48"]
GROUPS = {"jump": ["10.1.0.5", "fd00:1::5", "10.1.0.128/25"],
          "apps": ["10.30.0.0/24", "fd00:1:0:7::/64", "jump"],
          "far": ["172.16.9.0-172.16.9.8", "h0"],
          # more ranges than stand in a chain by themselves
          "many": ["10.30.%d.%d-10.30.%d.%d" % (n, n, n, n + 9) for n in range(100, 110)] +
                  ["fd00:1:%x::/64" % n for n in range(16, 34, 2)] + ["172.16.20.%d" % n for n in range(0, 40, 2)]}
OWN_SERVICES = """plc: {ports: [tcp/102, udp/102], short_opening: allow}
files: {ports: [tcp/4450-4453], speaks: smb}
cell: {bundle: [plc, snmp, tcp/8081, tcp/139]}
"""
# what a rule may name, and ports in it and at its edges
NAMED = {"mssql": [(6, 1433)], "http": [(6, 80)], "ssh": [(6, 22)], "dns": [(6, 53), (17, 53)],
         "rdp": [(6, 3389)], "smb": [(6, 445)], "netbios": [(6, 139)], "ping": [(1, 8)],
         "rpc": [(6, 135), (6, 49152), (6, 65535), (6, 49151), (6, 50000)], "snmp": [(17, 161)],
         "ldap": [(6, 389), (17, 389)], "ad-member": [(6, 88), (17, 123), (6, 445), (6, 3269)],
         "plc": [(6, 102), (17, 102)], "files": [(6, p) for p in (4449, 4450, 4451, 4453, 4454)],
         "cell": [(6, 8081), (17, 161), (6, 102), (6, 139)],
         "tcp/1000-2000": [(6, p) for p in (999, 1000, 1500, 2000, 2001)],
         "udp/5000-5003": [(17, p) for p in (4999, 5000, 5001, 5003, 5004)], "tcp/8080": [(6, 8080)],
         "udp/1514": [(17, 1514)], "icmp/echo-request": [(1, 8)], "icmp/8-13": [(1, 8), (1, 13)],
         "ip/50": [(50, 0), (97, 0)], "ip/41": [(41, 0)], "tcp/1999": [(6, 1999)], "tcp/445": [(6, 445)],
         "sctp/2905": [(132, 2905)], "tcp/65535": [(6, 65535), (6, 65534)], "tcp/1-2": [(6, 1), (6, 2), (6, 3)]}
EDGES = {(6, p) for p in (999, 1000, 2000, 2001, 49151, 49152, 65535, 65534, 4449, 4450, 4453, 4454, 1, 2, 3)} | \
    {(17, p) for p in (4999, 5000, 5003, 5004)}
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]
SCHEDULES = ["Mon-Fri 07:00-19:00", "Sat,Sun", "Mon-Sun 00:00-24:00", "Fri-Mon 22:00-06:00",
             "00:00-12:00", "12:00-24:00", "Mon,Wed 06:00-14:00 Sun 01:30-03:15", "Sun 02:00-02:30"]
# what a rule with these may require
REQUIRES = {"rdp": ["nla"], **{s: ["smb2", "signing"] for s in ("smb", "netbios", "tcp/445", "files", "ad-member")}}
GATED = {"nla": [(6, 3389)], "smb2": [(6, 445), (6, 139), (6, 4451)]}
GATES = {"nla": [steps for _, steps, _ in gates.RDP_CASES],
         "smb2": [steps for _, steps, _ in gates.SMB_CASES] + [steps for _, steps, _ in gates.NETBIOS_CASES]}
WHOLE = [d for _, d in cases.OPENINGS]
SURE = [cases.SMB1_NEGOTIATE, cases.SMB2_NEGOTIATE, cases.RDP_COOKIE, cases.RDP_NEG]
BENIGN = [cases.HTTP, cases.TDS, cases.S7_CONNECT, b"x" * 8, b"EHLO a\r\n", b"l", b"ls\r\n"]


class Tree:
    """A random policy tree on disk, and what flows can be aimed at in it."""

    def __init__(self, rng, root, now):
        self.rng, self.root, self.now, self.n = rng, root, now, 0
        self.hosts, self.aims, self.edges, self.gated = {}, [], [], []
        os.makedirs(root + "/hosts")
        for i in range(rng.randint(2, 5)):
            near = i == 0 or (i > 1 and rng.random() < .5)
            self.hosts["h%d" % i] = ["10.2%s.%d" % ("0.8" if near else "1.0", 10 + i)]
            if rng.random() < .7:
                self.hosts["h%d" % i].append("fd00:2%s::%x" % ("0:8" if near else "1", 0x10 + i))
        self.write()

    def file(self, name, text):
        with open(os.path.join(self.root, name), "w") as f:
            f.write(text)

    def write(self):
        r = self.rng
        mode = lambda: r.choice(["enforce", "enforce", "observe"])
        far = ", {prefix: 10.21.0.128/25, mode: %s}" % mode() if r.random() < .5 else ""
        self.file("cordon.yaml", "cordon: 1\ngateway:\n  interfaces: [lan8, lan9]\n  addresses: [%s]\n"
                  "  protect: [{prefix: 10.20.8.0/24, mode: %s}, {prefix: \"fd00:20:8::/64\", mode: %s}%s]\n"
                  "  management: [10.1.9.0/24]\n  timezone: %s\n" % (
                      ", ".join('"%s"' % a for _, a in OWN), mode(), mode(), far, r.choice(ZONES)))
        self.file("groups.yaml", "".join("%s: [%s]\n" % (name, ", ".join('"%s"' % m for m in members))
                                         for name, members in GROUPS.items()))
        self.file("services.yaml", OWN_SERVICES)
        for name, addresses in self.hosts.items():
            text = "host: %s\naddresses: [%s]\n" % (name, ", ".join('"%s"' % a for a in addresses))
            text += "mode: observe\n" if r.random() < .2 else ""
            for key, out in (("allow:\n  inbound", False), ("  outbound", True)):
                text += "%s:\n" % key + "".join(self.rule(name, out) for _ in range(r.randint(2, 5)))
            self.file("hosts/%s.yaml" % name, text)

    def peers(self, host):
        others = [h for h in self.hosts if h != host]
        pool = PEERS + list(GROUPS) + ["many"] + others * 3 + ["gateway"]
        return ["any"] if self.rng.random() < .15 else self.rng.sample(pool, self.rng.randint(1, 4))

    def rule(self, host, out):
        r = self.rng
        services, peers = r.sample(sorted(NAMED), r.randint(1, 3)), self.peers(host)
        text = "    - {id: r%d, service: [%s], %s: [%s], reason: random, exposure: accepted" % (
            self.n, ", ".join(services), "to" if out else "from",
            ", ".join('"%s"' % p for p in peers))
        self.n += 1
        if "tcp/8080" in services and not {"tcp/1-2", "tcp/1000-2000"} & set(services) and r.random() < .5:
            text += ", speaks: [%s]" % r.choice(["smb", "rdp"])
        may = [q for s in services for q in REQUIRES.get(s, [])]
        if "speaks: [rdp]" in text and "nla" not in may:
            may.append("nla")
        if may and r.random() < .7:
            require = r.sample(sorted(set(may)), r.randint(1, len(set(may))))
            text += ", require: [%s]" % ", ".join(require)
            self.gated += [(host, out, q, p) for q in require if q in GATED for p in peers]
        if r.random() < .15:
            text += ", expires: \"%s\"" % self.end()
        if r.random() < .15:
            text += ", schedule: \"%s\"" % r.choice(SCHEDULES)
        self.aims += [(host, out, s, p) for s in services for p in peers]
        return text + "}\n"

    def end(self):
        today = datetime.datetime.fromtimestamp(self.now, datetime.timezone.utc)
        days = datetime.timedelta(days=self.rng.choice([-1000, -1, 0, 1, 1000]))
        if self.rng.random() < .5:
            at = (today + days).replace(hour=0, minute=0, second=0, microsecond=0)
            self.edges.append(int(at.timestamp()) + 86400)
            return at.strftime("%Y-%m-%d")
        at = today + days + datetime.timedelta(hours=self.rng.choice([-2, 2]))
        self.edges.append(int(at.timestamp()))
        zone = datetime.timezone(datetime.timedelta(hours=self.rng.choice([0, 2, -5])))
        return at.astimezone(zone).isoformat(timespec="seconds")

    def text(self):
        out = ""
        for dir, _, files in sorted(os.walk(self.root)):
            for name in sorted(files):
                with open(os.path.join(dir, name)) as f:
                    out += "# %s\n%s" % (name, f.read())
        return out


class Flow:
    """kind: open, opening, gate, midstream or spoof.  enters: the client's interface; steps:
    [(sender, flags, payload)], sender 0 the client, 1 the server."""

    def __init__(self, kind, src, dst, proto, port, tags):
        self.kind, self.src, self.dst, self.proto, self.port = kind, src, dst, proto, port
        self.tags, self.enters, self.steps = set(tags), None, []

    def __str__(self):
        steps = ", ".join("%s %s%s" % ("><"[s], {2: "syn", 18: "syn-ack", 16: "ack", 0: "data"}[f],
                                     " " + d.hex() if d and d != b"x" * 8 else "")
                          for s, f, d in self.steps)
        return "%s %s -> %s %s enters %s [%s]" % (self.kind, self.src, self.dst,
                                                 service(self.proto, self.port), self.enters, steps)

    def packet(self, step, sport):
        sender, flags, payload = self.steps[step]
        src, dst, a, b = self.src, self.dst, sport, self.port
        if sender == 1:
            src, dst = dst, src
            if self.proto in (P.ICMP, P.ICMP6):
                b = reply_type(self.port)
            else:
                a, b = b, a
        before = lambda who: sum(len(d) + (f & P.SYN > 0) for s, f, d in self.steps[:step] if s == who)
        return P.packet(src, dst, self.proto, a, b, flags, payload,
                        seq=1000 + before(sender), ack=1000 + before(1 - sender))


def reply_type(ask):
    return {8: 0, 13: 14, 128: 129}[ask]


def service(proto, port):
    names = {6: "tcp", 17: "udp", 132: "sctp", 1: "icmp", 58: "icmpv6"}
    return "%s/%d" % (names[proto], port) if proto in names else "ip/%d" % proto


def around(rng, text, tree):
    """(address, whether it is at an edge) in or beside what a peer's text covers."""
    if text in tree.hosts:
        return rng.choice(tree.hosts[text]), False
    if text in GROUPS:
        return around(rng, rng.choice(GROUPS[text]), tree)
    if text == "gateway":
        return rng.choice(OWN)[1], False
    if text == "any":
        return rng.choice(["172.16.9.9", "10.30.200.1", "fd00:1::99"]), False
    ends = text.split("-") if "-" in text else None
    net = None if ends else ipaddress.ip_network(text)
    lo, hi = map(ipaddress.ip_address, ends or (net[0], net[-1]))
    pick = rng.choice([lo, hi, lo + (int(hi) - int(lo)) // 2] * 3 + [lo - 1, hi + 1])
    return str(pick), pick in (lo, hi, lo - 1, hi + 1) and (lo != hi or pick != lo)


def aimed(rng, tree, kind):
    """(src, dst, proto, port, tags) in what some rule says, or near."""
    if kind == "gate":
        host, out, what, peer = rng.choice(tree.gated)
        mine, (other, edge) = rng.choice(tree.hosts[host]), around(rng, peer, tree)
        ends = (mine, other) if out else (other, mine)
        return ends + rng.choice(GATED[what]) + (["boundary address"] * edge,)
    if rng.random() < .1:
        pool = [a for h in tree.hosts.values() for a in h] + [
            "10.20.8.99", "fd00:20:8::99", "10.20.8.0", "10.20.8.255", "10.21.0.127", "10.21.0.128",
            "10.1.0.5", "10.30.1.1", "fd00:1::5", "10.20.8.1", "10.1.9.7"]
        src, dst = rng.sample(pool, 2)
        edge = {src, dst} & {"10.20.8.0", "10.20.8.255", "10.21.0.127", "10.21.0.128", "10.20.8.1"}
        proto, port = rng.choice([(6, 445), (6, 3389), (6, 80), (17, 53), (1, 8), (17, 3544), (41, 0)])
        tags = ["boundary address"] if edge else []
    else:
        host, out, name, peer = rng.choice(tree.aims)
        mine, (other, edge) = rng.choice(tree.hosts[host]), around(rng, peer, tree)
        src, dst = (mine, other) if out else (other, mine)
        proto, port = rng.choice(NAMED[name])
        tags = ["boundary address"] if edge else []
        if proto in (6, 17) and 1 < port < 65535 and rng.random() < .06:
            port += rng.choice([-1, 1])
            tags.append("boundary port")
        if (proto, port) in EDGES:
            tags.append("boundary port")
    if proto == 1 and ":" in src:
        if port != 8:
            return None
        proto, port = 58, 128
    return src, dst, proto, port, tags


def exchange(rng, flow, local):
    """What is sent."""
    data = b"x" * 8
    if flow.kind == "spoof":
        return [(0, P.SYN, b"") if flow.proto == P.TCP else (0, 0, data)]
    if flow.kind == "midstream":
        first = rng.randint(0, 1)
        return [(first, P.ACK, data), (1 - first, P.ACK, data)]
    if flow.kind == "gate":
        said = list(rng.choice(GATES["nla" if flow.port == 3389 else "smb2"]))
        if rng.random() < .1:  # of the other protocol, or what comes twice, or never
            said = list(rng.choice(GATES["smb2" if flow.port == 3389 else "nla"]))
        elif rng.random() < .2:
            at = rng.randrange(len(said))
            said[at:at + 1] = rng.choice([[], [said[at]] * 2, [said[at], rng.choice(BENIGN)]])
        said.append(rng.choice(said) if said else data)
        return [(0, P.SYN, b""), (1, P.SYN | P.ACK, b""), (0, P.ACK, b""),
                *((1, P.ACK, s[0]) if isinstance(s, tuple) else (0, P.ACK, s) for s in said)]
    if flow.kind == "opening":
        whole = rng.choice(WHOLE)
        cut = rng.choice([0, 0, 0, 1, 2, 3, 4, 5, 7])
        parts = [whole[:cut], whole[cut:]] if cut else [whole]
        if rng.random() < .4:
            parts.insert(0, rng.choice(BENIGN))
        elif rng.random() < .3:
            parts = rng.choices(BENIGN, k=2)
        return [(0, P.SYN, b""), (1, P.SYN | P.ACK, b""), (0, P.ACK, b""),
                *((0, P.ACK, p) for p in parts), (1, P.ACK, data), (0, P.ACK, rng.choice(WHOLE + BENIGN))]
    if flow.proto == P.TCP:  # the gateway's own kernel answers what reaches it
        return [(0, P.SYN, b"")] + ([] if local else [(1, P.SYN | P.ACK, b"")])
    return [(0, 0, data)] + ([(1, 0, data)] if flow.proto != P.SCTP else [])


def random_flow(rng, tree, gw):
    """A flow that the lab can carry, or None."""
    kind = rng.choices(["open", "opening", "gate", "midstream", "spoof"], [40, 22, 16 * bool(tree.gated), 13, 11])[0]
    made = aimed(rng, tree, kind)
    if not made or (":" in made[0]) != (":" in made[1]):
        return None
    flow = Flow(kind, *made)
    if kind == "spoof":
        if "." in flow.src and rng.random() < .1:
            flow.src = "169.254.7.7"
        flow.enters = rng.choice([s for s in SIDES if s not in (gw.side_of(flow.src), gw.side_of(flow.dst))])
    a, b = gw.side_of(flow.src), gw.side_of(flow.dst)
    local = "local" in (a, b)
    if not b or a == b or flow.src == flow.dst or (not a and kind != "spoof"):
        return None
    if local and (kind not in ("open", "spoof") or (kind == "spoof" and a == "local") or flow.proto in (41, 97)):
        return None
    if kind in ("opening", "gate", "midstream") and flow.proto != P.TCP:
        return None
    flow.enters = flow.enters or a
    flow.steps = exchange(rng, flow, local)
    return flow
