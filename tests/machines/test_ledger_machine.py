"""The ledger against a plain dict: whatever is asked, balances are what the dict says and nothing else moves."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import IntegrityError, ProgrammingError, transaction
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from marketplace.common.database import rows, run, value
from marketplace.common.transactions import one_transaction
from marketplace.ledger.commands import Move, move
from marketplace.ledger.errors import NotEnough, TransferKeyReused
from marketplace.ledger.queries import balances, ledger_sum, statement
from tests.machines.effort import effort
from tests.machines.example import RolledBack

OUTSIDE = ("outside:bank", "outside:card")
INSIDE = (
    "requester:a:funds",
    "requester:b:funds",
    "batch:1:escrow",
    "worker:1:earned",
    "worker:2:earned",
    "platform:fees",
)
ADDRESSES = OUTSIDE + INSIDE
CURRENCIES = ("EUR", "USD")
KINDS = ("deposit", "hold", "reward")

Terms = tuple[str, str, str, str, int]


def terms_of(m: Move) -> Terms:
    return m.kind, m.source, m.destination, m.currency, m.amount_micros


@dataclass
class Books:
    """What the ledger should say: balances by account, and every transfer by its key."""

    balances: dict[tuple[str, str], int] = field(default_factory=dict)
    transfers: dict[str, Terms] = field(default_factory=dict)

    def balance(self, address: str, currency: str) -> int:
        return self.balances.get((address, currency), 0)

    def judge(self, group: Sequence[Move]) -> tuple[type[Exception] | None, dict[str, Any], "Books"]:
        """How the group ends: the refusal with its facts, or None; and the books after it."""
        after = Books(dict(self.balances), dict(self.transfers))
        if any(m.source == m.destination for m in group):
            return IntegrityError, {}, self
        deepest: dict[tuple[str, str], int] = {}
        reused = False
        for m in group:
            if m.key in after.transfers:
                reused = reused or after.transfers[m.key] != terms_of(m)
                continue
            after.transfers[m.key] = terms_of(m)
            for address, delta in ((m.source, -m.amount_micros), (m.destination, m.amount_micros)):
                account = (address, m.currency)
                after.balances[account] = after.balances.get(account, 0) + delta
                if address not in OUTSIDE:
                    deepest[account] = min(deepest.get(account, 0), after.balances[account])
        if deepest and min(deepest.values()) < 0:
            return NotEnough, {"missing_micros": -min(deepest.values())}, self
        return (TransferKeyReused, {}, self) if reused else (None, {}, after)


amounts = st.one_of(st.integers(1, 50), st.sampled_from([100, 1_000, 10**15]))
accounts = st.sampled_from(ADDRESSES)
currencies = st.sampled_from(CURRENCIES)


@st.composite
def fresh_moves(draw: st.DrawFn) -> tuple[str, str, str, str, int]:
    return draw(st.sampled_from(KINDS)), draw(accounts), draw(accounts), draw(currencies), draw(amounts)


class LedgerMachine(RuleBasedStateMachine):
    """Each rule asks for something legal or illegal; `Books` says beforehand how it must end."""

    def __init__(self) -> None:
        super().__init__()
        self.example = RolledBack()
        self.books = Books()
        self.asked = 0

    def key(self) -> str:
        self.asked += 1
        return f"k{self.asked}"

    def post(self, *group: Move) -> None:
        refusal, facts, after = self.books.judge(group)
        new = len(after.transfers) - len(self.books.transfers)
        if refusal is None:
            with one_transaction(principal="test"):
                assert move(group) == new
        else:
            with pytest.raises(refusal) as raised, one_transaction(principal="test"):
                move(group)
            for name, fact in facts.items():
                assert raised.value.facts[name] == fact  # type: ignore[attr-defined]
        self.books = after

    @initialize(amount=st.integers(0, 200), currency=currencies)
    def someone_has_money(self, amount: int, currency: str) -> None:
        if amount:
            self.post(Move(self.key(), "deposit", OUTSIDE[0], INSIDE[0], currency, amount))

    @rule(terms=fresh_moves())
    def one_transfer(self, terms: Terms) -> None:
        self.post(Move(self.key(), *terms))

    @rule(group=st.lists(fresh_moves(), min_size=2, max_size=6))
    def a_group(self, group: list[Terms]) -> None:
        self.post(*(Move(self.key(), *terms) for terms in group))

    @rule(source=st.sampled_from(OUTSIDE), destination=st.sampled_from(INSIDE), currency=currencies, amount=amounts)
    def money_comes_in(self, source: str, destination: str, currency: str, amount: int) -> None:
        self.post(Move(self.key(), "deposit", source, destination, currency, amount))

    @rule(address=st.sampled_from(INSIDE), to=accounts, currency=currencies, beyond=st.sampled_from([0, 1, 10]))
    def an_account_is_emptied_to_the_last_micro_or_beyond(
        self, address: str, to: str, currency: str, beyond: int
    ) -> None:
        amount = self.books.balance(address, currency) + beyond
        if 0 < amount <= 10**15:
            self.post(Move(self.key(), "reward", address, to, currency, amount))

    @rule(through=st.sampled_from(INSIDE), currency=currencies, amount=amounts, early=st.booleans())
    def money_passes_through_an_account_within_one_group(
        self, through: str, currency: str, amount: int, early: bool
    ) -> None:
        comes = Move(self.key(), "deposit", OUTSIDE[0], through, currency, amount)
        goes = Move(self.key(), "reward", through, OUTSIDE[1], currency, amount)
        self.post(*((goes, comes) if early else (comes, goes)))

    @precondition(lambda self: self.books.transfers)
    @rule(data=st.data(), beside=st.lists(fresh_moves(), max_size=2))
    def a_key_is_repeated_with_the_same_terms(self, data: st.DataObject, beside: list[Terms]) -> None:
        key = data.draw(st.sampled_from(sorted(self.books.transfers)))
        self.post(Move(key, *self.books.transfers[key]), *(Move(self.key(), *terms) for terms in beside))

    @precondition(lambda self: self.books.transfers)
    @rule(data=st.data(), other=fresh_moves(), beside=st.lists(fresh_moves(), max_size=2))
    def a_key_is_repeated_with_other_terms(self, data: st.DataObject, other: Terms, beside: list[Terms]) -> None:
        key = data.draw(st.sampled_from(sorted(self.books.transfers)))
        self.post(*(Move(self.key(), *terms) for terms in beside), Move(key, *other))

    @rule(terms=fresh_moves(), times=st.integers(2, 3))
    def a_group_names_one_transfer_several_times(self, terms: Terms, times: int) -> None:
        self.post(*[Move(self.key(), *terms)] * times)

    @rule(terms=fresh_moves())
    def a_transaction_is_given_up_after_its_transfer(self, terms: Terms) -> None:
        refusal, _, _ = self.books.judge([Move("given up", *terms)])
        with pytest.raises(refusal or InterruptedError), one_transaction(principal="test"):
            move([Move("given up", *terms)])
            raise InterruptedError

    @rule(
        attack=st.sampled_from(
            [
                "UPDATE ledger_account SET balance_micros = balance_micros + 1",
                "UPDATE ledger_transfer SET amount_micros = 1",
                "DELETE FROM ledger_posting",
                "DELETE FROM ledger_transfer",
            ]
        )
    )
    def somebody_tries_to_rewrite_history(self, attack: str) -> None:
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            run(attack)

    @rule(address=accounts)
    def a_statement_ends_in_the_balance(self, address: str) -> None:
        told = {currency: amount for currency, amount in balances(address).items() if amount}
        assert told == {c: a for (where, c), a in self.books.balances.items() if where == address and a}
        summed: dict[str, int] = {}
        for line in statement(address, before_id=None, limit=10_000):
            summed[line["currency"]] = summed.get(line["currency"], 0) + line["delta_micros"]
        assert {currency: amount for currency, amount in summed.items() if amount} == told

    @invariant()
    def the_ledger_says_what_the_dict_says(self) -> None:
        stored = rows("SELECT address, currency, balance_micros FROM ledger_account WHERE balance_micros <> 0")
        assert {(address, currency): amount for address, currency, amount in stored} == {
            account: amount for account, amount in self.books.balances.items() if amount
        }
        assert value("SELECT count(*) FROM ledger_transfer") == len(self.books.transfers)
        assert ledger_sum() == 0

    def every_transfer_is_the_one_that_was_asked_for(self) -> None:
        stored = rows(
            "SELECT t.key, t.kind, s.address, d.address, t.currency, t.amount_micros FROM ledger_transfer t"
            " JOIN ledger_account s ON s.id = t.source_id JOIN ledger_account d ON d.id = t.destination_id"
        )
        assert {row[0]: row[1:] for row in stored} == self.books.transfers

    def teardown(self) -> None:
        self.example.end(self.every_transfer_is_the_one_that_was_asked_for)


def test_the_ledger_agrees_with_a_plain_dict(django_db_setup: None, django_db_blocker: Any) -> None:
    with django_db_blocker.unblock():
        run_state_machine_as_test(LedgerMachine, settings=effort(examples=45, soak_examples=400, steps=40))


@pytest.mark.django_db
def test_one_group_with_one_key_under_two_terms_is_refused() -> None:
    group = [Move("k", "deposit", OUTSIDE[0], INSIDE[0], "EUR", amount) for amount in (5, 7)]
    assert Books().judge(group)[0] is TransferKeyReused
    with pytest.raises(TransferKeyReused), one_transaction(principal="test"):
        move(group)
