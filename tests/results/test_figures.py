"""Figures of a batch: right, worked out in the background while somebody looks on, and kept without a word of gold."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace.common.database import rows, run
from marketplace.common.lots import lot, lots_of
from marketplace.results.commands.figures import take_figures, want_figures
from marketplace.results.models import Figures
from marketplace.results.queries import figures
from marketplace.results.queries.figures import Look, gather, kept_figures
from marketplace.results.queries.tasks import Wanted, tasks_walked
from marketplace.results.tasks import follow_figures, make_figures
from tests import factories as make
from tests.acts import in_one
from tests.console.watched import NO_GOLD, consensus, give, make_watched
from workers.assignments.queries import Sought, answers_walked
from workers.reputation.scoring import PRIOR

pytestmark = pytest.mark.django_db
Clock = Callable[[timedelta], None]


def test_figures_say_what_the_answers_look_like() -> None:
    watched = make_watched(10)
    kept = kept_figures(watched.batch)
    assert kept is not None and not kept.changed
    look = kept.look

    [field] = look.fields
    assert [(one.label, one.answers) for one in field.given] == [("cat", 10), ("dog", 19)]
    # Of even tasks but 0 two say cat beside one dog, of odd ones three say dog; of task 0 two say cat.
    assert field.matrix is not None
    assert (field.matrix.labels, field.matrix.pairs) == (("cat", "dog"), ((5, 8), (8, 15)))
    assert field.agreement.figures["agreement"].value == pytest.approx((1 + 4 / 3 + 5) / 10, abs=1e-6)
    assert (look.tasks, look.of_tasks, look.answers, look.newest) == (10, 10, 30, 29)
    assert (look.unclear, dict(look.given_up)) == (1, {"broken": 1})
    assert sum(step.answers for step in look.steps) == 30
    assert {one.worker_id: (one.answers, one.unclear, one.rejected) for one in look.workers} == {
        watched.workers[0].pk: (10, 0, 0), watched.workers[1].pk: (10, 0, 0), watched.workers[2].pk: (10, 1, 0),
    }  # fmt: skip
    assert all(one.low < one.score < one.high for one in look.workers)
    assert {one.task for one in look.hardest[:4]} <= {"t0", "t2", "t4", "t6", "t8"}


def test_what_is_kept_is_what_was_worked_out() -> None:
    kept = kept_figures(make_watched(6).batch)
    assert kept is not None

    stored = json.loads(json.dumps(kept.look.as_json()))

    assert Look.from_json(stored) == kept.look


def test_nothing_of_gold_is_kept_where_everybodys_requests_could_read_it() -> None:
    policy = {"min_share": 0.3, "max_share": 0.5, "probation": 4, "probation_share": 0.5}
    batch = make.make_batch(8, 4, overlap=2, lease_cap=100, gold_policy=policy)
    worker = make.make_worker()
    make.answer(worker, make.take(worker, batch, 8))
    with CaptureQueriesContext(connection) as asked:
        make_figures(batch.pk)

    assert not [one["sql"] for one in asked if "goldkey" in one["sql"] or "gold_verdict" in one["sql"]]
    body = json.dumps(Figures.objects.get(batch=batch).body)
    assert "gold" not in body and "known animal" not in body


def test_a_batch_without_answers_has_figures_that_say_so() -> None:
    batch = make.make_batch(2)
    make_figures(batch.pk)
    kept = kept_figures(batch)

    assert kept is not None
    assert (kept.look.answers, kept.look.steps, kept.look.workers, kept.look.hardest) == (0, (), (), ())
    assert kept.look.fields[0].agreement.words == "unknown"


def test_who_is_told_of_among_many_who_are_alike_is_decided_by_lot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "WORKERS_MAX", 4)
    batch, workers = make.make_batch(2, overlap=9, gold_policy=NO_GOLD), [make.make_worker() for _ in range(9)]
    for worker in reversed(workers):
        give(worker, batch, 2 if worker == workers[6] else 1, lambda number: "cat")
    make_figures(batch.pk)
    kept = kept_figures(batch)

    assert kept is not None
    key = lots_of(batch.public_id)
    others = sorted((worker.pk for worker in workers if worker != workers[6]), key=lambda pk: lot(key, pk))
    assert [one.worker_id for one in kept.look.workers] == [workers[6].pk, *others[:3]]
    assert kept.look.more_workers == 5


def test_a_stranger_to_the_project_is_taken_by_the_prior() -> None:
    batch, worker = make.make_batch(2, overlap=2), make.make_worker()
    give(worker, batch, 2, lambda number: "cat")
    make_figures(batch.pk)
    kept = kept_figures(batch)

    assert kept is not None
    [one] = kept.look.workers
    assert (one.score, one.low, one.high) == (PRIOR.mean, *PRIOR.interval())


def test_figures_are_worked_out_only_while_somebody_looks_on_and_once_more_after_the_last_change(clock: Clock) -> None:
    batch, worker = make.make_batch(8, overlap=2, lease_cap=100), make.make_worker()
    give(worker, batch, 2, lambda number: "cat")
    follow_figures()
    assert kept_figures(batch) is None, "nobody looks"

    def worked_out() -> bool:
        before = Figures.objects.get(batch=batch).made_at
        clock(timedelta(seconds=60))
        follow_figures()
        return Figures.objects.get(batch=batch).made_at != before

    in_one(want_figures, batch_id=batch.pk)
    follow_figures()
    kept = kept_figures(batch)
    assert kept is not None and kept.look.newest == 2
    assert [worked_out(), worked_out()] == [True, False], "once more, and then it rests"

    give(worker, batch, 1, lambda number: "cat")
    changed = kept_figures(batch)
    assert changed is not None and changed.changed
    assert [worked_out(), worked_out(), worked_out()] == [True, True, False]

    clock(timedelta(seconds=700))
    give(worker, batch, 1, lambda number: "cat")
    assert not worked_out(), "nobody has looked for a while"


def test_two_never_work_at_the_same_batch_and_who_died_over_it_is_followed(clock: Clock) -> None:
    batch = make.make_batch(2)
    in_one(want_figures, batch_id=batch.pk)

    assert in_one(take_figures) == batch.pk
    assert in_one(take_figures) is None
    clock(timedelta(seconds=121))
    assert in_one(take_figures) == batch.pk


def test_costly_figures_are_worked_out_less_often(clock: Clock) -> None:
    batch, worker = make.make_batch(4, overlap=2, lease_cap=100), make.make_worker()
    in_one(want_figures, batch_id=batch.pk)
    make_figures(batch.pk)
    run("UPDATE results_figures SET took_ms = 10000 WHERE batch_id = %s", [batch.pk])
    give(worker, batch, 1, lambda number: "cat")

    clock(timedelta(seconds=150))
    assert in_one(take_figures) is None
    clock(timedelta(seconds=60))
    assert in_one(take_figures) == batch.pk


def test_gathering_takes_as_many_statements_for_many_answers_as_for_few() -> None:
    def cost(tasks: int) -> int:
        batch = make_watched(tasks).batch
        with CaptureQueriesContext(connection) as asked:
            in_one(gather, batch_id=batch.pk)
        return len(asked)

    assert cost(5) == cost(40) <= 20


def test_lists_look_through_so_much_at_a_time_and_lose_nothing_on_the_way() -> None:
    batch = make_watched(10).batch
    everything = [row["id"] for row in answers_walked(batch.pk, Sought(), before=None, limit=100)[0]]
    found, place, pages = [], None, 0
    while True:
        page, place = answers_walked(batch.pk, Sought(label="cat", field="label"), before=place, limit=3, window=4)
        found += [row["id"] for row in page]
        pages += 1
        if place is None:
            break
    cats = [row["id"] for row in answers_walked(batch.pk, Sought(label="cat", field="label"), before=None, limit=99)[0]]

    assert len(everything) == 30
    assert found == cats and len(cats) == 10
    assert pages > 4

    wanted, seen, after = Wanted(field="label", one="cat", other="dog"), [], ""
    while after is not None:
        tasks, after = tasks_walked(batch.pk, wanted, after=after, limit=2, window=3)
        seen += [row["task"] for row in tasks]
    assert seen == ["t2", "t4", "t6", "t8"]


def test_tasks_are_found_by_what_is_wrong_with_them() -> None:
    batch = make_watched(6).batch
    consensus(batch)

    def names(**wanted: str) -> list[str]:
        return [row["task"] for row in tasks_walked(batch.pk, Wanted(**wanted), after="", limit=99)[0]]

    assert names(show="unclear") == ["t0"]
    assert names(task="t3") == ["t3"]
    assert names(show="unanswered") == []
    assert names(show="split") == ["t2", "t4"]
    assert names(field="label", one="dog", other="dog") == ["t1", "t3", "t5"]
    assert names() == [f"t{number}" for number in range(6)]
    run("UPDATE results_consensus SET posterior = 0.5 WHERE task_id = (SELECT id FROM batches_task"
        " WHERE batch_id = %s AND external_id = 't4')", [batch.pk])  # fmt: skip
    assert "t4" in names(show="unsure")
    assert rows("SELECT count(*) FROM results_consensus WHERE batch_id = %s", [batch.pk]) == [(6,)]
