"""A requester's statement, from what moved between his own places and the others'. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from marketplace.ledger.periods import Flow, Stretch

FUNDS = "requester:funds"
WORKER = "worker:earned"
PLATFORM = "platform:fees"
OUTSIDE = "outside"
# The places of a batch, by the last word of their addresses, and what money is that goes from them to a worker.
HELD = ("escrow", "disputes", "topup")
PAID_AS = {"escrow": "rewards_micros", "disputes": "upheld_micros", "topup": "topups_micros", "funds": "bonuses_micros"}


@dataclass
class Spent:
    """What was paid out for one batch, less what came back: to workers, by what it was, and to the platform."""

    rewards_micros: int = 0
    upheld_micros: int = 0
    topups_micros: int = 0
    bonuses_micros: int = 0
    fees_micros: int = 0

    @property
    def work_micros(self) -> int:
        """All that workers got."""
        return self.rewards_micros + self.upheld_micros + self.topups_micros + self.bonuses_micros

    @property
    def total_micros(self) -> int:
        return self.work_micros + self.fees_micros

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


@dataclass
class Books:
    """A requester's money of one currency in a period. These always hold:

    funds_closing = funds_opening + deposits - taken_back - holds + refunds - bonuses - fees_of_funds + other_of_funds
    held_closing = held_opening + holds - refunds - (work + fees - bonuses - fees_of_funds) + other_of_held

    `other` is what went between his places and ones that this version does not know, by the direction of the money.
    """

    funds_opening_micros: int = 0
    funds_closing_micros: int = 0
    held_opening_micros: int = 0
    held_closing_micros: int = 0
    deposits_micros: int = 0
    taken_back_micros: int = 0
    holds_micros: int = 0
    refunds_micros: int = 0
    fees_of_funds_micros: int = 0
    other_of_funds_micros: int = 0
    other_of_held_micros: int = 0
    # By batch; None is what belongs to none.
    spent: dict[int | None, Spent] = field(default_factory=dict)

    @property
    def total(self) -> Spent:
        return sum(self.spent.values(), Spent())

    @property
    def opening_micros(self) -> int:
        return self.funds_opening_micros + self.held_opening_micros

    @property
    def closing_micros(self) -> int:
        return self.funds_closing_micros + self.held_closing_micros


def books_of(stretches: Iterable[Stretch], flows: Iterable[Flow], batches: dict[str, int]) -> Books:
    """Gather the flows of a requester's accounts; `batches` says which batch an address of a batch belongs to.

    Kinds of transfers do not matter, only where money came from and went to: so a reversal takes away what its first
    added, and a kind that is new is counted by its direction.
    """
    books = Books()
    for one in stretches:
        if one.address in batches:
            books.held_opening_micros += one.opening_micros
            books.held_closing_micros += one.closing_micros
        else:
            books.funds_opening_micros += one.opening_micros
            books.funds_closing_micros += one.closing_micros
    for flow in flows:
        if flow.address in batches:
            _of_held(books, flow, batches[flow.address])
        else:
            _of_funds(books, flow)
    return books


def _of_funds(books: Books, flow: Flow) -> None:
    if flow.place == OUTSIDE:
        books.deposits_micros += flow.in_micros
        books.taken_back_micros += flow.out_micros
    elif flow.place in (WORKER, PLATFORM):
        _spend(books, flow, flow.batch_id, "funds")
        if flow.place == PLATFORM:
            books.fees_of_funds_micros -= flow.net_micros
    elif flow.place in [f"batch:{room}" for room in HELD]:
        books.holds_micros += flow.out_micros
        books.refunds_micros += flow.in_micros
    else:
        books.other_of_funds_micros += flow.net_micros


def _of_held(books: Books, flow: Flow, batch_id: int) -> None:
    if flow.place in (WORKER, PLATFORM):
        _spend(books, flow, batch_id, flow.address.rpartition(":")[2])
    elif flow.place != FUNDS:
        # What moved between two places of one batch is in both, once each way.
        books.other_of_held_micros += flow.net_micros


def _spend(books: Books, flow: Flow, batch_id: int | None, room: str) -> None:
    spent = books.spent.setdefault(batch_id, Spent())
    name = "fees_micros" if flow.place == PLATFORM else PAID_AS[room]
    setattr(spent, name, getattr(spent, name) - flow.net_micros)
