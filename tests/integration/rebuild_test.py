# SPDX-License-Identifier: Apache-2.0
"""The key manager is the truth: nodes whose caches are gone serve every key again, to the clients of before, and act on
nothing in the key manager that is not theirs.
"""
import unittest

import harness  # noqa: F401
import vsphere
import wire
from case import FreshPairCase, PairCase
from pair import SECOND
from process import wait_until


class Rebuild(FreshPairCase):
    def forget_everything(self):
        """Both nodes stopped, both caches deleted, both started."""
        self.pair.stop()
        self.pair.delete_caches()
        self.pair.start()

    def test_both_caches_deleted(self):
        """Every key made before is served by its UID from either node, with its bytes, to the client registered before; a
        destroyed key stays destroyed; new keys can be made; afterwards both caches list all of it again."""
        keys = dict(self.vcenter.encrypt_vm(f"vm-{number}") for number in range(6))
        never_activated = self.vcenter.create()
        keys[never_activated] = self.vcenter.material(never_activated)
        destroyed = self.vcenter.create()
        self.vcenter.ask(vsphere.destroy(destroyed))
        self.forget_everything()
        for client in (self.on_a, self.on_b):
            for uid, material in keys.items():
                self.assertEqual(client.fetch(uid), material)
            self.assertIn(self.answer_of(client, vsphere.get(destroyed)).reason,
                          (wire.ILLEGAL_OPERATION, wire.ITEM_NOT_FOUND))
            self.assertEqual(len(client.material(client.create())), 32)
        for node in self.pair.nodes:
            wait_until(lambda: set(keys) <= set(node.keys()), f"{node.name} has listed everything")
            self.assertEqual([name for name, _ in node.clients().values()], ["vcenter"])
        self.pair.wait_same()

    def test_read_through_by_uid_while_listing_fails(self):
        """A cold node that cannot list serves a key by its UID all the same, and says General Failure, not Item Not Found,
        of one that it does not find."""
        uid, material = self.vcenter.encrypt_vm("vm")
        self.pair.stop()
        self.pair.b.delete_cache()
        self.pair.b.start()
        self.pair.manager.fault(path="^/api/v2/keys$", method="GET", kind="status", status=503)
        self.addCleanup(self.pair.manager.no_faults)
        self.assertEqual(self.on_b.material(uid), material)

    def test_revoked_key_survives_one_lost_cache(self):
        """State and attributes come back from the peer when one cache is deleted; so do client registrations."""
        uid, material = self.vcenter.encrypt_vm("vm", name="tagged")
        revoked, _ = self.vcenter.encrypt_vm("vm")
        self.vcenter.ask(vsphere.revoke(revoked, 2))
        self.pair.a.stop()
        self.pair.a.delete_cache()
        self.pair.a.start()
        self.pair.wait_streaming()
        self.pair.wait_same()
        self.assertEqual(self.pair.a.keys()[revoked][0], "Compromised")
        self.assertEqual(self.pair.a.keys()[uid][0], "Active")
        self.assertEqual(self.on_a.ask(vsphere.get_attributes(uid, "x-Name")).attributes(), [("x-Name", "tagged")])
        self.assertEqual(self.on_a.state(revoked), wire.COMPROMISED)
        self.assertEqual(self.on_a.material(uid), material)
        self.assertGreaterEqual(sum(node.status()["peer"]["snapshots"] for node in self.pair.nodes), 1)

    def test_rebuilt_alone_while_the_peer_is_away(self):
        """Node B does not run: node A without a cache rebuilds everything from the key manager alone."""
        keys = dict(self.vcenter.encrypt_vm(f"vm-{number}") for number in range(3))
        self.pair.stop()
        self.pair.delete_caches()
        self.pair.a.start()
        for uid, material in keys.items():
            self.assertEqual(self.on_a.fetch(uid), material)
        wait_until(lambda: set(keys) <= set(self.pair.a.keys()), "node A has listed everything")


class Strangers(PairCase):
    """What else lies in the key manager: the root key, keys of other people, keys of another instance."""

    tenants = 2

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pair.register("other-tenant", SECOND)
        manager = cls.pair.manager
        cls.ids = {
            "root key": cls.pair.root_key,
            "foreign key": manager.create_standard(b"somebody else's secret"),
            "foreign key in our ring": manager.create_standard(b"in the wrong place", "kmip-tenant-one-00",
                                                               "ring-tenant-one"),
            "another instance's key": cls.pair.client("other-tenant").create(),
        }
        cls.ids.update({"copy of our own envelope": manager.create_standard(
            manager.payload(cls.ids["another instance's key"]), "kmip-tenant-one-copy", "ring-tenant-one")})

    def frames(self, uid):
        return [vsphere.get(uid), vsphere.get_attributes(uid), vsphere.get_attribute_list(uid), vsphere.activate(uid),
                vsphere.add_attributes(uid, [("x-a", "b")]), vsphere.revoke(uid, 2), vsphere.destroy(uid)]

    def check_strangers(self):
        for what, uid in self.ids.items():
            for client in (self.on_a, self.on_b):
                for frame in self.frames(uid):
                    self.assertEqual(self.reason_of(client, frame), wire.ITEM_NOT_FOUND, what)
            self.assertEqual(self.pair.manager.key(uid)["state"], 1, what)
        for node in self.pair.nodes:
            mine = {uid for uid, (_, instance) in node.keys().items() if instance != SECOND}
            self.assertFalse(mine & set(self.ids.values()))

    def test_they_do_not_exist_for_a_client(self):
        """Item Not Found in every operation on either node; they survive a Destroy; none is adopted. The same after both
        caches were deleted."""
        uid, material = self.vcenter.encrypt_vm("vm")
        self.check_strangers()
        self.pair.stop()
        self.pair.delete_caches()
        self.pair.start()
        for node in self.pair.nodes:
            wait_until(lambda: all(one["listed"] for one in node.status()["instances"]), "everything is listed")
        self.check_strangers()
        self.assertEqual(self.vcenter.fetch(uid), material)
        other = self.pair.client("other-tenant")
        self.assertEqual(len(other.material(self.ids["another instance's key"])), 32)

    def test_a_damaged_envelope_is_not_said_to_be_absent(self):
        """It begins like a key of ours and cannot be read: General Failure, for it may have been one; it is left alone."""
        uid = self.pair.manager.create_standard(b"KPE1 and then noise", "kmip-tenant-one-01", "ring-tenant-one")
        for client in (self.on_a, self.on_b):
            for frame in self.frames(uid):
                self.assertEqual(self.reason_of(client, frame), wire.GENERAL_FAILURE)
        self.assertEqual(self.pair.manager.payload(uid), b"KPE1 and then noise")


if __name__ == "__main__":
    unittest.main()
