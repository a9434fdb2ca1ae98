# SPDX-License-Identifier: GPL-2.0-or-later
"""What the design says about a packet, told a second time and from its text alone: a policy
tree is read here, judged here, and nothing of the product is asked.

In scope: place (step 0), what is not ours, consent of both sides, observe, multicast, time
(steps 2-4, 6), the packets of a connection, openings.  Not: blocks, guards."""
import collections
import datetime
import glob
import ipaddress
import os
import re
import zoneinfo

import yaml

import requires

TCP, UDP, ICMP, ICMP6, SCTP = 6, 17, 1, 58, 132
SYN, ACK = 2, 16
PORTS = {"tcp": TCP, "udp": UDP, "sctp": SCTP, "icmp": ICMP, "icmpv6": ICMP6}
ECHO = {"echo-request": (8, 128), "timestamp-request": (13, None)}
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

Port = collections.namedtuple("Port", "proto lo hi speaks short")
Rule = collections.namedtuple("Rule", "id ports peers expires schedule require")
Host = collections.namedtuple("Host", "name observed rules")
Side = collections.namedtuple("Side", "host out rules speaks short require")
Verdict = collections.namedtuple("Verdict", "word sides")


def listed(value):
    return value if isinstance(value, list) else [] if value is None else [value]


def documents(path):
    with open(path, encoding="utf-8") as f:
        return [d for d in yaml.load_all(f, yaml.BaseLoader) if d is not None]


def merged(root, name):
    """NAME.yaml or the files of NAME/, as one mapping."""
    paths = glob.glob("%s/%s.yaml" % (root, name)) + glob.glob("%s/%s/*.yaml" % (root, name))
    return {k: v for path in paths for d in documents(path) for k, v in d.items()}


def span(text):
    """The first and last address of an address, CIDR or a-b range; None of a name."""
    try:
        if "-" in text and not re.search("[g-z]", text):
            return tuple(map(ipaddress.ip_address, text.split("-")))
        net = ipaddress.ip_network(text)
        return net[0], net[-1]
    except ValueError:
        return None


def within(address, spans):
    return any(lo.version == address.version and lo <= address <= hi for lo, hi in spans)


# ---- time ----

def end_of(text):
    """The first second in which a rule with this `expires` is gone."""
    if text is None:
        return float("inf")
    if len(text) == 10:
        return (datetime.datetime.fromisoformat(text + "T00:00:00+00:00") + datetime.timedelta(days=1)).timestamp()
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def windows(text):
    """[(days on which it starts, first minute, minute behind the last)]"""
    found, days, fresh = [], [], False
    for word in re.split("[ ,]+", text.strip()):
        ends = word.split("-")
        if word[0].isdigit():
            lo, hi = [int(e[:2]) * 60 + int(e[3:]) for e in ends]
            found.append((days or range(7), lo, hi if hi > lo else hi + 1440))
            fresh = False
        else:
            first, last = (DAYS.index(e.lower()) for e in (ends[0], ends[-1]))
            days = (days if fresh else []) + [(first + i) % 7 for i in range((last - first) % 7 + 1)]
            fresh = True
    return found + [(days, 0, 1440)] * fresh


def on_time(schedule, zone, at):
    local = datetime.datetime.fromtimestamp(at, zone)
    minute = local.hour * 60 + local.minute
    return any((local.weekday() - back) % 7 in days and lo <= minute + back * 1440 < hi
               for days, lo, hi in schedule for back in (0, 1))


# ---- the policy ----

class Policy:
    def __init__(self, root, shipped):
        config = documents(root + "/cordon.yaml")[0]
        gateway = config["gateway"]
        self.groups, self.services = merged(root, "groups"), merged(root, "services")
        self.shipped = merged(*os.path.split(shipped))
        self.zone = zoneinfo.ZoneInfo(gateway.get("timezone", "UTC"))
        self.interfaces = set(listed(gateway["interfaces"]))
        self.own = [span(a) for a in listed(gateway.get("addresses"))]
        self.management = [span(a) for a in listed(gateway.get("management"))]
        default = config.get("defaults", {}).get("mode", "enforce")
        raw = [d for p in sorted(glob.glob(root + "/hosts/*.yaml")) for d in documents(p)]
        self.addresses = {d["host"]: [span(a) for a in listed(d["addresses"])] for d in raw}
        self.prefixes = []
        for p in listed(gateway.get("protect")):
            text, mode = (p, default) if isinstance(p, str) else (p["prefix"], p.get("mode", default))
            self.prefixes.append((span(text), Host(text, mode == "observe", {})))
        self.declared = {}
        for d in raw:
            host = Host(d["host"], d.get("mode", default) == "observe", {
                out: [self.rule(d["host"], out, r) for r in listed(d.get("allow", {}).get(key))]
                for out, key in ((False, "inbound"), (True, "outbound"))})
            self.declared.update((lo, host) for lo, _ in self.addresses[d["host"]])

    def rule(self, host, out, r):
        services = listed(r["service"])
        name = r.get("id") or "+".join(services).replace("/", "-")
        return Rule("%s/%s/%s" % (host, "out" if out else "in", name),
                    [p for s in services for p in self.ports(s, set(listed(r.get("speaks"))))],
                    self.peers(listed(r["to" if out else "from"])), end_of(r.get("expires")),
                    windows(r["schedule"]) if "schedule" in r else None, set(listed(r.get("require"))))

    def peers(self, names):
        spans = []
        for n in names:
            if n == "any":
                spans += [span("0.0.0.0/0"), span("::/0")]
            elif n == "gateway":
                spans += self.own
            elif n in self.groups:
                spans += self.peers(listed(self.groups[n]))
            else:
                spans += self.addresses.get(n) or [span(n)]
        return spans

    @staticmethod
    def parsed(text):
        """[(protocol, first, last port or type)] of an inline service."""
        word, rest = text.split("/")
        if word == "ip":
            return [(int(rest), 0, 65535)]
        if rest in ECHO:
            v4, v6 = ECHO[rest]
            return [(p, t, t) for p, t in ((ICMP, v4), (ICMP6, v6)) if t is not None]
        ends = rest.split("-")
        return [(PORTS[word], int(ends[0]), int(ends[-1]))]

    def ports(self, service, speaks):
        if "/" in service:  # inline
            return [Port(p, lo, hi, self.known(p, lo, hi, speaks), False)
                    for p, lo, hi in self.parsed(service)]
        d = self.shipped.get(service) or self.services[service]
        ports = [Port(p, lo, hi, set(listed(d.get("speaks"))) if p == TCP else set(),
                      d.get("short_opening") == "allow")
                 for t in listed(d.get("ports")) for p, lo, hi in self.parsed(t)]
        return ports + [p for b in listed(d.get("bundle")) for p in self.ports(b, set())]

    def known(self, proto, lo, hi, speaks):
        """What an inline service grants: only a single port grants anything."""
        if proto != TCP or lo != hi:
            return set()
        return set(speaks).union(*(listed(d["speaks"]) for d in self.shipped.values() if "speaks" in d and
                                   (proto, lo, hi) in [x for t in listed(d["ports"]) for x in self.parsed(t)]))

    def holder(self, address):
        """The declared host, or the protected prefix that stands for it, or None."""
        if within(address, self.own):
            return None
        return self.declared.get(address) or next(
            (h for s, h in self.prefixes if within(address, [s])), None)

    def active(self, rule, at):
        return at < rule.expires and (rule.schedule is None or on_time(rule.schedule, self.zone, at))

    def side(self, host, out, peer, proto, port, at):
        found = [(r, [p for p in r.ports if p.proto == proto and p.lo <= port <= p.hi])
                 for r in host.rules.get(out, []) if within(peer, r.peers) and self.active(r, at)]
        asked = [(set().union(*(p.speaks for p in mine)), r.require) for r, mine in found if mine]
        return Side(host, out, sorted((r.id for r, mine in found if mine), key=str.encode),
                    set().union(*(s for s, _ in asked)), any(p.short for _, mine in found for p in mine),
                    requires.of_rules(asked))

    def judge(self, src, dst, proto, dport, at):
        """Steps 2, 3, 4 and 6."""
        src, dst = ipaddress.ip_address(src), ipaddress.ip_address(dst)
        a, b = self.holder(src), self.holder(dst)
        if not a and not b:
            return Verdict("pass", [])
        if a and (dst.is_multicast or str(dst) == "255.255.255.255"):
            return Verdict("deny", [])
        sides = ([self.side(a, True, dst, proto, dport, at)] if a else []) + \
            ([self.side(b, False, src, proto, dport, at)] if b else [])
        denied = any(not s.rules and not s.host.observed for s in sides)
        return Verdict("deny" if denied else "allow", sides)

    def spoofed(self, enters, src, route):
        """Step 0; enters None: the gateway's own packet.  route(address): the interface."""
        src = ipaddress.ip_address(src)
        if enters not in self.interfaces:
            return enters is not None and self.holder(src) is not None
        return src.is_link_local or self.holder(src) is None or route(str(src)) != enters


# ---- openings ----

def smb_opens(data, cut=0):
    """A frame header and a magic; or a magic, the header's first bytes sent before."""
    if data[:5] == b"\x81\0\0\x44\x20":
        return True
    magic = data[4 - cut:8 - cut]
    return magic[1:] == b"SMB" and magic[0] >= 0xfc and (cut > 0 or data[0] == 0)


def rdp_opens(data, cut=0):
    """TPKT, X.224 connection request, and what only RDP says behind it."""
    if data[:8] == bytes.fromhex("0300000b06e00000"):
        return True
    tail = data[11 - cut:]
    return (cut > 0 or data[:2] == b"\3\0") and data[5 - cut:8 - cut] == b"\xe0\0\0" and (
        tail[:7] == b"Cookie:" or tail[:3] == b"\r\n\1" or
        (len(tail) >= 8 and tail[:1] == b"\1" and tail[2:4] == b"\x08\0" and tail[5:8] == b"\0\0\0"))


OPENS = {"smb": smb_opens, "rdp": rdp_opens}


# ---- packets ----

class Connection:
    """What a gateway whose conntrack starts empty makes of one connection's packets."""

    def __init__(self, policy, route, ends, proto, at):
        """ends: ((client, port), (server, port)); of ICMP the server's is the type."""
        self.policy, self.route, self.ends, self.proto, self.at = policy, route, ends, proto, at
        self.opener = None  # who sent the first packet that passed: 0 the client, 1 the server
        self.sides = None   # of a TCP connection seen from its SYN
        self.seen, self.judged, self.condemned = 0, False, False
        self.gate, self.sent, self.number = None, 0, 0
        self.other = None   # number of the first packet that is denied for not being an opening
        self.spoke = None   # (protocol, number) of what condemned it

    def ask(self, sender, reply_type=None):
        (src, _), (dst, port) = self.ends if sender == 0 else self.ends[::-1]
        return self.policy.judge(src, dst, self.proto, port if reply_type is None else reply_type, self.at)

    def packet(self, sender, enters, flags=0, payload=b"", arrives=False, reply_type=None):
        """Whether it passes.  enters: interface or None; arrives: it is for the gateway."""
        src = self.ends[sender][0]
        self.number += 1
        offset, self.sent = self.sent, self.sent + (len(payload) if sender == self.opener else 0)
        if arrives and within(ipaddress.ip_address(src), self.policy.management) and (
                enters not in self.policy.interfaces or self.route(src) == enters):
            return True
        if self.policy.spoofed(enters, src, self.route) or self.condemned:
            return False
        if self.proto != TCP:
            opener = sender if self.opener is None else self.opener
            passes = self.ask(opener, reply_type if opener == 1 else None).word != "deny"
        elif flags & (SYN | ACK) == SYN:
            verdict = self.ask(sender)
            if (passes := verdict.word != "deny") and self.opener is None:
                self.sides, self.gate = verdict.sides, verdict.sides and requires.Gate(verdict.sides)
        else:
            passes = any(self.ask(x).word != "deny" for x in (sender, 1 - sender))
        if passes and self.gate:
            self.gate.answers |= flags & (SYN | ACK) == SYN | ACK
        self.opener = sender if passes and self.opener is None else self.opener
        if not passes or not payload or not self.opening(sender, payload):
            return passes and not payload
        self.condemned = bool(self.gate) and not self.gate.packet(
            self.number, sender == self.opener, offset, payload)
        return not self.condemned

    def opening(self, sender, data):
        if not self.sides or self.judged:
            return True
        if sender != self.opener:  # the server answers: what opens was sent
            self.judged = self.seen > 0
            return True
        enforced = [s for s in self.sides if not s.host.observed]
        granted = set.intersection(*(s.speaks for s in self.sides))
        for name, opens in OPENS.items():
            if not any(opens(data, cut) for cut in range(5)):
                continue
            if any(name not in s.speaks for s in enforced):
                self.condemned = True
                self.spoke = name, self.number
                return False
            if opens(data):  # a NetBIOS session request is followed by the opening
                self.judged = data[:1] != b"\x81"
                return True
        if (len(data) < 8 and self.seen == 0 and any(not s.short for s in enforced)) or (
                granted and len(enforced) == len(self.sides)):
            self.other = self.other or self.number
            return False
        self.seen += len(data) >= 8
        return True
