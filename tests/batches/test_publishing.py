"""What a batch costs, what its publication holds, and which command leads from which state to which."""

from collections.abc import Callable
from dataclasses import asdict

import pytest
from django.db import IntegrityError, transaction

from marketplace.batches.commands.lifecycle import (
    cancel_batch,
    close_batch,
    pause_batch,
    publish_batch,
    resume_batch,
    settle,
)
from marketplace.batches.errors import NothingToPublish, WrongState
from marketplace.batches.models import Batch
from marketplace.batches.queries import estimate, progress
from marketplace.batches.states import BatchState, PauseReason
from marketplace.common.database import rows, run
from marketplace.common.transactions import one_transaction
from marketplace.ledger.addresses import escrow_of, funds_of
from marketplace.ledger.errors import NotEnough
from marketplace.ledger.queries import balance
from tests import factories as make
from tests.acts import broken
from workers.profiles.commands import pseudonym_for

pytestmark = pytest.mark.django_db

UNIT = make.PRICE + make.FEE


def do(command: Callable[..., Batch], batch: Batch) -> Batch:
    with one_transaction(principal="test"):
        return command(batch_id=batch.pk)


def draft_with(funds_micros: int, tasks: int = 3, gold: int = 1, overlap: int = 2) -> Batch:
    draft = make.make_draft(make.make_project(make.make_requester(funds_micros)), overlap=overlap)
    if tasks or gold:
        make.add_rows(draft, make.rows(tasks, gold))
    return draft


def money(batch: Batch) -> tuple[int, int]:
    return (
        balance(funds_of(batch.requester.public_id), "EUR"),
        balance(escrow_of(batch.public_id), "EUR"),
    )


def test_an_estimate_counts_every_place_gold_and_reserved_included_with_its_fee() -> None:
    draft = draft_with(100_000)
    with one_transaction(principal="test"):
        name = pseudonym_for(worker_id=make.make_worker().pk, requester_id=draft.requester_id)
    make.add_rows(
        draft,
        [
            {"external_id": "r", "data": {"text": "x"}, "reserved_for": [name], "overlap": 1},
            {"external_id": "w", "data": {"text": "x"}, "overlap": 5},
        ],
    )
    assert asdict(estimate(draft)) == {
        "tasks": 6,
        "gold_tasks": 1,
        "places": 4 * 2 + 1 + 5,
        "reward_micros": 14 * make.PRICE,
        "fee_micros": 14 * make.FEE,
        "disputes_micros": 0,
        "topup_micros": 0,
        "total_micros": 14 * UNIT,
        "funds_micros": 100_000,
        "missing_micros": 14 * UNIT - 100_000,
    }


def test_an_estimate_of_nothing_is_nothing() -> None:
    told = estimate(draft_with(0, tasks=0, gold=0))
    assert (told.tasks, told.places, told.total_micros, told.funds_micros, told.missing_micros) == (0, 0, 0, 0, 0)


def test_a_fee_is_rounded_up_and_never_taken_from_the_workers_price() -> None:
    assert make.make_draft(price_micros=1).fee_micros == 1
    assert make.make_draft(price_micros=20_001).fee_micros == 2_001


def test_publishing_holds_the_worst_case_to_the_micro_and_opens_the_queue() -> None:
    draft = draft_with(8 * UNIT)
    batch = do(publish_batch, draft)
    assert (batch.state, batch.published_at is not None) == ("published", True)
    assert money(batch) == (0, 8 * UNIT)
    assert progress(batch).escrow_micros == 8 * UNIT
    assert len(make.queue(batch)) == 3
    assert broken() == []


def test_one_micro_unit_too_few_refuses_and_names_what_is_missing() -> None:
    draft = draft_with(8 * UNIT - 1)
    with pytest.raises(NotEnough) as refused:
        do(publish_batch, draft)
    lines = [("pay", 8 * make.PRICE), ("fees", 8 * make.FEE)]
    assert refused.value.facts == {
        "missing_micros": 1,
        "currency": "EUR",
        "needed_for": [{"what": what, "amount_micros": amount} for what, amount in lines],
    }
    assert refused.value.detail == (
        "0.000001 EUR is missing: 0.176 EUR is needed (0.16 EUR for pay, 0.016 EUR for fees) and 0.175999 EUR is there."
    )
    draft.refresh_from_db()
    assert (draft.state, draft.published_at) == ("draft", None)
    assert money(draft) == (8 * UNIT - 1, 0)
    assert rows("SELECT kind FROM common_outbox WHERE kind = 'BatchPublished'") == []
    with one_transaction(principal="test"):
        make.deposit(draft.requester, 1)
    assert do(publish_batch, draft).state == "published"


def test_funds_of_another_currency_do_not_help() -> None:
    project = make.make_project(make.make_requester(10**9))
    draft = make.make_draft(project, currency="USD")
    make.add_rows(draft, make.rows(1))
    with pytest.raises(NotEnough) as refused:
        do(publish_batch, draft)
    assert (refused.value.facts["missing_micros"], refused.value.facts["currency"]) == (3 * UNIT, "USD")


def test_two_batches_share_funds_and_the_second_is_refused_what_the_first_holds() -> None:
    first = draft_with(8 * UNIT)
    second = make.make_draft(first.project, overlap=1)
    make.add_rows(second, make.rows(1))
    do(publish_batch, first)
    with pytest.raises(NotEnough) as refused:
        do(publish_batch, second)
    assert refused.value.facts["missing_micros"] == UNIT


@pytest.mark.parametrize("gold", [0, 2])
def test_a_batch_without_work_is_not_published_though_it_has_gold(gold: int) -> None:
    draft = draft_with(10**9, tasks=0, gold=gold)
    with pytest.raises(NothingToPublish):
        do(publish_batch, draft)
    assert money(draft) == (10**9, 0)
    make.add_rows(draft, [{"external_id": "one", "data": {"text": "x"}}])
    assert do(publish_batch, draft).state == "published"


def test_publishing_twice_holds_once() -> None:
    batch = do(publish_batch, draft_with(10**9))
    again = do(publish_batch, batch)
    assert again.published_at == batch.published_at
    assert money(batch) == (10**9 - 8 * UNIT, 8 * UNIT)
    assert rows("SELECT count(*) FROM common_outbox WHERE kind = 'BatchPublished'") == [(1,)]


COMMANDS: dict[str, Callable[..., Batch]] = {
    "publish": publish_batch,
    "pause": pause_batch,
    "resume": resume_batch,
    "close": close_batch,
    "cancel": cancel_batch,
    "settle": settle,
}
PATHS: dict[str, list[str]] = {
    "draft": [],
    "published": ["publish"],
    "paused": ["publish", "pause"],
    "closing": ["publish", "close"],
    "settled": ["publish", "close", "settle"],
    "cancelled": ["publish", "cancel"],
}
# What each command makes of a batch in each state; the same state means that nothing changes, and what is not here is
# refused.
LEADS_TO: dict[str, dict[str, str]] = {
    "publish": {"draft": "published", "published": "published"},
    "pause": {"published": "paused", "paused": "paused"},
    "resume": {"paused": "published", "published": "published"},
    "close": {"published": "closing", "paused": "closing", "closing": "closing", "settled": "settled"},
    "cancel": {"draft": "cancelled", "published": "cancelled", "paused": "cancelled", "cancelled": "cancelled"},
    "settle": {"closing": "settled", "settled": "settled", "cancelled": "cancelled"},
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("start", BatchState.values)
def test_every_command_in_every_state(start: str, command: str) -> None:
    batch = draft_with(10**9)
    for step in PATHS[start]:
        do(COMMANDS[step], batch)
    batch.refresh_from_db()
    before, events = money(batch), rows("SELECT count(*) FROM common_outbox")
    goal = LEADS_TO[command].get(start)
    if goal is None:
        with pytest.raises(WrongState) as refused:
            do(COMMANDS[command], batch)
        assert refused.value.facts == {"state": start}
    else:
        assert do(COMMANDS[command], batch).state == goal
        if goal == start and command != "settle":  # settling a cancelled batch keeps its state and moves its money
            assert (money(batch), rows("SELECT count(*) FROM common_outbox")) == (before, events)
    batch.refresh_from_db()
    assert batch.state == (goal or start)
    assert (batch.pause_reason != "") == (batch.state == "paused")
    assert (batch.settled_at is not None) == (start == "settled" or (command == "settle" and goal is not None))
    if batch.settled_at:
        assert money(batch) == (10**9, 0)
    assert broken() == []


@pytest.mark.parametrize("reason", PauseReason)
def test_a_pause_says_why_and_a_repeat_does_not_change_the_reason(reason: PauseReason) -> None:
    batch = make.make_batch()
    with one_transaction(principal="test"):
        assert pause_batch(batch_id=batch.pk, reason=reason).pause_reason == reason
    assert do(pause_batch, batch).pause_reason == reason
    with pytest.raises(IntegrityError, match="batch_pause_has_reason"), transaction.atomic():
        run("UPDATE batches_batch SET pause_reason = ''")


@pytest.mark.usefixtures("untold")
def test_a_publication_that_forgot_the_hold_is_refused_or_found() -> None:
    draft = draft_with(0)
    try:
        with transaction.atomic():
            run("UPDATE batches_batch SET state = 'published' WHERE id = %s", [draft.pk])
    except IntegrityError:
        return
    assert broken() != []
