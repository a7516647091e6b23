# SPDX-License-Identifier: Apache-2.0
"""The program: what survives its death, what its log holds, its command line."""
import base64
import os
import subprocess
import unittest

from emulator_process import BINARY, WithEmulator


class Durability(WithEmulator):
    def test_kill_after_answer(self):
        emulator = self.emulator
        self.expect(emulator.call("POST", "/key_rings/kmip"), 201)
        root = self.root(aliases=["the-root"])
        wrapped = emulator.call("POST", f"/keys/{root}/actions/wrap", {}).json
        emulator.advance(86400)
        made = emulator.create({"prefer": "return=representation", "x-kms-key-ring": "kmip"},
                               payload="AAEC", aliases=["a1"], tags=["t"])
        instance = emulator.instance
        emulator.kill()
        emulator.start()
        self.assertEqual(emulator.instance, instance)
        # the token of before works on: it is signed, not remembered
        self.assertEqual(emulator.call("GET", "/keys/a1").resource, {**made.resource,
                                                                    "tags": ["t"]})
        opened = emulator.call("POST", "/keys/the-root/actions/unwrap",
                               {"ciphertext": wrapped["ciphertext"]})
        self.assertEqual(opened.json["plaintext"], wrapped["plaintext"])
        self.assertEqual(emulator.stop(), 0)

    def test_no_material_in_log_or_store(self):
        material = base64.b64encode(b"root-material-of-32-bytes-long!!").decode()
        root = self.root(payload=material)
        plain = base64.b64encode(b"the plain data encryption key 42").decode()
        self.emulator.call("POST", f"/keys/{root}/actions/wrap", {"plaintext": plain})
        envelope_bytes = base64.b64encode(b"KPE1 and so on").decode()
        self.emulator.create(payload=envelope_bytes)
        self.emulator.create(payload="AAECAwQ=")
        log = self.emulator.log()
        self.assertIn("payload_bytes=14 payload_kind=KPE1", log)
        self.assertIn("payload_bytes=5 payload_kind=opaque", log)
        for secret in (material, plain, envelope_bytes):
            self.assertNotIn(secret, log)
        with open(os.path.join(self.emulator.folder, "data.mdb"), "rb") as file:
            stored = file.read()
        self.assertNotIn(material.encode(), stored)
        self.assertNotIn(b"root-material-of-32-bytes-long!!", stored)


class PlainHttp(WithEmulator):
    options = ("--http",)

    def test_http_serves_the_same(self):
        self.expect(self.emulator.create(payload="AAEC"), 201)


class CommandLine(unittest.TestCase):
    def run_with(self, *options):
        return subprocess.run([BINARY, *options], capture_output=True, text=True, check=False,
                              timeout=20)

    def test_remote_addresses_are_refused(self):
        result = self.run_with("--listen", "0.0.0.0:0", "--data", "unused")
        self.assertEqual(result.returncode, 2)
        self.assertIn("--allow-remote", result.stderr)

    def test_help(self):
        result = self.run_with("--help")
        self.assertEqual(result.returncode, 0)
        self.assertIn("--token-life", result.stdout)

    def test_wrong_options(self):
        for options in (["--data"], ["--what"], ["--data", "x", "--instance", "y"],
                        ["--data", "x", "--cert", "y"], []):
            self.assertEqual(self.run_with(*options).returncode, 2)
