#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""RESULTS.md: operation and version, profile and version, and the published cases that do not pass. What passes is what
deviations.tsv does not name and all cases of our own, since the suite fails otherwise.

    page.py            writes the page
    page.py --check    fails when the page is another one, or an operation that is served has no case of our own in a version;
                       without KMIP_VECTORS the published part is not judged
"""
import collections
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "harness"))

import published  # noqa: E402
from own import Reader  # noqa: E402
from vectors import SPEC, Tables, camel, columns, parse, plain, rows, value_of, version_of  # noqa: E402

PAGE = HERE / "RESULTS.md"
PUBLISHED = "## The published cases"
OPENING = """# Conformance: results

Made by `tests/conformance/page.py` from the cases that `tests/conformance/cases.py` runs; a check of the suite fails when it is not
true any more.

## Our own cases

How many of the repository's own cases ask for an operation in a version and see it succeed; – where the version does not have it.
"""


def heading(first, versions):
    names = " | ".join(f"{major}.{minor}" for major, minor in versions)
    return [f"| {first} | {names} |", "|---" * (len(versions) + 1) + "|"]


def served():
    """{name in the cases: (name for people, since)} of operations.def."""
    display = {columns(row)[1]: columns(row)[2] for row in rows("enums.def", "MEMBER") if columns(row)[0] == "OPERATION"}
    text = (SPEC.parent / "operations.def").read_text(encoding="utf-8")
    cells = [columns(row) for row in re.findall(r"^SERVED\((.*)\)$", text, re.M)]
    return {camel(display[cell[0]]): (display[cell[0]], version_of(cell[2])) for cell in cells}


def successes(root):
    """The operations that succeed in a session."""
    for item in root.iter("BatchItem"):
        status = item.find("ResultStatus")
        if status is not None and value_of(status) == "Success" and item.find("Operation") is not None:
            yield value_of(item.find("Operation"))


def own_table(tables, operations):
    """Lines, and what is missing."""
    reader, counts, missing = Reader(tables), collections.Counter(), []
    for case in reader.cases:
        for version in case.versions:
            root = reader.messages(case, version)
            counts.update((plain(name), version) for name in set(successes(root)))
            # Poll is answered as what it asked for
            counts.update((plain(value_of(operation)), version) for operation in root.findall(
                "RequestMessage/BatchItem/Operation") if value_of(operation) == "Poll")
    lines = heading("operation", tables.versions)
    for name, (shown, since) in operations.items():
        cells = []
        for version in tables.versions:
            count = counts[plain(name), version]
            cells.append("–" if version < since else str(count))
            if version >= since and not count:
                missing.append(f"no case of our own sees {shown} succeed in {version[0]}.{version[1]}")
        lines.append(f"| {shown} | " + " | ".join(cells) + " |")
    return lines, missing


def tally(rows_of):
    """{row: {version: [passed, all]}} as table cells."""
    versions = Tables.versions
    for name in sorted(rows_of):
        cells = [rows_of[name].get(version) for version in versions]
        yield f"| {name} | " + " | ".join(f"{cell[0]} of {cell[1]}" if cell else "–" for cell in cells) + " |"


def other_versions(tables):
    counts = collections.Counter()
    for job in published.jobs_as_other_versions(tables):
        counts[job.name.split("/")[0], job.name.rsplit(" ", 1)[1]] += 1
    for row in published.ALSO_AS:
        cells = [counts[row, f"{major}.{minor}"] for major, minor in tables.versions]
        yield f"| {row} | " + " | ".join(str(cell) if cell else "–" for cell in cells) + " |"


def published_part(tables, operations):
    known, files = published.deviations(), list(published.case_files())
    by_operation, by_profile = {}, {}
    for name, path in files:
        version = tuple(int(part) for part in name.split("/")[0].split("."))
        asked = {value_of(operation) for operation in parse(path).findall("RequestMessage/BatchItem/Operation")}
        places = [(by_operation, operations[one][0] if one in operations else one) for one in asked]
        if published.profile_of(name):
            places.append((by_profile, published.profile_of(name)))
        for place, row in places:
            cell = place.setdefault(row, {}).setdefault(version, [0, 0])
            cell[0] += name not in known
            cell[1] += 1
    passed = sum(name not in known for name, _ in files)
    reasons = collections.defaultdict(list)
    for name, reason in known.items():
        reasons[reason].append(name)
    return [PUBLISHED, "", f"{passed} of {len(files)} pass. Cases by the operations that they ask for:", "",
            *heading("operation", tables.versions), *tally(by_operation), "",
            "Cases of the profiles (M mandatory, O optional):", "",
            *heading("profile", tables.versions), *tally(by_profile), "",
            "Cases that are run as other versions, too, where those have all that they name; all of these pass:", "",
            *heading("cases of", tables.versions), *other_versions(tables), "",
            "## Published cases that do not pass", "",
            *(line for reason, names in sorted(reasons.items())
              for line in (f"* {reason}:", *(f"  `{name}`" for name in sorted(names))))]


def main():
    tables, operations = Tables(), served()
    lines, missing = own_table(tables, operations)
    here = published.vectors_are_here()
    if here:
        lines += ["", *published_part(tables, operations)]
    text = OPENING + "\n" + "\n".join(lines) + "\n"
    if "--check" not in sys.argv:
        assert here, "the page needs KMIP_VECTORS"
        PAGE.write_text(text, encoding="utf-8")
        return 0
    written = PAGE.read_text(encoding="utf-8")
    if not here:
        print("SKIPPED: the published part of RESULTS.md is not judged, since KMIP_VECTORS does not name a folder")
        written = written.split("\n" + PUBLISHED)[0]
    for what in missing:
        print(what)
    if written != text:
        print("RESULTS.md is not what the cases give: run tests/conformance/page.py")
    return 1 if missing or written != text else 0


if __name__ == "__main__":
    sys.exit(main())
