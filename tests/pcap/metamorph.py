#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: a session says the same to `cordon inspect` however it travels
"""usage: metamorph.py [--seed N] [--only WORDS] [--all] [--keep DIR] CORDON [CAPTURES]

Takes the TCP sessions of the lab's captures here, and where there is a set of CAPTURES (else
$CORDON_PCAPS, else ../shared/pcaps beside the project) sessions of its SMB and RDP, --all of
them or a sample.  Each row of ROWS changes how they travel; `inspect` must find the same
flows, facts and guards, or what the row allows.  Then rows are combined by chance.  --only
runs the rows whose names have WORDS, --keep leaves the failing captures in DIR.  Exit: 0, or 1."""
import argparse, collections, csv, glob, gzip, itertools, json, os, random, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import detours as D
import travel as T
import tunnels

# may: "part" where facts may be missing; must: of which sessions something must be found all the same.
Row = collections.namedtuple("Row", "name steps may must counts", defaults=("same", lambda f: True, {}))


# ---- rows

def each(step):
    """A step on sessions, of those that the capture has whole."""
    return "flows", lambda r, flows: [f.but(segs=step(r, f.segs)) if f.whole else f for f in flows]


def every(step):
    return "flows", step


def ip(step):
    return "packets", step


def link(name):
    return "link", name


def snap(n):
    return "snap", n


def file(make, pack=None):
    return "file", (make, pack)


IPV6 = every(D.to_v6)
# One of each of these may come together, in this order; what sees no start of a session only alone.
SEGMENTS = [{
    "data in the SYN": D.fast_open(False), "data in the SYN, refused": D.fast_open(True),
    "a long message": D.long_message, "SYN-ACK first": D.ack_in_front,
}, {
    "numbers wrap": D.wrap_at(2 ** 32), "numbers pass 2^31": D.wrap_at(2 ** 31), "TCP options": D.tcp_options,
    "flags": D.flags_set,
}, {
    "one byte a segment": D.one_byte, "cut by chance": D.random_cuts, "merged as by GSO": D.gso,
}, {
    "everything twice": D.twice, "sent again": D.sent_again, "window probes": D.window_probes, "stray reset": D.stray_reset,
}, {
    "out of order": D.shuffled, "backwards": D.backwards, "keep-alives": D.keep_alives,
}, {
    "SYN missing": D.without_syn, "handshake missing": D.without_handshake, "other bytes again": D.garbage_again,
}]
SESSIONS = {
    "ports moved": D.move_ports, "IPv6": D.to_v6, "IPv4": D.to_v4, "four of each": D.copies, "many others": D.fillers,
    "ports used again after FIN": D.reused("fin"), "ports used again after RST": D.reused("rst"),
    "ports used again": D.reused(""),
}
FILES = {
    "pcap, ns": T.pcap_file(nano=True), "pcap, big endian": T.pcap_file(">"),
    "pcap, ns, big endian": T.pcap_file(">", True), "pcapng": T.pcapng_file(), "pcapng, ns": T.pcapng_file(resol=9),
    "pcapng, 2^-20 s": T.pcapng_file(resol=0x94), "pcapng, big endian": T.pcapng_file(">"),
    "pcapng, three sections": T.pcapng_file("<<<", interfaces=2), "pcapng, sections of two byte orders": T.pcapng_file("<><>"),
    "pcapng, two link types": T.pcapng_file(interfaces=2, mixed=True), "pcapng, three interfaces": T.pcapng_file(interfaces=3),
    "pcapng, other blocks": T.pcapng_file(noise=True), "pcapng, simple packets": T.pcapng_file(simple=True),
    "pcapng, old packets": T.pcapng_file(old=True),
}
def smb(f):
    return f.want[0]["app_proto"] == "smb"


def smb_dialog(f):
    return smb(f) and f.want[0]["confidence"] == "dialog"


CONFLICT = {"overlap_conflicts": 1}
ROWS = [Row("as it was", [])]
ROWS += [Row(name, [each(step)]) for steps in SEGMENTS for name, step in steps.items()]
ROWS += [Row(name, [every(step)]) for name, step in SESSIONS.items()]
ROWS += [Row("link: " + name, [link(name)]) for name in T.LINKS]
ROWS += [Row("link: " + name + ", IPv6", [IPV6, link(name)]) for name in T.LINKS]
ROWS += [Row("file: " + name, [file(make)]) for name, make in FILES.items()]
ROWS += [
    Row("file: gz", [file(T.pcap_file(), gzip.compress)]),
    Row("file: stdin", [file(T.pcapng_file(), "stdin")]),
    *[Row("IPv6, extension headers %s" % (k,), [IPV6, ip(D.extension(*k))])
      for k in ((0,), (60,), (43,), (44,), (51,), (0, 60), (0, 43, 44, 60), (0, 60, 43, 51, 60))],
    Row("IPv4 options", [ip(D.per_packet(D.ip_options))]),
    Row("no length, as before TSO", [each(D.gso), ip(D.per_packet(D.no_length))]),
    Row("no length, IPv6", [IPV6, each(D.gso), ip(D.per_packet(D.no_length))]),
    *[Row("fragments, %s%s" % (order, name), [*pre, ip(D.fragments(order))])
      for order in ("in order", "reverse", "shuffled, twice") for name, pre in (("", []), (", IPv6", [IPV6]))],
    Row("fragments that overlap", [ip(D.fragments("overlap"))], counts={"fragments_dropped": 1}),
    Row("fragments that overlap, IPv6", [IPV6, ip(D.fragments("overlap"))], counts={"fragments_dropped": 1}),
    Row("other bytes behind a hole", [each(D.garbage_behind)], counts=CONFLICT),
    Row("a long message, GSO", [each(D.long_message), each(D.gso)]),
    Row("a long message, out of order", [each(D.long_message), each(D.shuffled)]),
    *[Row("tunnel: " + name, [ip(step)]) for name, step in tunnels.TUNNELS.items()],
    *[Row("tunnel: " + name + ", IPv6", [IPV6, ip(step)]) for name, step in tunnels.TUNNELS.items()],
    Row("many others between", [every(D.fillers), ip(D.others)]),
    Row("PID high", [every(D.edited(b"\xffSMB\x72\0\0\0\0\x18\x01\x28\0\0", b"\xffSMB\x72\0\0\0\0\x18\x01\x28\0\x01", D.pid_high))]),
    Row("build 6002", [every(D.edited(b"\x06\0\x73\x17", b"\x06\0\x72\x17", D.other_build))]),
    Row("channel MS_T120", [every(D.edited(b"cliprdr\0", b"MS_T120\0", D.t120))]),
    Row("the client's first bytes missing", [each(D.without_first(True))], "part", smb_dialog),
    Row("the server's first bytes missing", [each(D.without_first(False))], "part"),
    Row("only the client", [each(D.only(True))], "part"),
    Row("only the server", [each(D.only(False))], "part", smb_dialog),
    Row("both ways crossed", [each(D.crossed)], "part"),
    Row("snap length 96, IPv4", [every(D.to_v4), snap(96)], "part", smb),
    *[Row("snap length %d" % n, [snap(n)], "part", smb) for n in (128, 262, 1500)],
]


# ---- running them

def inspect(cordon, data, work, stdin=False):
    path = os.path.join(work, "capture")
    with open(path, "wb") as f:
        f.write(data)
    run = subprocess.run([cordon, "inspect", "--format", "json", "-" if stdin else path], capture_output=True,
                         input=data if stdin else b"")
    if run.returncode:
        raise RuntimeError(f"exit {run.returncode}: {run.stderr.decode()}")
    lines = [json.loads(l) for l in run.stdout.decode().splitlines()]
    found = collections.defaultdict(list)
    for l in lines[:-1]:
        ends = [l.pop(k) for k in ("src_ip", "src_port", "dest_ip", "dest_port")]
        found[T.key_of(*ends)].append(l)
    return found, lines[-1]


def capture_of(r, flows, steps):
    by = collections.defaultdict(list)
    for kind, step in steps:
        by[kind].append(step)
    for step in by["flows"]:
        flows = step(r, flows)
    packets = T.packets_of(flows)
    for step in by["packets"]:
        packets = step(r, packets)
    number, frame = T.LINKS[(by["link"] or ["ethernet"])[-1]]
    frames = []
    for us, p, lost in packets:
        whole = frame(p) if not lost else T.LINKS["ethernet"][1](p) if number == 1 else frame(p)
        frames.append((us, whole[:(by["snap"] or [1 << 18])[-1]], len(whole) + lost))
    make, pack = (by["file"] or [(T.pcap_file(), None)])[-1]
    data = make(number, frames)
    return flows, pack(data) if callable(pack) else data, pack == "stdin"


def within(seen, want):
    """Whether `seen` says nothing that `want` does not."""
    if isinstance(want, dict) and isinstance(seen, dict):
        return all(k in want and within(v, want[k]) for k, v in seen.items())
    if isinstance(want, list) and isinstance(seen, list):
        return all(v in want for v in seen)
    return seen in (want, "unknown") or (seen, want) == ("handshake", "dialog")


def differences(row, flows, found, counts):
    for f in flows:
        got = found.pop(f.key(), [])
        if got == f.want or row.may == "part" and len(got) == len(f.want) and all(map(within, got, f.want)):
            continue
        if row.may == "part" and not got and not row.must(f):
            continue
        yield f"{f.name}: {json.dumps(got)}\n    and not {json.dumps(f.want)}"
    for key, got in found.items():
        yield f"between others' ends {key}: {json.dumps(got)}"
    for name, least in row.counts.items():
        if counts[name] < least:
            yield f"{name} is {counts[name]}"


def whole(f, counts):
    """Whether a session can be cut otherwise: where no SMB stands, what is found hangs on packets."""
    sane = not f.want or f.want[0]["app_proto"] == "rdp" or f.want[0]["smb"]["versions"]
    return bool(T.is_clean(f) and sane and not counts["lost_sync"])


def sessions(cordon, path, work, most, number):
    """The sessions of a capture file, with client addresses of their own and what inspect says."""
    flows = []
    for f in T.flows_of(path):
        n = next(number)
        mine = bytes([10, 77, n >> 8, n & 255]) if len(f.client) == 4 else b"\xfd\x4d".ljust(14, b"\0") + n.to_bytes(2, "big")
        flows.append(f.but(client=mine, segs=f.segs[:most], name=f"{os.path.basename(path)} {f.cport}>{f.sport}"))
    found, counts = inspect(cordon, capture_of(None, flows, [])[1], work)
    for f in flows:
        client, cport, server, sport = f.key()
        if (server, sport, client, cport) in found:  # no SYN was there to tell
            f.client, f.cport, f.server, f.sport = server, sport, client, cport
            f.segs = [s.but(out=not s.out) for s in f.segs]
        f.want = found.get(f.key(), [])
        f.whole = whole(f, counts)
    return flows


def made():
    """What our captures lack: a pipe opened behind other requests, half a message that says little."""
    def smb2(command, rest=b""):
        body = (b"\xfeSMB\x40\0" + bytes(6) + bytes([command])).ljust(108, b"\0") + rest
        return len(body).to_bytes(4, "big") + body
    create = smb2(5, b"\x78\0\x0c\0".ljust(12, b"\0") + "svcctl".encode("utf-16-le"))
    logoff = b"\0\0\0\x27" + (b"\xffSMB\x74\0\0\0\0\x18\x01").ljust(32, b"\0") + b"\2\xff\0\0\0\0\0"
    for n, sends in enumerate(([smb2(0), smb2(11), create, smb2(11)], [logoff])):
        segs = [T.Seg(True, 0, 0, T.SYN), T.Seg(False, 0, 1, T.SYN | T.ACK), T.Seg(True, 1, 1, T.ACK)]
        for data in sends:
            segs.append(T.Seg(True, segs[-1].end(), 1, T.ACK | T.PSH, data))
        yield T.Flow(b"\x0a\x1e\0\x07", 40000 + n, b"\x0a\x14\x08\x0b", 445, segs)


def as_captured(cordon, path, work, flows):
    """What this reads of a capture must be what inspect reads of it."""
    with open(path, "rb") as f:
        there = [w for got in inspect(cordon, f.read(), work)[0].values() for w in got]
    here = [w for f in flows for w in f.want]
    if there != here or not (here or "benign" in path):
        yield f"{path}: {json.dumps(here)}\n    and not {json.dumps(there)}"


def shared(folder, everything):
    """The captures with SMB or RDP that are not too large for many copies."""
    with open(os.path.join(folder, "MANIFEST.tsv"), encoding="utf-8") as f:
        rows = [r for r in csv.DictReader(f, delimiter="\t") if r["class"] == "POS"]
    return [os.path.join(folder, r["file"]) for r in rows if int(r["bytes"]) < (4000000 if everything else 60000)]


def chance(r):
    """Some of all that changes nothing, together; what a SYN brings is lost where one alone begins nothing."""
    session = r.sample(list(SESSIONS), r.randrange(3))  # one twice would make end points of others
    if {"four of each", "many others"} <= set(session):  # writing so many takes a minute
        session.pop()
    first = any(name.startswith("ports used again") for name in session)
    steps = [r.choice(list(s.items())) for s in SEGMENTS[first:-1] if r.random() < .6]
    if "data in the SYN, refused" in [name for name, _ in steps]:  # others overtake it: a limit, in cordond(8)
        steps = [x for x in steps if x[0] not in ("out of order", "backwards")]
    names = [name for name, _ in steps]
    steps = [each(step) for _, step in steps]
    rows = [Row(n, [every(SESSIONS[n])]) for n in session] + r.sample([x for x in ROWS if x.steps and x.steps[-1][0] == "packets" and not x.counts], 1)
    rows += [r.choice([x for x in ROWS if x.name.startswith(kind) and "padded" not in x.name and "frame" not in x.name])
             for kind in ("link: ", "file: ")]
    # nflog's headers are in the file's byte order, and the writer here knows one
    if rows[-2].name.startswith("link: nflog") and ("endian" in rows[-1].name or "orders" in rows[-1].name):
        rows.pop()
    return Row(" + ".join([*names, *[x.name for x in rows]]), steps + [s for x in rows for s in x.steps])


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--seed", type=int, default=random.randrange(10 ** 9))
    ap.add_argument("--only", default="")
    ap.add_argument("--chance", type=int, default=8, help="how many combined rows")
    ap.add_argument("--all", action="store_true")
    ap.add_argument("--keep")
    ap.add_argument("cordon")
    ap.add_argument("captures", nargs="?", default=os.environ.get("CORDON_PCAPS") or HERE + "/../../../shared/pcaps")
    a = ap.parse_args()
    bad = []
    print(f"metamorph: seed {a.seed}", flush=True)
    with tempfile.TemporaryDirectory() as work:
        own = sorted(glob.glob(HERE + "/*.pcap"))
        flows, number = [], itertools.count(256)
        with open(work + "/made.pcap", "wb") as f:
            f.write(capture_of(None, list(made()), [])[1])
        own.append(work + "/made.pcap")
        for path in own:
            flows += sessions(a.cordon, path, work, 10000, number)
            bad += as_captured(a.cordon, path, work, [f for f in flows if f.name.startswith(os.path.basename(path))])
        for path in shared(a.captures, a.all) if os.path.exists(a.captures + "/MANIFEST.tsv") else []:
            flows += [f for f in sessions(a.cordon, path, work, 300 if a.all else 60, number) if f.want]
        r = random.Random(a.seed)
        rows = [row for row in ROWS + [chance(r) for _ in range(a.chance)] if a.only in row.name]
        for i, row in enumerate(rows):
            r = random.Random(f"{a.seed} {row.name}")
            some = flows if row in ROWS else r.sample(flows, 8)
            sent, data, stdin = capture_of(r, some, row.steps)
            try:
                failed = list(differences(row, sent, *inspect(a.cordon, data, work, stdin)))
            except RuntimeError as e:
                failed = [str(e)]
            bad += [f"{row.name}: {x}" for x in failed]
            if failed and a.keep:
                with open(os.path.join(a.keep, f"{i}.capture"), "wb") as f:
                    f.write(data)
    for x in bad:
        print("metamorph:", x)
    print(f"metamorph: seed {a.seed}: {len(flows)} sessions ({sum(f.whole for f in flows)} whole, "
          f"{sum(1 for f in flows if f.want)} of SMB or RDP), {len(rows)} ways, {len(bad)} differences")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
