# SPDX-License-Identifier: Apache-2.0
"""Keys: create, read, list, delete, restore, purge; bodies and fields that are refused."""
import base64
import urllib.parse

from emulator_process import KEY_TYPE, UUID_UNKNOWN, WithEmulator, envelope


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
