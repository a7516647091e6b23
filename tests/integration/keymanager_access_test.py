# SPDX-License-Identifier: Apache-2.0
"""The way to the key manager: proxies, private and instance-based host names, the CA file, API keys that change while the
node runs, and how soon an operator hears that nobody is there.
"""
import os
import re
import shutil
import subprocess
import time
import unittest

import harness  # noqa: F401
import vsphere
import wire
from case import Case, PairCase
from manager import API_KEY, CUSTOMER_KEY, WRITER_KEY
from pair import FIRST, Pair
from process import SANITIZER, free_ports, program, wait_until
from proxy import Proxy

REGION_HOST = "private.eu-de.kms.cloud.ibm.com"
IAM_HOST = "private.iam.cloud.ibm.com"
# kmipd ends within its own bound of 4 s; this leaves a slow machine room, and the 20 s of before none
CHECK_S_MAX = 15


def write_private(path, text):
    with open(path, "w", encoding="ascii", opener=lambda p, f: os.open(p, f, 0o600)) as file:
        file.write(text)


class Ways(Case):
    """A pair that is configured and never started: --check walks the way that a node would."""

    @classmethod
    def setUpClass(cls):
        cls.pair = Pair(start=False)
        cls.addClassCleanup(cls.pair.close)
        manager, pki = cls.pair.manager, cls.pair.pki
        cls.instance_host = f"{manager.instance}.api.private.eu-de.hs-crypto.appdomain.cloud"
        cls.other_host = "00000000-0000-4000-8000-000000000000.api.eu-de.kms.appdomain.cloud"
        names = (REGION_HOST, IAM_HOST, cls.instance_host, cls.other_host)
        manager.terminate()
        manager.identity = pki.server("manager-of-many-names", manager.host, *names)
        manager.start()

    def setUp(self):
        self.proxy = Proxy(self.pair.manager.port)
        self.addCleanup(self.proxy.close)

    def check(self, environment=None, **members):
        node = self.pair.a
        node.options["instances"] = [{**self.pair.instances[0], **{
            name.replace("_", "-"): value for name, value in members.items()}}]
        node.write_config()
        clean = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
        result = subprocess.run([program("kmipd"), "--config", node.config, "--check"], capture_output=True, text=True,
                                timeout=60, check=False, env={**clean, **(environment or {})})
        self.assertFalse(SANITIZER.search(result.stderr), result.stderr)
        return result

    def expect_good(self, result):
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def expect_bad(self, result, words):
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        self.assertIn(words, result.stdout + result.stderr)

    def test_private_hosts_by_a_proxy(self):
        """The service's own names, private ones, resolved by nobody but the proxy; TLS is judged by those names."""
        self.expect_good(self.check(url="https://" + REGION_HOST, iam_url="https://" + IAM_HOST, proxy=self.proxy.url))
        self.assertEqual(self.proxy.hosts(), {REGION_HOST + ":443", IAM_HOST + ":443"})

    def test_a_proxy_hears_no_secret(self):
        """It is told where to, and nothing of what: no token, no API key, no instance."""
        self.expect_good(self.check(proxy=self.proxy.url))
        heads = "".join(self.proxy.heads).lower()
        self.assertIn("connect 127.0.0.1:", heads)
        for word in ("authorization", "bluemix", "bearer", API_KEY, self.pair.manager.instance):
            self.assertNotIn(word.lower(), heads)

    def test_instance_based_hosts(self):
        """HPCS's form; a host of another instance is refused by the service."""
        self.expect_good(self.check(key_manager="hpcs", url="https://" + self.instance_host,
                                    iam_url="https://" + IAM_HOST, proxy=self.proxy.url))
        self.assertIn(self.instance_host + ":443", self.proxy.hosts())
        self.expect_bad(self.check(url="https://" + self.other_host, proxy=self.proxy.url), "401")

    def test_a_certificate_of_another_name(self):
        self.expect_bad(self.check(url="https://private.us-south.kms.cloud.ibm.com", proxy=self.proxy.url), "SSL")

    def test_the_environment_names_the_proxy(self):
        """https_proxy without an option; no_proxy and `none` go past it; an option overrules both."""
        dead = {"https_proxy": "http://127.0.0.1:1"}
        self.expect_good(self.check({"https_proxy": self.proxy.url}))
        self.assertTrue(self.proxy.hosts())
        self.expect_bad(self.check(dead), "no answer")
        self.expect_good(self.check({**dead, "no_proxy": "127.0.0.1"}))
        self.expect_good(self.check(dead, proxy="none"))
        self.expect_good(self.check({**dead, "no_proxy": "*"}, proxy=self.proxy.url))

    def test_a_proxy_that_refuses(self):
        self.proxy.refusal = 407
        self.expect_bad(self.check(proxy=self.proxy.url), "407")

    def test_mistakes(self):
        for wrong in ("proxy.example:3128/path", "ftp://127.0.0.1:1", "http://127.0.0.1:1/a?b"):
            self.expect_bad(self.check(proxy=wrong), "proxy")
        junk = os.path.join(self.pair.folder, "junk.pem")
        write_private(junk, "no certificate\n")
        self.expect_bad(self.check(ca_file=junk), "holds no certificate")
        self.expect_bad(self.check(ca_file="/nonexistent/ca.pem"), "/nonexistent/ca.pem")

    def test_nobody_there_is_told_soon(self):
        """A port that nobody listens on, and one that never says a word."""
        silent = Proxy(0)
        self.addCleanup(silent.close)
        for url in (f"https://127.0.0.1:{free_ports(1)[0]}", silent.url.replace("http://", "https://")):
            begun = time.monotonic()
            result = self.check(url=url, iam_url=url)
            self.expect_bad(result, "no answer from " + url[:50])
            self.assertIn("see url, iam-url, ca-file, proxy", result.stdout)
            self.assertLess(time.monotonic() - begun, CHECK_S_MAX)


class Changes(PairCase):
    """What a reload changes on a running node and what it refuses to, and how a node treats a key manager in trouble."""

    @classmethod
    def setUpClass(cls):
        cls.pair = Pair({"metrics": True}, start=False)
        cls.addClassCleanup(cls.pair.close)
        cls.ca = os.path.join(cls.pair.folder, "ca-of-the-key-manager.pem")
        shutil.copy(cls.pair.pki.ca, cls.ca)
        for node in cls.pair.nodes:
            node.options["instances"][0]["ca-file"] = cls.ca
        cls.pair.start()
        cls.pair.register("vcenter")
        cls.on_a = cls.pair.client("vcenter", cls.pair.a)

    def write_key(self, api_key):
        write_private(self.pair.api_key_file, api_key + "\n")
        mark = self.pair.a.log_mark()
        self.pair.a.ctl("reload")
        return mark

    def instance(self):
        return self.pair.a.status()["instances"][0]

    def metric(self, name, **labels):
        return self.pair.a.metrics().value("kmipd_" + name, instance=FIRST, **labels)

    def wait_judged(self, event, mark):
        """Until the log names the outcome; calls go well all the while."""
        def judged():
            self.assertEqual(len(self.on_a.material(self.on_a.create())), 32)
            return self.pair.a.log_lines(event, mark)
        wait_until(judged, event)

    def test_api_keys(self):
        """A wrong new API key is refused and named, and the old one serves on; a right one is taken; the old one may go."""
        self.addCleanup(self.write_key, API_KEY)
        self.wait_judged("credential-refused .*api-key.*BXNIM0415E", self.write_key("no-such-key"))
        self.assertIn("new API key refused", self.instance()["credential"])
        self.assertIn("new API key refused", self.pair.a.ctl_run("status").stdout)
        self.assertEqual((self.metric("new_credential_pending"), self.metric("refused")), (1, 0))
        self.wait_judged("credential-changed ", self.write_key(CUSTOMER_KEY))
        self.assertEqual(self.instance()["credential"], "")
        self.assertEqual(self.metric("new_credential_pending"), 0)
        self.wait_judged("credential-changed ", self.write_key(WRITER_KEY))
        with open(self.pair.a.log_path, encoding="utf-8") as file:
            log = file.read()
        for secret in ("no-such-key", CUSTOMER_KEY, WRITER_KEY, API_KEY):
            self.assertNotIn(secret, log)

    def test_ca_file(self):
        """A CA file without a certificate is refused by a reload; another one holds for new connections."""
        node = self.pair.a
        self.addCleanup(shutil.copy, self.pair.pki.ca, self.ca)
        write_private(self.ca, "being written\n")
        mark = node.log_mark()
        node.ctl("reload")
        self.assertTrue(node.log_lines("credentials-not-reloaded .*holds no certificate", mark))
        self.assertEqual(len(self.on_a.material(self.on_a.create())), 32)
        shutil.copy(self.pair.pki.self_signed("another-ca").certificate, self.ca)
        node.ctl("reload")
        wait_until(lambda: not self.instance()["reachable"], "the key manager's certificate is not trusted any more")
        shutil.copy(self.pair.pki.ca, self.ca)
        node.ctl("reload")
        wait_until(lambda: self.instance()["reachable"], "it is trusted again")
        wait_until(lambda: self.instance()["circuit"] == "closed", "calls are tried again")
        self.assertEqual(len(self.on_a.material(self.on_a.create())), 32)

    def test_failed_calls_leave_their_correlation_id(self):
        """Each call that failed is one line here, with the id that the key manager logged too."""
        mark = self.pair.a.log_mark()
        manager_mark = self.pair.manager.log_mark()
        self.pair.manager.fault(path="actions/wrap", kind="status", status=500)
        self.addCleanup(self.pair.manager.no_faults)
        self.expect_reason(self.answer_of(self.on_a, vsphere.create()), wire.GENERAL_FAILURE)
        line = self.pair.a.log_lines("keymanager-call-failed .*method=POST.*status=500", mark)[-1]
        correlation = re.search("correlation=([0-9a-f-]{36})", line)[1]
        self.assertTrue(self.pair.manager.log_lines("correlation=" + correlation, manager_mark))

    def test_circuit(self):
        """With the key manager gone calls are refused without being tried, polls go on, and all is well by itself."""
        before = self.metric("key_manager_circuit_opened_total")
        self.assertEqual(self.metric("key_manager_circuit", state="closed"), 1)
        self.pair.manager.mode(down=True)
        self.addCleanup(self.pair.manager.mode, down=False)

        def opened():
            self.expect_reason(self.answer_of(self.on_a, vsphere.create()), wire.GENERAL_FAILURE)
            return self.instance()["circuit"] != "closed" and self.instance()["circuit_refused"] > 0
        wait_until(opened, "the circuit opens, and refuses calls")
        self.assertGreater(self.metric("key_manager_circuit_opened_total"), before)
        self.assertGreater(self.metric("key_manager_circuit_refused_total"), 0)
        self.assertEqual(self.metric("key_manager_circuit", state="closed"), 0)
        self.assertIn("circuit", self.pair.a.ctl_run("status").stdout)
        self.pair.manager.mode(down=False)
        wait_until(lambda: self.instance()["circuit"] == "closed", "a poll that was answered closes it")
        self.assertEqual(self.metric("key_manager_circuit", state="closed"), 1)
        self.assertEqual(len(self.on_a.material(self.on_a.create())), 32)

    def test_throttled_calls_slow_down(self):
        """After 429 fewer calls run at once; they come back with the answers."""
        most = self.instance()["calls_at_once"]
        self.pair.manager.fault(path="actions/wrap", kind="status", status=429, count=1)
        self.addCleanup(self.pair.manager.no_faults)
        self.expect_reason(self.answer_of(self.on_a, vsphere.create()), wire.GENERAL_FAILURE)
        throttled = self.instance()
        self.assertEqual((throttled["throttled"] > 0, throttled["calls_at_once"] < most), (True, True))
        self.assertEqual(self.metric("key_manager_throttled_total"), throttled["throttled"])
        self.assertLess(self.metric("key_manager_calls_at_once"), most)

        def recovered():
            self.on_a.create()
            return self.instance()["calls_at_once"] == most
        wait_until(recovered, "as many calls as before")


if __name__ == "__main__":
    unittest.main()
