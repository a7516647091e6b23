# SPDX-License-Identifier: Apache-2.0
"""Prometheus' text format, read strictly: every rule that it breaks is an assertion."""
import re

SAMPLE = re.compile(r'(\w+)(?:\{(.*)\})? (\S+)')
LABEL = re.compile(r'(\w+)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)')


class Metrics:
    """families: {name: type}. Values by name and labels: metrics.value("kmipd_x_total", operation="Get")."""

    def __init__(self, text):
        self.text, self.families, self.samples = text, {}, {}
        assert text.endswith("\n"), "the last line has no end"
        for line in text.splitlines():
            self._read(line)
        for name, kind in self.families.items():
            if kind == "histogram":
                self._check_histogram(name)

    def _read(self, line):
        if line.startswith("# HELP "):
            self.helped = line.split()[2]
            return
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name == self.helped and name not in self.families, line
            self.families[name], self.current = kind, name
            return
        found = SAMPLE.fullmatch(line)
        assert found, line
        name, labels, value = found.groups()
        family = re.sub("_(bucket|sum|count)$", "", name) if self.families[self.current] == "histogram" else name
        assert family == self.current, f"{line} stands under {self.current}"
        assert not labels or "".join(m[0] for m in LABEL.finditer(labels)) == labels, line
        series = name, frozenset(LABEL.findall(labels or ""))
        assert series not in self.samples, f"{line} is there twice"
        self.samples[series] = float(value)

    def _check_histogram(self, name):
        for (series, labels), count in self.samples.items():
            if series != name + "_count":
                continue
            buckets = [(float(dict(others)["le"]), value) for (other, others), value in self.samples.items()
                       if other == name + "_bucket" and others - {("le", dict(others)["le"])} == labels]
            counts = [value for _, value in sorted(buckets)]
            assert counts == sorted(counts), f"{name} {labels} falls"
            assert max(buckets)[0] == float("inf") and counts[-1] == count, f"{name} {labels} ends wrongly"

    def value(self, name, **labels):
        """0 for a series that is not there."""
        assert re.sub("_(bucket|sum|count)$", "", name) in self.families or name in self.families, name
        return self.samples.get((name, frozenset(labels.items())), 0)

    def total(self, name, **labels):
        """Of all series that have these labels among theirs."""
        assert name in self.families, name
        wanted = set(labels.items())
        return sum(value for (one, has), value in self.samples.items() if one == name and wanted <= has)
