#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Can a case fail? Sessions against answers that are made up here: the right one passes; each that is bent in one place does not,
neither where a published case is compared nor where one of our own is.
"""
import copy
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "harness"))

from law import Different  # noqa: E402
from own import OwnSession  # noqa: E402
from session import Session  # noqa: E402
from vectors import Tables, date_of, ttlv  # noqa: E402

HEAD = """<ProtocolVersion><ProtocolVersionMajor type="Integer" value="1"/><ProtocolVersionMinor type="Integer" value="{minor}"/>
</ProtocolVersion>{stamp}<BatchCount type="Integer" value="1"/>"""
STAMP = '<TimeStamp type="DateTime" value="2012-04-27T08:14:38+00:00"/>'
CASE = """<KMIP>
<RequestMessage><RequestHeader>{request}</RequestHeader><BatchItem><Operation type="Enumeration" value="Create"/><RequestPayload>
<ObjectType type="Enumeration" value="SymmetricKey"/><TemplateAttribute/></RequestPayload></BatchItem></RequestMessage>
<ResponseMessage><ResponseHeader>{response}</ResponseHeader><BatchItem><Operation type="Enumeration" value="Create"/>
<ResultStatus type="Enumeration" value="Success"/><ResponsePayload><ObjectType type="Enumeration" value="SymmetricKey"/>
<UniqueIdentifier type="TextString" value="$UNIQUE_IDENTIFIER_0"/></ResponsePayload></BatchItem></ResponseMessage>
<RequestMessage><RequestHeader>{request}</RequestHeader><BatchItem><Operation type="Enumeration" value="GetAttributes"/>
<RequestPayload><UniqueIdentifier type="TextString" value="$UNIQUE_IDENTIFIER_0"/>
<AttributeName type="TextString" value="State"/><AttributeName type="TextString" value="Initial Date"/></RequestPayload>
</BatchItem></RequestMessage>
<ResponseMessage><ResponseHeader>{response}</ResponseHeader><BatchItem><Operation type="Enumeration" value="GetAttributes"/>
<ResultStatus type="Enumeration" value="Success"/><ResponsePayload><UniqueIdentifier type="TextString"
value="$UNIQUE_IDENTIFIER_0"/><Attribute><AttributeName type="TextString" value="State"/>
<AttributeValue type="Enumeration" value="PreActive"/></Attribute><Attribute><AttributeName type="TextString"
value="Initial Date"/><AttributeValue type="DateTime" value="$NOW"/></Attribute></ResponsePayload></BatchItem></ResponseMessage>
</KMIP>""".format(request=HEAD.format(minor=1, stamp=""), response=HEAD.format(minor=1, stamp=STAMP))


def seconds_away(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


def right_answers(root):
    answers = copy.deepcopy(root.findall("ResponseMessage"))
    for element in [element for answer in answers for element in answer.iter()]:
        if element.get("value") == "$UNIQUE_IDENTIFIER_0":
            element.set("value", "0d3b")
        if element.tag == "TimeStamp" or element.get("value") == "$NOW":
            element.set("value", seconds_away(0))
    return answers


def setting(path, value):
    def bend(answer):
        answer.find(path).set("value", value)
    return bend


def moving(path, first, second):
    def bend(answer):
        parent = answer.find(path)
        one = parent[first]
        parent.remove(one)
        parent.insert(second, one)
    return bend


def dropping(path, place):
    def bend(answer):
        answer.find(path).remove(answer.find(path)[place])
    return bend


def adding(path, place, tag, kind=None, value=None):
    def bend(answer):
        element = ET.Element(tag) if kind is None else ET.Element(tag, type=kind, value=value)
        answer.find(path).insert(place, element)
    return bend


def adding_attribute(name, kind, value):
    def bend(answer):
        attribute = ET.SubElement(answer.find(PAYLOAD), "Attribute")
        ET.SubElement(attribute, "AttributeName", type="TextString", value=name)
        ET.SubElement(attribute, "AttributeValue", type=kind, value=value)
    return bend


PAYLOAD = "BatchItem/ResponsePayload"
# (what is wrong, number of the answer, how it is bent)
BENT = (
    ("another object type", 0, setting(PAYLOAD + "/ObjectType", "SecretData")),
    ("fields out of order", 0, moving(PAYLOAD, 0, 1)),
    ("no identifier", 0, dropping(PAYLOAD, 1)),
    ("one field more", 0, adding(PAYLOAD, 2, "UniqueIdentifier", "TextString", "0d3c")),
    ("a failure", 0, setting("BatchItem/ResultStatus", "OperationFailed")),
    ("a reason with success", 0, adding("BatchItem", 2, "ResultReason", "Enumeration", "ItemNotFound")),
    ("no payload", 0, dropping("BatchItem", 2)),
    ("another operation", 0, setting("BatchItem/Operation", "Register")),
    ("an item's id that nobody sent", 0, adding("BatchItem", 1, "UniqueBatchItemID", "ByteString", "01")),
    ("another version", 0, setting("ResponseHeader/ProtocolVersion/ProtocolVersionMinor", "2")),
    ("no time stamp", 0, dropping("ResponseHeader", 1)),
    ("a time stamp of last year", 0, setting("ResponseHeader/TimeStamp", seconds_away(-31536000))),
    ("a wrong count", 0, setting("ResponseHeader/BatchCount", "2")),
    ("another identifier than before", 1, setting(PAYLOAD + "/UniqueIdentifier", "0d3c")),
    ("another state", 1, setting(PAYLOAD + "/Attribute/AttributeValue", "Active")),
    ("a date of tomorrow", 1, setting(PAYLOAD + "/Attribute[2]/AttributeValue", seconds_away(86400))),
    ("an attribute is missing", 1, dropping(PAYLOAD, 2)),
    ("the identifier last", 1, moving(PAYLOAD, 0, 2)),
    ("an attribute that was not asked for", 1, adding_attribute("Lease Time", "Interval", "0")),
    ("an attribute of a later version", 1, adding_attribute("Sensitive", "Boolean", "false")),
    ("an attribute twice", 1, adding_attribute("State", "Enumeration", "PreActive")),
    ("the status first", 0, moving("BatchItem", 1, 0)),
    ("the count before the time", 1, moving("ResponseHeader", 2, 1)),
    ("a field of another operation", 1, adding(PAYLOAD, 1, "LocatedItems", "Integer", "1")),
)
# What no answer may be, whatever a case expects.
UNLAWFUL = {"fields out of order", "a reason with success", "no payload", "another operation", "an item's id that nobody sent",
            "another version", "no time stamp", "a time stamp of last year", "the identifier last",
            "an attribute of a later version", "the status first", "the count before the time", "a field of another operation"}


class AnyAnswer(Session):
    """A case that expects nothing, and asks on with what it was told or not."""

    def fill(self, element):
        return element.get("value")

    def compare(self, want, got, path, attribute=None):
        pass


def outcome(tables, session, root, answers):
    """None, or what a session says is different."""
    frames = iter([ttlv(tables, answer) for answer in answers])
    try:
        session(tables, root, lambda frame, home: (next(frames), "a")).run()
    except Different as different:
        return str(different)
    return None


def repeated(tables):
    """Only what is published with that remark is asked again when it is answered otherwise: (remark, outcome)."""
    for remark in ("# TIME 1", "# TIME 1\n# [REPEAT] until the State is Pre-Active"):
        root = ET.fromstring(CASE)
        root[1].tail = remark
        answers = right_answers(root)
        setting(PAYLOAD + "/Attribute/AttributeValue", "Active")(answers[1])
        yield remark, outcome(tables, Session, root, answers + right_answers(root)[1:])


def main():
    tables, root, failed, passed = Tables(), ET.fromstring(CASE), 0, 0
    assert date_of(seconds_away(0)) <= time.time()
    for session in (Session, OwnSession, AnyAnswer):
        own = copy.deepcopy(root)
        wrong = outcome(tables, session, own, right_answers(root))
        if wrong is not None:
            failed += 1
            print(f"FAILED: {session.__name__}: the right answers are different: {wrong}")
        for what, number, bend in BENT:
            if session is AnyAnswer and what not in UNLAWFUL:
                continue
            answers = right_answers(root)
            bend(answers[number])
            if outcome(tables, session, own, answers) is None:
                failed += 1
                print(f"FAILED: {session.__name__}: not noticed: {what}")
            else:
                passed += 1
    for remark, different in repeated(tables):
        if (different is None) != ("[REPEAT]" in remark):
            failed += 1
            print(f"FAILED: with the remark {remark!r}: {different}")
        else:
            passed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
