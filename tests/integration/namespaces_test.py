# SPDX-License-Identifier: Apache-2.0
"""Both nodes, the key manager and clients in network namespaces of their own, while cables are cut, slow or lossy, processes are
stopped, continued and killed, in an order drawn from a seed. Clients write down what they asked and heard; nothing that was
acknowledged may be lost or contradicted, and the logs tell what happened.

    namespaces_test.py --seed 7 --minutes 30         as long as you like, with progress; prints how to repeat it
"""
import argparse
import collections
import os
import random
import signal
import sys
import threading
import time
import unittest

import harness  # noqa: F401
import netns
import vsphere
import wire
from history import Asker, Checker, Event, History
from pair import Pair
from process import wait_until

WHY_NOT = netns.why_not()
MAX_STALE_S = 3
OPTIONS = {"top": {"max-stale": MAX_STALE_S}}
CLIENTS = 4
PATIENCE_S = 6  # longer than any answer that the design allows to be waited for
HOLD_S = (MAX_STALE_S + 0.5, MAX_STALE_S + 3)  # a fault lasts so long: past what a node may do on what it knew
CALM_S = 1
LEAVERS = 6  # clients to be removed


class Traffic:
    """Clients that create, fetch, change and destroy each other's keys, on an endpoint drawn each time."""

    VERBS = ("create", "get", "state", "activate", "revoke", "destroy")
    WEIGHTS = (3, 8, 5, 3, 1, 1)
    RECENT = 30  # keys that are still asked for

    def __init__(self, world):
        self.world, self.keys = world, []
        self.stopped, self.failures = threading.Event(), []
        self.threads = [threading.Thread(target=self.run, args=(number,)) for number in range(CLIENTS)]
        self.threads.append(threading.Thread(target=self.knock))
        for thread in self.threads:
            thread.start()

    def run(self, number):
        try:
            dice = random.Random(f"{self.world.seed} {number}")
            asker = Asker(self.world.history, self.world.pair.client("vcenter", seed=number), PATIENCE_S)
            while not self.stopped.is_set():
                self.step(asker, dice)
        except Exception as error:  # a thread has nobody above it: the test reads this
            self.failures.append(repr(error))

    def step(self, asker, dice):
        node = dice.choice(self.world.pair.nodes)
        verb = dice.choices(self.VERBS, self.WEIGHTS)[0]
        if verb == "create" or not self.keys:
            event = asker.create(node)
            if event.outcome == "ok":
                self.keys.append(event.value)
        else:
            event = getattr(asker, verb)(node, dice.choice(self.keys[-self.RECENT:]))
        if event.outcome == "unknown":
            self.stopped.wait(0.05)  # a node that is not there is not worth a busy loop

    def knock(self):
        """Clients that are removed one after the other try to come in all the time."""
        try:
            dice = random.Random(f"{self.world.seed} knock")
            askers = {name: Asker(self.world.history, self.world.pair.client(name), PATIENCE_S) for name in self.world.leavers}
            while not self.stopped.wait(0.05):
                name = dice.choice(self.world.leavers)
                askers[name].enter(dice.choice(self.world.pair.nodes), name, self.world.door)
        except Exception as error:
            self.failures.append(repr(error))

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join()


class World:
    """Everything that runs, and the faults that can be put into it."""

    def __init__(self, seed):
        self.seed, self.random = seed, random.Random(seed)
        self.history = History()
        self.network = netns.Network(["client", "a", "b", "manager"], seed)
        self.pair = None
        try:
            self.network.join("client")
            self.pair = Pair(OPTIONS, network=self.network)
            self.pair.register("vcenter")
            self.leavers = [f"leaver-{number}" for number in range(LEAVERS)]
            for name in self.leavers:
                self.pair.register(name)
        except BaseException:
            self.close()
            raise
        self.door = self.pair.client("vcenter").create()  # a key that every client asks for, and nobody changes
        self.removed = 0
        self.marks = {}

    def close(self):
        try:
            if self.pair is not None:
                self.pair.close()
        finally:
            self.network.leave()
            self.network.close()

    # ---- faults: each begins when it is made, and ends when the function is called that it returns ----

    def cable_between_nodes(self, _, **rule):
        self.network.both_ways("a", "b", **rule)
        return self.network.heal

    def cut(self, _):
        return self.cable_between_nodes(None, cut=True)

    def cut_one_way(self, node):
        self.network.one_way(node.letter, self.pair.other(node).letter, cut=True)
        return self.network.heal

    def slow(self, _):
        return self.cable_between_nodes(None, delay_ms=40, jitter_ms=20, loss=0.02)

    def lossy(self, _):
        return self.cable_between_nodes(None, loss=0.2)

    def manager_away(self, node):
        self.network.cut(node.letter, "manager")
        return self.network.heal

    def manager_slow(self, node):
        self.network.both_ways(node.letter, "manager", delay_ms=150, jitter_ms=50)
        return self.network.heal

    def clients_cut_off(self, node):
        self.network.one_way(node.letter, "client", cut=True)
        return self.network.heal

    def kill_keeper(self, node):
        node.kill9()
        return node.start

    def kill_all(self, node):
        for pid in node.members():
            os.kill(pid, signal.SIGKILL)
        node.wait()
        return node.start

    def kill_worker(self, node):
        os.kill(self.random.choice(node.workers()), signal.SIGKILL)
        return lambda: None

    def _stop(self, pids):
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)

        def go_on():
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        return go_on

    def freeze_keeper(self, node):
        return self._stop([node.process.pid])

    def freeze_worker(self, node):
        return self._stop([self.random.choice(node.workers())])

    def freeze_all(self, node):
        return self._stop(node.members())

    # {fault: lines that must follow it: on the node itself, on its peer}
    TOLD = {
        "cut": ("from=streaming to=down", "from=streaming to=down"),
        "cut_one_way": ("from=streaming to=down", "from=streaming to=down"),
        "slow": (None, None), "lossy": (None, None),
        "manager_away": (None, None), "manager_slow": (None, None), "clients_cut_off": (None, None),
        "kill_keeper": ("from=starting to=open", "from=streaming to=down"),
        "kill_all": ("from=starting to=open", "from=streaming to=down"),
        "kill_worker": ("worker-gone .*signal=9", None),
        "freeze_keeper": ("loop-gap ", "from=streaming to=down"),
        "freeze_worker": (None, None),
        "freeze_all": ("loop-gap ", "from=streaming to=down"),
    }

    # ---- one fault after the other ----

    def remove_a_client(self, node):
        """By the operator, while the fault lasts."""
        if self.removed == len(self.leavers):
            return
        name = self.leavers[self.removed]
        self.removed += 1
        began = time.monotonic()
        answer = node.ctl_run("client", "remove", name)
        self.history.add(node.letter, "remove", name, began, time.monotonic(), "unknown" if answer.returncode else "ok",
                         answer.stderr.strip())

    def one_fault(self, name):
        node = self.random.choice(self.pair.nodes)
        other = self.pair.other(node)
        marks = {one: one.log_mark() for one in self.pair.nodes}
        hold_s = self.random.uniform(*HOLD_S)
        end = getattr(self, name)(node)
        until = time.monotonic() + hold_s
        if self.random.random() < 0.5:  # the node that is well, so that the operator gets an answer
            self.remove_a_client(other)
        time.sleep(max(0, until - time.monotonic()))
        end()
        self.pair.wait_streaming()
        for one, pattern in zip((node, other), self.TOLD[name]):
            if pattern is not None:
                one.wait_log(pattern, marks[one])
                one.wait_log(" to=streaming ", marks[one] if "streaming" in pattern else 0)

    def be_calm(self):
        """Nothing is broken; counted as calm when the link held all the time, which a busy machine may prevent."""
        marks = {node: node.log_mark() for node in self.pair.nodes}
        self.pair.wait_streaming()
        begin = time.monotonic()
        time.sleep(CALM_S)
        end = time.monotonic()
        self.pair.wait_streaming()
        if not any(node.log_lines("from=streaming|loop-gap", marks[node]) for node in self.pair.nodes):
            self.history.calm.append((begin, end))

    def faults(self):
        """Every kind once, in the order of the seed."""
        return self.random.sample(sorted(self.TOLD), len(self.TOLD))

    # ---- afterwards ----

    def check_last_words(self, checker):
        """Every node says the same of every key, and what was acknowledged."""
        facts = checker.last_words()
        said = [self.ask_all(node, facts) for node in self.pair.nodes]
        for uid, fact in facts.items():
            if said[0][uid] != said[1][uid]:
                checker.found.append(f"the nodes differ about {uid}: {said[0][uid]} and {said[1][uid]}")
            self.check_one(checker, uid, fact, said[0][uid])

    def ask_all(self, node, uids):
        """{uid: (outcome, material or reason, state)}, on one connection."""
        said = {}
        with self.pair.client("vcenter").connect(node.endpoint) as connection:
            for uid in uids:
                got, state = (connection.ask(frame).one for frame in (vsphere.get(uid), vsphere.get_attributes(uid, "State")))
                state = dict(state.attributes())["State"] if state.ok else state.reason
                if got.ok:
                    said[uid] = ("ok", got.material, state)
                else:
                    said[uid] = ("unknown" if got.reason == wire.GENERAL_FAILURE else "refused", got.reason, state)
        return said

    @staticmethod
    def check_one(checker, uid, fact, said):
        outcome, value, state = said
        is_gone = outcome == "refused" and value == wire.ILLEGAL_OPERATION
        wrong = (outcome == "unknown" or (fact["gone"] is False and is_gone) or (fact["gone"] is True and not is_gone)
                 or (outcome == "ok" and fact["material"] not in (None, value))
                 or (outcome == "refused" and not is_gone)
                 or (outcome == "ok" and fact["revoked"] is True and state != wire.COMPROMISED)
                 or (outcome == "ok" and fact["active"] is True and state == wire.PRE_ACTIVE))
        if wrong:
            checker.found.append(f"in the end {uid} is {said}, and should be {fact}")


def run(world, until=None, tell=lambda text: None):
    """Traffic through every fault, again and again until the time is over; the contradictions."""
    traffic = Traffic(world)
    try:
        world.be_calm()
        rounds = 0
        while rounds == 0 or (until is not None and time.monotonic() < until):
            for name in world.faults():
                tell(f"{name}, {world.history.count('ok')} answers")
                world.one_fault(name)
                world.be_calm()
                assert not traffic.failures, traffic.failures
            rounds += 1
    finally:
        traffic.stop()
    world.pair.wait_same()
    checker = Checker(world.history, MAX_STALE_S)
    checker.check()
    world.check_last_words(checker)
    return checker


@unittest.skipIf(WHY_NOT, WHY_NOT)
class Namespaces(unittest.TestCase):
    def test_every_fault_in_random_order(self):
        """Each kind of fault once; the seed is printed, and replays the order of faults."""
        seed = random.randrange(1 << 32)
        print(f"namespaces_test.py --seed {seed}", flush=True)
        world = World(seed)
        try:
            checker = run(world)
            self.assertEqual(checker.found, [])
            self.assertGreater(world.history.count("ok"), 200)
            self.assertGreater(len(world.history.calm), 0)
        except BaseException:
            world.pair.show_logs()
            raise
        finally:
            world.close()


class CheckerItself(unittest.TestCase):
    """The checker notices what must not be; and does not where a late node may not have heard yet."""

    def found(self, *events, calm=()):
        history = History()
        history.calm.extend(calm)
        for event in events:
            history.add(*event)
        return len(Checker(history, 3).check())

    def key(self, *events):
        return (Event("a", "create", None, 0, 1, "ok", "k"), *events)

    def test_lost_keys(self):
        """Item Not Found of a living key; two values of one key."""
        lost = Event("b", "get", "k", 2, 3, "refused", wire.ITEM_NOT_FOUND)
        self.assertEqual(self.found(*self.key(lost)), 1)
        self.assertEqual(self.found(*self.key(Event("a", "destroy", "k", 1, 2.5, "unknown", 0), lost)), 0)
        self.assertEqual(self.found(*self.key(Event("a", "get", "k", 2, 3, "ok", b"1"), Event("b", "get", "k", 2, 3, "ok", b"2"))), 1)

    def test_destroyed_keys(self):
        """Served at once by the node that answered, by the other one after max-stale, or while all is calm."""
        gone = Event("a", "destroy", "k", 1, 2, "ok", None)
        for node, began, calm, contradictions in (("a", 2.1, (), 1), ("b", 2.1, (), 0), ("b", 5.1, (), 1), ("b", 2.1, ((0, 9),), 1),
                                                  ("b", 1.9, ((0, 9),), 0)):
            served = Event(node, "get", "k", began, began + 0.1, "ok", b"1")
            self.assertEqual(self.found(*self.key(gone, served), calm=calm), contradictions, served)

    def test_states(self):
        """A revocation that is forgotten, an activation that is forgotten by the node that answered it."""
        revoked, active = Event("a", "revoke", "k", 1, 2, "ok", None), Event("a", "activate", "k", 1, 2, "ok", None)
        self.assertEqual(self.found(*self.key(revoked, Event("b", "state", "k", 6, 7, "ok", wire.ACTIVE))), 1)
        self.assertEqual(self.found(*self.key(revoked, Event("b", "state", "k", 6, 7, "ok", wire.COMPROMISED))), 0)
        self.assertEqual(self.found(*self.key(active, Event("a", "state", "k", 3, 4, "ok", wire.PRE_ACTIVE))), 1)
        self.assertEqual(self.found(*self.key(active, Event("b", "state", "k", 6, 7, "ok", wire.PRE_ACTIVE))), 0)

    def test_removed_clients(self):
        """Given a key after the removal was answered."""
        removal = Event("a", "remove", "c", 1, 2, "ok", "")
        self.assertEqual(self.found(removal, Event("b", "enter", "c", 5.1, 5.2, "ok", None)), 1)
        self.assertEqual(self.found(removal, Event("b", "enter", "c", 2.1, 2.2, "ok", None)), 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--minutes", type=float, default=0)
    options = parser.parse_args()
    print(f"namespaces_test.py --seed {options.seed} --minutes {options.minutes}", flush=True)
    world = World(options.seed)
    try:
        begun = time.monotonic()
        checker = run(world, begun + 60 * options.minutes, lambda text: print(f"{time.monotonic() - begun:6.0f} s  {text}", flush=True))
    finally:
        world.close()
    print(", ".join(f"{count} {outcome} {verb}" for (verb, outcome), count in sorted(collections.Counter(
        (event.verb, event.outcome) for event in world.history.events).items())))
    print("\n".join(checker.found) or "nothing acknowledged was lost or contradicted")
    sys.exit(1 if checker.found else 0)


if __name__ == "__main__":
    if "--seed" in sys.argv or "--minutes" in sys.argv:
        main()
    unittest.main()
