# SPDX-License-Identifier: Apache-2.0
"""Design D11 with many keys: both caches lost, each key is served at once and everything comes back from the key manager;
one cache lost, everything comes from the peer.
"""
import random
import time
import unittest

import harness  # noqa: F401
from case import FreshPairCase
from pair import FIRST
from population import Population
from process import wait_until

KEYS, CLIENTS = 2000, 6
FIRST_GETS = 40  # on each node, while it rebuilds
REBUILD_S = 120  # a deadline against hanging


class RebuildOfMany(FreshPairCase):
    options = {"metrics": True, "top": {"keys-in-memory": 8192}}

    def setUp(self):
        super().setUp()
        for number in range(CLIENTS):
            self.pair.register(f"client-{number}", node=self.pair.nodes[number % 2])
        self.pair.a.ctl("client", "remove", "client-0")
        self.random = random.Random(self.id())

    def rebuilt(self, node):
        return node.status()["instances"][0]["rebuilt"]

    def wait_rebuilt(self, node):
        wait_until(lambda: self.rebuilt(node), f"{node.name} has rebuilt its cache", REBUILD_S)

    def expect_progress(self, node):
        """Counts in status and metrics grow until the cache is there, and say so in words."""
        seen = []
        while not self.rebuilt(node):
            seen.append(node.metrics().value("kmipd_rebuild_read", instance=FIRST))
            text = node.ctl_run("status").stdout
            self.assertTrue("rebuilding the cache: " in text or self.rebuilt(node), text)
        self.assertEqual(seen, sorted(seen))
        self.assertTrue(any(0 < count < KEYS for count in seen), seen)
        instance = node.status()["instances"][0]
        self.assertEqual(instance["listing_listed"], KEYS + instance["ledger_records"])
        self.assertEqual(instance["listing_read"], node.metrics().value("kmipd_rebuild_read", instance=FIRST))
        self.assertNotIn("rebuilding", node.ctl_run("status").stdout)

    def expect_same(self, node, before):
        """Bytes, states, dates, every attribute and its index; refusals."""
        now = self.keys.tell(node, before)
        differing = [(self.keys.uids[uid], before[uid], now[uid]) for uid in before if before[uid] != now[uid]]
        self.assertEqual(differing[:3], [], f"{len(differing)} keys differ on {node.name}")

    def check_made(self, before):
        """The population is what it is meant to be, on both nodes alike."""
        self.assertEqual(len(before), KEYS)
        self.assertEqual(self.keys.tell(self.pair.b, self.some), {uid: before[uid] for uid in self.some})
        for uid, told in before.items():
            gone = self.keys.uids[uid].startswith("destroyed")
            self.assertEqual(told.material, None if gone else self.keys.materials[uid])
        states = {sort: {value for uid in self.keys.of(sort) for name, _, value in before[uid].attributes if name == "State"}
                  for sort in self.keys.sorts}
        self.assertEqual(states, {"pre-active": {"1"}, "active": {"2"}, "tagged": {"2"}, "deactivated": {"3"},
                                  "compromised": {"4"}, "destroyed": {"5"}, "destroyed, compromised": {"6"},
                                  "edited": {"1"}, "scheduled": {"2"}, "grouped": {"2"}})

    def test_caches_lost_and_rebuilt(self):
        self.keys = Population(self.pair, KEYS, int(time.time()))
        self.pair.wait_same()
        living = [uid for uid in self.keys.uids if not self.keys.uids[uid].startswith("destroyed")]
        self.some = self.random.sample(sorted(self.keys.uids), 200)
        before, clients = self.keys.tell(self.pair.a), self.pair.a.clients()
        self.check_made(before)
        self.assertEqual(len(clients), CLIENTS)
        for node in self.pair.nodes:
            node.ctl("checkpoint")
        self.both_lost(living, before, clients)
        self.one_lost(before, clients)

    def both_lost(self, living, before, clients):
        self.pair.stop()
        self.pair.delete_caches()
        self.pair.start()
        for node in self.pair.nodes:
            first = self.random.sample(sorted(living), FIRST_GETS)
            found = self.keys.tell(node, first)
            self.assertFalse(self.rebuilt(node), "all of this happened during the rebuild")
            self.assertEqual({uid: told.material for uid, told in found.items()},
                             {uid: self.keys.materials[uid] for uid in first})
        self.expect_progress(self.pair.b)
        self.wait_rebuilt(self.pair.a)
        for node in self.pair.nodes:
            self.assertEqual(node.clients(), clients)
        self.expect_same(self.pair.a, before)
        self.expect_same(self.pair.b, {uid: before[uid] for uid in self.some})

    def one_lost(self, before, clients):
        """The peer brings it: the key manager is asked for its ledger records, not for each key."""
        node = self.pair.b
        records = node.status()["instances"][0]["ledger_records"]
        node.stop()
        node.delete_cache()
        self.pair.manager.control("DELETE", "counters")
        node.start()
        self.pair.wait_streaming()
        self.wait_rebuilt(node)
        self.assertEqual(node.status()["instances"][0]["listing_read"], 0)
        self.assertEqual(node.metrics().value("kmipd_fetches_total", **{"for": "background"}), 0)
        # Each node may look the ledger over for a compaction meanwhile.
        self.assertLess(self.pair.manager.calls()["GET /api/v2/keys/{k}"], 3 * records + KEYS // 20)
        self.assertGreaterEqual(node.metrics().value("kmipd_peer_snapshot_records", direction="received"), KEYS)
        self.assertEqual(node.clients(), clients)
        self.pair.wait_same()
        self.expect_same(node, before)


if __name__ == "__main__":
    unittest.main()
