# SPDX-License-Identifier: Apache-2.0
"""The cable between the namespaces of netns.py: a process that carries packets from one to the other, late or not at all, as
it is told. Packets of one direction stay in order. It ends with its input.

    switch.py SEED FD...     each descriptor is the far end of one namespace's only interface, in the order of addresses
    input: a line of JSON {"1>2": {"delay_ms": 5, "jitter_ms": 2, "loss": 0.1, "cut": false}, ...}; answered by "ok"
"""
import heapq
import json
import os
import random
import select
import sys
import time

PACKET_MAX = 2048
NOTHING = {"delay_ms": 0, "jitter_ms": 0, "loss": 0, "cut": False}


class Switch:
    def __init__(self, seed, descriptors):
        self.random = random.Random(seed)
        self.descriptors = descriptors
        self.rules, self.last_due = {}, {}
        self.waiting, self.count = [], 0

    def set_rules(self, line):
        self.rules = {tuple(map(int, name.split(">"))): {**NOTHING, **rule} for name, rule in json.loads(line).items()}

    def take(self, source):
        """One packet; IPv4 only."""
        packet = os.read(self.descriptors[source], PACKET_MAX)
        target = packet[19] - 1 if len(packet) >= 20 and packet[0] >> 4 == 4 else -1
        if not 0 <= target < len(self.descriptors):
            return
        rule = self.rules.get((source + 1, target + 1), NOTHING)
        if rule["cut"] or self.random.random() < rule["loss"]:
            return
        way = (source, target)
        due = time.monotonic() + (rule["delay_ms"] + self.random.random() * rule["jitter_ms"]) / 1000
        due = self.last_due[way] = max(due, self.last_due.get(way, 0))
        self.count += 1
        heapq.heappush(self.waiting, (due, self.count, target, packet))

    def deliver(self):
        """What is due; the milliseconds until the next is."""
        while self.waiting:
            wait_s = self.waiting[0][0] - time.monotonic()
            if wait_s > 0:
                return wait_s * 1000
            _, _, target, packet = heapq.heappop(self.waiting)
            try:
                os.write(self.descriptors[target], packet)
            except OSError:  # a full queue loses packets
                pass
        return None

    def run(self):
        poll = select.poll()
        poll.register(sys.stdin.fileno(), select.POLLIN)
        sources = {descriptor: index for index, descriptor in enumerate(self.descriptors)}
        for descriptor in self.descriptors:
            poll.register(descriptor, select.POLLIN)
        while True:
            for ready, _ in poll.poll(self.deliver()):
                if ready in sources:
                    self.take(sources[ready])
                    continue
                line = sys.stdin.readline()
                if not line:
                    return
                self.set_rules(line)
                print("ok", flush=True)


if __name__ == "__main__":
    Switch(int(sys.argv[1]), [int(word) for word in sys.argv[2:]]).run()
