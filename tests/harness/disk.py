# SPDX-License-Identifier: Apache-2.0
"""A disk for one node that can fill up, may not be written, or fails: a small file system in memory that only this process
and its children see, and calls that fail in the node's own process (disk_fault.c).
"""
import ctypes
import errno
import os
import subprocess

from process import program

CLONE_NEWNS = 0x20000
PAGE = 4096


def own_mounts():
    """From now on this process and its children have mounts of their own, which end with them; why not, else ''."""
    if os.geteuid() != 0:
        return "only root may mount"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        return "no mount namespace: " + os.strerror(ctypes.get_errno())
    made = subprocess.run(["mount", "--make-rprivate", "/"], capture_output=True, text=True, check=False)
    return made.stderr.strip() if made.returncode != 0 else ""


class SmallDisk:
    """A file system of a few MiB at a folder that is there."""

    def __init__(self, folder, size_mib):
        self.folder, self.filler = folder, os.path.join(folder, "filler")
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "small-disk", folder], check=True)

    def fill(self, leave=0):
        """Until no more than so many bytes are free."""
        with open(self.filler, "ab", buffering=0) as file:
            while (free := self.free_bytes() - leave) > 0:
                try:
                    file.write(bytes(min(free, 1 << 20)))
                except OSError as error:
                    assert error.errno == errno.ENOSPC, error
                    return

    def free_bytes(self):
        disk = os.statvfs(self.folder)
        return disk.f_bavail * disk.f_frsize

    def make_room(self):
        os.remove(self.filler)

    def remount(self, how):
        """"ro" or "rw"."""
        subprocess.run(["mount", "-o", "remount," + how, self.folder], check=True)

    def close(self):
        subprocess.run(["umount", "-l", self.folder], check=True)


class Faults:
    """Calls of one node on its cache's data file that fail. Given before the node starts."""

    def __init__(self, node):
        self.path = os.path.join(node.folder, "disk-fault")
        node.environment = {"LD_PRELOAD": program("disk_fault.so"), "DISK_FAULT": self.path,
                            "ASAN_OPTIONS": "verify_asan_link_order=0"}

    def set(self, call, code, after=0, times=0):
        """After so many good calls so many fail; 0: all from then on."""
        with open(self.path + ".new", "w", encoding="ascii") as file:
            file.write(f"{call} {code} {after} {times}")
        os.rename(self.path + ".new", self.path)

    def clear(self):
        os.remove(self.path)


def overwrite_pages(path, choose, noise):
    """Replaces each page of the file that `choose(number)` names by `noise()`; how many. The two pages that LMDB begins with
    are left."""
    count = 0
    with open(path, "r+b") as file:
        for number in range(2, os.path.getsize(path) // PAGE):
            if choose(number):
                file.seek(number * PAGE)
                file.write(noise())
                count += 1
    return count
