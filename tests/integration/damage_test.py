# SPDX-License-Identifier: Apache-2.0
"""A damaged record in a cache: found by its checksum before anything is served, the whole cache is moved aside, and what it
held comes back from the peer, so that no state is lost with it.
"""
import os
import unittest

import harness  # noqa: F401
import vsphere
from case import FreshPairCase
from process import wait_until


def flip_byte(path, text):
    """Changes one bit in every place of the file where the text stands; how many there were."""
    with open(path, "r+b") as file:
        data = file.read()
        at, places = data.find(text), 0
        while at >= 0:
            file.seek(at)
            file.write(bytes([data[at] ^ 1]))
            at, places = data.find(text, at + 1), places + 1
    return places


class Damage(FreshPairCase):
    def test_flipped_bit_in_a_record(self):
        """Given a revoked key whose record on node A has a flipped bit; when A starts; then A says so, moves the cache aside,
        and has the key again from B: Compromised, with its tags."""
        uid, material = self.vcenter.encrypt_vm("vm", name="a-name-to-be-damaged")
        self.vcenter.ask(vsphere.revoke(uid, 2))
        self.pair.wait_same()
        self.pair.a.stop()
        self.assertGreater(flip_byte(os.path.join(self.pair.a.data, "data.mdb"), b"a-name-to-be-damaged"), 0)
        self.pair.a.start()
        self.pair.a.wait_log("cache-moved-aside", self.pair.a.mark)
        self.pair.wait_streaming()
        wait_until(lambda: uid in self.pair.a.keys(), "node a has the key again")
        self.pair.wait_same()
        self.assertEqual(self.pair.a.keys()[uid][0], "Compromised")
        self.assertEqual(self.on_a.material(uid), material)


if __name__ == "__main__":
    unittest.main()
