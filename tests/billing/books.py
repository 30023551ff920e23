"""The same books by other means: every transfer read and added up in Python; and a clock that can be set."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import uuid4

from django.db import transaction

from marketplace.accounts.models import Requester
from marketplace.batches.models import Batch
from marketplace.billing.queries import Statement
from marketplace.billing.statements import Books, Spent
from marketplace.common.database import rows, run
from marketplace.ledger.addresses import FEES, disputes_of, earned_by, escrow_of, funds_of, outside, topup_of
from marketplace.ledger.commands import Move, move
from marketplace.ledger.periods import Period
from workers.profiles.models import Worker


def set_time(day: date, hour: int = 12) -> None:
    """Let the market's clock show noon, or another hour, of a day by UTC; it goes on from there."""
    run("UPDATE test_clock SET shift = %s::timestamptz - clock_timestamp()", [datetime.combine(day, time(hour), UTC)])


def pay(kind: str, source: str, destination: str, amount: int, **terms: Any) -> str:
    """One transfer in a transaction of its own; its key."""
    key = f"{kind}:{uuid4()}"
    with transaction.atomic():
        move([Move(key, kind, source, destination, terms.pop("currency", "EUR"), amount, **terms)])
    return key


@dataclass
class Places:
    """The addresses of one requester's money and of those who get it."""

    requester: Requester
    batches: Sequence[Batch]
    workers: Sequence[Worker]

    @property
    def funds(self) -> str:
        return funds_of(self.requester.public_id)

    def held(self, batch: int, room: str = "escrow") -> str:
        return {"escrow": escrow_of, "disputes": disputes_of, "topup": topup_of}[room](self.batches[batch].public_id)

    def earned(self, worker: int) -> str:
        return earned_by(self.workers[worker].public_id)

    def all(self) -> list[str]:
        """Every address that a random transfer may name, with strange ones among them."""
        held = [self.held(n, room) for n in range(len(self.batches)) for room in ("escrow", "disputes", "topup")]
        earned = [self.earned(n) for n in range(len(self.workers))]
        leaving = [address.replace(":earned", ":withdrawing") for address in earned]
        return [self.funds, *held, *earned, *leaving, FEES, outside("bank"), outside("stripe"), "platform:float"]


def transfers() -> list[dict[str, Any]]:
    names = ("kind", "source", "destination", "currency", "amount", "batch", "day")
    return [
        dict(zip(names, row, strict=True))
        for row in rows(
            "SELECT t.kind, s.address, d.address, t.currency, t.amount_micros, t.batch_id,"
            " (t.made_at AT TIME ZONE 'UTC')::date FROM ledger_transfer t JOIN ledger_account s ON s.id = t.source_id"
            " JOIN ledger_account d ON d.id = t.destination_id ORDER BY t.id"
        )
    ]


def recomputed(places: Places, currency: str, period: Period) -> Books:
    """What the requester's books of the period must say, by adding up every transfer there is."""
    own = {places.held(n, room): b.pk for n, b in enumerate(places.batches) for room in ("escrow", "disputes", "topup")}
    books = Books()
    spent: dict[int | None, Spent] = defaultdict(Spent)
    for t in transfers():
        if t["currency"] != currency or t["day"] > period.last:
            continue
        for mine, other, sign in ((t["source"], t["destination"], -1), (t["destination"], t["source"], 1)):
            signed = sign * t["amount"]
            if mine == places.funds:
                books.funds_closing_micros += signed
                books.funds_opening_micros += signed if t["day"] < period.first else 0
            elif mine in own:
                books.held_closing_micros += signed
                books.held_opening_micros += signed if t["day"] < period.first else 0
            if t["day"] < period.first or mine not in {places.funds, *own}:
                continue
            to_worker, to_fees = other.startswith("worker:") and other.endswith(":earned"), other == FEES
            if mine == places.funds:
                if other.startswith("outside:"):
                    books.deposits_micros += max(signed, 0)
                    books.taken_back_micros += max(-signed, 0)
                elif to_worker:
                    spent[t["batch"]].bonuses_micros -= signed
                elif to_fees:
                    spent[t["batch"]].fees_micros -= signed
                    books.fees_of_funds_micros -= signed
                elif other.startswith("batch:"):
                    books.holds_micros += max(-signed, 0)
                    books.refunds_micros += max(signed, 0)
                else:
                    books.other_of_funds_micros += signed
            elif to_fees:
                spent[own[mine]].fees_micros -= signed
            elif to_worker:
                name = {"escrow": "rewards", "disputes": "upheld", "topup": "topups"}[mine.rpartition(":")[2]]
                setattr(spent[own[mine]], f"{name}_micros", getattr(spent[own[mine]], f"{name}_micros") - signed)
            elif other != places.funds:
                books.other_of_held_micros += signed
    books.spent = dict(spent)
    return books


def require_whole(books: Books) -> None:
    """The two sentences that the books promise."""
    total = books.total
    assert books.funds_closing_micros == (
        books.funds_opening_micros + books.deposits_micros - books.taken_back_micros - books.holds_micros
        + books.refunds_micros - total.bonuses_micros - books.fees_of_funds_micros + books.other_of_funds_micros
    )  # fmt: skip
    assert books.held_closing_micros == (
        books.held_opening_micros + books.holds_micros - books.refunds_micros
        - (total.total_micros - total.bonuses_micros - books.fees_of_funds_micros) + books.other_of_held_micros
    )  # fmt: skip


def same(statement: Statement, books: Books) -> None:
    """The statement says what the books say, figure by figure."""
    for field in fields(Books):
        assert getattr(statement.books, field.name) == getattr(books, field.name), field.name
