# SPDX-License-Identifier: GPL-2.0-or-later
# summary: the TCP streams of a capture as tshark sees them, in the columns of STREAMS.tsv
"""rows(path): one a stream.  Where a port is none of tshark's own, $TSHARK says how to take it:
TSHARK="tshark -d tcp.port==8445,nbss -d tcp.port==3390,tpkt"."""
import os, subprocess

FIELDS = """tcp.stream ip.src ipv6.src tcp.srcport ip.dst ipv6.dst tcp.dstport tcp.flags frame.protocols
    smb2.flags.response smb2.dialect smb.dialect.index smb.native_os ntlmssp.messagetype
    ntlmssp.version.major ntlmssp.version.minor ntlmssp.version.build_number rdp.rt_cookie
    rdp.negReq.requestedProtocols rdp.negReq.selectedProtocol rdp.name""".split()
APPS = ("nbss", "smb", "smb2", "ntlmssp", "tpkt", "cotp", "rdp", "t125")
SYN, ACK, CHALLENGE = 2, 16, "0x00000002"


def packets(path):
    """{field: [values, the outermost first]} of each TCP segment"""
    command = os.environ.get("TSHARK", "tshark").split() + [
        "-n", "-r", path, "-o", "tcp.reassemble_out_of_order:TRUE", "-Y", "tcp", "-T", "fields",
        "-E", "occurrence=a", "-E", "aggregator=\x01", "-E", "separator=\x02"]
    for f in FIELDS:
        command += ["-e", f]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    for line in run.stdout.decode("utf-8", "replace").split("\n"):
        values = line.split("\x02")
        if len(values) == len(FIELDS):
            yield {f: v.split("\x01") if v else [] for f, v in zip(FIELDS, values)}


def ends(p):
    """Sender and receiver, of what is tunnelled those inside; None of half a header."""
    if not p["tcp.stream"] or not p["tcp.srcport"] or not p["tcp.dstport"]:
        return None
    layers = [l for l in p["frame.protocols"][0].split(":") if l in ("ip", "ipv6")]
    layer = layers[-1] if layers else "ip"
    return tuple(f"{(p[layer + '.' + side] or ['?'])[-1]}:{p['tcp.' + side + 'port'][-1]}"
                 for side in ("src", "dst"))


def take(row, p):
    layers = p["frame.protocols"][0].split(":")
    row["protocols"] |= set(layers) & set(APPS)
    if any(r in ("1", "True") for r in p["smb2.flags.response"]):
        row["smb2_dialect"] += p["smb2.dialect"]
    row["smb1_dialect"] += [f"idx{int(i, 0)}" for i in p["smb.dialect.index"]]
    row["native_os"] += p["smb.native_os"]
    if CHALLENGE in p["ntlmssp.messagetype"] and {"smb", "smb2"} & set(layers):
        row["ntlm_chal_version"] += [".".join(v) for v in zip(
            p["ntlmssp.version.major"], p["ntlmssp.version.minor"],
            p["ntlmssp.version.build_number"])][:1]
    row["rdp_cookie"] += p["rdp.rt_cookie"]
    row["rdp_req"] += p["rdp.negReq.requestedProtocols"]
    row["rdp_sel"] += p["rdp.negReq.selectedProtocol"]
    if p["rdp.name"]:
        row["rdp_channels"] = [";".join(n.rstrip("\0") for n in p["rdp.name"])]


def rows(path):
    """Of a stream without SYN nobody knows the client: `syn` is False then."""
    streams = {}
    for p in packets(path):
        pair = ends(p)
        if not pair:
            continue
        flags = int((p["tcp.flags"] or ["0"])[-1], 16)
        row = streams.setdefault(p["tcp.stream"][-1], {
            "client": pair[0], "server": pair[1], "syn": False, "protocols": set(), **{
                f: [] for f in ("smb2_dialect", "smb1_dialect", "native_os", "ntlm_chal_version",
                                "rdp_cookie", "rdp_req", "rdp_sel", "rdp_channels")}})
        if flags & SYN and not row["syn"]:
            row["client"], row["server"] = pair[::-1] if flags & ACK else pair
            row["syn"] = True
        take(row, p)
    for row in streams.values():
        for field, value in row.items():
            if isinstance(value, (set, list)):
                row[field] = ("," if field == "protocols" else ";").join(value)
    return list(streams.values())
