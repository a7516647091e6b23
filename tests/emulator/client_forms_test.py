# SPDX-License-Identifier: Apache-2.0
"""What IBM's own client libraries put on the wire and no document tells, one test for each habit, as raw HTTP. Seen with
keyprotect 3.0.1 and 2.3.1 (with redstone 0.6.2) for Python, @ibm-cloud/ibm-key-protect 0.1.2 for Node and
keyprotect-go-client 0.17.3. Where keyprotect 3 is installed, the library itself is called as well.
"""
import importlib.util
import json
import unittest
import urllib.parse

from emulator_process import KEY_TYPE, WithEmulator, envelope, policy

LIBRARY = "keyprotect.ibm_key_protect_api_v2"


class Forms(WithEmulator):
    def test_parameters_without_a_value(self):
        # Python's new client, given no states, asks for "state="
        self.emulator.create(payload="AAEC")
        answer = self.expect(self.emulator.call("GET", "/keys?state=&extractable=true&limit="), 200)
        self.assertEqual(answer.json["metadata"]["collectionTotal"], 1)

    def test_booleans_as_python_writes_them(self):
        for value in ("True", "true", "1"):
            answer = self.expect(self.emulator.call("GET", "/kmip_adapters?limit=10&offset=0&totalCount=" + value), 200)
            self.assertEqual(answer.json["metadata"]["totalCount"], 0)
        self.assertNotIn("totalCount", self.emulator.call("GET", "/kmip_adapters?totalCount=False").json["metadata"])
        self.expect(self.emulator.call("GET", "/kmip_adapters?totalCount=yes"), 400, "INVALID_QUERY_PARAM_ERR")

    def test_redstone_asks_for_a_token(self):
        form = {"grant_type": "urn:ibm:params:oauth:grant-type:apikey", "apikey": "reader",
                "response_type": "cloud_iam", "uaa_client_id": "cf", "uaa_client_secret": ""}
        told = self.expect(self.emulator.raw("POST", "/oidc/token", urllib.parse.urlencode(form), {
            "content-type": "application/x-www-form-urlencoded", "authorization": "Basic Yng6Yng="}), 200).json
        self.assertNotEqual(told["refresh_token"], "not_supported")

    def test_go_sends_null_and_no_content_type(self):
        root = self.root()
        for action, status in (("disable", 204), ("enable", 409), ("setKeyForDeletion", 409)):
            self.expect(self.emulator.call("POST", f"/keys/{root}/actions/{action}", "null"), status)
        body = envelope({"name": "go", "extractable": False, "Tags": ["t"]})
        self.expect(self.emulator.call("POST", "/keys", json.dumps(body), {"accept": "application/json"}), 201)

    def test_go_ends_a_search_with_a_comma(self):
        root = self.root(name="goroot")
        self.root(name="goroot-too")
        listed = self.emulator.call("GET", "/keys?limit=10&search=exact%3Agoroot%2C&sort=-creationDate&state=1").json
        self.assertEqual([key["id"] for key in listed["resources"]], [root])
        self.assertEqual(listed["metadata"]["searchQuery"], {
            "query": "goroot", "scopes": ["name", "alias"], "not": False, "exact": True})

    def test_go_switches_a_rotation_without_its_interval(self):
        path = f"/keys/{self.root()}/policies?policy=rotation"
        self.emulator.call("PUT", path, policy({"rotation": {"enabled": True, "interval_month": 3}}))
        for enabled in (False, True):
            answer = self.expect(self.emulator.call("PUT", path, policy({"rotation": {"enabled": enabled}})), 200)
            self.assertEqual(answer.resource["rotation"], {"enabled": enabled, "interval_month": 3})

    def test_restore_with_the_key_as_body(self):
        # Node's client still sends what the service once asked for
        key = self.emulator.create(payload="AAEC").resource["id"]
        self.emulator.call("DELETE", f"/keys/{key}")
        self.emulator.advance(31)
        self.expect(self.emulator.call("POST", f"/keys/{key}/restore", envelope({"extractable": True})), 201)

    def test_the_old_form_of_actions(self):
        root = self.root()
        wrapped = self.expect(self.emulator.call("POST", f"/keys/{root}?action=wrap", {"plaintext": "AAEC"}, {
            "prefer": "return=representation", "content-type": "application/vnd.ibm.kms.key_action+json"}), 200).json
        self.expect(self.emulator.call("POST", f"/keys/{root}?action=unwrap", {
            "ciphertext": wrapped["ciphertext"]}), 200)
        self.expect(self.emulator.call("POST", f"/keys/{root}?action=rotate"), 204)
        self.expect(self.emulator.call("POST", f"/keys/{root}?action=dance"), 404)


@unittest.skipUnless(importlib.util.find_spec("keyprotect") and importlib.util.find_spec(LIBRARY),
                     "IBM's client library for Python (keyprotect 3) is not installed")
class Library(WithEmulator):
    options = ("--http",)

    def test_a_key_lives_and_dies(self):
        from ibm_cloud_sdk_core.authenticators import IAMAuthenticator
        from keyprotect.ibm_key_protect_api_v2 import IbmKeyProtectApiV2
        url = f"http://{self.emulator.connection.host}:{self.emulator.connection.port}"
        client = IbmKeyProtectApiV2(authenticator=IAMAuthenticator("dev-manager-key", url=url))
        client.set_service_url(url)
        who = {"bluemix_instance": self.emulator.instance}

        def create(**members):
            body = {"metadata": {"collectionType": KEY_TYPE, "collectionTotal": 1},
                    "resources": [{"type": KEY_TYPE, "name": "of-the-library", **members}]}
            return client.create_key(key_create_body=body, **who).get_result()["resources"][0]["id"]
        root, key = create(extractable=False), create(extractable=True, payload="AAEC")
        wrapped = client.wrap_key(id=root, key_action_wrap_body={"plaintext": "AAEC", "aad": ["a"]}, **who).get_result()
        opened = client.unwrap_key(id=root, key_action_unwrap_body={
            "ciphertext": wrapped["ciphertext"], "aad": ["a"]}, **who).get_result()
        self.assertEqual(opened["plaintext"], "AAEC")
        self.assertEqual(client.get_key(id=key, **who).get_result()["resources"][0]["payload"], "AAEC")
        self.assertEqual(client.get_keys(**who).get_result()["metadata"]["collectionTotal"], 2)
        client.delete_key(id=key, **who)
        with self.assertRaises(Exception) as caught:
            client.delete_key(id=key, **who)
        self.assertEqual(caught.exception.status_code, 410)
