#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: captures that lost packets, or hold one side only, give all that they hold
"""usage: holes.py CORDON

From each of the lab's captures one packet after the other is left out: a fact may only be
missing where a packet is missing that the table of it names.  Then with two left out, and
each side alone."""
import glob, json, os, random, struct, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
SMB_TWICE = {"smb.dialect", "guards"}  # request and answer both tell of it
RDP_TWICE = {"rdp.selected"}           # an answer without negotiation is anybody's
failures, checks = [], 0


def check(ok, what):
    global checks
    checks += 1
    if not ok:
        failures.append(what)


def records(path):
    with open(path, "rb") as f:
        data = f.read()
    at, out = 24, []
    while at < len(data):
        n = 16 + struct.unpack("<I", data[at + 8:at + 12])[0]
        out.append(data[at:at + n])
        at += n
    return data[:24], out


def flat(o, at=""):
    for key, value in o.items():
        if isinstance(value, dict):
            yield from flat(value, at + key + ".")
        else:
            yield at + key, value


def inspect(header, packets):
    """The facts of the only flow, {} without one, and the summary."""
    run = subprocess.run([sys.argv[1], "inspect", "--format", "json", "-"], check=True,
                         input=header + b"".join(packets), stdout=subprocess.PIPE)
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    check(len(lines) <= 2, "more flows than there are")
    return dict(flat(lines[0])) if len(lines) > 1 else {}, lines[-1]


def tcp(record):
    """Source port, sequence number and length of the payload."""
    ip = record[16 + 14:]
    if ip[0] >> 4 == 6:
        seg, end = ip[40:], 40 + struct.unpack(">H", ip[4:6])[0]
        length = end - 40
    else:
        head = (ip[0] & 15) * 4
        seg, length = ip[head:], struct.unpack(">H", ip[2:4])[0] - head
    sport, _, seq = struct.unpack(">HHI", seg[:8])
    return sport, seq, length - (seg[12] >> 4) * 4, seg[13]


def one_lost(name, header, packets, full):
    lost = {}
    for k, packet in enumerate(packets):
        got, summary = inspect(header, packets[:k] + packets[k + 1:])
        missing = [f for f, v in full.items() if got.get(f) != v]
        check(not missing or tcp(packet)[2] > 0, "%s without packet %d, which carries "
              "nothing: %s" % (name, k, missing))
        check("app_proto" in got, "%s without packet %d: nothing recognised" % (name, k))
        for fact in missing:
            lost.setdefault(fact, []).append(k)
    for fact, where in lost.items():
        most = 2 if fact in SMB_TWICE | RDP_TWICE else 1
        check(len(where) <= most, "%s: %s is missing without any of the packets %s" % (
            name, fact, where))
    check(lost, name + ": no packet matters")
    return lost


# Told by request and answer, or in more than one answer.
REPEATED = {"smb.dialect", "smb.smb1_in_use", "guards", "confidence", "smb.native_os",
            "smb.native_lm", "smb.client.native_os", "smb.client.native_lm"}


def two_lost(name, header, packets, full, lost):
    """What two packets cost is what each of them costs."""
    data = [k for k, p in enumerate(packets) if tcp(p)[2] > 0]
    for _ in range(25):
        a, b = sorted(random.sample(data, 2))
        got, _ = inspect(header, [p for k, p in enumerate(packets) if k not in (a, b)])
        if not got and full["app_proto"] == "rdp":
            continue  # request and answer of TLS: nothing of RDP is left
        for fact, value in full.items():
            if fact not in REPEATED and not {a, b} & set(lost.get(fact, [])):
                check(got.get(fact) == value, "%s without %d, %d: %s is %s, not %s" % (
                    name, a, b, fact, got.get(fact), value))


# What each side alone shows.
CLIENT = {"smb": ["smb.ntlmssp.user", "smb.ntlmssp.host", "smb.client_dialects"],
          "rdp": ["rdp.cookie"]}
SERVER = {"smb": ["smb.ntlmssp.version", "smb.ntlmssp.nb_computer", "smb.dialect_index"],
          "rdp": ["rdp.selected"]}


def one_side(name, header, packets, full):
    app = full["app_proto"]
    for side, wanted in ((full["src_port"], CLIENT), (full["dest_port"], SERVER)):
        for syn in (True, False):
            for hole in (False, True):
                mine = [p for p in packets if tcp(p)[0] == side and (syn or not tcp(p)[3] & 2)]
                data = [p for p in mine if tcp(p)[2] > 0]
                if hole:  # a later one: nobody acknowledges what is missing
                    mine.remove(data[len(data) // 2])
                got, _ = inspect(header, mine)
                what = "%s, only from port %d%s%s" % (
                    name, side, "" if syn else ", no SYN", ", a hole" if hole else "")
                check(got.get("app_proto") == app, what + ": not recognised")
                check(got.get("src_port") == full["src_port"], what + ": the client is another")
                for fact in wanted[app]:
                    if not hole and fact in full and not (
                            fact == "rdp.selected" and full[fact] == "rdp"):
                        check(got.get(fact) == full[fact], "%s: %s is %s, not %s" % (
                            what, fact, got.get(fact), full[fact]))


def main():
    seed = int(os.environ.get("SEED", random.randrange(1 << 30)))
    random.seed(seed)
    files = 0
    for path in sorted(glob.glob(HERE + "/*.pcap")):
        name = os.path.basename(path)[:-5]
        header, packets = records(path)
        full, _ = inspect(header, packets)
        if not full or name == "hostile-names":
            continue
        files += 1
        lost = one_lost(name, header, packets, full)
        two_lost(name, header, packets, full, lost)
        one_side(name, header, packets, full)
    check(files >= 8, "only %d captures" % files)
    for line in failures[:40]:
        print("holes:", line)
    print("holes: %d captures, %d checks, %d failed, SEED=%d" % (
        files, checks, len(failures), seed))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
