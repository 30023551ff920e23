"""What the scoring step writes down of every answer: when, how long, what, and beside it what it was judged."""

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from django.db import connection

from marketplace.batches.models import Batch
from marketplace.common.transactions import one_transaction
from tests import factories as make
from workers.assignments.commands.submit import Submission, submit
from workers.assignments.queries import LeasedTask, live_leases
from workers.gold.commands import score_due
from workers.profiles.models import Worker

pytestmark = pytest.mark.django_db

ALWAYS = {"min_share": 1.0, "max_share": 1.0, "probation": 0, "probation_share": 1.0}
NEVER = {"min_share": 0.0, "max_share": 0.0, "probation": 0, "probation_share": 0.0}
SEVERAL = {
    "data": make.INTERFACE["data"],
    "answer": [
        {"name": "kg", "type": "number", "tolerance": 0.5, "required": False},
        {"name": "colours", "type": "choice", "multiple": True, "labels": [{"value": "red"}, {"value": "blue"}]},
        {"name": "label", "type": "choice", "labels": [{"value": "cat"}, {"value": "dog"}]},
        {"name": "second", "type": "choice", "labels": [{"value": "x"}, {"value": "y"}], "required": False},
    ],
}


def score(limit: int = 200) -> int:
    with one_transaction(principal="score"):
        return score_due(limit=limit)


def give(worker: Worker, lease: LeasedTask, values: dict[str, Any], unclear: bool = False) -> None:
    with one_transaction(principal="test"):
        submit(
            worker_id=worker.pk,
            page=[Submission(lease.id, lease.token, values, unclear=unclear)],
            then_claim=None,
            chance=Random(1),
        )


def took(where: str = "kind = 'answer'") -> list[int]:
    """Whole seconds that the answers took, in their order."""
    return [row[0] // 1000 for row in make.outcomes("took_ms", where)]


@pytest.fixture
def batch() -> Batch:
    return make.make_batch(tasks=12, gold_policy=NEVER, lease_cap=12, time_limit_s=3600)


def test_the_answers_of_a_page_share_the_time_since_its_lease(batch: Batch, clock: Callable[[timedelta], None]) -> None:
    worker = make.make_worker()
    leases = make.take(worker, batch, 4)
    clock(timedelta(seconds=100))
    make.answer(worker, leases)
    assert score() == 4
    assert took() == [25] * 4
    [(since,)] = set(make.outcomes("made_at"))
    assert since is not None


@pytest.mark.parametrize("limit", [1, 200])
def test_leases_taken_ahead_are_timed_from_the_submission_before(
    batch: Batch, clock: Callable[[timedelta], None], limit: int
) -> None:
    """However the pages fall into groups of the scoring step."""
    worker, other = make.make_worker(), make.make_worker()
    first, second, third = make.take(worker, batch, 3)
    theirs = make.take(other, batch, 1)
    for lease in (first, second):
        clock(timedelta(seconds=200))
        make.answer(worker, [lease])
        if limit == 1:
            assert score(limit) == 1
    make.answer(other, theirs)
    clock(timedelta(seconds=70))
    make.answer(worker, [third])
    while score(limit):
        pass
    # By the fifty seconds: the machine takes its own time.
    assert [seconds // 50 for seconds in took(f"kind = 'answer' AND worker_id = {worker.pk}")] == [4, 4, 1]
    assert [seconds // 50 for seconds in took(f"kind = 'answer' AND worker_id = {other.pk}")] == [8]


def test_what_was_given_is_told_from_other_answers_by_a_hash_and_by_its_first_single_choice() -> None:
    draft = make.make_draft(make.make_project(interface=SEVERAL), gold=NEVER)
    make.add_rows(draft, list(make.rows(4)))
    batch, worker = make.published(draft), make.make_worker()
    given = [{"colours": ["red"], "label": "cat", "kg": 4}, {"colours": ["red"], "label": "dog", "kg": 4}]
    for values in (given[0], given[1], given[0]):
        give(worker, make.take(worker, batch)[0], values)
    give(worker, make.take(worker, batch)[0], {}, unclear=True)
    assert score() == 4

    digests = [row[0] for row in make.outcomes("digest")]
    assert digests[0] == digests[2] != digests[1]
    assert all(-(2**63) <= digest < 2**63 for digest in digests[:3])
    assert digests[3] is None
    assert make.outcomes("kind, score, field, given, truth, answer_type") == [
        ("answer", None, "label", label, None, "choice") for label in ("cat", "dog", "cat")
    ] + [("answer", None, "", None, None, "choice")]


def test_an_interface_without_a_single_choice_has_no_labels() -> None:
    interface = {"data": make.INTERFACE["data"], "answer": SEVERAL["answer"][:1]}
    draft = make.make_draft(make.make_project(interface=interface), gold=ALWAYS)
    make.add_rows(draft, [{"external_id": "g", "data": {"text": "x"}, "gold": {"kg": 4}}, *make.rows(1)])
    batch, worker = make.published(draft), make.make_worker()
    give(worker, make.take(worker, batch)[0], {"kg": 4})
    score()
    assert make.outcomes("kind, score, field, given, truth, answer_type") == [
        ("gold", 1.0, "", None, None, "number"),
        ("answer", None, "", None, None, "number"),
    ]


def test_gold_is_judged_beside_the_answer_and_by_how_others_did_there() -> None:
    batch = make.make_batch(tasks=2, gold=1, overlap=4, gold_policy=ALWAYS)
    for label in ("cat", "dog", "dog", "dog"):
        worker = make.make_worker()
        make.answer(worker, make.take(worker, batch), label)
        assert score() == 1
    assert make.outcomes("kind, truth, given, score") == [
        row
        for label in ("cat", "dog", "dog", "dog")
        for row in (("gold", "cat", label, float(label == "cat")), ("answer", None, label, None))
    ]
    # Two more are imagined who were right as often as on an ordinary task: 1.6 of 2.
    assert [row[0] for row in make.outcomes("easiness", "kind = 'gold'")] == [
        None, *(pytest.approx(share) for share in (2.6 / 3, 2.6 / 4, 2.6 / 5))
    ]  # fmt: skip
    assert not [row for row in make.outcomes("easiness", "kind = 'answer'") if row[0] is not None]


def test_a_repair_is_an_answer_more_and_no_judgement_more() -> None:
    batch, worker = make.make_batch(tasks=2, gold=1, gold_policy=ALWAYS), make.make_worker()
    leases = make.take(worker, batch)
    make.answer(worker, leases, "dog")
    score()
    make.send_back(batch, leases)
    make.answer(worker, live_leases(worker.pk), "cat")
    assert score() == 1
    assert make.outcomes("kind, round, score, given, took_ms IS NULL") == [
        ("gold", 0, 0.0, "dog", True),
        ("answer", 0, None, "dog", False),
        ("answer", 1, None, "cat", True),
    ]


@pytest.mark.parametrize("gold", [0, 12])
def test_a_group_is_scored_in_few_statements_however_much_of_it_is_gold(gold: int) -> None:
    batch = make.make_batch(tasks=30, gold=30, overlap=3, gold_policy=ALWAYS if gold else NEVER, lease_cap=12)
    for _worker in range(3):
        worker = make.make_worker()
        make.answer(worker, make.take(worker, batch, 12))
    seen: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        assert score() == 36
    statements = [sql for sql in seen if "SAVEPOINT" not in sql]
    assert len(make.outcomes("id", "kind = 'gold'")) == 3 * gold
    assert len(statements) == (18 if gold else 12), "\n".join(statements)
