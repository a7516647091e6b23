# SPDX-License-Identifier: Apache-2.0
"""The algorithm policy of an instance: applied by a reload on both nodes, in workers and keeper; nodes that differ say so and stay
a pair; a policy that means nothing is refused with file and line and changes nothing.
"""
import unittest

import harness  # noqa: F401
import vsphere
import wire
from case import FreshPairCase
from pair import CtlError
from process import wait_until

AES, TRIPLE_DES = 3, 2
PERMISSION_DENIED = 12
ECB, ENCRYPT, DECRYPT = 2, 0x1F, 0x20
BLOCK = bytes(range(16))


def create(algorithm, bits):
    attributes = [wire.attribute("Cryptographic Algorithm", wire.enum(wire.ATTRIBUTE_VALUE, algorithm)),
                  wire.attribute("Cryptographic Usage Mask", wire.integer(wire.ATTRIBUTE_VALUE, 12)),
                  wire.attribute("Cryptographic Length", wire.integer(wire.ATTRIBUTE_VALUE, bits)),
                  wire.attribute("Activation Date", wire.date(wire.ATTRIBUTE_VALUE, 1))]
    return wire.request(wire.batch_item(
        wire.CREATE, wire.enum(wire.OBJECT_TYPE, 2), wire.structure(wire.TEMPLATE_ATTRIBUTE, *attributes)))


def crypt(operation, uid, data):
    """A request of KMIP 1.2, the first version that encrypts."""
    return wire.request(wire.batch_item(
        operation, wire.text(wire.UID, uid),
        wire.structure(0x42002B, wire.enum(0x420011, ECB)), wire.data(0x4200C2, data)), version=(1, 2))


class Policy(FreshPairCase):
    def set_policy(self, node, text):
        for instance in node.options["instances"]:
            instance["algorithm-policy"] = text
        node.write_config()
        node.ctl("reload")

    def policies(self):
        return [node.status()["instances"][0]["algorithm_policy"] for node in self.pair.nodes]

    def differing(self):
        return [node.status()["peer"]["differing_settings"] for node in self.pair.nodes]

    def test_reload_applies_it(self):
        """Given a 3DES key that encrypts; when both nodes reload with fips; then neither makes one or encrypts with it, both
        decrypt with it and give it out, and vSphere's keys are made; when all is back, so is 3DES."""
        made = self.answer_of(self.on_a, create(TRIPLE_DES, 168))
        self.assertTrue(made.ok, made)
        uid = made.uid
        sealed = self.answer_of(self.on_b, crypt(ENCRYPT, uid, BLOCK))
        self.assertTrue(sealed.ok, sealed)
        for node in self.pair.nodes:
            self.set_policy(node, "fips")
        self.pair.wait_streaming()
        self.assertEqual(self.policies(), ["fips", "fips"])
        for client in (self.on_a, self.on_b):
            def refused(frame, client=client):
                item = self.answer_of(client, frame)
                return not item.ok and item.reason == PERMISSION_DENIED and "(fips) does not allow 3DES" in item.message
            self.assertTrue(refused(create(TRIPLE_DES, 168)))
            wait_until(lambda: refused(crypt(ENCRYPT, uid, BLOCK)), "every worker has reloaded")
            self.assertTrue(self.answer_of(client, crypt(DECRYPT, uid, BLOCK)).ok)
            self.assertTrue(self.answer_of(client, vsphere.get(uid)).ok)
            self.assertTrue(self.answer_of(client, create(AES, 256)).ok)
        for node in self.pair.nodes:
            self.set_policy(node, "all")
        wait_until(lambda: self.answer_of(self.on_a, create(TRIPLE_DES, 168)).ok, "3DES is allowed again")

    def test_nodes_that_differ(self):
        """Given fips on A alone; then both nodes say that they differ, in status, log and metrics' source, and go on replicating;
        when B has it too, however it is written, they do not say so any more."""
        self.set_policy(self.pair.a, "fips")
        self.pair.wait_streaming()
        wait_until(lambda: self.differing() == [1, 1], "both nodes tell that they differ")
        self.assertTrue(self.pair.b.log_lines("peer-settings-differ"))
        self.assertEqual(self.pair.a.status()["peer"]["differing_instances"], 0)
        uid, material = self.on_a.encrypt_vm("vm")
        self.pair.wait_same()
        self.assertEqual(self.on_b.fetch(uid), material)
        self.set_policy(self.pair.b, "FIPS")
        self.pair.wait_streaming()
        wait_until(lambda: self.differing() == [0, 0], "they are alike again")

    def test_wrong_policy_changes_nothing(self):
        """A word that means nothing, and AES taken away: the reload is refused with file and line, the policy in force stays."""
        self.set_policy(self.pair.a, "fips MD5")
        for text, words in (("fips MD6", '"MD6" is no algorithm'), ("all -AES", '"AES" with 256 bits is always')):
            with self.assertRaises(CtlError) as caught:
                self.set_policy(self.pair.a, text)
            self.assertIn(words, str(caught.exception))
            self.assertRegex(str(caught.exception), r":\d+: instances.algorithm-policy")
        self.assertEqual(self.policies(), ["fips MD5", "all"])


if __name__ == "__main__":
    unittest.main()
