"""Sending payouts to providers that are asked over the network, in steps that survive a crash between any two (R11).

1. `take_approved` marks the payout as sent and takes a lease, and commits. Its key is stored since it was requested.
2. The provider is asked, outside of any transaction.
3. `record_answer` or `record_doubt` writes down what he said, if the lease is still held.

Whatever happens after 1, the provider is not asked to pay again before a look-up has told that he never took the order.
Where 3 is missing, `doubt_unanswered` says so once the lease has ended.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID, uuid4

from django.db.models import DurationField, ExpressionWrapper, F

from marketplace.common.database import MarketNow, one, rows, run, value
from marketplace.common.transactions import require_transaction
from marketplace.ledger.commands import move
from marketplace.payouts.commands.steps import fail, send_back, settle, step, write
from marketplace.payouts.locks import held_for_update
from marketplace.payouts.models import Payout
from marketplace.payouts.providers.base import Answer, Fate, Order
from marketplace.payouts.queries import order_of
from marketplace.payouts.states import PayoutState

logger = logging.getLogger("touchstone.payouts")
LEASE = "interval '60 seconds'"
LOOK_UP_FIRST_S, LOOK_UP_MOST_S = 30, 3_600
# What the provider has confirmed is looked up too, for a notice may be lost.
FOLLOW_UP_FIRST_S = 60
ALARM_AFTER = "interval '24 hours'"


@dataclass(frozen=True)
class Held:
    """A payout that this process, and nobody else, may ask its provider about now. `order` is None where the
    destination cannot be read any more."""

    payout_id: int
    lease: UUID
    provider: str
    state: str
    key: str
    order: Order | None


def take_approved(*, providers: Collection[str], limit: int) -> list[Held]:
    """Mark up to so many approved payouts as sent, and hold them. Commit before anybody is asked."""
    require_transaction()
    lease = uuid4()
    taken = rows(
        f"UPDATE payouts_payout p SET state = 'sent', lease = %s, lease_until = market_now() + {LEASE}"
        " WHERE p.id IN (SELECT q.id FROM payouts_payout q JOIN payouts_destination d ON d.id = q.destination_id"
        "  WHERE q.state = 'approved' AND q.provider = ANY(%s) AND d.removed_at IS NULL"
        "  AND d.usable_from <= market_now()"
        "  ORDER BY q.id LIMIT %s FOR NO KEY UPDATE OF q SKIP LOCKED) RETURNING p.id",
        [lease, list(providers), limit],
    )
    return _held([row[0] for row in taken], lease)


def take_to_look_up(*, providers: Collection[str], limit: int) -> list[Held]:
    """Hold up to so many payouts whose outcome is to be looked up now."""
    require_transaction()
    lease = uuid4()
    # Where the process dies, the look-up is due again soon after the lease; a notice makes it due at once.
    taken = rows(
        f"UPDATE payouts_payout p SET lease = %s, lease_until = market_now() + {LEASE},"
        f" look_up_at = market_now() + 2 * {LEASE}"
        " WHERE p.id IN (SELECT q.id FROM payouts_payout q WHERE q.look_up_at <= market_now()"
        "  AND q.state IN ('sent', 'in_doubt', 'settled') AND q.provider = ANY(%s)"
        "  AND (q.lease_until IS NULL OR q.lease_until < market_now())"
        "  ORDER BY q.look_up_at LIMIT %s FOR NO KEY UPDATE OF q SKIP LOCKED) RETURNING p.id",
        [lease, list(providers), limit],
    )
    return _held([row[0] for row in taken], lease)


def doubt_unanswered(*, limit: int = 500) -> int:
    """Put payouts in doubt whose sender has not come back: he may have asked or not, and nobody here knows."""
    require_transaction()
    return run(
        f"UPDATE payouts_payout SET state = 'in_doubt', lease = NULL, lease_until = NULL, {_due_in(LOOK_UP_FIRST_S)},"
        f" look_up_wait_s = {LOOK_UP_FIRST_S}"
        " WHERE id IN (SELECT id FROM payouts_payout WHERE state = 'sent' AND answered_at IS NULL AND run_id IS NULL"
        "  AND lease_until < market_now() ORDER BY id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED)",
        [limit],
    )


def record_answer(held: Held, answer: Answer) -> bool:
    """Write down what the provider said when he was asked to pay; whether this was still ours to do."""
    require_transaction()
    payout = held_for_update(held.payout_id, held.lease)
    if payout is None or payout.state != PayoutState.SENT:
        return False
    _take_in(payout, answer)
    return True


def record_refusal(held: Held, reason: str) -> bool:
    """The provider will not pay: the money goes back. As `record_answer`."""
    require_transaction()
    payout = held_for_update(held.payout_id, held.lease)
    if payout is None or payout.state != PayoutState.SENT:
        return False
    move([fail(payout, reason)])
    return True


def record_doubt(held: Held) -> bool:
    """Nobody knows whether the provider took the order: from now on only a look-up can tell. As `record_answer`."""
    require_transaction()
    payout = held_for_update(held.payout_id, held.lease)
    if payout is None or payout.state != PayoutState.SENT:
        return False
    run(
        f"UPDATE payouts_payout SET state = 'in_doubt', lease = NULL, lease_until = NULL, {_due_in(LOOK_UP_FIRST_S)},"
        f" look_up_wait_s = {LOOK_UP_FIRST_S} WHERE id = %s",
        [payout.pk],
    )
    return True


def record_look_up(held: Held, answer: Answer | None) -> bool:
    """Write down what a look-up told. Returns whether the order was never taken and may be sent now, under its own key
    and the same lease; the payout is marked as sent for that."""
    require_transaction()
    payout = held_for_update(held.payout_id, held.lease)
    if payout is None:
        return False
    if payout.state == PayoutState.SETTLED:
        _after_settling(payout, answer)
        return False
    if answer is None:
        return _never_taken(payout)
    _take_in(payout, answer, looked_up_at=value("SELECT market_now()"))
    return False


def record_no_look_up(held: Held) -> None:
    """The look-up did not tell: look again, after twice the time."""
    require_transaction()
    payout = held_for_update(held.payout_id, held.lease)
    if payout is None:
        return
    _look_again(payout)
    since = one(
        f"SELECT doubtful_since FROM payouts_payout WHERE id = %s AND doubtful_since < market_now() - {ALARM_AFTER}",
        [payout.pk],
    )
    if since is not None:
        logger.error("payout %s is in doubt since %s; ask %s", payout.public_id, since[0], payout.provider)


def _take_in(payout: Payout, answer: Answer, **columns: object) -> None:
    """Bring the payout, sent or in doubt, to where its provider says it is."""
    reference = answer.reference[:200] or payout.provider_ref
    if answer.fate == Fate.SETTLED:
        _clear_look_up(payout)
        move([settle(payout, provider_ref=reference, **columns)])
    elif answer.fate == Fate.FAILED:
        move([fail(payout, answer.detail, provider_ref=reference, **columns)])
    else:
        now = value("SELECT market_now()")
        if payout.state == PayoutState.IN_DOUBT:
            step(payout, PayoutState.SENT, **columns)
            columns = {}
        first = payout.answered_at is None
        write(payout, provider_ref=reference, answered_at=payout.answered_at or now, **columns)
        if first:
            write(payout, look_up_wait_s=FOLLOW_UP_FIRST_S // 2)
            payout.look_up_wait_s = FOLLOW_UP_FIRST_S // 2
        _look_again(payout)


def _after_settling(payout: Payout, answer: Answer | None) -> None:
    if answer is not None and answer.fate == Fate.FAILED:
        move([send_back(payout, answer.detail)])
        return
    if answer is None or answer.fate != Fate.SETTLED:
        logger.error("payout %s is settled, and %s does not know of it", payout.public_id, payout.provider)
    _clear_look_up(payout)
    write(payout, lease=None, lease_until=None)


def _never_taken(payout: Payout) -> bool:
    if payout.state != PayoutState.IN_DOUBT:
        logger.warning("payout %s was accepted by %s, who does not find it", payout.public_id, payout.provider)
        _look_again(payout)
        return False
    step(payout, PayoutState.SENT, looked_up_at=value("SELECT market_now()"), answered_at=None, look_up_at=None)
    run(f"UPDATE payouts_payout SET lease_until = market_now() + {LEASE} WHERE id = %s", [payout.pk])
    return True


def _clear_look_up(payout: Payout) -> None:
    """No more look-ups, but for a notice that came in meanwhile."""
    run("UPDATE payouts_payout SET look_up_at = NULL WHERE id = %s AND look_up_at > market_now()", [payout.pk])


def _look_again(payout: Payout) -> None:
    """Let go, and look after twice the time, or at once where a notice came in meanwhile."""
    wait_s = min(payout.look_up_wait_s * 2, LOOK_UP_MOST_S)
    run(
        "UPDATE payouts_payout SET lease = NULL, lease_until = NULL, look_up_wait_s = %s, look_up_at = CASE"
        " WHEN look_up_at <= market_now() THEN look_up_at ELSE market_now() + make_interval(secs => %s) END"
        " WHERE id = %s",
        [wait_s, wait_s, payout.pk],
    )


def _due_in(seconds: int) -> str:
    """A look-up is due then, or now where a notice has asked for one."""
    return (
        "look_up_at = CASE WHEN look_up_at <= market_now() THEN look_up_at"
        f" ELSE market_now() + interval '{seconds} seconds' END"
    )


def _held(ids: list[int], lease: UUID) -> list[Held]:
    age = ExpressionWrapper(MarketNow() - F("sent_at"), output_field=DurationField())
    found = Payout.objects.filter(pk__in=ids).select_related("destination").annotate(age=age).order_by("pk")
    return [
        Held(payout.pk, lease, payout.provider, payout.state, payout.provider_key, order_of(payout, age=payout.age))
        for payout in found
    ]
