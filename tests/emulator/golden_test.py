# SPDX-License-Identifier: Apache-2.0
"""The wire transcripts that the emulator promises to match, one test for each, in the order of the reference (A1 to
A17): whole bodies are compared, members in their order. <uuid>, <hex>, <date>, <jwt>, <b64> and <text> stand for what differs
from call to call.
"""
import base64
import json
import re
import urllib.parse

from emulator_process import KEY_TYPE, UUID_UNKNOWN, WithEmulator

ERROR_TYPE = "application/vnd.ibm.kms.error+json"
MORE_INFO = "https://cloud.ibm.com/apidocs/key-protect"
PLACES = {
    "<uuid>": "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    "<hex>": "[0-9a-f-]{36}",
    "<date>": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "<jwt>": r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+",
    "<b64>": "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?",
    "<text>": ".*",
}


def text_matches(expected, found):
    pattern = "".join(PLACES.get(part, re.escape(part)) for part in re.split("(<[a-z0-9]+>)", expected))
    return isinstance(found, str) and re.fullmatch(pattern, found) is not None


def refusal(status, code, message, text, **more):
    return status, {"metadata": {"collectionType": ERROR_TYPE, "collectionTotal": 1}, "resources": [{
        "errorMsg": text, "reasons": [{"code": code, "message": message, "status": status, "moreInfo": MORE_INFO,
                                       **more}]}]}


def bare(status, text):
    return status, {"metadata": {"collectionType": ERROR_TYPE, "collectionTotal": 1}, "resources": [{"errorMsg": text}]}


def of_key(resource):
    return {"metadata": {"collectionType": KEY_TYPE, "collectionTotal": 1}, "resources": [resource]}


class Transcripts(WithEmulator):
    options = ("--instance", "87fa68d0-fa10-47d0-a201-603949808530")
    correlation = "0b0b0b0b-1111-4222-8333-444444444444"
    crn = ("crn:v1:bluemix:public:kms:us-south:a/819bdf4436ef4c198fdf4f0b81d53116:"
           "87fa68d0-fa10-47d0-a201-603949808530:key:<uuid>")

    def same(self, expected, found, where=""):
        if isinstance(expected, dict):
            self.assertEqual(list(expected), list(found), where)
            for name, value in expected.items():
                self.same(value, found[name], f"{where}.{name}")
        elif isinstance(expected, list):
            self.assertEqual(len(expected), len(found), where)
            for number, value in enumerate(expected):
                self.same(value, found[number], f"{where}[{number}]")
        elif isinstance(expected, str):
            self.assertTrue(text_matches(expected, found), f"{where}: {found!r} is not {expected!r}")
        else:
            self.assertEqual(expected, found, where)

    def replay(self, method, path, body, expected, headers=None, who="dev-manager-key"):
        """One exchange; `expected` is a status, or a status and a body. Every answer carries the correlation id."""
        status, content = expected if isinstance(expected, tuple) else (expected, None)
        answer = self.emulator.call(method, path, body, {
            "accept": KEY_TYPE, "correlation-id": self.correlation, **(headers or {})}, who)
        self.assertEqual(answer.status, status, answer.body)
        self.assertEqual(answer.headers["correlation-id"], self.correlation)
        if content is None:
            self.assertEqual(answer.body, b"")
        else:
            self.same(content, answer.json)
        return answer

    def a3(self):
        self.emulator.call("POST", "/key_rings/kmip")
        resource = {
            "type": KEY_TYPE, "id": "<uuid>", "name": "kmip-obj", "aliases": ["o-7c9e-v1"], "state": 1,
            "extractable": True, "crn": self.crn, "imported": True, "keyRingID": "kmip", "creationDate": "<date>",
            "createdBy": "iam-ServiceId-<hex>", "algorithmType": "Deprecated",
            "algorithmMetadata": {"bitLength": "256", "mode": "Deprecated"}, "algorithmBitSize": 256,
            "algorithmMode": "Deprecated", "lastUpdateDate": "<date>", "dualAuthDelete": {"enabled": False},
            "deleted": False, "payload": "AAECAw=="}
        body = of_key({"type": KEY_TYPE, "name": "kmip-obj", "aliases": ["o-7c9e-v1"], "extractable": True,
                       "payload": "AAECAw=="})
        answer = self.replay("POST", "/keys", body, (201, of_key(resource)), {
            "content-type": KEY_TYPE, "prefer": "return=representation", "x-kms-key-ring": "kmip"})
        return answer.resource["id"], body, resource

    def test_a1_token(self):
        answer = self.emulator.raw(
            "POST", "/identity/token",
            "grant_type=urn%3Aibm%3Aparams%3Aoauth%3Agrant-type%3Aapikey&apikey=dev-manager-key",
            {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"})
        self.assertEqual(answer.status, 200)
        told = answer.json
        self.assertIsInstance(told["expiration"], int)
        self.same({"access_token": "<jwt>", "refresh_token": "not_supported", "ims_user_id": 0,
                   "token_type": "Bearer", "expires_in": 3600, "expiration": told["expiration"],
                   "scope": "ibm openid"}, told)

    def test_a2_wrong_api_key(self):
        answer = self.expect(self.emulator.token("nobody"), 400)
        self.assertEqual(answer.json["errorCode"], "BXNIM0415E")
        self.assertEqual(answer.json["errorMessage"], "Provided API key could not be found")
        self.same("<uuid>", answer.json["context"]["requestId"])
        self.assertEqual(answer.json["context"]["requestType"], "incoming.Identity_Token")

    def test_a3_create(self):
        self.a3()
        minimal = {"type": KEY_TYPE, "id": "<uuid>", "name": "kmip-obj", "aliases": ["another"], "state": 1,
                   "extractable": True, "crn": self.crn, "imported": True, "deleted": False}
        body = of_key({"type": KEY_TYPE, "name": "kmip-obj", "aliases": ["another"], "payload": "AAECAw=="})
        self.replay("POST", "/keys", body, (201, of_key(minimal)))

    def test_a4_same_alias_again(self):
        _, body, _ = self.a3()
        self.replay("POST", "/keys", body, refusal(
            409, "KEY_ALIAS_NOT_UNIQUE_ERR", "<text>", "Conflict: Key could not be created: Please see `reasons` for "
            "more details (KEY_ALIAS_NOT_UNIQUE_ERR)"), who="writer")

    def test_a5_read_by_alias(self):
        _, _, resource = self.a3()
        self.replay("GET", "/keys/o-7c9e-v1", None, (200, of_key(resource)))
        del resource["payload"]
        self.replay("GET", "/keys/o-7c9e-v1/metadata", None, (200, of_key(resource)))

    def test_a6_not_found(self):
        self.replay("GET", "/keys/" + UUID_UNKNOWN, None, refusal(
            404, "KEY_NOT_FOUND_ERR", "key does not exist", "Not Found: Key could not be retrieved: Please see "
            "'reasons' for more details (KEY_NOT_FOUND_ERR)"))

    def test_a7_count(self):
        self.a3()
        self.assertEqual(self.replay("HEAD", "/keys?state=1,2,3,5", None, 200).headers["key-total"], "1")

    def test_a8_list(self):
        page = "/keys?limit=500&offset=0&sort=creationDate&state=1"
        self.replay("GET", page, None, (200, {"metadata": {"collectionType": KEY_TYPE, "collectionTotal": 0}}))
        _, _, resource = self.a3()
        del resource["payload"]
        self.replay("GET", page, None, (200, of_key(resource)))

    def test_a9_delete(self):
        key, _, resource = self.a3()
        self.replay("DELETE", f"/keys/{key}", None, 204)
        self.replay("DELETE", f"/keys/{key}", None, refusal(
            410, "KEY_DELETED_ERR", "Key has already been deleted. Please delete references to this key.",
            "Gone: Key could not be deleted. Please see `reasons` for more details."))
        del resource["payload"]
        gone = {**resource, "state": 5, "deleted": True, "deletionDate": "<date>", "deletedBy": "iam-ServiceId-<hex>",
                "restoreExpirationDate": "<date>", "restoreAllowed": True, "purgeAllowed": False,
                "purgeAllowedFrom": "<date>", "purgeScheduledOn": "<date>"}
        self.replay("GET", f"/keys/{key}", None, (200, of_key(gone)))
        self.replay("DELETE", f"/keys/{key}/purge", None, bare(
            401, "Unauthorized: The user does not have access to the specified resource"))
        self.emulator.advance(3 * 3600)
        early = ("The key was updated recently: Please wait and try again: Purge operation is allowed 4h0m0s after "
                 "key is deleted")
        self.replay("DELETE", f"/keys/{key}/purge", None, refusal(
            409, "REQ_TOO_EARLY_ERR", early, "Conflict: Key could not be purged: Please see `reasons` for more details"
            " (REQ_TOO_EARLY_ERR)"), who="purger")
        self.emulator.advance(3600)
        self.replay("DELETE", f"/keys/{key}/purge", None, 204, who="purger")
        self.assertEqual(self.emulator.call("GET", f"/keys/{key}").status, 404)

    def test_a10_root_key(self):
        root = self.root()
        action = f"/keys/{root}/actions/"
        plaintext, aad = "tF9ss0W9HQUVkddcjSeGg/MqZFs2CVh/FFKLPLLnOwY=", ["inst-1", "obj-7c9e"]
        version = {"id": "<uuid>"}
        wrapped = self.replay("POST", action + "wrap", {"plaintext": plaintext, "aad": aad}, (
            200, {"ciphertext": "<b64>", "keyVersion": version})).json
        inside = json.loads(base64.b64decode(wrapped["ciphertext"]))
        self.same({"ciphertext": "<b64>", "iv": "<b64>", "version": "4.0.0", "handle": wrapped["keyVersion"]["id"]},
                  inside)
        self.assertEqual(len(base64.b64decode(inside["iv"])), 12)
        self.replay("POST", action + "rotate", None, 204)
        self.replay("POST", action + "rotate", None, refusal(
            409, "KEY_ROTATION_NOT_PERMITTED", "This root key has been rotated within the last hour: Only one 'rotate' "
            "action per hour is permitted", "Conflict: Key could not be rotated: Please see `reasons` for more details "
            "(KEY_ROTATION_NOT_PERMITTED)"))
        body = {"ciphertext": wrapped["ciphertext"], "aad": aad}
        opened = self.replay("POST", action + "unwrap", body, (200, {
            "plaintext": plaintext, "ciphertext": "<b64>", "keyVersion": wrapped["keyVersion"],
            "rewrappedKeyVersion": version})).json
        self.assertNotEqual(opened["rewrappedKeyVersion"], opened["keyVersion"])
        self.replay("POST", action + "unwrap", {**body, "aad": ["inst-1"]}, refusal(
            422, "UNPROCESSABLE_CIPHERTEXT_ERR", "The provided ciphertext is invalid or corrupted", "Unprocessable "
            "Entity: <text> (UNPROCESSABLE_CIPHERTEXT_ERR)"))
        standard = self.emulator.create(payload="AAEC").resource["id"]
        self.replay("POST", f"/keys/{standard}/actions/wrap", {"plaintext": plaintext}, refusal(
            400, "KEY_ROOT_REQ_ERR", "Requested action can only be completed with a root key",
            "Bad Request: Wrap with key could not be performed: Please see `reasons` for more details "
            "(KEY_ROOT_REQ_ERR)"))
        self.replay("POST", action + "disable", None, 204)
        self.replay("POST", action + "wrap", {"plaintext": plaintext}, refusal(
            409, "KEY_ACTION_INVALID_STATE_ERR", "Key is not in a valid state", "Conflict: Wrap with key could not be "
            "performed: Please see `reasons` for more details (KEY_ACTION_INVALID_STATE_ERR)"))
        self.replay("DELETE", f"/keys/{root}", None, 204)
        self.replay("POST", action + "wrap", {"plaintext": plaintext}, refusal(
            410, "KEY_DELETED_ERR", "Key has already been deleted. Please delete references to this key.",
            "Gone: Wrap with key could not be performed. Please see `reasons` for more details."))

    def test_a11_no_policies(self):
        self.replay("GET", f"/keys/{self.root()}/policies", None, (200, {"metadata": {
            "collectionType": "application/vnd.ibm.kms.policy+json", "collectionTotal": 0}}))

    def test_a12_alias(self):
        key, _, _ = self.a3()
        kind = "application/vnd.ibm.kms.alias+json"
        self.replay("POST", f"/keys/{key}/aliases/a2", None, (201, {
            "metadata": {"collectionType": kind, "collectionTotal": 1}, "resources": [{
                "keyId": key, "alias": "a2", "createdBy": "iam-ServiceId-<hex>", "creationDate": "<date>"}]}))
        self.emulator.control("POST", "mode", {"alias_lag_s": 300})
        self.replay("DELETE", f"/keys/{key}/aliases/a2", None, 204)
        self.expect(self.emulator.call("GET", "/keys/a2"), 200)
        self.emulator.advance(300)
        self.expect(self.emulator.call("GET", "/keys/a2"), 404)

    def test_a13_move(self):
        key, _, resource = self.a3()
        del resource["payload"]
        self.emulator.call("POST", "/key_rings/archive")
        self.replay("PATCH", f"/keys/{key}", {"keyRingID": "archive"}, (
            200, of_key({**resource, "keyRingID": "archive"})), {"x-kms-key-ring": "kmip"})

    def test_a14_throttled(self):
        self.emulator.control("POST", "mode", {"rate_per_s": 1, "retry_after_s": 5})
        expected = bare(429, "Too Many Requests: Please wait a few minutes and try again.")
        answers = [self.emulator.call("GET", "/keys") for _ in range(3)]
        throttled = [answer for answer in answers if answer.status == 429]
        self.same(expected[1], throttled[0].json)
        self.assertEqual(throttled[0].headers["retry-after"], "5")

    def test_a15_gateway_down(self):
        self.emulator.control("POST", "fault", {"path": "/api", "kind": "status", "status": 503, "count": 1,
                                                "body": "no healthy upstream"})
        answer = self.expect(self.emulator.call("GET", "/keys"), 503)
        self.assertEqual(answer.body, b"no healthy upstream")
        self.assertTrue(answer.headers["content-type"].startswith("text/plain"))

    def test_a16_header_missing(self):
        token = self.emulator.token().json["access_token"]
        answer = self.emulator.raw("GET", "/api/v2/keys", headers={"authorization": "Bearer " + token})
        expected = bare(400, "Bad Request: Request requires valid Bluemix-Instance Header containing a valid UUID")
        self.assertEqual(answer.status, expected[0])
        self.same(expected[1], answer.json)

    def test_a17_governance(self):
        token = self.emulator.token().json["access_token"]
        query = urllib.parse.urlencode({"account_id": "819bdf4436ef4c198fdf4f0b81d53116", "resource_kind": "key",
                                        "config_request_id": "0b0b", "Transaction-Id": "x"})
        answer = self.expect(self.emulator.raw("GET", "/governance/v1/configs?" + query, headers={
            "authorization": "Bearer " + token}), 200)
        self.same({"account_id": "819bdf4436ef4c198fdf4f0b81d53116", "service_name": "kms", "resource_kind": "key",
                   "config_request_id": "0b0b", "timestamp": "<date>", "config_state": []}, answer.json)
