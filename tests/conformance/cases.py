#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the repository's own cases (own/*.case) and the published ones of KMIP 1.0 to 1.4 (folder in KMIP_VECTORS), many of them
also as other versions (published.py), against a pair of nodes.

Each case is one session. deviations.tsv names the published ones that cannot pass, with the reason; one of them that passes is
a failure too, so that the list stays true.
"""
import argparse
import pathlib
import random
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "harness"))

import published  # noqa: E402
from own import OwnSession, Reader  # noqa: E402
from pair import Pair  # noqa: E402
from runner import Job, Runner, run_all  # noqa: E402
from vectors import Tables  # noqa: E402

OPTIONS = {"top": {"reconcile-interval": 600, "root-key-poll": 600}, "kmip": {"strict-activate": "true"},
           "authority": "/C=US/O=TEST/OU=OASIS/CN=KMIP", "authority-of-all": True}
CLIENTS = 3  # at a time


def own_jobs(tables):
    reader = Reader(tables)
    for case in reader.cases:
        for version in case.versions:
            yield Job(f"{case.name} [{version[0]}.{version[1]}]", OwnSession,
                      lambda case=case, version=version: reader.messages(case, version))


class Tally:
    def __init__(self, verbose):
        self.verbose, self.known = verbose, published.deviations()
        self.passed = self.failed = self.skipped = 0

    def take(self, job):
        reason = self.known.get(job.name)
        if job.different is None and reason is None:
            self.passed += 1
            if self.verbose:
                print(f"passed   {job.name}")
        elif job.different is None:
            self.failed += 1
            print(f"FAILED   {job.name}: passes, but deviations.tsv says that it cannot")
        elif reason is not None:
            self.skipped += 1
            print(f"skipped  {job.name}: {reason}")
        else:
            self.failed += 1
            print(f"FAILED   {job.name}: {job.different}")
        sys.stdout.flush()


def run(jobs, seed, tables, tally):
    pair = Pair(OPTIONS, tenants=CLIENTS)
    try:
        runners = []
        for instance in pair.instances:
            pair.register(instance["name"], instance["name"])
            runners.append(Runner(tables, pair, pair.client(instance["name"]), seed))
        for job in run_all(runners, jobs):
            tally.take(job)
    finally:
        if published.vectors_are_here():
            published.pardon_published()
        pair.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verbose", action="store_true", help="name the cases that pass, too")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32), help="draw the endpoints as that run did")
    parser.add_argument("parts", nargs="*", metavar="PART", help="only the cases whose name holds one of these")
    options = parser.parse_args()
    print(f"seed {options.seed}")
    tables, tally = Tables(), Tally(options.verbose)
    jobs = list(own_jobs(tables))
    if published.vectors_are_here():
        jobs += published.jobs()
        jobs += published.jobs_as_other_versions(tables)
    else:
        tally.skipped += 1
        print("SKIPPED: KMIP_VECTORS does not name a folder: no published case is run, no table compared")
    jobs = [job for job in jobs if not options.parts or any(part in job.name for part in options.parts)]
    run(jobs, options.seed, tables, tally)
    print(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
