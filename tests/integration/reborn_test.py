# SPDX-License-Identifier: Apache-2.0
"""Workers that die after the configuration file was edited: those that take their place run with what the node runs with, not
with what the file says by then.
"""
import hashlib
import os
import shutil
import signal
import unittest

import harness  # noqa: F401
import vsphere
from case import PairCase
from process import wait_until
from wire import Connection


class Reborn(PairCase):
    def kill_workers(self, node):
        """All of them, until others accept."""
        status = node.status()["workers"]
        for pid in node.workers():
            os.kill(pid, signal.SIGKILL)

        def replaced():
            now = node.status()["workers"]
            return now["restarts"] >= status["restarts"] + status["running"] and now["running"] == status["running"]
        wait_until(replaced, "the workers are replaced")

    def expect_stranger(self, identity):
        with self.assertRaises(OSError):
            with Connection(self.pair.a.endpoint, identity, self.pair.pki.ca) as connection:
                connection.ask(vsphere.discover())

    def change_file(self, change):
        """Text of the file to another, without a reload; the right one is back after the test."""
        node = self.pair.a
        with open(node.config, encoding="utf-8") as file:
            text = file.read()
        self.addCleanup(node.ctl, "reload")
        self.addCleanup(node.write_config)
        changed = change(text)
        self.assertNotEqual(changed, text)
        with open(node.config, "w", encoding="utf-8") as file:
            file.write(changed)

    def test_another_data_dir_in_the_file(self):
        """The file names a copy of the cache from before a client was removed and a key revoked: neither is served from it, be
        the file reloaded or not."""
        node = self.pair.a
        leaver = self.pair.register("leaver")
        uid, copy = self.on_a.create(), os.path.join(node.folder, "data-of-yesterday")
        self.on_a.activate(uid)
        node.stop()
        shutil.copytree(node.data, copy)
        node.start()
        self.pair.wait_streaming()
        node.ctl("client", "remove", "leaver")
        self.assertTrue(self.answer_of(self.on_a, vsphere.revoke(uid)).ok)
        later = self.on_a.create()
        self.change_file(lambda text: text.replace(f"data-dir: {node.data}", f"data-dir: {copy}"))
        for reload in (False, True):
            with self.subTest(reload=reload):
                if reload:
                    self.assertEqual(node.ctl("reload")["needs_restart"], "data-dir")
                self.kill_workers(node)
                self.expect_stranger(leaver)
                self.assertEqual(self.on_a.state(uid), self.on_b.state(uid))
                self.assertEqual(self.on_a.material(later), self.on_b.material(later))

    def test_other_options_in_the_file(self):
        """What only a restart applies, and what was not reloaded: strict-activate, the cache's size, the only instance, a
        policy."""
        node = self.pair.a
        uid = self.on_a.create()
        self.on_a.activate(uid)
        instance = node.options["instances"][0]["id"]
        self.change_file(lambda text: text.replace(f"id: {instance}", "id: another-one\n    algorithm-policy: fips")
                         .replace("kmip:", "kmip:\n  strict-activate: true\n  expired-clients: refuse", 1)
                         .replace("cache-size-mib: 256", "cache-size-mib: 16").replace("name: node-a", "name: node-x"))
        self.kill_workers(node)
        self.assertTrue(self.answer_of(self.on_a, vsphere.activate(uid)).ok)
        self.assertEqual(self.on_a.material(uid), self.on_b.material(uid))
        self.assertEqual(node.log_lines("worker-failed", node.mark), [])

    def test_a_broken_file(self):
        """Half an edit does not take the workers from the node; nor does a file that is away."""
        node = self.pair.a
        uid = self.on_a.create()
        self.change_file(lambda text: text[:len(text) // 2] + "\n{")
        self.kill_workers(node)
        self.assertEqual(self.on_a.material(uid), self.on_b.material(uid))
        os.remove(node.config)
        self.kill_workers(node)
        self.assertEqual(self.on_a.material(uid), self.on_b.material(uid))

    def test_what_was_reloaded_stays(self):
        """A certificate that a reload brought, while the file and the key of the old one are gone: workers that are born later
        have it, also those of a node that was drained."""
        node = self.pair.a
        old, new = node.certificate, self.pair.pki.server("server-a-renewed", self.pair.host("a"))
        node.options["kmip"].update({"certificate": new.certificate, "key": new.key})
        node.write_config()
        node.ctl("reload")
        for path in (old.certificate, old.key):
            os.rename(path, path + ".old")
            self.addCleanup(os.rename, path + ".old", path)
        self.change_file(lambda text: text.replace("log-level: info", "log-level: loud"))
        self.kill_workers(node)
        self.expect_certificate(new)
        node.ctl("drain")
        wait_until(lambda: node.status()["state"] == "drained", "the node is drained")
        mark = node.log_mark()
        node.ctl("undrain")
        node.wait_log("worker-ready", mark)
        self.expect_certificate(new)

    def expect_certificate(self, identity):
        with self.on_a.connect(self.pair.a.endpoint) as connection:
            seen = connection.socket.getpeercert(binary_form=True)
        self.assertEqual(hashlib.sha256(seen).hexdigest(), identity.fingerprint)


if __name__ == "__main__":
    unittest.main()
