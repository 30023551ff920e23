"""What quality rules want done about answers is done once, and what came of it is said."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError

from marketplace.batches.commands.lifecycle import close_batch
from marketplace.batches.models import Batch, Task
from marketplace.common.database import rows, run, value
from marketplace.common.transactions import one_transaction
from marketplace.ledger.addresses import funds_of
from marketplace.ledger.commands import Move, move
from marketplace.ledger.queries import balance
from tests import factories as make
from tests.acts import broken, in_one
from workers.assignments.commands import wanted as commands
from workers.assignments.commands.decide import apply_due
from workers.assignments.commands.wanted import say_not_done
from workers.assignments.models import Assignment, Discount, Hold, ReviewWish
from workers.assignments.tasks import do_wanted
from workers.profiles.models import Worker
from workers.reputation.commands import Judged, record_outcomes
from workers.reputation.commands.apply import evaluate_due
from workers.reputation.commands.wanted import WANTED_OF_OTHERS
from workers.reputation.states import Kind

Forward = Callable[[timedelta], None]
UNIT = make.PRICE + make.FEE


def batch_that_wants(*actions: dict[str, Any], **terms: Any) -> Batch:
    """Where the first wrong answers to gold fire a rule with these actions."""
    rule = {
        "name": "misses",
        "scope": "batch",
        "window": {},
        "all": [{"metric": "gold_answers", "at_least": 5}, {"metric": "gold_accuracy", "below": 0.7}],
        "then": list(actions),
        "words": "Too many wrong.",
    }
    return make.make_batch(4, quality={"rules": [rule]}, **({"overlap": 1} | terms))


def misses(batch: Batch, answers: int = 3) -> Worker:
    """A worker who answers so many tasks, and of whom five wrong answers are recorded; the rule has fired."""
    worker = make.make_worker()
    if answers:
        make.answer(worker, make.take(worker, batch, count=answers))
    place = {"worker_id": worker.pk, "project_id": batch.project_id, "batch_id": batch.pk}
    in_one(
        record_outcomes,
        outcomes=[
            Judged(**place, kind=kind, score=score, assignment_id=worker.pk * 1000 + number)
            for number in range(5)
            for kind, score in ((Kind.ANSWER, None), (Kind.GOLD, 0.0))
        ],
    )
    assert in_one(evaluate_due) == 1
    return worker


def outcomes() -> list[str]:
    return [row[0] for row in rows("SELECT outcome FROM reputation_wanted ORDER BY id")]


def test_every_kind_that_is_wanted_of_others_is_done_here() -> None:
    assert tuple(commands._DOES) == WANTED_OF_OTHERS


def test_more_places_are_made_for_his_answers_and_the_requester_reads_what_they_cost(committed: str) -> None:
    batch = batch_that_wants({"do": "raise_overlap", "by": 2, "answers": 2})
    misses(batch)

    do_wanted()
    do_wanted()

    assert sorted(Task.objects.values_list("overlap", flat=True)) == [1, 1, 3, 3]
    assert outcomes() == ["2 tasks had 4 places added, and 0.088 EUR is held for that"]
    assert broken() == []


def test_his_answers_are_reopened_and_lose_their_vote(committed: str) -> None:
    batch = batch_that_wants({"do": "reopen", "answers": 50})
    misses(batch)

    do_wanted()

    assert outcomes() == [
        "3 tasks had 3 places added, and 0.066 EUR is held for that; his 3 answers to them have no vote any more"
    ]
    assert set(Discount.objects.values_list("reason", "firing_id")) == {
        ("Too many wrong.", value("SELECT id FROM reputation_firing"))
    }
    assert broken() == []


def test_what_the_funds_do_not_allow_is_refused_whole_and_says_what_is_missing(committed: str) -> None:
    batch = batch_that_wants({"do": "reopen", "answers": 50}, {"do": "ask_review"})
    misses(batch)
    source = funds_of(batch.requester.public_id)
    gone = balance(source, "EUR") - 2 * UNIT
    move_out = Move("gone", "withdrawal", source, "outside:bank", "EUR", gone)
    in_one(move, moves=[move_out])

    do_wanted()

    assert outcomes()[0].startswith("not done: 0.022 EUR is missing: 0.066 EUR is needed")
    assert outcomes()[1] == "you are asked to look at 3 answers"
    assert (Discount.objects.count(), ReviewWish.objects.count(), balance(source, "EUR")) == (0, 3, 2 * UNIT)
    assert set(Task.objects.values_list("overlap", flat=True)) == {1}
    assert broken() == []


def test_a_batch_that_takes_no_work_gets_no_places(committed: str) -> None:
    batch = batch_that_wants({"do": "raise_overlap", "by": 1, "answers": 9})
    misses(batch)
    in_one(close_batch, batch_id=batch.pk)

    do_wanted()

    assert outcomes() == ["not done: A batch that is closing takes no more work."]


def test_where_there_is_nothing_to_do_it_says_so(committed: str) -> None:
    misses(batch_that_wants({"do": "raise_overlap", "by": 1, "answers": 1}, {"do": "ask_review"}), answers=0)
    misses(batch_that_wants({"do": "release"}), answers=0)

    do_wanted()

    assert outcomes() == [
        "none of the tasks of his last 1 answer can have more places",
        "no answer of his is undecided",
        "nothing was held",
    ]


def test_acceptance_is_held_and_a_release_for_the_same_firing_ends_that_hold_only(
    committed: str, clock: Forward
) -> None:
    batch = batch_that_wants({"do": "hold", "days": 6}, auto_accept_s=86_400)
    worker = misses(batch)
    do_wanted()
    [hold] = Hold.objects.all()
    assert outcomes() == [
        f"his answers are not accepted by themselves before {hold.until:%Y-%m-%d %H:%M} UTC,"
        " nor later than seven days after their deadline"
    ]
    clock(timedelta(days=2))
    in_one(apply_due)
    assert set(Assignment.objects.values_list("state", flat=True)) == {"submitted"}
    assert (hold.worker_id, hold.batch_id, hold.reason) == (worker.pk, batch.pk, "Too many wrong.")

    release = (
        "INSERT INTO reputation_wanted (firing_id, position, action, kind, worker_id, batch_id)"
        " SELECT id, 100, '{\"do\": \"release\"}', 'release', worker_id, batch_id FROM reputation_firing"
    )
    with one_transaction(principal="test"):
        run(release)
    do_wanted()

    assert outcomes()[1] == "nothing is held any more; 3 answers accepted at once"
    assert set(Assignment.objects.values_list("state", flat=True)) == {"accepted"}
    assert broken() == []


def test_many_sweeps_at_once_do_each_thing_once(committed: str, together: Callable[..., list[Any]]) -> None:
    batch = batch_that_wants({"do": "reopen", "answers": 9}, {"do": "hold", "days": 3}, {"do": "ask_review"}, overlap=2)
    for _worker in range(3):
        misses(batch)

    found = together([do_wanted] * 5)
    do_wanted()

    assert [outcome for outcome in found if isinstance(outcome, BaseException)] == []
    # Somebody asked first reopens his three answers; nobody has more than he gave.
    answers = Assignment.objects.filter(submitted_at__isnull=False).count()
    assert (Discount.objects.count(), Hold.objects.count(), ReviewWish.objects.count()) == (answers, 3, answers)
    assert value("SELECT count(*) FROM reputation_wanted WHERE done_at IS NULL") == 0
    assert broken() == []


def test_one_that_cannot_be_done_does_not_stand_in_the_way_of_the_others(
    committed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = batch_that_wants({"do": "hold", "days": 3}, {"do": "ask_review"})
    misses(batch)

    def refuses(_: Any) -> str:
        raise IntegrityError("no")

    monkeypatch.setitem(commands._DOES, "hold", refuses)
    do_wanted()

    assert outcomes() == ["not done: the database refused it", "you are asked to look at 3 answers"]
    assert not in_one(say_not_done, wanted_id=value("SELECT min(id) FROM reputation_wanted"), why="again")
