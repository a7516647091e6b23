# SPDX-License-Identifier: Apache-2.0
"""The unwrapped keys (design D13): kept warm ahead of an outage, never behind the owner's back; and many Gets of one key at
one time are one unwrap.
"""
import threading
import unittest

import harness  # noqa: F401
import vsphere
import wire
from case import FreshPairCase, PairCase
from process import wait_until

UNWRAP = "POST /api/v2/keys/{k}/actions/unwrap"
KEYS = 6


def held(node):
    return node.status()["keys_in_memory"]


def wait_ledger_read(node):
    """The registration's ledger record is unwrapped by the other node when a poll shows it."""
    wait_until(lambda: node.status()["instances"][0]["ledger_records"], f"{node.name} has read the ledger record")


class KeepWarm(FreshPairCase):
    # A pass each ten seconds; a key stays for 40 s at least.
    options = {"top": {"keep-warm": "all", "keep-warm-rate": 100, "outage-grace": 80}}

    def wait_held(self, node, count):
        wait_until(lambda: held(node) == count, f"{node.name} holds {count} keys")

    def expect_resident(self, client, materials):
        for uid, material in materials.items():
            self.assertEqual(client.material(uid), material)

    def test_outage_finds_all_keys(self):
        """Keys that B never served, and after a restart A neither, are served when the key manager is away."""
        materials = dict(self.on_a.encrypt_vm(f"vm{i}") for i in range(KEYS))
        self.wait_held(self.pair.b, KEYS)
        self.pair.a.restart()
        self.pair.wait_streaming()
        self.wait_held(self.pair.a, KEYS)
        self.pair.manager.mode(down=True)
        self.expect_resident(self.on_a, materials)
        self.expect_resident(self.on_b, materials)

    def test_respects_the_owner(self):
        """A deleted key is not kept; a disabled root key empties both nodes, and they stay empty until it is enabled."""
        materials = dict(self.on_a.encrypt_vm(f"vm{i}") for i in range(KEYS))
        gone = next(iter(materials))
        for node in self.pair.nodes:
            self.wait_held(node, KEYS)
        self.pair.manager.delete(gone)
        for node in self.pair.nodes:
            self.wait_held(node, KEYS - 1)
        self.pair.manager.disable(self.pair.root_key)
        for node in self.pair.nodes:
            self.wait_held(node, 0)
        refused = self.pair.manager.calls().get(UNWRAP, 0)
        polls = "GET /api/v2/keys/{k}/metadata"
        looked = self.pair.manager.calls()[polls]
        wait_until(lambda: self.pair.manager.calls()[polls] >= looked + 4, "the root key is looked at again and again")
        self.assertEqual(self.pair.manager.calls().get(UNWRAP, 0), refused, "nothing is asked for meanwhile")
        self.assertEqual([held(node) for node in self.pair.nodes], [0, 0])
        self.pair.manager.enable(self.pair.root_key)
        for node in self.pair.nodes:
            self.wait_held(node, KEYS - 1)
        self.expect_reason(self.answer_of(self.on_b, vsphere.get(gone)), wire.ITEM_NOT_FOUND, wire.ILLEGAL_OPERATION)

    def test_reload(self):
        """Switched off, on, and off again by a reload; nothing is unwrapped while it is off."""
        for node in self.pair.nodes:
            node.options["keep-warm"] = "off"
            node.write_config()
            node.ctl("reload")
        dict(self.on_a.encrypt_vm(f"vm{i}") for i in range(KEYS))
        self.pair.wait_same()
        wait_ledger_read(self.pair.b)
        before = self.pair.manager.calls().get(UNWRAP, 0)
        self.assertEqual(held(self.pair.b), 0)
        self.pair.b.options["keep-warm"] = "all"
        self.pair.b.write_config()
        self.pair.b.ctl("reload")
        self.wait_held(self.pair.b, KEYS)
        self.assertEqual(self.pair.manager.calls().get(UNWRAP, 0), before + KEYS)
        self.pair.b.options["keep-warm"] = "sometimes"
        self.pair.b.write_config()
        self.assertIn("off, all, or recent", self.pair.b.ctl_run("reload").stderr)


class SingleFlight(PairCase):
    GETS = 16

    def test_many_gets_are_one_unwrap(self):
        """Many connections ask B at one time for a key that it has not unwrapped: the key manager is asked once."""
        uid, material = self.on_a.encrypt_vm("vm")
        self.pair.wait_same()
        wait_ledger_read(self.pair.b)
        self.pair.manager.fault(path="/api/v2/keys/[^/]*/actions/unwrap", method="POST", kind="delay", delay_ms=1000,
                                count=1)
        before = self.pair.manager.calls().get(UNWRAP, 0)
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(self.on_b.material(uid))) for _ in range(self.GETS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(answers, [material] * self.GETS)
        self.assertEqual(self.pair.manager.calls().get(UNWRAP, 0), before + 1)


if __name__ == "__main__":
    unittest.main()
