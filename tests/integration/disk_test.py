# SPDX-License-Identifier: Apache-2.0
"""What happens to a node's disk: full, read-only, failing, cut short, overwritten, put back from a backup. Each leads to a
clear line and to the best service that is still safe, and nothing that was acknowledged is lost or contradicted.
"""
import errno
import os
import random
import re
import shutil
import unittest

import harness  # noqa: F401
import disk
import vsphere
import wire
from case import FreshPairCase
from damage_test import flip_byte
from process import wait_until
from stream import Stream

WHY_NO_MOUNTS = disk.own_mounts()
BEFORE, AFTER = 6, 10  # flows seen before a fault, and after it
COMMIT_FAILED = 70  # the exit code of a keeper whose commit failed


class DiskCase(FreshPairCase):
    """Node A has the bad disk; node B is well."""

    options = {"top": {"cache-size-mib": 16}}

    @property
    def node(self):
        return self.pair.a

    @property
    def data_file(self):
        return os.path.join(self.node.data, "data.mdb")

    def facts_of_all_kinds(self):
        """A key in use, one revoked, one destroyed; (uid, material), uid, uid."""
        used = self.vcenter.encrypt_vm("vm")
        revoked, destroyed = self.vcenter.create(), self.vcenter.create()
        self.vcenter.ask(vsphere.revoke(revoked, 2))
        self.vcenter.material(destroyed)
        self.vcenter.ask(vsphere.destroy(destroyed))
        return used, revoked, destroyed

    def check_facts(self, client, facts):
        (uid, material), revoked, destroyed = facts
        self.assertEqual(client.fetch(uid), material)
        self.assertEqual(client.state(revoked), wire.COMPROMISED)
        self.expect_refused(wire.ILLEGAL_OPERATION, client.material, destroyed)

    def fails_to_start(self, pattern):
        """The node ends by itself, says why, and the other one serves."""
        self.node.launch_node()
        self.assertEqual(self.node.wait(), 1)
        self.assertEqual(len(self.node.log_lines(pattern, self.node.mark)), 1, self.node.log(self.node.mark))
        self.assertEqual(len(self.on_b.material(self.on_b.create())), 32)

    def ends_by_itself(self, code):
        """Keeper and workers are gone."""
        wait_until(lambda: not self.node.runs, "the node ends")
        self.assertEqual(self.node.wait(), code)

    def comes_back(self, facts=None, stream=None):
        """Started again, the node knows everything, and both agree."""
        self.node.start()
        self.pair.wait_streaming()
        if stream is not None:
            self.agree_after(stream)
        self.pair.wait_same()
        if facts is not None:
            self.check_facts(self.on_a, facts)
        self.assertEqual(len(self.on_a.material(self.on_a.create())), 32)


    def agree_after(self, stream):
        """Traffic has ended; what it was told is true on both nodes."""
        stream.wait_more(BEFORE)
        stream.stop()
        for node in self.pair.nodes:
            stream.verify(self, node)
        self.pair.wait_same()


@unittest.skipIf(WHY_NO_MOUNTS, WHY_NO_MOUNTS)
class SmallDisk(DiskCase):
    """Node A's cache lies on a small file system of its own."""

    FULL = r"^kmipd: the disk of data-dir .* is full: free at least \d+ MiB"

    def setUp(self):
        super().setUp()
        self.node.stop()
        self.keep = os.path.join(self.node.folder, "kept")
        os.rename(self.node.data, self.keep)
        os.mkdir(self.node.data)
        self.disk = disk.SmallDisk(self.node.data, 24)
        self.addCleanup(self.disk.close)

    def give_cache(self):
        shutil.copytree(self.keep, self.node.data, dirs_exist_ok=True)

    def test_filled_while_running(self):
        """The room that the cache may take was reserved at the start: with the disk full to the last byte the node takes
        changes and starts again as if nothing were."""
        self.give_cache()
        self.node.start()
        self.pair.wait_streaming()
        self.disk.fill()
        self.assertEqual(self.disk.free_bytes(), 0)
        for number in range(10):
            self.on_a.encrypt_vm(f"vm-{number}")
        facts = self.facts_of_all_kinds()
        self.node.stop()
        self.comes_back(facts)
        self.assertEqual(self.node.log_lines("disk-nearly-full|commit-failed"), [])

    def test_full_at_the_first_start(self):
        """No room for a cache: the node does not start and says how much is missing. With less than it would like to reserve
        it starts, and warns."""
        facts = self.facts_of_all_kinds()
        self.disk.fill()
        self.fails_to_start(self.FULL)
        self.disk.make_room()
        self.disk.fill(leave=3 << 20)
        self.fails_to_start(self.FULL)
        self.disk.make_room()
        self.disk.fill(leave=9 << 20)
        self.comes_back(facts)
        self.node.wait_log("warning keeper disk-nearly-full .*reserved_mib=8 wanted_mib=", self.node.mark)

    def test_full_at_a_commit(self):
        """A file system that reserves nothing fills up: the node ends at the commit that finds no room, says so, and does
        not start until there is room; whatever was acknowledged is on B, and later on A."""
        self.give_cache()
        faults = disk.Faults(self.node)
        faults.set("fallocate", errno.EOPNOTSUPP)
        self.node.start()
        self.pair.wait_streaming()
        stream = Stream(self.pair)
        self.addCleanup(stream.stop)
        stream.wait_more(BEFORE)
        self.disk.fill()
        self.ends_by_itself(COMMIT_FAILED)
        self.node.wait_log_of_the_dead('error keeper commit-failed error=FULL why="no space left"')
        stream.wait_more(AFTER)
        stream.verify(self, self.pair.b)
        self.fails_to_start(self.FULL)
        self.disk.make_room()
        self.comes_back(stream=stream)

    def test_read_only_at_the_start(self):
        """The node does not start on a disk that it cannot write, and says so; written to again, it does."""
        facts = self.facts_of_all_kinds()
        self.give_cache()
        self.disk.remount("ro")
        self.fails_to_start(r"^kmipd: .*Read-only file system")
        self.disk.remount("rw")
        self.comes_back(facts)


class FailingCalls(DiskCase):
    """A system call of a commit fails in the middle of traffic."""

    FAULTS = (("writev", errno.EIO, "IO"),  # data is written
              ("fdatasync", errno.EIO, "IO"),  # and made durable
              ("pwrite", errno.EIO, "IO"),  # the page that makes the new state the valid one
              ("writev", errno.EROFS, "DENIED"))  # a file system that protects itself after an error

    def test_each_call_of_a_commit(self):
        """The keeper ends at once, its workers with it; B serves, nothing acknowledged is lost; the next start is like any
        other."""
        self.node.stop()
        faults = disk.Faults(self.node)
        self.node.start()
        self.pair.wait_streaming()
        stream = Stream(self.pair)
        self.addCleanup(stream.stop)
        for call, code, name in self.FAULTS:
            stream.wait_more(BEFORE)
            faults.set(call, code, after=5)
            self.ends_by_itself(COMMIT_FAILED)
            self.node.wait_log_of_the_dead(f"error keeper commit-failed error={name} ")
            stream.wait_more(BEFORE)
            stream.verify(self, self.pair.b)
            faults.clear()
            self.node.start()
            self.pair.wait_streaming()
        self.agree_after(stream)
        self.assertEqual(self.node.log_lines("cache-moved-aside"), [])


class Damaged(DiskCase):
    """The file is not what was written: found before anything is served, moved aside, rebuilt from B by one start."""

    def setUp(self):
        super().setUp()
        self.facts = self.facts_of_all_kinds()
        for number in range(4):
            self.on_b.encrypt_vm(f"vm-{number}")
        self.pair.wait_same()
        # A fault must end the process that meets it as in production, not lead to a report.
        self.node.environment = {"ASAN_OPTIONS": "handle_segv=0:handle_sigbus=0:handle_abort=0"}

    def is_rebuilt(self, pattern):
        self.comes_back(self.facts)
        self.assertEqual(len(self.node.log_lines(pattern, self.node.mark)), 1, self.node.log(self.node.mark))
        self.assertEqual(len(self.node.log_lines("warning keeper cache-moved-aside ", self.node.mark)), 1)
        self.aside += 1
        self.assertEqual(len([name for name in os.listdir(self.node.data) if name.startswith("bad-")]), self.aside)

    def cut_in_half(self):
        os.truncate(self.data_file, os.path.getsize(self.data_file) // 2 // disk.PAGE * disk.PAGE)

    def zero_pages(self):
        """All but LMDB's first two, as by a repair of the file system."""
        self.assertGreater(disk.overwrite_pages(self.data_file, lambda _: True, lambda: bytes(disk.PAGE)), 10)

    def fill_pages_with_noise(self):
        """That may end the process which looks, and not the keeper."""
        noise = random.Random(20)
        self.assertGreater(disk.overwrite_pages(self.data_file, lambda page: page % 2, lambda: noise.randbytes(disk.PAGE)), 5)

    def write_another_format(self):
        with open(self.data_file, "r+b") as file:
            data = file.read()
            written = re.sub(rb"(?s)format\0\0\0.", b"format\0\0\0\x63", data)
            self.assertNotEqual(written, data)
            file.seek(0)
            file.write(written)

    def test_each_damage(self):
        """While the node is stopped; and last, the file loses its pages under a running node: it ends with a line that says
        so, instead of starting workers that die one after the other, and B serves."""
        self.aside = 0
        for damage, pattern in ((self.cut_in_half, "cache-damaged err=CORRUPT .*cut short"), (self.zero_pages, "cache-unusable "),
                                (self.fill_pages_with_noise, "cache-unusable "),
                                (self.write_another_format, "cache-damaged err=VERSION")):
            self.node.stop()
            damage()
            self.is_rebuilt(pattern)
        os.truncate(self.data_file, 2 * disk.PAGE)
        wait_until(lambda: not self.node.runs or self.touch_node(), "the node ends")
        self.assertNotEqual(self.node.wait(), 0)
        self.node.wait_log_of_the_dead("kmipd: SIGBUS: a page of the cache file cannot be read")
        self.check_facts(self.on_b, self.facts)
        self.is_rebuilt("cache-unusable ")

    def touch_node(self):
        """A request that makes the node look at its cache; never a key that is not right."""
        (uid, material), _, _ = self.facts
        try:
            with self.on_a.connect(self.node.endpoint) as connection:
                item = connection.ask(vsphere.get(uid)).one
        except (OSError, vsphere.Refused):
            return False
        if item.ok:
            self.assertEqual(item.material, material)
        return False


class Backup(DiskCase):
    """The cache of an old backup is put back (design D20): what it does not know any more is learnt before it is served."""

    def setUp(self):
        super().setUp()
        self.early = [self.vcenter.create() for _ in range(3)]
        self.material = {uid: self.vcenter.material(uid) for uid in self.early}
        self.pair.register("removed-later")
        self.pair.wait_same()
        self.node.stop()
        shutil.copytree(self.node.data, self.node.data + ".backup")
        self.node.start()
        self.pair.wait_streaming()
        self.facts = self.facts_of_all_kinds()
        self.on_a.ask(vsphere.destroy(self.early[0]))
        self.on_a.ask(vsphere.revoke(self.early[1], 2))
        self.node.ctl("client", "remove", "removed-later")
        self.node.stop()

    def put_back(self):
        shutil.rmtree(self.node.data)
        os.rename(self.node.data + ".backup", self.node.data)

    def check_everything(self):
        with self.assertRaises(OSError):
            self.pair.client("removed-later", self.node).connect(self.node.endpoint).close()
        self.expect_refused(wire.ILLEGAL_OPERATION, self.on_a.material, self.early[0])
        self.assertEqual(self.on_a.state(self.early[1]), wire.COMPROMISED)
        self.assertEqual(self.on_a.material(self.early[2]), self.material[self.early[2]])
        self.check_facts(self.on_a, self.facts)

    def test_while_the_peer_runs(self):
        """The peer holds more of our log than we do: a new incarnation, a full exchange, nothing old is served."""
        self.put_back()
        self.node.start()
        self.expect_refused(wire.ILLEGAL_OPERATION, self.on_a.material, self.early[0])
        self.pair.wait_streaming()
        self.pair.wait_same()
        self.check_everything()
        self.assertGreaterEqual(sum(node.status()["peer"]["snapshots"] for node in self.pair.nodes), 1)

    def test_alone(self):
        """Without the peer the key manager tells what was destroyed, revoked and removed."""
        self.pair.b.stop()
        self.put_back()
        self.node.start()
        self.check_everything()
        self.pair.b.start()
        self.pair.wait_streaming()
        self.pair.wait_same()


class Records(DiskCase):
    """A record that is damaged while the node runs is neither served nor sent."""

    def test_flipped_bit_while_running(self):
        """The damaged key is General Failure or read again; its bytes are right or not given; the peer keeps its own copy;
        the next start finds the damage."""
        uid, material = self.vcenter.encrypt_vm("vm", name="a-name-to-be-damaged")
        self.pair.wait_same()
        self.assertGreater(flip_byte(self.data_file, b"a-name-to-be-damaged"), 0)
        for _ in range(3):
            item = self.answer_of(self.on_a, vsphere.get(uid))
            if item.ok:
                self.assertEqual(item.material, material)
            else:
                self.expect_reason(item, wire.GENERAL_FAILURE)
        self.assertEqual(self.on_b.material(uid), material)
        self.node.terminate()
        self.node.start()
        self.node.wait_log("cache-moved-aside", self.node.mark)
        self.pair.wait_streaming()
        self.pair.wait_same()
        self.assertEqual(self.on_a.ask(vsphere.get_attributes(uid, "x-Name")).attributes(),
                         [("x-Name", "a-name-to-be-damaged")])


if __name__ == "__main__":
    unittest.main()
