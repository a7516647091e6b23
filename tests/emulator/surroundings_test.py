# SPDX-License-Identifier: Apache-2.0
"""What is around keys: rings, aliases, policies, registrations."""

from emulator_process import WithEmulator, envelope, policy


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
