"""What went through accounts in a period of whole days.

A period covers a stretch of each account's postings, by their numbers: from behind the last one made before its first
moment to the last one made before its end. So the opening balance, the postings and the closing balance always agree,
and both balances are those of `balance_at`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from marketplace.common.database import rows, value

# Transactions that wait for an account post in another order than they began in. So far, in postings, a stretch looks
# beyond the first one that was made after its end.
LOOK_ON = 1_000


@dataclass(frozen=True)
class Period:
    """Days by UTC, both included; a transfer made exactly at midnight belongs to the day that begins."""

    first: date
    last: date

    @property
    def start(self) -> datetime:
        return datetime.combine(self.first, time(), UTC)

    @property
    def end(self) -> datetime:
        """The first moment after it."""
        return datetime.combine(self.last + timedelta(days=1), time(), UTC)

    @classmethod
    def month(cls, first: date) -> "Period":
        """The month that begins with this day.

        >>> Period.month(date(2024, 2, 1)).last
        datetime.date(2024, 2, 29)
        """
        return cls(first, next_month(first) - timedelta(days=1))


def next_month(day: date) -> date:
    """The first day of the month after the day's."""
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def today() -> date:
    """The day by the market's clock."""
    return value("SELECT (market_now() AT TIME ZONE 'UTC')::date")  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Stretch:
    """The postings of one account that belong to a period: those after number `before` up to number `last`."""

    account_id: int
    address: str
    before: int
    last: int
    opening_micros: int
    closing_micros: int


@dataclass(frozen=True)
class Flow:
    """What one kind of transfer moved between an account and one kind of place in a stretch. `place` is the address of
    the other side without its id: `batch:escrow`, `worker:earned`, `platform:fees`, `outside`."""

    address: str
    kind: str
    place: str
    batch_id: int | None
    times: int
    in_micros: int
    out_micros: int

    @property
    def net_micros(self) -> int:
        """Positive where more came in than went out."""
        return self.in_micros - self.out_micros


# Numbers grow with time, so the last posting before a moment is found by halving: a few look-ups by primary key,
# however long the account is. A scalar look-up cannot become a scan of all postings, whatever the planner thinks.
_STRETCHES = """
WITH RECURSIVE own AS MATERIALIZED (
    SELECT a.id, a.address, a.version FROM unnest(%s::text[]) AS w(address)
      JOIN LATERAL (SELECT l.* FROM ledger_account l WHERE l.address = w.address AND l.currency = %s OFFSET 0) a ON true
), search AS (
    SELECT o.id, m.moment, 0::bigint AS low, o.version AS high
      FROM own o CROSS JOIN (VALUES (%s::timestamptz), (%s::timestamptz)) AS m(moment)
    UNION ALL
    SELECT s.id, s.moment, CASE WHEN h.made_before THEN h.middle ELSE s.low END,
           CASE WHEN h.made_before THEN s.high ELSE h.middle - 1 END
      FROM search s
     CROSS JOIN LATERAL (
        SELECT (s.low + s.high + 1) / 2 AS middle,
               (SELECT t.made_at FROM ledger_posting p JOIN ledger_transfer t ON t.id = p.transfer_id
                 WHERE p.account_id = s.id AND p.version = (s.low + s.high + 1) / 2) < s.moment AS made_before) h
     WHERE s.low < s.high
), found AS MATERIALIZED (
    SELECT s.id, s.moment,
           coalesce((SELECT max(v.version)
                       FROM (SELECT p.version, (SELECT t.made_at FROM ledger_transfer t WHERE t.id = p.transfer_id)
                               FROM ledger_posting p
                              WHERE p.account_id = s.id AND p.version > s.low AND p.version <= s.low + %s)
                            AS v(version, made_at)
                      WHERE v.made_at < s.moment), s.low) AS version
      FROM search s WHERE s.low = s.high
), ends AS (
    SELECT id, (array_agg(version ORDER BY moment))[1] AS before, (array_agg(version ORDER BY moment))[2] AS last
      FROM found GROUP BY id
)
SELECT o.id, o.address, e.before, e.last,
       coalesce((SELECT p.balance_after_micros FROM ledger_posting p
                  WHERE p.account_id = e.id AND p.version = e.before), 0),
       coalesce((SELECT p.balance_after_micros FROM ledger_posting p
                  WHERE p.account_id = e.id AND p.version = e.last), 0)
  FROM own o JOIN ends e ON e.id = o.id ORDER BY o.id
"""


def stretches(addresses: Sequence[str], currency: str, period: Period) -> list[Stretch]:
    """The stretch of each account of these that exists. What is posted afterwards belongs to none of them."""
    return [Stretch(*row) for row in rows(_STRETCHES, [list(addresses), currency, period.start, period.end, LOOK_ON])]


def flows(of: Sequence[Stretch]) -> list[Flow]:
    """All that the stretches hold, gathered by account, kind, the other side's kind of place, and batch."""
    return [
        Flow(address, kind, place, batch_id, times, int(came), int(went))
        for address, kind, place, batch_id, times, came, went in rows(
            """
            SELECT w.address, m.kind,
                   CASE WHEN starts_with(c.address, 'outside:') THEN 'outside'
                        WHEN starts_with(c.address, 'platform:') THEN c.address
                        ELSE split_part(c.address, ':', 1) || ':' || split_part(c.address, ':', 3) END AS place,
                   m.batch_id, count(*), coalesce(sum(m.delta_micros) FILTER (WHERE m.delta_micros > 0), 0),
                   coalesce(-sum(m.delta_micros) FILTER (WHERE m.delta_micros < 0), 0)
              FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::bigint[]) AS w(id, address, before, last)
             CROSS JOIN LATERAL (
                SELECT t.kind, t.batch_id, p.delta_micros,
                       CASE WHEN t.source_id = p.account_id THEN t.destination_id ELSE t.source_id END AS other_id
                  FROM ledger_posting p
                 CROSS JOIN LATERAL (SELECT * FROM ledger_transfer l WHERE l.id = p.transfer_id OFFSET 0) t
                 WHERE p.account_id = w.id AND p.version > w.before AND p.version <= w.last OFFSET 0) m
              JOIN ledger_account c ON c.id = m.other_id
             GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
            """,
            _columns([one for one in of if one.last > one.before]),
        )
    ]


def lines(of: Stretch, *, after: int, limit: int) -> list[dict[str, Any]]:
    """Postings of the stretch from behind number `after` on, oldest first, each with the balance after it and its seal
    if it has one. `cursor` is the posting's number. Source, destination and memo come with what stands for them in the
    leaf, so that who may not know one of them can recompute the leaf all the same."""
    names = (
        *("cursor", "key", "kind", "batch_id", "source", "destination", "currency", "delta_micros"),
        *("balance_after_micros", "made_at", "reverses", "source_hash", "destination_hash", "memo_hash"),
    )
    return [
        dict(zip(names, row, strict=False))
        | {"seal": None if row[14] is None else {"seq": row[14], "leaf": row[15], "hash": row[16]}}
        for row in rows(
            "SELECT p.version, t.key, t.kind, t.batch_id, s.address, d.address, t.currency, p.delta_micros,"
            " p.balance_after_micros, t.made_at, r.key, ledger_hidden(t.key, s.address),"
            " ledger_hidden(t.key, d.address), ledger_hidden(t.key, t.memo), x.seq, encode(x.leaf, 'hex'),"
            " encode(x.hash, 'hex') FROM ledger_posting p"
            " JOIN ledger_transfer t ON t.id = p.transfer_id JOIN ledger_account s ON s.id = t.source_id"
            " JOIN ledger_account d ON d.id = t.destination_id LEFT JOIN ledger_transfer r ON r.id = t.reverses_id"
            " LEFT JOIN ledger_seal x ON x.transfer_id = t.id"
            " WHERE p.account_id = %s AND p.version > %s AND p.version <= %s ORDER BY p.version LIMIT %s",
            [of.account_id, max(of.before, after), of.last, limit],
        )
    ]


def _columns(of: Sequence[Stretch]) -> list[list[Any]]:
    return [[getattr(one, name) for one in of] for name in ("account_id", "address", "before", "last")]
