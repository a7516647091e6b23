# SPDX-License-Identifier: Apache-2.0
"""One emulator for a test: $PAIR_BIN_DIR/key-protect-emulator on a free port, over a temporary folder."""
import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import tempfile
import unittest
import urllib.parse

BINARY = os.path.join(os.environ["PAIR_BIN_DIR"], "key-protect-emulator")
KEY_TYPE = "application/vnd.ibm.kms.key+json"
UUID_UNKNOWN = "00000000-0000-4000-8000-000000000000"
API_KEYS = {
    "dev-manager-key": "Manager",
    "second-manager": "Manager",
    "purger": "Manager,KeyPurge",
    "writer": "Writer",
    "reader": "Reader",
    "reader-plus": "ReaderPlus",
}


class Answer:
    def __init__(self, response, body):
        self.status = response.status
        self.headers = response.headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def resource(self):
        return self.json["resources"][0]

    @property
    def code(self):
        return self.resource["reasons"][0]["code"]


class Emulator:
    """One emulator process over a data folder."""

    def __init__(self, *options):
        self.folder = tempfile.mkdtemp(prefix="emulator-test-")
        self.options = options
        self.tokens = {}
        self.start()

    def start(self):
        arguments = [BINARY, "--listen", "127.0.0.1:0", "--data", self.folder,
                     "--log", os.path.join(self.folder, "log")]
        for key, roles in API_KEYS.items():
            arguments += ["--api-key", f"{key}={roles}"]
        self.process = subprocess.Popen(arguments + list(self.options), stdout=subprocess.PIPE,
                                        text=True)
        ready = self.process.stdout.readline().split()
        assert ready and ready[0] == "ready", "the emulator did not start"
        url = urllib.parse.urlsplit(ready[1].removeprefix("url="))
        self.instance = ready[2].removeprefix("instance=")
        if url.scheme == "https":
            context = ssl.create_default_context(cafile=os.path.join(self.folder, "tls-cert.pem"))
            self.connect = lambda: http.client.HTTPSConnection(
                url.hostname, url.port, context=context, timeout=20)
        else:
            self.connect = lambda: http.client.HTTPConnection(url.hostname, url.port, timeout=20)
        self.connection = self.connect()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.end()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.end()
        return self.process.returncode

    def end(self):
        self.process.wait(20)
        self.process.stdout.close()
        self.connection.close()

    def remove(self):
        if self.process.poll() is None:
            assert self.stop() == 0, "the emulator did not stop cleanly"
        shutil.rmtree(self.folder)

    def log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8") as file:
            return file.read()

    def raw(self, method, path, body=None, headers=None):
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        try:
            self.connection.request(method, path, body, headers or {})
            response = self.connection.getresponse()
            return Answer(response, response.read())
        except (http.client.HTTPException, OSError):
            self.connection.close()
            self.connection = self.connect()
            raise

    def token(self, api_key="dev-manager-key", path="/identity/token", **more):
        form = {"grant_type": "urn:ibm:params:oauth:grant-type:apikey", "apikey": api_key, **more}
        return self.raw("POST", path, urllib.parse.urlencode(form), {
            "content-type": "application/x-www-form-urlencoded"})

    def call(self, method, path, body=None, headers=None, who="dev-manager-key"):
        if who not in self.tokens:
            self.tokens[who] = self.token(who).json["access_token"]
        all_headers = {"authorization": "Bearer " + self.tokens[who],
                       "bluemix-instance": self.instance, **(headers or {})}
        return self.raw(method, "/api/v2" + path, body, all_headers)

    def create(self, headers=None, who="dev-manager-key", **members):
        return self.call("POST", "/keys", envelope(members), headers, who)

    def control(self, method, path, body=None):
        answer = self.raw(method, "/_control/" + path, body)
        assert answer.status == 200, answer.body
        return answer.json

    def advance(self, seconds):
        self.control("POST", "clock", {"advance_s": seconds})
        self.tokens = {}


def envelope(members, kind=KEY_TYPE):
    resource = {"type": kind, "name": "a-key", **members}
    return {"metadata": {"collectionType": kind, "collectionTotal": 1}, "resources": [resource]}


def policy(members):
    return {"metadata": {"collectionType": "application/vnd.ibm.kms.policy+json",
                         "collectionTotal": 1}, "resources": [members]}


class WithEmulator(unittest.TestCase):
    options = ()

    def setUp(self):
        self.emulator = Emulator(*self.options)
        self.addCleanup(self.emulator.remove)

    def root(self, **members):
        answer = self.emulator.create(extractable=False, **members)
        self.assertEqual(answer.status, 201)
        return answer.resource["id"]

    def expect(self, answer, status, code=None):
        self.assertEqual(answer.status, status, answer.body)
        if code is not None:
            self.assertEqual(answer.code, code)
        return answer
