# SPDX-License-Identifier: Apache-2.0
"""What every program says to who typed something wrong: one sentence that names it, and where help is; exit 2. And what
--help says is what there is.
"""
import re
import subprocess
import unittest

import harness  # noqa: F401
from process import SANITIZER, program

USAGE = 2


def say(name, *arguments):
    """Runs a program to its end; (exit code, what it said as an answer, and as a complaint)."""
    result = subprocess.run([program(name), *arguments], capture_output=True, text=True, timeout=60, check=False,
                            stdin=subprocess.DEVNULL)
    assert not SANITIZER.search(result.stderr), result.stderr
    return result.returncode, result.stdout, result.stderr


class Words(unittest.TestCase):
    def expect_complaint(self, name, arguments, words):
        """A sentence with the words, a hint at --help, nothing else."""
        with self.subTest(" ".join((name, *arguments))):
            code, out, complaint = say(name, *arguments)
            self.assertEqual((code, out), (USAGE, ""), complaint)
            first, *rest = complaint.splitlines()
            self.assertTrue(first.startswith(name + ": "), first)
            self.assertIn(words, first)
            self.assertLessEqual(len(rest), 1, complaint)
            self.assertIn("--help", complaint)

    def test_kmipctl(self):
        """No command, none of that name, half of one, without its argument, with a word or an option too many."""
        self.expect_complaint("kmipctl", (), "a command is needed")
        self.expect_complaint("kmipctl", ("frob",), 'there is no command "frob"')
        self.expect_complaint("kmipctl", ("key",), "key needs one of: list, show, forget")
        self.expect_complaint("kmipctl", ("key", "frob", "x"), "key needs one of: list, show, forget")
        self.expect_complaint("kmipctl", ("key", "show"), "key show needs UID")
        self.expect_complaint("kmipctl", ("client", "add"), "client add needs CERTIFICATE.pem")
        self.expect_complaint("kmipctl", ("status", "now"), 'status does not take "now"')
        self.expect_complaint("kmipctl", ("key", "show", "a", "b"), 'key show does not take "b"')
        self.expect_complaint("kmipctl", ("rewrap", "frob"), 'rewrap does not take "frob"')
        self.expect_complaint("kmipctl", ("--frob", "status"), '"--frob" is not an option')
        self.expect_complaint("kmipctl", ("status", "--socket"), "--socket needs a value")
        self.expect_complaint("kmipctl", ("status", "--unclaimed"), "status does not take --unclaimed")
        self.expect_complaint("kmipctl", ("key", "forget", "a", "--name", "b"), "key forget does not take --name")

    def test_kmipctl_takes_what_its_help_tells(self):
        """Each command of --help, with each option that its line names, gets as far as to look for the node."""
        commands = []
        for line in say("kmipctl", "--help")[1].split("\n\n")[2].splitlines():
            found = re.match(r"  (\S.*?)  +(.*)", line)
            if found:
                commands.append([*found.groups()])
            else:
                commands[-1][1] += line
        self.assertGreater(len(commands), 15)
        for words, told in commands:
            options = [part.split() for part in re.findall(r"--[a-z-]+(?: [A-Z][A-Z-]*)?", told)]
            for option in [[], *options]:
                typed = [word if word.islower() else "7" for word in (*words.split(), *option)]
                with self.subTest(" ".join(typed)):
                    code, _, complaint = say("kmipctl", "--socket", "/nowhere/sock", *typed)
                    self.assertNotIn("--help", complaint)
                    self.assertIn(code, (1, USAGE))  # 2: --yes is wanted first, and the sentence says so
                    self.assertTrue("/nowhere/sock" in complaint or "--yes" in complaint or "cannot be read" in complaint,
                                    complaint)

    def test_kmipd(self):
        """No file, an option that is none, one without its value, a word too many."""
        self.expect_complaint("kmipd", (), "--config FILE is needed")
        self.expect_complaint("kmipd", ("--frob",), '"--frob" is not an option')
        self.expect_complaint("kmipd", ("--config",), "--config needs a value")
        self.expect_complaint("kmipd", ("--config", "x", "y"), '"y" is one word too many')

    def test_kmip_probe(self):
        """The same of the probe."""
        self.expect_complaint("kmip-probe", (), "--endpoint HOST:PORT is needed")
        self.expect_complaint("kmip-probe", ("--frob",), '"--frob" is not an option')
        self.expect_complaint("kmip-probe", ("frob",), 'there is no command "frob"')

    def test_key_protect_emulator(self):
        """The same of the emulator; a role that there is not, a folder that cannot be."""
        self.expect_complaint("key-protect-emulator", (), "--data is required")
        self.expect_complaint("key-protect-emulator", ("--frob",), '"--frob" is not an option')
        self.expect_complaint("key-protect-emulator", ("--data",), "--data needs a value")
        self.expect_complaint("key-protect-emulator", ("--listen", "nowhere"), '"nowhere" cannot be the value of --listen')
        self.expect_complaint("key-protect-emulator", ("--data", "x", "y"), '"y" is one word too many')
        code, _, complaint = say("key-protect-emulator", "--data", "/nowhere/at/all")
        self.assertEqual(code, 1)
        self.assertIn("/nowhere/at/all", complaint)

    def test_versions(self):
        """All programs are of one version."""
        versions = {say(name, "--version")[1].split()[-1] for name in ("kmipd", "kmipctl", "kmip-probe", "key-protect-emulator")}
        self.assertEqual(len(versions), 1, versions)


if __name__ == "__main__":
    unittest.main()
