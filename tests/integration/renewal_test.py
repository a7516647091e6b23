# SPDX-License-Identifier: Apache-2.0
"""Certificates of a live pair are renewed one after the other, as the runbook says: the link's on both nodes, the servers',
the client's. Clients never stop, each task on one walk over the endpoints, and none of them fails.
"""
import os
import shutil
import unittest

import harness  # noqa: F401
import vsphere
from case import FreshPairCase
from pair import CtlError
from process import wait_until
from stream import Stream


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def write(path, *parts):
    """One PEM file out of several, replaced in one step as an administrator's tools do."""
    with open(path + ".new", "w", encoding="ascii", opener=lambda p, f: os.open(p, f, 0o600)) as file:
        for part in parts:
            file.write(read(part))
    os.replace(path + ".new", path)


class Renewal(FreshPairCase):
    def setUp(self):
        super().setUp()
        self.own = {}  # the link's certificate of each node, as it is now
        for node in self.pair.nodes:
            self.own[node] = self.pair.pki.made["link-" + node.letter]
            peer = node.options["peer"]
            for member in ("certificate", "key", "peer-certificate"):
                copy = self.pair.pki.path(f"{node.letter}-link-{member}")
                shutil.copy(peer[member], copy)
                peer[member] = copy
            node.write_config()
            node.ctl("reload")
        self.pair.wait_streaming()

    def pin(self, node, *identities):
        write(node.options["peer"]["peer-certificate"], *(identity.certificate for identity in identities))
        node.ctl("reload")

    def renew_link(self, node):
        """The three steps of the runbook: the peer is told of the new certificate, the node changes to it, the peer forgets
        the old one."""
        old, new = self.own[node], self.pair.pki.self_signed(f"link-{node.letter}-renewed")
        other = self.pair.other(node)
        self.pin(other, old, new)
        write(node.options["peer"]["certificate"], new.certificate)
        write(node.options["peer"]["key"], new.key)
        node.ctl("reload")
        self.own[node] = new
        self.pair.wait_streaming()
        self.pin(other, new)
        self.pair.wait_streaming()

    def expect_never_alone(self, marks):
        """Never was a connection lost for another reason than that a new one was there, or its certificate withdrawn."""
        for node in self.pair.nodes:
            for line in node.log_lines(r"state .*from=streaming to=down", marks[node]):
                self.assertRegex(line, "replaced by a new connection|closed by the other side|not pinned any more")
            self.assertEqual(node.log_lines("peer-unreachable|peer-renewal-failed", marks[node]), [])

    def test_everything_is_renewed_while_clients_work(self):
        """Both link certificates, both servers' and the client's, with traffic all the time; no lease is lost, no snapshot
        is needed, and the old certificates are worth nothing afterwards."""
        marks = {node: node.log_mark() for node in self.pair.nodes}
        snapshots = [node.status()["peer"]["snapshots"] for node in self.pair.nodes]
        stream = Stream(self.pair, patience_s=0)
        self.addCleanup(stream.stop)
        stream.wait_more(4)
        for node in self.pair.nodes:
            self.renew_link(node)
            stream.wait_more(2)
        for node in self.pair.nodes:
            fresh = self.pair.pki.server(f"server-{node.letter}-renewed")
            write(node.certificate.certificate, fresh.certificate)
            write(node.certificate.key, fresh.key)
            node.ctl("reload")
            self.assertEqual(node.status()["certificate"]["sha256"].lower().replace(":", ""), fresh.fingerprint)
        stream.wait_more(4)
        stream.stop()
        self.expect_never_alone(marks)
        self.assertEqual([node.status()["peer"]["snapshots"] for node in self.pair.nodes], snapshots)
        for node in self.pair.nodes:
            stream.verify(self, node)
        # The client's: both are registered while its hosts change over, then the old one goes.
        uid = self.vcenter.create()
        self.pair.register("vcenter-renewed")
        self.assertEqual(len(self.pair.client("vcenter-renewed").material(uid)), 32)
        self.pair.a.ctl("client", "remove", "vcenter")
        for node in self.pair.nodes:
            with self.assertRaises(OSError):
                with self.pair.client("vcenter", node).connect(node.endpoint) as connection:
                    connection.ask(vsphere.query())
        self.assertEqual(len(self.pair.client("vcenter-renewed").material(uid)), 32)
        self.pair.wait_same()

    def test_renewed_before_the_peer_was_told(self):
        """In the wrong order the pair stays as it is, on the old connection, and says why; telling the peer mends it."""
        for node in self.pair.nodes:
            with self.subTest(node.letter):
                new = self.pair.pki.self_signed(f"link-{node.letter}-early")
                other = self.pair.other(node)
                write(node.options["peer"]["certificate"], new.certificate)
                write(node.options["peer"]["key"], new.key)
                node.ctl("reload")
                if node is self.pair.a:  # who dials learns of it at once
                    wait_until(lambda: "certificate" in node.status()["peer"]["why"], "the reason is shown")
                    wait_until(lambda: "peer-certificate" in other.status()["peer"]["why"], "and on the other node")
                self.assertEqual([one.peer_state() for one in self.pair.nodes], ["streaming"] * 2)
                self.pin(other, self.own[node], new)
                self.pair.wait_streaming()
                self.pin(other, new)
                self.own[node] = new
                self.pair.wait_streaming()

    def test_the_end_of_a_link_certificate_is_told(self):
        """A month before its end a warning names the file; the link works on."""
        soon = self.pair.pki.self_signed("link-a-soon", days=20)
        mark = self.pair.a.log_mark()
        self.pin(self.pair.b, self.own[self.pair.a], soon)
        write(self.pair.a.options["peer"]["certificate"], soon.certificate)
        write(self.pair.a.options["peer"]["key"], soon.key)
        self.pair.a.ctl("reload")
        self.pair.a.wait_log(r"certificate-expires-soon file=.*a-link-certificate days=(19|20)\b", mark)
        self.pair.wait_streaming()

    def test_wrong_files_change_nothing(self):
        """No certificate, somebody else's key, a file cut short: refused with a sentence, by --check too, and the pair goes
        on; so does everything else that the reload would have changed."""
        peer = self.pair.a.options["peer"]
        right = {member: read(peer[member]) for member in ("key", "peer-certificate")}
        stranger = self.pair.pki.self_signed("stranger")
        damage = {"key": (read(stranger.key), ""), "peer-certificate": ("nothing", right["peer-certificate"][:200],
                                                               right["peer-certificate"] * 5)}
        mark = self.pair.a.log_mark()
        self.pair.a.options["log-level"] = "debug"
        self.pair.a.write_config()
        for member, texts in damage.items():
            for text in texts:
                with open(peer[member], "w", encoding="ascii") as file:
                    file.write(text)
                with self.assertRaisesRegex(CtlError, "nothing was changed"):
                    self.pair.a.ctl("reload")
                with open(peer[member], "w", encoding="ascii") as file:
                    file.write(right[member])
        self.assertEqual(self.pair.a.peer_state(), "streaming")
        self.assertEqual(self.pair.a.log_lines("from=streaming| debug ", mark), [])
        self.pair.a.ctl("reload")
        self.pair.wait_streaming()


if __name__ == "__main__":
    unittest.main()
