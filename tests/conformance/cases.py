#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the published test cases of KMIP 1.0 to 1.4 (folder in KMIP_VECTORS) against a pair of nodes.

Each file is one session. deviations.tsv names the ones that cannot pass, with the reason; one of them that passes is a
failure too, so that the list stays true.

    cases.py [--verbose] [--seed N] [PART OF A PATH...]     only the cases whose path holds one of the parts
"""
import argparse
import os
import pathlib
import random
import re
import sys
import xml.etree.ElementTree as ET

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "harness"))

import wire  # noqa: E402
from canaries import handed_out  # noqa: E402
from pair import Pair  # noqa: E402
from session import Different, Session  # noqa: E402
from vectors import Tables  # noqa: E402

VERSIONS = ("1.0", "1.1", "1.2", "1.3", "1.4")
OPTIONS = {"top": {"reconcile-interval": 600, "root-key-poll": 600}, "kmip": {"strict-activate": "true"},
           "authority": "/C=US/O=TEST/OU=OASIS/CN=KMIP"}
REVOKE_COMPROMISE = 2
ONLINE, ARCHIVED = 1, 2  # bits of Storage Status Mask
# What these cases make is what the next one looks for.
FOLLOWED = re.compile(r"(SASED|TL)[-_]M[-_]2")
# What a case finds, made by another published one that does nothing else.
SET_UPS = ((re.compile(r"TC-CREG-[23]-"), "TC-CREG-1-13.xml"),
           (re.compile(r"TC-OTP-([125]|CLEANUP-1)-"), "TC-OTP-SETUP-1-13.xml"),
           (re.compile(r"TC-OTP-[34]-"), "TC-OTP-SETUP-2-13.xml"))


def case_files():
    root = pathlib.Path(os.environ["KMIP_VECTORS"])
    for version in VERSIONS:
        for path in sorted((root / version).rglob("*.xml")):
            if path.parent.name not in ("ovh-authored", "ovh-variant"):
                yield str(path.relative_to(root)), path


def parse(path):
    """One file is broken as published: it closes its root twice."""
    text = path.read_text(encoding="utf-8")
    try:
        return ET.fromstring(text)
    except ET.ParseError:
        return ET.fromstring(re.sub(r"(</KMIP>\s*)+$", "</KMIP>", text))


def deviations():
    lines = (HERE / "deviations.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return {path: reason for path, reason in rows}


def pardon_published():
    """The keys of the cases are in print; one case's Digest is another's derived key."""
    for _, path in case_files():
        for element in parse(path).iter("KeyMaterial"):
            if re.fullmatch(r"([0-9A-Fa-f]{2})+", element.get("value", "")):
                handed_out.pardon(bytes.fromhex(element.get("value")))


class Runner:
    """Each message goes to an endpoint that is drawn for it, but where the session says where it must go."""

    def __init__(self, pair, seed):
        self.tables, self.seed = Tables(), seed
        self.client = pair.client("conformance")
        self.connections, self.random = {}, None

    def ask(self, frame, home):
        endpoint = home or self.random.choice(self.client.endpoints)
        try:
            connection = self.connect(endpoint)
            connection.send(frame)
            return connection.receive_frame(), endpoint
        except OSError as error:
            self.hang_up()
            raise Different(f"no answer: {error}") from None

    def connect(self, endpoint):
        if endpoint not in self.connections:
            self.connections[endpoint] = wire.Connection(endpoint, self.client.identity, self.client.ca)
        return self.connections[endpoint]

    def hang_up(self):
        for connection in self.connections.values():
            connection.close()
        self.connections = {}

    def run(self, name, path):
        """None, or what was different."""
        self.random = random.Random(f"{self.seed} {name}")  # one case alone is drawn as among all
        try:
            self.set_up(path)
            Session(self.tables, parse(path), self.ask).run()
            return None
        except Different as different:
            return str(different)
        except (KeyError, ValueError, AssertionError) as error:
            return f"not to be run: {error!r}"
        finally:
            if not FOLLOWED.search(path.name):
                self.clean()

    def set_up(self, path):
        for pattern, name in SET_UPS:
            if pattern.match(path.name):
                (before,) = (found for _, found in case_files() if found.name == name)
                Session(self.tables, parse(before), self.ask).run()

    def clean(self):
        """No case sees another's objects."""
        connection = self.connect(self.random.choice(self.client.endpoints))
        located = connection.ask(wire.request(wire.batch_item(
            wire.LOCATE, wire.integer(wire.STORAGE_STATUS_MASK, ONLINE | ARCHIVED)), version=(1, 4))).one
        for uid in [node.value for node in located.payload.all(wire.UID)]:
            reason = wire.structure(wire.REVOCATION_REASON, wire.enum(wire.REVOCATION_CODE, REVOKE_COMPROMISE))
            named = wire.text(wire.UID, uid)
            for item in (wire.batch_item(wire.RECOVER, named), wire.batch_item(wire.REVOKE, named, reason),
                         wire.batch_item(wire.DESTROY, named)):
                connection.ask(wire.request(item, version=(1, 4)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verbose", action="store_true", help="name the cases that pass, too")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32), help="draw the endpoints as that run did")
    parser.add_argument("parts", nargs="*", metavar="PART", help="only the cases whose path holds one of these")
    options = parser.parse_args()
    print(f"seed {options.seed}")
    known, passed, failed, skipped = deviations(), 0, 0, 0
    pair = Pair(OPTIONS)
    try:
        pair.register("conformance")
        runner = Runner(pair, options.seed)
        for name, path in case_files():
            if options.parts and not any(part in name for part in options.parts):
                continue
            different = runner.run(name, path)
            if different is None and name not in known:
                passed += 1
                if options.verbose:
                    print(f"passed   {name}")
            elif different is None:
                failed += 1
                print(f"FAILED   {name}: passes, but deviations.tsv says that it cannot")
            elif name in known:
                skipped += 1
                print(f"skipped  {name}: {known[name]}")
            else:
                failed += 1
                print(f"FAILED   {name}: {different}")
            sys.stdout.flush()
    finally:
        pardon_published()
        pair.close()
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
