# SPDX-License-Identifier: Apache-2.0
"""A live pair goes from one release to the next, node by node, as the runbook says, and back again. The older release is one
that speaks no later version of the link's protocol than 1 (peer.protocol-max). Clients never stop, each task on one walk over
the endpoints, and none of them fails; neither does kmip-probe's walk.
"""
import os
import subprocess
import unittest

import harness  # noqa: F401
import vsphere
import wire
from case import FreshPairCase
from process import program, wait_until
from stream import Stream

OLD, NEW = 1, 3
WALK = 120  # key lives of the probe: it is stopped when the upgrade is over


class Upgrade(FreshPairCase):
    options = {"peer": {"protocol-max": OLD}}

    def change(self, node, version):
        """Drain, stop, another release, start."""
        node.ctl("drain")
        node.stop()
        node.options["peer"]["protocol-max"] = version
        node.start()
        self.pair.wait_streaming()

    def expect_protocol(self, version):
        for node in self.pair.nodes:
            wait_until(lambda: node.status()["peer"]["protocol"] == version, f"{node.name} speaks version {version}")

    def start_probe(self):
        identity = self.vcenter.identity
        facts = os.path.join(self.pair.folder, "facts")
        self.common = ["--ca", self.pair.pki.ca, "--cert", identity.certificate, "--key", identity.key, "--facts", facts]
        for node in self.pair.nodes:
            self.common += ["--endpoint", f"127.0.0.1:{node.port}"]
        walk = subprocess.Popen([program("kmip-probe"), "walk", "--count", str(WALK), *self.common],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(walk.kill)
        wait_until(lambda: os.path.exists(facts) and os.path.getsize(facts) > 0, "the probe walks")
        return walk

    def test_up_and_back_under_traffic(self):
        """Old and old, new and old, new and new, and the same way back: everything that was acknowledged is true on both
        nodes, and what one node answered to a change holds on the other at each stage."""
        self.expect_protocol(OLD)
        stream = Stream(self.pair, patience_s=0)
        self.addCleanup(stream.stop)
        walk = self.start_probe()
        stream.wait_more(3)
        stages = ((self.pair.a, NEW, OLD), (self.pair.b, NEW, NEW), (self.pair.a, OLD, OLD), (self.pair.b, OLD, OLD))
        for node, version, spoken in stages:
            self.change(node, version)
            self.expect_protocol(spoken)
            uid = self.on_a.create()
            self.assertEqual(self.on_b.material(uid), self.on_a.material(uid))
            self.on_b.ask(vsphere.destroy(uid))
            self.expect_refused(wire.ILLEGAL_OPERATION, self.on_a.material, uid)
            stream.wait_more(3)
        stream.stop()
        said, _ = walk.communicate(timeout=120)
        self.assertEqual(walk.returncode, 0, said)
        verify = subprocess.run([program("kmip-probe"), "verify", *self.common], capture_output=True, text=True,
                                check=False, timeout=120)
        self.assertEqual(verify.returncode, 0, verify.stdout + verify.stderr)
        for node in self.pair.nodes:
            stream.verify(self, node)
        self.pair.wait_same()
        self.expect_no_errors_logged()


if __name__ == "__main__":
    unittest.main()
