# SPDX-License-Identifier: Apache-2.0
"""A cache that heard of neither peer nor key manager for longer than the key manager remembers deletions is not used: it could
hold keys whose tombstones are gone. What it held comes from the peer.
"""
import subprocess
import unittest

import harness  # noqa: F401
import vsphere
from case import FreshPairCase
from pair import FIRST
from process import program, wait_until


class Age(FreshPairCase):
    def restart_aged(self, days):
        """Node A was off for so long."""
        self.pair.a.stop()
        subprocess.run([program("cache-bench"), "--folder", self.pair.a.data, "--aged", str(days), "--instance", FIRST,
                        "--map-mib", "256"], check=True, timeout=60)
        self.pair.a.start()

    def test_too_old(self):
        """91 days: said, moved aside, rebuilt from the peer with all states. 89 days: used as it is."""
        uid, material = self.vcenter.encrypt_vm("vm", name="tagged")
        self.vcenter.ask(vsphere.revoke(uid, 2))
        self.pair.wait_same()
        self.restart_aged(89)
        self.pair.wait_streaming()
        self.assertEqual(self.pair.a.log_lines("cache-moved-aside", self.pair.a.mark), [])
        self.restart_aged(91)
        self.pair.a.wait_log("neither peer nor key manager was heard for 91 days", self.pair.a.mark)
        self.pair.a.wait_log("cache-moved-aside", self.pair.a.mark)
        self.pair.wait_streaming()
        wait_until(lambda: uid in self.pair.a.keys(), "node a has the key again")
        self.pair.wait_same()
        self.assertEqual(self.pair.a.keys()[uid][0], "Compromised")
        self.assertEqual(self.on_a.material(uid), material)


if __name__ == "__main__":
    unittest.main()
