# SPDX-License-Identifier: Apache-2.0
"""After traffic of every kind with the most talkative log, no byte of a key, no API key and no token is in any file that
the pair or the key manager wrote, nor where processes show their arguments and environment. That every other test leaves
none either is found at its pair's end (harness/canaries.py); here it is shown that such a search finds what is there.
"""
import base64
import contextlib
import io
import os
import re
import unittest

import harness  # noqa: F401
import vsphere
import wire
from canaries import handed_out
from case import FreshPairCase
from manager import API_KEY
from pair import Pair

CANARY = bytes.fromhex("c0ffee5ec2e7" "00a1b2c3d4e5f60718293a4b5c6d7e8f9001122334455667788a")


def register(material):
    """A Register with a key of the client's own."""
    def number(name, value):
        return wire.attribute(name, wire.integer(wire.ATTRIBUTE_VALUE, value))
    block = wire.structure(wire.KEY_BLOCK, wire.enum(wire.FORMAT, 1),
                           wire.structure(wire.KEY_VALUE, wire.data(wire.KEY_MATERIAL, material)),
                           wire.enum(wire.ALGORITHM, 3), wire.integer(wire.LENGTH, 8 * len(material)))
    return wire.request(wire.batch_item(
        wire.REGISTER, wire.enum(wire.OBJECT_TYPE, 2),
        wire.structure(wire.TEMPLATE_ATTRIBUTE, number("Cryptographic Usage Mask", 12)),
        wire.structure(wire.SYMMETRIC_KEY, block)))


class Secrets(FreshPairCase):
    options = {"top": {"log-level": "debug"}}

    def traffic(self):
        """Keys made, registered, fetched on both nodes, revoked, destroyed; errors; a broken connection."""
        handed_out.add_text("a client's password", "pass-canary")
        for number in range(4):
            self.vcenter.encrypt_vm(f"vm-{number}")
        registered = self.vcenter.ask(register(CANARY)).uid
        for client in (self.on_a, self.on_b):
            self.assertEqual(client.material(registered), CANARY)
        uid = self.vcenter.create(header=vsphere.credential("operator", "pass-canary"))
        self.vcenter.material(uid)
        self.vcenter.ask(vsphere.destroy(uid))
        self.reason_of(self.on_a, vsphere.get("00000000-0000-4000-8000-000000000000"))
        with self.on_a.connect(self.pair.a.endpoint) as connection:
            connection.send(register(CANARY)[:-40])
        with self.on_b.connect(self.pair.b.endpoint) as connection:
            broken = bytearray(register(CANARY))
            broken[-60] ^= 0xFF
            connection.send(bytes(broken))
            connection.receive()

    def test_no_secret_in_any_file(self):
        """While the pair runs, and after it was stopped, started from its caches, and stopped again."""
        self.traffic()
        self.check_processes()
        self.check_files()
        self.pair.stop()
        self.pair.start()
        for client in (self.on_a, self.on_b):
            client.material(client.create())
        self.pair.manager.kill9()
        self.pair.manager.start()
        self.pair.stop()
        self.check_files()
        self.check_payloads()

    def check_files(self):
        self.assertGreater(len(self.pair.written_files()), 5)
        self.assertEqual(self.pair.secrets_written(), [])

    def check_processes(self):
        for node in self.pair.nodes:
            for pid in node.members():
                for what in ("cmdline", "environ"):
                    with open(f"/proc/{pid}/{what}", "rb") as file:
                        self.assertNotIn(API_KEY.encode(), file.read())

    def check_payloads(self):
        """Whatever was stored as a standard key is an envelope of ours."""
        kinds = re.findall(r"payload_kind=(\S+)", self.pair.manager.log())
        self.assertGreaterEqual(len(kinds), 8)
        self.assertEqual(set(kinds), {"KPE1"})


class Planted(unittest.TestCase):
    """A secret in a file of the pair fails the pair's end, whichever form it has and wherever it lies."""

    def expect_found(self, what, name, content, watched=b""):
        pair = Pair(start=False)
        handed_out.watch(watched)
        path = os.path.join(pair.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(b"before " + content + b" after")
        with self.assertRaisesRegex(AssertionError, f"{what}.* is in .*{name}"), contextlib.redirect_stdout(io.StringIO()):
            pair.close()

    def test_key(self):
        """Given a key that went over a connection, Then its bytes, digits or base64 in a data file, log, core or store fail."""
        digits = CANARY.hex()
        for name, content in (("a/data/data.mdb", CANARY), ("b/log", digits.encode()), ("a/core.77", digits.upper().encode()),
                              ("manager/data.mdb", base64.b64encode(b"x" + CANARY)),
                              ("b/crash", base64.urlsafe_b64encode(CANARY))):
            with self.subTest(name):
                self.expect_found("key", name, content, watched=register(CANARY)[:-8])

    def test_credentials(self):
        """The same for an API key, a token and a private key."""
        token = b"eyJhbGciOiJIUzI1NiIsInR5cCI6.eyJzdWIiOiJzb21lYm9keSJ9.c2ln"
        for what, content in (("an API key", API_KEY.encode()), ("a token", token), ("a private key", b"PRIVATE KEY")):
            with self.subTest(what):
                self.expect_found(what, "a/log", content)

    def test_nothing(self):
        """Given no secret but a key's neighbours, Then the end is a good one."""
        pair = Pair(start=False)
        handed_out.watch(register(CANARY))
        with open(os.path.join(pair.folder, "a", "log"), "wb") as file:
            file.write(CANARY[:-2] + b"eyJ" + CANARY[1:].hex().encode()[:40])
        pair.close()


if __name__ == "__main__":
    unittest.main()
