"""Journals against what is stored: each kind of damage is planted and must be found, and nothing else may be."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.torture.compare import AFTER, Held, Settled, Stored, Version, compare, tasks_given_twice
from tests.torture.findings import DUPLICATED, LOST, STUCK, Finding, Findings

END = datetime(2026, 11, 21, 5, tzinfo=UTC)
FACTS: list[dict[str, Any]] = [
    {"did": "lease", "assignment": "a1", "worker": "w1", "task": "t1"},
    {"did": "answer", "assignment": "a1", "revision": 1, "values": {"label": "cat"}, "unclear": False},
    {"did": "beat", "assignment": "a1", "lease_until": "2026-11-21T05:00:00Z"},
    {"did": "draft", "assignment": "a2"},
    {"did": "return", "assignment": "a2", "reason": "other"},
    {"did": "accept", "answers": ["a1"]},
    {"did": "reject", "answers": ["a3"], "reason": "spam", "comment": "no"},
    {"did": "deposit", "transfer": "deposit:1", "amount": 5, "currency": "EUR", "destination": "requester:r:funds"},
    {"did": "batch", "batch": "b1", "state": "published"},
    {"did": "import", "batch": "b1", "sha256": "ff", "tasks": 3},
    {"did": "sanction", "sanction": "s1", "worker": "w1", "measure": "limit", "lifted": True},
    {"did": "run", "run": "r1", "batch": "b1"},
    {"did": "dataset", "batch": "b1", "number": 1, "format": "csv", "options": {}, "plan": {}, "run": "r1"},
    {"did": "archive", "batch": "b1", "number": 1, "sha256": "aa", "content": "cc"},
    {
        "did": "adjudication",
        "id": "d1",
        "batch": "b1",
        "task": "t1",
        "values": {"label": "cat"},
        "answer": "a1",
        "reason": "plain",
        "words": "curator 1",
    },
    {"did": "pilot", "pilot": "b2", "draft": "b1", "items": 3},
    {"did": "link", "link": "l1", "batch": "b1", "number": 1, "used": True, "ended": False},
    {"did": "link", "link": "l1", "batch": "b1", "number": 1, "used": False, "ended": True},
    {"did": "role", "act": "permission.role_changed", "of": "r", "user": "u", "role": "viewer", "times": 2},
    {"did": "unknown", "key": "k"},
    {"did": "5xx", "status": 503, "path": "/"},
]


def told() -> list[dict[str, Any]]:
    return [{"who": "worker-1", "at": 1.0, **fact} for fact in FACTS]


def whole() -> Stored:
    return Stored(
        answers={("a1", 1): ({"label": "cat"}, False)},
        assignments={
            "a1": Held("accepted", "", "", "w1", END),
            "a2": Held("returned", "other", "", "w1", END),
            "a3": Held("rejected", "spam", "no", "w2", END),
        },
        drafts={"a2": {"note": "typing"}},
        deposits={"deposit:1": (5, "EUR", "requester:r:funds")},
        batches={"b1": ("closing", True)},
        imports={("b1", "ff"): (3, 1)},
        sanctions={"s1": ("w1", "limit", True)},
        runs={"r1": "b1"},
        datasets={("b1", 1): Version("csv", {}, {}, "r1", "done", "", "aa", "cc")},
        adjudications={"d1": Settled("b1", "t1", {"label": "cat"}, "a1", "plain", "curator 1")},
        pilots={"b2": ("b1", 3)},
        links={"l1": ("b1", 1, True, True)},
        given={("permission.role_changed", "r", "u", "viewer"): 2},
    )


def test_what_is_stored_as_acknowledged_is_no_finding() -> None:
    assert compare(told(), whole()) == []


@pytest.mark.parametrize(
    ("part", "key", "instead"),
    [
        ("answers", ("a1", 1), None),
        ("answers", ("a1", 1), ({"label": "dog"}, False)),
        ("answers", ("a1", 1), ({"label": "cat"}, True)),
        ("assignments", "a1", Held("submitted", "", "", "w1", END)),
        ("assignments", "a1", Held("accepted", "", "", "w2", END)),
        ("assignments", "a1", Held("accepted", "", "", "w1", END - timedelta(seconds=1))),
        ("drafts", "a2", None),
        ("assignments", "a2", None),
        ("assignments", "a2", Held("expired", "time", "", "w1", END)),
        ("assignments", "a3", Held("rejected", "spam", "other words", "w2", END)),
        ("assignments", "a3", Held("accepted", "", "", "w2", END)),
        ("deposits", "deposit:1", None),
        ("deposits", "deposit:1", (6, "EUR", "requester:r:funds")),
        ("batches", "b1", None),
        ("batches", "b1", ("draft", False)),
        ("imports", ("b1", "ff"), None),
        ("imports", ("b1", "ff"), (2, 1)),
        ("sanctions", "s1", None),
        ("sanctions", "s1", ("w1", "limit", False)),
        ("sanctions", "s1", ("w2", "limit", True)),
        ("runs", "r1", None),
        ("datasets", ("b1", 1), None),
        ("datasets", ("b1", 1), Version("jsonl", {}, {}, "r1", "done", "", "aa", "cc")),
        ("datasets", ("b1", 1), Version("csv", {}, {}, "r1", "done", "", "ab", "cc")),
        ("datasets", ("b1", 1), Version("csv", {}, {}, "r1", "gathering", "", None, None)),
        ("adjudications", "d1", None),
        ("adjudications", "d1", Settled("b1", "t2", {"label": "cat"}, "a1", "plain", "curator 1")),
        ("adjudications", "d1", Settled("b1", "t1", {"label": "dog"}, "a1", "plain", "curator 1")),
        ("adjudications", "d1", Settled("b1", "t1", {"label": "cat"}, None, "plain", "curator 1")),
        ("adjudications", "d1", Settled("b1", "t1", {"label": "cat"}, "a1", "plain", "")),
        ("pilots", "b2", None),
        ("pilots", "b2", ("b3", 3)),
        ("pilots", "b2", ("b1", 2)),
        ("links", "l1", None),
        ("links", "l1", ("b1", 2, True, True)),
        ("links", "l1", ("b1", 1, False, True)),
        ("links", "l1", ("b1", 1, True, False)),
        ("given", ("permission.role_changed", "r", "u", "viewer"), None),
        ("given", ("permission.role_changed", "r", "u", "viewer"), 1),
    ],
)
def test_every_planted_loss_is_found(part: str, key: Any, instead: Any) -> None:
    stored = whole()
    if instead is None:
        del getattr(stored, part)[key]
    else:
        getattr(stored, part)[key] = instead

    found = compare(told(), stored)

    assert {finding.kind for finding in found} == {LOST}
    assert all("worker-1" in finding.detail for finding in found)


@pytest.mark.parametrize(
    ("part", "key", "twice"),
    [
        ("answers", ("a1", 2), ({"label": "cat"}, False)),
        ("imports", ("b1", "ff"), (3, 2)),
        ("payments_twice", "deposit:1", 2),
        ("adjudications", "d2", Settled("b1", "t1", {"label": "cat"}, "a1", "plain", "curator 1")),
    ],
)
def test_what_was_executed_twice_is_found(part: str, key: Any, twice: Any) -> None:
    stored = whole()
    getattr(stored, part)[key] = twice

    assert [finding.kind for finding in compare(told(), stored)] == [DUPLICATED]


def test_a_task_that_a_worker_was_given_under_two_assignments_is_found() -> None:
    again = {"did": "lease", "assignment": "a9", "worker": "w1", "task": "t1"}
    by_another = {**again, "worker": "w2"}

    assert list(tasks_given_twice([*told(), by_another])) == []
    assert [finding.kind for finding in tasks_given_twice([*told(), again])] == [DUPLICATED]


def test_a_batch_never_goes_back() -> None:
    assert "draft" not in AFTER["published"]
    assert AFTER["cancelled"] == {"cancelled"}


def test_one_thing_is_counted_once_however_often_it_is_seen() -> None:
    findings = Findings()
    lost = Finding(LOST, "journal", "answer a1 1")

    assert findings.add([lost]) == [lost]
    assert findings.add([Finding(LOST, "journal", "answer a1 1", "seen again")]) == []
    assert findings.count(LOST) == 1
    assert findings.first() == lost


def test_the_first_finding_that_tells_may_not_be_the_first_of_all() -> None:
    findings = Findings()
    late, lost = Finding(STUCK, "due:lease", "lease"), Finding(LOST, "journal", "answer a1 1")
    assert findings.first() is None

    findings.add([late])
    findings.started -= 5
    findings.add([lost])

    assert findings.first() == late
    assert findings.first(lambda finding: finding.kind == LOST) == lost
    assert findings.first(lambda finding: finding.kind == DUPLICATED) is None
    assert findings.after_s(late) < 5 <= findings.after_s(lost)
