#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: the bench policy: N hosts, IPv4 and IPv6, ten rules each, shared source lists
"""policy.py N DIR [SEED]: the same N and SEED always give the same bytes.

One file a host.  Each host has six rules inward and four outward; of the sources some are
single addresses, most are one of up to 2,000 distinct lists that hold addresses, CIDRs
and ranges of both families; RPC brings its dynamic ports 49152-65535."""
import os
import random
import sys

LISTS_MAX, LISTS_A_HOST = 2000, 2

CORDON = """\
cordon: 1
gateway:
  interfaces: [lan8]
  addresses: [10.64.0.1, "fd00:64::1"]
  protect:
    - 10.64.0.0/12
    - "fd00:64::/64"
    - { prefix: 10.80.0.0/16, mode: observe }
  management: [10.1.0.0/24]
  timezone: Europe/Berlin
defaults: { mode: enforce, profile: server-2008 }
block: { ttl: 1h, never: [domain-controllers] }
log: { journald: false }
"""

HOST = """\
host: %(name)s
addresses: [%(v4)s, "%(v6)s"]
owner: team%(team)d@example.com
os: { product: windows-server-2008-sp2, build: 6003 }
allow:
  inbound:
    - service: mssql
      from: %(list_a)s
      reason: application tier
      ticket: CHG-%(ticket)d
    - service: rdp
      from: jump-hosts
      reason: administration
    - service: smb
      from: [%(one)s, "%(one6)s"]
      reason: file exchange with the predecessor
    - service: rpc
      from: %(list_b)s
      reason: management agents
      expires: %(expires)s
    - service: [http, https]
      from: %(list_c)s
    - service: tcp/%(port)d-%(port_end)d
      from: %(list_e)s
      reason: vendor protocol
  outbound:
    - service: ad-member
      to: domain-controllers
    - service: backup-agent
      to: [10.32.%(b)d.%(c)d, 10.33.0.10]
    - service: wsus-client
      to: wsus-servers
    - service: udp/%(syslog)d
      to: %(list_d)s
"""


def host_addr(i):
    v4 = 16 + i
    return ("10.%d.%d.%d" % (64 + (v4 >> 16), v4 >> 8 & 255, v4 & 255),
            "fd00:64::%x" % (0x100 + i))


def source_list(rng):
    """Members of one list: addresses, CIDRs of /20 to /28, a range, two of IPv6."""
    out = []
    for _ in range(rng.randint(1, 12)):
        out.append("10.%d.%d.%d" % (rng.randint(100, 140), rng.randrange(256),
                                    rng.randrange(1, 255)))
    for _ in range(rng.randint(2, 6)):
        bits = rng.randint(20, 28)
        net = rng.randrange(1 << 22) << 8 & ~((1 << 32 - bits) - 1) & 0xffffff
        out.append("172.%d.%d.0/%d" % (16 + (net >> 16 & 15), net >> 8 & 255, bits)
                   if bits >= 24 else
                   "172.%d.%d.0/%d" % (16 + (net >> 16 & 15),
                                       net >> 8 & 255 & ~((1 << 24 - bits) - 1), bits))
    a, b = rng.randrange(256), rng.randint(1, 200)
    out.append("10.150.%d.%d-10.150.%d.%d" % (a, b, a, b + rng.randint(1, 50)))
    out.append('"fd00:%x::%x"' % (rng.randint(0x100, 0xfff), rng.randint(1, 0xffff)))
    out.append('"fd00:%x:%x::/%d"' % (rng.randint(0x100, 0xfff), rng.randrange(0x10000),
                                      rng.choice([48, 56, 64])))
    return out


def write(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


def groups(rng, nlists):
    lines = ["domain-controllers: [10.1.1.10, 10.1.1.11, \"fd00:1:1::10\"]",
             "jump-hosts: [10.1.2.5-10.1.2.8, \"fd00:1:2::5\"]",
             "wsus-servers: [10.1.3.40]"]
    for i in range(nlists):
        lines.append("list%04d: [%s]" % (i, ", ".join(source_list(rng))))
    return "\n".join(lines) + "\n"


def host(rng, i, nlists):
    v4, v6 = host_addr(i)
    port = 8000 + rng.randrange(8) * 100
    lists = ["list%04d" % rng.randrange(nlists) for _ in range(5)]
    return HOST % {
        "name": "host%05d" % i, "v4": v4, "v6": v6, "team": i % 40,
        "list_a": lists[0], "list_b": lists[1], "list_c": lists[2], "list_d": lists[3],
        "list_e": lists[4],
        "b": rng.randrange(256), "c": rng.randrange(1, 255),
        "one": "10.34.%d.%d" % (rng.randrange(256), rng.randrange(1, 255)),
        "one6": "fd00:34::%x" % rng.randrange(1, 0x10000),
        "ticket": 10000 + rng.randrange(50000), "port": port, "port_end": port + 49,
        "expires": "20%d-%02d-01" % (90 + rng.randrange(2), 1 + 6 * rng.randrange(2)),
        "syslog": rng.choice([514, 1514, 5514])}


def main(argv):
    if len(argv) not in (3, 4) or not argv[1].isdigit() or int(argv[1]) < 1:
        sys.exit("usage: policy.py N DIR [SEED]")
    n, top = int(argv[1]), argv[2]
    rng = random.Random(int(argv[3]) if len(argv) == 4 else 2008)
    nlists = min(LISTS_MAX, LISTS_A_HOST * n)
    os.makedirs(os.path.join(top, "hosts"), exist_ok=True)
    write(os.path.join(top, "cordon.yaml"), CORDON)
    write(os.path.join(top, "groups.yaml"), groups(rng, nlists))
    for i in range(n):
        write(os.path.join(top, "hosts", "host%05d.yaml" % i), host(rng, i, nlists))


if __name__ == "__main__":
    main(sys.argv)
