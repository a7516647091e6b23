# SPDX-License-Identifier: Apache-2.0
"""Test cases over a pair: one pair for a class (PairCase) or for each test (FreshPairCase)."""
import unittest

import wire
from pair import Pair
from vsphere import Refused


class Case(unittest.TestCase):
    """Prints the logs of self.pair when a test of it fails."""

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        outcome = super().run(result)
        pair = getattr(self, "pair", None)
        if pair is not None and len(result.failures) + len(result.errors) > before:
            print(f"\n==== {self.id()}")
            pair.show_logs()
        return outcome

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
        self.addCleanup(self.pair.close)
        self.pair.register("vcenter")
        self.vcenter = self.pair.client("vcenter")
        self.on_a = self.pair.client("vcenter", self.pair.a)
        self.on_b = self.pair.client("vcenter", self.pair.b)


__all__ = ["Case", "PairCase", "FreshPairCase", "wire"]
