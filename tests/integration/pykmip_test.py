# SPDX-License-Identifier: Apache-2.0
"""A client that is not ours: PyKMIP, in each version of the protocol that it and we speak, on both endpoints."""
import logging
import os
import unittest
import warnings

import harness  # noqa: F401
from case import PairCase

try:
    from kmip.core import attributes as core_attributes
    from kmip.core import enums
    from kmip.core.factories.attributes import AttributeFactory
    from kmip.pie import objects
    from kmip.pie.client import ProxyKmipClient
    from kmip.pie.exceptions import KmipOperationFailure
    from kmip.services.kmip_client import KMIPProxy
except ImportError:
    raise unittest.SkipTest("PyKMIP is not installed") from None

logging.getLogger("kmip").setLevel(logging.CRITICAL)
AES = enums.CryptographicAlgorithm.AES
VERSIONS = (enums.KMIPVersion.KMIP_1_0, enums.KMIPVersion.KMIP_1_1, enums.KMIPVersion.KMIP_1_2,
            enums.KMIPVersion.KMIP_1_3, enums.KMIPVersion.KMIP_1_4)
MASKS = [enums.CryptographicUsageMask.ENCRYPT, enums.CryptographicUsageMask.DECRYPT]


class PyKmipCase(PairCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # PyKMIP reads a configuration file of its user when it is given none.
        cls.config = os.path.join(cls.pair.folder, "pykmip.conf")
        with open(cls.config, "w", encoding="ascii") as file:
            file.write("[client]\n")

    def settings(self, node):
        identity = self.vcenter.identity
        return {"hostname": "127.0.0.1", "port": node.port, "cert": identity.certificate, "key": identity.key,
                "ca": self.pair.pki.ca, "config_file": self.config}

    def client(self, node, version=enums.KMIPVersion.KMIP_1_2):
        client = ProxyKmipClient(**self.settings(node), kmip_version=version)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # its way to wrap a socket is an old one
            client.open()
        self.addCleanup(client.close)
        return client

    def proxy(self, node):
        """The lower-level client."""
        options = self.settings(node)
        proxy = KMIPProxy(host=options["hostname"], port=options["port"], certfile=options["cert"],
                          keyfile=options["key"], ca_certs=options["ca"], config_file=self.config,
                          kmip_version=enums.KMIPVersion.KMIP_1_2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            proxy.open()
        self.addCleanup(proxy.close)
        return proxy

    def expect_failure(self, reason, call, *arguments, **options):
        with self.assertRaises(KmipOperationFailure) as raised:
            call(*arguments, **options)
        self.assertEqual(raised.exception.reason, reason)

    @staticmethod
    def state(client, uid):
        got, attributes = client.get_attributes(uid, ["State"])
        assert got == uid
        return attributes[0].attribute_value.value


class PyKmip(PyKmipCase):
    def test_life_of_a_key_in_every_version(self):
        """Create on one node; get, locate, attributes, activate, revoke, destroy on the other; then it is gone on both."""
        for number, version in enumerate(VERSIONS):
            with self.subTest(version.name):
                one, two = (self.client(node, version) for node in self.pair.nodes)
                name = f"pykmip-{number}"
                uid = one.create(AES, 256, name=name, cryptographic_usage_mask=MASKS)
                key = two.get(uid)
                self.assertEqual((key.cryptographic_algorithm, key.cryptographic_length, len(key.value)),
                                 (AES, 256, 32))
                self.assertEqual(key.value, one.get(uid).value)
                wanted = AttributeFactory().create_attribute(enums.AttributeType.NAME, name)
                self.assertEqual(two.locate(attributes=[wanted]), [uid])
                self.assertIn("State", one.get_attribute_list(uid))
                self.assertEqual(self.state(one, uid), enums.State.PRE_ACTIVE)
                two.activate(uid)
                self.assertEqual(self.state(one, uid), enums.State.ACTIVE)
                self.expect_failure(enums.ResultReason.PERMISSION_DENIED, one.destroy, uid)
                one.revoke(enums.RevocationReasonCode.CESSATION_OF_OPERATION, uid)
                self.assertEqual(self.state(two, uid), enums.State.DEACTIVATED)
                two.destroy(uid)
                for client in (one, two):
                    with self.assertRaises(KmipOperationFailure):
                        client.get(uid)

    def test_attributes(self):
        """All attributes at once; modify and delete a Name through the other node."""
        one, two = (self.client(node) for node in self.pair.nodes)
        uid = one.create(AES, 128, name="first-name", cryptographic_usage_mask=MASKS)
        # The one version of which PyKMIP can read every attribute: not 1.0's Digest, not 1.2's Original Creation Date.
        _, attributes = self.client(self.pair.b, enums.KMIPVersion.KMIP_1_1).get_attributes(uid)
        values = {attribute.attribute_name.value: attribute.attribute_value for attribute in attributes}
        self.assertEqual(values["Cryptographic Length"].value, 128)
        self.assertEqual(values["Cryptographic Algorithm"].value, AES)
        self.assertEqual(values["Unique Identifier"].value, uid)
        self.assertEqual(values["Cryptographic Usage Mask"].value, 12)
        name = AttributeFactory().create_attribute(enums.AttributeType.NAME, "second-name", index=0)
        two.modify_attribute(uid, attribute=name)
        _, attributes = one.get_attributes(uid, ["Name"])
        self.assertEqual([str(a.attribute_value.name_value.value) for a in attributes], ["second-name"])
        one.delete_attribute(uid, attribute_name="Name", attribute_index=0)
        _, attributes = two.get_attributes(uid, ["Name"])
        self.assertEqual(attributes, [])

    def test_register(self):
        """A key of the client's own comes back byte for byte from both nodes, with its names."""
        material = bytes(range(32))
        one, two = (self.client(node) for node in self.pair.nodes)
        key = objects.SymmetricKey(AES, 256, material, masks=MASKS, name="registered")
        uid = one.register(key)
        for client in (one, two):
            got = client.get(uid)
            self.assertEqual(got.value, material)
            self.assertEqual(got.cryptographic_length, 256)
            self.assertEqual(self.state(client, uid), enums.State.PRE_ACTIVE)
        two.destroy(uid)
        self.expect_failure(enums.ResultReason.ILLEGAL_OPERATION, one.get, uid)

    def test_errors(self):
        """Failures arrive as the reasons that they are; the connection serves on."""
        client = self.client(self.pair.a)
        unknown = "00000000-0000-4000-8000-000000000000"
        self.expect_failure(enums.ResultReason.ITEM_NOT_FOUND, client.get, unknown)
        self.expect_failure(enums.ResultReason.ITEM_NOT_FOUND, client.destroy, unknown)
        self.expect_failure(enums.ResultReason.INVALID_FIELD, client.create_key_pair,
                            enums.CryptographicAlgorithm.RSA, 100)
        self.assertEqual(len(client.get(client.create(AES, 256)).value), 32)

    def test_key_pair(self):
        """Made on one node; signed there and verified on the other; a changed message is not valid; a pair in its place."""
        one, two = (self.client(node) for node in self.pair.nodes)
        masks = enums.CryptographicUsageMask
        public, private = one.create_key_pair(
            enums.CryptographicAlgorithm.RSA, 2048, public_name="pair-public", private_name="pair-private",
            public_usage_mask=[masks.VERIFY], private_usage_mask=[masks.SIGN])
        self.assertIsInstance(two.get(public), objects.PublicKey)
        self.assertIsInstance(two.get(private), objects.PrivateKey)
        for uid in (public, private):
            one.activate(uid)
        how = {"padding_method": enums.PaddingMethod.PKCS1v15, "hashing_algorithm": enums.HashingAlgorithm.SHA_256,
               "cryptographic_algorithm": enums.CryptographicAlgorithm.RSA}
        signature = one.sign(b"message", private, how)
        self.assertEqual(two.signature_verify(b"message", signature, public, how), enums.ValidityIndicator.VALID)
        self.assertEqual(two.signature_verify(b"massage", signature, public, how), enums.ValidityIndicator.INVALID)
        named = core_attributes.PrivateKeyUniqueIdentifier(private)
        result = self.proxy(self.pair.b).rekey_key_pair(private_key_uuid=named)
        self.assertEqual(result.result_status.value, enums.ResultStatus.SUCCESS)
        self.assertIsInstance(one.get(str(result.private_key_uuid)), objects.PrivateKey)
        self.assertNotEqual(one.get(str(result.public_key_uuid)).value, one.get(public).value)

    def test_using_a_key(self):
        """Encrypted by one node and decrypted by the other; a code; a key that replaces it, and one derived from it."""
        one, two = (self.client(node) for node in self.pair.nodes)
        masks = [*MASKS, enums.CryptographicUsageMask.DERIVE_KEY, enums.CryptographicUsageMask.MAC_GENERATE]
        uid = one.create(AES, 256, name="used", cryptographic_usage_mask=masks)
        one.activate(uid)
        how = {"cryptographic_algorithm": AES, "block_cipher_mode": enums.BlockCipherMode.CBC,
               "padding_method": enums.PaddingMethod.PKCS5}
        sealed, iv = one.encrypt(b"plain", uid, how, bytes(16))
        self.assertEqual(two.decrypt(sealed, uid, how, iv or bytes(16)), b"plain")
        _, code = one.mac(b"plain", uid, enums.CryptographicAlgorithm.HMAC_SHA256)
        self.assertEqual(code, two.mac(b"plain", uid, enums.CryptographicAlgorithm.HMAC_SHA256)[1])
        derived = one.derive_key(
            enums.ObjectType.SYMMETRIC_KEY, [uid], enums.DerivationMethod.HMAC,
            {"cryptographic_parameters": {"hashing_algorithm": enums.HashingAlgorithm.SHA_256},
             "derivation_data": b"for disks"},
            cryptographic_length=128, cryptographic_algorithm=AES, cryptographic_usage_mask=MASKS)
        self.assertEqual(len(two.get(derived).value), 16)
        replacement = two.rekey(uid)
        self.assertNotEqual(one.get(replacement).value, one.get(uid).value)

    def test_locate(self):
        """All given attributes must match; a limit is kept; nothing matching is an empty list."""
        one, two = (self.client(node) for node in self.pair.nodes)
        make = AttributeFactory().create_attribute
        uids = {one.create(AES, bits, name=f"locate-{bits}", cryptographic_usage_mask=MASKS): bits
                for bits in (128, 192, 256)}
        length = make(enums.AttributeType.CRYPTOGRAPHIC_LENGTH, 192)
        found = two.locate(attributes=[length])
        self.assertEqual([uids[uid] for uid in found if uid in uids], [192])
        name = make(enums.AttributeType.NAME, "locate-128")
        self.assertEqual(two.locate(attributes=[name, length]), [])
        self.assertEqual(len(two.locate(maximum_items=2)), 2)
        self.assertLessEqual(set(uids), set(two.locate()))

    def test_query_and_discover_versions(self):
        """The lower-level client: versions, operations, object types, vendor."""
        for node in self.pair.nodes:
            proxy = self.proxy(node)
            versions = [(version.major, version.minor) for version in proxy.discover_versions().protocol_versions]
            self.assertEqual(versions, [(1, 4), (1, 3), (1, 2), (1, 1), (1, 0)])
            result = proxy.query(query_functions=[enums.QueryFunction.QUERY_OPERATIONS,
                                                  enums.QueryFunction.QUERY_OBJECTS,
                                                  enums.QueryFunction.QUERY_SERVER_INFORMATION])
            self.assertIn(enums.Operation.GET, result.operations)
            self.assertTrue(str(result.vendor_identification).startswith("kmip-pair"))

    def test_check(self):
        """A usage that the key allows, and one that it does not."""
        one = self.client(self.pair.a)
        uid = one.create(AES, 256, cryptographic_usage_mask=MASKS)
        self.assertEqual(one.check(uid, cryptographic_usage_mask=[enums.CryptographicUsageMask.ENCRYPT]), uid)


if __name__ == "__main__":
    unittest.main()
