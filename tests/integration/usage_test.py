# SPDX-License-Identifier: Apache-2.0
"""Usage Limits of a key that clients of both nodes use at one time: what was granted is never forgotten and never more than
the limit, whichever node granted it and whichever dies over it, and the count that is left is the limit without what was
granted. Only while neither node hears the other may each give out what both knew to be left: then it is told afterwards.
"""
import random
import shutil
import threading
import unittest

import harness  # noqa: F401
import wire
from case import FreshPairCase, PairCase
from process import wait_until
from usage import BYTE, allocate, ask, left, limit, limits

CLIENTS = 3  # of each node


class User(threading.Thread):
    """A client of one node that uses a key until it is denied or stopped."""

    def __init__(self, client, uid, units):
        super().__init__()
        self.client, self.uid, self.units = client, uid, units
        self.granted = self.unknown = self.uses = 0
        self.denied = False
        self.unexpected = []
        self.stopped = threading.Event()
        self.random = random.Random(client.seed)
        self.start()

    def run(self):
        try:
            while not self.denied and not self.stopped.is_set():
                self.connected()
        except Exception as error:  # a thread has nobody above it: the test reads this
            self.unexpected.append(f"seed {self.client.seed}: {error!r}")

    def connected(self):
        asked = 0
        try:
            with self.client.connect(self.client.endpoints[0]) as connection:
                while not self.denied and not self.stopped.is_set():
                    asked = self.random.choice(self.units)
                    self.judge(connection.ask(allocate(self.uid, asked)).one, asked)
                    asked = 0
        except OSError:  # the node died, and may have granted it
            self.unknown += asked
            self.stopped.wait(0.05)

    def judge(self, item, asked):
        if item.ok:
            self.granted += asked
            self.uses += 1
        elif item.reason == wire.PERMISSION_DENIED:
            self.denied = True
        elif item.reason != wire.GENERAL_FAILURE:
            self.unexpected.append(repr(item))

    def stop(self):
        self.stopped.set()
        self.join()


class Users:
    """Of both nodes, at one time."""

    def __init__(self, case, uid, units=(1,)):
        self.case = case
        self.all = [User(case.pair.client("vcenter", node, seed=seed), uid, units)
                    for seed in range(CLIENTS) for node in case.pair.nodes]
        case.addCleanup(self.stop)

    def of(self, node):
        return [user for user in self.all if user.client.endpoints == [node.endpoint]]

    def sum(self, what, node=None):
        return sum(getattr(user, what) for user in (self.all if node is None else self.of(node)))

    def wait_uses(self, count, node):
        goal = self.sum("uses", node) + count
        wait_until(lambda: self.is_over(node) or self.sum("uses", node) >= goal, f"{count} uses more")
        self.case.assertGreaterEqual(self.sum("uses", node), goal, "the limit came too early for the test")

    def is_over(self, node=None):
        return any(user.unexpected or user.denied for user in (self.all if node is None else self.of(node)))

    def wait_denied(self):
        wait_until(lambda: all(user.denied or user.unexpected for user in self.all), "all were denied")
        self.stop()

    def stop(self):
        for user in self.all:
            user.stop()
        self.case.assertEqual([word for user in self.all for word in user.unexpected], [])


class Together(PairCase):
    def expect_left(self, uid, count):
        for client in (self.on_a, self.on_b):
            self.assertEqual(left(client, uid), count)

    def test_to_the_last_one(self):
        """Single uses by both nodes at one time: exactly as many are granted as there are."""
        uid = limit(self.on_a, self.on_a.create(), 300)
        users = Users(self, uid)
        users.wait_denied()
        self.assertEqual(users.sum("granted"), 300)
        self.expect_left(uid, 0)

    def test_in_unlike_parts(self):
        """Parts that do not all fit in the end: never more than the limit, and what is left is told right; and it can be
        had."""
        uid = limit(self.on_b, self.on_b.create(), 400)
        users = Users(self, uid, (1, 2, 5, 9))
        users.wait_denied()
        granted = users.sum("granted")
        self.assertLessEqual(granted, 400)
        self.expect_left(uid, 400 - granted)
        if granted < 400:
            self.on_a.ask(allocate(uid, 400 - granted))
        self.expect_left(uid, 0)

    def test_two_that_do_not_both_fit(self):
        """Asked on both nodes in one moment, of two parts that do not both fit one is granted, and the rest is left."""
        for _ in range(25):
            uid = limit(self.on_a, self.on_a.create(), 10)
            both = threading.Barrier(2)
            items = []

            def use(client):
                with client.connect(client.endpoints[0]) as connection:
                    both.wait()
                    items.append(connection.ask(allocate(uid, 6)).one)
            threads = [threading.Thread(target=use, args=(client,)) for client in (self.on_a, self.on_b)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertLessEqual(sum(item.ok for item in items), 1, items)
            self.expect_left(uid, 4 if any(item.ok for item in items) else 10)

    def test_what_the_other_node_granted_counts(self):
        """Nothing is granted twice by walking from one node to the other, and the total is frozen on both."""
        uid = limit(self.on_a, self.on_a.create(), 10, BYTE)
        self.on_a.ask(allocate(uid, 7))
        self.expect_refused(wire.PERMISSION_DENIED, self.on_b.ask, allocate(uid, 4))
        self.on_b.ask(allocate(uid, 3))
        self.expect_refused(wire.PERMISSION_DENIED, self.on_a.ask, allocate(uid, 1))
        for client in (self.on_a, self.on_b):
            item = self.answer_of(client, ask(wire.MODIFY_ATTRIBUTE, uid, limits(99, BYTE)))
            self.assertFalse(item.ok)
        self.expect_left(uid, 0)

    def test_operators_are_told_nothing_of_the_registers(self):
        uid = limit(self.on_a, self.on_a.create(), 10)
        self.on_a.ask(allocate(uid, 7))
        for node in self.pair.nodes:
            shown = node.ctl("key", "show", uid)
            self.assertNotIn("usage", [one["name"] for one in shown["attributes"]])


class Apart(FreshPairCase):
    LIMIT = 4000

    def expect_counted(self, users, uid):
        """Granted is counted; what was asked of a node that died may be."""
        granted, unknown = users.sum("granted"), users.sum("unknown")
        self.assertLessEqual(granted, self.LIMIT)
        counts = [left(client, uid) for client in (self.on_a, self.on_b)]
        self.assertEqual(counts[0], counts[1])
        self.assertLessEqual(counts[0], self.LIMIT - granted)
        self.assertGreaterEqual(counts[0], max(0, self.LIMIT - granted - unknown))

    def kill_in_the_middle(self, node):
        uid = limit(self.on_a, self.on_a.create(), self.LIMIT)
        other = self.pair.other(node)
        users = Users(self, uid, (1, 2, 3))
        for one in self.pair.nodes:
            users.wait_uses(20, one)
        node.kill9()
        users.wait_uses(30, other)
        node.start()
        users.wait_uses(20, node)
        node.kill9()
        node.start()
        for one in self.pair.nodes:
            users.wait_uses(20, one)
        users.stop()
        self.pair.wait_streaming()
        self.expect_counted(users, uid)
        # And the rest, to the end.
        rest = Users(self, uid, (97, 41))
        rest.wait_denied()
        self.assertLessEqual(users.sum("granted") + rest.sum("granted"), self.LIMIT)

    def test_kill_9_of_node_a(self):
        """kill -9 of the node that dials, twice, while both grant."""
        self.kill_in_the_middle(self.pair.a)

    def test_kill_9_of_node_b(self):
        """The same of the node that listens."""
        self.kill_in_the_middle(self.pair.b)

    def test_one_node_alone(self):
        """What is left can be had of one node when the other one is dead, and is not to be had again when it is back."""
        uid = limit(self.on_a, self.on_a.create(), 10)
        self.on_a.ask(allocate(uid, 4))
        self.pair.a.kill9()
        self.on_b.ask(allocate(uid, 6))
        self.expect_refused(wire.PERMISSION_DENIED, self.on_b.ask, allocate(uid, 1))
        self.pair.a.start()
        self.expect_refused(wire.PERMISSION_DENIED, self.on_a.ask, allocate(uid, 1))

    def test_cut(self):
        """While the nodes do not hear each other each gives out at most what was left when they last did; healed, they
        count it all, and give out nothing more."""
        uid = limit(self.on_a, self.on_a.create(), 10)
        self.on_a.ask(allocate(uid, 4))
        self.pair.cut()
        for client in (self.on_a, self.on_b):
            client.ask(allocate(uid, 5))
            self.expect_refused(wire.PERMISSION_DENIED, client.ask, allocate(uid, 2))
            self.assertEqual(left(client, uid), 1)
        self.pair.heal()
        for client in (self.on_a, self.on_b):
            wait_until(lambda: left(client, uid) == 0, "both count what both granted")
            self.expect_refused(wire.PERMISSION_DENIED, client.ask, allocate(uid, 1))

    def test_both_caches_deleted(self):
        """What was granted by the last checkpoint is known from the key manager alone; what came after is granted anew."""
        uid = limit(self.on_a, self.on_a.create(), 10)
        self.on_a.ask(allocate(uid, 4))
        self.on_b.ask(allocate(uid, 3))
        for node in self.pair.nodes:
            node.ctl("checkpoint")
        self.on_b.ask(allocate(uid, 1))
        for node in self.pair.nodes:
            node.kill9()
        self.pair.delete_caches()
        self.pair.start()
        for client in (self.on_a, self.on_b):
            self.assertEqual(left(client, uid), 3)
        self.on_a.ask(allocate(uid, 3))
        self.expect_refused(wire.PERMISSION_DENIED, self.on_b.ask, allocate(uid, 1))

    def test_a_disk_that_fell_back(self):
        """A node whose cache is an older copy goes on counting beside what it had counted since."""
        uid = limit(self.on_a, self.on_a.create(), 20)
        self.on_a.ask(allocate(uid, 2))
        self.pair.a.stop()
        older = self.pair.a.data + ".older"
        shutil.copytree(self.pair.a.data, older)
        self.pair.a.start()
        self.pair.wait_streaming()
        self.on_a.ask(allocate(uid, 5))
        self.pair.cut()
        self.pair.a.kill9()
        self.pair.a.delete_cache()
        shutil.move(older, self.pair.a.data)
        self.pair.a.start()
        self.on_a.ask(allocate(uid, 4))
        self.pair.b.ctl("peer", "heal")
        self.pair.wait_streaming()
        for client in (self.on_a, self.on_b):
            wait_until(lambda: left(client, uid) == 9, "nothing is forgotten")


if __name__ == "__main__":
    unittest.main()
