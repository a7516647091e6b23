# SPDX-License-Identifier: Apache-2.0
"""Faults, outages and counters that tests arm."""
import http.client

from emulator_process import WithEmulator


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
