# SPDX-License-Identifier: Apache-2.0
"""An instance moves to another root key while its clients go on: every key keeps its UID, bytes, state, dates and attributes,
through crashes and lost answers; then the old keys are deleted, and the old root key is needed no more.
"""
import random
import threading
import time
import unittest

import harness  # noqa: F401
import vsphere
import wire
from case import FreshPairCase
from migrating import Migrating
from pair import FIRST, CtlError
from process import wait_until


def plain(value):
    """A TTLV value as text that can be compared."""
    return repr([(node.tag, plain(node.value)) for node in value] if isinstance(value, list) else value)


class Load:
    """Threads that fetch random keys, each time from an endpoint drawn at random, with no second try."""

    def __init__(self, pair, materials, count=3):
        self.materials, self.over, self.gets, self.wrong = materials, threading.Event(), 0, []
        self.threads = [threading.Thread(target=self.run, args=(pair.client("vcenter", seed=number),))
                        for number in range(count)]

    def run(self, client):
        draw = random.Random(client.seed)
        while not self.over.is_set():
            uid = draw.choice(list(self.materials))
            endpoint = draw.choice(client.endpoints)
            try:
                with client.connect(endpoint) as connection:
                    item = connection.ask(vsphere.get(uid)).one
                    if not item.ok or item.material != self.materials[uid]:
                        self.wrong.append((uid, endpoint, item))
            except OSError as error:
                self.wrong.append((uid, endpoint, error))
            self.gets += 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


class Migrate(Migrating, FreshPairCase):
    def setUp(self):
        super().setUp()
        self.old_root = self.pair.root_key
        self.new_root = self.pair.manager.create_root("new-root")

    # ---- steps ----

    def exchange_roots(self):
        """First every node can open what either root key wraps; then the new one wraps."""
        self.both_roots(self.old_root, self.new_root)
        self.both_roots(self.new_root, self.old_root)

    def migrate(self, node, *more):
        return node.ctl("instance", "migrate", FIRST, "--rate", "1000", *more)

    def make_keys(self, count):
        materials = {}
        for _ in range(count):
            uid = self.vcenter.create()
            materials[uid] = self.vcenter.material(uid)
        return materials

    def facts(self, client, uids):
        return {uid: sorted((name, plain(value)) for name, value in client.ask(vsphere.get_attributes(uid)).attributes())
                for uid in uids}

    def expect_all(self, materials):
        for client in (self.on_a, self.on_b):
            for uid, material in materials.items():
                self.assertEqual(client.material(uid), material)

    # ---- tests ----

    def test_two_hundred_under_load(self):
        """No Get fails while 200 keys are moved and their old keys deleted; nothing but the standard keys has changed. With the
        old root key disabled, and with both caches deleted, everything is there."""
        materials = self.make_keys(200)
        uids = list(materials)
        for uid in uids[:5]:
            self.vcenter.ask(vsphere.activate(uid))
            self.vcenter.ask(vsphere.add_attributes(uid, [("x-Name", "vm-" + uid)]))
        self.vcenter.ask(vsphere.revoke(uids[0], 2))
        self.pair.wait_same()
        before, keys = self.facts(self.on_a, uids), self.pair.a.keys()
        old = set(self.living())
        self.exchange_roots()
        with Load(self.pair, materials) as load:
            answer = self.migrate(self.pair.a)
            self.assertEqual((answer["stage"], answer["moved"], answer["failed"]), ("moved", 200, 0))
            self.assertEqual(len(self.living()), 400)
            preview = self.pair.a.ctl_run("instance", "migrate", FIRST, "--delete-old")
            self.assertEqual(preview.returncode, 2)
            self.assertIn("200 old standard keys", preview.stdout)
            self.assertEqual(len(self.living()), 400)
            answer = self.migrate(self.pair.a, "--delete-old", "--yes")
            self.assertEqual((answer["stage"], answer["deleted"], answer["failed"]), ("finished", 200, 0))
        self.assertEqual(load.wrong, [])
        self.assertGreater(load.gets, 50)
        self.assertFalse(old & set(self.living()))
        self.pair.wait_same()
        self.assertEqual(self.pair.a.keys(), keys)
        self.assertEqual(self.facts(self.on_b, uids), before)
        self.pair.manager.disable(self.old_root)
        for node in self.pair.nodes:
            node.kill9()
        self.pair.delete_caches()
        self.pair.start()
        self.expect_all(materials)
        self.assertEqual(self.facts(self.on_a, uids), before)

    def test_killed_again_and_again(self):
        """The keeper dies at random moments: the work goes on by itself, on whichever step it was, and no key is moved twice for
        good."""
        materials, threads = self.make_keys(24), []
        self.exchange_roots()
        for step in ((), ("--delete-old", "--yes")):
            for _ in range(2):
                threads.append(self.start_slowly(self.pair.a, step))
                time_of_death = time.monotonic() + random.uniform(0.05, 1)
                wait_until(lambda: time.monotonic() > time_of_death, "its time has come")
                self.pair.a.kill9()
                self.pair.a.start()
                self.pair.wait_streaming()
            self.finish(self.pair.a, step)
        for thread in threads:
            thread.join()
        self.assertEqual(len(self.living()), 24)
        self.expect_all(materials)

    def start_slowly(self, node, step):
        """Begun, and not waited for."""
        thread = threading.Thread(target=node.ctl_run, daemon=True,
                                  args=("instance", "migrate", FIRST, "--rate", "30", *step))
        thread.start()
        return thread

    def test_lost_answers(self):
        """Answers to creations are lost: one key holds each object, and nothing of the others is left in the end."""
        materials = self.make_keys(20)
        self.exchange_roots()
        self.pair.manager.fault(path="^/api/v2/keys$", method="POST", kind="drop_after_commit", count=4)
        self.finish(self.pair.a, ())
        self.finish(self.pair.a, ("--delete-old", "--yes"))
        self.assertEqual(len(self.living()), 20)
        self.expect_all(materials)
        self.pair.wait_same()

    def test_both_nodes_at_once(self):
        """Both nodes move the same keys: both serve all of them, and one standard key for each is left."""
        materials = self.make_keys(30)
        self.exchange_roots()
        threads = [threading.Thread(target=self.migrate_quietly, args=(node, ())) for node in self.pair.nodes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.pair.wait_same()
        self.expect_all(materials)
        for node in self.pair.nodes:
            self.finish(node, ())
        self.finish(self.pair.b, ("--delete-old", "--yes"))
        self.assertEqual(len(self.living()), 30)
        self.expect_all(materials)

    def only_lives(self, uids, but_few_of):
        """Whether the standard keys that live are those of these objects, and three at most that others' records name."""
        def held_by(uids):
            return {self.pair.a.ctl("key", "show", uid)["standard_key"] for uid in uids}
        living, held = set(self.living()), held_by(uids)
        return held <= living and len(living - held) <= 3 and living - held <= held_by(but_few_of)

    def test_destroyed_and_revoked_meanwhile(self):
        """What clients take away while keys are moved stays away, and no standard key of a destroyed one is left; but for
        new ones, of the few with which both nodes were busy in one moment (README.md, limits)."""
        materials = self.make_keys(40)
        uids = list(materials)
        self.exchange_roots()
        thread = threading.Thread(target=self.migrate_quietly, args=(self.pair.a, ()))
        thread.start()
        for uid in uids[:10]:
            self.on_b.ask(vsphere.destroy(uid))
        for uid in uids[10:15]:
            self.on_b.ask(vsphere.activate(uid))
            self.on_b.ask(vsphere.revoke(uid, 2))
        created = self.on_b.create()
        materials[created] = self.on_b.material(created)
        thread.join()
        self.finish(self.pair.a, ())
        self.finish(self.pair.a, ("--delete-old", "--yes"))
        wait_until(lambda: self.only_lives(uids[10:] + [created], but_few_of=uids[:10]), "what was destroyed is gone", 60)
        for client in (self.on_a, self.on_b):
            for uid in uids[:10]:
                self.assertEqual(client.state(uid), wire.DESTROYED)
            for uid in uids[10:15]:
                self.assertEqual(client.state(uid), wire.COMPROMISED)
        self.expect_all({uid: materials[uid] for uid in (*uids[15:], created)})

    def test_only_one_node_is_reloaded(self):
        """A migration does not begin while the peer could not open its keys; what the new root key wraps is General Failure
        there, never Item Not Found, and comes back with the reload."""
        materials = self.make_keys(3)
        self.roots(self.pair.a, self.old_root, self.new_root)
        with self.assertRaises(CtlError) as raised:
            self.migrate(self.pair.a)
        self.assertIn("both nodes", str(raised.exception))
        with self.assertRaises(CtlError) as raised:
            self.roots(self.pair.b, self.new_root, None)
        self.assertIn("other-root-key", str(raised.exception))
        self.roots(self.pair.a, self.new_root, self.old_root)
        uid = self.on_a.create()
        materials[uid] = self.on_a.material(uid)
        self.expect_reason(self.answer_of(self.on_b, vsphere.get(uid)), wire.GENERAL_FAILURE)
        self.roots(self.pair.b, self.old_root, self.new_root)
        self.pair.wait_streaming()
        self.expect_all(materials)
        self.roots(self.pair.b, self.new_root, self.old_root)
        self.pair.wait_streaming()
        self.assertEqual(self.migrate(self.pair.a)["moved"], 3)
        self.expect_all(materials)

    def test_root_key_changed_without_the_old_one(self):
        """A configuration that names another root key only is told at once: keys are General Failure, also on a node without a
        cache, and all of them come back when the old one is named."""
        materials = self.make_keys(3)
        for node in self.pair.nodes:
            node.stop()
            node.options["instances"][0]["root-key"] = self.new_root
        self.pair.start()
        for node in self.pair.nodes:
            node.wait_log("root-key-lacks", node.mark)
            self.assertTrue(node.status()["instances"][0]["lacks_root_key"])
        for uid in materials:
            self.expect_reason(self.answer_of(self.on_a, vsphere.get(uid)), wire.GENERAL_FAILURE)
        self.pair.a.stop()
        self.pair.a.delete_cache()
        self.pair.a.launch_node()
        self.pair.a.wait_log("root-key-does-not-open", self.pair.a.mark)
        for node in self.pair.nodes:
            if node is self.pair.a:
                node.put_down()
            else:
                node.stop()
            node.options["instances"][0]["other-root-key"] = self.old_root
        self.pair.start()
        self.expect_all(materials)
        self.assertEqual({state for state, _ in self.pair.a.keys().values()}, {"Pre-Active"})

    def test_either_root_key_is_disabled(self):
        """What it wraps is Permission Denied within the poll, what the other one wraps is served; enabled, it comes back."""
        old = self.vcenter.create()
        material = self.vcenter.material(old)
        self.exchange_roots()
        new = self.vcenter.create()
        new_material = self.vcenter.material(new)
        self.pair.manager.disable(self.old_root)
        wait_until(lambda: self.answer_of(self.on_a, vsphere.get(old)).reason == wire.PERMISSION_DENIED, "it is closed", 60)
        self.assertEqual(self.on_a.material(new), new_material)
        self.assertEqual(self.on_b.material(new), new_material)
        self.pair.manager.enable(self.old_root)
        wait_until(lambda: self.answer_of(self.on_a, vsphere.get(old)).ok, "it is open again", 60)
        self.assertEqual(self.on_a.material(old), material)
        self.pair.manager.disable(self.new_root)
        wait_until(lambda: self.answer_of(self.on_b, vsphere.get(new)).reason == wire.PERMISSION_DENIED, "it is closed", 60)
        self.assertEqual(self.on_b.material(old), material)


if __name__ == "__main__":
    unittest.main()
