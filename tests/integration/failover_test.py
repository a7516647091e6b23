# SPDX-License-Identifier: Apache-2.0
"""Processes that die in the middle of traffic. Clients make keys without pause, each connection on an endpoint drawn at
random, and walk on when one fails; what was acknowledged to them is written down and must be true afterwards, on the
other node and on the killed one when it is back.
"""
import os
import signal
import subprocess
import unittest

import harness  # noqa: F401
import vsphere
import wire
from case import FreshPairCase
from process import program, wait_until
from stream import Stream

BEFORE, AFTER = 8, 15  # flows seen before the kill, and after it


class Kill(FreshPairCase):
    def kill_in_the_stream(self, node):
        other = self.pair.other(node)
        stream = Stream(self.pair)
        self.addCleanup(stream.stop)
        stream.wait_more(BEFORE)
        node.kill9()
        stream.wait_more(AFTER)
        stream.verify(self, other)
        node.start()
        stream.wait_more(BEFORE)
        stream.stop()
        self.pair.wait_streaming()
        for one in (node, other):
            stream.verify(self, one)
        self.pair.wait_same()

    def test_kill_9_of_node_a(self):
        """The keeper of the node that dials dies in the stream; no acknowledged key is missing or different on B, then on A
        after its restart."""
        self.kill_in_the_stream(self.pair.a)

    def test_kill_9_of_node_b(self):
        """The same for the node that listens."""
        self.kill_in_the_stream(self.pair.b)

    def test_kill_9_of_a_worker(self):
        """One worker of each node dies in the stream: service goes on, the keeper stays, the worker is replaced, and
        nothing acknowledged is lost."""
        keepers = [node.process.pid for node in self.pair.nodes]
        stream = Stream(self.pair)
        self.addCleanup(stream.stop)
        stream.wait_more(BEFORE)
        for node in self.pair.nodes:
            victim = node.workers()[0]
            os.kill(victim, signal.SIGKILL)
            node.wait_log(f"worker-gone .*pid={victim} signal=9", node.mark)
        stream.wait_more(AFTER)
        stream.stop()
        for node in self.pair.nodes:
            wait_until(lambda: node.status()["workers"]["running"] == 2, "the worker is replaced")
            self.assertEqual(node.status()["workers"]["restarts"], 1)
            stream.verify(self, node)
        self.assertEqual([node.process.pid for node in self.pair.nodes], keepers)

    def test_kill_9_of_all_at_once(self):
        """Both nodes and the key manager die together: when they are back, everything acknowledged is there."""
        stream = Stream(self.pair)
        self.addCleanup(stream.stop)
        stream.wait_more(BEFORE)
        for process in (self.pair.manager, *self.pair.nodes):
            process.process.send_signal(signal.SIGKILL)
        for process in (self.pair.manager, *self.pair.nodes):
            process.wait()
        self.pair.manager.start()
        self.pair.start()
        stream.wait_more(BEFORE)
        stream.stop()
        for node in self.pair.nodes:
            stream.verify(self, node)
        self.pair.wait_same()

    def test_destroyed_keys_stay_destroyed(self):
        """A Destroy answered by A, then kill -9 of A: B does not serve the key, nor does A after its restart."""
        uid = self.on_a.create()
        self.on_b.material(uid)
        self.on_a.ask(vsphere.destroy(uid))
        self.pair.a.kill9()
        self.expect_refused(wire.ILLEGAL_OPERATION, self.on_b.material, uid)
        self.pair.a.start()
        self.expect_refused(wire.ILLEGAL_OPERATION, self.on_a.material, uid)

    def test_the_probe_walks_and_verifies(self):
        """kmip-probe, the operator's failover test: walk while a node is killed and started again, then verify on both."""
        facts = os.path.join(self.pair.folder, "facts")
        identity = self.vcenter.identity
        common = ["--ca", self.pair.pki.ca, "--cert", identity.certificate, "--key", identity.key, "--facts", facts]
        for node in self.pair.nodes:
            common += ["--endpoint", f"127.0.0.1:{node.port}"]
        walk = subprocess.Popen([program("kmip-probe"), "walk", "--count", "40", "--retry-ms", "60000", *common],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(walk.kill)

        def facts_are(count):
            return os.path.exists(facts) and line_count(facts) >= count
        wait_until(lambda: facts_are(5), "the walk has begun")
        self.pair.b.kill9()
        goal = line_count(facts) + 10
        wait_until(lambda: facts_are(goal), "the walk goes on")
        self.pair.b.start()
        said, _ = walk.communicate(timeout=120)
        self.assertEqual(walk.returncode, 0, said)
        self.pair.wait_streaming()
        verify = subprocess.run([program("kmip-probe"), "verify", *common], capture_output=True, text=True, check=False,
                                timeout=120)
        self.assertEqual(verify.returncode, 0, verify.stdout + verify.stderr)


def line_count(path):
    """The lines that a file has by now."""
    with open(path, encoding="utf-8") as file:
        return sum(1 for _ in file)


if __name__ == "__main__":
    unittest.main()
