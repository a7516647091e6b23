# SPDX-License-Identifier: Apache-2.0
"""Judges a Query answer. A published one tells what another server is and has, so its values are no measure of ours:
what must hold is that only what was asked for is told, in the specification's order (KMIP 1.4, section 4.25), by
structures and enumeration values of that version, and that the operations and object types that a client was promised
are there. Notify and Put are messages to clients (section 5): no server serves them.
"""
from pathlib import Path

from vectors import SPEC, TYPES, camel, columns, plain, rows, value_of, version_of

# What each Query Function may bring. The list of extensions is the map without its numbers.
BROUGHT = {
    1: {"operation"}, 2: {"objecttype"}, 3: {"vendoridentification", "serverinformation"}, 4: {"applicationnamespace"},
    5: {"extensioninformation"}, 6: {"extensioninformation"}, 7: {"attestationtype"}, 8: {"rngparameters"},
    9: {"validationinformation"}, 10: {"profileinformation"}, 11: {"capabilityinformation"},
    12: {"clientregistrationmethod"}}
EXTENSION_LIST, EXTENSION_MAP = 5, 6
# A server may truly have none of the others.
ALWAYS_TOLD = {"operation", "objecttype", "vendoridentification", "rngparameters", "profileinformation",
               "capabilityinformation", "clientregistrationmethod"}
COMPARED = {"operation", "objecttype"}
TO_CLIENTS = {"Notify", "Put"}
KINDS = {"INTEGER": "Integer", "LONG": "LongInteger", "ENUM": "Enumeration", "ENUMS": "Enumeration",
         "BOOLEAN": "Boolean", "TEXT": "TextString", "TEXTS": "TextString", "BYTES": "ByteString", "DATE": "DateTime",
         "CHILD": "Structure", "CHILDREN": "Structure", "RAW": "Structure"}
REPEATED = {"ENUMS", "TEXTS", "CHILDREN"}


class Wrong(Exception):
    """The answer is not one that the specification allows."""


class ServerInformation:
    def __init__(self, tables):
        self.tables = tables
        self.names = tables.names
        self.fields = {}
        tags = {columns(row)[1]: plain(camel(columns(row)[2])) for row in rows("tags.def", "TAG")}
        for kind in KINDS:
            for file in ("structures.def", "payloads.def"):
                self.read_fields(file, kind, tags)

    def read_fields(self, file, kind, tags):
        text = (Path(SPEC) / file).read_text(encoding="utf-8").splitlines()
        for row in rows(file, kind):
            cells = columns(row)
            place = text.index(f"{kind}({row})")
            span = version_of(cells[4]), version_of(cells[5])
            self.fields.setdefault(cells[0], []).append(
                (place, tags[cells[1]], kind, cells[3] == "REQUIRED", span, cells[6] if len(cells) > 6 else None))
            self.fields[cells[0]].sort()

    def judge(self, version, functions, wanted, given):
        """Wrong, when these parts of the answer to these functions are not as they must be."""
        allowed = set().union(*(BROUGHT[function] for function in functions))
        told = [self.names.get(node.tag, hex(node.tag)) for node in given]
        for name in told:
            if name not in allowed:
                raise Wrong(f"{name} was not asked for")
        self.judge_structure(version, "query_response", given)
        for element in wanted:
            name = plain(element.tag)
            if name in ALWAYS_TOLD and name not in told:
                raise Wrong(f"{element.tag} is missing")
            if name in COMPARED and value_of(element) not in TO_CLIENTS:
                self.judge_listed(element, given)
        if EXTENSION_LIST in functions and EXTENSION_MAP not in functions:
            for node in given:
                if self.names.get(node.tag) == "extensioninformation" and len(node.value) != 1:
                    raise Wrong("an extension list tells names alone")

    def judge_listed(self, element, given):
        tag = self.tables.tags[plain(element.tag)][0]
        number = self.tables.sets[plain(element.tag)][plain(value_of(element))]
        if not any(node.tag == tag and node.value == number for node in given):
            raise Wrong(f"{element.tag} {value_of(element)} is missing")

    def judge_structure(self, version, structure, nodes):
        left = list(nodes)
        for _, name, kind, required, (since, until), child in self.fields[structure]:
            count = 0
            while left and self.names.get(left[0].tag) == name and (count == 0 or kind in REPEATED):
                if not since <= version <= until:
                    raise Wrong(f"{name} is not of this version")
                self.judge_field(version, name, kind, child, left.pop(0))
                count += 1
            if required and count == 0:
                raise Wrong(f"{structure} without {name}")
        if left:
            raise Wrong(f"{self.names.get(left[0].tag, hex(left[0].tag))} in {structure}: unknown, twice, or out of order")

    def judge_field(self, version, name, kind, child, node):
        if node.kind != TYPES[KINDS[kind]]:
            raise Wrong(f"{name} has type {node.kind}")
        if kind in ("ENUM", "ENUMS"):
            if not self.tables.lives((name, node.value), version):
                raise Wrong(f"{name} {node.value} is not of this version")
        if kind in ("CHILD", "CHILDREN"):
            self.judge_structure(version, child, node.value)


def functions_of(tables, request):
    """The numbers of the Query Functions that a request message asks for."""
    return [tables.sets["queryfunction"][plain(value_of(element))] for element in request.iter("QueryFunction")]


def version_asked(request):
    return tuple(int(value_of(request.find(f".//ProtocolVersion{part}"))) for part in ("Major", "Minor"))
