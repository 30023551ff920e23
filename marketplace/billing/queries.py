"""Reads of deposits, statements and invoices, and of what the platform owes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from marketplace.accounts.models import Requester
from marketplace.accounts.queries import own_of
from marketplace.billing.errors import NoSuchDeposit
from marketplace.billing.models import BillingDetails, Deposit, DepositReport, Invoice
from marketplace.billing.reports import Entry
from marketplace.billing.statements import HELD, Books, Spent, books_of
from marketplace.common.database import rows, value
from marketplace.common.errors import NotFound
from marketplace.ledger.addresses import funds_of
from marketplace.ledger.periods import Period, Stretch, flows, lines, stretches

# A transfer bears the time at which it was made, and may be committed a little later; after so long none comes.
CLOSING_WAIT = "10 minutes"
LINES_AT_ONCE = 1_000


def deposits() -> QuerySet[Deposit]:
    """All deposits, for staff."""
    return Deposit.objects.select_related("requester", "recorded_by", "reversal__reversed_by")


def any_deposit(public_id: UUID) -> Deposit:
    """Any deposit, for staff; raises `NoSuchDeposit`."""
    found = deposits().filter(public_id=public_id).first()
    if found is None:
        raise NoSuchDeposit("There is no such deposit.")
    return found


def deposits_of(requester_id: int) -> QuerySet[Deposit]:
    """The organisation's own deposits."""
    return deposits().filter(requester_id=requester_id)


def pay_in_reference(requester: UUID) -> str:
    """What an organisation writes on its transfers, so that staff know whose money came in: of letters and digits that
    banks let through, and never the same for two.

    >>> pay_in_reference(UUID("0f3c2f9e-55aa-4c1d-9d57-7b1c0a2e9f10"))
    'TS 0F3C2F9E55AA4C1D'
    """
    return f"TS {requester.hex[:16].upper()}"


def reports() -> QuerySet[DepositReport]:
    """All reports that deposits were compared with, for staff."""
    return DepositReport.objects.select_related("uploaded_by")


def any_report(public_id: UUID) -> DepositReport:
    """Any of those reports, for staff; raises `NotFound`."""
    found = reports().filter(public_id=public_id).first()
    if found is None:
        raise NotFound("There is no such report.")
    return found


def details_of(requester: Requester) -> BillingDetails:
    """To whom its invoices go; before anybody said so, to its name and nothing else. Not saved by this."""
    found = BillingDetails.objects.filter(requester=requester).first()
    return found or BillingDetails(requester=requester, name=requester.name, changed_at=None)  # type: ignore[misc]


@dataclass(frozen=True)
class OwnBatch:
    """A batch as it is named in statements."""

    pk: int
    id: UUID
    name: str
    project: UUID
    project_name: str


@dataclass(frozen=True)
class Account:
    """One of a requester's places for money, with its part of a period. `place` is `funds`, or what a batch holds."""

    place: str
    batch: OwnBatch | None
    stretch: Stretch


@dataclass(frozen=True)
class Statement:
    """A requester's money of one currency in a period, and the accounts it lay in."""

    requester: Requester
    currency: str
    period: Period
    books: Books
    batches: dict[int, OwnBatch]
    accounts: list[Account]

    def projects(self) -> dict[UUID, tuple[str, Spent]]:
        """What was spent by project, with its name."""
        found: dict[UUID, tuple[str, Spent]] = {}
        for batch_id, spent in self.books.spent.items():
            batch = self.batches.get(batch_id) if batch_id is not None else None
            if batch is not None:
                found[batch.project] = (batch.project_name, found.get(batch.project, ("", Spent()))[1] + spent)
        return found


def statement_of(requester: Requester, currency: str, period: Period) -> Statement:
    """The requester's statement; an account that was never used, or was not yet there, has none of it."""
    batches = _batches_of(requester.pk)
    accounts = _accounts(requester, batches.values(), currency, period)
    of = [account.stretch for account in accounts]
    by_address = {account.stretch.address: account.batch.pk for account in accounts if account.batch}
    books = books_of(of, flows(of), by_address)
    return Statement(requester, currency, period, books, batches, accounts)


def accounts_of(requester: Requester, currency: str, period: Period) -> list[Account]:
    """The requester's accounts that were used by the end of the period."""
    return _accounts(requester, _batches_of(requester.pk).values(), currency, period)


def account_of(
    requester: Requester, currency: str, period: Period, *, place: str, batch: UUID | None = None
) -> Account | None:
    """The one of the requester's accounts; None where nothing ever lay there, and for another's batch as for none."""
    batches = _batches_of(requester.pk, batch) if batch else {}
    found = _accounts(requester, batches.values(), currency, period)
    return next((account for account in found if account.place == place), None)


def _accounts(requester: Requester, batches: Iterable[OwnBatch], currency: str, period: Period) -> list[Account]:
    own: dict[str, tuple[str, OwnBatch | None]] = {
        f"batch:{batch.id}:{room}": (room, batch) for batch in batches for room in HELD
    }
    own[funds_of(requester.public_id)] = ("funds", None)
    return [Account(*own[one.address], one) for one in stretches(list(own), currency, period)]


def _batches_of(requester_id: int, only: UUID | None = None) -> dict[int, OwnBatch]:
    return {
        row[0]: OwnBatch(*row)
        for row in rows(
            "SELECT b.id, b.public_id, b.name, p.public_id, p.name FROM batches_batch b"
            " JOIN projects_project p ON p.id = b.project_id"
            " WHERE b.requester_id = %s AND (%s::uuid IS NULL OR b.public_id = %s) ORDER BY b.id",
            [requester_id, only, only],
        )
    }


def own_batches(requester_id: int, *, limit: int) -> list[OwnBatch]:
    """The organisation's last batches, the newest first."""
    return list(reversed(_batches_of(requester_id).values()))[:limit]


def held_now(requester: Requester, currency: str) -> int:
    """Micro-units that the requester's batches hold at this moment."""
    return int(
        value(
            "SELECT coalesce(sum(a.balance_micros), 0) FROM batches_batch b CROSS JOIN unnest(%s::text[]) AS room"
            " JOIN ledger_account a ON a.address = 'batch:' || b.public_id || ':' || room AND a.currency = %s"
            " WHERE b.requester_id = %s",
            [list(HELD), currency, requester.pk],
        )
    )


@dataclass(frozen=True)
class Held:
    """What one batch holds now, in micro-units: for work, for disputes, and to bring pay to its hourly target."""

    batch: UUID
    name: str
    project: str
    state: str
    currency: str
    escrow_micros: int
    disputes_micros: int
    topup_micros: int

    @property
    def total_micros(self) -> int:
        return self.escrow_micros + self.disputes_micros + self.topup_micros


def holds_of(requester_id: int) -> list[Held]:
    """The organisation's batches that hold money now, those that hold most first."""
    return [
        Held(*row[:5], *map(int, row[5:]))
        for row in rows(
            "SELECT b.public_id, b.name, p.name, b.state, a.currency,"
            " coalesce(sum(a.balance_micros) FILTER (WHERE room = 'escrow'), 0),"
            " coalesce(sum(a.balance_micros) FILTER (WHERE room = 'disputes'), 0),"
            " coalesce(sum(a.balance_micros) FILTER (WHERE room = 'topup'), 0)"
            " FROM batches_batch b JOIN projects_project p ON p.id = b.project_id"
            " CROSS JOIN unnest(%s::text[]) AS room"
            " JOIN ledger_account a ON a.address = 'batch:' || b.public_id || ':' || room AND a.balance_micros > 0"
            " WHERE b.requester_id = %s GROUP BY b.id, p.name, a.currency"
            " ORDER BY a.currency, sum(a.balance_micros) DESC, b.id",
            [list(HELD), requester_id],
        )
    ]


@dataclass(frozen=True)
class MonthSpent:
    """What was spent in one month, and on which batches."""

    first: date
    total: Spent
    batches: list[tuple[OwnBatch | None, Spent]]

    @property
    def answers_micros(self) -> int:
        """What was paid for answers, at once or after a rejection was overturned."""
        return self.total.rewards_micros + self.total.upheld_micros

    @property
    def extras_micros(self) -> int:
        return self.total.topups_micros + self.total.bonuses_micros


def spent_by_month(requester: Requester, currency: str, months: int, *, until: date) -> list[MonthSpent]:
    """The last so many months up to the one of `until`, the newest first; what a batch cost most stands first in each.

    One statement for the batches and two for each month, whatever they hold.
    """
    batches = _batches_of(requester.pk)
    found, first = [], until.replace(day=1)
    for _number in range(months):
        of = [account.stretch for account in _accounts(requester, batches.values(), currency, Period.month(first))]
        by_address = {f"batch:{batch.id}:{room}": batch.pk for batch in batches.values() for room in HELD}
        books = books_of(of, flows(of), by_address)
        spent = [(batches.get(pk) if pk is not None else None, one) for pk, one in books.spent.items()]
        # Alone an id tells equal ones apart.
        spent.sort(key=lambda pair: (-pair[1].total_micros, pair[0].pk if pair[0] else 0))
        found.append(MonthSpent(first, books.total, spent))
        first = (first - timedelta(days=1)).replace(day=1)
    return found


def line_pages(accounts: Sequence[Account]) -> Iterator[tuple[Account, list[dict[str, Any]]]]:
    """Every posting of the accounts in their period, account after account, a page at a time."""
    for account in accounts:
        after = 0
        while page := lines(account.stretch, after=after, limit=LINES_AT_ONCE):
            yield account, page
            after = page[-1]["cursor"]


def workers_named(found: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Ids of the workers whose addresses stand in the lines, by their public ids."""
    ids = {
        parts[1]
        for line in found
        for side in ("source", "destination")
        if (parts := line[side].split(":"))[0] == "worker"
    }
    return dict(
        rows("SELECT public_id::text, id FROM profiles_worker WHERE public_id = ANY(%s::uuid[])", [sorted(ids)])
    )


def invoices_of(requester_id: int) -> QuerySet[Invoice]:
    """The requester's invoices and credit notes."""
    return _invoices().filter(requester_id=requester_id)


def invoice_for(user_id: int, public_id: UUID) -> Invoice:
    """An invoice of an organisation of the user's; raises `NotFound` for another's as for none."""
    return own_of(_invoices(), user_id, public_id, at_least="viewer", what="invoice")


def any_invoice(public_id: UUID) -> Invoice:
    """Any invoice, for staff; raises `NotFound`."""
    found = _invoices().filter(public_id=public_id).first()
    if found is None:
        raise NotFound("There is no such invoice.")
    return found


def _invoices() -> QuerySet[Invoice]:
    return Invoice.objects.select_related("requester", "corrects", "credit_note")


def newest_invoice(requester_id: int, currency: str, month: date) -> Invoice | None:
    """The last edition of the requester's invoice for the month."""
    found = _invoices().filter(requester_id=requester_id, currency=currency, period_from=month, kind="invoice")
    return found.order_by("-edition").first()


def is_closed(period: Period) -> bool:
    """Whether the period is over, so that no transfer can come into it any more."""
    return bool(value("SELECT market_now() >= %s::timestamptz + %s::interval", [period.end, CLOSING_WAIT]))


def open_months(limit: int) -> list[tuple[int, str, date]]:
    """For each requester and currency the first month that is over and was not looked at, if there is one:
    (requester, currency, first day). Months before the first posting are nobody's."""
    return [
        tuple(row)  # type: ignore[misc]
        for row in rows(
            """
            SELECT o.requester_id, o.currency, o.month FROM (
                SELECT r.id AS requester_id, a.currency,
                       coalesce((SELECT (max(c.month) + interval '1 month')::date FROM billing_closedmonth c
                                  WHERE c.requester_id = r.id AND c.currency = a.currency),
                                (SELECT date_trunc('month', t.made_at AT TIME ZONE 'UTC')::date FROM ledger_posting p
                                   JOIN ledger_transfer t ON t.id = p.transfer_id
                                  WHERE p.account_id = a.id AND p.version = 1)) AS month
                  FROM accounts_requester r
                  JOIN ledger_account a ON a.address = 'requester:' || r.public_id || ':funds') o
             WHERE (o.month + interval '1 month')::timestamp AT TIME ZONE 'UTC' + %s::interval <= market_now()
             ORDER BY o.month, o.requester_id, o.currency LIMIT %s
            """,
            [CLOSING_WAIT, limit],
        )
    ]


def recorded_entries(channel: str, references: Sequence[str], first: date, last: date) -> list[Entry]:
    """Deposits of the channel that stand: those with one of the references, and all that were recorded in the days."""
    period = Period(first, last)
    return [
        Entry(*row)
        for row in rows(
            "SELECT d.reference, d.amount_micros, d.currency, (d.made_at AT TIME ZONE 'UTC')::date"
            " FROM billing_deposit d LEFT JOIN billing_depositreversal v ON v.deposit_id = d.id"
            " WHERE d.channel = %s AND v.deposit_id IS NULL"
            " AND (d.reference = ANY(%s) OR d.made_at >= %s AND d.made_at < %s) ORDER BY d.id",
            [channel, list(references), period.start, period.end],
        )
    ]


# The places that money can lie in, by the kind of address; whatever else there is counts as `other`.
_PLACES = """
CASE WHEN starts_with(a.address, 'outside:') THEN 'outside' WHEN a.address = 'platform:fees' THEN 'fees'
     WHEN a.address ~ '^requester:[^:]+:funds$' THEN 'funds'
     WHEN a.address ~ '^(batch:[^:]+:(escrow|disputes|topup)|worker:[^:]+:(earned|withdrawing))$'
     THEN split_part(a.address, ':', 3) ELSE 'other' END
"""
PLACES = ("funds", "escrow", "disputes", "topup", "earned", "withdrawing", "fees", "other", "outside")
# Of these, what belongs to nobody else.
OURS = ("fees", "outside")
# Upper ends of the ages that money is sorted into, in days; the last has none.
AGES = {"up_to_1_day": 1, "up_to_7_days": 7, "up_to_30_days": 30, "up_to_90_days": 90, "older": None}
AGEING = ("withdrawing", "held", "earned")


@dataclass(frozen=True)
class Liabilities:
    """What lies where in one currency, in micro-units; all places together are zero. `ages` says for how long it has
    lain: on its way out to workers, held for batches (since they were published), and earned without being claimed."""

    currency: str
    places: dict[str, int]
    ages: dict[str, dict[str, int]]

    @property
    def owed_micros(self) -> int:
        """What belongs to others: all but the platform's fees and the outside."""
        return sum(self.owed.values())

    @property
    def owed(self) -> dict[str, int]:
        """The places of it."""
        return {place: amount for place, amount in self.places.items() if place not in OURS}

    @property
    def others(self) -> dict[str, int]:
        """The places that are not part of it."""
        return {place: self.places[place] for place in OURS}

    @property
    def aged_micros(self) -> int:
        """What is told by its age: all that is owed but the requesters' free funds, and what lies elsewhere."""
        return sum(self.aged(what) for what in AGEING)

    def aged(self, what: str) -> int:
        """One of `AGEING`, of all ages together."""
        return sum(self.ages[what].values())

    @property
    def sum_micros(self) -> int:
        return sum(self.places.values())


def liabilities() -> list[Liabilities]:
    """By currency. It reads every account, and of those of workers who are owed money what came in: for staff."""
    places: dict[str, dict[str, int]] = {}
    for currency, place, amount in rows(
        f"SELECT a.currency, {_PLACES}, sum(a.balance_micros) FROM ledger_account a GROUP BY 1, 2 ORDER BY 1, 2"
    ):
        places.setdefault(currency, dict.fromkeys(PLACES, 0))[place] = int(amount)
    ages = {currency: {what: dict.fromkeys(AGES, 0) for what in AGEING} for currency in places}
    for currency, what, days, amount in [*_waiting(), *_held_by_age()]:
        name = next(name for name, end in AGES.items() if end is None or days < end)
        ages[currency][what][name] += int(amount)
    return [Liabilities(currency, places[currency], ages[currency]) for currency in sorted(places)]


def _waiting() -> list[tuple[Any, ...]]:
    """Workers' money by the whole days that it has lain: what came in last is what is there, for the first goes out
    first."""
    return rows(
        """
        SELECT o.currency, o.what, o.days, sum(least(o.delta_micros, o.balance_micros - o.newer))
          FROM (SELECT a.currency, a.balance_micros, split_part(a.address, ':', 3) AS what, p.delta_micros,
                       floor(extract(epoch FROM market_now() - t.made_at) / 86400)::integer AS days,
                       sum(p.delta_micros) OVER (PARTITION BY a.id ORDER BY p.version DESC) - p.delta_micros AS newer
                  FROM ledger_account a JOIN ledger_posting p ON p.account_id = a.id AND p.delta_micros > 0
                  JOIN ledger_transfer t ON t.id = p.transfer_id
                 WHERE a.balance_micros > 0 AND a.address ~ '^worker:[^:]+:(earned|withdrawing)$') o
         WHERE o.newer < o.balance_micros GROUP BY 1, 2, 3
        """
    )


def _held_by_age() -> list[tuple[Any, ...]]:
    return rows(
        """
        SELECT a.currency, 'held',
               greatest(0, floor(extract(epoch FROM market_now() - b.published_at) / 86400)::integer),
               sum(a.balance_micros)
          FROM batches_batch b CROSS JOIN unnest(%s::text[]) AS room
          JOIN ledger_account a ON a.address = 'batch:' || b.public_id || ':' || room AND a.balance_micros > 0
         WHERE b.published_at IS NOT NULL GROUP BY 1, 3
        """,
        [list(HELD)],
    )
