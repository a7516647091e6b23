# SPDX-License-Identifier: Apache-2.0
"""What clients asked and heard, and whether it can all be true: nothing that was acknowledged may be lost or contradicted.

An event is one request to one endpoint. Its outcome is "ok", "refused" (with the reason), or "unknown": no answer, or a General Failure,
after which the change may have happened or not. Times are of one clock; an answer binds what begins after it was heard.
"""
import collections
import threading
import time

import vsphere
import wire

Event = collections.namedtuple("Event", "node verb subject began ended outcome value")

GONE = (wire.DESTROYED, wire.DESTROYED_COMPROMISED)
SAID_OF_GONE = (wire.ILLEGAL_OPERATION, wire.ITEM_NOT_FOUND)


class History:
    def __init__(self):
        self.events, self.lock = [], threading.Lock()
        self.calm = []  # [(from, to)]: both nodes ran and were linked, and nothing was broken

    def add(self, *fields):
        event = Event(*fields)
        with self.lock:
            self.events.append(event)
        return event

    def count(self, outcome):
        with self.lock:
            return sum(event.outcome == outcome for event in self.events)

    def is_calm(self, *moments):
        return any(all(begin <= moment <= end for moment in moments) for begin, end in self.calm)


class Asker:
    """One client: each request is one connection to one endpoint, tried once, and written down."""

    def __init__(self, history, client, patience_s):
        self.history, self.client, self.patience_s = history, client, patience_s

    def _record(self, node, verb, subject, work):
        began = time.monotonic()
        try:
            with self.client.connect(node.endpoint, timeout=self.patience_s) as connection:
                outcome, value = work(connection)
        except vsphere.Refused as refused:
            outcome, value = "unknown", f"Discover Versions: {refused}"
        except OSError as error:
            outcome, value = "unknown", repr(error)
        return self.history.add(node.letter, verb, subject, began, time.monotonic(), outcome, value)

    def ask(self, node, verb, subject, frame, read=lambda item: None):
        def work(connection):
            item = connection.ask(frame).one
            if item.ok:
                return "ok", read(item)
            return ("unknown" if item.reason == wire.GENERAL_FAILURE else "refused"), item.reason
        return self._record(node, verb, subject, work)

    def create(self, node):
        return self.ask(node, "create", None, vsphere.create(), lambda item: item.uid)

    def get(self, node, uid):
        return self.ask(node, "get", uid, vsphere.get(uid), lambda item: item.material)

    def state(self, node, uid):
        return self.ask(node, "state", uid, vsphere.get_attributes(uid, "State"),
                        lambda item: dict(item.attributes())["State"])

    def activate(self, node, uid):
        return self.ask(node, "activate", uid, vsphere.activate(uid))

    def revoke(self, node, uid):
        return self.ask(node, "revoke", uid, vsphere.revoke(uid, 2))

    def destroy(self, node, uid):
        return self.ask(node, "destroy", uid, vsphere.destroy(uid))

    def enter(self, node, name, uid):
        """Whether the client of this name is given a key."""
        return self.ask(node, "enter", name, vsphere.get(uid))


class Checker:
    """max_stale_s: how long a node that is cut off may act on what it knew (the table of guarantees, D22)."""

    def __init__(self, history, max_stale_s):
        self.history, self.max_stale_s = history, max_stale_s
        self.found = []
        self.by_subject = collections.defaultdict(list)
        for event in history.events:
            self.by_subject[event.value if event.verb == "create" else event.subject].append(event)

    def contradiction(self, rule, *events):
        self.found.append(f"{rule}: " + " / ".join(
            f"{event.verb} {event.subject or ''} on {event.node} at {event.began:.3f}-{event.ended:.3f}: {event.outcome} {event.value!r}"
            for event in events))

    def binds(self, earlier, later):
        """Whether `later` must know of `earlier`, which was answered."""
        if later.began < earlier.ended:
            return False
        return (later.node == earlier.node or later.began >= earlier.ended + self.max_stale_s or
                self.history.is_calm(earlier.ended, later.ended))

    def check(self):
        """The contradictions; empty when there is none."""
        for subject, events in self.by_subject.items():
            if subject is None:  # creations without an answer
                continue
            events.sort(key=lambda event: event.began)
            if any(event.verb in ("enter", "remove") for event in events):
                self.check_client(events)
            else:
                self.check_key(events)
        return self.found

    def check_client(self, events):
        for removal in (event for event in events if event.verb == "remove" and event.outcome == "ok"):
            for entry in events:
                if entry.verb == "enter" and entry.outcome == "ok" and self.binds(removal, entry):
                    self.contradiction("a removed client was given a key", removal, entry)

    def check_key(self, events):
        first_asked = min((event.began for event in events if event.verb == "destroy"), default=float("inf"))
        lowered_asked = min((event.began for event in events if event.verb == "revoke"), default=float("inf"))
        materials = {event.value for event in events if event.verb == "get" and event.outcome == "ok"}
        if len(materials) > 1:
            self.contradiction("a key has two values", *[event for event in events if event.verb == "get"][:4])
        for event in events:
            if event.outcome == "refused" and event.ended < first_asked:
                self.check_refusal(event, lowered_asked)
        for done in (event for event in events if event.outcome == "ok"):
            for later in events:
                if later.outcome == "ok" and self.binds(done, later):
                    self.check_pair(done, later)

    def check_refusal(self, event, lowered_asked):
        """A key that nobody asked to destroy is there, and may be changed unless it was revoked."""
        may_be_lowered = event.verb in ("activate", "revoke") and event.ended >= lowered_asked
        if event.value == wire.ITEM_NOT_FOUND or not may_be_lowered:
            self.contradiction("a living key was refused", event)

    def check_pair(self, done, later):
        if done.verb == "destroy" and later.verb == "get":
            self.contradiction("a destroyed key was served", done, later)
        if later.verb != "state":
            return
        if done.verb == "destroy" and later.value not in GONE:
            self.contradiction("a destroyed key has another state", done, later)
        if done.verb == "revoke" and later.value not in (wire.COMPROMISED, *GONE):
            self.contradiction("a revocation was forgotten", done, later)
        if done.verb == "activate" and later.value == wire.PRE_ACTIVE and (
                later.node == done.node or self.history.is_calm(done.ended, later.ended)):
            self.contradiction("an activation was forgotten", done, later)

    # ---- what must be true in the end, on each node ----

    def last_words(self):
        """{uid: what every node must say of it}: {"material": bytes or None, "gone": True, False or None (unknown), "revoked", "active"}."""
        facts = {}
        for uid, events in self.by_subject.items():
            if not any(event.verb == "create" and event.outcome == "ok" for event in events):
                continue

            def was(verb, of=events):
                outcomes = {event.outcome for event in of if event.verb == verb}
                return True if "ok" in outcomes else None if "unknown" in outcomes else False
            materials = [event.value for event in events if event.verb == "get" and event.outcome == "ok"]
            facts[uid] = {"material": materials[0] if materials else None, "gone": was("destroy"),
                          "revoked": was("revoke"), "active": was("activate")}
        return facts
