# SPDX-License-Identifier: Apache-2.0
"""The fault table (fault_table.py) for operations on several objects: in each of these states of the key manager a client is
answered, in time; afterwards nothing is lost, invented or half done, what could not be taken back is unclaimed and has no name,
and the same request succeeds.
"""
import threading
import time
import unittest

import harness  # noqa: F401
from case import PairCase
from fault_episode import FaultEpisode, word_of
from fault_table import STATES
from several import Several

OPERATIONS = ("re_key", "create_key_pair", "import_replacing", "create_split_key")
# D15 says 3 s for each call; what was made is destroyed again within as many, and the machine may be busy.
BOUND_S = 12
# What a client hears, and why.
ROWS = {
    ("down", ""): ("failure", "D15"),
    ("lost reply", "to changes"): ("ok", "D9, D10: each is looked up by name, and none is sent again"),
    ("409", "the service's"): ("denied", "D15: the root key is disabled"),
    ("429", ""): ("failure", "D13: backpressure"),
    ("500", ""): ("failure", "D15"),
    ("reset", ""): ("failure", "D15"),
    ("read-only", ""): ("failure", "D15"),
    ("wrong bytes", ""): ("failure", "D9: no UID of a key that would not open again"),
}


class FaultSeveral(Several, PairCase):
    def begin(self, how):
        if isinstance(how, dict):
            self.pair.manager.mode(**how)
            return
        for fault in how:
            self.pair.manager.fault(**fault)

    def end(self):
        self.pair.manager.control("DELETE", "mode")
        self.pair.manager.no_faults()

    def ask_in_time(self, name, frame):
        begun = time.monotonic()
        self.heard[name] = (self.answer_of(self.on_a, frame), time.monotonic() - begun)

    def ask_all(self, scenes):
        self.heard = {}
        threads = [threading.Thread(target=self.ask_in_time, args=(name, scene.frame)) for name, scene in scenes.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def take(self, scene, item):
        """It was told, and all of it was done."""
        before = set(self.told)
        scene.tell(item)
        self.assertEqual(len(set(self.told) - before), scene.tells)
        if scene.replaces is not None:
            self.gone.add(scene.replaces)

    def check_row(self, state, answer):
        scenes = {name: self.making.scene(name) for name in OPERATIONS}
        self.begin(STATES[state])
        try:
            self.ask_all(scenes)
        finally:
            self.end()
        FaultEpisode(self.pair, {}).wait_well()
        for name, (item, took_s) in self.heard.items():
            self.assertEqual(word_of(item), answer, name)
            self.assertLess(took_s, BOUND_S, name)
            if item.ok:
                self.take(scenes[name], item)
        self.check(intents=None)
        for name, scene in scenes.items():
            if not self.heard[name][0].ok:
                item = self.answer_of(self.on_a, scene.frame)
                self.assertTrue(item.ok, (name, item))
                self.take(scene, item)
        self.check(intents=None)


def add_row(state, answer, why):
    def test(self):
        self.check_row(state, answer)
    test.__doc__ = f"{' '.join(state)}: {answer}. {why}"
    setattr(FaultSeveral, "test_" + "_".join(" ".join(state).replace("'", "").replace("-", "_").split()), test)


for one_state, (its_answer, its_why) in ROWS.items():
    add_row(one_state, its_answer, its_why)

if __name__ == "__main__":
    unittest.main()
