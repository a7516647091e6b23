# SPDX-License-Identifier: Apache-2.0
"""How vCenter and vSAN hosts speak KMIP, as seen on the wire: header 1.1, ids "QLKC" with a counter that
restarts in each message, no id on the first message, one short connection for each task, any endpoint.
"""
import random
import struct
import time

import wire
from wire import Connection

TAGS = ("x-Product_Version", "x-Vendor", "x-Product")
OWNER_TAGS = ("x-Identifier", "x-Component", "x-Name")
PRODUCT = ("8.0.1 build-21560480", "VMware, Inc.", "VMware vSphere")


def item_id(number):
    return b"QLKC" + struct.pack("<I", number)


def credential(name, password):
    """The provider's user name and password, sent with some messages only."""
    return (wire.structure(wire.AUTHENTICATION, wire.structure(
        wire.CREDENTIAL, wire.enum(wire.CREDENTIAL_TYPE, 1), wire.structure(
            wire.CREDENTIAL_VALUE, wire.text(wire.USERNAME, name), wire.text(wire.PASSWORD, password)))),)


def _message(*payloads, operation, header=(), first_id=1):
    items = [wire.batch_item(operation, *payload, item_id=None if first_id is None else item_id(first_id + i))
             for i, payload in enumerate(payloads)]
    return wire.request(*items, header=header)


def discover(first_id=None):
    return _message((), operation=wire.DISCOVER_VERSIONS, first_id=first_id)


def query():
    return _message((wire.enum(wire.QUERY_FUNCTION, 3),), operation=wire.QUERY)


def create(bits=256, header=(), more=()):
    attributes = [wire.attribute("Cryptographic Algorithm", wire.enum(wire.ATTRIBUTE_VALUE, 3)),
                  wire.attribute("Cryptographic Usage Mask", wire.integer(wire.ATTRIBUTE_VALUE, 12)),
                  wire.attribute("Cryptographic Length", wire.integer(wire.ATTRIBUTE_VALUE, bits))]
    return _message((wire.enum(wire.OBJECT_TYPE, 2),
                     wire.structure(wire.TEMPLATE_ATTRIBUTE, *attributes, *more)),
                    operation=wire.CREATE, header=header)


def get(uid, header=()):
    return _message((wire.text(wire.UID, uid),), operation=wire.GET, header=header)


def get_attributes(uid, *names, header=()):
    return _message((wire.text(wire.UID, uid), *(wire.text(wire.ATTRIBUTE_NAME, name) for name in names)),
                    operation=wire.GET_ATTRIBUTES, header=header)


def get_attribute_list(uid):
    return _message((wire.text(wire.UID, uid),), operation=wire.GET_ATTRIBUTE_LIST)


def activate(uid, header=()):
    return _message((wire.text(wire.UID, uid),), operation=wire.ACTIVATE, header=header)


def add_attributes(uid, pairs):
    return _message(*((wire.text(wire.UID, uid), wire.attribute(name, wire.text(wire.ATTRIBUTE_VALUE, value)))
                      for name, value in pairs), operation=wire.ADD_ATTRIBUTE)


def revoke(uid, code=1):
    """An administrator's client, not vCenter. 1: unspecified, 2: key compromise."""
    return _message((wire.text(wire.UID, uid), wire.structure(
        wire.REVOCATION_REASON, wire.enum(wire.REVOCATION_CODE, code))), operation=wire.REVOKE)


def destroy(uid):
    return _message((wire.text(wire.UID, uid),), operation=wire.DESTROY)


class Failed(Exception):
    """Every endpoint failed; reasons as vpxd lists them."""


class Refused(Exception):
    """The server answered, with a refusal that walking on does not change."""

    def __init__(self, item):
        super().__init__(repr(item))
        self.item = item
        self.reason = item.reason


class VCenter:
    """A client that opens one connection for each task, on an endpoint drawn at random, and walks on."""

    def __init__(self, endpoints, identity, ca, seed=None):
        self.endpoints, self.identity, self.ca = list(endpoints), identity, ca
        self.patience_s = 20  # how long a task is tried again when every endpoint fails
        self.seed = random.randrange(1 << 32) if seed is None else seed
        self.random = random.Random(self.seed)

    def connect(self, endpoint, timeout=20):
        """A connection with the Discover Versions that begins each task behind it."""
        connection = Connection(endpoint, self.identity, self.ca, timeout=timeout)
        try:
            answer = connection.ask(discover()).one
            if not answer.ok:
                raise Refused(answer)
        except BaseException:
            connection.close()
            raise
        return connection

    def task(self, steps):
        """Runs steps(connection) on one endpoint after the other until one does it, as vpxd does."""
        deadline = time.monotonic() + self.patience_s
        reasons = []
        while True:
            for endpoint in self.random.sample(self.endpoints, len(self.endpoints)):
                try:
                    with self.connect(endpoint) as connection:
                        return steps(connection)
                except Refused as refused:
                    if refused.reason != wire.GENERAL_FAILURE:
                        raise
                    reasons.append(f"{endpoint}: {refused}")
                except OSError as error:
                    reasons.append(f"{endpoint}: {error}")
            if time.monotonic() > deadline:
                raise Failed(f"seed {self.seed}: " + "; ".join(reasons[-6:]))

    def ask(self, frame):
        """One task of one message; the answer's only item."""
        def steps(connection):
            answer = connection.ask(frame).one
            if not answer.ok:
                raise Refused(answer)
            return answer
        return self.task(steps)

    def create(self, **options):
        return self.ask(create(**options)).uid

    def material(self, uid):
        return self.ask(get(uid)).material

    def state(self, uid):
        return dict(self.ask(get_attributes(uid, "State")).attributes())["State"]

    def activate(self, uid):
        return self.ask(activate(uid)).uid

    def encrypt_vm(self, identifier, component="Virtual Machine", name="test01"):
        """The captured task sequence for a new key: create, tag, fetch, state, activate, tag."""
        uid = self.create()
        self.task(lambda connection: self._tag(connection, uid, zip(TAGS, PRODUCT)))
        material = self.task(lambda connection: self._fetch(connection, uid))
        self.task(lambda connection: self._tag(connection, uid, zip(OWNER_TAGS, (identifier, component, name))))
        return uid, material

    def fetch(self, uid):
        """A key at power-on: get, state, activate if it is not yet."""
        return self.task(lambda connection: self._fetch(connection, uid))

    @staticmethod
    def _one(connection, frame):
        answer = connection.ask(frame).one
        if not answer.ok:
            raise Refused(answer)
        return answer

    def _fetch(self, connection, uid):
        material = self._one(connection, get(uid)).material
        state = dict(self._one(connection, get_attributes(uid, "State")).attributes())["State"]
        if state == wire.PRE_ACTIVE:
            self._one(connection, activate(uid))
        return material

    def _tag(self, connection, uid, pairs):
        pairs = list(pairs)
        for name, _ in pairs:
            self._one(connection, get_attributes(uid, name))
        for answer in connection.ask(add_attributes(uid, pairs)).items:
            if not answer.ok:
                raise Refused(answer)
