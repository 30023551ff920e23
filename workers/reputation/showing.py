"""What a worker is shown moves: write down from what to what and why, for the project and for what follows from it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from marketplace.common.database import run
from marketplace.common.outbox import publish
from workers.reputation import telling
from workers.reputation.events import ReputationShown
from workers.reputation.facets import GLOBAL, type_facet
from workers.reputation.queries import ShownStanding, shown_standings
from workers.reputation.scoring import Posterior
from workers.reputation.skills import skill_of
from workers.reputation.telling import Since


@dataclass(frozen=True)
class Moved:
    """A standing that is shown anew, with its last multiple of 20 answers."""

    worker_id: int
    project_id: int
    posterior: Posterior
    evidence: int
    answer_type: str
    answers: int
    since: Since


@dataclass(frozen=True)
class _Change:
    facet: str
    before: float
    after: Posterior
    words: str


def tell(moved: Sequence[Moved]) -> None:
    """Record a change of the project's score, and of those over all work and all work of its type, for each move.

    The caller holds the standings and writes what is shown afterwards. Emits `ReputationShown`.
    """
    if not moved:
        return
    shown = {(row.worker_id, row.project_id): row for row in shown_standings({move.worker_id for move in moved})}
    changes: list[tuple[Moved, _Change]] = []
    for move in moved:
        mine = [row for row in shown.values() if row.worker_id == move.worker_id]
        before = shown[move.worker_id, move.project_id]
        after = before.moved(move.posterior, move.evidence, move.answer_type)
        others = [row for row in mine if row is not before]
        changes += [(move, change) for change in _changes(move, before, after, others)]
        shown[move.worker_id, move.project_id] = after
    run(
        "INSERT INTO reputation_change (worker_id, project_id, facet, answers, judged, agreed, taken_back, score_from,"
        " score_to, low, high, words, made_at)"
        " SELECT g.*, market_now() FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::int[], %s::int[], %s::int[],"
        " %s::int[], %s::float8[], %s::float8[], %s::float8[], %s::float8[], %s::text[]) AS g",
        [
            [move.worker_id for move, _ in changes],
            [move.project_id for move, _ in changes],
            [change.facet for _, change in changes],
            [move.answers for move, _ in changes],
            [move.since.judged for move, _ in changes],
            [move.since.agreed for move, _ in changes],
            [move.since.taken_back for move, _ in changes],
            [change.before for _, change in changes],
            [change.after.mean for _, change in changes],
            [change.after.interval()[0] for _, change in changes],
            [change.after.interval()[1] for _, change in changes],
            [change.words for _, change in changes],
        ],
    )
    publish(ReputationShown(worker_ids=sorted({move.worker_id for move in moved})))


def _changes(
    move: Moved, before: ShownStanding, after: ShownStanding, others: Sequence[ShownStanding]
) -> Iterable[_Change]:
    name, was, now = before.project, before.posterior.mean, move.posterior
    yield _Change("project", was, now, telling.of_project(name, move.since, was, now.mean))
    kind = after.answer_type
    if kind:
        alike = [row for row in others if row.answer_type == kind]
        was = skill_of([*alike, before] if before.answer_type == kind else alike).posterior.mean
        now = skill_of([*alike, after]).posterior
        yield _Change(type_facet(kind), was, now, telling.of_type(kind, name, was, now.mean))
    was, now = skill_of([*others, before]).posterior.mean, skill_of([*others, after]).posterior
    yield _Change(GLOBAL, was, now, telling.of_all(name, was, now.mean))
