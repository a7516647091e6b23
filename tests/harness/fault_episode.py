# SPDX-License-Identifier: Apache-2.0
"""One state of the key manager, from its beginning to what is true after its end: six operations by real clients, one for each
row of the fault table (tests/integration/fault_table.py), on a pair that many episodes share.
"""
import re
import threading
import time

import vsphere
import wire
from process import wait_until

TTL_S = 2  # plaintext-ttl of the pair
OPTIONS = {"top": {"plaintext-ttl": TTL_S}}
PURGED_S = 91 * 86400
SETTLED_S = 30  # a deadline against hanging: intervals here are one second, pauses after failures at most five
DEAD = {"Destroyed", "Destroyed Compromised"}
WORDS = {(0, None): "ok", (1, wire.GENERAL_FAILURE): "failure", (1, wire.PERMISSION_DENIED): "denied",
         (1, wire.ITEM_NOT_FOUND): "gone", (1, wire.ILLEGAL_OPERATION): "gone"}


def word_of(item):
    return WORDS.get((item.status, item.reason), repr(item))


class FaultEpisode:
    """After run(): `heard` {operation: [words]}, one word for each answer and node, after plaintext-ttl in `heard_late`;
    `slowest_s` {operation: seconds}; `finds` what reconciliation did; `broken` [(operation or None, what is not as it must
    be)]. `everything` {uid: material} is what clients were told in earlier episodes; this one's is added at its end."""

    def __init__(self, pair, everything):
        self.pair, self.everything = pair, everything
        self.manager = pair.manager
        self.on = {node: pair.client("vcenter", node) for node in pair.nodes}
        self.told = {}  # uid: material, of every key that a client was told of and that it may expect to find
        self.heard, self.heard_late, self.slowest_s = {}, {}, {}
        self.broken = []
        self.finds = None
        self.revoked = set()
        self.error = None  # what kept it from its end
        self.rebuilt = False  # from the key manager alone, which does not tell who was told of a key
        self.hopeless = 0  # node A's intents of creations that were never sent: kept as long as those of unresolved ones
        self.lock = threading.Lock()

    # ---- clients ----

    def ask(self, operation, node, frame, heard=None):
        """One request on a connection of its own; its answer is noted."""
        client = self.on[node]
        with client.connect(client.endpoints[0]) as connection:
            begun = time.monotonic()
            item = connection.ask(frame).one
            took_s = time.monotonic() - begun
        with self.lock:
            (self.heard if heard is None else heard).setdefault(operation, []).append(word_of(item))
            self.slowest_s[operation] = max(took_s, self.slowest_s.get(operation, 0))
        return item

    def make(self):
        """A key, made and fetched through node A only: cold on B."""
        client = self.on[self.pair.a]
        uid = client.create()
        self.told[uid] = client.material(uid)
        return uid

    def warm(self, uid):
        for client in self.on.values():
            assert client.material(uid) == self.told[uid]
        self.warmed_at = time.monotonic()

    def is_late(self):
        return time.monotonic() > self.warmed_at + TTL_S

    # ---- the operations ----

    def create(self, heard=None):
        item = self.ask("create", self.pair.a, vsphere.create(), heard)
        if item.ok:
            with self.lock:
                if item.uid in {**self.everything, **self.told}:
                    self.broken.append(("create", f"{item.uid} was told twice"))
                self.told[item.uid] = None

    def destroy(self):
        item = self.ask("destroy", self.pair.a, vsphere.destroy(self.doomed))
        if item.ok and self.manager_state(self.doomed) not in (5, None):
            self.broken.append(("destroy", "it was answered, and the standard key is there"))

    def revoke(self):
        if self.ask("revoke", self.pair.b, vsphere.revoke(self.lowered, 2)).ok:
            self.revoked.add(self.lowered)

    def get_cold(self):
        self.judge("get cold", self.cold, self.ask("get cold", self.pair.b, vsphere.get(self.cold)))

    def get_warm(self):
        for node in self.pair.nodes:
            item = self.ask("get warm", node, vsphere.get(self.hot), self.heard_late if self.is_late() else None)
            self.judge("get warm", self.hot, item)

    def judge(self, operation, uid, item):
        if item.ok and item.material != self.told[uid]:
            self.broken.append((operation, "a wrong key was served"))

    # ---- an episode ----

    def prepare(self):
        """Each operation has a key of its own; `kept` and `deleted` are what reconciliation is judged by."""
        self.cold, self.hot, self.doomed, self.lowered, self.kept, self.deleted = (self.make() for _ in range(6))
        for uid in (self.doomed, self.lowered, self.kept, self.deleted, self.hot):
            self.warm(uid)
        for node in self.pair.nodes:
            wait_until(lambda: self.told.keys() <= node.keys().keys(), f"{node.name} knows the keys")

    def run(self, how):
        if isinstance(how, str):
            getattr(self, "owner_" + how)()
            return
        self.prepare()
        self.begin(how)
        try:
            self.during()
        finally:
            self.end()
        self.check_afterwards()

    def begin(self, how):
        """Arms the state, and deletes a key behind it where the state lets the owner do that."""
        if isinstance(how, dict):
            self.manager.delete(self.deleted)
            self.manager.mode(**how)
            return
        self.manager.fault(path="^/api/v2/keys/" + self.deleted, method="DELETE", kind="delay", delay_ms=0)
        for fault in how:
            self.manager.fault(**fault)
        self.manager.delete(self.deleted)

    def during(self):
        self.get_warm()
        self.together(self.create, self.destroy, self.revoke, self.get_cold)
        wait_until(self.is_late, "plaintext-ttl is over")
        self.get_warm()
        self.wait_polls()
        found = all(node.keys()[self.deleted][0] in DEAD for node in self.pair.nodes)
        self.finds = "finds" if found else "keeps"
        for node in self.pair.nodes:
            shown = node.ctl("key", "show", self.kept)
            if shown["state"] in DEAD or shown["missing"]:
                self.broken.append(("reconcile", f"{node.name}: {shown['state']}, missing={shown['missing']}"))

    def together(self, *operations):
        threads = [threading.Thread(target=operation) for operation in operations]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def wait_polls(self):
        """Each node has asked for what changed and found it, or has had no good answer for more than two intervals."""
        for node in self.pair.nodes:
            wait_until(lambda: node.keys()[self.deleted][0] in DEAD or
                       node.status()["instances"][0]["last_poll_ms_ago"] > 2500, f"{node.name} has polled")

    def end(self):
        self.manager.control("DELETE", "mode")
        self.manager.no_faults()

    # ---- afterwards ----

    def check_afterwards(self):
        self.wait_well()
        self.wait_agreement()
        for uid in list(self.told):
            self.check_key(uid)
        self.everything.update(self.told)

    def wait_well(self):
        """No restart: each node's next poll is a good one, and what was begun is settled."""
        for node in self.pair.nodes:
            begun = time.monotonic()

            def well():
                status = node.status()
                one = status["instances"][0]
                polled_ms = one["last_poll_ms_ago"]
                intents = len(self.unresolved(node)) + (self.hopeless if node is self.pair.a else 0)
                return one["outage_for_ms"] is None and not one["refused"] and one["root_key_state"] == "enabled" and \
                    polled_ms is not None and polled_ms < 1000 * (time.monotonic() - begun) and \
                    status["cache"]["intents"] == intents and one["ledger_waiting"] == 0
            wait_until(well, f"{node.name} is well again", SETTLED_S)

    @staticmethod
    def unresolved(node):
        """Creations that the key manager refused or dropped in a way that says nothing: they are looked for during ten minutes
        (RESOLVE_HOPELESS_S), and until then their intents are right to be there."""
        begun, ended = (re.findall(rf"{event} instance=\S+ name=(\S+)", node.log())
                        for event in ("create-unresolved", "create-resolved"))
        return set(begun) - set(ended)

    def manager_keys(self):
        """{id: state} of the keys (not ledger records) of the instance."""
        name = "kmip-" + self.pair.instances[0]["id"]
        return {key["id"]: key["state"] for key in self.manager.keys(name)}

    def manager_state(self, uid):
        return self.manager_keys().get(uid)

    def disagreement(self):
        """None once both caches and the key manager tell the same."""
        a, b = (node.keys() for node in self.pair.nodes)
        truth = self.manager_keys()
        alive = {uid for uid, state in truth.items() if state != 5}
        if a != b:
            return f"the nodes differ: {set(a.items()) ^ set(b.items())}"
        cached = {uid for uid, (state, _) in a.items() if state not in DEAD} - self.missing()
        if cached != alive:
            return f"nodes and key manager differ: {cached ^ alive}"
        return None if self.rebuilt else self.claims_disagree(alive)

    def claims_disagree(self, alive):
        """None once each node lists as unclaimed what nobody was told of. A creation may end after its client's answer."""
        orphans = alive - self.told.keys() - self.everything.keys()
        for node in self.pair.nodes:
            unclaimed = {key["uid"] for key in node.ctl("key", "list", "--unclaimed") if key["state"] not in DEAD}
            if unclaimed != orphans:
                return f"{node.name}: unclaimed {unclaimed}, told to nobody {orphans}"
        return None

    def missing(self):
        return {key["uid"] for key in self.pair.a.ctl("key", "list", "--missing")}

    def wait_agreement(self):
        try:
            wait_until(lambda: self.disagreement() is None, "agreement", SETTLED_S)
        except AssertionError:
            self.broken.append((None, self.disagreement()))

    def operation_of(self, uid):
        return {self.cold: "get cold", self.hot: "get warm", self.doomed: "destroy", self.lowered: "revoke",
                self.kept: "reconcile", self.deleted: "reconcile"}.get(uid, "create")

    def check_key(self, uid):
        for node, client in self.on.items():
            wrong = self.wrong_with(uid, client)
            if wrong is not None:
                self.broken.append((self.operation_of(uid), f"{node.name}, key {uid}: {wrong}"))

    @staticmethod
    def get(uid, client):
        with client.connect(client.endpoints[0]) as connection:
            return connection.ask(vsphere.get(uid)).one

    def wrong_with(self, uid, client):
        """What a node does with a key that it must not, after the state's end."""
        item = self.get(uid, client)
        if self.manager_state(uid) in (5, None):
            try:  # what the key manager only now came to deleting, a poll finds
                wait_until(lambda: word_of(self.get(uid, client)) == "gone" or uid in self.missing(), "it is gone", SETTLED_S)
            except AssertionError:
                return f"served, or kept back: {item}"
            return None
        if not item.ok:
            return f"lost: {item}"
        if item.material != (self.told[uid] or item.material):
            return "other bytes than before"
        self.told[uid] = item.material
        if uid in self.revoked and client.state(uid) != wire.COMPROMISED:
            return "its revocation is forgotten"
        return None

    # ---- what the owner does ----

    def owner_delete(self):
        self.prepare()
        mine = (self.cold, self.hot, self.doomed, self.lowered, self.deleted)
        for uid in mine:
            self.manager.delete(uid)
        self.wait_states(mine, True)
        self.finds = "finds"
        self.operate()
        self.check_afterwards()

    def wait_states(self, uids, dead):
        for node in self.pair.nodes:
            wait_until(lambda: all((node.keys()[uid][0] in DEAD) == dead for uid in uids),
                       f"{node.name} has found {'the deletions' if dead else 'the restorations'}", SETTLED_S)

    def operate(self):
        self.create()
        self.get_cold()
        self.get_warm()
        self.destroy()
        self.revoke()
        wait_until(self.is_late, "plaintext-ttl is over")
        self.get_warm()

    def owner_restore(self):
        """The keys deleted and found to be gone, then restored; the same with the root key, which Create meets."""
        self.prepare()
        mine = (self.cold, self.hot, self.doomed, self.lowered)
        for uid in mine:
            self.manager.delete(uid)
        self.wait_states(mine, True)
        self.manager.advance(31)
        for uid in mine:
            status, answer = self.manager.call("POST", f"/keys/{uid}/restore")
            assert status == 201, answer
        self.wait_states(mine, False)
        self.finds = "finds"
        self.get_cold()
        for node, client in self.on.items():
            assert client.material(self.hot) == self.told[self.hot], node.name
        self.warmed_at = time.monotonic()
        self.get_warm()
        self.destroy()
        self.revoke()
        wait_until(self.is_late, "plaintext-ttl is over")
        self.get_warm()
        self.delete_and_restore_root()
        self.check_afterwards()

    def delete_and_restore_root(self):
        root = self.pair.root_key
        self.manager.delete(root)
        for node in self.pair.nodes:
            wait_until(lambda: node.status()["instances"][0]["root_key_state"] == "deleted", f"{node.name} knows it")
        self.create()
        self.manager.restore(root)
        self.wait_well()
        self.create(self.heard_late)

    def owner_purge(self):
        """One key is purged behind polls that fail, so that no deletion is seen; the others while both nodes are stopped."""
        self.prepare()
        gone = (self.cold, self.doomed, self.lowered, self.deleted)
        self.manager.fault(path="^/api/v2/keys", method="GET", kind="status", status=503)
        self.manager.delete(self.hot)
        self.manager.advance(PURGED_S)
        self.manager.no_faults()
        self.warmed_at = time.monotonic()
        self.get_warm()
        self.pair.stop()
        for uid in gone:
            self.manager.delete(uid)
        self.manager.advance(PURGED_S)
        self.pair.start()
        for node in self.pair.nodes:
            wait_until(lambda: {*gone, self.hot} <= {key["uid"] for key in node.ctl("key", "list", "--missing")},
                       f"{node.name} finds them missing", SETTLED_S)
        self.finds = "finds"
        self.create()
        self.get_cold()
        wait_until(self.is_late, "plaintext-ttl is over")
        self.get_warm()
        self.destroy()
        self.revoke()
        self.check_afterwards()
