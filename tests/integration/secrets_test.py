# SPDX-License-Identifier: Apache-2.0
"""Canaries: after traffic of every kind with the most talkative log, no byte of a key, no API key and no token is in any
file that the pair or the key manager wrote, nor where processes show their arguments and environment.
"""
import base64
import os
import re
import unittest

import harness  # noqa: F401
import vsphere
import wire
from case import FreshPairCase
from manager import API_KEY

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


def disguises(secret):
    """The forms in which bytes may lie in a file: raw, hex, base64 (the forms that do not depend on neighbours)."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    for skip in range(3):
        part = secret[skip:]
        yield base64.b64encode(part[:len(part) // 3 * 3])


class Secrets(FreshPairCase):
    options = {"top": {"log-level": "debug"}}

    def files(self):
        """Everything that was written, but for what the operator wrote: the API key's own file and the PKI."""
        for folder, _, names in os.walk(self.pair.folder):
            for name in names:
                path = os.path.join(folder, name)
                if path != self.pair.api_key_file and not folder.endswith("pki") and os.path.isfile(path):
                    with open(path, "rb") as file:
                        yield path, file.read()

    def traffic(self):
        """Keys made, registered, fetched on both nodes, revoked, destroyed; errors; a broken connection. The materials."""
        materials = [self.vcenter.encrypt_vm(f"vm-{number}")[1] for number in range(4)]
        registered = self.vcenter.ask(register(CANARY)).uid
        for client in (self.on_a, self.on_b):
            self.assertEqual(client.material(registered), CANARY)
        uid = self.vcenter.create(header=vsphere.credential("operator", "pass-canary"))
        materials.append(self.vcenter.material(uid))
        self.vcenter.ask(vsphere.destroy(uid))
        self.reason_of(self.on_a, vsphere.get("00000000-0000-4000-8000-000000000000"))
        with self.on_a.connect(self.pair.a.endpoint) as connection:
            connection.send(register(CANARY)[:-40])
        with self.on_b.connect(self.pair.b.endpoint) as connection:
            broken = bytearray(register(CANARY))
            broken[-60] ^= 0xFF
            connection.send(bytes(broken))
            connection.receive()
        return materials + [CANARY]

    def test_no_secret_in_any_file(self):
        """While the pair runs, and after it was stopped, started from its caches, and stopped again."""
        materials = self.traffic()
        self.check_processes()
        self.check_files(materials)
        self.pair.stop()
        self.pair.start()
        for client in (self.on_a, self.on_b):
            materials.append(client.material(client.create()))
        self.pair.manager.kill9()
        self.pair.manager.start()
        self.pair.stop()
        self.check_files(materials)
        self.check_payloads()

    def check_files(self, materials):
        needles = {form: f"key {number}" for number, secret in enumerate(materials) for form in disguises(secret)}
        needles.update({API_KEY.encode(): "the API key", b"pass-canary": "a client's password", b"eyJ": "a token",
                        b"Bearer ": "a token's header", b"access_token": "a token's answer",
                        b"PRIVATE KEY": "a private key"})
        seen = 0
        for path, content in self.files():
            seen += 1
            for needle, what in needles.items():
                if needle == b"eyJ" and not path.endswith("log"):
                    continue  # three characters are met by chance in binary files
                self.assertFalse(needle in content, f"{what} is in {path}")
        self.assertGreater(seen, 5)

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


if __name__ == "__main__":
    unittest.main()
