# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the keeper, and of a worker, at every step of operations that make several objects, or make one and change others
(kmip/settling.h), then a new start. On both nodes, at once and again when both caches were deleted: what was told is served
with its bytes; each name is one object's; who is linked to is there, and points back; what nobody was told of and was not
finished is unclaimed and has no name, so that it is in nobody's way; and the request succeeds when it is repeated.
"""
import os
import signal
import threading
import unittest

import harness  # noqa: F401
import kill_points
import wire
from case import PairCase
from process import wait_until
from several import Several

# Where node A is killed, and how many passes of that point are let by before; node B at peer_merged.
MADE_ONE, MADE_TWO, MADE_THREE = ("create_released", 0), ("create_released", 1), ("create_released", 2)
WRITTEN, MERGED, RECORDED = ("ledger_posted", 0), ("lower_written", 0), ("change_recorded", 0)
SCENES = {
    "re_key": (("create_posted", 0), MADE_ONE, WRITTEN, MERGED, ("change_released", 0)),
    "create_key_pair": (MADE_ONE, ("create_posted", 1), WRITTEN),
    "re_key_key_pair": (MADE_TWO, WRITTEN, RECORDED, ("peer_merged", 4)),
    "certify": (MADE_ONE,),
    "re_certify": (MADE_ONE, MERGED),
    "derive_key": (MADE_ONE,),
    "import_replacing": (MADE_ONE, MERGED, ("destroy_intent", 0), ("destroy_deleted", 0), ("destroy_recorded", 0)),
    "register_pkcs12": (MADE_ONE, MADE_THREE, WRITTEN),
    "create_split_key": (MADE_ONE, MADE_THREE, RECORDED),
}
# From here on the operation is done, told or not.
DONE = {"ledger_posted", "lower_written", "change_recorded", "change_released", "destroy_intent", "destroy_deleted",
        "destroy_recorded", "peer_merged"}


class KillSeveral(Several, PairCase):
    options = {"authority": "/CN=authority"}

    # ---- a kill ----

    def ask_quietly(self, frame):
        """The answer, or None when the node died over it."""
        try:
            with self.on_a.connect(self.pair.a.endpoint) as connection:
                self.outcome = connection.ask(frame).one
        except OSError:
            self.outcome = None

    def strike(self, scene, point, passes):
        node = self.pair.b if point == "peer_merged" else self.pair.a
        before = set(self.pair.b.keys())
        kill_points.strike(node, point, lambda: self.ask_quietly(scene.frame), passes)
        if self.outcome is not None:
            self.assertTrue(self.outcome.ok, self.outcome)
            scene.tell(self.outcome)
        node.start()
        self.pair.wait_streaming()
        return before

    def run_point(self, name, point, passes):
        scene = self.making.scene(name)
        before = self.strike(scene, point, passes)
        is_done = point in DONE
        if is_done and self.outcome is None:
            self.done.update(self.made_since(before, scene))
        # Before, the ledger has taken its names; that it is to go stands in the cache alone.
        if point.startswith("destroy"):
            self.gone.add(scene.replaces)
        self.check()
        self.repeat(scene, is_done)

    def made_since(self, before, scene):
        """All that it makes, claimed: it is done."""
        wait_until(lambda: self.pair.a.status()["cache"]["intents"] == 0, "all is settled")
        self.pair.wait_same()
        made = {uid for uid, (state, _) in self.pair.a.keys().items() if uid not in before and "Destroyed" not in state}
        self.assertEqual(len(made), scene.makes)
        return made

    def repeat(self, scene, is_done):
        """The client asks again. The names of a new object are taken when it is there, as after any lost answer."""
        before = self.alive(self.pair.a)
        item = self.answer_of(self.on_a, scene.frame)
        if is_done and scene.names and not item.ok:
            self.assertEqual(item.reason, wire.INVALID_FIELD, item)
            return
        self.assertTrue(item.ok, item)
        scene.tell(item)
        made, replaced = self.alive(self.pair.a) - before, before - self.alive(self.pair.a)
        self.assertEqual(len(made), scene.makes)
        self.done.update(made - set(self.told))
        if scene.replaces is not None:
            self.assertEqual(len(replaced), 1)
            self.assertEqual(replaced & set(self.told), set() if is_done else {scene.replaces})
            self.gone.update(replaced & set(self.told))
            self.done.difference_update(replaced)

    # ---- the tests ----

    def test_points_are_known(self):
        self.assertLess({point for points in SCENES.values() for point, _ in points}, kill_points.declared())

    def test_worker(self):
        """A worker is killed while the keeper does what it handed on: it is done, and told to nobody."""
        scene = self.making.scene("re_key_key_pair")
        self.pair.manager.fault(path="^/api/v2/keys$", method="POST", kind="delay", delay_ms=400, count=1)
        before, orphans = self.alive(self.pair.a), self.pair.a.ctl("key", "list", "--unclaimed")
        client = threading.Thread(target=self.ask_quietly, args=(scene.frame,))
        client.start()
        wait_until(lambda: self.pair.a.status()["cache"]["intents"] > 0, "it is under way")
        for pid in self.pair.a.workers():
            os.kill(pid, signal.SIGKILL)
        client.join()
        self.assertIsNone(self.outcome)
        wait_until(lambda: len(self.alive(self.pair.a) - before) == scene.makes and
                   self.pair.a.ctl("key", "list", "--unclaimed") == orphans, "it is done")
        self.done.update(self.alive(self.pair.a) - before)
        self.check()

    def test_zz_both_caches_deleted(self):
        """All that the kills have left, from the key manager alone."""
        for node in self.pair.nodes:
            node.kill9()
            node.wait()
        self.pair.delete_caches()
        self.pair.start()
        for node in self.pair.nodes:
            wait_until(lambda: node.status()["instances"][0]["rebuilt"], f"{node.name} has rebuilt its cache")
        self.check(rebuilt=True)


def add_test(name, points):
    def test(self):
        for point, passes in points:
            with self.subTest(f"{point} {passes}"):
                self.run_point(name, point, passes)
        self.check()
    test.__doc__ = f"{name}: killed at {', '.join(f'{point} ({passes})' for point, passes in points)}."
    setattr(KillSeveral, "test_" + name, test)


for one_scene, its_points in SCENES.items():
    add_test(one_scene, its_points)

if __name__ == "__main__":
    unittest.main()
