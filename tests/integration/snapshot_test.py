# SPDX-License-Identifier: Apache-2.0
"""A full exchange of a large cache: the node that sends it keeps its lease and serves from its cache all the while, and neither
takes the other for dead. PAIR_SNAPSHOT_RECORDS says how many records (by hand: 1000000).
"""
import os
import subprocess
import unittest

import harness  # noqa: F401
import vsphere
from case import Case
from pair import FIRST, Pair
from process import program, wait_until

RECORDS = int(os.environ.get("PAIR_SNAPSHOT_RECORDS", "60000"))
MAP_MIB = 4096
LONG_S = 600


class Snapshot(Case):
    def setUp(self):
        self.pair = Pair({"top": {"cache-size-mib": MAP_MIB}}, start=False)
        self.addCleanup(self.pair.close)

    def test_the_sender_keeps_its_lease(self):
        """A has many records, B none. From the first moment at which B grants A a lease until B has everything, A holds it at
        every look, and answers clients; then B is granted one, too."""
        a, b = self.pair.nodes
        os.mkdir(a.data)
        subprocess.run([program("cache-fill"), a.data, str(MAP_MIB), FIRST, str(RECORDS)], check=True, timeout=LONG_S)
        a.launch_node()
        wait_until(lambda: a.log_lines(" listening ", a.mark), "A is open", LONG_S)
        self.pair.register("vcenter")
        client = self.pair.client("vcenter", a)
        uid = client.create()
        b.launch_node()
        wait_until(lambda: a.status()["peer"]["lease"]["held_for_ms"], "B vouches for A", LONG_S)
        looks, least = 0, None
        while b.status()["peer"]["lease"]["held_for_ms"] is None:
            held = a.status()["peer"]["lease"]["held_for_ms"]
            self.assertIsNotNone(held, f"A lost its lease at look {looks}")
            least = held if least is None else min(least, held)
            self.assertEqual(len(client.material(uid)), 32)
            looks += 1
        sent = a.status()["peer"]["snapshot_sent"]
        self.assertGreaterEqual(sent["records"], RECORDS)
        self.assertIsNotNone(sent["took_ms"])
        wait_until(lambda: b.status()["cache"]["objects"] > RECORDS, "B has everything", LONG_S)
        for node in (a, b):
            self.assertEqual(node.log_lines("from=(streaming|catching-up) to=down", node.mark), [])
        print(f"{sent['records']} records in {sent['took_ms']} ms, {looks} looks, at least {least} ms of the lease left")


if __name__ == "__main__":
    unittest.main()
