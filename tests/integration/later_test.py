# SPDX-License-Identifier: Apache-2.0
"""Asynchronous items (Asynchronous Indicator, Poll, Cancel): an answer comes later on the node that took the item, to the client
that asked; the change is made once, whether or not anybody polls and whatever becomes of node, connection and peer.
"""
import unittest

import harness  # noqa: F401
import vsphere
import wire
from case import PairCase
from process import wait_until

LATER = (wire.boolean(wire.ASYNCHRONOUS_INDICATOR, True),)
PENDING = 2
CANCELED, UNABLE_TO_CANCEL, COMPLETED, FAILED, UNAVAILABLE = range(1, 6)
SLOW_MS = 1500


def poll(correlation):
    return wire.request(wire.batch_item(wire.POLL, wire.data(wire.ASYNCHRONOUS_CORRELATION, correlation)))


def cancel(correlation):
    return wire.request(wire.batch_item(wire.CANCEL, wire.data(wire.ASYNCHRONOUS_CORRELATION, correlation)))


class Later(PairCase):
    def tearDown(self):
        self.pair.manager.no_faults()

    def begin(self, frame):
        item = self.answer_of(self.on_a, frame)
        self.assertEqual(item.status, PENDING, item)
        return item.node.get(wire.ASYNCHRONOUS_CORRELATION)

    def polled(self, correlation):
        """The item's answer, when it is there."""
        item = self.answer_of(self.on_a, poll(correlation))
        return None if item.status == PENDING else item

    def result_of(self, client, correlation):
        return self.answer_of(client, cancel(correlation)).payload.get(wire.CANCELLATION_RESULT)

    def slow_creates(self):
        self.pair.manager.fault(path="^/api/v2/keys$", method="POST", kind="delay", delay_ms=SLOW_MS, count=1)

    def test_change(self):
        """A Create that takes its time: not to be called off once it has begun, then answered as often as it is polled."""
        self.slow_creates()
        before = len(self.pair.a.keys())
        correlation = self.begin(vsphere.create(header=LATER))
        self.assertIn(self.result_of(self.on_a, correlation), (CANCELED, UNABLE_TO_CANCEL, COMPLETED))
        item = wait_until(lambda: self.polled(correlation), "the item has ended")
        if item.ok:  # its effect had begun
            self.assertEqual(item.operation, wire.CREATE)
            self.assertEqual(self.polled(correlation).uid, item.uid)
            self.assertEqual(self.on_b.material(item.uid), self.on_a.material(item.uid))
            self.assertEqual(self.result_of(self.on_a, correlation), COMPLETED)
        self.assertEqual(len(self.pair.a.keys()), before + (1 if item.ok else 0))

    def test_nobody_polls(self):
        """The change is made, and the peer has it."""
        uid, _ = self.vcenter.encrypt_vm("nobody polls")
        self.begin(wire.request(wire.batch_item(wire.REVOKE, wire.text(wire.UID, uid), wire.structure(
            wire.REVOCATION_REASON, wire.enum(wire.REVOCATION_CODE, 2))), header=LATER))
        for client in (self.on_a, self.on_b):
            wait_until(lambda: client.state(uid) == wire.COMPROMISED, "the key is compromised")

    def test_other_node(self):
        """The value is one node's: the other knows nothing of it, and says so."""
        correlation = self.begin(wire.request(wire.batch_item(wire.LOCATE), header=LATER))
        self.assertEqual(self.reason_of(self.on_b, poll(correlation)), wire.ITEM_NOT_FOUND)
        self.assertEqual(self.result_of(self.on_b, correlation), UNAVAILABLE)
        self.assertTrue(wait_until(lambda: self.polled(correlation), "the item has ended").ok)

    def test_other_client(self):
        """Another client of the same instance is told nothing."""
        self.pair.register("stranger")
        stranger = self.pair.client("stranger", self.pair.a)
        correlation = self.begin(wire.request(wire.batch_item(wire.LOCATE), header=LATER))
        self.assertEqual(self.reason_of(stranger, poll(correlation)), wire.ITEM_NOT_FOUND)
        self.assertEqual(self.result_of(stranger, correlation), UNAVAILABLE)
        self.assertTrue(wait_until(lambda: self.polled(correlation), "the item has ended").ok)

    def test_failure(self):
        """The key manager is away: the item fails, nothing was made."""
        self.pair.manager.fault(path="^/api/v2/", kind="status", status=503)
        before = len(self.pair.a.keys())
        correlation = self.begin(vsphere.create(header=LATER))
        item = wait_until(lambda: self.polled(correlation), "the item has ended")
        self.expect_reason(item, wire.GENERAL_FAILURE)
        self.assertEqual(item.operation, wire.CREATE)
        self.assertEqual(self.result_of(self.on_a, correlation), FAILED)
        self.assertEqual(len(self.pair.a.keys()), before)


class LaterRestart(PairCase):
    def test_restart(self):
        """The node dies over a Create. Its next life does not know the value; the key is there once, or not at all, on both nodes."""
        before = set(self.pair.a.keys())
        self.pair.manager.fault(path="^/api/v2/keys$", method="POST", kind="delay", delay_ms=SLOW_MS, count=1)
        with self.on_a.connect(self.pair.a.endpoint) as connection:
            item = connection.ask(vsphere.create(header=LATER)).one
        correlation = item.node.get(wire.ASYNCHRONOUS_CORRELATION)
        self.assertEqual(item.status, PENDING, item)
        self.pair.a.kill9()
        self.pair.a.start()
        self.pair.wait_streaming()
        self.assertEqual(self.reason_of(self.on_a, poll(correlation)), wire.ITEM_NOT_FOUND)
        canceled = self.answer_of(self.on_a, cancel(correlation))
        self.assertEqual(canceled.payload.get(wire.CANCELLATION_RESULT), UNAVAILABLE)
        self.pair.wait_same()
        self.assertLessEqual(len(set(self.pair.a.keys()) - before), 1)

    def test_stop(self):
        """A clean stop waits for what was promised: the key is there, as one that was made to its end."""
        before = set(self.pair.a.keys())
        mark = self.pair.a.log_mark()
        self.pair.manager.fault(path="^/api/v2/keys$", method="POST", kind="delay", delay_ms=SLOW_MS, count=1)
        self.assertEqual(self.answer_of(self.on_a, vsphere.create(header=LATER)).status, PENDING)
        self.pair.a.stop()
        self.assertEqual(self.pair.a.log_lines("stop-forced", mark), [])
        self.pair.a.start()
        self.pair.wait_streaming()
        (uid,) = set(self.pair.b.keys()) - before
        for node in self.pair.nodes:
            (shown,) = (key for key in node.ctl("key", "list") if key["uid"] == uid)
            self.assertFalse(shown["unclaimed"])


if __name__ == "__main__":
    unittest.main()
