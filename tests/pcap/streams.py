#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: what `cordon inspect` recognises, against the table of a set of captures
"""usage: streams.py [-v] CORDON [CAPTURES]
       streams.py [-v] CORDON --tshark FILE...

CAPTURES (else $CORDON_PCAPS, else ../shared/pcaps beside the project) holds capture files and STREAMS.tsv, one line a TCP
stream as tshark saw it.  Streams are compared by file and end points, as ports are
used again within a file.  Every difference fails unless streams.known names it.
With --tshark the truth is what tshark, which must be installed, says of the files now.
Exit: 0, 1 a difference, 77 no captures.
"""
import collections, csv, gzip, json, os, re, shutil, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
NUMBER = {"rdp": 0, "ssl": 1, "hybrid": 2, "rds_tls": 4, "hybrid_ex": 8}


def inspect(cordon, path):
    """The flows of one file: {(client, server): [record]}, and the summary."""
    opened = gzip.open if path.endswith(".gz") else open
    with opened(path, "rb") as f:
        data = f.read()
    run = subprocess.run([cordon, "inspect", "--format", "json", "-"], input=data,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    flows = collections.defaultdict(list)
    lines = [json.loads(l) for l in run.stdout.decode().splitlines()]
    # Some break off at their end: that is exit 2, and what was read counts.
    broken = lines and lines[-1]["damaged_files"] == 1
    if run.returncode != (2 if broken else 0):
        raise RuntimeError(f"{path}: exit {run.returncode}: {run.stderr.decode()}")
    for r in lines[:-1]:
        flows[f"{r['src_ip']}:{r['src_port']}", f"{r['dest_ip']}:{r['dest_port']}"].append(r)
    return flows, lines[-1]


def expected_app(row):
    words = set(row["protocols"].split(","))
    if words & {"smb", "smb2"}:
        return "smb"
    return "rdp" if "rdp" in words else None


def facts(record):
    """What inspect says, in the words of STREAMS.tsv."""
    smb, rdp = record.get("smb", {}), record.get("rdp", {})
    os_names = {smb.get("native_os"), smb.get("client", {}).get("native_os")} - {None}
    cookie = rdp.get("cookie", rdp.get("routing_token"))
    return {
        "smb2_dialect": {smb["dialect"]} if re.match(r"\d\.", smb.get("dialect", "")) else set(),
        "smb1_dialect": {f"idx{smb['dialect_index']}"} if "dialect_index" in smb else set(),
        "native_os": os_names,
        "ntlm_chal_version": {smb["ntlmssp"]["version"]} if "version" in smb.get("ntlmssp", {}) else set(),
        "rdp_cookie": {cookie.strip()} if cookie else set(),
        "rdp_req": {rdp["requested_protocols"]} if "requested_protocols" in rdp else set(),
        "rdp_sel": {rdp["selected_protocol"]} if "selected_protocol" in rdp else set(),
        "rdp_channels": {";".join(rdp["channels"])} if "channels" in rdp else set(),
    }


def wanted(row, field):
    """The values of one field; the last SMB2 dialect is the one that holds."""
    values = {v for v in row[field].split(";") if v} if field != "rdp_channels" else \
        {row[field]} - {""}
    if field == "smb2_dialect" and values:
        last = int(row[field].split(";")[-1], 16)
        return {"2.??" if last == 0x2ff else f"{last >> 8:x}.{last & 255:02x}"}
    if field == "rdp_cookie":
        return {re.sub(r"^Cookie: mstshash=", "", v).strip() for v in values}
    if field == "ntlm_chal_version":
        return values - {".."}
    return values


def read_known(path):
    """file <tab> client <tab> server <tab> field or `app` <tab> reason"""
    known = {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            if line.strip() and not line.startswith("#"):
                name, client, server, field, reason = line.rstrip("\n").split("\t")
                known[name, client, server, field] = reason
    return known


def lent(folder):
    """{file: [row]} of a folder of captures with its tables; those without TCP have none"""
    by_file = collections.defaultdict(list)
    with open(os.path.join(folder, "STREAMS.tsv"), encoding="utf-8", errors="replace") as f:
        for row in csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE):
            by_file[row["file"]].append(row)
    with open(os.path.join(folder, "MANIFEST.tsv"), encoding="utf-8", errors="replace") as f:
        for row in csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE):
            by_file[row["file"]]  # nothing is to be found there
    return by_file


def main(argv):
    verbose = "-v" in argv
    argv = [a for a in argv if a != "-v"]
    if argv[2:3] == ["--tshark"]:
        if not shutil.which(os.environ.get("TSHARK", "tshark").split()[0]):
            print("SKIP: tshark is not installed")
            return 77
        import tshark
        return compare(argv[1], "", {f: tshark.rows(f) for f in argv[3:]}, {}, verbose)
    beside = os.path.join(HERE, "..", "..", "..", "shared", "pcaps")  # of the project
    folder = argv[2] if len(argv) > 2 else os.environ.get("CORDON_PCAPS", beside)
    if not os.path.exists(os.path.join(folder, "STREAMS.tsv")):
        print("SKIP: no captures (STREAMS.tsv) in ../shared/pcaps, $CORDON_PCAPS or the "
              "folder given")
        return 77
    known = read_known(os.path.join(HERE, "streams.known"))
    return compare(argv[1], folder, lent(folder), known, verbose)


def compare(cordon, folder, by_file, known, verbose):
    tally, bad, used = collections.Counter(), [], set()

    def differ(key, text):
        if key in known:
            used.add(key)
            tally["known"] += 1
        else:
            bad.append(f"{key[0]} {key[1]} -> {key[2]} {key[3]}: {text}")

    for name, streams in sorted(by_file.items()):
        flows, _ = inspect(cordon, os.path.join(folder, name))
        left = {ends: list(records) for ends, records in flows.items()}
        for row in streams:
            tally["streams"] += 1
            ends = (row["client"], row["server"])
            key = (name, *ends)
            app = expected_app(row)
            got = [e for e in (ends, ends[::-1]) if left.get(e)]
            if app is None:
                continue
            tally[app + " expected"] += 1
            if not got or left[got[0]][0]["app_proto"] != app:
                differ((*key, "app"), f"{app} missed")
                continue
            record = left[got[0]].pop(0)
            tally[app + " found"] += 1
            if got[0] != ends and row.get("syn", True):
                differ((*key, "client"), "client and server swapped")
            have = facts(record)
            for field, values in have.items():
                want = wanted(row, field)
                if want or values:
                    tally["facts"] += 1
                if want != values:
                    differ((*key, field), f"want {sorted(want)}, have {sorted(values)}")
                elif verbose and want:
                    print(f"{name} {ends[0]} {field} {sorted(want)}")
        for ends, records in left.items():
            for r in records:
                tally["unexpected"] += 1
                differ((name, *ends, "app"), f"unexpected {r['app_proto']}")

    stale = [" ".join(k) for k in known if k not in used]
    found = tally["smb found"] + tally["rdp found"]
    expected = tally["smb expected"] + tally["rdp expected"]
    for line in bad:
        print("DIFFERS", line)
    for line in stale:
        print("STALE in streams.known:", line)
    print(f"{len(by_file)} files, {tally['streams']} TCP streams; "
          f"smb {tally['smb found']}/{tally['smb expected']}, "
          f"rdp {tally['rdp found']}/{tally['rdp expected']}; "
          f"recall {found / max(expected, 1):.4f}, "
          f"precision {found / max(found + tally['unexpected'], 1):.4f}; "
          f"{tally['facts']} facts compared, {tally['known']} known differences, "
          f"{len(bad)} others")
    return 1 if bad or stale else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv))
