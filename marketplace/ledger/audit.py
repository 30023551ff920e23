"""The books once more, from the transfers alone: what `./run check --money` does.

Nothing here trusts what the database keeps for itself. Balances, postings and seals are computed anew, in Python and by
other code than the triggers', and the first row that differs is named.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from marketplace.common.chains import BadRow, Chain, leaf_of, micros_of, passes, stream
from marketplace.common.transactions import snapshot


@dataclass
class Audit:
    """How many rows were looked at, and the first one that is wrong, if any."""

    transfers: int = 0
    postings: int = 0
    accounts: int = 0
    seals: int = 0
    anchors: int = 0
    first_bad: str | None = None
    balances: dict[int, int] = field(default_factory=dict)


def audit(progress: Callable[[str, int], None] = lambda what, number: None) -> Audit:
    """Recompute everything from the transfers, in one snapshot; memory grows with accounts only."""
    done = Audit()
    with snapshot():
        try:
            _postings(done, progress)
            _balances(done)
            _seals(done, progress)
        except BadRow as bad:
            done.first_bad = str(bad)
    return done


def hidden(key: str, text: str) -> str:
    """How an address or a memo goes into the leaf of the transfer with this key."""
    return hashlib.sha256(f"{key}\n{text}".encode()).hexdigest()


def leaf(transfer: dict[str, Any]) -> bytes:
    """What a transfer says as one hash, SHA-256 of a JSON list: version 1, key, kind, the hidden source and
    destination, currency, amount in micro-units, microseconds since 1970, the hidden memo, and the key of what it takes
    back."""
    key = transfer["key"]
    facts = [
        *(1, key, transfer["kind"], hidden(key, transfer["source"]), hidden(key, transfer["destination"])),
        *(transfer["currency"], transfer["amount_micros"], micros_of(transfer["made_at"])),
        *(hidden(key, transfer["memo"]), transfer["reverses"]),
    ]
    return leaf_of(facts)


def _postings(done: Audit, progress: Callable[[str, int], None]) -> None:
    """Each transfer has its two postings, and each balance that a posting shows is the one before it and the change."""
    per_transfer = (
        "SELECT t.id, t.key, t.source_id, t.destination_id, t.amount_micros, t.currency, s.currency AS source_currency,"
        " d.currency AS destination_currency, array_agg(p.account_id ORDER BY p.delta_micros) AS accounts,"
        " array_agg(p.delta_micros ORDER BY p.delta_micros) AS deltas FROM ledger_transfer t"
        " JOIN ledger_account s ON s.id = t.source_id JOIN ledger_account d ON d.id = t.destination_id"
        " LEFT JOIN ledger_posting p ON p.transfer_id = t.id GROUP BY t.id, s.id, d.id ORDER BY t.id"
    )
    for row in stream("audit_transfers", per_transfer):
        amount, both = row["amount_micros"], [row["source_id"], row["destination_id"]]
        if amount <= 0 or row["source_id"] == row["destination_id"]:
            raise BadRow(f"transfer {row['key']} moves {amount} from {both[0]} to {both[1]}")
        if row["accounts"] != both or row["deltas"] != [-amount, amount]:
            raise BadRow(
                f"transfer {row['key']} of {amount} is posted as {row['deltas']} to accounts {row['accounts']}"
            )
        if {row["currency"]} != {row["source_currency"], row["destination_currency"]}:
            raise BadRow(f"transfer {row['key']} is in {row['currency']} and an account is not")
        done.balances[both[0]] = done.balances.get(both[0], 0) - amount
        done.balances[both[1]] = done.balances.get(both[1], 0) + amount
        done.transfers += 1
        if done.transfers % 100_000 == 0:
            progress("transfers", done.transfers)
    last: dict[int, tuple[int, int]] = {}
    per_account = (
        "SELECT p.account_id, p.version, p.delta_micros, p.balance_after_micros, a.address FROM ledger_posting p"
        " JOIN ledger_account a ON a.id = p.account_id ORDER BY p.account_id, p.version"
    )
    for row in stream("audit_postings", per_account):
        version, balance = last.get(row["account_id"], (0, 0))
        place = f"posting {row['version']} of {row['address']}"
        if row["version"] != version + 1:
            raise BadRow(f"{place} follows number {version}")
        if row["balance_after_micros"] != balance + row["delta_micros"]:
            raise BadRow(f"{place} says {row['balance_after_micros']} after {balance} and {row['delta_micros']:+d}")
        if row["balance_after_micros"] < 0 and not row["address"].startswith("outside:"):
            raise BadRow(f"{place} is below zero: {row['balance_after_micros']}")
        last[row["account_id"]] = (row["version"], row["balance_after_micros"])
        done.postings += 1


def _balances(done: Audit) -> None:
    """Each stored balance is what the transfers make it, and all of a currency are zero together."""
    sums: dict[str, int] = {}
    every = "SELECT id, address, currency, balance_micros FROM ledger_account ORDER BY id"
    for row in stream("audit_accounts", every):
        computed = done.balances.get(row["id"], 0)
        if row["balance_micros"] != computed:
            raise BadRow(
                f"account {row['address']} ({row['currency']}) says {row['balance_micros']}, its transfers {computed}"
            )
        sums[row["currency"]] = sums.get(row["currency"], 0) + computed
        done.accounts += 1
    for currency, total in sums.items():
        if total:
            raise BadRow(f"all accounts in {currency} together hold {total}")


def _seals(done: Audit, progress: Callable[[str, int], None]) -> None:
    """The chain is unbroken from its start through every anchor to its head, and each sealed transfer still says what
    it said."""
    walked = Chain()
    chain = (
        "SELECT x.seq, x.leaf, x.hash, t.key, t.kind, s.address AS source, d.address AS destination, t.currency,"
        " t.amount_micros, t.made_at, t.memo, r.key AS reverses FROM ledger_seal x"
        " LEFT JOIN ledger_transfer t ON t.id = x.transfer_id LEFT JOIN ledger_account s ON s.id = t.source_id"
        " LEFT JOIN ledger_account d ON d.id = t.destination_id LEFT JOIN ledger_transfer r ON r.id = t.reverses_id"
        " ORDER BY x.seq"
    )
    for row in stream("audit_seals", chain):
        walked.follow(
            f"seal {row['seq']} (transfer {row['key']})",
            seq=row["seq"],
            leaf=bytes(row["leaf"]),
            said=None if row["key"] is None else leaf(row),
            hash=bytes(row["hash"]),
        )
        done.seals += 1
        if done.seals % 100_000 == 0:
            progress("seals", done.seals)
    written_down = (
        "SELECT n.day, n.seq, n.hash, x.hash AS found FROM ledger_anchor n LEFT JOIN ledger_seal x ON x.seq = n.seq"
        " WHERE n.seq > 0 ORDER BY n.day"
    )
    for row in stream("audit_anchors", written_down):
        found = None if row["found"] is None else bytes(row["found"])
        passes(day=row["day"], seq=row["seq"], hash=bytes(row["hash"]), found=found)
        done.anchors += 1
    for row in stream("audit_head", "SELECT seq, hash FROM ledger_sealer"):
        walked.end(seq=row["seq"], hash=bytes(row["hash"]))
