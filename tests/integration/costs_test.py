# SPDX-License-Identifier: Apache-2.0
"""keystore/COSTS.md says how many calls to the key manager each operation makes; its table is read here, each row is done
once, and the key manager's own counters must agree. Polls are rare in this pair, so that nothing else asks meanwhile.
"""
import pathlib
import unittest

import harness  # noqa: F401
import vsphere
import wire
from case import PairCase
from process import wait_until

PAGE = pathlib.Path(__file__).resolve().parents[2] / "keystore/COSTS.md"
KEY = "/api/v2/keys/{k}"
COLUMNS = {  # of the table, and what the key manager counts as it
    "wrap": [f"POST {KEY}/actions/wrap"], "unwrap": [f"POST {KEY}/actions/unwrap"],
    "rewrap": [f"POST {KEY}/actions/rewrap"], "read": [f"GET {KEY}"], "list": ["GET /api/v2/keys"],
    "create": ["POST /api/v2/keys"], "delete": [f"DELETE {KEY}"], "root key": [f"GET {KEY}/metadata"],
    "ring, policies": ["GET /api/v2/key_rings", "GET /api/v2/instance/policies", f"GET {KEY}/policies"],
}
TOKEN = "POST /identity/token"
# What goes on beside a row: the polls of a node without a lease, looks at a root key that has changed.
BESIDE = {"Get, of a key that its cache lacks": "list", "rewrap of 12 keys after a rotation": "root key"}
CHANGED = 10  # keys in the rows that speak of several


def table():
    """{row: {column: calls}} of the page."""
    calls = PAGE.read_text().split("## Calls")[1].split("\n## ")[0]
    lines = [line for line in calls.splitlines() if line.startswith("|") and "---" not in line]
    head = [cell.strip() for cell in lines[0].strip("|").split("|")]
    assert head[1:] == list(COLUMNS), head
    rows = {}
    for line in lines[1:]:
        name, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        rows[name] = {column: int(cell or 0) for column, cell in zip(COLUMNS, cells)}
    return rows


class Costs(PairCase):
    options = {"top": {"root-key-poll": 3600, "reconcile-interval": 3600}}

    def counted(self, do):
        self.pair.manager.control("DELETE", "counters")
        do()
        calls = self.pair.manager.calls()
        known = {route for routes in COLUMNS.values() for route in routes} | {TOKEN}
        self.assertEqual({route for route, count in calls.items() if count} - known, set(), "no column counts these")
        return {column: sum(calls.get(route, 0) for route in routes) for column, routes in COLUMNS.items()}

    def rows(self):
        """(row of the page, what to do), in an order in which each can be done."""
        key = self.on_a.create()
        many = [self.on_a.create() for _ in range(CHANGED)]
        ctl, ask = self.pair.a.ctl, self.on_a.ask
        stranger = self.pair.pki.self_signed("second")
        yield "Create, Register", self.on_a.create
        yield "Get, warm", lambda: self.on_a.material(key)
        yield "Get, first on this node", lambda: self.on_b.material(key)
        yield "Get Attributes, Locate, Check, Query", lambda: (
            self.on_a.state(key), ask(vsphere.get_attribute_list(key)), ask(vsphere.query()))
        yield "Activate, Add, Modify or Delete Attribute", lambda: (
            self.on_a.activate(key), ask(vsphere.add_attributes(key, [("x-a", "b")])))
        yield "Revoke", lambda: ask(vsphere.revoke(key))
        yield "Destroy", lambda: ask(vsphere.destroy(key))
        yield "client add", lambda: ctl("client", "add", stranger.certificate, "--name", "second")
        yield "client remove", lambda: self.remove(ctl)
        for uid in many:
            self.on_a.activate(uid)
        yield f"checkpoint of {CHANGED} keys that were activated", lambda: ctl("checkpoint")
        for uid in many:
            self.on_a.material(uid)
        yield "checkpoint when keys were only handed out", lambda: ctl("checkpoint")
        self.restart()  # reads the records that the other node wrote
        yield "start of a node with its cache", self.restart
        self.pair.wait_streaming()
        yield "Get, first after a restart", lambda: self.on_b.material(many[0])
        self.pair.cut()
        unknown = self.on_a.create()
        yield "Get, of a key that its cache lacks", lambda: self.on_b.material(unknown)
        self.pair.heal()
        self.pair.wait_same()
        status, answer = self.pair.manager.call("POST", f"/keys/{self.pair.root_key}/actions/rotate")
        self.assertEqual(status, 204, answer)
        living = sum(state not in ("Destroyed", "Destroyed Compromised") for state, _ in self.pair.a.keys().values())
        self.assertEqual(living, CHANGED + 2)
        yield f"rewrap of {living} keys after a rotation", lambda: ctl("rewrap")

    def remove(self, ctl):
        ctl("client", "remove", "second")
        wait_until(lambda: self.pair.a.status()["instances"][0]["ledger_waiting"] == 0, "the removal is in the ledger")

    def restart(self):
        self.pair.b.restart()
        wait_until(lambda: self.pair.b.status()["instances"][0]["rebuilt"]
                   and self.pair.b.status()["instances"][0]["last_poll_ms_ago"] is not None, "it has looked at the ring")

    def test_each_row(self):
        page, done = table(), set()
        for row, do in self.rows():
            with self.subTest(row):
                self.assertIn(row, page)
                found = self.counted(do)
                if row in BESIDE:
                    found[BESIDE[row]] = 0
                self.assertEqual(found, page[row])
            done.add(row)
        self.assertEqual(done, set(page), "every row of the page is shown")


if __name__ == "__main__":
    unittest.main()
