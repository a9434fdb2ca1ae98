#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: ns a packet of `cordon inspect` beside a bare libpcap loop, ndpiReader, tshark
"""usage: inspect.py BUILD ROUNDS FLOWS FOLDER

A mixed capture of FLOWS flows (bench_inspect gen: a tenth are SMB and RDP from
tests/pcap, the rest HTTP, TLS, DNS, random; 4,096 at a time; a fifth IPv6, a tenth with
VLAN tags) is read by each in turn, ROUNDS times, from the page cache.  What each takes
for a capture of one flow is its start-up and is subtracted.  `time` is by the clock,
`cpu` what the processors worked for it.  inspect reads pcap and pcapng files itself, in
parts of 256 KB and on one thread; a second one is used for gzip.

Short flows, of 22 packets, are the hardest for all: each must be found and judged.
ndpiReader looks at the first 80 packets of a TCP flow, which is all of these; of the long
flows, of 300, it is most of the time through.  It reads a file with one thread, always.
"""
import glob, os, shutil, statistics, struct, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
build, rounds, flows, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
bench = build + "/bench/bench_inspect"


def generate(name, count, turns=16):
    path = os.path.join(folder, name)
    out = subprocess.run([bench, "gen", path, str(count), "42", str(turns),
                          *sorted(glob.glob(HERE + "/../pcap/*.pcap"))],
                         check=True, capture_output=True, text=True).stdout.split()
    return path, int(out[0])


def run(command):
    """(ms by the clock, ms of CPU)"""
    start = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    took = time.monotonic() - start
    if status:
        sys.exit(f"{command[0]} ends with {status}")
    return took * 1e9, (used.ru_utime + used.ru_stime) * 1e9


def row(name, per_packet, base):
    for which, at in (("time", 0), ("cpu", 1)):
        values = sorted(v[at] for v in per_packet)
        peers = [v[at] for v in base]
        ratios = sorted(v[at] / b for v, b in zip(per_packet, peers))
        print(f"  {name:24} {which:4} {statistics.median(values):8.0f} ns a packet"
              f"  ({values[0]:.0f} .. {values[-1]:.0f}, n {len(values)})"
              f"  {statistics.median(ratios):.2f}x of the loop ({ratios[0]:.2f} .. {ratios[-1]:.2f})")
        name = ""


def measure(title, commands, full, packets, one, n):
    taken = {name: [] for name in commands}
    for _ in range(n):
        for name, command in commands.items():
            empty, whole = run(command + [one]), run(command + [full])
            taken[name].append([(whole[i] - empty[i]) / packets for i in (0, 1)])
    print(f"  {title}: {packets:,} packets, {os.path.getsize(full) / 1e6:.0f} MB, {n} rounds")
    for name in commands:
        row(name, taken[name], taken["libpcap, only reading"])


def pcapng(path):
    """The same packets in the other format, as Wireshark writes it."""
    def block(kind, body):
        body += b"\0" * (-len(body) % 4)
        n = struct.pack("<I", len(body) + 12)
        return struct.pack("<I", kind) + n + body + n
    with open(path, "rb") as source, open(path + "ng", "wb") as out:
        source.read(24)
        out.write(block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)))
        out.write(block(1, struct.pack("<HHI", 1, 0, 65535)))
        while head := source.read(16):
            sec, usec, cap, wire = struct.unpack("<IIII", head)
            us = sec * 1000000 + usec
            out.write(block(6, struct.pack("<IIIII", 0, us >> 32, us & 0xffffffff, cap, wire)
                            + source.read(cap)))
    return path + "ng"


full, packets = generate("mix.pcap", flows)
small, few = generate("small.pcap", max(flows // 20, 100))
one, _ = generate("one.pcap", 1)
loop = {"libpcap, only reading": [bench, "read"]}
commands = {**loop, "cordon inspect": [build + "/cordon", "inspect", "--format", "json"]}
if shutil.which("ndpiReader"):
    commands["ndpiReader"] = ["ndpiReader", "-q", "-i"]
else:
    print("  SKIP ndpiReader: not installed (libndpi-bin)")
measure(f"{flows:,} flows, short ones", commands, full, packets, one, rounds)
os.unlink(full)
long, many = generate("long.pcap", max(flows // 20, 100), 400)
measure(f"{max(flows // 20, 100):,} flows, long ones", commands, long, many, one, rounds)
os.unlink(long)
medium, some = generate("medium.pcap", max(flows // 4, 100))
measure("as pcapng", {**loop, "cordon inspect": commands["cordon inspect"]},
        pcapng(medium), some, pcapng(one), rounds)
os.unlink(medium)
if shutil.which("tshark"):
    measure("tshark's part", {**loop, "cordon inspect": commands["cordon inspect"],
                              "tshark": ["tshark", "-n", "-Y", "smb or smb2 or rdp", "-r"]}, small, few, one,
            min(rounds, 3))
else:
    print("  SKIP tshark: not installed")
