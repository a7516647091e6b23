# SPDX-License-Identifier: Apache-2.0
"""A node that is started with a small limit of descriptors, as a shell gives, lifts it as far as it may; where that is not
enough for max-connections, it says so.
"""
import unittest

import harness  # noqa: F401
import vsphere
from case import FreshPairCase
from process import wait_until

SOFT, MANY = 64, 200  # a worker needs some twenty for itself


class Descriptors(FreshPairCase):
    options = {"kmip": {"max-connections": 1000}}

    def restart_with(self, soft, hard):
        node = self.pair.a
        node.stop()
        node.prefix = ["prlimit", f"--nofile={soft}:{hard}"]
        node.start()
        return node.log_lines("descriptor-limit", node.mark)

    def test_lifted(self):
        """200 connections at once, each of which is answered, beyond the soft limit; no word of it."""
        self.assertEqual(self.restart_with(SOFT, 4096), [])
        connections = [self.on_a.connect(self.pair.a.endpoint) for _ in range(MANY)]
        for connection in connections:
            self.assertTrue(connection.ask(vsphere.query()).one.ok)
            connection.close()
        self.assertEqual(self.pair.a.log_lines("accept-starved", self.pair.a.mark), [])

    def test_too_small(self):
        """A hard limit below max-connections is told, with what to do; the node serves, and goes on when connections are
        fewer again."""
        said = self.restart_with(SOFT, 96)
        self.assertEqual(len(said), 1)
        self.assertIn("LimitNOFILE", said[0])
        connections = []
        with self.assertRaises(OSError):
            for _ in range(MANY):
                connections.append(self.on_a.connect(self.pair.a.endpoint, timeout=3))
        self.assertGreater(len(connections), 10)
        for connection in connections:
            connection.close()
        wait_until(lambda: self.on_a.ask(vsphere.query()).ok, "the node serves again")


if __name__ == "__main__":
    unittest.main()
