# SPDX-License-Identifier: Apache-2.0
"""Locate on both nodes: the index of each says what its records say, whoever wrote them: a client of this node or of the
other one, the stream, a snapshot, the key manager. And a cache whose index lies gets another one when the node starts.
"""
import os
import subprocess
import unittest

import harness  # noqa: F401
import vsphere
import wire
from attributes import named, words
from case import FreshPairCase
from process import program, wait_until

VALUE, STATE_PRE_ACTIVE, STATE_ACTIVE, STATE_DEACTIVATED, STATE_COMPROMISED = wire.ATTRIBUTE_VALUE, 1, 2, 3, 4
SYMMETRIC_KEY, SECRET_DATA = 2, 7


def number(attribute, value):
    return wire.attribute(attribute, wire.enum(VALUE, value))


def locate(*attributes):
    return wire.request(wire.batch_item(wire.LOCATE, *attributes), version=(1, 4))


class Located(FreshPairCase):
    def find(self, client, *attributes):
        return self.answer_of(client, locate(*attributes)).payload.all(wire.UID)

    def populate(self):
        """Keys made, tagged, activated, revoked and destroyed on either node."""
        clients, made = (self.on_a, self.on_b), []
        for i in range(12):
            more = [named(f"key {i}"), words("Object Group", f"group {i % 3}"), words("x-Color", "red" if i % 2 else "blue")]
            made.append(clients[i % 2].create(more=more))
        for uid in made[:8]:
            self.on_b.activate(uid)
        self.on_a.ask(vsphere.revoke(made[0], 2))
        self.on_b.ask(vsphere.revoke(made[1], 1))
        self.on_a.ask(vsphere.revoke(made[2], 2))
        self.on_b.ask(vsphere.destroy(made[2]))
        self.on_a.ask(vsphere.destroy(made[11]))
        self.on_a.ask(vsphere.add_attributes(made[3], [("x-Later", "yes")]))
        return made

    def expected(self, made):
        """What is asked, and what must be found, newest first."""
        live = [uid for i, uid in reversed(list(enumerate(made))) if i not in (2, 11)]
        of = {uid: i for i, uid in enumerate(made)}
        return (
            ((), live),
            ((named("key 5"),), [made[5]]),
            ((named("key 2"),), []),
            ((words("Object Group", "group 1"),), [uid for uid in live if of[uid] % 3 == 1]),
            ((words("x-Color", "blue"), number("State", STATE_ACTIVE)),
             [uid for uid in live if of[uid] % 2 == 0 and 2 < of[uid] < 8]),
            ((number("State", STATE_PRE_ACTIVE),), [uid for uid in live if of[uid] >= 8]),
            ((number("State", STATE_COMPROMISED),), [made[0]]),
            ((number("State", STATE_DEACTIVATED), number("Object Type", SYMMETRIC_KEY)), [made[1]]),
            ((number("Object Type", SECRET_DATA),), []),
            ((words("x-Later", "yes"), words("x-Color", "red")), [made[3]]),
        )

    def check(self, made, clients=None):
        for client in clients or (self.on_a, self.on_b):
            for asked, found in self.expected(made):
                self.assertEqual([node.value for node in self.find(client, *asked)], found)

    def check_index(self):
        """Each node's cache, read by another process at its start: the index adds up."""
        for node in self.pair.nodes:
            mark = len(node.log())
            node.restart()
            self.assertEqual(len(node.log_lines("cache-verified", mark)), 1)
            self.assertEqual(node.log_lines("cache-index", mark), [])
        self.pair.wait_streaming()

    def test_after_losing_caches(self):
        """As made; with A's cache lost, from the peer; with both lost, from the key manager."""
        made = self.populate()
        self.check(made)
        self.check_index()
        self.check(made)
        self.pair.a.stop()
        self.pair.a.delete_cache()
        self.pair.a.start()
        self.pair.wait_streaming()
        self.pair.wait_same()
        self.check(made)
        self.pair.stop()
        self.pair.delete_caches()
        self.pair.start()
        live = set(made) - {made[2], made[11]}
        for node in self.pair.nodes:
            wait_until(lambda: live <= set(node.keys()), f"{node.name} has listed everything")
        self.pair.wait_same()
        self.check(made)
        self.check_index()

    def test_wrong_index(self):
        """Given a cache whose index lacks everything that Locate asks for and says that it is whole; when the node starts,
        then it says so, indexes the cache anew, and finds all of it, without its peer and without losing a key."""
        made = self.populate()
        self.pair.stop()
        subprocess.run([program("cache-bench"), "--folder", self.pair.a.data, "--misindexed", "--instance", "tenant-one"],
                       check=True, capture_output=True)
        self.assertTrue(os.path.exists(self.pair.a.data))
        mark = len(self.pair.a.log())
        self.pair.a.start()
        self.assertEqual(len(self.pair.a.log_lines("cache-index-differs", mark)), 1)
        self.assertEqual(len(self.pair.a.log_lines("cache-indexing .*done=12 records=12", mark)), 1)
        self.assertEqual(self.pair.a.log_lines("cache-moved-aside|cache-damaged", mark), [])
        self.check(made, [self.on_a])
        self.pair.b.start()
        self.pair.wait_streaming()
        self.check(made)
        self.check_index()


if __name__ == "__main__":
    unittest.main()
