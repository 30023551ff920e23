"""What the database counts: blocks and rows that were touched. Counters say what times on a busy machine cannot."""

from dataclasses import dataclass
from typing import Any

import psycopg

_BLOCKS = (
    "coalesce(heap_blks_{0}, 0) + coalesce(idx_blks_{0}, 0) + coalesce(toast_blks_{0}, 0) + coalesce(tidx_blks_{0}, 0)"
)
_TOTALS = f"""
SELECT (SELECT sum({_BLOCKS.format("hit")} + {_BLOCKS.format("read")}) FROM pg_statio_user_tables),
       (SELECT sum(seq_tup_read) FROM pg_stat_user_tables)
"""
_RELATIONS = """
SELECT relname, coalesce(heap_blks_hit, 0) + coalesce(heap_blks_read, 0) + coalesce(toast_blks_hit, 0)
       + coalesce(toast_blks_read, 0) FROM pg_statio_user_tables
UNION ALL SELECT indexrelname, coalesce(idx_blks_hit, 0) + coalesce(idx_blks_read, 0) FROM pg_statio_user_indexes
"""


@dataclass(frozen=True)
class Touched:
    """Blocks of user tables and their indexes, and rows that sequential scans read."""

    blocks: int
    rows_scanned: int

    def __add__(self, other: "Touched") -> "Touched":
        return Touched(self.blocks + other.blocks, self.rows_scanned + other.rows_scanned)

    def __sub__(self, other: "Touched") -> "Touched":
        return Touched(self.blocks - other.blocks, self.rows_scanned - other.rows_scanned)


class Counters:
    """The database's totals, read from a connection of its own."""

    def __init__(self, url: str, database: str | None = None) -> None:
        other = {"dbname": database} if database else {}
        self._reader: psycopg.Connection[Any] = psycopg.connect(url, autocommit=True, **other)  # type: ignore[arg-type]

    def close(self) -> None:
        """Leave the database."""
        self._reader.close()

    def read(self) -> Touched:
        """The totals, with all that this thread's connection of the product has done."""
        from marketplace.common.database import rows

        # Counters are published when a session has been idle for a while; this makes it happen at once.
        rows("SELECT pg_stat_force_next_flush()")
        rows("SELECT 1")
        row = self._reader.execute(_TOTALS).fetchone()
        assert row is not None
        return Touched(int(row[0] or 0), int(row[1] or 0))

    def by_relation(self) -> dict[str, int]:
        """Blocks by table and index, for this thread's connection as in `read`."""
        self.read()
        return {name: int(count) for name, count in self._reader.execute(_RELATIONS).fetchall()}

    def scanned_tables(self) -> dict[str, int]:
        """Rows read by sequential scans so far, by table."""
        found = self._reader.execute("SELECT relname, seq_tup_read FROM pg_stat_user_tables").fetchall()
        return {name: int(count or 0) for name, count in found}

    def sizes(self) -> dict[str, int]:
        """Rows by table, as the planner knows them."""
        found = self._reader.execute(
            "SELECT relname, reltuples FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        ).fetchall()
        return {name: max(0, int(count)) for name, count in found}
