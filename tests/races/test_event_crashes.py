"""The session dies at every statement of every kind of step, at its COMMIT and after it: what is committed and what is
told are the same, always (R21).

What changed is written down by triggers that only this test has, so that neither the program nor its own walls say it.
"""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection

from marketplace.accounts.commands.sanctions import impose, lift
from marketplace.batches.commands.lifecycle import close_batch, pause_batch, publish_batch, resume_batch
from marketplace.common.database import rows
from tests import factories as make
from tests.acts import in_one
from tests.races.test_money_crashes import MOST, Killer, accept, answers
from workers.assignments.commands.decide import apply_due, cancel, reject_answers
from workers.assignments.commands.leases import return_lease
from workers.assignments.commands.pay import settle_due
from workers.assignments.states import RejectReason, ReturnReason

Step = Callable[[], Any]
Clock = Callable[[timedelta], None]

# Of each row that changed in a way that must be told: what its event is called, and the id that it names.
AUDIT = """
CREATE TABLE test_change (kind text NOT NULL, id bigint NOT NULL, xid xid8 NOT NULL DEFAULT pg_current_xact_id());
GRANT INSERT, SELECT ON test_change TO PUBLIC;
CREATE FUNCTION test_note() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    was jsonb := CASE WHEN tg_op = 'UPDATE' THEN to_jsonb(OLD) ELSE '{}' END;
    now jsonb := to_jsonb(NEW);
    told text;
BEGIN
    IF tg_table_name = 'ledger_transfer' THEN
        told := 'MoneyMoved';
    ELSIF tg_table_name = 'accounts_sanction' THEN
        told := CASE tg_op WHEN 'INSERT' THEN 'Sanctioned' ELSE 'SanctionLifted' END;
    ELSIF tg_table_name = 'assignments_settlement' THEN
        told := 'PaymentSettled';
    ELSIF was->>'state' IS DISTINCT FROM now->>'state' THEN
        told := CASE concat(was->>'state', '>', now->>'state')
            WHEN '>leased' THEN 'PlaceTaken' WHEN 'expired>leased' THEN 'PlaceTaken'
            WHEN 'leased>submitted' THEN 'AnswerSubmitted' WHEN 'submitted>accepted' THEN 'AnswerAccepted'
            WHEN 'submitted>rejected' THEN 'AnswerRejected' WHEN 'submitted>leased' THEN 'AnswerReturned'
            WHEN 'leased>expired' THEN 'LeaseExpired' WHEN 'leased>returned' THEN 'LeaseReturned'
            WHEN 'draft>published' THEN 'BatchPublished' WHEN 'paused>published' THEN 'BatchResumed'
            WHEN 'published>paused' THEN 'BatchPaused' WHEN 'published>closing' THEN 'BatchClosing'
            WHEN 'published>cancelled' THEN 'BatchCancelled' END;
    END IF;
    IF told IS NOT NULL THEN
        INSERT INTO test_change (kind, id) VALUES (told, coalesce(now->>'id', now->>'assignment_id')::bigint);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER test_note AFTER INSERT OR UPDATE ON assignments_assignment FOR EACH ROW EXECUTE FUNCTION test_note();
CREATE TRIGGER test_note AFTER UPDATE ON assignments_settlement FOR EACH ROW EXECUTE FUNCTION test_note();
CREATE TRIGGER test_note AFTER UPDATE ON batches_batch FOR EACH ROW EXECUTE FUNCTION test_note();
CREATE TRIGGER test_note AFTER INSERT OR UPDATE ON accounts_sanction FOR EACH ROW EXECUTE FUNCTION test_note();
CREATE TRIGGER test_note AFTER INSERT ON ledger_transfer FOR EACH ROW EXECUTE FUNCTION test_note();
"""
EVENTS = """
SELECT e.kind, ids.id::text::bigint, e.xid::text FROM common_outbox e,
       jsonb_array_elements(coalesce(e.body->'assignment_ids', e.body->'transfer_ids',
           jsonb_build_array(coalesce(e.body->'sanction_id', e.body->'batch_id')))) AS ids (id)
 WHERE e.kind IN (SELECT kind FROM test_change) OR e.kind LIKE 'Batch%%' OR e.kind LIKE 'Lease%%'
"""


def agree() -> int:
    """Every change has its event in its own transaction, and every event its change; how many there are."""
    changes = Counter(rows("SELECT kind, id, xid::text FROM test_change"))
    events = Counter(rows(EVENTS))
    assert events == changes
    return changes.total()


def _claim() -> Step:
    batch, worker = make.make_batch(tasks=6, overlap=1), make.make_worker()
    return lambda: make.take(worker, batch, 3)


def _submit() -> Step:
    batch, worker = make.make_batch(tasks=4, overlap=1), make.make_worker()
    leases = make.take(worker, batch, 3)
    return lambda: make.answer(worker, leases)


def _return() -> Step:
    batch, worker = make.make_batch(tasks=2, overlap=2), make.make_worker()
    (lease,) = make.take(worker, batch)
    given = {"worker_id": worker.pk, "assignment": lease.id, "token": lease.token, "reason": ReturnReason.SKIP}
    return lambda: in_one(return_lease, **given)


def _expire(clock: Clock) -> Step:
    batch = make.make_batch(tasks=4, overlap=1)
    make.take(make.make_worker(), batch, 3)
    clock(timedelta(days=1))
    return lambda: in_one(apply_due, batch_id=batch.pk)


def _late(clock: Clock) -> Step:
    """A late answer whose place is still free: a lease anew and its submission, by one step."""
    batch, worker = make.make_batch(tasks=2, overlap=1), make.make_worker()
    leases = make.take(worker, batch)
    clock(timedelta(days=1))
    in_one(apply_due, batch_id=batch.pk)
    return lambda: make.answer(worker, leases)


def _accept() -> Step:
    batch = make.make_batch(tasks=3, overlap=1)
    found = answers(batch, 3)
    return lambda: accept(batch, found)


def _reject() -> Step:
    batch = make.make_batch(tasks=2, overlap=1)
    named = [answer.public_id for answer in answers(batch, 2)]
    by = make.owner_of(batch.requester).pk
    terms = {"reason": RejectReason.WRONG, "comment": "No cat.", "made_by": by}
    return lambda: in_one(reject_answers, batch_id=batch.pk, assignments=named, **terms)


def _settle() -> Step:
    batch = make.make_batch(tasks=3, overlap=1)
    accept(batch, answers(batch, 3))
    return lambda: in_one(settle_due)


def _publish() -> Step:
    batch = make.make_draft()
    make.add_rows(batch, make.rows(3))
    return lambda: in_one(publish_batch, batch_id=batch.pk)


def _pause() -> Step:
    batch = make.make_batch(tasks=1)
    return lambda: in_one(pause_batch, batch_id=batch.pk)


def _resume() -> Step:
    batch = make.make_batch(tasks=1)
    in_one(pause_batch, batch_id=batch.pk)
    return lambda: in_one(resume_batch, batch_id=batch.pk)


def _close() -> Step:
    batch = make.make_batch(tasks=1)
    return lambda: in_one(close_batch, batch_id=batch.pk)


def _cancel() -> Step:
    batch = make.make_batch(tasks=4, overlap=1)
    make.take(make.make_worker(), batch, 2)
    return lambda: in_one(cancel, batch_id=batch.pk)


def _limit() -> Step:
    worker, by = make.make_worker(), make.make_user().pk
    terms: dict[str, Any] = {
        "scope": "platform", "scope_id": None, "measure": "limit", "reason": "spam", "words": "Stop.",
        "evidence": {"answers": 1}, "life": timedelta(hours=1), "made_by": by, "user_id": worker.user_id,
    }  # fmt: skip
    return lambda: in_one(impose, **terms)


def _lift() -> Step:
    made = _limit()()
    return lambda: in_one(lift, sanction_id=made.pk, reason="a mistake", by=None)


STEPS: dict[str, Callable[..., Step]] = {
    step.__name__.strip("_"): step
    for step in (
        *(_claim, _submit, _return, _expire, _late, _accept, _reject, _settle),
        *(_publish, _pause, _resume, _close, _cancel, _limit, _lift),
    )
}


@pytest.mark.committed
@pytest.mark.parametrize("name", sorted(STEPS))
def test_what_is_committed_and_what_is_told_are_the_same_wherever_the_session_dies(
    committed: str, name: str, clock: Clock, as_owner: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    as_owner.execute(AUDIT)
    make_step = STEPS[name]
    step = make_step(clock) if name in ("expire", "late") else make_step()
    if name == "late":
        # Its lease anew is told by the event of its answer.
        as_owner.execute(
            "CREATE FUNCTION test_skip() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
            "CREATE TRIGGER test_skip BEFORE INSERT ON test_change FOR EACH ROW WHEN (NEW.kind = 'PlaceTaken')"
            " EXECUTE FUNCTION test_skip()"
        )
    before, killer = agree(), Killer(committed)
    for number in range(1, MOST + 1):
        try:
            with killer.at(number):
                step()
        except OperationalError:
            connection.close()
            assert agree() == before, f"something stayed after statement {number}"
        else:
            break
    assert killer.statements < number, "the step never got through"
    assert agree() > before, "the step changed nothing, so it proves nothing"


@pytest.mark.committed
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", ["accept", "cancel", "claim", "limit", "publish", "settle", "submit"])
def test_a_commit_that_is_lost_takes_its_events_along_and_one_whose_answer_is_lost_keeps_them(
    committed: str, name: str, after: bool, as_owner: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    as_owner.execute(AUDIT)
    step = STEPS[name]()
    before = agree()
    with pytest.raises(OperationalError), Killer(committed).at_commit(monkeypatch, after=after):
        step()
    connection.close()
    assert (agree() > before) is after
