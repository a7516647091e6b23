# SPDX-License-Identifier: Apache-2.0
"""A tiny KMIP client of bytes: TTLV written and read by hand, over a raw TLS socket.

Shares no code and no table with the product, so that it can disagree with it, and it sends anything:
the exact frames of a captured client, half frames, garbage.
"""
import socket
import ssl
import struct

from canaries import handed_out

STRUCTURE, INTEGER, LONG, BIG, ENUM, BOOLEAN, TEXT, BYTES, DATE, INTERVAL = range(1, 11)

# Tags
ASYNCHRONOUS_CORRELATION, ASYNCHRONOUS_INDICATOR, CANCELLATION_RESULT = 0x420006, 0x420007, 0x420012
ATTRIBUTE, ATTRIBUTE_INDEX, ATTRIBUTE_NAME, ATTRIBUTE_VALUE = 0x420008, 0x420009, 0x42000A, 0x42000B
AUTHENTICATION, BATCH_COUNT, BATCH_CONTINUATION, BATCH_ITEM = 0x42000C, 0x42000D, 0x42000E, 0x42000F
CERTIFICATE, CERTIFICATE_TYPE, CERTIFICATE_VALUE = 0x420013, 0x42001D, 0x42001E
CREDENTIAL, CREDENTIAL_TYPE, CREDENTIAL_VALUE = 0x420023, 0x420024, 0x420025
ALGORITHM, LENGTH, KEY_BLOCK, FORMAT = 0x420028, 0x42002A, 0x420040, 0x420042
KEY_MATERIAL, KEY_VALUE, MAXIMUM_RESPONSE_SIZE = 0x420043, 0x420045, 0x420050
NAME, NAME_TYPE, NAME_VALUE, OBJECT_TYPE, OPERATION = 0x420053, 0x420054, 0x420055, 0x420057, 0x42005C
VERSION, MAJOR, MINOR, QUERY_FUNCTION = 0x420069, 0x42006A, 0x42006B, 0x420074
REQUEST_HEADER, REQUEST, REQUEST_PAYLOAD = 0x420077, 0x420078, 0x420079
RESPONSE_HEADER, RESPONSE, RESPONSE_PAYLOAD = 0x42007A, 0x42007B, 0x42007C
MESSAGE, REASON, STATUS = 0x42007D, 0x42007E, 0x42007F
REVOCATION_REASON, REVOCATION_CODE, STORAGE_STATUS_MASK, SYMMETRIC_KEY = 0x420081, 0x420082, 0x42008E, 0x42008F
TEMPLATE_ATTRIBUTE, TIME_STAMP, ITEM_ID, UID = 0x420091, 0x420092, 0x420093, 0x420094
USERNAME, VENDOR, PASSWORD = 0x420099, 0x42009D, 0x4200A1

# Operations
CREATE, REGISTER, LOCATE, CHECK, GET, GET_ATTRIBUTES, GET_ATTRIBUTE_LIST = 1, 3, 8, 9, 10, 11, 12
ADD_ATTRIBUTE, MODIFY_ATTRIBUTE, DELETE_ATTRIBUTE, ACTIVATE, REVOKE, DESTROY = 13, 14, 15, 18, 19, 20
ARCHIVE, RECOVER = 21, 22
QUERY, CANCEL, POLL, NOTIFY, PUT, DISCOVER_VERSIONS, ENCRYPT = 24, 25, 26, 27, 28, 30, 31

# Result reasons
ITEM_NOT_FOUND, AUTH_NOT_SUCCESSFUL, INVALID_MESSAGE, NOT_SUPPORTED, INVALID_FIELD = 1, 3, 4, 5, 7
ILLEGAL_OPERATION, PERMISSION_DENIED, GENERAL_FAILURE = 11, 12, 256

# States
PRE_ACTIVE, ACTIVE, DEACTIVATED, COMPROMISED, DESTROYED, DESTROYED_COMPROMISED = range(1, 7)


# ---- writing ----

def item(tag, kind, value):
    pad = -len(value) % 8
    return struct.pack(">I", tag << 8 | kind) + struct.pack(">I", len(value)) + value + bytes(pad)


def structure(tag, *children):
    return item(tag, STRUCTURE, b"".join(children))


def integer(tag, value):
    return item(tag, INTEGER, struct.pack(">i", value))


def enum(tag, value):
    return item(tag, ENUM, struct.pack(">I", value))


def text(tag, value):
    return item(tag, TEXT, value if isinstance(value, bytes) else value.encode())


def data(tag, value):
    return item(tag, BYTES, value)


def boolean(tag, value):
    return item(tag, BOOLEAN, struct.pack(">Q", value))


def date(tag, value):
    return item(tag, DATE, struct.pack(">q", value))


def attribute(name, value, index=None):
    """An Attribute structure; `value` is made with the tag ATTRIBUTE_VALUE."""
    parts = [text(ATTRIBUTE_NAME, name)]
    if index is not None:
        parts.append(integer(ATTRIBUTE_INDEX, index))
    return structure(ATTRIBUTE, *parts, value)


def batch_item(operation, *payload, item_id=None):
    parts = [enum(OPERATION, operation)]
    if item_id is not None:
        parts.append(data(ITEM_ID, item_id))
    return structure(BATCH_ITEM, *parts, structure(REQUEST_PAYLOAD, *payload))


def request(*items, version=(1, 1), header=(), count=None):
    """A Request Message. `header` goes between the version and the batch count."""
    number = structure(VERSION, integer(MAJOR, version[0]), integer(MINOR, version[1]))
    count = integer(BATCH_COUNT, len(items) if count is None else count)
    return structure(REQUEST, structure(REQUEST_HEADER, number, *header, count), *items)


# ---- reading ----

class Node:
    """One TTLV item: value is a list of Nodes, a number, text or bytes."""

    def __init__(self, tag, kind, value):
        self.tag, self.kind, self.value = tag, kind, value

    def all(self, tag):
        return [child for child in self.value if child.tag == tag]

    def first(self, tag, otherwise=None):
        return next(iter(self.all(tag)), otherwise)

    def get(self, *tags):
        """The value at the end of a path of tags, or None."""
        node = self
        for tag in tags:
            node = node.first(tag) if node is not None else None
        return None if node is None else node.value


def read(buffer):
    """All items of a buffer, with every length and padding checked."""
    nodes = []
    while buffer:
        head, length = struct.unpack(">II", buffer[:8])
        tag, kind = head >> 8, head & 0xFF
        padded = length + -length % 8
        value, rest = buffer[8:8 + length], buffer[8 + padded:]
        assert len(buffer) >= 8 + padded, "a length reaches beyond the message"
        assert not any(buffer[8 + length:8 + padded]), "padding is not zero"
        nodes.append(Node(tag, kind, _value(kind, value)))
        buffer = rest
    return nodes


def _value(kind, value):
    if kind == STRUCTURE:
        return read(value)
    if kind in (INTEGER, ENUM, INTERVAL):
        return struct.unpack(">i" if kind == INTEGER else ">I", value)[0]
    if kind in (LONG, DATE):
        return struct.unpack(">q", value)[0]
    if kind == BOOLEAN:
        return struct.unpack(">Q", value)[0] == 1
    return value.decode() if kind == TEXT else value


class Item:
    """One batch item of an answer."""

    def __init__(self, node):
        self.node = node
        self.operation = node.get(OPERATION)
        self.id = node.get(ITEM_ID)
        self.status = node.get(STATUS)
        self.reason = node.get(REASON)
        self.message = node.get(MESSAGE)
        self.payload = node.first(RESPONSE_PAYLOAD)

    @property
    def ok(self):
        return self.status == 0

    @property
    def uid(self):
        return self.payload.get(UID)

    @property
    def material(self):
        """A key's bytes, or a certificate's."""
        held = next(node for node in self.payload.value if node.kind == STRUCTURE)
        return held.get(CERTIFICATE_VALUE) or held.get(KEY_BLOCK, KEY_VALUE, KEY_MATERIAL)

    def attributes(self):
        """[(name, value)] of the payload's attributes, in their order."""
        return [(a.get(ATTRIBUTE_NAME), a.get(ATTRIBUTE_VALUE)) for a in self.payload.all(ATTRIBUTE)]

    def __repr__(self):
        return f"Item(operation={self.operation}, status={self.status}, reason={self.reason}, message={self.message!r})"


class Response:
    def __init__(self, frame):
        (message,) = read(frame)
        assert message.tag == RESPONSE, f"tag {message.tag:x} is no Response Message"
        self.frame = frame
        self.header = message.first(RESPONSE_HEADER)
        self.version = (self.header.get(VERSION, MAJOR), self.header.get(VERSION, MINOR))
        self.time_stamp = self.header.get(TIME_STAMP)
        self.count = self.header.get(BATCH_COUNT)
        self.items = [Item(node) for node in message.all(BATCH_ITEM)]
        assert self.count == len(self.items), "the batch count is wrong"

    @property
    def one(self):
        assert len(self.items) == 1, f"{len(self.items)} items instead of one"
        return self.items[0]


# ---- the connection ----

class Closed(OSError):
    """The server closed the connection instead of answering."""


class Connection:
    """One TLS connection to a node. `identity` may be None: no client certificate."""

    def __init__(self, endpoint, identity, ca, tls=None, timeout=20):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(ca)
        if tls is not None:
            context.minimum_version = context.maximum_version = tls
        if identity is not None:
            context.load_cert_chain(identity.certificate, identity.key)
        raw = socket.create_connection(endpoint, timeout=timeout)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.socket = context.wrap_socket(raw)
        except BaseException:
            raw.close()
            raise
        self.buffer = b""

    def send(self, frame):
        handed_out.watch(frame)
        self.socket.sendall(frame)

    def _fill(self, length):
        while len(self.buffer) < length:
            piece = self.socket.recv(65536)
            if not piece:
                raise Closed("the server closed the connection")
            self.buffer += piece

    def receive_frame(self):
        """The next answer's bytes; Closed (or another OSError) when there is none."""
        self._fill(8)
        length = 8 + struct.unpack(">I", self.buffer[4:8])[0]
        self._fill(length)
        frame, self.buffer = self.buffer[:length], self.buffer[length:]
        handed_out.watch(frame)
        return frame

    def receive(self):
        return Response(self.receive_frame())

    def ask(self, frame):
        self.send(frame)
        return self.receive()

    def is_closed_by_server(self):
        """Waits until the server says that it is over, or says more."""
        try:
            return not self.buffer and self.socket.recv(1) == b""
        except (ConnectionError, ssl.SSLError):
            return True

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
