#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Figures of a pair on this machine, over the emulated key manager: what a failover, a cut and a lost cache cost. Nothing is judged.

    PAIR_BIN_DIR=build/release/bin tests/bench/bench.py failover lag gate cut
    PAIR_BIN_DIR=build/release/bin tests/bench/bench.py reseed --records 1000000
"""
import argparse
import contextlib
import os
import pathlib
import re
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "harness"))
import vsphere  # noqa: E402
from pair import FIRST, CtlError, Pair  # noqa: E402
from process import program, wait_until  # noqa: E402

OPTIONS = {"top": {"cache-size-mib": 16384, "reconcile-interval": 30, "root-key-poll": 30, "log-level": "info"}}
LONG_S = 3600
ROUNDS = 10


@contextlib.contextmanager
def running_pair():
    pair = Pair(OPTIONS)
    try:
        pair.register("vcenter")
        yield pair
    finally:
        pair.put_down()


def figures(name, values_s):
    """One line: how many, median, 99th percentile, longest, in milliseconds."""
    ordered = sorted(values_s)

    def at(share):
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]
    print(f"{name:44} n={len(ordered):<6} p50={at(0.5):8.2f} ms  p99={at(0.99):8.2f} ms  max={1000 * ordered[-1]:8.2f} ms", flush=True)


def timed(call, *arguments):
    begun = time.monotonic()
    call(*arguments)
    return time.monotonic() - begun


# ---- what a client sees of a dead node ----

def failover(_):
    """From kill -9 of a node to the next good answer of a client that knows both endpoints and was last served by the dead one; the same
    for a change of an existing key, which waits until the dead node's lease is over."""
    gets, destroys = [], []
    with running_pair() as pair:
        for number in range(ROUNDS):
            node = pair.nodes[number % 2]
            client = pair.client("vcenter", node, pair.other(node))
            client.random.sample = lambda endpoints, _: list(endpoints)  # the dead one first
            uid, doomed = client.create(), client.create()
            client.material(uid)
            node.kill9()
            gets.append(timed(client.material, uid))
            destroys.append(timed(client.ask, vsphere.destroy(doomed)))
            node.start()
            pair.wait_streaming()
    figures("first Get after kill -9 of a node", gets)
    figures("first Destroy after that (waits for the lease)", destroys)


def cut(_):
    """From SIGSTOP of a node, which is silence as a cut cable is, to the line by which the other one says that the link is down."""
    values = []
    with running_pair() as pair:
        for number in range(ROUNDS):
            node = pair.nodes[number % 2]
            other = pair.other(node)
            mark = other.log_mark()
            stopped = time.monotonic()
            pids = node.members()
            for pid in pids:
                os.kill(pid, 19)
            other.wait_log("from=streaming to=down", mark)
            values.append(time.monotonic() - stopped)
            for pid in pids:
                os.kill(pid, 18)
            pair.wait_streaming()
    figures("silence noticed", values)


# ---- the price of the pair ----

def connection_of(pair, node):
    client = pair.client("vcenter", node)
    return client.connect(node.endpoint)


def ask(connection, frame):
    item = connection.ask(frame).one
    assert item.ok, item
    return item


def gate(options):
    """Activate on one connection: with the peer, whose acknowledgement the answer waits for, and without a peer. Nothing of it goes to
    the key manager."""
    with running_pair() as pair:
        with connection_of(pair, pair.a) as connection:
            uids = [ask(connection, vsphere.create()).uid for _ in range(options.count)]
            half = len(uids) // 2
            with_peer = [timed(ask, connection, vsphere.activate(uid)) for uid in uids[:half]]
            pair.b.stop()
            ask(connection, vsphere.activate(uids[half]))  # the one that waits for the lease's end
            alone = [timed(ask, connection, vsphere.activate(uid)) for uid in uids[half + 1:]]
    figures("Activate, acknowledged by the peer", with_peer)
    figures("Activate, peer gone", alone)


def lag(options):
    """From the answer to a Create on A to the moment at which B lists the key, while other clients make keys on both nodes. The answer
    waits for the peer, so that the lag of what was answered is nothing; measured is the peer's share in the answer's time."""
    stopped = threading.Event()
    with running_pair() as pair:
        def load(node):
            with connection_of(pair, node) as connection:
                while not stopped.is_set():
                    ask(connection, vsphere.activate(ask(connection, vsphere.create()).uid))
        threads = [threading.Thread(target=load, args=(node,)) for node in pair.nodes for _ in range(2)]
        for thread in threads:
            thread.start()
        behind, seen = [], []
        try:
            with connection_of(pair, pair.a) as on_a, connection_of(pair, pair.b) as on_b:
                for _ in range(options.count // 2):
                    uid = ask(on_a, vsphere.create()).uid
                    ask(on_a, vsphere.add_attributes(uid, [("x-a", "1")]))
                    answered = time.monotonic()
                    while dict(ask(on_b, vsphere.get_attributes(uid, "x-a")).attributes()).get("x-a") != "1":
                        pass
                    seen.append(time.monotonic() - answered)
                    behind.append(pair.a.status()["peer"]["lag"])
        finally:
            stopped.set()
            for thread in threads:
                thread.join()
    figures("a change answered by A is seen on B (one Get)", seen)
    behind.sort()
    print(f"{'entries not yet acknowledged, under load':44} n={len(behind):<6} p50={behind[len(behind) // 2]}  p99="
          f"{behind[int(0.99 * len(behind))]}  max={behind[-1]}")


# ---- a lost cache ----

def written_mib(process):
    """What the process gave to the disk so far."""
    counted = pathlib.Path(f"/proc/{process.pid}/io").read_text()
    return int(re.search(r"^write_bytes: (\d+)", counted, re.MULTILINE)[1]) >> 20


def processor_seconds(process):
    """User and system time of a process so far: on a busy machine they tell more than the clock."""
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def reseed(options):
    """A cache of many keys is verified at the start of its node; an empty node gets all of them from it. The key manager is away, since it
    does not have these keys."""
    pair = Pair(OPTIONS, start=False)
    try:
        pair.manager.put_down()
        made = timed(subprocess.check_call, [program("cache-fill"), pair.b.data, "16384", FIRST, str(options.records), "keys"])
        size = os.path.getsize(os.path.join(pair.b.data, "data.mdb")) >> 20
        print(f"{options.records} keys made in {made:.1f} s, {size} MiB", flush=True)
        begun = time.monotonic()
        pair.b.launch_node()
        wait_until(lambda: pair.b.log_lines(" started ", pair.b.mark), "the full node runs", LONG_S)
        verified = pair.b.log_lines("cache-verified", pair.b.mark)[0]
        print(f"started in {time.monotonic() - begun:.2f} s; verified: {re.search(r'records=.*', verified)[0]}", flush=True)
        pair.a.launch_node()
        begun = time.monotonic()
        pair.a.wait_log(" started ", pair.a.mark)

        def is_full():
            with contextlib.suppress(CtlError):
                status = pair.a.status()
                return status["cache"]["objects"] >= options.records and status["peer"]["state"] == "streaming"
        before = processor_seconds(pair.b.process)
        wait_until(is_full, "the empty node has everything", LONG_S)
        took = time.monotonic() - begun
        print(f"processor: receiver's keeper {processor_seconds(pair.a.process):.1f} s, giver's {processor_seconds(pair.b.process) - before:.1f} s; "
              f"the receiver wrote {written_mib(pair.a.process)} MiB")
        print(f"re-seeded in {took:.2f} s, {options.records / took:.0f} keys a second", flush=True)
        gaps = [int(gap) for node in pair.nodes for line in node.log_lines("loop-gap") for gap in re.findall(r"ms=(\d+)", line)]
        print(f"gaps over 250 ms of both keepers' loops: {len(gaps)}, longest {max(gaps, default=0)} ms")
    finally:
        pair.put_down()


BENCHES = {"failover": failover, "cut": cut, "gate": gate, "lag": lag, "reseed": reseed}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", nargs="+", choices=BENCHES)
    parser.add_argument("--records", type=int, default=100000, help="keys of reseed")
    parser.add_argument("--count", type=int, default=400, help="requests of gate and lag")
    options = parser.parse_args()
    for name in options.bench:
        print(f"== {name}", flush=True)
        BENCHES[name](options)


if __name__ == "__main__":
    main()
