# SPDX-License-Identifier: Apache-2.0
"""Client registrations: certificates installed and removed with kmipctl on either node act on both at once, also on open
connections; one certificate belongs to one instance; registrations outlive both caches.
"""
import unittest

import harness  # noqa: F401
import vsphere
import wire
from case import PairCase
from pair import FIRST, SECOND, CtlError
from wire import Connection


class Clients(PairCase):
    tenants = 2

    def expect_stranger(self, identity):
        for node in self.pair.nodes:
            with self.assertRaises(OSError):
                with Connection(node.endpoint, identity, self.pair.pki.ca) as connection:
                    connection.ask(vsphere.discover())

    def test_added_on_one_node_served_by_the_other_at_once(self):
        """Both ways; the first connection after kmipctl's answer works."""
        for number, node in enumerate((self.pair.a, self.pair.b) * 2):
            name = f"added-{number}"
            self.pair.register(name, node=node)
            other = self.pair.other(node)
            with Connection(other.endpoint, self.pair.pki.made[name], self.pair.pki.ca) as connection:
                self.assertTrue(connection.ask(vsphere.discover()).one.ok)

    def test_removed_on_one_node_cut_off_on_the_other(self):
        """Open connections on both nodes end with their next message, new ones are refused; keys stay."""
        self.pair.register("leaver")
        leaver = self.pair.client("leaver")
        uid = leaver.create()
        connections = [leaver.connect(node.endpoint) for node in self.pair.nodes]
        self.pair.b.ctl("client", "remove", "leaver")
        for connection in connections:
            with connection, self.assertRaises(OSError):
                connection.ask(vsphere.get(uid))
        self.expect_stranger(leaver.identity)
        self.assertEqual(len(self.vcenter.material(uid)), 32)

    def test_removed_and_added_again(self):
        """The same certificate comes back, through the other node, as often as the operator likes."""
        identity = self.pair.register("returning")
        for node in (self.pair.b, self.pair.a, self.pair.b):
            node.ctl("client", "remove", identity.fingerprint[:12].upper())
            self.expect_stranger(identity)
            self.pair.register("returning", node=self.pair.other(node))
            for one in self.pair.nodes:
                self.assertTrue(self.pair.client("returning", one).ask(vsphere.query()).ok)

    def test_one_certificate_belongs_to_one_instance(self):
        """Installing it in a second instance is refused with a sentence; it stays where it was."""
        identity = self.pair.register("faithful")
        for node in self.pair.nodes:
            with self.assertRaises(CtlError) as raised:
                node.ctl("client", "add", identity.certificate, "--name", "again", "--instance", SECOND)
            self.assertIn("kmipctl: ", str(raised.exception))
            self.assertEqual(node.clients()[identity.fingerprint], ("faithful", FIRST))

    def test_unknown_and_missing_certificates(self):
        """Never installed, or none at all: refused by both nodes; nothing of it is an error for the operator."""
        self.expect_stranger(self.pair.pki.self_signed("never-installed"))
        self.expect_stranger(None)
        self.expect_no_errors_logged()

    def test_lists(self):
        """Both nodes list the same; with an instance only its own; what is not unique or unknown is refused."""
        one = self.pair.register("listed")
        two = self.pair.register("listed-elsewhere", SECOND, self.pair.b)
        for node in self.pair.nodes:
            self.assertEqual(node.clients()[one.fingerprint], ("listed", FIRST))
            listed = node.ctl("client", "list", "--instance", SECOND)["clients"]
            self.assertIn(two.fingerprint, [client["fingerprint"] for client in listed])
            self.assertEqual({client["instance"] for client in listed}, {SECOND})
            for wrong in ("nobody", one.fingerprint[:6]):
                with self.assertRaises(CtlError):
                    node.ctl("client", "remove", wrong)
            with self.assertRaises(CtlError):
                node.ctl("client", "list", "--instance", "no-such-tenant")
            self.assertIn("listed-elsewhere", node.ctl_run("client", "list").stdout)

    def test_what_is_no_certificate(self):
        """A key file, an empty file, no file: a sentence, and nothing is installed."""
        identity = self.pair.pki.self_signed("keyfile")
        before = self.pair.a.clients()
        for path in (identity.key, "/dev/null", "/nowhere/at-all.pem"):
            with self.assertRaises(CtlError):
                self.pair.a.ctl("client", "add", path, "--name", "x", "--instance", FIRST)
        with self.assertRaises(CtlError) as raised:
            self.pair.a.ctl("client", "add", identity.certificate, "--name", "x")
        self.assertIn("--instance", str(raised.exception))
        self.assertEqual(self.pair.a.clients(), before)

    def test_rsa_certificates(self):
        """vCenter's own certificate has an RSA key: TLS 1.2 and 1.3."""
        self.pair.pki.self_signed("rsa", key="rsa:2048")
        self.pair.register("rsa")
        for node in self.pair.nodes:
            for version in (wire.ssl.TLSVersion.TLSv1_2, wire.ssl.TLSVersion.TLSv1_3):
                with Connection(node.endpoint, self.pair.pki.made["rsa"], self.pair.pki.ca, tls=version) as connection:
                    self.assertTrue(connection.ask(vsphere.discover()).one.ok)

    def test_registrations_outlive_both_caches(self):
        """Installed ones are known again before the port opens, removed ones are not back."""
        kept = self.pair.register("kept", SECOND)
        gone = self.pair.register("gone")
        self.pair.b.ctl("client", "remove", "gone")
        before = self.pair.a.clients()
        self.pair.stop()
        self.pair.delete_caches()
        self.pair.start()
        for node in self.pair.nodes:
            self.assertTrue(self.pair.client("kept", node).ask(vsphere.query()).ok)
        self.expect_stranger(gone)
        self.assertIn(kept.fingerprint, before)
        for node in self.pair.nodes:
            self.assertEqual(node.clients(), before)


if __name__ == "__main__":
    unittest.main()
