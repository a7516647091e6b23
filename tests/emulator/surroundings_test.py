# SPDX-License-Identifier: Apache-2.0
"""What is around keys: rings, aliases, policies, registrations, hosts and networks."""
import urllib.parse


from emulator_process import UUID_UNKNOWN, WithEmulator, envelope, policy


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

    def test_registrations_protect_a_key(self):
        crn = "crn:v1:bluemix:public:cloud-object-storage:global:a/1:2:bucket:b"
        key, other = self.root(), self.root()
        self.emulator.control("POST", "registration", {"key": key, "resource_crn": crn, "description": "d"})
        self.emulator.kill()
        self.emulator.start()
        listed = self.expect(self.emulator.call("GET", f"/keys/{key}/registrations?totalCount=true"), 200)
        self.assertEqual(listed.json["metadata"]["totalCount"], 1)
        self.assertEqual((listed.resource["keyId"], listed.resource["resourceCrn"]), (key, crn))
        self.assertNotIn("resources", self.emulator.call("GET", f"/keys/{other}/registrations").json)

        def asked(crn_query):
            twice = urllib.parse.quote(urllib.parse.quote(crn_query, safe=""), safe="")
            return self.emulator.call("GET", "/keys/registrations?urlEncodedResourceCRNQuery=" + twice).json[
                "metadata"]["collectionTotal"]
        self.assertEqual((asked(crn), asked(crn[:30] + "%"), asked("crn:other")), (1, 1, 0))
        self.expect(self.emulator.call("GET", "/keys/registrations?limit=0"), 400, "INVALID_QUERY_PARAM_ERR")
        answer = self.expect(self.emulator.call("DELETE", f"/keys/{key}"), 409, "PROTECTED_RESOURCE_ERR")
        self.assertEqual(answer.resource["reasons"][0]["target"], {"type": "query_param", "name": "force"})
        self.emulator.control("POST", "registration", {"key": other, "resource_crn": crn,
                                                       "prevent_key_deletion": True})
        self.expect(self.emulator.call("DELETE", f"/keys/{other}?force=true"), 409, "PREV_KEY_DEL_ERR")
        self.expect(self.emulator.call("DELETE", f"/keys/{key}?force=true"), 204)

    def test_calls_between_services(self):
        key = self.root()
        for method in ("POST", "PATCH", "PUT", "DELETE"):
            self.expect(self.emulator.call(method, f"/keys/{key}/registrations/crn%3Ax"), 403, "SERVICE_ONLY_ERR")
        for method in ("GET", "POST", "DELETE"):
            self.expect(self.emulator.call(method, f"/keys/{key}/migrationIntent"), 403, "SERVICE_ONLY_ERR")
        self.expect(self.emulator.call("POST", f"/keys/{key}/registrations?action=deactivate"), 403)
        self.expect(self.emulator.call("POST", "/event_ack"), 403)

    def test_rotation_policy_rotates_when_due(self):
        key = self.root()
        path = f"/keys/{key}/policies?policy=rotation"
        self.expect(self.emulator.call("PUT", path, policy({"rotation": {"enabled": True}})), 400)
        self.expect(self.emulator.call("PUT", path, policy({"rotation": {"enabled": True, "interval_month": 1}})), 200)

        def versions():
            return self.emulator.call("GET", f"/keys/{key}/versions").json["metadata"]["collectionTotal"]
        self.emulator.advance(29 * 86400)
        self.assertEqual(versions(), 1)
        self.emulator.advance(2 * 86400)
        self.assertEqual(versions(), 2)
        # paused, it keeps its interval and does nothing
        paused = self.expect(self.emulator.call("PUT", path, policy({"rotation": {"enabled": False}})), 200)
        self.assertEqual(paused.resource["rotation"], {"enabled": False, "interval_month": 1})
        self.emulator.advance(40 * 86400)
        self.assertEqual(versions(), 2)
        self.expect(self.emulator.call("GET", f"/keys/{key}/policies?policy=color"), 400, "INVALID_QUERY_PARAM_ERR")

    def instance_policy(self, kind, attributes):
        body = policy({"policy_type": kind, "policy_data": {"enabled": True, "attributes": attributes}})
        return self.emulator.call("PUT", "/instance/policies?policy=" + kind, body)

    def test_networks(self):
        private = {"host": "private.us-south.kms.cloud.ibm.com"}
        self.assertEqual(self.emulator.call("GET", "/instance/allowed_ip_port").json["resources"], [])
        self.expect(self.instance_policy("allowedIP", {"allowed_ip": ["127.0.0.0/8", "10.1.2.3"]}), 204)
        listed = self.emulator.call("GET", "/instance/policies").json["resources"]
        self.assertEqual([p["policy_type"] for p in listed], ["allowedIP", "ipWhitelist"])
        self.assertEqual(self.emulator.call("GET", "/instance/allowed_ip_port").resource,
                         {"private_endpoint_port": 15008})
        for wrong in ([], ["10.0.0.0/33"], ["::1"], "10.0.0.0/8"):
            self.expect(self.instance_policy("allowedIP", {"allowed_ip": wrong}), 400, "INVALID_FIELD_ERR")
        self.expect(self.instance_policy("allowedNetwork", {"allowed_network": "none"}), 400, "INVALID_FIELD_ERR")
        self.expect(self.instance_policy("allowedNetwork", {"allowed_network": "private-only"}), 204)
        self.expect(self.emulator.call("GET", "/keys"), 401)
        self.expect(self.emulator.call("GET", "/keys", headers=private), 200)
        self.expect(self.emulator.call("GET", "/keys", headers={
            "host": f"{self.emulator.instance}.api.private.eu-de.kms.appdomain.cloud"}), 200)

    def test_other_addresses_are_shut_out(self):
        self.expect(self.instance_policy("allowedIP", {"allowed_ip": ["10.0.0.0/8"]}), 204)
        self.expect(self.emulator.call("GET", "/keys"), 401)

    def test_host_of_another_instance(self):
        for domain in ("eu-de.hs-crypto.appdomain.cloud", "eu-de.kms.appdomain.cloud"):
            self.expect(self.emulator.call("GET", "/keys", headers={"host": f"{UUID_UNKNOWN}.api.{domain}"}), 401)
            self.expect(self.emulator.call("GET", "/keys", headers={
                "host": f"{self.emulator.instance}.api.{domain}"}), 200)


class Broker(WithEmulator):
    instance = "87fa68d0-fa10-47d0-a201-603949808530"
    options = ("--service", "hpcs", "--instance", instance,
               "--host", f"{instance}.api.eu-de.hs-crypto.appdomain.cloud",
               "--host", f"{instance}.api.private.eu-de.hs-crypto.appdomain.cloud")

    def test_tells_both_endpoints_to_who_has_a_token(self):
        path = f"/crypto_v2/instances/{self.instance}"
        self.expect(self.emulator.raw("GET", path), 401)
        headers = {"authorization": "Bearer " + self.emulator.token().json["access_token"]}
        self.assertEqual(self.expect(self.emulator.raw("GET", path, headers=headers), 200).json, {
            "instance_id": self.instance, "kms": {
                "public": f"{self.instance}.api.eu-de.hs-crypto.appdomain.cloud",
                "private": f"{self.instance}.api.private.eu-de.hs-crypto.appdomain.cloud"}})
        self.expect(self.emulator.raw("GET", f"/crypto_v2/instances/{UUID_UNKNOWN}", headers=headers), 404)
