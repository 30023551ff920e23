"""What happened to accounts. `user_ids` says whom it concerns; which accounts are one person's is known above."""

from dataclasses import dataclass

from marketplace.common.outbox import Event


@dataclass(frozen=True)
class SanctionEvent(Event):
    sanction_id: int
    user_ids: list[int]
    measure: str


class Sanctioned(SanctionEvent):
    """Somebody was limited."""


class SanctionLifted(SanctionEvent):
    """A sanction ended before its time."""
