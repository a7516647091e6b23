# SPDX-License-Identifier: Apache-2.0
"""Many keys of every sort, made fast by several connections at once, and the whole of what a node tells of them."""
import collections
import itertools
import time
from concurrent.futures import ThreadPoolExecutor

import wire
from wire import ATTRIBUTE_VALUE as VALUE

CONNECTIONS = 16  # for each node
ASKED_AT_ONCE = 10  # keys in one message
PATIENCE_S = 60
CONTINUE = (wire.enum(wire.BATCH_CONTINUATION, 1),)
DAY_S = 86400

Told = collections.namedtuple("Told", "attributes material reason")


# A step is an operation and its payload behind the UID.

def _add(name, value):
    return wire.ADD_ATTRIBUTE, wire.attribute(name, value)


def _revoke(code):
    return wire.REVOKE, wire.structure(wire.REVOCATION_REASON, wire.enum(wire.REVOCATION_CODE, code))


def _name(text):
    return wire.structure(VALUE, wire.text(wire.NAME_VALUE, text), wire.enum(wire.NAME_TYPE, 1))


def _tags(*names):
    return [_add("x-" + name, wire.text(VALUE, "value of " + name)) for name in names]


GET, ACTIVATE, DESTROY = (wire.GET,), (wire.ACTIVATE,), (wire.DESTROY,)


def sorts(now):
    """What is done to a key after its creation, by the sort's name; the ID Placeholder is the key."""
    return {
        "pre-active": [],
        "active": [ACTIVATE],
        "tagged": [ACTIVATE, *_tags("Identifier", "Component", "Name")],
        "deactivated": [ACTIVATE, *_tags("Identifier"), _revoke(5)],
        "compromised": [ACTIVATE, _revoke(2)],
        "destroyed": [*_tags("Identifier"), DESTROY],
        "destroyed, compromised": [ACTIVATE, _revoke(2), DESTROY],
        "edited": [*_tags("Name", "Gone"), (wire.MODIFY_ATTRIBUTE, wire.attribute(
            "x-Name", wire.text(VALUE, "another value"))), (
                wire.DELETE_ATTRIBUTE, wire.text(wire.ATTRIBUTE_NAME, "x-Gone"))],
        "scheduled": [_add("Activation Date", wire.date(VALUE, now - DAY_S)),
                      _add("Process Start Date", wire.date(VALUE, now)),
                      _add("Protect Stop Date", wire.date(VALUE, now + DAY_S)),
                      _add("Deactivation Date", wire.date(VALUE, now + 2 * DAY_S))],
        "grouped": [ACTIVATE, _add("Object Group", wire.text(VALUE, "a group")),
                    _add("Contact Information", wire.text(VALUE, "somebody"))],
    }


class Population:
    """uids: {uid: sort}; materials: {uid: bytes} as they were at the creation."""

    def __init__(self, pair, count, now):
        self.pair, self.uids, self.materials = pair, {}, {}
        self.sorts = sorts(now)
        names = itertools.cycle(self.sorts)
        self._each([(number, next(names)) for number in range(count)], self.pair.nodes, self._make)

    def _each(self, work, nodes, do):
        """do(connection, piece) for all pieces, on many connections of all these nodes."""
        lanes = [node for node in nodes for _ in range(CONNECTIONS)]

        def run(lane):
            with self.pair.client("vcenter", lanes[lane]).connect(lanes[lane].endpoint, timeout=60) as connection:
                for piece in work[lane::len(lanes)]:
                    do(connection, piece)
        with ThreadPoolExecutor(len(lanes)) as pool:
            list(pool.map(run, range(len(lanes))))

    def _make(self, connection, piece):
        number, sort = piece
        steps = [GET, *self.sorts[sort]]
        answer = self._created(connection, number, steps)
        uid = answer.items[0].uid
        done = sum(item.ok for item in answer.items[1:])
        made = answer.items[1] if done > 0 else self._patient(connection, uid, GET)
        self.materials[uid] = made.material
        for step in steps[max(done, 1):]:
            item = self._patient(connection, uid, step)
            assert item.ok or step[0] in (wire.REVOKE, wire.DESTROY), item
        self.uids[uid] = sort

    @staticmethod
    def _created(connection, number, steps):
        """Of a Create that failed in a hurry the key may come to be all the same, with its name, known to nobody."""
        deadline = time.monotonic() + PATIENCE_S
        for attempt in itertools.count():
            template = [wire.attribute("Cryptographic Algorithm", wire.enum(VALUE, 3)),
                        wire.attribute("Cryptographic Usage Mask", wire.integer(VALUE, 12)),
                        wire.attribute("Cryptographic Length", wire.integer(VALUE, 256)),
                        wire.attribute("Name", _name(f"key {number}, attempt {attempt}"))]
            create = wire.batch_item(wire.CREATE, wire.enum(wire.OBJECT_TYPE, 2),
                                     wire.structure(wire.TEMPLATE_ATTRIBUTE, *template))
            answer = connection.ask(wire.request(create, *(wire.batch_item(*step) for step in steps)))
            created = answer.items[0]
            if created.ok:
                return answer
            assert created.reason == wire.GENERAL_FAILURE and time.monotonic() < deadline, created

    @staticmethod
    def _patient(connection, uid, step):
        """What failed in a hurry (General Failure) is asked for again, as clients do; it may have been done."""
        deadline = time.monotonic() + PATIENCE_S
        operation, *payload = step
        while True:
            item = connection.ask(wire.request(wire.batch_item(operation, wire.text(wire.UID, uid), *payload))).one
            if item.ok or item.reason != wire.GENERAL_FAILURE:
                return item
            assert time.monotonic() < deadline, item

    def tell(self, node, uids=None):
        """{uid: Told} of one node: every attribute with its index, the material, or the reason why not."""
        found = {}

        # The key first: a member of a group is fresh until it is fetched.
        def ask(connection, uids):
            items = [wire.batch_item(operation, wire.text(wire.UID, uid)) for uid in uids
                     for operation in (wire.GET, wire.GET_ATTRIBUTES)]
            answer = connection.ask(wire.request(*items, header=CONTINUE))
            for uid, got, attributes in zip(uids, answer.items[::2], answer.items[1::2]):
                found[uid] = Told(_attributes(attributes), got.material if got.ok else None, got.reason)
        uids = sorted(self.uids if uids is None else uids)
        self._each([uids[at:at + ASKED_AT_ONCE] for at in range(0, len(uids), ASKED_AT_ONCE)], [node], ask)
        return found

    def of(self, *names):
        return [uid for uid, sort in self.uids.items() if sort in names]


def _attributes(item):
    """Sorted (name, index, value as text); for a failure its reason."""
    if not item.ok:
        return item.reason
    return sorted((one.get(wire.ATTRIBUTE_NAME), one.get(wire.ATTRIBUTE_INDEX) or 0,
                   repr(_plain(one.first(wire.ATTRIBUTE_VALUE)))) for one in item.payload.all(wire.ATTRIBUTE))


def _plain(node):
    return [_plain(child) for child in node.value] if isinstance(node.value, list) else node.value
