"""Chains of hashes over rows that are never changed: how they are followed, and how their ends are sent away (R36).

The ledger's transfers and the audit log each have one. A link's `hash` is that of the link before it and of its `leaf`,
which is the hash of what the row says; the end is written down each day and kept where nobody here can change it.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.mail import send_mail
from django.db import DatabaseError, connection

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
START = hashlib.sha256(b"touchstone").digest()
AT_ONCE = 5_000


class BadRow(Exception):
    """The first row that is wrong, in words."""


@dataclass
class Chain:
    """A chain that is followed from its start: how many links there were, and the hash of the last."""

    links: int = 0
    hash: bytes = START

    def follow(self, place: str, *, seq: int, leaf: bytes, said: bytes | None, hash: bytes) -> None:
        """Go on to the next link, whose row says `said` (None where the row is gone). Raises `BadRow`."""
        if seq != self.links + 1:
            raise BadRow(f"{place} follows seal {self.links}")
        if said is None or leaf != said:
            raise BadRow(f"{place} does not say what was sealed")
        self.hash = hashlib.sha256(self.hash + leaf).digest()
        if hash != self.hash:
            raise BadRow(f"{place} does not continue the chain")
        self.links += 1

    def end(self, *, seq: int, hash: bytes) -> None:
        """Hold the end against what the head says. Raises `BadRow`."""
        if seq != self.links or hash != self.hash:
            raise BadRow(f"the head names seal {seq}, the chain ends at {self.links}")


def passes(*, day: Any, seq: int, hash: bytes, found: bytes | None) -> None:
    """Hold what was written down on a day against the link that the chain has there. Raises `BadRow`."""
    if found is None or hash != found:
        raise BadRow(f"seal {seq} is not the one that was written down on {day}")


def leaf_of(facts: Sequence[Any]) -> bytes:
    """The facts as one hash: SHA-256 of a JSON list, spelled as PostgreSQL spells it."""
    return hashlib.sha256(json.dumps(facts, ensure_ascii=False, separators=(", ", ": ")).encode()).digest()


def micros_of(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def stream(name: str, sql: str) -> Iterator[dict[str, Any]]:
    """The rows of a statement by a cursor of this name, so that memory does not grow with them; in a transaction."""
    with connection.cursor() as cursor:
        cursor.execute(f"DECLARE {name} NO SCROLL CURSOR FOR {sql}")
        failed = False
        try:
            while True:
                cursor.execute(f"FETCH {AT_ONCE} FROM {name}")
                columns = [column.name for column in cursor.description]
                found = cursor.fetchall()
                for row in found:
                    yield dict(zip(columns, row, strict=True))
                if len(found) < AT_ONCE:
                    return
        except DatabaseError:
            failed = True
            raise
        finally:
            # Also where its reader has seen enough; a transaction that failed has closed it.
            if not failed:
                cursor.execute(f"CLOSE {name}")


def send_anchor(*, what: str, anchor: dict[str, Any], to: list[str]) -> None:
    """Mail the end of a chain as it was on a day. Twice is no harm; never within a transaction."""
    send_mail(
        subject=f"{what} of {anchor['day']}: {anchor['seq']} seals",
        message="{day} {seq} {hash}\n\nKeep this line: the chain must pass through it.".format_map(anchor),
        from_email=None,
        recipient_list=to,
    )
