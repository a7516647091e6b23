# SPDX-License-Identifier: Apache-2.0
"""Test cases over a pair: one pair for a class (PairCase) or for each test (FreshPairCase)."""
import unittest

import wire
from pair import Pair
from vsphere import Refused


class Case(unittest.TestCase):
    """Prints the logs of the pair when a test of it fails."""

    pair = None

    def run(self, result=None):
        self.result, self.failed_before = result, len(result.failures) + len(result.errors)
        outcome = super().run(result)
        if self.pair is not None:  # a test's own pair has spoken, and is gone
            self.show_logs_of_failure()
        return outcome

    def show_logs_of_failure(self):
        if len(self.result.failures) + len(self.result.errors) > self.failed_before:
            print(f"\n==== {self.id()}")
            self.pair.show_logs()

    def expect_reason(self, item, *reasons):
        """A failed item with one of these reasons, and what any failure must look like."""
        self.assertEqual(item.status, 1, item)
        self.assertIn(item.reason, reasons, item)
        self.assertLess(len(item.message or ""), 200)

    def expect_refused(self, reason, call, *arguments, **options):
        with self.assertRaises(Refused) as raised:
            call(*arguments, **options)
        self.expect_reason(raised.exception.item, reason)

    def expect_no_errors_logged(self, marks=None):
        for node in self.pair.nodes:
            lines = node.log_lines(r"^\S+ error ", (marks or {}).get(node, 0))
            self.assertEqual(lines, [], node.name)


class PairCase(Case):
    """All tests of the class share one running pair with a registered client "vcenter"."""

    options = None
    tenants = 1

    @classmethod
    def setUpClass(cls):
        cls.pair = Pair(cls.options, cls.tenants)
        cls.addClassCleanup(cls.pair.close)
        cls.pair.register("vcenter")
        cls.vcenter = cls.pair.client("vcenter")
        cls.on_a = cls.pair.client("vcenter", cls.pair.a)
        cls.on_b = cls.pair.client("vcenter", cls.pair.b)

    def reason_of(self, client, frame):
        """The reason of a request that must fail, on the client's only endpoint, without a retry."""
        with client.connect(client.endpoints[0]) as connection:
            item = connection.ask(frame).one
        self.assertEqual(item.status, 1, item)
        return item.reason

    def answer_of(self, client, frame):
        """The item that the client's only endpoint answers, good or bad."""
        with client.connect(client.endpoints[0]) as connection:
            return connection.ask(frame).one


class FreshPairCase(PairCase):
    """Each test has a pair of its own."""

    @classmethod
    def setUpClass(cls):
        pass

    def setUp(self):
        self.pair = Pair(self.options, self.tenants)
        self.addCleanup(self.close_pair)
        self.pair.register("vcenter")
        self.vcenter = self.pair.client("vcenter")
        self.on_a = self.pair.client("vcenter", self.pair.a)
        self.on_b = self.pair.client("vcenter", self.pair.b)

    def close_pair(self):
        self.show_logs_of_failure()
        pair, self.pair = self.pair, None
        pair.close()


__all__ = ["Case", "PairCase", "FreshPairCase", "wire"]
