# SPDX-License-Identifier: Apache-2.0
"""Canaries: what no program may leave in a file. Every key that went over a test's connection is one by itself (`watch`);
a test adds what else it sends. Pair.close searches all files of the pair for them.
"""
import base64
import os
import re
import subprocess
import tempfile

# The start of an item: tag Key Material, type Byte String, its length. Found also in frames that are broken on purpose.
KEY_MATERIAL = re.compile(rb"\x42\x00\x43\x08\x00\x00(..)", re.DOTALL)
BYTES_MIN, DIFFERENT_MIN = 12, 8  # what is shorter or simpler is met by chance
ALWAYS = {
    "a token": re.compile(rb"eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}"),
    "a token's header": re.compile(rb"Bearer "),
    "a token's answer": re.compile(rb"access_token"),
    "a private key": re.compile(rb"PRIVATE KEY"),
}


class Canaries:
    def __init__(self):
        self.needles = {}  # form, in lower case: what it is

    def clear(self):
        self.needles = {}

    def add(self, what, secret):
        """Bytes that must not be met in any form."""
        for form in disguises(secret):
            self.needles[form.lower()] = what

    def pardon(self, public):
        """Bytes that everybody knows."""
        for form in disguises(public):
            self.needles.pop(form.lower(), None)

    def add_text(self, what, text):
        """A text that must not be met as it is."""
        self.needles[text.lower().encode()] = what

    def watch(self, frame):
        """Takes every key out of a message, whoever sends it."""
        for found in KEY_MATERIAL.finditer(frame):
            length = int.from_bytes(found[1], "big")
            material = frame[found.end():found.end() + length]
            if len(material) >= BYTES_MIN and len(set(material)) >= DIFFERENT_MIN:
                self.add(f"key {len(self.needles)}", material)

    def search(self, paths):
        """A sentence for each file that holds what it must not."""
        findings = []
        with tempfile.NamedTemporaryFile() as patterns:
            patterns.write(b"\n".join(self.needles))
            patterns.flush()
            for path in paths:
                with open(path, "rb") as file:
                    content = file.read()
                findings += [f"{what} is in {path}" for what in sorted(self._met(content, patterns.name))]
        return findings

    def _met(self, content, patterns):
        """What stands in the content, as it is or as the hexadecimal digits of its bytes."""
        met = {what for what, pattern in ALWAYS.items() if pattern.search(content)}
        if self.needles:
            answer = subprocess.run(["grep", "-a", "-o", "-i", "-F", "-f", patterns], check=False, capture_output=True,
                                    input=content + b"\n" + content.hex().encode(), env={"LC_ALL": "C"})
            assert answer.returncode in (0, 1), answer.stderr
            met |= {self.needles[form.lower()] for form in answer.stdout.splitlines()}
        return met


def disguises(secret):
    """The texts that betray bytes: their digits (raw bytes are searched for by those of the file), and base64, of either
    alphabet, in the forms that do not depend on what stands before and after."""
    yield secret.hex().encode()
    for skip in range(3):
        part = secret[skip:]
        part = part[:len(part) // 3 * 3]
        yield base64.b64encode(part)
        yield base64.urlsafe_b64encode(part)


def files_of(folder, but=()):
    """All regular files under a folder, without those paths and what lies under them."""
    for where, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if os.path.join(where, name) not in but]
        for name in names:
            path = os.path.join(where, name)
            if path not in but and os.path.isfile(path):
                yield path


handed_out = Canaries()  # of the pair that runs: every key that went over a connection of this process
