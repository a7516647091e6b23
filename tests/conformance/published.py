# SPDX-License-Identifier: Apache-2.0
"""The published cases of KMIP 1.0 to 1.4: XML files in the folder that KMIP_VECTORS names."""
import os
import pathlib
import re

import wire
from canaries import handed_out
from law import Different, Law
from runner import Job, chains
from session import Session
from vectors import NOT_OASIS, parse, plain, ttlv, value_of

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
# What a case waits for need not be as far ahead as it was published.
SOONER = {"TC_92_11": ("$NOW+120", "$NOW+10")}
# The versions that cases of a version are run as, too, where these have all that a case names. None are published for 1.2.
ALSO_AS = {"1.1": ((1, 2), (1, 3), (1, 4)), "1.3": ((1, 2),), "1.4": ((1, 2), (1, 3))}
# What such a version answers otherwise all the same.
NOT_AS = {re.compile(r"/TC-SJ-"): ((1, 2),),  # Create and Join Split Key tell the Object Type (4.38, 4.39)
          re.compile(r"/TC-CREATE-SD-1-"): ((1, 2), (1, 3))}  # Create makes symmetric keys only (4.1)
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


def case_of(path):
    root = parse(path)
    for late, sooner in [times for part, times in SOONER.items() if path.name.startswith(part)]:
        for element in [element for element in root.iter() if element.get("value") == late]:
            element.set("value", sooner)
    return root


def other_versions(name):
    return [version for version in ALSO_AS.get(name.split("/")[0], ())
            if not any(pattern.search(name) and version in versions for pattern, versions in NOT_AS.items())]


def messages_of(root):
    return [child for child in root if child.tag in ("RequestMessage", "ResponseMessage")]


def as_version(root, version):
    """The same messages with another version in their headers."""
    for message in messages_of(root):
        message.find("*/ProtocolVersion/ProtocolVersionMajor").set("value", str(version[0]))
        message.find("*/ProtocolVersion/ProtocolVersionMinor").set("value", str(version[1]))
    return root


def is_all_in(tables, root, version):
    """Whether the version has all that the messages name (some with more blanks than one between two words)."""
    for element in root.iter("AttributeName"):
        element.set("value", value_of(element))
    operations = [tables.sets["operation"][plain(value_of(operation))] for operation in root.iter("Operation")]
    try:
        for message in messages_of(root):
            Law(tables).check_version(wire.read(ttlv(tables, message))[0], version, None)
    except Different:
        return False
    return all(tables.lives(("operation", operation), version) for operation in operations)


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


def jobs():
    files = list(case_files())
    for (name, path), (next_name, _) in zip(files, files[1:] + [("", None)]):
        before, given = set_up_of(path, files), given_for(path, files)
        yield Job(name, Session, lambda path=path: case_of(path), keeps=is_followed(name, next_name),
                  before=(lambda path=path: given_for(path, files)) if given is not None else
                  before and (lambda before=before: parse(before)))


def jobs_as_other_versions(tables):
    """What passes as the version that it is of, once more."""
    known = deviations()
    for chain in chains(list(jobs())):
        if any(job.name in known for job in chain):
            continue
        for version in other_versions(chain[0].name):
            roots = [root for job in chain for root in (job.before, job.root) if root is not None]
            if all(is_all_in(tables, root(), version) for root in roots):
                yield from (job_as(job, version) for job in chain)


def job_as(job, version):
    def root_of(root):
        return root and (lambda: as_version(root(), version))

    return Job(f"{job.name} as {version[0]}.{version[1]}", job.session, root_of(job.root), keeps=job.keeps,
               before=root_of(job.before))


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
