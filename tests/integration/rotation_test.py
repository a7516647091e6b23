# SPDX-License-Identifier: Apache-2.0
"""The owner rotates the root key: no Get fails, and `kmipctl rewrap` brings every cached key of both nodes to the newest
version, whatever happens meanwhile.
"""
import os
import subprocess
import threading
import unittest

import harness  # noqa: F401
import vsphere
from case import FreshPairCase
from process import WAIT_S, program, wait_until

UNWRAP, REWRAP = "POST /api/v2/keys/{k}/actions/unwrap", "POST /api/v2/keys/{k}/actions/rewrap"
SLOW, FAST = 2, 500  # keys a second


class Load(threading.Thread):
    """Gets one key after the other from one endpoint, and keeps what was not its material."""

    def __init__(self, client, materials):
        super().__init__()
        self.client, self.materials = client, materials
        self.rounds, self.failures = 0, []
        self.ended = threading.Event()

    def run(self):
        while not self.ended.is_set():
            for uid, material in self.materials.items():
                try:
                    with self.client.connect(self.client.endpoints[0]) as connection:
                        item = connection.ask(vsphere.get(uid)).one
                    if not item.ok or item.material != material:
                        self.failures.append(f"{uid}: {item}")
                except (OSError, vsphere.Refused) as error:
                    self.failures.append(f"{uid}: {error!r}")
            self.rounds += 1

    def wait_rounds(self, more):
        goal = self.rounds + more
        wait_until(lambda: self.rounds >= goal or self.failures, f"{more} rounds of Gets")

    def end(self):
        self.ended.set()
        self.join()


class Follower:
    """A kmipctl rewrap that runs beside the test; what it tells can be read meanwhile."""

    def __init__(self, case, node, rate):
        self.path = os.path.join(case.pair.folder, "kmipctl.told")
        with open(self.path, "w", encoding="utf-8") as told:
            command = [program("kmipctl"), "--socket", node.socket, "rewrap", "--rate", str(rate)]
            self.process = subprocess.Popen(command, stdout=told, stderr=told, text=True)
        case.addCleanup(self.process.wait)
        case.addCleanup(self.process.kill)

    @property
    def told(self):
        with open(self.path, encoding="utf-8") as told:
            return told.read()

    def wait_told(self, text):
        wait_until(lambda: text in self.told, f"kmipctl tells: {text}")

    def wait(self):
        """Its exit status."""
        return self.process.wait(WAIT_S)


class Rotation(FreshPairCase):
    options = {"top": {"plaintext-ttl": 1}}
    KEYS = 40

    def make_keys(self, count):
        return dict(self.vcenter.encrypt_vm(f"vm{i}") for i in range(count))

    def calls(self, route):
        return self.pair.manager.calls().get(route, 0)

    def run_of(self, node):
        return node.ctl("rewrap", "status")["instances"][0]

    def begin(self, node):
        """kmipctl rewrap, left alone, so slow that a test does to it what it wants to before the end; let_run ends it."""
        return Follower(self, node, SLOW)

    def let_run(self, node):
        node.ctl("rewrap", "--rate", str(FAST))

    def wait_rewrapped(self, node, count):
        wait_until(lambda: self.run_of(node)["rewrapped"] >= count, f"{count} keys are rewrapped")

    def expect_all_newest(self, version, count):
        """Every key of both caches carries the root key's newest version."""
        self.pair.wait_same()
        for node in self.pair.nodes:
            wait_until(lambda: not node.ctl("key", "list", "--older"), f"{node.name} has no key of an older version")
            keys = node.ctl("key", "list")
            self.assertEqual(len(keys), count)
            for key in keys:
                self.assertEqual(key["root_key_version"], version, f"{node.name} {key}")
                self.assertFalse(key["older_version"])
            wait_until(lambda: node.status()["instances"][0]["keys_of_older_version"] == 0, "status counts none")

    def expect_materials(self, materials):
        for client in (self.on_a, self.on_b):
            for uid, material in materials.items():
                self.assertEqual(client.material(uid), material)

    def test_under_load(self):
        """Both nodes serve Gets, with unwraps all the time, while the root key is rotated: none fails. What was unwrapped is
        kept in its new form; rewrap brings the rest, and costs no second call for any key."""
        busy, idle = self.make_keys(10), self.make_keys(10)
        loads = [Load(client, busy) for client in (self.on_a, self.on_b)]
        for load in loads:
            load.start()
            self.addCleanup(load.end)
        for load in loads:
            load.wait_rounds(1)
        unwraps = self.calls(UNWRAP)
        version = self.pair.manager.rotate(self.pair.root_key)
        for node in self.pair.nodes:
            wait_until(lambda: node.status()["instances"][0]["root_key_version"] == version, "the rotation is known")
        wait_until(lambda: self.calls(UNWRAP) > unwraps + 2 * len(busy), "keys are unwrapped again")
        for load in loads:
            load.wait_rounds(2)
        answer = self.pair.a.ctl("rewrap", "--rate", "200")
        for load in loads:
            load.wait_rounds(1)
            load.end()
            self.assertEqual(load.failures, [])
        run = answer["instances"][0]
        self.assertEqual((run["running"], run["failed"], run["error"], run["waiting"]), (False, 0, "", ""))
        self.assertEqual(run["looked"], 20)
        self.assertGreaterEqual(run["rewrapped"], len(idle))
        self.expect_all_newest(version, 20)
        rewraps = self.calls(REWRAP)
        self.assertEqual(self.pair.b.ctl("rewrap")["instances"][0]["rewrapped"], 0)
        self.assertEqual(self.calls(REWRAP), rewraps)
        self.expect_materials({**busy, **idle})
        self.assertIn("root version", self.pair.b.ctl_run("key", "show", next(iter(idle))).stdout)

    def test_goes_on_after_a_crash(self):
        """The keeper is killed in the middle: the next one goes on by itself, and no key is done twice but those under way."""
        materials = self.make_keys(self.KEYS)
        version = self.pair.manager.rotate(self.pair.root_key)
        ctl = self.begin(self.pair.a)
        self.wait_rewrapped(self.pair.a, 4)
        self.pair.a.kill9()
        self.assertNotEqual(ctl.wait(), 0)
        self.assertIn("goes on in the node", ctl.told)
        self.pair.a.start()
        wait_until(lambda: self.run_of(self.pair.a)["running"], "it goes on")
        self.assertEqual(self.run_of(self.pair.a)["rate"], SLOW)
        self.let_run(self.pair.a)
        run = self.run_of(self.pair.a)
        self.assertEqual((run["running"], run["looked"], run["failed"]), (False, self.KEYS, 0))
        self.expect_all_newest(version, self.KEYS)
        # What was begun since the place was written last, a second before.
        self.assertLessEqual(self.calls(REWRAP), self.KEYS + 30)
        self.expect_materials(materials)

    def test_waits_in_an_outage(self):
        """The key manager goes away in the middle: kmipctl says so, the run waits, and goes on when it is back."""
        materials = self.make_keys(self.KEYS)
        version = self.pair.manager.rotate(self.pair.root_key)
        ctl = self.begin(self.pair.b)
        self.wait_rewrapped(self.pair.b, 2)
        self.pair.manager.mode(down=True)
        wait_until(lambda: "cannot be reached" in self.run_of(self.pair.b)["waiting"], "status says that it waits")
        self.assertTrue(self.run_of(self.pair.b)["running"])
        ctl.wait_told("it waits: the key manager cannot be reached")
        self.pair.manager.mode(down=False)
        ctl.wait_told("it goes on")
        self.let_run(self.pair.b)
        self.assertEqual(ctl.wait(), 0, ctl.told)
        self.assertIn(f"{self.KEYS} rewrapped, 0 failed", ctl.told)
        self.expect_all_newest(version, self.KEYS)
        self.expect_materials(materials)

    def test_another_rotation(self):
        """The root key is rotated again in the middle: in the end every key is of the newest version."""
        materials = self.make_keys(self.KEYS)
        self.pair.manager.rotate(self.pair.root_key)
        ctl = self.begin(self.pair.a)
        self.wait_rewrapped(self.pair.a, 2)
        version = self.pair.manager.rotate(self.pair.root_key)
        self.let_run(self.pair.a)
        self.assertEqual(ctl.wait(), 0, ctl.told)
        self.assertGreater(self.run_of(self.pair.a)["round"], 1)
        self.expect_all_newest(version, self.KEYS)
        self.expect_materials(materials)

    def test_one_bad_key(self):
        """A form that does not open is named and counted, kmipctl fails, and the others are done. Stopping and wrong arguments
        say what they do."""
        self.make_keys(6)
        self.pair.manager.rotate(self.pair.root_key)
        self.pair.manager.fault(path="/api/v2/keys/[^/]*/actions/rewrap", method="POST", kind="status", status=422, skip=2,
                                count=1)
        result = self.pair.a.ctl_run("rewrap", "--rate", "100")
        self.assertEqual(result.returncode, 1)
        self.assertIn("5 rewrapped, 1 failed", result.stdout)
        bad = self.run_of(self.pair.a)["failures"][0]["uid"]
        self.assertIn(bad, result.stdout)
        self.assertEqual([key["uid"] for key in self.pair.a.ctl("key", "list", "--older")], [bad])
        self.assertEqual(self.pair.a.ctl_run("rewrap", "--rate", "2000").returncode, 1)
        self.assertEqual(self.pair.a.ctl_run("rewrap", "--rate", "many").returncode, 2)
        self.assertIn("no instance", self.pair.a.ctl_run("rewrap", "--instance", "none").stderr)
        self.assertFalse(self.pair.a.ctl("rewrap", "stop")["running"])
        self.assertEqual(self.pair.a.ctl("rewrap")["instances"][0]["rewrapped"], 1)


if __name__ == "__main__":
    unittest.main()
