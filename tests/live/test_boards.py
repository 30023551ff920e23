"""What the board, a batch and the market look like from a socket: pure reads, few statements."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace.accounts.commands.sanctions import impose
from marketplace.batches.commands.lifecycle import pause_batch
from marketplace.batches.models import Batch
from marketplace.common.database import acting_as, run, value
from marketplace.common.transactions import one_transaction
from marketplace.results.queries.market import market_state
from marketplace.results.queries.standing import batch_state
from tests import factories as make
from tests.acts import in_one
from workers.api.boards import board_state
from workers.assignments.audience import owns, refusal
from workers.assignments.audience.board import OWN, closed_to, may_take
from workers.assignments.commands.decide import accept_answers
from workers.assignments.commands.leases import return_lease
from workers.assignments.commands.waiting import wait_for_work
from workers.assignments.places import places_left
from workers.live.desks import gold_state
from workers.profiles.commands.skills import create_skill
from workers.profiles.models import Worker

pytestmark = pytest.mark.django_db
Clock = Callable[[timedelta], None]


def work(worker: Worker, batch: Batch, count: int, clock: Clock, seconds: int, *, page: int = 1) -> None:
    """So many answers one after the other, each page so many seconds after its claim."""
    for _ in range(count):
        leases = make.take(worker, batch, page)
        clock(timedelta(seconds=seconds))
        make.answer(worker, leases)


def accept(batch: Batch) -> None:
    in_one(accept_answers, batch_id=batch.pk, assignments=None)


def really_left(batch: Batch) -> int:
    return int(value("SELECT sum(overlap - taken - refunded) FROM batches_task WHERE batch_id = %s", [batch.pk]))


def test_the_board_says_what_every_worker_may_know_of_a_batch() -> None:
    batch = make.make_batch(tasks=4, overlap=3, time_limit_s=120)
    assert board_state() == {
        str(batch.public_id): {
            "name": "First",
            "requester": {
                "id": str(batch.requester.public_id),
                "name": "Acme Labels",
                "rejection_rate": None,
                "rejections": 0,
                "rejections_upheld": 0,
            },
            "price_micros": make.PRICE,
            "currency": "EUR",
            "pay_per_hour": None,
            "places_left": 12,
            "time_limit_s": 120,
            "version": 1,
            "needs": False,
        }
    }


def test_only_batches_that_take_work_are_on_the_board_and_of_those_the_ones_asked_for() -> None:
    first, second, paused = make.make_batch(), make.make_batch(), make.make_batch()
    in_one(pause_batch, batch_id=paused.pk)
    make.make_draft()
    assert set(board_state()) == {str(first.public_id), str(second.public_id)}
    assert set(board_state([second.pk, paused.pk])) == {str(second.public_id)}
    assert board_state([]) == {}


def test_places_left_follow_every_step_of_a_place_and_gold_counts_as_any(clock: Clock) -> None:
    policy = {"min_share": 0.4, "max_share": 0.5, "probation": 4, "probation_share": 0.5}
    batch = make.make_batch(tasks=12, gold=8, overlap=2, gold_policy=policy)
    crew = [make.make_worker() for _ in range(3)]

    def same() -> bool:
        return places_left([batch.pk])[batch.pk] == really_left(batch)

    assert same()
    for worker in crew:
        before = really_left(batch)
        leases = make.take(worker, batch, 3)
        assert before - really_left(batch) == 3
        assert same()
        in_one(return_lease, worker_id=worker.pk, assignment=leases[0].id, token=leases[0].token)
        assert same()
        make.answer(worker, leases[1:])
        assert same()
    accept(batch)
    assert same()
    with acting_as("gold_reader"):
        assert value("SELECT sum(shown) FROM batches_goldkey") > 0


def test_nothing_is_left_where_only_gold_is_open() -> None:
    batch, worker = make.make_batch(tasks=1, gold=5, overlap=1), make.make_worker()
    for leases in iter(lambda: make.take(worker, batch) if really_open(batch) else [], []):
        make.answer(worker, leases)
    assert really_left(batch) > 0
    assert places_left([batch.pk]) == {batch.pk: 0}


def really_open(batch: Batch) -> bool:
    return bool(make.queue(batch))


def test_pay_per_hour_is_what_accepted_answers_paid_for_the_time_that_they_took(clock: Clock) -> None:
    batch, worker = make.make_batch(tasks=40, overlap=1), make.make_worker()
    work(worker, batch, 4, clock, 36)
    accept(batch)
    assert board_state()[str(batch.public_id)]["pay_per_hour"] is None, "four answers tell nothing yet"
    work(worker, batch, 5, clock, 36)
    work(make.make_worker(), batch, 3, clock, 72)
    accept(batch)
    pay = board_state()[str(batch.public_id)]["pay_per_hour"]
    # A hundred answers an hour, or fifty, at 20,000 each; the clock of the test runs on a little.
    assert pay["median_micros"] == pytest.approx(100 * make.PRICE, rel=0.05)
    assert pay["high_micros"] == pytest.approx(100 * make.PRICE, rel=0.05)
    assert pay["low_micros"] == pytest.approx(50 * make.PRICE, rel=0.5)
    assert pay["median_s"] == pytest.approx(36, rel=0.05)
    assert (pay["answers"], pay["of"]) == (12, "batch")


def test_pages_and_leases_taken_ahead_share_their_time(clock: Clock) -> None:
    batch, worker = make.make_batch(tasks=40, overlap=1), make.make_worker()
    work(worker, batch, 2, clock, 180, page=5)
    ahead = make.take(worker, batch, 5)
    for lease in ahead:
        clock(timedelta(seconds=36))
        make.answer(worker, [lease])
    accept(batch)
    pay = board_state()[str(batch.public_id)]["pay_per_hour"]
    assert pay["answers"] == 15
    for name in ("low_micros", "median_micros", "high_micros"):
        assert pay[name] == pytest.approx(100 * make.PRICE, rel=0.05), name


def test_a_new_batch_shows_what_its_project_pays(clock: Clock) -> None:
    project, worker = make.make_project(), make.make_worker()
    old = make.make_batch(tasks=10, overlap=1, project=project)
    work(worker, old, 6, clock, 36)
    accept(old)
    new, stranger = make.make_batch(project=project), make.make_batch()
    board = board_state()
    assert board[str(new.public_id)]["pay_per_hour"]["of"] == "project"
    assert board[str(new.public_id)]["pay_per_hour"]["median_micros"] == pytest.approx(100 * make.PRICE, rel=0.05)
    assert board[str(stranger.public_id)]["pay_per_hour"] is None


def test_what_a_worker_may_take_is_what_a_claim_would_say_and_why_not() -> None:
    worker = make.make_worker()
    open_to_all, choosy = make.make_batch(), make.make_batch(audience={"score": {"min": 0.99}})
    in_germany = make.make_batch(audience={"country": {"in": ["DE"]}})
    ahead = make.make_batch(head_start_s=3_600)
    own = make.make_batch()
    own.requester.members.create(user=worker.user, role="viewer")
    told = may_take(worker.pk)
    batches = [open_to_all, choosy, in_germany, ahead, own]
    assert told == {
        str(batch.public_id): OWN
        if owns(worker_id=worker.pk, requester_id=batch.requester_id)
        else refusal(batch, worker_id=worker.pk)
        for batch in batches
    }
    assert told[str(open_to_all.public_id)] is None
    assert [bool(told[str(batch.public_id)]) for batch in batches[1:]] == [True] * 4
    assert may_take(worker.pk, [choosy.pk]) == {str(choosy.public_id): told[str(choosy.public_id)]}


def test_to_whom_a_batch_is_closed_is_said_of_many_at_once_as_of_each() -> None:
    batch = make.make_batch(audience={"country": {"in": ["DE"]}})
    crew = [make.make_worker() for _ in range(4)]
    Worker.objects.filter(pk__in=[worker.pk for worker in crew[:3]]).update(country="DE")
    batch.requester.members.create(user=crew[1].user, role="viewer")
    with one_transaction(principal="test"):
        impose(
            user_id=crew[2].user_id,
            scope="platform",
            scope_id=None,
            measure="limit",
            reason="low_accuracy",
            words="Too many of your answers were wrong.",
            evidence={"gold_accuracy": 0.4},
            life=timedelta(hours=24),
            pace_s=None,
            made_by=make.make_user().pk,
        )
    ids = [worker.pk for worker in crew]
    told = closed_to(batch.pk, ids)
    each = {worker: may_take(worker, [batch.pk])[str(batch.public_id)] for worker in ids}
    assert told == {worker: why for worker, why in each.items() if why}
    assert set(told) == set(ids[1:])

    def cost(some: list[int]) -> int:
        with CaptureQueriesContext(connection) as asked:
            closed_to(batch.pk, some)
        return len(asked)

    assert cost(ids[2:]) == cost(ids) <= 6


def test_names_of_skills_are_looked_up_once_for_however_many_lack_them() -> None:
    project = make.make_project()
    with one_transaction(principal="test"):
        skill = create_skill(requester_id=project.requester_id, kind="skill", name="Cats")
    audience = {"skill": {"id": str(skill.public_id)}}
    batches = [make.make_batch(project=project, audience=audience) for _ in range(5)]
    crew = [make.make_worker().pk for _ in range(5)]
    with CaptureQueriesContext(connection) as asked:
        told = closed_to(batches[0].pk, crew)
    assert set(told) == set(crew)
    assert all("Cats" in why for why in told.values())
    assert sum("profiles_skill WHERE public_id = ANY" in one["sql"] for one in asked.captured_queries) == 1
    with CaptureQueriesContext(connection) as asked:
        board = may_take(crew[0])
    assert set(board.values()) == set(told.values())
    assert sum("profiles_skill WHERE public_id = ANY" in one["sql"] for one in asked.captured_queries) == 1


def test_a_board_takes_as_many_statements_for_many_batches_as_for_few() -> None:
    worker, project = make.make_worker(), make.make_project()

    def cost(look: Callable[[], Any]) -> int:
        with CaptureQueriesContext(connection) as asked:
            look()
        return len(asked)

    audience = {"any": [{"country": {"in": ["DE"]}}, {"score": {"min": 0.2}}]}
    for _ in range(2):
        make.make_batch(tasks=1, project=project, audience=audience)
    few = cost(board_state), cost(lambda: may_take(worker.pk))
    for n in range(12):
        make.make_batch(tasks=1, project=project if n % 2 else None, audience=audience if n % 3 else {})
    assert (cost(board_state), cost(lambda: may_take(worker.pk))) == few
    assert max(few) <= 8


def test_a_requester_sees_counts_money_gold_pace_and_forecast(clock: Clock) -> None:
    batch = make.make_batch(
        tasks=10, gold=2, overlap=2, gold_policy={"min_share": 0.0, "max_share": 0.0, "probation": 0}
    )
    workers = [make.make_worker() for _ in range(3)]
    make.answer(workers[0], make.take(workers[0], batch, 4))
    accept(batch)
    make.answer(workers[1], make.take(workers[1], batch, 1))
    make.take(workers[1], batch, 2)
    in_one(wait_for_work, worker_id=workers[2].pk, batch_id=batch.pk, window=1)
    state = in_one(batch_state, batch_id=batch.pk)
    counts = {name: state["progress"][name] for name in ("leased", "submitted", "accepted", "rejected")}
    assert counts == {"leased": 2, "submitted": 1, "accepted": 4, "rejected": 0}
    held = (10 + 2) * 2 * (make.PRICE + make.FEE)
    assert state["money"]["currency"] == "EUR"
    assert held - 4 * (make.PRICE + make.FEE) <= state["money"]["escrow_micros"] <= held
    assert in_one(gold_state, batch_id=batch.pk) == {"live": 2, "waiting": 0, "flagged": 0, "keys": 2, "shown": 0}
    assert (state["places_left"], state["workers_active"], state["workers_waiting"]) == (17, 2, 1)
    assert state["answers_per_minute"] == 1.0
    # Five answers in five minutes may by chance be nine, or nearly none.
    assert (state["forecast_s"], state["forecast_low_s"], state["forecast_high_s"]) == (17 * 60, 544, 8_262)
    assert state["wanted"] == {"reviews": 0, "contested": 0, "held_workers": 0}
    clock(timedelta(minutes=6))
    later = in_one(batch_state, batch_id=batch.pk)
    assert (later["answers_per_minute"], later["forecast_s"]) == (0.0, None)


def test_staff_see_the_market_and_what_is_late(clock: Clock) -> None:
    batch, worker, other = make.make_batch(tasks=2, overlap=1, time_limit_s=60), make.make_worker(), make.make_worker()
    make.take(worker, batch)
    for one in (worker, other):
        in_one(wait_for_work, worker_id=one.pk, batch_id=batch.pk, window=1, alive_s=600)
    state = market_state()
    assert (state["batches"], state["places_left"], state["leases"]) == ({"published": 1}, 1, 1)
    assert (state["workers_waiting"], state["batches_waited_for"]) == (2, 1)
    assert (state["leases_overdue_s"], state["alerts"]) == (None, [])
    clock(timedelta(seconds=90))
    run("INSERT INTO common_deadletter (public_id, kind, subject, error, times, first_at, parked_at)"
        " VALUES (gen_random_uuid(), 'sweep', 'x', 'died', 3, market_now(), market_now())")  # fmt: skip
    state = market_state()
    assert 30 <= state["leases_overdue_s"] < 60
    assert state["alerts"] == ["leases_overdue", "dead_letters"]
