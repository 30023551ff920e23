"""Compare answers with keys and say what came of each; the only code that reads keys."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from marketplace.common.database import acting_as, rows, run
from marketplace.projects.answer_types.labels import label_field
from marketplace.projects.answer_types.registry import answer_type
from workers.gold.models import Waiting
from workers.reputation.commands import Judged
from workers.reputation.queries import last_answers
from workers.reputation.scoring import EASY
from workers.reputation.states import Kind

# How often others get a task right is smoothed as if two more had, as often as on an ordinary task: a task is not hard
# because the first who met it failed.
OTHERS = 2.0
TOOK_MAX_MS = 2**31 - 1
Page = tuple[int, int, datetime]
Verdict = tuple[int, int, int, float, str]


@dataclass
class Key:
    """A key in use, who has a verdict by it, and the sum of their scores.

    `since` is when the crowd agreed on it, None where the requester brought it. Such a key was made of what came
    before, so it judges what came after, and not the second form of an answer that was given back for repair.
    """

    wanted: dict[str, Any]
    since: datetime | None = None
    judged: set[int] = field(default_factory=set)
    score: float = 0.0

    def judges(self, row: Waiting) -> bool:
        """Whether an answer can be compared with the key; the first of its worker is."""
        if row.unclear or row.worker_id in self.judged:
            return False
        return self.since is None or (row.made_at > self.since and row.revision == 1)

    def easiness(self) -> float | None:
        """How often those before got the task right; None if there are none."""
        return (self.score + OTHERS * EASY) / (len(self.judged) + OTHERS) if self.judged else None


def judged_of(waiting: Sequence[Waiting]) -> list[Judged]:
    """What came of these answers, in their order.

    Of each there is an outcome of kind `answer`; and before it, where its task has a key and it is the first of its
    worker there, one of kind `gold`, of which a verdict is kept too. Writes verdicts.
    """
    pages = _pages(waiting)
    with acting_as("gold_reader"):
        keys = _keys({row.task_id for row in waiting})
        before = last_answers(pages)
    took = _took(pages, before)
    fields = _fields({row.batch_id for row in waiting})
    outcomes: list[Judged] = []
    verdicts: list[Verdict] = []
    for row in waiting:
        declared, key = fields[row.batch_id], keys.get(row.task_id)
        single = label_field(declared.values())
        common: dict[str, Any] = {
            "worker_id": row.worker_id,
            "project_id": row.project_id,
            "batch_id": row.batch_id,
            "assignment_id": row.assignment_id,
            "task_id": row.task_id,
            "field": single or "",
            "given": row.values.get(single) if single else None,
            "answer_type": declared[single or next(iter(declared))]["type"],
        }
        # An answer that was given back for repair comes twice; the first verdict on a task and worker stands.
        if key is not None and key.judges(row):
            score = _score(declared, key.wanted, row.values)
            truth = key.wanted.get(single) if single else None
            outcomes.append(Judged(**common, kind=Kind.GOLD, score=score, truth=truth, easiness=key.easiness()))
            said = json.dumps({name: row.values.get(name) for name in key.wanted})
            verdicts.append((row.task_id, row.worker_id, row.batch_id, score, said))
            key.judged.add(row.worker_id)
            key.score += score
        # How long a repair took is not known: nobody says when it was begun.
        timed = took[row.worker_id, row.batch_id, row.made_at] if row.revision == 1 else None
        outcomes.append(
            Judged(
                **common,
                kind=Kind.ANSWER,
                took_ms=timed,
                digest=None if row.unclear else _digest(row.values),
                round=row.revision - 1,
                made_at=row.made_at,
            )
        )
    _keep(verdicts)
    return outcomes


def _keys(task_ids: Iterable[int]) -> dict[int, Key]:
    """Keys in use by task, with the verdicts there are; the caller acts as the gold reader."""
    return {
        task_id: Key(wanted, since, set(judged), score)
        for task_id, wanted, since, judged, score in rows(
            "SELECT k.task_id, k.key, CASE WHEN k.origin = 'consensus' THEN k.added_at END, v.workers, v.score"
            " FROM batches_goldkey k CROSS JOIN LATERAL"
            " (SELECT coalesce(array_agg(g.worker_id), '{}') AS workers, coalesce(sum(g.score), 0) AS score"
            " FROM gold_verdict g WHERE g.task_id = k.task_id) v WHERE k.task_id = ANY(%s)"
            " AND k.state = 'live'",
            [sorted(task_ids)],
        )
    }


def _keep(verdicts: Sequence[Verdict]) -> None:
    if not verdicts:
        return
    with acting_as("gold_reader"):
        # The row is held, also where it was there: an audit that took it now would not see these verdicts yet.
        run(
            "INSERT INTO gold_toaudit AS q (task_id, made_at) SELECT t, market_now() FROM unnest(%s::bigint[]) AS t"
            " ORDER BY t ON CONFLICT (task_id) DO UPDATE SET made_at = q.made_at",
            [sorted({verdict[0] for verdict in verdicts})],
        )
    run(
        "INSERT INTO gold_verdict (task_id, worker_id, batch_id, score, given, made_at)"
        " SELECT t, w, b, s, said::jsonb, market_now()"
        " FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::float8[], %s::text[]) AS g(t, w, b, s, said)"
        " ON CONFLICT DO NOTHING",
        [[verdict[place] for verdict in verdicts] for place in range(5)],
    )


def _fields(batch_ids: Iterable[int]) -> dict[int, dict[str, Mapping[str, Any]]]:
    """The answer fields by batch and name, in the order of their declaration."""
    return {
        batch_id: {declared["name"]: declared for declared in answer}
        for batch_id, answer in rows(
            "SELECT b.id, v.interface->'answer' FROM batches_batch b JOIN projects_version v ON v.id = b.version_id"
            " WHERE b.id = ANY(%s)",
            [sorted(batch_ids)],
        )
    }


def _score(fields: Mapping[str, Mapping[str, Any]], key: Mapping[str, Any], values: Mapping[str, Any]) -> float:
    """The mean over the key's fields; a field that was left empty scores 0."""
    scores = [
        answer_type(fields[name]["type"]).score(fields[name], wanted, values[name]) if name in values else 0.0
        for name, wanted in key.items()
    ]
    return sum(scores) / len(scores)


def _digest(values: Mapping[str, Any]) -> int:
    """64 bits, signed, that are equal for equal answers: values are stored in their one canonical form."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), signed=True)


def _pages(waiting: Iterable[Waiting]) -> dict[Page, list[datetime | None]]:
    """Since when each answer of a page was held. What is submitted in one moment to one batch is a page."""
    pages: dict[Page, list[datetime | None]] = {}
    for row in waiting:
        pages.setdefault((row.worker_id, row.batch_id, row.made_at), []).append(row.leased_at)
    return pages


def _took(pages: Mapping[Page, Sequence[datetime | None]], before: Mapping[Page, datetime]) -> dict[Page, int | None]:
    """How long each answer of a page took, in milliseconds: nobody works on two at once.

    Time runs from the first lease of the page, but not before the worker's submission before it, and the answers share
    it. None where it is not known since when they were held.
    """
    took: dict[Page, int | None] = {}
    last: dict[tuple[int, int], datetime] = {}
    for page in sorted(pages):
        worker, batch, moment = page
        held = [since for since in pages[page] if since is not None]
        known = [at for at in (last.get((worker, batch)), before.get(page)) if at is not None]
        took[page] = None
        if held:
            spent = moment - max([min(held), *known])
            took[page] = max(0, min(TOOK_MAX_MS, spent // timedelta(milliseconds=1) // len(pages[page])))
        last[worker, batch] = moment
    return took
