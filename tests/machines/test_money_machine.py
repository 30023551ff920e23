"""Money from its deposit to its payout beside a plain dict: whoever asks for whatever in whatever order, each unit is
where the dict says, and what is asked is refused exactly when it must be (R3-R7, R11)."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar, TypeVar
from uuid import UUID

import pytest
from django.db import DatabaseError, transaction
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from marketplace.accounts.models import Requester, User
from marketplace.billing.commands.deposits import record_deposit, reverse_deposit
from marketplace.billing.errors import DepositTakenBack
from marketplace.billing.models import Deposit
from marketplace.common.database import rows, run
from marketplace.common.transactions import one_transaction
from marketplace.ledger.addresses import FEES, earned_by, funds_of, outside, withdrawing_by
from marketplace.ledger.errors import NotEnough
from marketplace.payouts.commands.payouts import approve_payout, cancel_payout, refuse_payout
from marketplace.payouts.commands.runs import make_run, release_run, report_outcome, take_file
from marketplace.payouts.errors import NothingToRun, OwnRun, RunNotReleased, WrongState
from marketplace.payouts.models import Destination, Payout, Run
from tests import factories as make
from tests.machines.effort import effort
from tests.machines.example import RolledBack
from tests.payouts import people
from workers.assignments.commands.decide import accept_answers
from workers.assignments.commands.extras import pay_bonus
from workers.assignments.commands.pay import settle_due
from workers.assignments.models import Assignment
from workers.earnings.commands import withdraw
from workers.profiles.models import Worker

Key = TypeVar("Key")
CREW = 3
EURO = people.EURO
PRICE, FEE = 2 * EURO, EURO // 5
STOPPABLE = ("requested", "approved")
crew = st.integers(0, CREW - 1)
cents = st.integers(100, 500).map(lambda number: number * 10_000)


@dataclass
class Books:
    """Where every unit should be, and what each payout has come to."""

    at: Counter[str] = field(default_factory=Counter)
    payouts: dict[UUID, tuple[int, int, str]] = field(default_factory=dict)  # whose, how much, state
    runs: dict[int, list[UUID]] = field(default_factory=dict)
    released: dict[int, bool] = field(default_factory=dict)
    deposits: dict[UUID, int] = field(default_factory=dict)  # not taken back
    bonuses: dict[tuple[int, str], int] = field(default_factory=dict)
    due: dict[int, int] = field(default_factory=dict)  # accepted answers that are not paid, by worker

    def move(self, source: str, destination: str, amount: int) -> None:
        self.at[source] -= amount
        self.at[destination] += amount

    def state(self, payout: UUID) -> str:
        return self.payouts[payout][2]

    def become(self, payout: UUID, state: str) -> None:
        whose, amount, _ = self.payouts[payout]
        self.payouts[payout] = (whose, amount, state)


class MoneyMachine(RuleBasedStateMachine):
    """One requester, a few workers with a destination each, staff, and a bank that pays by hand."""

    requester: Requester
    workers: list[Worker]
    places: list[Destination]
    steps: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.example = RolledBack()
        self.books = Books()
        self.asked = 0

    def do(self, command: Callable[..., Any], **arguments: Any) -> Any:
        with one_transaction(principal="test"):
            return command(**arguments)

    @property
    def funds(self) -> str:
        return funds_of(self.requester.public_id)

    def earned(self, place: int) -> str:
        return earned_by(self.workers[place].public_id)

    def withdrawing(self, place: int) -> str:
        return withdrawing_by(self.workers[place].public_id)

    @initialize()
    def everybody_comes(self) -> None:
        run("UPDATE test_clock SET shift = '0'")
        self.requester = make.make_requester(funds_micros=0)
        self.staff: User = people.make_staff()
        self.second: User = people.make_staff()
        self.workers = [people.make_payee() for _ in range(CREW)]
        self.places = [people.aged(people.add, worker) for worker in self.workers]
        self.batch = make.make_draft(make.make_project(self.requester), price_micros=PRICE, overlap=1)
        make.add_rows(self.batch, make.rows(12))
        self.money_comes_in(12 * (PRICE + FEE) + 5 * EURO)
        make.published(self.batch)
        self.escrow = f"batch:{self.batch.public_id}:escrow"
        self.books.move(self.funds, self.escrow, 12 * (PRICE + FEE))

    def one_of(self, data: st.DataObject, known: Iterable[Key]) -> Key:
        """One of them, drawn by its place: ids are other ones each time."""
        every = list(known)
        return every[data.draw(st.integers(0, len(every) - 1))]

    # Requesters

    @rule(amount=cents)
    def money_comes_in(self, amount: int) -> None:
        self.asked += 1
        made: Deposit = self.do(
            record_deposit,
            requester=self.requester,
            amount_micros=amount,
            currency="EUR",
            reference=f"statement {self.asked}",
            recorded_by=self.staff,
        )
        self.books.deposits[made.public_id] = amount
        self.books.move(outside("bank"), self.funds, amount)

    @precondition(lambda self: self.books.deposits)
    @rule(data=st.data())
    def staff_take_a_deposit_back(self, data: st.DataObject) -> None:
        deposit = self.one_of(data, self.books.deposits)
        amount = self.books.deposits[deposit]
        if self.books.at[self.funds] < amount:
            with pytest.raises(NotEnough):
                self.do(reverse_deposit, deposit=deposit, reason="bounced", by=self.staff)
            return
        self.do(reverse_deposit, deposit=deposit, reason="bounced", by=self.staff)
        self.books.move(self.funds, outside("bank"), amount)
        del self.books.deposits[deposit]
        with pytest.raises(DepositTakenBack):
            self.do(reverse_deposit, deposit=deposit, reason="once more", by=self.staff)

    @rule(place=crew)
    def somebody_answers_and_is_accepted(self, place: int) -> None:
        worker = self.workers[place]
        if Assignment.objects.filter(batch=self.batch).count() == 12:
            return
        make.answer(worker, make.take(worker, self.batch))
        assert self.do(accept_answers, batch_id=self.batch.pk, assignments=None) == 1
        self.books.due[place] = self.books.due.get(place, 0) + 1

    @rule()
    def what_is_due_is_paid(self) -> None:
        assert self.do(settle_due) == sum(self.books.due.values())
        for place in list(self.books.due):
            self.paid(place)

    def paid(self, place: int) -> None:
        answers = self.books.due.pop(place, 0)
        self.books.move(self.escrow, self.earned(place), answers * PRICE)
        self.books.move(self.escrow, FEES, answers * FEE)

    @rule(place=crew, reference=st.sampled_from(["a", "b", "c"]), amount=st.sampled_from([1, 10_000, EURO]))
    def a_bonus_is_paid(self, place: int, reference: str, amount: int) -> None:
        if not Assignment.objects.filter(worker=self.workers[place]).exists():
            return
        given = self.books.bonuses.get((place, reference))
        if given not in (None, amount):
            return
        ask = {
            "batch_id": self.batch.pk,
            "worker_id": self.workers[place].pk,
            "amount_micros": amount,
            "reason": "good",
            "reference": reference,
            "made_by": self.staff.pk,
        }
        fee = -(-amount // 10)
        if given is None and self.books.at[self.funds] < amount + fee:
            with pytest.raises(NotEnough):
                self.do(pay_bonus, **ask)
            return
        assert self.do(pay_bonus, **ask).is_new == (given is None)
        if given is None:
            self.books.bonuses[place, reference] = amount
            self.books.move(self.funds, self.earned(place), amount)
            self.books.move(self.funds, FEES, fee)

    # Workers

    @rule(place=crew, amount=st.none() | cents)
    def somebody_withdraws(self, place: int, amount: int | None) -> None:
        self.time_passes(2)  # days, so that the caps of a day never matter here
        have = self.books.at[self.earned(place)] + self.books.due.get(place, 0) * PRICE
        wanted = have - have % 10_000 if amount is None else amount
        ask = {
            "worker_id": self.workers[place].pk,
            "destination": self.places[place].public_id,
            "currency": "EUR",
            "amount_micros": amount,
        }
        if wanted > have or wanted < EURO:
            before = len(self.books.payouts)
            with pytest.raises(Exception, match=r"missing|least"):
                self.do(withdraw, **ask)
            assert Payout.objects.count() == before
            return
        payout: Payout = self.do(withdraw, **ask)
        self.paid(place)
        assert (payout.amount_micros, payout.state) == (wanted, "requested")
        self.books.payouts[payout.public_id] = (place, wanted, "requested")
        self.books.move(self.earned(place), self.withdrawing(place), wanted)

    def some(self, data: st.DataObject) -> UUID:
        return self.one_of(data, self.books.payouts)

    def stopped(self, payout: UUID, state: str) -> None:
        place, amount, _ = self.books.payouts[payout]
        self.books.become(payout, state)
        self.books.move(self.withdrawing(place), self.earned(place), amount)

    @precondition(lambda self: self.books.payouts)
    @rule(data=st.data(), by_staff=st.booleans())
    def a_payout_is_stopped(self, data: st.DataObject, by_staff: bool) -> None:
        payout = self.some(data)
        user = self.workers[self.books.payouts[payout][0]].user_id
        command: Callable[..., Any] = refuse_payout if by_staff else cancel_payout
        more = {"by": self.staff.pk, "reason": "odd"} if by_staff else {"user_id": user}
        if self.books.state(payout) not in STOPPABLE:
            with pytest.raises(WrongState):
                self.do(command, public_id=payout, **more)
            return
        self.do(command, public_id=payout, **more)
        self.stopped(payout, "refused" if by_staff else "cancelled")

    # Staff and the bank

    @precondition(lambda self: self.books.payouts)
    @rule(data=st.data())
    def staff_approve(self, data: st.DataObject) -> None:
        payout = self.some(data)
        if self.books.state(payout) != "requested":
            with pytest.raises(WrongState):
                self.do(approve_payout, public_id=payout, by=self.staff.pk)
            return
        self.do(approve_payout, public_id=payout, by=self.staff.pk)
        self.books.become(payout, "approved")

    @rule()
    def a_run_is_made(self) -> None:
        ready = [payout for payout in self.books.payouts if self.books.state(payout) == "approved"]
        if not ready:
            with pytest.raises(NothingToRun):
                self.do(make_run, provider_name="manual", currency="EUR", by=self.staff.pk)
            return
        made = self.do(make_run, provider_name="manual", currency="EUR", by=self.staff.pk)
        self.books.runs[made.pk], self.books.released[made.pk] = ready, False
        for payout in ready:
            self.books.become(payout, "sent")

    @precondition(lambda self: self.books.runs)
    @rule(data=st.data(), by_its_maker=st.sampled_from([False, False, False, True]))
    def a_run_is_released(self, data: st.DataObject, by_its_maker: bool) -> None:
        run_id = self.one_of(data, self.books.runs)
        public_id = Run.objects.get(pk=run_id).public_id
        by = self.staff if by_its_maker else self.second
        whole = all(self.books.state(payout) == "sent" for payout in self.books.runs[run_id])
        if by_its_maker or not (whole or self.books.released[run_id]):
            with pytest.raises(OwnRun if by_its_maker else WrongState):
                self.do(release_run, public_id=public_id, by=by.pk)
            return
        self.do(release_run, public_id=public_id, by=by.pk)
        self.books.released[run_id] = True

    @precondition(lambda self: self.books.runs)
    @rule(data=st.data())
    def somebody_takes_the_file_of_a_run(self, data: st.DataObject) -> None:
        """Whatever it asks for has its money set aside, or has it paid already: never back with the worker."""
        run_id = self.one_of(data, self.books.runs)
        public_id = Run.objects.get(pk=run_id).public_id
        back = any(self.books.state(payout) not in ("sent", "settled") for payout in self.books.runs[run_id])
        if back or not self.books.released[run_id]:
            with pytest.raises(WrongState if self.books.released[run_id] else RunNotReleased):
                self.do(take_file, public_id=public_id, by=self.staff.pk)
            return
        body = self.do(take_file, public_id=public_id, by=self.staff.pk).body
        assert all(payout.hex.encode() in body for payout in self.books.runs[run_id])

    @precondition(lambda self: self.books.runs)
    @rule(data=st.data(), outcome=st.sampled_from(["settled", "settled", "failed", "returned"]))
    def the_bank_says_what_came_of_a_run(self, data: st.DataObject, outcome: str) -> None:
        run_id = self.one_of(data, self.books.runs)
        before = "settled" if outcome == "returned" else "sent"
        found = [payout for payout in self.books.runs[run_id] if self.books.state(payout) == before]
        said = {"run_id": run_id, "outcome": outcome, "payouts": None, "by": self.staff.pk, "reason": "closed account"}
        if outcome != "failed" and not self.books.released[run_id]:
            with pytest.raises(RunNotReleased):
                self.do(report_outcome, **said)
            return
        assert self.do(report_outcome, **said) == len(found)
        for payout in found:
            place, amount, _ = self.books.payouts[payout]
            if outcome == "settled":
                self.books.become(payout, "settled")
                self.books.move(self.withdrawing(place), outside("manual"), amount)
            elif outcome == "failed":
                self.stopped(payout, "returned")
            else:
                self.books.become(payout, "returned")
                self.books.move(outside("manual"), self.earned(place), amount)

    @rule(days=st.sampled_from([1, 3]))
    def time_passes(self, days: int) -> None:
        run("UPDATE test_clock SET shift = shift + %s", [timedelta(days=days)])

    @precondition(lambda self: self.books.payouts)
    @rule(
        attack=st.sampled_from(
            [
                "UPDATE payouts_payout SET amount_micros = amount_micros + 10000",
                "UPDATE payouts_payout SET state = 'settled' WHERE state IN ('requested', 'approved')",
                "UPDATE payouts_destination SET usable_from = market_now()",
                "DELETE FROM payouts_payout",
                "UPDATE billing_deposit SET amount_micros = amount_micros + 1",
            ]
        )
    )
    def somebody_helps_himself(self, attack: str) -> None:
        try:
            with transaction.atomic():
                run(attack)
        except DatabaseError:
            return
        assert Payout.objects.exclude(state__in=STOPPABLE).count() == Payout.objects.count(), "nothing was changed"

    # What holds after every step

    @invariant()
    def a_step_was_made(self) -> None:
        type(self).steps += 1

    @invariant()
    def every_unit_is_where_the_dict_says(self) -> None:
        stored = dict(rows("SELECT address, balance_micros FROM ledger_account WHERE balance_micros <> 0"))
        assert stored == {address: amount for address, amount in self.books.at.items() if amount}
        assert sum(stored.values()) == 0

    @invariant()
    def payouts_are_in_the_states_of_the_dict(self) -> None:
        stored = {public_id: (amount, state) for public_id, amount, state in rows(STATES)}
        assert stored == {payout: told[1:] for payout, told in self.books.payouts.items()}

    def teardown(self) -> None:
        self.example.end()


STATES = "SELECT public_id, amount_micros, state FROM payouts_payout"


def test_money_agrees_with_a_plain_dict_from_deposit_to_payout(django_db_setup: None, django_db_blocker: Any) -> None:
    with django_db_blocker.unblock():
        MoneyMachine.steps = 0
        run_machine(MoneyMachine, settings=effort(examples=40, soak_examples=300, steps=40))
        assert MoneyMachine.steps >= 1_000
