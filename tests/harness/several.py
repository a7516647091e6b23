# SPDX-License-Identifier: Apache-2.0
"""Operations that make several objects, or make one and change others: how a client asks for them, and what it sees of them."""
import collections
import datetime

import wire
from attributes import kind, mask, named, template
from process import wait_until
from wire import ATTRIBUTE_VALUE as VALUE

V14 = (1, 4)
CREATE_KEY_PAIR, RE_KEY, DERIVE_KEY, CERTIFY, RE_CERTIFY, RE_KEY_KEY_PAIR = 2, 4, 5, 6, 7, 29
CREATE_SPLIT_KEY, IMPORT = 40, 42
COMMON, PRIVATE, PUBLIC, PRIVATE_UID, PUBLIC_UID = 0x42001F, 0x420065, 0x42006E, 0x420066, 0x42006F
DERIVATION_METHOD, DERIVATION_PARAMETERS, DERIVATION_DATA, PARAMETERS, HASHING = (
    0x420031, 0x420032, 0x420030, 0x42002B, 0x420038)
SPLIT_PARTS, SPLIT_THRESHOLD, SPLIT_METHOD, REPLACE_EXISTING = 0x42008B, 0x42008C, 0x42008A, 0x420124
LINK_TYPE, LINKED, SECRET_DATA, SECRET_TYPE, PRIVATE_KEY_OBJECT = 0x42004B, 0x42004C, 0x420085, 0x420086, 0x420064
SYMMETRIC_KEY, PRIVATE_KEY, SPLIT_KEY, SECRET = 2, 4, 5, 7
PKCS_12, PASSWORD_LINK = 0x16, 0x10D
AES, EC, SIGN, VERIFY, ENCRYPT_DECRYPT, DERIVE = 3, 6, 1, 2, 12, 0x200
PARTS = 3


def request(operation, *payload):
    return wire.request(wire.batch_item(operation, *payload), version=V14)


def uid_of(uid):
    return wire.text(wire.UID, uid)


def active():
    return wire.attribute("Activation Date", wire.date(VALUE, 1000000000))


def link(link_type, uid):
    return wire.attribute("Link", wire.structure(VALUE, wire.enum(LINK_TYPE, link_type), wire.text(LINKED, uid)))


def key(label, *more, bits=ENCRYPT_DECRYPT):
    return request(wire.CREATE, wire.enum(wire.OBJECT_TYPE, SYMMETRIC_KEY), template(
        *kind(AES, 256), mask(bits), named(label), *more))


def pair(label):
    return request(CREATE_KEY_PAIR, template(*kind(EC, 256), active(), tag=COMMON),
                   template(named(label + " private"), mask(SIGN), tag=PRIVATE),
                   template(named(label + " public"), mask(VERIFY), tag=PUBLIC))


def pkcs12(password):
    """A key with its certificate and that one's issuer."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import pkcs12 as form
    today = datetime.datetime(2026, 1, 1)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)]) for text in ("leaf", "issuer")]
    made = [x509.CertificateBuilder().subject_name(names[i]).issuer_name(names[1]).public_key(keys[i].public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(today)
            .not_valid_after(today + datetime.timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=i == 1, path_length=None), critical=True)
            .sign(keys[1], hashes.SHA256()) for i in range(2)]
    encryption = (serialization.PrivateFormat.PKCS12.encryption_builder().kdf_rounds(1000)
                  .key_cert_algorithm(form.PBES.PBESv2SHA256AndAES256CBC).hmac_hash(hashes.SHA256()).build(password))
    return form.serialize_key_and_certificates(b"friendly", keys[0], made[0], [made[1]], encryption)


class Scene:
    """One operation on objects of its own: its request, how many objects it makes, whether it gives a new object a name that a
    second one could not have, and the object that it replaces."""

    def __init__(self, making, frame, makes, names=False, replaces=None):
        self.making, self.frame, self.makes, self.names, self.replaces = making, frame, makes, names, replaces

    @property
    def tells(self):
        return self.makes  # but for certificates that come within a key

    def tell(self, item):
        for tag in (wire.UID, PRIVATE_UID, PUBLIC_UID):
            for node in item.payload.all(tag):
                self.making.tell(node.value)


class Making:
    def __init__(self, the_pair, client, told):
        self.pair, self.client, self.told = the_pair, client, told
        self.number = 0

    def tell(self, uid):
        self.told[uid] = self.material(uid)

    def material(self, uid):
        return self.client.ask(request(wire.GET, uid_of(uid))).material

    def made(self, frame):
        payload = self.client.ask(frame).payload
        uids = [node.value for tag in (PRIVATE_UID, PUBLIC_UID, wire.UID) for node in payload.all(tag)]
        for uid in uids:
            self.tell(uid)
        return uids

    def scene(self, which):
        self.number += 1
        return getattr(self, "scene_" + which)(f"{which} {self.number}")

    def scene_re_key(self, label):
        (old,) = self.made(key(label, active()))
        return Scene(self, request(RE_KEY, uid_of(old)), 1)

    def scene_create_key_pair(self, label):
        return Scene(self, pair(label), 2, names=True)

    def scene_re_key_key_pair(self, label):
        private, _ = self.made(pair(label))
        return Scene(self, request(RE_KEY_KEY_PAIR, wire.text(PRIVATE_UID, private)), 2)

    def certify(self, label):
        _, public = self.made(pair(label))
        return request(CERTIFY, uid_of(public), template(named(label + " certificate"), mask(VERIFY)))

    def scene_certify(self, label):
        return Scene(self, self.certify(label), 1, names=True)

    def scene_re_certify(self, label):
        (old,) = self.made(self.certify(label))
        return Scene(self, request(RE_CERTIFY, uid_of(old)), 1)

    def scene_derive_key(self, label):
        (base,) = self.made(key(label + " base", active(), bits=DERIVE))
        parameters = wire.structure(DERIVATION_PARAMETERS, wire.structure(PARAMETERS, wire.enum(HASHING, 6)),
                                    wire.data(DERIVATION_DATA, b"some data"))
        return Scene(self, request(DERIVE_KEY, wire.enum(wire.OBJECT_TYPE, SYMMETRIC_KEY), uid_of(base),
                                   wire.enum(DERIVATION_METHOD, 3), parameters,
                                   template(*kind(AES, 128), mask(ENCRYPT_DECRYPT), named(label))), 1, names=True)

    def scene_import_replacing(self, label):
        """What the client called it finds it; its Name goes from one to the other."""
        parts = (wire.attribute("State", wire.enum(VALUE, wire.DEACTIVATED)),
                 *kind(AES, 256), mask(ENCRYPT_DECRYPT), named(label), wire.structure(
                     wire.SYMMETRIC_KEY, wire.structure(
                         wire.KEY_BLOCK, wire.enum(wire.FORMAT, 1), wire.structure(
                             wire.KEY_VALUE, wire.data(wire.KEY_MATERIAL, label.encode().ljust(32)[:32])),
                         wire.enum(wire.ALGORITHM, AES), wire.integer(wire.LENGTH, 256))))
        (old,) = self.made(request(IMPORT, uid_of(label), wire.enum(wire.OBJECT_TYPE, SYMMETRIC_KEY), *parts))
        return Scene(self, request(IMPORT, uid_of(label), wire.enum(wire.OBJECT_TYPE, SYMMETRIC_KEY),
                                   wire.boolean(REPLACE_EXISTING, True), *parts), 1, replaces=old)

    def scene_register_pkcs12(self, label):
        (secret,) = self.made(request(
            wire.REGISTER, wire.enum(wire.OBJECT_TYPE, SECRET), template(mask(ENCRYPT_DECRYPT), active(), named(label + " password")),
            wire.structure(SECRET_DATA, wire.enum(SECRET_TYPE, 1), wire.structure(
                wire.KEY_BLOCK, wire.enum(wire.FORMAT, 2), wire.structure(
                    wire.KEY_VALUE, wire.data(wire.KEY_MATERIAL, b"password"))))))
        return Scene(self, request(
            wire.REGISTER, wire.enum(wire.OBJECT_TYPE, PRIVATE_KEY),
            template(named(label), mask(SIGN), link(PASSWORD_LINK, secret)),
            wire.structure(PRIVATE_KEY_OBJECT, wire.structure(
                wire.KEY_BLOCK, wire.enum(wire.FORMAT, PKCS_12), wire.structure(
                    wire.KEY_VALUE, wire.data(wire.KEY_MATERIAL, pkcs12(b"password")))))), 3, names=True)

    def scene_create_split_key(self, label):
        (base,) = self.made(key(label))
        return Scene(self, request(
            CREATE_SPLIT_KEY, wire.enum(wire.OBJECT_TYPE, SPLIT_KEY), uid_of(base), wire.integer(SPLIT_PARTS, PARTS),
            wire.integer(SPLIT_THRESHOLD, 2), wire.enum(SPLIT_METHOD, 4), template()), PARTS)


class Object:
    def __init__(self, item, got):
        attributes = item.attributes()
        self.type = dict(attributes)["Object Type"]
        self.names = [next(node.value for node in value if node.tag == wire.NAME_VALUE)
                      for attribute, value in attributes if attribute == "Name"]
        self.names += ["imported as " + value for attribute, value in attributes if attribute == "y-Imported Identifier"]
        self.links = [(next(node.value for node in value if node.tag == LINK_TYPE),
                       next(node.value for node in value if node.tag == LINKED))
                      for attribute, value in attributes if attribute == "Link"]
        self.material = got.material


class Seen:
    """All objects of a node that are alive, as a client sees them, and who is unclaimed."""

    def __init__(self, node, connection):
        self.objects = {}
        for uid, (state, _) in node.keys().items():
            if "Destroyed" in state:
                continue
            item, got = (connection.ask(request(operation, uid_of(uid))).one for operation in (wire.GET_ATTRIBUTES, wire.GET))
            assert item.ok and got.ok, (node.name, uid, item, got)
            self.objects[uid] = Object(item, got)
        self.unclaimed = {one["uid"] for one in node.ctl("key", "list", "--unclaimed")} & set(self.objects)

    def names(self):
        return [text for one in self.objects.values() for text in one.names]


# Links that come in twos.
BACK = {0x103: 0x102, 0x104: 0x105, 0x105: 0x104, 0x106: 0x107, 0x107: 0x106, 0x10A: 0x10B, 0x10B: 0x10A}


class Several:
    """For a PairCase: what must be so whatever happened to an operation."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.told = {}  # uid: bytes, of what clients were told of
        cls.done = set()  # what was made by operations that were done, and told to nobody
        cls.gone = set()  # replaced
        cls.making = Making(cls.pair, cls.on_a, cls.told)

    def look(self, node):
        with self.pair.client("vcenter", node).connect(node.endpoint) as connection:
            return Seen(node, connection)

    def check(self, rebuilt=False, intents=0):
        """intents: those that must be left; None: whatever is looked for still (RESOLVE_HOPELESS_S)."""
        for node in self.pair.nodes:
            wait_until(lambda: node.status()["cache"]["intents"] == intents or intents is None,
                       f"{node.name} has settled everything")
        self.pair.wait_same()
        for node in self.pair.nodes:
            with self.subTest(node.name):
                self.check_seen(self.look(node), rebuilt)

    def check_seen(self, seen, rebuilt):
        self.assertEqual([name for name, count in collections.Counter(seen.names()).items() if count > 1], [])
        self.assertEqual(set(self.told) - set(seen.objects), self.gone, "lost, or there though it was replaced")
        for uid, material in self.told.items():
            if uid not in self.gone:
                self.assertEqual(seen.objects[uid].material, material, uid)
        for uid, one in seen.objects.items():
            self.check_links(seen, uid, one)
            if uid in seen.unclaimed:
                self.assertEqual(one.names, [], "an orphan has a name")
            elif not rebuilt:
                self.assertIn(uid, {*self.told, *self.done}, "it is not told to anybody, and claimed")
                self.assertFalse(seen.unclaimed & {to for _, to in one.links}, "it points to an orphan")

    def check_links(self, seen, uid, one):
        for link_type, to in one.links:
            self.assertIn(to, seen.objects, f"{uid} points to what is not there")
            if link_type in BACK and one.names:
                self.assertIn((BACK[link_type], uid), seen.objects[to].links, "nothing points back")
        if one.names and one.type == PRIVATE_KEY:
            self.assertTrue({link_type for link_type, _ in one.links} & {0x102, 0x10C}, "half a pair")

    @staticmethod
    def alive(node):
        return {uid for uid, (state, _) in node.keys().items() if "Destroyed" not in state}
