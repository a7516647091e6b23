# SPDX-License-Identifier: Apache-2.0
"""The management of the service's own KMIP adapters: adapters, certificates, no objects."""
import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from emulator_process import UUID_UNKNOWN, WithEmulator

ADAPTER = "application/vnd.ibm.kms.kmip_adapter+json"
CERTIFICATE = "application/vnd.ibm.kms.kmip_client_certificate+json"


def envelope(kind, member):
    return {"metadata": {"collectionType": kind, "collectionTotal": 1}, "resources": [member]}


def certificate():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "client")])
    now = datetime.datetime.utcnow()
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(
        x509.random_serial_number()).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1)).sign(
            key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


class KmipAdapters(WithEmulator):
    def adapter(self, root, **members):
        return self.emulator.call("POST", "/kmip_adapters", envelope(ADAPTER, {
            "profile": "native_1.0", "profile_data": {"crk_id": root}, **members}))

    def test_life(self):
        self.assertEqual(self.emulator.call("GET", "/kmip_adapters").json, {
            "metadata": {"collectionType": ADAPTER, "collectionTotal": 0}})
        root = self.root(aliases=["the-root"])
        made = self.expect(self.adapter("the-root", name="vcenter", description="d"), 201).resource
        self.assertEqual(sorted(made), ["created_at", "created_by", "description", "id", "name", "profile",
                                        "profile_data", "updated_at", "updated_by"])
        self.assertRegex(made["created_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual(made["profile_data"], {"crk_id": root})
        self.expect(self.adapter(root, name="vcenter"), 409)
        self.assertTrue(self.expect(self.adapter(root), 201).resource["name"].startswith("kmip_adapter_"))
        self.emulator.kill()
        self.emulator.start()
        listed = self.emulator.call("GET", f"/kmip_adapters?limit=1&totalCount=true&crk_id={root}").json
        self.assertEqual((listed["metadata"]["collectionTotal"], listed["metadata"]["totalCount"]), (1, 2))
        self.assertNotIn("resources", self.emulator.call("GET", f"/kmip_adapters?crk_id={UUID_UNKNOWN}").json)
        self.assertEqual(self.emulator.call("GET", "/kmip_adapters/vcenter").resource, made)
        self.expect(self.emulator.call("DELETE", f"/kmip_adapters/{made['id']}"), 204)
        self.expect(self.emulator.call("GET", "/kmip_adapters/vcenter"), 404)
        self.expect(self.emulator.call("GET", "/kmip_adapters", who="reader"), 401)

    def test_wrong_adapters(self):
        root = self.root()
        standard = self.emulator.create(payload="AAEC").resource["id"]
        for members in ({"profile": "x"}, {"profile_data": {}}, {"name": "a"}, {"name": "a b"}, {"name": UUID_UNKNOWN},
                        {"description": "x" * 241}):
            self.expect(self.adapter(root, **members), 400, "INVALID_FIELD_ERR")
        self.expect(self.adapter(UUID_UNKNOWN), 404, "KEY_NOT_FOUND_ERR")
        self.expect(self.adapter(standard), 400, "KEY_ROOT_REQ_ERR")
        self.expect(self.emulator.call("POST", "/kmip_adapters", {"x": 1}), 400, "BAD_BODY_ERR")
        self.expect(self.emulator.call("GET", "/kmip_adapters?limit=201"), 400, "INVALID_QUERY_PARAM_ERR")

    def test_certificates(self):
        self.expect(self.adapter(self.root(), name="vcenter"), 201)
        path, pem = "/kmip_adapters/vcenter/certificates", certificate()

        def add(**members):
            return self.emulator.call("POST", path, envelope(CERTIFICATE, members))
        made = self.expect(add(certificate=pem, name="first"), 201).resource
        self.expect(add(certificate=pem, name="again"), 409)
        self.expect(add(certificate=certificate(), name="first"), 409)
        self.expect(add(certificate="no PEM", name="other"), 400, "INVALID_FIELD_ERR")
        self.assertNotIn("certificate", self.emulator.call("GET", path).resource)
        self.assertEqual(self.emulator.call("GET", path + "/first").resource["certificate"], pem)
        self.expect(self.emulator.call("DELETE", f"{path}/{made['id']}"), 204)
        self.expect(self.emulator.call("GET", path + "/first"), 404)
        self.expect(self.emulator.call("GET", "/kmip_adapters/none/certificates"), 404)

    def test_objects_are_none(self):
        self.expect(self.adapter(self.root(), name="vcenter"), 201)
        path = "/kmip_adapters/vcenter/kmip_objects"
        self.assertNotIn("resources", self.expect(self.emulator.call("GET", path + "?state=1,2"), 200).json)
        self.expect(self.emulator.call("GET", f"{path}/{UUID_UNKNOWN}"), 404)
        self.expect(self.emulator.call("DELETE", f"{path}/{UUID_UNKNOWN}?force=true"), 404)
        self.expect(self.emulator.call("GET", "/kmip_adapters/none/kmip_objects"), 404)
