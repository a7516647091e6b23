#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares kmip/spec/*.def with published test vectors (XML, folder in KMIP_VECTORS).

Without arguments: every element name, enumeration value and mask bit that the vectors of KMIP 1.0 to
2.1 use must be in the tables; says what is not and ends with status 1.
--frames: prints every 1.x message as one line of hex (TTLV), for the round-trip test.
"""
import sys

from vectors import NOT_NAMES, Tables, context_of, number_of, plain, ttlv, value_of, vectors, walk


def check(tables):
    unknown, seen = {}, 0
    for path, root in vectors(["1.0", "1.1", "1.2", "1.3", "1.4", "2.0", "2.1"]):
        for element, name in walk(root):
            kind = element.get("type", "Structure")
            seen += 1
            if element.tag not in NOT_NAMES and plain(element.tag) not in tables.tags:
                unknown.setdefault("tag " + element.tag, path)
            if kind not in ("Enumeration", "Integer") or value_of(element).startswith("$"):
                continue
            context = context_of(element, name)
            if context.startswith("pkcs11"):  # numbers of the PKCS#11 headers, not of KMIP
                continue
            try:
                number_of(tables, element, context, kind)
            except KeyError:
                unknown.setdefault("%s %s" % (context, value_of(element)), path)
    for what, path in sorted(unknown.items()):
        print("unknown: %s (%s)" % (what, path.name))
    print("%d elements checked, %d unknown" % (seen, len(unknown)))
    return 1 if unknown or seen == 0 else 0


def frames(tables):
    for _, root in vectors(["1.0", "1.1", "1.2", "1.3", "1.4"]):
        for message in root:
            if message.tag not in ("RequestMessage", "ResponseMessage"):
                continue
            try:
                print(ttlv(tables, message).hex())
            except (KeyError, ValueError, TypeError):
                continue
    return 0


if __name__ == "__main__":
    sys.exit(frames(Tables()) if "--frames" in sys.argv else check(Tables()))
