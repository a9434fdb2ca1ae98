#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Random spellings of policy files through `cordon fmt`.

fmt.py CORDON SEED ROUNDS FILE...  Each round takes a file, writes its data anew (another
style, another order of keys), puts comments wherever they may stand, formats, and holds:
the data are the same to another YAML reader; each comment is there exactly once; formatting
again changes nothing; where keys were in order already, so are the comments."""
import random
import subprocess
import sys

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def fmt(cordon, text):
    p = subprocess.run([cordon, "fmt", "-"], input=text.encode(), stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE)
    return p.stdout.decode() if p.returncode == 0 else None, p.stderr.decode()


def load(text):
    try:
        return list(yaml.load_all(text, LOADER))
    except (AttributeError, ValueError) as e: # PyYAML's own, on a tag it takes for a time
        raise yaml.YAMLError(str(e)) from e


def shuffled(rnd, node, top=True):
    """Another order of keys: of mappings with names for keys the file's own order counts,
    but that is no difference to a reader."""
    if isinstance(node, dict):
        items = list(node.items())
        rnd.shuffle(items)
        return {k: shuffled(rnd, v, False) for k, v in items}
    if isinstance(node, list):
        return [shuffled(rnd, v, False) for v in node]
    return node


def restyled(rnd, docs):
    style = rnd.choice([None, False, True])
    return yaml.safe_dump_all([shuffled(rnd, d) for d in docs], default_flow_style=style,
                              sort_keys=False, width=rnd.choice([30, 80, 1000]),
                              indent=rnd.choice([2, 3, 4, 8]), allow_unicode=True,
                              explicit_start=rnd.random() < 0.3)


def commented(rnd, text, tag):
    """Comments behind and between lines, each kept only if the data stay the same."""
    want, count = load(text), 0
    for _ in range(rnd.randint(1, 6)):
        lines = text.split("\n")
        at = rnd.randrange(len(lines))
        word = "# %s-%d" % (tag, count) + rnd.choice(["", " x: y", " [", " '", ' "', " # z"])
        if rnd.random() < 0.5 and lines[at].strip():
            lines[at] += " " * rnd.randint(1, 9) + word
        else:
            lines[at:at] = [""] * rnd.choice([0, 0, 1, 3]) + [" " * rnd.randint(0, 9) + word]
        tried = "\n".join(lines)
        try:
            if load(tried) == want:
                text, count = tried, count + 1
        except yaml.YAMLError:
            pass
    return text, count


def order_of(text, tag):
    return [w.split()[0] for w in text.split("# ") if w.startswith(tag + "-")]


def main():
    cordon, seed, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    files = [(f, open(f, encoding="utf-8").read()) for f in sys.argv[4:]]
    rnd = random.Random(seed)
    comments = refused = 0
    for n in range(rounds):
        name, text = rnd.choice(files)
        try:
            text, count = commented(rnd, restyled(rnd, load(text)), "one")
        except yaml.YAMLError:
            continue

        def bad(why, *texts):
            print("fmt: seed %d round %d (%s): %s" % (seed, n, name, why), file=sys.stderr)
            for t in texts:
                print("-" * 60 + "\n" + t, file=sys.stderr)
            sys.exit(1)

        once, err = fmt(cordon, text)
        if once is None:
            # what PyYAML writes and libyaml refuses: never for any other reason
            if "cannot be formatted" in err or "out of memory" in err:
                bad(err, text)
            refused += 1
            continue
        if load(once) != load(text):
            bad("other data", text, once)
        if sorted(order_of(once, "one")) != sorted(order_of(text, "one")):
            bad("comments are lost or doubled", text, once)
        if fmt(cordon, once)[0] != once:
            bad("not stable", text, once, str(fmt(cordon, once)[0]))
        more, added = commented(rnd, once, "two")
        again, err = fmt(cordon, more)
        if again is None or order_of(again, "two") != order_of(more, "two"):
            bad("comments have moved: " + err, more, str(again))
        comments += count + added
    if refused > rounds // 4:
        sys.exit("fmt: %d of %d files refused" % (refused, rounds))
    print("fmt: seed %d, %d files, %d comments, %d refused by the reader: 0 lost, 0 moved" % (
        seed, rounds, comments, refused))


main()
