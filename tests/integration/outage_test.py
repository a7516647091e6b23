# SPDX-License-Identifier: Apache-2.0
"""The table of guarantees under design D22, one test for each row: what clients get on each node, and what status, metrics
and log say of it. Each begins with keys that are warm on both nodes, one active and one to be destroyed, and with one
that A alone has unwrapped.
"""
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

import harness  # noqa: F401
import vsphere
import wire
from case import FreshPairCase, PairCase
from pair import FIRST, Pair
from process import wait_until
from relay import Relay

SOON_S = 10  # three seconds by design; this is only a deadline against hanging
MAX_STALE_S = 15  # the default
FIRST_DESTROY_S = 2.1  # design D18: once, until the peer's lease has run out
GONE = (wire.ITEM_NOT_FOUND, wire.ILLEGAL_OPERATION)


class Row(PairCase):
    """What the rows ask of a node."""

    options = {"metrics": True}

    def prepare(self):
        for node in self.pair.nodes:
            node.wait_ready()
        self.warm, self.warm_material = self.vcenter.encrypt_vm("warm")
        for client in (self.on_a, self.on_b):
            self.assertEqual(client.material(self.warm), self.warm_material)
        self.doomed, self.cold = self.on_a.create(), self.on_a.create()
        self.on_b.material(self.doomed)
        self.pair.wait_same()
        self.client_of = {self.pair.a: self.on_a, self.pair.b: self.on_b}
        self.marks = {node: node.log_mark() for node in self.pair.nodes}

    # ---- what clients get ----

    def expect_soon(self, client, *frames):
        """General Failure to each, all asked at once."""
        def ask(frame):
            begun = time.monotonic()
            return self.answer_of(client, frame), time.monotonic() - begun
        with ThreadPoolExecutor(len(frames)) as pool:
            for item, took in pool.map(ask, frames):
                self.assertLess(took, SOON_S)
                self.expect_reason(item, wire.GENERAL_FAILURE)

    def expect_all(self, node):
        """Create, Get of a key that is new here, Destroy; a destroyed key is gone with the next message."""
        client = self.client_of[node]
        uid = client.create()
        self.assertEqual(len(client.material(uid)), 32)
        self.assertEqual(client.material(self.warm), self.warm_material)
        client.ask(vsphere.destroy(uid))
        self.assertIn(self.reason_of(client, vsphere.get(uid)), GONE)

    def expect_cached_only(self, node):
        """Warm Get, states and tags; what needs the key manager fails fast, and is never said not to exist."""
        client = self.client_of[node]
        self.assertEqual(client.material(self.warm), self.warm_material)
        self.assertEqual(client.state(self.warm), wire.ACTIVE)
        self.expect_soon(client, vsphere.create(), vsphere.destroy(self.cold), vsphere.revoke(self.warm),
                         vsphere.get("00000000-0000-4000-8000-000000000000"))

    def expect_from_cache(self, node):
        """A warm Get is a worker's own answer: nobody asks the key manager."""
        before = node.metrics()
        self.client_of[node].material(self.warm)
        after = node.metrics()
        for name, labels in (("kmipd_fetches_total", {"for": "client"}), ("kmipd_frames_total", {"answered_by": "keeper"})):
            self.assertEqual(after.value(name, **labels), before.value(name, **labels), name)

    # ---- what is said of it ----

    def expect_told(self, node, peer, gets, reachable, warning=None):
        """In status (both forms) and metrics: the peer's state, what Gets are answered from, the key manager."""
        def told():
            status = node.status()
            instance = status["instances"][0]
            return (status["peer"]["state"] == "streaming", instance["gets"], instance["reachable"],
                    instance["outage_for_ms"] is None)
        wait_until(lambda: told() == (peer, gets, reachable, reachable), f"{node.name} tells {peer} {gets} {reachable}")
        # What is left of the lease when the link ends goes on.
        wait_until(lambda: (node.metrics().value("kmipd_peer_lease_seconds") > 0) == peer, "the lease is as the peer is")
        metrics = node.metrics()
        self.assertEqual(metrics.value("kmipd_peer_state", state="streaming"), peer)
        self.assertEqual(metrics.value("kmipd_gets_from", instance=FIRST, source=gets), 1)
        self.assertEqual(metrics.value("kmipd_key_manager_reachable", instance=FIRST), reachable)
        self.assertEqual(metrics.value("kmipd_outage", instance=FIRST), not reachable)
        text = node.ctl_run("status").stdout
        self.assertIn(f"gets        from the {gets};", text)
        self.assertEqual("peer          streaming for" in text, peer, text)
        self.assertEqual("key manager NOT REACHABLE" in text, not reachable, text)
        if warning is not None:
            self.assertIn(warning, text)

    def expect_ready(self, node, *conditions):
        """Green, or red for exactly these reasons."""
        wait_until(lambda: {one for one, _ in node.red()} == set(conditions), f"{node.name} is red for {conditions}")
        self.assertEqual(node.metrics().value("kmipd_ready"), not conditions)

    def expect_outage_is_over(self, node, outages):
        node.wait_log(f"outage-ends instance={FIRST} lasted_ms=", self.marks[node])
        self.expect_ready(node)
        metrics = node.metrics()
        self.assertEqual(metrics.value("kmipd_outages_total", instance=FIRST), outages)
        self.assertEqual(metrics.value("kmipd_outage", instance=FIRST), 0)
        seconds = metrics.value("kmipd_outage_seconds_total", instance=FIRST)
        self.assertGreater(seconds, 0)
        self.assertEqual(node.metrics().value("kmipd_outage_seconds_total", instance=FIRST), seconds)


class Together(Row):
    """The rows after which the pair goes on. A reaches the key manager through a relay."""

    @classmethod
    def setUpClass(cls):
        cls.pair = Pair(cls.options, start=False)
        cls.addClassCleanup(cls.pair.close)
        cls.relay = Relay(("127.0.0.1", cls.pair.manager.port))
        cls.addClassCleanup(cls.relay.close)
        url = f"https://127.0.0.1:{cls.relay.port}"
        cls.pair.a.options["instances"][0].update({"url": url, "iam-url": url})
        cls.pair.start()
        cls.pair.register("vcenter")
        cls.vcenter = cls.pair.client("vcenter")
        cls.on_a = cls.pair.client("vcenter", cls.pair.a)
        cls.on_b = cls.pair.client("vcenter", cls.pair.b)

    def setUp(self):
        self.prepare()

    def outages(self, node):
        return node.metrics().value("kmipd_outages_total", instance=FIRST)

    def test_all_up(self):
        """Everything works on both; each reads what the other wrote with the next message, from its cache."""
        for node in self.pair.nodes:
            self.expect_all(node)
            self.expect_from_cache(node)
        for node in self.pair.nodes:
            writer, reader = self.client_of[node], self.client_of[self.pair.other(node)]
            uid = writer.create()
            writer.activate(uid)
            writer.ask(vsphere.add_attributes(uid, [("x-written", node.name)]))
            self.assertEqual(reader.state(uid), wire.ACTIVE)
            self.assertEqual(reader.ask(vsphere.get_attributes(uid, "x-written")).attributes(), [("x-written", node.name)])
            self.assertEqual(reader.material(uid), writer.material(uid))
            writer.ask(vsphere.revoke(uid, 2))
            self.assertEqual(reader.state(uid), wire.COMPROMISED)
            writer.ask(vsphere.destroy(uid))
            self.assertIn(self.reason_of(reader, vsphere.get(uid)), GONE)
        for node in self.pair.nodes:
            self.expect_told(node, peer=True, gets="cache", reachable=True)
            self.expect_ready(node)
            self.assertEqual(node.log_lines(r"^\S+ (warning|error) (?!\S+ loop-gap)", self.marks[node]), [])

    def test_link_cut(self):
        """Everything works on both; keys cross through the key manager, states and tags when the link heals; a destroyed
        key is served by the other node for max-stale at most."""
        self.pair.cut()
        try:
            for node in self.pair.nodes:
                self.expect_all(node)
                self.expect_from_cache(node)
                self.expect_told(node, peer=False, gets="cache", reachable=True)
                self.expect_ready(node)
                self.assertEqual(node.metrics().value("kmipd_peer_cut"), 1)
                node.wait_log('state peer=.* from=streaming to=down', self.marks[node])
            uid = self.on_a.create()
            self.assertEqual(self.on_b.material(uid), self.on_a.material(uid))
            self.on_a.ask(vsphere.add_attributes(uid, [("x-written", "a")]))
            self.on_a.ask(vsphere.destroy(self.doomed))
            self.expect_gone_within(self.on_b, self.doomed, MAX_STALE_S)
        finally:
            self.pair.heal()
        self.pair.wait_same()
        self.assertEqual(self.on_b.ask(vsphere.get_attributes(uid, "x-written")).attributes(), [("x-written", "a")])
        for node in self.pair.nodes:
            node.wait_log("state peer=.* to=streaming", self.marks[node])

    def expect_gone_within(self, client, uid, seconds):
        """No request that begins later than that is served."""
        destroyed = time.monotonic()
        while True:
            begun = time.monotonic()
            item = self.answer_of(client, vsphere.get(uid))
            if not item.ok:
                self.expect_reason(item, *GONE)
                return
            self.assertLess(begun - destroyed, seconds)

    def test_one_node_cannot_reach_the_key_manager(self):
        """A serves what it has unwrapped, under its lease, and is not ready; B serves everything."""
        outages = {node: self.outages(node) for node in self.pair.nodes}
        self.relay.cut()
        try:
            self.pair.a.wait_log(f"outage-begins instance={FIRST}", self.marks[self.pair.a])
            self.expect_cached_only(self.pair.a)
            self.expect_from_cache(self.pair.a)
            self.expect_all(self.pair.b)
            self.expect_told(self.pair.a, peer=True, gets="cache", reachable=False,
                             warning="the key manager has not answered for")
            self.expect_told(self.pair.b, peer=True, gets="cache", reachable=True)
            self.expect_ready(self.pair.a, "key-manager")
            self.expect_ready(self.pair.b)
            uid = self.on_b.create()
            self.on_b.activate(uid)
            self.assertEqual(self.on_a.state(uid), wire.ACTIVE)
            self.expect_soon(self.on_a, vsphere.get(uid))
            self.assertEqual(self.vcenter.fetch(uid), self.on_b.material(uid), "a client walks on to B")
            self.on_b.ask(vsphere.destroy(self.doomed))
            self.assertIn(self.reason_of(self.on_a, vsphere.get(self.doomed)), GONE)
        finally:
            self.relay.heal()
        self.expect_outage_is_over(self.pair.a, outages[self.pair.a] + 1)
        self.assertEqual(self.outages(self.pair.b), outages[self.pair.b])
        self.expect_all(self.pair.a)

    def test_link_cut_and_one_node_without_the_key_manager(self):
        """A serves the copies that it holds, fails the rest fast, and never says that a key does not exist; B serves everything.
        What B destroyed and made meanwhile is so on A once it hears of it."""
        self.relay.cut()
        self.pair.cut()
        try:
            self.pair.a.wait_log(f"outage-begins instance={FIRST}", self.marks[self.pair.a])
            self.expect_cached_only(self.pair.a)
            self.expect_all(self.pair.b)
            uid = self.on_b.create()
            self.on_b.activate(uid)
            self.expect_soon(self.on_a, vsphere.get(uid), vsphere.get_attributes(uid, "State"))
            self.assertEqual(self.vcenter.fetch(uid), self.on_b.material(uid), "a client walks on to B")
            self.on_b.ask(vsphere.destroy(self.doomed))
            self.expect_ready(self.pair.a, "key-manager")
            self.expect_ready(self.pair.b)
        finally:
            self.relay.heal()
            self.pair.heal()
        self.assertIn(self.reason_of(self.on_a, vsphere.get(self.doomed)), GONE)
        self.assertEqual(self.on_a.state(uid), wire.ACTIVE)
        self.assertEqual(self.on_a.fetch(uid), self.on_b.material(uid))
        self.expect_ready(self.pair.a)

    def test_key_manager_down(self):
        """Both serve what they have unwrapped, and each other's earlier and new states and tags; neither is ready."""
        outages = {node: self.outages(node) for node in self.pair.nodes}
        self.on_a.ask(vsphere.destroy(self.cold))
        self.pair.manager.mode(down=True)
        try:
            for node in self.pair.nodes:
                node.wait_log(f"outage-begins instance={FIRST}", self.marks[node])
            for node in self.pair.nodes:
                client, other = self.client_of[node], self.client_of[self.pair.other(node)]
                self.assertIn(self.reason_of(client, vsphere.get(self.cold)), GONE, "destroyed before")
                self.assertEqual(client.material(self.warm), self.warm_material)
                self.expect_soon(client, vsphere.create(), vsphere.destroy(self.doomed), vsphere.revoke(self.warm))
                client.ask(vsphere.add_attributes(self.warm, [("x-by-" + node.letter, "v")]))
                self.assertEqual(other.ask(vsphere.get_attributes(self.warm, "x-by-" + node.letter)).attributes(),
                                 [("x-by-" + node.letter, "v")])
                self.expect_told(node, peer=True, gets="cache", reachable=False,
                                 warning="the key manager has not answered for")
                self.expect_ready(node, "key-manager")
                self.assertGreater(node.metrics().total("kmipd_key_manager_calls_total", instance=FIRST,
                                                        result="UNAVAILABLE"), 0)
        finally:
            self.pair.manager.mode(down=False)
        for node in self.pair.nodes:
            self.expect_outage_is_over(node, outages[node] + 1)
            self.expect_all(node)


class PeerDead(FreshPairCase, Row):
    def test_peer_dead(self):
        """B alone serves everything, warm Gets from its cache; its first Destroy waits for the dead peer's lease, the next
        ones for nothing; it stays ready."""
        self.prepare()
        node = self.pair.b
        self.pair.a.kill9()
        first, second = self.gate_of_destroy(node), self.gate_of_destroy(node)
        self.assertLess(first, FIRST_DESTROY_S + SOON_S)
        self.assertLess(second, FIRST_DESTROY_S)
        self.expect_all(node)
        self.expect_from_cache(node)
        self.assertEqual(len(self.on_b.material(self.cold)), 32)
        self.expect_told(node, peer=False, gets="cache", reachable=True)
        self.expect_ready(node)
        node.wait_log("state peer=.* from=streaming to=down", self.marks[node])
        self.assertGreater(node.metrics().value("kmipd_peer_lag_entries"), 0)
        self.assertGreater(node.metrics().value("kmipd_answers_unacknowledged_total"), 0)
        self.assertEqual(node.log_lines(r"^\S+ error ", self.marks[node]), [])

    def gate_of_destroy(self, node):
        """How long the answer of a Destroy waited for the peer, as the node measured it."""
        uid = self.on_b.create()
        before = node.metrics().value("kmipd_gate_seconds_sum")
        self.on_b.ask(vsphere.destroy(uid))
        return node.metrics().value("kmipd_gate_seconds_sum") - before


class Alone(FreshPairCase, Row):
    """Neither peer nor key manager: last polls and leases have run out."""

    options = {"metrics": True, "top": {"max-stale": 1}}

    def test_key_manager_down_and_link_cut(self):
        """Both serve the copies that they hold, and say so; what was destroyed before stays so."""
        self.prepare()
        self.on_a.ask(vsphere.destroy(self.cold))
        self.pair.manager.mode(down=True)
        self.pair.cut()
        for node in self.pair.nodes:
            node.wait_log(f"nobody-vouches instance={FIRST}", self.marks[node])
            self.expect_told(node, peer=False, gets="resident copies", reachable=False,
                             warning="keys unwrapped before are served until outage-grace")
            self.expect_ready(node, "key-manager")
            client = self.client_of[node]
            self.assertEqual(client.material(self.warm), self.warm_material)
            self.assertIn(self.reason_of(client, vsphere.get(self.cold)), GONE)
            self.expect_soon(client, vsphere.create(), vsphere.destroy(self.doomed), vsphere.revoke(self.warm))
        self.pair.manager.mode(down=False)
        self.pair.heal()
        for node in self.pair.nodes:
            self.expect_outage_is_over(node, 1)
            self.expect_told(node, peer=True, gets="cache", reachable=True)
            self.expect_all(node)


class Grace(FreshPairCase, Row):
    options = {"metrics": True, "top": {"max-stale": 1, "outage-grace": 5}}

    def test_outage_grace_ends(self):
        """Then no copy is served any more: General Failure, and the key is back with the key manager. Until a node knows
        of the outage, it may refuse a client of which it cannot say that it is still registered."""
        self.prepare()
        self.pair.manager.mode(down=True)
        self.pair.cut()
        for node, client in self.client_of.items():
            node.wait_log(f"outage-begins instance={FIRST}", self.marks[node])
            wait_until(lambda: not self.answer_of(client, vsphere.get(self.warm)).ok, "the copy is not served")
            self.expect_soon(client, vsphere.get(self.warm))
        self.pair.manager.mode(down=False)
        for client in self.client_of.values():
            self.assertEqual(client.material(self.warm), self.warm_material)
        self.pair.heal()


del Row
if __name__ == "__main__":
    unittest.main()
