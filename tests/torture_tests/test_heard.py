"""What listeners heard against their streams: only the whole stream, once and in order, is right."""

from typing import Any

from tests.torture.findings import DUPLICATED, INVARIANT, LOST
from tests.torture.heard import Entry, heard

STREAM = {"w": {seq: Entry("place_taken", float(seq)) for seq in range(1, 6)}}


def said(did: str, seq: int, at: float = 100.0, **more: Any) -> dict[str, Any]:
    return {"did": did, "who": "one", "worker": "w", "seq": seq, "at": at, "kind": "place_taken", **more}


def kinds(*facts: dict[str, Any], ended: bool = True) -> list[str]:
    return [finding.kind for finding in heard(facts, STREAM, ended)]


def test_the_whole_stream_in_order_is_right() -> None:
    assert kinds(said("began", 2), said("heard", 3), said("heard", 4), said("heard", 5), said("left", 5, since=0)) == []


def test_a_gap_a_repeat_and_a_second_snapshot_are_found() -> None:
    assert kinds(said("began", 0), said("heard", 2)) == [LOST]
    assert kinds(said("began", 2), said("heard", 3), said("heard", 3)) == [DUPLICATED]
    assert kinds(said("began", 2), said("heard", 3), said("began", 5)) == [LOST]


def test_what_the_stream_does_not_hold_is_found() -> None:
    assert kinds(said("began", 0), said("heard", 1, kind="bonus_paid")) == [INVARIANT]
    assert kinds(said("began", 5), said("heard", 6)) == [INVARIANT]


def test_what_was_never_heard_is_found_only_where_there_was_time_to_hear_it() -> None:
    assert kinds(said("began", 3), said("left", 3, since=0)) == [LOST, LOST]
    assert kinds(said("began", 3), said("left", 3, since=0), ended=False) == []
    assert kinds(said("began", 3), said("left", 3, since=99)) == []
    assert kinds(said("began", 3), said("left", 3, at=6.0, since=0)) == []
