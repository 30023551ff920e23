"""Undo rejections that were wrong: the worker is paid although his place has been given to somebody else."""

from typing import Any
from uuid import UUID

from marketplace.accounts.commands.acts import record
from marketplace.accounts.errors import OwnMatter
from marketplace.batches.locks import batch_for_update
from marketplace.batches.models import Batch
from marketplace.batches.transfers import put
from marketplace.common.database import rows, run, value
from marketplace.common.outbox import publish
from marketplace.common.transactions import require_transaction
from marketplace.ledger.addresses import disputes_of, funds_of, topup_of
from marketplace.ledger.commands import Move, move, require_funds
from workers.assignments.commands.decide import require_decidable, require_few
from workers.assignments.commands.extras import extra_transfers
from workers.assignments.commands.reserves import disputes_free
from workers.assignments.events import AnswerUpheld, BonusPaid
from workers.assignments.locks import rejected_for_update
from workers.profiles.queries import own_among


def uphold_answers(*, batch_id: int, assignments: list[UUID], made_by: int | None, reason: str) -> int:
    """Undo the rejection of the named answers, with a reason; each becomes due for payment by the same step.

    `made_by` is None only where the rejection was contested and nobody in person decided.

    They are paid from what lies aside for disputes. Where that is not enough, the requester's funds fill it up; where
    they are not enough either, nothing happens and `NotEnough` says what is missing. Upholding twice changes nothing.
    Locks: batch, assignments, ledger accounts. Emits `AnswerUpheld`, and `BonusPaid`
    where the batch's top-up is known. Raises `NotDecidable` naming those that are not rejected, and `OwnMatter` where
    one of them was given by whoever undoes it, by any of his accounts. Returns how many were upheld.
    """
    require_transaction()
    require_few(assignments)
    batch_for_update(batch_id)
    batch = Batch.objects.select_related("requester").get(pk=batch_id)
    found = rejected_for_update(batch_id, assignments)
    require_decidable(batch_id, assignments, {row[0] for row in found}, also="upheld", wanted="rejected")
    if not found:
        return 0
    if made_by is not None and own_among([row[1] for row in found], made_by):
        raise OwnMatter("Nobody undoes the rejection of his own answer.")
    ids = [row[0] for row in found]
    run(
        "INSERT INTO assignments_uphold (assignment_id, made_by_id, reason, made_at)"
        " SELECT a.id, %s, %s, market_now() FROM unnest(%s::bigint[]) AS a(id)",
        [made_by, reason, ids],
    )
    run("UPDATE assignments_assignment SET state = 'upheld', decided_at = market_now() WHERE id = ANY(%s)", [ids])
    publish(AnswerUpheld(batch_id=batch_id, worker_ids=sorted({row[1] for row in found}), assignment_ids=ids))
    raised = rows(
        "SELECT public_id, worker, amount_micros, fee_micros FROM assignments_raise_upheld(%s, %s)", [batch_id, ids]
    )
    if raised:
        publish(BonusPaid(batch_id=batch_id, worker_ids=sorted({row[1] for row in found}), assignment_ids=[]))
    record(
        "money.answers_upheld",
        subject="batch",
        subject_id=batch.public_id,
        by=made_by,
        before={"state": "rejected"},
        after={"state": "upheld", "answers": assignments},
    )
    # Before the batch's top-up is known its limit is added to what lies aside for it; afterwards it is paid at once.
    known = value("SELECT topup_micros FROM assignments_reserve WHERE batch_id = %s", [batch_id]) is not None
    topup = sum(row[2] + row[3] for row in raised) if known else len(ids) * batch.topup_place_micros
    move(_transfers(batch, found[0][2], topup, raised))
    return len(ids)


def _transfers(batch: Batch, first: UUID, topup_micros: int, raised: list[tuple[Any, ...]]) -> list[Move]:
    """All that moves, in one group, as accounts are locked once: the fill-up, so that what is due lies aside before the
    transaction ends and no payment fails later; what goes on to the top-up; and top-ups that are paid at once."""
    funds, aside, topup = funds_of(batch.requester.public_id), disputes_of(batch.public_id), topup_of(batch.public_id)
    missing = max(0, topup_micros - disputes_free(batch.pk))
    if missing:
        lines = {"answers wrongly rejected": missing}
        require_funds(address=funds, currency=batch.currency, amount_micros=missing, lines=lines)
    return [
        *put(batch, "reserve", f"reserve:upheld:{first}", funds, aside, missing),
        *put(batch, "reserve", f"reserve:topup:{first}", aside, topup, topup_micros),
        *extra_transfers(batch, "topup", topup, raised),
    ]
