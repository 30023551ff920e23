"""Record what came of answers and keep the posteriors."""

from collections.abc import Sequence
from dataclasses import dataclass

from marketplace.common.database import run
from marketplace.common.transactions import require_transaction
from workers.reputation.locks import standings_for_update
from workers.reputation.scoring import PRIOR, Posterior, updated

SHOW_EVERY = 20


@dataclass(frozen=True)
class Judged:
    """What came of one answer; `score` from 0 to 1, or None when there was nothing to judge it by."""

    worker_id: int
    project_id: int
    batch_id: int
    score: float | None


def record_outcomes(outcomes: Sequence[Judged]) -> None:
    """Append an outcome for each answer and fold it into its worker's posterior, in the order given.

    Call it once for each answer: the caller's queue guards that. Locks the standings by worker and project.
    """
    require_transaction()
    if not outcomes:
        return
    pairs = sorted({(o.worker_id, o.project_id) for o in outcomes})
    run(
        "INSERT INTO reputation_standing (worker_id, project_id, alpha, beta, shown_alpha, shown_beta, changed_at)"
        " SELECT w, p, %s, %s, %s, %s, market_now() FROM unnest(%s::bigint[], %s::bigint[]) AS g(w, p)"
        " ORDER BY w, p ON CONFLICT DO NOTHING",
        [PRIOR.alpha, PRIOR.beta, PRIOR.alpha, PRIOR.beta, [p[0] for p in pairs], [p[1] for p in pairs]],
    )
    standings = standings_for_update(pairs)
    run(
        "INSERT INTO reputation_outcome (worker_id, project_id, batch_id, score, made_at)"
        " SELECT w, p, b, s, market_now()"
        " FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::float8[]) AS g(w, p, b, s)",
        [
            [o.worker_id for o in outcomes],
            [o.project_id for o in outcomes],
            [o.batch_id for o in outcomes],
            [o.score for o in outcomes],
        ],
    )
    # What is shown is the standing at the last multiple, not what follows it in the same group.
    shown: dict[tuple[int, int], tuple[float, float, int]] = {}
    for outcome in outcomes:
        pair = (outcome.worker_id, outcome.project_id)
        alpha, beta, evidence, answers = standings[pair]
        if outcome.score is not None:
            after = updated(Posterior(alpha, beta), outcome.score)
            alpha, beta, evidence = after.alpha, after.beta, evidence + 1
        standings[pair] = (alpha, beta, evidence, answers + 1)
        if (answers + 1) % SHOW_EVERY == 0:
            shown[pair] = (alpha, beta, evidence)
    run(
        "UPDATE reputation_standing s SET alpha = g.alpha, beta = g.beta, evidence = g.evidence, answers = g.answers,"
        " shown_alpha = coalesce(g.a, shown_alpha), shown_beta = coalesce(g.b, shown_beta),"
        " shown_evidence = coalesce(g.e, shown_evidence), changed_at = market_now()"
        " FROM unnest(%s::bigint[], %s::bigint[], %s::float8[], %s::float8[], %s::int[], %s::int[], %s::float8[],"
        " %s::float8[], %s::int[]) AS g(w, p, alpha, beta, evidence, answers, a, b, e)"
        " WHERE s.worker_id = g.w AND s.project_id = g.p",
        [
            [pair[0] for pair in pairs],
            [pair[1] for pair in pairs],
            *([standings[pair][place] for pair in pairs] for place in range(4)),
            *([shown[pair][place] if pair in shown else None for pair in pairs] for place in range(3)),
        ],
    )
