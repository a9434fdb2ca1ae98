#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: ns a packet and memory of `cordon replay` with a large policy, beside `cordon inspect`
"""usage: replay.py BUILD ROUNDS CONNECTIONS POLICY FOLDER

A capture of CONNECTIONS connections of eight packets, nine tenths with a host of the bench
policy POLICY at one end, on ports that its rules name and others, is read by each in turn,
ROUNDS times.  What each takes for a capture of one connection, which is mostly the load of
the policy, is its start-up and is subtracted; time is that of the CPU.  The peer reads
the same file without a policy."""
import glob
import os
import random
import re
import statistics
import struct
import subprocess
import sys

build, rounds, connections, policy, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]
PORTS = [445, 3389, 1433, 80, 135, 49200, 5985, 22, 443]
SYN, ACK, FIN, PSH = 2, 16, 1, 8


def hosts():
    found = set()
    for path in glob.glob(policy + "/hosts/*.yaml"):
        with open(path) as f:
            found.update(re.findall(r"\b10\.(?:6[4-9]|7\d|80)\.\d+\.\d+\b(?!/)", f.read()))
    return sorted(found)


def frame(src, dst, sport, dport, flags, seq, ack, data=b""):
    tcp = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 5 << 4, flags, 64000, 0, 0) + data
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0, src, dst)
    return ip + tcp


def connection(rng, client, server, sport, dport):
    c, s = rng.randrange(1, 2**31), rng.randrange(1, 2**31)
    ends, back = (client, server, sport, dport), (server, client, dport, sport)
    ask, tell = rng.randbytes(rng.randrange(8, 400)), rng.randbytes(rng.randrange(8, 1200))
    return [frame(*ends, SYN, c, 0), frame(*back, SYN | ACK, s, c + 1), frame(*ends, ACK, c + 1, s + 1),
            frame(*ends, ACK | PSH, c + 1, s + 1, ask),
            frame(*back, ACK | PSH, s + 1, c + 1 + len(ask), tell),
            frame(*ends, FIN | ACK, c + 1 + len(ask), s + 1 + len(tell)),
            frame(*back, FIN | ACK, s + 1 + len(tell), c + 2 + len(ask)),
            frame(*ends, ACK, c + 2 + len(ask), s + 2 + len(tell))]


def capture(name, count, rng, servers):
    """Sixty-four connections abreast."""
    path, packets, now = os.path.join(folder, name), 0, 1767225600000000
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101))
        for first in range(0, count, 64):
            turns = []
            for _ in range(min(64, count - first)):
                server = bytes(map(int, rng.choice(servers).split("."))) if rng.random() < .9 else rng.randbytes(4)
                turns.append(connection(rng, bytes([10, 30, rng.randrange(256), rng.randrange(256)]), server,
                                        rng.randrange(1024, 65536), rng.choice(PORTS)))
            for step in range(8):
                for turn in turns:
                    now += 7
                    f.write(struct.pack("<IIII", now // 1000000, now % 1000000, len(turn[step]), len(turn[step])))
                    f.write(turn[step])
                    packets += 1
    return path, packets


def run(command):
    """(ns of CPU, KB at most)"""
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    if status:
        sys.exit("%s ends with %d" % (" ".join(command[:2]), status))
    return (used.ru_utime + used.ru_stime) * 1e9, used.ru_maxrss


def main():
    rng = random.Random(1)
    servers = hosts()
    full, packets = capture("replay.pcap", connections, rng, servers)
    one, _ = capture("replay-one.pcap", 1, rng, servers)
    cordon = build + "/cordon"
    commands = {"inspect (peer)": lambda f: [cordon, "inspect", f],
                "replay": lambda f: [cordon, "replay", "--format", "json", policy, f],
                "replay --packets": lambda f: [cordon, "replay", "--packets", policy, f],
                "replay --against": lambda f: [cordon, "replay", policy, f, "--against", policy]}
    taken = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            empty, whole = run(command(one)), run(command(full))
            taken[name].append(((whole[0] - empty[0]) / packets, whole[1] / 1024, empty[1] / 1024, empty[0] / 1e6))
    print("  %s packets of %s connections, %d hosts, %d rounds" % (
        format(packets, ","), format(connections, ","), len(servers), rounds))
    peer = [t[0] for t in taken["inspect (peer)"]]
    for name, rows in taken.items():
        values = sorted(t[0] for t in rows)
        ratios = sorted(t[0] / p for t, p in zip(rows, peer))
        print("  %-17s %6.0f ns a packet (%.0f .. %.0f)  %.2fx of inspect (%.2f .. %.2f)  %.0f MB (%.0f MB and %.0f ms for "
              "one connection)" % (name, statistics.median(values), values[0], values[-1], statistics.median(ratios),
                                      ratios[0], ratios[-1], *(statistics.median(t[i] for t in rows) for i in (1, 2, 3))))


if __name__ == "__main__":
    main()
