# SPDX-License-Identifier: Apache-2.0
"""The emulated key manager: its process, its own API as the customer uses it, its control endpoint."""
import base64
import http.client
import json
import os
import ssl
import urllib.parse
import uuid

from process import Process, program

API_KEY = "integration-manager-key"
CUSTOMER_KEY = "integration-customer-key"
WRITER_KEY = "integration-writer-key"
KEY_TYPE = "application/vnd.ibm.kms.key+json"


class Manager(Process):
    def __init__(self, folder, port, identity, ca, host="127.0.0.1"):
        super().__init__("key manager", os.path.join(folder, "manager.log"))
        self.folder, self.port, self.identity, self.ca = os.path.join(folder, "manager"), port, identity, ca
        self.instance = str(uuid.uuid4())
        self.host, self.url = host, f"https://{host}:{port}"
        self.token = None

    def start(self):
        mark = self.log_mark()
        self.launch([program("key-protect-emulator"), "--listen", f"{self.host}:{self.port}", "--data", self.folder,
                     "--cert", self.identity.certificate, "--key", self.identity.key, "--instance", self.instance,
                     "--api-key", f"{API_KEY}=Manager", "--api-key", f"{CUSTOMER_KEY}=Manager",
                     "--api-key", f"{WRITER_KEY}=Writer",
                     *([] if self.host == "127.0.0.1" else ["--allow-remote"])])
        self.wait_log("ready url=", mark)

    # ---- the API, as the customer's console uses it ----

    def raw(self, method, path, body=None, headers=None):
        context = ssl.create_default_context(cafile=self.ca)
        connection = http.client.HTTPSConnection(self.host, self.port, context=context, timeout=20)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _token(self):
        form = {"grant_type": "urn:ibm:params:oauth:grant-type:apikey", "apikey": CUSTOMER_KEY}
        status, body = self.raw("POST", "/identity/token", urllib.parse.urlencode(form),
                                {"content-type": "application/x-www-form-urlencoded"})
        assert status == 200, body
        return json.loads(body)["access_token"]

    def call(self, method, path, body=None, headers=None):
        """(status, JSON) of a call of the key API; a fresh token each time, since tests move the clock."""
        self.token = self._token()
        status, answer = self.raw(method, "/api/v2" + path, None if body is None else json.dumps(body), {
            "authorization": "Bearer " + self.token, "bluemix-instance": self.instance, **(headers or {})})
        return status, json.loads(answer) if answer else None

    def _create(self, ring, **members):
        body = {"metadata": {"collectionType": KEY_TYPE, "collectionTotal": 1},
                "resources": [{"type": KEY_TYPE, **members}]}
        status, answer = self.call("POST", "/keys", body, {"x-kms-key-ring": ring})
        assert status == 201, answer
        return answer["resources"][0]["id"]

    def create_root(self, name="root-key", **members):
        return self._create("default", name=name, extractable=False, **members)

    def create_standard(self, material, name="foreign-key", ring="default"):
        """A key of somebody else in the same key manager."""
        return self._create(ring, name=name, extractable=True, payload=base64.b64encode(material).decode())

    def key(self, key_id):
        """The record of a key, payload included; None when it is not there."""
        status, answer = self.call("GET", "/keys/" + key_id)
        assert status in (200, 404), answer
        return answer["resources"][0] if status == 200 else None

    def payload(self, key_id):
        return base64.b64decode(self.key(key_id)["payload"])

    def delete(self, key_id):
        status, answer = self.call("DELETE", "/keys/" + key_id)
        assert status == 204, answer

    def restore(self, key_id):
        self.advance(31)  # the service allows it 30 s after the deletion
        status, answer = self.call("POST", f"/keys/{key_id}/restore")
        assert status == 201, answer

    def disable(self, key_id):
        status, answer = self.call("POST", f"/keys/{key_id}/actions/disable")
        assert status == 204, answer

    def enable(self, key_id):
        self.advance(31)  # the service allows it 30 s after the disabling
        status, answer = self.call("POST", f"/keys/{key_id}/actions/enable")
        assert status == 204, answer

    def rotate(self, key_id):
        """A new version of a root key; its date."""
        self.advance(3601)  # the service allows it once an hour
        status, answer = self.call("POST", f"/keys/{key_id}/actions/rotate")
        assert status == 204, answer
        return self.key(key_id)["keyVersion"]["creationDate"]

    # ---- the control endpoint ----

    def control(self, verb, what, **body):
        status, answer = self.raw(verb, "/_control/" + what, json.dumps(body) if verb == "POST" else None)
        assert status == 200, answer
        return json.loads(answer)

    def fault(self, **description):
        self.control("POST", "fault", **description)

    def no_faults(self):
        self.control("DELETE", "fault")

    def mode(self, **switches):
        self.control("POST", "mode", **switches)

    def advance(self, seconds):
        self.control("POST", "clock", advance_s=seconds)

    def keys(self, name_start=""):
        """Every key that is there, without material."""
        return [key for key in self.control("GET", "state")["keys"] if key["name"].startswith(name_start)]

    def calls(self):
        return self.control("GET", "counters")
