# SPDX-License-Identifier: Apache-2.0
"""Makes the modules of tests/harness importable by the tests of this folder: `import harness` first."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "harness"))
