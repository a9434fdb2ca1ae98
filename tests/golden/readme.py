#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: what README.md shows is what happens: commands, policy, events
"""usage: readme.py CORDON

console blocks are run, with build/cordon as CORDON, and their output compared (policy
digests excepted); the yaml blocks are one policy, which has to be free of errors and
warnings; the json blocks have to fit the shipped schema of events.
"""
import json, os, re, subprocess, sys, tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
cordon = os.path.abspath(sys.argv[1])
blocks = re.findall(r"^```(\w+)\n(.*?)^```$", open(os.path.join(TOP, "README.md")).read(), re.M | re.S)
bad = []


def run(command, cwd=TOP):
    p = subprocess.run(["sh", "-c", command], cwd=cwd, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True)
    return p.returncode, p.stdout


def plain(text):
    return re.sub(r"policy [0-9a-f]{12}", "policy DIGEST", text)


def namespaces():
    return run("unshare -Urn true")[0] == 0


def console(block):
    for step in re.split(r"^\$ ", block, flags=re.M)[1:]:
        command, _, shown = step.partition("\n")
        if "unshare" in command and not namespaces():
            print(f"readme: SKIP {command}: no user namespaces", file=sys.stderr)
            continue
        _, out = run(command.replace("build/cordon", cordon))
        if plain(out) != plain(shown):
            bad.append(f"$ {command}\nshown:\n{shown}really:\n{out}")


def policy(parts):
    with tempfile.TemporaryDirectory() as tree:
        for part in parts:
            path = re.match(r"# /etc/cordon/policy/(\S+)\n", part)[1]
            os.makedirs(os.path.dirname(os.path.join(tree, path)), exist_ok=True)
            with open(os.path.join(tree, path), "w") as f:
                f.write(part)
        code, out = run(f"{cordon} check .", tree)
        if code != 0 or not out.startswith("ok: 1 host ") or "warning" in out:
            bad.append(f"the first policy: exit {code}\n{out}")


def event(text):
    try:
        import jsonschema
    except ImportError:
        print("readme: SKIP events: no python3-jsonschema", file=sys.stderr)
        return
    with open(os.path.join(TOP, "daemon/engine/events.schema.json")) as f:
        schema = json.load(f)
    for e in jsonschema.Draft202012Validator(schema).iter_errors(json.loads(text)):
        bad.append(f"an event: {e.json_path}: {e.message}")


kinds = {kind: [text for k, text in blocks if k == kind] for kind in ("console", "yaml", "json")}
if not all(kinds.values()):
    bad.append(f"blocks are missing: { {k: len(v) for k, v in kinds.items()} }")
for text in kinds["console"]:
    console(text)
policy(kinds["yaml"])
for text in kinds["json"]:
    event(text)
for b in bad:
    print("readme: " + b, file=sys.stderr)
sys.exit(bool(bad))
