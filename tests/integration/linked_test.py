# SPDX-License-Identifier: Apache-2.0
"""What stands in several objects at once, links and names that moved, is in the key manager before it is answered: nodes
that are killed and lose both caches right after tell the same of re-keyed pairs, and of certificates that were renewed.
"""
import unittest

import harness  # noqa: F401
import wire
from attributes import mask, named
from case import FreshPairCase
from population import Population
from process import wait_until
from wire import ATTRIBUTE_VALUE as VALUE

CREATE_KEY_PAIR, CERTIFY, RE_CERTIFY, RE_KEY_KEY_PAIR = 2, 6, 7, 29
PRIVATE_UID, PUBLIC_UID = 0x420066, 0x42006F
COMMON, PRIVATE, PUBLIC = 0x42001F, 0x420065, 0x42006E
EC, SIGN, VERIFY = 6, 1, 2


class Linked(FreshPairCase):
    options = {"authority": "/CN=authority"}

    def ask(self, client, operation, *payload):
        return client.ask(wire.request(wire.batch_item(operation, *payload), version=(1, 4))).payload

    def make_pair(self, client, label):
        """(private, public): P-256, active."""
        made = self.ask(
            client, CREATE_KEY_PAIR,
            wire.structure(COMMON, wire.attribute("Cryptographic Algorithm", wire.enum(VALUE, EC)),
                           wire.attribute("Cryptographic Length", wire.integer(VALUE, 256)),
                           wire.attribute("Activation Date", wire.date(VALUE, 1000))),
            wire.structure(PRIVATE, named(label + " private"), mask(SIGN)),
            wire.structure(PUBLIC, named(label + " public"), mask(VERIFY)))
        return made.get(PRIVATE_UID), made.get(PUBLIC_UID)

    def re_key(self, client, private):
        made = self.ask(client, RE_KEY_KEY_PAIR, wire.text(PRIVATE_UID, private))
        return made.get(PRIVATE_UID), made.get(PUBLIC_UID)

    def lose_everything(self):
        for node in self.pair.nodes:
            node.kill9()
        self.pair.delete_caches()
        self.pair.start()

    def tell(self, node, uids):
        return Population(self.pair, 0, 0).tell(node, uids)

    def expect_same_after_the_loss(self, uids):
        before = self.tell(self.pair.a, uids)
        self.assertEqual(self.tell(self.pair.b, uids), before)
        self.lose_everything()
        for node in self.pair.nodes:
            self.assertEqual(self.tell(node, uids), before, node.name)
        for node in self.pair.nodes:
            wait_until(lambda: set(uids) <= set(node.keys()), f"{node.name} has listed everything")
            self.assertEqual(self.tell(node, uids), before, node.name)

    def test_pair_that_was_re_keyed(self):
        """Twice, by either node: six keys, each with its names, links, dates and bytes."""
        old = self.make_pair(self.on_a, "pair")
        new = self.re_key(self.on_b, old[0])
        newest = self.re_key(self.on_a, new[0])
        self.expect_same_after_the_loss([*old, *new, *newest])

    def test_certificates_that_were_renewed(self):
        """Issued by one node, renewed by the other, and once more: keys and certificates point to each other as before."""
        private, public = self.make_pair(self.on_a, "pair")
        template = wire.structure(wire.TEMPLATE_ATTRIBUTE, named("certificate"), mask(VERIFY))
        first = self.ask(self.on_a, CERTIFY, wire.text(wire.UID, public), template).get(wire.UID)
        second = self.ask(self.on_b, RE_CERTIFY, wire.text(wire.UID, first)).get(wire.UID)
        third = self.ask(self.on_a, RE_CERTIFY, wire.text(wire.UID, second)).get(wire.UID)
        self.expect_same_after_the_loss([private, public, first, second, third])


if __name__ == "__main__":
    unittest.main()
