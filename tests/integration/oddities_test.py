# SPDX-License-Identifier: Apache-2.0
"""What a KMIP server meets beside well-behaved clients (vSphere rows Q1 to Q17): other versions, odd batches, unknown
operations, garbage, oversize, pipelining, slow senders. Every answer is checked byte by byte by a decoder of our own.
"""
import socket
import struct
import time
import unittest

import harness  # noqa: F401
import vsphere
import wire
from case import PairCase
from wire import Connection

MESSAGE_MAX = 65536
MESSAGE_TIMEOUT_S = 2
NOWHERE = "00000000-0000-4000-8000-000000000000"


class Oddities(PairCase):
    options = {"kmip": {"max-message-size": MESSAGE_MAX, "message-timeout": MESSAGE_TIMEOUT_S}}

    def setUp(self):
        self.connection = Connection(self.pair.a.endpoint, self.vcenter.identity, self.pair.pki.ca)
        self.addCleanup(self.connection.close)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.uid, cls.material = cls.vcenter.encrypt_vm("q")

    def ask(self, *items, **options):
        return self.connection.ask(wire.request(*items, **options))

    def get(self, uid=None, **options):
        return wire.batch_item(wire.GET, wire.text(wire.UID, uid or self.uid), **options)

    def expect_alive(self):
        """The same connection still serves."""
        self.assertEqual(self.connection.ask(vsphere.get(self.uid)).one.material, self.material)

    def expect_invalid_message_then_close(self):
        answer = self.connection.receive()
        item = answer.one
        self.assertIsNone(item.operation)
        self.expect_reason(item, wire.INVALID_MESSAGE)
        self.assertTrue(self.connection.is_closed_by_server())
        self.assertEqual(self.on_a.material(self.uid), self.material)

    def test_q01_versions(self):
        """1.0 to 1.4 are answered in kind; attributes and reasons that a version does not know are left out."""
        newer = {"Fresh": 1, "Original Creation Date": 2, "Sensitive": 4, "Extractable": 4}
        for minor in range(5):
            answer = self.ask(wire.batch_item(wire.GET_ATTRIBUTE_LIST, wire.text(wire.UID, self.uid)),
                              version=(1, minor))
            self.assertEqual(answer.version, (1, minor))
            names = [node.value for node in answer.one.payload.all(wire.ATTRIBUTE_NAME)]
            self.assertIn("State", names)
            for name, since in newer.items():
                if minor < since:
                    self.assertNotIn(name, names)
            self.assertEqual(self.ask(self.get(), version=(1, minor)).one.material, self.material)
            if minor > 0:
                self.assertTrue(self.ask(wire.batch_item(wire.DISCOVER_VERSIONS), version=(1, minor)).one.ok)

    def test_q02_versions_that_we_do_not_speak(self):
        """Major 2 or 0: one item without operation, Invalid Message, connection kept. A newer minor is served."""
        for version in ((2, 0), (0, 9), (3, 1)):
            item = self.ask(self.get(), version=version).one
            self.assertIsNone(item.operation)
            self.expect_reason(item, wire.INVALID_MESSAGE)
            self.expect_alive()
        self.assertEqual(self.ask(self.get(), version=(1, 9)).one.material, self.material)

    def test_q03_the_header_stays_1_1(self):
        """After Discover Versions offered more, 1.1 is answered with 1.1."""
        self.connection.ask(vsphere.discover())
        self.assertEqual(self.connection.ask(vsphere.get(self.uid)).version, (1, 1))

    def test_q04_batch_without_ids(self):
        """Three items without Unique Batch Item ID: answered in order, without ids; from 1.2 on refused, with nothing done."""
        answer = self.ask(self.get(), wire.batch_item(wire.DISCOVER_VERSIONS), self.get())
        self.assertEqual([item.operation for item in answer.items], [wire.GET, wire.DISCOVER_VERSIONS, wire.GET])
        self.assertEqual([(item.status, item.id) for item in answer.items], [(0, None)] * 3)
        tag = wire.attribute("x-q04", wire.text(wire.ATTRIBUTE_VALUE, "v"))
        items = [wire.batch_item(wire.ADD_ATTRIBUTE, wire.text(wire.UID, self.uid), tag, item_id=b"1"), self.get()]
        for minor in (2, 3, 4):
            item = self.ask(*items, version=(1, minor)).one
            self.assertIsNone(item.operation)
            self.expect_reason(item, wire.INVALID_MESSAGE)
        self.assertEqual(self.on_a.ask(vsphere.get_attributes(self.uid, "x-q04")).attributes(), [])

    def test_q05_batch_with_a_failing_item(self):
        """By default the batch stops at the failure and earlier items stand; with Continue it goes on."""
        tag = wire.attribute("x-q05", wire.text(wire.ATTRIBUTE_VALUE, "kept"))
        items = [wire.batch_item(wire.ADD_ATTRIBUTE, wire.text(wire.UID, self.uid), tag, item_id=b"1"),
                 self.get(NOWHERE, item_id=b"2"), self.get(item_id=b"3")]
        answer = self.ask(*items)
        self.assertEqual([(item.id, item.status) for item in answer.items], [(b"1", 0), (b"2", 1)])
        self.expect_reason(answer.items[1], wire.ITEM_NOT_FOUND)
        self.assertEqual(self.on_b.ask(vsphere.get_attributes(self.uid, "x-q05")).attributes(), [("x-q05", "kept")])
        answer = self.ask(*items[1:], header=(wire.enum(wire.BATCH_CONTINUATION, 1),))
        self.assertEqual([(item.id, item.status) for item in answer.items], [(b"2", 1), (b"3", 0)])

    def test_q05_a_failing_batch_that_is_undone(self):
        """With Undo what was made is destroyed and what was changed is as it was, on both nodes; a key that went is not handed out."""
        before = {uid for uid, (state, _) in self.pair.a.keys().items() if "Destroyed" not in state}
        tag = wire.attribute("x-q05-undo", wire.text(wire.ATTRIBUTE_VALUE, "undone"))
        made = wire.batch_item(wire.CREATE, wire.enum(wire.OBJECT_TYPE, 2), wire.structure(
            wire.TEMPLATE_ATTRIBUTE, wire.attribute("Cryptographic Algorithm", wire.enum(wire.ATTRIBUTE_VALUE, 3)),
            wire.attribute("Cryptographic Length", wire.integer(wire.ATTRIBUTE_VALUE, 256))), item_id=b"1")
        items = [made, wire.batch_item(wire.GET, item_id=b"2"),
                 wire.batch_item(wire.ADD_ATTRIBUTE, wire.text(wire.UID, self.uid), tag, item_id=b"3"),
                 self.get(NOWHERE, item_id=b"4"), self.get(item_id=b"5")]
        answer = self.ask(*items, header=(wire.enum(wire.BATCH_CONTINUATION, 3),))
        self.assertEqual([(item.id, item.status) for item in answer.items], [(b"1", 3), (b"2", 3), (b"3", 3), (b"4", 1)])
        self.assertTrue(all(item.payload is None for item in answer.items))
        for client, node in ((self.on_a, self.pair.a), (self.on_b, self.pair.b)):
            self.assertEqual(client.ask(vsphere.get_attributes(self.uid, "x-q05-undo")).attributes(), [])
            live = {uid for uid, (state, _) in node.keys().items() if "Destroyed" not in state}
            self.assertEqual(live, before)

    def test_q06_adding_what_is_there(self):
        """A custom attribute again: the next index. A single-instance attribute: Illegal Operation. A given index: Invalid
        Field. State: Permission Denied. y-*: refused."""
        def add(name, value, index=None):
            return self.ask(wire.batch_item(wire.ADD_ATTRIBUTE, wire.text(wire.UID, self.uid),
                                            wire.attribute(name, value, index))).one

        def words(value):
            return wire.text(wire.ATTRIBUTE_VALUE, value)
        for expected, value in ((None, "one"), (1, "two"), (2, "three")):
            item = add("x-q06", words(value))
            self.assertTrue(item.ok, item)
            self.assertEqual(item.payload.get(wire.ATTRIBUTE, wire.ATTRIBUTE_INDEX), expected)
        got = self.on_b.ask(vsphere.get_attributes(self.uid, "x-q06")).attributes()
        self.assertEqual([value for _, value in got], ["one", "two", "three"])
        self.assertTrue(add("Contact Information", words("me")).ok)
        self.expect_reason(add("Contact Information", words("you")), wire.ILLEGAL_OPERATION)
        self.expect_reason(add("x-q06-index", words("a"), index=0), wire.INVALID_FIELD)
        self.expect_reason(add("State", wire.enum(wire.ATTRIBUTE_VALUE, 2)), wire.PERMISSION_DENIED)
        self.assertEqual(add("y-q06", words("a")).status, 1)
        self.expect_alive()

    def test_q07_unknown_attribute_names(self):
        """Success with the UID alone."""
        for name in ("No Such Attribute", "x-none", "STATE", ""):
            item = self.connection.ask(vsphere.get_attributes(self.uid, name)).one
            self.assertTrue(item.ok, item)
            self.assertEqual([child.tag for child in item.payload.value], [wire.UID])

    def test_q08_no_names_and_names_twice(self):
        """No name: all attributes. The same name twice: Invalid Message."""
        item = self.connection.ask(vsphere.get_attributes(self.uid)).one
        names = [name for name, _ in item.attributes()]
        for name in ("State", "Cryptographic Algorithm", "Initial Date", "Activation Date", "x-Vendor"):
            self.assertIn(name, names)
        item = self.connection.ask(vsphere.get_attributes(self.uid, "State", "State")).one
        self.expect_reason(item, wire.INVALID_MESSAGE)

    def test_q09_state_of_a_missing_key(self):
        """Item Not Found."""
        item = self.connection.ask(vsphere.get_attributes(NOWHERE, "State")).one
        self.expect_reason(item, wire.ITEM_NOT_FOUND)

    def test_q10_bad_texts(self):
        """Text that is too long, empty or no UTF-8: Invalid Field, and the connection is kept."""
        for value in (b"", b"\xff\xfe", b"\xc3\x28", b"\xed\xa0\x80", b"x" * 40000):
            item = self.connection.ask(vsphere.add_attributes(self.uid, [("x-q10", value)])).one
            self.expect_reason(item, wire.INVALID_FIELD)
            self.expect_alive()
        self.assertEqual(self.on_a.ask(vsphere.get_attributes(self.uid, "x-q10")).attributes(), [])

    def test_q11_operations_that_are_not_served(self):
        """A server's own, one of a later version than the request's, numbers that nobody has: Operation Not
        Supported, with operation and id; the connection is kept."""
        for operation in (wire.NOTIFY, wire.PUT, wire.ENCRYPT, 99, 0x80000001):
            item = self.ask(wire.batch_item(operation, item_id=b"id")).one
            self.assertEqual((item.operation, item.id), (operation, b"id"))
            self.expect_reason(item, wire.NOT_SUPPORTED)
        self.expect_alive()

    def test_q12_garbage(self):
        """No TTLV at all, a length beyond the limit, lengths that lie inside: Invalid Message once, then the end."""
        good = vsphere.get(self.uid)
        inner = bytearray(good)
        struct.pack_into(">I", inner, 12, 0xFFFFFF)
        cases = {"http": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "zeros": bytes(64), "noise": bytes(range(7, 200)),
                 "oversize": good[:4] + struct.pack(">I", MESSAGE_MAX) + good[8:],
                 "huge": good[:4] + b"\xff\xff\xff\xf8", "inner length": bytes(inner),
                 "odd length": good[:4] + struct.pack(">I", len(good) - 8 - 3) + good[8:],
                 "wrong type": good[:3] + b"\x07" + good[4:]}
        for name, piece in cases.items():
            with self.subTest(name):
                self.connection.close()
                self.setUp()
                self.connection.send(piece)
                self.expect_invalid_message_then_close()

    def test_q12_well_formed_nonsense(self):
        """TTLV that is no request: wrong counts, missing parts, double headers. An error, never a crash; then service."""
        get = self.get()
        frames = [wire.request(), wire.request(get, count=2), wire.request(get, count=0), wire.request(get, count=-1),
                  wire.structure(wire.REQUEST), wire.structure(wire.REQUEST, get),
                  wire.request(wire.structure(wire.BATCH_ITEM)),
                  wire.request(wire.structure(wire.BATCH_ITEM, wire.enum(wire.OPERATION, wire.GET))),
                  wire.request(wire.batch_item(wire.CREATE)), wire.request(wire.batch_item(wire.ADD_ATTRIBUTE)),
                  wire.request(wire.batch_item(wire.GET, wire.integer(wire.UID, 7))),
                  wire.request(*[get] * 300)]
        for number, frame in enumerate(frames):
            with self.subTest(number):
                self.connection.close()
                self.setUp()
                answer = self.connection.ask(frame)
                self.assertEqual(answer.items[-1].status, 1)
        self.connection.close()
        self.setUp()
        self.expect_alive()

    def test_q13_three_requests_in_one_piece(self):
        """Pipelined requests, some answered by a worker and some by the keeper, are answered in order."""
        frames = [vsphere.discover(), vsphere.add_attributes(self.uid, [("x-q13", "v")]), vsphere.get(self.uid),
                  vsphere.create(), vsphere.get(self.uid)]
        self.connection.send(b"".join(frames))
        operations = [self.connection.receive().one.operation for _ in frames]
        self.assertEqual(operations, [wire.DISCOVER_VERSIONS, wire.ADD_ATTRIBUTE, wire.GET, wire.CREATE, wire.GET])

    def test_q14_one_byte_at_a_time(self):
        """One byte in each TLS record is served; a request that is never finished is closed after its time."""
        for byte in vsphere.get(self.uid):
            self.connection.send(bytes([byte]))
        self.assertEqual(self.connection.receive().one.material, self.material)
        begun = time.monotonic()
        self.connection.send(vsphere.get(self.uid)[:40])
        self.assertTrue(self.connection.is_closed_by_server())
        self.assertGreaterEqual(time.monotonic() - begun, MESSAGE_TIMEOUT_S - 0.5)

    def test_q14_raw_tcp_that_never_shakes_hands(self):
        """Connections without TLS, silent or noisy, disturb nobody."""
        idle = [socket.create_connection(self.pair.a.endpoint) for _ in range(20)]
        idle[0].sendall(b"no TLS at all, sorry" * 10)
        self.expect_alive()
        self.assertEqual(self.on_a.material(self.uid), self.material)
        for one in idle:
            one.close()

    def test_q15_response_header(self):
        """Protocol version, time stamp, batch count and nothing else, also with a failure."""
        for frame in (vsphere.get(self.uid), vsphere.get(NOWHERE), vsphere.create()):
            answer = self.connection.ask(frame)
            self.assertEqual([child.tag for child in answer.header.value],
                             [wire.VERSION, wire.TIME_STAMP, wire.BATCH_COUNT])
            self.assertLess(abs(answer.time_stamp - time.time()), 60)

    def test_q16_discover_versions_with_a_list(self):
        """The intersection, best first; it may be empty."""
        def number(major, minor):
            return wire.structure(wire.VERSION, wire.integer(wire.MAJOR, major), wire.integer(wire.MINOR, minor))
        for asked, expected in (([(1, 0), (1, 1), (2, 0)], [(1, 1), (1, 0)]), ([(2, 1), (9, 9)], [])):
            item = self.ask(wire.batch_item(wire.DISCOVER_VERSIONS, *(number(*one) for one in asked))).one
            got = [(one.get(wire.MAJOR), one.get(wire.MINOR)) for one in item.payload.all(wire.VERSION)]
            self.assertEqual(got, expected)

    def test_q17_failures_say_why_and_give_nothing_away(self):
        """Reason and a short message with each failure; neither ids nor values of the request in it."""
        secret = "value-of-the-client"
        for frame in (vsphere.get(NOWHERE), vsphere.add_attributes(NOWHERE, [("x-a", secret)]),
                      vsphere.create(bits=7), vsphere.destroy(self.uid), wire.request(wire.batch_item(77))):
            item = self.connection.ask(frame).one
            self.assertEqual(item.status, 1)
            self.assertTrue(item.reason and item.message)
            for word in (NOWHERE, self.uid, secret, "/", "tenant"):
                self.assertNotIn(word, item.message)

    def test_maximum_response_size(self):
        """A header that limits the answer: Response Too Large (2) instead of a key; the connection is kept."""
        item = self.ask(self.get(), header=(wire.integer(wire.MAXIMUM_RESPONSE_SIZE, 150),)).one
        self.expect_reason(item, 2)
        self.expect_alive()


if __name__ == "__main__":
    unittest.main()
