# SPDX-License-Identifier: Apache-2.0
"""One published case as a session: requests with what earlier answers gave filled in, answers compared with what was
published. What may differ is the list of the KMIP Profiles 1.3, section 4.1; anything else is a failure.
"""
import copy
import datetime
import itertools
import re
import time

import wire
from law import Different, Law
from server_information import ServerInformation, Wrong, functions_of, version_asked
from vectors import TYPES, context_of, date_of, plain, scalar, ttlv, value_of

PENDING_S, POLL_EVERY_S, OPERATION_PENDING = 20, 0.02, 2  # also of what is repeated until it is so
UNAVAILABLE = 5  # a Cancellation Result
MADE_SLACK, DER_MIN = 8, 100  # bytes
NOW_SLACK_S = 120  # what $NOW may be off: a slow machine is no fault
# Operations whose answers hold material that the server made.
MAKERS = {"Create", "CreateKeyPair", "ReKey", "ReKeyKeyPair", "Certify", "ReCertify", "CreateSplitKey", "RNGRetrieve"}
# Operations whose answers hold lists in any order, and what of an answer is never compared.
LISTS = ("DiscoverVersions", "Locate", "GetAttributes", "GetAttributeList")
IGNORED = {plain(name) for name in (
    "TimeStamp", "ResultMessage", "TemplateAttribute", "PrivateKeyTemplateAttribute", "PublicKeyTemplateAttribute",
    "ServerInformation", "MessageExtension", "ServerCorrelationValue", "VendorIdentification", "LocatedItems")}
IDENTIFIERS = {plain(name) for name in (
    "UniqueIdentifier", "PrivateKeyUniqueIdentifier", "PublicKeyUniqueIdentifier", "LinkedObjectIdentifier")}
MADE = {plain(name) for name in (
    "KeyMaterial", "DigestValue", "CertificateValue", "Modulus", "PrivateExponent", "PublicExponent", "P", "Q",
    "PrimeExponentP", "PrimeExponentQ", "CRTCoefficient", "QString", "D", "Data", "IVCounterNonce", "KeyValue",
    "CertificateSerialNumber", "SerialNumber")}
FREE_LENGTHS = {"certificatevalue", "certificateserialnumber", "serialnumber"}  # each authority has its own
CORRELATIONS = {plain(name) for name in ("CorrelationValue", "AsynchronousCorrelationValue")}
NAMED = {"macdata": "$MAC_DATA", "signaturedata": "$SIGNATURE_DATA"}
DRAWN = {"data": "$DATA_0", "ivcounternonce": "$IV_COUNTER_NONCE"}  # the same, where the server drew an IV
COMPUTED = {"data", "macdata", "signaturedata", "authenticatedencryptiontag", "ivcounternonce"}
# Attributes that are free unless the client fixed them.
DATES = {plain(name) for name in (
    "Initial Date", "Last Change Date", "Activation Date", "Deactivation Date", "Destroy Date", "Archive Date",
    "Compromise Date", "Compromise Occurrence Date", "Original Creation Date", "Lease Time", "Object Group")}


class Session:
    """`ask(frame, home)` sends bytes to an endpoint of its choice, or to `home`, and returns (answer's bytes, endpoint)."""

    def __init__(self, tables, root, ask):
        self.tables, self.ask = tables, ask
        self.homes = {}  # correlation value: the endpoint that gave it
        self.root = root
        self.bound = {}  # placeholder or published identifier: what the server said instead
        self.reasons = []  # of the answer that is compared
        self.made = {}  # published material: what the server made instead
        self.now = int(time.time())
        self.sent = " ".join(
            value_of(element) for message in root if message.tag == "RequestMessage" for element in message.iter())
        self.sent_dates = {date_of(word) for word in self.sent.split() if re.match(r"\d+-\d+-\d+T", word)}
        self.operations = {value_of(element) for element in root.iter("Operation")}
        self.server = ServerInformation(tables)

    def follow(self, before):
        """Looks for what another session made."""
        self.operations |= before.operations
        self.sent_dates |= before.sent_dates

    def run(self):
        """Different with the number of the message, when one is not answered as published."""
        messages = [message for message in self.root if message.tag in ("RequestMessage", "ResponseMessage")]
        if len(messages) % 2 or not messages:
            raise Different(f"{len(messages)} messages: not every request has its answer")
        repeated = None  # what is asked until it is answered as published: also once more, for the next answer
        for number, (request, response) in enumerate(zip(messages[::2], messages[1::2])):
            if request.tag != "RequestMessage" or response.tag != "ResponseMessage":
                raise Different(f"message {number}: no request and answer")
            asked = [(element.tag, element.get("value")) for element in request.iter()]
            repeated = asked if asked == repeated or self.is_repeated(request) else None
            try:
                (self.repeat if repeated else self.step)(request, response)
            except Different as different:
                raise Different(f"message {number}: {different}") from None

    def is_repeated(self, request):
        """Published with the remark that it is asked until it is answered so. Polls are (exchange), whatever is remarked."""
        elements = list(self.root)
        place = elements.index(request)
        remark = elements[place - 1].tail if place else self.root.text
        return "[REPEAT]" in (remark or "") and not self.polls(request)

    def repeat(self, request, response):
        deadline, bound = time.monotonic() + PENDING_S, dict(self.bound)
        while True:
            try:
                self.step(request, response)
                return
            except Different:
                if time.monotonic() > deadline:
                    raise
            self.bound = dict(bound)
            time.sleep(POLL_EVERY_S)

    def step(self, request, response):
        filled = copy.deepcopy(request)
        for element in filled.iter():
            if element.get("value") is not None:
                element.set("value", self.fill(element))
        message = self.exchange(filled)
        self.reasons = [item.get(wire.REASON) for item in message.all(wire.BATCH_ITEM)]
        self.operation, self.items, self.request = None, iter(request.findall("BatchItem")), filled
        self.compare(response, message, ())

    def exchange(self, request):
        """The answer; what is polled is asked for again while it is pending."""
        polls = self.polls(request)
        deadline = time.monotonic() + PENDING_S
        while True:
            frame = ttlv(self.tables, request)
            answer, endpoint = self.ask(frame, self.home(request))
            (message,) = wire.read(answer)
            Law(self.tables).check(wire.read(frame)[0], message)
            self.take_in(message, endpoint)
            if not polls or message.get(wire.BATCH_ITEM, wire.STATUS) != OPERATION_PENDING:
                return message
            if time.monotonic() > deadline:
                raise Different("is pending for too long")
            time.sleep(POLL_EVERY_S)

    @staticmethod
    def polls(request):
        return any(value_of(element) == "Poll" for element in request.iter("Operation"))

    # ---- where a request must go: what is under way lives in the keeper that began it, and is not told to its peer ----

    def home(self, request):
        return next((self.homes[value_of(element)] for element in request.iter()
                     if plain(element.tag) in CORRELATIONS and value_of(element) in self.homes), None)

    def take_in(self, node, endpoint):
        if self.tables.names.get(node.tag) in CORRELATIONS:
            self.homes[node.value.hex()] = endpoint
        for child in node.value if node.kind == wire.STRUCTURE else ():
            self.take_in(child, endpoint)

    # ---- requests ----

    def moment(self, text):
        return self.now + int(text[4:] or 0) if re.fullmatch(r"\$NOW([+-]\d+)?", text) else None

    def fill(self, element):
        value = " ".join(element.get("value").split()) if "  " in element.get("value") else element.get("value")
        moment = self.moment(value)
        if moment is not None:
            return datetime.datetime.fromtimestamp(moment, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        if value in self.bound:
            return self.bound[value]
        if value.startswith("$"):
            raise Different(f"{value} was never told")
        return value

    # ---- answers ----

    def fail(self, path, want, got):
        if path[-1] == "ResultStatus" and self.reasons:
            got = f"{got} with the reasons {self.reasons}"
        raise Different(f"{'/'.join(path)}: published {want}, answered {got}")

    def children(self, node):
        return [child for child in node.value if self.tables.names.get(child.tag, "") not in IGNORED]

    def compare(self, want, got, path, attribute=None):
        path = (*path, want.tag)
        kind = want.get("type", "Structure")
        if TYPES[kind] != got.kind:
            self.fail(path, kind, f"type {got.kind}")
        if kind != "Structure":
            self.compare_leaf(want, got, path, attribute)
            return
        if attribute == "Random Number Generator":
            return  # each server has its own
        if want.tag == "BatchItem":
            self.operation = value_of(want.find("Operation")) if want.find("Operation") is not None else None
            item = next(self.items, None)
            self.asked = item.find("RequestPayload") if item is not None else None
        self.compare_structure(want, got, path)

    def compare_structure(self, want, got, path):
        name = next((value_of(child) for child in want if child.tag == "AttributeName"), None)
        wanted = [child for child in want if plain(child.tag) not in IGNORED and not self.is_index_zero(child)]
        given = [child for child in self.children(got)
                 if not (child.tag == wire.ATTRIBUTE_INDEX and child.value == 0)]
        if want.tag == "ResponsePayload" and self.operation == "Query":
            self.judge_query(want, got, path)
            return
        if want.tag == "ResponsePayload" and self.operation in LISTS:
            self.compare_lists(wanted, given, path)
            return
        for child in wanted:
            number = self.tables.tags[plain(child.tag)][0]
            if not given or given[0].tag != number:
                self.fail(path, child.tag, self.tables.names.get(given[0].tag, hex(given[0].tag)) if given else "nothing")
            self.compare(child, given.pop(0), path, name if child.tag == "AttributeValue" else None)
        if given:
            self.fail(path, "nothing more", self.tables.names.get(given[0].tag, hex(given[0].tag)))

    def judge_query(self, want, got, path):
        try:
            self.server.judge(
                version_asked(self.request), functions_of(self.tables, self.request), list(want), list(got.value))
        except Wrong as wrong:
            raise Different(f"{'/'.join(path)}: {wrong}") from None

    @staticmethod
    def is_index_zero(element):
        return element.tag == "AttributeIndex" and value_of(element) == "0"

    def compare_lists(self, wanted, given, path):
        """A payload of fields in their order, of which those that there may be many of come in any order."""
        order = [tag for tag, _ in itertools.groupby(child.tag for child in given)]
        expected = [self.tables.tags[tag][0] for tag, _ in itertools.groupby(plain(child.tag) for child in wanted)]
        if [tag for tag in order if tag in expected] != [tag for tag in expected if tag in order] or \
                len(set(order)) < len(order):
            self.fail(path, expected, f"the fields in the order {[self.tables.names.get(tag, hex(tag)) for tag in order]}")
        for child in wanted:
            number = self.tables.tags[plain(child.tag)][0]
            reasons = []
            for candidate in given:
                if candidate.tag != number:
                    continue
                before = dict(self.bound)
                try:
                    self.compare(child, candidate, path)
                except Different as different:
                    self.bound = before
                    reasons.append(str(different))
                    continue
                given.remove(candidate)
                break
            else:
                raise Different(self.best(child, reasons, path))
        for left in given:
            name = self.tables.names.get(left.tag, hex(left.tag))
            if not self.may_be_more(name):
                self.fail(path, "nothing more", f"{name} {left.value!r}"[:100])

    def may_be_more(self, name):
        """What a server may tell beyond what another did: all of its attributes, where the client named none."""
        if self.operation == "DiscoverVersions":
            return name == "protocolversion"
        return self.operation == "GetAttributeList" and name == "attributename" or \
            self.operation == "GetAttributes" and name == "attribute" and not self.asked.findall("AttributeName")

    @staticmethod
    def best(child, reasons, path):
        what = child.tag
        name = child.find("AttributeName")
        if name is not None:
            what += " " + value_of(name)
            reasons = [reason for reason in reasons if "AttributeName" not in reason]
        elif child.get("value"):
            what += " " + value_of(child)
        return reasons[0] if reasons and name is not None else f"{'/'.join(path)}: {what} is missing"

    def compare_leaf(self, want, got, path, attribute):
        published = " ".join(want.get("value", "").split())
        tag, kind = plain(want.tag), want.get("type")
        shown = got.value.hex() if isinstance(got.value, bytes) else got.value
        moment = self.moment(published)
        if moment is not None:
            if abs(got.value - moment) > NOW_SLACK_S:
                self.fail(path, published, got.value - self.now)
            return
        if published.startswith("$") or tag in IDENTIFIERS:
            value = str(shown)
            if "CORRELATION" in published:  # each time anew
                self.bound[published] = value
            if self.bound.setdefault(published, value) != value:
                self.fail(path, f"{published} = {self.bound[published]}", value)
            same = [other for other in self.bound if self.bound[other] == value and other != published]
            if same:
                self.fail(path, f"{published}, another one than {same[0]}", value)
            return
        if tag == "asynchronouscorrelationvalue":
            expected = next(value_of(element) for element in self.request.iter("AsynchronousCorrelationValue"))
            if shown != expected:
                self.fail(path, expected, shown)
            return
        if tag == "leasetime":
            return  # the server's to choose (3.20)
        if tag == "cancellationresult" and got.value != UNAVAILABLE:
            return  # how far it had come when it was to be canceled
        if kind == "DateTime" and self.is_free_date(attribute, published):
            self.compare_moment(published, got.value, path)
            return
        if attribute is not None and tag != "attributename" and plain(attribute) in DATES and published not in self.sent:
            return
        if tag in NAMED:  # a later request names it so
            self.bound[NAMED[tag]] = str(shown)
        if tag in DRAWN and self.is_drawn(want):
            self.bound.setdefault(DRAWN[tag], str(shown))
        expected = self.value(want, kind, attribute)
        if isinstance(got.value, str) and expected == " ".join(got.value.split()):
            return
        if expected == got.value:
            return
        if kind in ("ByteString", "BigInteger") and self.is_made(tag, published):
            self.compare_made(tag, expected, got.value, path)
            return
        if kind == "TextString" and self.is_made(tag, published):
            self.compare_made(tag, expected, got.value, path)
            return
        if attribute == "Certificate Length" and self.operations & MAKERS:
            return  # the signature's, for one
        if tag in COMPUTED and (self.operations & MAKERS or self.is_drawn(want)) and published.lower() not in self.sent_before(want):
            if tag != "signaturedata":  # DER of two numbers
                self.compare_made(None, expected, got.value, path)
            self.bound[published] = str(shown)  # computed with a key that the server made
            return
        self.fail(path, published, shown)

    def compare_made(self, tag, published, got, path):
        """What the server made: as long as published (DER of numbers may vary), and the same wherever it is shown again."""
        slack = MADE_SLACK if len(published) > DER_MIN else 0
        if tag not in FREE_LENGTHS and abs(len(published) - len(got)) > slack:
            self.fail(path, f"{len(published)} bytes", f"{len(got)} bytes")
        if tag is not None and self.made.setdefault((tag, published), got) != got:
            self.fail(path, "what was told before", "something else")

    def compare_moment(self, published, got, path):
        """A date that the server set: now, or as far from now as from the published clock; or one that the client gave,
        since one published case asks for another one than it shows."""
        clocks = [date_of(value_of(stamp)) for stamp in self.root.iter("TimeStamp") if self.moment(value_of(stamp)) is None]
        away = [0] + [date_of(published) - clock for clock in clocks]
        if got not in self.sent_dates and not any(abs(got - self.now - far) <= NOW_SLACK_S for far in away):
            self.fail(path, f"{published}, {away[-1]} s from then", f"{got - self.now} s from now")

    def is_drawn(self, want):
        """Randomised: by padding, or by an IV that the server drew and tells in the answer."""
        if any(value_of(method) in ("OAEP", "PSS") for method in self.root.iter("PaddingMethod")):
            return True
        return any(item.find(".//IVCounterNonce") is not None and any(element is want for element in item.iter())
                   for item in self.root.iter("BatchItem"))

    def sent_before(self, want):
        """The values of all requests before the answer that this element is of."""
        values = []
        for message in self.root:
            if message.tag == "RequestMessage":
                values += [value_of(element).lower() for element in message.iter()]
            elif any(element is want for element in message.iter()):
                break
        return values

    def is_free_date(self, attribute, published):
        return published not in self.sent

    def is_made(self, tag, published):
        """The server made it, so that it differs."""
        return tag in MADE and bool(self.operations & MAKERS) and published.lower() not in self.sent.lower() and \
            self.operation not in ("Encrypt", "Decrypt", "MAC", "Hash", "Sign")

    def value(self, element, kind, attribute):
        if kind == "TextString":
            return " ".join(element.get("value", "").split())
        if kind == "ByteString":
            return bytes.fromhex(value_of(element).replace(" ", ""))
        (leaf,) = wire.read(wire.item(0x420000, TYPES[kind], scalar(
            self.tables, element, context_of(element, attribute), kind)))
        return leaf.value
