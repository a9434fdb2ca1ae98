# SPDX-License-Identifier: GPL-2.0-or-later
# summary: what may happen to TCP sessions on their way, one function each
"""A step takes a random.Random and what it changes: the Segs of one session, a list of Flows,
or IP packets (microseconds, bytes, bytes missing).  metamorph.py has the table of them."""
import json, struct

import travel as T
from travel import ACK, FIN, PSH, RST, SYN, Seg


# ---- steps on one session, as a capture that saw all of it has it

def cut(s, *at):
    """A segment in pieces that begin at these offsets."""
    ends = [0, *sorted({a for a in at if 0 < a < len(s.data) and not s.flags & SYN}), len(s.data)]
    for a, b in zip(ends, ends[1:]):
        last = b == len(s.data)
        yield s.but(seq=s.seq + a, data=s.data[a:b], flags=s.flags if last else s.flags & ~(FIN | PSH))


def one_byte(r, segs):
    return [p for s in segs for p in (cut(s, *range(len(s.data))) if len(s.data) < 3000 else [s])]


def random_cuts(r, segs):
    return [p for s in segs for p in cut(s, *[r.randrange(len(s.data) + 1) for _ in range(r.randrange(6))])]


def runs(segs):
    """The segments in runs of one end's data; ACKs without data come behind the run."""
    run, acks = [], []
    for s in segs:
        if not s.data and s.flags & (SYN | FIN | RST) == 0:
            acks.append(s)
        elif run and run[-1].out == s.out and s.data and not (s.flags | run[-1].flags) & (SYN | RST):
            run.append(s)
        else:
            yield from (run, acks)
            run, acks = [s], []
    yield from (run, acks)


def windows(segs):
    """Stretches of one end's data that fit what reassembly holds, and between them the rest."""
    for run in runs(segs):
        part = []
        for s in run:
            if part and sum(len(p.data) for p in part) + len(s.data) > 8000:
                yield part
                part = []
            part.append(s)
        yield part


def shuffled(r, segs):
    return [s for part in windows(random_cuts(r, segs)) for s in r.sample(part, len(part))]


def backwards(r, segs):
    return [s for part in windows(random_cuts(r, segs)) for s in reversed(part)]


def crossed(r, segs):
    """What an end sends is seen before what it answers to, here and there, as by two queues."""
    out = list(segs)
    for i in range(4, len(out)):
        if out[i].out != out[i - 1].out and r.random() < .3:
            out[i - 1:i + 1] = out[i], out[i - 1]
    return out


def twice(r, segs):
    return [p for s in segs for p in ([s, s] if r.random() < .7 else [s])]


def sent_again(r, segs):
    """Some of what was sent comes once more later, also put together otherwise."""
    out = []
    for i, s in enumerate(segs):
        old = r.choice(segs[:i + 1])
        out += [s, old] if r.random() < .4 and not old.flags & (SYN | FIN | RST) else [s]
        if s.data and i and segs[i - 1].data and segs[i - 1].end() == s.seq and segs[i - 1].out == s.out:
            out.append(s.but(seq=segs[i - 1].seq, data=segs[i - 1].data + s.data))
    return out


def other(r, data):
    return bytes(b ^ r.randrange(1, 256) for b in data)


def garbage_behind(r, segs):
    """The second half comes first, then with other content, then all."""
    out = []
    for s in segs:
        if len(s.data) < 2 or s.flags & (SYN | RST):
            out.append(s)
            continue
        a, b = cut(s, len(s.data) // 2)
        out += [b, b.but(data=other(r, b.data)), a]
    return out


def garbage_again(r, segs):
    """What came in order comes again with other content, and goes on."""
    out, before = [], {}
    for s in segs:
        p = before.get(s.out)
        if p and s.data and p.end() == s.seq:
            out.append(s.but(seq=p.seq, data=other(r, p.data) + s.data))
        out.append(s)
        if s.data:
            before[s.out] = s
    return out


def gso(r, segs):
    out = []
    for run in runs(segs):
        for s in run:
            p = out[-1] if out else None
            if p and p.data and s.data and p.out == s.out and p.end() == s.seq and \
                    not (p.flags | s.flags) & (SYN | RST | FIN) and len(p.data) + len(s.data) < 65480:
                out[-1] = p.but(data=p.data + s.data, flags=p.flags | s.flags)
            else:
                out.append(s)
    return out


def shifted(segs, client, server):
    """The numbers of both ends begin elsewhere."""
    return [s.but(seq=s.seq + (client if s.out else server),
                  ack=s.ack + (server if s.out else client) if s.flags & ACK else 0) for s in segs]


def wrap_at(edge):
    def step(r, segs):
        return shifted(segs, *[edge - s.seq - r.randrange(2, max(3, sum(len(x.data) for x in segs if x.out == s.out)))
                               for s in segs[:2]])
    return step


def keep_alives(r, segs):
    out, end = [], {}
    for s in segs:
        if s.out in end and not s.flags & (SYN | RST) and not s.out in [x.out for x in segs if x.flags & FIN]:
            for _ in range(r.randrange(3)):
                out.append(Seg(s.out, end[s.out] - 1, s.ack, ACK, r.choice([b"", b"\0", b"K"])))
        out.append(s)
        end[s.out] = s.end()
    return out


def window_probes(r, segs):
    """The first byte of a segment comes alone, is refused, and comes again with the rest."""
    out = []
    for s in segs:
        if len(s.data) > 1 and not s.flags & (SYN | RST):
            out += [s.but(data=s.data[:1], flags=ACK), Seg(not s.out, s.ack, s.seq, ACK, win=0),
                    s.but(data=s.data[:1], flags=ACK), Seg(not s.out, s.ack, s.seq, ACK, win=4000)]
        out.append(s)
    return out


def tcp_options(r, segs):
    kinds = [b"\1\1\x08\x0a" + r.randbytes(8), b"\x13\x12" + r.randbytes(16), b"\1" * 40, b"",
             b"\1\1\5\x12" + r.randbytes(16), b"\0" * 4, b"\xfd\x28" + r.randbytes(38)]
    return [s.but(opts=r.choice(kinds)) for s in segs]


def flags_set(r, segs):
    return [s if s.flags & (SYN | RST) else s.but(flags=s.flags | r.choice([0, PSH, 0x20, 0x40, 0x80])) for s in segs]


def first_data(segs, out=True):
    return next((i for i, s in enumerate(segs) if s.data and s.out == out), None)


def fast_open(again):
    """The client's first bytes are in its SYN, and come again where the server did not take them."""
    def step(r, segs):
        i = first_data(segs)
        if i is None or any(s.data for s in segs[:i]):
            return segs
        syn = segs[0].but(data=segs[i].data)
        return [syn, *segs[1:i], *segs[i if again else i + 1:]]
    return step


def ack_in_front(r, segs):
    """SYN and SYN-ACK seen the other way round, as by two queues."""
    return [segs[1], segs[0], *segs[2:]]


def stray_reset(r, segs):
    """A reset with a number outside of the window ends nothing."""
    return [*segs[:4], Seg(False, segs[1].seq + 2 ** 30, 0, RST), *segs[4:]]


def without_syn(r, segs):
    return segs[1:]


def without_handshake(r, segs):
    return segs[next((i for i, s in enumerate(segs) if s.data), len(segs)):]


def without_first(out):
    def step(r, segs):
        i = first_data(segs, out)
        return [s for n, s in enumerate(segs) if n != i]
    return step


def only(out):
    return lambda r, segs: [s for s in segs if s.out == out]


def long_message(r, segs):
    """A message of 180,000 bytes, a write, stands before the client's last but one."""
    at = [i for i, s in enumerate(segs) if s.out and not s.flags & SYN and s.data[:1] == b"\0" and s.data[5:8] == b"SMB"
          and s.data[4] in (0xfe, 0xff) and int.from_bytes(s.data[:4], "big") + 4 == len(s.data)][-2:]
    if len(at) < 2:
        return segs
    first = segs[at[0]]
    head = b"\xfeSMB\x40\0\0\0\0\0\0\0\x09\0" if first.data[4] == 0xfe else b"\xffSMB\x2f\0\0\0\0\0"
    data = b"\0" + (180000).to_bytes(3, "big") + head.ljust(64, b"\0") + r.randbytes(180000 - 64)
    more = [first.but(seq=first.seq + i, data=data[i:i + 1440], flags=ACK) for i in range(0, len(data), 1440)]
    n = len(data)
    return segs[:at[0]] + more + [s.but(seq=s.seq + n) if s.out else s.but(ack=s.ack + n) for s in segs[at[0]:]]


# ---- steps on all sessions

def move_ports(r, flows):
    return [f.but(cport=r.randrange(1, 65536), sport=r.randrange(1, 65536)) for f in flows]


def to_v6(r, flows):
    return [f.but(client=b"\xfd".ljust(12, b"\0") + f.client[-4:], server=b"\xfd\1".ljust(12, b"\0") + f.server[-4:])
            for f in flows]


def to_v4(r, flows):
    return [f.but(client=bytes([10, *f.client[-3:]]), server=bytes([172, *f.server[-3:]])) for f in flows]


def copies(r, flows):
    return [f.but(cport=1024 + (f.cport + i * 11) % 60000, segs=shifted(f.segs, *[r.randrange(2 ** 32)] * 2), gap=97 + i)
            for i in range(4) for f in flows]


def reused(how):
    """One session after another between the same ends.  Its SYN alone begins none: whoever sends
    one in the middle of the first would end that, so the answer to it must be there."""
    def step(r, flows):
        out = []
        for a, b in zip(flows[::2], flows[1::2]):
            if [s.flags & (SYN | ACK) for s in b.segs[:2]] != [SYN, SYN | ACK]:
                out += [a, b]
                continue
            segs = [s.but(flags=s.flags & ~FIN) for s in a.segs if not s.flags & RST]
            n = {out: max(s.end() for s in segs if s.out == out) for out in {s.out for s in segs}}
            if len(n) < 2:
                out += [a, b]
                continue
            segs += {"fin": [Seg(True, n[True], n[False], FIN | ACK), Seg(False, n[False], n[True] + 1, FIN | ACK),
                             Seg(True, n[True] + 1, n[False] + 1, ACK)],
                     "rst": [Seg(r.random() < .5, n[True], n[False], RST | ACK)], "": []}[how]
            out.append(a.but(segs=segs + shifted(b.segs, *r.choices(range(2 ** 32), k=2)), want=a.want + b.want))
        return out + flows[len(out) * 2:]
    return step


def fillers(r, flows):
    """Flows of others' bytes by the hundred."""
    out = list(flows)
    for i in range(150):
        segs = [Seg(True, 0, 0, SYN), Seg(False, 0, 1, SYN | ACK), Seg(True, 1, 1, ACK)]
        segs += [Seg(n % 2 == 0, 1 + n // 2 * 70, 1, ACK, r.randbytes(70)) for n in range(r.randrange(60))]
        out.append(T.Flow(bytes([10, 99, i >> 8, i & 255]), 2000 + i, b"\x0a\x14\x08\x0b", r.choice([445, 3389, 80]), segs))
    return out


def edited(old, new, change):
    """`old` in the bytes of sessions is `new`, and change() what is found in them."""
    def one(f):
        if len(f.want) != 1 or not any(old in s.data for s in f.segs):
            return f
        want = json.loads(json.dumps(f.want))
        change(want[0])
        return f.but(segs=[s.but(data=s.data.replace(old, new)) for s in f.segs], want=want)
    return lambda r, flows: [one(f) for f in flows]


def hit(record, guard):
    record["guards"] = sorted({*record["guards"], guard})


def pid_high(record):
    record["smb"]["negotiate_pid_high"] = 256
    hit(record, "ms09-050")


def other_build(record):
    record["smb"]["ntlmssp"]["version"] = "6.0.6002"


def t120(record):
    rdp = record["rdp"]
    rdp["channels"] = ["MS_T120" if c == "cliprdr" else c for c in rdp["channels"]]
    rdp["ms_t120"] = True
    hit(record, "bluekeep")


# ---- steps on IP packets: (microseconds, bytes, bytes missing)

def per_packet(fn):
    return lambda r, packets: [(t, *p) for t, ip, lost in packets for p in fn(r, ip, lost)]


def is6(ip):
    return ip[0] >> 4 == 6


def extension(*kinds):
    """IPv6 extension headers in front of what is there; 44 is a fragment header of a whole datagram."""
    def one(r, ip, lost):
        if not is6(ip) or len(ip) + lost > 65000:
            return [(ip, lost)]
        chain = [*kinds, ip[6]]
        body = b"".join(bytes([n, 0]) + (struct.pack("!HI", 0, r.getrandbits(32)) if k == 44 else b"\1\4\0\0\0\0") if k != 51
                        else bytes([n, 4]) + bytes(22) for k, n in zip(chain, chain[1:])) + ip[40:]
        return [(ip[:4] + struct.pack("!HB", len(body) + lost, chain[0]) + ip[7:40] + body, lost)]
    return per_packet(one)


def ip_options(r, ip, lost):
    if is6(ip) or len(ip) + lost > 65000:
        return [(ip, lost)]
    opts = r.choice([b"\x94\4\0\0", b"\1" * 40, b"\x07\x07\4\0\0\0\0\0", b""])
    total = struct.unpack("!H", ip[2:4])[0] + len(opts)
    return [(bytes([0x45 + len(opts) // 4, 0]) + struct.pack("!H", total) + ip[4:20] + opts + ip[20:], lost)]


def no_length(r, ip, lost):
    at = 4 if is6(ip) else 2
    return [(ip[:at] + b"\0\0" + ip[at + 2:] if len(ip) > 60 and not lost else ip, lost)]


def piece(ip, number, off, end):
    """Bytes [off, end) of what an IP packet carries, as a fragment of datagram `number`."""
    if is6(ip):
        more = end < len(ip) - 40
        return ip[:4] + struct.pack("!HB", 8 + end - off, 44) + ip[7:40] + bytes([ip[6], 0]) + \
            struct.pack("!HI", off | more, number) + ip[40 + off:40 + end]
    more = 0x2000 if end < len(ip) - 20 else 0
    return ip[:2] + struct.pack("!HHH", 20 + end - off, number & 0xffff, more | off // 8) + ip[8:20] + ip[20 + off:20 + end]


def fragments(order):
    number = [0]

    def one(r, ip, lost):
        size, step = len(ip) - (40 if is6(ip) else 20), 8 * r.randrange(1, 20)
        if lost or size <= 8 or size > 60000:
            return [(ip, lost)]
        number[0] += 1
        parts = [(piece(ip, number[0], a, min(a + step, size)), 0) for a in range(0, size, step)]
        if order == "reverse":
            parts.reverse()
        elif order == "shuffled, twice":
            parts = r.sample(parts[:-1] * 2, len(parts) * 2 - 2) + parts[-1:]
        elif order == "overlap" and len(parts) > 1:  # what a host would take is a guess: all is sent again
            bad = piece(ip[:-size] + other(r, ip[-size:]), number[0], 0, min(step + 8, size))
            parts = parts[:1] + [(bad, 0)] + parts[1:] + [(ip, 0)]
        return parts
    return per_packet(one)


def others(r, packets):
    """Packets of other kinds between."""
    udp = struct.pack("!HHHH", 53, 4000, 36, 0) + b"\0\0\0\x40\xffSMB".ljust(28, b"\0")
    kinds = [struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(b), 1, 0, 64, p, 0) + b"\x0a\0\0\1\x0a\0\0\2" + b
             for p, b in ((17, udp), (1, b"\x08\0" + bytes(30)), (50, r.randbytes(60)), (6, b"\1"), (132, bytes(12)))]
    return [q for p in packets for q in [*[(p[0], x, 0) for x in r.sample(kinds, r.randrange(4))], p]]
