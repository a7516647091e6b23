# SPDX-License-Identifier: Apache-2.0
"""vSphere's dialect, byte for byte, against a running pair: trust and health (X), creating keys (C),
fetching them (F), vSAN (V), rekeying (R), host keys (H), removal (D), and the loss of a node (O).

The frames are built from the field tables of captured conversations (vsphere.py) and checked against the
captured sizes. Each task is one connection to an endpoint drawn at random.
"""
import concurrent.futures
import ssl
import subprocess
import time
import unittest

import harness  # noqa: F401
import vsphere
import wire
from case import FreshPairCase, PairCase
from pair import SECOND
from process import wait_until
from vsphere import Refused
from wire import Connection

HOST = "4c4c4544-0052-3510-8052-b4c04f4e3432"
IDLE_S = 30  # the least that a node can be told


class Frames(unittest.TestCase):
    def test_sizes_are_the_captured_ones(self):
        """The frames that these tests send are as long as the captured ones."""
        sizes = {104: vsphere.discover(), 120: vsphere.discover(1), 136: vsphere.query(), 312: vsphere.create()}
        for size, frame in sizes.items():
            self.assertEqual(len(frame), size)
        self.assertEqual(len(vsphere.get("1")), 136)
        self.assertEqual(len(vsphere.create(header=vsphere.credential("vcenter", "password"))), 384)
        tags = vsphere.add_attributes("1", zip(vsphere.TAGS, ("7.0.3 build-19480866", *vsphere.PRODUCT[1:])))
        self.assertEqual(len(tags), 440)


class Trust(PairCase):
    """X1 to X11. The pair closes idle connections after the least time, for X11."""

    options = {"kmip": {"idle-timeout": IDLE_S}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # X11 needs half a minute: it begins here, and the test that waits for it comes last.
        cls.idle = cls.on_a.connect(cls.pair.a.endpoint)
        cls.idle_since = time.monotonic()
        cls.addClassCleanup(cls.idle.close)

    def test_x01_server_certificate_is_readable_before_any_trust(self):
        """A bare handshake, without a client certificate or with one that is not installed, delivers the server's
        certificate, also under TLS 1.2 where the refusal comes inside the handshake; nothing is logged as an error."""
        stranger = self.pair.pki.self_signed("not-yet-installed")
        for node in self.pair.nodes:
            with open(node.certificate.certificate, encoding="ascii") as file:
                expected = file.read()[-200:].strip()
            for version in ("-tls1_2", "-tls1_3"):
                for identity in ((), ("-cert", stranger.certificate, "-key", stranger.key)):
                    shown = subprocess.run(
                        ["openssl", "s_client", "-connect", f"127.0.0.1:{node.port}", version, *identity],
                        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=20)
                    self.assertIn(expected, shown.stdout)
        self.expect_no_errors_logged()

    def test_x02_eighteen_refusals_then_the_certificate_works(self):
        """An unknown certificate is refused 18 times in a row on each node, without back-off; then it is installed
        through one node and served by both, without a restart."""
        newcomer = self.pair.pki.self_signed("newcomer")
        for node in self.pair.nodes:
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                for _ in range(9):
                    with self.assertRaises(OSError):
                        with Connection(node.endpoint, newcomer, self.pair.pki.ca, tls=version) as connection:
                            connection.ask(vsphere.discover())
        self.pair.register("newcomer")
        for node in self.pair.nodes:
            client = self.pair.client("newcomer", node)
            self.assertTrue(client.ask(vsphere.query()).ok)

    def test_x03_and_x06_poll(self):
        """The five-minute poll on both nodes: a bare connect, then Discover Versions without id and with id 1 on one
        connection. The answers echo what was there, are 1.1, and list 1.1."""
        for node in self.pair.nodes:
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                Connection(node.endpoint, self.vcenter.identity, self.pair.pki.ca, tls=version).close()
                with Connection(node.endpoint, self.vcenter.identity, self.pair.pki.ca, tls=version) as connection:
                    for item_id in (None, 1):
                        answer = connection.ask(vsphere.discover(item_id))
                        self.assertEqual(answer.version, (1, 1))
                        self.assertIsNotNone(answer.time_stamp)
                        self.assertEqual([child.tag for child in answer.header.value],
                                         [wire.VERSION, wire.TIME_STAMP, wire.BATCH_COUNT])
                        item = answer.one
                        self.assertEqual(item.operation, wire.DISCOVER_VERSIONS)
                        self.assertEqual(item.id, None if item_id is None else vsphere.item_id(1))
                        versions = [(v.get(wire.MAJOR), v.get(wire.MINOR)) for v in item.payload.all(wire.VERSION)]
                        self.assertEqual(versions, [(1, 4), (1, 3), (1, 2), (1, 1), (1, 0)])

    def test_x04_query_server_information(self):
        """Discover Versions, then Query with function 3: a vendor's name."""
        for client in (self.on_a, self.on_b):
            item = client.ask(vsphere.query())
            self.assertTrue(item.payload.get(wire.VENDOR).startswith("kmip-pair"))
            self.assertEqual(item.id, vsphere.item_id(1))

    def test_x05_bare_connects_between_polls_in_parallel(self):
        """Three at a time, bare connects and polls mixed: all are accepted."""
        def bare(node):
            Connection(node.endpoint, self.vcenter.identity, self.pair.pki.ca).close()

        def poll(node):
            self.assertTrue(self.pair.client("vcenter", node).ask(vsphere.query()).ok)
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            jobs = [pool.submit(job, node) for _ in range(4) for node in self.pair.nodes for job in (bare, poll, bare)]
            for job in jobs:
                job.result()

    def test_x08_the_certificate_that_status_shows(self):
        """The SHA-256 that the administrator compares is that of the certificate that the node serves."""
        for node in self.pair.nodes:
            self.assertEqual(node.status()["certificate"]["sha256"].lower().replace(":", ""),
                             node.certificate.fingerprint)

    def test_x09_credentials_on_some_messages_only(self):
        """User name and password, right or wrong, change nothing: the certificate decides."""
        header = vsphere.credential("vcenter", "wrong-password")
        frame = vsphere.create(header=header)
        uid = self.vcenter.ask(frame).uid

        def steps(connection):
            item = connection.ask(vsphere.get(uid, header)).one
            self.assertTrue(item.ok)
            self.assertTrue(connection.ask(vsphere.get_attributes(uid, "x-Vendor")).one.ok)
            self.assertTrue(connection.ask(vsphere.get_attributes(uid, "State", header=header)).one.ok)
            self.assertTrue(connection.ask(vsphere.activate(uid, header)).one.ok)
        self.vcenter.task(steps)
        for node in self.pair.nodes:
            self.assertNotIn("wrong-password", node.log())

    def test_x10_connections_broken_off(self):
        """Closed without goodbye, mid-frame, mid-handshake: resources go, and nothing is logged above debug."""
        marks = {node: node.log_mark() for node in self.pair.nodes}
        for node in self.pair.nodes:
            for piece in (b"", vsphere.discover()[:50]):
                connection = self.pair.client("vcenter", node).connect(node.endpoint)
                connection.send(piece)
                connection.socket.detach() if not piece else connection.close()
            wait_until(lambda: node.status()["workers"]["connections"] <= 2, "only the idle connection is left")
            noise = [line for line in node.log_lines(r"^\S+ (error|warning) ", marks[node]) if "loop-gap" not in line]
            self.assertEqual(noise, [])

    def test_x11_idle_connections_are_closed(self):
        """A connection without requests is closed after the idle limit, not before."""
        self.idle.socket.settimeout(2 * IDLE_S)
        self.assertTrue(self.idle.is_closed_by_server())
        self.assertGreaterEqual(time.monotonic() - self.idle_since, IDLE_S - 1)
        self.assertTrue(self.on_a.ask(vsphere.query()).ok)


class Keys(PairCase):
    """C, F, V, R, H, D and O8 on one pair with two tenants."""

    tenants = 2

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pair.register("host-7")
        cls.pair.register("other-tenant", SECOND)

    def test_c1_to_c8_encrypt_vm(self):
        """The captured conversation: create, look for tags, tag in a batch of three, get while Pre-Active, ask the
        state, activate, tag with the VM's data; each connection on a random endpoint; answers have no field too many."""
        created = self.vcenter.ask(vsphere.create())
        self.assertEqual([child.tag for child in created.payload.value], [wire.OBJECT_TYPE, wire.UID])
        self.assertEqual(created.id, vsphere.item_id(1))
        uid = created.uid
        self.assertRegex(uid, r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
        for name in vsphere.TAGS:
            item = self.vcenter.ask(vsphere.get_attributes(uid, name))
            self.assertEqual([child.tag for child in item.payload.value], [wire.UID])
        self.check_tagging(uid, list(zip(vsphere.TAGS, vsphere.PRODUCT)))
        got = self.vcenter.ask(vsphere.get(uid))
        self.assertEqual([child.tag for child in got.payload.value], [wire.OBJECT_TYPE, wire.UID, wire.SYMMETRIC_KEY])
        block = got.payload.first(wire.SYMMETRIC_KEY).first(wire.KEY_BLOCK)
        self.assertEqual([(child.tag, child.value if child.tag != wire.KEY_VALUE else None) for child in block.value],
                         [(wire.FORMAT, 1), (wire.KEY_VALUE, None), (wire.ALGORITHM, 3), (wire.LENGTH, 256)])
        self.assertEqual([child.tag for child in block.first(wire.KEY_VALUE).value], [wire.KEY_MATERIAL])
        self.assertEqual(len(got.material), 32)
        self.assertEqual(self.vcenter.state(uid), wire.PRE_ACTIVE)
        self.assertEqual(self.vcenter.activate(uid), uid)
        for client in (self.on_a, self.on_b):
            self.assertEqual(client.state(uid), wire.ACTIVE)
        self.check_tagging(uid, [("x-Identifier", HOST), ("x-Component", "Virtual Machine"),
                                 ("x-Name", "Prüfstand \N{SNOWMAN} " + "lang" * 200)])
        self.assertEqual(self.on_b.material(uid), got.material)

    def check_tagging(self, uid, pairs):
        def steps(connection):
            answer = connection.ask(vsphere.add_attributes(uid, pairs))
            for number, (item, pair) in enumerate(zip(answer.items, pairs, strict=True), 1):
                self.assertEqual((item.operation, item.status, item.id),
                                 (wire.ADD_ATTRIBUTE, 0, vsphere.item_id(number)))
                self.assertEqual((item.uid, item.attributes()), (uid, [pair]))
        self.vcenter.task(steps)
        for client in (self.on_a, self.on_b):
            for name, value in pairs:
                self.assertEqual(client.ask(vsphere.get_attributes(uid, name)).attributes(), [(name, value)])

    def test_c4_get_on_the_other_node_right_after_create(self):
        """The key is fetched through the other endpoint as soon as Create is answered, both ways, several times."""
        for maker, reader in [(self.on_a, self.on_b), (self.on_b, self.on_a)] * 4:
            uid = maker.create()
            self.assertEqual(reader.material(uid), maker.material(uid))

    def test_c6_activation_is_seen_at_once_on_the_peer(self):
        """Activated through one node, Active through the other with the next message."""
        for one, two in [(self.on_a, self.on_b), (self.on_b, self.on_a)] * 3:
            uid = one.create()
            one.activate(uid)
            self.assertEqual(two.state(uid), wire.ACTIVE)

    def test_c7_activate_twice(self):
        """A repeated Activate, also through the other node, is a success."""
        uid = self.on_a.create()
        for client in (self.on_a, self.on_b, self.on_a):
            self.assertEqual(client.activate(uid), uid)

    def test_c9_a_create_whose_answer_was_lost(self):
        """The client hangs up after Create and creates again: another key; the orphan stays listed, Pre-Active."""
        before = set(self.pair.a.keys())
        connection = self.on_a.connect(self.pair.a.endpoint)
        connection.send(vsphere.create())
        connection.close()
        uid = self.on_b.create()
        orphans = wait_until(lambda: set(self.pair.a.keys()) - before - {uid}, "the orphan is listed")
        self.assertEqual([self.pair.a.keys()[orphan][0] for orphan in orphans], ["Pre-Active"])

    def test_c10_create_while_the_key_manager_takes_no_changes(self):
        """General Failure, soon; existing keys are served all the while; no key id is told."""
        uid, material = self.vcenter.encrypt_vm(HOST)
        self.pair.manager.mode(read_only=True)
        self.addCleanup(self.pair.manager.mode, read_only=False)
        for client in (self.on_a, self.on_b):
            begun = time.monotonic()
            item = self.answer_of(client, vsphere.create())
            self.expect_reason(item, wire.GENERAL_FAILURE)
            self.assertIsNone(item.payload)
            self.assertLess(time.monotonic() - begun, 10)
            self.assertEqual(client.material(uid), material)

    def test_c11_other_lengths_and_attributes(self):
        """128 and 192 bits, Name, Object Group, Contact Information, custom attributes: honoured. A wrong length: Invalid
        Field."""
        for bits in (128, 192):
            uid = self.vcenter.create(bits=bits)
            self.assertEqual(len(self.vcenter.material(uid)), bits // 8)
        name = wire.attribute("Name", wire.structure(wire.ATTRIBUTE_VALUE, wire.text(wire.NAME_VALUE, f"c11-{uid}"),
                                                     wire.enum(wire.NAME_TYPE, 1)))
        more = [name] + [wire.attribute(key, wire.text(wire.ATTRIBUTE_VALUE, value)) for key, value in
                         [("Object Group", "group"), ("Contact Information", "me"), ("x-any", "thing")]]
        uid = self.on_a.create(more=more)
        got = self.on_b.ask(vsphere.get_attributes(uid, "Name", "Object Group", "Contact Information", "x-any"))
        self.assertEqual({key for key, _ in got.attributes()}, {"Name", "Object Group", "Contact Information", "x-any"})
        self.expect_refused(wire.INVALID_FIELD, self.vcenter.create, bits=257)

    def test_f1_fetch_at_power_on(self):
        """Get, then State 2, on either endpoint, again and again."""
        uid, material = self.vcenter.encrypt_vm(HOST)
        for client in (self.on_a, self.on_b) * 3:
            self.assertEqual(client.fetch(uid), material)
            self.assertEqual(client.state(uid), wire.ACTIVE)

    def test_f2_unknown_key(self):
        """Item Not Found for ids that nobody ever made, whatever they look like."""
        for client in (self.on_a, self.on_b):
            for uid in ("00000000-0000-4000-8000-000000000000", "1", "no uuid", "é" * 40, "a" * 500):
                self.assertEqual(self.reason_of(client, vsphere.get(uid)), wire.ITEM_NOT_FOUND)
                self.assertEqual(self.reason_of(client, vsphere.activate(uid)), wire.ITEM_NOT_FOUND)

    def test_f4_deactivated_and_compromised_keys_are_served_with_their_state(self):
        """Old data must stay readable: Get answers, State tells the truth, on both nodes."""
        for code, state in ((1, wire.DEACTIVATED), (2, wire.COMPROMISED)):
            uid, material = self.vcenter.encrypt_vm(HOST)
            self.vcenter.ask(vsphere.revoke(uid, code))
            for client in (self.on_a, self.on_b):
                self.assertEqual(client.state(uid), state)
                self.assertEqual(client.material(uid), material)

    def test_f5_and_d2_revoke_then_destroy(self):
        """An Active key cannot be destroyed; revoked it can, once; then both nodes have its attributes only, and the
        material is gone in the key manager."""
        for code, state in ((1, wire.DESTROYED), (2, wire.DESTROYED_COMPROMISED)):
            uid, _ = self.vcenter.encrypt_vm(HOST)
            self.assertEqual(self.reason_of(self.on_b, vsphere.destroy(uid)), wire.PERMISSION_DENIED)
            self.on_a.ask(vsphere.revoke(uid, code))
            self.on_b.ask(vsphere.destroy(uid))
            for client in (self.on_a, self.on_b):
                self.assertEqual(self.reason_of(client, vsphere.get(uid)), wire.ILLEGAL_OPERATION)
                self.assertEqual(client.state(uid), state)
                self.assertEqual(self.reason_of(client, vsphere.destroy(uid)), wire.PERMISSION_DENIED)
            self.assertEqual(self.pair.manager.key(uid)["state"], 5)

    def test_f6_boot_storm(self):
        """Twelve hosts with one certificate fetch the same keys at once from both nodes."""
        keys = [self.vcenter.encrypt_vm(HOST) for _ in range(3)]

        def boot(number):
            host = self.pair.client("vcenter", *self.pair.nodes[number % 2:], seed=number)
            return [(uid, host.material(uid)) for uid, _ in keys]
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            for got in pool.map(boot, range(12)):
                self.assertEqual(got, keys)

    def test_f7_and_o8_another_client_of_the_instance(self):
        """Keys belong to the instance: another certificate of it fetches them, as after vCenter was rebuilt."""
        uid, material = self.vcenter.encrypt_vm(HOST)
        for node in self.pair.nodes:
            self.assertEqual(self.pair.client("host-7", node).fetch(uid), material)

    def test_f8_a_client_of_another_instance(self):
        """Item Not Found in every operation; the key is unharmed."""
        uid, material = self.vcenter.encrypt_vm(HOST)
        frames = [vsphere.get(uid), vsphere.get_attributes(uid, "State"), vsphere.get_attribute_list(uid),
                  vsphere.activate(uid), vsphere.add_attributes(uid, [("x-a", "b")]), vsphere.revoke(uid, 2),
                  vsphere.destroy(uid)]
        for node in self.pair.nodes:
            stranger = self.pair.client("other-tenant", node)
            for frame in frames:
                self.assertEqual(self.reason_of(stranger, frame), wire.ITEM_NOT_FOUND)
        self.assertEqual(self.vcenter.fetch(uid), material)
        self.assertEqual(self.vcenter.state(uid), wire.ACTIVE)

    def test_v1_and_v2_vsan(self):
        """vCenter makes a key-encryption key and a host key, with tags of its own; hosts fetch the host key, then the
        other, with vCenter's certificate and from both nodes. A date at which a key would expire is asked for, and not there."""
        kek, host_key = self.vcenter.encrypt_vm(HOST, "vSAN", "cluster"), self.vcenter.encrypt_vm(HOST, "ESXi Server")
        for uid, _ in (kek, host_key):
            self.vcenter.ask(vsphere.add_attributes(uid, [("x-VSAN-Anything", "1")]))
            for name in ("Deactivation Date", "Process Start Date", "Protect Stop Date"):  # as a look at its expiry would ask
                self.assertEqual(self.vcenter.ask(vsphere.get_attributes(uid, name)).attributes(), [])
        for number in range(4):
            host = self.pair.client("vcenter", seed=number)
            for uid, material in (host_key, kek):
                self.assertEqual(host.fetch(uid), material)

    def test_r1_to_r3_rekeying_leaves_old_keys_alone(self):
        """New keys beside old ones: both are served, by both nodes, in their states, and nothing ever removes one (D1)."""
        old = self.vcenter.encrypt_vm(HOST)
        new = self.vcenter.encrypt_vm(HOST)
        self.assertNotEqual(old, new)
        for client in (self.on_a, self.on_b):
            for uid, material in (old, new):
                self.assertEqual(client.material(uid), material)
                self.assertEqual(client.state(uid), wire.ACTIVE)

    def test_h1_and_h2_host_keys(self):
        """The key for core dumps, tagged with the host; a second one leaves the first readable."""
        first = self.vcenter.encrypt_vm(HOST, "ESXi Server", "192.0.2.7")
        second = self.vcenter.encrypt_vm(HOST, "ESXi Server", "192.0.2.7")
        for uid, material in (first, second):
            got = self.vcenter.ask(vsphere.get_attributes(uid, "x-Component"))
            self.assertEqual(got.attributes(), [("x-Component", "ESXi Server")])
            self.assertEqual(self.vcenter.material(uid), material)

    def test_what_the_operator_sees_of_a_key(self):
        """kmipctl key show: state, dates, tags, the standard key's id; the same on both nodes, and never its bytes."""
        uid, material = self.vcenter.encrypt_vm(HOST, name="shown")
        shown = [node.ctl("key", "show", uid) for node in self.pair.nodes]
        self.assertEqual(*shown)
        self.assertEqual((shown[0]["state"], shown[0]["standard_key"], shown[0]["unclaimed"]), ("Active", uid, False))
        tags = {one["name"]: one["value"] for one in shown[0]["attributes"]}
        self.assertEqual((tags["x-Name"], tags["x-Identifier"]), ("shown", HOST))
        for node in self.pair.nodes:
            said = node.ctl_run("key", "show", uid).stdout + str(shown)
            self.assertIn("shown", said)
            for form in (material.hex(), material.hex().upper()):
                self.assertNotIn(form, said)
            self.assertNotEqual(node.ctl_run("key", "show", "no-uuid").returncode, 0)

    def test_o4_parallel_requests_on_one_key_through_both_nodes(self):
        """Activate, State and tags race over both endpoints: all succeed, and both nodes agree on all of it."""
        uid = self.vcenter.create()

        def race(number):
            client = self.pair.client("vcenter", seed=number)
            client.activate(uid)
            client.ask(vsphere.add_attributes(uid, [(f"x-{number}", "v")]))
            return client.state(uid)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            self.assertEqual(set(pool.map(race, range(8))), {wire.ACTIVE})
        for client in (self.on_a, self.on_b):
            names = {name for name, _ in client.ask(vsphere.get_attributes(uid)).attributes()}
            self.assertLessEqual({f"x-{number}" for number in range(8)}, names)


class NodeLoss(FreshPairCase):
    def test_o1_one_node_serves_everything_alone(self):
        """Node A is stopped: through node B, and by clients that walk, keys are fetched, made, activated, tagged, revoked and
        destroyed."""
        uid, material = self.vcenter.encrypt_vm(HOST)
        self.pair.a.stop()
        self.assertEqual(self.vcenter.fetch(uid), material)
        new, new_material = self.vcenter.encrypt_vm(HOST)
        self.assertEqual(self.on_b.fetch(new), new_material)
        self.vcenter.ask(vsphere.revoke(new))
        self.vcenter.ask(vsphere.destroy(new))
        self.expect_refused(wire.ILLEGAL_OPERATION, self.vcenter.material, new)
        self.pair.a.start()
        self.pair.wait_streaming()
        self.assertEqual(self.on_a.material(uid), material)
        with self.assertRaises(Refused):
            self.on_a.material(new)

    def test_o3_create_answered_by_a_node_that_dies_at_once(self):
        """kill -9 right after Create was answered: the key is on the other node, and on the first when it is back."""
        uid = self.on_a.create()
        self.pair.a.kill9()
        material = self.on_b.fetch(uid)
        self.pair.a.start()
        self.assertEqual(self.on_a.fetch(uid), material)


if __name__ == "__main__":
    unittest.main()
