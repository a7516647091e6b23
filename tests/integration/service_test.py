# SPDX-License-Identifier: Apache-2.0
"""deploy/kmipd.service: systemd understands every line of it, finds it well confined, and it runs what `cmake --install` puts
in place, where the runbook says and kmipctl looks.
"""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import harness  # noqa: F401
from process import program

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNIT = ROOT / "deploy/kmipd.service"
EXPOSURE_MAX = 15  # of 100, as systemd-analyze counts


@unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
class Service(unittest.TestCase):
    def analyze(self, *arguments):
        result = subprocess.run(["systemd-analyze", "--no-pager", *arguments], capture_output=True, text=True, timeout=60,
                                check=False)
        return result.returncode, result.stdout + result.stderr

    def test_understood(self):
        """No key that systemd would pass over, no program that is not there."""
        with tempfile.TemporaryDirectory() as folder:
            unit = os.path.join(folder, "kmipd.service")
            with open(unit, "w", encoding="ascii") as file:
                file.write(UNIT.read_text().replace("/usr/local/bin", os.path.dirname(program("kmipd"))))
            self.assertEqual(self.analyze("verify", unit), (0, ""))

    def test_confined(self):
        code, said = self.analyze("security", "--offline=yes", f"--threshold={EXPOSURE_MAX}", str(UNIT))
        self.assertEqual(code, 0, said)

    def test_names_what_the_runbook_names(self):
        """Programs, configuration, user, folders; and kmipctl's own socket is in the unit's folder."""
        runbook, unit = (ROOT / "deploy/RUNBOOK.md").read_text(), UNIT.read_text()
        for what in re.findall(r"/etc/kmip-pair/\S+|/usr/local/bin/kmip\w+", unit) + re.findall(r"User=(\S+)", unit):
            self.assertIn(what, runbook)
        told = subprocess.run([program("kmipctl"), "--help"], capture_output=True, text=True, check=True).stdout
        self.assertIn("/run/" + re.search(r"RuntimeDirectory=(\S+)", unit).group(1) + "/kmipd.sock", told)
        self.assertIn("/run/kmip-pair/kmipd.sock", runbook)
        self.assertIn("/var/lib/" + re.search(r"StateDirectory=(\S+)", unit).group(1), runbook)


if __name__ == "__main__":
    unittest.main()
