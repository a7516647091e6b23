# SPDX-License-Identifier: Apache-2.0
"""Every kind of object, made in every way, with its links: what one node changes the other knows, and with both caches lost
all bytes and attributes come back from the key manager.
"""
import ssl
import unittest

import harness  # noqa: F401
import vsphere
import wire
from attributes import kind, mask, named, template
from case import FreshPairCase
from pair import SECOND
from process import wait_until
from wire import ATTRIBUTE_VALUE as VALUE

V14 = (1, 4)
CREATE_KEY_PAIR, RE_KEY, DERIVE_KEY, CREATE_SPLIT_KEY, JOIN_SPLIT_KEY, IMPORT, EXPORT = 2, 4, 5, 40, 41, 42, 43
COMMON_TEMPLATE, PRIVATE_TEMPLATE, PUBLIC_TEMPLATE = 0x42001F, 0x420065, 0x42006E
PRIVATE_KEY_UID, PUBLIC_KEY_UID = 0x420066, 0x42006F
DERIVATION_METHOD, DERIVATION_PARAMETERS, DERIVATION_DATA = 0x420031, 0x420032, 0x420030
PARAMETERS, HASHING = 0x42002B, 0x420038
SPLIT_PARTS, SPLIT_THRESHOLD, SPLIT_METHOD = 0x42008B, 0x42008C, 0x42008A
LINK_TYPE, LINKED = 0x42004B, 0x42004C
CERTIFICATE_TYPE, SECRET_DATA, SECRET_TYPE, OPAQUE, OPAQUE_TYPE, OPAQUE_VALUE = (
    0x42001D, 0x420085, 0x420086, 0x42005B, 0x420059, 0x42005A)
OBJECT_ARCHIVED, COMPROMISE = 13, 2
SIGN, VERIFY, ENCRYPT_DECRYPT, DERIVE = 1, 2, 12, 0x200
PARTS, THRESHOLD = 4, 3


def link(type_, uid):
    return wire.attribute("Link", wire.structure(VALUE, wire.enum(LINK_TYPE, type_), wire.text(LINKED, uid)))


def encoded(node):
    """An item of an answer as a request would hold it."""
    if node.kind == wire.STRUCTURE:
        return wire.structure(node.tag, *(encoded(child) for child in node.value))
    write = {wire.INTEGER: wire.integer, wire.ENUM: wire.enum, wire.BOOLEAN: wire.boolean, wire.TEXT: wire.text,
             wire.BYTES: wire.data, wire.DATE: wire.date,
             wire.INTERVAL: lambda tag, value: wire.item(tag, wire.INTERVAL, value.to_bytes(4, "big")),
             wire.LONG: lambda tag, value: wire.item(tag, wire.LONG, value.to_bytes(8, "big", signed=True)),
             wire.BIG: lambda tag, value: wire.item(tag, wire.BIG, value)}
    return write[node.kind](node.tag, node.value)


def plain(node):
    return (node.tag, [plain(child) for child in node.value] if node.kind == wire.STRUCTURE else node.value)


class Maker(FreshPairCase):
    """Makes objects and asks for them."""

    def ask(self, operation, *payload, client=None):
        return (client or self.vcenter).ask(wire.request(wire.batch_item(operation, *payload), version=V14))

    def on(self, uid):
        return wire.text(wire.UID, uid)

    def key(self, *more, bits=ENCRYPT_DECRYPT):
        return self.ask(wire.CREATE, wire.enum(wire.OBJECT_TYPE, 2), template(*kind(3, 256), mask(bits), *more)).uid

    def register(self, type_, item, *attributes):
        return self.ask(wire.REGISTER, wire.enum(wire.OBJECT_TYPE, type_), template(*attributes), item).uid

    def reason(self, client, uid):
        with client.connect(client.endpoints[0]) as connection:
            return connection.ask(vsphere.get(uid)).one.reason

    def split(self, base):
        return [node.value for node in self.ask(
            CREATE_SPLIT_KEY, wire.enum(wire.OBJECT_TYPE, 5), self.on(base), wire.integer(SPLIT_PARTS, PARTS),
            wire.integer(SPLIT_THRESHOLD, THRESHOLD), wire.enum(SPLIT_METHOD, 4), template()).payload.all(wire.UID)]

    def exported(self, uid):
        payload = self.ask(EXPORT, self.on(uid)).payload
        held = next(node for node in payload.value if node.kind == wire.STRUCTURE and node.tag != wire.ATTRIBUTE)
        return [encoded(node) for node in payload.all(wire.ATTRIBUTE)], encoded(held)


class Objects(Maker):
    # ---- one of each ----

    def make_keys(self):
        plain_key = self.key(named("plain"), wire.attribute("x-tag", wire.text(VALUE, "a tag")))
        self.ask(wire.ACTIVATE, self.on(plain_key))
        base = self.key(wire.attribute("Activation Date", wire.date(VALUE, 1000000000)), bits=DERIVE)
        derived = self.ask(DERIVE_KEY, wire.enum(wire.OBJECT_TYPE, 2), self.on(base), wire.enum(DERIVATION_METHOD, 3),
                           wire.structure(DERIVATION_PARAMETERS,
                                          wire.structure(PARAMETERS, wire.enum(HASHING, 6)),
                                          wire.data(DERIVATION_DATA, b"some data")),
                           template(*kind(3, 128), mask(ENCRYPT_DECRYPT))).uid
        old = self.key(named("re-keyed"))
        self.ask(wire.ACTIVATE, self.on(old))
        new = self.ask(RE_KEY, self.on(old)).uid
        pair = self.ask(CREATE_KEY_PAIR, template(*kind(4, 2048), tag=COMMON_TEMPLATE),
                        template(mask(SIGN), named("a private key"), tag=PRIVATE_TEMPLATE),
                        template(mask(VERIFY), named("its public key"), tag=PUBLIC_TEMPLATE)).payload
        return {"plain": plain_key, "base": base, "derived": derived, "old": old, "new": new,
                "private": pair.get(PRIVATE_KEY_UID), "public": pair.get(PUBLIC_KEY_UID)}

    def make_parts(self, base):
        parts = self.split(base)
        self.assertEqual(len(parts), PARTS)
        joined = self.ask(JOIN_SPLIT_KEY, wire.enum(wire.OBJECT_TYPE, 2), *map(self.on, parts[1:])).uid
        return {**{f"part {number}": uid for number, uid in enumerate(parts, 1)}, "joined": joined}

    def make_others(self, public):
        with open(self.pair.pki.self_signed("registered").certificate, encoding="ascii") as file:
            der = ssl.PEM_cert_to_DER_cert(file.read())
        certificate = self.register(1, wire.structure(wire.CERTIFICATE, wire.enum(CERTIFICATE_TYPE, 1),
                                                      wire.data(wire.CERTIFICATE_VALUE, der)),
                                    mask(VERIFY), link(0x102, public))
        self.ask(wire.ADD_ATTRIBUTE, self.on(public), link(0x101, certificate))
        secret = self.register(7, wire.structure(SECRET_DATA, wire.enum(SECRET_TYPE, 1), wire.structure(
            wire.KEY_BLOCK, wire.enum(wire.FORMAT, 2), wire.structure(
                wire.KEY_VALUE, wire.data(wire.KEY_MATERIAL, b"a password that is long")))), mask(VERIFY))
        opaque = self.register(8, wire.structure(OPAQUE, wire.enum(OPAQUE_TYPE, 0x80000001),
                                                 wire.data(OPAQUE_VALUE, b"opaque" * 500)), named("opaque"))
        return {"certificate": certificate, "secret": secret, "opaque": opaque}

    def make_imported(self):
        """A key of which nothing but its export is left, compromised."""
        uid = self.key(named("imported"), wire.attribute("x-tag", wire.text(VALUE, "kept")))
        self.ask(wire.ACTIVATE, self.on(uid))
        self.ask(wire.REVOKE, self.on(uid), wire.structure(wire.REVOCATION_REASON,
                                                           wire.enum(wire.REVOCATION_CODE, COMPROMISE)))
        attributes, held = self.exported(uid)
        self.ask(wire.DESTROY, self.on(uid))
        return self.ask(IMPORT, self.on(uid), *attributes, held).uid

    def make_archived(self):
        archived, recovered = self.key(named("archived")), self.key(named("recovered"))
        for uid in (archived, recovered):
            self.ask(wire.ARCHIVE, self.on(uid), client=self.on_a)
            self.assertEqual(self.reason(self.on_b, uid), OBJECT_ARCHIVED)
        self.ask(wire.RECOVER, self.on(recovered), client=self.on_b)
        self.ask(wire.GET, self.on(recovered), client=self.on_a)
        return {"archived": archived, "recovered": recovered}

    def make_all(self):
        self.uids = self.make_keys()
        self.uids.update(self.make_parts(self.uids["plain"]))
        self.uids.update(self.make_others(self.uids["public"]))
        self.uids["imported"] = self.make_imported()
        self.uids.update(self.make_archived())

    # ---- what a node tells ----

    def tell(self, client):
        """{name: attributes and object, or the reason why it is not given out}"""
        told = {}
        for name, uid in self.uids.items():
            got = self.answer_of(client, wire.request(wire.batch_item(wire.GET, self.on(uid)), version=V14))
            attributes = self.ask(wire.GET_ATTRIBUTES, self.on(uid), client=client).payload.all(wire.ATTRIBUTE)
            told[name] = (sorted(map(repr, map(plain, attributes))), plain(got.payload) if got.ok else got.reason)
        return told

    def links_of(self, client, name):
        attributes = self.ask(wire.GET_ATTRIBUTES, self.on(self.uids[name]),
                              wire.text(wire.ATTRIBUTE_NAME, "Link"), client=client).payload.all(wire.ATTRIBUTE)
        names = {uid: name for name, uid in self.uids.items()}
        return {(node.get(VALUE, LINK_TYPE), names[node.get(VALUE, LINKED)])
                for node in attributes}

    def expect_links(self, client):
        self.assertEqual(self.links_of(client, "part 2"), {(0x108, "plain"), (0x10A, "part 1"), (0x10B, "part 3")})
        self.assertEqual(self.links_of(client, "derived"), {(0x104, "base")})
        self.assertEqual(self.links_of(client, "base"), {(0x105, "derived")})
        self.assertEqual(self.links_of(client, "old"), {(0x106, "new")})
        self.assertEqual(self.links_of(client, "new"), {(0x107, "old")})
        self.assertEqual(self.links_of(client, "private"), {(0x102, "public")})
        self.assertEqual(self.links_of(client, "public"), {(0x103, "private"), (0x101, "certificate")})
        self.assertEqual(self.links_of(client, "certificate"), {(0x102, "public")})

    def expect_same(self, before, client):
        now = self.tell(client)
        for name, told in before.items():
            self.assertEqual(now[name], told, name)

    def lose_caches(self):
        self.pair.delete_caches()
        self.pair.start()
        for node in self.pair.nodes:
            wait_until(lambda node=node: node.status()["instances"][0]["rebuilt"], f"{node.name} has rebuilt its cache")

    def test_all_survive(self):
        """Both nodes tell the same of everything, before and after both caches were lost; none is unclaimed."""
        self.make_all()
        self.pair.wait_same()
        for node in self.pair.nodes:
            self.assertEqual(node.ctl("key", "list", "--unclaimed"), [])
            node.ctl("checkpoint")
        before = self.tell(self.on_a)
        self.assertEqual(before["joined"][1][1][-1], before["plain"][1][1][-1])  # the Symmetric Key
        self.assertEqual(before["archived"][1], OBJECT_ARCHIVED)
        self.expect_same(before, self.on_b)
        self.expect_links(self.on_b)
        self.pair.stop()
        self.lose_caches()
        for client in (self.on_a, self.on_b):
            self.expect_same(before, client)
            self.expect_links(client)
        again = self.ask(JOIN_SPLIT_KEY, wire.enum(wire.OBJECT_TYPE, 2),
                         *(self.on(self.uids[f"part {number}"]) for number in (4, 1, 2))).uid
        self.assertEqual(self.vcenter.material(again), self.vcenter.material(self.uids["plain"]))

    def test_taken_away_at_once(self):
        """What archives, recovers or brings a compromised key is in the key manager when it is answered: nodes killed without a
        checkpoint, both caches lost."""
        self.uids = {"imported": self.make_imported(), **self.make_archived()}
        for node in self.pair.nodes:
            node.kill9()
            node.wait()
        self.lose_caches()
        for client in (self.on_a, self.on_b):
            self.assertEqual(self.reason(client, self.uids["archived"]), OBJECT_ARCHIVED)
            self.assertEqual(len(client.material(self.uids["recovered"])), 32)
            self.assertEqual(client.state(self.uids["imported"]), wire.COMPROMISED)


class OtherTenants(Maker):
    """What one tenant has, another neither replaces nor joins, and does not hear of."""

    tenants = 2

    def setUp(self):
        super().setUp()
        self.pair.register("other", SECOND)
        self.other = self.pair.client("other")

    def test_import_does_not_replace(self):
        uid = self.key(named("theirs"))
        material = self.vcenter.material(uid)
        attributes, held = self.exported(uid)
        replace = wire.boolean(0x420124, True)
        own = self.ask(IMPORT, self.on(uid), replace, *attributes, held, client=self.other).uid
        self.assertNotEqual(own, uid)
        self.assertEqual(self.vcenter.material(uid), material)
        self.assertEqual(self.reason(self.other, uid), wire.ITEM_NOT_FOUND)
        again = self.ask(IMPORT, self.on(uid), replace, *attributes, held, client=self.other).uid
        self.assertIn(self.reason(self.other, own), (wire.ITEM_NOT_FOUND, wire.ILLEGAL_OPERATION))
        self.assertEqual(self.other.material(again), material)
        self.assertEqual(self.vcenter.material(uid), material)

    def test_parts_are_not_joined(self):
        parts = self.split(self.key())
        self.expect_refused(wire.ITEM_NOT_FOUND, self.ask, JOIN_SPLIT_KEY, wire.enum(wire.OBJECT_TYPE, 2),
                            *map(self.on, parts), client=self.other)


if __name__ == "__main__":
    unittest.main()
