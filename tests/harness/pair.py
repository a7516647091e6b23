# SPDX-License-Identifier: Apache-2.0
"""A pair of nodes over an emulated key manager, on free ports, in a temporary folder.

    pair = Pair()
    pair.register("vcenter")                         a client certificate, installed on both nodes
    uid = pair.client("vcenter").create()
    pair.a.kill9(); pair.client("vcenter").material(uid)
    pair.close()                                     stops all, and fails if something went wrong
"""
import http.client
import json
import os
import re
import shutil
import subprocess
import tempfile

from canaries import files_of, handed_out
from manager import API_KEY, CUSTOMER_KEY, WRITER_KEY, Manager
from metrics import Metrics
from pki import Pki
from process import Process, SANITIZER, free_ports, program, wait_until
from vsphere import VCenter

CLUSTER = "integration"
FIRST, SECOND = "tenant-one", "tenant-two"


class CtlError(Exception):
    """kmipctl ended with an error; its sentence."""


class Node(Process):
    """One kmipd. Options of its configuration file are changed in `options` before (re)start or reload."""

    def __init__(self, pair, letter, number, peer_number, ports, link):
        self.folder = os.path.join(pair.folder, letter)
        os.mkdir(self.folder)
        super().__init__("node " + letter, os.path.join(self.folder, "log"))
        self.letter, self.pair = letter, pair
        self.prefix = pair.enter(letter)
        self.port, self.metrics_port = ports
        self.endpoint = (pair.host(letter), self.port)
        self.config = os.path.join(self.folder, "kmipd.yaml")
        self.socket = os.path.join(self.folder, "socket")
        self.data = os.path.join(self.folder, "data")
        self.certificate = pair.pki.server("server-" + letter, pair.host(letter))
        link_identity = pair.pki.self_signed("link-" + letter)
        other = pair.pki.self_signed("link-" + ("b" if letter == "a" else "a"))
        self.options = {
            "name": "node-" + letter, "node": number, "data-dir": self.data, "admin-socket": self.socket,
            "workers": 2, "log-level": "info", "cache-size-mib": 256, "keys-in-memory": 1024,
            "root-key-poll": 1, "reconcile-interval": 1, **pair.options.get("top", {}),
            "kmip": {"listen": f"{pair.host(letter)}:{self.port}", "certificate": self.certificate.certificate,
                     "key": self.certificate.key, **pair.options.get("kmip", {})},
            "metrics": {"listen": f"127.0.0.1:{self.metrics_port}" if pair.options.get("metrics") else "none"},
            "peer": {"cluster": CLUSTER, "node": peer_number, **link, "certificate": link_identity.certificate,
                     "key": link_identity.key, "peer-certificate": other.certificate,
                     **pair.options.get("peer", {})},
            "instances": [dict(instance) for instance in pair.instances],
        }

    def write_config(self):
        def lines(members, indent):
            for name, value in members.items():
                if isinstance(value, dict):
                    yield f"{indent}{name}:"
                    yield from lines(value, indent + "  ")
                elif isinstance(value, list):
                    yield f"{indent}{name}:"
                    for one in value:
                        first, *rest = lines(one, indent + "    ")
                        yield f"{indent}  - {first.strip()}"
                        yield from rest
                else:
                    yield f"{indent}{name}: {value}"
        with open(self.config, "w", encoding="utf-8") as file:
            file.write("\n".join(lines(self.options, "")) + "\n")

    def launch_node(self):
        self.write_config()
        self.mark = self.log_mark()
        self.launch([program("kmipd"), "--config", self.config])

    def start(self):
        """Started, and its KMIP port open."""
        self.launch_node()
        self.wait_open()

    def wait_open(self):
        self.wait_log(" listening ", self.mark)
        wait_until(lambda: len(self.workers()) == self.options["workers"], f"{self.name} has its workers")

    def stop(self):
        """Cleanly."""
        code = self.terminate()
        assert code == 0, f"{self.name} ended with {code}"

    def restart(self):
        self.stop()
        self.start()

    def delete_cache(self):
        shutil.rmtree(self.data)

    def workers(self):
        return [pid for pid in self.members() if pid != self.process.pid]

    # ---- the operator ----

    def ctl_run(self, *arguments, timeout=60):
        return subprocess.run([program("kmipctl"), "--socket", self.socket, *arguments], capture_output=True,
                              text=True, timeout=timeout, check=False)

    def ctl_start(self, *arguments):
        """kmipctl, not waited for."""
        return subprocess.Popen([program("kmipctl"), "--socket", self.socket, *arguments], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def ctl(self, *arguments):
        """kmipctl's answer as JSON; CtlError with its sentence."""
        result = self.ctl_run("--json", *arguments)
        assert not SANITIZER.search(result.stderr), result.stderr
        if result.returncode != 0:
            raise CtlError(result.stderr.strip())
        return json.loads(result.stdout)

    def status(self):
        return self.ctl("status")

    def peer_state(self):
        return self.status()["peer"]["state"]

    def keys(self):
        """{uid: (state, instance)}, from this node's cache alone."""
        return {key["uid"]: (key["state"], key["instance"]) for key in self.ctl("key", "list")}

    def clients(self):
        return {client["fingerprint"]: (client["name"], client["instance"])
                for client in self.ctl("client", "list")["clients"]}

    # ---- monitoring: where the pair was made with {"metrics": True} ----

    def http(self, path, method="GET"):
        """(status, text) of the monitoring port."""
        connection = http.client.HTTPConnection("127.0.0.1", self.metrics_port, timeout=20)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def metrics(self):
        status, text = self.http("/metrics")
        assert status == 200, text
        return Metrics(text)

    def red(self):
        """{(condition, instance): why} of /readyz; empty when it is green."""
        status, text = self.http("/readyz")
        if status == 200:
            assert text == "ready\n", text
            return {}
        assert status == 503, text
        found = {}
        for line in text.splitlines():
            head, why = line.split(": ", 1)
            condition, _, instance = head.partition(" ")
            found[condition, instance] = why
        return found

    def wait_ready(self):
        wait_until(lambda: not self.red(), f"{self.name} is ready")

    def wait_streaming(self):
        wait_until(lambda: self.peer_state() == "streaming", f"{self.name} streams to its peer")


class Pair:
    """options: {"top": {...}, "kmip": {...}, "peer": {...}, "metrics": True} for both nodes, {"root": {...}} for root keys,
    {"authority": "/CN=..."} for a certificate authority of that name, the first instance's, or with "authority-of-all" every one's. tenants: how many instances.
    network: of netns.py, with namespaces "a", "b" and "manager", which this thread can reach; else
    all is on loopback."""

    def __init__(self, options=None, tenants=1, start=True, network=None):
        self.network = network
        self.folder = tempfile.mkdtemp(prefix="kmip-pair-")
        self.options = options or {}
        self._hang_canaries()
        self.instances, self.nodes = [], []
        os.mkdir(os.path.join(self.folder, "pki"))
        self.pki = Pki(os.path.join(self.folder, "pki"))
        try:
            self._build(tenants)
            if start:
                self.start()
        except BaseException:
            self.show_logs()
            self.put_down()
            raise

    def _build(self, tenants):
        manager_port, link_port, *ports = free_ports(6)
        host = self.host("manager")
        self.manager = Manager(self.folder, manager_port, self.pki.server("manager", host), self.pki.ca, host)
        self.manager.prefix = self.enter("manager")
        self.manager.start()
        self.api_key_file = os.path.join(self.folder, "api-key")
        self.operators_files = [self.api_key_file, self.pki.folder]  # what may hold secrets
        with open(self.api_key_file, "w", encoding="ascii", opener=lambda p, f: os.open(p, f, 0o600)) as file:
            file.write(API_KEY + "\n")
        for name in [FIRST, SECOND, *(f"tenant-{number}" for number in range(3, tenants + 1))][:tenants]:
            self.add_instance(name)
        link = f"{self.host('b')}:{link_port}"
        self.a = Node(self, "a", 1, 2, ports[:2], {"address": link})
        self.b = Node(self, "b", 2, 1, ports[2:], {"listen": link})
        self.nodes = [self.a, self.b]

    def host(self, name):
        return "127.0.0.1" if self.network is None else self.network.address(name)

    def enter(self, name):
        return [] if self.network is None else self.network.enter(name)

    def add_instance(self, name):
        """A tenant with a root key and a key ring of its own, in the same key manager."""
        self.instances.append({
            "id": name, "name": name, "key-manager": "key-protect", "url": self.manager.url,
            "iam-url": self.manager.url, "ca-file": self.pki.ca, "service-instance": self.manager.instance,
            "api-key-file": self.api_key_file, "key-ring": "ring-" + name,
            "root-key": self.manager.create_root("root-of-" + name, **self.options.get("root", {})),
            **self.authority(name)})

    def authority(self, instance):
        """Its options, where the pair's say so."""
        if instance != FIRST and not self.options.get("authority-of-all") or "authority" not in self.options:
            return {}
        made = self.pki.authority("authority", self.options["authority"])
        return {"ca-certificate": made.certificate, "ca-key": made.key}

    @property
    def root_key(self):
        return self.instances[0]["root-key"]

    def start(self):
        """Both nodes open and streaming to each other."""
        for node in self.nodes:
            node.launch_node()
        for node in self.nodes:
            node.wait_open()
        self.wait_streaming()

    def wait_streaming(self):
        for node in self.nodes:
            node.wait_streaming()

    def stop(self):
        for node in self.nodes:
            node.stop()

    def delete_caches(self):
        for node in self.nodes:
            node.delete_cache()

    def other(self, node):
        return self.b if node is self.a else self.a

    # ---- clients ----

    def register(self, name, instance=None, node=None):
        """A client certificate, made and installed through one node; usable on both at once."""
        identity = self.pki.self_signed(name)
        more = ("--instance", instance or FIRST)
        (node or self.a).ctl("client", "add", identity.certificate, "--name", name, *more)
        return identity

    def client(self, name, *nodes, seed=None):
        """A client of a registered certificate, on all nodes or on those given."""
        identity = self.pki.made[name]
        return VCenter([node.endpoint for node in nodes or self.nodes], identity, self.pki.ca, seed)

    # ---- the link ----

    def cut(self):
        """Both nodes run, and do not hear each other."""
        for node in self.nodes:
            node.ctl("peer", "cut")
        for node in self.nodes:
            wait_until(lambda: node.peer_state() != "streaming", f"{node.name} is cut")

    def heal(self):
        for node in self.nodes:
            node.ctl("peer", "heal")
        self.wait_streaming()

    def wait_same(self):
        """Both caches hold the same keys in the same states, and the same clients."""
        wait_until(lambda: self.a.keys() == self.b.keys(), "both nodes list the same keys")
        wait_until(lambda: self.a.clients() == self.b.clients(), "both nodes list the same clients")

    # ---- the end ----

    def show_logs(self):
        for process in [getattr(self, "manager", None), *self.nodes]:
            if process is not None:
                print(process.log_tail(), flush=True)

    def put_down(self):
        for process in [*self.nodes, getattr(self, "manager", None)]:
            if process is not None:
                process.put_down()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _hang_canaries(self):
        handed_out.clear()
        for key in (API_KEY, CUSTOMER_KEY, WRITER_KEY):
            handed_out.add("an API key", key.encode())
            handed_out.add_text("an API key", key)

    def written_files(self):
        """Everything that was written by a program."""
        return list(files_of(self.folder, self.operators_files))

    def secrets_written(self):
        """A sentence for each file that holds a key byte that a test has seen, a token, or an API key."""
        return handed_out.search(self.written_files())

    def findings(self):
        """What no test may leave behind: sanitizer reports, failed assertions, secrets."""
        return [f"{process.name}: {line}" for process in [self.manager, *self.nodes]
                for line in process.log_lines(SANITIZER.pattern)] + self.secrets_written()

    def close(self):
        """Stops everything cleanly; no process may be left, no sanitizer may have spoken."""
        try:
            for process in [*self.nodes, self.manager]:
                if process.runs:
                    code = process.terminate()
                    assert code == 0, f"{process.name} ended with {code}"
            findings = self.findings()
            assert not findings, "\n".join(findings)
            left = processes_naming(self.folder)
            assert not left, f"processes are left: {left}"
        except AssertionError:
            self.show_logs()
            raise
        finally:
            self.put_down()


def processes_naming(folder):
    """Processes whose command line names the folder."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read()
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                zombie = re.search(r"\) [ZX] ", file.read())
        except OSError:
            continue
        if folder.encode() in words and not zombie:
            found.append((int(pid), words.replace(b"\0", b" ").decode(errors="replace")))
    return found
