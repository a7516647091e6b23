# SPDX-License-Identifier: Apache-2.0
"""The published vectors (XML, folder in KMIP_VECTORS) as TTLV, by the names of kmip/spec/*.def."""
import calendar, os, re, struct, sys
import xml.etree.ElementTree as ET
from pathlib import Path

SPEC = Path(__file__).resolve().parents[2] / "kmip" / "spec"
TYPES = {"Structure": 1, "Integer": 2, "LongInteger": 3, "BigInteger": 4, "Enumeration": 5, "Boolean": 6,
         "TextString": 7, "ByteString": 8, "DateTime": 9, "Interval": 10, "DateTimeExtended": 11}
# Set-up helpers of interoperability servers and other things that no specification defines.
NOT_OASIS = ("ovh-authored", "ovh-variant")
NOT_NAMES = {"KMIP", "KmipTestCase", "TTLV"}


def camel(text):
    """The name of the XML profile for a display name."""
    text = re.sub(r"[()]", " ", text)
    text = re.sub(r"\W(?=[A-Za-z][a-z])", " ", text)
    text = re.sub(r"[^\w ]", "_", text)
    words = text.split()
    lead = re.match(r"\d+", words[0])
    if lead:
        words[0] = words[0][lead.end():] + lead.group()
        if words[0] == lead.group():
            words = words[1:] + [lead.group()]
    return "".join(word[:1].upper() + word[1:] for word in words)


def plain(text):
    """For comparing: letters and digits only, so that spellings of separators do not matter."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def rows(name, macro):
    """The text between the parentheses of each row; a row may be longer than a line."""
    return re.findall(r'^%s\(((?:[^()]|\([^()]*\))*)\)$' % macro, (SPEC / name).read_text(), re.M)


def columns(row):
    return [cell.strip().strip('"') for cell in re.findall(r'"[^"]*"|[^,]+', row)]


def version_of(cell):
    """KMIP_1_4 as (1, 4); KMIP_END as what no version reaches."""
    return tuple(int(number) for number in cell.split("_")[1:]) if cell != "KMIP_END" else (255, 255)


class Tables:
    """Names and numbers of kmip/spec/*.def. `times`: since and until when a tag, an attribute, or a value of an enumeration is
    there, by (kind, which)."""

    versions = ((1, 0), (1, 1), (1, 2), (1, 3), (1, 4))

    def __init__(self):
        self.tags, self.sets, self.masks, self.times = {}, {}, {}, {}
        by_constant = {}
        for row in rows("tags.def", "TAG"):
            cells = columns(row)
            by_constant[cells[1]] = cells[2]
            self.tags[plain(camel(cells[2]))] = (int(cells[0], 16), cells[1])
            self.add_times("tag", int(cells[0], 16), cells[5:7])
        self.names = {number: name for name, (number, _) in self.tags.items()}
        for row in rows("attributes.def", "ATTRIBUTE"):
            cells = columns(row)
            self.add_times("attribute", by_constant[cells[0]], cells[3:5])
        display = {columns(row)[0]: columns(row)[2] for row in rows("enums.def", "SET")}
        for row in rows("enums.def", "MEMBER"):
            cells = columns(row)
            names = self.sets.setdefault(plain(camel(display[cells[0]])), {})
            names[plain(cells[2])] = names[plain(camel(cells[2]))] = int(cells[3], 16)
            self.add_times(plain(camel(display[cells[0]])), int(cells[3], 16), cells[4:6])
        for row in rows("masks.def", "MASK"):
            cells = columns(row)
            self.masks.setdefault(plain(cells[0]), {})[plain(cells[2])] = int(cells[3], 16)
        bits = self.masks["cryptographicusagemask"]
        bits["contentcommitment"] = bits["contentcommitmentnonrepudiation"]
        reasons = self.sets["resultreason"]
        reasons["notauthorized"] = reasons["notauthorised"]
        self.sets["maskgeneratorhashingalgorithm"] = self.sets["hashingalgorithm"]
        functions = self.sets["queryfunction"]  # some vectors say QueryOperations for Operations
        functions.update({"query" + name: number for name, number in list(functions.items())})
        methods = self.sets["splitkeymethod"]
        methods["polynomialsharinggf28"], methods["polynomialsharinggf216"] = 4, 2

    def add_times(self, kind, which, cells):
        self.times[kind, which] = tuple(version_of(cell) for cell in cells)

    def lives(self, what, version):
        """Whether a version has it."""
        since, until = self.times.get(what, ((255, 255), (0, 0)))
        return since <= version <= until


def value_of(element):
    return " ".join(element.get("value", "").split())


def context_of(element, attribute_name):
    """The enumeration or mask that a value belongs to."""
    return plain(attribute_name) if element.tag == "AttributeValue" and attribute_name else plain(element.tag)


def number_of(tables, element, context, kind):
    value = value_of(element)
    if re.fullmatch(r"-?\d+", value):
        return int(value)
    if re.fullmatch(r"0x[0-9A-Fa-f]+", value):
        return int(value, 16)
    if kind == "Enumeration":
        if context == "attributereference" or context == "tag":
            return tables.tags[plain(value)][0]
        return tables.sets[context][plain(value)]
    total = 0
    for word in re.split(r"[ |]+", value):
        total |= int(word, 16) if word.startswith("0x") else tables.masks[context][plain(word)]
    return total


def walk(element, name=None):
    """Every element with the name of the attribute that it is the value of."""
    yield element, name
    inner = None
    for child in element:
        if child.tag == "AttributeName":
            inner = value_of(child)
        yield from walk(child, inner if child.tag == "AttributeValue" else None)


def parse(path):
    """One file is broken as published: it closes its root twice."""
    text = path.read_text(encoding="utf-8")
    try:
        return ET.fromstring(text)
    except ET.ParseError:
        return ET.fromstring(re.sub(r"(</KMIP>\s*)+$", "</KMIP>", text))


def vectors(versions):
    root = os.environ.get("KMIP_VECTORS")
    if not root or not Path(root).is_dir():
        sys.exit("SKIPPED: KMIP_VECTORS does not name a folder")
    for version in versions:
        for path in sorted((Path(root) / version).rglob("*.xml")):
            if path.parent.name not in NOT_OASIS:
                yield path, parse(path)


def date_of(value):
    if value.startswith("0x"):  # beyond the years that a calendar has
        return int(value, 16)
    match = re.match(r"(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)", value)
    return calendar.timegm(tuple(map(int, match.groups()))) if match else 1


def scalar(tables, element, context, kind):
    value = value_of(element)
    blank = value.startswith("$")
    if kind in ("Integer", "Enumeration"):
        number = 1 if blank else number_of(tables, element, context, kind)
        return struct.pack(">I", number & 0xFFFFFFFF)
    if kind == "Interval":
        return struct.pack(">I", int(value))
    if kind == "Boolean":
        return struct.pack(">Q", value.lower() == "true")
    if kind == "LongInteger":
        return struct.pack(">q", int(value, 0))
    if kind == "DateTime":
        return struct.pack(">q", date_of(value))
    if kind == "TextString":
        return element.get("value", "").encode()
    data = b"placeholder" if blank else bytes.fromhex(value.replace(" ", ""))
    if kind == "BigInteger":
        data = data.rjust((len(data) + 7) // 8 * 8 or 8, b"\0")
    return data


def ttlv(tables, element, attribute=None):
    kind = element.get("type", "Structure")
    tag = int(element.get("tag"), 16) if element.tag == "TTLV" else tables.tags[plain(element.tag)][0]
    if kind == "Structure":
        body, inner = b"", None
        for child in element:
            if child.tag == "AttributeName":
                inner = value_of(child)
            body += ttlv(tables, child, inner if child.tag == "AttributeValue" else None)
    else:
        body = scalar(tables, element, context_of(element, attribute), kind)
    head = struct.pack(">II", tag << 8 | TYPES[kind], len(body))
    return head + body + b"\0" * (-len(body) % 8)
