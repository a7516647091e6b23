# SPDX-License-Identifier: Apache-2.0
"""A registered client whose certificate has expired: served and counted by default, since locking out every host at midnight
is worse; refused, at the handshake, where the operator asks for that (design D24).
"""
import datetime
import hashlib
import unittest

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import harness  # noqa: F401
import vsphere
from case import FreshPairCase
from pki import Identity
from process import wait_until
from wire import Connection


def expired_identity(pki, name):
    """Self-signed, valid until yesterday."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    today = datetime.datetime.utcnow()
    certificate = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
                   .serial_number(x509.random_serial_number()).not_valid_before(today - datetime.timedelta(days=9))
                   .not_valid_after(today - datetime.timedelta(days=1)).sign(key, hashes.SHA256()))
    identity = Identity(name, pki.path(name + ".pem"), pki.path(name + ".key"),
                        hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest())
    with open(identity.certificate, "wb") as file:
        file.write(certificate.public_bytes(serialization.Encoding.PEM))
    with open(identity.key, "wb") as file:
        file.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                     serialization.NoEncryption()))
    pki.made[name] = identity
    return identity


class Expired(FreshPairCase):
    def test_served_and_counted_or_refused(self):
        """Given a registered, expired certificate; by default its requests are answered and counted; after a reload with
        expired-clients: refuse, new connections and the next message of an open one are refused; others are served."""
        identity = expired_identity(self.pair.pki, "outdated")
        self.pair.register("outdated")
        node = self.pair.a
        with Connection(node.endpoint, identity, self.pair.pki.ca) as connection:
            self.assertTrue(connection.ask(vsphere.discover()).one.ok)
            wait_until(lambda: node.status()["workers"]["expired_client_requests"] > 0, "it is counted")
            node.options["kmip"]["expired-clients"] = "refuse"
            node.write_config()
            mark = node.log_mark()
            node.ctl("reload")
            wait_until(lambda: len(node.log_lines(" reloaded ", mark)) == 1 + node.options["workers"],
                       "keeper and workers have reloaded")
            with self.assertRaises(OSError):
                connection.ask(vsphere.discover())
        with self.assertRaises(OSError), Connection(node.endpoint, identity, self.pair.pki.ca) as connection:
            connection.ask(vsphere.discover())
        self.assertTrue(self.pair.client("vcenter", node).ask(vsphere.query()).ok)


if __name__ == "__main__":
    unittest.main()
