# SPDX-License-Identifier: Apache-2.0
"""Knobs: outages, timers, lags and limits, each turned while the emulator runs."""
import http.client
import json

from emulator_process import WithEmulator


class Knobs(WithEmulator):
    def turn(self, **knobs):
        return self.emulator.control("POST", "mode", knobs)

    def create(self, **members):
        return self.expect(self.emulator.create(payload="AAEC", **members), 201).resource["id"]

    def listed(self, query=""):
        return [key["id"] for key in self.emulator.call("GET", "/keys?" + query).json.get("resources", [])]

    def test_told_refused_and_reset(self):
        told = self.turn(guard_s=5)
        self.assertEqual((told["guard_s"], told["down"], told["aliases_max"]), (5, False, 1000))
        for wrong in ({"guard_s": 6, "no_such_knob": 1}, {"guard_s": "six"}, {"down": 1}, {"guard_s": -1}):
            self.assertEqual(self.emulator.raw("POST", "/_control/mode", json.dumps(wrong)).status, 400)
        self.assertEqual(self.emulator.control("GET", "mode")["guard_s"], 5)
        self.assertEqual(self.emulator.control("DELETE", "mode")["guard_s"], 30)

    def test_unknown_api_key_for_a_moment(self):
        self.turn(iam_unknown_keys=2)
        for _ in range(2):
            self.assertEqual(self.expect(self.emulator.token(), 400).json["errorCode"], "BXNIM0415E")
        self.expect(self.emulator.token(), 200)

    def test_life_of_tokens_and_skew(self):
        self.turn(token_life_s=100, iam_skew_s=-500)
        before = self.emulator.token().json
        self.turn(iam_skew_s=0)
        self.assertEqual(before["expires_in"], 100)
        self.assertLess(before["expiration"], self.emulator.token().json["expiration"] - 400)
        self.expect(self.emulator.call("GET", "/keys"), 200)
        self.emulator.control("POST", "clock", {"advance_s": 101})
        answer = self.expect(self.emulator.call("GET", "/keys"), 401)
        self.assertNotIn("reasons", answer.resource)
        self.turn(expired_is_400=True)
        self.assertEqual(self.expect(self.emulator.call("GET", "/keys"), 400).body, b"Bad Request: Token is expired")

    def test_everybody_refused(self):
        key = self.create()
        self.turn(refusing=True)
        self.expect(self.emulator.call("GET", f"/keys/{key}"), 401)
        self.expect(self.emulator.token(), 200)
        self.turn(refusing=False, uninitialised=True)
        answer = self.expect(self.emulator.call("GET", f"/keys/{key}"), 503)
        self.assertTrue(answer.body.startswith(b"no healthy upstream: no crypto units"))
        self.assertTrue(answer.headers["content-type"].startswith("text/plain"))

    def test_throttled_with_and_without_retry_after(self):
        self.emulator.call("GET", "/keys")
        for retry_after, told in ((7, "7"), (-1, None)):
            self.turn(rate_per_s=1, retry_after_s=retry_after)
            answers = [self.emulator.call("GET", "/keys") for _ in range(3)]
            throttled = [answer for answer in answers if answer.status == 429]
            self.assertTrue(throttled)
            self.assertEqual(throttled[0].headers["retry-after"], told)

    def test_timers(self):
        key = self.create()
        self.turn(guard_s=0, purge_from_s=60)
        self.expect(self.emulator.call("DELETE", f"/keys/{key}"), 204)
        self.expect(self.emulator.call("POST", f"/keys/{key}/restore"), 201)
        self.expect(self.emulator.call("DELETE", f"/keys/{key}"), 204)
        early = self.expect(self.emulator.call("DELETE", f"/keys/{key}/purge", who="purger"), 409, "REQ_TOO_EARLY_ERR")
        self.assertIn("0h1m0s", early.resource["reasons"][0]["message"])
        self.turn(purge_from_s=0, restore_s=0)
        self.emulator.advance(1)
        self.expect(self.emulator.call("POST", f"/keys/{key}/restore"), 400, "KEY_RESTORE_EXPIRED")
        self.expect(self.emulator.call("DELETE", f"/keys/{key}/purge", who="purger"), 204)
        root = self.root()
        self.turn(rotate_guard_s=0)
        for _ in range(3):
            self.expect(self.emulator.call("POST", f"/keys/{root}/actions/rotate"), 204)
        other = self.create()
        self.emulator.call("DELETE", f"/keys/{other}")
        self.turn(purge_auto_s=0)
        self.expect(self.emulator.call("GET", f"/keys/{other}"), 404, "KEY_NOT_FOUND_ERR")

    def test_sync_once_in_a_while(self):
        root = self.root()
        sync = f"/keys/{root}/actions/sync"
        self.expect(self.emulator.call("POST", sync), 204)
        early = self.expect(self.emulator.call("POST", sync), 409, "REQ_TOO_EARLY_ERR")
        self.assertIn("Sync cannot be performed until at least 20", early.resource["reasons"][0]["message"])
        self.turn(sync_guard_s=0)
        self.expect(self.emulator.call("POST", sync), 204)

    def test_expiry_lags(self):
        self.turn(expiry_lag_s=3600)
        now = self.emulator.control("GET", "state")["now"]
        key = self.create(expirationDate=f"{int(now[:4]) + 1}-12-31T00:00:00Z")
        self.emulator.advance(800 * 86400)
        self.turn(expiry_lag_s=86400)
        self.assertEqual(self.emulator.call("GET", f"/keys/{key}").resource["state"], 3)

    def test_alias_goes_on_answering(self):
        self.turn(alias_lag_s=300)
        key = self.create(aliases=["slow-to-go"])
        self.expect(self.emulator.call("DELETE", f"/keys/{key}/aliases/slow-to-go"), 204)
        self.assertEqual(self.expect(self.emulator.call("GET", "/keys/slow-to-go"), 200).resource["id"], key)
        self.expect(self.emulator.create(aliases=["slow-to-go"]), 409, "KEY_ALIAS_NOT_UNIQUE_ERR")
        self.emulator.kill()
        self.emulator.start()
        self.expect(self.emulator.call("GET", "/keys/slow-to-go/metadata"), 200)
        self.emulator.advance(301)
        self.expect(self.emulator.call("GET", "/keys/slow-to-go"), 404, "KEY_NOT_FOUND_ERR")
        self.assertNotIn("aliases", self.emulator.call("GET", f"/keys/{key}").resource)
        self.create(aliases=["slow-to-go"])

    def test_moved_key_is_found_in_both_rings_for_a_while(self):
        self.turn(ring_lag_s=600)
        self.emulator.call("POST", "/key_rings/archive")
        key = self.create()
        moved = self.expect(self.emulator.call("PATCH", f"/keys/{key}", {"keyRingID": "archive"}), 200)
        self.assertEqual(moved.resource["keyRingID"], "archive")

        def seen_in(ring):
            return self.emulator.call("GET", f"/keys/{key}", headers={"x-kms-key-ring": ring}).status == 200
        self.assertEqual((seen_in("default"), seen_in("archive")), (True, True))
        self.emulator.advance(601)
        self.assertEqual((seen_in("default"), seen_in("archive")), (False, True))

    def test_lists_lag(self):
        self.turn(list_lag_s=20)
        key = self.create()
        self.expect(self.emulator.call("GET", f"/keys/{key}"), 200)
        self.assertEqual(self.listed(), [])
        self.emulator.advance(21)
        self.assertEqual(self.listed(), [key])
        self.expect(self.emulator.call("DELETE", f"/keys/{key}"), 204)
        self.assertEqual((self.listed(), self.listed("state=5")), ([key], []))
        self.assertEqual(self.emulator.call("GET", f"/keys/{key}").resource["state"], 5)
        self.emulator.advance(21)
        self.assertEqual((self.listed(), self.listed("state=5")), ([], [key]))

    def test_two_creators_of_one_alias(self):
        self.turn(alias_race_s=60)
        first = self.create(aliases=["contested"])
        second = self.expect(self.emulator.create(payload="AAED", aliases=["contested"]), 201).resource
        self.assertEqual(second["aliases"], ["contested"])
        self.assertEqual(self.emulator.call("GET", "/keys/contested").resource["id"], first)
        self.assertNotIn("aliases", self.emulator.call("GET", f"/keys/{second['id']}").resource)
        self.emulator.advance(61)
        self.expect(self.emulator.create(aliases=["contested"]), 409, "KEY_ALIAS_NOT_UNIQUE_ERR")

    def test_limits(self):
        self.turn(aliases_max=1, rings_max=2, search_max=1)
        key = self.create(aliases=["only-one"])
        self.expect(self.emulator.create(aliases=["too-many"]), 409)
        self.expect(self.emulator.call("POST", f"/keys/{key}/aliases/too-many"), 409)
        self.expect(self.emulator.call("POST", "/key_rings/r1"), 201)
        self.expect(self.emulator.call("POST", "/key_rings/r2"), 409)
        self.create()
        self.expect(self.emulator.call("GET", "/keys?search=key"), 400, "KEY_SEARCH_TOO_BROAD")
        for whole in (key, "only-one"):
            answer = self.expect(self.emulator.call("GET", "/keys?search=" + whole), 200)
            self.assertEqual(answer.resource["id"], key)
            self.assertTrue(answer.json["metadata"]["incompleteSearch"])

    def test_down(self):
        self.emulator.call("GET", "/keys")
        self.turn(down=True)
        with self.assertRaises((OSError, http.client.HTTPException)):
            self.emulator.call("GET", "/keys")
