# SPDX-License-Identifier: GPL-2.0-or-later
"""What `require` asks of a connection, from the text of cordon-policy(5), "Requirements".
The oracle's, so it shares nothing with the product either."""
BINDS = {"nla": "rdp", "smb2": "smb", "signing": "smb"}
HYBRID, FAILURE = (2, 8), 3
SMB1_NEGOTIATE, SMB2_NEGOTIATE = b"\xffSMB\x72", b"\xfeSMB\x40\0"
SESSION_REQUEST = b"\x81\0\0\x44\x20"


def of_rules(asked):
    """asked: (what a rule speaks, what it requires) of each that matches: what all of those
    have that grant the protocol."""
    granted = set().union(*(speaks for speaks, _ in asked))
    return {q for q, proto in BINDS.items() if proto in granted and
            all(q in req for speaks, req in asked if proto in speaks)}


def rdp_request(data):
    """A connection request of class 0; whole: nothing is missing, nothing behind it."""
    is_one = data[:3] == b"\3\0\0" and data[5:8] == b"\xe0\0\0" and data[10:11] == b"\0"
    return is_one, is_one and 11 <= len(data) <= 128 and data[3] == len(data) and data[4] == len(data) - 5


def confirm(data):
    """(type, value) of the negotiation in a connection confirm, or None."""
    if len(data) != 19 or data[:6] != bytes.fromhex("030000130ed0") or data[10] or data[13:15] != b"\x08\0":
        return None
    return data[11], int.from_bytes(data[15:19], "little")


def smb2(data):
    return data[:1] == b"\0" and data[4:10] == SMB2_NEGOTIATE and data[16:18] == b"\0\0"


def smb1(data):
    return data[:1] == b"\0" and data[4:9] == SMB1_NEGOTIATE


class Gate:
    """Of a connection seen from its SYN.  told: [(requirement, whether it was denied,
    number of the packet)]"""

    def __init__(self, sides):
        self.need = {}  # requirement: whether an enforced side has it
        for s in sides:
            for q in s.require:
                if all(o.host.observed or BINDS[q] in o.speaks for o in sides if o is not s):
                    self.need[q] = self.need.get(q, False) or not s.host.observed
        self.both = set.intersection(*({"smb", "rdp"} & s.speaks for s in sides))
        self.open, self.kind, self.request = not self.need, None, None
        self.answers = False  # the server's SYN-ACK has passed
        self.session = self.wild = self.signs = self.refused = False
        self.told = []

    def packet(self, number, client, offset, data):
        """Whether data passes; offset: of the client's in its stream."""
        if self.open:
            return True
        names = self.asked(offset, data) if client else self.answered(data)
        if names is None:
            names = {"nla"} if "nla" in self.need and self.kind != "smb" else {"smb2", "signing"}
            self.open = True
        broken = [q for q in BINDS if q in names & set(self.need)]
        held = [q for q in broken if self.need[q]][:1]
        known = [q for q, _, _ in self.told]
        self.told += [(q, q in held, number) for q in held or broken if q not in known]
        self.open = self.open or bool(held)
        return not held

    def asked(self, offset, data):
        """What is broken; None: it fits nothing."""
        if (offset or not self.answers) and not (self.session or self.wild):
            return None
        if self.request is None and "smb" in self.both and (
                data[:5] == SESSION_REQUEST or (data[:1] == b"\0" and data[5:8] == b"SMB" and data[4] >= 0xfc)):
            self.kind = "smb" if "nla" in self.need else self.kind
        if self.kind != "smb" and "nla" in self.need:
            return self.once(data) if rdp_request(data)[1] else None
        if set(self.need) == {"nla"}:
            self.open = True  # SMB, of which nothing is required
            return set()
        if self.kind is None and "rdp" in self.both and "nla" not in self.need and rdp_request(data)[0]:
            self.open = True
            return set()
        if data[:5] == SESSION_REQUEST and not self.session and self.request is None:
            self.kind = "smb"
            return set()
        if smb1(data) and data[1:3] == b"\0\0":
            self.kind = "smb"
            return self.smb1_asked(offset, data)
        if smb2(data) and (self.request is None or self.wild):
            self.kind = "smb"
            self.signs |= bool(data[72:73] and data[72] & 2)
            return set()
        return None

    def smb1_asked(self, offset, data):
        n = data[3]
        if offset and self.wild:
            return None
        if not 35 <= n <= 239 or not 39 <= len(data) < (n // 16 + 1) * 16 + 4:
            return None
        return self.once(data)

    def once(self, data):
        if self.refused:
            return set()
        if self.request is not None and self.request != data[3]:
            return None
        self.request = data[3]
        return set()

    def answered(self, data):
        if self.kind != "smb" and "nla" in self.need:
            kind, value = confirm(data) or (None, None)
            if self.request is None or kind is None:
                return None
            self.open = kind == 2 and value in HYBRID
            self.refused = kind == FAILURE
            return set() if self.open or self.refused else None
        if self.kind != "smb":
            return None
        if data[:1] in (b"\x83", b"\x84"):
            return set()
        if data[:4] == b"\x82\0\0\0":
            self.session = len(data) == 4
            return set() if self.session else None
        if smb2(data) and len(data) > 73:
            return self.signed(data[70] & 2 or self.signs, data[12:16] != b"\0" * 4, data[72:74] == b"\xff\2")
        if smb1(data):
            must = len(data) > 39 and data[36] >= 13 and data[39] & 8
            return {"smb2"} | self.signed(must, data[37:39] == b"\xff\xff", False)
        return None

    def signed(self, must, nothing, again):
        """The server's word; nothing: it is none; again: another NEGOTIATE follows."""
        if "signing" not in self.need:
            self.open = True
            return set()
        if nothing:
            return set()
        self.wild |= again and not must
        self.open = bool(must) or not again
        return set() if must or again else {"signing"}
