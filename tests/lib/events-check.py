#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# summary: validate a log of events against the shipped schema
"""usage: events-check.py SCHEMA LOG [--expect KIND…]

Exit 0: every line of LOG is valid, and each KIND occurs.  1: not so, told on stderr.
77: python3-jsonschema is missing."""
import json
import sys

try:
    import jsonschema
except ImportError:
    print("SKIP: python3-jsonschema is missing", file=sys.stderr)
    sys.exit(77)


def open_objects(schema, path="#"):
    """Places where an object of the schema would take unknown fields."""
    if isinstance(schema, list):
        for i, item in enumerate(schema):
            yield from open_objects(item, f"{path}/{i}")
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        yield path
    for key, value in schema.items():
        yield from open_objects(value, f"{path}/{key}")


def main():
    schema_path, log, expect = sys.argv[1], sys.argv[2], set(sys.argv[4:])
    with open(schema_path, encoding="utf-8") as f:
        schema = json.load(f)
    checker = jsonschema.Draft202012Validator
    checker.check_schema(schema)
    bad = list(open_objects(schema))
    for place in bad:
        print(f"{schema_path}: {place} takes unknown fields", file=sys.stderr)
    validator = checker(schema, format_checker=jsonschema.FormatChecker())
    count = 0
    with open(log, encoding="ascii") as f:
        for number, line in enumerate(f, 1):
            event = json.loads(line)
            for error in validator.iter_errors(event):
                where = "/".join(map(str, error.absolute_path))
                print(f"{log}:{number}: {where}: {error.message}", file=sys.stderr)
                bad.append(number)
            count += 1
            expect.discard(event["cordon"]["kind"])
    for kind in sorted(expect):
        print(f"{log}: no event of kind {kind}", file=sys.stderr)
    if count == 0:
        print(f"{log}: no events", file=sys.stderr)
    return 1 if bad or expect or count == 0 else 0


sys.exit(main())
