# SPDX-License-Identifier: Apache-2.0
"""The published cases of KMIP 1.0 to 1.4: XML files in the folder that KMIP_VECTORS names."""
import os
import pathlib
import re

from canaries import handed_out
from vectors import NOT_OASIS, parse

HERE = pathlib.Path(__file__).resolve().parent
VERSIONS = ("1.0", "1.1", "1.2", "1.3", "1.4")
# What these cases make is what the next one looks for, where that was published.
FOLLOWED = re.compile(r"(SASED|TL)[-_]M[-_]2")
FOLLOWS = re.compile(r"(SASED|TL)[-_]M[-_]3")
# What a case finds, made by another published one that does nothing else.
SET_UPS = ((re.compile(r"TC-CREG-[23]-"), "TC-CREG-1-13.xml"),
           (re.compile(r"TC-OTP-([125]|CLEANUP-1)-"), "TC-OTP-SETUP-1-13.xml"),
           (re.compile(r"TC-OTP-[34]-"), "TC-OTP-SETUP-2-13.xml"))
# What a case takes for granted: members of a group, made as by the first exchange of another case.
GIVEN = {"TC_151_11": ("TC_153_11", "RoundRobinTestGroup", "default")}
# Mandatory and optional cases of a profile; the others test the specification.
OF_PROFILE = re.compile(r"^((?:SUITEB[-_]\d+|MSGENC[-_][A-Z]+|CS[-_](?:AC|BC|RNG)|[A-Z]+)[-_][MO])[-_]")


def vectors_are_here():
    return pathlib.Path(os.environ.get("KMIP_VECTORS", "")).is_dir() and bool(os.environ.get("KMIP_VECTORS"))


def case_files():
    root = pathlib.Path(os.environ["KMIP_VECTORS"])
    for version in VERSIONS:
        for path in sorted((root / version).rglob("*.xml")):
            if path.parent.name not in NOT_OASIS:
                yield str(path.relative_to(root)), path


def is_run_as_the_version_before(name):
    """Cases of profiles that are there in 1.2, for which none are published, as in 1.3."""
    return name.startswith(("1.3/profiles-mandatory/", "1.3/profiles-optional/"))


def as_the_version_before(root):
    for header in [child for message in root for child in message if child.tag.endswith("Header")]:
        minor = header.find("ProtocolVersion/ProtocolVersionMinor")
        minor.set("value", str(int(minor.get("value")) - 1))
    return root


def is_followed(name, next_name):
    return bool(FOLLOWED.search(name) and FOLLOWS.search(next_name))


def set_up_of(path, files):
    """The case that makes what this one looks for, or None."""
    return next((found for pattern, name in SET_UPS if pattern.match(path.name) for _, found in files if found.name == name),
                None)


def given_for(path, files):
    """A session that makes what this case takes for granted, or None."""
    other, group, wanted = next((given for part, given in GIVEN.items() if path.name.startswith(part)), (None, None, None))
    if other is None:
        return None
    root = parse(next(found for _, found in files if found.name.startswith(other)))
    for message in [child for child in root if child.tag.endswith("Message")][2:]:
        root.remove(message)
    for element in root.iter():
        if element.get("value") == group:
            element.set("value", wanted)
    return root


def deviations():
    lines = (HERE / "deviations.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return {path: reason for path, reason in rows}


def profile_of(name):
    """The profile that a case is of ("SKLC-M"), or None."""
    found = OF_PROFILE.match(pathlib.Path(name).name)
    return found[1].replace("_", "-") if found and not found[1].startswith("TC") else None


def pardon_published():
    """The keys of the cases are in print; one case's Digest is another's derived key."""
    for _, path in case_files():
        for element in parse(path).iter("KeyMaterial"):
            if re.fullmatch(r"([0-9A-Fa-f]{2})+", element.get("value", "")):
                handed_out.pardon(bytes.fromhex(element.get("value")))
