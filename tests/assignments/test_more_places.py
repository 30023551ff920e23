"""More places for tasks of a batch that runs: held for in the same step, by one way only (R6, R12)."""

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from marketplace.batches.commands.lifecycle import close_batch, pause_batch, resume_batch
from marketplace.batches.errors import HoldTooLarge, WrongState
from marketplace.batches.models import Batch, MorePlaces, Task
from marketplace.batches.queries import progress
from marketplace.common.database import rows, run, value
from marketplace.common.transactions import one_transaction
from marketplace.ledger.addresses import disputes_of, escrow_of, funds_of, topup_of
from marketplace.ledger.commands import Move, move
from marketplace.ledger.errors import NotEnough
from marketplace.ledger.queries import balance
from tests import factories as make
from tests.acts import broken, in_one
from workers.assignments.commands.decide import accept_answers, finish_batch
from workers.assignments.commands.leases import return_lease
from workers.assignments.commands.more_places import more_places, more_places_for
from workers.assignments.commands.pay import settle_due
from workers.assignments.errors import NothingToClaim, NotInBatch, TooMany
from workers.assignments.states import ReturnReason
from workers.profiles.commands import pseudonyms

pytestmark = pytest.mark.django_db
UNIT = make.PRICE + make.FEE


def at(address: str) -> int:
    return balance(address, "EUR")


def task_ids(batch: Batch, *names: str) -> list[int]:
    found = Task.objects.filter(batch=batch, **({"external_id__in": names} if names else {}))
    return list(found.order_by("pk").values_list("pk", flat=True))


def held() -> None:
    """What a commit would check."""
    with transaction.atomic():
        run("SET CONSTRAINTS ALL IMMEDIATE")
        run("SET CONSTRAINTS ALL DEFERRED")


def full(batch: Batch) -> None:
    """Somebody answers every place there is."""
    for _place in range(batch.overlap):
        worker = make.make_worker()
        make.answer(worker, make.take(worker, batch, count=20))


def test_a_task_that_was_full_is_given_to_somebody_else_and_paid_like_the_others() -> None:
    batch = make.make_batch(tasks=2, overlap=1)
    full(batch)
    with pytest.raises(NothingToClaim):
        make.take(make.make_worker(), batch)
    before = make.funds(batch)

    added = in_one(more_places, batch_id=batch.pk, task_ids=task_ids(batch, "t0"), by=2)

    assert (added.places, added.held_micros) == (2, 2 * UNIT)
    assert before - make.funds(batch) == 2 * UNIT
    assert at(escrow_of(batch.public_id)) == 4 * UNIT
    assert [bucket for _, bucket, _ in make.queue()] == [64]
    assert progress(batch).places == 4
    assert broken() == []
    held()
    for _other in range(2):
        worker = make.make_worker()
        make.answer(worker, make.take(worker, batch))
    with pytest.raises(NothingToClaim):
        make.take(make.make_worker(), batch)
    in_one(accept_answers, batch_id=batch.pk, assignments=None)
    in_one(settle_due)
    while in_one(finish_batch, batch_id=batch.pk):
        pass
    batch.refresh_from_db()
    assert batch.state == "settled"
    assert at(escrow_of(batch.public_id)) == 0
    assert broken() == []


def test_a_task_that_still_has_places_keeps_its_place_in_the_queue() -> None:
    batch = make.make_batch(tasks=3, overlap=2)
    before = make.queue()

    in_one(more_places, batch_id=batch.pk, task_ids=task_ids(batch))

    assert make.queue() == before
    assert set(Task.objects.values_list("overlap", flat=True)) == {3}
    assert broken() == []


def test_nobody_answers_a_task_twice_because_it_has_more_places() -> None:
    batch = make.make_batch(tasks=1, overlap=1)
    worker = make.make_worker()
    make.answer(worker, make.take(worker, batch))

    in_one(more_places, batch_id=batch.pk, task_ids=task_ids(batch))

    with pytest.raises(NothingToClaim):
        make.take(worker, batch)
    assert make.take(make.make_worker(), batch)


def test_their_part_is_put_aside_for_disputes_and_for_a_top_up() -> None:
    batch = make.make_batch(
        tasks=10, overlap=1, dispute_basis_points=1_500, target_hourly_micros=10_000_000, topup_basis_points=5_000
    )
    asides = at(disputes_of(batch.public_id)), at(topup_of(batch.public_id))
    most = batch.topup_place_micros
    assert asides == (2 * (UNIT + most), 10 * most)

    in_one(more_places, batch_id=batch.pk, task_ids=task_ids(batch, "t0", "t1", "t2"))

    # 15 % of 13 places are 2, of 14 they are 3.
    assert (at(disputes_of(batch.public_id)), at(topup_of(batch.public_id))) == (asides[0], 13 * most)
    added = in_one(more_places, batch_id=batch.pk, task_ids=task_ids(batch, "t3"))
    assert added.held_micros == UNIT + (UNIT + most) + most
    assert at(disputes_of(batch.public_id)) == 3 * (UNIT + most)
    assert value("SELECT dispute_places FROM assignments_reserve") == 3
    assert broken() == []
    held()


def test_where_funds_are_short_nothing_happens_and_it_says_by_how_much() -> None:
    batch = make.make_batch(tasks=3, overlap=1)
    full(batch)
    make.spend_all(batch, but=3 * UNIT - 1)

    with pytest.raises(NotEnough) as refused:
        in_one(more_places, batch_id=batch.pk, task_ids=task_ids(batch))

    assert refused.value.facts["missing_micros"] == 1
    assert set(Task.objects.values_list("overlap", flat=True)) == {1}
    assert (MorePlaces.objects.count(), len(make.queue()), make.funds(batch)) == (0, 0, 3 * UNIT - 1)
    assert in_one(more_places, batch_id=batch.pk, task_ids=task_ids(batch, "t0", "t1")).places == 2
    assert broken() == []


def test_gold_reserved_and_broken_tasks_are_passed_over_and_nobody_gets_more_than_fifty() -> None:
    batch = make.make_draft(overlap=2, max_attempts=1)
    worker = make.make_worker()
    with one_transaction(principal="test"):
        name = pseudonyms(requester_id=batch.requester_id, worker_ids=[worker.pk])[worker.pk]
    make.add_rows(batch, [*make.rows(3, gold=1), {"external_id": "r", "data": {"text": "x"}, "reserved_for": [name]}])
    batch = make.published(batch)
    giver = make.make_worker()
    lease = make.take(giver, batch)[0]
    in_one(return_lease, worker_id=giver.pk, assignment=lease.id, token=lease.token, reason=ReturnReason.BROKEN)
    sick = Task.objects.exclude(quarantined_at=None).get().external_id

    added, passed_over = in_one(more_places_for, batch_id=batch.pk, tasks=["t0", "t1", "t2", "g0", "r"], by=48)

    assert passed_over == sorted([sick, "g0", "r"])
    assert added.places == 2 * 48
    again, passed_over = in_one(more_places_for, batch_id=batch.pk, tasks=["t0", "t1", "t2"])
    assert (again.places, len(passed_over)) == (0, 3)
    assert broken() == []


def test_places_are_added_to_tasks_of_the_batch_while_it_takes_work() -> None:
    batch, other = make.make_batch(tasks=1, overlap=1), make.make_batch(tasks=1, overlap=1)
    with pytest.raises(NotInBatch):
        in_one(more_places_for, batch_id=batch.pk, tasks=["t0", "nothing"])
    assert in_one(more_places, batch_id=batch.pk, task_ids=task_ids(other)).places == 0
    for by in (0, -1, 50):
        with pytest.raises(TooMany):
            in_one(more_places, batch_id=batch.pk, task_ids=task_ids(batch), by=by)
    in_one(pause_batch, batch_id=batch.pk)
    assert in_one(more_places, batch_id=batch.pk, task_ids=task_ids(batch)).places == 1
    in_one(resume_batch, batch_id=batch.pk)
    in_one(close_batch, batch_id=batch.pk)
    with pytest.raises(WrongState):
        in_one(more_places, batch_id=batch.pk, task_ids=task_ids(batch))
    with pytest.raises(WrongState):
        in_one(more_places, batch_id=make.make_draft().pk, task_ids=[])
    assert broken() == []


def test_a_batch_never_costs_more_than_an_account_may_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = make.make_batch(tasks=2, overlap=1)
    monkeypatch.setattr("workers.assignments.commands.more_places.AMOUNT_MAX", 3 * UNIT)

    assert in_one(more_places, batch_id=batch.pk, task_ids=task_ids(batch, "t0")).places == 1
    with pytest.raises(HoldTooLarge):
        in_one(more_places, batch_id=batch.pk, task_ids=task_ids(batch, "t0"))
    assert broken() == []


# --- by raw SQL ---------------------------------------------------------------------------------------------------


def test_the_runtime_role_changes_no_overlap_and_writes_no_books() -> None:
    batch = make.make_batch(tasks=1, overlap=2)
    for attack in (
        "UPDATE batches_task SET overlap = 3",
        "UPDATE batches_task SET overlap = 1",
        "INSERT INTO batches_moreplaces (batch_id, number, made_at) SELECT id, 1, market_now() FROM batches_batch",
        "UPDATE assignments_reserve SET dispute_places = 9",
        f"SELECT batches_more_places({batch.pk}, '{{}}', 1)",
    ):
        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            run(attack)


def test_places_without_their_money_cannot_be_committed() -> None:
    batch = make.make_batch(tasks=1, overlap=1, dispute_basis_points=10_000)
    task = task_ids(batch)
    price = f"more:{batch.public_id}:1"
    source, escrow = funds_of(batch.requester.public_id), escrow_of(batch.public_id)

    def paid(key: str, destination: str, amount: int) -> Move:
        return Move(key=key, kind="more", source=source, destination=destination, currency="EUR", amount_micros=amount)

    right = [paid(price, escrow, UNIT), paid(f"{price}:disputes", disputes_of(batch.public_id), UNIT)]
    for moved in (
        [],
        right[:1],
        [paid(price, escrow, UNIT - 1), right[1]],
        [paid(price, escrow_of(make.make_draft().public_id), UNIT), right[1]],
    ):
        with pytest.raises(IntegrityError, match="with their money"), transaction.atomic():
            run("SELECT assignments_more_places(%s, %s, 1)", [batch.pk, task])
            move(moved)
            run("SET CONSTRAINTS ALL IMMEDIATE")
    with transaction.atomic():
        run("SELECT assignments_more_places(%s, %s, 1)", [batch.pk, task])
        move(right)
        run("SET CONSTRAINTS ALL IMMEDIATE")
    assert broken() == []


@pytest.mark.parametrize("arguments", ["0", "-1", "NULL", "50"])
def test_the_function_itself_keeps_to_its_bounds(arguments: str) -> None:
    batch = make.make_batch(tasks=1, overlap=1)
    found = []
    try:
        with transaction.atomic():
            found = rows(f"SELECT * FROM assignments_more_places({batch.pk}, '{{{task_ids(batch)[0]}}}', {arguments})")
    except IntegrityError as error:
        assert "batches that take work" in str(error)
    assert found == []
    assert Task.objects.get().overlap == 1
