# SPDX-License-Identifier: Apache-2.0
"""What the owner takes away in the key manager stops on both nodes within the bound that the intervals give, under Gets that
never pause, and comes back without a restart when it is given back. What the owner only moves, or lets expire, is served on.
"""
import datetime
import threading
import time
import unittest

import harness  # noqa: F401
import vsphere
import wire
from case import PairCase
from fault_episode import word_of
from process import wait_until

INTERVAL_S = 1  # reconcile-interval and root-key-poll of these pairs
# P2 promises twice the interval, for a key manager that answers; the rest is for a machine that is busy with other things.
BOUND_S = 2 * INTERVAL_S + 8


class Gets:
    """Gets of some keys on one node, one after the other, until the end; what they heard and when."""

    def __init__(self, client, uids):
        self.client, self.uids = client, uids
        self.heard = {uid: [] for uid in uids}  # [(when it was asked, word)]
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        with self.client.connect(self.client.endpoints[0]) as connection:
            while not self.over.is_set():
                for uid in self.uids:
                    asked = time.monotonic()
                    self.heard[uid].append((asked, word_of(connection.ask(vsphere.get(uid)).one)))

    def last(self, uid):
        return self.heard[uid][-1][1] if self.heard[uid] else None

    def end(self):
        self.over.set()
        self.thread.join()


class Revocation(PairCase):
    def setUp(self):
        self.gets = []

    def tearDown(self):
        self.end_gets()

    def end_gets(self):
        for gets in self.gets:
            gets.end()

    def warm_key(self):
        uid = self.on_a.create()
        for client in (self.on_a, self.on_b):
            client.material(uid)
        return uid

    def get_all_the_time(self, *uids):
        self.gets = [Gets(client, uids) for client in (self.on_a, self.on_b)]
        for gets in self.gets:
            wait_until(lambda: all(gets.last(uid) == "ok" for uid in uids), "Gets have begun")

    def wait_heard(self, uid, word):
        for gets in self.gets:
            wait_until(lambda: gets.last(uid) == word, f"{uid}: {word}")

    def check_stopped(self, uid, taken, word):
        """Served at most until the bound, never again after the first refusal, and refused with nothing but that word."""
        for gets in self.gets:
            words = [heard for _, heard in gets.heard[uid]]
            self.assertEqual(set(words), {"ok", word})
            first = words.index(word)
            self.assertNotIn("ok", words[first:], "served again after it was taken away")
            self.assertLess(gets.heard[uid][first - 1][0] - taken, BOUND_S)

    def root_states(self):
        return {node.status()["instances"][0]["root_key_state"] for node in self.pair.nodes}

    def move_to_ring(self, uid, ring):
        manager = self.pair.manager
        if ring not in [one["id"] for one in manager.call("GET", "/key_rings")[1]["resources"]]:
            self.assertEqual(manager.call("POST", "/key_rings/" + ring)[0], 201)
        status, answer = manager.call("PATCH", "/keys/" + uid, {"keyRingID": ring})
        self.assertEqual(status, 200, answer)

    # ---- taken away ----

    def test_deleted_key(self):
        """A key is deleted: both nodes stop in time, warm as it is; another one is served all the while."""
        uid, other = self.warm_key(), self.warm_key()
        self.get_all_the_time(uid, other)
        taken = time.monotonic()
        self.pair.manager.delete(uid)
        self.wait_heard(uid, "gone")
        self.end_gets()
        self.check_stopped(uid, taken, "gone")
        for gets in self.gets:
            self.assertEqual({word for _, word in gets.heard[other]}, {"ok"})

    def take_root_away(self, take, state, give_back):
        """The root key is taken away and given back: warm and cold keys are refused in time, and served again."""
        root = self.pair.root_key
        uid, cold = self.warm_key(), self.on_a.create()
        material = self.on_a.material(cold)
        self.get_all_the_time(uid)
        taken = time.monotonic()
        take(root)
        self.wait_heard(uid, "denied")
        wait_until(lambda: self.root_states() == {state}, "status says so")
        for client in (self.on_a, self.on_b):
            self.assertEqual(word_of(self.answer_of(client, vsphere.get(cold))), "denied")
            self.assertEqual(word_of(self.answer_of(client, vsphere.create())), "denied")
        for node in self.pair.nodes:
            self.assertEqual(node.status()["keys_in_memory"], 0)
        self.end_gets()
        self.check_stopped(uid, taken, "denied")
        give_back(root)
        given = time.monotonic()
        for client in (self.on_a, self.on_b):
            wait_until(lambda: word_of(self.answer_of(client, vsphere.get(uid))) == "ok", "served again")
            self.assertEqual(client.material(cold), material)
        self.assertLess(time.monotonic() - given, 2 * BOUND_S)
        wait_until(lambda: self.root_states() == {"enabled"}, "status says so")
        self.assertEqual(len(self.on_b.material(self.on_a.create())), 32)

    def test_root_key_disabled(self):
        """Disabled, and enabled again."""
        self.take_root_away(self.pair.manager.disable, "disabled", self.pair.manager.enable)

    def test_root_key_deleted(self):
        """Deleted, and restored."""
        self.take_root_away(self.pair.manager.delete, "deleted", self.pair.manager.restore)

    # ---- not taken away ----

    def test_key_moved_to_another_ring(self):
        """The owner moves a key: no listing of the ring shows it any more, yet it is served, warm, cold and after a start, and
        is not missing. Deleted in its new ring, it stops in time."""
        uid, cold = self.warm_key(), self.on_a.create()
        material = self.on_a.material(cold)
        for moved in (uid, cold):
            self.move_to_ring(moved, "elsewhere")
        self.assertEqual(self.on_b.material(cold), material)
        self.pair.b.restart()
        self.pair.wait_streaming()
        wait_until(lambda: self.pair.b.log_lines("ring-listed", self.pair.b.mark), "the ring is listed")
        status = wait_until(lambda: [one for one in self.pair.b.status()["instances"] if one["listed"]], "listed")[0]
        self.assertEqual(status["missing"], 0)
        for client in (self.on_a, self.on_b):
            self.assertEqual(client.material(cold), material)
        self.get_all_the_time(uid, cold)
        taken = time.monotonic()
        self.pair.manager.delete(uid)
        self.wait_heard(uid, "gone")
        self.end_gets()
        self.check_stopped(uid, taken, "gone")
        for gets in self.gets:
            self.assertEqual({word for _, word in gets.heard[cold]}, {"ok"})

    def test_moved_key_without_caches(self):
        """The same with both caches deleted: no listing leads to it, its UID does."""
        uid = self.warm_key()
        material = self.on_a.material(uid)
        self.move_to_ring(uid, "elsewhere")
        self.pair.stop()
        self.pair.delete_caches()
        self.pair.start()
        for client in (self.on_a, self.on_b):
            self.assertEqual(client.material(uid), material)


class Expired(PairCase):
    """The root key has expired (state 3): it unwraps and does not wrap."""

    LIFE_S = 7200
    options = {"root": {"expirationDate": (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(
        seconds=LIFE_S)).strftime("%Y-%m-%dT%H:%M:%SZ")}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.uid = cls.on_a.create()
        cls.material = cls.on_a.material(cls.uid)
        cls.cold = cls.on_a.create()
        cls.cold_material = cls.on_a.material(cls.cold)
        cls.doomed = cls.on_a.create()
        cls.on_b.material(cls.uid)
        cls.pair.manager.advance(cls.LIFE_S + 60)
        for client in (cls.on_a, cls.on_b):  # a token that is seconds old is not given up for one 401
            wait_until(lambda: word_of(cls.answer_of(cls, client, vsphere.create())) == "denied", "new tokens are there")

    def test_served_on(self):
        """Creates are denied, again and again; no key is taken away by that: warm ones stay in memory, cold ones unwrap, and
        Destroy works. A Revoke, whose ledger record cannot be sealed, is denied and changes nothing."""
        gets = [Gets(client, (self.uid,)) for client in (self.on_a, self.on_b)]
        try:
            for _ in range(5):
                for client in (self.on_a, self.on_b):
                    self.assertEqual(word_of(self.answer_of(client, vsphere.create())), "denied")
            self.assertEqual(self.on_b.material(self.cold), self.cold_material)
            self.assertEqual(word_of(self.answer_of(self.on_a, vsphere.revoke(self.cold, 2))), "denied")
            self.assertEqual(self.on_b.state(self.cold), wire.PRE_ACTIVE)
            self.assertEqual(word_of(self.answer_of(self.on_a, vsphere.destroy(self.doomed))), "ok")
            for node in self.pair.nodes:
                self.assertFalse(node.log_lines("root-key-unusable", node.mark))
                self.assertGreater(node.status()["keys_in_memory"], 0)
        finally:
            for one in gets:
                one.end()
        for one in gets:
            self.assertEqual({word for _, word in one.heard[self.uid]}, {"ok"})


if __name__ == "__main__":
    unittest.main()
