# SPDX-License-Identifier: Apache-2.0
"""Trouble with the key manager, in every form the emulator has: clients get General Failure soon and never Item Not Found,
warm keys are served, nothing is told twice or lost, and all is well again when the trouble ends, without a restart. What
the owner takes away in the key manager (a key, the root key) is taken away from clients.
"""
import threading
import time
import unittest

import harness  # noqa: F401
import vsphere
import wire
from case import PairCase
from process import wait_until

OURS = "kmip-tenant-one"
SOON_S = 10  # three seconds by design; this is only a deadline against hanging


class Trouble(PairCase):
    """Each test begins with a key that is warm on both nodes and one that is cold on B (made through A)."""

    def setUp(self):
        self.warm, self.warm_material = self.vcenter.encrypt_vm("warm")
        for client in (self.on_a, self.on_b):
            client.material(self.warm)
        self.cold = self.on_a.create()
        self.cold_material = self.on_a.material(self.cold)

    def tearDown(self):
        """The end of the trouble: all is served again, by both nodes."""
        self.pair.manager.mode(down=False, iam_down=False, read_only=False, rate_per_s=0)
        self.pair.manager.no_faults()
        for client in (self.on_a, self.on_b):
            self.assertEqual(client.material(self.warm), self.warm_material)
            self.assertEqual(client.material(self.cold), self.cold_material)
            self.assertEqual(len(client.material(client.create())), 32)

    def expect_soon(self, client, frame, *reasons):
        begun = time.monotonic()
        item = self.answer_of(client, frame)
        self.assertLess(time.monotonic() - begun, SOON_S)
        self.expect_reason(item, *reasons)

    def expect_outage(self):
        """Create, Destroy and cold Get fail; warm Get, tags and states work."""
        for client in (self.on_a, self.on_b):
            self.expect_soon(client, vsphere.create(), wire.GENERAL_FAILURE)
            self.expect_soon(client, vsphere.destroy(self.cold), wire.GENERAL_FAILURE)
            self.assertEqual(client.material(self.warm), self.warm_material)
            self.assertEqual(client.state(self.warm), wire.ACTIVE)
            self.assertTrue(self.answer_of(client, vsphere.add_attributes(self.warm, [("x-outage", "v")])).ok)
        self.expect_soon(self.on_b, vsphere.get(self.cold), wire.GENERAL_FAILURE)
        self.expect_soon(self.on_a, vsphere.get("00000000-0000-4000-8000-000000000000"), wire.GENERAL_FAILURE)

    def test_down(self):
        """The key manager cuts every connection."""
        self.pair.manager.mode(down=True)
        self.expect_outage()
        wait_until(lambda: not any(node.status()["instances"][0]["reachable"] for node in self.pair.nodes),
                   "status says that it is not reachable")

    def test_killed_and_started_again(self):
        """The key manager's process dies and comes back: nobody else has to be restarted."""
        self.pair.manager.kill9()
        try:
            self.expect_soon(self.on_a, vsphere.create(), wire.GENERAL_FAILURE)
            self.assertEqual(self.on_b.material(self.warm), self.warm_material)
        finally:
            self.pair.manager.start()

    def test_server_errors(self):
        """503 to every call of the key API."""
        self.pair.manager.fault(path="^/api/v2/", kind="status", status=503)
        self.expect_outage()

    def test_unauthorized(self):
        """401 to every call, fresh tokens included: a refusal, not an absence."""
        self.pair.manager.fault(path="^/api/v2/", kind="status", status=401)
        self.expect_outage()

    def test_too_many_requests(self):
        """429 with Retry-After to every call; then only to the first one."""
        self.pair.manager.fault(path="^/api/v2/", kind="status", status=429, retry_after=1)
        self.expect_outage()
        self.pair.manager.no_faults()
        self.pair.manager.fault(path="^/api/v2/", method="POST", kind="status", status=429, retry_after=1, count=1)
        item = self.answer_of(self.on_a, vsphere.create())
        self.assertIn((item.status, item.reason), ((0, None), (1, wire.GENERAL_FAILURE)))

    def test_hanging(self):
        """Answers that come after a minute: clients are not kept waiting, warm keys are served meanwhile."""
        self.pair.manager.fault(path="^/api/v2/", kind="delay", delay_ms=60000)
        self.expect_outage()

    def test_nonsense(self):
        """HTML, half answers, altered payloads, endless ones: General Failure, never a wrong key, never Item Not Found."""
        for kind in ("wrong_bytes", "truncated", "huge"):
            with self.subTest(kind):
                cold = self.on_a.create()
                material = self.on_a.material(cold)
                self.pair.manager.fault(path="^/api/v2/keys/", kind=kind)
                try:
                    item = self.answer_of(self.on_b, vsphere.get(cold))
                finally:
                    self.pair.manager.no_faults()
                self.assertTrue(not item.ok or item.material == material, "a wrong key was served")
                self.expect_reason(item, wire.GENERAL_FAILURE)
                self.assertEqual(self.on_b.material(cold), material)

    def test_iam_down(self):
        """No new tokens: with the one it has, a node goes on."""
        self.pair.manager.mode(iam_down=True)
        for client in (self.on_a, self.on_b):
            self.assertEqual(client.material(self.warm), self.warm_material)
        self.assertEqual(self.on_b.material(self.cold), self.cold_material)

    def test_tokens_that_expire(self):
        """An hour later by the key manager's clock: a new token is fetched without anybody's noticing."""
        self.pair.manager.advance(3700)
        for client in (self.on_a, self.on_b):
            self.assertEqual(len(client.material(client.create())), 32)

    def test_concurrent_cold_gets_are_one_unwrap(self):
        """Eight clients fetch one cold key at once: one call to the key manager."""
        self.pair.manager.control("DELETE", "counters")
        got = []
        threads = [threading.Thread(target=lambda: got.append(self.pair.client("vcenter", self.pair.b).material(self.cold)))
                   for _ in range(8)]
        self.pair.manager.fault(path=f"^/api/v2/keys/{self.pair.root_key}/actions/unwrap", kind="delay", delay_ms=700)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(got, [self.cold_material] * 8)
        self.assertLessEqual(self.pair.manager.calls()["POST /api/v2/keys/{k}/actions/unwrap"], 2)

    # ---- lost replies ----

    def test_lost_reply_of_create(self):
        """The standard key is made and its answer lost: the client is told that one key or General Failure, never a second
        one; a key that nobody was told of is adopted by both nodes, as unclaimed."""
        before = {key["id"] for key in self.pair.manager.keys(OURS)}
        self.pair.manager.fault(path="^/api/v2/keys$", method="POST", kind="drop_after_commit", count=1)
        item = self.answer_of(self.on_a, vsphere.create())
        made = {key["id"] for key in self.pair.manager.keys(OURS)} - before
        self.assertEqual(len(made), 1)
        if item.ok:
            self.assertEqual({item.uid}, made)
        else:
            self.expect_reason(item, wire.GENERAL_FAILURE)
        for node in self.pair.nodes:
            wait_until(lambda: made <= set(node.keys()), f"{node.name} knows the key")
        self.assertEqual({key["id"] for key in self.pair.manager.keys(OURS)} - before, made)
        for client in (self.on_a, self.on_b):
            self.assertEqual(len(client.material(made.copy().pop())), 32)

    def test_reply_of_create_comes_too_late(self):
        """The same with an answer that comes after the client's deadline: General Failure, and the key is adopted."""
        before = {key["id"] for key in self.pair.manager.keys(OURS)}
        self.pair.manager.fault(path="^/api/v2/keys$", method="POST", kind="delay", delay_ms=4000, count=1)
        item = self.answer_of(self.on_a, vsphere.create())
        self.expect_reason(item, wire.GENERAL_FAILURE)
        made = wait_until(lambda: {key["id"] for key in self.pair.manager.keys(OURS)} - before, "the key is made")
        self.assertEqual(len(made), 1)
        for node in self.pair.nodes:
            wait_until(lambda: made <= {key["uid"] for key in node.ctl("key", "list", "--unclaimed")},
                       f"{node.name} lists the key as unclaimed")

    def test_lost_reply_of_destroy(self):
        """The standard key is deleted and the answer lost: whatever the client is told, no node serves the key any more."""
        uid = self.on_a.create()
        self.on_b.material(uid)
        self.pair.manager.fault(path="^/api/v2/keys/", method="DELETE", kind="drop_after_commit", count=1)
        item = self.answer_of(self.on_a, vsphere.destroy(uid))
        self.assertIn((item.status, item.reason), ((0, None), (1, wire.GENERAL_FAILURE)))
        for client in (self.on_a, self.on_b):
            wait_until(lambda: not self.answer_of(client, vsphere.get(uid)).ok, "the key is served no more")
            self.assertIn(self.reason_of(client, vsphere.get(uid)), (wire.ILLEGAL_OPERATION, wire.ITEM_NOT_FOUND))


class Owner(PairCase):
    """What the customer does in the key manager's console."""

    def test_d3_a_key_deleted_in_the_console(self):
        """Both nodes stop serving it, also where it was warm; nothing brings it back."""
        uid, _ = self.vcenter.encrypt_vm("vm")
        other, material = self.vcenter.encrypt_vm("vm")
        for client in (self.on_a, self.on_b):
            client.material(uid)
        self.pair.manager.delete(uid)
        for client in (self.on_a, self.on_b):
            wait_until(lambda: not self.answer_of(client, vsphere.get(uid)).ok, "the key is served no more")
        self.pair.a.restart()
        self.pair.wait_streaming()
        for client in (self.on_a, self.on_b):
            self.assertIn(self.reason_of(client, vsphere.get(uid)), (wire.ILLEGAL_OPERATION, wire.ITEM_NOT_FOUND))
            self.assertEqual(client.material(other), material)

    def test_a_key_restored_in_the_console(self):
        """Deleted, seen to be gone by both nodes, restored within the 30 days: served again, with its bytes."""
        uid, material = self.vcenter.encrypt_vm("vm")
        self.pair.manager.delete(uid)
        for client in (self.on_a, self.on_b):
            wait_until(lambda: not self.answer_of(client, vsphere.get(uid)).ok, "the key is served no more")
        self.pair.manager.restore(uid)
        for client in (self.on_a, self.on_b):
            wait_until(lambda: self.answer_of(client, vsphere.get(uid)).ok, "the key is served again")
            self.assertEqual(client.material(uid), material)
        self.pair.wait_same()

    def test_d4_root_key_disabled_and_enabled(self):
        """Disabled: Create is Permission Denied, warm and cold keys are refused (never Item Not Found). Enabled again: all is
        served, without a restart."""
        uid, material = self.vcenter.encrypt_vm("vm")
        cold = self.on_a.create()
        for client in (self.on_a, self.on_b):
            client.material(uid)
        self.pair.manager.disable(self.pair.root_key)
        for node, client in ((self.pair.a, self.on_a), (self.pair.b, self.on_b)):
            wait_until(lambda: node.status()["instances"][0]["root_key_state"] == "disabled", "the poll has seen it")
            for frame in (vsphere.create(), vsphere.get(uid), vsphere.get(cold)):
                self.expect_reason(self.answer_of(client, frame), wire.PERMISSION_DENIED)
        self.pair.manager.enable(self.pair.root_key)
        for node, client in ((self.pair.a, self.on_a), (self.pair.b, self.on_b)):
            wait_until(lambda: node.status()["instances"][0]["root_key_state"] == "enabled", "the poll has seen it")
            self.assertEqual(client.material(uid), material)
            self.assertEqual(len(client.material(cold)), 32)
            self.assertEqual(len(client.material(client.create())), 32)

    def test_root_key_rotated(self):
        """Old keys and new ones are served by both nodes, also after a restart."""
        uid, material = self.vcenter.encrypt_vm("vm")
        status, answer = self.pair.manager.call("POST", f"/keys/{self.pair.root_key}/actions/rotate")
        self.assertEqual(status, 204, answer)
        new, new_material = self.vcenter.encrypt_vm("vm")
        self.pair.b.restart()
        self.pair.wait_streaming()
        for client in (self.on_a, self.on_b):
            self.assertEqual(client.material(uid), material)
            self.assertEqual(client.material(new), new_material)


if __name__ == "__main__":
    unittest.main()
