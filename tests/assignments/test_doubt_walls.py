"""The walls around doubt: places come with their money, and what was written about answers stays; attacked as the
owner, and with each wall taken down."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from marketplace.batches.models import Batch, Task
from marketplace.common.promises import check_promises
from tests import factories as make
from tests.acts import broken, in_one
from workers.assignments.commands.decide import apply_due
from workers.assignments.commands.holds import hold_answers
from workers.assignments.commands.more_places import more_places
from workers.assignments.commands.reopen import ask_review, discount_answers
from workers.assignments.models import Assignment
from workers.assignments.origin import Origin

FIRING = Origin(firing_id=1)


def task_ids(batch: Batch) -> list[int]:
    return list(Task.objects.filter(batch=batch).values_list("pk", flat=True))


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE batches_task SET overlap = overlap + 1",
        "UPDATE batches_task SET overlap = overlap - 1",
        "UPDATE batches_moreplaces SET places = places + 1",
        "UPDATE batches_moreplaces SET open = true",
        "DELETE FROM batches_moreplaces",
        "TRUNCATE batches_moreplaces",
        "UPDATE assignments_reserve SET dispute_places = dispute_places + 1",
        "UPDATE assignments_reserve SET dispute_places = dispute_places - 1",
        # Its own row of the books, left open or closed: the end of the transaction finds no money.
        "INSERT INTO batches_moreplaces (batch_id, number, made_at) SELECT id, 9, now() FROM batches_batch",
        "INSERT INTO batches_moreplaces (batch_id, number, made_at) SELECT id, 9, now() FROM batches_batch;"
        " UPDATE batches_task SET overlap = overlap + 1; UPDATE batches_moreplaces SET open = false WHERE open",
    ],
)
def test_even_the_owner_adds_no_places_without_their_money(
    committed: str, as_owner: psycopg.Connection[Any], attack: str
) -> None:
    batch = make.make_batch(tasks=2, overlap=2, dispute_basis_points=1_000)
    in_one(more_places, batch_id=batch.pk, task_ids=task_ids(batch))

    with pytest.raises(psycopg.errors.IntegrityError), as_owner.transaction():
        as_owner.execute(attack)

    assert set(Task.objects.values_list("overlap", flat=True)) == {3}
    assert broken() == []


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE assignments_hold SET until = until + interval '1 s'",
        "UPDATE assignments_hold SET reason = 'other'",
        "DELETE FROM assignments_hold",
        "TRUNCATE assignments_hold",
        "UPDATE assignments_reviewwish SET reason = 'other'",
        "DELETE FROM assignments_reviewwish",
        "TRUNCATE assignments_reviewwish",
        "UPDATE assignments_discount SET reason = 'other'",
        "DELETE FROM assignments_discount",
        "TRUNCATE assignments_discount",
    ],
)
def test_even_the_owner_rewrites_no_doubt(committed: str, as_owner: psycopg.Connection[Any], attack: str) -> None:
    batch, worker = make.make_batch(tasks=1), make.make_worker()
    make.answer(worker, make.take(worker, batch))
    of = {"batch_id": batch.pk, "worker_id": worker.pk, "reason": "in doubt", "origin": FIRING}
    in_one(hold_answers, life=timedelta(days=5), **of)
    in_one(ask_review, **of)
    in_one(discount_answers, assignment_ids=[Assignment.objects.get().pk], reason="in doubt", origin=FIRING)

    with pytest.raises(psycopg.errors.DatabaseError, match=r"fixed|append|never"):
        as_owner.execute(attack)


# --- mutants: with the wall gone, the attack goes through and a promise says so -----------------------------------


@pytest.mark.parametrize(
    ("table", "trigger", "attack"),
    [
        ("batches_task", "overlap_rises", "UPDATE batches_task SET overlap = overlap + 1"),
        (
            "batches_moreplaces",
            "more_places_held",
            "SELECT assignments_more_places(t.batch_id, ARRAY[t.id], 1) FROM batches_task t LIMIT 1",
        ),
        (
            "batches_moreplaces",
            "reserve_more",
            "SELECT assignments_more_places(t.batch_id, ARRAY[t.id], 1) FROM batches_task t LIMIT 1",
        ),
    ],
)
def test_without_its_wall_each_attack_breaks_a_promise(
    committed: str, as_owner: psycopg.Connection[Any], table: str, trigger: str, attack: str
) -> None:
    make.make_batch(tasks=2, overlap=2, dispute_basis_points=10_000)
    as_owner.execute(f"DROP TRIGGER {trigger} ON {table}")
    if trigger == "reserve_more":
        as_owner.execute("DROP TRIGGER more_places_held ON batches_moreplaces")
    as_owner.execute(attack)

    found = {finding.name for finding in check_promises() if finding.violations}

    assert found & {"inv_r06", "inv_r06_totals", "inv_r06_disputes"}, found
    assert found & {"inv_r06_more_places", "inv_r18_holds"}, found


@pytest.mark.parametrize("table", ["hold", "reviewwish", "discount"])
def test_a_wall_that_is_gone_is_noticed(committed: str, as_owner: psycopg.Connection[Any], table: str) -> None:
    as_owner.execute(f"DROP TRIGGER {'hold_step' if table == 'hold' else 'closed'} ON assignments_{table}")
    assert [finding.name for finding in check_promises() if finding.violations] == ["inv_r18_holds"]


def test_without_its_bound_a_hold_keeps_an_answer_for_ever(
    committed: str, as_owner: psycopg.Connection[Any], clock: Callable[[timedelta], None]
) -> None:
    batch, worker = make.make_batch(tasks=1, auto_accept_s=60), make.make_worker()
    make.answer(worker, make.take(worker, batch))
    in_one(hold_answers, batch_id=batch.pk, worker_id=worker.pk, life=timedelta(days=30), reason="x", origin=FIRING)
    definition = as_owner.execute("SELECT pg_get_functiondef('assignments_is_held'::regproc)").fetchone()
    assert definition is not None
    bound = "(p_deadline + '7 days'::interval) > p_now"
    assert bound in definition[0]
    clock(timedelta(days=8))

    held = "SELECT assignments_is_held(worker_id, batch_id, auto_accept_at, market_now()) FROM assignments_assignment"
    with as_owner.transaction() as mutated:
        as_owner.execute(definition[0].replace(bound, "true"))
        held = (
            "SELECT assignments_is_held(worker_id, batch_id, auto_accept_at, market_now()) FROM assignments_assignment"
        )
        assert as_owner.execute(held).fetchone() == (True,)
        raise psycopg.Rollback(mutated)
    assert as_owner.execute(held).fetchone() == (False,)
    in_one(apply_due)
    assert Assignment.objects.get().state == "accepted"
