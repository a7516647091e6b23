# SPDX-License-Identifier: Apache-2.0
"""Where the keeper of a test build can be made to die (keystore/kill_point.h)."""
import pathlib
import re
import threading

import admin

HEADER = pathlib.Path(__file__).resolve().parents[2] / "keystore" / "kill_point.h"


def declared():
    """The names in the header."""
    return set(re.findall(r"^\tX\((\w+), ", HEADER.read_text(encoding="ascii"), re.MULTILINE))


def strike(node, point, during, passes=0):
    """Runs during() until the node dies at the point, which is passed that many times before."""
    mark = node.log_mark()
    admin.ask(node, "kill-arm", point=point, countdown=passes)
    worker = threading.Thread(target=during)
    worker.start()
    code = node.wait()
    worker.join()
    assert code == -9, code
    assert node.log_lines(f"kill-point name={point}$", mark)
