# SPDX-License-Identifier: Apache-2.0
"""How clients in the field connect: with certificates and exchanges on other curves, with suites of long ago."""
import socket
import ssl
import unittest

import harness  # noqa: F401
import vsphere
import wire
from case import PairCase

TLS_12, TLS_13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
CURVES = {"P-384": "secp384r1", "P-521": "secp521r1"}

# The KMIP profiles' suites: those of a server with an RSA key and those of one with an EC key.
OLD_RSA = ("AES128-SHA", "AES256-SHA", "AES128-SHA256", "AES256-SHA256", "AES256-GCM-SHA384", "ECDHE-RSA-AES128-SHA",
           "ECDHE-RSA-AES256-SHA", "ECDHE-RSA-AES256-SHA384")
OLD_EC = ("ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA", "ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA384")


class Handshakes(PairCase):
    def context(self, identity, version):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.load_cert_chain(identity.certificate, identity.key)
        context.minimum_version = context.maximum_version = version
        return context

    def serves(self, node, context):
        """Asks for the versions, and says which suite it went by."""
        with socket.create_connection(node.endpoint, 20) as raw, context.wrap_socket(raw) as connection:
            connection.sendall(vsphere.discover())
            self.assertTrue(wire.Response(connection.recv(65536)).one.ok)
            return connection.cipher()[0]

    def restart(self, node, **options):
        node.options["kmip"].update(options)
        node.restart()

    def show(self, node, identity):
        """The node's certificate from now on."""
        self.restart(node, certificate=identity.certificate, key=identity.key)

    def test_curves(self):
        """A policy of 384 bits or more: client's and server's certificates on such a curve, no exchange on a lesser one."""
        for node, (curve, group) in zip(self.pair.nodes, CURVES.items()):
            identity = self.pair.pki.self_signed("on-" + curve, curve=curve)
            self.pair.register(identity.name)
            versions = {version: self.context(identity, version) for version in (TLS_12, TLS_13)}
            for context in versions.values():
                self.serves(node, context)
            self.show(node, self.pair.pki.self_signed("server-on-" + curve, curve=curve))
            for version, context in versions.items():
                with self.subTest(curve=curve, version=version.name):
                    context.set_ecdh_curve(group)
                    self.serves(node, context)

    def test_suites_of_long_ago(self):
        """CBC, and exchanges by RSA: refused, and served where the operator asks for it; the better ones still come first."""
        self.show(self.pair.b, self.pair.pki.self_signed("server-rsa", key="rsa:2048"))
        asked = [(self.pair.a, suite) for suite in OLD_EC] + [(self.pair.b, suite) for suite in OLD_RSA]
        contexts = {suite: self.context(self.vcenter.identity, TLS_12) for _, suite in asked}
        for suite, context in contexts.items():
            context.set_ciphers(suite)
        for node, suite in asked:
            with self.subTest(suite=suite), self.assertRaises(OSError):
                self.serves(node, contexts[suite])
        for node in self.pair.nodes:
            self.restart(node, **{"legacy-tls": "true"})
            self.assertIn("GCM", self.serves(node, self.context(self.vcenter.identity, TLS_12)))
        for node, suite in asked:
            with self.subTest(suite=suite):
                self.assertEqual(self.serves(node, contexts[suite]), suite)


if __name__ == "__main__":
    unittest.main()
