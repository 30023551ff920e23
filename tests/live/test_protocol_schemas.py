"""The schemas of the protocol: sound in themselves, and as strict as the protocol's words."""

from typing import Any
from uuid import uuid4

import pytest
from jsonschema import Draft202012Validator

from tests.live.frames import faults
from workers.live import protocol

ID = str(uuid4())
NOW = "2026-11-22T00:00:00Z"
CURSOR = {"epoch": ID, "seq": 4}
LEASE = {
    "id": ID,
    "token": ID,
    "batch": ID,
    "data": {"text": "a"},
    "draft": None,
    "lease_until": NOW,
    "price_micros": 1_000,
    "currency": "EUR",
    "version": 1,
}
LIMITS = {"frame_bytes": 65_536, "frames_per_s": 20, "window_max": 20, "idle_s": 60}
HELLO = {"type": "hello", "protocol": 1, "socket": "worker", "capabilities": ["stream"], "limits": LIMITS}
GOOD: list[tuple[protocol.Side, dict[str, Any]]] = [
    ("server", {**HELLO, "heartbeat_s": 20, "epoch": ID, "now": NOW}),
    (
        "server",
        {
            "type": "snapshot",
            "cursor": CURSOR,
            "worker": {"id": ID},
            "leases": [LEASE],
            "earnings": [],
            "sanctions": [],
            "waiting": [ID],
        },
    ),
    ("server", {"type": "snapshot", "cursor": CURSOR, "requesters": [], "batches": []}),
    ("server", {"type": "snapshot", "cursor": CURSOR, "market": {}}),
    ("server", {"type": "resumed", "cursor": CURSOR}),
    ("server", {"type": "snapshot_required", "reason": "expired"}),
    ("server", {"type": "fact", "epoch": ID, "seq": 5, "kind": "place_taken", "at": NOW, "body": {"batch": ID}}),
    ("server", {"type": "caught_up", "cursor": CURSOR}),
    ("server", {"type": "state", "topic": "board", "version": 0, "state": {}}),
    ("server", {"type": "change", "topic": f"batch:{ID}", "from": 1, "version": 3, "set": {"a": 1}, "gone": ["b"]}),
    ("server", {"type": "reply", "id": "1", "status": 409, "body": {"type": "/problems/x"}, "replayed": False}),
    ("server", {"type": "tasks", "batch": ID, "assignments": [LEASE]}),
    ("server", {"type": "stream", "batch": ID, "state": "waiting"}),
    ("server", {"type": "pong", "now": NOW}),
    ("server", {"type": "error", "code": "unknown-type", "detail": "There is no such frame."}),
    ("client", {"type": "authenticate", "ticket": "t"}),
    ("client", {"type": "authenticate", "key": "k"}),
    ("client", {"type": "join"}),
    ("client", {"type": "join", "cursor": CURSOR}),
    ("client", {"type": "subscribe", "topic": "board"}),
    ("client", {"type": "unsubscribe", "topic": "market"}),
    ("client", {"type": "snapshot"}),
    ("client", {"type": "ping"}),
    ("client", {"type": "claim", "id": "1", "key": "k", "batch": ID, "count": 3}),
    ("client", {"type": "submit", "id": "2", "key": "k", "answers": [{"assignment": ID, "token": ID, "values": {}}]}),
    ("client", {"type": "return", "id": "3", "key": "k", "assignment": ID, "token": ID, "reason": "skip"}),
    ("client", {"type": "extend", "id": "4", "leases": [{"assignment": ID, "token": ID}]}),
    ("client", {"type": "draft", "id": "5", "assignment": ID, "token": ID, "values": {"a": "b"}}),
    ("client", {"type": "stream", "id": "6", "batch": ID, "window": 20}),
    ("client", {"type": "unstream", "id": "7", "batch": ID}),
]


def test_the_document_is_a_schema_and_names_every_frame_of_both_sides() -> None:
    Draft202012Validator.check_schema(protocol.document())
    for side in ("server", "client"):
        listed = {entry["$ref"].rpartition(f"{side}.")[2] for entry in protocol.document()["$defs"][side]["oneOf"]}
        assert listed == protocol.types(side) == {frame["type"] for its, frame in GOOD if its == side}


@pytest.mark.parametrize(("side", "frame"), GOOD, ids=lambda value: value["type"] if isinstance(value, dict) else value)
def test_a_frame_of_the_protocol_passes_and_one_with_less_or_more_does_not(
    side: protocol.Side, frame: dict[str, Any]
) -> None:
    assert faults(side, frame) == []
    assert faults(side, frame | {"surprise": 1}) != []
    optional = {"cursor"} if side == "client" else set()
    for name in frame.keys() - optional - {"count", "reason"}:
        assert faults(side, {key: value for key, value in frame.items() if key != name}) != []


@pytest.mark.parametrize(
    ("side", "change"),
    [
        ("server", {"type": "fact", "epoch": ID, "seq": 0, "kind": "place_taken", "at": NOW, "body": {}}),
        ("server", {"type": "fact", "epoch": ID, "seq": 1, "kind": "PlaceTaken", "at": NOW, "body": {}}),
        ("server", {"type": "tasks", "batch": ID, "assignments": []}),
        ("server", {"type": "tasks", "batch": ID, "assignments": [{**LEASE, "gold": True}]}),
        ("server", {"type": "stream", "batch": ID, "state": "done"}),
        ("client", {"type": "stream", "id": "1", "batch": ID, "window": 21}),
        ("client", {"type": "claim", "id": "1" * 65, "key": "k", "batch": ID}),
        ("client", {"type": "authenticate", "key": "k", "ticket": "t"}),
        ("client", {"type": "subscribe", "topic": "batch:"}),
        ("client", {"type": "hello"}),
        ("client", ["ping"]),
    ],
)
def test_what_the_protocol_excludes_is_refused(side: protocol.Side, change: Any) -> None:
    assert faults(side, change) != []
