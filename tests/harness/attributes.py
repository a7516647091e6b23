# SPDX-License-Identifier: Apache-2.0
"""Attributes of KMIP 1.x as a client writes them, and what holds them."""
import wire
from wire import ATTRIBUTE_VALUE as VALUE


def named(text):
    return wire.attribute("Name", wire.structure(VALUE, wire.text(wire.NAME_VALUE, text), wire.enum(wire.NAME_TYPE, 1)))


def mask(bits):
    return wire.attribute("Cryptographic Usage Mask", wire.integer(VALUE, bits))


def kind(algorithm, length):
    return (wire.attribute("Cryptographic Algorithm", wire.enum(VALUE, algorithm)),
            wire.attribute("Cryptographic Length", wire.integer(VALUE, length)))


def words(attribute, text):
    return wire.attribute(attribute, wire.text(VALUE, text))


def template(*attributes, tag=wire.TEMPLATE_ATTRIBUTE):
    return wire.structure(tag, *attributes)
