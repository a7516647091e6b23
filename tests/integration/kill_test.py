# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the keeper at every step of every flow that changes something (keystore/kill_point.h), then a new start: what was
answered holds on both nodes (I1, I4, I7), what was not is done or not done, and the same everywhere; nothing is invented,
no intent is left (I13), key manager and caches agree, and at the end all of it is so with both caches deleted, too (I8).
"""
import unittest

import harness  # noqa: F401
import admin
import kill_migrate_test
import kill_points
import usage
import vsphere
import wire
from case import PairCase
from fault_episode import FaultEpisode, word_of
from pair import CtlError
from process import wait_until

# What is under way when node A (peer_merged: node B) is killed there. "orphan" and "half-destroyed" leave an intent first, by a
# lost reply and a kill, so that the next life settles it, and is killed while it does.
SCENES = {
    "create_wrapped": ("create",), "create_intent": ("create",), "create_posted": ("create",), "create_recorded": ("create",),
    "create_released": ("create",),
    "destroy_intent": ("destroy",), "destroy_deleted": ("destroy",), "destroy_dated": ("destroy",),
    "destroy_recorded": ("destroy",), "destroy_released": ("destroy",),
    "lower_written": ("revoke",), "change_recorded": ("revoke", "activate"), "change_released": ("revoke", "activate"),
    "charge_taken": ("charge",), "charge_released": ("charge",), "charge_settled": ("charge",),
    "ledger_wrapped": ("revoke", "install"), "ledger_posted": ("revoke", "install", "remove"),
    "ledger_recorded": ("revoke", "install", "remove"),
    "client_recorded": ("install", "remove"), "client_released": ("install", "remove"),
    "checkpoint_filled": ("checkpoint",), "checkpoint_saved": ("checkpoint",),
    "compaction_written": ("compact",), "compaction_proved": ("compact",), "compaction_listed": ("compact",),
    "compaction_deleted": ("compact",), "compaction_noted": ("compact",),
    "resolve_adopted": ("orphan",), "resolve_deleted": ("half-destroyed",),
    "peer_merged": ("create",),
}
POOR_RECORDS = 24  # more than the 16 below which compaction leaves all as it is, after some were deleted


class KillPoints(PairCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.everything, cls.revoked, cls.destroyed, cls.charged = {}, set(), set(), set()
        cls.installed, cls.removed = {cls.vcenter.identity.fingerprint}, set()
        cls.number = cls.hopeless = 0

    # ---- what is under way ----

    def during_create(self):
        self.outcome = self.request(vsphere.create())

    def during_destroy(self):
        self.outcome = self.request(vsphere.destroy(self.uid))

    def during_revoke(self):
        self.outcome = self.request(vsphere.revoke(self.uid, 2))

    def during_activate(self):
        self.outcome = self.request(vsphere.activate(self.uid))

    def during_charge(self):
        self.outcome = self.request(usage.allocate(self.uid, 4))

    def during_install(self):
        self.outcome = self.operator("client", "add", self.identity.certificate, "--name", self.identity.name)

    def during_remove(self):
        self.outcome = self.operator("client", "remove", self.identity.name)

    def during_checkpoint(self):
        self.operator("checkpoint")

    def during_compact(self):
        admin.ask(self.pair.a, "kill-compact")

    def request(self, frame):
        """The answer, or None when the node died over it."""
        try:
            with self.on_a.connect(self.pair.a.endpoint) as connection:
                return connection.ask(frame).one
        except OSError:
            return None

    def operator(self, *arguments):
        try:
            return self.pair.a.ctl(*arguments)
        except CtlError:
            return None

    # ---- before and after ----

    def prepare(self, scene):
        self.uid = self.on_a.create()
        self.everything[self.uid] = self.on_a.material(self.uid)
        if scene == "checkpoint":
            self.on_a.activate(self.uid)
        if scene == "charge":
            usage.limit(self.on_a, self.uid, 10)
        if scene in ("install", "remove"):
            type(self).number += 1
            self.identity = self.pair.pki.self_signed(f"client-{self.number}")
        if scene == "remove":
            self.pair.a.ctl("client", "add", self.identity.certificate, "--name", self.identity.name)
        if scene == "compact":
            self.make_poor_records()

    def made_keys(self):
        return set(FaultEpisode(self.pair, {}).manager_keys())

    def make_poor_records(self):
        """Each Revoke that is waited for is a ledger record of its own."""
        while self.pair.a.status()["instances"][0]["ledger_records"] < POOR_RECORDS:
            uid = self.on_a.create()
            self.everything[uid] = self.on_a.material(uid)
            self.on_a.ask(vsphere.revoke(uid, 2))
            self.revoked.add(uid)

    def after(self, point, scene):
        """What was answered before the kill holds; what was not is one thing or the other, on both nodes."""
        outcome = self.outcome
        if scene == "create" and outcome is not None and outcome.ok:
            self.everything[outcome.uid] = None
        if point == "create_intent":
            type(self).hopeless += 1
        if point in ("create_recorded", "create_released"):
            # Nobody can say whether the answer was read: an ordinary key, not one to be called unclaimed.
            self.everything.update(dict.fromkeys(self.made_keys() - self.made_before))
        if scene == "destroy" and outcome is not None and outcome.ok:
            self.destroyed.add(self.uid)
        if scene == "revoke" and outcome is not None and outcome.ok:
            self.revoked.add(self.uid)
        if scene == "charge":
            # Nobody was answered, and it stays counted: what is left is had from the other node, once.
            self.assertIsNone(outcome)
            self.on_b.ask(usage.allocate(self.uid, 6))
            self.charged.add(self.uid)
        if scene == "install" and outcome is not None:
            self.installed.add(self.identity.fingerprint)
        if scene == "remove" and outcome is not None:
            self.removed.add(self.identity.fingerprint)

    def check(self, rebuilt=False):
        episode = FaultEpisode(self.pair, self.everything)
        episode.rebuilt = rebuilt
        episode.hopeless = self.hopeless
        episode.wait_well()
        episode.wait_agreement()
        self.assertEqual(episode.broken, [])
        truth = episode.manager_keys()
        for uid in list(self.everything):
            self.check_key(uid, truth.get(uid))
        self.pair.wait_same()
        clients = set(self.pair.a.clients())
        self.assertTrue(self.installed <= clients, "a registration is lost")
        self.assertFalse(self.removed & clients, "a removal is lost")

    def check_key(self, uid, state):
        for client in (self.on_a, self.on_b):
            item = self.answer_of(client, vsphere.get(uid))
            if state == 5:
                self.assertEqual(word_of(item), "gone", uid)
                continue
            self.assertNotIn(uid, self.destroyed)
            self.assertTrue(item.ok, item)
            self.assertEqual(item.material, self.everything[uid] or item.material)
            self.everything[uid] = item.material
            if uid in self.charged:
                self.assertEqual(usage.left(client, uid), 0)
            if uid in self.revoked:
                self.assertEqual(client.state(uid), wire.COMPROMISED)

    # ---- the tests ----

    def check_point(self, point):
        for scene in SCENES[point]:
            with self.subTest(scene):
                getattr(self, "run_" + scene.replace("-", "_"), self.run_scene)(point, scene)

    def run_scene(self, point, scene):
        node = self.pair.b if point == "peer_merged" else self.pair.a
        self.outcome = None
        self.prepare(scene)
        self.made_before = self.made_keys()
        kill_points.strike(node, point, getattr(self, "during_" + scene))
        self.after(point, scene)
        for uid, material in list(self.everything.items())[:1]:
            self.assertIn(self.pair.client("vcenter", self.pair.other(node)).material(uid), (material, None))
        self.revive(node)

    def revive(self, node):
        node.start()
        self.pair.wait_streaming()
        self.check()

    def run_orphan(self, point, scene):
        """A creation whose reply is lost, and whose node dies before it is looked up: settled by the next life, which dies
        of that; settled by the one after it."""
        self.prepare(scene)
        kill_points.strike(self.pair.a, "create_posted", self.during_create)
        self.kill_while_settling(point)

    def run_half_destroyed(self, point, scene):
        self.prepare(scene)
        kill_points.strike(self.pair.a, "destroy_deleted", self.during_destroy)
        self.kill_while_settling(point)

    def kill_while_settling(self, point):
        """The key manager is away while the node starts, so that the point can be armed before anything is settled."""
        node = self.pair.a
        self.pair.manager.mode(down=True)
        mark = node.log_mark()
        node.start()
        admin.ask(node, "kill-arm", point=point)
        self.pair.manager.mode(down=False)
        self.assertEqual(node.wait(), -9)
        self.assertTrue(node.log_lines(f"kill-point name={point}$", mark))
        self.revive(node)

    def test_all_points_are_known(self):
        """The points of the code, of the program and of this test are the same ones."""
        code = kill_points.declared()
        self.assertEqual(code, {*SCENES, *kill_migrate_test.SCENES})
        self.assertEqual(set(admin.ask(self.pair.a, "kill-list")["points"]), code)
        with self.assertRaisesRegex(AssertionError, "no kill point"):
            admin.ask(self.pair.a, "kill-arm", point="nowhere")

    def test_zz_both_caches_deleted(self):
        """All that was ever answered, from the key manager alone: keys, revocations, registrations."""
        type(self).hopeless = 0  # it goes with the cache
        self.pair.stop()
        self.pair.delete_caches()
        self.pair.start()
        for node in self.pair.nodes:
            wait_until(lambda: all(one["listed"] for one in node.status()["instances"]), f"{node.name} has listed all")
        self.check(rebuilt=True)


def add_test(name):
    def test(self):
        self.check_point(name)
    test.__doc__ = f"Killed at {name}: {', '.join(SCENES[name])}."
    setattr(KillPoints, "test_" + name, test)


for one_point in SCENES:
    add_test(one_point)

if __name__ == "__main__":
    unittest.main()
