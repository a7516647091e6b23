# SPDX-License-Identifier: Apache-2.0
"""The operator's words for the pair: drain and undrain a node, fence a peer that is off; and a peer that hangs instead of
dying, which nobody says anything about.
"""
import os
import signal
import socket
import time
import unittest

import harness  # noqa: F401
import vsphere
import wire
from case import FreshPairCase
from pair import CtlError
from process import wait_until
from stream import Stream

LEASE_S = 2.1  # the longest that a change waits for a peer that is silent


def refuses_connections(node):
    with socket.socket() as probe:
        return probe.connect_ex(node.endpoint) != 0


class Drain(FreshPairCase):
    options = {"metrics": True}

    def test_a_drained_node_serves_nobody_and_nobody_waits_for_it(self):
        """Clients walk through drain and undrain of A without a failure; while A is drained its port is closed and B answers
        a Destroy without waiting for A's lease; undrained, A has what it missed."""
        stream = Stream(self.pair, patience_s=0)
        self.addCleanup(stream.stop)
        stream.wait_more(4)
        shown = self.pair.a.ctl("drain")
        self.assertEqual(shown["state"], "drained")
        self.assertTrue(refuses_connections(self.pair.a))
        self.assertEqual(self.pair.a.workers(), [])
        status, said = self.pair.a.http("/readyz")
        self.assertEqual(status, 503)
        self.assertIn("drained", said)
        wait_until(lambda: self.pair.b.status()["peer"]["why"] == "the peer stops", "B was told")
        self.assertIsNone(self.pair.b.status()["peer"]["lease"]["granted_for_ms"])
        self.assertIsNone(self.pair.a.status()["peer"]["lease"]["held_for_ms"])
        uid = self.on_b.create()
        before = self.pair.b.status()["peer"]["waits"]
        self.on_b.ask(vsphere.destroy(uid))
        after = self.pair.b.status()["peer"]["waits"]
        self.assertGreater(after["count"], before["count"])
        self.assertLess(after["last_ms"], 1000 * LEASE_S)
        stream.wait_more(4)
        self.assertEqual(self.pair.a.ctl("drain")["state"], "drained")  # said twice
        self.pair.a.ctl("undrain")
        self.pair.a.wait_open()
        self.pair.wait_streaming()
        stream.wait_more(4)
        stream.stop()
        for node in self.pair.nodes:
            stream.verify(self, node)
        self.expect_refused(wire.ILLEGAL_OPERATION, self.on_a.material, uid)
        self.pair.wait_same()
        self.expect_no_errors_logged()

    def test_open_connections_end_after_their_answer(self):
        """An idle connection is closed by drain; one with a request under way at the key manager gets its answer first."""
        idle, busy = (self.on_a.connect(self.pair.a.endpoint) for _ in range(2))
        self.addCleanup(idle.close)
        self.addCleanup(busy.close)
        told = "POST /api/v2/keys"
        before = self.pair.manager.calls().get(told, 0)
        self.pair.manager.fault(path="^/api/v2/keys$", method="POST", kind="delay", delay_ms=1000)
        busy.send(vsphere.create())
        wait_until(lambda: self.pair.manager.calls().get(told, 0) > before, "the key manager was asked")
        self.pair.a.ctl("drain")
        self.assertTrue(idle.is_closed_by_server())
        self.assertTrue(busy.receive().one.ok)
        self.assertTrue(busy.is_closed_by_server())

    def test_the_last_node_is_not_drained_by_mistake(self):
        """Without a peer that serves, drain is refused with a sentence, and done with --yes; the way back needs no peer."""
        self.pair.cut()
        with self.assertRaisesRegex(CtlError, "--yes"):
            self.pair.a.ctl("drain")
        self.assertEqual(self.pair.a.status()["state"], "open")
        self.assertEqual(self.pair.a.ctl("drain", "--yes")["state"], "drained")
        with self.assertRaisesRegex(CtlError, "drained"):
            self.pair.a.ctl("peer", "heal")
        self.pair.a.ctl("undrain")
        self.pair.a.wait_open()
        self.assertEqual(len(self.on_a.material(self.on_a.create())), 32)
        self.pair.heal()

    def test_a_drained_node_stops_at_once(self):
        """SIGTERM of a drained node ends it cleanly, also while it is still draining; its next start serves."""
        self.pair.a.ctl("drain")
        self.pair.a.restart()
        self.pair.wait_streaming()
        self.assertEqual(self.pair.a.status()["state"], "open")
        connection = self.on_a.connect(self.pair.a.endpoint)
        self.addCleanup(connection.close)
        connection.send(vsphere.create()[:40])  # keeps a worker for as long as it may
        waiting = self.pair.a.ctl_start("drain")
        self.addCleanup(waiting.kill)
        wait_until(lambda: self.pair.a.status()["state"] == "draining", "A is draining")
        self.pair.a.restart()
        waiting.communicate(timeout=30)
        self.pair.wait_streaming()

    def test_words_out_of_place(self):
        """undrain of an open node changes nothing; drain of a node that is not open yet is refused."""
        self.pair.a.ctl("undrain")
        self.assertEqual(self.pair.a.status()["state"], "open")
        self.pair.a.stop()
        self.pair.a.delete_cache()
        self.pair.manager.kill9()
        self.pair.a.launch_node()
        wait_until(lambda: os.path.exists(self.pair.a.socket), "A answers kmipctl")
        with self.assertRaisesRegex(CtlError, "not open"):
            self.pair.a.ctl("drain", "--yes")
        self.pair.manager.start()
        self.pair.a.wait_open()


class Fence(FreshPairCase):
    def test_a_fenced_peer_is_not_waited_for(self):
        """B is killed and fenced: a Destroy on A does not wait; status shows the fence; B comes back, the fence is over, and
        B does not serve what was destroyed."""
        uids = [self.on_a.create() for _ in range(2)]
        for uid in uids:
            self.on_b.material(uid)
        result = self.pair.a.ctl_run("peer", "fence")
        self.assertEqual(result.returncode, 2)
        self.assertIn("--yes", result.stderr)
        with self.assertRaisesRegex(CtlError, "link to the peer is up"):
            self.pair.a.ctl("peer", "fence", "--yes")
        self.pair.b.kill9()
        wait_until(lambda: self.pair.a.peer_state() != "streaming", "A has noticed")
        self.pair.a.ctl("peer", "fence", "--yes")
        self.assertIsNotNone(self.pair.a.status()["peer"]["fenced_for_ms"])
        self.assertIsNone(self.pair.a.status()["peer"]["lease"]["granted_for_ms"])
        self.pair.a.wait_log("peer-fenced .*by=operator")
        self.assertIn("fenced by the operator", self.pair.a.ctl_run("status").stdout)
        self.on_a.ask(vsphere.destroy(uids[0]))
        self.pair.b.start()
        self.pair.wait_streaming()
        self.assertIsNone(self.pair.a.status()["peer"]["fenced_for_ms"])
        self.pair.a.wait_log("the fence is over")
        self.expect_refused(wire.ILLEGAL_OPERATION, self.on_b.material, uids[0])
        self.assertEqual(len(self.on_b.material(uids[1])), 32)
        self.on_a.ask(vsphere.destroy(uids[1]))  # waits for B again, who is heard
        self.expect_refused(wire.ILLEGAL_OPERATION, self.on_b.material, uids[1])

    def test_a_fence_does_not_outlive_the_process(self):
        """A restarts while B is off: it is not fenced any more, and serves all the same."""
        self.pair.b.kill9()
        wait_until(lambda: self.pair.a.peer_state() != "streaming", "A has noticed")
        self.pair.a.ctl("peer", "fence", "--yes")
        self.pair.a.restart()
        self.assertIsNone(self.pair.a.status()["peer"]["fenced_for_ms"])
        self.on_a.ask(vsphere.destroy(self.on_a.create()))
        self.pair.b.start()
        self.pair.wait_streaming()


class Hanging(FreshPairCase):
    def signal_all(self, node, number):
        for pid in node.members():
            os.kill(pid, number)

    def hang(self, node):
        """The node stands still, with its connections open, as a frozen machine does; until it goes on it serves nobody. A
        Destroy on the other one is answered when the lease has run out, and holds when the node goes on."""
        other = self.pair.other(node)
        client = self.pair.client("vcenter", other)
        uid, kept = client.create(), client.create()
        for one in (uid, kept):
            self.pair.client("vcenter", node).material(one)
        self.signal_all(node, signal.SIGSTOP)
        self.addCleanup(self.signal_all, node, signal.SIGCONT)
        wait_until(lambda: other.peer_state() not in ("streaming", "catching-up"), "the silence is noticed")
        self.assertIn("silent", "".join(other.log_lines(r"from=streaming .*silent", other.mark)))
        client.ask(vsphere.destroy(uid))
        self.assertLess(other.status()["peer"]["waits"]["max_ms"], 1000 * LEASE_S + 1000)
        # The next one finds the lease gone, and waits for nothing.
        begun = time.monotonic()
        client.ask(vsphere.destroy(client.create()))
        self.assertLess(time.monotonic() - begun, 10)
        self.signal_all(node, signal.SIGCONT)
        self.pair.wait_streaming()
        self.expect_refused(wire.ILLEGAL_OPERATION, self.pair.client("vcenter", node).material, uid)
        self.assertEqual(len(self.pair.client("vcenter", node).material(kept)), 32)
        self.pair.wait_same()

    def test_the_dialling_node_hangs(self):
        """SIGSTOP of all of A's processes."""
        self.hang(self.pair.a)

    def test_the_listening_node_hangs(self):
        """SIGSTOP of all of B's processes."""
        self.hang(self.pair.b)


if __name__ == "__main__":
    unittest.main()
