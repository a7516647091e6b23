# SPDX-License-Identifier: Apache-2.0
"""Tokens: who gets one, what it opens, and how its end is told."""

from emulator_process import UUID_UNKNOWN, WithEmulator


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
