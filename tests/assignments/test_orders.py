"""In which order tasks are given out, and that none is left out whatever the order."""

from collections import Counter
from collections.abc import Iterable

import pytest

from marketplace.batches.models import Batch, Task
from marketplace.batches.states import Order
from marketplace.common.database import run
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.acts import broken
from tests.conftest import owner_connection
from workers.assignments.commands.decide import reject_answers
from workers.assignments.errors import NothingToClaim
from workers.assignments.states import RejectReason
from workers.profiles.models import Worker


def names(worker: Worker, batch: Batch, most: int = 1_000) -> list[str]:
    """What the worker is given, one by one, each answered before the next."""
    given = []
    while len(given) < most:
        try:
            leases = make.take(worker, batch)
        except NothingToClaim:
            break
        given += [lease.data["text"].removeprefix("animal ") for lease in leases]
        make.answer(worker, leases)
    return given


@pytest.mark.parametrize("order", Order.values)
@pytest.mark.django_db
def test_every_order_gives_every_worker_every_task_once(order: str) -> None:
    batch = make.make_batch(tasks=40, overlap=3, order=order)
    for _worker in range(3):
        assert Counter(names(make.make_worker(), batch)) == Counter(str(n) for n in range(40))
    assert make.queue() == []
    assert broken() == []


@pytest.mark.django_db
def test_sequential_is_the_order_of_the_import() -> None:
    batch = make.make_batch(tasks=30, overlap=2, order="sequential")
    assert names(make.make_worker(), batch) == [str(n) for n in range(30)]


@pytest.mark.django_db
def test_spread_leads_workers_apart_and_depth_first_leads_them_the_same_way() -> None:
    def begun(order: str, probation: int) -> int:
        policy = {"probation": probation, "probation_share": 0.0, "min_share": 0.0, "max_share": 0.0}
        batch = make.make_batch(tasks=100, overlap=5, order=order, gold_policy=policy)
        for _worker in range(5):
            names(make.make_worker(), batch, most=10)
        return Task.objects.filter(batch=batch, taken__gt=0).count()

    assert begun("depth_first", probation=0) == 10
    assert begun("spread", probation=0) > 25
    # Newcomers keep closer together: what they began is to be finished while some of them are there.
    assert 10 < begun("spread", probation=20) <= 25


@pytest.mark.django_db
def test_depth_first_is_shuffled_and_what_opens_again_comes_first() -> None:
    batch = make.make_batch(tasks=30, overlap=1, order="depth_first")
    first = names(make.make_worker(), batch, most=5)
    assert first != [str(n) for n in range(5)]
    reopen(batch, first[1])
    assert names(make.make_worker(), batch, most=1) == [first[1]]


def reopen(batch: Batch, name: str) -> None:
    """Reject the answer of a task that was full."""
    task = Task.objects.get(batch=batch, external_id=f"t{name}")
    with one_transaction(principal="test"):
        reject_answers(
            batch_id=batch.pk,
            assignments=[task.assignments.get(state="submitted").public_id],
            reason=RejectReason.WRONG,
            comment="No cat.",
            made_by=make.owner_of(batch.requester).pk,
        )


def levelled(order: str, levels: Iterable[int]) -> Batch:
    draft = make.make_draft(overlap=1, order=order)
    rows = make.rows(0)
    for number, level in enumerate(levels):
        field = {"priority": level} if order == "priority" else {"score": (level + 0.5) / 64}
        rows.append({"external_id": f"t{number}", "data": {"text": f"animal {number}"}, **field})
    make.add_rows(draft, rows)
    return make.published(draft)


def test_a_task_that_opens_again_goes_to_the_end_of_its_level(committed: str) -> None:
    batch = make.make_batch(tasks=6, overlap=1, order="priority")
    with owner_connection(committed) as owner:
        owner.execute("UPDATE batches_task SET priority = 5 WHERE external_id IN ('t0', 't1', 't2')")
        owner.execute("UPDATE batches_openplace o SET bucket = t.priority FROM batches_task t WHERE t.id = o.task_id")
    worker = make.make_worker()
    early = names(worker, batch, most=2)
    assert set(early) < {"0", "1", "2"}
    reopen(batch, early[0])
    rest = names(make.make_worker(), batch)
    assert set(rest[:2]) == {"0", "1", "2"} - {early[1]}
    assert rest[1] == early[0]
    assert set(rest[2:]) == {"3", "4", "5"}
    assert broken() == []


def test_the_order_is_final_once_tasks_are_queued(committed: str) -> None:
    draft = make.make_draft(order="sequential")
    make.add_rows(draft, make.rows(1))
    with owner_connection(committed) as owner, pytest.raises(Exception, match="in the order of their arrival"):
        owner.execute("UPDATE batches_batch SET \"order\" = 'spread'")


@pytest.mark.django_db
def test_workers_at_once_in_one_order_leave_nothing_out() -> None:
    """A walk only moves forward, so a task that reopens behind it must come again ahead of it."""
    batch = make.make_batch(tasks=12, overlap=2, order="sequential")
    one, two = make.make_worker(), make.make_worker()
    for _round in range(3):
        names(one, batch, most=4)
        names(two, batch, most=4)
        full = Task.objects.filter(batch=batch, taken=2).order_by("pk").first()
        if full is not None:
            rejected = full.assignments.filter(state="submitted").first()
            assert rejected is not None
            with one_transaction(principal="test"):
                reject_answers(
                    batch_id=batch.pk,
                    assignments=[rejected.public_id],
                    reason=RejectReason.WRONG,
                    comment="No cat.",
                    made_by=make.owner_of(batch.requester).pk,
                )
    names(make.make_worker(), batch)
    assert set(Task.objects.filter(batch=batch).values_list("taken", flat=True)) == {2}
    assert broken() == []


@pytest.mark.django_db
def test_ranks_of_chance_stay_below_those_of_tasks_that_open_again() -> None:
    make.make_batch(tasks=200, order="depth_first")
    assert all(rank < 1 << 59 for _, _, rank in make.queue())
    assert run("SELECT 1 FROM batches_tail WHERE last = 1::bigint << 60") == 1


def neighbours_shared(batch: Batch, workers: list[Worker]) -> int:
    """How many pairs of tasks two workers met within three places of each other, both of them."""
    pairs = []
    for worker in workers:
        met: list[str] = []
        for _page in range(8):
            leases = make.take(worker, batch, 10)
            met += [str(lease.data["text"]) for lease in leases]
            make.answer(worker, leases)
        pairs.append({frozenset(met[at : at + 2]) for at in range(len(met) - 1)}
                     | {frozenset((met[at], met[at + 2])) for at in range(len(met) - 2)})  # fmt: skip
    return sum(len(one & other) for number, one in enumerate(pairs) for other in pairs[:number])


def test_under_spread_what_one_worker_meets_beside_a_task_says_nothing_about_another(committed: str) -> None:
    """Else whoever puts sequences side by side sees which tasks were put in between: gold."""
    workers = [make.make_worker() for _ in range(6)]
    assert neighbours_shared(make.make_batch(tasks=240, overlap=6), workers) < 140
    with owner_connection(committed) as owner:
        [lane] = owner.execute("SELECT pg_get_functiondef('assignments_pick_lane'::regproc)").fetchone()  # type: ignore[misc]
        assert "IN 1 .. 8 LOOP" in lane
        owner.execute(lane.replace("IN 1 .. 8 LOOP", "IN 1 .. 0 LOOP"))
    assert neighbours_shared(make.make_batch(tasks=240, overlap=6), workers) > 200
