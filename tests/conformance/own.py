# SPDX-License-Identifier: Apache-2.0
"""The repository's own cases, own/*.case, read into the form of the published ones (README.md says how they are written), and
compared without any of the room that those need: each field, in its order, with its value.
"""
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import wire
from law import Different
from session import NOW_SLACK_S, Session
from vectors import TYPES, camel, columns, plain, rows, value_of, version_of

FOLDER = Path(__file__).resolve().parent / "own"
BLOCKS = "blocks.case"
STATUSES = {"Success": "Success", "Pending": "OperationPending", "Undone": "OperationUndone"}
UNTOLD = {plain("TimeStamp"), plain("ResultMessage")}
LISTS = {"GetAttributes", "GetAttributeList", "Locate", "Query", "DiscoverVersions"}
SPAN = re.compile(r"\s*\[(\d\.\d)?(-)?(\d\.\d)?\]$")
ANYTHING, MORE = "*", "..."


class Unreadable(Exception):
    """A case is not written as README.md says."""


def spans(text):
    """The line without its "[1.2-]", and whether it is for a version."""
    found = SPAN.search(text)
    if not found:
        return text, lambda version: True
    since, dash, until = found.groups()
    first = tuple(map(int, since.split("."))) if since else (0, 0)
    last = tuple(map(int, until.split("."))) if until else (9, 9) if dash else first
    return text[:found.start()], lambda version: first <= version <= last


def lines_of(path):
    """(number, indentation, text) of all that is no comment."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text = line.rstrip() if not line.lstrip().startswith("#") else ""
        if text:
            yield number, len(text) - len(text.lstrip()), text.strip()


class Case:
    def __init__(self, path, sentence, versions):
        self.path, self.sentence, self.versions, self.lines = path, sentence, versions, []

    @property
    def name(self):
        return f"own/{self.path.stem}: {self.sentence}"


class Reader:
    """All cases of a folder."""

    def __init__(self, tables, folder=FOLDER):
        self.tables, self.cases, self.blocks = tables, [], {}
        self.kinds = {plain(camel(columns(row)[2])): camel(columns(row)[3].replace("_", " ").lower())
                      for row in rows("tags.def", "TAG")}
        names = {columns(row)[1]: columns(row)[2] for row in rows("tags.def", "TAG")}
        self.attributes = {names[columns(row)[0]]: camel(columns(row)[1].replace("_", " ").lower())
                           for row in rows("attributes.def", "ATTRIBUTE")}
        for path in [folder / BLOCKS, *sorted(path for path in folder.glob("*.case") if path.name != BLOCKS)]:
            self.read(path)

    def read(self, path):
        target, versions = None, self.tables.versions
        for number, indent, text in lines_of(path):
            word, _, rest = text.partition(" ")
            if indent == 0 and word == "versions":
                _, holds = spans(f" [{rest}]")
                chosen = [version for version in self.tables.versions if holds(version)]
                if isinstance(target, Case) and not target.lines:
                    target.versions = chosen
                else:
                    versions = chosen
            elif indent == 0 and word == "case":
                target = Case(path, rest, versions)
                self.cases.append(target)
            elif indent == 0 and word == "block":
                target = self.blocks.setdefault(rest, [])
            elif target is not None:
                lines = target.lines if isinstance(target, Case) else target
                lines += self.block(path, number, rest) if indent == 0 and word == "do" else [(number, indent, text)]
            else:
                raise Unreadable(f"{path.name}:{number}: before the first case")

    def block(self, path, number, call):
        """The lines of a block, with $key as the caller names it: `do aes key $other`."""
        name, _, placeholder = call.partition(" $")
        if name not in self.blocks:
            raise Unreadable(f"{path.name}:{number}: there is no block {name}")
        return [(line, indent, text.replace("$key", "$" + placeholder) if placeholder else text)
                for line, indent, text in self.blocks[name]]

    def messages(self, case, version):
        """The case as KMIP elements: a request, its answer, a request, ..."""
        return Writer(self, case, version).root


class Writer:
    def __init__(self, reader, case, version):
        self.reader, self.case, self.version = reader, case, version
        self.root = ET.Element("KMIP")
        self.request = self.answer = None
        self.write(self.chosen(case.lines))

    def chosen(self, lines):
        """What is for this version, with what is under it."""
        skipped = None
        for number, indent, text in lines:
            if skipped is not None and indent > skipped:
                continue
            text, holds = spans(text)
            skipped = None if holds(self.version) else indent
            if skipped is None:
                yield number, indent, text

    def write(self, lines):
        parents = []  # (indentation, element)
        for number, indent, text in lines:
            while parents and parents[-1][0] >= indent:
                parents.pop()
            if indent == 0:
                parents = [(0, self.begin(number, text))]
            elif not parents:
                raise self.unreadable(number)
            else:
                parents.append((indent, self.field(number, parents[-1][1], text)))
        self.finish()

    def unreadable(self, number, what="not understood"):
        return Unreadable(f"{self.case.path.name}:{number}: {what}")

    def begin(self, number, text):
        sign, _, rest = text.partition(" ")
        if text == "header" or sign == ">" and self.request is None or sign == ">" and len(self.answer):
            self.finish()
            self.request, self.answer = ET.Element("RequestMessage"), ET.Element("ResponseMessage")
            self.heads = ET.Element("RequestHeader"), ET.Element("ResponseHeader")
        if text == "header":
            return self.heads[0]
        if text == "answer header":
            return self.heads[1]
        if sign == ">":
            return self.ask(rest)
        if sign in ("<", "<!"):
            return self.tell(number, rest, sign == "<!")
        raise self.unreadable(number)

    def ask(self, operation):
        item = ET.SubElement(self.request, "BatchItem")
        ET.SubElement(item, "Operation", type="Enumeration", value=camel(operation))
        return ET.SubElement(item, "RequestPayload")

    def tell(self, number, outcome, is_whole):
        asked = self.request.findall("BatchItem")
        place = len(self.answer.findall("BatchItem"))
        if place >= len(asked):
            raise self.unreadable(number, "more answers than requests")
        item = ET.SubElement(self.answer, "BatchItem")
        operation, _, outcome = outcome.rpartition(": ")
        if not is_whole:
            ET.SubElement(item, "Operation", type="Enumeration",
                          value=camel(operation) if operation else value_of(asked[place][0]))
        status = STATUSES.get(outcome, "OperationFailed")
        ET.SubElement(item, "ResultStatus", type="Enumeration", value=status)
        if status == "OperationFailed":
            ET.SubElement(item, "ResultReason", type="Enumeration", value=camel(outcome))
        if status == "OperationPending":
            ET.SubElement(item, "AsynchronousCorrelationValue", type="ByteString", value="$later")
        return ET.SubElement(item, "ResponsePayload") if status == "Success" else item

    def field(self, number, parent, text):
        if text == MORE:
            parent.set("more", "true")
            return parent
        name, _, value = text.partition(": ")
        name = name.rstrip(":")
        if name.startswith("@"):
            return self.attribute(parent, name[1:], value)
        tag = camel(name)
        if plain(tag) not in self.reader.tables.tags:
            raise self.unreadable(number, f"there is no {name}")
        if not value:
            return ET.SubElement(parent, tag)
        return self.leaf(parent, tag, self.reader.kinds[plain(tag)], value)

    def attribute(self, parent, name, value):
        name, index = re.fullmatch(r"(.*?)(?:#(\d+))?", name).groups()
        element = ET.SubElement(parent, "Attribute")
        ET.SubElement(element, "AttributeName", type="TextString", value=name)
        if index:
            ET.SubElement(element, "AttributeIndex", type="Integer", value=index)
        kind = self.reader.attributes.get(name)
        if not value:
            return ET.SubElement(element, "AttributeValue")
        if kind is None:
            kind, _, value = value.partition(" ")
            kind = camel(kind.replace("-", " "))
        return self.leaf(element, "AttributeValue", kind, value)

    @staticmethod
    def leaf(parent, tag, kind, value):
        if kind in ("Any", "Structure"):  # material that is bytes
            kind = "ByteString"
        if kind == "Integer" and value[0].isalpha():  # bits of a mask, each by a name of several words
            value = " ".join(plain(word) for word in value.split("|"))
        if value == "empty":
            value = ""
        return ET.SubElement(parent, tag, type=kind, value=value.strip('"') if value.startswith('"') else value)

    def finish(self):
        if self.request is None:
            return
        for message, head in zip((self.request, self.answer), self.heads):
            self.put_head(message, head)
        self.root.append(self.request)
        self.root.append(self.answer)

    def put_head(self, message, head):
        """Version first and count last, as they are unless the case says otherwise; ids where there are several items."""
        items = message.findall("BatchItem")
        if head.find("ProtocolVersion") is None:
            version = ET.Element("ProtocolVersion")
            for part, number in zip(("Major", "Minor"), self.version):
                ET.SubElement(version, "ProtocolVersion" + part, type="Integer", value=str(number))
            head.insert(0, version)
        if head.find("BatchCount") is None:
            ET.SubElement(head, "BatchCount", type="Integer", value=str(len(items)))
        if len(self.request.findall("BatchItem")) > 1:
            for number, item in enumerate(items, 1):
                if item[0].tag == "Operation":
                    item.insert(1, ET.Element("UniqueBatchItemID", type="ByteString", value=f"{number:02x}"))
        message.insert(0, head)


class OwnSession(Session):
    def compare_structure(self, want, got, path):
        wanted = [child for child in want if plain(child.tag) not in UNTOLD]
        given = [child for child in got.value if self.tables.names.get(child.tag) not in UNTOLD]
        if want.tag == "ResponsePayload" and self.operation in LISTS:
            self.compare_lists(wanted, given, path)
            return
        name = next((value_of(child) for child in want if child.tag == "AttributeName"), None)
        for child in wanted:
            if not given or given[0].tag != self.tables.tags[plain(child.tag)][0]:
                self.fail(path, child.tag, self.named(given[0]) if given else "nothing")
            self.compare(child, given.pop(0), path, name)
        if given and not want.get("more"):
            self.fail(path, "nothing more", self.named(given[0]))

    def named(self, node):
        return self.tables.names.get(node.tag, hex(node.tag))

    def may_be_more(self, name):
        return self.is_open

    def compare(self, want, got, path, attribute=None):
        if want.tag == "BatchItem":
            payload = want.find("ResponsePayload")
            self.is_open = payload is not None and payload.get("more") is not None
        super().compare(want, got, path, attribute)

    def compare_leaf(self, want, got, path, attribute):
        expected = want.get("value")
        shown = got.value.hex() if isinstance(got.value, bytes) else str(got.value)
        moment = self.moment(expected.upper())
        if expected == ANYTHING:
            return
        if moment is not None:
            if abs(got.value - moment) > NOW_SLACK_S:
                self.fail(path, expected, got.value - self.now)
        elif expected.startswith("$"):
            self.compare_bound(expected, shown, path)
        elif got.value != self.value(want, want.get("type"), attribute):
            self.fail(path, expected, shown)

    def compare_bound(self, placeholder, shown, path):
        """A placeholder stands for one value, and no other one does."""
        if self.bound.setdefault(placeholder, shown) != shown:
            self.fail(path, f"{placeholder} = {self.bound[placeholder]}", shown)
        if any(value == shown for other, value in self.bound.items() if other != placeholder):
            self.fail(path, f"a {placeholder} of its own", shown)

    def fill(self, element):
        value = element.get("value")
        return super().fill(element) if value.startswith("$") else value

    def moment(self, text):
        return super().moment(text.upper())
