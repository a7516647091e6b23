# SPDX-License-Identifier: Apache-2.0
"""An instance that the two nodes have configured differently: neither node's lease vouches for the other's cache of it, and the
other instance is not touched by that.
"""
import unittest

import harness  # noqa: F401
import vsphere
from case import FreshPairCase
from pair import SECOND
from process import wait_until


class Differ(FreshPairCase):
    tenants = 2
    # Each Get without a lease is proved by id, and polls are rare: what stops in this test is not stopped by them.
    options = {"top": {"max-stale": 0, "reconcile-interval": 300}}

    def configure_otherwise(self):
        """Node B has another key ring for the second tenant."""
        self.pair.b.stop()
        self.pair.b.options["instances"][1]["key-ring"] = "another-ring"
        self.pair.b.start()
        self.pair.wait_streaming()

    def vouched(self, node):
        return {instance["id"]: instance["gets"] == "cache" for instance in node.status()["instances"]}

    def test_lease_is_silent_on_it(self):
        """Given a key of the second tenant, warm on A, and B configured otherwise since; when B has answered its destruction;
        then A does not serve it, although A holds B's lease; the first tenant's keys are served under it."""
        self.pair.register("second", SECOND)
        on_a, on_b = (self.pair.client("second", node) for node in self.pair.nodes)
        uid, material = on_a.encrypt_vm("vm")
        first, first_material = self.vcenter.encrypt_vm("vm")
        self.assertEqual(on_b.fetch(uid), material)
        self.configure_otherwise()
        self.assertEqual(self.pair.a.status()["peer"]["differing_instances"], 2)
        self.assertEqual(on_a.fetch(uid), material)
        on_b.ask(vsphere.revoke(uid, 1))
        on_b.ask(vsphere.destroy(uid))
        self.assertEqual(self.answer_of(on_a, vsphere.get(uid)).status, 1)
        wait_until(lambda: self.vouched(self.pair.a)["tenant-one"], "the lease vouches for the first tenant")
        self.assertFalse(self.vouched(self.pair.a)[SECOND])
        self.assertEqual(self.on_a.fetch(first), first_material)

    def test_alike_again(self):
        """What was changed on B alone is on A when both are configured alike again, and the lease vouches for it."""
        self.pair.register("second", SECOND)
        on_a, on_b = (self.pair.client("second", node) for node in self.pair.nodes)
        uid, material = on_a.encrypt_vm("vm")
        self.assertEqual(on_b.fetch(uid), material)
        self.configure_otherwise()
        on_b.ask(vsphere.revoke(uid, 2))
        self.pair.b.stop()
        self.pair.b.options["instances"][1]["key-ring"] = self.pair.instances[1]["key-ring"]
        self.pair.b.start()
        self.pair.wait_streaming()
        wait_until(lambda: self.vouched(self.pair.a)[SECOND], "the lease vouches for the second tenant")
        self.assertEqual(self.pair.a.keys()[uid][0], "Compromised")
        self.pair.wait_same()


if __name__ == "__main__":
    unittest.main()
