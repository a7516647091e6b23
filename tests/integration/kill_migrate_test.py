# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the keeper at every step of what is done to many keys at once (keystore/kill_point.h): wrapping them anew after a
rotation, moving them to another root key, deleting the old ones. After a new start it goes on and comes to its end: every key
has its bytes, state and attributes on both nodes, its standard key lives, no other one is left; also with both caches deleted.
"""
import unittest

import harness  # noqa: F401
import kill_points
import vsphere
import wire
from case import PairCase
from migrating import FINISH_S, Migrating
from pair import FIRST, SECOND
from process import wait_until

# What is under way when node A is killed there.
SCENES = {
    "rewrap_answered": ("rewrap",), "rewrap_recorded": ("rewrap",), "walk_saved": ("rewrap", "move"),
    "walk_ended": ("rewrap",),
    "move_wrapped": ("move",), "move_intent": ("move",), "move_posted": ("move",), "move_proved": ("move",),
    "move_recorded": ("move",), "migration_rewritten": ("move",), "migration_moved": ("move",),
    "migration_begun": ("move",), "migration_recorded": ("move", "delete_old"),
    "let_go_recorded": ("delete_old",), "retire_proved": ("delete_old",), "retire_deleted": ("delete_old",),
    "migration_finished": ("delete_old",),
}
DELETE_OLD = ("--delete-old", "--yes")
KEYS = 5
# Where all keys are to come so far, so that no intent is left of which nothing came: such a one is waited for during a minute.
OF_ALL = ("move_posted", "move_proved", "move_recorded")


class KillMigration(Migrating, PairCase):
    """The first instance goes from one root key to the other and back. The second is killed over an intent in the first test, and
    comes to its end in the last but one: such an intent is waited for during a minute."""

    tenants = 2

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pair.register("neighbour", SECOND)
        cls.clients = {tenant: [cls.pair.client(name, node) for node in cls.pair.nodes]
                       for tenant, name in ((FIRST, "vcenter"), (SECOND, "neighbour"))}
        cls.others = {tenant: cls.pair.manager.create_root("other-root-of-" + tenant) for tenant in cls.clients}
        cls.materials = {tenant: cls.make_keys(clients[0], cls.pair.nodes[0]) for tenant, clients in cls.clients.items()}
        cls.revoked = {tenant: min(materials) for tenant, materials in cls.materials.items()}
        for tenant, uid in cls.revoked.items():
            cls.clients[tenant][0].ask(vsphere.revoke(uid, 2))

    @staticmethod
    def make_keys(client, node):
        materials = {}
        for number in range(KEYS):
            uid = client.create()
            client.activate(uid)
            client.ask(vsphere.add_attributes(uid, [("x-number", str(number))]))
            materials[uid] = client.material(uid)
        return materials

    # ---- what is under way ----

    def during_rewrap(self):
        self.pair.a.ctl_run("rewrap", "--rate", "1000")

    def during_move(self, tenant=FIRST):
        self.migrate_quietly(self.pair.a, (), tenant)

    def during_delete_old(self):
        self.migrate_quietly(self.pair.a, DELETE_OLD)

    # ---- before ----

    def prepare_rewrap(self):
        """A key that was unwrapped since the rotation has a new form already (design D14): then it is rotated once more."""
        wait_until(self.rotate, "keys of an older version are there")

    def rotate(self):
        version = self.pair.manager.rotate(self.root)
        for node in self.pair.nodes:
            wait_until(lambda: self.status_of(node)["root_key_version"] == version, "the rotation is known")
        return self.pair.a.ctl("key", "list", "--instance", FIRST, "--older")

    def prepare_move(self):
        """Nothing is under way, and the other root key is to take over."""
        if self.migration(self.pair.a)["stage"] == "moved":
            self.finish(self.pair.a, DELETE_OLD)
        self.exchange_roots()

    def prepare_delete_old(self):
        if self.migration(self.pair.a)["stage"] != "moved":
            self.exchange_roots()
            self.finish(self.pair.a, ())

    @property
    def root(self):
        return self.options_of(self.pair.a)["root-key"]

    def exchange_roots(self, tenant=FIRST):
        options = self.options_of(self.pair.a, tenant)
        root, other = options["root-key"], options.get("other-root-key")
        if other is None:
            other = self.others[tenant]
            self.both_roots(root, other, tenant)
        self.both_roots(other, root, tenant)

    # ---- after ----

    def after_rewrap(self):
        """It went on by itself, or had come to its end."""
        wait_until(lambda: not self.pair.a.ctl("rewrap", "status")["running"], "nothing is rewrapped any more")
        for node in self.pair.nodes:
            wait_until(lambda: not node.ctl("key", "list", "--instance", FIRST, "--older"), f"{node.name} has the newest forms")

    def after_move(self):
        self.finish(self.pair.a, ())
        self.expect_standard_keys(old_ones=True)

    def after_delete_old(self):
        self.finish(self.pair.a, DELETE_OLD)
        self.expect_standard_keys(old_ones=False)

    def standard_keys(self, node, tenant=FIRST):
        """The one that holds each object."""
        return {uid: node.ctl("key", "show", uid)["standard_key"] for uid in self.materials[tenant]}

    def expect_standard_keys(self, old_ones, tenant=FIRST):
        """Each object's lives; and beside them nothing, once the old ones are deleted."""
        a, b = self.pair.nodes
        wait_until(lambda: self.standard_keys(a, tenant) == self.standard_keys(b, tenant), "both nodes know the same ones")
        holders, living = set(self.standard_keys(a, tenant).values()), set(self.living(tenant))
        self.assertEqual(len(holders), KEYS)
        self.assertEqual(holders - living, set(), "a key is lost")
        if old_ones:
            self.assertGreaterEqual(len(living), 2 * KEYS)
        else:
            self.assertEqual(living, holders, "something is left")

    def expect_served(self):
        """On both nodes, with state and attributes."""
        for tenant, clients in self.clients.items():
            for client in clients:
                for uid, material in self.materials[tenant].items():
                    self.assertEqual(client.material(uid), material)
                    state = wire.COMPROMISED if uid == self.revoked[tenant] else wire.ACTIVE
                    self.assertEqual(client.state(uid), state)
                    found = client.ask(vsphere.get_attributes(uid, "x-number")).attributes()
                    self.assertEqual(found, [("x-number", str(list(self.materials[tenant]).index(uid)))])

    # ---- the tests ----

    def check_point(self, point):
        for scene in SCENES[point]:
            with self.subTest(scene):
                getattr(self, "prepare_" + scene)()
                self.kill(point, getattr(self, "during_" + scene))
                getattr(self, "after_" + scene)()

    def kill(self, point, during):
        node, other = self.pair.nodes
        kill_points.strike(node, point, during, KEYS - 1 if point in OF_ALL else 0)
        for uid, material in self.materials[FIRST].items():
            self.assertEqual(self.on_b.material(uid), material, f"{other.name} serves meanwhile")
        node.start()
        self.pair.wait_streaming()
        self.pair.wait_same()
        wait_until(lambda: all(one["rebuilt"] for one in node.status()["instances"]), "it has begun again")
        self.expect_served()

    def test_00_move_intent(self):
        """Killed over an intent of which nothing came: the object is moved by another key, once nothing can come of it."""
        self.exchange_roots(SECOND)
        self.kill("move_intent", lambda: self.during_move(SECOND))

    def test_zy_intent_is_over(self):
        """It goes on by itself."""
        wait_until(lambda: self.migration(self.pair.a, SECOND)["stage"] == "moved", "it is over", FINISH_S)
        self.assertEqual(self.migration(self.pair.a, SECOND)["failed"], 0)
        self.finish(self.pair.a, DELETE_OLD, SECOND)
        self.expect_standard_keys(False, SECOND)

    def test_zz_both_caches_deleted(self):
        """All of it, from the key manager alone."""
        self.prepare_move()
        self.pair.stop()
        self.pair.delete_caches()
        self.pair.start()
        self.expect_served()
        for node in self.pair.nodes:
            wait_until(lambda: all(one["rebuilt"] for one in node.status()["instances"]), f"{node.name} has listed all")
        for tenant in self.clients:
            self.expect_standard_keys(False, tenant)
        self.expect_served()


def add_test(name):
    def test(self):
        self.check_point(name)
    test.__doc__ = f"Killed at {name}: {', '.join(SCENES[name])}."
    setattr(KillMigration, "test_" + name, test)


for one_point in SCENES.keys() - {"move_intent"}:
    add_test(one_point)

if __name__ == "__main__":
    unittest.main()
