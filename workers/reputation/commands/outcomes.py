"""Record what came of answers, take back what was wrong, and keep the posteriors."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from marketplace.common.database import rows, run
from marketplace.common.transactions import require_transaction
from workers.reputation.facets import Judgement, counted, project_facet
from workers.reputation.locks import Held, Pair, Part, opened
from workers.reputation.queries import Recorded, Terms, terms_of, undos_of
from workers.reputation.scoring import Posterior, Tally, aged
from workers.reputation.showing import Moved, tell
from workers.reputation.states import JUDGEMENTS, UNSCORED, Kind
from workers.reputation.telling import SHOW_EVERY, Since

__all__ = ["SHOW_EVERY", "Judged", "record_outcomes", "undo_outcomes"]


@dataclass(frozen=True)
class Judged:
    """One thing that happened: an answer or a skip (without `score`), or what an answer was judged (0 … 1).

    weight         how much a judgement counts, 0 … 1: 1 for a known answer
    truth, given   the right label and the one that was given, where the answer has a single-choice field
    answer_type    of the field that is told apart by `truth`, or of the first; found out if it is left empty
    took_ms        how long the answer took
    digest         signed 64-bit hash of what was given
    easiness       how often others get the task right, where that is known
    field          the single-choice field; found out if it is left empty
    round          with `assignment_id` and `kind` what a thing is recorded once under
    made_at        when it happened, if that was before now; a judgement happens when it is recorded
    """

    worker_id: int
    project_id: int
    batch_id: int
    score: float | None = None
    kind: Kind = Kind.ANSWER
    weight: float = 1.0
    assignment_id: int | None = None
    task_id: int | None = None
    truth: str | None = None
    given: str | None = None
    answer_type: str = ""
    took_ms: int | None = None
    digest: int | None = None
    easiness: float | None = None
    field: str = ""
    round: int = 0
    made_at: datetime | None = None


@dataclass(frozen=True)
class _Stored:
    """An outcome that was new: its place in the list, and the weight and the day it counts with."""

    item: int
    weight: float
    day: int


def record_outcomes(outcomes: Sequence[Judged]) -> None:
    """Append what happened, and fold judgements into what is known of their workers, in the order given.

    An outcome of the same assignment, kind and round as an earlier one is not recorded and changes nothing. Agreement
    with others counts nothing where the answer was compared with a known one already. Locks standings by worker and
    project, then facets by worker, name and requester. Raises `ValueError` for an outcome that cannot be.
    """
    require_transaction()
    for outcome in outcomes:
        if outcome.kind == Kind.UNDO or (outcome.score is None) != (outcome.kind in UNSCORED):
            raise ValueError(f"an outcome of kind {outcome.kind} with score {outcome.score} cannot be recorded")
    if outcomes:
        terms = terms_of(sorted({(outcome.batch_id, outcome.project_id) for outcome in outcomes}))
        _record([_row(outcome, terms[outcome.batch_id, outcome.project_id]) for outcome in outcomes])


def undo_outcomes(*, outcome_ids: Sequence[int], reason: str) -> int:
    """Take judgements back, each once, by records of their own; returns how many.

    What each still contributes is subtracted everywhere it was counted. A judgement that is undone already, and
    anything that is no judgement, stays as it is. Locks as `record_outcomes`.
    """
    require_transaction()
    if not reason:
        raise ValueError("a judgement is taken back with a reason")
    undos = undos_of(outcome_ids, reason)
    return _record(undos) if undos else 0


def _row(outcome: Judged, terms: Terms) -> Recorded:
    field = outcome.field or terms.field if outcome.truth is not None or outcome.given is not None else ""
    values = vars(outcome) | {
        "kind": str(outcome.kind),
        "requester_id": terms.requester_id,
        "answer_type": outcome.answer_type or terms.answer_type,
        "field": field,
        "made_at": outcome.made_at and outcome.made_at.isoformat(),
    }
    return Recorded(**values)


def _store(recorded: Sequence[Recorded]) -> list[_Stored]:
    """Have the database append them; those that were new. The caller holds their standings."""
    values = [vars(row) | {"item": item} for item, row in enumerate(recorded)]
    found = rows("SELECT item, weight, day FROM reputation_record(%s::jsonb)", [json.dumps(values)])
    return [_Stored(*row) for row in found]


def _record(recorded: Sequence[Recorded]) -> int:
    """Store what is new, fold it, tell those whose score moves; returns how many were new."""
    # Judgements may turn out to be repeats; what is locked for them in vain does no harm.
    pairs = sorted({(row.worker_id, row.project_id) for row in recorded})
    parts = sorted(
        {
            (row.worker_id, facet, row.requester_id)
            for row in recorded
            if row.effect in JUDGEMENTS
            for facet in row.judgement(row.weight, 0).beyond()
        }
    )
    standings, tallies = opened(pairs, parts)
    new = _store(recorded)
    moved: list[Moved] = []
    confused: dict[tuple[int, int, str, str, str], float] = {}
    for entry in new:
        row = recorded[entry.item]
        held = standings[row.worker_id, row.project_id]
        if row.effect in JUDGEMENTS:
            _fold(row, entry, held, tallies, confused)
        elif row.kind == Kind.ANSWER:
            held.answers += 1
            # What is shown is the standing at the multiple, and not what follows it in the same group.
            if held.answers % SHOW_EVERY == 0:
                moved.append(_shown(row, held, entry.day))
    if not new:
        return 0
    tell(moved)
    _keep_standings(standings, moved)
    touched = {part: tallies[part] for part in parts}
    if touched:
        _keep_facets(touched)
    if confused:
        _keep_confusion(confused)
    return len(new)


def _fold(
    row: Recorded,
    entry: _Stored,
    held: Held,
    tallies: dict[Part, Tally],
    confused: dict[tuple[int, int, str, str, str], float],
) -> None:
    judgement: Judgement = row.judgement(entry.weight, entry.day)
    held.tally = counted(held.tally, judgement, project_facet(row.project_id))
    for facet in judgement.beyond():
        part = (row.worker_id, facet, row.requester_id)
        tallies[part] = counted(tallies[part], judgement, facet)
    if judgement.weight == 0:
        return
    if row.undoes is not None:
        held.taken_back += 1
    else:
        held.judged += 1
        held.agreed += judgement.score >= 0.5
    if row.effect != Kind.REVIEW and judgement.truth is not None and judgement.given is not None:
        cell = (row.worker_id, row.project_id, judgement.field, judgement.truth, judgement.given)
        confused[cell] = confused.get(cell, 0.0) + (-judgement.weight if row.undoes is not None else judgement.weight)


def _shown(row: Recorded, held: Held, day: int) -> Moved:
    since = Since(held.judged, held.agreed, held.taken_back)
    held.judged = held.agreed = held.taken_back = 0
    now = aged(held.tally, day)
    posterior = Posterior(now.alpha, now.beta)
    return Moved(row.worker_id, row.project_id, posterior, held.tally.evidence, row.answer_type, held.answers, since)


def _keep_standings(standings: dict[Pair, Held], moved: Sequence[Moved]) -> None:
    shown = {(move.worker_id, move.project_id): move for move in moved}
    kept = [(pair, held, held.tally, shown.get(pair)) for pair, held in standings.items()]
    run(
        "UPDATE reputation_standing s SET alpha = g.alpha, beta = g.beta, evidence = g.evidence, day = g.day,"
        " answers = g.answers, judged_since = g.judged, agreed_since = g.agreed, undone_since = g.undone,"
        " shown_alpha = coalesce(g.a, shown_alpha), shown_beta = coalesce(g.b, shown_beta),"
        " shown_evidence = coalesce(g.e, shown_evidence), shown_type = coalesce(g.t, shown_type),"
        " changed_at = market_now()"
        " FROM unnest(%s::bigint[], %s::bigint[], %s::float8[], %s::float8[], %s::int[], %s::int[], %s::int[],"
        " %s::int[], %s::int[], %s::int[], %s::float8[], %s::float8[], %s::int[], %s::text[])"
        " AS g(w, p, alpha, beta, evidence, day, answers, judged, agreed, undone, a, b, e, t)"
        " WHERE s.worker_id = g.w AND s.project_id = g.p",
        [
            [pair[0] for pair, *_ in kept],
            [pair[1] for pair, *_ in kept],
            [tally.alpha for _, _, tally, _ in kept],
            [tally.beta for _, _, tally, _ in kept],
            [tally.evidence for _, _, tally, _ in kept],
            [tally.day for _, _, tally, _ in kept],
            [held.answers for _, held, _, _ in kept],
            [held.judged for _, held, _, _ in kept],
            [held.agreed for _, held, _, _ in kept],
            [held.taken_back for _, held, _, _ in kept],
            [move.posterior.alpha if move else None for *_, move in kept],
            [move.posterior.beta if move else None for *_, move in kept],
            [move.evidence if move else None for *_, move in kept],
            [move.answer_type if move else None for *_, move in kept],
        ],
    )


def _keep_facets(tallies: dict[Part, Tally]) -> None:
    run(
        "UPDATE reputation_facet f SET alpha = g.alpha, beta = g.beta, evidence = g.evidence, day = g.day"
        " FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::float8[], %s::float8[], %s::int[], %s::int[])"
        " AS g(w, f, r, alpha, beta, evidence, day)"
        " WHERE f.worker_id = g.w AND f.facet = g.f AND f.requester_id = g.r",
        [
            [part[0] for part in tallies],
            [part[1] for part in tallies],
            [part[2] for part in tallies],
            [tally.alpha for tally in tallies.values()],
            [tally.beta for tally in tallies.values()],
            [tally.evidence for tally in tallies.values()],
            [tally.day for tally in tallies.values()],
        ],
    )


def _keep_confusion(confused: dict[tuple[int, int, str, str, str], float]) -> None:
    cells = sorted(confused)
    run(
        "INSERT INTO reputation_confusion AS c (worker_id, project_id, field, truth, given, weight)"
        " SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::float8[])"
        " ON CONFLICT (worker_id, project_id, field, truth, given) DO UPDATE"
        " SET weight = greatest(0, c.weight + excluded.weight)",
        [
            *([cell[place] for cell in cells] for place in range(5)),
            [confused[cell] for cell in cells],
        ],
    )
