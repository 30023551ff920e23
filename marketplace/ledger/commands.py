"""The one way to move money, and the seals on what was moved."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.db import IntegrityError

from marketplace.common.database import rows, run, value
from marketplace.common.money import AMOUNT_MAX, shown
from marketplace.common.transactions import require_transaction
from marketplace.ledger.errors import NoSuchTransfer, NotEnough, NotReversible, TransferKeyReused
from marketplace.ledger.queries import balance, transfer_of

SEALED_AT_ONCE = 2_000


@dataclass(frozen=True)
class Move:
    """A transfer asked for. `key` names the event it pays for and is unique for ever; the amount is in micro-units.
    `reverses` is the key of a transfer that this one takes back."""

    key: str
    kind: str
    source: str
    destination: str
    currency: str
    amount_micros: int
    batch_id: int | None = None
    memo: str = ""
    reverses: str | None = None

    def __post_init__(self) -> None:
        if type(self.amount_micros) is not int or not 0 < self.amount_micros <= AMOUNT_MAX:
            raise ValueError(f"an amount is a whole number of micro-units from 1 to {AMOUNT_MAX}")


def open_accounts(addresses: Sequence[tuple[str, str]]) -> None:
    """Make the accounts (address, currency) that do not exist yet. Repeating it changes nothing."""
    require_transaction()
    wanted = sorted(set(addresses))
    run(
        "INSERT INTO ledger_account (address, currency)"
        " SELECT w.address, w.currency FROM unnest(%s::text[], %s::text[]) AS w(address, currency)"
        " WHERE NOT EXISTS (SELECT 1 FROM ledger_account a WHERE a.address = w.address AND a.currency = w.currency)"
        " ORDER BY 1, 2 ON CONFLICT DO NOTHING",
        [[address for address, _ in wanted], [currency for _, currency in wanted]],
    )


def move(moves: Sequence[Move]) -> int:
    """Post the transfers in one statement; its trigger locks the accounts by id and keeps postings and balances.

    Call it last in the transaction. A key seen before with the same terms is skipped, with other terms raises
    `TransferKeyReused`. Raises `NotEnough` naming the account that would go below zero; nothing is posted then.
    Returns how many transfers were new.
    """
    require_transaction()
    if not moves:
        return 0
    open_accounts([(m.source, m.currency) for m in moves] + [(m.destination, m.currency) for m in moves])
    try:
        posted = {row[0] for row in rows(_INSERT, _columns(moves))}
    except IntegrityError as error:
        if getattr(getattr(error.__cause__, "diag", None), "constraint_name", None) != "no_overdraft":
            raise
        address, currency, missing = _shortage(error)
        raise NotEnough(
            f"The account {address} lacks {shown(missing, currency)}.",
            missing_micros=missing,
            currency=currency,
        ) from error
    # A key that stands twice in this very group was posted once; the other must say the same.
    times = Counter(m.key for m in moves)
    repeated = [m for m in moves if m.key not in posted or times[m.key] > 1]
    if repeated:
        _require_same_terms(repeated)
    return len(posted)


_INSERT = """
INSERT INTO ledger_transfer
    (key, kind, source_id, destination_id, currency, amount_micros, batch_id, memo, reverses_id, made_at)
SELECT m.key, m.kind, s.id, d.id, m.currency, m.amount_micros, m.batch_id, m.memo,
       (SELECT r.id FROM ledger_transfer r WHERE r.key = m.reverses), market_now()
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::text[],
            %s::text[])
     WITH ORDINALITY AS m(key, kind, source, destination, currency, amount_micros, batch_id, memo, reverses, place)
JOIN ledger_account s ON s.address = m.source AND s.currency = m.currency
JOIN ledger_account d ON d.address = m.destination AND d.currency = m.currency
ORDER BY m.place
ON CONFLICT (key) DO NOTHING
RETURNING key
"""


def _columns(moves: Sequence[Move]) -> list[list[object]]:
    names = ("key", "kind", "source", "destination", "currency", "amount_micros", "batch_id", "memo", "reverses")
    return [[getattr(m, name) for m in moves] for name in names]


def _shortage(error: IntegrityError) -> tuple[str, str, int]:
    """The trigger raises with `address|currency|missing` as its detail."""
    detail = error.__cause__.diag.message_detail  # type: ignore[union-attr]
    address, currency, missing = detail.split("|")
    return address, currency, int(missing)


def _require_same_terms(repeated: Sequence[Move]) -> None:
    stored = {
        key: terms
        for key, *terms in rows(
            "SELECT t.key, t.kind, s.address, d.address, t.currency, t.amount_micros, r.key FROM ledger_transfer t"
            " JOIN ledger_account s ON s.id = t.source_id JOIN ledger_account d ON d.id = t.destination_id"
            " LEFT JOIN ledger_transfer r ON r.id = t.reverses_id"
            " WHERE t.key = ANY(%s)",
            [[m.key for m in repeated]],
        )
    }
    for m in repeated:
        if stored.get(m.key) != [m.kind, m.source, m.destination, m.currency, m.amount_micros, m.reverses]:
            raise TransferKeyReused("The key belongs to a transfer with other terms.", key=m.key)


def require_funds(*, address: str, currency: str, amount_micros: int, lines: dict[str, int] | None = None) -> None:
    """Refuse early, with a clear sentence, what the balance would not allow: how much is missing, and for what, by the
    lines of the amount. Only a hint: the trigger decides."""
    have = balance(address, currency)
    if have >= amount_micros:
        return
    parts = {what: amount for what, amount in (lines or {}).items() if amount}
    needed = ", ".join(f"{shown(amount, currency)} for {what}" for what, amount in parts.items())
    raise NotEnough(
        f"{shown(amount_micros - have, currency)} is missing: {shown(amount_micros, currency)} is needed"
        f"{f' ({needed})' if needed else ''} and {shown(have, currency)} is there.",
        missing_micros=amount_micros - have,
        currency=currency,
        needed_for=[{"what": what, "amount_micros": amount} for what, amount in parts.items()],
    )


def reverse(*, key: str, of: str, memo: str, amount_micros: int | None = None) -> int:
    """Take back what the transfer `of` moved, wholly or in part, by a transfer the other way under a key of its own.

    A transfer is taken back once at most, and a reversal never: that is a new transfer. Returns 1, or 0 where this was
    done before. Raises `NoSuchTransfer`, `NotReversible`, `NotEnough`, `TransferKeyReused`.
    """
    require_transaction()
    first = transfer_of(of)
    if first is None:
        raise NoSuchTransfer("No transfer has this key.", key=of)
    if first.reverses is not None:
        raise NotReversible("A reversal is not reversed; make a new transfer.", key=of)
    if amount_micros is not None and amount_micros > first.amount_micros:
        raise NotReversible(f"The transfer moved {first.amount_micros} and not more.", key=of)
    if first.reversed_by not in (None, key):
        raise NotReversible("The transfer was taken back before.", key=of)
    return move(
        [
            Move(
                key=key,
                kind="reversal",
                source=first.destination,
                destination=first.source,
                currency=first.currency,
                amount_micros=first.amount_micros if amount_micros is None else amount_micros,
                batch_id=first.batch_id,
                memo=memo,
                reverses=of,
            )
        ]
    )


def seal(*, limit: int = SEALED_AT_ONCE) -> int:
    """Lengthen the chain of seals by up to `limit` transfers, in the order of their transactions; returns by how many.

    Nothing is sealed while another sealer is at it, nor what may still get a neighbour before it.
    """
    require_transaction()
    return int(value("SELECT ledger_seal_next(%s)", [limit]))


def make_anchor() -> bool:
    """Write down the end of the chain for today; whether this was the first time today. Seal before."""
    require_transaction()
    return bool(value("SELECT ledger_anchor_today()"))


def anchor_sent(*, day: date) -> None:
    """Note that the anchor of the day has been sent."""
    require_transaction()
    run("UPDATE ledger_anchor SET sent_at = market_now() WHERE day = %s AND sent_at IS NULL", [day])
