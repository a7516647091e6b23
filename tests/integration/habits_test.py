# SPDX-License-Identifier: Apache-2.0
"""What clients in the field do that other servers stumble over, message by message, each step on the other node: FortiOS,
Synology, Percona's pg_tde and its client library, MySQL, Ceph, libmongocrypt, VAST, Veeam, NetApp, storage arrays, tape
libraries. PyKMIP and vSphere have tests of their own.
"""
import itertools
import os
import socket
import ssl
import subprocess
import time
import unittest

import harness  # noqa: F401
import vsphere
import wire
from attributes import mask, named, template, words
from case import PairCase

# What only these clients need.
MAXIMUM_ITEMS, SECRET_DATA, SECRET_DATA_TYPE = 0x42004F, 0x420085, 0x420086
DATA, IV, PARAMETERS, MODE, PADDING, RANDOM_IV = 0x4200C2, 0x42003D, 0x42002B, 0x420011, 0x42005F, 0x4200C5
APPLICATION_DATA, APPLICATION_NAMESPACE, ALTERNATIVE_VALUE, ALTERNATIVE_TYPE = 0x420002, 0x420003, 0x4200C0, 0x4200C1
DEVICE_SERIAL, PUBLIC_KEY, OFFSET_ITEMS = 0x4200B0, 0x42006D, 0x4200D4
RE_KEY, DECRYPT = 4, 32
SYMMETRIC, PUBLIC, SECRET = 2, 3, 7
PASSWORD, SEED = 1, 2
RAW, OPAQUE, X_509, AES, CBC, PKCS5 = 1, 2, 5, 3, 1, 3
DEVICE = 2


def secret(value, kind):
    """Secret Data in a Key Block of format Opaque."""
    return wire.structure(SECRET_DATA, wire.enum(SECRET_DATA_TYPE, kind), wire.structure(
        wire.KEY_BLOCK, wire.enum(wire.FORMAT, OPAQUE), wire.structure(
            wire.KEY_VALUE, wire.data(wire.KEY_MATERIAL, value))))


def aes(*more):
    return (wire.enum(wire.OBJECT_TYPE, SYMMETRIC), template(
        wire.attribute("Cryptographic Algorithm", wire.enum(wire.ATTRIBUTE_VALUE, AES)),
        wire.attribute("Cryptographic Length", wire.integer(wire.ATTRIBUTE_VALUE, 256)), mask(12), *more))


class Habits(PairCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.turns = itertools.cycle(cls.pair.nodes)

    def ask(self, version, *items, header=()):
        """The items of the answer, over a connection of its own to the node whose turn it is; the version is kept."""
        node = next(self.turns)
        with wire.Connection(node.endpoint, self.vcenter.identity, self.pair.pki.ca) as connection:
            answer = connection.ask(wire.request(*items, version=version, header=header))
        self.assertEqual(answer.version, version)
        return answer.items

    def do(self, version, operation, *payload, header=()):
        item, = self.ask(version, wire.batch_item(operation, *payload), header=header)
        self.assertTrue(item.ok, item)
        return item

    def locate(self, version, *payload, header=()):
        return [node.value for node in self.do(version, wire.LOCATE, *payload, header=header).payload.all(wire.UID)]

    def test_fortios(self):
        """Filters of Locate in a Template-Attribute, one item at most, with a credential in the header: the key of that name
        and no other; for a name that there is not, none."""
        header = vsphere.credential("fortigate", "password")
        uids = [self.do((1, 1), wire.CREATE, *aes(named(f"forti-{number}")), header=header).uid for number in range(3)]
        for number, uid in enumerate(uids):
            found = self.locate((1, 1), wire.integer(MAXIMUM_ITEMS, 1), template(named(f"forti-{number}")), header=header)
            self.assertEqual(found, [uid])
        self.assertEqual(self.locate((1, 1), wire.integer(MAXIMUM_ITEMS, 1), template(named("forti-9"))), [])

    def test_synology(self):
        """1.2: Query with six functions; a password, with an Operation Policy Name; renamed, located, activated, fetched as it
        was given."""
        version, password = (1, 2), b"a password of the volume"
        item = self.do(version, wire.QUERY, *(wire.enum(wire.QUERY_FUNCTION, function) for function in range(1, 7)))
        self.assertIn("kmip-pair", item.payload.get(wire.VENDOR))
        uid = self.do(version, wire.REGISTER, wire.enum(wire.OBJECT_TYPE, SECRET),
                      template(named("dsm-first"), mask(2), words("Operation Policy Name", "default")),
                      secret(password, PASSWORD)).uid
        item = self.do(version, wire.MODIFY_ATTRIBUTE, wire.text(wire.UID, uid), named("dsm-volume"))
        self.assertEqual(item.uid, uid)
        self.assertEqual([name for name, _ in item.attributes()], ["Name"])
        self.assertEqual(self.locate(version, named("dsm-volume")), [uid])
        self.assertEqual(self.locate(version, named("dsm-first")), [])
        self.do(version, wire.ACTIVATE, wire.text(wire.UID, uid))
        self.assertEqual(self.do(version, wire.GET, wire.text(wire.UID, uid)).material, password)

    def test_pg_tde(self):
        """Registered in 1.4, located and fetched in 1.0, each with a Maximum Response Size and the time."""
        def header():
            return wire.integer(wire.MAXIMUM_RESPONSE_SIZE, 65536), wire.date(wire.TIME_STAMP, int(time.time()))
        material = os.urandom(32)
        wire.handed_out.add("a key", material)
        key = wire.structure(wire.SYMMETRIC_KEY, wire.structure(
            wire.KEY_BLOCK, wire.enum(wire.FORMAT, RAW), wire.structure(
                wire.KEY_VALUE, wire.data(wire.KEY_MATERIAL, material)),
            wire.enum(wire.ALGORITHM, AES), wire.integer(wire.LENGTH, 256)))
        uid = self.do((1, 4), wire.REGISTER, wire.enum(wire.OBJECT_TYPE, SYMMETRIC),
                      template(named("pg-principal"), mask(12)), key, header=header()).uid
        self.assertEqual(self.locate((1, 0), named("pg-principal"), header=header()), [uid])
        item = self.do((1, 0), wire.GET, wire.text(wire.UID, uid), header=header())
        self.assertEqual(item.material, material)

    def test_percona_client(self):
        """A group in pages of two; a key and its attributes in one batch, Get first; a public key without a word about it."""
        version, group = (1, 4), words("Object Group", "percona")
        uids = {self.do(version, wire.CREATE, *aes(named(f"percona-{number}"), group)).uid for number in range(5)}
        found = []
        for offset in ((), (wire.integer(OFFSET_ITEMS, 2),), (wire.integer(OFFSET_ITEMS, 4),)):
            found += self.locate(version, wire.integer(MAXIMUM_ITEMS, 2), *offset, wire.attribute(
                "Object Type", wire.enum(wire.ATTRIBUTE_VALUE, SYMMETRIC)), group)
        self.assertEqual((set(found), len(found)), (uids, 5))
        got, told = self.ask(version, wire.batch_item(wire.GET, wire.text(wire.UID, found[0]), item_id=bytes(4)), wire.batch_item(
            wire.GET_ATTRIBUTES, wire.text(wire.UID, found[0]), wire.text(wire.ATTRIBUTE_NAME, "State"),
            wire.text(wire.ATTRIBUTE_NAME, "Operation Policy Name"), item_id=bytes([0, 0, 0, 1])))
        self.assertEqual((len(got.material), told.attributes()), (32, [("State", wire.PRE_ACTIVE)]))
        der = subprocess.run(["openssl", "pkey", "-in", self.vcenter.identity.key, "-pubout", "-outform", "DER"], check=True,
                             capture_output=True).stdout
        public = wire.structure(PUBLIC_KEY, wire.structure(wire.KEY_BLOCK, wire.enum(wire.FORMAT, X_509), wire.structure(
            wire.KEY_VALUE, wire.data(wire.KEY_MATERIAL, der))))
        uid = self.do(version, wire.REGISTER, wire.enum(wire.OBJECT_TYPE, PUBLIC), template(named("percona-key")), public).uid
        self.assertEqual(self.do(version, wire.GET, wire.text(wire.UID, uid)).material, der)

    def test_mysql(self):
        """1.1: each attribute with an index of zero, and room for an answer of 280,000 bytes."""
        header = (wire.integer(wire.MAXIMUM_RESPONSE_SIZE, 280000),)
        uid = self.do((1, 1), wire.CREATE, wire.enum(wire.OBJECT_TYPE, SYMMETRIC), template(
            wire.attribute("Cryptographic Algorithm", wire.enum(wire.ATTRIBUTE_VALUE, AES), 0),
            wire.attribute("Cryptographic Length", wire.integer(wire.ATTRIBUTE_VALUE, 256), 0),
            wire.attribute("Cryptographic Usage Mask", wire.integer(wire.ATTRIBUTE_VALUE, 12), 0)), header=header).uid
        self.do((1, 1), wire.ACTIVATE, wire.text(wire.UID, uid), header=header)
        self.assertEqual(len(self.do((1, 1), wire.GET, wire.text(wire.UID, uid), header=header).material), 32)

    def test_ceph(self):
        """The gateway, in 1.0: size, credential and time in the header, Name and nothing else in Locate. The storage driver, in
        1.4: no other version is wanted, and it brings the initialization vector."""
        def header(kind, *value):
            return (wire.integer(wire.MAXIMUM_RESPONSE_SIZE, 8192), wire.structure(wire.AUTHENTICATION, wire.structure(
                wire.CREDENTIAL, wire.enum(wire.CREDENTIAL_TYPE, kind), wire.structure(wire.CREDENTIAL_VALUE, *value))),
                wire.date(wire.TIME_STAMP, int(time.time())))
        gateway = header(1, wire.text(wire.USERNAME, "rgw"))
        uid = self.do((1, 0), wire.CREATE, *aes(named("rgw-key")), header=gateway).uid
        self.assertEqual(self.locate((1, 0), named("rgw-key"), header=gateway), [uid])
        self.assertEqual(len(self.do((1, 0), wire.GET, wire.text(wire.UID, uid), header=gateway).material), 32)
        device = header(DEVICE, wire.text(DEVICE_SERIAL, "a node"))
        self.do((1, 4), wire.ACTIVATE, wire.text(wire.UID, uid), header=device)
        versions = self.do((1, 4), wire.DISCOVER_VERSIONS, wire.structure(
            wire.VERSION, wire.integer(wire.MAJOR, 1), wire.integer(wire.MINOR, 4))).payload.all(wire.VERSION)
        self.assertEqual(len(versions), 1)
        how = wire.structure(PARAMETERS, wire.enum(MODE, CBC), wire.enum(PADDING, PKCS5), wire.enum(wire.ALGORITHM, AES))
        vector = os.urandom(16)
        sealed = self.do((1, 4), wire.ENCRYPT, wire.text(wire.UID, uid), how, wire.data(DATA, b"a passphrase"),
                         wire.data(IV, vector)).payload
        opened = self.do((1, 4), DECRYPT, wire.text(wire.UID, uid), how, wire.data(DATA, sealed.get(DATA)),
                         wire.data(IV, vector)).payload
        self.assertEqual(opened.get(DATA), b"a passphrase")

    def test_libmongocrypt(self):
        """1.0: a seed of 96 bytes without a usage mask, and with one of no bits. 1.2: what one node encrypts the other decrypts,
        with the initialization vector that the server made."""
        for masks in ((), (mask(0),)):
            uid = self.do((1, 0), wire.REGISTER, wire.enum(wire.OBJECT_TYPE, SECRET), template(*masks),
                          secret(bytes(range(96)), SEED)).uid
            self.do((1, 0), wire.ACTIVATE, wire.text(wire.UID, uid))
            self.assertEqual(self.do((1, 0), wire.GET, wire.text(wire.UID, uid)).material, bytes(range(96)))
        uid = self.do((1, 2), wire.CREATE, *aes()).uid
        self.do((1, 2), wire.ACTIVATE, wire.text(wire.UID, uid))
        how = wire.structure(PARAMETERS, wire.enum(MODE, CBC), wire.enum(PADDING, PKCS5),
                             wire.boolean(RANDOM_IV, 1))
        sealed = self.do((1, 2), wire.ENCRYPT, wire.text(wire.UID, uid), how, wire.data(DATA, bytes(96))).payload
        opened = self.do((1, 2), DECRYPT, wire.text(wire.UID, uid), how, wire.data(DATA, sealed.get(DATA)),
                         wire.data(IV, sealed.get(IV))).payload
        self.assertEqual(opened.get(DATA), bytes(96))

    def test_vast(self):
        """Re-key makes a key with a new UID, which takes the name over; the old one stays Active and readable."""
        version = (1, 4)
        old = self.do(version, wire.CREATE, *aes(named("vast"))).uid
        self.do(version, wire.ACTIVATE, wire.text(wire.UID, old))
        material = self.do(version, wire.GET, wire.text(wire.UID, old)).material
        new = self.do(version, RE_KEY, wire.text(wire.UID, old)).uid
        self.assertNotEqual(new, old)
        self.assertEqual(self.locate(version, named("vast")), [new])
        item = self.do(version, wire.GET_ATTRIBUTES, wire.text(wire.UID, old), wire.text(wire.ATTRIBUTE_NAME, "State"))
        self.assertEqual(item.attributes(), [("State", wire.ACTIVE)])
        self.assertEqual(self.do(version, wire.GET, wire.text(wire.UID, old)).material, material)

    def test_veeam(self):
        """No attributes within the Key Value; a client that comes back with the session of its last connection is served."""
        uid = self.do((1, 4), wire.CREATE, *aes(named("veeam"), words("x-veeam", "1"))).uid
        block = self.do((1, 4), wire.GET, wire.text(wire.UID, uid)).payload.first(wire.SYMMETRIC_KEY).first(wire.KEY_BLOCK)
        self.assertEqual([node.tag for node in block.first(wire.KEY_VALUE).value], [wire.KEY_MATERIAL])
        frame = vsphere.get(uid)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.load_verify_locations(self.pair.pki.ca)
            context.load_cert_chain(self.vcenter.identity.certificate, self.vcenter.identity.key)
            context.minimum_version = context.maximum_version = version
            for node in self.pair.nodes:
                session = None
                for _ in range(3):
                    with socket.create_connection(node.endpoint, 20) as raw, \
                            context.wrap_socket(raw, session=session) as connection:
                        connection.sendall(frame)
                        answer = connection.recv(65536)
                        wire.handed_out.watch(answer)
                        self.assertTrue(wire.Response(answer).one.ok)
                        self.assertFalse(connection.session_reused, "who the client is is judged each time")
                        session = connection.session

    def test_netapp(self):
        """Sixteen custom attributes at Create and sixteen more later, all there on the other node, in their order."""
        made = [words(f"x-NETAPP-{number}", f"value {number} " * 5) for number in range(16)]
        uid = self.do((1, 4), wire.CREATE, *aes(*made)).uid
        for number in range(16, 32):
            self.do((1, 4), wire.ADD_ATTRIBUTE, wire.text(wire.UID, uid), words(f"x-NETAPP-{number}", "later"))
        for _ in self.pair.nodes:
            item = self.do((1, 4), wire.GET_ATTRIBUTES, wire.text(wire.UID, uid))
            names = {name for name, _ in item.attributes()}
            self.assertLessEqual({f"x-NETAPP-{number}" for number in range(32)}, names)

    def test_storage_arrays(self):
        """Query, Locate, Get and Get Attributes in one batch, without a flag for the order: Get means what was located."""
        uid = self.do((1, 2), wire.CREATE, *aes(named("array"))).uid
        for _ in self.pair.nodes:
            items = self.ask((1, 2), *(wire.batch_item(operation, *payload, item_id=bytes([number])) for number, (
                operation, payload) in enumerate([
                    (wire.QUERY, [wire.enum(wire.QUERY_FUNCTION, 1)]), (wire.LOCATE, [named("array")]), (wire.GET, []),
                    (wire.GET_ATTRIBUTES, [wire.text(wire.ATTRIBUTE_NAME, "State")])])))
            self.assertEqual([item.status for item in items], [0] * 4)
            self.assertEqual([item.uid for item in items[2:]], [uid] * 2)

    def test_tape_libraries(self):
        """Alternative Name and Application Specific Information at Create; found by the latter, from the other node."""
        def application(data):
            return wire.attribute("Application Specific Information", wire.structure(
                wire.ATTRIBUTE_VALUE, wire.text(APPLICATION_NAMESPACE, "LIBRARY-LTO"), wire.text(APPLICATION_DATA, data)))
        alternative = wire.attribute("Alternative Name", wire.structure(
            wire.ATTRIBUTE_VALUE, wire.text(ALTERNATIVE_VALUE, "tape 7"), wire.enum(ALTERNATIVE_TYPE, 1)))
        uid = self.do((1, 2), wire.CREATE, *aes(application("barcode-7"), alternative, words("x-Barcode", "7"))).uid
        other = self.do((1, 2), wire.CREATE, *aes(application("barcode-8"))).uid
        for _ in self.pair.nodes:
            self.assertEqual(self.locate((1, 2), application("barcode-7")), [uid])
            self.assertEqual(self.locate((1, 2), application("barcode-8")), [other])


if __name__ == "__main__":
    unittest.main()
