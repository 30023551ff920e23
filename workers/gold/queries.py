"""What a requester, and after the end a worker, may know of gold; read as the gold reader, by nobody's claim."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from json import dumps, loads
from typing import Any

from marketplace.batches.models import Batch
from marketplace.common.database import acting_as, rows, value
from marketplace.common.transactions import require_transaction
from workers.gold.commitment import Opening, leaf_of, paths_of
from workers.gold.detectability import Parts, alike_part, size_part
from workers.gold.injection import Policy, allowed
from workers.gold.suspicion import FAILED_BELOW
from workers.reputation.scoring import Posterior

# So many ordinary payloads stand for all when the size of a gold one is compared with theirs.
SIZES_LOOKED_AT = 1_000


@dataclass(frozen=True)
class GoldCost:
    """What gold costs of a batch, in places and money: at most, by its terms and what there is; and so far."""

    planned_places: int
    planned_share: float
    planned_micros: int
    places: int
    share: float
    micros: int

    @property
    def words(self) -> str:
        """One sentence for the requester."""
        planned = self.planned_share
        if self.places:
            return f"Gold has cost {_percent(self.share)} of this batch so far, and costs {_percent(planned)} at most."
        return f"Gold costs {_percent(planned)} of this batch at most."


def _percent(share: float) -> str:
    return f"{100 * share:.1f}\u00a0%"


@dataclass(frozen=True)
class KeyView:
    """A key as its requester sees it. `low` and `high` bound the share of right answers with 95 % credibility."""

    cursor: int
    task: str
    key: dict[str, Any]
    origin: str
    state: str
    why: str
    alike: str | None
    posterior: float | None
    shown: int
    cap: int
    judged: int
    passed: int
    low: float
    high: float
    instead: dict[str, Any] | None
    instead_answers: int
    parts: Parts
    added_at: datetime


@dataclass(frozen=True)
class Root:
    """A commitment as everybody may see it."""

    number: int
    root: bytes
    leaves: int
    made_at: datetime

    def as_json(self) -> dict[str, Any]:
        """As all sides read it."""
        return {"number": self.number, "root_hash": self.root.hex(), "leaves": self.leaves, "made_at": self.made_at}


@dataclass(frozen=True)
class Opened:
    """A key with what shows that it was committed to."""

    cursor: int
    task_id: int
    task: str
    key: dict[str, Any]
    number: int
    opening: Opening

    def as_json(self) -> dict[str, Any]:
        """What the root is checked with, as all sides read it."""
        return {
            "key": self.key,
            "number": self.number,
            "salt": self.opening.salt.hex(),
            "text": self.opening.text,
            "index": self.opening.index,
            "path": [node.hex() for node in self.opening.path],
        }


def cost_of(batch: Batch) -> GoldCost:
    """What gold costs of the batch."""
    require_transaction()
    with acting_as("gold_reader"):
        [(shown, ready, places, reserved)] = rows(
            "SELECT coalesce(sum(g.shown), 0), coalesce(sum(g.cap - g.shown) FILTER (WHERE g.state = 'live'), 0),"
            " coalesce((SELECT l.places FROM batches_tail l WHERE l.batch_id = %s), 0),"
            " EXISTS (SELECT 1 FROM batches_task t WHERE t.batch_id = %s AND t.reserved)"
            " FROM batches_goldkey g WHERE g.batch_id = %s",
            [batch.pk, batch.pk, batch.pk],
        )
    shown, ready, places = int(shown), int(ready), int(places)
    policy = Policy(**batch.gold_policy)
    steepest = max(policy.max_share, policy.probation_share if policy.probation else 0.0)
    left = allowed(policy, places=places, spent=shown)
    # By the keys there are; and by the share alone where the crowd may add some.
    more = max(0, min(ready, round(steepest * places) - shown))
    if policy.refill != "off" and not reserved:
        more = max(more, round(policy.max_share * places) - shown)
    planned = shown + (more if left is None else min(more, left))
    return GoldCost(
        planned_places=planned,
        planned_share=planned / places if places else 0.0,
        planned_micros=planned * batch.unit_micros,
        places=shown,
        share=shown / places if places else 0.0,
        micros=shown * batch.unit_micros,
    )


_KEYS = """
SELECT g.task_id, t.external_id, g.key, g.origin, g.state, g.why, a.external_id, g.posterior, g.shown, g.cap,
       g.added_at, octet_length(p.data::text),
       (SELECT count(*) FROM batches_goldkey o JOIN batches_batch b ON b.id = o.batch_id
         WHERE batches_bands(o.simhash) && batches_bands(g.simhash)
           AND bit_count((o.simhash # g.simhash)::bit(64)) <= 3 AND b.project_id = %s AND o.task_id <> g.task_id)
  FROM batches_goldkey g
  JOIN batches_task t ON t.id = g.task_id
  JOIN batches_payload p ON p.task_id = g.task_id
  LEFT JOIN batches_task a ON a.id = g.alike_id
 WHERE g.batch_id = %s AND g.task_id > %s AND (%s::text IS NULL OR g.state = %s) ORDER BY g.task_id LIMIT %s
"""


def keys_page(batch: Batch, *, state: str | None, after_id: int, limit: int) -> list[KeyView]:
    """Keys of the batch by task."""
    require_transaction()
    with acting_as("gold_reader"):
        found = rows(_KEYS, [batch.project_id, batch.pk, after_id, state, state, limit])
        sizes = [
            size
            for (size,) in rows(
                "SELECT octet_length(p.data::text) FROM batches_task t JOIN batches_payload p ON p.task_id = t.id"
                " WHERE t.batch_id = %s AND NOT EXISTS (SELECT 1 FROM batches_goldkey g WHERE g.task_id = t.id)"
                " LIMIT %s",
                [batch.pk, SIZES_LOOKED_AT],
            )
        ]
        verdicts = _verdicts([row[0] for row in found])
    return [_view(row, verdicts[row[0]], sizes) for row in found]


def keys_to_judge(batch_id: int, *, after_id: int, limit: int) -> list[int]:
    """Tasks whose keys wait for the requester's word: the crowd gave them, or good workers keep failing them. By id."""
    require_transaction()
    with acting_as("gold_reader"):
        return [
            row[0]
            for row in rows(
                "SELECT task_id FROM batches_goldkey WHERE batch_id = %s AND task_id > %s"
                " AND (state = 'flagged' OR (state = 'waiting' AND why = 'ask')) ORDER BY task_id LIMIT %s",
                [batch_id, after_id, limit],
            )
        ]


def key_of(batch: Batch, task_id: int) -> KeyView | None:
    """The key of one task of the batch, if it has one."""
    found = keys_page(batch, state=None, after_id=task_id - 1, limit=1)
    return found[0] if found and found[0].cursor == task_id else None


@dataclass(frozen=True)
class Item:
    """An item as its requester sees it before its batch is published, with its known answer if it has one."""

    cursor: int
    task: str
    data: dict[str, Any]
    overlap: int
    reserved: bool
    key: dict[str, Any] | None


_ITEMS = """
SELECT t.id, t.external_id, p.data, t.overlap, t.reserved, g.key FROM batches_task t
  JOIN batches_payload p ON p.task_id = t.id {join} batches_goldkey g ON g.task_id = t.id
 WHERE t.batch_id = %s AND t.id > %s {only} ORDER BY t.id LIMIT %s
"""
_ONLY = {
    None: ("LEFT JOIN", ""),
    True: ("JOIN", "AND g.batch_id = t.batch_id"),
    False: ("LEFT JOIN", "AND g.key IS NULL"),
}


def items_page(batch: Batch, *, gold: bool | None, after_id: int, limit: int) -> list[Item]:
    """Items of the batch in the order in which they came; with `gold` those only that have a known answer, or none."""
    require_transaction()
    # From there on the key of the tasks is walked.
    begin = value("SELECT coalesce(min(after_task_id), 0) FROM batches_import WHERE batch_id = %s", [batch.pk])
    join, only = _ONLY[gold]
    with acting_as("gold_reader"):
        found = rows(_ITEMS.format(join=join, only=only), [batch.pk, max(begin, after_id), limit])
    return [Item(*row) for row in found]


def _verdicts(task_ids: list[int]) -> dict[int, list[tuple[Any, ...]]]:
    """(score, what was given, whether its worker has another account) by task; the caller acts as the gold reader."""
    found: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for task_id, *rest in rows(
        "SELECT v.task_id, v.score, v.given, EXISTS (SELECT 1 FROM profiles_worker o"
        "  WHERE o.person_id = w.person_id AND o.id <> w.id)"
        " FROM gold_verdict v JOIN profiles_worker w ON w.id = v.worker_id WHERE v.task_id = ANY(%s)",
        [task_ids],
    ):
        found[task_id].append(tuple(rest))
    return found


def _view(row: tuple[Any, ...], verdicts: Sequence[tuple[Any, ...]], sizes: Sequence[int]) -> KeyView:
    task_id, external_id, key, origin, state, why, alike, posterior, shown, cap, added_at, size, others = row
    passed = sum(score >= FAILED_BELOW for score, _, _ in verdicts)
    low, high = Posterior(1 + passed, 1 + len(verdicts) - passed).interval()
    failed = Counter(dumps(given, sort_keys=True) for score, given, _ in verdicts if given and score < FAILED_BELOW)
    instead = min(failed.items(), key=lambda item: (-item[1], item[0])) if failed else None
    linked = sum(has_other for _, _, has_other in verdicts)
    return KeyView(
        cursor=task_id,
        task=external_id,
        key=key,
        origin=origin,
        state=state,
        why=why,
        alike=alike,
        posterior=posterior,
        shown=shown,
        cap=cap,
        judged=len(verdicts),
        passed=passed,
        low=low,
        high=high,
        instead=loads(instead[0]) if instead else None,
        instead_answers=instead[1] if instead else 0,
        parts=Parts(
            alike=alike_part(others),
            linked=linked / len(verdicts) if verdicts else 0.0,
            size=size_part(size, sizes),
        ),
        added_at=added_at,
    )


def roots_of(batch_id: int, *, whole_hours: bool) -> list[Root]:
    """The batch's commitments in order. With `whole_hours`, as workers see them, those beyond the first appear at the
    next full hour and with that time: the moment at which a key was added could tell whose answers made it."""
    found = rows(
        "SELECT seq, root, leaves, CASE WHEN %s AND seq > 1 THEN date_trunc('hour', made_at) + interval '1 hour'"
        " ELSE made_at END FROM gold_commitment WHERE batch_id = %s"
        " AND (NOT %s OR seq = 1 OR date_trunc('hour', made_at) + interval '1 hour' <= market_now()) ORDER BY seq",
        [whole_hours, batch_id, whole_hours],
    )
    return [Root(number, bytes(root), leaves, made_at) for number, root, leaves, made_at in found]


def openings_page(batch_id: int, *, after_id: int, limit: int, worker_id: int | None = None) -> list[Opened]:
    """Openings of the batch's keys by task: of all, or of those that a worker was judged by."""
    require_transaction()
    with acting_as("gold_reader"):
        found = rows(
            "SELECT g.task_id, t.external_id, g.key, g.sealed, g.salt, gold_text(t.external_id, g.key)"
            " FROM batches_goldkey g JOIN batches_task t ON t.id = g.task_id"
            " WHERE g.batch_id = %s AND g.task_id > %s AND g.sealed IS NOT NULL AND (%s::bigint IS NULL OR EXISTS"
            "  (SELECT 1 FROM gold_verdict v WHERE v.task_id = g.task_id AND v.worker_id = %s))"
            " ORDER BY g.task_id LIMIT %s",
            [batch_id, after_id, worker_id, worker_id, limit],
        )
        trees = {number: _leaves(batch_id, number) for number in {row[3] for row in found}}
    opened = []
    for number, leaves in trees.items():
        of = [row for row in found if row[3] == number]
        places = paths_of(leaves, [leaf_of(bytes(row[4]), row[5]) for row in of])
        opened += [
            Opened(row[0], row[0], row[1], row[2], number, Opening(bytes(row[4]), row[5], index, path))
            for row, (index, path) in zip(of, places, strict=True)
        ]
    return sorted(opened, key=lambda one: one.cursor)


def _leaves(batch_id: int, number: int) -> list[bytes]:
    leaves = value(
        "SELECT gold_leaves(batch_id, seq, seed, leaves) FROM gold_commitment WHERE batch_id = %s AND seq = %s",
        [batch_id, number],
    )
    return [bytes(leaf) for leaf in leaves]


def scores_of(worker_id: int, task_ids: Iterable[int]) -> dict[int, float]:
    """What a worker's own answers were judged, by task: for the openings of a batch that is settled."""
    require_transaction()
    with acting_as("gold_reader"):
        return dict(
            rows(
                "SELECT task_id, score FROM gold_verdict WHERE worker_id = %s AND task_id = ANY(%s)",
                [worker_id, list(task_ids)],
            )
        )


@dataclass(frozen=True)
class KeyCounts:
    """How many keys of a batch are in use, waiting, flagged and in all, and how often any was shown."""

    live: int
    waiting: int
    flagged: int
    keys: int
    shown: int


def key_counts(batch_id: int) -> KeyCounts:
    """How the keys of a batch stand, for its requester: numbers alone."""
    require_transaction()
    with acting_as("gold_reader"):
        [row] = rows(
            "SELECT count(*) FILTER (WHERE state = 'live'), count(*) FILTER (WHERE state = 'waiting'),"
            " count(*) FILTER (WHERE state = 'flagged'), count(*), coalesce(sum(shown), 0)"
            " FROM batches_goldkey WHERE batch_id = %s",
            [batch_id],
        )
    return KeyCounts(*map(int, row))


@dataclass(frozen=True)
class Verdicts:
    """How many answers were compared with keys that are in use, and how many of them were right; with 95 % credible
    bounds of that share."""

    judged: int
    right: int

    @property
    def share(self) -> float:
        """0 where none was compared."""
        return self.right / self.judged if self.judged else 0.0

    @property
    def bounds(self) -> tuple[float, float]:
        return Posterior(1 + self.right, 1 + self.judged - self.right).interval()


_VERDICTS = """
SELECT {of}, count(*), count(*) FILTER (WHERE v.score >= %s)
  FROM gold_verdict v JOIN batches_goldkey g ON g.task_id = v.task_id AND g.state = 'live'
 WHERE v.batch_id = %s AND (%s::bigint[] IS NULL OR v.worker_id = ANY(%s)) GROUP BY 1
"""


def verdicts_of(batch_id: int, worker_ids: Sequence[int]) -> dict[int, Verdicts]:
    """By worker, of some who work on the batch, for its requester's reviewers: numbers alone."""
    some = list(worker_ids)
    found = _counted("v.worker_id", [FAILED_BELOW, batch_id, some, some])
    return {worker_id: Verdicts(judged, right) for worker_id, judged, right in found}


def record_of(worker_id: int, task_ids: Sequence[int]) -> Verdicts:
    """Of one worker over all batches, as far as these tasks go: for staff, who judge him. Numbers alone."""
    require_transaction()
    with acting_as("gold_reader"):
        [(judged, right)] = rows(
            "SELECT count(*), count(*) FILTER (WHERE v.score >= %s) FROM gold_verdict v"
            " JOIN batches_goldkey g ON g.task_id = v.task_id AND g.state = 'live'"
            " WHERE v.worker_id = %s AND v.task_id = ANY(%s)",
            [FAILED_BELOW, worker_id, list(task_ids)],
        )
    return Verdicts(judged, right)


def verdicts_in(batch_id: int) -> Verdicts:
    """Of all who work on the batch together."""
    found = _counted("v.batch_id", [FAILED_BELOW, batch_id, None, None])
    return Verdicts(*found[0][1:]) if found else Verdicts(0, 0)


def _counted(of: str, params: list[Any]) -> list[tuple[Any, ...]]:
    require_transaction()
    with acting_as("gold_reader"):
        return rows(_VERDICTS.format(of=of), params)
