# SPDX-License-Identifier: Apache-2.0
"""Design D28: /metrics counts what clients, key manager and peer did, over all processes and their deaths;
/healthz and /readyz say whether the node lives and whether it can do its work; the port keeps to itself."""
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import unittest

import harness  # noqa: F401
import vsphere
import wire
from case import Case, PairCase, FreshPairCase
from manager import WRITER_KEY
from pair import FIRST, Pair
from process import program, wait_until

PAGE = pathlib.Path(__file__).resolve().parents[2] / "node/METRICS.md"
OPTIONS = {"metrics": True}


def requests(node, operation, result="ok"):
    return node.metrics().value("kmipd_requests_total", operation=operation, result=result)


def handshakes(node):
    return {dict(labels)["result"]: value for (name, labels), value in node.metrics().samples.items()
            if name == "kmipd_handshakes_total"}


class MetricsTest(PairCase):
    options = OPTIONS

    def test_code_page_and_answer_name_the_same_metrics(self):
        table = subprocess.run([program("kmipd"), "--metrics"], capture_output=True, text=True, check=True).stdout
        self.assertIn(table, PAGE.read_text())
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
        told = {name.strip("`"): kind for name, kind, *_ in rows}
        self.vcenter.create()
        for node in self.pair.nodes:
            metrics = node.metrics()
            self.assertEqual(metrics.families, told)
            labels = {name.strip("`"): set(filter(None, text.split(","))) for name, _, text, _ in rows}
            for (name, has), _ in metrics.samples.items():
                family = next(one for one in (name, name.rpartition("_")[0]) if one in told)
                found = {key for key, _ in has} - ({"le"} if told[family] == "histogram" else set())
                self.assertEqual(found, labels[family], name)

    def test_requests_are_counted_by_operation_and_result(self):
        before = {key: requests(self.pair.a, *key) for key in
                  [("Create",), ("Get",), ("Get", "NOT_FOUND"), ("Destroy",), ("Activate",)]}
        uid = self.on_a.create()
        self.on_a.material(uid)
        self.on_a.material(uid)
        self.expect_refused(wire.ITEM_NOT_FOUND, self.on_a.material, "00000000-0000-4000-8000-000000000000")
        self.on_a.ask(vsphere.destroy(uid))
        for key, more in {("Create",): 1, ("Get",): 2, ("Get", "NOT_FOUND"): 1, ("Destroy",): 1, ("Activate",): 0}.items():
            self.assertEqual(requests(self.pair.a, *key) - before[key], more, key)
        metrics = self.pair.a.metrics()
        self.assertEqual(metrics.value("kmipd_request_seconds_count", operation="Get"),
                         metrics.total("kmipd_requests_total", operation="Get"))

    def test_what_answered_a_frame_is_counted(self):
        uid = self.on_a.create()
        self.on_a.material(uid)  # the first Get is a change, and the keeper's

        def more(name, **labels):
            return after.value(name, **labels) - before.value(name, **labels)

        def get(node, client):
            """The metrics before and after one frame."""
            with client.connect(node.endpoint) as connection:
                metrics = node.metrics()
                self.assertTrue(connection.ask(vsphere.get(uid)).one.ok)
                return metrics, node.metrics()
        before, after = get(self.pair.a, self.on_a)
        self.assertEqual(more("kmipd_frames_total", answered_by="worker"), 1)
        self.assertEqual(more("kmipd_frame_seconds_count", answered_by="worker"), 1)
        self.assertEqual(more("kmipd_frames_total", answered_by="keeper"), 0)
        self.assertEqual(more("kmipd_unwrapped_key_lookups_total", result="hit"), 1)
        self.assertEqual(more("kmipd_fetches_total", **{"for": "client"}), 0)
        # The other node never unwrapped it.
        before, after = get(self.pair.b, self.on_b)
        self.assertEqual(more("kmipd_frames_total", answered_by="keeper"), 1)
        self.assertEqual(more("kmipd_fetches_total", **{"for": "client"}), 1)
        self.assertGreaterEqual(more("kmipd_unwrapped_key_lookups_total", result="absent"), 1)
        self.assertGreaterEqual(more("kmipd_key_manager_calls_total", instance=FIRST, verb="unwrap", result="ok"), 1)

    def test_counts_outlive_the_workers(self):
        for _ in range(4):
            self.on_a.material(self.on_a.create())
        before = self.pair.a.metrics()
        restarts = before.value("kmipd_worker_restarts_total")
        gone = self.pair.a.workers()
        for pid in gone:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: self.pair.a.metrics().value("kmipd_worker_restarts_total") == restarts + len(gone)
                   and self.pair.a.metrics().value("kmipd_workers") == len(gone), "the workers are replaced")
        after = self.pair.a.metrics()
        for operation in "Create", "Get":
            self.assertEqual(after.value("kmipd_requests_total", operation=operation, result="ok"),
                             before.value("kmipd_requests_total", operation=operation, result="ok"))
        self.assertEqual(after.value("kmipd_connections"), 0)
        self.on_a.create()
        self.assertEqual(requests(self.pair.a, "Create"),
                         before.value("kmipd_requests_total", operation="Create", result="ok") + 1)

    def test_handshakes_are_counted_by_their_end(self):
        node, stranger = self.pair.b, self.pair.pki.self_signed("stranger")
        before = handshakes(node)
        with self.on_b.connect(node.endpoint):
            pass
        for identity, tls in (stranger, None), (stranger, ssl.TLSVersion.TLSv1_2), (None, ssl.TLSVersion.TLSv1_2):
            with self.assertRaises((OSError, AssertionError)):
                with wire.Connection(node.endpoint, identity, self.pair.pki.ca, tls) as connection:
                    connection.ask(wire.request(wire.batch_item(wire.DISCOVER_VERSIONS)))
        socket.create_connection(node.endpoint).close()
        with socket.create_connection(node.endpoint) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\n\r\n")
            while raw.recv(4096):
                pass
        expected = {"good": 1, "not-registered": 2, "no-certificate": 1, "closed": 1, "tls": 1}
        wait_until(lambda: {end: count - before[end] for end, count in handshakes(node).items()
                            if count != before[end]} == expected, "the ends of the handshakes are counted")

    def test_the_peer_and_the_key_manager_are_shown(self):
        self.on_a.create()
        self.pair.wait_same()
        metrics = self.pair.a.metrics()
        self.assertEqual(metrics.value("kmipd_peer_state", state="streaming"), 1)
        wait_until(lambda: self.pair.a.metrics().value("kmipd_peer_lag_entries") == 0, "the peer has everything")
        self.assertEqual(self.pair.a.metrics().value("kmipd_peer_lag_seconds"), 0)
        self.assertGreater(metrics.value("kmipd_peer_lease_seconds"), 0)
        self.assertGreater(metrics.value("kmipd_gate_seconds_count"), 0)
        self.assertGreater(metrics.value("kmipd_commits_total"), 0)
        self.assertGreaterEqual(metrics.value("kmipd_commit_changes_total"), metrics.value("kmipd_commits_total"))
        self.assertGreater(metrics.value("kmipd_certificate_expiry_seconds", certificate="kmip"), 1.7e9)
        self.assertGreater(metrics.value("kmipd_certificate_expiry_seconds", certificate="peer"), 1.7e9)
        self.assertEqual(metrics.total("kmipd_client_certificate_expiry_seconds", client="vcenter") > 1.7e9, True)
        self.assertEqual(metrics.value("kmipd_root_key_enabled", instance=FIRST), 1)
        self.assertEqual(metrics.value("kmipd_key_manager_reachable", instance=FIRST), 1)
        self.assertEqual(metrics.value("kmipd_gets_from", instance=FIRST, source="cache"), 1)
        self.assertGreaterEqual(metrics.value("kmipd_key_manager_requests_total", instance=FIRST, verb="create"), 1)

    def test_the_port_answers_get_of_three_paths(self):
        self.assertEqual(self.pair.a.http("/healthz"), (200, "alive\n"))
        self.assertEqual(self.pair.a.http("/")[0], 404)
        self.assertEqual(self.pair.a.http("/metrics/../etc/passwd")[0], 404)
        self.assertEqual(self.pair.a.http("/metrics", "POST")[0], 405)
        self.assertEqual(self.pair.a.http("/metrics", "DELETE")[0], 405)


class ReadyTest(FreshPairCase):
    options = OPTIONS

    def test_red_while_the_owner_keeps_the_root_key(self):
        for node in self.pair.nodes:
            node.wait_log(" ready ")
            self.assertEqual(node.red(), {})
        marks = {node: node.log_mark() for node in self.pair.nodes}
        self.pair.manager.disable(self.pair.root_key)
        for node in self.pair.nodes:
            wait_until(lambda: ("root-key", FIRST) in node.red(), f"{node.name} is red")
            self.assertIn("disabled", node.red()["root-key", FIRST])
            self.assertEqual(node.metrics().value("kmipd_ready"), 0)
            self.assertEqual(node.metrics().value("kmipd_not_ready", condition="root-key", instance=FIRST), 1)
            node.wait_log(f"not-ready condition=root-key instance={FIRST}", marks[node])
        self.pair.manager.enable(self.pair.root_key)
        for node in self.pair.nodes:
            node.wait_ready()
            node.wait_log(" ready ", marks[node])
            self.assertEqual(node.metrics().value("kmipd_ready"), 1)

    def test_green_without_the_peer(self):
        """Either node alone serves everything."""
        self.pair.b.wait_ready()
        self.pair.a.kill9()
        wait_until(lambda: self.pair.b.peer_state() != "streaming", "the link is down")
        self.assertEqual(self.pair.b.red(), {})

    def test_red_with_a_role_that_may_not_destroy(self):
        node = self.pair.a
        node.wait_ready()
        node.stop()
        with open(self.pair.api_key_file, "w", encoding="ascii") as file:
            file.write(WRITER_KEY + "\n")
        node.launch_node()
        node.wait_log(" monitoring ", node.mark)
        wait_until(lambda: "not tried" not in node.red().get(("usable", FIRST), "not tried"), "the role is judged")
        self.assertIn("Manager", node.red()["usable", FIRST])

    def test_red_until_the_port_opens(self):
        node = self.pair.a
        node.stop()
        node.delete_cache()
        self.pair.manager.fault(path="^/api/v2/", kind="status", status=503)
        node.launch_node()
        node.wait_log(" monitoring ", node.mark)
        self.assertIn(("port", ""), node.red())
        self.assertEqual(node.http("/healthz")[0], 200)
        self.pair.manager.no_faults()
        node.wait_open()
        node.wait_ready()


class PortTest(Case):
    def test_it_can_be_switched_off_and_a_conflict_is_told(self):
        pair = self.pair = Pair(start=False)
        self.addCleanup(pair.close)
        pair.start()
        with self.assertRaises(ConnectionRefusedError):
            pair.a.http("/healthz")
        pair.a.stop()
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        pair.a.options["metrics"]["listen"] = "127.0.0.1:%d" % taken.getsockname()[1]
        pair.a.launch_node()
        self.assertNotEqual(pair.a.wait(), 0)
        self.assertTrue(pair.a.log_lines("kmipd: cannot listen at 127.0.0.1:.*in use"))


if __name__ == "__main__":
    unittest.main()
