"""What rules want of other apps: taken, done and finished there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from marketplace.common.database import run
from marketplace.common.transactions import require_transaction
from workers.reputation.locks import wanted_for_update

WANTED_OF_OTHERS = ("raise_overlap", "reopen", "hold", "release", "ask_review")


@dataclass(frozen=True)
class Wanted:
    """An action of a firing that waits: what to do (`kind`, `action`), about whose answers in which batch; and why, in
    the words of the rule."""

    id: int
    firing_id: int
    kind: str
    action: dict[str, Any]
    worker_id: int
    batch_id: int
    rule: str
    words: str


def take_wanted(*, kinds: Sequence[str], limit: int) -> list[Wanted]:
    """The oldest actions of these kinds that nobody has in hand, locked until the transaction ends."""
    require_transaction()
    return [Wanted(*row) for row in wanted_for_update(list(kinds), limit)]


def finish_wanted(*, wanted_id: int, outcome: str) -> bool:
    """Write down what came of an action, in words a requester reads. Says whether this call did it: what is done stays
    as it is. Raises `ValueError` without an outcome."""
    require_transaction()
    if not outcome:
        raise ValueError("say what came of it")
    done = "UPDATE reputation_wanted SET done_at = market_now(), outcome = %s WHERE id = %s AND done_at IS NULL"
    return run(done, [outcome, wanted_id]) == 1
