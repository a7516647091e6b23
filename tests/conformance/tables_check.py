#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares kmip/spec/*.def with published test vectors (XML, folder in KMIP_VECTORS).

Without arguments: every element name, enumeration value and mask bit that the vectors of KMIP 1.0 to
2.1 use must be in the tables; says what is not and ends with status 1.
The profiles that the server claims (kmip/profiles.def) must be those of which every published mandatory case passes.
--frames: prints every 1.x message as one line of hex (TTLV), for the round-trip test.
"""
import os
import re
import sys
from pathlib import Path

from vectors import NOT_NAMES, SPEC, Tables, context_of, number_of, plain, ttlv, value_of, vectors, walk

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "harness"))

import wire  # noqa: E402
from server_information import ServerInformation, Wrong, functions_of, version_asked  # noqa: E402

# How the names of a server profile's mandatory cases begin.
CASES = {
    "TAPE_LIBRARY": "TL-M-", "SYMMETRIC_KEY_LIFECYCLE": "SKLC-M-", "ASYMMETRIC_KEY_LIFECYCLE": "AKLC-M-",
    "BASIC_CRYPTOGRAPHIC": "CS-BC-M-", "ADVANCED_CRYPTOGRAPHIC": "CS-AC-M-", "RNG_CRYPTOGRAPHIC": "CS-RNG-M-",
    "SYMMETRIC_KEY_FOUNDRY": "SKFF-M-", "OPAQUE_MANAGED_OBJECT_STORE": "OMOS-M-",
    "STORAGE_ARRAY_WITH_SELF_ENCRYPTING_DRIVE": "SASED-M-"}


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


def profiles_met():
    """A profile of a version that has mandatory cases, of which none fails in any version."""
    listed = [line.split("\t")[0] for line in (HERE / "deviations.tsv").read_text(encoding="utf-8").splitlines()]
    failing = {Path(path).name.replace("_", "-") for path in listed}
    met = set()
    for profile, begin in CASES.items():
        if any(name.startswith(begin) for name in failing):
            continue
        for minor in range(5):
            published = (Path(os.environ["KMIP_VECTORS"]) / f"1.{minor}").rglob("*.xml")
            if any(path.name.replace("_", "-").startswith(begin) for path in published):
                met.add(f"{profile}_SERVER_KMIP_V1_{minor}")
    return met


def check_profiles():
    """Claiming less than is met is no lie, but said."""
    claimed = set(re.findall(r"^PROFILE\((\w+)\)$", (SPEC.parent / "profiles.def").read_text(), re.M))
    met = profiles_met()
    for name in sorted(claimed - met):
        print(f"claimed, but not met by the published cases: {name}")
    for name in sorted(met - claimed):
        print(f"met, but not claimed: {name}")
    return 1 if claimed - met or not claimed else 0


def is_refused(server, *answer):
    try:
        server.judge(*answer)
    except Wrong:
        return True
    return False


def check_judge(tables):
    """What judges Query answers accepts the published ones, and none that was bent."""
    server, wrong, seen = ServerInformation(tables), 0, 0
    for path, root in vectors(["1.3", "1.4"]):
        messages = [message for message in root if message.tag in ("RequestMessage", "ResponseMessage")]
        for request, response in zip(messages[::2], messages[1::2]):
            payload = response.find(".//ResponsePayload")
            if request.find(".//QueryFunction") is None or payload is None or len(payload) < 2:
                continue
            asked, version = functions_of(tables, request), version_asked(request)
            given = wire.read(ttlv(tables, payload))[0].value
            parts = len({node.tag for node in given})
            seen += 1
            right = not is_refused(server, version, asked, payload, given)
            bent = [(version, [4], payload, given)]
            if parts > 1:
                bent.append((version, asked, payload, given[::-1]))
            if not right or not all(is_refused(server, *answer) for answer in bent):
                print(f"judged wrongly: {path.name}")
                wrong += 1
    print(f"{seen} Query answers judged, {wrong} wrongly")
    return 1 if wrong or not seen else 0


def frames(tables):
    for _, root in vectors(["1.0", "1.1", "1.2", "1.3", "1.4"]):
        for message in root:
            if message.tag not in ("RequestMessage", "ResponseMessage"):
                continue
            print(ttlv(tables, message).hex())
    return 0


if __name__ == "__main__":
    sys.exit(frames(Tables()) if "--frames" in sys.argv else check(Tables()) | check_profiles() | check_judge(Tables()))
