# SPDX-License-Identifier: Apache-2.0
"""The order of fields in answers, copied from the text of KMIP 1.4 (sections 2, 3, 4 and 7) and not from kmip/spec/*.def, which
encodes them: what is wrong there is found here. Fields of all 1.x versions; which of them a version has is law.py's.
"""
from vectors import plain

OBJECTS = ("Certificate", "Symmetric Key", "Public Key", "Private Key", "Split Key", "Template", "Secret Data", "Opaque Object",
           "PGP Key")
OBJECT = "<object>"  # in an order: one of these
UID = "Unique Identifier"
TEMPLATES = f"{UID}, Template-Attribute"
PAIR = ("Private Key Unique Identifier, Public Key Unique Identifier, Private Key Template-Attribute, "
        "Public Key Template-Attribute")
TYPED = f"Object Type, {TEMPLATES}"

PAYLOADS = {
    "Create": TYPED, "Create Key Pair": PAIR, "Register": TEMPLATES, "Re-key": TEMPLATES, "Re-key Key Pair": PAIR,
    "Derive Key": TEMPLATES, "Certify": TEMPLATES, "Re-certify": TEMPLATES,
    "Locate": f"Located Items, {UID}",
    "Check": f"{UID}, Usage Limits Count, Cryptographic Usage Mask, Lease Time",
    "Get": f"Object Type, {UID}, {OBJECT}",
    "Get Attributes": f"{UID}, Attribute", "Get Attribute List": f"{UID}, Attribute Name",
    "Add Attribute": f"{UID}, Attribute", "Modify Attribute": f"{UID}, Attribute", "Delete Attribute": f"{UID}, Attribute",
    "Obtain Lease": f"{UID}, Lease Time, Last Change Date",
    "Get Usage Allocation": UID, "Activate": UID, "Revoke": UID, "Destroy": UID, "Archive": UID, "Recover": UID,
    "Validate": "Validity Indicator",
    "Query": "Operation, Object Type, Vendor Identification, Server Information, Application Namespace, Extension Information, "
             "Attestation Type, RNG Parameters, Profile Information, Validation Information, Capability Information, "
             "Client Registration Method",
    "Cancel": "Asynchronous Correlation Value, Cancellation Result",
    "Discover Versions": "Protocol Version",
    "Encrypt": f"{UID}, Data, IV/Counter/Nonce, Correlation Value, Authenticated Encryption Tag",
    "Decrypt": f"{UID}, Data, Correlation Value",
    "Sign": f"{UID}, Signature Data, Correlation Value",
    "Signature Verify": f"{UID}, Validity Indicator, Data, Correlation Value",
    "MAC": f"{UID}, MAC Data, Correlation Value",
    "MAC Verify": f"{UID}, Validity Indicator, Correlation Value",
    "RNG Retrieve": "Data", "RNG Seed": "Data Length",
    "Hash": "Data, Correlation Value",
    "Create Split Key": TYPED, "Join Split Key": TYPED, "Import": UID,
    "Export": f"Object Type, {UID}, Attribute, {OBJECT}",
}

KEY = "Key Block"
KEY_INFORMATION = f"{UID}, Cryptographic Parameters"
ALTERNATIVES = "Certificate Subject Distinguished Name, Certificate Subject Alternative Name"
STRUCTURES = {
    "Response Message": "Response Header, Batch Item",
    "Response Header": "Protocol Version, Time Stamp, Nonce, Attestation Type, Client Correlation Value, "
                       "Server Correlation Value, Batch Count",
    "Protocol Version": "Protocol Version Major, Protocol Version Minor",
    "Batch Item": "Operation, Unique Batch Item ID, Result Status, Result Reason, Result Message, "
                  "Asynchronous Correlation Value, Response Payload, Message Extension",
    "Attribute": "Attribute Name, Attribute Index, Attribute Value",
    "Template-Attribute": "Name, Attribute", "Template": "Attribute",
    "Certificate": "Certificate Type, Certificate Value",
    "Symmetric Key": KEY, "Public Key": KEY, "Private Key": KEY,
    "Split Key": f"Split Key Parts, Key Part Identifier, Split Key Threshold, Split Key Method, Prime Field Size, {KEY}",
    "Secret Data": f"Secret Data Type, {KEY}", "PGP Key": f"PGP Key Version, {KEY}",
    "Opaque Object": "Opaque Data Type, Opaque Data Value",
    KEY: "Key Format Type, Key Compression Type, Key Value, Cryptographic Algorithm, Cryptographic Length, Key Wrapping Data",
    "Key Value": "Key Material, Attribute",
    # All transparent keys of 2.1.7 in one: their fields are in an order that they have in common.
    "Key Material": "Key, Modulus, Private Exponent, Public Exponent, P, Q, G, J, Prime Exponent P, Prime Exponent Q, "
                    "CRT Coefficient, Recommended Curve, D, Q String, X, Y",
    "Key Wrapping Data": "Wrapping Method, Encryption Key Information, MAC/Signature Key Information, MAC/Signature, "
                         "IV/Counter/Nonce, Encoding Option",
    "Encryption Key Information": KEY_INFORMATION, "MAC/Signature Key Information": KEY_INFORMATION,
    "Cryptographic Parameters": "Block Cipher Mode, Padding Method, Hashing Algorithm, Key Role Type, "
                                "Digital Signature Algorithm, Cryptographic Algorithm, Random IV, IV Length, Tag Length, "
                                "Fixed Field Length, Invocation Field Length, Counter Length, Initial Counter Value, Salt Length, "
                                "Mask Generator, Mask Generator Hashing Algorithm, P Source, Trailer Field",
    "Cryptographic Domain Parameters": "Qlength, Recommended Curve",
    "Digest": "Hashing Algorithm, Digest Value, Key Format Type",
    "Usage Limits": "Usage Limits Total, Usage Limits Count, Usage Limits Unit",
    "Link": "Link Type, Linked Object Identifier",
    "Revocation Reason": "Revocation Reason Code, Revocation Message",
    "Name": "Name Value, Name Type", "Alternative Name": "Alternative Name Value, Alternative Name Type",
    "Application Specific Information": "Application Namespace, Application Data",
    "Key Value Location": "Key Value Location Value, Key Value Location Type",
    "X.509 Certificate Identifier": "Issuer Distinguished Name, Certificate Serial Number",
    "X.509 Certificate Subject": "Subject Distinguished Name, Subject Alternative Name",
    "X.509 Certificate Issuer": "Issuer Distinguished Name, Issuer Alternative Name",
    "Certificate Identifier": "Issuer, Serial Number",
    "Certificate Subject": ALTERNATIVES, "Certificate Issuer": ALTERNATIVES.replace("Subject", "Issuer"),
    "RNG Parameters": "RNG Algorithm, Cryptographic Algorithm, Cryptographic Length, Hashing Algorithm, DRBG Algorithm, "
                      "Recommended Curve, FIPS186 Variation, Prediction Resistance",
    "Random Number Generator": "RNG Algorithm, Cryptographic Algorithm, Cryptographic Length, Hashing Algorithm, DRBG Algorithm, "
                               "Recommended Curve, FIPS186 Variation, Prediction Resistance",
    "Profile Information": "Profile Name, Server URI, Server Port",
    "Capability Information": "Streaming Capability, Asynchronous Capability, Attestation Capability, Batch Undo Capability, "
                              "Batch Continue Capability, Unwrap Mode, Destroy Action, Shredding Algorithm, RNG Mode",
}


class Orders:
    """By tag, by attribute, and by operation: {tag: its place}."""

    def __init__(self, tables):
        self.structures = {plain(name): self.places(tables, order) for name, order in STRUCTURES.items()}
        self.payloads = {tables.sets["operation"][plain(name)]: self.places(tables, order) for name, order in PAYLOADS.items()}

    @staticmethod
    def places(tables, order):
        found = {}
        for place, name in enumerate(order.split(", ")):
            for one in OBJECTS if name == OBJECT else (name,):
                found[tables.tags[plain(one)][0]] = place
        return found

    def of(self, name, operation):
        """None: any order, as of what is a vendor's."""
        return self.payloads.get(operation) if name == "responsepayload" else self.structures.get(name)
