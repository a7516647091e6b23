#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the dictionary (tags with their types, from tags.def) to ttlv.dict, and with KMIP_VECTORS set
the distinct messages of the published vectors as a seed corpus: ttlv_corpus.py FOLDER."""
import hashlib, re, subprocess, sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SPEC = HERE.parents[1] / "kmip" / "spec"


def dictionary():
    codes = {name: int(code, 16) for name, code in re.findall(
        r'^TYPE\((\w+), (0x\w+),', (SPEC / "types.def").read_text(), re.M)}
    lines = []
    for value, name, kind in re.findall(
            r'^TAG\(0x(\w+), (\w+), "[^"]*", (\w+), \w+, KMIP_1', (SPEC / "tags.def").read_text(), re.M):
        code = codes.get(kind, codes["STRUCTURE"])
        escaped = "".join("\\x%s" % value[i:i + 2] for i in (0, 2, 4)) + "\\x%02x" % code
        lines.append('%s="%s"' % (name.lower(), escaped))
    (HERE / "ttlv.dict").write_text("# Made by ttlv_corpus.py.\n" + "\n".join(lines) + "\n")


def corpus(folder):
    script = HERE.parent / "conformance" / "tables_check.py"
    frames = subprocess.run([sys.executable, str(script), "--frames"], capture_output=True, text=True,
                            check=True).stdout.split()
    folder.mkdir(parents=True, exist_ok=True)
    for frame in frames:
        data = bytes.fromhex(frame)
        (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


if __name__ == "__main__":
    dictionary()
    if len(sys.argv) > 1:
        corpus(Path(sys.argv[1]))
