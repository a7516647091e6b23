# SPDX-License-Identifier: Apache-2.0
"""Tokens: who gets one, by which grant, what it opens, and how its end is told."""
import urllib.parse

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


class Grants(WithEmulator):
    options = ("--profile", "ci-runner=Reader")
    urn = "urn:ibm:params:oauth:grant-type:"

    def ask(self, grant, headers=None, **form):
        return self.emulator.raw("POST", "/identity/token", urllib.parse.urlencode({"grant_type": grant, **form}), {
            "content-type": "application/x-www-form-urlencoded", **(headers or {})})

    def refused(self, answer, code):
        self.assertEqual(self.expect(answer, 400).json["errorCode"], code)

    def opens(self, token, method="GET", path="/keys"):
        return self.emulator.raw(method, "/api/v2" + path, headers={
            "authorization": "Bearer " + token, "bluemix-instance": self.emulator.instance}).status

    def test_refresh_token(self):
        # given a client that tells its id, as redstone does, then its refresh token is one
        basic = {"authorization": "Basic Yng6Yng="}
        told = self.expect(self.ask(self.urn + "apikey", basic, apikey="reader", uaa_client_secret=""), 200).json
        self.assertEqual(self.opens(told["refresh_token"]), 401)
        self.emulator.control("POST", "clock", {"advance_s": 7 * 86400})
        again = self.expect(self.ask("refresh_token", basic, refresh_token=told["refresh_token"]), 200).json
        self.assertEqual(self.opens(again["access_token"]), 200)
        self.refused(self.ask("refresh_token", basic, refresh_token=told["access_token"]), "BXNIM0407E")
        self.refused(self.ask("refresh_token", refresh_token="not_supported"), "BXNIM0407E")
        self.emulator.control("POST", "clock", {"advance_s": 31 * 86400})
        self.refused(self.ask("refresh_token", basic, refresh_token=told["refresh_token"]), "BXNIM0408E")

    def test_compute_resource_and_assumed_profile(self):
        for form in ({"profile_name": "ci-runner"}, {"profile_id": "ci-runner"}):
            told = self.expect(self.ask(self.urn + "cr-token", cr_token="a.b.c", **form), 200).json
            self.assertEqual(self.opens(told["access_token"]), 200)
            self.assertEqual(self.opens(told["access_token"], "GET", "/instance/policies"), 401)
        self.refused(self.ask(self.urn + "cr-token", cr_token="a.b.c", profile_name="nobody"), "BXNIM0102E")
        self.refused(self.ask(self.urn + "cr-token", profile_name="ci-runner"), "BXNIM0109E")
        mine = self.emulator.token().json["access_token"]
        told = self.expect(self.ask(self.urn + "assume", access_token=mine, profile_name="ci-runner"), 200).json
        self.assertEqual(self.opens(told["access_token"], "GET", "/instance/policies"), 401)
        self.refused(self.ask(self.urn + "assume", access_token="a.b.c", profile_name="ci-runner"), "BXNIM0407E")
        self.refused(self.ask(self.urn + "apikey", apikey="ci-runner"), "BXNIM0415E")

    def test_virtual_server(self):
        put = "/instance_identity/v1/token?version=2022-03-01"
        self.expect(self.emulator.raw("PUT", put, {"expires_in": 300}), 400)
        flavor = {"metadata-flavor": "ibm"}
        identity = self.expect(self.emulator.raw("PUT", put, {"expires_in": 300}, flavor), 200).json["access_token"]
        told = self.expect(self.emulator.raw(
            "POST", "/instance_identity/v1/iam_token?version=2022-03-01", {"trusted_profile": {"id": "ci-runner"}},
            {"authorization": "Bearer " + identity}), 200).json
        self.assertEqual(self.opens(told["access_token"]), 200)
        self.expect(self.emulator.raw("POST", "/instance_identity/v1/iam_token?version=2022-03-01", {}), 401)

    def test_nonsense(self):
        self.refused(self.ask("password", username="x"), "BXNIM0106E")
        self.refused(self.emulator.raw("POST", "/identity/token", "%%%"), "BXNIM0106E")
        self.refused(self.ask(self.urn + "apikey"), "BXNIM0109E")
        self.refused(self.ask("refresh_token"), "BXNIM0109E")
