# SPDX-License-Identifier: Apache-2.0
"""The link between the nodes is cut while both run: each serves alone, destroyed keys are not served by the other side, and
both agree again when it is healed. A link to the wrong peer is refused, and says why.
"""
import unittest

import harness  # noqa: F401
import vsphere
import wire
from case import FreshPairCase, PairCase
from process import wait_until
from stream import Stream


class Cut(PairCase):
    options = {"top": {"max-stale": 0}}  # what one side destroys is served by the other at no time

    def setUp(self):
        self.pair.cut()

    def tearDown(self):
        self.pair.heal()
        self.pair.wait_same()

    def test_created_on_one_side_readable_on_the_other_at_once(self):
        """A key made on A while the link is cut is read on B with the next message, and the other way round."""
        for maker, reader in ((self.on_a, self.on_b), (self.on_b, self.on_a)):
            uid = maker.create()
            material = maker.material(uid)
            self.assertEqual(reader.material(uid), material)

    def test_destroyed_on_one_side_not_served_by_the_other(self):
        """B has the key warm; A answers Destroy within its deadline; after that B does not serve it."""
        uid = self.on_a.create()
        self.on_b.material(uid)
        self.on_a.ask(vsphere.destroy(uid))
        self.assertIn(self.reason_of(self.on_b, vsphere.get(uid)), (wire.ITEM_NOT_FOUND, wire.ILLEGAL_OPERATION))

    def test_changes_of_both_sides_converge(self):
        """Tags, activation and revocation made on different sides of the cut: healed, both nodes have all of them, and the
        revocation wins over the activation."""
        self.pair.heal()
        both, revoked = self.on_a.create(), self.on_a.create()
        self.pair.cut()
        for client, side in ((self.on_a, "a"), (self.on_b, "b")):
            for name in ("x-from-" + side, "x-both"):
                client.ask(vsphere.add_attributes(both, [(name, side)]))
        self.on_a.activate(both)
        self.on_a.activate(revoked)
        self.on_b.ask(vsphere.revoke(revoked, 2))
        alone_a, alone_b = self.on_a.create(), self.on_b.create()
        self.pair.heal()
        self.pair.wait_same()
        for client in (self.on_a, self.on_b):
            self.assertEqual(client.state(both), wire.ACTIVE)
            self.assertEqual(client.state(revoked), wire.COMPROMISED)
            got = client.ask(vsphere.get_attributes(both, "x-from-a", "x-from-b", "x-both")).attributes()
            self.assertEqual(sorted(got), [("x-both", "a"), ("x-both", "b"), ("x-from-a", "a"), ("x-from-b", "b")])
            for uid in (alone_a, alone_b):
                self.assertEqual(len(client.material(uid)), 32)

    def test_many_changes_converge(self):
        """Keys made and destroyed on both sides: the same list on both nodes afterwards."""
        made = [client.create() for _ in range(5) for client in (self.on_a, self.on_b)]
        for uid in made[:2]:
            self.vcenter.ask(vsphere.destroy(uid))
        self.pair.heal()
        self.pair.wait_same()
        for node in self.pair.nodes:
            states = node.keys()
            self.assertEqual({states[uid][0] for uid in made[:2]}, {"Destroyed"})
            self.assertEqual({states[uid][0] for uid in made[2:]}, {"Pre-Active"})

    def test_traffic_through_cuts(self):
        """Clients make and destroy keys, each step on any endpoint, while the link is cut and healed again and again: in the
        end both nodes have everything that was acknowledged, and list the same."""
        stream = Stream(self.pair)
        self.addCleanup(stream.stop)
        for _ in range(3):
            stream.wait_more(4)
            self.pair.heal()
            stream.wait_more(4)
            self.pair.cut()
        stream.stop()
        self.pair.heal()
        self.pair.wait_same()
        for node in self.pair.nodes:
            stream.verify(self, node)


class Handshake(FreshPairCase):
    """HELLO refusals: the link is not made, status says why, both nodes serve alone, and the right setting mends it."""

    def check_refused(self, words, change, node=None, mend=None):
        node = node or self.pair.b
        uid, material = self.vcenter.encrypt_vm("vm")
        right = dict(node.options["peer"])
        node.stop()
        node.options["peer"].update(change)
        node.start()
        told = wait_until(lambda: [one.status()["peer"]["why"] for one in self.pair.nodes
                                   if words.lower() in one.status()["peer"]["why"].lower()], f"somebody says {words!r}")
        self.assertLess(len(told[0]), 300)
        for one in self.pair.nodes:
            self.assertNotEqual(one.peer_state(), "streaming")
            client = self.pair.client("vcenter", one)
            self.assertEqual(client.fetch(uid), material)
            self.assertEqual(len(client.material(client.create())), 32)
        node.options["peer"] = right
        node.restart()
        self.pair.wait_streaming()
        self.pair.wait_same()

    def test_wrong_cluster_name(self):
        """Another cluster's node."""
        self.check_refused("cluster", {"cluster": "another-one"})

    def test_wrong_node_number(self):
        """A peer that expects somebody else."""
        self.check_refused("node", {"node": 7}, self.pair.a)

    def test_certificate_that_is_not_pinned(self):
        """A link certificate that the peer does not pin, self-signed and in date as it is."""
        wrong = self.pair.pki.self_signed("not-pinned")
        self.check_refused("certificate", {"certificate": wrong.certificate, "key": wrong.key})


if __name__ == "__main__":
    unittest.main()
