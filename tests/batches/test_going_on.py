"""Going on with new terms: a batch is stopped, and what it lacks, that exactly, goes on in a draft."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from marketplace.accounts.models import Act
from marketplace.batches.commands import going_on
from marketplace.batches.commands.going_on import go_on
from marketplace.batches.commands.lifecycle import cancel_batch
from marketplace.batches.costs import Platform
from marketplace.batches.errors import TermsInvalid, WrongState
from marketplace.batches.models import Batch, Payload, Task
from marketplace.batches.queries import Lacks, estimate, goes_on_in, imports_of, lacks, sample_of
from marketplace.common.database import acting_as, rows
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.acts import broken, in_one
from tests.gold.test_supply import ALWAYS, NEVER, keys, offer
from workers.assignments.commands.decide import accept_answers, apply_due, cancel, finish_batch
from workers.assignments.commands.leases import return_lease
from workers.assignments.commands.pay import settle_due
from workers.assignments.commands.quarantine import refund_quarantined
from workers.assignments.errors import NotEligible
from workers.assignments.states import ReturnReason
from workers.profiles.commands import pseudonym_for

pytestmark = pytest.mark.django_db
Forward = Callable[[timedelta], None]
PLATFORM = Platform(fee_basis_points=1_000)
UNIT = make.PRICE + make.FEE


def go(batch: Batch, **asked: Any) -> Batch:
    made: Batch = in_one(go_on, batch_id=batch.pk, platform=PLATFORM, **asked)
    batch.refresh_from_db()
    return made


def places(batch: Batch) -> dict[str, int]:
    return dict(Task.objects.filter(batch=batch).order_by("external_id").values_list("external_id", "overlap"))


def do(batch: Batch, *names: str, send: bool = True) -> tuple[Any, list[Any]]:
    """Somebody new answers these tasks, or holds them; the others of his leases he gives back."""
    worker = make.make_worker()
    wanted = {f"animal {name[1:]}" for name in names}
    leases = make.take(worker, batch, 10)
    for lease in leases:
        if lease.data["text"] not in wanted:
            give_back(worker, lease)
    mine = [lease for lease in leases if lease.data["text"] in wanted]
    assert len(mine) == len(names)
    if send:
        make.answer(worker, mine)
    return worker, mine


def give_back(worker: Any, lease: Any, reason: ReturnReason = ReturnReason.SKIP) -> None:
    in_one(return_lease, worker_id=worker.pk, assignment=lease.id, token=lease.token, reason=reason)


def test_exactly_the_places_that_nobody_has_come_over_under_the_new_terms() -> None:
    batch = make.make_batch(4, overlap=3, name="Pets", order="sequential", auto_accept_s=60, worker_limit=9)
    do(batch, "t0", "t1")
    do(batch, "t0", send=False)
    _worker, [lease] = do(batch, "t0")
    with one_transaction(principal="test"):
        make.reject(batch, [lease])
    for _person in range(3):
        do(batch, "t3")
    funds = make.funds(batch)

    made = go(batch, price_micros=50_000, time_limit_s=1_800)

    # Of t0 one answer was sent, one is in work and one was rejected; t3 has all of its answers.
    assert places(made) == {"t0": 1, "t1": 2, "t2": 3}
    assert (batch.state, made.state, made.kind, made.continues) == ("closing", "draft", "regular", batch)
    assert (made.name, made.version, made.price_micros, made.fee_micros) == (
        "Pets – continued",
        batch.version,
        50_000,
        5_000,
    )
    assert (made.time_limit_s, made.lease_max_s, made.overlap, made.order) == (1_800, 7_200, 3, "sequential")
    assert (made.auto_accept_s, made.worker_limit, batch.price_micros) == (60, 9, make.PRICE)
    shown = {p.task.external_id: p.data for p in Payload.objects.filter(batch_id=made.pk).select_related("task")}
    assert shown == {f"t{n}": {"text": f"animal {n}"} for n in range(3)}
    assert [(it.kind, it.state, it.tasks, it.gold_tasks, it.places) for it in imports_of(made)] == [
        ("copy", "done", 3, 0, 6)
    ]
    assert (estimate(made).tasks, estimate(made).places, sample_of(made)) == (3, 6, {"text": "animal 0"})
    # The closing alone is an act of money, and nothing is held before the draft is published.
    assert list(Act.objects.filter(subject_id=str(batch.public_id)).values_list("act", flat=True)) == [
        "money.batch_published", "money.batch_closed",
    ]  # fmt: skip
    assert make.funds(batch) == funds
    assert broken() == []
    make.published(made)
    assert funds - make.funds(batch) == 6 * 55_000
    assert broken() == []


def test_what_is_under_way_is_finished_and_the_rest_of_the_money_comes_back() -> None:
    batch = make.make_batch(2, overlap=2)
    held = 4 * UNIT
    before = make.funds(batch) + held
    worker, leases = do(batch, "t0", send=False)

    go(batch)
    in_one(finish_batch, batch_id=batch.pk)
    assert before - make.funds(batch) == UNIT, "what is leased stays held"
    assert [one.outcome for one in make.answer(worker, leases).outcomes] == ["submitted"]
    in_one(accept_answers, batch_id=batch.pk, assignments=None)
    in_one(settle_due)
    while in_one(finish_batch, batch_id=batch.pk):
        pass

    batch.refresh_from_db()
    assert (batch.state, before - make.funds(batch)) == ("settled", UNIT)
    assert broken() == []


def test_a_place_that_falls_free_afterwards_is_lost_to_nobody_and_comes_by_a_repeat() -> None:
    batch = make.make_batch(3, overlap=1)
    worker, [leased] = do(batch, "t0", send=False)
    _other, [answered] = do(batch, "t1")
    first = go(batch)
    assert places(first) == {"t2": 1}

    give_back(worker, leased)
    with one_transaction(principal="test"):
        make.reject(batch, [answered])
    assert (lacks(batch).tasks, lacks(batch).places) == (2, 2)
    second = go(batch)

    assert places(second) == {"t0": 1, "t1": 1}
    assert (places(go(batch)), [one.name for one in goes_on_in(batch)]) == ({}, ["First – continued"] * 3)
    assert broken() == []


def test_nobody_comes_back_to_a_place_that_another_batch_has(clock: Forward) -> None:
    batch = make.make_batch(1, overlap=1, time_limit_s=60)
    worker, leases = do(batch, "t0", send=False)
    clock(timedelta(seconds=61))
    in_one(apply_due)

    made = go(batch)

    assert places(made) == {"t0": 1}
    assert [(one.outcome, one.draft_kept) for one in make.answer(worker, leases).outcomes] == [("lease_lost", True)]


def test_what_a_draft_had_is_lacking_again_once_it_is_given_up_but_not_once_it_was_published() -> None:
    batch = make.make_batch(2, overlap=2)
    first = go(batch)
    assert lacks(batch) == Lacks(0, 0, 0, 0, 0, 0, 0, 0)

    in_one(cancel_batch, batch_id=first.pk)
    assert list(goes_on_in(batch)) == []
    second = go(batch)
    assert places(second) == places(first) == {"t0": 2, "t1": 2}

    make.published(second)
    do(second, "t0")
    in_one(cancel, batch_id=second.pk)
    assert lacks(batch).places == 0, "whoever published goes on from there"
    second.refresh_from_db()
    third = go(second)
    assert (places(third), third.name) == ({"t0": 1, "t1": 2}, "First – continued")


def test_keys_that_nobody_was_shown_come_along_and_are_used_and_others_are_not() -> None:
    batch = make.make_batch(10, 4, overlap=2, gold_policy=ALWAYS)
    worker = make.make_worker()
    [seen] = make.take(worker, batch, 1)
    assert seen.data["text"].startswith("known")
    shown = f"g{seen.data['text'].rsplit(' ', 1)[1]}"

    made = go(batch)

    found = {name: key[1:] for name, key in keys(made).items()}
    assert found == dict.fromkeys({"g0", "g1", "g2", "g3"} - {shown}, ("live", 0, 2))
    assert (estimate(made).tasks, estimate(made).gold_tasks, imports_of(made).get().gold_tasks) == (13, 3, 3)
    with one_transaction(principal="test"), acting_as("gold_reader"):
        copied = rows(
            "SELECT count(*) FROM batches_goldkey o JOIN batches_task ot ON ot.id = o.task_id"
            " JOIN batches_task nt ON nt.external_id = ot.external_id AND nt.batch_id = %s"
            " JOIN batches_goldkey n ON n.task_id = nt.id AND n.key = o.key AND n.simhash = o.simhash"
            " WHERE o.batch_id = %s AND n.salt <> o.salt",
            [made.pk, batch.pk],
        )
    assert copied == [(3,)]
    # Nobody can meet them in the batch that was stopped, so they do not wait as keys that are like others do.
    make.published(made)
    assert {key[1] for key in keys(made).values()} == {"live"}
    assert broken() == []


def test_no_more_keys_come_than_hide_among_the_tasks() -> None:
    batch = make.make_batch(100, 40, overlap=1, gold_policy=NEVER)
    for _person in range(9):
        worker = make.make_worker()
        make.answer(worker, make.take(worker, batch, 10))
    assert estimate(go(batch)).gold_tasks == 10


def test_a_task_of_which_the_crowd_is_sure_wants_no_more_answers() -> None:
    batch = make.make_batch(3, overlap=3, gold_policy=ALWAYS)
    worker = make.make_worker()
    make.answer(worker, make.take(worker, batch, 3))
    assert offer(batch, "t1") == 1
    assert places(go(batch)) == {"t0": 2, "t2": 2}


def test_tasks_in_quarantine_come_where_that_is_asked_and_reserved_ones_stay() -> None:
    draft = make.make_draft(overlap=1, max_attempts=1)
    friend = make.make_worker()
    with one_transaction(principal="test"):
        name = pseudonym_for(worker_id=friend.pk, requester_id=draft.requester_id)
    make.add_rows(draft, [*make.rows(2), {"external_id": "r", "data": {"text": "x"}, "reserved_for": [name]}])
    batch = make.published(draft)
    worker = make.make_worker()
    [lease] = make.take(worker, batch, 1)
    give_back(worker, lease, ReturnReason.BROKEN)
    broken_one = f"t{lease.data['text'][-1]}"
    in_one(refund_quarantined)
    told = lacks(batch)
    assert (told.tasks, told.places, told.quarantined, told.quarantined_places, told.reserved) == (1, 1, 1, 1, 1)

    assert set(places(go(batch))) == {"t0", "t1"} - {broken_one}
    assert set(places(go(batch, quarantined=True))) == {broken_one}
    assert lacks(batch) == Lacks(0, 0, 0, 0, 0, 0, 1, 0)
    assert broken() == []


def test_where_tasks_have_answers_the_others_are_of_other_people() -> None:
    batch = make.make_batch(2, overlap=2, audience={"country": {"in": ["DE"]}})
    german, other = make.make_worker(), make.make_worker()
    for one in (german, other):
        type(one).objects.filter(pk=one.pk).update(country="DE")
    make.answer(german, make.take(german, batch, 1))
    outside = {"not": {"batch": {"id": str(batch.public_id)}}}

    made = make.published(go(batch))

    assert made.audience == {"all": [{"country": {"in": ["DE"]}}, outside]}
    with pytest.raises(NotEligible):
        make.take(german, made)
    assert make.take(other, made)
    assert go(made, new_workers=False).audience == made.audience


def test_whoever_worked_before_is_let_in_where_no_task_that_comes_was_begun_or_where_that_is_asked() -> None:
    begun = make.make_batch(2, overlap=2)
    do(begun, "t0")
    assert go(begun, new_workers=False).audience == {}
    fresh = make.make_batch(2, overlap=1)
    do(fresh, "t0")
    assert go(fresh).audience == {}
    assert go(make.make_batch(1), new_workers=True).audience != {}


def test_what_was_published_is_gone_on_with_in_every_state_and_a_draft_is_not() -> None:
    ended = make.make_batch(1, overlap=1)
    in_one(cancel, batch_id=ended.pk)
    for _again in range(3):
        in_one(finish_batch, batch_id=ended.pk)
    assert places(go(ended)) == {"t0": 1}
    assert (ended.state, ended.settled_at is None) == ("cancelled", False)
    given_up = make.make_draft()
    in_one(cancel_batch, batch_id=given_up.pk)
    for batch in (make.make_draft(), given_up):
        with pytest.raises(WrongState):
            go(batch)


def test_a_batch_that_lacks_nothing_gives_an_empty_draft_for_more_tasks() -> None:
    batch = make.make_batch(1, overlap=1)
    do(batch, "t0", send=False)
    made = go(batch, name="More pets")
    assert (made.name, places(made), imports_of(made).count(), made.continues_id) == ("More pets", {}, 0, batch.pk)
    make.add_rows(made, make.rows(2))
    make.published(made)


def test_what_is_too_much_at_once_is_left_for_another_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(going_on, "BROUGHT_MAX", 2)
    batch = make.make_batch(3, overlap=1)
    assert [set(places(go(batch))) for _again in range(2)] == [{"t0", "t1"}, {"t2"}]


def test_a_lease_may_last_for_the_new_time_and_refused_terms_leave_the_batch_open() -> None:
    batch = make.make_batch(1, time_limit_s=60, lease_max_s=90)
    with pytest.raises(TermsInvalid) as refused:
        go(batch, price_micros=10**15)
    assert refused.value.facts["errors"][0]["field"] == "price_micros"
    batch.refresh_from_db()
    assert (batch.state, Batch.objects.count()) == ("published", 1)
    made = go(batch, time_limit_s=600)
    assert (made.time_limit_s, made.lease_max_s) == (600, 600)


@pytest.mark.parametrize("what", ["open", "another", "filled"])
def test_the_database_brings_tasks_only_from_a_stopped_batch_into_its_own_empty_draft(what: str) -> None:
    batch = make.make_batch(2, overlap=1)
    made = make.make_draft(batch.project) if what == "another" else go(batch)
    source = make.make_batch(1, project=batch.project) if what == "open" else batch
    with pytest.raises(IntegrityError, match="takes no more work into the empty draft"), transaction.atomic():
        rows("SELECT * FROM batches_bring_over(%s, %s, false, 0, 10)", [source.pk, made.pk])
