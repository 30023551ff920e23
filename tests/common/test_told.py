"""The database refuses a change without its event (R21): raw statements of the runtime role, and what they leave."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError

from marketplace.batches.commands.lifecycle import pause_batch
from marketplace.common.commands import forget_old
from marketplace.common.database import rows, run, value
from marketplace.common.outbox import name_reader, publish, read
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.acts import broken_views, horizon, in_one
from workers.assignments.commands.decide import accept_answers
from workers.assignments.events import AnswerAccepted, PlaceTaken

SANCTION = (
    "INSERT INTO accounts_sanction (user_id, scope, measure, reason, words, evidence, made_by_id, expires_at,"
    " appeal_until) VALUES ({user}, 'platform', 'limit', 'spam', 'Stop.', '{{\"answers\": 1}}', {by},"
    " market_now() + interval '1 day', market_now() + interval '7 days')"
)


def refused(act: Callable[[], Any]) -> str:
    """The constraint by which the commit of the act is refused."""
    with pytest.raises(IntegrityError) as caught, one_transaction(principal="test"):
        act()
    return str(caught.value.__cause__.diag.constraint_name)  # type: ignore[union-attr]


def expect_refusal(sql: str) -> None:
    """The statement itself is allowed, its commit is not, and nothing of it stays."""
    before = rows("SELECT state, count(*) FROM assignments_assignment GROUP BY 1 ORDER BY 1")
    assert refused(lambda: run(sql)) == "told"
    assert rows("SELECT state, count(*) FROM assignments_assignment GROUP BY 1 ORDER BY 1") == before


def states() -> dict[str, Any]:
    """A batch with an assignment in each state that a raw statement can begin from."""
    batch = make.make_batch(tasks=6, overlap=1)
    worker = make.make_worker()
    make.answer(worker, make.take(worker, batch, 3))
    answered = value("SELECT min(id) FROM assignments_assignment WHERE state = 'submitted'")
    in_one(
        accept_answers,
        batch_id=batch.pk,
        assignments=[value("SELECT public_id FROM assignments_assignment WHERE id = %s", [answered])],
    )
    leased = make.take(worker, batch, 1)[0].id
    return {
        "batch": batch.pk,
        "user": worker.user_id,
        "by": make.make_user().pk,
        "due": answered,
        "submitted": value("SELECT min(id) FROM assignments_assignment WHERE state = 'submitted'"),
        "leased": value("SELECT id FROM assignments_assignment WHERE public_id = %s", [leased]),
    }


RAW = {
    "submit": "UPDATE assignments_assignment SET state = 'submitted', submitted_at = market_now(),"
    " auto_accept_at = market_now() + interval '1 day' WHERE id = {leased}",
    "expire": "UPDATE assignments_assignment SET state = 'expired', end_reason = 'time' WHERE id = {leased}",
    "give back": "UPDATE assignments_assignment SET state = 'returned', end_reason = 'skip' WHERE id = {leased}",
    "accept": "UPDATE assignments_assignment SET state = 'accepted', decided_at = market_now() WHERE id = {submitted}",
    "settle": "UPDATE assignments_settlement SET settled_at = market_now() WHERE assignment_id = {due}",
    "pause": "UPDATE batches_batch SET state = 'paused', pause_reason = 'manual' WHERE id = {batch}",
    "close": "UPDATE batches_batch SET state = 'closing', closed_at = market_now() WHERE id = {batch}",
    "cancel": "UPDATE batches_batch SET state = 'cancelled', closed_at = market_now() WHERE id = {batch}",
    "limit": SANCTION,
}


@pytest.mark.committed
@pytest.mark.parametrize("change", sorted(RAW))
def test_a_change_without_its_event_does_not_commit(committed: str, change: str) -> None:
    expect_refusal(RAW[change].format(**states()))
    assert broken_views() == []


@pytest.mark.committed
def test_a_place_is_not_taken_without_its_event(committed: str, as_owner: psycopg.Connection[Any]) -> None:
    """By a claim that forgets to tell of it, which is what a change of the program could bring."""
    batch, worker = make.make_batch(tasks=2, overlap=1), make.make_worker()
    body = as_owner.execute("SELECT pg_get_functiondef('assignments_claim'::regproc)").fetchone()
    assert body is not None
    as_owner.execute(body[0].replace("PERFORM assignments_tell('PlaceTaken', p_batch, p_worker, fresh);", ""))
    with pytest.raises(IntegrityError, match="no event tells"):
        make.take(worker, batch)
    assert value("SELECT count(*) FROM assignments_assignment") == 0


@pytest.mark.committed
def test_an_event_of_another_change_or_of_another_transaction_does_not_do(committed: str) -> None:
    known = states()
    accept = RAW["accept"].format(**known)

    def told(event: Any) -> None:
        publish(event)
        run(accept)

    one = {"batch_id": known["batch"], "worker_ids": [1]}
    assert refused(lambda: told(PlaceTaken(**one, assignment_ids=[known["submitted"]]))) == "told"
    assert refused(lambda: told(AnswerAccepted(**one, assignment_ids=[known["leased"]]))) == "told"
    in_one(publish_alone := lambda: publish(AnswerAccepted(**one, assignment_ids=[known["submitted"]])))
    assert refused(lambda: run(accept)) == "told"

    def taken_back() -> None:
        publish_alone()
        run(accept)
        run("DELETE FROM common_outbox WHERE id = (SELECT max(id) FROM common_outbox)")

    assert refused(taken_back) == "event_kept"
    in_one(lambda: told(AnswerAccepted(**one, assignment_ids=[known["submitted"]])))
    assert value("SELECT state FROM assignments_assignment WHERE id = %s", [known["submitted"]]) == "accepted"


@pytest.mark.committed
def test_money_that_moves_is_told_of_whoever_moves_it(committed: str) -> None:
    """The database writes this event itself, so even a bare statement has it; once for each statement."""
    make.make_requester(funds_micros=5_000_000)
    before = value("SELECT count(*) FROM common_outbox WHERE kind = 'MoneyMoved'")
    run(
        "INSERT INTO ledger_transfer (key, kind, source_id, destination_id, currency, amount_micros, made_at)"
        " SELECT 'raw:' || n, 'deposit', t.source_id, t.destination_id, t.currency, 5, market_now()"
        " FROM generate_series(1, 3) n, (SELECT * FROM ledger_transfer LIMIT 1) t"
    )
    found = rows("SELECT body->'transfer_ids', xid::text FROM common_outbox WHERE kind = 'MoneyMoved' ORDER BY id DESC")
    made = rows("SELECT id, xid::text FROM ledger_transfer WHERE key LIKE 'raw:%%' ORDER BY id")
    assert len(found) == before + 1
    assert found[0] == ([row[0] for row in made], made[0][1])
    assert broken_views() == []


@pytest.mark.committed
def test_money_and_answers_whose_events_were_lost_with_the_guards_off_are_found(
    committed: str, as_owner: psycopg.Connection[Any]
) -> None:
    states()
    as_owner.execute("ALTER TABLE common_outbox DISABLE TRIGGER event_kept")
    last = "DELETE FROM common_outbox WHERE id = (SELECT max(id) FROM common_outbox WHERE kind = %s)"
    as_owner.execute(last, ["MoneyMoved"])
    as_owner.execute(last, ["AnswerSubmitted"])
    assert sorted(broken_views()) == ["inv_r21_events", "inv_r21_money"]


FORGED = {
    "an event dated back": "INSERT INTO common_outbox (kind, body, made_at, xid) VALUES ('X', '{}', now(), '3')",
    "an event with a number": "INSERT INTO common_outbox (id, kind, body, made_at) VALUES (1, 'X', '{}', now())",
    "an event changed": "UPDATE common_outbox SET kind = 'X'",
    "all events gone": "TRUNCATE common_outbox",
}


@pytest.mark.committed
@pytest.mark.parametrize("attack", sorted(FORGED))
def test_the_runtime_role_cannot_rewrite_what_happened(committed: str, attack: str) -> None:
    make.make_batch(tasks=1)
    with pytest.raises(Exception, match="permission denied"):
        run(FORGED[attack])


@pytest.mark.committed
def test_even_the_owner_does_not_rewrite_what_happened_by_a_slip(
    committed: str, as_owner: psycopg.Connection[Any]
) -> None:
    make.make_batch(tasks=1)
    for slip in ("UPDATE common_outbox SET kind = 'X'", "TRUNCATE common_outbox", "DELETE FROM common_outbox"):
        with pytest.raises(psycopg.errors.CheckViolation):
            as_owner.execute(slip)


@pytest.mark.committed
def test_no_reader_is_set_beyond_what_it_may_have_seen_or_back(committed: str) -> None:
    batch = make.make_batch(tasks=1)
    in_one(pause_batch, batch_id=batch.pk)
    horizon()
    in_one(lambda: list(read("r")))
    for place in ("pg_current_xact_id()", "pg_snapshot_xmax(pg_current_snapshot())", "'3'"):
        with pytest.raises(IntegrityError):
            run(f"UPDATE common_outboxcursor SET xid = {place} WHERE reader = 'r'")
    with pytest.raises(IntegrityError):
        run(
            "INSERT INTO common_outboxcursor (reader, xid, last_id, moved_at)"
            " VALUES ('x', pg_snapshot_xmax(pg_current_snapshot()), 0, market_now())"
        )


@pytest.mark.committed
def test_events_go_when_they_are_old_and_every_reader_that_still_exists_has_seen_them(
    committed: str, clock: Callable[[timedelta], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marketplace.common.outbox._named", {"relay"})
    name_reader("late")
    batch = make.make_batch(tasks=1)
    in_one(pause_batch, batch_id=batch.pk)
    horizon()
    for reader in ("relay", "gone"):
        in_one(lambda reader=reader: list(read(reader, limit=1)))
    total = value("SELECT count(*) FROM common_outbox")
    assert total > 2
    clock(timedelta(days=8))

    in_one(forget_old)
    assert value("SELECT count(*) FROM common_outbox") == total, "a declared reader has not come yet"

    in_one(lambda: list(read("late")))
    in_one(forget_old)
    assert value("SELECT count(*) FROM common_outbox") == total - 1, "what one of them has not seen stays"

    in_one(lambda: list(read("relay")))
    in_one(forget_old)
    assert value("SELECT count(*) FROM common_outbox") == 0
    assert rows("SELECT reader FROM common_outboxcursor ORDER BY 1") == [("late",), ("relay",)]
