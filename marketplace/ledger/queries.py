"""Reads of money. Balances are the trigger's; history is the postings, dense by version."""

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
    """The account's transfers, newest first, each with the change and the balance after it."""
    found = rows(
        "SELECT t.id, t.key, t.kind, s.address, d.address, t.currency, p.delta_micros, p.balance_after_micros,"
        " t.memo, t.made_at FROM ledger_account a JOIN ledger_posting p ON p.account_id = a.id"
        " JOIN ledger_transfer t ON t.id = p.transfer_id JOIN ledger_account s ON s.id = t.source_id"
        " JOIN ledger_account d ON d.id = t.destination_id"
        " WHERE a.address = %s AND (%s::bigint IS NULL OR t.id < %s) ORDER BY t.id DESC LIMIT %s",
        [address, before_id, before_id, limit],
    )
    names = (
        "id",
        "key",
        "kind",
        "source",
        "destination",
        "currency",
        "delta_micros",
        "balance_after_micros",
        "memo",
        "made_at",
    )
    return [dict(zip(names, row, strict=True)) for row in found]
