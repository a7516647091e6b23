# SPDX-License-Identifier: Apache-2.0
"""What happens in the key manager reaches both nodes: deleted keys, a root key that is disabled and enabled again, keys that
are purged. And what a node without its peer serves: from its cache as long as the key manager's last word allows.
"""
import unittest

import harness  # noqa: F401
import vsphere
import wire
from case import FreshPairCase, PairCase
from pair import CtlError
from process import wait_until

GONE = (wire.ITEM_NOT_FOUND, wire.ILLEGAL_OPERATION)
READ_ONE, UNWRAP = "GET /api/v2/keys/{k}", "POST /api/v2/keys/{k}/actions/unwrap"
PURGED_S = 91 * 86400


def calls(manager, *routes):
    told = manager.calls()
    return sum(told.get(route, 0) for route in routes)


class Owner(PairCase):
    """What the owner does in the key manager's console, with keys that are warm on both nodes."""

    def warm_key(self):
        uid, material = self.vcenter.encrypt_vm("vm")
        for client in (self.on_a, self.on_b):
            self.assertEqual(client.material(uid), material)
        return uid, material

    def test_deleted_key_stops(self):
        """Deleted in the key manager: soon neither node serves it, and both keep it as destroyed; others go on."""
        uid, _ = self.warm_key()
        other, material = self.warm_key()
        self.pair.manager.delete(uid)
        for client in (self.on_a, self.on_b):
            wait_until(lambda: not self.answer_of(client, vsphere.get(uid)).ok, "it is not served any more")
            self.assertIn(self.reason_of(client, vsphere.get(uid)), GONE)
            self.assertEqual(client.material(other), material)
        self.pair.wait_same()
        self.assertEqual(self.pair.b.keys()[uid][0], "Destroyed")

    def test_deleted_key_stops_when_one_node_cannot_ask(self):
        """Deleted while the link is cut: each node finds out by itself."""
        uid, _ = self.warm_key()
        self.pair.cut()
        self.pair.manager.delete(uid)
        for client in (self.on_a, self.on_b):
            wait_until(lambda: not self.answer_of(client, vsphere.get(uid)).ok, "it is not served any more")
        self.pair.heal()
        self.pair.wait_same()

    def test_root_key_disabled_and_enabled(self):
        """Disabled: both nodes stop, warm keys too. Enabled: both serve again, without a restart."""
        uid, material = self.warm_key()
        self.pair.manager.disable(self.pair.root_key)
        for client in (self.on_a, self.on_b):
            wait_until(lambda: not self.answer_of(client, vsphere.get(uid)).ok, "it is not served any more")
            self.assertEqual(self.reason_of(client, vsphere.get(uid)), wire.PERMISSION_DENIED)
        for node in self.pair.nodes:
            wait_until(lambda: node.status()["instances"][0]["root_key_state"] == "disabled", "status says so")
            self.assertEqual(node.status()["keys_in_memory"], 0)
        self.pair.manager.enable(self.pair.root_key)
        for client in (self.on_a, self.on_b):
            wait_until(lambda: self.answer_of(client, vsphere.get(uid)).ok, "it is served again")
            self.assertEqual(client.material(uid), material)


class Purged(FreshPairCase):
    def test_missing_key(self):
        """A key is purged while both nodes are down: General Failure, not lost, not deleted; the operator can give it up,
        and that one only."""
        uid, _ = self.vcenter.encrypt_vm("purged")
        kept, material = self.vcenter.encrypt_vm("kept")
        self.pair.stop()
        self.pair.manager.delete(uid)
        self.pair.manager.advance(PURGED_S)
        self.pair.start()
        for node, client in ((self.pair.a, self.on_a), (self.pair.b, self.on_b)):
            wait_until(lambda: node.status()["instances"][0]["missing"] == 1, f"{node.name} finds it missing")
            self.assertEqual(self.reason_of(client, vsphere.get(uid)), wire.GENERAL_FAILURE)
            self.assertEqual([key["uid"] for key in node.ctl("key", "list", "--missing")], [uid])
            self.assertTrue(node.ctl("key", "show", uid)["missing"])
            self.assertNotEqual(node.keys()[uid][0], "Destroyed")
            self.assertEqual(client.material(kept), material)
            self.assertTrue(node.log_lines("error .*key-missing"))
        with self.assertRaisesRegex(CtlError, "--yes"):
            self.pair.a.ctl("key", "forget", uid)
        with self.assertRaisesRegex(CtlError, "not missing"):
            self.pair.a.ctl("key", "forget", kept, "--yes")
        self.pair.a.ctl("key", "forget", uid, "--yes")
        self.pair.wait_same()
        for node, client in ((self.pair.a, self.on_a), (self.pair.b, self.on_b)):
            self.assertEqual(node.keys()[uid][0], "Destroyed")
            self.assertEqual(node.status()["instances"][0]["missing"], 0)
            self.assertIn(self.reason_of(client, vsphere.get(uid)), GONE)
            self.assertEqual(client.material(kept), material)


class Alone(FreshPairCase):
    """The peer is dead."""

    options = {"top": {"max-stale": 15}}
    GETS = 20

    def gets_alone(self):
        """Calls to the key manager that a series of Gets of one warm key causes on A, once B is dead and A knows it."""
        uid, material = self.vcenter.encrypt_vm("vm")
        self.assertEqual(self.on_a.material(uid), material)
        self.pair.b.kill9()
        wait_until(lambda: self.pair.a.peer_state() != "streaming", "A knows")
        wait_until(lambda: self.lease_is_over(), "the lease is over")
        self.assertEqual(self.on_a.material(uid), material)
        self.pair.manager.control("DELETE", "counters")
        for _ in range(self.GETS):
            self.assertEqual(self.on_a.material(uid), material)
        return calls(self.pair.manager, READ_ONE, UNWRAP)

    def lease_is_over(self):
        """A lease is two seconds long; it cannot be asked for."""
        peer = self.pair.a.status()["peer"]
        return peer["heard_ms_ago"] is not None and peer["heard_ms_ago"] > 2500

    def test_gets_without_a_call(self):
        """Polls vouch: Gets are served from the cache, and status says so."""
        self.assertEqual(self.gets_alone(), 0)
        self.assertEqual(self.pair.a.status()["instances"][0]["gets"], "cache")

    def test_both_away(self):
        """The key manager goes away too: the resident copy is served, and log and status say what that rests on."""
        uid, material = self.vcenter.encrypt_vm("vm")
        self.assertEqual(self.on_a.material(uid), material)
        self.pair.a.stop()
        self.pair.a.options["max-stale"] = 1
        self.pair.a.start()
        self.assertEqual(self.on_a.material(uid), material)
        self.pair.b.kill9()
        self.pair.manager.mode(down=True)
        instance = wait_until(lambda: [one for one in self.pair.a.status()["instances"]
                                       if one["gets"] == "resident copies"], "nobody vouches")[0]
        self.assertIsNotNone(instance["outage_for_ms"])
        self.assertEqual(self.on_a.material(uid), material)
        self.pair.a.wait_log("nobody-vouches", self.pair.a.mark)
        self.pair.manager.mode(down=False)
        wait_until(lambda: self.pair.a.status()["instances"][0]["gets"] != "resident copies", "the outage ends")
        self.assertEqual(self.on_a.material(uid), material)


class Strict(Alone):
    options = {"top": {"max-stale": 0}}

    def test_gets_without_a_call(self):
        """With max-stale 0 each Get is proved by id, and a key that the dead peer destroyed is not served."""
        self.assertGreaterEqual(self.gets_alone(), self.GETS)
        self.assertEqual(self.pair.a.status()["instances"][0]["gets"], "key manager")


if __name__ == "__main__":
    unittest.main()
