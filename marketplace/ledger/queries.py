"""Reads of money. Balances are the trigger's; history is the postings, dense by version."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marketplace.common.database import one, rows


def balance(address: str, currency: str) -> int:
    """Micro-units in the account now; an account that was never used has 0."""
    row = one("SELECT balance_micros FROM ledger_account WHERE address = %s AND currency = %s", [address, currency])
    return int(row[0]) if row else 0


def balances(address: str) -> dict[str, int]:
    """Micro-units by currency at an address."""
    return dict(rows("SELECT currency, balance_micros FROM ledger_account WHERE address = %s ORDER BY 1", [address]))


def balance_at(address: str, currency: str, moment: datetime) -> int:
    """Micro-units in the account as of a moment, from its postings."""
    row = one(
        "SELECT p.balance_after_micros FROM ledger_posting p JOIN ledger_account a ON a.id = p.account_id"
        " JOIN ledger_transfer t ON t.id = p.transfer_id"
        " WHERE a.address = %s AND a.currency = %s AND t.made_at <= %s ORDER BY p.version DESC LIMIT 1",
        [address, currency, moment],
    )
    return int(row[0]) if row else 0


def balances_at(address: str, moment: datetime) -> dict[str, int]:
    """Micro-units by currency at an address as of a moment."""
    return {currency: balance_at(address, currency, moment) for currency in balances(address)}


@dataclass(frozen=True)
class Terms:
    """What a transfer says. `reverses` is the key of the one it takes back, `reversed_by` of the one that took it
    back."""

    key: str
    kind: str
    source: str
    destination: str
    currency: str
    amount_micros: int
    batch_id: int | None
    memo: str
    reverses: str | None
    reversed_by: str | None


def transfer_of(key: str) -> Terms | None:
    """The transfer with this key, or None."""
    row = one(
        "SELECT t.key, t.kind, s.address, d.address, t.currency, t.amount_micros, t.batch_id, t.memo, r.key, b.key"
        " FROM ledger_transfer t JOIN ledger_account s ON s.id = t.source_id"
        " JOIN ledger_account d ON d.id = t.destination_id LEFT JOIN ledger_transfer r ON r.id = t.reverses_id"
        " LEFT JOIN ledger_transfer b ON b.reverses_id = t.id WHERE t.key = %s",
        [key],
    )
    return Terms(*row) if row else None


@dataclass(frozen=True)
class Head:
    """The end of the chain of seals: how many there are, the last hash, and for how long the oldest transfer that is
    not sealed yet has waited (seconds; 0 when none waits)."""

    seq: int
    hash: str
    unsealed_s: float


def head() -> Head:
    """The end of the chain now. Who keeps it elsewhere can later tell whether history was rewritten."""
    row = one(
        "SELECT k.seq, encode(k.hash, 'hex'), coalesce((SELECT extract(epoch FROM market_now() - t.made_at)"
        "  FROM ledger_transfer t WHERE (t.xid, t.id) > (k.xid, k.last_id)"
        "   AND NOT EXISTS (SELECT 1 FROM ledger_seal x WHERE x.transfer_id = t.id)"
        "  ORDER BY t.xid, t.id LIMIT 1), 0)::float8"
        " FROM ledger_sealer k"
    )
    assert row is not None
    return Head(row[0], row[1], max(0.0, row[2]))


def anchors(after: int = 0, limit: int = 100) -> list[dict[str, Any]]:
    """The ends of the chain that were written down, the newest day first: day, seq, hash, and whether it was sent. Each
    has a `cursor`, and `after` is the last one seen."""
    return [
        dict(zip(("cursor", "day", "seq", "hash", "sent"), row, strict=True))
        for row in rows(
            "SELECT n.day - DATE '1970-01-01', n.day, n.seq, encode(n.hash, 'hex'), n.sent_at IS NOT NULL"
            " FROM ledger_anchor n WHERE %s = 0 OR n.day < DATE '1970-01-01' + %s ORDER BY n.day DESC LIMIT %s",
            [after, after, limit],
        )
    ]


def moved_by_kind(batch_id: int) -> dict[str, int]:
    """Micro-units moved for a batch by kind of transfer (hold, reward, fee, refund)."""
    return {
        kind: int(total)
        for kind, total in rows(
            "SELECT kind, sum(amount_micros) FROM ledger_transfer WHERE batch_id = %s GROUP BY kind", [batch_id]
        )
    }


def ledger_sum() -> int:
    """The sum of all balances over all currencies, which is 0 if and only if no money was made or lost."""
    row = one(
        "SELECT coalesce(sum(abs(total)), 0) FROM (SELECT sum(balance_micros) total FROM ledger_account"
        " GROUP BY currency) s"
    )
    assert row is not None
    return int(row[0])


def statement(address: str, *, before_id: int | None, limit: int) -> list[dict[str, Any]]:
    """The account's transfers, newest first, each with the change and the balance after it, and its seal if it has one:
    who knows what a transfer says can recompute the leaf (`audit.leaf`), and what he may not know enters it by its
    hash."""
    found = rows(
        "SELECT t.id, t.key, t.kind, s.address, d.address, t.currency, p.delta_micros, p.balance_after_micros,"
        " t.memo, t.made_at, r.key, ledger_hidden(t.key, t.memo), ledger_hidden(t.key, s.address),"
        " ledger_hidden(t.key, d.address), x.seq, encode(x.leaf, 'hex'), encode(x.hash, 'hex')"
        " FROM ledger_account a JOIN ledger_posting p ON p.account_id = a.id"
        " JOIN ledger_transfer t ON t.id = p.transfer_id JOIN ledger_account s ON s.id = t.source_id"
        " JOIN ledger_account d ON d.id = t.destination_id LEFT JOIN ledger_transfer r ON r.id = t.reverses_id"
        " LEFT JOIN ledger_seal x ON x.transfer_id = t.id"
        " WHERE a.address = %s AND (%s::bigint IS NULL OR t.id < %s) ORDER BY t.id DESC LIMIT %s",
        [address, before_id, before_id, limit],
    )
    names = (
        *("id", "key", "kind", "source", "destination", "currency", "delta_micros", "balance_after_micros", "memo"),
        *("made_at", "reverses", "memo_hash", "source_hash", "destination_hash"),
    )
    return [
        dict(zip(names, row, strict=False))
        | {"seal": None if row[14] is None else {"seq": row[14], "leaf": row[15], "hash": row[16]}}
        for row in found
    ]
