# SPDX-License-Identifier: Apache-2.0
"""PyKMIP's other operations, in each version that has them, each step on the other node: every kind of object that it can
register, using, replacing and wrapping keys, pages of results, its lower-level client, and the version that it speaks and we do not.
"""
import base64
import itertools
import subprocess
import unittest

import harness  # noqa: F401
from pykmip_test import AES, MASKS, VERSIONS, PyKmipCase

from kmip.core import enums
from kmip.core.factories.attributes import AttributeFactory
from kmip.core.messages.contents import ProtocolVersion
from kmip.core.misc import KeyFormatType
from kmip.pie import objects

MASK, REASON, KIND = enums.CryptographicUsageMask, enums.ResultReason, enums.ObjectType
MATERIAL = bytes(range(32))
FAR = 4102444800  # in 2100
NOWHERE = "00000000-0000-4000-8000-000000000000"


def der(*arguments, given=b""):
    return subprocess.run(["openssl", *arguments], input=given, capture_output=True, check=True).stdout


class EachVersion(PyKmipCase):
    def each(self, since=enums.KMIPVersion.KMIP_1_0):
        """(client on one node, client on the other) of each version, the nodes in turn."""
        turns = itertools.cycle([self.pair.nodes, self.pair.nodes[::-1]])
        return [[self.client(node, version) for node in next(turns)] for version in VERSIONS if version.value >= since.value]

    def registered(self):
        """One object of each kind that PyKMIP has."""
        private = der("genpkey", "-algorithm", "RSA", "-outform", "DER")
        public = der("pkey", "-inform", "DER", "-pubout", "-outform", "DER", given=private)
        with open(self.vcenter.identity.certificate, encoding="ascii") as file:
            certificate = base64.b64decode("".join(file.read().split("-----")[2].split()))
        yield "key", objects.SymmetricKey(AES, 256, MATERIAL, masks=MASKS)
        yield "public", objects.PublicKey(enums.CryptographicAlgorithm.RSA, 2048, public, enums.KeyFormatType.X_509,
                                          masks=[MASK.VERIFY])
        yield "private", objects.PrivateKey(enums.CryptographicAlgorithm.RSA, 2048, private, enums.KeyFormatType.PKCS_8,
                                            masks=[MASK.SIGN])
        yield "certificate", objects.X509Certificate(certificate, masks=[MASK.VERIFY])
        yield "secret", objects.SecretData(b"correct horse", enums.SecretDataType.PASSWORD, masks=[MASK.VERIFY])
        yield "opaque", objects.OpaqueObject(b"anything at all", enums.OpaqueDataType.NONE)
        yield "split", objects.SplitKey(
            AES, 256, MATERIAL, cryptographic_usage_masks=MASKS, split_key_parts=3, key_part_identifier=1,
            split_key_threshold=3, split_key_method=enums.SplitKeyMethod.XOR)

    def test_every_kind_of_object(self):
        """Registered on one node, the same on the other; found by its type; gone from both once it is destroyed."""
        made = dict(self.registered())
        for one, two in self.each():
            for name, thing in made.items():
                with self.subTest(f"{one.kmip_version.name} {name}"):
                    uid = one.register(thing)
                    got = two.get(uid)
                    self.assertEqual((type(got), got.value, got.object_type), (type(thing), thing.value, thing.object_type))
                    kind = AttributeFactory().create_attribute(enums.AttributeType.OBJECT_TYPE, thing.object_type)
                    self.assertIn(uid, two.locate(attributes=[kind]))
                    self.assertIn("Object Type", one.get_attribute_list(uid))
                    two.destroy(uid)
                    for client in (one, two):
                        self.expect_failure(REASON.ILLEGAL_OPERATION, client.get, uid)

    def key(self, client, name, *masks, material=MATERIAL):
        """A key with these bits, active."""
        name = f"{name}-{client.kmip_version.name}"  # names are unique, and PyKMIP gives the same one to all
        uid = client.register(objects.SymmetricKey(AES, 8 * len(material), material, masks=list(masks), name=name))
        client.activate(uid)
        return uid

    def test_wrapped(self):
        """Not under a key whose bits do not allow it, nor under one that is not there. (What is wrapped is a byte string, which
        PyKMIP takes for a structure: it can ask for it, and not read it.)"""
        for one, two in self.each():
            with self.subTest(one.kmip_version.name):
                uid = self.key(one, "wrapped", *MASKS)
                useless = self.key(two, "useless", *MASKS)
                for under, reason in ((useless, REASON.PERMISSION_DENIED), (NOWHERE, REASON.ITEM_NOT_FOUND)):
                    how = {"wrapping_method": enums.WrappingMethod.ENCRYPT, "encryption_key_information": {
                        "unique_identifier": under, "cryptographic_parameters": {
                            "block_cipher_mode": enums.BlockCipherMode.NIST_KEY_WRAP}}}
                    for client in (one, two):
                        self.expect_failure(reason, client.get, uid, key_wrapping_specification=how)
                self.assertEqual(two.get(uid).value, MATERIAL)

    def test_used(self):
        """What one node encrypts, signs or hashes the other one undoes and verifies, in each version that can."""
        for one, two in self.each(since=enums.KMIPVersion.KMIP_1_2):
            with self.subTest(one.kmip_version.name):
                uid = self.key(one, "used", *MASKS, MASK.MAC_GENERATE, MASK.DERIVE_KEY)
                for mode, padding, iv in ((enums.BlockCipherMode.CBC, enums.PaddingMethod.PKCS5, bytes(16)),
                                          (enums.BlockCipherMode.CTR, None, bytes(16)),
                                          (enums.BlockCipherMode.ECB, enums.PaddingMethod.PKCS5, None)):
                    how = {"cryptographic_algorithm": AES, "block_cipher_mode": mode, "padding_method": padding}
                    sealed, made = one.encrypt(b"plain text", uid, how, iv)
                    self.assertNotIn(b"plain", sealed)
                    self.assertEqual(two.decrypt(sealed, uid, how, made or iv), b"plain text")
                for algorithm in (enums.CryptographicAlgorithm.HMAC_SHA256, enums.CryptographicAlgorithm.HMAC_SHA512):
                    self.assertEqual(one.mac(b"data", uid, algorithm), two.mac(b"data", uid, algorithm))
                secret = two.derive_key(KIND.SECRET_DATA, [uid], enums.DerivationMethod.HMAC, {
                    "cryptographic_parameters": {"hashing_algorithm": enums.HashingAlgorithm.SHA_256},
                    "derivation_data": b"salt"}, cryptographic_length=256)
                self.assertEqual(len(one.get(secret).value), 32)

    def test_replaced(self):
        """Re-key with a date or an offset, not with both: a new key, the old one as it was; the date is the one asked for."""
        for one, two in self.each(since=enums.KMIPVersion.KMIP_1_1):
            with self.subTest(one.kmip_version.name):
                uid = self.key(one, "old", *MASKS)
                self.expect_failure(REASON.INVALID_MESSAGE, two.rekey, uid, offset=0, deactivation_date=FAR)
                new = two.rekey(uid, deactivation_date=FAR)
                self.assertNotEqual(one.get(new).value, MATERIAL)
                self.assertEqual(one.get(uid).value, MATERIAL)
                self.assertEqual(self.state(two, uid), enums.State.ACTIVE)
                _, attributes = one.get_attributes(new, ["Deactivation Date"])
                self.assertEqual([attribute.attribute_value.value for attribute in attributes], [FAR])
                newer = one.rekey(new, offset=0)
                self.assertEqual(self.state(two, newer), enums.State.ACTIVE)

    def test_pages(self):
        """Locate with a limit and an offset goes over all that is found, once, also when the nodes take turns."""
        made = {self.key(self.client(self.pair.a), f"page-{number}", *MASKS) for number in range(5)}
        algorithm = AttributeFactory().create_attribute(enums.AttributeType.CRYPTOGRAPHIC_ALGORITHM, AES)
        for one, two in self.each(since=enums.KMIPVersion.KMIP_1_3):
            with self.subTest(one.kmip_version.name):
                whole = one.locate(attributes=[algorithm])
                self.assertLessEqual(made, set(whole))
                pages = [client.locate(attributes=[algorithm], maximum_items=2, offset_items=at)
                         for at, client in zip(range(0, len(whole), 2), itertools.cycle((one, two)))]
                self.assertEqual(sorted(itertools.chain(*pages)), sorted(whole))

    def test_lower_level(self):
        """Every function of Query, a list of versions, Get in formats, attributes of a name that there is not."""
        for node in self.pair.nodes:
            proxy = self.proxy(node)
            asked = [function for function in enums.QueryFunction if function.value <= 12]
            for function in asked:
                result = proxy.query(query_functions=[function])
                self.assertEqual(result.result_status.value, enums.ResultStatus.SUCCESS, function)
            listed = [ProtocolVersion(1, 2), ProtocolVersion(2, 0)]
            found = proxy.discover_versions(protocol_versions=listed).protocol_versions
            self.assertEqual([(version.major, version.minor) for version in found], [(1, 2)])
            uid = self.key(self.client(node), f"lower-{node.letter}", *MASKS)
            result = proxy.get(uid, key_format_type=KeyFormatType(enums.KeyFormatType.RAW))
            self.assertEqual(result.result_status.value, enums.ResultStatus.SUCCESS)
            self.assertEqual(self.client(node).get_attributes(uid, ["x-none", "No Such Attribute"]), (uid, []))

    def test_a_version_that_we_do_not_speak(self):
        """KMIP 2.0: told so in a form that such a client can read; its next connection, in 1.4, is served."""
        for node in self.pair.nodes:
            client = self.client(node, enums.KMIPVersion.KMIP_2_0)
            self.expect_failure(REASON.INVALID_MESSAGE, client.create, AES, 256)
            self.assertTrue(self.client(node, enums.KMIPVersion.KMIP_1_4).create(AES, 256))


if __name__ == "__main__":
    unittest.main()
