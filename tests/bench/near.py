#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: beside a bench policy: one with 100 hosts changed, one with assertions, flows
"""near.py TREE HOSTS FLOWS: writes TREE-changed, TREE-tests and TREE-flows."""
import os
import random
import shutil
import sys

CHANGED, ASSERTIONS = 100, 1000


def host_path(tree, i):
    return os.path.join(tree, "hosts", "host%05d.yaml" % i)


def change(tree, hosts):
    """A rule of 100 hosts, spread over all, speaks to another port."""
    for k in range(min(CHANGED, hosts)):
        path = host_path(tree, k * hosts // min(CHANGED, hosts))
        with open(path, encoding="ascii") as f:
            text = f.read()
        with open(path, "w", encoding="ascii") as f:
            f.write(text.replace("service: mssql", "service: tcp/1434"))


def assertions(tree, hosts):
    """Each over a set: any source, a group, all of a host's sources."""
    os.makedirs(os.path.join(tree, "tests"))
    with open(os.path.join(tree, "tests", "all.yaml"), "w", encoding="ascii") as f:
        for k in range(ASSERTIONS):
            name = "host%05d" % (k * max(hosts // ASSERTIONS, 1) % hosts)
            f.write(("- { flow: any -> %s tcp/23, expect: deny }\n",
                     "- { flow: jump-hosts -> %s rdp, expect: allow }\n",
                     "- { flow: domain-controllers -> %s smb, expect: deny }\n",
                     "- { flow: %s -> !domain-controllers dns, expect: deny }\n",
                     )[k % 4] % name)


def flows(path, hosts, n):
    """Allowed and denied ones, inward, outward, and not ours."""
    rng = random.Random(445)
    ends = ["10.1.2.5", "10.1.1.10", "10.34.7.9", "192.0.2.7", "10.32.4.5", "172.16.9.1"]
    services = ["tcp/3389", "tcp/445", "tcp/1433", "udp/53", "tcp/88", "tcp/443",
                "tcp/8120", "icmp/8"]
    with open(path, "w", encoding="ascii") as f:
        for _ in range(n):
            host = "10.64.%d.%d" % divmod(16 + rng.randrange(hosts) & 0xffff, 256)
            pair = [rng.choice(ends), host]
            if rng.random() < 0.3:
                pair.reverse()
            f.write("%s %s %s\n" % (*pair, rng.choice(services)))


def main(argv):
    if len(argv) != 4:
        sys.exit("usage: near.py TREE HOSTS FLOWS")
    tree, hosts = argv[1], int(argv[2])
    for what in ("-changed", "-tests"):
        shutil.copytree(tree, tree + what)
    change(tree + "-changed", hosts)
    assertions(tree + "-tests", hosts)
    flows(tree + "-flows", hosts, int(argv[3]))


if __name__ == "__main__":
    main(sys.argv)
