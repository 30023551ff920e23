"""Decide appeals: by a person, by the work of others, or by the clock, for the worker."""

from dataclasses import asdict
from uuid import UUID

from marketplace.accounts.commands.acts import record
from marketplace.accounts.commands.sanctions import lift
from marketplace.common.database import value
from marketplace.common.outbox import publish
from marketplace.common.transactions import require_transaction
from marketplace.results.commands.reviews import make_due
from workers.appeals.commands.steps import add_step, held, require_words
from workers.appeals.errors import AppealOver, NotImpartial
from workers.appeals.events import AppealDecided, AppealMoved
from workers.appeals.locks import free_appeal_for_update
from workers.appeals.models import Appeal
from workers.appeals.queries import Rework, impartial, rework_of
from workers.appeals.states import WON, Kind, Method, State
from workers.assignments.commands.contest import end_contest
from workers.assignments.commands.uphold import uphold_answers

LAPSED = "Nobody decided in time."
FEW = "Too few others have done the task by half of the time; a person judges now."
SPLIT = "The others who did the task say different things; a person judges now."


def decide_appeal(*, appeal: UUID, uphold: bool, by: int, reason: str) -> Appeal:
    """Decide for or against the worker, with a reason that he reads.

    For him: a rejection is undone and paid from what lies aside for disputes, a sanction is lifted, in the same
    transaction. Past its time an appeal is only decided for him. Locks: appeal, batch, assignments or sanction, ledger
    accounts. Emits `AppealDecided`. Raises `NotFound`, `AppealOver`, `NotImpartial` to whoever is not to judge, and
    `NotEnough` where even the requester's funds do not cover what is missing.
    """
    require_transaction()
    require_words(reason)
    found = held(appeal)
    if not impartial(found.pk, by):
        raise NotImpartial("You have a part in the matter.")
    if not uphold and value("SELECT market_now() >= %s", [found.decide_by]):
        raise AppealOver("Its time is over, so the worker has won.", state=State.LAPSED)
    _end(found, Kind.UPHELD if uphold else Kind.REFUSED, by=by, reason=reason)
    return found


def settle_appeal(*, appeal_id: int) -> bool:
    """Do what is due of an open appeal: past its time the worker has won; where enough others have done the task, their
    answers decide; where too few have by half of the time, or they agree neither with him nor among themselves, a
    person is to. Says whether anything happened. Locks and events as `decide_appeal`; what somebody else has in hand is
    left alone.
    """
    require_transaction()
    found = free_appeal_for_update(appeal_id)
    if found is None or found.state != State.OPEN:
        return False
    late, half = value("SELECT ARRAY[market_now() >= %s, market_now() >= %s]", [found.decide_by, found.refer_at])
    if late:
        _end(found, Kind.LAPSED, by=None, reason=LAPSED)
        return True
    if found.method != Method.REWORK:
        return False
    assert found.rejection_id is not None
    rework = rework_of(found.rejection_id)
    if rework.enough and (rework.with_worker or rework.against_worker):
        _end(found, Kind.UPHELD if rework.with_worker else Kind.REFUSED, by=None, reason=_told(rework), rework=rework)
        return True
    if rework.enough or half:
        reason = SPLIT if rework.enough else FEW
        add_step(found, Kind.REFERRED, made_by=None, reason=reason, evidence=asdict(rework))
        publish(AppealMoved(appeal_id=found.pk, worker_ids=[found.worker_id]))
        return True
    return False


def _told(rework: Rework) -> str:
    return f"Of {rework.others} others who did the same task, {rework.agreeing} answered as you did."


def _end(appeal: Appeal, kind: Kind, *, by: int | None, reason: str, rework: Rework | None = None) -> None:
    add_step(appeal, kind, made_by=by, reason=reason, evidence=asdict(rework) if rework else {})
    publish(AppealDecided(appeal_id=appeal.pk, worker_ids=[appeal.worker_id]))
    record(
        "reject.appeal_decided",
        subject="appeal",
        subject_id=appeal.public_id,
        by=by,
        before={"state": "open"},
        after={"decision": str(kind), "about": "sanction" if appeal.sanction_id is not None else "rejection"},
    )
    won = appeal.state in WON
    if appeal.sanction_id is not None:
        if won:
            lift(sanction_id=appeal.sanction_id, reason=f"On appeal: {reason}", by=by)
        return
    assert appeal.rejection is not None
    end_contest(assignment_id=appeal.rejection.pk)
    if won:
        # Money last: it locks accounts.
        uphold_answers(
            batch_id=appeal.rejection.batch_id,
            assignments=[appeal.rejection.assignment.public_id],
            made_by=by,
            reason=reason,
        )
    else:
        make_due(assignment_id=appeal.rejection.pk)
