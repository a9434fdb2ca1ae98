#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Random policies x random flows: the oracle = `explain` = the kernel with the nft text = the
kernel with the netlink rendering = `replay`, with real packets.

usage: run.py CORDON CORDOND SERVICES [POLICIES [FLOWS [SEED [SECONDS]]]]
(in a network namespace of its own; SERVICES: the folder of shipped services; with SECONDS:
as many policies as fit)"""
import collections
import copy
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time

import oracle as O
import policies as S
import packets as P

SHARES = {"allowed": 30, "boundary address": 5, "boundary port": 5, "reply": 5, "two-sided": 5,
          "observe": 5, "IPv6": 5, "opening": 5, "gate": 5, "midstream": 5, "spoof": 5}
ENOUGH = 3000  # flows, for the shares to be asked for
SAID = {"nla": "only if the server selects NLA", "smb2": "only if the server answers in SMB2",
        "signing": "only if an end requires signing"}
GROUPS_OF = ["224.0.0.251", "239.1.2.3", "255.255.255.255", "ff02::fb"]


class Disagreement(Exception):
    pass


def output(*cmd, **more):
    done = subprocess.run(cmd, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
    if done.returncode:
        raise Disagreement("%s: exit %d: %s" % (cmd[1], done.returncode, done.stderr[-2000:]))
    return done.stdout


# ---- the product ----

def explain(cordon, root, asked, at):
    """asked: [(src, dst, proto, port)]"""
    text = "".join("%s %s %s\n" % (s, d, S.service(p, q)) for s, d, p, q in asked)
    out = output(cordon, "explain", "--at", utc(at), root, "-", input=text)
    return [json.loads(line) for line in out.splitlines()]


def utc(at):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def ends_key(proto, ends):
    return proto, tuple(sorted(ends))


def replay(cordon, root, flows, at, work):
    """{both ends and protocol: what is said}, each flow's packets read from a capture."""
    path = work + "/flows.pcap"
    P.write_pcap(path, [(at, f.packet(i, 20000 + n)) for n, f in enumerate(flows) for i in range(len(f.steps))])
    found = {}
    for line in output(cordon, "replay", "--format", "json", root, path).splitlines():
        r = json.loads(line)
        if "src_ip" in r:
            kind = r["proto"]
            proto = {"tcp": 6, "udp": 17, "sctp": 132, "icmp": 1, "icmpv6": 58}.get(kind) or int(kind.split("/")[-1])
            ends = [(r["src_ip"], r.get("src_port", 0)), (r["dest_ip"], r.get("dest_port", 0))]
            found[ends_key(proto, [(a, p if proto in (6, 17, 132) else 0) for a, p in ends]) +
                  (r.get("icmp_type", 0),)] = r
    return found


def replay_key(n, f):
    ports = (20000 + n, f.port) if f.proto in (6, 17, 132) else (0, 0)
    return ends_key(f.proto, [(f.src, ports[0]), (f.dst, ports[1])]) + (
        f.port if f.proto in (P.ICMP, P.ICMP6) else 0,)


def in_user_namespace():
    with open("/proc/self/uid_map") as f:
        return f.read().split() != ["0", "0", "4294967295"]


def load_text(cordon, root, at):
    text = output(cordon, "compile", "--at", utc(at), "--format", "nft", root)
    done = subprocess.run(["nft", "-f", "-"], input=text, text=True, stderr=subprocess.PIPE)
    if done.returncode and "Message too long" in done.stderr and in_user_namespace():
        return False  # the socket's buffer may only be enlarged by the real root
    if done.returncode:
        raise Disagreement("nft -f refused the text rendering: " + done.stderr)
    return True


def load_netlink(cordond, root, work):
    subprocess.run([cordond, "-e", "-c", root, "--state-dir", tempfile.mkdtemp(dir=work), "--runtime-dir",
                    tempfile.mkdtemp(dir=work)], check=True, stderr=subprocess.DEVNULL)


def unload():
    subprocess.run(["nft", "delete", "table", "inet", "cordon"], check=True)


def listing():
    """What nft lists, without what only a running table has: the chain with digest, commit
    and generation, the flags of ownership, the floor under timed rules."""
    out = output("nft", "-s", "list", "table", "inet", "cordon")
    out = re.sub(r"table inet cordon \{ # progname.*", "table inet cordon {", out)
    out = re.sub(r"(log prefix \"cordon \w+ g)\d+", r"\1N", out)
    out = re.sub(r"\tchain cordon_applied \{.*?\n\t\}\n", "", out, flags=re.S)
    out = re.sub(r"(\tchain clock \{\n)\t\tmeta time < .*\n", r"\1", out)
    return [x for x in out.splitlines() if x and not re.match(r"\t(comment \"cordon|flags )", x)]


# ---- packets ----

def send_all(gw, flows, sport, chunk=96):
    """For each flow, whether each of its packets came out where it should."""
    came = [[False] * len(f.steps) for f in flows]
    for start in range(0, len(flows), chunk):
        part = list(enumerate(flows))[start:start + chunk]
        for step in range(max(len(f.steps) for _, f in part)):
            want = collections.defaultdict(list)
            for n, f in part:
                if step >= len(f.steps):
                    continue
                back = f.steps[step][0] == 1
                ip = f.packet(step, sport + n)
                want[gw.side_of(f.src if back else f.dst), P.key_of(ip)].append(n)
                gw.send(gw.side_of(f.dst) if back else f.enters, ip)
            got = gw.settle()
            for (side, key), indexes in want.items():
                for n in indexes:
                    came[n][step] = key in got.get(side, ())
    return came


def walk(policy, gw, n, f, at):
    """The same of one flow, as the oracle says, and the connection as it then is."""
    icmp = f.proto in (P.ICMP, P.ICMP6)
    ports = f.proto in (P.TCP, P.UDP, P.SCTP)
    c = O.Connection(policy, gw.side_of, ((f.src, 20000 + n if ports else 0), (f.dst, f.port)), f.proto, at)
    row = []
    for sender, flags, payload in f.steps:
        enters = f.enters if sender == 0 else gw.side_of(f.dst)
        row.append(c.packet(sender, None if enters == "local" else enters, flags, payload,
                            gw.side_of(f.src if sender else f.dst) == "local",
                            S.reply_type(f.port) if icmp and sender == 1 else None))
    return row, c


def expected(policy, gw, flows, at):
    return [walk(policy, gw, n, f, at)[0] for n, f in enumerate(flows)]


# ---- one policy ----

class Run:
    def __init__(self, argv):
        self.cordon, self.cordond, self.services = argv[1:4]
        self.nflows = int(argv[5]) if len(argv) > 5 else 400
        self.gw = P.Gateway(S.SIDES, S.OWN)
        self.count = collections.Counter()

    def flows(self, rng, tree, policy, now):
        """Openings only on connections that may open, so that it is they which decide."""
        flows, portless = [], set()
        while len(flows) < self.nflows:
            f = S.random_flow(rng, tree, self.gw)
            if not f:
                continue
            verdict = policy.judge(f.src, f.dst, f.proto, f.port, now)
            if f.kind in ("opening", "gate") and verdict.word != "allow":
                continue
            if f.kind == "gate" and not any(s.require for s in verdict.sides) and rng.random() < .8:
                continue
            if f.proto not in (6, 17, 132):  # both directions are one connection to conntrack
                ends = (f.proto,) + tuple(sorted((f.src, f.dst)))
                if ends in portless:
                    continue
                portless.add(ends)
            flows.append(f)
        return flows

    def tally(self, policy, flows, told, now):
        for f, row in zip(flows, told):
            tags = set(f.tags) | {f.kind, "policies' flows"}
            ends = [policy.holder(O.ipaddress.ip_address(x)) for x in (f.src, f.dst)]
            tags |= {"two-sided"} if all(ends) else set()
            tags |= {"observe"} if any(e and e.observed for e in ends) else set()
            tags |= {"IPv6"} if ":" in f.src else set()
            tags |= {"allowed"} if row[0] else set()
            tags |= {"reply"} if row[0] and f.kind == "open" and len(row) > 1 else set()
            tags |= {"gateway"} if "local" in (self.gw.side_of(f.src), self.gw.side_of(f.dst)) else set()
            self.count.update(tags)

    def offline(self, root, policy, flows, at, work):
        """oracle = explain = replay, at a time."""
        asked = [(f.src, f.dst, f.proto, f.port) for f in flows]
        said = explain(self.cordon, root, asked, at)
        for f, ask, e in zip(flows, asked, said):
            want = policy.judge(*ask, at)
            if e["verdict"] != want.word:
                raise Disagreement("%s at %s: oracle %s, explain %s" % (f, utc(at), want.word, e["verdict"]))
            sides = [(s["host"], s["direction"], s["verdict"], s["rule"]) for s in e["sides"]]
            mine = [(s.host.name, "outbound" if s.out else "inbound", "allow" if s.rules else
                     "would_deny" if s.host.observed else "deny", s.rules[0] if s.rules else None)
                    for s in want.sides]
            if sides != mine:
                raise Disagreement("%s at %s: oracle says %s, explain %s" % (f, utc(at), mine, sides))
        mine = [f for f in flows if f.kind != "spoof"]
        unplaced = copy.copy(policy)  # a capture does not say where packets entered
        unplaced.spoofed = lambda *_: False
        found = replay(self.cordon, root, mine, at, work)
        for n, f in enumerate(mine):
            word = policy.judge(f.src, f.dst, f.proto, f.port, at).word
            if f.kind == "midstream" and word == "deny":
                word = policy.judge(f.dst, f.src, f.proto, 20000 + n, at).word
            said = found.get(replay_key(n, f), {"verdict": "nothing"})
            conn = walk(unplaced, self.gw, n, f, at)[1]
            told = [(q + "-required", "deny" if held else "would_deny", k)
                    for q, held, k in (conn.gate.told if conn.gate else [])]
            told = sorted(told + [("opening", "deny", conn.other)] * bool(conn.other), key=lambda t: t[2])
            if any(t[1] == "deny" for t in told):
                word = "deny"
            if said["verdict"] != word:
                raise Disagreement("%s at %s: oracle %s, replay %s" % (f, utc(at), word, said["verdict"]))
            got = [(g["reason"], g["action"], g["packet"]) for g in said.get("gates", [])]
            if got != told:
                raise Disagreement("%s at %s: gates: oracle %s, replay %s" % (f, utc(at), told, got))
            spoke = [(h["guard"], h["packet"]) for h in said.get("guard_hits", [])
                     if h["where"] == "kernel" and h["action"] == "drop" and h["guard"].endswith("-not-granted")]
            want = [(conn.spoke[0] + "-not-granted", conn.spoke[1])] if conn.spoke else []
            if f.kind in ("opening", "gate") and spoke != want:
                raise Disagreement("%s at %s: spoken: oracle %s, replay %s" % (f, utc(at), want, spoke))
            self.count["openings condemned in replay"] += bool(conn.spoke)
            self.count["openings refused in replay"] += bool(conn.other)
            exposure = said.get("exposure", False)
            if f.kind == "opening" and self.exposed(policy, f, at) not in (None, exposure):
                raise Disagreement("%s at %s: replay: exposure %s" % (f, utc(at), exposure))
            self.count["gates judged in replay"] += bool(told)
        self.count["offline"] += len(flows)

    @staticmethod
    def exposed(policy, f, at):
        """Whether SMB or RDP is spoken where a side does not grant it; None: it comes late,
        in parts or short, which is the recogniser's own test."""
        sent = [d for s, _, d in f.steps if s == 0 and d]
        opens = [{name for name, o in O.OPENS.items() if any(o(d, cut) for cut in range(5))} for d in sent]
        parts = any(o(b"".join(sent[i:])) and not o(sent[i]) for i in range(len(sent)) for o in O.OPENS.values())
        if any(opens[1:]) or parts or len(sent[0]) < 8 or (opens[0] and sent[0] not in S.SURE):
            return None
        sides = policy.judge(f.src, f.dst, f.proto, f.port, at).sides
        return any(name not in s.speaks for name in opens[0] for s in sides)

    def requires(self, root, policy, flows, at):
        """What `explain` says of it to people."""
        for f in [f for f in flows if f.kind == "gate"][:3]:
            v = policy.judge(f.src, f.dst, f.proto, f.port, at)
            want = set().union(*(s.require for s in v.sides))
            said = output(self.cordon, "explain", "--at", utc(at), root, f.src, f.dst, S.service(f.proto, f.port))
            got = {q for q, words in SAID.items() if words in said}
            if got != (want if v.word == "allow" and all(s.rules for s in v.sides) else set()):
                raise Disagreement("%s: required: oracle %s, explain %s" % (f, want, got))
            self.count["requirements explained"] += bool(want)

    def to_groups(self, root, policy, tree, at):
        asked = [(a, g, 17, 5353) for h in tree.hosts.values() for a in h for g in GROUPS_OF
                 if (":" in a) == (":" in g)]
        for ask, e in zip(asked, explain(self.cordon, root, asked, at)):
            if e["verdict"] != policy.judge(*ask, at).word:
                raise Disagreement("multicast %s: explain %s" % (ask, e["verdict"]))

    def kernel(self, name, flows, told, sport):
        subprocess.run(["conntrack", "-F"], check=True, stderr=subprocess.DEVNULL)
        for f, want, got in zip(flows, told, send_all(self.gw, flows, sport)):
            if want != got:
                raise Disagreement("%s: packets that pass: oracle %s, kernel (%s) %s" % (f, want, name, got))
        self.count["packets in the kernel"] += sum(len(f.steps) for f in flows)

    def tree(self, rng, root, now):
        """A tree of which no rule starts or ends within the next minutes."""
        n = 0
        while True:
            tree = S.Tree(rng, "%s%d" % (root, n), now)
            policy = O.Policy(tree.root, self.services)
            rules = [r for h in policy.declared.values() for rs in h.rules.values() for r in rs]
            if all(policy.active(r, now) == policy.active(r, now + x) for r in rules for x in (60, 600, 900)):
                return tree, policy
            n += 1

    def policy(self, rng, root, work, first):
        now = int(time.time())
        tree, policy = self.tree(rng, root, now)
        flows = self.flows(rng, tree, policy, now)
        if first:  # without rules everything passes: what is dropped later, the rules drop
            bare = send_all(self.gw, flows, 10000)
            for f, row in zip(flows, bare):
                if not row[0]:
                    raise Disagreement("%s: the lab does not carry it without any rules" % f)
        told = expected(policy, self.gw, flows, now)
        try:
            self.offline(tree.root, policy, flows, now, work)
            self.to_groups(tree.root, policy, tree, now)
            self.requires(tree.root, policy, flows, now)
            for edge in rng.sample(tree.edges, min(2, len(tree.edges))) + [rng.randint(946684800, 2145916800)]:
                for at in (edge - 1, edge):
                    self.offline(tree.root, policy, flows, at, work)
            lists = []
            if load_text(self.cordon, tree.root, now):
                lists.append(listing())
                self.kernel("text", flows, told, 20000)
                unload()
            else:
                self.count["too large without root"] += 1
            load_netlink(self.cordond, tree.root, work)
            lists.append(listing())
            self.kernel("netlink", flows, told, 20000)
            unload()
            for a, b in zip(lists[0], lists[-1]):
                if a != b:
                    raise Disagreement("listing: text %s, netlink %s" % (a, b))
            if len(lists[0]) != len(lists[-1]):
                raise Disagreement("listings of %d and %d lines" % (len(lists[0]), len(lists[-1])))
        except Disagreement:
            print(tree.text())
            raise
        self.tally(policy, flows, told, now)


def main():
    run = Run(sys.argv)
    policies = int(sys.argv[4]) if len(sys.argv) > 4 else 12
    seed = int(sys.argv[6]) if len(sys.argv) > 6 and sys.argv[6] != "-" else int(time.time())
    end = time.monotonic() + float(sys.argv[7]) if len(sys.argv) > 7 else None
    print("oracle: seed %d, %s policies x %d flows" % (seed, "any number of" if end else policies, run.nflows),
          flush=True)
    rng, done = random.Random(seed), 0
    with tempfile.TemporaryDirectory() as work:
        while time.monotonic() < end if end else done < policies:
            try:
                run.policy(rng, "%s/p%d-" % (work, done), work, done == 0)
            except Disagreement as e:
                print("oracle: seed %d, policy %d: DISAGREEMENT: %s" % (seed, done, e))
                return 1
            done += 1
    n = run.count.pop("policies' flows")
    print("oracle: " + ", ".join("%s %d" % kv for kv in sorted(run.count.items())))
    low = [c for c, share in SHARES.items() if n >= ENOUGH and run.count[c] * 100 < share * n]
    for c in low:
        print("oracle: seed %d: only %d of %d flows are \"%s\": fewer than %d %%" % (
            seed, run.count[c], n, c, SHARES[c]))
    text = "nft text (but %d too large without root)" % run.count["too large without root"] \
        if run.count["too large without root"] else "nft text"
    print("oracle: seed %d, %d policies, %d flows: oracle = explain = %s = netlink = replay: 0 disagreements" % (
        seed, done, n, text))
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())
