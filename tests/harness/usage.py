# SPDX-License-Identifier: Apache-2.0
"""Usage Limits, as a client sets, uses and reads them."""
import struct

import wire

GET_USAGE_ALLOCATION = 17
USAGE_LIMITS_COUNT, USAGE_LIMITS_TOTAL, USAGE_LIMITS_UNIT = 0x420096, 0x420097, 0x420098
BYTE, OBJECT = 1, 2


def long_integer(tag, value):
    return wire.item(tag, wire.LONG, struct.pack(">q", value))


def ask(operation, uid, *fields):
    return wire.request(wire.batch_item(operation, wire.text(wire.UID, uid), *fields))


def limits(total, unit=OBJECT):
    value = wire.structure(wire.ATTRIBUTE_VALUE, long_integer(USAGE_LIMITS_TOTAL, total),
                           wire.enum(USAGE_LIMITS_UNIT, unit))
    return wire.attribute("Usage Limits", value)


def allocate(uid, units):
    return ask(GET_USAGE_ALLOCATION, uid, long_integer(USAGE_LIMITS_COUNT, units))


def limit(client, uid, total, unit=OBJECT):
    """A key that was made just now, to be used so often."""
    client.ask(ask(wire.ADD_ATTRIBUTE, uid, limits(total, unit)))
    client.activate(uid)
    return uid


def left(client, uid):
    """The Usage Limits Count that the client is told."""
    found = client.ask(ask(wire.GET_ATTRIBUTES, uid, wire.text(wire.ATTRIBUTE_NAME, "Usage Limits")))
    return found.payload.first(wire.ATTRIBUTE).get(wire.ATTRIBUTE_VALUE, USAGE_LIMITS_COUNT)
