# SPDX-License-Identifier: Apache-2.0
"""What an operator does with a node: judging a configuration, mistakes in it, a port that is taken, reloading, a damaged
cache, stopping. Mistakes get one sentence that names file and line; a wrong reload changes nothing.
"""
import os
import shutil
import signal
import socket
import ssl
import subprocess
import unittest

import harness  # noqa: F401
import vsphere
from case import Case, FreshPairCase, PairCase
from manager import WRITER_KEY
from pair import FIRST, CtlError, Pair
from process import SANITIZER, program, wait_until


def kmipd(*arguments):
    """Runs kmipd to its end; what it said and its exit code."""
    result = subprocess.run([program("kmipd"), *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert not SANITIZER.search(result.stderr), result.stderr
    return result


class Files(Case):
    """A pair that is configured and never started."""

    @classmethod
    def setUpClass(cls):
        cls.pair = Pair(start=False)
        cls.addClassCleanup(cls.pair.close)
        cls.node = cls.pair.a

    def setUp(self):
        self.node.write_config()
        with open(self.node.config, encoding="utf-8") as file:
            self.text = file.read()

    def write(self, text):
        with open(self.node.config, "w", encoding="utf-8") as file:
            file.write(text)

    def line_of(self, words, text):
        return next(number for number, line in enumerate(text.splitlines(), 1) if words in line)

    def test_check_of_a_good_configuration(self):
        """--check tries the key manager and says ok, exit 0, and leaves nothing behind in the key manager or here."""
        before = {key["id"] for key in self.pair.manager.keys() if key["state"] == 1}
        result = kmipd("--config", self.node.config, "--check")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("instance tenant-one: ok", result.stdout)
        self.assertEqual({key["id"] for key in self.pair.manager.keys() if key["state"] == 1}, before)
        self.assertFalse(os.path.exists(self.node.data))

    def test_check_finds_what_would_fail_later(self):
        """An unknown root key, a wrong API key, a role that cannot delete, a key manager that is not there: exit 1 and a
        sentence."""
        root, key_file = self.pair.root_key, self.pair.api_key_file
        wrong = os.path.join(self.pair.folder, "wrong-key")
        writer = os.path.join(self.pair.folder, "writer-key")
        self.pair.operators_files.append(writer)
        for path, text in ((wrong, "no-such-key\n"), (writer, WRITER_KEY + "\n")):
            with open(path, "w", encoding="ascii", opener=lambda p, f: os.open(p, f, 0o600)) as file:
                file.write(text)
        changes = {"root key": (root, "00000000-0000-4000-8000-000000000000"), "API key": (key_file, wrong),
                   "role": (key_file, writer), "port": (self.pair.manager.url, "https://127.0.0.1:1")}
        for what, (old, new) in changes.items():
            with self.subTest(what):
                self.write(self.text.replace(old, new))
                result = kmipd("--config", self.node.config, "--check")
                self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
                self.assertRegex(result.stdout + result.stderr, "instance tenant-one: .*[a-z]{3}")
                if what == "role":
                    self.assertIn("Manager", result.stdout)
                self.assertEqual("cannot be reached" in result.stdout, what == "port")
                if what == "root key":
                    self.assertIn("shows no root key 00000000-0000-4000-8000-000000000000: see root-key", result.stdout)

    def test_mistakes_name_file_and_line(self):
        """Wrong values, unknown and missing options: one sentence with file:line for --check and for the start."""
        text = self.text
        cases = {
            "workers: 2": ("workers: many", "workers"), "node: 1": ("node: 70000", "node"),
            "log-level: info": ("log-level: loud", "log-level"), f"id: {FIRST}": ("id: Tenant_One", "instances.id"),
            "root-key-poll: 1": ("root-kee-poll: 1", "root-kee-poll"),
            f"listen: 127.0.0.1:{self.node.port}": ("listen: nowhere", "listen"),
        }
        for right, (wrong, word) in cases.items():
            with self.subTest(wrong):
                changed = text.replace(right, wrong, 1)
                self.assertNotEqual(changed, text)
                self.write(changed)
                line = self.line_of(wrong, changed)
                for arguments in (("--check",), ()):
                    result = kmipd("--config", self.node.config, *arguments)
                    said = result.stderr + result.stdout
                    self.assertNotEqual(result.returncode, 0)
                    self.assertIn(f"{self.node.config}:{line}: ", said)
                    self.assertIn(word, said)
                    self.assertEqual(len(said.strip().splitlines()), 1, said)

    def test_missing_parts(self):
        """No file, no certificate, no option, no text at all."""
        without = "\n".join(line for line in self.text.splitlines() if "data-dir" not in line)
        for text in (without, "", "{", self.text.replace(self.node.certificate.key, "/nowhere.key")):
            self.write(text)
            result = kmipd("--config", self.node.config)
            self.assertEqual(result.returncode, 1)
            self.assertTrue(result.stderr.startswith("kmipd: "), result.stderr)
        os.remove(self.node.config)
        self.assertIn(self.node.config, kmipd("--config", self.node.config).stderr)

    def test_files_that_hold_something_else(self):
        """A key where a certificate should be, the other way round, nothing at all, a key with a passphrase, somebody else's:
        the file is named, and what is wrong with it."""
        own, other = self.node.certificate, self.pair.pki.made["link-a"]
        empty, sealed = os.path.join(self.pair.folder, "empty"), os.path.join(self.pair.pki.folder, "sealed.key")
        with open(empty, "w", encoding="ascii", opener=lambda p, f: os.open(p, f, 0o600)):
            pass
        subprocess.run(["openssl", "pkey", "-aes256", "-passout", "pass:secret", "-in", own.key, "-out", sealed], check=True)
        for old, new, words in ((own.certificate, own.key, "certificate"), (own.certificate, empty, "certificate"),
                                (own.key, own.certificate, "private key"), (own.key, empty, "private key"),
                                (own.key, sealed, "private key")):
            with self.subTest(new):
                self.write(self.text.replace(old, new))
                os.chmod(new, 0o600)
                result = kmipd("--config", self.node.config, "--check")
                self.assertEqual((result.returncode, result.stdout), (1, ""))
                self.assertIn(f"the {words} {new}: it holds none in PEM, or one with a passphrase", result.stderr)
        self.write(self.text.replace(own.key, other.key))
        self.assertIn(f"{other.key} does not belong to {own.certificate}",
                      kmipd("--config", self.node.config, "--check").stderr)

    def test_secrets_that_others_may_read(self):
        """A private key or an API key that its group or everybody may read: one sentence with file and line, and the file;
        a key manager is not asked. Root's own files may be its group's, too."""
        pki = self.pair.pki
        secrets = {"kmip.key": self.node.certificate.key, "peer.key": pki.made["link-a"].key,
                   "instances.api-key-file": self.pair.api_key_file}
        for option, path in secrets.items():
            for mode in (0o604, 0o620, 0o644):
                with self.subTest(f"{option} {mode:o}"):
                    os.chmod(path, mode)
                    self.addCleanup(os.chmod, path, 0o600)
                    for arguments in (("--check",), ()):
                        result = kmipd("--config", self.node.config, *arguments)
                        self.assertEqual((result.returncode, result.stdout), (1, ""))
                        line = self.line_of(": " + path, self.text)
                        self.assertIn(f"{self.node.config}:{line}: {option}: ", result.stderr)
                        self.assertIn("chmod 600", result.stderr)
            os.chmod(path, 0o640 if os.stat(path).st_uid == 0 else 0o600)
        self.assertEqual(kmipd("--config", self.node.config, "--check").returncode, 0)

    def test_port_in_use(self):
        """A sentence that names the address, exit 1, at once."""
        with socket.create_server(("127.0.0.1", self.node.port)):
            result = kmipd("--config", self.node.config)
        self.assertEqual(result.returncode, 1)
        self.assertIn(f"127.0.0.1:{self.node.port}", result.stderr)
        self.assertIn("in use", result.stderr)

    def test_words_for_people(self):
        """--help, --version, --example; a socket at which nobody answers. What is typed wrong: words_test.py."""
        self.assertIn("root-key-poll", kmipd("--help").stdout)
        self.assertRegex(kmipd("--version").stdout, r"^kmipd \d")
        self.assertIn("instances:", kmipd("--example").stdout)
        result = subprocess.run([program("kmipctl"), "--socket", "/nowhere/sock", "status"], capture_output=True,
                                text=True, check=False, timeout=20)
        self.assertEqual(result.returncode, 1)
        self.assertIn("/nowhere/sock", result.stderr)


class Reload(PairCase):
    def test_a_broken_file_changes_nothing(self):
        """kmipctl reload and SIGHUP with a mistake in the file: refused with the sentence; all goes on as before."""
        node = self.pair.a
        node.options["log-level"] = "loud"
        node.write_config()
        node.options["log-level"] = "info"
        with self.assertRaises(CtlError) as raised:
            node.ctl("reload")
        self.assertIn(node.config, str(raised.exception))
        self.assertIn("log-level", str(raised.exception))
        mark = node.log_mark()
        node.process.send_signal(signal.SIGHUP)
        node.wait_log("reload-refused", mark)
        self.assertEqual(len(self.on_a.material(self.on_a.create())), 32)
        node.write_config()
        node.ctl("reload")
        self.assertEqual(node.peer_state(), "streaming")

    def test_a_new_server_certificate_without_a_gap(self):
        """New connections see the new certificate, open ones go on; status shows its fingerprint."""
        node = self.pair.b
        old, new = node.certificate, self.pair.pki.server("server-b-renewed")
        with self.on_b.connect(node.endpoint) as connection:
            node.options["kmip"].update({"certificate": new.certificate, "key": new.key})
            node.write_config()
            node.ctl("reload")
            self.assertEqual(node.status()["certificate"]["sha256"].lower(), new.fingerprint)

            def serves_new():
                pem = ssl.get_server_certificate(node.endpoint)
                with open(new.certificate, encoding="ascii") as file:
                    return pem.strip() in file.read()
            wait_until(serves_new, "new connections see the new certificate")
            self.assertTrue(connection.ask(vsphere.query()).one.ok)
        self.assertNotEqual(old.fingerprint, new.fingerprint)

    def test_what_waits_for_a_restart(self):
        """Changes that a reload does not apply are named, by section and instance, in answer and log; those that it applies
        are not, and nothing is once they are taken back."""
        node = self.pair.a
        self.assertEqual(node.ctl_run("reload").stdout, "reloaded\n")
        kept = {"top": dict(node.options), "kmip": dict(node.options["kmip"]), "instance": dict(node.options["instances"][0])}
        node.options.update({"workers": 3, "log-level": "warning"})
        node.options["kmip"]["strict-activate"] = "true"
        node.options["peer"]["ack-wait-ms"] = 60
        node.options["instances"][0]["name"] = "another"
        mark = node.log_mark()
        node.write_config()
        waiting = f"workers, kmip.strict-activate, peer.ack-wait-ms, instances.name of {FIRST}"
        self.assertEqual(node.ctl_run("reload").stdout, f"reloaded; only a restart applies {waiting}\n")
        node.wait_log(f"reload-incomplete need=restart options=\"{waiting}\"", mark)
        node.options.update(kept["top"])
        node.options["kmip"], node.options["instances"][0] = kept["kmip"], kept["instance"]
        del node.options["peer"]["ack-wait-ms"]
        node.write_config()
        self.assertEqual(node.ctl("reload")["needs_restart"], "")

    def test_log_level(self):
        """debug on, off again, by reload."""
        node = self.pair.a
        for level, expected in (("debug", True), ("info", False)):
            node.options["log-level"] = level
            node.write_config()
            node.ctl("reload")
            mark = node.log_mark()
            wait_until(lambda: node.log_lines(" reloaded "), "workers have reloaded")
            for _ in range(4):
                self.on_a.ask(vsphere.query())
            if expected:
                node.wait_log(r"^\S+ debug ", mark)

    def test_an_instance_is_added(self):
        """A second tenant in both files, reload: its clients can be installed and make keys, without a restart."""
        self.pair.add_instance("tenant-new")
        for node in self.pair.nodes:
            node.options["instances"] = [dict(one) for one in self.pair.instances]
            node.write_config()
            node.ctl("reload")
        self.pair.register("of-the-new", "tenant-new")
        client = self.pair.client("of-the-new")
        uid = client.create()
        for node in self.pair.nodes:
            wait_until(lambda: self.answer_of(self.pair.client("of-the-new", node), vsphere.get(uid)).ok,
                       f"{node.name} serves the new tenant")


class Damage(FreshPairCase):
    def spoil(self, how):
        """Node A is stopped, its cache spoiled, and started: it serves everything, with the spoilt one kept aside."""
        uid, material = self.vcenter.encrypt_vm("vm")
        self.pair.a.stop()
        how(os.path.join(self.pair.a.data, "data.mdb"))
        self.pair.a.start()
        self.assertEqual(self.on_a.fetch(uid), material)
        self.pair.wait_streaming()
        self.pair.wait_same()
        self.assertEqual(self.pair.a.keys()[uid][0], "Active")
        return uid

    def expect_moved_aside(self):
        line = self.pair.a.wait_log("cache-moved-aside", self.pair.a.mark)
        self.assertTrue(os.path.exists(line.partition("to=")[2].split()[0]), line)

    def test_truncated_cache(self):
        """Half of data.mdb is missing."""
        self.spoil(lambda path: os.truncate(path, os.path.getsize(path) // 2))
        self.expect_moved_aside()

    def test_random_bytes(self):
        """data.mdb is noise."""
        def noise(path):
            with open(path, "wb") as file:
                file.write(os.urandom(65536))
        self.spoil(noise)
        self.expect_moved_aside()

    def test_empty_file_and_lost_folder(self):
        """An empty data.mdb; no folder at all."""
        self.spoil(lambda path: os.truncate(path, 0))
        self.spoil(lambda path: shutil.rmtree(os.path.dirname(path)))

    def test_stopping(self):
        """SIGTERM ends a node with exit 0 within its deadline, with open connections, and leaves no worker and no socket;
        SIGINT does the same."""
        connections = [self.on_a.connect(self.pair.a.endpoint) for _ in range(3)]
        workers = self.pair.a.workers()
        self.assertEqual(len(workers), 2)
        self.assertEqual(self.pair.a.terminate(), 0)
        self.assertIn("stopped clean=yes", self.pair.a.log())
        self.assertEqual(self.pair.a.members(), [])
        self.assertFalse(os.path.exists(self.pair.a.socket))
        for connection in connections:
            self.assertTrue(connection.is_closed_by_server())
            connection.close()
        self.pair.b.process.send_signal(signal.SIGINT)
        self.assertEqual(self.pair.b.wait(), 0)

    def test_stopping_the_whole_group(self):
        """A terminal and a service manager signal every process of the node: the workers leave the end to the keeper, so that
        what is under way is answered."""
        mark = self.pair.a.mark
        os.killpg(os.getpgid(self.pair.a.process.pid), signal.SIGTERM)
        self.assertEqual(self.pair.a.wait(), 0)
        gone = self.pair.a.log_lines("worker-gone", mark)
        self.assertEqual(len(gone), 2)
        for line in gone:
            self.assertIn("signal=0 status=0", line)


if __name__ == "__main__":
    unittest.main()
