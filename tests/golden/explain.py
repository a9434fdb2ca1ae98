#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Sets of flows: `cordon explain` of a set says what it says of each flow.

explain.py CORDON [SEED [ROUNDS]].  Random sets of the examples and golden policies: their
regions are disjoint, hold every flow at the edges of the set, of the regions and of the
declared addresses, and each is judged alone as its region says, by the same rules."""
import glob
import ipaddress
import json
import os
import random
import re
import subprocess
import sys

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
AT = "2026-06-03T10:00:00Z"
PROTO = {"tcp": 6, "udp": 17, "sctp": 132, "icmp": 1, "icmpv6": 58}
SERVICES = ["tcp/445", "tcp/1-1024", "tcp/3389", "rdp", "smb", "udp/53", "ad-member", "tcp/1-65535",
            "icmp/echo-request", "any"]


def ends(text):
    if "-" in text and ":" not in text.split("-")[0] or text.count("-") == 1:
        lo, _, hi = text.partition("-")
        if hi:
            return int(ipaddress.ip_address(lo)), int(ipaddress.ip_address(hi)), \
                ipaddress.ip_address(lo).version
    net = ipaddress.ip_network(text)
    return int(net[0]), int(net[-1]), net.version


class Region:
    def __init__(self, r):
        self.json = r
        self.src, self.dst = ends(r["src"]), ends(r["dst"])
        lo, _, hi = r["proto"].partition("-")
        number = lambda w: PROTO.get(w, w) if not w.isdigit() else int(w)
        self.proto = (0, 255) if lo == "any" else (number(lo), number(hi or lo))
        lo, _, hi = r["ports"].partition("-")
        self.ports = (int(lo), int(hi or lo))

    def has(self, src, dst, v, proto, port):
        return self.src[2] == v and self.src[0] <= src <= self.src[1] and \
            self.dst[0] <= dst <= self.dst[1] and self.proto[0] <= proto <= self.proto[1] and \
            self.ports[0] <= port <= self.ports[1]


def words_of(tree):
    """Addresses, groups and hosts that the policy names."""
    text = "".join(open(f, encoding="utf-8").read()
                   for f in glob.glob(tree + "/**/*.yaml", recursive=True))
    hosts = re.findall(r"^host: ([a-z0-9-]+)", text, re.M)
    found = re.findall(r"[0-9]+(?:\.[0-9]+){3}(?:/[0-9]+)?|[0-9a-f]+:[0-9a-f:]+(?:/[0-9]+)?", text)
    nets = []
    for a in found:
        try:
            nets.append(ipaddress.ip_network(a))
        except ValueError:
            pass
    groups = []
    for f in glob.glob(tree + "/groups.yaml"):
        groups = re.findall(r"^([a-z0-9-]+):", open(f, encoding="utf-8").read(), re.M)
    return hosts, groups, nets


def random_end(rnd, hosts, groups, nets):
    kind = rnd.randrange(6)
    net = rnd.choice(nets)
    if kind == 0:
        return rnd.choice(hosts)
    if kind == 1 and groups:
        return rnd.choice(groups)
    if kind == 2:
        return rnd.choice(["any", "*"])
    if kind == 3:
        return "!" + rnd.choice(groups + hosts)
    if kind == 4:
        top = 32 if net.version == 4 else 128
        return str(net.supernet(new_prefix=max(0, min(top, net.prefixlen) - rnd.choice([0, 1, 4, 8]))))
    lo = int(net[0]) - rnd.randrange(3)
    kind = ipaddress.IPv4Address if net.version == 4 else ipaddress.IPv6Address
    return "%s-%s" % (kind(max(lo, 1)), kind(int(net[-1]) + rnd.randrange(3)))


def run(cordon, tree, *args, text=None):
    p = subprocess.run([cordon, "explain", tree, *args, "--at", AT], input=text,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return p.returncode, p.stdout, p.stderr


def service(proto, port):
    for name, number in PROTO.items():
        if number == proto:
            return "%s/%d" % (name, port)
    return "ip/%d" % proto


def check_set(rnd, cordon, tree, ask, nets):
    code, out, err = run(cordon, tree, *ask, "--format", "json")
    if code == 2 and "no flow at all" in err:
        return 0, 0
    if code != 0:
        raise SystemExit("explain: %s %s: exit %d: %s" % (tree, ask, code, err))
    raw = json.loads(out)
    if "regions" not in raw:
        return 0, 0  # both were single ends
    regions = [Region(r) for r in raw["regions"]]
    flows = []
    for r in regions:
        v = r.src[2]
        src, dst = set(r.src[:2]), set(r.dst[:2])
        for net in rnd.sample(nets, min(6, len(nets))):
            if net.version == v:
                src |= {int(net[0]), int(net[-1])}
                dst |= {int(net[0]), int(net[-1])}
        for _ in range(6):
            proto = rnd.choice([p for p in set(r.proto) | {6, 17}
                                if r.proto[0] <= p <= r.proto[1]])
            port = rnd.choice(r.ports)
            if proto not in PROTO.values():
                port = 0
            if proto in (1, 58):
                port = min(port, 255)
            flows.append((rnd.choice(sorted(src)), rnd.choice(sorted(dst)), v, proto, port))
    flows = [f for f in flows if f[3] in (6, 17, 132) and f[4] > 0 or f[3] in (1, 58) and
             (f[3] == 1) == (f[2] == 4)]
    lines, held = [], []
    for f in flows:
        mine = [r for r in regions if r.has(*f)]
        if len(mine) > 1:
            raise SystemExit("explain: %s %s: regions share %s" % (tree, ask, f))
        if mine:
            kind = ipaddress.IPv4Address if f[2] == 4 else ipaddress.IPv6Address
            lines.append("%s %s %s\n" % (kind(f[0]), kind(f[1]), service(f[3], f[4])))
            held.append(mine[0].json)
    code, out, err = run(cordon, tree, "-", text="".join(lines))
    answers = [json.loads(line) for line in out.splitlines()]
    for line, r, a in zip(lines, held, answers):
        sides = [(s["host"], s["direction"], s["verdict"], s["rule"]) for s in a.get("sides", [])]
        mine = [(s["host"], s["direction"], s["verdict"], s["rule"]) for s in r["sides"]]
        if a.get("verdict") != r["verdict"] or not set(mine) <= set(sides) or \
                (r["verdict"] == "allow" and (mine != sides or a["guards"] != r["guards"]
                                              and r["proto"] == "tcp")):
            raise SystemExit("explain: %s %s: %s is %s, its region %s" % (
                tree, ask, line.strip(), json.dumps(a), json.dumps(r)))
    return len(regions), len(answers)


def main():
    cordon = sys.argv[1]
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 16)
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 20
    rnd = random.Random(seed)
    print("explain: seed %d" % seed, flush=True)
    trees = [(t, words_of(t)) for t in sorted(glob.glob(TOP + "/rules/examples/*/") +
             glob.glob(TOP + "/tests/golden/*/policy/")) if os.path.exists(t + "cordon.yaml")]
    sets = regions = flows = 0
    for n in range(rounds):
        tree, words = rnd.choice(trees)
        ask = (random_end(rnd, *words), random_end(rnd, *words), rnd.choice(SERVICES))
        if n == 0: # was wrong once: a guard's exception within the sources
            tree, ask = TOP + "/rules/examples/plant/", ("10.1.3.0/24", "!mes-db", "tcp/1-65535")
        r, f = check_set(rnd, cordon, tree, ask, words[2])
        sets, regions, flows = sets + (r > 0), regions + r, flows + f
    if sets < rounds // 3 or flows < sets:
        raise SystemExit("explain: only %d sets and %d flows were tried" % (sets, flows))
    print("explain: %d sets, %d regions, %d flows: 0 disagreements" % (sets, regions, flows))


main()
