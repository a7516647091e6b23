# SPDX-License-Identifier: Apache-2.0
"""Import tokens: root key material that comes in encrypted, and every way in which it does not fit."""
import base64
import os

from cryptography.hazmat.primitives import hashes, padding, serialization
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from emulator_process import WithEmulator


def b64(data):
    return base64.b64encode(data).decode()


class ImportTokens(WithEmulator):
    material = bytes(range(32))

    def token(self):
        self.expect(self.emulator.call("POST", "/import_token", {"maxAllowedRetrievals": 5}), 200)
        return self.expect(self.emulator.call("GET", "/import_token"), 200).json

    def sealed(self, token, material=None, sha1=False):
        """The members of a create, as the clients make them."""
        material = material or self.material
        public = serialization.load_pem_public_key(base64.b64decode(token["payload"]))
        digest = hashes.SHA1() if sha1 else hashes.SHA256()
        payload = public.encrypt(material, rsa_padding.OAEP(rsa_padding.MGF1(digest), digest, None))
        nonce = base64.b64decode(token["nonce"])
        if sha1:
            iv = os.urandom(16)
            pad = padding.PKCS7(128).padder()
            cipher = Cipher(algorithms.AES(material), modes.CBC(iv)).encryptor()
            proof = cipher.update(pad.update(nonce) + pad.finalize()) + cipher.finalize()
        else:
            iv = os.urandom(12)
            proof = AESGCM(material).encrypt(iv, nonce, None)
        return {"payload": b64(payload), "encryptedNonce": b64(proof), "iv": b64(iv),
                "encryptionAlgorithm": "RSAES_OAEP_SHA_1" if sha1 else "RSAES_OAEP_SHA_256"}

    def test_material_arrives(self):
        token = self.token()
        self.assertEqual(len(base64.b64decode(token["nonce"])), 12)
        secure = self.root(**self.sealed(token))
        plain = self.root(payload=b64(self.material))
        wrapped = self.emulator.call("POST", f"/keys/{plain}/actions/wrap", {"plaintext": "AAEC"}).json
        opened = self.emulator.call("POST", f"/keys/{secure}/actions/unwrap", {"ciphertext": wrapped["ciphertext"]})
        self.assertEqual(self.expect(opened, 200).json["plaintext"], "AAEC")
        # when it is rotated the same way, then what was wrapped before opens on
        rotation = self.sealed(token, bytes(32))
        self.expect(self.emulator.call("POST", f"/keys/{secure}/actions/rotate", rotation), 204)
        opened = self.emulator.call("POST", f"/keys/{secure}/actions/unwrap", {"ciphertext": wrapped["ciphertext"]})
        self.assertIn("rewrappedKeyVersion", self.expect(opened, 200).json)

    def test_life_and_reads(self):
        self.expect(self.emulator.call("GET", "/import_token"), 404)
        made = self.expect(self.emulator.call("POST", "/import_token"), 200).json
        self.assertEqual(sorted(made), ["creationDate", "expirationDate", "maxAllowedRetrievals",
                                        "remainingRetrievals"])
        first = self.expect(self.emulator.call("GET", "/import_token"), 200).json
        self.assertEqual(first["remainingRetrievals"], 0)
        self.expect(self.emulator.call("GET", "/import_token"), 409, "IMPORT_TOKEN_EXPIRED_ERR")
        for wrong in ({"expiration": 299}, {"expiration": 86401}, {"maxAllowedRetrievals": 0},
                      {"maxAllowedRetrievals": 501}, {"expiration": "x"}):
            self.expect(self.emulator.call("POST", "/import_token", wrong), 400, "INVALID_FIELD_ERR")
        token = self.token()
        self.assertNotEqual(token["payload"], first["payload"])
        self.emulator.kill()
        self.emulator.start()
        self.assertEqual(self.emulator.call("GET", "/import_token").json["payload"], token["payload"])
        self.root(**self.sealed(token))
        self.emulator.advance(601)
        self.expect(self.emulator.call("GET", "/import_token"), 409, "IMPORT_TOKEN_EXPIRED_ERR")
        self.expect(self.emulator.create(extractable=False, **self.sealed(token)), 409, "IMPORT_TOKEN_EXPIRED_ERR")
        self.expect(self.emulator.call("GET", "/import_token", who="reader"), 401)

    def test_what_does_not_fit(self):
        token = self.token()
        good = self.sealed(token)
        other = self.sealed({**token, "nonce": b64(bytes(12))})
        cases = [({"encryptedNonce": other["encryptedNonce"], "iv": other["iv"]}, "INCORRECT_NONCE_ERR"),
                 ({"iv": b64(bytes(12))}, "INCORRECT_NONCE_ERR"), ({"iv": b64(bytes(11))}, "INCORRECT_NONCE_IV_ERR"),
                 ({"encryptedNonce": b64(bytes(5))}, "INCORRECT_NONCE_ERR"), ({"iv": ""}, "INVALID_FIELD_ERR"),
                 ({"payload": b64(bytes(256))}, "INVALID_FIELD_ERR"), ({"payload": ""}, "INVALID_FIELD_ERR"),
                 ({"encryptionAlgorithm": "RSAES_OAEP_SHA_1"}, "INVALID_FIELD_ERR"),
                 ({"payload": "?"}, "INVALID_FIELD_ERR")]
        for change, code in cases:
            self.expect(self.emulator.create(extractable=False, **{**good, **change}), 400, code)
        self.expect(self.emulator.create(extractable=True, **good), 400, "INVALID_FIELD_ERR")

    def test_enforced(self):
        body = {"metadata": {"collectionType": "application/vnd.ibm.kms.policy+json", "collectionTotal": 1},
                "resources": [{"policy_type": "keyCreateImportAccess", "policy_data": {
                    "enabled": True, "attributes": {"enforce_token": True}}}]}
        self.expect(self.emulator.call("PUT", "/instance/policies", body), 204)
        self.expect(self.emulator.create(extractable=False, payload=b64(self.material)), 409,
                    "KEY_CREATE_IMPORT_ACCESS_ERR")
        self.root(**self.sealed(self.token()))


class Hpcs(ImportTokens):
    options = ("--service", "hpcs", "--region", "eu-de")

    def test_older_algorithms(self):
        key = self.root(**self.sealed(self.token(), sha1=True))
        crn = self.emulator.call("GET", f"/keys/{key}").resource["crn"]
        self.assertTrue(crn.startswith("crn:v1:bluemix:public:hs-crypto:eu-de:a/"))
        self.expect(self.emulator.call("GET", "/kmip_adapters"), 404)

    def test_what_does_not_fit(self):
        self.expect(self.emulator.create(extractable=False, **{
            **self.sealed(self.token()), "encryptionAlgorithm": "ROT13"}), 400, "INVALID_FIELD_ERR")


class Dedicated(WithEmulator):
    options = ("--service", "dedicated")

    def test_has_none(self):
        self.expect(self.emulator.call("POST", "/import_token"), 403, "FEATURE_RESTRICTED_ERR")
