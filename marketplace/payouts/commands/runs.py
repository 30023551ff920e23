"""Payments by file: a run gathers payouts for one file, and staff report what came of them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from marketplace.accounts.commands.acts import record
from marketplace.common.database import run, value
from marketplace.common.transactions import require_transaction
from marketplace.ledger.commands import Move, move
from marketplace.payouts.commands.steps import fail, send_back, settle, step
from marketplace.payouts.errors import NotByFile, NothingToRun, OwnPayout, OwnRun, RunNotReleased, WrongState
from marketplace.payouts.locks import named_for_update, payouts_for_update
from marketplace.payouts.models import Payout, Run
from marketplace.payouts.providers.base import FileProvider
from marketplace.payouts.providers.registry import provider
from marketplace.payouts.queries import RunFile, is_released, may_release, own_among, run_file, run_for
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
    record(
        "money.run_made",
        subject="payout_run",
        subject_id=public_id,
        by=by,
        after={
            "provider": provider_name,
            "currency": currency,
            "amount_micros": sum(payout.amount_micros for payout in found),
            "payouts": [payout.public_id for payout in found],
        },
    )
    return made


def release_run(*, public_id: UUID, by: int) -> Run:
    """Let the run's file go to the bank, after a second look: `by` is of finance, and has neither made the run nor is
    paid by it, by any of his accounts. Repeating it changes nothing.

    Locks: its payouts. Raises `NoSuchRun`, `OwnRun`, and `WrongState` where one of them has ended: its money is back,
    and the file would have it paid once more.
    """
    require_transaction()
    found = run_for(public_id)
    inside = payouts_for_update(limit=RUN_MAX, run_id=found.pk)
    if not may_release(found, inside, by):
        raise OwnRun("Another member of the staff looks at this run, for you made it or are paid by it.")
    if is_released(found.pk):
        return found
    _require_open(inside, [PayoutState.SENT], "This run is not released any more: report the rest of it as failed too.")
    run("INSERT INTO payouts_runrelease (run_id, made_by_id) VALUES (%s, %s)", [found.pk, by])
    counted: Any = found
    record(
        "money.run_released",
        subject="payout_run",
        subject_id=public_id,
        by=by,
        after={"payouts": counted.count, "amount_micros": int(counted.total_micros), "currency": found.currency},
    )
    return run_for(public_id)


def take_file(*, public_id: UUID, by: int) -> RunFile:
    """The file of a run that was released; who took it is kept. Once money of it is back with somebody, it is given no
    more. Locks: its payouts. Raises `NoSuchRun`, `RunNotReleased`, `WrongState`, and as `run_file`."""
    require_transaction()
    found = run_for(public_id)
    inside = payouts_for_update(limit=RUN_MAX, run_id=found.pk)
    if not is_released(found.pk):
        raise RunNotReleased("First somebody else of finance looks at this run and releases it.", run=str(public_id))
    _require_open(inside, [PayoutState.SENT, PayoutState.SETTLED], "So the file is not given any more.")
    file = run_file(found)
    record("money.run_file_taken", subject="payout_run", subject_id=public_id, by=by)
    return file


def report_outcome(*, run_id: int, outcome: str, payouts: Sequence[UUID] | None, by: int, reason: str = "") -> int:
    """What came of a run, or of the named payouts of it. Repeating it changes nothing; returns how many were new.

    Before the run is released nobody can have paid: all that can be said then is that it fails, and it is never
    released after. `by` is staff, and says nothing of money of his own. Locks: the payouts, ledger accounts. Raises
    `NoSuchPayout`, `OwnPayout`, `RunNotReleased`, and `WrongState` where a named one cannot have come to this.
    """
    require_transaction()
    before, after = FROM[Outcome(outcome)]
    if payouts is None:
        found = payouts_for_update(limit=RUN_MAX, run_id=run_id, state=before)
        _require_none_own(found, by)
    else:
        named = named_for_update(payouts)
        _require_none_own(named, by)
        found = _in_state(named, run_id, before, after)
    # Asked behind the locks of the payouts, for which a release waits too.
    if outcome != Outcome.FAILED and not is_released(run_id):
        raise RunNotReleased("Nobody can have been paid: the file of this run has not been released.")
    moves = [_end(payout, Outcome(outcome), reason) for payout in found]
    move(moves)
    if found:
        record(
            "money.outcome_reported",
            subject="payout_run",
            subject_id=Run.objects.values_list("public_id", flat=True).get(pk=run_id),
            by=by,
            before={"state": str(before)},
            after={"outcome": str(outcome), "payouts": [payout.public_id for payout in found]},
        )
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


def _require_open(inside: Sequence[Payout], states: Sequence[str], so: str) -> None:
    """Raise `WrongState` for the first payout that is in none of the states."""
    ended = next((payout for payout in inside if payout.state not in states), None)
    if ended is not None:
        raise WrongState(f"A payout of this run is {ended.state}. {so}", payout=ended.public_id, state=ended.state)


def _require_none_own(payouts: Sequence[Payout], by: int) -> None:
    """Whoever could say that his own money was not paid would have it twice."""
    own = own_among(payouts, by)
    if own:
        raise OwnPayout(
            "Another member of the staff says what came of one of these payouts, for it is yours; name the others.",
            payout=own[0].public_id,
        )


def _in_state(named: Sequence[Payout], run_id: int, before: str, after: str) -> list[Payout]:
    """Those of the named that are still to come to this; raises `WrongState` for the first that cannot."""
    for payout in named:
        if payout.run_id != run_id or payout.state not in (before, after):
            raise WrongState(
                f"The payout is {payout.state} or of another run; it would have to be {before}.",
                payout=payout.public_id,
                state=payout.state,
            )
    return [payout for payout in named if payout.state == before]


def _end(payout: Payout, outcome: Outcome, reason: str) -> Move:
    if outcome == Outcome.SETTLED:
        return settle(payout)
    return fail(payout, reason) if outcome == Outcome.FAILED else send_back(payout, reason)
