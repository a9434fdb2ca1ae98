#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Random policies x random flows: what `explain` says = what the kernel does with the nft
text = what it does with the netlink rendering, with real packets; both list the same.

usage: agreement.py CORDON CORDOND [POLICIES [FLOWS [SEED]]]   (in a namespace of its own)"""
import ipaddress
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time

import packets as P

SIDES = {"lan8": (8, ["10.20.8.0/24", "fd00:20:8::/64"]),
         "lan9": (9, ["10.21.0.0/24", "fd00:21::/64"]),
         "out0": (0, ["10.1.0.0/16", "10.30.0.0/16", "172.16.0.0/16", "fd00:1::/32"])}
PEERS4 = ["10.1.0.5", "10.1.0.0/24", "10.30.0.7", "10.30.0.10-10.30.0.17", "172.16.4.0/22",
          "10.30.4.1", "10.30.4.2"]
PEERS6 = ["fd00:1::5", "fd00:1:0:7::/64", "fd00:1::10-fd00:1::1f"]
NAMED = ["mssql", "http", "https", "ssh", "dns", "rdp", "smb", "ping", "rpc", "snmp", "ldap"]
INLINE = ["tcp/1000-2000", "udp/5000-5003", "tcp/8080", "udp/1514", "icmp/echo-request", "ip/50",
          "tcp/1999", "tcp/445", "sctp/2905"]


class Policy:
    """A random tree, and what flows can be aimed at in it."""

    def __init__(self, rng, root):
        self.rng, self.root = rng, root
        self.hosts, self.aims = {}, []
        os.makedirs(root + "/hosts")
        for i in range(rng.randint(1, 5)):
            near = rng.random() < .6
            self.hosts["h%d" % i] = ["10.2%s.%d" % ("0.8" if near else "1.0", 10 + i)]
            if rng.random() < .6:
                self.hosts["h%d" % i].append("fd00:2%s::%x" % ("0:8" if near else "1", 0x10 + i))
        self.groups = {"jump": ["10.1.0.5", "fd00:1::5", "10.1.0.128/25"],
                       "apps": ["10.30.0.0/24", "fd00:1:0:7::/64", "jump"]}
        self.write()

    def peers(self):
        pool = PEERS4 + PEERS6 + list(self.groups) + list(self.hosts)
        return self.rng.sample(pool, self.rng.randint(1, 4))

    def rule(self, host, out):
        r = self.rng
        services = r.sample(NAMED + INLINE, r.randint(1, 2))
        peers = ["any"] if r.random() < .15 else self.peers()
        text = "    - service: [%s]\n      %s: [%s]\n" % (", ".join(services),
                                                       "to" if out else "from", ", ".join(peers))
        text += "      reason: random\n      exposure: accepted\n      id: r%d\n" % self.n
        self.n += 1
        if r.random() < .15:
            text += "      expires: %s\n" % r.choice(["2020-01-01", "2099-12-31"])
        for s in services:
            for p in peers:
                self.aims.append((host, out, s, p))
        return text

    def write(self):
        r = self.rng
        self.n = 0
        with open(self.root + "/cordon.yaml", "w") as f:
            f.write("cordon: 1\ngateway:\n  interfaces: [lan8, lan9]\n  addresses: [192.0.2.33]\n"
                    "  protect: [10.20.8.0/24, {prefix: \"fd00:20:8::/64\", mode: %s}]\n"
                    % r.choice(["enforce", "observe"]))
        with open(self.root + "/groups.yaml", "w") as f:
            for name, members in self.groups.items():
                f.write("%s: [%s]\n" % (name, ", ".join('"%s"' % m for m in members)))
        for name, addresses in self.hosts.items():
            with open("%s/hosts/%s.yaml" % (self.root, name), "w") as f:
                f.write("host: %s\naddresses: [%s]\n" % (
                    name, ", ".join('"%s"' % a for a in addresses)))
                if r.random() < .25:
                    f.write("mode: observe\n")
                f.write("allow:\n")
                for key, out in (("inbound", False), ("outbound", True)):
                    f.write("  %s:\n" % key)
                    f.write("".join(self.rule(name, out) for _ in range(r.randint(1, 4))))


PORTS = {"mssql": [(6, 1433)], "http": [(6, 80)], "https": [(6, 443)], "ssh": [(6, 22)],
         "dns": [(6, 53), (17, 53)], "rdp": [(6, 3389)], "smb": [(6, 445)], "ping": [(1, 8)],
         "rpc": [(6, 135), (6, 49152), (6, 65535), (6, 49151), (6, 50000)], "snmp": [(17, 161)],
         "ldap": [(6, 389), (17, 389)], "tcp/1000-2000": [(6, p) for p in (999, 1000, 1500, 2000, 2001)],
         "udp/5000-5003": [(17, p) for p in (4999, 5000, 5003, 5004)], "tcp/8080": [(6, 8080)],
         "udp/1514": [(17, 1514)], "icmp/echo-request": [(1, 8), (1, 13)], "ip/50": [(50, 0), (51, 0)],
         "tcp/1999": [(6, 1999)], "tcp/445": [(6, 445)], "sctp/2905": [(132, 2905)]}


def around(rng, text, policy):
    """An address in or at the edge of what a peer's text covers."""
    if text in policy.hosts:
        return rng.choice(policy.hosts[text])
    if text in policy.groups:
        return around(rng, rng.choice(policy.groups[text]), policy)
    if text == "any":
        return rng.choice(["172.16.9.9", "10.30.200.1", "fd00:1::99"])
    if "-" in text:
        lo, hi = map(ipaddress.ip_address, text.split("-"))
    elif "/" in text:
        net = ipaddress.ip_network(text)
        lo, hi = net[0], net[-1]
    else:
        lo = hi = ipaddress.ip_address(text)
    pick = rng.choice([lo, hi, lo + (int(hi) - int(lo)) // 2] * 3 + [lo - 1, hi + 1])
    return str(pick)


def random_flow(rng, policy):
    if policy.aims and rng.random() < .85:
        host, out, service, peer = rng.choice(policy.aims)
        mine, other = rng.choice(policy.hosts[host]), around(rng, peer, policy)
        src, dst = (mine, other) if out else (other, mine)
        proto, port = rng.choice(PORTS[service])
    else:
        pool = [a for h in policy.hosts.values() for a in h] + [
            "10.20.8.99", "fd00:20:8::99", "10.1.0.5", "10.30.1.1", "fd00:1::5"]
        src, dst = rng.sample(pool, 2)
        proto, port = rng.choice([(6, 445), (6, 3389), (6, 80), (17, 53), (1, 8), (17, 3544), (41, 0)])
    if proto in (1, 58):
        six = ":" in src
        proto, port = (58, {8: 128, 13: 130}[port]) if six else (1, port)
    return src, dst, proto, port


def wanted(gw, flow, policy):
    """Flows that this lab can carry: one family, two sides, place as routed.  A source
    inside that nobody declared or protects is a spoof: step 0, not the evaluator's."""
    src, dst, proto, port = flow
    declared = {a for h in policy.hosts.values() for a in h}
    a, b = gw.side_of(src), gw.side_of(dst)
    return ((":" in src) == (":" in dst) and a and b and a != b and proto + port != 58 + 130
            and not any(gw.side_of(x) == "lan9" and x not in declared for x in (src, dst)))


def service_text(proto, port):
    names = {6: "tcp", 17: "udp", 132: "sctp"}
    if proto in names:
        return "%s/%d" % (names[proto], port)
    if proto in (1, 58):
        return "%s/%d" % ("icmp" if proto == 1 else "icmpv6", port)
    return "ip/%d" % proto


def explain(cordon, root, flows):
    text = "".join("%s %s %s\n" % (s, d, service_text(p, q)) for s, d, p, q in flows)
    out = subprocess.run([cordon, "explain", root, "-"], input=text, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
    return [json.loads(line)["verdict"] for line in out.splitlines()]


class Trial:
    """One rendering in the kernel, all flows sent through it."""

    def __init__(self, gw, flows, sport):
        self.gw, self.flows, self.sport = gw, flows, sport

    def send(self, flags, reverse=False):
        """Indexes of the flows whose packet came out at the other side."""
        out = set()
        for at in range(0, len(self.flows), 64):
            chunk = range(at, min(at + 64, len(self.flows)))
            want = {}
            for i in chunk:
                src, dst, proto, port = self.flows[i]
                sport = self.sport + i
                if reverse:
                    src, dst = dst, src
                    if proto in (P.ICMP, P.ICMP6):
                        port = {8: 0, 13: 14, 128: 129}[port]
                side = self.gw.side_of(src)
                a, b = (sport, port) if not reverse or proto in (P.ICMP, P.ICMP6) else (port, sport)
                ip = P.packet(src, dst, proto, a, b, flags if proto == P.TCP else 0, b"x" * 8
                              if proto not in (P.TCP,) else b"")
                key = P.key_of(ip)
                want.setdefault(key, (self.gw.side_of(dst), []))[1].append(i)
                self.gw.send(side, ip)
            got = self.gw.settle()
            for key, (side, indexes) in want.items():
                if key in got[side]:
                    out.update(indexes)
        return out


def strip(listing):
    """Without what only a running table has: the chain that carries digest, commit and
    generation, the flags of ownership, the floor under timed rules."""
    listing = re.sub(r"\tchain cordon_applied \{.*?\n\t\}\n", "", listing, flags=re.S)
    listing = re.sub(r"meta time >= \"[^\"]*\" ", "", listing)
    names = {}  # chains named by their content, of which the floor is a part
    listing = re.sub(r"\b[0-9a-f]{20}\b|(?<=_)[0-9a-f]{20}\b",
                     lambda m: "#%d" % names.setdefault(m.group(), len(names)), listing)
    return [l for l in listing.splitlines() if l and not re.match(r"\t(comment \"cordon|flags )", l)]


def listing():
    out = subprocess.run(["nft", "-s", "list", "table", "inet", "cordon"], text=True,
                         stdout=subprocess.PIPE, check=True).stdout
    out = re.sub(r"table inet cordon \{ # progname.*", "table inet cordon {", out)
    return re.sub(r"(log prefix \"cordon \w+ g)\d+", r"\1N", out)  # the generation


def load_text(cordon, root):
    text = subprocess.run([cordon, "compile", root, "--format", "nft"], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          check=True).stdout
    done = subprocess.run(["nft", "-f", "-"], input=text, text=True, stderr=subprocess.PIPE)
    if done.returncode and "Message too long" in done.stderr and in_user_namespace():
        return False  # the socket's buffer may only be enlarged by the real root
    if done.returncode:
        raise SystemExit("nft -f refused the text rendering: " + done.stderr)
    return True


def in_user_namespace():
    with open("/proc/self/uid_map") as f:
        return f.read().split() != ["0", "0", "4294967295"]


def load_netlink(cordond, root, work):
    subprocess.run(["nft", "delete", "table", "inet", "cordon"], check=True)
    state, rundir = tempfile.mkdtemp(dir=work), tempfile.mkdtemp(dir=work)
    subprocess.run([cordond, "-e", "-c", root, "--state-dir", state, "--runtime-dir", rundir],
                   check=True, stderr=subprocess.DEVNULL)


def main():
    cordon, cordond = sys.argv[1], sys.argv[2]
    policies = int(sys.argv[3]) if len(sys.argv) > 3 else 6
    nflows = int(sys.argv[4]) if len(sys.argv) > 4 else 300
    seed = int(sys.argv[5]) if len(sys.argv) > 5 else int(time.time())
    rng = random.Random(seed)
    print("agreement: seed %d, %d policies x %d flows" % (seed, policies, nflows))
    gw = P.Gateway(SIDES)
    count = {"flows": 0, "allow": 0, "deny": 0, "pass": 0, "ipv6": 0, "answers": 0, "midstream": 0, "two-sided": 0,
             "too large without root": 0}
    wrong = 0
    with tempfile.TemporaryDirectory() as work:
        for n in range(policies):
            root = "%s/p%d" % (work, n)
            policy = Policy(rng, root)
            flows, portless = [], set()
            while len(flows) < nflows:
                flow = random_flow(rng, policy)
                # without ports both directions are one connection to conntrack: one of them
                if wanted(gw, flow, policy) and (flow[1], flow[0]) + flow[2:] not in portless:
                    flows.append(flow)
                    if flow[2] not in (6, 17, 132):
                        portless.add(flow)
            verdicts = explain(cordon, root, flows)
            listings = []
            for kind in ("text", "netlink"):
                if kind == "text":
                    if not load_text(cordon, root):
                        count["too large without root"] += 1
                        break
                else:
                    load_netlink(cordond, root, work)
                listings.append(listing())
                subprocess.run(["conntrack", "-F"], check=True, stderr=subprocess.DEVNULL)
                trial = Trial(gw, flows, 20000 if kind == "text" else 30000)
                passed = trial.send(P.SYN)
                answered = trial.send(P.SYN | P.ACK, reverse=True)
                for i, flow in enumerate(flows):
                    want = verdicts[i] != "deny"
                    if (i in passed) != want:
                        wrong += 1
                        print("DISAGREE policy %d %s: %s: explain %s, kernel %s" % (
                            n, kind, flow, verdicts[i], "passed" if i in passed else "dropped"))
                    if want and i not in answered and flow[2] in (6, 17, 1, 58):
                        wrong += 1
                        print("ANSWER LOST policy %d %s: %s" % (n, kind, flow))
                # mid-stream: no connection is known, forward or reversed look-up decides
                tcp = [f for f in flows if f[2] == 6][:100]
                back = explain(cordon, root, [(d, s, 6, 40000 + i) for i, (s, d, _, _) in enumerate(tcp)])
                ahead = explain(cordon, root, tcp)
                middle = Trial(gw, tcp, 40000).send(P.ACK)
                for i, flow in enumerate(tcp):
                    want = ahead[i] != "deny" or back[i] != "deny"
                    if (i in middle) != want:
                        wrong += 1
                        print("MIDSTREAM policy %d %s: %s: want %s" % (n, kind, flow, want))
                count["midstream"] += len(tcp)
                count["answers"] += len(answered)
            if len(listings) < 2:
                continue
            if strip(listings[0]) != strip(listings[1]):
                wrong += 1
                a, b = strip(listings[0]), strip(listings[1])
                for x, y in zip(a, b):
                    if x != y:
                        print("LISTING differs:\n  text:    %s\n  netlink: %s" % (x, y))
                        break
                else:
                    print("LISTING differs in length: %d, %d lines" % (len(a), len(b)))
            count["flows"] += len(flows)
            for v, f in zip(verdicts, flows):
                count[v] += 1
                count["ipv6"] += ":" in f[0]
                count["two-sided"] += "out0" not in (gw.side_of(f[0]), gw.side_of(f[1]))
            subprocess.run(["nft", "delete", "table", "inet", "cordon"], check=True)
            if wrong:
                print("policy kept for a look:")
                subprocess.run("for f in %s/*.yaml %s/*/*.yaml; do echo \"# ${f##*/}\"; cat $f; done" % (root, root), shell=True)
                break
    print("agreement: seed %d: %d flows x 2 renderings (%s): %d disagreements" % (
        seed, count["flows"], ", ".join("%s %d" % kv for kv in count.items() if kv[0] != "flows"), wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
