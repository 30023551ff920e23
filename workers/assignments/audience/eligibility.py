"""Whether one worker may enter a batch: one statement of index probes, and none where everybody may."""

import json
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from marketplace.batches.audience import Node, tree_of
from marketplace.batches.models import Batch
from marketplace.batches.queries import Offer
from marketplace.common.database import value
from marketplace.common.prepared import prepared
from workers.assignments.audience.conditions import MOMENT, SCORE, STANDING, Sql, conjuncts, sql_of
from workers.assignments.audience.words import names_in, words_of
from workers.assignments.errors import NotEligible
from workers.profiles.commands.people import note_device


@dataclass(frozen=True)
class Refusal:
    """Why a batch is closed to a worker: what it asks for that he does not have, or from when on it is open to him."""

    words: str
    opens_at: datetime | None = None


@dataclass(frozen=True)
class _Question:
    """An audience as one statement about one worker; `parts` are the conditions, in the order of its columns."""

    parts: tuple[Node, ...]
    text: str
    params: tuple[Any, ...]
    asks_device: bool


def owns(*, worker_id: int, requester_id: int) -> bool:
    """Whether an account of the worker's person is a member of the organisation: nobody works for his own (R13).

    A claim need not ask: the database refuses the lease.
    """
    return bool(
        value(
            "SELECT EXISTS (SELECT 1 FROM profiles_worker me JOIN profiles_worker w ON w.person_id = me.person_id"
            " JOIN accounts_member m ON m.user_id = w.user_id WHERE me.id = %s AND m.requester_id = %s)",
            [worker_id, requester_id],
        )
    )


def refusal(batch: Batch | Offer, *, worker_id: int, device: str | None = None) -> str | None:
    """Why the worker may not work on the batch, in words, or None when he may; his own organisation apart (`owns`).

    Judged is the standing that the worker sees: one that moved with every answer would tell him which was gold. Where
    the audience asks for a device, `device` is what the request came from, or else the one last seen.
    """
    found, _ = _judge(batch, worker_id, device)
    return found.words if found else None


def require_eligible(*, worker_id: int, offer: Offer, device: str | None = None) -> None:
    """Raise `NotEligible` with the reason unless the worker may enter the batch; asks nothing where all may.

    One statement. Where the audience asks for a device that is another than the one last seen, that is noted.
    """
    found, last_seen = _judge(offer, worker_id, device)
    if found is not None:
        facts = {} if found.opens_at is None else {"opens_at": found.opens_at.isoformat()}
        raise NotEligible(found.words, batch=str(offer.public_id), **facts)
    if device is not None and last_seen is not None and device != last_seen:
        note_device(worker_id=worker_id, device=device)


def _judge(batch: Batch | Offer, worker_id: int, device: str | None) -> tuple[Refusal | None, str | None]:
    """The refusal, if any, and the device last seen where the audience asks for one."""
    if not batch.audience and not batch.head_start_s:
        return None, None
    question = _question(json.dumps(batch.audience), device)
    # Better workers first: at a score of 1 at once, at 0 a full head start later.
    [(*holds, last_seen, opens_at)] = prepared(
        f"{MOMENT} SELECT {question.text} w.device, CASE WHEN m.now < o.at THEN o.at END"
        f" FROM profiles_worker w {STANDING}"
        f" CROSS JOIN LATERAL (SELECT %s::timestamptz + make_interval(secs => %s::float8 * (1 - {SCORE})) AS at) o"
        " WHERE w.id = %s::bigint",
        [*question.params, batch.project_id, batch.published_at, batch.head_start_s, worker_id],
    )
    lacking = [part for part, holds_here in zip(question.parts, holds, strict=True) if holds_here is False]
    if lacking:
        return Refusal(f"It asks for {', and for '.join(_worded(part) for part in lacking)}."), None
    if opens_at is not None:
        when = opens_at.strftime("%Y-%m-%d %H:%M:%S UTC")
        return Refusal(f"It is open to workers with a higher score first, and to you from {when} on.", opens_at), None
    return None, last_seen if question.asks_device else None


def _worded(part: Node) -> str:
    return words_of(part, names_in(part, for_requester=False))


@lru_cache(maxsize=1_000)
def _question(audience: str, device: str | None) -> _Question:
    """Kept by the audience's own text, so it can never be another's."""
    parts = conjuncts(tree_of(json.loads(audience)))
    asked: list[Sql] = [sql_of(part, device=device) for part in parts]
    return _Question(
        parts=tuple(parts),
        text="".join(f"{one.text}, " for one in asked),
        params=tuple(param for one in asked for param in one.params),
        asks_device='"device"' in audience,
    )
