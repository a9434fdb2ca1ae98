#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: the mode of hundreds of hosts changes: diff answers in few regions that hold all
"""diff_modes.py CORDON [SEED]: 300 hosts of the bench policy, enforced and observed."""
import ipaddress
import json
import os
import random
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
HOSTS, FLOWS = 300, 4000


def run(cordon, *args, text=""):
    return subprocess.run([cordon, *args], input=text, capture_output=True, text=True)


def verdicts(cordon, tree, flows):
    text = "".join("%s %s tcp/%d\n" % f for f in flows)
    out = run(cordon, "explain", tree, "-", text=text)
    return [json.loads(line)["verdict"] for line in out.stdout.splitlines()]


def covers(region, flow):
    src, dst, port = flow
    lo, _, hi = region["ports"].partition("-")
    return (ipaddress.ip_address(src) in ipaddress.ip_network(region["src"]) and
            ipaddress.ip_address(dst) in ipaddress.ip_network(region["dst"]) and
            region["proto"] in ("any", "tcp") and int(lo) <= port <= int(hi or lo))


def main(argv):
    cordon, seed = argv[1], int(argv[2]) if len(argv) > 2 else random.randrange(1 << 32)
    print("seed", seed)
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as top:
        trees = [os.path.join(top, name) for name in ("enforced", "observed")]
        for tree, mode in zip(trees, ("enforce", "observe")):
            subprocess.run([sys.executable, os.path.join(HERE, "../bench/policy.py"),
                            str(HOSTS), tree], check=True)
            path = os.path.join(tree, "cordon.yaml")
            with open(path) as f:
                text = f.read().replace("mode: enforce", "mode: " + mode)
            with open(path, "w") as f:
                f.write(text)
        # one host that says its mode itself, and whose rule changes
        own = os.path.join("hosts", "host00007.yaml")
        for tree, service in zip(trees, ("mssql", "tcp/1434")):
            with open(os.path.join(tree, own)) as f:
                text = f.read().replace("owner:", "mode: enforce\nowner:")
            with open(os.path.join(tree, own), "w") as f:
                f.write(text.replace("service: mssql", "service: " + service))
        bad = check(cordon, rng, *trees)
    print("%d failed" % bad)
    return bad != 0


def check(cordon, rng, old, new):
    bad = 0

    def want(what, ok):
        nonlocal bad
        bad += not ok
        print("ok  " if ok else "FAIL", what)

    ahead = run(cordon, "diff", old, new, "--format", "json")
    back = run(cordon, "diff", new, old, "--format", "json")
    want("it answers", ahead.returncode == 0 and back.returncode == 0)
    d, r = json.loads(ahead.stdout), json.loads(back.stdout)
    want("a change of mode for each but one", len(d["mode_changes"]) == HOSTS - 1 + 2)
    together = [x for x in d["opened"] if x.get("at_most")]
    exact = [x for x in d["opened"] if not x.get("at_most")]
    want("few regions for all of them", 0 < len(together) < 400)
    want("the host with a mode of its own exactly",
         any("host00007/in/tcp-1434" in x["rules"] for x in exact))
    want("and what it closes", any("host00007/in/mssql" in x["rules"] for x in d["closed"]))
    want("nothing of the others is closed", not any(x.get("at_most") for x in d["closed"]))
    want("exposure is said", any(x.get("at_most") for x in d["exposure"]["opened"]))
    want("the way back closes it", [x["dst"] for x in r["closed"] if x.get("at_most")] ==
         [x["dst"] for x in together])
    want("--fail-on opened", run(cordon, "diff", old, new, "--fail-on", "opened",
                                 "--format", "json").returncode == 3)
    flows = []
    for _ in range(FLOWS):
        host = "10.64.%d.%d" % divmod(16 + rng.randrange(HOSTS + 20), 256)
        other = rng.choice(["10.1.2.5", "10.1.1.10", "192.0.2.%d" % rng.randrange(256),
                            "10.64.0.%d" % rng.randrange(16, 256), "10.32.1.1"])
        pair = (host, other) if rng.random() < 0.4 else (other, host)
        flows.append(pair + (rng.choice([445, 3389, 1433, 1434, 135, 88, 80, 8123]),))
    for tree_old, tree_new, key, diff in ((old, new, "opened", d), (new, old, "closed", r)):
        gained = ("deny", "allow") if key == "opened" else ("allow", "deny")
        hits = [f for f, a, b in zip(flows, verdicts(cordon, tree_old, flows),
                                     verdicts(cordon, tree_new, flows)) if (a, b) == gained]
        lost = [f for f in hits if not any(covers(x, f) for x in diff[key])]
        want("%d of %d flows %s, all in a region" % (len(hits), len(flows), key),
             len(hits) > 100 and not lost)
        for f in lost[:5]:
            print("     |", f)
    seen = [(x["witness"]["src"], x["witness"]["dst"], x["witness"]["port"])
            for x in together[:200]]
    want("witnesses are opened",
         verdicts(cordon, old, seen[:1]) + verdicts(cordon, new, seen[:1]) ==
         ["deny", "allow"])
    return bad


if __name__ == "__main__":
    sys.exit(main(sys.argv))
