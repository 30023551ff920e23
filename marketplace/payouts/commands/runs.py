"""Payments by file: a run gathers payouts for one file, and staff report what came of them."""

from collections.abc import Sequence
from uuid import UUID, uuid4

from marketplace.common.database import run, value
from marketplace.common.transactions import require_transaction
from marketplace.ledger.commands import Move, move
from marketplace.payouts.commands.steps import fail, send_back, settle, step
from marketplace.payouts.errors import NotByFile, NothingToRun, WrongState
from marketplace.payouts.locks import named_for_update, payouts_for_update
from marketplace.payouts.models import Payout, Run
from marketplace.payouts.providers.base import FileProvider
from marketplace.payouts.providers.registry import provider
from marketplace.payouts.states import Outcome, PayoutState

RUN_MAX = 10_000
# From which state an outcome leads on, and where that has happened before.
FROM = {
    Outcome.SETTLED: (PayoutState.SENT, PayoutState.SETTLED),
    Outcome.FAILED: (PayoutState.SENT, PayoutState.RETURNED),
    Outcome.RETURNED: (PayoutState.SETTLED, PayoutState.RETURNED),
}


def make_run(*, provider_name: str, currency: str, by: int, payouts: Sequence[UUID] | None = None) -> Run:
    """Gather approved payouts of a provider and currency, all or the named ones, and mark them as sent: whoever carries
    the file to the bank pays them. Raises `NoSuchProvider`, `NotByFile`, `NoSuchPayout`, `WrongState`, `NothingToRun`.
    """
    require_transaction()
    if not isinstance(provider(provider_name), FileProvider):
        raise NotByFile("Payouts of this provider are sent by themselves.", provider=provider_name)
    found = _approved(provider_name, currency, payouts)
    if not found:
        raise NothingToRun("No approved payout of this provider and currency waits.")
    public_id = uuid4()
    run(
        "INSERT INTO payouts_run (public_id, provider, currency, made_by_id) VALUES (%s, %s, %s, %s)",
        [public_id, provider_name, currency, by],
    )
    made = Run.objects.get(public_id=public_id)
    for payout in found:
        step(payout, PayoutState.SENT, run_id=made.pk)
    return made


def report_outcome(*, run_id: int, outcome: str, payouts: Sequence[UUID] | None, reason: str = "") -> int:
    """What came of a run, or of the named payouts of it. Repeating it changes nothing; returns how many were new.

    Raises `NoSuchPayout`, and `WrongState` where a named one cannot have come to this.
    """
    require_transaction()
    before, after = FROM[Outcome(outcome)]
    if payouts is None:
        found = payouts_for_update(limit=RUN_MAX, run_id=run_id, state=before)
    else:
        found = _named(run_id, payouts, before, after)
    moves = [_end(payout, Outcome(outcome), reason) for payout in found]
    move(moves)
    return len(moves)


def _approved(provider_name: str, currency: str, payouts: Sequence[UUID] | None) -> list[Payout]:
    now = value("SELECT market_now()")
    if payouts is None:
        return payouts_for_update(
            skip_locked=True,
            limit=RUN_MAX,
            state=PayoutState.APPROVED,
            provider=provider_name,
            currency=currency,
            destination__removed_at=None,
            destination__usable_from__lte=now,
        )
    found = named_for_update(payouts)
    for payout in found:
        if (payout.state, payout.provider, payout.currency) != (PayoutState.APPROVED, provider_name, currency):
            raise WrongState(
                "Only approved payouts of this provider and currency go into the run.",
                payout=payout.public_id,
                state=payout.state,
            )
    return found


def _named(run_id: int, payouts: Sequence[UUID], before: str, after: str) -> list[Payout]:
    found = named_for_update(payouts)
    for payout in found:
        if payout.run_id != run_id or payout.state not in (before, after):
            raise WrongState(
                f"The payout is {payout.state} or of another run; it would have to be {before}.",
                payout=payout.public_id,
                state=payout.state,
            )
    return [payout for payout in found if payout.state == before]


def _end(payout: Payout, outcome: Outcome, reason: str) -> Move:
    if outcome == Outcome.SETTLED:
        return settle(payout)
    return fail(payout, reason) if outcome == Outcome.FAILED else send_back(payout, reason)
