# SPDX-License-Identifier: Apache-2.0
"""What has no standard key of its own is in the key manager's ledger: with both caches deleted, revocations come back as
they were answered, activations and attributes as the last checkpoint found them.
"""
import unittest

import harness  # noqa: F401
import vsphere
import wire
from case import FreshPairCase
from process import wait_until


class Ledger(FreshPairCase):
    def lose_everything(self):
        """Both nodes die, both caches are deleted, both start anew."""
        for node in self.pair.nodes:
            node.kill9()
        self.start_anew()

    def start_anew(self):
        self.pair.delete_caches()
        self.pair.start()

    def ledger_records(self):
        return self.pair.a.status()["instances"][0]["ledger_records"]

    def names(self, client, uid):
        return [name for name, _ in client.ask(vsphere.get_attributes(uid)).attributes()]

    def test_revoked(self):
        """Answered by one node; both die at once. Deactivated and Compromised come back on both, and what was Active but
        never written comes back Pre-Active."""
        deactivated, material = self.vcenter.encrypt_vm("vm-1")
        compromised, _ = self.vcenter.encrypt_vm("vm-2")
        other, _ = self.vcenter.encrypt_vm("vm-3")
        self.on_a.ask(vsphere.revoke(deactivated, 4))
        self.on_b.ask(vsphere.revoke(compromised, 2))
        self.lose_everything()
        for client in (self.on_a, self.on_b):
            self.assertEqual(client.state(deactivated), wire.DEACTIVATED)
            self.assertEqual(client.state(compromised), wire.COMPROMISED)
            self.assertEqual(client.state(other), wire.PRE_ACTIVE)
            self.assertEqual(client.material(deactivated), material)
        self.pair.wait_same()

    def test_checkpoint(self):
        """kmipctl checkpoint writes what its node has changed; tags and state come back. Another one finds nothing to do."""
        uid, material = self.on_a.encrypt_vm("vm", name="tagged")
        before = self.names(self.on_a, uid)
        result = self.pair.a.ctl("checkpoint")
        self.assertFalse(result["running"])
        self.assertEqual((result["instances_failed"], result["written"]), (0, 1))
        records = self.ledger_records()
        self.assertEqual(self.pair.a.ctl("checkpoint")["written"], 0)
        self.assertEqual(self.ledger_records(), records)
        self.lose_everything()
        for client in (self.on_a, self.on_b):
            self.assertEqual(client.state(uid), wire.ACTIVE)
            self.assertEqual(client.ask(vsphere.get_attributes(uid, "x-Name")).attributes(), [("x-Name", "tagged")])
            self.assertEqual(client.material(uid), material)
            self.assertEqual(self.names(client, uid), before)

    def test_clean_stop(self):
        """A stop that is not a crash writes a checkpoint by itself, whichever node served the client."""
        on_a, _ = self.on_a.encrypt_vm("vm-1", name="one")
        on_b, _ = self.on_b.encrypt_vm("vm-2", name="two")
        self.pair.stop()
        self.start_anew()
        for uid, name in ((on_a, "one"), (on_b, "two")):
            self.assertEqual(self.vcenter.state(uid), wire.ACTIVE)
            self.assertEqual(self.vcenter.ask(vsphere.get_attributes(uid, "x-Name")).attributes(), [("x-Name", name)])
        for node in self.pair.nodes:
            wait_until(lambda: {state for state, _ in node.keys().values()} == {"Active"}, f"{node.name} has them all")

    def test_key_manager_away(self):
        """Without the key manager Revoke is refused in time, lowers nothing, and succeeds when repeated; a checkpoint says
        that it is not complete, a stop does not wait for it."""
        uid, _ = self.on_a.encrypt_vm("vm")
        self.pair.manager.fault(kind="status", status=503)
        item = self.answer_of(self.on_a, vsphere.revoke(uid, 2))
        self.expect_reason(item, wire.GENERAL_FAILURE)
        for node in self.pair.nodes:
            self.assertEqual(node.keys()[uid][0], "Active")
        self.assertNotEqual(self.pair.a.ctl_run("checkpoint").returncode, 0)
        self.pair.a.stop()
        self.pair.manager.no_faults()
        self.pair.a.start()
        self.pair.wait_streaming()
        self.on_a.ask(vsphere.revoke(uid, 2))
        self.assertEqual(self.on_b.state(uid), wire.COMPROMISED)


if __name__ == "__main__":
    unittest.main()
