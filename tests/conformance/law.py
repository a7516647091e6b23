# SPDX-License-Identifier: Apache-2.0
"""What holds for each answer, whatever was asked: the request's version, and nothing that is not in that version; the same
items; fields that belong where they are, in their order; reasons with failures, and only with them. KMIP 1.4, sections 6 and 7.
"""
import time

import wire
from orders import Orders
from vectors import plain

CLOCK_SLACK_S = 120
SUCCESS, FAILED, PENDING, UNDONE = range(4)
CUSTOM = ("x-", "y-")
FREE = "serverinformation"  # 4.25: what is in it is the server's own
# Whose answers may name another operation, or show what was refused.
POLL, CHECK = 0x1A, 0x09


class Different(Exception):
    """What the server answered is not what was expected."""


class Law:
    def __init__(self, tables):
        self.tables, self.orders = tables, Orders(tables)

    def check(self, request, answer):
        """Different when the answer (both are trees of wire.Node) is not lawful."""
        asked, told = request.first(wire.REQUEST_HEADER), answer.first(wire.RESPONSE_HEADER)
        self.require(answer.tag == wire.RESPONSE and told is not None, "no Response Message")
        version = (told.get(wire.VERSION, wire.MAJOR), told.get(wire.VERSION, wire.MINOR))
        self.check_header(asked, told, version)
        self.check_items(request.all(wire.BATCH_ITEM), answer.all(wire.BATCH_ITEM))
        self.check_version(answer, version, None)
        self.check_order(answer, self.tables.names.get(answer.tag), None)

    @staticmethod
    def require(holds, what):
        if not holds:
            raise Different(f"against the rules: {what}")

    def check_header(self, asked, told, version):
        wanted = (asked.get(wire.VERSION, wire.MAJOR), asked.get(wire.VERSION, wire.MINOR))
        self.require(version == wanted or wanted not in self.tables.versions, f"version {version} for {wanted}")
        stamp = told.get(wire.TIME_STAMP)
        self.require(stamp is not None and abs(stamp - time.time()) < CLOCK_SLACK_S, f"Time Stamp {stamp}")

    def check_items(self, asked, told):
        self.require(0 < len(told) <= len(asked), f"{len(told)} items for {len(asked)}")
        for one, other in zip(asked, told):
            operation = other.get(wire.OPERATION)
            if operation is not None:  # else the message was refused as a whole
                self.require(operation == one.get(wire.OPERATION) or one.get(wire.OPERATION) == POLL,
                             f"operation {operation} for {one.get(wire.OPERATION)}")
                self.require(other.get(wire.ITEM_ID) == one.get(wire.ITEM_ID), "another Unique Batch Item ID")
            self.check_item(one.get(wire.OPERATION), other)

    def check_item(self, operation, item):
        status, payload = item.get(wire.STATUS), item.first(wire.RESPONSE_PAYLOAD)
        self.require((item.get(wire.REASON) is not None) == (status == FAILED), f"reason {item.get(wire.REASON)}, status {status}")
        self.require((item.get(wire.ASYNCHRONOUS_CORRELATION) is not None) == (status == PENDING), f"a correlation value with status {status}")
        if status == SUCCESS:
            self.require(payload is not None, "success without a payload")
        elif operation != CHECK and status != UNDONE:
            self.require(payload is None, f"a payload with status {status}")

    def check_version(self, node, version, attribute):
        """Every tag, attribute and enumeration value is in the version."""
        name = self.tables.names.get(node.tag)
        if name == FREE:
            return
        if node.tag >> 16 == 0x42:
            self.require(self.tables.lives(("tag", node.tag), version), f"{name or hex(node.tag)} in {version}")
        if node.kind == wire.STRUCTURE:
            inner = node.get(wire.ATTRIBUTE_NAME) if node.tag == wire.ATTRIBUTE else None
            for child in node.value:
                if node.tag == wire.BATCH_ITEM and child.tag == wire.OPERATION:
                    continue  # as it was asked
                self.check_version(child, version, inner if child.tag == wire.ATTRIBUTE_VALUE else None)
        elif node.tag == wire.ATTRIBUTE_NAME and not node.value.startswith(CUSTOM):
            self.require(self.tables.lives(("attribute", node.value), version), f"attribute {node.value} in {version}")
        elif node.kind == wire.ENUM and node.value < 0x80000000:
            kind = plain(attribute) if attribute else name
            self.require(self.tables.lives((kind, node.value), version), f"{kind} {node.value:x} in {version}")

    def check_order(self, node, name, operation):
        """`name`: the tag's, or the attribute's that the node is the value of."""
        places, last, inner = self.orders.of(name, operation), 0, None
        for child in node.value:
            shown = self.tables.names.get(child.tag, hex(child.tag))
            if places is not None:
                self.require(child.tag in places, f"{shown} in {name}")
                self.require(places[child.tag] >= last, f"{shown} too late in {name}")
                last = places[child.tag]
            if child.tag == wire.OPERATION and node.tag == wire.BATCH_ITEM:
                operation = child.value
            elif child.tag == wire.ATTRIBUTE_NAME:
                inner = plain(child.value)
            if child.kind == wire.STRUCTURE:
                self.check_order(child, inner if child.tag == wire.ATTRIBUTE_VALUE else shown, operation)
