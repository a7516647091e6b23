# SPDX-License-Identifier: Apache-2.0
"""An instance with a certificate authority issues certificates on both nodes; one without says that it does not. Wrong files
are told before a node starts with them, and a reload refuses them.
"""
import datetime
import os
import subprocess
import unittest

import harness  # noqa: F401
import wire
from case import Case, PairCase
from config_test import kmipd
from pair import FIRST, SECOND, CtlError, Pair

CERTIFY, VALIDATE, PKCS_10, QUERY_OPERATIONS = 6, 23, 2, 1
VALIDITY, VALID, UNKNOWN = 0x42009B, 1, 3
REQUEST, REQUEST_TYPE, OPERATION, X_509 = 0x420018, 0x420019, wire.OPERATION, 1
AUTHORITY = {"authority": "/O=Example/CN=authority"}


def expired_authority(pki):
    """(certificate, key), files of one that was good until yesterday."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    key, today = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.utcnow()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "outdated")])
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(today - datetime.timedelta(days=9))
            .not_valid_after(today - datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256()))
    with open(pki.path("outdated.key"), "wb", opener=lambda p, f: os.open(p, f, 0o600)) as file:
        file.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                     serialization.NoEncryption()))
    with open(pki.path("outdated.pem"), "wb") as file:
        file.write(made.public_bytes(serialization.Encoding.PEM))
    return pki.path("outdated.pem"), pki.path("outdated.key")


class Check(Case):
    """A pair that is configured and never started."""

    @classmethod
    def setUpClass(cls):
        cls.pair = Pair(AUTHORITY, start=False)
        cls.addClassCleanup(cls.pair.close)
        cls.pki, cls.node = cls.pair.pki, cls.pair.a

    def check(self, certificate, key):
        self.node.options["instances"][0].update({"ca-certificate": certificate, "ca-key": key})
        self.node.write_config()
        result = kmipd("--config", self.node.config, "--check")
        return result.returncode, result.stdout + result.stderr

    def test_files(self):
        """Good ones; a key of another one; a certificate that is no authority's; a key that all may read; one that is
        not there; one option without the other; one that has expired."""
        made = self.pki.authority("authority", AUTHORITY["authority"])
        other = self.pki.authority("other", "/CN=other", "ec")
        leaf = self.pki.server("leaf")
        code, said = self.check(made.certificate, made.key)
        self.assertEqual(code, 0, said)
        mistakes = {"does not belong to": (made.certificate, other.key),
                    "no certificate authority's": (leaf.certificate, leaf.key),
                    "cannot be read: not found": (made.certificate, "/nowhere/key"),
                    "expected both or neither": (made.certificate, ""),
                    "has expired": expired_authority(self.pki)}
        for sentence, files in mistakes.items():
            with self.subTest(sentence):
                code, said = self.check(*files)
                self.assertEqual(code, 1, said)
                self.assertIn(sentence, said)
                self.assertIn(FIRST, said)
        os.chmod(other.key, 0o644)
        code, said = self.check(other.certificate, other.key)
        self.assertEqual(code, 1, said)
        self.assertIn("chmod 600", said)


class Certify(PairCase):
    options = AUTHORITY
    tenants = 2

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pair.register("stranger", SECOND)
        cls.stranger = cls.pair.client("stranger", cls.pair.b)

    def request(self, name):
        """A request in DER, with alternative names."""
        path = self.pair.pki.path(name)
        subprocess.run(["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=" + name, "-addext",
                        "subjectAltName=DNS:" + name + ".example", "-keyout", path + ".key", "-outform", "DER", "-out",
                        path + ".csr"], check=True, capture_output=True)
        with open(path + ".csr", "rb") as file:
            return file.read()

    def certify(self, client, request):
        frame = wire.request(wire.batch_item(CERTIFY, wire.enum(REQUEST_TYPE, PKCS_10), wire.data(REQUEST, request)),
                             version=(1, 4))
        return self.answer_of(client, frame)

    def certificate(self, client, uid):
        return client.ask(wire.request(wire.batch_item(wire.GET, wire.text(wire.UID, uid)))).material

    def openssl(self, der, *arguments):
        return subprocess.run(["openssl", *arguments], input=der, check=True, capture_output=True).stdout.decode()

    def test_issued_on_either_node(self):
        """What one node issues the other serves; openssl vouches for it; no two serial numbers are the same."""
        request, serials = self.request("web"), set()
        for number in range(3):
            for client, other in ((self.on_a, self.on_b), (self.on_b, self.on_a)):
                der = self.certificate(other, self.certify(client, request).uid)
                pem = self.openssl(der, "x509", "-inform", "DER")
                path = self.pair.pki.path(f"issued-{number}.pem")
                with open(path, "w", encoding="ascii") as file:
                    file.write(pem)
                authority = self.pair.instances[0]["ca-certificate"]
                self.openssl(b"", "verify", "-x509_strict", "-CAfile", authority, path)
                text = self.openssl(der, "x509", "-inform", "DER", "-noout", "-text")
                self.assertIn("DNS:web.example", text)
                self.assertIn("CA:FALSE", text)
                serials.add(self.openssl(der, "x509", "-inform", "DER", "-noout", "-serial"))
        self.assertEqual(len(serials), 6)
        self.expect_no_errors_logged()

    def test_validated(self):
        """What the authority issued is valid on both nodes; for another instance it is not there, and by value nobody whom
        that one trusts vouches for it."""
        uid = self.certify(self.on_a, self.request("validated")).uid
        by_uid = wire.request(wire.batch_item(VALIDATE, wire.text(wire.UID, uid)))
        for client in (self.on_a, self.on_b):
            self.assertEqual(client.ask(by_uid).payload.get(VALIDITY), VALID)
        self.assertEqual(self.answer_of(self.stranger, by_uid).reason, wire.ITEM_NOT_FOUND)
        by_value = wire.request(wire.batch_item(VALIDATE, wire.structure(
            wire.CERTIFICATE, wire.enum(wire.CERTIFICATE_TYPE, X_509),
            wire.data(wire.CERTIFICATE_VALUE, self.certificate(self.on_a, uid)))))
        self.assertEqual(self.on_b.ask(by_value).payload.get(VALIDITY), VALID)
        self.assertEqual(self.stranger.ask(by_value).payload.get(VALIDITY), UNKNOWN)

    def test_an_instance_without_one(self):
        """Operation Not Supported, and Query does not claim it; the other instance's Query does."""
        frame = wire.request(wire.batch_item(wire.QUERY, wire.enum(wire.QUERY_FUNCTION, QUERY_OPERATIONS)))
        self.assertEqual(self.certify(self.stranger, self.request("other")).reason, wire.NOT_SUPPORTED)
        for client, wanted in ((self.stranger, False), (self.on_a, True), (self.on_b, True)):
            operations = [node.value for node in client.ask(frame).payload.all(OPERATION)]
            self.assertEqual(CERTIFY in operations, wanted)

    def test_reload(self):
        """A key of another authority is refused, and the old one issues on; a new one is used after the reload."""
        node, options = self.pair.a, self.pair.a.options["instances"][0]
        before = dict(options)
        self.addCleanup(lambda: (options.update(before), node.write_config(), node.ctl("reload")))
        other = self.pair.pki.authority("second", "/CN=second authority", "ec")
        options["ca-key"] = other.key
        node.write_config()
        with self.assertRaises(CtlError) as raised:
            node.ctl("reload")
        self.assertIn("does not belong to", str(raised.exception))
        request = self.request("reloaded")

        def issuer():
            der = self.certificate(self.on_a, self.certify(self.on_a, request).uid)
            return self.openssl(der, "x509", "-inform", "DER", "-noout", "-issuer")
        self.assertIn("O = Example", issuer())
        options["ca-certificate"] = other.certificate
        node.write_config()
        node.ctl("reload")
        self.assertIn("second authority", issuer())

    def test_requests_that_count_for_nothing(self):
        """Cut anywhere, or one bit changed: Invalid Field, and nothing was made."""
        request = self.request("bad")
        before = self.pair.a.keys()
        for bad in (request[:-1], request[:100], request[:-1] + bytes([request[-1] ^ 1]), request + b"\0", b"\x30"):
            self.assertEqual(self.certify(self.on_a, bad).reason, wire.INVALID_FIELD)
        self.assertEqual(self.pair.a.keys(), before)


if __name__ == "__main__":
    unittest.main()
