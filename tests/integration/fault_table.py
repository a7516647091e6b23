# SPDX-License-Identifier: Apache-2.0
"""The fault table: what a client hears, and what is true afterwards, in every state that a key manager can be in.

    python3 tests/integration/fault_table.py --print        the table as a page

Each row is one state of the key manager, one operation, the answer, and the sentence of the design behind it.
fault_table_test.py runs each of them against a real pair; harness/fault_episode.py knows how.

Answers: "ok"; "failure", General Failure; "denied", Permission Denied; "gone", Item Not Found or Illegal Operation. "A or B":
either. "A, then B": B once the unwrapped copy is older than plaintext-ttl. A reconciliation (deletions, changes, listings) is
told to nobody; what it may do: "keeps": no cached key becomes destroyed or missing, and what the owner deleted meanwhile is
found once the state is over; "finds": it is found while the state lasts. Every answer comes within D15's 3 s.

Whatever was answered, afterwards and without a restart (P1, P2): both nodes' caches agree with each other and with the key
manager; every key that a client was told of is served by both nodes with its bytes, unless it was destroyed, then by none;
no UID was told twice; what nobody was told of is `unclaimed`; an answered Revoke holds on both; no intent is left.
"""
import collections
import sys

Row = collections.namedtuple("Row", "state variant operation answer why")
OPERATIONS = ("create", "get cold", "get warm", "destroy", "revoke", "reconcile")

# How a state is made. A list: faults of the emulator, each armed for these methods and paths. A dict: its switches. A text: an
# act of the owner, by its name in FaultEpisode.
EVERY = {"path": "^/api/v2/"}
NO_SUCH_KEY = '{"resources":[{"reasons":[{"code":"KEY_NOT_FOUND_ERR","status":404}]}]}'
SUSPENDED = '{"resources":[{"reasons":[{"code":"KEY_ACTION_INVALID_STATE_ERR","status":409}]}]}'
CHANGES = ({"path": "^/api/v2/keys$", "method": "POST"}, {"path": "^/api/v2/keys/", "method": "DELETE", "count": 1})
READS = ({"path": "^/api/v2/", "method": "GET"}, {"path": "/actions/", "method": "POST"})
STATES = {
    ("down", ""): {"down": True},
    ("slow", ""): [{"kind": "delay", "delay_ms": 4000, **EVERY}],
    ("slow", "only changes"): [{"kind": "delay", "delay_ms": 4000, **which} for which in CHANGES],
    ("401", ""): [{"kind": "status", "status": 401, **EVERY}],
    ("403", ""): [{"kind": "status", "status": 403, **EVERY}],
    ("404", "a gateway's"): [{"kind": "status", "status": 404, **EVERY}],
    ("404", "the service's"): [{"kind": "status", "status": 404, "body": NO_SUCH_KEY, **EVERY}],
    ("409", "a gateway's"): [{"kind": "status", "status": 409, **EVERY}],
    ("409", "the service's"): [{"kind": "status", "status": 409, "body": SUSPENDED, **EVERY}],
    ("410", "a gateway's"): [{"kind": "status", "status": 410, **EVERY}],
    ("410", "deleted by the owner"): "delete",
    ("429", ""): [{"kind": "status", "status": 429, "retry_after": 1, **EVERY}],
    ("500", ""): [{"kind": "status", "status": 500, **EVERY}],
    ("reset", ""): [{"kind": "reset", **EVERY}],
    ("lost reply", "to changes"): [{"kind": "drop_after_commit", **which} for which in CHANGES],
    ("lost reply", "to the rest"): [{"kind": "drop_after_commit", **which} for which in READS],
    ("read-only", ""): {"read_only": True},
    ("wrong bytes", ""): [{"kind": "wrong_bytes", **EVERY}],
    ("wrong bytes", "of wrap alone"): [{"kind": "wrong_bytes", "path": "/actions/wrap", "method": "POST"}],
    ("truncated", ""): [{"kind": "truncated", **EVERY}],
    ("huge", ""): [{"kind": "huge", **EVERY}],
    ("restored", ""): "restore",
    ("purged", ""): "purge",
}

ROWS = [Row(*(word.strip() for word in line.split("|"))) for line in """\
down | | create | failure | D15: unreachable, and said in time
down | | get cold | failure | D15: not Item Not Found, for nobody knows
down | | get warm | ok, then ok | D13: an outage lets the resident copy be served
down | | destroy | failure | D10: the standard key goes first
down | | revoke | failure | D10: a downward change is in the key manager before it is answered
down | | reconcile | keeps | D12: an unreachable host proves nothing
slow | | create | failure | D15: answered before the key manager does
slow | | get cold | failure | D15
slow | | get warm | ok, then ok | D13: a timeout is an outage
slow | | destroy | failure | D15: nobody waits for it
slow | | revoke | failure | D10: nothing was lowered, or the ledger says so later
slow | | reconcile | keeps | D12
slow | only changes | create | failure | D9: what is made after that is unclaimed
slow | only changes | get cold | ok | P4: reads are not held up by changes
slow | only changes | get warm | ok, then ok | P4
slow | only changes | destroy | failure | D10: deleted after that, and found by a poll
slow | only changes | revoke | failure | D10: lowered when the record is listed
slow | only changes | reconcile | finds | D12: reads are answered
401 | | create | failure | D15: refusing is General Failure
401 | | get cold | failure | D15
401 | | get warm | ok, then failure | D13: a refusal stops copies at plaintext-ttl
401 | | destroy | failure | D10
401 | | revoke | failure | D10
401 | | reconcile | keeps | D12: a 401 proves nothing
403 | | create | failure | D15
403 | | get cold | failure | D15
403 | | get warm | ok, then failure | D13
403 | | destroy | failure | D10
403 | | revoke | failure | D10
403 | | reconcile | keeps | D12
404 | a gateway's | create | failure | D15
404 | a gateway's | get cold | failure | D12: no KEY_NOT_FOUND of the service
404 | a gateway's | get warm | ok, then ok | D13: an outage
404 | a gateway's | destroy | failure | D12: proves no destruction
404 | a gateway's | revoke | failure | D10
404 | a gateway's | reconcile | keeps | D12
404 | the service's | create | failure | D15
404 | the service's | get cold | failure | D12: the root key is not shown either
404 | the service's | get warm | ok, then ok | D13: nothing is proven, so an outage
404 | the service's | destroy | failure | D12: a 404 does not prove destruction
404 | the service's | revoke | failure | D10
404 | the service's | reconcile | keeps | D12: missing only while the root key is shown
409 | a gateway's | create | failure | D15
409 | a gateway's | get cold | failure | D15
409 | a gateway's | get warm | ok, then ok | D13: it does not say that the root key is disabled
409 | a gateway's | destroy | failure | D10
409 | a gateway's | revoke | failure | D10
409 | a gateway's | reconcile | keeps | D12
409 | the service's | create | denied | D15: the owner disabled the root key
409 | the service's | get cold | denied | D15
409 | the service's | get warm | ok or denied, then denied | D13: disabled empties the entries at once
409 | the service's | destroy | failure | D10: the standard key was not deleted
409 | the service's | revoke | denied | D10: the ledger record cannot be sealed
409 | the service's | reconcile | keeps | D12
410 | a gateway's | create | failure | D15
410 | a gateway's | get cold | failure | D12: no KEY_DELETED of the service
410 | a gateway's | get warm | ok, then ok | D13: an outage
410 | a gateway's | destroy | failure | D10: nothing says that it was deleted
410 | a gateway's | revoke | failure | D10
410 | a gateway's | reconcile | keeps | D12
410 | deleted by the owner | create | ok | D9: other keys are not concerned
410 | deleted by the owner | get cold | gone | P2: within two reconcile intervals
410 | deleted by the owner | get warm | gone, then gone | P2: also while it is fresh
410 | deleted by the owner | destroy | denied | KMIP 1.4, 3.22: what is Destroyed cannot be destroyed
410 | deleted by the owner | revoke | ok | D6: Destroyed becomes Destroyed Compromised
410 | deleted by the owner | reconcile | finds | D12: state 5 proves destruction
429 | | create | failure | D13: backpressure
429 | | get cold | failure | D15
429 | | get warm | ok, then ok or failure | D13: an outage only once a poll hears it too
429 | | destroy | failure | D10
429 | | revoke | failure | D10
429 | | reconcile | keeps | D12
500 | | create | failure | D15
500 | | get cold | failure | D15
500 | | get warm | ok, then ok | D13: an outage
500 | | destroy | failure | D10
500 | | revoke | failure | D10
500 | | reconcile | keeps | D12
reset | | create | failure | D15
reset | | get cold | failure | D15
reset | | get warm | ok, then ok | D13: an outage
reset | | destroy | failure | D10
reset | | revoke | failure | D10
reset | | reconcile | keeps | D12
lost reply | to changes | create | ok | D9: looked up by name, never sent again
lost reply | to changes | destroy | ok | D10: the second DELETE hears 410
lost reply | to changes | revoke | ok | D10: the ledger record is looked up
lost reply | to the rest | create | failure | D9: the wrap's reply; nothing was made
lost reply | to the rest | get cold | failure | D15
lost reply | to the rest | get warm | ok, then ok | D13: an outage
lost reply | to the rest | destroy | failure | D10: deleted, its date not told: settled later
lost reply | to the rest | revoke | failure | D10
lost reply | to the rest | reconcile | keeps | D12
read-only | | create | failure | D15
read-only | | get cold | ok | P1: reads and unwraps are answered
read-only | | get warm | ok, then ok | P4
read-only | | destroy | failure | D10
read-only | | revoke | failure | D10
read-only | | reconcile | finds | D12
wrong bytes | | create | failure | D9: no UID of a key that would not open again
wrong bytes | | get cold | failure | D9: an altered answer is never served as the key
wrong bytes | | get warm | ok, then failure | D13: the key manager answers, so no outage
wrong bytes | | destroy | ok or failure | D10: the standard key is gone; its date may not be told
wrong bytes | | revoke | failure | D10
wrong bytes | | reconcile | keeps | D12
wrong bytes | of wrap alone | create | failure | P1: the stored form must open before its UID is told
wrong bytes | of wrap alone | get cold | ok | D13
wrong bytes | of wrap alone | get warm | ok, then ok | D13
wrong bytes | of wrap alone | destroy | ok | D10: needs no wrap
wrong bytes | of wrap alone | revoke | failure | P1: a ledger record that does not open keeps nothing
wrong bytes | of wrap alone | reconcile | finds | D12
truncated | | create | failure | D15
truncated | | get cold | failure | D15
truncated | | get warm | ok, then ok | D13: an outage
truncated | | destroy | ok or failure | D10: a 204 has no body to truncate; the date may not be told
truncated | | revoke | failure | D10
truncated | | reconcile | keeps | D12: half a list is no list
huge | | create | failure | D3: the answer has a maximum
huge | | get cold | failure | D3
huge | | get warm | ok, then ok | D13: an outage
huge | | destroy | failure | D3
huge | | revoke | failure | D10
huge | | reconcile | keeps | D12
restored | | create | denied, then ok | D13: the root key deleted; restored, without a restart
restored | | get cold | ok | D6: a later epoch, once a poll has read it
restored | | get warm | ok, then ok | D6: with the bytes of before
restored | | destroy | ok | D6: in a later epoch than the first one
restored | | revoke | ok | D10
restored | | reconcile | finds | D12: read by id, as of 30 s after the deletion
purged | | create | ok | D9: other keys are not concerned
purged | | get cold | failure | D12: missing, not Item Not Found
purged | | get warm | ok, then failure | D12: found missing at a start and within the hour
purged | | destroy | failure | D12: a 404 proves no destruction
purged | | revoke | ok | D10: the ledger keeps it, should the key be shown again
purged | | reconcile | finds | D12: missing, alarmed, not deleted
""".splitlines()]


def rows_of(state, variant):
    """{operation: answer} of one way to make a state."""
    return {row.operation: row.answer for row in ROWS if (row.state, row.variant) == (state, variant)}


def main():
    print("| key manager | operation | answer | why |\n|---|---|---|---|")
    for row in ROWS:
        state = row.state + (f" ({row.variant})" if row.variant else "")
        print(f"| {state} | {row.operation} | {row.answer} | {row.why} |")


if __name__ == "__main__":
    if sys.argv[1:] != ["--print"]:
        sys.exit(__doc__)
    main()
