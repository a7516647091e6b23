# SPDX-License-Identifier: Apache-2.0
"""Network namespaces for real processes, joined by a cable whose delay, loss and cuts a test decides.

    network = Network(["client", "a", "b"], seed=1)
    Popen([*network.enter("a"), "program", ...])     runs at network.address("a")
    network.join("client")                           this thread's sockets are there from now on
    network.cut("a", "b"); network.heal()
    network.close()

The namespaces have no name and nothing leads out of them. They are held by descriptors, so that they end with the test and what it
started, also when it is killed. Delay and loss are made in switch.py and not by the kernel's netem, which many kernels do not have.
"""
import ctypes
import fcntl
import json
import os
import pathlib
import struct
import subprocess
import sys
import threading

CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
INTERFACE = "cable"
_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class Namespace:
    """One namespace with loopback and one interface, whose other end is `far_end`."""

    def __init__(self, address):
        self.address, self.descriptor, self.far_end, self.error = address, None, None, None
        thread = threading.Thread(target=self._make)  # a thread of its own: this one stays where it is
        thread.start()
        thread.join()
        if self.error is not None:
            self.close()
            raise self.error
        for words in (["link", "set", "lo", "up"], ["addr", "add", address + "/24", "dev", INTERFACE],
                      ["link", "set", INTERFACE, "up"]):
            subprocess.run([*self.enter(), "ip", *words], check=True)

    def _make(self):
        try:
            _checked(_libc.unshare(CLONE_NEWNET))
            self.descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            self.far_end = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
            fcntl.ioctl(self.far_end, TUNSETIFF, struct.pack("16sH22x", INTERFACE.encode(), IFF_TUN | IFF_NO_PI))
        except OSError as error:
            self.error = error

    def enter(self):
        """What to put in front of a command; it dies with this process."""
        return ["nsenter", f"--net=/proc/{os.getpid()}/fd/{self.descriptor}", "setpriv", "--pdeathsig", "KILL"]

    def join(self):
        _checked(_libc.setns(self.descriptor, CLONE_NEWNET))

    def close(self):
        for descriptor in (self.descriptor, self.far_end):
            if descriptor is not None:
                os.close(descriptor)


class Network:
    def __init__(self, names, seed):
        self.home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.numbers = {name: number for number, name in enumerate(names, 1)}
        self.namespaces, self.rules, self.switch = {}, {}, None
        try:
            for name, number in self.numbers.items():
                self.namespaces[name] = Namespace(f"10.77.0.{number}")
            ends = [namespace.far_end for namespace in self.namespaces.values()]
            script = pathlib.Path(__file__).with_name("switch.py")
            self.switch = subprocess.Popen([sys.executable, str(script), str(seed), *map(str, ends)], pass_fds=ends,
                                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        except BaseException:
            self.close()
            raise

    def address(self, name):
        return self.namespaces[name].address

    def enter(self, name):
        return self.namespaces[name].enter()

    def join(self, name):
        self.namespaces[name].join()

    def leave(self):
        """Back to where this thread was."""
        _checked(_libc.setns(self.home, CLONE_NEWNET))

    # ---- the cable ----

    def _tell(self):
        self.switch.stdin.write(json.dumps(self.rules) + "\n")
        self.switch.stdin.flush()
        assert self.switch.stdout.readline() == "ok\n"

    def one_way(self, source, target, **rule):
        """rule: cut=True, delay_ms, jitter_ms, loss (0 to 1)."""
        self.rules[f"{self.numbers[source]}>{self.numbers[target]}"] = rule
        self._tell()

    def both_ways(self, one, other, **rule):
        self.one_way(one, other, **rule)
        self.one_way(other, one, **rule)

    def cut(self, one, other):
        self.both_ways(one, other, cut=True)

    def heal(self):
        self.rules = {}
        self._tell()

    def close(self):
        if self.switch is not None:
            self.switch.stdin.close()
            self.switch.wait(10)
            self.switch.stdout.close()
        for namespace in self.namespaces.values():
            namespace.close()
        os.close(self.home)


def why_not():
    """Why there can be no namespaces here; '' when there can."""
    try:
        Network(["one"], 0).close()
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no network namespaces here: {error}"
    return ""
