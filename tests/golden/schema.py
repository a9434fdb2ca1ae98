#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`cordon schema` and the loader accept and refuse the same files.

schema.py CORDON [SEED [ROUNDS]].  Of every policy file of examples, golden cases and
rejected policies, and of ROUNDS random mutations of good ones, the schema's verdict is that
of the loader's structural checks.  What an expression can't say stands in BEYOND."""
import copy
import glob
import json
import os
import random
import re
import subprocess
import sys
import tempfile

try:
    import jsonschema
    import yaml
except ImportError as e:
    print("schema: SKIP: no python3-%s" % e.name)
    sys.exit(77)

# Structural codes: of the form of one value or mapping, whatever else the tree holds.
STRUCTURE = {"CRD%03d" % n for n in range(20, 32)}
# Of those, what JSON Schema has no words for: (reject case, file).
BEYOND = {
    ("bad-only", "tests/t.yaml"): "which of two keys has to be there",
    ("guard-no-match", "guards/g.yaml"): "a key that only some guards need",
    ("guard-id", "guards/g.yaml"): "words that no guard's id ends with",
    ("bad-time", "hosts/a.yaml"): "the days of a month",
    ("key-ttl-long", "cordon.yaml"): "the length of a duration",
    ("protect-overlap", "cordon.yaml"): "addresses within each other",
    ("rule-id-long", "hosts/a.yaml"): "an id that is made of two names",
}


def beyond(kind, text, codes):
    """The same of mutations: whether codes of the loader are nothing for a schema."""
    rows = (
        ("CRD021", kind == "tests", "a test has flow and expect, or only"),
        ("CRD021", kind == "guards" and "match:" not in text, "only some guards need match"),
        ("CRD031", kind == "guards" and "mask:" in text, "a mask as long as its bytes"),
        ("CRD026", re.search(r"\b(any|gateway)\b", text), "words that are no names"),
        ("CRD022", kind == "cordon" and not re.search(r"file: ['\"]?/", text), "an absolute path"),
    )
    return all(any(c == code and cond for code, cond, _ in rows) for c in codes)


TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


class Core(yaml.SafeLoader):
    """YAML 1.2 core types, as editors have them: no dates, `on` and `no` are text."""


Core.yaml_implicit_resolvers = {}
for tag, pattern, first in (
        ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
        ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
        ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$",
         "-+.0123456789"),
        ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""])):
    Core.add_implicit_resolver("tag:yaml.org,2002:" + tag, re.compile(pattern), first)
Core.add_constructor("tag:yaml.org,2002:int", lambda l, n: int(l.construct_scalar(n)))


class Dump(yaml.SafeDumper):
    yaml_implicit_resolvers = Core.yaml_implicit_resolvers

    def ignore_aliases(self, data):
        return True


class World:
    def __init__(self, cordon):
        self.cordon = cordon
        self.schema = json.loads(subprocess.check_output([cordon, "schema"]))
        jsonschema.Draft202012Validator.check_schema(self.schema)
        self.of = {k: jsonschema.Draft202012Validator(
            {"$ref": "#/$defs/" + k, "$defs": self.schema["$defs"]}) for k in self.schema["$defs"]}

    def codes(self, tree):
        """file -> structural codes, by the loader."""
        p = subprocess.run([self.cordon, "check", "--format", "json", "."], cwd=tree,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        found = {}
        for line in (p.stdout + p.stderr).splitlines():
            if line.startswith("{"):
                d = json.loads(line)
                found.setdefault(os.path.normpath(d["file"]), set()).add(d["code"])
        return found

    def refuses(self, kind, text):
        """The schema's first error, or None."""
        for doc in yaml.load_all(text, Core):
            for e in self.of[kind].iter_errors(doc):
                return "%s: %s" % ("/".join(map(str, e.absolute_path)), e.message[:200])
        return None


def kind_of(path):
    head = path.split("/")[0]
    return head[:-5] if head.endswith(".yaml") else head


def files_of(tree):
    for path in sorted(glob.glob(tree + "/**/*.yaml", recursive=True)):
        rel = os.path.relpath(path, tree)
        if os.path.isfile(path) and not os.path.islink(path) and rel.count("/") <= 1:
            yield rel, path


def shipped_files(world):
    bad = n = 0
    trees = glob.glob(TOP + "/rules/examples/*/") + glob.glob(TOP + "/tests/golden/*/policy/") \
        + glob.glob(TOP + "/tests/golden/diff/*/*/")
    for tree in sorted(t for t in trees if os.path.isfile(t + "/cordon.yaml")):
        for rel, path in files_of(tree):
            if kind_of(rel) in world.of:
                why = world.refuses(kind_of(rel), open(path, encoding="utf-8").read())
                n += 1
                if why:
                    bad += 1
                    print("schema: refuses %s: %s" % (path, why), file=sys.stderr)
    for kind in ("services", "guards", "profiles"):
        for path in glob.glob(TOP + "/rules/%s/*.yaml" % kind):
            why = world.refuses(kind, open(path, encoding="utf-8").read())
            n += 1
            if why:
                bad += 1
                print("schema: refuses %s: %s" % (path, why), file=sys.stderr)
    return n, bad


def rejected_files(world):
    n = bad = 0
    used = set()
    for tree in sorted(glob.glob(TOP + "/tests/reject/*/")):
        case = os.path.basename(tree.rstrip("/"))
        if os.path.exists(tree + "setup.sh"):
            continue
        codes = world.codes(tree)
        for rel, path in files_of(tree):
            have = codes.get(rel, set())
            # what is no YAML, or has no data for others: not the schema's matter
            if kind_of(rel) not in world.of or have & {"CRD001", "CRD002", "CRD003", "CRD004",
                                                       "CRD005", "CRD011"}:
                continue
            try:
                why = world.refuses(kind_of(rel), open(path, encoding="utf-8").read())
                docs = list(yaml.load_all(open(path, encoding="utf-8"), Core))
            except (yaml.YAMLError, UnicodeError):
                continue
            want = bool(have & STRUCTURE)
            if not docs or (kind_of(rel) in ("cordon", "groups", "services") and len(docs) > 1):
                continue  # the number of documents is no document's matter
            n += 1
            if (why is not None) != want:
                if want and (case, rel) in BEYOND:
                    used.add((case, rel))
                    continue
                bad += 1
                print("schema: %s/%s: loader %s, schema: %s" % (
                    case, rel, sorted(have & STRUCTURE) or "takes it", why), file=sys.stderr)
    for key in sorted(set(BEYOND) - used):
        if os.path.isdir(TOP + "/tests/reject/" + key[0]):
            bad += 1
            print("schema: %s/%s is refused: take it out of BEYOND" % key, file=sys.stderr)
    return n, bad


# ---- mutations ----

SCALARS = [
    "a", "no-such-word", "x" * 41, "Upper", "-a", "", None, True, False, 0, 1, -1, 70000, 99999,
    "10.1.2.3", "10.1.2.0/24", "10.1.2.3-10.1.2.9", "fd00::1", "fd00:1::/32", "1::2:3", "::",
    "::ffff:10.1.2.3", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:8:9", ":::", "fd00::g",
    "10.1.2", "10.1.2.256", "010.1.2.3", "10.1.2.3/33", "fd00::/129", "10.1.2.3-fd00::1",
    "any", "gateway", "lan0", "smb", "rdp", "enforce", "observe", "drop", "off", "no", "yes",
    "tcp/445", "tcp/0", "tcp/65535", "tcp/65536", "tcp/1-2", "tcp/", "udp/53", "icmp/echo-request",
    "icmp/255", "icmp/256", "icmp/packet-too-big", "icmpv6/timestamp-request", "ip/50", "ip/6",
    "ip/255", "gre/1", "sctp/5", "1h", "90s", "1h30m", "30m1h", "1w", "90", "2030-01-31", "2030-13-01",
    "1969-12-31", "2030-01-31T10:00:00Z", "2030-01-31 10:00:00+02:00", "2030-01-31T25:00:00Z",
    "2030-01-31T10:00Z", "Mon-Fri 07:00-19:00", "mon,tue", "07:00-19:00", "Mon 7:00-19:00", "Someday",
    "Sat 22:00-24:00", "KB4474419", "KB1", "CVE-2017-0144", "CVE-17-0144", "CRD100", "CRD1", "53 4d",
    "534", "ff" * 9, "host-01", "a.b", "a b",
]
KEYS = ["host", "name", "from", "to", "mode", "no_such_key", "service", "on", "Bad Name", "x" * 41, "a"]


def spots(node, at=()):
    yield at
    if isinstance(node, dict):
        for k in node:
            yield from spots(node[k], at + (k,))
    elif isinstance(node, list):
        for i, v in enumerate(node):
            yield from spots(v, at + (i,))


def mutated(rnd, doc):
    """One to three changes anywhere."""
    for _ in range(rnd.choice([1, 1, 1, 2, 3])):
        doc = copy.deepcopy(doc)
        at = rnd.choice(list(spots(doc)))
        parent, node = None, doc
        for step in at:
            parent, node = node, node[step]

        def put(value):
            nonlocal doc
            if parent is None:
                doc = value
            else:
                parent[at[-1]] = value

        what = rnd.randrange(8)
        if what == 0 and parent is not None:
            del parent[at[-1]]
        elif what == 1 and isinstance(node, dict):
            node[rnd.choice(KEYS)] = rnd.choice(SCALARS)
        elif what == 2:
            put([copy.deepcopy(node)])
        elif what == 3 and isinstance(node, list) and node:
            put(copy.deepcopy(node[0]))
        elif what == 4:
            put(rnd.choice([[], {}, [[]], [{}]]))
        elif what == 5 and isinstance(node, list) and node:
            node.append(copy.deepcopy(rnd.choice([node[0], rnd.choice(SCALARS), [node[0]]])))
        elif what == 6 and isinstance(node, dict) and node:
            key = rnd.choice(list(node))
            node[rnd.choice(KEYS)] = node.pop(key)
        else:
            put(rnd.choice(SCALARS))
    return doc


def good_documents():
    docs = []
    for tree in sorted(glob.glob(TOP + "/rules/examples/*/") + glob.glob(TOP + "/tests/golden/*/policy/")):
        for rel, path in files_of(tree):
            for doc in yaml.load_all(open(path, encoding="utf-8"), Core):
                docs.append((kind_of(rel), doc))
    for path in sorted(glob.glob(TOP + "/rules/guards/*.yaml")):
        docs += [("guards", d) for d in yaml.load_all(open(path, encoding="utf-8"), Core)]
    return docs


def plain_text(doc):
    """As text; what another YAML quotes is quoted."""
    return yaml.dump(doc, Dumper=Dump, sort_keys=False, allow_unicode=True, width=1000)


def random_files(world, seed, rounds):
    rnd = random.Random(seed)
    docs = [d for d in good_documents() if d[0] in world.of]
    refused = bad = 0
    batch = 60
    for start in range(0, rounds, batch):
        with tempfile.TemporaryDirectory() as tree:
            texts = {}
            has_cordon = False
            for i in range(batch):
                kind, doc = rnd.choice(docs)
                text = plain_text(mutated(rnd, doc))
                if kind == "cordon":
                    if has_cordon:
                        continue
                    has_cordon, rel = True, "cordon.yaml"
                else:
                    rel = "%s/m%03d.yaml" % (kind, i)
                os.makedirs(os.path.join(tree, os.path.dirname(rel)), exist_ok=True)
                with open(os.path.join(tree, rel), "w", encoding="utf-8") as f:
                    f.write(text)
                texts[rel] = text
            codes = world.codes(tree)
            for rel, text in texts.items():
                have = codes.get(rel, set())
                if have & {"CRD003", "CRD005"}:
                    continue
                why = world.refuses(kind_of(rel), text)
                want = bool(have & STRUCTURE)
                refused += want
                if want and why is None and beyond(kind_of(rel), text, have & STRUCTURE):
                    continue
                if (why is not None) != want:
                    bad += 1
                    if bad <= 5:
                        print("schema: seed %d: %s: loader %s, schema: %s\n%s" % (
                            seed, rel, sorted(have) or "takes it", why, text), file=sys.stderr)
    return refused, bad


def main():
    world = World(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 16)
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 1200
    good, bad1 = shipped_files(world)
    rejected, bad2 = rejected_files(world)
    refused, bad3 = random_files(world, seed, rounds)
    print("schema: %d good files, %d of rejected policies (%d beyond it), %d mutations of seed %d "
          "(%d refused): %d disagreements" % (good, rejected, len(BEYOND), rounds, seed, refused,
                                              bad1 + bad2 + bad3))
    sys.exit(bad1 + bad2 + bad3 != 0)


main()
