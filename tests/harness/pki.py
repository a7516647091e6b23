# SPDX-License-Identifier: Apache-2.0
"""Throw-away certificates, made with openssl: a CA for the servers, self-signed clients without EKU."""
import collections
import hashlib
import os
import ssl
import subprocess

Identity = collections.namedtuple("Identity", "name certificate key fingerprint")


class Pki:
    def __init__(self, folder):
        self.folder = folder
        self.made = {}
        self.ca = self.self_signed("ca").certificate

    def path(self, name):
        return os.path.join(self.folder, name)

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)

    def _identity(self, name):
        certificate = self.path(name + ".pem")
        with open(certificate, encoding="ascii") as file:
            der = ssl.PEM_cert_to_DER_cert(file.read())
        self.made[name] = Identity(name, certificate, self.path(name + ".key"), hashlib.sha256(der).hexdigest())
        return self.made[name]

    def self_signed(self, name, key="ec", days=825, curve="P-256"):
        """As vCenter makes its own: self-signed, no extended key usage."""
        if name not in self.made:
            curve = ("-pkeyopt", "ec_paramgen_curve:" + curve) if key == "ec" else ()
            self._openssl("req", "-x509", "-newkey", key, *curve, "-nodes", "-days", str(days), "-subj", "/CN=" + name,
                          "-keyout", self.path(name + ".key"), "-out", self.path(name + ".pem"))
        return self.made.get(name) or self._identity(name)

    def authority(self, name, subject, key="rsa:2048", days=825):
        """One that may issue certificates, its name in printable strings."""
        if name not in self.made:
            config = self.path(name + ".cnf")
            with open(config, "w", encoding="ascii") as file:
                file.write("[req]\nstring_mask = nombstr\ndistinguished_name = name\nx509_extensions = authority\n[name]\n"
                           "[authority]\nbasicConstraints = critical, CA:TRUE\nkeyUsage = keyCertSign, cRLSign\n"
                           "subjectKeyIdentifier = hash\n")
            curve = ("-pkeyopt", "ec_paramgen_curve:P-256") if key == "ec" else ()
            self._openssl("req", "-x509", "-config", config, "-newkey", key, *curve, "-nodes", "-days", str(days),
                          "-subj", subject, "-keyout", self.path(name + ".key"), "-out", self.path(name + ".pem"))
        return self.made.get(name) or self._identity(name)

    def server(self, name, host="127.0.0.1", *others):
        """A certificate of the CA for an address of this machine, and for these names."""
        if name not in self.made:
            extensions = self.path(name + ".ext")
            with open(extensions, "w", encoding="ascii") as file:
                file.write(",".join([f"subjectAltName=IP:{host},DNS:localhost", *("DNS:" + other for other in others)])
                           + "\n")
            self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                          "/CN=" + name, "-keyout", self.path(name + ".key"), "-out", self.path(name + ".csr"))
            self._openssl("x509", "-req", "-in", self.path(name + ".csr"), "-CA", self.ca, "-CAkey",
                          self.path("ca.key"), "-CAcreateserial", "-days", "825", "-extfile", extensions,
                          "-out", self.path(name + ".pem"))
        return self.made.get(name) or self._identity(name)
