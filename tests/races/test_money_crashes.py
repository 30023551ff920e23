"""The session dies at every statement of every step that moves money, at its COMMIT, and after it with the answer lost.

Nothing is known about where a step writes: it is run again and again, and its session is killed at the first
statement, the second, and so on until it gets through. After each death everything must be as before; after the last,
as if nothing had ever happened. `POINTS` is the list that is walked; what moves money belongs into it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from django.db import OperationalError, connection

from marketplace.batches.commands.lifecycle import close_batch, publish_batch
from marketplace.batches.models import Batch
from marketplace.billing.commands.deposits import record_deposit, reverse_deposit
from marketplace.billing.errors import DepositTakenBack
from marketplace.common.database import rows
from marketplace.common.promises import check_promises
from marketplace.ledger.commands import make_anchor, reverse, seal
from marketplace.payouts.commands.payouts import approve_payout, cancel_payout, refuse_payout
from marketplace.payouts.commands.runs import make_run, release_run, report_outcome
from marketplace.payouts.errors import NothingToRun, WrongState
from marketplace.payouts.models import Destination, Payout
from tests import factories as make
from tests.acts import in_one
from tests.conftest import older_ended, owner_connection
from tests.payouts import people
from workers.assignments.commands.decide import accept_answers, finish_batch, reject_answers
from workers.assignments.commands.extras import pay_bonus, top_up
from workers.assignments.commands.leases import return_lease
from workers.assignments.commands.pay import settle_due
from workers.assignments.commands.quarantine import refund_quarantined, release_tasks
from workers.assignments.commands.reserves import release_disputes, release_unneeded
from workers.assignments.commands.uphold import uphold_answers
from workers.assignments.models import Assignment
from workers.assignments.states import RejectReason, ReturnReason
from workers.earnings.commands import withdraw
from workers.profiles.models import Worker

Step = Callable[[], Any]
MOST = 60  # statements; a step that needs more is a step that should be split
# What a step may have changed, whatever it is: money, what is due, states and events.
STATE = """
SELECT 'transfer', t.key, t.amount_micros::text FROM ledger_transfer t
UNION ALL SELECT 'balance', a.address, a.balance_micros::text FROM ledger_account a WHERE a.version > 0
UNION ALL SELECT 'batch', b.id::text, b.state || (b.settled_at IS NULL) FROM batches_batch b
UNION ALL SELECT 'assignment', a.id::text, a.state FROM assignments_assignment a
UNION ALL SELECT 'due', s.assignment_id::text, (s.settled_at IS NULL)::text FROM assignments_settlement s
UNION ALL SELECT 'extra', x.worker_id || x.kind || x.reference, (x.settled_at IS NULL)::text FROM assignments_extra x
UNION ALL SELECT 'reserve', r.batch_id::text, concat_ws(' ', r.released_places, r.topup_micros,
                 r.topup_released_at IS NULL, r.disputes_released_at IS NULL) FROM assignments_reserve r
UNION ALL SELECT 'deposit', d.transfer_key, d.amount_micros::text FROM billing_deposit d
UNION ALL SELECT 'payout', p.public_id::text, p.state FROM payouts_payout p
UNION ALL SELECT 'run', r.public_id::text, r.provider FROM payouts_run r
UNION ALL SELECT 'release', f.run_id::text, f.made_by_id::text FROM payouts_runrelease f
UNION ALL SELECT 'seal', s.seq::text, encode(s.leaf, 'hex') FROM ledger_seal s
UNION ALL SELECT 'anchor', n.day::text, n.seq::text FROM ledger_anchor n
UNION ALL SELECT 'event', e.kind, e.body::text FROM common_outbox e
ORDER BY 1, 2, 3
"""


def state() -> list[tuple[str, ...]]:
    return rows(STATE)


class Killer:
    """Ends this session from outside at the statement with a number, before it is sent; or at its COMMIT."""

    def __init__(self, database: str) -> None:
        self.database = database
        self.statements = 0

    def kill(self) -> None:
        with owner_connection(self.database, user="postgres") as other:
            other.execute("SELECT pg_terminate_backend(%s, 2000)", [connection.connection.info.backend_pid])

    @contextmanager
    def at(self, number: int) -> Iterator[None]:
        """The block's session dies before its statement with that number."""
        self.statements = 0

        def count(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            self.statements += 1
            if self.statements == number:
                self.kill()
            return execute(sql, params, many, context)

        with connection.execute_wrapper(count):
            yield

    @contextmanager
    def at_commit(self, monkeypatch: pytest.MonkeyPatch, *, after: bool) -> Iterator[None]:
        """The block's session dies before its COMMIT is sent, or when it was done and nobody has heard."""
        commit = connection._commit

        def dying() -> None:
            if after:
                commit()
                self.kill()
                raise OperationalError("the answer is lost")
            self.kill()
            commit()

        with monkeypatch.context() as patch:
            patch.setattr(connection, "_commit", dying)
            yield


def answers(batch: Batch, count: int) -> list[Assignment]:
    worker = make.make_worker()
    make.answer(worker, make.take(worker, batch, count))
    return list(Assignment.objects.filter(worker=worker).order_by("pk"))


def accept(batch: Batch, found: list[Assignment]) -> None:
    in_one(accept_answers, batch_id=batch.pk, assignments=[answer.public_id for answer in found])


def reject(batch: Batch, found: list[Assignment]) -> None:
    named = [answer.public_id for answer in found]
    in_one(
        reject_answers,
        batch_id=batch.pk,
        assignments=named,
        reason=RejectReason.WRONG,
        comment="No cat.",
        made_by=make.owner_of(batch.requester).pk,
    )


def _deposit() -> Step:
    requester = make.make_requester(funds_micros=0)
    key = "deposit:once"
    from marketplace.ledger.addresses import funds_of
    from marketplace.ledger.commands import Move, move

    given = Move(key, "deposit", "outside:bank", funds_of(requester.public_id), "EUR", 5_000_000)
    return lambda: in_one(move, moves=[given])


def _publish() -> Step:
    batch = make.make_draft(dispute_basis_points=500, target_hourly_micros=10**7, topup_basis_points=100)
    make.add_rows(batch, make.rows(3))
    return lambda: in_one(publish_batch, batch_id=batch.pk)


def _accept() -> Step:
    batch = make.make_batch(tasks=2, overlap=1)
    found = answers(batch, 2)
    return lambda: accept(batch, found)


def _reject() -> Step:
    batch = make.make_batch(tasks=2, overlap=1)
    found = answers(batch, 2)
    return lambda: reject(batch, found)


def _settle_due() -> Step:
    batch = make.make_batch(tasks=3, overlap=1)
    accept(batch, answers(batch, 3))
    return lambda: in_one(settle_due)


def _uphold() -> Step:
    batch = make.make_batch(tasks=2, overlap=1, target_hourly_micros=10**9, topup_basis_points=100)
    found = answers(batch, 2)
    reject(batch, found)
    staff = make.make_user()
    named = [answer.public_id for answer in found]
    return lambda: in_one(
        uphold_answers, batch_id=batch.pk, assignments=named, made_by=staff.pk, reason="They were right."
    )


def _bonus() -> Step:
    batch = make.make_batch(tasks=1, overlap=1)
    (answer,) = answers(batch, 1)
    by = batch.requester.members.get().user_id
    return lambda: in_one(
        pay_bonus,
        batch_id=batch.pk,
        worker_id=answer.worker_id,
        amount_micros=7,
        reason="good",
        reference="one",
        made_by=by,
    )


def _closing(**terms: Any) -> Batch:
    batch = make.make_batch(tasks=3, overlap=1, **terms)
    accept(batch, answers(batch, 2))
    in_one(settle_due)
    in_one(close_batch, batch_id=batch.pk)
    return batch


def _release() -> Step:
    batch = _closing()
    return lambda: in_one(release_unneeded, batch_id=batch.pk)


def _top_up() -> Step:
    batch = _closing(target_hourly_micros=10**9, topup_basis_points=100)
    return lambda: [in_one(top_up, batch_id=batch.pk) for _again in range(4)]


def _finish() -> Step:
    batch = _closing()
    in_one(release_unneeded, batch_id=batch.pk)
    return lambda: in_one(finish_batch, batch_id=batch.pk)


def _disputes() -> Step:
    batch = _closing(dispute_basis_points=5_000)
    for _gives_back_settles in range(2):
        in_one(finish_batch, batch_id=batch.pk)
    return lambda: in_one(release_disputes, batch_id=batch.pk)


def _poisoned() -> Batch:
    batch = make.make_batch(tasks=1, overlap=2, max_attempts=1)
    worker = make.make_worker()
    (lease,) = make.take(worker, batch)
    in_one(return_lease, worker_id=worker.pk, assignment=lease.id, token=lease.token, reason=ReturnReason.BROKEN)
    return batch


def _refund() -> Step:
    _poisoned()
    return lambda: in_one(refund_quarantined)


def _release_tasks() -> Step:
    batch = _poisoned()
    in_one(refund_quarantined)
    return lambda: in_one(release_tasks, batch_id=batch.pk, tasks=["t0"])


def _reverse() -> Step:
    _deposit()()
    return lambda: in_one(reverse, key="reversal:once", of="deposit:once", memo="a mistake")


def _seal() -> Step:
    _deposit()()
    older_ended()
    return lambda: in_one(seal)


def _anchor() -> Step:
    _deposit()()
    in_one(seal)
    return lambda: in_one(make_anchor)


def _recorded_deposit() -> Step:
    requester, staff = make.make_requester(funds_micros=0), people.make_staff()
    given = {"requester": requester, "amount_micros": 5_000_000, "currency": "EUR", "reference": "statement 7"}
    return lambda: in_one(record_deposit, recorded_by=staff, **given)


def _reversed_deposit() -> Step:
    made = _recorded_deposit()()
    staff = people.make_staff()
    taken = {"deposit": made.public_id, "reason": "bounced", "by": staff}
    return lambda: _unless(DepositTakenBack, reverse_deposit, **taken)


def _payee() -> tuple[Worker, Destination]:
    worker = people.make_payee(9 * people.EURO)
    return worker, people.aged(people.add, worker)


def _withdraw() -> Step:
    # A second wish is another payout, so the destination of this one is gone once it has been asked for.
    worker, place = _payee()

    def step() -> None:
        if not Payout.objects.exists():
            in_one(withdraw, worker_id=worker.pk, destination=place.public_id, currency="EUR")

    return step


def _cancel_payout() -> Step:
    worker, place = _payee()
    payout = people.ask(worker, place)
    return lambda: _unless(WrongState, cancel_payout, public_id=payout.public_id, user_id=worker.user_id)


def _approve_payout() -> Step:
    payout, staff = people.ask(*_payee()), people.make_staff()
    return lambda: _unless(WrongState, approve_payout, public_id=payout.public_id, by=staff.pk)


def _refuse_payout() -> Step:
    payout, staff = people.ask(*_payee()), people.make_staff()
    return lambda: _unless(WrongState, refuse_payout, public_id=payout.public_id, by=staff.pk, reason="odd")


def _make_run() -> Step:
    staff = people.make_staff()
    people.approved(*_payee(), staff)
    return lambda: _unless(NothingToRun, make_run, provider_name="manual", currency="EUR", by=staff.pk)


def _release_run() -> Step:
    maker, second = people.make_staff(), people.make_staff()
    people.approved(*_payee(), maker)
    run = in_one(make_run, provider_name="manual", currency="EUR", by=maker.pk)
    return lambda: in_one(release_run, public_id=run.public_id, by=second.pk)


def _outcome(*outcomes: str) -> Step:
    staff = people.make_staff()
    people.approved(*_payee(), staff)
    run_id = people.released(in_one(make_run, provider_name="manual", currency="EUR", by=staff.pk)).pk
    said = {"run_id": run_id, "payouts": None, "by": staff.pk, "reason": "closed account"}
    for outcome in outcomes[:-1]:
        in_one(report_outcome, **said, outcome=outcome)
    return lambda: in_one(report_outcome, **said, outcome=outcomes[-1])


def _payout_settled() -> Step:
    return _outcome("settled")


def _payout_failed() -> Step:
    return _outcome("failed")


def _payout_returned() -> Step:
    return _outcome("settled", "returned")


def _unless(refusal: type[Exception], command: Callable[..., Any], **arguments: Any) -> None:
    """Do it, or see that it is done."""
    with suppress(refusal):
        in_one(command, **arguments)


POINTS: dict[str, Callable[[], Step]] = {
    point.__name__.strip("_"): point
    for point in (
        *(_deposit, _publish, _accept, _reject, _settle_due, _uphold, _bonus, _release, _top_up, _finish),
        *(_disputes, _refund, _release_tasks, _reverse, _seal, _anchor, _recorded_deposit, _reversed_deposit),
        *(_withdraw, _cancel_payout, _approve_payout, _refuse_payout, _make_run, _release_run),
        *(_payout_settled, _payout_failed, _payout_returned),
    )
}


@pytest.mark.committed
@pytest.mark.parametrize("point", sorted(POINTS))
def test_a_step_that_dies_anywhere_has_not_happened_and_one_that_is_repeated_happens_once(
    committed: str, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = POINTS[point]()
    killer = Killer(committed)
    before, last, died = state(), state(), 0
    for number in range(1, MOST + 1):
        try:
            with killer.at(number):
                step()
        except OperationalError:
            died += 1
            connection.close()
            now = state()
            # A step of several transactions keeps those that were whole.
            assert now == last or point == "top_up", f"something stayed after statement {number}"
            last = now
        else:
            break
    assert killer.statements < number, "the step never got through"
    assert died == number - 1 > 0
    assert state() != before, "the step did nothing, so it proves nothing"
    assert [found.name for found in check_promises() if found.violations] == []

    done = state()
    step()
    assert state() == done, "a repeat changed something"


@pytest.mark.committed
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("point", sorted(POINTS))
def test_a_step_whose_commit_is_lost_happens_once(
    committed: str, point: str, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = POINTS[point]()
    before = state()
    with pytest.raises(OperationalError), Killer(committed).at_commit(monkeypatch, after=after):
        step()
    connection.close()
    assert (state() != before) is after
    if not after or point == "top_up":
        step()
    done = state()
    assert done != before
    step()
    assert state() == done
    assert [found.name for found in check_promises() if found.violations] == []
