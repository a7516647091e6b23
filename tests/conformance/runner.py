# SPDX-License-Identifier: Apache-2.0
"""Runs jobs against a pair of nodes: several at a time, each by a client of an instance of its own, so that none sees another's
objects. Each message goes to an endpoint that is drawn for it, but where its session says where it must go.
"""
import queue
import random
import threading

import wire
from law import Different

REVOKE_COMPROMISE = 2
ONLINE, ARCHIVED = 1, 2  # bits of Storage Status Mask
# A node whose machine was busy elsewhere for so long that its lease ended, or a call to the key manager, hangs up or says
# General Failure (D3, D15, D19) and its client walks on or asks again. Here the case is run again.
STALLED = r"warning keeper (loop-gap|request-refused|answer-lost|create-unresolved|nobody-vouches|outage-begins)"
ATTEMPTS_MAX = 5


class Job:
    """A session to be run: `root()` gives its messages, `session` is the class that compares them, `before()` gives a session that
    is run first. keeps: what it makes is for the next job."""

    def __init__(self, name, session, root, keeps=False, before=None):
        self.name, self.session, self.root, self.keeps, self.before = name, session, root, keeps, before
        self.different = None  # after the run: what was different, if anything


class Runner:
    def __init__(self, tables, pair, client, seed):
        self.tables, self.pair, self.client, self.seed = tables, pair, client, seed
        self.connections, self.random = {}, None

    def ask(self, frame, home):
        endpoint = home or self.random.choice(self.client.endpoints)
        try:
            connection = self.connect(endpoint)
            connection.send(frame)
            return connection.receive_frame(), endpoint
        except OSError as error:
            self.hang_up()
            raise Different(f"no answer: {error}") from None

    def connect(self, endpoint):
        if endpoint not in self.connections:
            self.connections[endpoint] = wire.Connection(endpoint, self.client.identity, self.client.ca)
        return self.connections[endpoint]

    def hang_up(self):
        for connection in self.connections.values():
            connection.close()
        self.connections = {}

    def run(self, chain):
        """All jobs of a chain, again when one differs and a node stalled meanwhile."""
        for _ in range(ATTEMPTS_MAX):
            marks = {node: node.log_mark() for node in self.pair.nodes}
            session = None
            for job in chain:
                session = self.run_one(job, session)
            self.clean()
            again = [job for job in chain if job.different]
            if not again or not any(node.log_lines(STALLED, mark) for node, mark in marks.items()):
                return
            for job in again:
                print(f"again    {job.name}: a node stalled, and {job.different}", flush=True)

    def run_one(self, job, before):
        """The session, which looks for what the one before it made."""
        self.random = random.Random(f"{self.seed} {job.name}")  # one case alone is drawn as among all
        job.different = None
        try:
            for root in filter(None, (job.before, job.root)):
                session = job.session(self.tables, root(), self.ask)
                if before is not None:
                    session.follow(before)
                before = session
                session.run()
        except (Different, KeyError, ValueError, AssertionError) as different:
            job.different = str(different) if isinstance(different, Different) else f"not to be run: {different!r}"
        return before

    def clean(self):
        """No case sees another's objects."""
        for _ in range(ATTEMPTS_MAX):
            try:
                self.destroy_all()
                return
            except Different:  # no answer
                pass

    def destroy_all(self):
        located = self.ask_one(wire.batch_item(wire.LOCATE, wire.integer(wire.STORAGE_STATUS_MASK, ONLINE | ARCHIVED)))
        for uid in [node.value for node in located.payload.all(wire.UID)]:
            reason = wire.structure(wire.REVOCATION_REASON, wire.enum(wire.REVOCATION_CODE, REVOKE_COMPROMISE))
            named = wire.text(wire.UID, uid)
            for item in (wire.batch_item(wire.RECOVER, named), wire.batch_item(wire.REVOKE, named, reason),
                         wire.batch_item(wire.DESTROY, named)):
                self.ask_one(item)

    def ask_one(self, item):
        return wire.Response(self.ask(wire.request(item, version=(1, 4)), None)[0]).one


def chains(jobs):
    """Jobs in a row that must be run one after the other, by one client."""
    chain = []
    for job in jobs:
        chain.append(job)
        if not job.keeps:
            yield chain
            chain = []
    if chain:
        yield chain


def run_all(runners, jobs):
    """Yields each job after it was run."""
    waiting, done = queue.Queue(), queue.Queue()
    for chain in chains(jobs):
        waiting.put(chain)

    def work(runner):
        try:
            while True:
                chain = waiting.get_nowait()
                runner.run(chain)
                for job in chain:
                    done.put(job)
        except queue.Empty:
            pass
        except BaseException as error:  # told in the main thread
            done.put(error)
        finally:
            runner.hang_up()

    threads = [threading.Thread(target=work, args=(runner,), daemon=True) for runner in runners]
    for thread in threads:
        thread.start()
    for _ in jobs:
        job = done.get()
        if isinstance(job, BaseException):
            raise job
        yield job
    for thread in threads:
        thread.join()
