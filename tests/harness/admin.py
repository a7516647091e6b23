# SPDX-License-Identifier: Apache-2.0
"""A question at a node's operator socket, past kmipctl: for the commands of test builds (node/README.md tells the framing)."""
import json
import socket
import struct

HEAD = struct.Struct(">IHHQ")
ASK, ANSWER = 1, 2


def ask(node, command, **members):
    """The answer; AssertionError with its sentence when it is refused."""
    body = json.dumps({"command": command, **members}).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(node.socket)
        connection.sendall(HEAD.pack(len(body), ASK, 0, 1) + body)
        length, kind, _, number = HEAD.unpack(_exactly(connection, HEAD.size))
        answer = json.loads(_exactly(connection, length))
    assert (kind, number) == (ANSWER, 1)
    assert answer["ok"], answer
    return answer


def _exactly(connection, length):
    data = b""
    while len(data) < length:
        piece = connection.recv(length - len(data))
        assert piece, "the node closed the operator's socket"
        data += piece
    return data
