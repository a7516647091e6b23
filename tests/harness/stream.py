# SPDX-License-Identifier: Apache-2.0
"""Traffic without pause for tests in which something fails, and the memory of what was acknowledged meanwhile."""
import itertools
import threading

import vsphere
import wire
from process import wait_until
from vsphere import Refused

CLIENTS = 3


class Stream:
    """Clients that create, fetch and activate keys until stopped, and destroy every third one instead; and the facts that
    were acknowledged to them."""

    def __init__(self, pair, patience_s=60):
        """patience_s: how long a client tries again when every endpoint failed; 0: one walk over the endpoints has to do."""
        self.facts = {}  # uid: {"material": bytes, "active": True, "gone": it was asked for / answered}
        self.failures = []
        self.patience_s = patience_s
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(pair.client("vcenter", seed=seed),))
                        for seed in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def _run(self, client):
        client.patience_s = self.patience_s
        try:
            for number in itertools.count():
                if self.stopped.is_set():
                    return
                uid = client.create()
                fact = self.facts.setdefault(uid, {})
                fact["material"] = client.material(uid)
                if number % 3 == 2:
                    fact["gone"] = False
                    self._destroy(client, uid)
                    fact["gone"] = True
                else:
                    client.activate(uid)
                    fact["active"] = True
        except Exception as error:  # a thread has nobody above it: the test reads this
            self.failures.append(f"seed {client.seed}: {error!r}")

    @staticmethod
    def _destroy(client, uid):
        """A client whose answer was lost asks again, and hears that it was done."""
        try:
            client.ask(vsphere.destroy(uid))
        except Refused as refused:
            if refused.reason not in (wire.PERMISSION_DENIED, wire.ITEM_NOT_FOUND):
                raise

    def verify(self, case, node):
        """Every fact that is known by now is true on this node; also while traffic goes on."""
        case.assertEqual(self.failures, [])
        client = case.pair.client("vcenter", node)
        for uid, fact in self.facts.copy().items():
            fact = dict(fact)
            if fact.get("gone"):
                case.expect_refused(wire.ILLEGAL_OPERATION, client.material, uid)
            elif "active" in fact:
                case.assertEqual(client.material(uid), fact["material"], uid)
                case.assertEqual(client.state(uid), wire.ACTIVE, uid)
            elif "gone" not in fact and self.stopped.is_set():  # only its creation was answered
                material = client.material(uid)
                case.assertEqual(material, fact.get("material", material), uid)

    def done(self):
        return sum("active" in fact for fact in self.facts.copy().values())

    def wait_more(self, count):
        goal = self.done() + count
        wait_until(lambda: self.failures or self.done() >= goal, f"{count} more keys are made")

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join()
