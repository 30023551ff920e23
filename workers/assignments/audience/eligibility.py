"""Whether one worker may enter a batch: one statement of index probes, and none where everybody may."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from marketplace.batches.audience import AllOf, Node, leaves_of, tree_of
from marketplace.batches.models import Batch
from marketplace.batches.queries import Offer
from marketplace.common.database import rows, value
from marketplace.common.prepared import array_of, prepared
from workers.assignments.audience.conditions import MOMENT, SCORE, STANDING, Sql, conjuncts, sql_of
from workers.assignments.audience.words import names_in, words_of
from workers.assignments.errors import NotEligible
from workers.profiles.commands.people import note_device


@dataclass(frozen=True)
class Refusal:
    """Why a batch is closed to a worker: what it asks for that he does not have (`lacks` names those conditions), or
    from when on it is open to him."""

    words: str
    opens_at: datetime | None = None
    lacks: tuple[str, ...] = ()


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


def refusals_of(batch: Batch | Offer, *, worker_ids: list[int]) -> dict[int, Refusal]:
    """Which of the workers may not enter the batch, and why, as `refusal` says it of one; devices are those last seen.
    One statement, and none where everybody may."""
    found = _judged([batch], worker_ids, None)
    return {worker: refused for (_, worker), (refused, _) in found.items() if refused}


def refusals_in(batches: Sequence[Batch | Offer], *, worker_id: int, device: str | None = None) -> dict[int, Refusal]:
    """Which of the batches the worker may not enter, and why, as `refusal` says it of one. One statement at most."""
    found = _judged(batches, [worker_id], device)
    return {batch: refused for (batch, _), (refused, _) in found.items() if refused}


def score_of(*, worker_id: int, project_id: int) -> float:
    """The worker's score in the project as he sees it, from 0 to 1; that of nobody in particular for a stranger."""
    return float(
        value(
            f"{MOMENT} SELECT {SCORE} FROM profiles_worker w {STANDING} WHERE w.id = %s::bigint",
            [project_id, worker_id],
        )
    )


def _judge(batch: Batch | Offer, worker_id: int, device: str | None) -> tuple[Refusal | None, str | None]:
    """The refusal, if any, and the device last seen where the audience asks for one."""
    return _judged([batch], [worker_id], device).get((batch.pk, worker_id), (None, None))


def _judged(
    batches: Sequence[Batch | Offer], worker_ids: list[int], device: str | None
) -> dict[tuple[int, int], tuple[Refusal | None, str | None]]:
    """By batch and worker, as `_judge` says it of one; batches that are open to all are left out."""
    closed = [batch for batch in batches if batch.audience or batch.head_start_s]
    if not closed or not worker_ids:
        return {}
    questions = {batch.pk: _question(json.dumps(batch.audience), device) for batch in closed}
    # Better workers first: at a score of 1 at once, at 0 a full head start later.
    texts = [
        f"SELECT %s::bigint, w.id, ARRAY[{questions[batch.pk].text}]::boolean[], w.device,"
        " CASE WHEN m.now < o.at THEN o.at END"
        f" FROM profiles_worker w {STANDING}"
        f" CROSS JOIN LATERAL (SELECT %s::timestamptz + make_interval(secs => %s::float8 * (1 - {SCORE})) AS at) o"
        " WHERE w.id = ANY (%s::bigint[])"
        for batch in closed
    ]
    params = [
        param
        for batch in closed
        for param in (
            batch.pk,
            *questions[batch.pk].params,
            batch.project_id,
            batch.published_at,
            batch.head_start_s,
            array_of(worker_ids),
        )
    ]
    # One of each is what a claim asks.
    ask = prepared if len(closed) == len(worker_ids) == 1 else rows
    found = ask(f"{MOMENT} {' UNION ALL '.join(texts)}", params)
    lacking = {
        (batch, worker): tuple(place for place, holds_here in enumerate(holds) if holds_here is False)
        for batch, worker, holds, _, _ in found
    }
    words = _words_of_lacking(questions, {(batch, places) for (batch, _), places in lacking.items() if places})

    def told(batch: int, worker: int, last_seen: str, opens_at: datetime | None) -> tuple[Refusal | None, str | None]:
        places = lacking[batch, worker]
        if places:
            return Refusal(words[batch, places], lacks=_names(questions[batch], places)), None
        if opens_at is not None:
            return _early(opens_at), None
        return None, last_seen if questions[batch].asks_device else None

    return {(batch, worker): told(batch, worker, seen, opens_at) for batch, worker, _, seen, opens_at in found}


def _words_of_lacking(
    questions: dict[int, _Question], lacking: set[tuple[int, tuple[int, ...]]]
) -> dict[tuple[int, tuple[int, ...]], str]:
    """What each batch is said to ask for, by the places of the conditions that somebody lacks; names are looked up for
    all of them together, and only where there are some."""
    parts = {key: [questions[key[0]].parts[place] for place in key[1]] for key in lacking}
    names = names_in(AllOf("", tuple(part for some in parts.values() for part in some)), for_requester=False)
    return {
        key: f"It asks for {', and for '.join(words_of(part, names) for part in some)}." for key, some in parts.items()
    }


def _names(question: _Question, places: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(leaf.name for place in places for leaf in leaves_of(question.parts[place])))


def _early(opens_at: datetime) -> Refusal:
    when = opens_at.strftime("%Y-%m-%d %H:%M:%S UTC")
    return Refusal(f"It is open to workers with a higher score first, and to you from {when} on.", opens_at)


@lru_cache(maxsize=1_000)
def _question(audience: str, device: str | None) -> _Question:
    """Kept by the audience's own text, so it can never be another's."""
    parts = conjuncts(tree_of(json.loads(audience)))
    asked: list[Sql] = [sql_of(part, device=device) for part in parts]
    return _Question(
        parts=tuple(parts),
        text=", ".join(one.text for one in asked),
        params=tuple(param for one in asked for param in one.params),
        asks_device='"device"' in audience,
    )
