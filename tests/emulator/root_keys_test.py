# SPDX-License-Identifier: Apache-2.0
"""Root keys: wrapping, rotation, states."""
import base64
import json

from emulator_process import WithEmulator


class RootKeys(WithEmulator):
    plaintext = "tF9ss0W9HQUVkddcjSeGg/MqZFs2CVh/FFKLPLLnOwY="
    aad = ["inst-1", "obj-7c9e"]

    def act(self, key, action, body=None):
        return self.emulator.call("POST", f"/keys/{key}/actions/{action}", body)

    def test_wrap_rotate_unwrap(self):
        key = self.root()
        wrapped = self.expect(self.act(key, "wrap", {"plaintext": self.plaintext,
                                                     "aad": self.aad}), 200).json
        shape = json.loads(base64.b64decode(wrapped["ciphertext"]))
        self.assertEqual(list(shape), ["ciphertext", "iv", "version", "handle"])
        self.assertEqual((shape["version"], shape["handle"]),
                         ("4.0.0", wrapped["keyVersion"]["id"]))
        self.assertEqual(len(base64.b64decode(shape["iv"])), 12)
        body = {"ciphertext": wrapped["ciphertext"], "aad": self.aad}
        self.assertEqual(self.expect(self.act(key, "unwrap", body), 200).json,
                         {"plaintext": self.plaintext, "keyVersion": wrapped["keyVersion"]})
        self.expect(self.act(key, "rotate"), 204)
        self.expect(self.act(key, "rotate", "null"), 409, "KEY_ROTATION_NOT_PERMITTED")
        unwrapped = self.expect(self.act(key, "unwrap", body), 200).json
        self.assertEqual(unwrapped["plaintext"], self.plaintext)
        self.assertEqual(unwrapped["keyVersion"], wrapped["keyVersion"])
        newest = unwrapped["rewrappedKeyVersion"]["id"]
        self.assertNotEqual(newest, wrapped["keyVersion"]["id"])
        again = self.act(key, "unwrap", {"ciphertext": unwrapped["ciphertext"], "aad": self.aad})
        self.assertEqual(again.json, {"plaintext": self.plaintext, "keyVersion": {"id": newest}})
        rewrapped = self.expect(self.act(key, "rewrap", body), 200).json
        self.assertEqual(list(rewrapped), ["ciphertext", "keyVersion", "rewrappedKeyVersion"])
        self.expect(self.act(key, "unwrap", {**body, "aad": ["other"]}), 422,
                    "UNPROCESSABLE_CIPHERTEXT_ERR")
        self.expect(self.act(key, "unwrap", {"ciphertext": "AAEC", "aad": self.aad}), 422)
        self.expect(self.act(key, "unwrap", {"ciphertext": "?"}), 400, "INVALID_FIELD_ERR")
        versions = self.expect(self.emulator.call("GET", f"/keys/{key}/versions"), 200).json
        self.assertEqual([v["id"] for v in versions["resources"]],
                         [newest, wrapped["keyVersion"]["id"]])
        self.emulator.advance(3600)
        self.expect(self.act(key, "rotate", {}), 204)

    def test_generated_plaintext_and_old_form(self):
        key = self.root()
        wrapped = self.expect(self.emulator.call("POST", f"/keys/{key}?action=wrap", "{}"), 200)
        self.assertEqual(len(base64.b64decode(wrapped.json["plaintext"])), 32)

    def test_wrong_plaintext(self):
        answer = self.act(self.root(), "wrap", {"plaintext": "AAE?"})
        self.expect(answer, 400, "INVALID_FIELD_ERR")
        self.assertEqual(answer.resource["reasons"][0]["message"], "The field 'plaintext' must be:"
                         " a base64 encoded key material: illegal base64 data at input byte 3")

    def test_same_material_unwraps(self):
        material = base64.b64encode(bytes(range(32))).decode()
        one, two = self.root(payload=material), self.root(payload=material)
        wrapped = self.act(one, "wrap", {"plaintext": self.plaintext}).json
        opened = self.act(two, "unwrap", {"ciphertext": wrapped["ciphertext"]})
        self.assertEqual(opened.json["plaintext"], self.plaintext)
        self.expect(self.act(one, "rotate"), 400, "KEY_PAYLOAD_REQ_ERR")
        self.expect(self.act(one, "rotate", {"payload": material}), 204)
        self.expect(self.act(self.root(), "rotate", {"payload": material}), 400,
                    "INVALID_QUERY_PARAM_ERR")

    def test_states(self):
        standard = self.emulator.create(payload="AAEC").resource["id"]
        self.expect(self.act(standard, "wrap", {}), 400, "KEY_ROOT_REQ_ERR")
        self.expect(self.act(standard, "disable"), 400, "KEY_ROOT_REQ_ERR")
        key = self.root()
        self.expect(self.act(key, "disable", "null"), 204)
        self.expect(self.act(key, "wrap", {}), 409, "KEY_ACTION_INVALID_STATE_ERR")
        self.assertEqual(self.emulator.call("GET", f"/keys/{key}").resource["state"], 2)
        self.expect(self.act(key, "enable"), 409, "REQ_TOO_EARLY_ERR")
        self.emulator.advance(30)
        self.expect(self.act(key, "enable"), 204)
        self.expect(self.act(key, "enable"), 409, "KEY_ACTION_INVALID_STATE_ERR")
        self.expect(self.act(key, "wrap", {}), 200)
        self.expect(self.emulator.call("DELETE", f"/keys/{key}"), 204)
        self.expect(self.act(key, "wrap", {}), 410, "KEY_DELETED_ERR")

    def test_expiry(self):
        now = self.emulator.control("GET", "state")["now"]
        year = int(now[:4])
        key = self.root(expirationDate=f"{year + 1}-12-31T00:00:00Z")
        body = {"ciphertext": self.act(key, "wrap", {}).json["ciphertext"]}
        self.emulator.advance(800 * 86400)
        self.assertEqual(self.emulator.call("GET", f"/keys/{key}").resource["state"], 3)
        self.expect(self.act(key, "wrap", {}), 409, "KEY_ACTION_INVALID_STATE_ERR")
        self.expect(self.act(key, "unwrap", body), 200)
