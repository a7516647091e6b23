# SPDX-License-Identifier: Apache-2.0
"""What all programs under test share: a process with a log, ports, and waiting for conditions."""
import os
import re
import signal
import socket
import subprocess
import time

BIN = os.environ["PAIR_BIN_DIR"]
POLL_S = 0.02
WAIT_S = 30  # generous: the machine may be slow; nothing is judged by it
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|runtime error:|ASSERT|assertion failed", re.IGNORECASE)


def program(name):
    return os.path.join(BIN, name)


def wait_until(condition, what, seconds=WAIT_S):
    """Waits for a condition; returns its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(POLL_S)


def free_ports(count):
    """Ports that nobody listens on now; all held until the last one is found, so that they differ."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


class Process:
    """A program in a process group of its own, writing to a log file."""

    def __init__(self, name, log_path):
        self.name, self.log_path = name, log_path
        self.process = None
        self.environment = {}  # in addition to our own
        self.prefix = []  # what the program is started through

    def launch(self, arguments):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*self.prefix, *arguments], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            start_new_session=True, env={**os.environ, **self.environment})

    @property
    def runs(self):
        return self.process is not None and self.process.poll() is None

    def members(self):
        """Every living process of the group."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                    state, _, group = file.read().rpartition(")")[2].split()[:3]
            except OSError:
                continue
            if int(group) == self.process.pid and state not in "ZX":
                found.append(int(pid))
        return found

    def terminate(self):
        """SIGTERM; the exit code, once no process of the group is left."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def kill9(self):
        """SIGKILL to the first process only: what belongs to it has to go by itself."""
        self.process.send_signal(signal.SIGKILL)
        return self.wait()

    def wait(self):
        code = self.process.wait(WAIT_S)
        wait_until(lambda: not self.members(), f"the processes of {self.name} are gone")
        return code

    def put_down(self):
        """Whatever happens, nothing is left behind."""
        for pid in self.members() if self.process is not None else ():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self.process is not None:
            self.process.wait(WAIT_S)

    # ---- the log ----

    def log(self, start=0):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as file:
                return file.read()[start:]
        except FileNotFoundError:
            return ""

    def log_mark(self):
        """Where the log ends now: for questions about what follows."""
        return len(self.log())

    def log_lines(self, pattern, start=0):
        return [line for line in self.log(start).splitlines() if re.search(pattern, line)]

    def wait_log(self, pattern, start=0):
        """Waits for a line; fails at once when the program has ended."""
        def seen():
            lines = self.log_lines(pattern, start)
            assert lines or self.runs, f"{self.name} ended without saying {pattern!r}"
            return lines
        return wait_until(seen, f"{self.name} says {pattern!r}")[0]

    def wait_log_of_the_dead(self, pattern):
        """As wait_log, of a program that has ended since its last start."""
        return wait_until(lambda: self.log_lines(pattern, self.mark), f"{self.name} has said {pattern!r}")[0]

    def log_tail(self, lines=60):
        return f"---- {self.name}\n" + "\n".join(self.log().splitlines()[-lines:])
