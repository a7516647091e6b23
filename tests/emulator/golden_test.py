# SPDX-License-Identifier: Apache-2.0
"""Replays the wire transcripts that the emulator promises to match: tokens, create, read, list,
delete, wrapping, rotation, aliases, rings, policies, errors; then durability and armed faults.

Runs the binary $PAIR_BIN_DIR/key-protect-emulator on a free port in a temporary folder.
"""
import base64
import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import tempfile
import unittest
import urllib.parse

BINARY = os.path.join(os.environ["PAIR_BIN_DIR"], "key-protect-emulator")
KEY_TYPE = "application/vnd.ibm.kms.key+json"
UUID_UNKNOWN = "00000000-0000-4000-8000-000000000000"
API_KEYS = {
    "dev-manager-key": "Manager",
    "second-manager": "Manager",
    "purger": "Manager,KeyPurge",
    "writer": "Writer",
    "reader": "Reader",
    "reader-plus": "ReaderPlus",
}


class Answer:
    def __init__(self, response, body):
        self.status = response.status
        self.headers = response.headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def resource(self):
        return self.json["resources"][0]

    @property
    def code(self):
        return self.resource["reasons"][0]["code"]


class Emulator:
    """One emulator process over a data folder."""

    def __init__(self, *options):
        self.folder = tempfile.mkdtemp(prefix="emulator-test-")
        self.options = options
        self.tokens = {}
        self.start()

    def start(self):
        arguments = [BINARY, "--listen", "127.0.0.1:0", "--data", self.folder,
                     "--log", os.path.join(self.folder, "log")]
        for key, roles in API_KEYS.items():
            arguments += ["--api-key", f"{key}={roles}"]
        self.process = subprocess.Popen(arguments + list(self.options), stdout=subprocess.PIPE,
                                        text=True)
        ready = self.process.stdout.readline().split()
        assert ready and ready[0] == "ready", "the emulator did not start"
        url = urllib.parse.urlsplit(ready[1].removeprefix("url="))
        self.instance = ready[2].removeprefix("instance=")
        if url.scheme == "https":
            context = ssl.create_default_context(cafile=os.path.join(self.folder, "tls-cert.pem"))
            self.connect = lambda: http.client.HTTPSConnection(
                url.hostname, url.port, context=context, timeout=20)
        else:
            self.connect = lambda: http.client.HTTPConnection(url.hostname, url.port, timeout=20)
        self.connection = self.connect()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.end()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.end()
        return self.process.returncode

    def end(self):
        self.process.wait(20)
        self.process.stdout.close()
        self.connection.close()

    def remove(self):
        if self.process.poll() is None:
            assert self.stop() == 0, "the emulator did not stop cleanly"
        shutil.rmtree(self.folder)

    def log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8") as file:
            return file.read()

    def raw(self, method, path, body=None, headers=None):
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        try:
            self.connection.request(method, path, body, headers or {})
            response = self.connection.getresponse()
            return Answer(response, response.read())
        except (http.client.HTTPException, OSError):
            self.connection.close()
            self.connection = self.connect()
            raise

    def token(self, api_key="dev-manager-key", path="/identity/token", **more):
        form = {"grant_type": "urn:ibm:params:oauth:grant-type:apikey", "apikey": api_key, **more}
        return self.raw("POST", path, urllib.parse.urlencode(form), {
            "content-type": "application/x-www-form-urlencoded"})

    def call(self, method, path, body=None, headers=None, who="dev-manager-key"):
        if who not in self.tokens:
            self.tokens[who] = self.token(who).json["access_token"]
        all_headers = {"authorization": "Bearer " + self.tokens[who],
                       "bluemix-instance": self.instance, **(headers or {})}
        return self.raw(method, "/api/v2" + path, body, all_headers)

    def create(self, headers=None, who="dev-manager-key", **members):
        return self.call("POST", "/keys", envelope(members), headers, who)

    def control(self, method, path, body=None):
        answer = self.raw(method, "/_control/" + path, body)
        assert answer.status == 200, answer.body
        return answer.json

    def advance(self, seconds):
        self.control("POST", "clock", {"advance_s": seconds})
        self.tokens = {}


def envelope(members, kind=KEY_TYPE):
    resource = {"type": kind, "name": "a-key", **members}
    return {"metadata": {"collectionType": kind, "collectionTotal": 1}, "resources": [resource]}


def policy(members):
    return {"metadata": {"collectionType": "application/vnd.ibm.kms.policy+json",
                         "collectionTotal": 1}, "resources": [members]}


class WithEmulator(unittest.TestCase):
    options = ()

    def setUp(self):
        self.emulator = Emulator(*self.options)
        self.addCleanup(self.emulator.remove)

    def root(self, **members):
        answer = self.emulator.create(extractable=False, **members)
        self.assertEqual(answer.status, 201)
        return answer.resource["id"]

    def expect(self, answer, status, code=None):
        self.assertEqual(answer.status, status, answer.body)
        if code is not None:
            self.assertEqual(answer.code, code)
        return answer


class Tokens(WithEmulator):
    def test_all_clients_get_one(self):
        for path in ("/identity/token", "/oidc/token"):
            answer = self.emulator.token(path=path, response_type="cloud_iam", uaa_client_id="cf",
                                         uaa_client_secret="")
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.json["expires_in"], 3600)
            self.assertEqual(answer.json["token_type"], "Bearer")
            self.assertIn("expiration", answer.json)

    def test_wrong_api_key(self):
        answer = self.expect(self.emulator.token("nobody"), 400)
        self.assertEqual(answer.json["errorCode"], "BXNIM0415E")
        self.assertIn("requestId", answer.json["context"])

    def test_expired_and_forged_tokens_are_unauthorized_without_reasons(self):
        token = self.emulator.token().json["access_token"]
        for bad in (token[:-2] + ("AA" if token[-2:] != "AA" else "BB"), "x", "a.b.c", ""):
            answer = self.emulator.raw("GET", "/api/v2/keys", headers={
                "authorization": "Bearer " + bad, "bluemix-instance": self.emulator.instance})
            self.expect(answer, 401)
            self.assertNotIn("reasons", answer.resource)
        self.emulator.control("POST", "clock", {"advance_s": 3601})
        answer = self.emulator.raw("GET", "/api/v2/keys", headers={
            "authorization": "Bearer " + token, "bluemix-instance": self.emulator.instance})
        self.expect(answer, 401)

    def test_instance_header(self):
        bad = {"bluemix-instance": "no-uuid"}
        answer = self.expect(self.emulator.call("GET", "/keys", headers=bad), 400)
        self.assertEqual(answer.resource, {"errorMsg": "Bad Request: Request requires valid "
                                           "Bluemix-Instance Header containing a valid UUID"})
        other = {"bluemix-instance": UUID_UNKNOWN}
        answer = self.expect(self.emulator.call("GET", "/keys", headers=other), 401)
        self.assertEqual(answer.resource["errorMsg"], "Unauthorized: The user does not have access"
                         " to the specified resource")

    def test_roles(self):
        key = self.emulator.create(payload="AAEC").resource["id"]
        self.expect(self.emulator.call("GET", f"/keys/{key}", who="reader"), 401)
        self.expect(self.emulator.call("GET", f"/keys/{key}/metadata", who="reader"), 200)
        self.expect(self.emulator.call("GET", f"/keys/{key}", who="reader-plus"), 200)
        self.expect(self.emulator.call("DELETE", f"/keys/{key}", who="writer"), 401)
        # authorisation comes before validation
        self.expect(self.emulator.call("POST", "/keys", "junk", who="reader"), 401)
        self.expect(self.emulator.call("GET", f"/keys/{key}/policies", who="writer"), 401)


class Keys(WithEmulator):
    def test_create_full(self):
        self.expect(self.emulator.call("POST", "/key_rings/kmip"), 201)
        answer = self.expect(self.emulator.create(
            {"prefer": "return=representation", "x-kms-key-ring": "kmip",
             "correlation-id": "0b0b0b0b-1111-4222-8333-444444444444"},
            name="kmip-obj", aliases=["o-7c9e-v1"], extractable=True, payload="AAECAw=="), 201)
        self.assertEqual(answer.headers["correlation-id"], "0b0b0b0b-1111-4222-8333-444444444444")
        self.assertEqual(list(answer.resource), [
            "type", "id", "name", "aliases", "state", "extractable", "crn", "imported",
            "keyRingID", "creationDate", "createdBy", "algorithmType", "algorithmMetadata",
            "algorithmBitSize", "algorithmMode", "lastUpdateDate", "dualAuthDelete", "deleted",
            "payload"])
        self.assertEqual(answer.resource["payload"], "AAECAw==")
        read = self.expect(self.emulator.call("GET", "/keys/o-7c9e-v1"), 200)
        self.assertEqual(read.resource, answer.resource)
        metadata = self.expect(self.emulator.call("GET", "/keys/o-7c9e-v1/metadata"), 200).resource
        self.assertNotIn("payload", metadata)
        again = self.emulator.create(aliases=["o-7c9e-v1"], payload="AAEC")
        self.expect(again, 409, "KEY_ALIAS_NOT_UNIQUE_ERR")
        self.assertEqual(again.resource["errorMsg"], "Conflict: Key could not be created: Please "
                         "see `reasons` for more details (KEY_ALIAS_NOT_UNIQUE_ERR)")
        self.assertEqual(self.emulator.call("HEAD", "/keys").headers["key-total"], "1")

    def test_create_minimal(self):
        answer = self.expect(self.emulator.create(description="words", payload="AAEC"), 201)
        self.assertEqual(list(answer.resource), ["type", "id", "name", "description", "state",
                                                 "extractable", "crn", "imported", "deleted"])

    def test_generated_material(self):
        key = self.emulator.create().resource["id"]
        payload = self.emulator.call("GET", f"/keys/{key}").resource["payload"]
        self.assertEqual(len(base64.b64decode(payload)), 32)

    def test_names_of_any_case(self):
        body = {"Metadata": {"CollectionType": KEY_TYPE, "CollectionTotal": 1},
                "Resources": [{"Type": KEY_TYPE, "Name": "go", "Tags": ["a"],
                               "Extractable": False}]}
        key = self.expect(self.emulator.call("POST", "/keys", body), 201).resource["id"]
        self.assertEqual(self.emulator.call("GET", f"/keys/{key}").resource["tags"], ["a"])

    def test_bad_bodies(self):
        good = envelope({})
        wrong_total = envelope({})
        wrong_total["metadata"]["collectionTotal"] = 2
        two = envelope({})
        two["metadata"]["collectionTotal"] = 2
        two["resources"] *= 2
        cases = [
            (None, "NO_BODY_ERR"), ("null", "NO_BODY_ERR"), ("{", "BAD_BODY_ERR"),
            ({"resources": good["resources"]}, "BAD_BODY_ERR"), (two, "BAD_BODY_ERR"),
            (wrong_total, "COLLECTION_TOTAL_MISMATCH_ERR"),
        ]
        for body, code in cases:
            self.expect(self.emulator.call("POST", "/keys", body), 400, code)

    def test_bad_fields(self):
        big = base64.b64encode(bytes(7501)).decode()
        cases = {
            "name": [{"name": "a"}, {"name": "a" * 91}, {"name": 1}],
            "type": [{"type": "key"}],
            "description": [{"description": "a" * 241}],
            "aliases": [{"aliases": ["wrap"]}, {"aliases": [UUID_UNKNOWN]}, {"aliases": ["a b"]},
                        {"aliases": ["a1", "a2", "a3", "a4", "a5", "a6"]},
                        {"aliases": ["aa", "aa"]}],
            "tags": [{"tags": ["a<b"]}, {"tags": ["x"] * 31}],
            "expirationDate": [{"expirationDate": "2001-01-01T00:00:00Z"},
                               {"expirationDate": "soon"}],
            "payload": [{"payload": "A==="}, {"payload": big},
                        {"extractable": False, "payload": "AAEC"}],
        }
        for field, members in cases.items():
            for member in members:
                answer = self.emulator.create(**member)
                self.expect(answer, 400, "INVALID_FIELD_ERR")
                self.assertEqual(answer.resource["reasons"][0]["target"],
                                 {"type": "field", "name": field})
        most = base64.b64encode(bytes(7500)).decode()
        self.expect(self.emulator.create(payload=most), 201)

    def test_unknown_key(self):
        answer = self.emulator.call("GET", "/keys/" + UUID_UNKNOWN)
        self.expect(answer, 404, "KEY_NOT_FOUND_ERR")
        self.assertEqual(answer.resource["errorMsg"], "Not Found: Key could not be retrieved: "
                         "Please see 'reasons' for more details (KEY_NOT_FOUND_ERR)")
        self.assertEqual(answer.resource["reasons"][0]["message"], "key does not exist")

    def test_lists(self):
        answer = self.emulator.call("GET", "/keys?limit=500&offset=0&sort=creationDate&state=1")
        self.assertEqual(answer.json, {"metadata": {"collectionType": KEY_TYPE,
                                                    "collectionTotal": 0}})
        first = self.emulator.create(name="one", payload="AAEC").resource["id"]
        self.emulator.advance(100)
        now = self.emulator.control("GET", "state")["now"]
        second = self.emulator.create(name="two", payload="AAEC").resource["id"]

        def ids(query):
            return [key["id"] for key in self.emulator.call(
                "GET", "/keys?" + query).json.get("resources", [])]
        quoted = urllib.parse.quote(f'creationDate=gte:"{now}"')
        self.assertEqual(ids("filter=" + quoted), [second])
        self.assertEqual(ids("sort=creationDate"), [first, second])
        self.assertEqual(ids("sort=-creationDate"), [second, first])
        self.assertEqual(ids("sort=-creationDate&limit=1&offset=1"), [first])
        self.assertEqual(ids("search=TWO"), [second])
        self.assertEqual(ids("extractable=false"), [])
        self.emulator.call("DELETE", "/keys/" + first)
        self.assertEqual(ids(""), [second])
        self.assertEqual(ids("state=5"), [first])
        quoted = urllib.parse.quote(f'lastUpdateDate=gte:"{now}"')
        self.assertEqual(sorted(ids("state=0,1,2,3,5&filter=" + quoted)), sorted([first, second]))
        count = self.emulator.call("HEAD", "/keys?state=1,2,3,5")
        self.assertEqual((count.headers["key-total"], count.body), ("2", b""))
        for query in ("limit=0", "limit=5001", "offset=-1", "sort=name", "state=4",
                      "filter=name=x", "filter=creationDate=gte:soon"):
            self.expect(self.emulator.call("GET", "/keys?" + query), 400,
                        "INVALID_QUERY_PARAM_ERR")

    def test_delete_restore_purge(self):
        key = self.emulator.create(payload="AAEC", aliases=["gone"]).resource["id"]
        self.assertEqual(self.expect(self.emulator.call("DELETE", f"/keys/{key}"), 204).body, b"")
        answer = self.expect(self.emulator.call("DELETE", f"/keys/{key}"), 410, "KEY_DELETED_ERR")
        self.assertEqual(answer.resource["errorMsg"], "Gone: Key could not be deleted. Please see "
                         "`reasons` for more details.")
        destroyed = self.expect(self.emulator.call("GET", f"/keys/{key}"), 200).resource
        self.assertEqual((destroyed["state"], destroyed["deleted"]), (5, True))
        self.assertNotIn("payload", destroyed)
        for member in ("deletionDate", "deletedBy", "restoreExpirationDate", "restoreAllowed",
                       "purgeAllowed", "purgeAllowedFrom", "purgeScheduledOn"):
            self.assertIn(member, destroyed)
        self.expect(self.emulator.create(aliases=["gone"]), 409, "KEY_ALIAS_NOT_UNIQUE_ERR")
        restore = f"/keys/{key}/restore"
        self.expect(self.emulator.call("POST", restore), 409, "REQ_TOO_EARLY_ERR")
        self.emulator.advance(31)
        restored = self.expect(self.emulator.call("POST", restore), 201).resource
        self.assertEqual((restored["state"], restored["deleted"]), (1, False))
        self.assertEqual(self.emulator.call("GET", f"/keys/{key}").resource["payload"], "AAEC")
        purge = f"/keys/{key}/purge"
        self.expect(self.emulator.call("DELETE", purge, who="purger"), 409,
                    "KEY_ACTION_INVALID_STATE_ERR")
        self.expect(self.emulator.call("DELETE", f"/keys/{key}",
                                       headers={"prefer": "return=representation"}), 200)
        self.emulator.advance(3 * 3600)
        self.expect(self.emulator.call("DELETE", purge), 401)
        answer = self.emulator.call("DELETE", purge, who="purger")
        self.expect(answer, 409, "REQ_TOO_EARLY_ERR")
        self.assertTrue(answer.resource["reasons"][0]["message"].endswith(
            "Purge operation is allowed 4h0m0s after key is deleted"))
        self.emulator.advance(3600)
        self.expect(self.emulator.call("DELETE", purge, who="purger"), 204)
        self.expect(self.emulator.call("GET", f"/keys/{key}"), 404, "KEY_NOT_FOUND_ERR")
        self.expect(self.emulator.create(aliases=["gone"]), 201)

    def test_restore_expires_and_purges_itself(self):
        key = self.emulator.create(payload="AAEC").resource["id"]
        self.emulator.call("DELETE", f"/keys/{key}")
        self.emulator.advance(31 * 86400)
        self.expect(self.emulator.call("POST", f"/keys/{key}/restore"), 400, "KEY_RESTORE_EXPIRED")
        self.emulator.advance(60 * 86400)
        self.expect(self.emulator.call("GET", f"/keys/{key}"), 404)


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


class Surroundings(WithEmulator):
    def test_rings(self):
        emulator = self.emulator
        self.expect(emulator.call("POST", "/key_rings/r2"), 201)
        self.assertEqual(emulator.call("POST", "/key_rings/r2").status, 409)
        rings = emulator.call("GET", "/key_rings").json
        self.assertEqual([r["id"] for r in rings["resources"]], ["default", "r2"])
        key = emulator.create({"x-kms-key-ring": "r2"}, payload="AAEC").resource["id"]
        self.expect(emulator.create({"x-kms-key-ring": "r9"}), 404, "KEY_RING_NOT_FOUND_ERR")
        self.expect(emulator.call("GET", f"/keys/{key}", headers={"x-kms-key-ring": "default"}),
                    404)
        self.expect(emulator.call("DELETE", "/key_rings/r2"), 409, "KEY_RING_NOT_EMPTY_ERR")
        moved = emulator.call("PATCH", f"/keys/{key}", {"KeyRingID": "default"})
        self.assertEqual(self.expect(moved, 200).resource["keyRingID"], "default")
        emulator.call("PATCH", f"/keys/{key}", {"keyRingID": "r2"})
        emulator.call("DELETE", f"/keys/{key}")
        self.expect(emulator.call("DELETE", "/key_rings/r2"), 409,
                    "KEY_RING_KEYS_NOT_DELETED_ERR")
        self.expect(emulator.call("DELETE", "/key_rings/r2?force=true"), 204)
        self.assertEqual(emulator.call("GET", f"/keys/{key}").resource["keyRingID"], "default")
        self.expect(emulator.call("DELETE", "/key_rings/default"), 400)

    def test_aliases(self):
        key = self.emulator.create(payload="AAEC").resource["id"]
        made = self.expect(self.emulator.call("POST", f"/keys/{key}/aliases/a2"), 201)
        self.assertEqual(made.json["metadata"]["collectionType"],
                         "application/vnd.ibm.kms.alias+json")
        self.assertEqual(list(made.resource), ["keyId", "alias", "createdBy", "creationDate"])
        self.expect(self.emulator.call("POST", f"/keys/{key}/aliases/a2"), 409,
                    "KEY_ALIAS_NOT_UNIQUE_ERR")
        self.assertEqual(self.emulator.call("GET", "/keys/a2").resource["id"], key)
        self.expect(self.emulator.call("DELETE", f"/keys/{key}/aliases/a2"), 204)
        self.expect(self.emulator.call("GET", "/keys/a2"), 404)

    def test_key_policies(self):
        key = self.root()
        path = f"/keys/{key}/policies"
        self.assertEqual(self.emulator.call("GET", path).json, {
            "metadata": {"collectionType": "application/vnd.ibm.kms.policy+json",
                         "collectionTotal": 0}})
        rotation = policy({"rotation": {"enabled": True, "interval_month": 3}})
        self.expect(self.emulator.call("PUT", path + "?policy=rotation", rotation), 200)
        self.assertEqual(self.emulator.call("GET", f"/keys/{key}").resource["rotation"],
                         {"enabled": True, "interval_month": 3})
        standard = self.emulator.create(payload="AAEC").resource["id"]
        self.expect(self.emulator.call("PUT", f"/keys/{standard}/policies", rotation), 400,
                    "KEY_ROOT_REQ_ERR")

    def test_dual_authorisation(self):
        key = self.emulator.create(payload="AAEC").resource["id"]
        mark = f"/keys/{key}/actions/setKeyForDeletion"
        self.expect(self.emulator.call("POST", mark), 409, "NOT_DUAL_AUTH_ERR")
        dual = policy({"dualAuthDelete": {"enabled": True}})
        self.expect(self.emulator.call("PUT", f"/keys/{key}/policies", dual), 200)
        self.expect(self.emulator.call("DELETE", f"/keys/{key}"), 409, "AUTHORIZATIONS_NOT_MET")
        self.expect(self.emulator.call("POST", mark), 204)
        self.expect(self.emulator.call("DELETE", f"/keys/{key}"), 409, "AUTHORIZATIONS_NOT_MET")
        self.expect(self.emulator.call("DELETE", f"/keys/{key}", who="second-manager"), 204)

    def test_instance_policies(self):
        path = "/instance/policies"

        def body(kind, data):
            return policy({"policy_type": kind, "policy_data": data})
        only_root = body("keyCreateImportAccess", {
            "enabled": True, "attributes": {"import_standard_key": False}})
        self.expect(self.emulator.call("PUT", path + "?policy=keyCreateImportAccess", only_root),
                    204)
        answer = self.emulator.create(payload="AAEC")
        self.expect(answer, 409, "KEY_CREATE_IMPORT_ACCESS_ERR")
        self.expect(self.emulator.create(), 201)
        self.expect(self.emulator.call("PUT", path + "?policy=metrics", only_root), 400,
                    "BODY_QUERY_PARAM_MISMATCH_ERR")
        bad = body("metrics", {"enabled": True, "attributes": {}})
        self.expect(self.emulator.call("PUT", path, bad), 400, "BAD_BODY_ERR")
        self.expect(self.emulator.call("PUT", path, body("dualAuthDelete", {"enabled": True})),
                    204)
        key = self.emulator.create().resource["id"]
        self.assertTrue(self.emulator.call("GET", f"/keys/{key}").resource["dualAuthDelete"][
            "enabled"])
        every = {"enabled": True, "attributes": {"interval_month": 4}}
        self.expect(self.emulator.call("PUT", path, body("rotation", every)), 204)
        key = self.root()
        self.assertEqual(self.emulator.call("GET", f"/keys/{key}").resource["rotation"],
                         {"enabled": True, "interval_month": 4})
        listed = self.emulator.call("GET", path).json
        self.assertEqual(listed["metadata"]["collectionTotal"], 3)

    def test_policy_overrides(self):
        body = envelope({"extractable": False, "dualAuthDelete": {"enabled": True},
                         "rotation": {"enabled": True, "interval_month": 2}})
        path = "/keys_with_policy_overrides"
        self.expect(self.emulator.call("POST", path, body, who="writer"), 401)
        key = self.expect(self.emulator.call("POST", path, body), 201).resource["id"]
        made = self.emulator.call("GET", f"/keys/{key}").resource
        self.assertEqual((made["rotation"]["interval_month"], made["dualAuthDelete"]),
                         (2, {"enabled": True}))
        body["resources"][0]["rotation"]["interval_month"] = 13
        self.expect(self.emulator.call("POST", path, body), 400, "INVALID_FIELD_ERR")

    def test_registrations_are_none(self):
        key = self.root()
        for path in (f"/keys/{key}/registrations", "/keys/registrations"):
            self.assertNotIn("resources", self.expect(self.emulator.call("GET", path), 200).json)

    def test_unknown_path(self):
        self.expect(self.emulator.raw("GET", "/api/v3/keys"), 404)
        self.expect(self.emulator.raw("GET", "/"), 404)
        self.expect(self.emulator.raw("GET", "/a" * 40), 404)


class Durability(WithEmulator):
    def test_kill_after_answer(self):
        emulator = self.emulator
        self.expect(emulator.call("POST", "/key_rings/kmip"), 201)
        root = self.root(aliases=["the-root"])
        wrapped = emulator.call("POST", f"/keys/{root}/actions/wrap", {}).json
        emulator.advance(86400)
        made = emulator.create({"prefer": "return=representation", "x-kms-key-ring": "kmip"},
                               payload="AAEC", aliases=["a1"], tags=["t"])
        instance = emulator.instance
        emulator.kill()
        emulator.start()
        self.assertEqual(emulator.instance, instance)
        # the token of before works on: it is signed, not remembered
        self.assertEqual(emulator.call("GET", "/keys/a1").resource, {**made.resource,
                                                                    "tags": ["t"]})
        opened = emulator.call("POST", "/keys/the-root/actions/unwrap",
                               {"ciphertext": wrapped["ciphertext"]})
        self.assertEqual(opened.json["plaintext"], wrapped["plaintext"])
        self.assertEqual(emulator.stop(), 0)

    def test_no_material_in_log_or_store(self):
        material = base64.b64encode(b"root-material-of-32-bytes-long!!").decode()
        root = self.root(payload=material)
        plain = base64.b64encode(b"the plain data encryption key 42").decode()
        self.emulator.call("POST", f"/keys/{root}/actions/wrap", {"plaintext": plain})
        envelope_bytes = base64.b64encode(b"KPE1 and so on").decode()
        self.emulator.create(payload=envelope_bytes)
        self.emulator.create(payload="AAECAwQ=")
        log = self.emulator.log()
        self.assertIn("payload_bytes=14 payload_kind=KPE1", log)
        self.assertIn("payload_bytes=5 payload_kind=opaque", log)
        for secret in (material, plain, envelope_bytes):
            self.assertNotIn(secret, log)
        with open(os.path.join(self.emulator.folder, "data.mdb"), "rb") as file:
            stored = file.read()
        self.assertNotIn(material.encode(), stored)
        self.assertNotIn(b"root-material-of-32-bytes-long!!", stored)


class Faults(WithEmulator):
    def arm(self, **fault):
        self.emulator.control("POST", "fault", fault)

    def test_drop_after_commit(self):
        self.emulator.token()
        self.emulator.call("GET", "/keys")
        self.arm(path="/api/v2/keys", method="POST", kind="drop_after_commit", count=1)
        with self.assertRaises((OSError, http.client.HTTPException)):
            self.emulator.create(aliases=["lost-answer"], payload="AAEC")
        self.assertEqual(self.emulator.call("GET", "/keys/lost-answer").resource["payload"],
                         "AAEC")

    def test_reset_does_nothing(self):
        self.emulator.call("GET", "/keys")
        self.arm(path="^/api/v2/keys$", method="POST", kind="reset", count=1)
        with self.assertRaises((OSError, http.client.HTTPException)):
            self.emulator.create(aliases=["never"], payload="AAEC")
        self.expect(self.emulator.call("GET", "/keys/never"), 404)

    def test_status_and_retry_after(self):
        self.arm(path="/api/v2/keys", kind="status", status=429, retry_after=7, count=1, skip=1)
        self.expect(self.emulator.call("GET", "/keys"), 200)
        answer = self.expect(self.emulator.call("GET", "/keys"), 429)
        self.assertEqual(answer.headers["retry-after"], "7")
        self.expect(self.emulator.call("GET", "/keys"), 200)
        self.arm(path="/api", kind="status", status=503, body="no healthy upstream")
        self.assertEqual(self.emulator.call("GET", "/keys").body, b"no healthy upstream")
        self.emulator.control("DELETE", "fault")
        self.expect(self.emulator.call("GET", "/keys"), 200)

    def test_bodies(self):
        key = self.emulator.create(payload="AAECAwQFBgcICQoL").resource["id"]
        self.arm(path="/api", kind="delay", delay_ms=20, count=1)
        self.expect(self.emulator.call("GET", f"/keys/{key}"), 200)
        self.arm(path="/api", kind="slow_body", delay_ms=50, count=1)
        self.assertEqual(self.emulator.call("GET", f"/keys/{key}").resource["id"], key)
        self.arm(path="/api", kind="wrong_bytes", count=1)
        self.assertNotEqual(self.emulator.call("GET", f"/keys/{key}").resource["payload"],
                            "AAECAwQFBgcICQoL")
        self.arm(path="/api", kind="truncated", count=1)
        with self.assertRaises((OSError, http.client.HTTPException)):
            self.emulator.call("GET", f"/keys/{key}")
        self.arm(path="/api", kind="huge", count=1)
        self.assertGreater(len(self.emulator.call("GET", f"/keys/{key}").body), 60 << 20)

    def test_modes(self):
        key = self.root()
        self.emulator.control("POST", "mode", {"read_only": True})
        self.expect(self.emulator.create(), 503)
        self.expect(self.emulator.call("POST", f"/keys/{key}/actions/wrap", {}), 200)
        self.emulator.control("POST", "mode", {"read_only": False, "iam_down": True})
        self.expect(self.emulator.token(), 503)
        self.expect(self.emulator.call("GET", "/keys"), 200)
        self.emulator.control("POST", "mode", {"iam_down": False, "down": True})
        with self.assertRaises((OSError, http.client.HTTPException)):
            self.emulator.call("GET", "/keys")
        self.emulator.control("POST", "mode", {"down": False})
        self.expect(self.emulator.call("GET", "/keys"), 200)

    def test_rate_limit(self):
        self.emulator.call("GET", "/keys")
        self.emulator.control("POST", "mode", {"rate_per_s": 1})
        # given one call a second, when three come at once, then one at least is throttled
        answers = [self.emulator.call("GET", "/keys") for _ in range(3)]
        throttled = [answer for answer in answers if answer.status == 429]
        self.assertTrue(throttled)
        self.assertEqual(throttled[0].resource, {
            "errorMsg": "Too Many Requests: Please wait a few minutes and try again."})

    def test_counters(self):
        self.emulator.create(payload="AAEC")
        self.assertEqual(self.emulator.control("GET", "counters"), {
            "POST /identity/token": 1, "POST /api/v2/keys": 1})
        self.emulator.control("DELETE", "counters")
        self.assertEqual(self.emulator.control("GET", "counters"), {})

    def test_a_client_that_leaves_early(self):
        # given an answer that takes long, when the client goes, then the emulator lives on
        self.emulator.call("GET", "/keys")
        for kind in ("delay", "slow_body"):
            self.arm(path="/identity", kind=kind, delay_ms=100, count=1)
            connection = self.emulator.connect()
            connection.request("POST", "/identity/token", "grant_type=x")
            connection.close()
        self.arm(path="/api", kind="delay", delay_ms=200, count=1)
        self.expect(self.emulator.call("GET", "/keys"), 200)
        self.assertEqual(self.emulator.stop(), 0)


class PlainHttp(WithEmulator):
    options = ("--http",)

    def test_http_serves_the_same(self):
        self.expect(self.emulator.create(payload="AAEC"), 201)


class CommandLine(unittest.TestCase):
    def run_with(self, *options):
        return subprocess.run([BINARY, *options], capture_output=True, text=True, check=False,
                              timeout=20)

    def test_remote_addresses_are_refused(self):
        result = self.run_with("--listen", "0.0.0.0:0", "--data", "unused")
        self.assertEqual(result.returncode, 2)
        self.assertIn("--allow-remote", result.stderr)

    def test_help(self):
        result = self.run_with("--help")
        self.assertEqual(result.returncode, 0)
        self.assertIn("--token-life", result.stdout)

    def test_wrong_options(self):
        for options in (["--data"], ["--what"], ["--data", "x", "--instance", "y"],
                        ["--data", "x", "--cert", "y"], []):
            self.assertEqual(self.run_with(*options).returncode, 2)


if __name__ == "__main__":
    unittest.main()
